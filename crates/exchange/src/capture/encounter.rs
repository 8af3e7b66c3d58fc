//! The encounter that a capture belongs to: what kind of visit it is, whether it has ended, and which others hang together with it.

use dukou_audit::Permit;
use dukou_fhir::reference::Target;
use dukou_fhir::{FhirDateTime, Instant, Issue, IssueType, LogicalId, ResourceKey, ResourceType, Text, Value};
use dukou_identity::capture::Visit;
use dukou_store::Version;

use super::known::Known;
use super::{CaptureRequest, Standing};
use crate::{Error, Exchange};

/// What a capture has to know of an encounter.
pub(super) struct Stay {
    pub(super) kind: Visit,
    /// When it ended; the beginning of time where it is over and nobody says since when.
    pub(super) ended: Option<Instant>,
    /// The records of the patient, as its subject names them.
    pub(super) subject: Option<LogicalId>,
}

impl Exchange {
    /// The encounter of a capture of this record's person.
    pub(super) fn visit_of(
        &self,
        permit: &Permit<'_>,
        encounter: &LogicalId,
        record: Option<&LogicalId>,
    ) -> Result<Stay, Error> {
        let key = ResourceKey::new(ResourceType::ENCOUNTER, encounter.clone());
        let Some(version) = self.current(permit, &key)? else {
            let (en, zh) = (
                "the encounter is not known here: capture without it, and bind at the next desk",
                "本系统尚无该就诊：可先不带就诊采集，由下一终端绑定",
            );
            return Err(Error::Invalid(vec![Issue::error(
                IssueType::NotFound,
                "encounter-unknown",
                Text::new(en, zh),
            )]));
        };
        let content = Exchange::tree(&version)?;
        let stay = Stay {
            kind: Visit::of_class(content.text_at("class.code").unwrap_or("")),
            ended: ended(&content, self.surroundings.zone),
            subject: self.local(content.text_at("subject.reference")).map(|key| key.id),
        };
        let other =
            |record: &LogicalId| stay.subject.as_ref().is_some_and(|subject| !self.same_person(subject, record));
        if record.is_some_and(other) {
            let (en, zh) =
                ("the encounter belongs to another patient than the card", "该就诊的患者与卡片所属人员不一致");
            let issue = Issue::error(IssueType::Conflict, "encounter-of-another", Text::new(en, zh));
            return Err(Error::Invalid(vec![issue]));
        }
        Ok(stay)
    }

    /// Whether one encounter came of the other: it is a part of it, was booked from it, or carries out an order of it.
    pub(super) fn are_linked(&self, permit: &Permit<'_>, a: &LogicalId, b: &LogicalId) -> Result<bool, Error> {
        let key = |id: &LogicalId| ResourceKey::new(ResourceType::ENCOUNTER, id.clone());
        Ok(a == b || self.leads_to(permit, a, &key(b))? || self.leads_to(permit, b, &key(a))?)
    }

    /// Whose visit an encounter is that came of an appointment, a task or an order: such a visit needs no card.
    pub(super) fn booked(&self, permit: &Permit<'_>, request: &CaptureRequest<'_>) -> Result<Known, Error> {
        let refuse = |code, en: &str, zh: &str| {
            Err(Error::Invalid(vec![Issue::error(IssueType::BusinessRule, code, Text::new(en, zh))]))
        };
        let Some(encounter) = request.encounter else {
            let (en, zh) = (
                "a booking gives a token only to the encounter that came of it: name the encounter",
                "凭预约取得凭据须给出由其产生的就诊",
            );
            return refuse("booking-without-encounter", en, zh);
        };
        let unknown = || {
            refuse(
                "booking-unknown",
                "the encounter did not come of this booking, or the booking does not stand",
                "该就诊并非由此预约产生，或预约已失效",
            )
        };
        let Some(key) = ResourceKey::parse(request.payload.trim()) else { return unknown() };
        let Some(version) = self.current(permit, &key)? else { return unknown() };
        let content = Exchange::tree(&version)?;
        let over = ["cancelled", "entered-in-error", "noshow", "rejected", "failed", "revoked"];
        if content.text_at("status").is_some_and(|status| over.contains(&status)) {
            return unknown();
        }
        let actors = content.list_at("participant").iter().filter_map(|part| part.text_at("actor.reference"));
        let named = actors.chain(content.text_at("for.reference")).chain(content.text_at("subject.reference"));
        let patient = named.filter_map(|text| self.local(Some(text))).find(|key| key.kind == ResourceType::PATIENT);
        match patient {
            Some(patient) if self.leads_to(permit, encounter, &key)? => Ok(Known::Person(patient.id, Standing::Booked)),
            _ => unknown(),
        }
    }

    /// Walks from an encounter to what it came of, a few steps far.
    fn leads_to(&self, permit: &Permit<'_>, from: &LogicalId, goal: &ResourceKey) -> Result<bool, Error> {
        let mut walk = vec![ResourceKey::new(ResourceType::ENCOUNTER, from.clone())];
        for at in 0..STEPS_MAX {
            let Some(key) = walk.get(at).cloned() else { return Ok(false) };
            let Some(version) = self.current(permit, &key)? else { continue };
            let content = Exchange::tree(&version)?;
            for target in origins(&content).into_iter().filter_map(|text| self.local(Some(text))) {
                if target == *goal {
                    return Ok(true);
                }
                if !walk.contains(&target) {
                    walk.push(target);
                }
            }
        }
        Ok(false)
    }

    /// The key of a reference to a resource of this store.
    pub(super) fn local(&self, reference: Option<&str>) -> Option<ResourceKey> {
        match Target::parse(reference?, self.surroundings.public_base.as_deref()) {
            Target::Local(key, _) => Some(key),
            _ => None,
        }
    }

    /// The live version of a resource, for deciding; it is no answer.
    pub(super) fn current(&self, permit: &Permit<'_>, key: &ResourceKey) -> Result<Option<Version>, Error> {
        let basis = self.store.basis(permit, std::slice::from_ref(key))?;
        Ok(basis.versions.into_iter().next().flatten().filter(|version| !version.is_deleted()))
    }
}

/// What a resource on the way came of.
fn origins<'c>(content: &'c Value<'_>) -> Vec<&'c str> {
    let one = ["partOf.reference", "encounter.reference", "context.reference"];
    let many = ["basedOn", "appointment", "focus"];
    let single = one.iter().filter_map(|path| content.text_at(path));
    let listed = many.iter().flat_map(|name| content.list_at(name)).filter_map(|value| value.text_at("reference"));
    single.chain(listed).chain(content.text_at("focus.reference")).collect()
}

fn ended(content: &Value<'_>, zone: dukou_fhir::Offset) -> Option<Instant> {
    let end = content.text_at("period.end").and_then(FhirDateTime::parse).map(|end| end.high(zone));
    match content.text_at("status") {
        Some("finished" | "cancelled" | "entered-in-error") => Some(end.unwrap_or(Instant::from_millis(i64::MIN))),
        _ => end,
    }
}

/// Encounter, appointment, order, and the encounter before: more steps are no path of a patient.
const STEPS_MAX: usize = 12;
