//! The seam between the rules of the store and its engines: rows in, rows out. Everything that has a meaning stands outside of it.

use bytes::Bytes;
use dukou_fhir::{Instant, LogicalId, ResourceKey, ResourceType, VersionId};

use crate::batch::TokenKind;
use crate::error::Error;
use crate::inbox::{Answers, InboxKey, InboxRow, InboxState, LaneRow, Received};
use crate::outbox::{OutboxRow, OutboxState};
use crate::version::{JournalEntry, Version};

/// A row of `current`: the dense resource number is given at the first write and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CurrentRow {
    pub(crate) res: u64,
    pub(crate) seq: u64,
    pub(crate) live: bool,
}

/// A row of `versions`.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) res: u64,
    pub(crate) jseq: u64,
    pub(crate) version: Version,
}

/// Whose versions a history walk visits, newest first.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Walk {
    /// One resource, from a version number downwards.
    Resource(u64),
    /// One type, from a `seq` downwards.
    Type(ResourceType),
    /// Everything, from a `seq` downwards.
    System,
}

/// The posting lists, as the search walks them.
pub(crate) trait Postings {
    /// Appends the resource numbers under exactly this key, from `from` on, rising, at most `count`.
    fn seek(&self, key: &[u8], from: u64, count: usize, out: &mut Vec<u64>) -> Result<(), Error>;

    /// Calls `each` for the entries after `after` and with a key below `end`, rising by (key, resource number), at most `count`.
    fn range_up(
        &self,
        after: (&[u8], u64),
        end: &[u8],
        count: usize,
        each: &mut dyn FnMut(&[u8], u64),
    ) -> Result<(), Error>;

    /// Calls `each` for the entries before `before` and with a key not below `start`, falling, at most `count`.
    fn range_down(
        &self,
        before: (&[u8], u64),
        start: &[u8],
        count: usize,
        each: &mut dyn FnMut(&[u8], u64),
    ) -> Result<(), Error>;

    /// The newest version of a resource number.
    fn load(&self, res: u64) -> Result<Option<Stored>, Error>;

    /// The newest version under a name.
    fn load_key(&self, key: &ResourceKey) -> Result<Option<Stored>, Error>;
}

/// What can be read, as of one moment.
pub(crate) trait View: Postings {
    fn current(&self, key: &ResourceKey) -> Result<Option<CurrentRow>, Error>;
    fn version(&self, key: &ResourceKey, version: VersionId) -> Result<Option<Stored>, Error>;
    fn version_at(&self, seq: u64) -> Result<Option<Stored>, Error>;
    /// The time of the first version at or after a `seq`.
    fn time_at(&self, seq: u64) -> Result<Option<Instant>, Error>;
    /// The newest version of each resource of a type and the time of its first, in the order of their ids, after one.
    fn standing(
        &self,
        kind: ResourceType,
        after: Option<&LogicalId>,
        count: usize,
    ) -> Result<Vec<(Stored, Instant)>, Error>;
    /// Versions of a walk from `from` (version number or `seq`) downwards, at most `count`.
    fn history(&self, walk: Walk, from: u64, count: usize, out: &mut Vec<Stored>) -> Result<(), Error>;
    /// The number of versions of a walk with `low <= seq <= high`.
    fn count(&self, walk: Walk, low: u64, high: u64) -> Result<u64, Error>;
    fn counters(&self) -> Result<Counters, Error>;

