//! A token in place of a card, and the end of tokens.
//!
//! Whatever is wrong with a token (never given out, ended, of another path of desks, for an encounter that is not its own), the answer is
//! one and the same refusal: a terminal learns nothing by trying.

use dukou_audit::{self as audit, Permit, Right, Settled};
use dukou_fhir::{Instant, Issue, IssueType, LogicalId, ResourceKey, ResourceType, Text};
use dukou_identity::Token;
use dukou_identity::capture::Visit;
use dukou_store::{self as store, Batch, TokenKind, TokenRow};
use metrics::counter;

use super::encounter::Stay;
use super::kept::{self, Kept, request_source};
use super::{CaptureSite, HistoryView, Standing};
use crate::{Error, Exchange};

/// What a later desk asks with a token in its hand.
#[derive(Clone, Copy, Debug)]
pub struct ResolveRequest<'a> {
    /// Names the request at its terminal.
    pub request_id: &'a str,
    /// The token as it was carried.
    pub token: &'a str,
    /// The terminal.
    pub terminal: &'a str,
    /// The encounter of this desk; the first one binds a capture that has none.
    pub encounter: Option<&'a LogicalId>,
    /// Whether the history page is wanted.
    pub history: bool,
}

/// Whose token it is.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Until when it counts.
    pub expires: Instant,
    /// How sure the capture was.
    pub standing: Standing,
    /// The record that leads today, after all merges.
    pub patient: LogicalId,
    /// The history page, where it was wanted.
    pub history: Option<HistoryView>,
}

/// What ends captures.
#[derive(Clone, Copy, Debug)]
pub struct RevokeRequest<'a> {
    /// Names the request at its terminal.
    pub request_id: &'a str,
    /// The terminal.
    pub terminal: &'a str,
    /// This token.
    pub token: Option<&'a str>,
    /// Every token of this record's person.
    pub patient: Option<&'a LogicalId>,
}

/// That captures have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked;

/// A token that counts: what is kept of it, and what is to be written because this desk named an encounter.
struct Live {
    kept: Kept,
    expires: Instant,
    bind: Option<TokenRow>,
}

impl Exchange {
    /// Gives the person of a token.
    ///
    /// # Errors
    /// One refusal for every token that does not count here, worded alike.
    pub fn resolve_capture(
        &self,
        permit: &Permit<'_>,
        request: &ResolveRequest<'_>,
    ) -> Result<Settled<Resolved>, Error> {
        let site = self.capture_site()?;
        let now = self.now();
        let token = Token::parse(request.token).unwrap_or_else(|| site.key.token(&[0; 16]));
        let group = site.group(request.terminal).map(|group| group.name.as_str());
        let live = match self.kept_token(permit, site, &token, now)? {
            Some(kept) if Some(kept.group.as_str()) == group => {
                self.live(permit, site, kept, request.encounter, now)?
            }
            _ => None,
        };
        let Some(live) = live else { return Err(refused()) };
        let patient = self.survivor(&live.kept.record);
        let seen = self.seen(permit, &live.kept.record, request.history)?;
        let resolved = |history| Resolved { expires: live.expires, standing: live.kept.standing, patient, history };
        let Some(bind) = &live.bind else {
            return Ok(Settled::Unchanged(seen.map(resolved)));
        };
        let mut record = permit.draft();
        let carried = record.carry(seen);
        let verdict = Box::new(|_: &store::Outcome| (audit::Outcome::http(200), Vec::new()));
        let tokens = vec![copy(bind), bound_once(site, &token, bind)];
        let batch = Batch { tokens, ..Batch::new(record, verdict) };
        match self.commit(permit, batch) {
            Ok(settled) => Ok(settled.with(carried).map(|(_, history)| resolved(history))),
            // Another desk bound it in the same moment: its encounter counts now.
            Err(store::Error::TokenUsed { .. }) => self.resolve_capture(permit, request),
            Err(other) => Err(other.into()),
        }
    }

