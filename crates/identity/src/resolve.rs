//! The desk's question: whom may these demographics belong to, and what should a person look at?

use std::collections::{BTreeMap, BTreeSet};

use dukou_fhir::LogicalId;

use crate::block::BlockKind;
use crate::decide::{Decision, Found, Unproven, decide};
use crate::index::Index;
use crate::person::{Grade, PersonId};
use crate::record::Record;

/// How much of an answer is wanted, and how much looking it may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolveLimits {
    /// People named, at most.
    pub people_max: usize,
    /// Records compared, at most; with more the answer is never certain.
    pub records_max: usize,
}

impl Default for ResolveLimits {
    fn default() -> ResolveLimits {
        ResolveLimits { people_max: 20, records_max: 1_000 }
    }
}

/// The records that share a key with one.
pub(crate) struct Met {
    /// In the order of their places, each once.
    pub(crate) places: Vec<u32>,
    /// What a block over the limit has in common that was passed over, where no other key makes good for it.
    pub(crate) skipped: Option<BlockKind>,
}

impl Index {
    /// Whom the candidate may be. The candidate need not be in the index; where it is, it is not compared with itself.
    pub fn resolve(&self, candidate: &Record, limits: &ResolveLimits) -> Decision {
        let own = self.place(candidate.id());
        let Met { places, skipped } = self.met(candidate, own);
        let mut cut = skipped.map(Unproven::BlockSkipped);
        let leaders: BTreeSet<u32> = places.iter().map(|place| self.slots[*place as usize].leader).collect();
        let mut by_id: BTreeMap<&LogicalId, u32> = BTreeMap::new();
        by_id.extend(leaders.into_iter().map(|leader| (&self.slots[leader as usize].id, leader)));
        let mut found = Vec::with_capacity(by_id.len());
        let mut compared = 0;
        for (id, leader) in by_id {
            let others = self.members(&leader).iter().filter(|place| Some(**place) != own);
            let records: Vec<&Record> =
                others.filter_map(|place| self.slots[*place as usize].record.as_ref()).collect();
            compared += records.len();
            if compared > limits.records_max {
                cut = Some(Unproven::Cut);
                break;
            }
            let not_same = self.fold.knows(candidate.id()) && {
                let ids: Vec<LogicalId> = records.iter().map(|record| record.id().clone()).collect();
                self.is_held_apart(std::slice::from_ref(candidate.id()), &ids)
            };
            found.push(Found { person: PersonId::led_by(id.clone()), records, not_same });
        }
        let decision = decide(&self.model, candidate, &found, limits.people_max, cut);
        self.one_person_or_nobody(decision)
    }

    /// Several people are certain together only where nothing keeps them apart: a candidate that equals two whom a person has told apart,
    /// or whom the rules do, is neither for certain.
    fn one_person_or_nobody(&self, mut decision: Decision) -> Decision {
        let certain = decision.candidates.iter().filter(|candidate| candidate.grade == Grade::Certain);
        let certain: Vec<&LogicalId> = certain.map(|candidate| &candidate.record).collect();
        let pairs = certain.iter().enumerate().flat_map(|(at, a)| certain[at + 1..].iter().map(move |b| (*a, *b)));
        if pairs.into_iter().all(|(a, b)| self.objections(a, b).is_empty()) {
            return decision;
        }
        for candidate in decision.candidates.iter_mut().filter(|candidate| candidate.grade == Grade::Certain) {
            candidate.grade = Grade::Probable;
        }
        decision.unproven = decision.unproven.or(Some(Unproven::SecondPerson));
        decision
    }

    /// The records that share a key with this one.
    pub(crate) fn met(&self, record: &Record, own: Option<u32>) -> Met {
        let mut met = Met { places: Vec::new(), skipped: None };
        for key in record.block_keys() {
            match self.blocks.len(key.hash()) {
                0 => {}
                len if len > self.block_max => {
                    met.skipped = met.skipped.or(Some(key.kind()).filter(|kind| kind.proves()))
                }
                _ => self.blocks.each(key.hash(), |place| met.places.push(place)),
            }
        }
        met.places.sort_unstable();
        met.places.dedup();
        met.places.retain(|place| Some(*place) != own);
        met
    }
}
