//! One-time card capture: the first desk reads the card, every later desk of the visit shows a token.
//!
//! A capture says who the card's person is, or whom the desk has to choose from, and gives out a token in the same commit. The token
//! reuses the identity only: it settles no bill and repeats no payload, and nothing about the person follows from it. What is kept of it
//! is a nonce and a keyed hash; both name a record, never a person, so that merges need no rewriting.

mod encounter;
mod history;
mod kept;
mod known;
mod notice;
mod resolve;
mod shown;
mod source;

use std::fmt;
use std::sync::Arc;

use dukou_audit::{self as audit, Permit, Right, Settled, Unreleased};
use dukou_fhir::{Instant, Issue, IssueType, LogicalId, ResourceKey, ResourceType, Severity, Text};
use dukou_identity::capture::{self as card, Counter, LifeRules, Medium, Reading};
use dukou_identity::{Grade, SiteKey};
use dukou_store::{self as store, Batch, Condition, Put, TokenRow};
use metrics::counter;

use crate::{Error, Exchange};
use kept::Kept;
use known::Known;

pub use history::{HistoryView, Outside};
pub use resolve::{ResolveRequest, Resolved, RevokeRequest, Revoked};
pub use shown::{MaskedCandidate, MaskedCard, MaskedNumber};
pub use source::{HistorySource, SourceFault, SourceQuestion};

/// What a node knows about captures: its secret, its desks, its times.
pub struct CaptureSite {
    /// The secret under which tokens are made.
    pub key: SiteKey,
    /// How long a capture counts.
    pub life: LifeRules,
    /// Paths of desks that share a capture.
    pub groups: Vec<TerminalGroup>,
    /// The canonical system of the hospital's own cards.
    pub visit_card_system: String,
    /// Milliseconds in which a history page is put together.
    pub history_ms_max: u64,
    /// Other systems that are asked for a person's history.
    pub sources: Vec<Arc<dyn HistorySource>>,
}

impl fmt::Debug for CaptureSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureSite").field("key", &self.key).field("groups", &self.groups).finish_non_exhaustive()
    }
}

/// A path of desks: a token counts at all of them and nowhere else.
#[derive(Clone, Debug)]
pub struct TerminalGroup {
    /// Its name.
    pub name: String,
    /// Names of terminals; one that ends in `*` stands for all that begin so.
    pub terminals: Vec<String>,
    /// The department in figures.
    pub department: String,
}

impl CaptureSite {
    /// The first group that a terminal belongs to.
    pub fn group(&self, terminal: &str) -> Option<&TerminalGroup> {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => terminal.starts_with(beginning),
            None => pattern == terminal,
        };
        self.groups.iter().find(|group| group.terminals.iter().any(fits))
    }
}

/// What a desk asks with a card in its hand.
#[derive(Clone, Debug)]
pub struct CaptureRequest<'a> {
    /// Names the request at its terminal: a repeat is answered alike and changes nothing.
    pub request_id: &'a str,
    /// What was presented.
    pub medium: Medium,
    /// What the terminal gives of it. Never kept.
    pub payload: &'a str,
    /// The terminal.
    pub terminal: &'a str,
    /// The encounter that the capture is for.
    pub encounter: Option<&'a LogicalId>,
    /// Whom the desk chose where the machine asked.
    pub choice: Choice,
    /// Version of the notice or consent text that was shown.
    pub notice: Option<&'a str>,
    /// Whether the history page is wanted.
    pub history: bool,
}

/// What the desk says about who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing: the index decides, or asks.
    Open,
    /// This record's person, by the word of the operator.
    Person(LogicalId),
    /// Nobody of those shown: a new person.
    Register,
}

/// What a capture came to.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The token and until when it counts; none while the desk has to choose.
    pub token: Option<(String, Instant)>,
    /// How sure it is.
    pub standing: Standing,
    /// The record; none while the desk has to choose.
    pub patient: Option<LogicalId>,
    /// What the card states, masked.
    pub card: MaskedCard,
    /// Whom the desk may choose from, likeliest first.
    pub candidates: Vec<MaskedCandidate>,
    /// What is worth a look.
    pub issues: Vec<Issue>,
    /// Values of the payload that were dropped because nobody may keep them.
    pub dropped: usize,
    /// The history page, where it was wanted and somebody is known.
    pub history: Option<HistoryView>,
}

/// How sure an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Somebody is known, to this grade.
    Known(Grade),
    /// A number agrees and the person does not: a person looks.
    Ask,
    /// The operator chose.
    Chosen,
    /// Nobody was known: a record was made.
    New,
    /// The encounter came of what was booked for this person; no card was read.
    Booked,
}

