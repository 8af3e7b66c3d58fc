//! The writer's rules: what happens to one batch inside the transaction. Everything is tested before anything is written, in the
//! order: message, lane, once-only keys, conditions, versions, references.

use std::collections::HashMap;

use dukou_audit::{self as audit, RecordBytes, RecordDraft, Shown, ShownResource, Stamps, Written};
use dukou_fhir::search::{PostingKey, Site, last_updated_keys};
use dukou_fhir::{Instant, ResourceKey, ResourceType, VersionId};
use sha2::{Digest, Sha256};

use crate::batch::{Batch, Condition, Expect, How, Integrity, JournalRow, Put, TokenRow, Verdict};
use crate::error::Error;
use crate::home::Home;
use crate::inbox::{InboxWrite, LaneRow, LaneWrite};
use crate::outbox::{OutboxRow, OutboxState, OutboxWrite, Payload};
use crate::prepare::{Ready, compare};
use crate::referrers;
use crate::search;
use crate::tables::{Counters, Stored, Tables};
use crate::version::{JournalEntry, Outcome, PutOutcome, Version};

/// A batch whose puts are prepared, as it waits for the writer.
pub(crate) struct Work {
    pub(crate) puts: Vec<Ready>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) integrity: Integrity,
    pub(crate) inbox: Option<InboxWrite>,
    pub(crate) lane: Option<LaneWrite>,
    pub(crate) outbox: Vec<OutboxWrite>,
    pub(crate) journal: Vec<JournalRow>,
    pub(crate) tokens: Vec<TokenRow>,
    pub(crate) record: RecordDraft,
    pub(crate) verdict: Verdict,
    /// By whose rules resources are indexed.
    pub(crate) home: Home,
    /// About how many bytes it adds.
    pub(crate) weight: usize,
}

impl Work {
    pub(crate) fn new(
        mut batch: Batch,
        home: Home,
        prepare: impl FnOnce(Vec<Put>) -> Result<Vec<Ready>, Error>,
    ) -> Result<Work, Error> {
        let weight = batch.weight();
        let puts = prepare(std::mem::take(&mut batch.puts))?;
        let Batch { conditions, integrity, inbox, lane, outbox, journal, tokens, record, verdict, .. } = batch;
        Ok(Work { puts, conditions, integrity, inbox, lane, outbox, journal, tokens, record, verdict, home, weight })
    }
}

/// What became of one batch: what the caller gets, and its audit row if it wrote anything.
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) end: End,
}

pub(crate) enum End {
    /// Rows were written, with this audit row.
    Written(u64, RecordBytes),
    /// Nothing was to be written; the answer shows this.
    Unchanged(Shown),
}

/// Does one batch. An error leaves changes behind only for the caller to roll back.
pub(crate) fn apply(tables: &mut dyn Tables, counters: &mut Counters, now: Instant, work: Work) -> Result<Done, Error> {
    let Work { puts, conditions, integrity, inbox, lane, outbox, journal, tokens, record, verdict, home, .. } = work;
    check_inbox(tables, inbox.as_ref())?;
    check_lane(tables, lane.as_ref())?;
    check_tokens(tables, &tokens, now)?;
    check_conditions(tables, &conditions)?;
    let puts = renew(tables, puts, home.site())?;
    let missing = check_references(tables, &puts, integrity)?;

    let idle = inbox.is_none() && lane.is_none() && outbox.is_empty() && journal.is_empty() && tokens.is_empty();
    if idle && puts.iter().all(|ready| ready.unchanged) {
        return Ok(unchanged(puts, missing));
    }

    counters.jseq += 1;
    let time = now.max(counters.time);
    let mut outcome = Outcome { jseq: Some(counters.jseq), time: Some(time), missing, ..Outcome::default() };
    outcome.inbox = write_inbox(tables, counters, time, inbox)?;
    let message = outcome.inbox;
    let mut stamps = Stamps { jseq: counters.jseq, ..Stamps::default() };
    for ready in puts {
        let put = write_put(tables, counters, time, message, ready, &mut stamps.written)?;
        outcome.puts.push(put);
    }
    if let Some(write) = lane {
        tables.set_lane(&LaneRow { write, message })?;
    }
    for token in &tokens {
        tables.set_token(token.kind, &token.source, &token.key, token.expires, token.answer.as_deref())?;
    }
    write_outbox(tables, counters, outbox, &mut outcome)?;
    write_journal(tables, counters, time, journal, &mut outcome)?;

    (stamps.outcome, stamps.entries) = verdict(&outcome);
    let bytes = record.seal(&stamps).map_err(|_| Error::TooMuchWritten)?;
    tables.insert_record(stamps.jseq, bytes.as_bytes())?;
    Ok(Done { outcome, end: End::Written(stamps.jseq, bytes) })
}

