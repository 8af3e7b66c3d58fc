//! What stands between the gate and the ledger's writer: admission, the bounded queue, and the counters.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crate::access::Peer;
use crate::cbor::Cbor;
use crate::clock::{Clock, Random};
use crate::gate::{Class, Summary};
use crate::options::Options;
use crate::record::RecordBytes;
use crate::release::ClosedReason;
use crate::sealing::Sealing;
use crate::summary::Summaries;
use crate::ticket::{Slot, Ticket};

/// What the gate takes at present: the steps of the failure ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Recovery has not ended: nothing.
    Recovering,
    /// Everything.
    Serving,
    /// The next segment cannot be prepared: no search, history, `$everything` or export.
    Narrow,
    /// The reserve is in use: break-glass and refusals only.
    Reserve,
    /// The reserve is full: nothing, until space returns.
    Full,
    /// A write or sync failed: nothing, until the process is restarted.
    Poisoned,
    /// Stopped in good order.
    Stopped,
}

/// Everything the gate, the seal, the writer and the keeper share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) origin: Arc<str>,
    pub(crate) options: Options,
    pub(crate) counters: Arc<Counters>,
    pub(crate) sealing: Sealing,
    /// What the last note covers; apart from the keeper, so that asking never waits for a sync.
    pub(crate) noted: Mutex<Noted>,
    pub(crate) by_hand: OnceLock<Weak<dyn Drive>>,
    queue: Mutex<Queue>,
    pub(crate) arrived: Condvar,
    room: Condvar,
    keeper_wakes: Condvar,
    summaries: Mutex<Summaries>,
}

/// What the last note covers, and when it was signed by the monotonic clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Noted {
    pub(crate) size: u64,
    pub(crate) jseq: u64,
    pub(crate) at_ns: u64,
}

/// One turn of the writer on the caller's thread, where no thread of its own runs.
pub(crate) trait Drive: Send + Sync {
    fn turn(&self);
}

/// One record on its way.
pub(crate) struct Entry {
    pub(crate) record: RecordBytes,
    pub(crate) jseq: Option<u64>,
    /// Leaf of the INTENT that this OUTCOME closes.
    pub(crate) settles: Option<u64>,
    pub(crate) slot: Arc<Slot>,
}

pub(crate) struct Queue {
    pub(crate) waiting: Vec<Entry>,
    pub(crate) in_flight: Vec<Arc<Slot>>,
    parked: Vec<Entry>,
    pub(crate) standing: Standing,
    pub(crate) stopping: bool,
    pub(crate) open_intents: usize,
    next_jseq: u64,
}

impl Queue {
    pub(crate) fn depth(&self) -> usize {
        self.waiting.len() + self.in_flight.len()
    }

    pub(crate) fn oldest_ns(&self) -> Option<u64> {
        let first = self.in_flight.first().map(|slot| slot.since_ns);
        first.or_else(|| self.waiting.first().map(|entry| entry.slot.since_ns))
    }

    fn busy(&self, options: &Options, now: u64) -> bool {
        let late = |since| now.saturating_sub(since) > options.admission_wait_ms * NS_PER_MS;
        self.depth() >= options.queue_records_max || self.oldest_ns().is_some_and(late)
    }
}

