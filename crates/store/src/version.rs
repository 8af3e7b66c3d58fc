//! What the store gives back: versions, pages of them, and what a commit did.

use bytes::Bytes;
use dukou_fhir::{Instant, LogicalId, ResourceKey, ResourceType, VersionId};

use crate::batch::How;

/// One stored version of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The name of the resource.
    pub key: ResourceKey,
    /// Its version, counted from 1 for each resource.
    pub version: VersionId,
    /// The place in the history of the whole store.
    pub seq: u64,
    /// When it was stored; strictly rising along `seq`.
    pub last_updated: Instant,
    /// How it came to be.
    pub how: How,
    /// The inbox number of the message it came from.
    pub message: Option<u64>,
    /// When the event behind it happened.
    pub event_time: Option<Instant>,
    /// The patients whom it is about; for a deletion those of the version before.
    pub patients: Vec<LogicalId>,
    /// The exact canonical bytes; empty for a deletion.
    pub body: Bytes,
}

impl Version {
    /// Whether this version is the mark of a deletion.
    pub fn is_deleted(&self) -> bool {
        self.how == How::Delete
    }
}

/// One page of a search.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The matches, in the order asked for.
    pub matches: Vec<Version>,
    /// Included resources, each once, in the order of their finding.
    pub includes: Vec<Version>,
    /// Whether includes were left out because the page held too many.
    pub includes_cut: bool,
    /// The number of all matches, where asked for or known without extra work.
    pub total: Option<u64>,
    /// Where the next page begins; absent on the last page.
    pub next: Option<Cursor>,
    /// Postings touched and bodies checked.
    pub work: u64,
}

/// Where a page begins: a sort key and a resource number, no offset. It is not signed here; the door does that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub(crate) Vec<u8>);

impl Cursor {
    /// The bytes to carry in a link.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A cursor from the bytes of a link; whether it fits the query is found when it is used.
    pub fn from_bytes(bytes: Vec<u8>) -> Cursor {
        Cursor(bytes)
    }
}

/// What a search may cost and how much it gives.
#[derive(Clone, Debug)]
pub struct SearchLimits {
    /// Matches on a page, at most, whatever the query says.
    pub count: usize,
    /// Includes on a page, at most.
    pub includes_max: usize,
    /// Postings touched and bodies checked, at most.
    pub work_max: u64,
    /// Candidates that are sorted in memory, at most; larger sets walk the keys of the sort parameter.
    pub sort_max: usize,
}

impl Default for SearchLimits {
    fn default() -> Self {
        SearchLimits { count: 1_000, includes_max: 1_000, work_max: 1_000_000, sort_max: 10_000 }
    }
}

/// Whose history is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryScope {
    /// One resource.
    Instance(ResourceKey),
    /// All resources of a type.
    Type(ResourceType),
    /// Everything.
    System,
}

/// A question about history; newest first.
#[derive(Clone, Debug)]
pub struct HistoryQuery {
    /// Whose history.
    pub scope: HistoryScope,
    /// `_since`: only versions stored at this instant or later.
    pub since: Option<Instant>,
    /// `_at`: only versions stored at this instant or earlier.
    pub until: Option<Instant>,
    /// Entries on a page, at most.
    pub count: usize,
    /// The `next` of the page before.
    pub before: Option<u64>,
    /// Versions looked at, at most.
    pub work_max: u64,
}

impl HistoryQuery {
    /// The first page of a history with the default page size.
    pub fn new(scope: HistoryScope) -> HistoryQuery {
        HistoryQuery { scope, since: None, until: None, count: 20, before: None, work_max: 1_000_000 }
    }
}

/// One page of a history.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    /// The versions, newest first.
    pub entries: Vec<Version>,
    /// How many versions the caller may see in the asked scope and time.
    pub total: u64,
    /// `seq` below which the next page begins; absent on the last page.
    pub next: Option<u64>,
}

/// A version of a Patient that something in memory was made of.
#[derive(Clone, Copy, Debug)]
pub struct Recalled<'a> {
    /// The Patient.
    pub patient: &'a LogicalId,
    /// Its version.
    pub version: VersionId,
    /// The place of that version in the history of the store.
    pub seq: u64,
    /// When it was stored.
    pub stored: Instant,
}

/// A resource as it stands, and when it began. It is not an answer: what is derived from it stays inside the process.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The newest version, which may be a deletion.
    pub version: Version,
    /// When the first version was stored.
    pub born: Instant,
}

/// The versions that a write is prepared on. It is not an answer: it stays inside the writing use case.
#[derive(Clone, Debug)]
pub struct Basis {
    /// For each key asked for, in that order: its newest version, which may be a deletion.
    pub versions: Vec<Option<Version>>,
}

/// What the writer did with a batch.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// One entry a put, in the order of the batch.
    pub puts: Vec<PutOutcome>,
    /// The number of the message's inbox row.
    pub inbox: Option<u64>,
    /// The numbers of the outbox rows, in the order of the batch.
    pub outbox: Vec<u64>,
    /// The numbers of the journal entries, in the order of the batch.
    pub journal: Vec<u64>,
    /// References without a target: (index of the put, target). Only where the batch merely warns.
    pub missing: Vec<(usize, ResourceKey)>,
    /// The number of the audit row; absent where nothing was written.
    pub jseq: Option<u64>,
    /// When it was stored; absent where nothing was written.
    pub time: Option<Instant>,
}

/// What the writer did with one put.
#[derive(Clone, Debug)]
pub struct PutOutcome {
    /// The newest version after the batch; for a deletion of what never was: none.
    pub version: Option<Version>,
    /// Whether a version was written; otherwise the content was there already.
    pub changed: bool,
    /// Whether nothing live stood there before.
    pub created: bool,
}

/// An entry of the identity journal as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// Its number; rising, never used again.
    pub seq: u64,
    /// When it was stored.
    pub time: Instant,
    /// The audit row of the commit that wrote it.
    pub jseq: u64,
    /// What was decided.
    pub kind: String,
    /// The entry as the identity index wrote it.
    pub body: Bytes,
}
