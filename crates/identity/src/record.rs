//! A record prepared for comparison: every value normalised once.

use std::fmt;

use dukou_fhir::LogicalId;

use crate::address::Address;
use crate::birth::BirthDate;
use crate::block::{self, BlockKey};
use crate::model::Model;
use crate::number::Number;
use crate::phone;
use crate::stated::{Marks, Stated};

/// One patient as one source knows it, ready to be compared. `Debug` shows its id only.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    id: LogicalId,
    source: Box<str>,
    pub(crate) born: i64,
    active: bool,
    pub(crate) marks: Marks,
    pub(crate) names: Box<[Box<str>]>,
    pub(crate) sex: Option<char>,
    pub(crate) birth: Option<BirthDate>,
    pub(crate) numbers: Box<[Number]>,
    pub(crate) phones: Box<[u64]>,
    pub(crate) address: Address,
}

impl Record {
    /// Normalises what a source states. Broken and placeholder values take no part; the stated ones are not changed.
    pub fn prepare(model: &Model, stated: &Stated) -> Record {
        let placeholders = &model.file().placeholders;
        let mut numbers: Vec<Number> =
            stated.identifiers.iter().filter_map(|number| Number::prepare(number, &placeholders.numbers)).collect();
        numbers.truncate(VALUES_MAX);
        let mut phones: Vec<u64> =
            stated.phones.iter().filter_map(|text| phone::parse(text)).take(VALUES_MAX).collect();
        phones.sort_unstable();
        phones.dedup();
        let names = stated.names.iter().map(|name| name.written.as_str()).filter(|name| !name.is_empty());
        Record {
            id: stated.record.clone(),
            source: stated.source.as_str().into(),
            born: stated.born,
            active: stated.active,
            marks: stated.marks,
            names: names.map(Into::into).collect(),
            sex: stated.sex.filter(|sex| matches!(sex, '1' | '2')),
            birth: BirthDate::parse(&stated.birth_date),
            numbers: numbers.into(),
            phones: phones.into(),
            address: Address::parse(&stated.address),
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

    /// The names as they are written.
    pub(crate) fn written_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// Whether another version says nothing else, apart from when the record came.
    pub(crate) fn says(&self, other: &Record) -> bool {
        *self == Record { born: self.born, ..other.clone() }
    }

    /// Whether it stands for somebody whose name is not known, who is no newborn.
    pub fn is_anonymous(&self) -> bool {
        self.marks.anonymous && !self.marks.newborn
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

/// So many numbers, and so many telephones, of one record take part.
const VALUES_MAX: usize = 32;