impl Shared {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        origin: Arc<str>,
        options: Options,
        sealing: Sealing,
    ) -> Self {
        let queue = Queue {
            waiting: Vec::new(),
            in_flight: Vec::new(),
            parked: Vec::new(),
            standing: Standing::Recovering,
            stopping: false,
            open_intents: 0,
            next_jseq: 0,
        };
        Self {
            clock,
            random,
            origin,
            options,
            counters: Arc::default(),
            sealing,
            noted: Mutex::default(),
            by_hand: OnceLock::new(),
            queue: Mutex::new(queue),
            arrived: Condvar::new(),
            room: Condvar::new(),
            keeper_wakes: Condvar::new(),
            summaries: Mutex::default(),
        }
    }

    pub(crate) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn standing(&self) -> Standing {
        self.queue().standing
    }

    /// Whether a request of this class may begin. With `wait`, a busy ledger is waited for; otherwise its record parks.
    pub(crate) fn admit(&self, class: Class, bulk: bool, wait: bool) -> Result<(), ClosedReason> {
        let start = self.clock.mono_ns();
        let wait_ns = self.options.admission_wait_ms * NS_PER_MS;
        let mut queue = self.queue();
        loop {
            if queue.stopping {
                return Err(ClosedReason::Stopped);
            }
            queue.standing.takes(class, bulk)?;
            let now = self.clock.mono_ns();
            if !wait || !queue.busy(&self.options, now) {
                return Ok(());
            }
            let left = (start + wait_ns).saturating_sub(now);
            if left == 0 {
                return Err(ClosedReason::Busy);
            }
            if let Some(writer) = self.by_hand.get().and_then(Weak::upgrade) {
                drop(queue);
                writer.turn();
                queue = self.queue();
                if queue.busy(&self.options, self.clock.mono_ns()) {
                    return Err(ClosedReason::Busy);
                }
                continue;
            }
            queue = self.room.wait_timeout(queue, Duration::from_nanos(left)).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Queues a record. A busy ledger parks it for up to the admission wait; the keeper then fails it.
    pub(crate) fn push(&self, record: RecordBytes, class: Class) -> Result<Ticket, ClosedReason> {
        let mut queue = self.queue();
        queue.standing.takes(class, false)?;
        let now = self.clock.mono_ns();
        let slot = Slot::new(now);
        let entry = Entry { record, jseq: None, settles: None, slot: Arc::clone(&slot) };
        if !queue.busy(&self.options, now) {
            queue.waiting.push(entry);
            self.arrived.notify_one();
        } else if queue.parked.len() < self.options.queue_records_max {
            queue.parked.push(entry);
            self.keeper_wakes.notify_one();
        } else {
            return Err(ClosedReason::Busy);
        }
        Ok(Ticket(slot))
    }

    /// Queues an INTENT, unless too many are open already.
    pub(crate) fn push_intent(&self, record: RecordBytes) -> Result<Ticket, ClosedReason> {
        {
            let mut queue = self.queue();
            if queue.open_intents >= OPEN_INTENTS_MAX {
                return Err(ClosedReason::Busy);
            }
            queue.open_intents += 1;
        }
        self.push(record, Class::Ordinary).inspect_err(|_| self.queue().open_intents -= 1)
    }

    /// Queues the OUTCOME of an INTENT. The effect has happened, so it is taken whatever the ladder says.
    pub(crate) fn push_settling(&self, record: RecordBytes, leaf: u64) -> Result<Ticket, ClosedReason> {
        let slot = Slot::new(self.clock.mono_ns());
        let entry = Entry { record, jseq: None, settles: Some(leaf), slot: Arc::clone(&slot) };
        self.push_always(vec![entry]);
        Ok(Ticket(slot))
    }

    /// Queues rows of committed transactions. A break in the run of `jseq` is a fault of the store: the rows fail and
    /// the gate closes, and the restart compares store and ledger.
    pub(crate) fn push_committed(&self, entries: Vec<Entry>) {
        let unbroken = {
            let mut queue = self.queue();
            entries.iter().all(|entry| {
                let run_on = entry.jseq == Some(queue.next_jseq);
                queue.next_jseq += u64::from(run_on);
                run_on
            })
        };
        if unbroken {
            self.push_always(entries);
        } else {
            self.poison("the run of committed rows is broken");
            for entry in entries {
                entry.slot.failed(ClosedReason::Poisoned);
            }
        }
    }

    fn push_always(&self, entries: Vec<Entry>) {
        let mut queue = self.queue();
        let refusal = match queue.standing {
            Standing::Poisoned => Some(ClosedReason::Poisoned),
            Standing::Stopped => Some(ClosedReason::Stopped),
            _ => None,
        };
        if queue.standing == Standing::Full {
            // The record is kept for later; its answer cannot leave now.
            entries.iter().for_each(|entry| entry.slot.failed(ClosedReason::NoSpace));
        }
        match refusal {
            Some(reason) => entries.iter().for_each(|entry| entry.slot.failed(reason)),
            None => queue.waiting.extend(entries),
        }
        drop(queue);
        self.arrived.notify_one();
    }

    /// Queues a record of the ledger's own (heartbeat, clock, summary).
    pub(crate) fn push_own(&self, record: RecordBytes) -> Ticket {
        let slot = Slot::new(self.clock.mono_ns());
        let entry = Entry { record, jseq: None, settles: None, slot: Arc::clone(&slot) };
        self.push_always(vec![entry]);
        Ticket(slot)
    }

    pub(crate) fn set_next_jseq(&self, next: u64) {
        self.queue().next_jseq = next;
    }

    /// Called after each frame: parked records move up, waiting callers look again.
    pub(crate) fn made_room(&self) {
        let mut queue = self.queue();
        let now = self.clock.mono_ns();
        if queue.standing == Standing::Full {
            queue.parked.drain(..).for_each(|entry| entry.slot.failed(ClosedReason::NoSpace));
        }
        while !queue.parked.is_empty() && !queue.busy(&self.options, now) {
            let room = self.options.queue_records_max.saturating_sub(queue.depth());
            let n = room.min(queue.parked.len());
            let moved: Vec<Entry> = queue.parked.drain(..n).collect();
            queue.waiting.extend(moved.into_iter().filter(|entry| !entry.slot.ended()));
        }
        drop(queue);
        self.room.notify_all();
        self.arrived.notify_one();
    }

    /// Fails what has waited too long: parked records after the admission wait, queued ones after the answer wait. A
    /// queued record stays queued; it then says more than was shown, which is the safe side.
    pub(crate) fn expire(&self) {
        let now = self.clock.mono_ns();
        let mut queue = self.queue();
        let park_ns = self.options.admission_wait_ms * NS_PER_MS;
        queue.parked.retain(|entry| {
            let late = now.saturating_sub(entry.slot.since_ns) >= park_ns;
            if late {
                entry.slot.failed(ClosedReason::Busy);
            }
            !late
        });
        let answer_ns = self.options.answer_wait_ms_max * NS_PER_MS;
        let slots = queue.in_flight.iter().chain(queue.waiting.iter().map(|entry| &entry.slot));
        for slot in slots.filter(|slot| now.saturating_sub(slot.since_ns) >= answer_ns) {
            slot.failed(ClosedReason::Busy);
        }
    }

    pub(crate) fn has_parked(&self) -> bool {
        !self.queue().parked.is_empty()
    }

    /// Ends everything: every waiter fails and nothing is taken until the process is restarted.
    pub(crate) fn poison(&self, why: &str) {
        let first = self.close(Standing::Poisoned, ClosedReason::Poisoned);
        if first && let Some(callback) = &self.options.on_poison {
            callback(why);
        }
    }

    pub(crate) fn close(&self, standing: Standing, reason: ClosedReason) -> bool {
        let mut queue = self.queue();
        if queue.standing == Standing::Poisoned {
            return false;
        }
        queue.standing = standing;
        let mut slots = std::mem::take(&mut queue.in_flight);
        slots.extend(queue.waiting.drain(..).map(|entry| entry.slot));
        slots.extend(queue.parked.drain(..).map(|entry| entry.slot));
        drop(queue);
        slots.iter().for_each(|slot| slot.failed(reason));
        self.room.notify_all();
        self.arrived.notify_all();
        self.keeper_wakes.notify_all();
        true
    }

    /// Blocks until records wait; `false` once the ledger has ended.
    pub(crate) fn wait_for_records(&self) -> bool {
        let mut queue = self.queue();
        loop {
            match queue.standing {
                Standing::Poisoned | Standing::Stopped => return false,
                Standing::Full => {}
                _ if !queue.waiting.is_empty() => return true,
                _ => {}
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn ended(&self) -> bool {
        matches!(self.standing(), Standing::Poisoned | Standing::Stopped)
    }

    /// Sleeps until the time is over, a record is parked or the ledger ends.
    pub(crate) fn pause(&self, time: Duration) {
        let queue = self.queue();
        drop(self.keeper_wakes.wait_timeout(queue, time));
    }

    /// Without threads, turns the writer until this record has ended. What cannot end then is told as busy.
    pub(crate) fn drive(&self, slot: &Slot) {
        let Some(writer) = self.by_hand.get().and_then(Weak::upgrade) else {
            return;
        };
        while !slot.ended() {
            let before = self.queue().waiting.len();
            writer.turn();
            if before == 0 {
                slot.failed(ClosedReason::Busy);
            }
        }
    }

    /// Key 2 of every record: zone offset in minutes, and whether the clock is suspect.
    pub(crate) fn clock_state(&self, cbor: &mut Cbor) {
        let suspect = self.counters.clock_suspect.load(Ordering::Relaxed);
        cbor.array(2).int(i64::from(self.options.zone_minutes)).bool(suspect);
    }

    pub(crate) fn summarise(&self, peer: &Peer, what: Summary) {
        let second = self.clock.wall_ns().div_euclid(1_000_000_000);
        self.summaries().count(second, peer, what);
    }

    pub(crate) fn summaries(&self) -> MutexGuard<'_, Summaries> {
        self.summaries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn takes(self, class: Class, bulk: bool) -> Result<(), ClosedReason> {
        match self {
            Self::Serving => Ok(()),
            Self::Narrow if !bulk || class == Class::Essential => Ok(()),
            Self::Reserve if class == Class::Essential => Ok(()),
            Self::Narrow | Self::Reserve | Self::Full => Err(ClosedReason::NoSpace),
            Self::Recovering => Err(ClosedReason::NotServing),
            Self::Poisoned => Err(ClosedReason::Poisoned),
            Self::Stopped => Err(ClosedReason::Stopped),
        }
    }
}

/// What is only counted.
#[derive(Default)]
pub(crate) struct Counters {
    closed: AtomicU64,
    probes: AtomicU64,
    pub(crate) clock_suspect: AtomicBool,
}

impl Counters {
    pub(crate) fn count_closed(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_probe(&self) {
        self.probes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn take_closed(&self) -> u64 {
        self.closed.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn take_probes(&self) -> u64 {
        self.probes.swap(0, Ordering::Relaxed)
    }
}

pub(crate) const OPEN_INTENTS_MAX: usize = 4_096;
const NS_PER_MS: u64 = 1_000_000;
