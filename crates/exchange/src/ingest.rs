//! The crossing: a legacy message comes in, FHIR resources stand, an acknowledgement goes out.
//!
//! Bytes -> [`Message`] -> [`Mapped`] -> resources on their current versions -> one commit -> the answer. The raw bytes, the resources, the
//! answer and the audit row become durable together or not at all; what cannot be read or mapped is kept with its refusal. A message
//! sent again gets the stored answer and changes nothing.

use bytes::Bytes;
use dukou_audit::{self as audit, MessageRef, Permit, Settled, Unreleased};
use dukou_fhir::{Instant, Issue, Offset, ResourceKey};
use dukou_mapping::{Accounts, Change, Mapped};
use dukou_store::{self as store, Answers, Batch, InboxKey, InboxRow, InboxState, InboxWrite, Received};
use dukou_wire::ack::{self, AckCode, Owed};
use dukou_wire::{Message, NotAMessage, er7};
use sha2::{Digest, Sha256};

use crate::apply::Applied;
use crate::reported::Reported;
use crate::told::VETO_CONFLICT;
use crate::{Error, Exchange};

/// The link a message came over: what was agreed with its sender.
#[derive(Clone, Debug)]
pub struct Link {
    /// Name in the inbox and in logs.
    pub name: String,
    /// Charset and framing habits of the sender.
    pub site: dukou_wire::Site,
    /// Numbers on what it may send.
    pub limits: dukou_wire::Limits,
    /// The sender uses a control id again on another day.
    pub reuses_control_ids: bool,
}

impl Link {
    /// The steps that the answers a sender asks for need: one, or keeping first (CA) and applying then (AA). The door asks before a
    /// message is opened for its steps, so nothing is hashed here.
    pub fn steps(&self, raw: &[u8]) -> &'static [IngestStep] {
        let plan = er7::parse(raw, &self.limits, &self.site).ok().map(|(message, _)| ack::plan(&message.header()));
        match plan {
            Some(plan) if plan.accept != Owed::Never => &[IngestStep::Accept, IngestStep::Apply],
            _ => &[IngestStep::Whole],
        }
    }
}

/// A message at the door, opened once: its bytes, its tree, its hash.
pub struct Arrival<'a> {
    raw: &'a Bytes,
    client: &'a str,
    link: &'a Link,
    sha256: [u8; 32],
    opened: Result<(Message<'a>, Vec<dukou_wire::Issue>), NotAMessage>,
}

impl<'a> Arrival<'a> {
    /// Opens the bytes of one message that `client` sent over `link`.
    pub fn open(raw: &'a Bytes, client: &'a str, link: &'a Link) -> Arrival<'a> {
        let opened = er7::parse(raw, &link.limits, &link.site);
        Arrival { raw, client, link, sha256: Sha256::digest(raw).into(), opened }
    }

    /// What the record says about the message.
    pub fn reference(&self) -> MessageRef {
        let (source, kind, control_id) = match &self.opened {
            Err(reason) => (String::new(), reason.code().to_owned(), String::new()),
            Ok((message, _)) => {
                let header = message.header();
                let source = format!("{}|{}", header.sending_application(), header.sending_facility());
                let kind = format!("{}^{}", header.message_code(), header.trigger());
                (source, kind, header.control_id().into_owned())
            }
        };
        MessageRef { source, kind, control_id, sha256: self.sha256 }
    }
}

/// How far to go now (HL7 v2 chapter 2, acknowledgement modes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestStep {
    /// Original mode: keep, translate and apply, then AA, AE or AR.
    Whole,
    /// Enhanced mode, first step: keep the bytes, then CA.
    Accept,
    /// Enhanced mode, second step: translate and apply what was kept, then AA, AE or AR.
    Apply,
}

