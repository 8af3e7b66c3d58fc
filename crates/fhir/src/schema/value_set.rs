//! The value sets of required bindings.

use std::sync::OnceLock;

use super::table::{columns, lines};

/// A value set of a required binding.
#[derive(Debug)]
pub struct ValueSet {
    /// The name in the table: the canonical url, or what follows the common start of HL7's.
    name: &'static str,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    /// The codes by system, sorted within each; and all of them, sorted.
    Codes { systems: Vec<(&'static str, Vec<&'static str>)>, all: Vec<&'static str> },
    /// Codes that no list can hold but whose form is known.
    Form(fn(&str) -> bool),
    /// Neither: the set is not held here.
    Open,
}

impl ValueSet {
    /// Its canonical url, without version.
    pub fn url(&self) -> String {
        if self.name.contains(':') { self.name.to_owned() } else { format!("{VALUE_SETS}{}", self.name) }
    }

    /// Whether the set holds the code, of that system if one is said; nothing where the set is not held here.
    pub fn holds(&self, system: Option<&str>, code: &str) -> Option<bool> {
        match (&self.rule, system) {
            (Rule::Codes { all, .. }, None) => Some(all.binary_search(&code).is_ok()),
            (Rule::Codes { systems, .. }, Some(system)) => {
                let mut of_system = systems.iter().filter(|(own, _)| *own == system);
                Some(of_system.any(|(_, codes)| codes.binary_search(&code).is_ok()))
            }
            (Rule::Form(fits), _) => Some(fits(code)),
            (Rule::Open, _) => None,
        }
    }

    /// The codes that can be listed, sorted; empty for sets with a rule instead of a list.
    pub fn codes(&self) -> &[&'static str] {
        match &self.rule {
            Rule::Codes { all, .. } => all,
            Rule::Form(_) | Rule::Open => &[],
        }
    }
}

/// The set of that name in the table.
pub(super) fn named(name: &str) -> Option<&'static ValueSet> {
    let sets = sets();
    sets.binary_search_by(|set| set.name.cmp(name)).ok().map(|at| &sets[at])
}

fn sets() -> &'static [ValueSet] {
    static SETS: OnceLock<Vec<ValueSet>> = OnceLock::new();
    SETS.get_or_init(read)
}

fn read() -> Vec<ValueSet> {
    let mut sets: Vec<ValueSet> = Vec::new();
    for line in lines(VALUE_SET_TABLE) {
        let [name, system, codes] = columns(line);
        if sets.last().is_none_or(|set| set.name != name) {
            let rule = match name {
                "mimetypes" => Rule::Form(is_media_type),
                "currencies" => Rule::Form(is_currency),
                "ucum-units" => Rule::Form(is_unit),
                _ if system.is_empty() => Rule::Open,
                _ => Rule::Codes { systems: Vec::new(), all: Vec::new() },
            };
            sets.push(ValueSet { name, rule });
        }
        if let Some(ValueSet { rule: Rule::Codes { systems, all }, .. }) = sets.last_mut() {
            let codes: Vec<&'static str> = codes.split('|').collect();
            all.extend(&codes);
            all.sort_unstable();
            systems.push((system, codes));
        }
    }
    sets.sort_unstable_by_key(|set| set.name);
    sets
}

/// `type/subtype`, parameters allowed (BCP 13).
fn is_media_type(code: &str) -> bool {
    let essence = code.split(';').next().unwrap_or_default().trim_end();
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte))
    };
    essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

/// Three capital letters (ISO 4217).
fn is_currency(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// A unit without blanks (UCUM).
fn is_unit(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_graphic())
}

const VALUE_SETS: &str = "http://hl7.org/fhir/ValueSet/";
const VALUE_SET_TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/value-sets.tsv"));
