//! Versions, history, search postings, inbox, outbox, once-only keys, audit rows and the identity journal, in one transaction.
//!
//! A write is prepared outside the writer and handed over as a [`Batch`]. The engine's one writer takes everything that
//! arrived during its previous commit as one group, tests the conditions, assigns numbers and times, seals the audit record inside the
//! transaction, commits, hands the records to the ledger in order, and only then answers.
//!
//! The store refuses to know HTTP, HL7 v2, mapping or policy: it checks that the [`Permit`] covers what is asked and says what an answer
//! shows. Search postings are derived: dropped, they are rebuilt from the versions with the same answers.
//!
//! Start with [`Store`], then [`Batch`] and [`Put`]. [`sqlite::Sqlite`] is the durable engine, [`model::Model`] keeps the same
//! promises in memory for tests and simulation.
//!
//! ```
//! use dukou_fhir::{Draft, ResourceKey, json, search::Site};
//! use dukou_store::{Expect, How, Put};
//!
//! let content = json::parse(
//!     br#"{"resourceType":"Observation","id":"o1","status":"final","subject":{"reference":"Patient/p1"}}"#,
//!     &json::Limits::default(),
//! )?;
//! let key = ResourceKey::parse("Observation/o1").ok_or("not a key")?;
//! let draft = Draft::new(&content, key.clone())?;
//! let put = Put::write(key, How::Create, Expect::Absent, &content, draft, Site::default());
//! assert_eq!(put.references()[0].to_string(), "Patient/p1");
//! assert_eq!(put.patients()[0].as_str(), "p1");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

mod apply;
mod batch;
mod deliver;
mod doors;
mod error;
mod group;
mod history;
mod home;
mod inbox;
pub mod model;
mod outbox;
mod prepare;
mod rebuild;
mod referrers;
mod search;
pub mod sqlite;
mod tables;
#[cfg(test)]
mod tests;
mod version;
pub mod warm;

use dukou_audit::{Permit, RecordBytes, Settled, Unreleased};
use dukou_fhir::search::Query;
use dukou_fhir::{Instant, LogicalId, ResourceKey, ResourceType, VersionId};

pub use batch::{Batch, Condition, Expect, How, Integrity, JournalRow, Put, TokenKind, TokenRow, Verdict};
pub use error::{Error, Fault, OpenError};
pub use inbox::{Answers, InboxKey, InboxRow, InboxState, InboxWrite, LaneRow, LaneState, LaneWrite, Received};
pub use outbox::{Claim, OutboxRow, OutboxState, OutboxWrite, Payload, Settlement};
pub use version::{
    Basis, Cursor, HistoryPage, HistoryQuery, HistoryScope, JournalEntry, Outcome, Page, PutOutcome, Recalled,
    SearchLimits, Standing, Version,
};