/// What became of a message.
#[derive(Clone, Debug)]
pub struct Ingested {
    /// The acknowledgement as exact bytes; none where the sender wants none.
    pub ack: Option<Bytes>,
    /// Its code in MSA-1.
    pub code: [u8; 2],
    /// Whether this is the stored answer to a message that was here before.
    pub replayed: bool,
    /// The resources that were written.
    pub written: Vec<ResourceKey>,
    /// How many leaves the message has, and what became of them.
    pub accounts: Option<Leaves>,
    /// Everything worth saying about the message; no patient data.
    pub issues: Vec<Issue>,
}

/// The account of a message: `leaves` is the sum of the other four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaves {
    /// Smallest positions with a value.
    pub leaves: u32,
    /// In the FHIR view.
    pub emitted: u32,
    /// Kept with the message on purpose.
    pub complement: u32,
    /// Removed on purpose.
    pub dropped: u32,
    /// No rule speaks of them.
    pub reported: u32,
}

impl Exchange {
    /// Takes one message in. `Err` only where store or ledger cannot accept: then no answer may leave and the sender keeps its queue.
    pub fn ingest(
        &self,
        permit: &Permit<'_>,
        arrival: &Arrival<'_>,
        step: IngestStep,
    ) -> Result<Settled<Ingested>, Error> {
        let (message, wire_issues) = match &arrival.opened {
            Err(reason) => return self.refuse_unreadable(permit, arrival, step, reason),
            Ok(opened) => opened,
        };
        let key = inbox_key(arrival, message);
        let kept = self.store.inbox(permit, &key)?;
        match (&kept, step) {
            (Some(row), _) if row.sha256 != arrival.sha256 => return Ok(self.conflict(permit, message, step)),
            (Some(row), IngestStep::Apply) if row.state.is_unfinished() => {}
            (Some(row), _) => {
                self.catch_up()?;
                return Ok(replay(permit, step, row, Some(message)));
            }
            (None, IngestStep::Accept) => return self.accept(permit, arrival, message, key),
            (None, _) => {}
        }
        let place = Place { kept: kept.map(|row| row.number), key, step };
        self.translate(permit, arrival, message, wire_issues, &place)
    }

    /// Messages of a link that were accepted and not applied when the process ended, oldest first, each with its client.
    pub fn unfinished(&self, permit: &Permit<'_>, link: &str) -> Result<Unreleased<Vec<(String, Bytes)>>, Error> {
        let mut kept = Vec::new();
        let mut after = 0;
        loop {
            let rows = self.store.inbox_unfinished(permit, after, UNFINISHED_PAGE)?;
            let Some(last) = rows.last() else { break };
            after = last.number;
            for row in rows.into_iter().filter(|row| row.link == link) {
                if let Some(raw) = self.store.inbox_raw(permit, row.number)? {
                    kept.push((row.key.client, raw));
                }
            }
        }
        Ok(permit.without_patient_data(kept))
    }