fn check_inbox(view: &dyn Tables, inbox: Option<&InboxWrite>) -> Result<(), Error> {
    match inbox {
        None => Ok(()),
        Some(InboxWrite::Receive(received)) => match view.inbox_by_key(&received.key)? {
            None => Ok(()),
            Some(row) => {
                let same_hash = row.sha256 == received.sha256;
                Err(Error::Duplicate { row: Box::new(row), same_hash })
            }
        },
        Some(InboxWrite::Advance { number, from, .. }) => {
            let state = view.inbox_by_number(*number)?.map(|row| row.state);
            match state {
                Some(state) if from.contains(&state) => Ok(()),
                state => Err(Error::InboxState { number: *number, state }),
            }
        }
    }
}

fn check_lane(view: &dyn Tables, lane: Option<&LaneWrite>) -> Result<(), Error> {
    let Some(write) = lane else { return Ok(()) };
    match view.lane(&write.lane)? {
        Some(row) if row.write.token > write.token => Err(Error::Fenced),
        Some(row) if row.write.token == write.token && row.write.owner != write.owner => Err(Error::Fenced),
        _ => Ok(()),
    }
}

fn check_tokens(view: &dyn Tables, tokens: &[TokenRow], now: Instant) -> Result<(), Error> {
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| !token.replaces) {
        match view.token(token.kind, &token.source, &token.key)? {
            Some((expires, answer)) if expires > now => return Err(Error::TokenUsed { index, answer }),
            _ => {}
        }
    }
    Ok(())
}

fn check_conditions(view: &dyn Tables, conditions: &[Condition]) -> Result<(), Error> {
    for (index, condition) in conditions.iter().enumerate() {
        let truth = match condition {
            Condition::Matches { query, found } => {
                let truth = search::first_matches(view, query, found.len() + 1)?;
                if truth.len() == found.len() && found.iter().all(|key| truth.contains(key)) {
                    continue;
                }
                truth
            }
            Condition::Version { key, version } => {
                let live = view.load_key(key)?.filter(|stored| !stored.version.is_deleted());
                if live.is_some_and(|stored| stored.version.version == *version) {
                    continue;
                }
                Vec::new()
            }
            Condition::Unique { query, holder } => {
                let mut truth = search::first_matches(view, query, 2)?;
                truth.retain(|key| key != holder);
                if truth.is_empty() {
                    continue;
                }
                truth
            }
        };
        return Err(Error::ConditionFailed { index, found: truth });
    }
    Ok(())
}

/// Prepares again what another batch has overtaken, and holds each put against the version it was made on.
fn renew(tables: &dyn Tables, puts: Vec<Ready>, site: Site<'_>) -> Result<Vec<Ready>, Error> {
    let mut renewed = Vec::with_capacity(puts.len());
    for ready in puts {
        let seq = tables.current(&ready.put.key)?.map(|row| row.seq);
        let moved = seq != ready.before_seq();
        let ready = if moved { compare(tables, ready.put, site)? } else { ready };
        let met = match ready.put.expect {
            Expect::Any => true,
            Expect::Absent => !ready.was_live(),
            Expect::Version(expected) => {
                ready.was_live() && ready.before.as_ref().is_some_and(|stored| stored.version.version == expected)
            }
        };
        if !met {
            return Err(Error::Conflict { key: ready.put.key });
        }
        renewed.push(ready);
    }
    Ok(renewed)
}

