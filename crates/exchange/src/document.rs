//! Documents and batches at the door: XML, JSON, rows and CDA, which know no acknowledgement of their own.
//!
//! Bytes -> what may not be kept is cut -> records, each translated by itself -> the good ones applied, the bad ones held -> one commit
//! with document, resources, answer and audit row. A document sent again gets its stored answer; a record that says nothing new makes
//! no version.

mod answer;
mod forbidden;

use bytes::Bytes;
use dukou_audit::{self as audit, MessageRef, Permit, Settled, Unreleased};
use dukou_fhir::{Issue, ResourceKey};
use dukou_mapping::{Mapped, Program};
use dukou_store::{self as store, Answers, Batch, InboxKey, InboxRow, InboxState, InboxWrite, Received};
use dukou_wire::{Format, Message, NotAMessage};
use sha2::{Digest, Sha256};

use crate::apply::Applied;
use crate::ingest::{Leaves, hexadecimal, leaves};
use crate::reported::Reported;
use crate::{Error, Exchange, Link, ReportedPolicy};

pub use answer::Counts;

/// A document as it may be kept.
pub struct Document<'a> {
    client: &'a str,
    link: &'a Link,
    raw: Bytes,
    sha256: [u8; 32],
    format: Format,
    /// Paths of the leaves that were cut out.
    cut: Vec<String>,
}

impl Document<'_> {
    /// What the record says about the document.
    pub fn reference(&self) -> MessageRef {
        MessageRef {
            source: self.client.to_owned(),
            kind: self.format.as_str().to_owned(),
            control_id: String::new(),
            sha256: self.sha256,
        }
    }
}

/// What became of a document.
#[derive(Clone, Debug)]
pub struct Taken {
    /// An OperationOutcome: the numbers first, then each held record with its reasons. These bytes are stored with the document.
    pub answer: Bytes,
    /// Whether anything of it stands: all records, or all but those that are held.
    pub is_accepted: bool,
    /// Whether the document was here before; nothing was done.
    pub replayed: bool,
    /// How many records, and what became of them; none where the answer is a stored one.
    pub counts: Option<Counts>,
    /// The resources that were written.
    pub written: Vec<ResourceKey>,
}

/// A document of which something waits for a person.
#[derive(Clone, Debug)]
pub struct HeldDocument {
    /// Its number in the inbox.
    pub number: u64,
    /// Who sent it.
    pub client: String,
    /// When it came.
    pub received: dukou_fhir::Instant,
    /// The answer that it was given: it names each held record and why.
    pub answer: Bytes,
}

/// Whether the bytes are a document or rows rather than a v2 message. Bytes that could be rows are a broken message where the sender
/// says that they are one.
pub fn is_document(raw: &[u8], said_er7: bool) -> bool {
    match dukou_wire::sniff(raw) {
        Format::Er7 => false,
        Format::Delimited => !said_er7,
        Format::Xml | Format::Json => true,
    }
}

impl Exchange {
    /// Opens what `client` sent over `link`, far enough to cut out what may not be kept.
    pub fn document<'a>(&self, raw: &Bytes, client: &'a str, link: &'a Link) -> Document<'a> {
        let program = self.program.load();
        let (kept, cut) = forbidden::cut(raw, link, &program);
        let sha256 = Sha256::digest(&kept).into();
        Document { client, link, sha256, format: dukou_wire::sniff(raw), raw: kept, cut }
    }

    /// Takes one document in. `Err` only where store or ledger cannot accept: then no answer may leave and the sender keeps it.
    pub fn take(&self, permit: &Permit<'_>, document: &Document<'_>) -> Result<Settled<Taken>, Error> {
        if let Some(row) = self.store.inbox(permit, &key(document))? {
            self.catch_up()?;
            return Ok(replay(permit, row));
        }
        let program = self.program.load();
        let site = self.mapping_site();
        match program.open(&document.raw, &document.link.limits, &document.link.site) {
            Err(reason) => self.refuse_document(permit, document, vec![unreadable(document, &reason)]),
            Ok((envelope, mut issues)) => {
                let inner = program.wrapped(&envelope, &document.link.limits, &document.link.site);
                let message = match &inner {
                    Some((inner, found)) => {
                        issues.extend(found.iter().cloned());
                        inner
                    }
                    None => &envelope,
                };
                self.take_records(permit, document, &program, message, &issues, &site)
            }
        }
    }

