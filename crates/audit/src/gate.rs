//! The gate: the only code that turns what the store returned into what may leave.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::{Access, Peer, Right};
use crate::outcome::{Outcome, Recorded, Shown, ShownResource, Stamps};
use crate::queue::{Entry, Shared, Standing};
use crate::record::{self, RecordBytes};
use crate::release::{Carried, ClosedReason, Released, Settled, Unreleased};
use crate::ticket::{Answer, Pending, Slot, Ticket};

/// The gate in front of every door. Clones share one ledger.
#[derive(Clone)]
pub struct Gate {
    pub(crate) shared: Arc<Shared>,
}

/// What went wrong inside a closure of the gate. The error type of the closure must be able to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Failure {
    /// The closure panicked.
    #[error("the request ended in a panic")]
    Panicked,
    /// The answer shows more than one frame of the ledger can name; ask for smaller pages.
    #[error("the answer shows more than one audit record can name")]
    TooMuchShown,
}

impl Gate {
    /// Runs a read, a search or any request that changes nothing, and queues its one record. The closure runs on the
    /// caller's thread before this returns; a panic inside becomes a recorded [`Failure`].
    pub fn read<T, E, F>(&self, who: Access, f: F) -> Pending<T, E>
    where
        T: Recorded,
        E: Recorded + From<Failure>,
        F: FnOnce(&Permit<'_>) -> Result<Unreleased<T>, E>,
    {
        let class = Class::of(&who);
        let bulk = who.interaction.is_bulk();
        if let Err(reason) = self.shared.admit(class, bulk, false) {
            return Pending::closed(reason, Arc::clone(&self.shared));
        }
        let permit = Permit::new(&self.shared, Arc::new(who), false);
        let result = unwound(|| f(&permit));
        self.record_read(&permit, class, result)
    }

    /// Runs a write. The closure runs on the caller's thread; where the store committed, its row is the record, and
    /// where nothing changed the answer is recorded as a read is. While the ledger is busy this blocks for up to
    /// [`crate::Options::admission_wait_ms`] before the closure runs.
    pub fn write<T, E, F>(&self, who: Access, f: F) -> Pending<T, E>
    where
        T: Recorded,
        E: Recorded + From<Failure>,
        F: FnOnce(&Permit<'_>) -> Result<Settled<T>, E>,
    {
        let class = Class::of(&who);
        if let Err(reason) = self.shared.admit(class, false, true) {
            return Pending::closed(reason, Arc::clone(&self.shared));
        }
        let permit = Permit::new(&self.shared, Arc::new(who), true);
        let result = unwound(|| f(&permit));
        // A row that went in with the data is the record, whatever the closure answered afterwards.
        let row = permit.link.take();
        match (result, row) {
            (Ok(Settled::Committed(committed)), _) => {
                Pending::queued(Ok(committed.value), committed.ticket, Arc::clone(&self.shared))
            }
            (Ok(Settled::Unchanged(unreleased)), None) => self.record_read(&permit, class, Ok(unreleased)),
            (Ok(Settled::Unchanged(unreleased)), Some(ticket)) => {
                Pending::queued(Ok(unreleased.value), ticket, Arc::clone(&self.shared))
            }
            (Err(refusal), Some(ticket)) => Pending::queued(Err(refusal), ticket, Arc::clone(&self.shared)),
            (Err(refusal), None) => self.record_read(&permit, class, Err(refusal)),
        }
    }

    /// Records the denial of a request whose client is known.
    pub fn refuse<E: Recorded>(&self, who: Access, refusal: E) -> Pending<Infallible, E> {
        if let Err(reason) = self.shared.admit(Class::Essential, false, false) {
            return Pending::closed(reason, Arc::clone(&self.shared));
        }
        let made = record::access(&self.shared, &who, record::DENY, &refusal, &Shown::default());
        self.queue_made(Err(refusal), made, Class::Essential)
    }

    /// Runs an external side effect between a durable INTENT and a durable OUTCOME. Blocks; for worker threads.
    ///
    /// # Errors
    /// [`crate::Closed`] before the effect if the INTENT, after it if the OUTCOME cannot become durable; the effect then
    /// shows up as "outcome unknown".
    pub fn send<T, E, F>(&self, what: Intent, f: F) -> Answer<T, E>
    where
        E: Recorded + From<Failure>,
        F: FnOnce(&Permit<'_>) -> Result<T, E>,
    {
        let place = self.shared.admit(Class::Ordinary, false, true).and_then(|()| {
            let bytes = record::intent(&self.shared, &what).map_err(|_| ClosedReason::Busy)?;
            self.shared.push_intent(bytes)
        });
        let ticket = match place {
            Ok(ticket) => ticket,
            Err(reason) => return Pending::closed(reason, Arc::clone(&self.shared)).wait(),
        };
        let durable: Answer<(), E> = Pending::queued(Ok(()), ticket, Arc::clone(&self.shared)).wait();
        let leaf = durable?.receipt().map_or(0, crate::Receipt::leaf);
        let mut permit = Permit::new(&self.shared, Arc::new(what.access), true);
        permit.intent_leaf = Some(leaf);
        let result = unwound(|| f(&permit));
        let outcome = match &result {
            Ok(_) => Outcome::default(),
            Err(error) => error.outcome(),
        };
        let bytes = record::outcome(&self.shared, permit.access(), leaf, outcome, None);
        self.queue_settling(result, bytes, leaf).wait()
    }

    /// Closes an INTENT whose outcome was unknown, after the receiver was asked.
    pub fn resolve(&self, who: &Access, intent_leaf: u64, outcome: Outcome, finding: &str) -> Pending<(), Infallible> {
        if let Err(reason) = self.shared.admit(Class::Ordinary, false, true) {
            return Pending::closed(reason, Arc::clone(&self.shared));
        }
        let bytes = record::outcome(&self.shared, who, intent_leaf, outcome, Some(finding));
        self.queue_settling(Ok(()), bytes, intent_leaf)
    }

    /// Records an act of administration: configuration or policy load, key operation, view of the log.
    pub fn admin(&self, act: &Admin) -> Pending<(), Infallible> {
        if let Err(reason) = self.shared.admit(Class::Essential, false, false) {
            return Pending::closed(reason, Arc::clone(&self.shared));
        }
        let made = record::admin(&self.shared, act);
        self.queue_made(Ok(()), made, Class::Essential)
    }

    /// Counts an answer to a peer without an authenticated client (401, `metadata`, 429, broken HTTP) in the summary of
    /// its peer and second, and lets the answer leave. The answer must not hold patient data.
    pub fn summarise<T>(&self, peer: &Peer, what: Summary, answer: T) -> Released<T> {
        self.shared.summarise(peer, what);
        Released::new(answer, None)
    }

    /// Lets an answer of a health probe leave; counted per minute. It works while the gate is closed.
    pub fn probe<T>(&self, answer: T) -> Released<T> {
        self.shared.counters.count_probe();
        Released::new(answer, None)
    }

    /// What the gate takes at present.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.shared.standing()
    }

    fn record_read<T, E>(&self, permit: &Permit<'_>, class: Class, result: Result<Unreleased<T>, E>) -> Pending<T, E>
    where
        T: Recorded,
        E: Recorded + From<Failure>,
    {
        let who = permit.access();
        let (result, made) = match result {
            Ok(Unreleased { value, shown }) => {
                match record::access(&self.shared, who, record::ACCESS, &value, &shown) {
                    Ok(bytes) => (Ok(value), Ok(bytes)),
                    Err(_) => {
                        let failure = E::from(Failure::TooMuchShown);
                        let made = record::access(&self.shared, who, record::ACCESS, &failure, &Shown::default());
                        (Err(failure), made)
                    }
                }
            }
            Err(refusal) => {
                let made = record::access(&self.shared, who, record::ACCESS, &refusal, &Shown::default());
                (Err(refusal), made)
            }
        };
        self.queue_made(result, made, class)
    }

    fn queue_made<T, E>(
        &self,
        answer: Result<T, E>,
        made: Result<RecordBytes, record::TooLong>,
        class: Class,
    ) -> Pending<T, E> {
        let place = made.map_err(|_| ClosedReason::Busy).and_then(|bytes| self.shared.push(bytes, class));
        match place {
            Ok(ticket) => Pending::queued(answer, ticket, Arc::clone(&self.shared)),
            Err(reason) => Pending::closed(reason, Arc::clone(&self.shared)),
        }
    }

    fn queue_settling<T, E>(
        &self,
        answer: Result<T, E>,
        made: Result<RecordBytes, record::TooLong>,
        intent_leaf: u64,
    ) -> Pending<T, E> {
        let place =
            made.map_err(|_| ClosedReason::Busy).and_then(|bytes| self.shared.push_settling(bytes, intent_leaf));
        match place {
            Ok(ticket) => Pending::queued(answer, ticket, Arc::clone(&self.shared)),
            Err(reason) => Pending::closed(reason, Arc::clone(&self.shared)),
        }
    }
}

/// Which records are still taken when space runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Ordinary,
    /// Break-glass, refusals, administration: taken from the reserve as well.
    Essential,
}

impl Class {
    fn of(who: &Access) -> Self {
        if who.purpose.break_glass.is_some() { Self::Essential } else { Self::Ordinary }
    }
}

fn unwound<T, E: From<Failure>>(f: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    // The closure's captures are dropped by the unwinding, and nothing of ours is left half changed.
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|_| Err(E::from(Failure::Panicked)))
}

/// The permission for one request, lent to the closure. It cannot be made elsewhere and cannot be kept.
pub struct Permit<'a> {
    shared: &'a Arc<Shared>,
    access: Arc<Access>,
    writing: bool,
    intent_leaf: Option<u64>,
    link: Arc<Link>,
}