/// Every reference of a written resource has a live target, and nothing that stays refers to what is deleted.
fn check_references(
    tables: &dyn Tables,
    puts: &[Ready],
    integrity: Integrity,
) -> Result<Vec<(usize, ResourceKey)>, Error> {
    let mut missing = Vec::new();
    let batch: HashMap<&ResourceKey, &Ready> =
        if puts.len() > 1 || puts.iter().any(|ready| !ready.put.references.is_empty()) {
            puts.iter().map(|ready| (&ready.put.key, ready)).collect()
        } else {
            HashMap::new()
        };
    for (place, ready) in puts.iter().enumerate() {
        if ready.unchanged {
            continue;
        }
        for target in &ready.put.references {
            let live = match batch.get(target) {
                Some(other) => other.leaves_live(),
                None => tables.current(target)?.is_some_and(|row| row.live),
            };
            match (live, integrity) {
                (true, _) => {}
                (false, Integrity::Enforce) => return Err(Error::MissingReference { put: place, key: target.clone() }),
                (false, Integrity::Warn) => missing.push((place, target.clone())),
            }
        }
        if !ready.leaves_live() && integrity == Integrity::Enforce {
            let by = referrers::of(tables, &ready.put.key, &batch)?;
            if !by.is_empty() {
                return Err(Error::Referenced { put: place, by });
            }
        }
    }
    Ok(missing)
}

fn unchanged(puts: Vec<Ready>, missing: Vec<(usize, ResourceKey)>) -> Done {
    let mut shown = Shown::default();
    let mut outcome = Outcome { missing, ..Outcome::default() };
    for ready in puts {
        let version = ready.before.map(|stored| stored.version);
        if let Some(version) = &version {
            show(&mut shown, version, audit::How::Match);
        }
        outcome.puts.push(PutOutcome { version, changed: false, created: false });
    }
    Done { outcome, end: End::Unchanged(shown) }
}

/// Adds a version to what an answer shows: all its patients, and itself.
pub(crate) fn show(shown: &mut Shown, version: &Version, how: audit::How) {
    let mut first = None;
    for patient in &version.patients {
        let place = shown.patient(patient.as_str());
        first = first.or(Some(place));
    }
    shown.resources.push(ShownResource {
        kind: version.key.kind.as_str().to_owned(),
        id: version.key.id.as_str().to_owned(),
        version: version.version.number(),
        patient: first,
        how,
    });
}

fn write_inbox(
    tables: &mut dyn Tables,
    counters: &mut Counters,
    time: Instant,
    inbox: Option<InboxWrite>,
) -> Result<Option<u64>, Error> {
    match inbox {
        None => Ok(None),
        Some(InboxWrite::Receive(received)) => {
            counters.inbox += 1;
            tables.insert_inbox(counters.inbox, time, &received)?;
            Ok(Some(counters.inbox))
        }
        Some(InboxWrite::Advance { number, state, reason, answers, .. }) => {
            tables.update_inbox(number, state, reason.as_deref(), &answers)?;
            Ok(Some(number))
        }
    }
}