impl Standing {
    /// The code in answers.
    pub fn code(self) -> &'static str {
        match self {
            Standing::Known(grade) => grade.code(),
            Standing::Ask => "ask",
            Standing::Chosen => "chosen",
            Standing::New => "new",
            Standing::Booked => "booked",
        }
    }

    /// The standing with that code.
    pub fn parse(code: &str) -> Option<Standing> {
        let grades = [Grade::None, Grade::Possible, Grade::Probable, Grade::Certain].map(Standing::Known);
        let all = grades.into_iter().chain([Standing::Ask, Standing::Chosen, Standing::New, Standing::Booked]);
        all.into_iter().find(|standing| standing.code() == code)
    }
}

impl Exchange {
    /// Takes a card: says whose it is and gives out a token, makes a record where nobody is known, or shows whom the desk may choose from.
    ///
    /// # Errors
    /// The terminal is in no group, the payload is not one of the medium, the encounter is not the person's, or the store refuses.
    pub fn capture(&self, permit: &Permit<'_>, request: &CaptureRequest<'_>) -> Result<Settled<Captured>, Error> {
        let site = self.capture_site()?;
        let group = self.desk_of(request.terminal, request.request_id)?;
        let now = self.now();
        let counter = Counter { now, zone: site.life.zone, visit_card_system: &site.visit_card_system };
        let reading = card::read(request.medium, request.payload, &counter).map_err(Error::Invalid)?;
        let attempts = self.surroundings.limits.prepare_attempts_max;
        for _ in 0..attempts {
            if let Some(kept) = self.kept_request(permit, request.terminal, request.request_id, now)? {
                return self.repeat(permit, &kept, &reading, request.history);
            }
            let known = match request.medium {
                Medium::Booking => self.booked(permit, request)?,
                _ => self.chosen(permit, request, self.who(permit, &reading)?)?,
            };
            let plan = match known {
                // A reading that contradicts itself makes no record by itself.
                Known::Nobody if reading.in_doubt && request.choice == Choice::Open => {
                    return self.ask(permit, &reading, Standing::Ask, Vec::new());
                }
                Known::Unsettled => {
                    std::thread::yield_now();
                    continue;
                }
                Known::Nobody => self.registration(group, &reading, &request.choice)?,
                Known::Person(record, standing) => {
                    let holds = self.holds_number(permit, &record, &reading)?;
                    Planned { group, record, standing, puts: Vec::new(), conditions: Vec::new(), holds }
                }
                Known::Ask(standing, candidates) => return self.ask(permit, &reading, standing, candidates),
            };
            match self.give_out(permit, request, &reading, plan, now) {
                Err(Error::Unavailable(
                    store::Error::Conflict { .. }
                    | store::Error::ConditionFailed { .. }
                    | store::Error::TokenUsed { .. },
                )) => {}
                done => return done,
            }
        }
        Err(Error::Contended { attempts })
    }

    /// The choice of the desk goes before what the index says, but for what it knows to be certain.
    fn chosen(&self, permit: &Permit<'_>, request: &CaptureRequest<'_>, known: Known) -> Result<Known, Error> {
        match (&request.choice, known) {
            (Choice::Open, known) | (Choice::Person(_), known @ Known::Unsettled) => Ok(known),
            (Choice::Register, Known::Ask(..)) => Ok(Known::Nobody),
            (Choice::Register, known) => Ok(known),
            (Choice::Person(record), known) => self.picked(permit, record, &known),
        }
    }

    /// A desk picks one of those whom the card may be; anybody else it would have to prove in another way.
    fn picked(&self, permit: &Permit<'_>, record: &LogicalId, known: &Known) -> Result<Known, Error> {
        let shown = match known {
            Known::Ask(_, candidates) => self.among(candidates, record),
            Known::Person(person, _) => self.same_person(person, record),
            Known::Nobody | Known::Unsettled => false,
        };
        if shown && permit.allows_for("Patient", Right::Read, &[record.as_str()]) {
            return Ok(Known::Person(record.clone(), Standing::Chosen));
        }
        let (en, zh) = ("the patient is none of those whom this card may be", "所选患者不在该卡的候选人之中");
        Err(Error::Invalid(vec![Issue::error(IssueType::BusinessRule, "not-a-candidate", Text::new(en, zh))]))
    }

