//! The index: all records by their keys, and the people they make up. Derived from versions and journal, in memory, never written.
//!
//! What it answers depends on what was put into it and not on the order: a version is known by its number, an older one never takes the
//! place of a newer one, and after each change the records that could be touched are gathered and made into people anew by the same
//! pure functions that a batch uses.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use dukou_fhir::LogicalId;

use crate::block::BlockKey;
use crate::blocks::{Blocks, RECORDS_MAX};
use crate::fold::Fold;
use crate::journal::{Decided, Entry};
use crate::model::Model;
use crate::number::Number;
use crate::person::PersonId;
use crate::record::Record;
use crate::score::{Veto, Vetoes, compare};
use crate::stated::{Class, Obtained, StatedIdentifier};
use crate::{Explanation, explain};

/// All records and the people they make up.
#[derive(Clone)]
pub struct Index {
    pub(crate) model: Arc<Model>,
    pub(crate) slots: Vec<Slot>,
    by_id: HashMap<LogicalId, u32>,
    pub(crate) blocks: Blocks,
    pub(crate) fold: Fold,
    /// The records of each person of more than one, by the place of the leading one; that one first, then as they were born.
    pub(crate) people: HashMap<u32, Box<[u32]>>,
    pub(crate) live: usize,
    /// A key that more records share brings nobody together.
    pub(crate) block_max: usize,
}

/// What is known under one id: a record, or only that a decision names it.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) id: LogicalId,
    /// The newest version seen; 0 before the first.
    pub(crate) seq: u64,
    /// When the first version came.
    pub(crate) born: i64,
    pub(crate) record: Option<Record>,
    /// The place of the record that leads this one's person.
    pub(crate) leader: u32,
}

impl Index {
    /// An index without records.
    pub fn new(model: Arc<Model>) -> Index {
        Index {
            block_max: model.block_max(),
            model,
            slots: Vec::new(),
            by_id: HashMap::new(),
            blocks: Blocks::default(),
            fold: Fold::default(),
            people: HashMap::new(),
            live: 0,
        }
    }

    /// The model by which records are compared.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// A version of a record; `seq` is its place in the history of the store. An older version than the known one changes nothing.
    pub fn put(&mut self, seq: u64, record: Record) {
        let place = self.place_of(record.id());
        if self.slots[place as usize].seq >= seq {
            return self.correct(place, record.born());
        }
        let born = record.born();
        self.exchange(place, seq, born, Some(record));
    }

    /// The end of a record that was `born` then, in milliseconds since 1970. An older version than the known one changes nothing.
    pub fn remove(&mut self, seq: u64, id: &LogicalId, born: i64) {
        let place = self.place_of(id);
        if self.slots[place as usize].seq < seq {
            self.exchange(place, seq, born, None);
        }
    }

    /// An entry of the journal. One that is known changes nothing.
    pub fn decide(&mut self, entry: Entry) {
        let taken_back = match &entry.decided {
            Decided::Unmerge { merge } => self.fold.entry(*merge),
            _ => None,
        };
        let named = entry.decided.records().chain(taken_back.into_iter().flat_map(|entry| entry.decided.records()));
        let named: BTreeSet<LogicalId> = named.cloned().collect();
        named.iter().for_each(|id| {
            self.place_of(id);
        });
        let before = self.decided_with(&named);
        let mut dirty = self.reach(before);
        self.fold.add(entry);
        dirty.extend(self.decided_with(&named));
        self.regroup(dirty);
    }

    /// The person of a record; none where there is no such record.
    pub fn person(&self, record: &LogicalId) -> Option<PersonId> {
        let slot = self.slot(record)?;
        Some(PersonId::led_by(self.slots[slot.leader as usize].id.clone()))
    }

    /// All records of the same person, the leading one first, then as they were born. Empty where there is no such record.
    pub fn records(&self, record: &LogicalId) -> Vec<LogicalId> {
        let Some(slot) = self.slot(record) else { return Vec::new() };
        self.members(&slot.leader).iter().map(|place| self.slots[*place as usize].id.clone()).collect()
    }

    /// The end of a record's chain of merges; none where it is not retired.
    pub fn survivor(&self, record: &LogicalId) -> Option<LogicalId> {
        self.fold.ruling(&self.fold.group(record)).survivor(record).cloned()
    }

    /// The records that hold this number under this canonical system, in the order of their ids. Blanks and case make no difference.
    pub fn holders(&self, system: &str, value: &str) -> Vec<LogicalId> {
        let mut found = BTreeSet::new();
        // A resident number of 15 digits is held under the one of 18 that it stands for.
        for class in [Class::Resident, Class::Other] {
            let (system, value) = (system.to_owned(), value.to_owned());
            let stated = StatedIdentifier { class, system, value, obtained: Obtained::Feed, in_period: true };
            let Some(number) = Number::prepare(&stated, &[], None, None) else { continue };
            let is_it = |own: &Number| own.key == number.key && own.system == number.system;
            self.blocks.each(BlockKey::of_number(number.key).hash(), |place| {
                let slot = &self.slots[place as usize];
                if slot.record.as_ref().is_some_and(|record| record.numbers.iter().any(is_it)) {
                    found.insert(slot.id.clone());
                }
            });
        }
        found.into_iter().collect()
    }

