//! Building an index from everything that is stored: ties are looked for once, when all records are there, on several threads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread;

use dukou_fhir::LogicalId;

use crate::index::Index;
use crate::journal::Entry;
use crate::model::Model;
use crate::record::Record;
use crate::regroup::Component;
use crate::score::{Scored, compare};

/// An index that cannot be asked yet.
pub struct Loading {
    index: Index,
}

impl Loading {
    /// Nothing so far.
    pub fn new(model: Arc<Model>) -> Loading {
        Loading { index: Index::new(model) }
    }

    /// A version of a record, as [`Index::put`].
    pub fn put(&mut self, seq: u64, record: Record) {
        let place = self.index.place_of(record.id());
        if self.index.slots[place as usize].seq < seq {
            let born = record.born();
            self.index.set(place, seq, born, Some(record));
        }
    }

    /// The end of a record, as [`Index::remove`].
    pub fn remove(&mut self, seq: u64, id: &LogicalId, born: i64) {
        let place = self.index.place_of(id);
        if self.index.slots[place as usize].seq < seq {
            self.index.set(place, seq, born, None);
        }
    }

    /// An entry of the journal, as [`Index::decide`].
    pub fn decide(&mut self, entry: Entry) {
        entry.decided.records().for_each(|id| {
            self.index.place_of(id);
        });
        self.index.fold.add(entry);
    }

    /// The index, its people found on this many threads. Their number makes no difference to any answer.
    pub fn finish(mut self, threads: usize) -> Index {
        let ties = self.index.all_ties(threads.max(1));
        let components = self.index.components_of(&ties);
        components.iter().for_each(|component| self.index.settle(component));
        self.index
    }
}

impl Index {
    /// All ties, each once.
    fn all_ties(&self, threads: usize) -> Vec<(u32, u32, Scored)> {
        let share = self.slots.len().div_ceil(threads).max(1);
        let starts = (0..self.slots.len()).step_by(share);
        thread::scope(|scope| {
            let search =
                |start: usize| scope.spawn(move || self.ties_within(start..(start + share).min(self.slots.len())));
            let running: Vec<_> = starts.map(search).collect();
            // A thread that panicked has met a fault of ours; it goes on here.
            let join = |thread: thread::ScopedJoinHandle<'_, Vec<_>>| {
                thread.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault))
            };
            running.into_iter().flat_map(join).collect()
        })
    }

    fn ties_within(&self, places: std::ops::Range<usize>) -> Vec<(u32, u32, Scored)> {
        let mut found = Vec::new();
        for place in places {
            let Some(record) = &self.slots[place].record else { continue };
            let place = place as u32;
            for other in self.met(record, Some(place)).places.into_iter().filter(|other| *other > place) {
                let Some(second) = &self.slots[other as usize].record else { continue };
                let scored = compare(&self.model, record, second);
                if scored.ties(&self.model) {
                    found.push((place, other, scored));
                }
            }
        }
        found
    }

    /// What ties and decisions connect; records that nothing connects with others are left out.
    fn components_of(&self, ties: &[(u32, u32, Scored)]) -> Vec<Component> {
        let mut parent: Vec<u32> = (0..self.slots.len() as u32).collect();
        ties.iter().for_each(|(a, b, _)| unite(&mut parent, *a, *b));
        let mut rulings = Vec::new();
        let mut ruled: BTreeSet<LogicalId> = BTreeSet::new();
        for id in self.fold.records() {
            if ruled.contains(id) {
                continue;
            }
            let group = self.fold.group(id);
            let ruling = self.fold.ruling(&group);
            for (a, b) in &ruling.same {
                if let (Some(a), Some(b)) = (self.place(a), self.place(b)) {
                    unite(&mut parent, a, b);
                }
            }
            rulings.push((group.iter().filter_map(|id| self.place(id)).collect::<Vec<_>>(), ruling));
            ruled.extend(group);
        }
        let mut components: BTreeMap<u32, Component> = BTreeMap::new();
        for (a, b, scored) in ties {
            components.entry(root(&mut parent, *a)).or_default().pairs.push((*a, *b, *scored));
        }
        for (places, ruling) in rulings {
            // A ruling may hold records of several components apart: each hears of it.
            let roots: BTreeSet<u32> = places.iter().map(|place| root(&mut parent, *place)).collect();
            for at in roots {
                components.entry(at).or_default().rulings.push(ruling.clone());
            }
        }
        for place in 0..self.slots.len() as u32 {
            if let Some(component) = components.get_mut(&root(&mut parent, place)) {
                component.places.push(place);
            }
        }
        components.into_values().collect()
    }
}

fn unite(parent: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(parent, a), root(parent, b));
    parent[a.max(b) as usize] = a.min(b);
}

fn root(parent: &mut [u32], place: u32) -> u32 {
    let mut at = place;
    while parent[at as usize] != at {
        parent[at as usize] = parent[parent[at as usize] as usize];
        at = parent[at as usize];
    }
    at
}
