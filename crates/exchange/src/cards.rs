//! From a number to the card of whoever holds it, in microseconds, and never an older answer than an acknowledged change.
//!
//! A look-up goes from the keyed hash of a number to the places of the records that hold it, and from each place to its card. A change of a
//! record empties its one place and forgets the numbers that it states now; a number that it no longer states is caught at the place, since a
//! card is given only for the numbers that its record claims. What is not there is never remembered, an error is not an absence, equal misses
//! wait for one load, and a load that a change has overtaken is not kept.
//!
//! Nothing here is the only copy of anything: without it every answer is the same, later.

mod card;
mod flight;
mod slot;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dukou_audit::Unreleased;
use dukou_fhir::LogicalId;
use moka::sync::Cache;

pub use card::Card;
pub(crate) use card::keys;
use flight::{Flight, Flights, Turn};
pub use slot::Held;
use slot::{Slot, Slots};

/// The hot tier.
pub struct Cards {
    lines: Cache<u128, Line, Hashed>,
    slots: Arc<Slots>,
    /// Numbers whose holders are being loaded.
    finding: Flights<u128, Line>,
    /// Records whose cards are being loaded.
    reading: Flights<LogicalId, Arc<Held>>,
    limits: CardLimits,
    /// Cards that were loaded, since the start.
    loads: AtomicU64,
    /// Look-ups since the start.
    asked: AtomicU64,
}

/// Numbers on what the hot tier holds.
#[derive(Clone, Copy, Debug)]
pub struct CardLimits {
    /// Memory for all that is held, in bytes.
    pub bytes_max: u64,
    /// A card is made anew after this time, at most one day.
    pub card_life: Duration,
    /// A number that nobody asks for is forgotten after this time, and with the last number its card.
    pub idle: Duration,
    /// A number is looked up anew after this time.
    pub line_life: Duration,
    /// How long a miss waits for an equal one before it loads by itself.
    pub join: Duration,
}

impl Default for CardLimits {
    fn default() -> CardLimits {
        CardLimits {
            bytes_max: 256 << 20,
            card_life: Duration::from_secs(24 * 3600),
            idle: Duration::from_secs(30 * 60),
            line_life: Duration::from_secs(7 * 24 * 3600),
            join: Duration::from_secs(1),
        }
    }
}

/// Where cards come from when they are not held.
pub trait Load {
    /// Why nothing could be loaded. It is not an absence.
    type Error;

    /// The records that hold the number now.
    fn holders(&self) -> Result<Vec<LogicalId>, Self::Error>;

    /// The card of a record that `holders` named, as it stands now; none where it is gone or out of the caller's reach.
    fn card(&self, record: &LogicalId) -> Result<Option<Held>, Self::Error>;
}

/// The places that a number leads to; nearly always one.
#[derive(Clone)]
enum Line {
    One(Arc<Slot>),
    Many(Arc<[Arc<Slot>]>),
}

impl Line {
    fn slots(&self) -> &[Arc<Slot>] {
        match self {
            Line::One(slot) => std::slice::from_ref(slot),
            Line::Many(slots) => slots,
        }
    }
}

impl Cards {
    /// An empty tier.
    pub fn new(limits: CardLimits) -> Cards {
        let lines = Cache::builder()
            .max_capacity(limits.bytes_max)
            .weigher(|_, line: &Line| weight(line))
            .time_to_live(limits.line_life)
            .time_to_idle(limits.idle)
            .build_with_hasher(Hashed::default());
        let limits = CardLimits { card_life: limits.card_life.min(DAY), ..limits };
        Cards {
            lines,
            slots: Slots::new(),
            finding: Flights::new(),
            reading: Flights::new(),
            limits,
            loads: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        }
    }

