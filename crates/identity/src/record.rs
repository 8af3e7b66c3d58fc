//! A record prepared for comparison: every value normalised once.

use std::fmt;

use dukou_fhir::LogicalId;

use crate::address::Address;
use crate::birth::BirthDate;
use crate::block::{self, BlockKey};
use crate::mask;
use crate::model::Model;
use crate::name::Name;
use crate::number::{Number, hash};
use crate::phone;
use crate::stated::{Marks, Stated, StatedName};
use crate::text::Standing;
use crate::wording::Wording;

/// One patient as one source knows it, ready to be compared. `Debug` shows its id only.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    id: LogicalId,
    source: Box<str>,
    pub(crate) born: i64,
    active: bool,
    pub(crate) marks: Marks,
    pub(crate) names: Box<[Name]>,
    /// The first name as it may be shown.
    pub(crate) shown: Box<str>,
    pub(crate) sex: Option<char>,
    pub(crate) birth: Option<BirthDate>,
    pub(crate) numbers: Box<[Number]>,
    pub(crate) phones: Box<[u64]>,
    pub(crate) address: Address,
    /// The further texts of the model, in its order.
    texts: Box<[Option<Wording>]>,
    pub(crate) text_keys: Box<[u64]>,
    digest: u64,
}

impl Record {
    /// Normalises what a source states. Broken and placeholder values take no part; the stated ones are not changed.
    pub fn prepare(model: &Model, stated: &Stated) -> Record {
        let placeholders = &model.file().placeholders;
        let mut phones: Vec<u64> =
            stated.phones.iter().filter_map(|text| phone::parse(text)).take(VALUES_MAX).collect();
        phones.sort_unstable();
        phones.dedup();
        let names = stated.names.iter().map(|name| Name::prepare(&name.written, &name.pinyin));
        let names: Vec<Name> = names.filter(|name| name.standing() != Standing::Empty).take(NAMES_MAX).collect();
        let birth = BirthDate::parse(&stated.birth_date);
        let sex = stated.sex.filter(|sex| matches!(sex, '1' | '2'));
        let number = |stated| Number::prepare(stated, &placeholders.numbers, birth, sex);
        let mut numbers: Vec<Number> = stated.identifiers.iter().take(VALUES_MAX).filter_map(number).collect();
        numbers.sort_by(|a, b| (a.class, &a.value, a.key).cmp(&(b.class, &b.value, b.key)));
        let text = |name: &String| {
            stated.other.iter().find(|(known, _)| known == name).and_then(|(_, text)| Wording::prepare(text))
        };
        let texts: Box<[Option<Wording>]> = model.texts.iter().map(text).collect();
        let mut digest = hash(birth.map_or(0, |date| u64::from(date.number())), stated.source.as_bytes());
        let sounds = names.iter().flat_map(|name| [name.frequency_keys().written, name.frequency_keys().pinyin]);
        let texts_stated = texts.iter().flatten().map(Wording::key);
        for part in sounds
            .flatten()
            .chain(texts_stated)
            .chain(numbers.iter().map(|number| number.key))
            .chain(phones.iter().copied())
        {
            digest = hash(digest, &part.to_le_bytes());
        }
        Record {
            digest,
            id: stated.record.clone(),
            source: stated.source.as_str().into(),
            born: stated.born,
            active: stated.active,
            marks: stated.marks,
            shown: stated.names.first().map(shown).unwrap_or_default().into(),
            names: names.into(),
            sex,
            birth,
            numbers: numbers.into(),
            phones: phones.into(),
            address: Address::parse(&stated.address),
            text_keys: block::text_keys(&model.blocks, &texts),
            texts,
        }
    }

    /// The record's id.
    pub fn id(&self) -> &LogicalId {
        &self.id
    }

    /// The system that states it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// When its first version came, in milliseconds since 1970.
    pub fn born(&self) -> i64 {
        self.born
    }

    /// False: retired by a merge, or not in use.
    pub fn active(&self) -> bool {
        self.active
    }

    /// Whether what stands for its name is a placeholder, or the name of the mother.
    pub(crate) fn has_no_name(&self) -> bool {
        let none = |name: &Name| matches!(name.standing(), Standing::Placeholder | Standing::Newborn);
        self.marks.newborn || self.marks.anonymous || self.names.iter().any(none)
    }

    /// Whether a whole name stands on it.
    pub(crate) fn is_named(&self) -> bool {
        self.names.iter().any(|name| name.standing() == Standing::Named)
    }

    /// Whether an identity number on it tells another birth date than the one that is stated: perhaps a relative's.
    pub(crate) fn is_suspect(&self) -> bool {
        let stated = |birth: BirthDate| self.birth.is_some_and(|stated| stated.is_apart(birth));
        self.numbers.iter().any(|number| number.birth.is_some_and(stated))
    }

    /// What stands on it as one number, for orders that must not depend on how records are called.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether another version says nothing else, apart from when the record came.
    pub(crate) fn says(&self, other: &Record) -> bool {
        *self == Record { born: self.born, ..other.clone() }
    }

    /// Whether it stands for somebody whose name is not known, who is no newborn.
    pub fn is_anonymous(&self) -> bool {
        self.marks.anonymous && !self.marks.newborn
    }

    /// A further text, by its place among the texts of the model.
    pub(crate) fn text(&self, at: usize) -> Option<&Wording> {
        self.texts.get(at)?.as_ref()
    }

    /// The keys under which it is found, sorted, each once.
    pub fn block_keys(&self) -> Vec<BlockKey> {
        block::keys(self)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("id", &self.id).finish_non_exhaustive()
    }
}

fn shown(name: &StatedName) -> String {
    mask::name(if name.written.is_empty() { &name.pinyin } else { &name.written })
}

/// So many names of one record take part.
const NAMES_MAX: usize = 4;
/// So many numbers, and so many telephones, of one record take part.
const VALUES_MAX: usize = 32;