impl<'a> Permit<'a> {
    fn new(shared: &'a Arc<Shared>, access: Arc<Access>, writing: bool) -> Self {
        Self { shared, access, writing, intent_leaf: None, link: Arc::default() }
    }

    /// The request and its decision.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Whether the decision covers this right on this resource type. See [`crate::Reach::allows_for`] for compartments.
    #[must_use]
    pub fn allows(&self, kind: &str, right: Right) -> bool {
        self.access.decision.permit && self.access.reach.allows(kind, right)
    }

    /// Whether the decision covers this right on a resource of these patients (logical ids).
    #[must_use]
    pub fn allows_for(&self, kind: &str, right: Right, patients: &[&str]) -> bool {
        self.access.decision.permit && self.access.reach.allows_for(kind, right, patients)
    }

    /// Whether the permit was made for a write.
    #[must_use]
    pub fn writes(&self) -> bool {
        self.writing
    }

    /// Leaf of the durable INTENT: the idempotency key of an external effect. Only inside [`Gate::send`].
    #[must_use]
    pub fn intent_leaf(&self) -> Option<u64> {
        self.intent_leaf
    }

    /// The record of this request, to be sealed by the store's writer. Each attempt takes a new draft; only the one that
    /// is committed counts.
    #[must_use]
    pub fn draft(&self) -> RecordDraft {
        RecordDraft {
            shared: Arc::clone(self.shared),
            access: Arc::clone(&self.access),
            link: Arc::clone(&self.link),
            carried: Shown::default(),
        }
    }