    /// Translates a message and applies it to what is stored; prepared anew whenever another writer was faster.
    fn translate(
        &self,
        permit: &Permit<'_>,
        arrival: &Arrival<'_>,
        message: &Message<'_>,
        wire_issues: &[dukou_wire::Issue],
        place: &Place,
    ) -> Result<Settled<Ingested>, Error> {
        let program = self.program.load();
        let site = self.mapping_site();
        let mut mapped = program.to_fhir(message, &site);
        let reported = Reported::of(&self.surroundings.reported, &mapped.accounts, &program, message);
        mapped.issues.extend(reported.issues.iter().cloned());
        let attempts = self.surroundings.limits.prepare_attempts_max;
        for _ in 0..attempts {
            let applied = if is_refused(&mapped) || is_unmapped(&mapped) {
                Applied::nothing()
            } else {
                self.apply(permit, &mapped, &program)?
            };
            let code = answer_code(&mapped, &applied);
            let issues: Vec<Issue> = mapped.issues.iter().chain(&applied.issues).cloned().collect();
            let answer = self.acknowledge(message, code, wire_issues, &issues);
            let state = if code == AckCode::Aa { InboxState::Transformed } else { InboxState::Error };
            let reason = issues.first().map(|issue| issue.code);
            let inbox = place.step(arrival, state, reason, &answer);
            let written: Vec<ResourceKey> = applied.puts.iter().map(|put| put.key.clone()).collect();
            let batch = Batch {
                puts: applied.puts,
                journal: applied.journal,
                conditions: applied.conditions,
                inbox: Some(inbox),
                integrity: store::Integrity::Warn,
                ..self.batch(permit, code)
            };
            match self.commit(permit, batch) {
                Err(store::Error::Conflict { .. } | store::Error::ConditionFailed { .. }) => {}
                Err(store::Error::Duplicate { row, same_hash: true }) => {
                    return Ok(replay(permit, place.step, &row, Some(message)));
                }
                Err(store::Error::Duplicate { same_hash: false, .. }) => {
                    return Ok(self.conflict(permit, message, place.step));
                }
                // Another connection, or the start, has carried this message on meanwhile.
                Err(store::Error::InboxState { .. }) => match self.store.inbox(permit, &place.key)? {
                    Some(row) if !row.state.is_unfinished() => {
                        self.catch_up()?;
                        return Ok(replay(permit, place.step, &row, Some(message)));
                    }
                    _ => {}
                },
                Err(other) => return Err(other.into()),
                Ok(settled) => {
                    self.counters.add(&self.surroundings.site, &reported);
                    let accounts = Some(leaves(&mapped.accounts));
                    let ack = owed(place.step, message, code).then_some(answer);
                    let done = Ingested { ack, code: bytes_of(code), replayed: false, written, accounts, issues };
                    return Ok(settled.map(|_| done));
                }
            }
        }
        Err(Error::Contended { attempts })
    }

    /// First step of enhanced mode: the bytes and the CA become durable together.
    fn accept(
        &self,
        permit: &Permit<'_>,
        arrival: &Arrival<'_>,
        message: &Message<'_>,
        key: InboxKey,
    ) -> Result<Settled<Ingested>, Error> {
        let answer = self.acknowledge(message, AckCode::Ca, &[], &[]);
        let received = Received {
            answers: Answers { accept: Some(answer.clone()), application: None },
            ..received(arrival, key, InboxState::Received)
        };
        let batch = Batch { inbox: Some(InboxWrite::Receive(received)), ..self.batch(permit, AckCode::Ca) };
        let ack = owed(IngestStep::Accept, message, AckCode::Ca).then_some(answer);
        match self.commit(permit, batch) {
            Err(store::Error::Duplicate { row, same_hash: true }) => {
                Ok(replay(permit, IngestStep::Accept, &row, Some(message)))
            }
            Err(store::Error::Duplicate { same_hash: false, .. }) => {
                Ok(self.conflict(permit, message, IngestStep::Accept))
            }
            Err(other) => Err(other.into()),
            Ok(settled) => Ok(settled.map(|_| Ingested::bare(ack, AckCode::Ca))),
        }
    }

    /// What has no readable header is kept all the same, under the hash of its bytes, with the AR that it was given.
    fn refuse_unreadable(
        &self,
        permit: &Permit<'_>,
        arrival: &Arrival<'_>,
        step: IngestStep,
        reason: &NotAMessage,
    ) -> Result<Settled<Ingested>, Error> {
        let code = if step == IngestStep::Accept { AckCode::Cr } else { AckCode::Ar };
        let (control_id, time) = self.stamp();
        let answer = Bytes::from(ack::build_unreadable(arrival.raw, code, reason.code(), &control_id, &time));
        let key = InboxKey { control_id: hexadecimal(&arrival.sha256), ..anonymous_key(arrival) };
        let received = Received {
            reason: Some(reason.code().to_owned()),
            answers: Answers { accept: None, application: Some(answer.clone()) },
            ..received(arrival, key, InboxState::Error)
        };
        let batch = Batch { inbox: Some(InboxWrite::Receive(received)), ..self.batch(permit, code) };
        let issues = vec![crate::issues::not_a_message(reason)];
        match self.commit(permit, batch) {
            Err(store::Error::Duplicate { row, .. }) => Ok(replay(permit, step, &row, None)),
            Err(other) => Err(other.into()),
            Ok(settled) => Ok(settled.map(|_| Ingested { issues, ..Ingested::bare(Some(answer), code) })),
        }
    }