    /// Documents of a client of which something is held, oldest first, after a number.
    pub fn held(
        &self,
        permit: &Permit<'_>,
        client: &str,
        after: u64,
        count: usize,
    ) -> Result<Unreleased<Vec<HeldDocument>>, Error> {
        let mut found = Vec::new();
        let mut after = after;
        while found.len() < count {
            let rows = self.store.inbox_parked(permit, after, HELD_PAGE)?;
            let Some(last) = rows.last() else { break };
            after = last.number;
            let own = rows.into_iter().filter(|row| row.key.client == client);
            found.extend(own.filter_map(|row| {
                let answer = row.answers.application?;
                Some(HeldDocument { number: row.number, client: row.key.client, received: row.received, answer })
            }));
        }
        found.truncate(count);
        Ok(permit.without_patient_data(found))
    }

    fn take_records(
        &self,
        permit: &Permit<'_>,
        document: &Document<'_>,
        program: &Program,
        message: &Message<'_>,
        wire_issues: &[dukou_wire::Issue],
        site: &dukou_mapping::Site<'_>,
    ) -> Result<Settled<Taken>, Error> {
        let (damages, notes): (Vec<&dukou_wire::Issue>, Vec<&dukou_wire::Issue>) =
            wire_issues.iter().partition(|issue| answer::is_damage(issue, message));
        let mut walk = program.records(message, site);
        let mut records: Vec<Translated<'_>> = Vec::with_capacity(walk.len().min(RECORDS_MAX));
        for record in walk.by_ref().take(RECORDS_MAX + 1) {
            let reasons = answer::reasons(&record.path, &record.mapped, &damages);
            records.push(Translated { mapped: record.mapped, reasons });
        }
        if records.len() > RECORDS_MAX {
            return self.refuse_document(permit, document, vec![answer::too_many(RECORDS_MAX)]);
        }
        let says_nothing = |record: &Translated<'_>| record.mapped.changes.is_empty() && record.reasons.is_empty();
        if records.iter().all(says_nothing) {
            let is_known = records.is_empty() && program.speaks_of(message);
            let is_empty = is_known || document.raw.trim_ascii().is_empty();
            let issue = if is_empty { answer::empty() } else { answer::unmapped(document.format) };
            return self.refuse_document(permit, document, vec![issue]);
        }
        let accounts = walk.accounts();
        let reported = Reported::of(&ReportedPolicy::default(), &accounts, program, message);
        self.counters.add(&self.surroundings.site, &reported);
        let mut sums = leaves(&accounts);
        let cut = u32::try_from(document.cut.len()).unwrap_or(u32::MAX);
        sums.leaves += cut;
        sums.dropped += cut;
        self.commit_records(permit, document, program, records, &notes, sums)
    }

    /// Applies the good records on the current versions; prepared anew whenever another writer was faster.
    fn commit_records(
        &self,
        permit: &Permit<'_>,
        document: &Document<'_>,
        program: &Program,
        mut records: Vec<Translated<'_>>,
        notes: &[&dukou_wire::Issue],
        sums: Leaves,
    ) -> Result<Settled<Taken>, Error> {
        let attempts = self.surroundings.limits.prepare_attempts_max;
        for _ in 0..attempts {
            let applied = self.apply_good(permit, program, &mut records)?;
            let (counts, answer) = answer::of(document, &records, &applied, notes, sums);
            let is_accepted = counts.applied + counts.unchanged > 0;
            let (state, reason) = match (counts.held, is_accepted) {
                (0, _) => (InboxState::Transformed, None),
                (_, true) => (InboxState::Parked, Some(HELD.to_owned())),
                (_, false) => (InboxState::Parked, Some(ALL_HELD.to_owned())),
            };
            let written: Vec<ResourceKey> = applied.puts.iter().map(|put| put.key.clone()).collect();
            let batch = Batch {
                puts: applied.puts,
                inbox: Some(InboxWrite::Receive(received(document, state, reason, answer.clone()))),
                integrity: store::Integrity::Warn,
                ..outcome(permit, is_accepted)
            };
            match self.commit(permit, batch) {
                Err(store::Error::Conflict { .. } | store::Error::ConditionFailed { .. }) => {}
                Err(store::Error::Duplicate { row, .. }) => return Ok(replay(permit, *row)),
                Err(other) => return Err(other.into()),
                Ok(settled) => {
                    let taken = Taken { answer, is_accepted, replayed: false, counts: Some(counts), written };
                    return Ok(settled.map(|_| taken));
                }
            }
        }
        Err(Error::Contended { attempts })
    }