    /// Wraps a value that holds no patient data and names no patient.
    pub fn without_patient_data<T>(&self, value: T) -> Unreleased<T> {
        Unreleased::bare(value)
    }
}

/// Ties the row of a commit to the permit under which it was made.
#[derive(Default)]
pub(crate) struct Link(Mutex<Option<Ticket>>);

impl Link {
    fn take(&self) -> Option<Ticket> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, ticket: Ticket) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ticket);
    }
}

/// The record of a write, complete but for what the store's writer knows.
pub struct RecordDraft {
    shared: Arc<Shared>,
    access: Arc<Access>,
    link: Arc<Link>,
    carried: Shown,
}

impl RecordDraft {
    /// Names what the answer will show beside what it writes (the reads of a Bundle that also writes). The value joins the result of
    /// the commit with [`Settled::with`]; until then nobody can look at it.
    pub fn carry<U>(&mut self, beside: Unreleased<U>) -> Carried<U> {
        self.carried.merge(beside.shown.clone());
        Carried(beside)
    }

    /// Makes the exact bytes of the record. Called by the store's writer inside its transaction, before COMMIT.
    ///
    /// # Errors
    /// [`Failure::TooMuchShown`] if the commit writes more than one frame can name; the transaction must roll back.
    pub fn seal(self, stamps: &Stamps) -> Result<RecordBytes, Failure> {
        let mut bytes =
            record::write(&self.shared, &self.access, stamps, &self.carried).map_err(|_| Failure::TooMuchShown)?;
        bytes.link = Some(self.link);
        Ok(bytes)
    }