/// The durable store. Every method that touches a patient's data takes the permit of the access and checks that it reaches so far;
/// what it returns about a patient stays unreleased until the gate has recorded it.
///
/// Methods block; none needs a runtime. Point reads take some microseconds and may run on any thread.
pub trait Store: Send + Sync {
    /// Does a batch as a whole, or nothing of it. Returns when the store's own commit is durable and its record is queued for the ledger.
    /// A batch in which every put repeats what is stored, and which writes nothing else, is [`Settled::Unchanged`]: no version, no audit row.
    fn commit(&self, permit: &Permit<'_>, batch: Batch) -> Result<Settled<Outcome>, Error>;

    /// The newest version of a resource, which may be a deletion; none if it never was.
    fn read(&self, permit: &Permit<'_>, key: &ResourceKey) -> Result<Unreleased<Option<Version>>, Error>;

    /// One version of a resource.
    fn vread(
        &self,
        permit: &Permit<'_>,
        key: &ResourceKey,
        version: VersionId,
    ) -> Result<Unreleased<Option<Version>>, Error>;

    /// A page of history, newest first.
    fn history(&self, permit: &Permit<'_>, query: &HistoryQuery) -> Result<Unreleased<HistoryPage>, Error>;

    /// A page of a search. Matches outside the permit's reach are no matches.
    fn search(
        &self,
        permit: &Permit<'_>,
        query: &Query,
        limits: &SearchLimits,
        from: Option<&Cursor>,
    ) -> Result<Unreleased<Page>, Error>;

    /// The versions to prepare a write on. Needs a permit to write.
    fn basis(&self, permit: &Permit<'_>, keys: &[ResourceKey]) -> Result<Basis, Error>;

    /// Names a Patient that is to be shown from memory. None unless the version that the memory was made of, by its `seq` and time, is
    /// the one that stands, and the permit reaches it: what is shown is then what the store would show.
    fn recall(&self, permit: &Permit<'_>, recalled: &Recalled<'_>) -> Result<Option<Unreleased<()>>, Error>;

    /// The highest `seq` of a version; 0 before the first.
    fn head(&self) -> Result<u64, Error>;

    /// All resources of a type as they stand, in the order of their ids, after one; deleted ones too. Needs a permit to write.
    fn standing(
        &self,
        permit: &Permit<'_>,
        kind: ResourceType,
        after: Option<&LogicalId>,
        count: usize,
    ) -> Result<Vec<Standing>, Error>;

    /// Live resources that refer to another one, at most `count`: what a change of that one may have to change as well. It is not an
    /// answer and needs a permit to write; what is then written is checked like any other write.
    fn referrers(&self, permit: &Permit<'_>, target: &ResourceKey, count: usize) -> Result<Vec<Version>, Error>;

    /// The live resources that match a condition, at most two; the batch tests it again as a [`Condition`]. Needs a permit to write.
    fn resolve(&self, permit: &Permit<'_>, query: &Query) -> Result<Vec<ResourceKey>, Error>;

    /// The stored message with this key.
    fn inbox(&self, permit: &Permit<'_>, key: &InboxKey) -> Result<Option<InboxRow>, Error>;

    /// The bytes of a stored message, as received.
    fn inbox_raw(&self, permit: &Permit<'_>, number: u64) -> Result<Option<bytes::Bytes>, Error>;

    /// Messages that a start takes up again, in order of arrival, after a number.
    fn inbox_unfinished(&self, permit: &Permit<'_>, after: u64, count: usize) -> Result<Vec<InboxRow>, Error>;

    /// Messages that wait for a person, in order of arrival, after a number.
    fn inbox_parked(&self, permit: &Permit<'_>, after: u64, count: usize) -> Result<Vec<InboxRow>, Error>;

    /// A lane.
    fn lane(&self, permit: &Permit<'_>, lane: &str) -> Result<Option<LaneRow>, Error>;

    /// Lanes in the order of their keys, after one.
    fn lanes(&self, permit: &Permit<'_>, after: &str, count: usize) -> Result<Vec<LaneRow>, Error>;

    /// A once-only key that is still counted at `now`.
    fn token(
        &self,
        permit: &Permit<'_>,
        kind: TokenKind,
        source: &str,
        key: &[u8],
        now: Instant,
    ) -> Result<Option<TokenRow>, Error>;

    /// Entries of the identity journal after a number.
    fn journal(&self, permit: &Permit<'_>, after: u64, count: usize) -> Result<Vec<JournalEntry>, Error>;

    /// Claims deliveries that are ready, in order within each lane.
    fn claim_outbox(&self, permit: &Permit<'_>, claim: &Claim) -> Result<Vec<OutboxRow>, Error>;

    /// Says what became of a delivery.
    fn settle_outbox(&self, permit: &Permit<'_>, number: u64, settlement: Settlement) -> Result<(), Error>;

    /// Deliveries in a state, in order of their numbers, after one.
    fn outbox(
        &self,
        permit: &Permit<'_>,
        state: OutboxState,
        after: u64,
        count: usize,
    ) -> Result<Vec<OutboxRow>, Error>;

    /// The version that an outbox row carries.
    fn outbox_version(&self, permit: &Permit<'_>, row: &OutboxRow) -> Result<Unreleased<Option<Version>>, Error>;

    /// Audit rows after a number, in order: what the ledger may lack at start.
    fn pending_records(&self, after_jseq: u64, count: usize) -> Result<Vec<(u64, RecordBytes)>, Error>;

    /// Forgets audit rows up to a number: their leaves are durable and covered by a note. The number itself is kept.
    fn trim_records(&self, up_to_jseq: u64) -> Result<(), Error>;

    /// The highest number of an audit row that was ever committed; 0 before the first.
    fn last_jseq(&self) -> Result<u64, Error>;

    /// Forgets once-only keys that expired before `now`.
    fn forget_tokens(&self, now: Instant) -> Result<(), Error>;

    /// Drops all postings and computes them again from the versions; returns the number of live resources.
    fn rebuild_postings(&self) -> Result<u64, Error>;

    /// Whether a write or sync failed: the process must end with exit code 75.
    fn poisoned(&self) -> bool;
}