    /// The same control id with other content: neither the first message nor its answer is touched.
    fn conflict(&self, permit: &Permit<'_>, message: &Message<'_>, step: IngestStep) -> Settled<Ingested> {
        let issue = crate::issues::control_id_conflict();
        let code = if step == IngestStep::Accept { AckCode::Ce } else { AckCode::Ae };
        let answer = self.acknowledge(message, code, &[], std::slice::from_ref(&issue));
        let ack = owed(step, message, code).then_some(answer);
        let done = Ingested { issues: vec![issue], ..Ingested::bare(ack, code) };
        Settled::Unchanged(permit.without_patient_data(done))
    }

    fn acknowledge(&self, message: &Message<'_>, code: AckCode, wire: &[dukou_wire::Issue], issues: &[Issue]) -> Bytes {
        let (control_id, time) = self.stamp();
        // The one thing that a sender must hear even of a success: what it decided waits for a person.
        let told: Vec<Issue> = issues.iter().filter(|issue| issue.code == VETO_CONFLICT).cloned().collect();
        let errors = match code.is_success() {
            true => crate::issues::for_ack(&[], &told),
            false => crate::issues::for_ack(wire, issues),
        };
        Bytes::from(ack::build(message, code, &errors, &control_id, &time))
    }

    fn batch(&self, permit: &Permit<'_>, code: AckCode) -> Batch {
        let bytes = bytes_of(code);
        Batch::new(permit.draft(), Box::new(move |_| (audit::Outcome::ack(bytes), Vec::new())))
    }
}

/// Where the message stands in the inbox, or will stand.
struct Place {
    kept: Option<u64>,
    key: InboxKey,
    step: IngestStep,
}

impl Place {
    /// A message of original mode is kept now; one of enhanced mode is in the inbox already and moves on.
    fn step(
        &self,
        arrival: &Arrival<'_>,
        state: InboxState,
        reason: Option<&'static str>,
        answer: &Bytes,
    ) -> InboxWrite {
        let answers = Answers { accept: None, application: Some(answer.clone()) };
        let reason = reason.filter(|_| state == InboxState::Error).map(str::to_owned);
        match self.kept {
            Some(number) => InboxWrite::Advance { number, from: vec![InboxState::Received], state, reason, answers },
            None => InboxWrite::Receive(Received { answers, reason, ..received(arrival, self.key.clone(), state) }),
        }
    }
}

impl Ingested {
    fn bare(ack: Option<Bytes>, code: AckCode) -> Ingested {
        Ingested { ack, code: bytes_of(code), replayed: false, written: Vec::new(), accounts: None, issues: Vec::new() }
    }
}

/// AA if everything stands; AR if no map speaks of this kind of message; AE if its content is at fault.
fn answer_code(mapped: &Mapped<'_>, applied: &Applied) -> AckCode {
    match () {
        () if is_unmapped(mapped) => AckCode::Ar,
        () if is_refused(mapped) || applied.is_refused() => AckCode::Ae,
        () => AckCode::Aa,
    }
}

/// The content is at fault so that nothing of the message is applied.
fn is_refused(mapped: &Mapped<'_>) -> bool {
    mapped.issues.iter().any(|issue| issue.severity.is_error())
}

/// No map speaks of this kind of message: what is made tells only that it came, or mentions what other messages register.
fn is_unmapped(mapped: &Mapped<'_>) -> bool {
    let tells_nothing = |change: &Change<'_>| change.mention || ENVELOPE.contains(&change.key.kind.as_str());
    mapped.changes.iter().all(tells_nothing) && mapped.facts.told.is_empty() && !is_refused(mapped)
}