    fn inbox_by_key(&self, key: &InboxKey) -> Result<Option<InboxRow>, Error>;
    fn inbox_by_number(&self, number: u64) -> Result<Option<InboxRow>, Error>;
    fn inbox_raw(&self, number: u64) -> Result<Option<Bytes>, Error>;
    fn inbox_unfinished(&self, after: u64, count: usize) -> Result<Vec<InboxRow>, Error>;
    fn inbox_parked(&self, after: u64, count: usize) -> Result<Vec<InboxRow>, Error>;
    fn lane(&self, lane: &str) -> Result<Option<LaneRow>, Error>;
    fn lanes(&self, after: &str, count: usize) -> Result<Vec<LaneRow>, Error>;
    fn token(&self, kind: TokenKind, source: &str, key: &[u8]) -> Result<Option<(Instant, Option<Bytes>)>, Error>;
    fn outbox_row(&self, number: u64) -> Result<Option<OutboxRow>, Error>;
    /// Waiting rows of a target that are due and not leased, none of them behind another waiting row of its lane.
    fn outbox_ready(&self, target: &str, now: Instant, count: usize) -> Result<Vec<OutboxRow>, Error>;
    fn outbox(&self, state: OutboxState, after: u64, count: usize) -> Result<Vec<OutboxRow>, Error>;
    fn records(&self, after: u64, count: usize) -> Result<Vec<(u64, Vec<u8>)>, Error>;
    fn journal(&self, after: u64, count: usize) -> Result<Vec<JournalEntry>, Error>;
}

/// What the one writer can change, inside its transaction.
pub(crate) trait Tables: View {
    fn set_current(&mut self, key: &ResourceKey, row: CurrentRow) -> Result<(), Error>;
    fn insert_version(&mut self, row: &Stored) -> Result<(), Error>;
    /// Adds a resource to the lists of these keys.
    fn post(&mut self, keys: &[Vec<u8>], res: u64) -> Result<(), Error>;
    /// Takes a resource from the lists of these keys.
    fn unpost(&mut self, keys: &[Vec<u8>], res: u64) -> Result<(), Error>;
    fn clear_postings(&mut self) -> Result<(), Error>;
    fn insert_inbox(&mut self, number: u64, time: Instant, received: &Received) -> Result<(), Error>;
    fn update_inbox(
        &mut self,
        number: u64,
        state: InboxState,
        reason: Option<&str>,
        answers: &Answers,
    ) -> Result<(), Error>;
    fn set_lane(&mut self, row: &LaneRow) -> Result<(), Error>;
    fn set_token(
        &mut self,
        kind: TokenKind,
        source: &str,
        key: &[u8],
        expires: Instant,
        answer: Option<&[u8]>,
    ) -> Result<(), Error>;
    fn forget_tokens(&mut self, now: Instant) -> Result<(), Error>;
    /// Adds a row, or changes the row of that number.
    fn set_outbox(&mut self, row: &OutboxRow) -> Result<(), Error>;
    fn insert_record(&mut self, jseq: u64, record: &[u8]) -> Result<(), Error>;
    fn trim_records(&mut self, up_to: u64) -> Result<(), Error>;
    fn insert_journal(&mut self, entry: &JournalEntry) -> Result<(), Error>;
}

/// The frame around the changes.
pub(crate) trait Transaction {
    fn tables(&mut self) -> &mut dyn Tables;
    fn begin(&mut self) -> Result<(), Error>;
    /// Returns when the changes are durable.
    fn commit(&mut self) -> Result<(), Error>;
    fn rollback(&mut self) -> Result<(), Error>;
    fn savepoint(&mut self) -> Result<(), Error>;
    fn release(&mut self) -> Result<(), Error>;
    fn rollback_to_savepoint(&mut self) -> Result<(), Error>;
    /// Whether the transaction is still open: an engine may end it by itself when space runs out.
    fn is_open(&self) -> bool;
}

/// The last number given in each run, and the time of the newest version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counters {
    pub(crate) seq: u64,
    pub(crate) res: u64,
    pub(crate) inbox: u64,
    pub(crate) outbox: u64,
    pub(crate) journal: u64,
    pub(crate) jseq: u64,
    pub(crate) time: Instant,
}

/// Patients are stored as their ids with spaces between: an id holds none.
pub(crate) fn join_patients(patients: &[LogicalId]) -> String {
    let mut text = String::with_capacity(patients.iter().map(|id| id.as_str().len() + 1).sum());
    for id in patients {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(id.as_str());
    }
    text
}

/// The reverse of [`join_patients`].
pub(crate) fn split_patients(text: &str) -> Option<Vec<LogicalId>> {
    text.split(' ').filter(|id| !id.is_empty()).map(LogicalId::parse).collect()
}