    /// Ends a token, or all tokens of a person: a card was lost, the person was wrong, the visit is over.
    ///
    /// # Errors
    /// The token does not count here, worded as in [`Exchange::resolve_capture`]; the patient is not there; neither is named.
    pub fn revoke_capture(&self, permit: &Permit<'_>, request: &RevokeRequest<'_>) -> Result<Settled<Revoked>, Error> {
        let site = self.capture_site()?;
        let group = self.desk_of(request.terminal, request.request_id)?;
        let now = self.now();
        let until = site.life.expires(now, Visit::Inpatient);
        let row = match (request.token, request.patient) {
            (Some(token), None) => {
                let token = Token::parse(token).unwrap_or_else(|| site.key.token(&[0; 16]));
                let kept = self.kept_token(permit, site, &token, now)?.filter(|kept| kept.group == group.name);
                kept.ok_or_else(refused)?;
                kept::ended(kept::ENDED, site.key.lookup(&token).to_vec(), now, until)
            }
            (None, Some(record)) => {
                let key = ResourceKey::new(ResourceType::PATIENT, record.clone());
                let there = self.current(permit, &key)?.is_some();
                if !there || !permit.allows_for("Patient", Right::Read, &[record.as_str()]) {
                    return Err(Error::NotFound { key });
                }
                let survivor = self.survivor(record);
                kept::ended(kept::PERSON_ENDED, survivor.as_str().as_bytes().to_vec(), now, until)
            }
            _ => {
                let (en, zh) = ("name the token or the patient, one of them", "请给出 token 或 patient，二者其一");
                let issue = Issue::error(IssueType::Required, "token-or-patient", Text::new(en, zh));
                return Err(Error::Invalid(vec![issue]));
            }
        };
        let verdict = Box::new(|_: &store::Outcome| (audit::Outcome::http(200), Vec::new()));
        let once = TokenRow {
            source: format!("revoke:{}", request.terminal),
            key: request.request_id.as_bytes().to_vec(),
            answer: None,
            replaces: false,
            ..copy(&row)
        };
        let batch = Batch { tokens: vec![row, once], ..Batch::new(permit.draft(), verdict) };
        match self.commit(permit, batch) {
            Ok(settled) => Ok(settled.map(|_| Revoked)),
            // A repeat of the request: what was captured since is not ended by it.
            Err(store::Error::TokenUsed { .. }) => Ok(Settled::Unchanged(permit.without_patient_data(Revoked))),
            Err(other) => Err(other.into()),
        }
    }

    /// Whether a kept capture counts now, at a desk of this encounter.
    fn live(
        &self,
        permit: &Permit<'_>,
        site: &CaptureSite,
        kept: Kept,
        asked: Option<&LogicalId>,
        now: Instant,
    ) -> Result<Option<Live>, Error> {
        if self.has_ended(permit, site, &kept, now)? {
            return Ok(None);
        }
        let unbound_until = site.life.expires(kept.captured, Visit::Unbound);
        let stay = |encounter: &LogicalId| match self.visit_of(permit, encounter, Some(&kept.record)) {
            Ok(stay) => Ok(Some(stay)),
            Err(Error::Invalid(_)) => Ok(None),
            Err(other) => Err(other),
        };
        let (encounter, binds) = match (&kept.encounter, asked) {
            (None, None) if now >= unbound_until => return Ok(None),
            (None, None) => return Ok(Some(Live { kept, expires: unbound_until, bind: None })),
            (None, Some(_)) if now >= unbound_until => return Ok(None),
            (None, Some(asked)) => (asked.clone(), true),
            (Some(bound), None) => (bound.clone(), false),
            (Some(bound), Some(asked)) if self.are_linked(permit, bound, asked)? => (asked.clone(), false),
            (Some(_), Some(_)) => return Ok(None),
        };
        let Some(Stay { kind, ended, .. }) = stay(&encounter)? else { return Ok(None) };
        let expires = site.life.expires(kept.captured, kind);
        let expires = ended.map_or(expires, |ended| ended.min(expires));
        if expires <= now {
            return Ok(None);
        }
        let bind = binds.then(|| {
            let bound = Kept { encounter: Some(encounter), ..kept.clone() };
            TokenRow {
                kind: TokenKind::Capture,
                source: kept::TOKENS.to_owned(),
                key: site.key.lookup(&site.key.token(&kept.nonce)).to_vec(),
                expires: site.life.expires(kept.captured, Visit::Inpatient),
                answer: Some(bound.to_bytes().into()),
                replaces: true,
            }
        });
        Ok(Some(Live { kept, expires, bind }))
    }

