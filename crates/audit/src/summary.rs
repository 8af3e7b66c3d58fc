//! Answers that are counted per peer and second instead of recorded one by one.

use std::collections::BTreeMap;

use crate::access::Peer;
use crate::gate::Summary;

/// Counts not yet written into the ledger. Bounded: what no longer fits is counted under second 0 and the address `*`.
#[derive(Default)]
pub(crate) struct Summaries {
    counts: BTreeMap<Key, u64>,
}

/// Second since 1970, address, what was answered.
pub(crate) type Key = (i64, String, Summary);

impl Summaries {
    pub(crate) fn count(&mut self, second: i64, peer: &Peer, what: Summary) {
        let mut key = (second, peer.address.clone(), what);
        if !self.counts.contains_key(&key) && self.counts.len() >= KEYS_MAX {
            key = (0, "*".to_owned(), what);
        }
        *self.counts.entry(key).or_default() += 1;
    }

    /// Takes what belongs to seconds before this one.
    pub(crate) fn take_before(&mut self, second: i64) -> BTreeMap<Key, u64> {
        let floor = (second, String::new(), Summary { what: "", status: 0, route: 0 });
        let later = self.counts.split_off(&floor);
        std::mem::replace(&mut self.counts, later)
    }
}

const KEYS_MAX: usize = 4_096;
