//! One place for the card of each record, however many numbers lead to it: a change touches this place and no number.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use arc_swap::{ArcSwapOption, Guard};
use dukou_audit::{Kept, Permit, Unreleased};
use dukou_fhir::LogicalId;

use super::card::Card;

/// A card as it is held, with what may be known of it without showing it.
pub struct Held {
    pub(crate) record: LogicalId,
    pub(crate) card: Kept<Arc<Card>>,
    /// The numbers that the record states, as keyed hashes, rising.
    pub(crate) keys: Box<[u128]>,
    /// The sequence of the version it was made of.
    pub(crate) seq: u64,
    /// Monotonic time of the load, in nanoseconds.
    pub(crate) loaded_ns: u64,
    /// About how many bytes it takes.
    pub(crate) weight: u32,
}

impl Held {
    /// The card for a request, with what it shows. None where the permit does not reach the record.
    pub fn show(&self, permit: &Permit<'_>) -> Option<Unreleased<Arc<Card>>> {
        self.card.show(permit)
    }

    /// Whether the record states this number.
    pub(crate) fn claims(&self, key: u128) -> bool {
        self.keys.binary_search(&key).is_ok()
    }
}

/// The place of one record's card. It lives as long as a number leads to it.
pub(crate) struct Slot {
    record: LogicalId,
    held: ArcSwapOption<Held>,
    home: Weak<Slots>,
}

impl Slot {
    /// The record whose card it is.
    pub(crate) fn record(&self) -> &LogicalId {
        &self.record
    }

    pub(crate) fn peek(&self) -> Guard<Option<Arc<Held>>> {
        self.held.load()
    }

    pub(crate) fn set(&self, held: Arc<Held>) {
        self.held.store(Some(held));
    }

    /// Drops what is held, unless it reflects the sequence `before` or a later one.
    pub(crate) fn clear(&self, before: u64) {
        if self.held.load().as_ref().is_some_and(|held| held.seq < before) {
            self.held.store(None);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            home.forget(&self.record);
        }
    }
}

/// All places, by record.
pub(crate) struct Slots {
    shards: Box<[Mutex<Board>]>,
    hashes: RandomState,
}

/// The places of one shard; they belong to the numbers that lead to them.
type Board = HashMap<LogicalId, Weak<Slot>>;

impl Slots {
    pub(crate) fn new() -> Arc<Slots> {
        Arc::new(Slots { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hashes: RandomState::new() })
    }

    /// The place of a record, where a number leads to it.
    pub(crate) fn find(&self, record: &LogicalId) -> Option<Arc<Slot>> {
        self.shard(record).get(record)?.upgrade()
    }

    /// The place of a record, made where there is none.
    pub(crate) fn place(self: &Arc<Slots>, record: &LogicalId) -> Arc<Slot> {
        let mut shard = self.shard(record);
        if let Some(slot) = shard.get(record).and_then(Weak::upgrade) {
            return slot;
        }
        let slot = Arc::new(Slot { record: record.clone(), held: ArcSwapOption::empty(), home: Arc::downgrade(self) });
        shard.insert(record.clone(), Arc::downgrade(&slot));
        slot
    }

    /// How many records have a place.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Empties every place.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let slots: Vec<Arc<Slot>> =
                shard.lock().unwrap_or_else(PoisonError::into_inner).values().filter_map(Weak::upgrade).collect();
            slots.iter().for_each(|slot| slot.held.store(None));
        }
    }

    fn forget(&self, record: &LogicalId) {
        let mut shard = self.shard(record);
        // A new place may stand there by now.
        if shard.get(record).is_some_and(|slot| slot.strong_count() == 0) {
            shard.remove(record);
        }
    }

    fn shard(&self, record: &LogicalId) -> MutexGuard<'_, Board> {
        let place = self.hashes.hash_one(record) as usize % SHARDS;
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Locks over which the records are spread.
const SHARDS: usize = 256;