    /// Two records against each other, told in full.
    pub fn explain(&self, a: &LogicalId, b: &LogicalId) -> Option<Explanation> {
        let (a, b) = (self.slot(a)?.record.as_ref()?, self.slot(b)?.record.as_ref()?);
        Some(explain(&self.model, a, b))
    }

    /// The record as it is compared.
    pub fn record(&self, id: &LogicalId) -> Option<&Record> {
        self.slot(id)?.record.as_ref()
    }

    /// When the first version of a record came, in milliseconds since 1970; also of one that has ended.
    pub fn born(&self, id: &LogicalId) -> Option<i64> {
        self.by_id.get(id).map(|place| &self.slots[*place as usize]).filter(|slot| slot.seq > 0).map(|slot| slot.born)
    }

    /// The newest standing decision that names exactly these two records.
    pub fn decision(&self, a: &LogicalId, b: &LogicalId) -> Option<&Entry> {
        self.fold.decision(a, b)
    }

    /// The journal's entry with a number.
    pub fn entry(&self, seq: u64) -> Option<&Entry> {
        self.fold.entry(seq)
    }

    /// The number of the newest entry that took something away from this record.
    pub fn severed(&self, record: &LogicalId) -> Option<u64> {
        self.fold.severed(record)
    }

    /// All records that standing merges have made one with this record, itself among them, in the order of their ids.
    pub fn merged(&self, record: &LogicalId) -> Vec<LogicalId> {
        let ruling = self.fold.ruling(&self.fold.group(record));
        let end = ruling.survivor(record).unwrap_or(record);
        let retired = ruling.replaced.keys().filter(|id| ruling.survivor(id) == Some(end));
        let all: BTreeSet<&LogicalId> = retired.chain([end]).collect();
        all.into_iter().cloned().collect()
    }

    /// The number of the standing merge that retired this record.
    pub fn merge_of(&self, retired: &LogicalId) -> Option<u64> {
        let ruling = self.fold.ruling(&self.fold.group(retired));
        let survivor = ruling.replaced.get(retired)?;
        let is_it = |entry: &&Entry| matches!(&entry.decided, Decided::Merge { survivor: s, retired: r } if (s, r) == (survivor, retired));
        let named = self.fold.about(retired).into_iter().rev().filter(|seq| self.fold.stands(*seq));
        named.filter_map(|seq| self.fold.entry(seq)).find(is_it).map(|entry| entry.seq)
    }

    /// What forbids now to join the person of one record with the person of another: between any two of their records, or because a
    /// person has said that two of them are not the same. Empty where one of the two is not known.
    pub fn objections(&self, a: &LogicalId, b: &LogicalId) -> Vetoes {
        let (left, right) = (self.records(a), self.records(b));
        let mut found = Vetoes::default();
        if left.is_empty() || right.is_empty() || left.contains(b) {
            return found;
        }
        let pairs = left.iter().flat_map(|one| right.iter().map(move |other| (one, other)));
        for (one, other) in pairs {
            if let (Some(one), Some(other)) = (self.record(one), self.record(other)) {
                found = compare(&self.model, one, other).vetoes.iter().fold(found, Vetoes::with);
            }
        }
        if self.is_held_apart(&left, &right) { found.with(Veto::NotSame) } else { found }
    }

    /// Whether a decision holds a record of the one side apart from one of the other.
    pub(crate) fn is_held_apart(&self, left: &[LogicalId], right: &[LogicalId]) -> bool {
        let named: BTreeSet<LogicalId> = left.iter().filter(|id| self.fold.knows(id)).cloned().collect();
        let group: BTreeSet<LogicalId> = named.iter().flat_map(|id| self.fold.group(id)).collect();
        let between = |(a, b): &(LogicalId, LogicalId)| {
            left.contains(a) && right.contains(b) || left.contains(b) && right.contains(a)
        };
        !group.is_empty() && self.fold.ruling(&group).apart.iter().any(between)
    }

    /// The records of a person by the place of its leader: the leading one first, then as they were born.
    pub(crate) fn members<'a>(&'a self, leader: &'a u32) -> &'a [u32] {
        self.people.get(leader).map_or(std::slice::from_ref(leader), |members| members)
    }

    pub(crate) fn place(&self, id: &LogicalId) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    fn slot(&self, id: &LogicalId) -> Option<&Slot> {
        self.place(id).map(|place| &self.slots[place as usize]).filter(|slot| slot.record.is_some())
    }

    /// The places of all records that decisions connect with these.
    fn decided_with(&self, named: &BTreeSet<LogicalId>) -> BTreeSet<u32> {
        let group: BTreeSet<LogicalId> = named.iter().flat_map(|id| self.fold.group(id)).collect();
        group.iter().filter_map(|id| self.place(id)).collect()
    }

    /// The place of an id, which from now on has one.
    pub(crate) fn place_of(&mut self, id: &LogicalId) -> u32 {
        if let Some(place) = self.by_id.get(id) {
            return *place;
        }
        let place = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        assert!(place < RECORDS_MAX, "the index is full");
        self.slots.push(Slot { id: id.clone(), seq: 0, born: 0, record: None, leader: place });
        self.by_id.insert(id.clone(), place);
        place
    }
}