/// Resources that are made of the header of any message.
const ENVELOPE: [&str; 2] = ["MessageHeader", "Provenance"];

/// The stored answer once more, where the sender asks for one; nothing is applied.
fn replay(permit: &Permit<'_>, step: IngestStep, row: &InboxRow, message: Option<&Message<'_>>) -> Settled<Ingested> {
    let stored = match step {
        IngestStep::Accept => row.answers.accept.as_ref().or(row.answers.application.as_ref()),
        IngestStep::Whole | IngestStep::Apply => row.answers.application.as_ref().or(row.answers.accept.as_ref()),
    };
    let code = stored.and_then(|bytes| ack::parse(bytes).ok()).map_or(AckCode::Aa, |parsed| parsed.code);
    let wanted = message.is_none_or(|message| owed(step, message, code));
    let done = Ingested { replayed: true, ..Ingested::bare(stored.cloned().filter(|_| wanted), code) };
    Settled::Unchanged(permit.without_patient_data(done))
}

/// What makes a message the same again: client, MSH-3, MSH-4, MSH-10, and the date of MSH-7 where ids come again each day.
fn inbox_key(arrival: &Arrival<'_>, message: &Message<'_>) -> InboxKey {
    let header = message.header();
    let control_id = match header.control_id().as_ref() {
        "" => hexadecimal(&arrival.sha256),
        id => id.to_owned(),
    };
    let day =
        if arrival.link.reuses_control_ids { header.date_time().chars().take(8).collect() } else { String::new() };
    InboxKey {
        application: header.sending_application().into_owned(),
        facility: header.sending_facility().into_owned(),
        control_id,
        day,
        ..anonymous_key(arrival)
    }
}

fn anonymous_key(arrival: &Arrival<'_>) -> InboxKey {
    let nothing = String::new;
    InboxKey {
        client: arrival.client.to_owned(),
        application: nothing(),
        facility: nothing(),
        control_id: nothing(),
        day: nothing(),
    }
}

fn received(arrival: &Arrival<'_>, key: InboxKey, state: InboxState) -> Received {
    Received {
        lane: arrival.link.name.clone(),
        link: arrival.link.name.clone(),
        raw: arrival.raw.clone(),
        answers: Answers::default(),
        reason: None,
        sha256: arrival.sha256,
        key,
        state,
    }
}

/// MSA-1 as two bytes.
fn bytes_of(code: AckCode) -> [u8; 2] {
    let text = code.as_str().as_bytes();
    [text[0], text[1]]
}

/// Whether the sender asked for this answer (MSH-15 and MSH-16).
fn owed(step: IngestStep, message: &Message<'_>, code: AckCode) -> bool {
    let plan = ack::plan(&message.header());
    match step {
        IngestStep::Accept => plan.accept.applies(code.is_success()),
        IngestStep::Whole | IngestStep::Apply => plan.application.applies(code.is_success()),
    }
}

pub(crate) fn leaves(accounts: &Accounts) -> Leaves {
    Leaves {
        leaves: accounts.leaves,
        emitted: accounts.emitted,
        complement: accounts.complement,
        dropped: accounts.dropped,
        reported: accounts.reported,
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An instant as a v2 DTM in local time with its offset: `20261120081500+0800`.
pub fn v2_time(instant: Instant, zone: Offset) -> String {
    let minutes = i64::from(zone.minutes());
    let local = Instant::from_millis(instant.as_millis() + minutes * 60_000);
    let (year, month, day, millis) = local.calendar();
    let seconds = millis / 1_000;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
    format!(
        "{year:04}{month:02}{day:02}{:02}{:02}{:02}{sign}{hours:02}{rest:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

const UNFINISHED_PAGE: usize = 256;
