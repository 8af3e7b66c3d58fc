//! The v2 dictionary: which datatype a field has, whether it repeats, and what a datatype is made of.
//!
//! One superset of versions 2.1 to 2.9 is kept as data: of each position the newest version that defines it counts,
//! and datatypes that newer versions withdrew are still there. Facts give issues and names, never loss.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What is known of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldFacts {
    /// The datatype, such as `CWE`; `varies` for OBX-5.
    pub datatype: &'static str,
    /// The field may have several repetitions.
    pub repeats: bool,
    /// The field is required.
    pub required: bool,
    /// The name of the field in English.
    pub name: &'static str,
    /// The number of its table.
    pub table: Option<u16>,
    /// The first version that has it.
    pub since: &'static str,
    /// The last version that defines it.
    pub until: &'static str,
    /// Earlier datatypes, each with the last version that used it: `IS:2.3,CE:2.5.1`.
    pub earlier: &'static str,
}

/// What is known of a component of a datatype.
pub type ComponentFacts = FieldFacts;

/// The facts of a field; `None` for Z segments and fields that no version defines.
#[must_use]
pub fn field(segment: &str, number: u16) -> Option<FieldFacts> {
    at(&DICTIONARY.fields, segment, number)
}

/// The facts of a component of a datatype.
#[must_use]
pub fn component(datatype: &str, number: u16) -> Option<ComponentFacts> {
    at(&DICTIONARY.components, datatype, number)
}

/// The number of components of a datatype; 0 for a datatype without components.
#[must_use]
pub fn component_count(datatype: &str) -> u16 {
    DICTIONARY.components.get(datatype).map_or(0, |list| list.len() as u16)
}

/// The number of fields of a segment; 0 when no version defines it.
#[must_use]
pub fn field_count(segment: &str) -> u16 {
    DICTIONARY.fields.get(segment).map_or(0, |list| list.len() as u16)
}

/// The ids of all segments that some version defines, in no order.
pub fn segments() -> impl Iterator<Item = &'static str> {
    DICTIONARY.fields.keys().copied()
}

/// A version of HL7 v2 that this crate knows.
#[must_use]
pub fn is_version(version: &str) -> bool {
    VERSIONS.contains(&version)
}

/// `version` is `least` or a later one. An unknown version is earlier than all.
#[must_use]
pub fn at_least(version: &str, least: &str) -> bool {
    let rank = |version: &str| VERSIONS.iter().position(|&known| known == version);
    rank(version).is_some_and(|found| Some(found) >= rank(least))
}

impl FieldFacts {
    /// The datatype in a version: an earlier one up to the version that last used it.
    #[must_use]
    pub fn datatype_in(&self, version: &str) -> &'static str {
        self.earlier
            .split(',')
            .filter_map(|pair| pair.split_once(':'))
            .find(|(_, last)| is_version(version) && at_least(last, version))
            .map_or(self.datatype, |(datatype, _)| datatype)
    }
}

/// Positions by number, some of which no version defines.
type Positions = HashMap<&'static str, Vec<Option<FieldFacts>>>;

struct Dictionary {
    fields: Positions,
    components: Positions,
}

fn at(positions: &Positions, owner: &str, number: u16) -> Option<FieldFacts> {
    *positions.get(owner)?.get(usize::from(number).checked_sub(1)?)?
}

/// Read once from constant text; it never changes.
static DICTIONARY: LazyLock<Dictionary> = LazyLock::new(|| {
    let mut dictionary = Dictionary { fields: HashMap::new(), components: HashMap::new() };
    for line in include_str!("../data/facts.tsv").lines().filter(|line| !line.starts_with('#')) {
        let Some((kind, owner, number, facts)) = read(line) else { continue };
        let positions = if kind == "F" { &mut dictionary.fields } else { &mut dictionary.components };
        let list = positions.entry(owner).or_default();
        list.resize(list.len().max(number), None);
        list[number - 1] = Some(facts);
    }
    dictionary
});

fn read(line: &'static str) -> Option<(&'static str, &'static str, usize, FieldFacts)> {
    let mut columns = line.split('\t');
    let mut next = || columns.next();
    let (kind, owner, number) = (next()?, next()?, next()?.parse().ok().filter(|&n: &usize| n > 0)?);
    let datatype = next()?;
    let (required, repeats) = (next()? == "R", next()? == "*");
    let table = next()?.parse().ok();
    let (since, until, earlier, name) = (next()?, next()?, next()?, next()?);
    Some((kind, owner, number, FieldFacts { datatype, repeats, required, name, table, since, until, earlier }))
}

/// The versions of HL7 v2, in their order.
const VERSIONS: &[&str] = &[
    "2.0", "2.0D", "2.1", "2.2", "2.3", "2.3.1", "2.3.2", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1",
    "2.8.2", "2.9", "2.9.1",
];