    /// The request the record is about.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }
}

/// Proof of being the store. Made once with the gate and handed over at the store's opening.
pub struct StoreSeal {
    pub(crate) shared: Arc<Shared>,
}

impl StoreSeal {
    /// Queues the rows of committed transactions, in `jseq` order, right after COMMIT. One ticket for each row. This
    /// never waits and never refuses for lack of room: the rows were admitted before the closure ran.
    #[must_use = "a ticket that nobody holds releases nothing"]
    pub fn committed(&self, rows: Vec<(u64, RecordBytes)>) -> Vec<Ticket> {
        let now = self.shared.clock.mono_ns();
        let mut tickets = Vec::with_capacity(rows.len());
        let mut entries = Vec::with_capacity(rows.len());
        for (jseq, mut record) in rows {
            let ticket = Ticket(Slot::new(now));
            if let Some(link) = record.link.take() {
                link.set(ticket.clone());
            }
            entries.push(Entry { record, jseq: Some(jseq), settles: None, slot: Arc::clone(&ticket.0) });
            tickets.push(ticket);
        }
        self.shared.push_committed(entries);
        tickets
    }

    /// Highest `jseq` covered by a signed note: rows up to it may be trimmed.
    #[must_use]
    pub fn noted_jseq(&self) -> u64 {
        self.shared.noted.lock().unwrap_or_else(PoisonError::into_inner).jseq
    }
}

/// An external side effect about to happen.
#[derive(Debug, Clone)]
pub struct Intent {
    /// On whose behalf, with the interaction (`Deliver`, `Upstream`, `Export`..).
    pub access: Access,
    /// Receiving organisation.
    pub organisation: Option<String>,
    /// Receiving endpoint.
    pub endpoint: Option<String>,
    /// Logical ids of the patients whose data goes out.
    pub patients: Vec<String>,
    /// The resources that go out.
    pub resources: Vec<ShownResource>,
    /// Leaf of the INTENT of the attempt before, for a retry.
    pub previous: Option<u64>,
}

/// An act of administration.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Who did it; `None` for the program itself.
    pub access: Option<Access>,
    /// What was done (`policy-load`, `config-load`, `key-create`, `audit-view`).
    pub act: &'static str,
    /// What it was done with or to, as names and values without patient data.
    pub detail: Vec<(&'static str, String)>,
    /// How it ended.
    pub outcome: Outcome,
}

/// What is counted per peer and second instead of recorded one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Summary {
    /// What the peer did (`no-credential`, `bad-credential`, `metadata`, `rate-limited`, `bad-http`, `bad-tls`).
    pub what: &'static str,
    /// HTTP status of the answer, or 0.
    pub status: u16,
    /// Number of the route, or 0.
    pub route: u16,
}