    /// A new record of what the card states. Where no desk has said that it is somebody new, nobody may hold one of its numbers by the
    /// time it is written.
    fn registration<'g>(
        &self,
        group: &'g TerminalGroup,
        reading: &Reading,
        choice: &Choice,
    ) -> Result<Planned<'g>, Error> {
        if !reading.names_a_person() {
            let (en, zh) = (
                "nobody is known by this card and it names nobody: register by hand",
                "该介质未匹配到患者且不含姓名：请人工建档",
            );
            return Err(Error::Invalid(vec![Issue::error(IssueType::BusinessRule, "names-nobody", Text::new(en, zh))]));
        }
        let key = self.new_key(ResourceType::PATIENT);
        let content = reading.patient(&key.id, &format!("urn:dukou:capture:{}", self.surroundings.site));
        let put = self.fresh_put(key.clone(), &content)?;
        let unheld = |query| Condition::Matches { query, found: Vec::new() };
        let conditions = match choice {
            Choice::Register => Vec::new(),
            _ => self.number_queries(reading)?.into_iter().map(unheld).collect(),
        };
        Ok(Planned { group, record: key.id, standing: Standing::New, puts: vec![put], conditions, holds: true })
    }

    /// Whether a record has the number that stands for the card.
    fn holds_number(&self, permit: &Permit<'_>, record: &LogicalId, reading: &Reading) -> Result<bool, Error> {
        let key = ResourceKey::new(ResourceType::PATIENT, record.clone());
        let Some(version) = self.current(permit, &key)? else { return Ok(false) };
        let patient = Exchange::tree(&version)?;
        let first = reading.numbers.first().map_or("", |number| number.value.as_str());
        Ok(patient.list_at("identifier").iter().any(|identifier| identifier.text_at("value") == Some(first)))
    }

    /// One commit: the record where it is new, the token, and the memory of the request.
    fn give_out(
        &self,
        permit: &Permit<'_>,
        request: &CaptureRequest<'_>,
        reading: &Reading,
        plan: Planned<'_>,
        now: Instant,
    ) -> Result<Settled<Captured>, Error> {
        let site = self.capture_site()?;
        let made = !plan.puts.is_empty();
        let visit = match request.encounter {
            Some(encounter) => Some(self.visit_of(permit, encounter, Some(&plan.record))?),
            None => None,
        };
        let mut nonce = [0_u8; 16];
        self.surroundings.random.fill(&mut nonce);
        let token = site.key.token(&nonce);
        let kept = Kept::of(site, request, reading, &plan, nonce, now);
        let expires = site.life.expires(now, visit.as_ref().map_or(card::Visit::Unbound, |visit| visit.kind));
        let mut puts = plan.puts;
        let mut issues = reading.issues.clone();
        match self.notice(permit, request, &plan.record, now) {
            Ok(put) => puts.extend(put),
            Err(issue) => issues.push(issue),
        }
        let mut record = permit.draft();
        let carried = match made {
            true => record.carry(permit.without_patient_data(None)),
            false => record.carry(self.seen(permit, &plan.record, request.history)?),
        };
        let tokens: Vec<TokenRow> = kept.rows(site, &token, request, &site.life, now);
        let verdict = Box::new(|_: &store::Outcome| (audit::Outcome::http(200), Vec::new()));
        let batch = Batch { puts, conditions: plan.conditions, tokens, ..Batch::new(record, verdict) };
        let settled = self.commit(permit, batch)?;
        count(plan.group, plan.standing);
        let captured = Captured {
            token: Some((token.to_text(), expires)),
            standing: plan.standing,
            patient: Some(self.survivor(&plan.record)),
            card: MaskedCard::of(reading),
            candidates: Vec::new(),
            issues,
            dropped: reading.dropped,
            history: None,
        };
        Ok(settled.with(carried).map(|(_, history)| Captured { history, ..captured }))
    }

    /// The same token again, for the same card; another card under the same request id is refused.
    fn repeat(
        &self,
        permit: &Permit<'_>,
        kept: &Kept,
        reading: &Reading,
        wants_history: bool,
    ) -> Result<Settled<Captured>, Error> {
        let site = self.capture_site()?;
        if !kept.is_of(site, reading) {
            let (en, zh) = (
                "this request id was used for another card; use a new one",
                "该请求编号已用于另一张卡；请使用新的编号",
            );
            return Err(Error::Invalid(vec![Issue::error(
                IssueType::Duplicate,
                "request-id-reused",
                Text::new(en, zh),
            )]));
        }
        let visit = match &kept.encounter {
            Some(encounter) => {
                self.visit_of(permit, encounter, None).map_or(card::Visit::Outpatient, |visit| visit.kind)
            }
            None => card::Visit::Unbound,
        };
        let expires = site.life.expires(kept.captured, visit);
        let captured = Captured {
            token: Some((site.key.token(&kept.nonce).to_text(), expires)),
            standing: kept.standing,
            patient: Some(self.survivor(&kept.record)),
            card: MaskedCard::of(reading),
            candidates: Vec::new(),
            issues: reading.issues.clone(),
            dropped: reading.dropped,
            history: None,
        };
        let seen = self.seen(permit, &kept.record, wants_history)?;
        Ok(Settled::Unchanged(seen.map(|history| Captured { history, ..captured })))
    }

    /// What an answer about a known person shows: that person, and the history page where it is wanted.
    fn seen(
        &self,
        permit: &Permit<'_>,
        record: &LogicalId,
        history: bool,
    ) -> Result<Unreleased<Option<HistoryView>>, Error> {
        let mut leading = record.clone();
        let person = self.person_shown(permit, record)?.map(|version| leading = version.key.id);
        if !history {
            return Ok(person.map(|()| None));
        }
        Ok(person.and(self.history_view(permit, &leading)?).map(|((), view)| Some(view)))
    }

    /// The desk has to choose: candidates masked, each of them in the record of this access.
    fn ask(
        &self,
        permit: &Permit<'_>,
        reading: &Reading,
        standing: Standing,
        found: Vec<known::Candidate>,
    ) -> Result<Settled<Captured>, Error> {
        let mut issues = reading.issues.clone();
        if standing == Standing::Ask {
            let (en, zh) = (
                "the number agrees and the person does not: look at the face and the document",
                "号码相符但人员信息不符：请核对本人与证件",
            );
            issues.push(Issue::warning(IssueType::BusinessRule, "card-is-not-the-person", Text::new(en, zh)));
        }
        let card = MaskedCard::of(reading);
        let empty = Captured {
            token: None,
            standing,
            patient: None,
            card,
            candidates: Vec::new(),
            issues,
            dropped: reading.dropped,
            history: None,
        };
        let mut answer = permit.without_patient_data(empty);
        for candidate in found {
            // A candidate that the caller may not see is not shown, and not counted.
            let Ok(version) = self.person_shown(permit, &candidate.record) else { continue };
            answer = answer.and(version).try_map(|(mut captured, version)| {
                captured.candidates.push(MaskedCandidate::of(&candidate, &Exchange::tree(&version)?));
                Ok::<_, Error>(captured)
            })?;
        }
        counter!("dukou_captures_total", "standing" => standing.code()).increment(1);
        Ok(Settled::Unchanged(answer))
    }

    /// What the node knows about captures.
    pub(super) fn capture_site(&self) -> Result<&CaptureSite, Error> {
        self.capture.as_ref().ok_or_else(|| {
            let (en, zh) = (
                "cards are not captured here: the configuration has no [identity]",
                "本节点未启用读卡采集：配置中没有 [identity]",
            );
            Error::Invalid(vec![Issue::error(IssueType::NotSupported, "capture-not-offered", Text::new(en, zh))])
        })
    }

    /// The group of a desk, whose names must be short and plain.
    fn desk_of(&self, terminal: &str, request_id: &str) -> Result<&TerminalGroup, Error> {
        let plain =
            |name: &str| (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        let refuse =
            |code, en: &str, zh: &str| Error::Invalid(vec![Issue::error(IssueType::Value, code, Text::new(en, zh))]);
        if !plain(request_id) {
            return Err(refuse(
                "request-id-malformed",
                "request-id is 1 to 64 printable ASCII characters",
                "request-id 应为 1 到 64 个可见 ASCII 字符",
            ));
        }
        if !plain(terminal) {
            return Err(refuse(
                "terminal-malformed",
                "the terminal is 1 to 64 printable ASCII characters",
                "终端标识应为 1 到 64 个可见 ASCII 字符",
            ));
        }
        let group = self.capture_site()?.group(terminal);
        group.ok_or_else(|| {
            refuse(
                "terminal-not-listed",
                "the terminal stands in no group of [identity]",
                "该终端不在 [identity] 的任何终端组中",
            )
        })
    }

    pub(super) fn now(&self) -> Instant {
        Instant::from_nanos(self.surroundings.clock.wall_ns())
    }
}

/// What a capture is about to write.
struct Planned<'a> {
    group: &'a TerminalGroup,
    record: LogicalId,
    standing: Standing,
    puts: Vec<Put>,
    conditions: Vec<Condition>,
    /// Whether the record holds the card's number, so that losing it ends the capture.
    holds: bool,
}

/// Counts a capture, and a registration that it made needless.
fn count(group: &TerminalGroup, standing: Standing) {
    counter!("dukou_captures_total", "standing" => standing.code()).increment(1);
    if !matches!(standing, Standing::New | Standing::Booked) {
        let department = group.department.clone();
        counter!("dukou_duplicate_registrations_avoided_total", "department" => department).increment(1);
    }
}

/// A note in an answer.
pub(super) fn note(code: &'static str, en: &str, zh: &str) -> Issue {
    Issue::new(Severity::Warning, IssueType::BusinessRule, code, Text::new(en, zh))
}

const NAME_BYTES_MAX: usize = 64;