fn write_put(
    tables: &mut dyn Tables,
    counters: &mut Counters,
    time: Instant,
    message: Option<u64>,
    ready: Ready,
    written: &mut Vec<Written>,
) -> Result<PutOutcome, Error> {
    if ready.unchanged {
        return Ok(PutOutcome { version: ready.before.map(|stored| stored.version), changed: false, created: false });
    }
    let was_live = ready.was_live();
    let patients = ready.patients().to_vec();
    let Ready { put, before, mut add, mut remove, .. } = ready;
    let (res, version, earliest) = match &before {
        Some(stored) => (stored.res, stored.version.version.next(), after(stored.version.last_updated)),
        None => {
            counters.res += 1;
            (counters.res, VersionId::FIRST, time)
        }
    };
    counters.seq += 1;
    // Strictly rising for a resource, never falling along `seq`, whatever the wall clock does.
    counters.time = time.max(counters.time).max(earliest);
    let last_updated = counters.time;
    let how = match put.how {
        How::Update if !was_live => How::UpdateAsCreate,
        How::UpdateAsCreate if was_live => How::Update,
        how => how,
    };
    let body = put.draft.as_ref().map(|draft| draft.stamp(version, last_updated)).unwrap_or_default();
    let live = put.draft.is_some();
    written.push(written_line(&put.key, version, &body, live, was_live, &patients));
    let version = Version {
        key: put.key,
        version,
        seq: counters.seq,
        last_updated,
        how,
        message: message.or(before.as_ref().and_then(|stored| stored.version.message)),
        event_time: put.event_time,
        patients,
        body,
    };
    let stored = Stored { res, jseq: counters.jseq, version };
    tables.insert_version(&stored)?;
    tables.set_current(&stored.version.key, crate::tables::CurrentRow { res, seq: stored.version.seq, live })?;
    let old_time = before.as_ref().filter(|_| was_live).map(|stored| stored.version.last_updated);
    move_time(stored.version.key.kind, old_time, live.then_some(last_updated), &mut remove, &mut add);
    tables.unpost(&remove, res)?;
    tables.post(&add, res)?;
    Ok(PutOutcome { version: Some(stored.version), changed: true, created: !was_live && live })
}

fn written_line(
    key: &ResourceKey,
    version: VersionId,
    body: &[u8],
    live: bool,
    was_live: bool,
    patients: &[dukou_fhir::LogicalId],
) -> Written {
    let how = match (live, was_live) {
        (false, _) => audit::How::Deleted,
        (true, true) => audit::How::Updated,
        (true, false) => audit::How::Created,
    };
    Written {
        kind: key.kind.as_str().to_owned(),
        id: key.id.as_str().to_owned(),
        version: version.number(),
        body_sha256: if live { Sha256::digest(body).into() } else { [0; 32] },
        body_len: body.len() as u64,
        how,
        patients: patients.iter().map(|id| id.as_str().to_owned()).collect(),
    }
}

fn after(time: Instant) -> Instant {
    Instant::from_millis(time.as_millis().saturating_add(1))
}

/// The time of a version is known only here, and so are its postings.
fn move_time(
    kind: ResourceType,
    old: Option<Instant>,
    new: Option<Instant>,
    remove: &mut Vec<Vec<u8>>,
    add: &mut Vec<Vec<u8>>,
) {
    let keys = |time: Option<Instant>| -> Vec<Vec<u8>> {
        time.map(|time| last_updated_keys(kind, time))
            .unwrap_or_default()
            .into_iter()
            .map(PostingKey::into_bytes)
            .collect()
    };
    let (old, new) = (keys(old), keys(new));
    remove.extend(old.iter().filter(|key| !new.contains(key)).cloned());
    add.extend(new.into_iter().filter(|key| !old.contains(key)));
}

fn write_outbox(
    tables: &mut dyn Tables,
    counters: &mut Counters,
    rows: Vec<OutboxWrite>,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    for row in rows {
        let what = match row.what {
            Payload::Version(seq) => Some(seq),
            Payload::Put(place) => {
                outcome.puts.get(place).and_then(|put| put.version.as_ref()).map(|version| version.seq)
            }
        };
        let what = what.ok_or(Error::NothingToDeliver)?;
        counters.outbox += 1;
        outcome.outbox.push(counters.outbox);
        tables.set_outbox(&OutboxRow {
            number: counters.outbox,
            target: row.target,
            lane: row.lane,
            what,
            due: row.due,
            lease: Instant::from_millis(0),
            attempts: 0,
            intent: None,
            state: OutboxState::Waiting,
            reason: None,
        })?;
    }
    Ok(())
}

fn write_journal(
    tables: &mut dyn Tables,
    counters: &mut Counters,
    time: Instant,
    rows: Vec<JournalRow>,
    outcome: &mut Outcome,
) -> Result<(), Error> {
    for row in rows {
        counters.journal += 1;
        outcome.journal.push(counters.journal);
        let entry = JournalEntry { seq: counters.journal, time, jseq: counters.jseq, kind: row.kind, body: row.body };
        tables.insert_journal(&entry)?;
    }
    Ok(())
}
