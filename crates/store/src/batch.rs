//! What one commit carries: everything in a [`Batch`] becomes durable together, or nothing of it does.

use bytes::Bytes;
use dukou_audit::{self as audit, RecordDraft};
use dukou_fhir::reference::{self, Target};
use dukou_fhir::search::{self, PostingKey, Query, Site};
use dukou_fhir::{Draft, Instant, LogicalId, ResourceKey, Value, VersionId};

use crate::inbox::{InboxWrite, LaneWrite};
use crate::outbox::OutboxWrite;
use crate::referrers;
use crate::version::Outcome;

/// One atomic unit of writing, with the record that the ledger will hold about it.
pub struct Batch {
    /// Resources to write or delete. One key stands at most once in a batch.
    pub puts: Vec<Put>,
    /// What must be true of the store just before the puts; tested inside the same transaction.
    pub conditions: Vec<Condition>,
    /// What happens when a reference has no target, or a deleted resource still has referrers.
    pub integrity: Integrity,
    /// The message that caused this batch.
    pub inbox: Option<InboxWrite>,
    /// The lane whose state changes with this batch; a stale fencing token refuses the whole batch.
    pub lane: Option<LaneWrite>,
    /// Deliveries that this batch causes.
    pub outbox: Vec<OutboxWrite>,
    /// Entries of the identity journal, in order.
    pub journal: Vec<JournalRow>,
    /// Once-only keys used up by this batch.
    pub tokens: Vec<TokenRow>,
    /// The record of this access, sealed by the writer inside its transaction.
    pub record: RecordDraft,
    /// What the record says about the result, once the writer knows it.
    pub verdict: Verdict,
}

/// Says what the record shall state (status, acknowledgement code, sub-entries), given what the writer did. Runs in the writer,
/// inside the transaction: it must be short.
pub type Verdict = Box<dyn FnOnce(&Outcome) -> (audit::Outcome, Vec<audit::SubEntry>) + Send>;

impl Batch {
    /// A batch that so far holds nothing but its record.
    pub fn new(record: RecordDraft, verdict: Verdict) -> Batch {
        Batch {
            puts: Vec::new(),
            conditions: Vec::new(),
            integrity: Integrity::Enforce,
            inbox: None,
            lane: None,
            outbox: Vec::new(),
            journal: Vec::new(),
            tokens: Vec::new(),
            record,
            verdict,
        }
    }

    /// About how many bytes this batch adds; the writer forms its groups by it.
    pub(crate) fn weight(&self) -> usize {
        let puts =
            self.puts.iter().map(|put| put.draft.as_ref().map_or(64, Draft::stamped_len_max) + 40 * put.postings.len());
        let inbox = self.inbox.as_ref().map_or(0, InboxWrite::weight);
        let journal = self.journal.iter().map(|row| row.body.len());
        512 + puts.sum::<usize>() + inbox + journal.sum::<usize>() + 128 * self.outbox.len()
    }
}

/// A resource to write, or to delete, with everything the index needs: prepared outside the writer.
pub struct Put {
    /// The name of the resource.
    pub key: ResourceKey,
    /// How the client asked for it; the writer turns `Update` of something not live into `UpdateAsCreate`.
    pub how: How,
    /// The version this was prepared on.
    pub expect: Expect,
    /// When the event behind it happened (EVN-2, else MSH-7), kept with the version as a guard against older events.
    pub event_time: Option<Instant>,
    /// A Task that the node opens of its own accord, whatever the client may write: a finding for a person, in the same commit as the
    /// write that raised it. The permit still has to be one to write.
    pub of_the_node: bool,
    pub(crate) draft: Option<Draft>,
    pub(crate) postings: Vec<Vec<u8>>,
    pub(crate) patients: Vec<LogicalId>,
    pub(crate) references: Vec<ResourceKey>,
}

impl Put {
    /// A resource to be written under `key`: takes its postings, patients and local references from the content. The draft was made of
    /// the same `content`; `site` is that of the store.
    pub fn write(key: ResourceKey, how: How, expect: Expect, content: &Value<'_>, draft: Draft, site: Site<'_>) -> Put {
        let stored;
        // What counts is what will be stored: an id that was sent is replaced by that of the key.
        let content = match content.text_at("id") {
            Some(id) if id == key.id.as_str() => content,
            _ => {
                stored = draft.value();
                &stored
            }
        };
        let (postings, references) = index(content, &key, site);
        let patients = search::patients(content, site.base);
        Put {
            key,
            how,
            expect,
            event_time: None,
            of_the_node: false,
            draft: Some(draft),
            postings,
            patients,
            references,
        }
    }

