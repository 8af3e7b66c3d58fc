//! The states of an answer: unreleased, committed, released. Only the gate takes the last step.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::gate::StoreSeal;
use crate::outcome::Shown;
use crate::queue::Counters;
use crate::ticket::Ticket;

/// A value the store has read, together with what it shows. It can be reshaped, and it can leave only through the gate.
pub struct Unreleased<T> {
    pub(crate) value: T,
    pub(crate) shown: Shown,
}

impl<T> Unreleased<T> {
    /// Made by the store, which alone holds the seal: the value and all it shows.
    #[must_use]
    pub fn new(_: &StoreSeal, value: T, shown: Shown) -> Self {
        Self { value, shown }
    }

    pub(crate) fn bare(value: T) -> Self {
        let shown = Shown::default();
        Self { value, shown }
    }

    /// Reshapes the value; what it shows stays.
    #[must_use]
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Unreleased<U> {
        let value = f(self.value);
        Unreleased { value, shown: self.shown }
    }

    /// Reshapes the value by a step that may fail. The failure must not hold patient data: it leaves without what the
    /// value shows.
    ///
    /// # Errors
    /// What the step says.
    pub fn try_map<U, E>(self, f: impl FnOnce(T) -> Result<U, E>) -> Result<Unreleased<U>, E> {
        let value = f(self.value)?;
        Ok(Unreleased { value, shown: self.shown })
    }

    /// Joins two values; the answer shows what both show.
    #[must_use]
    pub fn and<U>(mut self, other: Unreleased<U>) -> Unreleased<(T, U)> {
        self.shown.merge(other.shown);
        Unreleased { value: (self.value, other.value), shown: self.shown }
    }

    /// Adds to what the value shows, for example labels or masked fields.
    #[must_use]
    pub fn with_shown(mut self, more: Shown) -> Self {
        self.shown.merge(more);
        self
    }

    /// What the value shows.
    #[must_use]
    pub fn shown(&self) -> &Shown {
        &self.shown
    }
}

impl<T> Unreleased<Option<T>> {
    /// The value if there is one. Absence shows nothing, so it needs no wrapper.
    #[must_use]
    pub fn some(self) -> Option<Unreleased<T>> {
        let shown = self.shown;
        self.value.map(|value| Unreleased { value, shown })
    }
}

/// A value after a commit that took its audit row with it.
pub struct Committed<T> {
    pub(crate) value: T,
    pub(crate) ticket: Ticket,
}

impl<T> Committed<T> {
    /// Made by the store after its commit, with the ticket that [`StoreSeal::committed`] gave for the row.
    #[must_use]
    pub fn new(_: &StoreSeal, value: T, ticket: Ticket) -> Self {
        Self { value, ticket }
    }

    /// Reshapes the value.
    #[must_use]
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Committed<U> {
        Committed { value: f(self.value), ticket: self.ticket }
    }
}

/// The end of a write, which may have found nothing to do.
pub enum Settled<T> {
    /// Something was committed, with its audit row.
    Committed(Committed<T>),
    /// Nothing changed; the answer is recorded as a read is.
    Unchanged(Unreleased<T>),
}

impl<T> Settled<T> {
    /// Reshapes the value.
    #[must_use]
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Settled<U> {
        match self {
            Self::Committed(committed) => Settled::Committed(committed.map(f)),
            Self::Unchanged(unreleased) => Settled::Unchanged(unreleased.map(f)),
        }
    }
}

/// A value that a record draft has named and that waits for the commit of that draft.
pub struct Carried<U>(pub(crate) Unreleased<U>);

impl<T> Settled<T> {
    /// Joins what was read beside the write. After a commit its record names it already; otherwise the record still to be made does.
    #[must_use]
    pub fn with<U>(self, beside: Carried<U>) -> Settled<(T, U)> {
        match self {
            Self::Committed(committed) => Settled::Committed(committed.map(|value| (value, beside.0.value))),
            Self::Unchanged(unreleased) => Settled::Unchanged(unreleased.and(beside.0)),
        }
    }
}

impl<T> From<Committed<T>> for Settled<T> {
    fn from(committed: Committed<T>) -> Self {
        Self::Committed(committed)
    }
}

impl<T> From<Unreleased<T>> for Settled<T> {
    fn from(unreleased: Unreleased<T>) -> Self {
        Self::Unchanged(unreleased)
    }
}

/// An answer that may leave: the only type that the writers of sockets and files accept.
pub struct Released<T> {
    value: T,
    receipt: Option<Receipt>,
}

impl<T> Released<T> {
    pub(crate) fn new(value: T, receipt: Option<Receipt>) -> Self {
        Self { value, receipt }
    }

    /// The value, free to be written out.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }

    /// The receipt of the record; `None` for answers that are only counted.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        self.receipt.as_ref()
    }

    /// Reshapes the answer; it stays released, with the same receipt.
    #[must_use]
    pub fn map<U>(self, f: impl FnOnce(T, Option<&Receipt>) -> U) -> Released<U> {
        let value = f(self.value, self.receipt.as_ref());
        Released { value, receipt: self.receipt }
    }

    /// Splits the answer from its receipt.
    #[must_use]
    pub fn into_parts(self) -> (T, Option<Receipt>) {
        (self.value, self.receipt)
    }
}

/// Proof for the caller that a leaf was promised: whoever keeps it can show a later omission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub(crate) origin: Arc<str>,
    pub(crate) leaf: u64,
    pub(crate) hash: [u8; 32],
}

impl Receipt {
    /// Name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Leaf index of the record, from 0.
    #[must_use]
    pub fn leaf(&self) -> u64 {
        self.leaf
    }

    /// RFC 6962 leaf hash of the record.
    #[must_use]
    pub fn hash(&self) -> &[u8; 32] {
        &self.hash
    }
}

impl fmt::Display for Receipt {
    /// The value of `X-Audit-Receipt`: origin, leaf index and base64 leaf hash with one space between.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.origin, self.leaf, STANDARD.encode(self.hash))
    }
}

/// The ledger takes no record now, so nothing may leave but a constant without patient data.
pub struct Closed {
    pub(crate) reason: ClosedReason,
    pub(crate) counters: Arc<Counters>,
}

impl Closed {
    /// Lets a constant answer without patient data leave. It is counted, and the count is recorded as soon as possible.
    #[must_use]
    pub fn release<T>(self, constant: T) -> Released<T> {
        self.counters.count_closed();
        Released::new(constant, None)
    }

    /// Why nothing may leave.
    #[must_use]
    pub fn reason(&self) -> ClosedReason {
        self.reason
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Closed").field(&self.reason).finish()
    }
}

/// Why the ledger takes no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ClosedReason {
    /// Recovery has not ended.
    #[error("the ledger is not serving yet")]
    NotServing,
    /// The queue was full, or its oldest record waited too long.
    #[error("the ledger is busy")]
    Busy,
    /// Disk space is short: this kind of request is no longer taken.
    #[error("the ledger is short of disk space")]
    NoSpace,
    /// A write or a sync failed; the process must be restarted.
    #[error("the ledger is poisoned by a failed write")]
    Poisoned,
    /// The ledger was stopped.
    #[error("the ledger is stopped")]
    Stopped,
}