    /// Whether something has ended a capture: it was revoked, its person's were, its card's number is gone, or a decision took the person
    /// apart.
    fn has_ended(&self, permit: &Permit<'_>, site: &CaptureSite, kept: &Kept, now: Instant) -> Result<bool, Error> {
        let lookup = site.key.lookup(&site.key.token(&kept.nonce));
        if self.store.token(permit, TokenKind::Capture, kept::ENDED, &lookup, now)?.is_some() {
            return Ok(true);
        }
        let Some(records) = self.together(kept) else { return Ok(true) };
        for record in records {
            let row =
                self.store.token(permit, TokenKind::Capture, kept::PERSON_ENDED, record.as_str().as_bytes(), now)?;
            let at = row.and_then(|row| row.answer).and_then(|at| std::str::from_utf8(&at).ok()?.parse::<i64>().ok());
            if at.is_some_and(|at| at >= kept.captured.as_millis()) {
                return Ok(true);
            }
        }
        Ok(kept.holds && !self.still_holds(permit, site, kept, now)?)
    }

    /// The records of a kept capture's person; none where a decision took something away from one of them since.
    fn together(&self, kept: &Kept) -> Option<Vec<LogicalId>> {
        let index = self.people().read();
        let mut records = index.records(&kept.record);
        if !records.contains(&kept.record) {
            records.push(kept.record.clone());
        }
        let since =
            |record: &LogicalId| index.severed(record).and_then(|seq| index.entry(seq)).map(|entry| entry.time_ms);
        let severed = |record: &LogicalId| since(record).is_some_and(|time_ms| time_ms >= kept.captured.as_millis());
        (!records.iter().any(severed)).then_some(records)
    }

    /// Whether the record that the card made, or that had its number, still has it and in its period: a lost or corrected card ends its
    /// captures.
    fn still_holds(&self, permit: &Permit<'_>, site: &CaptureSite, kept: &Kept, now: Instant) -> Result<bool, Error> {
        let key = ResourceKey::new(ResourceType::PATIENT, kept.record.clone());
        let Some(version) = self.current(permit, &key)? else { return Ok(false) };
        let patient = Exchange::tree(&version)?;
        let zone = self.surroundings.zone;
        let holds = patient.list_at("identifier").iter().any(|identifier| {
            let value = identifier.text_at("value").unwrap_or("");
            let ended = identifier.text_at("period.end").and_then(dukou_fhir::FhirDateTime::parse);
            identifier.text_at("use") != Some("old")
                && ended.is_none_or(|end| end.high(zone) > now)
                && site.key.key128(&kept.system, value) == kept.number
        });
        Ok(holds)
    }

    /// The kept capture of a token. The token is made again of its nonce and compared in constant time.
    fn kept_token(
        &self,
        permit: &Permit<'_>,
        site: &CaptureSite,
        token: &Token,
        now: Instant,
    ) -> Result<Option<Kept>, Error> {
        let row = self.store.token(permit, TokenKind::Capture, kept::TOKENS, &site.key.lookup(token), now)?;
        let kept = row.and_then(|row| Kept::parse(&row.answer?));
        Ok(kept.filter(|kept| kept.key_id == site.key.key_id() && site.key.token(&kept.nonce) == *token))
    }

    /// The kept capture of a request that was answered before.
    pub(super) fn kept_request(
        &self,
        permit: &Permit<'_>,
        terminal: &str,
        request_id: &str,
        now: Instant,
    ) -> Result<Option<Kept>, Error> {
        let source = request_source(terminal);
        let row = self.store.token(permit, TokenKind::Capture, &source, request_id.as_bytes(), now)?;
        Ok(row.and_then(|row| Kept::parse(&row.answer?)))
    }
}

/// A capture is bound once; whoever comes second in the same moment reads what the first has written.
fn bound_once(site: &CaptureSite, token: &Token, bind: &TokenRow) -> TokenRow {
    let key = site.key.lookup(token).to_vec();
    TokenRow { source: BOUND.to_owned(), key, answer: None, replaces: false, ..copy(bind) }
}

fn copy(row: &TokenRow) -> TokenRow {
    TokenRow {
        kind: row.kind,
        source: row.source.clone(),
        key: row.key.clone(),
        expires: row.expires,
        answer: row.answer.clone(),
        replaces: row.replaces,
    }
}

/// The one refusal for every token that does not count here. Each is counted: a terminal that tries tokens is seen.
fn refused() -> Error {
    counter!("dukou_capture_tokens_refused_total").increment(1);
    let (en, zh) =
        ("no capture is known here by this token: read the card", "本终端无此采集凭据对应的记录：请重新读卡");
    Error::Invalid(vec![Issue::error(IssueType::NotFound, "capture-unknown", Text::new(en, zh))])
}

const BOUND: &str = "bound";
