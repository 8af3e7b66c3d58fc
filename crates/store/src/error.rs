//! Why the store could not do what was asked. No text here holds patient data.

use dukou_fhir::ResourceKey;

use crate::inbox::{InboxRow, InboxState};

/// Why the store could not do what was asked. A failed batch changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The version a put was prepared on is no longer the newest: prepare the whole batch again.
    #[error("the version that the write was prepared on has moved")]
    Conflict {
        /// The resource.
        key: ResourceKey,
    },
    /// A condition of the batch does not hold.
    #[error("condition {index} of the batch does not hold")]
    ConditionFailed {
        /// The place of the condition in the batch.
        index: usize,
        /// What matches in truth; for many matches the first few.
        found: Vec<ResourceKey>,
    },
    /// A message with this key is in the inbox already.
    #[error("the message is in the inbox already")]
    Duplicate {
        /// The first one, with its answers.
        row: Box<InboxRow>,
        /// Whether it has the same bytes: then its answer is sent again.
        same_hash: bool,
    },
    /// The message is not in a state from which this step is done.
    #[error("inbox row {number} is not in the state that this step begins with")]
    InboxState {
        /// Its number.
        number: u64,
        /// Its state; none if there is no such row.
        state: Option<InboxState>,
    },
    /// A once-only key was used before.
    #[error("once-only key {index} of the batch was used before")]
    TokenUsed {
        /// The place of the key in the batch.
        index: usize,
        /// The answer that was stored with it.
        answer: Option<bytes::Bytes>,
    },
    /// Another owner took the lane over.
    #[error("the lane belongs to another owner by now")]
    Fenced,
    /// A reference has no live target.
    #[error("a reference of put {put} has no target")]
    MissingReference {
        /// The place of the referring resource in the batch.
        put: usize,
        /// The target that is not there.
        key: ResourceKey,
    },
    /// A resource to be deleted has live referrers.
    #[error("the resource of put {put} is still referred to")]
    Referenced {
        /// The place of the deletion in the batch.
        put: usize,
        /// Some of the referrers.
        by: Vec<ResourceKey>,
    },
    /// One key stands twice in a batch.
    #[error("put {put} writes a resource that another put of the batch writes")]
    Twice {
        /// The place of the second one.
        put: usize,
    },
    /// The question would cost more than it may.
    #[error("the search exceeds its work limit of {limit} at {conjunct}")]
    TooCostly {
        /// The criterion that made it so.
        conjunct: String,
        /// The limit, in postings touched and bodies checked.
        limit: u64,
    },
    /// The search parameter cannot be sorted or searched by in this way.
    #[error("the store cannot search by {parameter} in this way")]
    Unsupported {
        /// The parameter.
        parameter: String,
    },
    /// A cursor that this store did not make for this query.
    #[error("the page cursor does not belong to this query")]
    BadCursor,
    /// The permit does not reach this far.
    #[error("the permit does not cover the interaction")]
    NotPermitted,
    /// No space is left: writing is refused until there is, reading goes on.
    #[error("no space is left for the store")]
    Full,
    /// The queue in front of the writer stayed full, or no reader became free, for longer than a request may wait.
    #[error("the store is too busy")]
    Busy,
    /// A write or sync failed: what is on the disk is unknown until a restart reads it. The process must end with exit code 75.
    #[error("a write of the store failed; a restart is needed")]
    Poisoned,
    /// Reading failed.
    #[error("the store could not be read")]
    Read(#[source] Fault),
    /// A stored row makes no sense.
    #[error("the store holds a row that makes no sense: {what}")]
    Corrupt {
        /// Which part of which table.
        what: &'static str,
    },
    /// There is no delivery of that number in the state that the step begins with.
    #[error("there is no delivery {number} in the state that this step begins with")]
    NoSuchDelivery {
        /// The number.
        number: u64,
    },
    /// An outbox row of the batch carries a put that wrote no version.
    #[error("an outbox row of the batch carries no version")]
    NothingToDeliver,
    /// The batch writes more than one audit record can name: it must be split.
    #[error("the batch writes more than one audit record can name")]
    TooMuchWritten,
    /// The verdict of a batch failed inside the writer; nothing was written.
    #[error("the batch failed inside the writer")]
    Panicked,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is of a newer build.
    #[error("the store has schema version {found}; this build knows {known}")]
    Newer {
        /// What the file says.
        found: i64,
        /// What this build knows.
        known: i64,
    },
    /// The file is not a sound database.
    #[error("the store's integrity check failed: {0}")]
    Unsound(String),
    /// What recovery found could not be made durable because another process reads the file.
    #[error("the store's log could not be written back; another process holds the file")]
    Held,
    /// The engine failed.
    #[error("the store could not be opened")]
    Engine(#[source] Fault),
    /// A stored row makes no sense.
    #[error("the store could not be read")]
    Content(#[source] Error),
    /// A thread could not be started.
    #[error("the writer thread could not be started")]
    Thread(#[source] std::io::Error),
}

/// What an engine says about its failure; it names no engine type.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    pub(crate) text: String,
}