    /// A resource to be deleted. Deleting what is not there changes nothing.
    pub fn delete(key: ResourceKey, expect: Expect) -> Put {
        Put {
            key,
            how: How::Delete,
            expect,
            event_time: None,
            of_the_node: false,
            draft: None,
            postings: Vec::new(),
            patients: Vec::new(),
            references: Vec::new(),
        }
    }

    /// The resources of this store that the content refers to, each once.
    pub fn references(&self) -> &[ResourceKey] {
        &self.references
    }

    /// The content to be written; none for a deletion. Read anew from the canonical bytes on each call.
    pub fn content(&self) -> Option<Value<'_>> {
        self.draft.as_ref().map(Draft::value)
    }

    /// The patients whom the content is about.
    pub fn patients(&self) -> &[LogicalId] {
        &self.patients
    }
}

/// The posting keys of a resource, sorted and each once, and the resources of this store that it refers to.
pub(crate) fn index(content: &Value<'_>, key: &ResourceKey, site: Site<'_>) -> (Vec<Vec<u8>>, Vec<ResourceKey>) {
    let local = |(_, text)| match Target::parse(text, site.base) {
        Target::Local(target, _) => Some(target),
        _ => None,
    };
    let mut references: Vec<ResourceKey> = reference::references(content).into_iter().filter_map(local).collect();
    references.sort_unstable();
    references.dedup();
    let mut postings: Vec<Vec<u8>> =
        search::keys(content, key.kind, site).into_iter().map(PostingKey::into_bytes).collect();
    // Referrers stand behind all other keys, in the order of their targets' names.
    let own = postings.len();
    postings.extend(references.iter().map(referrers::key));
    postings[own..].sort_unstable();
    (postings, references)
}

/// How a version came to be; history says it again as request method and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// POST: the server chose the id.
    Create,
    /// PUT or PATCH on a live resource.
    Update,
    /// PUT on an id that held nothing live.
    UpdateAsCreate,
    /// DELETE.
    Delete,
}

/// Which version a put was prepared on. If another stands there, the batch fails with [`Error::Conflict`](crate::Error::Conflict) and is
/// prepared again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whatever is there.
    Any,
    /// Nothing live is there.
    Absent,
    /// Exactly this version is there, and it is live.
    Version(VersionId),
}

/// What must hold just before the puts are applied. A condition that fails is the client's 412 (or 409), not a conflict to retry.
pub enum Condition {
    /// Exactly these live resources match the query (none for If-None-Exist; one for a conditional update, patch, delete or reference
    /// that was resolved to it).
    Matches {
        /// The criteria.
        query: Query,
        /// What was resolved while preparing, in any order.
        found: Vec<ResourceKey>,
    },
    /// `If-Match`: the live version of `key` is this one.
    Version {
        /// The resource.
        key: ResourceKey,
        /// Its version.
        version: VersionId,
    },
    /// No live resource other than `holder` matches: an identifier of a system that is unique per type.
    Unique {
        /// The identifier as a query.
        query: Query,
        /// The resource that is about to hold it.
        holder: ResourceKey,
    },
}

/// What happens to a batch that would leave a reference without its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// The batch is refused.
    Enforce,
    /// The batch is done, and the outcome names what is missing.
    Warn,
}

/// One entry of the identity journal to append; the journal's meaning belongs to the identity index.
pub struct JournalRow {
    /// What was decided (`merge`, `unmerge`, `assert-link` and so on).
    pub kind: String,
    /// Actor, reason, evidence and model version, as the identity index wrote them.
    pub body: Bytes,
}

/// A once-only key that this batch uses up.
pub struct TokenRow {
    /// What kind of key it is.
    pub kind: TokenKind,
    /// Who presented it.
    pub source: String,
    /// The key, or a keyed hash of it.
    pub key: Vec<u8>,
    /// Until when it counts.
    pub expires: Instant,
    /// The stored answer of an idempotent request.
    pub answer: Option<Bytes>,
    /// Whether it takes the place of a row with this key. Such a row says what stands now (where a capture is bound, that it has ended);
    /// it is not used up by being written.
    pub replaces: bool,
}

/// Kinds of once-only keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// What is kept of a captured card: its nonce, what it is bound to, that it has ended.
    Capture,
    /// The `jti` of a client assertion.
    Assertion,
    /// An `X-Idempotency-Key`.
    Idempotency,
}