    /// The cards of all records that hold a number, loaded where they are not held. `now_ns` is monotonic. Empty: nobody holds it.
    pub fn find<L: Load>(&self, key: u128, now_ns: u64, load: &L) -> Result<Vec<Arc<Held>>, L::Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        for _ in 0..ATTEMPTS_MAX {
            let line = match self.lines.get(&key) {
                Some(line) => line,
                None => self.line(key, load)?,
            };
            if let Some(found) = self.cards(key, &line, now_ns, load)? {
                return Ok(found);
            }
            // A record does not claim the number any more: who holds it now is asked for again.
            self.lines.invalidate(&key);
        }
        // The number changes hands faster than it is looked up: the store is asked without remembering anything.
        let mut found = Vec::new();
        for record in load.holders()? {
            found.extend(load.card(&record)?.filter(|held| held.claims(key)).map(Arc::new));
        }
        Ok(found)
    }

    /// The card of a record, held under a key of its own: that a record has a place never changes.
    pub(crate) fn of_record<L: Load>(
        &self,
        key: u128,
        record: &LogicalId,
        now_ns: u64,
        load: &L,
    ) -> Result<Option<Arc<Held>>, L::Error> {
        let slot = match self.lines.get(&key) {
            Some(Line::One(slot)) => slot,
            _ => {
                let slot = self.slots.place(record);
                self.lines.insert(key, Line::One(Arc::clone(&slot)));
                slot
            }
        };
        self.card(&slot, now_ns, load)
    }

    /// A record has changed with this sequence: its card is dropped, and so is who holds the numbers that it states now. Called after
    /// the commit and before its acknowledgement.
    pub(crate) fn changed(&self, record: &LogicalId, seq: u64, keys: &[u128]) {
        self.reading.fence(record, || {
            if let Some(slot) = self.slots.find(record) {
                slot.clear(seq);
            }
        });
        for key in keys {
            self.finding.fence(key, || self.lines.invalidate(key));
        }
    }

    /// Forgets everything: the key of the site has changed, or an operator wishes it.
    pub fn clear(&self) {
        self.lines.invalidate_all();
        self.slots.clear();
    }

    /// Does what the cache has put off: eviction, expiry, order of use. A thread that calls it every millisecond or so while there are
    /// look-ups keeps that work out of the look-ups.
    pub fn tend(&self) {
        self.lines.run_pending_tasks();
    }

    /// How many numbers and how many records are held.
    pub fn len(&self) -> (u64, usize) {
        (self.lines.entry_count(), self.slots.len())
    }

    /// How many look-ups there were since the start.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// How many cards were loaded since the start: look-ups beyond that number found theirs held.
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// The cards of a line; none where one of the records does not claim the number any more.
    fn cards<L: Load>(
        &self,
        key: u128,
        line: &Line,
        now_ns: u64,
        load: &L,
    ) -> Result<Option<Vec<Arc<Held>>>, L::Error> {
        let mut found = Vec::with_capacity(line.slots().len());
        for slot in line.slots() {
            match self.card(slot, now_ns, load)? {
                Some(held) if held.claims(key) => found.push(held),
                Some(_) => return Ok(None),
                None => {}
            }
        }
        Ok(Some(found))
    }

    fn fresh(&self, slot: &Slot, now_ns: u64) -> Option<Arc<Held>> {
        let life = u64::try_from(self.limits.card_life.as_nanos()).unwrap_or(u64::MAX);
        let held = slot.peek();
        held.as_ref().filter(|held| now_ns.saturating_sub(held.loaded_ns) < life).map(Arc::clone)
    }

    /// The card in a place, loaded where it is not there.
    fn card<L: Load>(&self, slot: &Arc<Slot>, now_ns: u64, load: &L) -> Result<Option<Arc<Held>>, L::Error> {
        if let Some(held) = self.fresh(slot, now_ns) {
            return Ok(Some(held));
        }
        let record = slot.record();
        match self.reading.begin(record) {
            Turn::Lead(flight) => {
                let _landing = Landing { flights: &self.reading, flight: &flight };
                let Some(held) = load.card(record)?.map(Arc::new) else { return Ok(None) };
                self.loads.fetch_add(1, Ordering::Relaxed);
                self.reading.settle(&flight, Arc::clone(&held), || slot.set(Arc::clone(&held)));
                Ok(Some(held))
            }
            // What another's load did not give may still be there for this caller.
            Turn::Join(flight) => match flight.wait(self.limits.join) {
                Some(held) => Ok(Some(held)),
                None => Ok(load.card(record)?.map(Arc::new)),
            },
        }
    }

    /// The places that a number leads to, loaded. A number that nobody holds is not remembered.
    fn line<L: Load>(&self, key: u128, load: &L) -> Result<Line, L::Error> {
        let places = |records: Vec<LogicalId>| match records.as_slice() {
            [one] => Line::One(self.slots.place(one)),
            many => Line::Many(many.iter().map(|record| self.slots.place(record)).collect()),
        };
        match self.finding.begin(&key) {
            Turn::Lead(flight) => {
                let _landing = Landing { flights: &self.finding, flight: &flight };
                let line = places(load.holders()?);
                let known = !line.slots().is_empty();
                self.finding.settle(&flight, line.clone(), || {
                    if known {
                        self.lines.insert(key, line.clone());
                    }
                });
                Ok(line)
            }
            Turn::Join(flight) => match flight.wait(self.limits.join) {
                Some(line) => Ok(line),
                None => load.holders().map(places),
            },
        }
    }
}

/// Wakes those who joined when a load ends without a value, be it by an error or a panic.
struct Landing<'f, K: Hash + Eq + Clone, V: Clone> {
    flights: &'f Flights<K, V>,
    flight: &'f Arc<Flight<K, V>>,
}

impl<K: Hash + Eq + Clone, V: Clone> Drop for Landing<'_, K, V> {
    fn drop(&mut self) {
        self.flights.abandon(self.flight);
    }
}

/// What a number and its card take in memory: the cache's own bookkeeping, the place, the card. Counted once a number, so that a person
/// with three numbers counts more than is taken.
fn weight(line: &Line) -> u32 {
    let held: u32 = line.slots().iter().map(|slot| slot.peek().as_ref().map_or(CARD_BYTES, |held| held.weight)).sum();
    held.saturating_add(LINE_BYTES)
}

/// The keys are keyed hashes already: half of one is as good as any hash of it.
#[derive(Default)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = (key >> 64) as u64;
    }
}

type Hashed = BuildHasherDefault<KeyHasher>;

/// How often a look-up begins again because a record has lost the number meanwhile.
const ATTEMPTS_MAX: u32 = 3;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Measured: bookkeeping of a number and its place.
const LINE_BYTES: u32 = 480;
/// A card of the usual size, before it is known.
const CARD_BYTES: u32 = 400;

/// Takes the value out for keeping, with what may be known of it beside.
pub fn hold(record: LogicalId, read: Unreleased<(Card, Box<[u128]>)>, loaded_ns: u64) -> Option<Held> {
    let mut beside = None;
    let read = read.map(|(card, keys)| {
        let weight = u32::try_from(card.weight() + keys.len() * 16 + KEPT_BYTES).unwrap_or(u32::MAX);
        beside = Some((keys, card.seq, weight));
        Arc::new(card)
    });
    let card = read.keep()?;
    let (keys, seq, weight) = beside?;
    Some(Held { record, card, keys, seq, loaded_ns, weight })
}

/// What stands around a card that is held.
const KEPT_BYTES: usize = 200;