    /// Prepares the records that have no fault. One whose resource cannot be stored is held, too, and the others prepared without it.
    fn apply_good(
        &self,
        permit: &Permit<'_>,
        program: &Program,
        records: &mut [Translated<'_>],
    ) -> Result<Applied, Error> {
        loop {
            let good: Vec<&Mapped<'_>> =
                records.iter().filter(|record| record.reasons.is_empty()).map(|record| &record.mapped).collect();
            let applied = self.apply_records(permit, &good, program)?;
            if applied.refused.is_empty() {
                return Ok(applied);
            }
            let touches =
                |mapped: &Mapped<'_>| mapped.changes.iter().any(|change| applied.refused.contains(&change.key));
            for record in records.iter_mut().filter(|record| record.reasons.is_empty()) {
                if touches(&record.mapped) {
                    record.reasons.extend(applied.issues.iter().filter(|issue| issue.severity.is_error()).cloned());
                }
            }
        }
    }

    /// What cannot be read, or what no map speaks of, is kept with its refusal.
    fn refuse_document(
        &self,
        permit: &Permit<'_>,
        document: &Document<'_>,
        issues: Vec<Issue>,
    ) -> Result<Settled<Taken>, Error> {
        let reason = issues.first().map(|issue| issue.code.to_owned());
        let answer = answer::refusal(&issues);
        let received = received(document, InboxState::Error, reason, answer.clone());
        let batch = Batch { inbox: Some(InboxWrite::Receive(received)), ..outcome(permit, false) };
        match self.commit(permit, batch) {
            Err(store::Error::Duplicate { row, .. }) => Ok(replay(permit, *row)),
            Err(other) => Err(other.into()),
            Ok(settled) => Ok(settled.map(|_| Taken {
                answer,
                is_accepted: false,
                replayed: false,
                counts: None,
                written: Vec::new(),
            })),
        }
    }
}

/// One record and what it means; reasons hold it back.
pub(crate) struct Translated<'m> {
    mapped: Mapped<'m>,
    reasons: Vec<Issue>,
}

/// The stored answer once more; nothing is applied.
fn replay(permit: &Permit<'_>, row: InboxRow) -> Settled<Taken> {
    let is_accepted = row.state != InboxState::Error && row.reason.as_deref() != Some(ALL_HELD);
    let answer = row.answers.application.unwrap_or_default();
    let taken = Taken { answer, is_accepted, replayed: true, counts: None, written: Vec::new() };
    Settled::Unchanged(permit.without_patient_data(taken))
}

/// A document has no control id: the same bytes from the same client are the same document.
fn key(document: &Document<'_>) -> InboxKey {
    InboxKey {
        client: document.client.to_owned(),
        application: document.format.as_str().to_owned(),
        facility: String::new(),
        control_id: hexadecimal(&document.sha256),
        day: String::new(),
    }
}

fn received(document: &Document<'_>, state: InboxState, reason: Option<String>, answer: Bytes) -> Received {
    Received {
        key: key(document),
        raw: document.raw.clone(),
        sha256: document.sha256,
        state,
        reason,
        link: document.link.name.clone(),
        lane: document.link.name.clone(),
        answers: Answers { accept: None, application: Some(answer) },
    }
}

fn outcome(permit: &Permit<'_>, is_accepted: bool) -> Batch {
    let status = if is_accepted { 200 } else { 422 };
    Batch::new(permit.draft(), Box::new(move |_| (audit::Outcome::http(status), Vec::new())))
}

fn unreadable(document: &Document<'_>, reason: &NotAMessage) -> Issue {
    if document.raw.is_empty() && !document.cut.is_empty() {
        answer::forbidden()
    } else {
        crate::issues::not_a_message(reason)
    }
}

/// The reason in the inbox of a document of which some records are held.
const HELD: &str = "records-held";

/// The reason in the inbox of a document of which every record is held.
const ALL_HELD: &str = "all-records-held";

/// Records of one document, at most: they are applied in one transaction.
const RECORDS_MAX: usize = 20_000;

const HELD_PAGE: usize = 256;
