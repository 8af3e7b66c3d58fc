//! Who a card is: what the index says about its statement, and whom a desk has to choose from.

use dukou_audit::{Permit, Right};
use dukou_fhir::search::Query;
use dukou_fhir::{Draft, LogicalId, ResourceKey, ResourceType, Value, validate};
use dukou_identity::capture::Reading;
use dukou_identity::{Bits, Grade, Record, ResolveLimits, Veto, explain, text};
use dukou_store::{Expect, How, Put, Version};

use super::Standing;
use crate::{Error, Exchange};

/// What is known of a card's person.
pub(super) enum Known {
    /// Nobody.
    Nobody,
    /// This record's person.
    Person(LogicalId, Standing),
    /// The desk has to choose.
    Ask(Standing, Vec<Candidate>),
    /// Somebody was stored this moment and the index is being told: ask again.
    Unsettled,
}

/// One whom the desk may choose.
pub(super) struct Candidate {
    pub(super) record: LogicalId,
    pub(super) grade: Grade,
    pub(super) bits: Option<Bits>,
    pub(super) probability: Option<f32>,
    /// What speaks for and against, field by field: level and bits; then what forbids it.
    pub(super) findings: Vec<String>,
    /// Whether a number of the card is this person's while something else is not.
    pub(super) holds_against: bool,
}

impl Exchange {
    /// Asks the index, and looks up every number as it is stored. A number that agrees while name, birth date or sex do not is somebody
    /// else's or a slip: then a person looks, and no machine decides.
    pub(super) fn who(&self, permit: &Permit<'_>, reading: &Reading) -> Result<Known, Error> {
        let holders = self.holders(permit, reading)?;
        if holders.iter().any(|(record, _)| self.people().read().record(record).is_none()) {
            return Ok(Known::Unsettled);
        }
        // Asked after that, the index knows every holder.
        let id = self.new_key(ResourceType::PATIENT).id;
        let stated = reading.stated(id, &self.surroundings.site, self.now());
        let card = Record::prepare(self.people().model(), &stated);
        let mut candidates = self.asked(reading, &card);
        for (record, patient) in holders {
            if !self.among(&candidates, &record) {
                candidates.push(self.explained(judged(reading, record, &patient), &card));
            }
        }
        candidates.sort_by_key(|candidate| (std::cmp::Reverse(candidate.grade), std::cmp::Reverse(candidate.bits)));
        match candidates.first() {
            None => Ok(Known::Nobody),
            Some(first) if first.grade == Grade::Certain && !reading.in_doubt => {
                Ok(Known::Person(first.record.clone(), Standing::Known(Grade::Certain)))
            }
            Some(first) => {
                let holds = candidates.iter().any(|candidate| candidate.holds_against);
                let standing = match first.grade {
                    _ if reading.in_doubt || holds => Standing::Ask,
                    grade => Standing::Known(grade.min(Grade::Probable)),
                };
                Ok(Known::Ask(standing, candidates))
            }
        }
    }

    /// What the index says about the statement of a card. Somebody with another good number of a lifelong type is a namesake or a twin, not
    /// a choice.
    fn asked(&self, reading: &Reading, card: &Record) -> Vec<Candidate> {
        let limits = ResolveLimits { people_max: CANDIDATES_MAX, ..ResolveLimits::default() };
        let decision = self.people().read().resolve(card, &limits);
        let named = decision.candidates.into_iter().filter(|one| !one.vetoes.contains(Veto::LifelongNumber));
        let candidate = |one: dukou_identity::Candidate| Candidate {
            grade: one.grade,
            bits: None,
            probability: None,
            holds_against: one.grade == Grade::Possible && self.holds(&one.record, reading),
            findings: one.vetoes.iter().map(|veto| veto.code().to_owned()).collect(),
            record: one.record,
        };
        named.map(|one| self.explained(candidate(one), card)).collect()
    }

    /// A candidate with the evidence field by field, whose bits add up to its own.
    fn explained(&self, candidate: Candidate, card: &Record) -> Candidate {
        let index = self.people().read();
        let Some(other) = index.record(&candidate.record) else { return candidate };
        let explanation = explain(self.people().model(), card, other);
        let said = explanation.lines.iter().map(|line| format!("{} {} {}", line.field, line.level, line.bits));
        Candidate {
            bits: Some(explanation.bits),
            probability: Some(explanation.probability as f32),
            findings: said.chain(candidate.findings).collect(),
            ..candidate
        }
    }

    /// Whether a person's record has a number of the card that names one person.
    fn holds(&self, record: &LogicalId, reading: &Reading) -> bool {
        let index = self.people().read();
        let person = index.records(record);
        reading
            .numbers
            .iter()
            .any(|number| index.holders(&number.system, &number.value).iter().any(|holder| person.contains(holder)))
    }

    /// Whether a record belongs to one of the people named already.
    pub(super) fn among(&self, candidates: &[Candidate], record: &LogicalId) -> bool {
        let index = self.people().read();
        let person = index.person(record);
        let same = |other: &LogicalId| other == record || (person.is_some() && index.person(other) == person);
        candidates.iter().any(|candidate| same(&candidate.record))
    }

    /// The records that hold a number of the reading as it is written, where their merges end.
    fn holders(&self, permit: &Permit<'_>, reading: &Reading) -> Result<Vec<(LogicalId, Value<'static>)>, Error> {
        let mut found: Vec<(LogicalId, Value<'static>)> = Vec::new();
        for query in self.number_queries(reading)? {
            for key in self.store.resolve(permit, &query)? {
                let Some(version) = self.current(permit, &key)? else { continue };
                let record = self.survivor(&key.id);
                if found.iter().all(|(known, _)| *known != record) {
                    found.push((record, Exchange::tree(&version)?.into_static()));
                }
            }
        }
        Ok(found)
    }

    /// A question for each number of a reading, under its canonical system.
    pub(super) fn number_queries(&self, reading: &Reading) -> Result<Vec<Query>, Error> {
        let escaped = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
        let query = |system: &str, value: &str| {
            // A comma or a bar of the value itself is no separator (FHIR R4, search, 3.1.1.4.2).
            let value = value.replace('\\', "\\\\").replace(',', "\\,").replace('|', "\\|").replace('$', "\\$");
            self.criteria(ResourceType::PATIENT, &format!("identifier={}%7C{}", escaped(system), escaped(&value)))
        };
        let told = reading.numbers.iter().filter(|number| !number.system.is_empty());
        told.map(|number| query(&number.system, &number.value)).collect()
    }

    /// Where the chain of merges of a record ends.
    pub(super) fn survivor(&self, record: &LogicalId) -> LogicalId {
        self.people().read().survivor(record).unwrap_or_else(|| record.clone())
    }

    /// Whether two records are one person's.
    pub(super) fn same_person(&self, a: &LogicalId, b: &LogicalId) -> bool {
        let index = self.people().read();
        a == b || (index.person(a).is_some() && index.person(a) == index.person(b))
    }

    /// The Patient of a record's person, to be shown.
    pub(super) fn person_shown(
        &self,
        permit: &Permit<'_>,
        record: &LogicalId,
    ) -> Result<dukou_audit::Unreleased<Version>, Error> {
        self.read(permit, &ResourceKey::new(ResourceType::PATIENT, self.survivor(record)))
    }

    /// A new resource as a put.
    pub(super) fn fresh_put(&self, key: ResourceKey, content: &Value<'static>) -> Result<Put, Error> {
        let issues = validate::validate(content, &validate::Options::default());
        if issues.iter().any(|issue| issue.severity.is_error()) {
            return Err(Error::Invalid(issues));
        }
        let draft = Draft::new(content, key.clone()).map_err(|_| Error::Invalid(issues))?;
        Ok(Put::write(key, How::Create, Expect::Absent, content, draft, self.search_site()))
    }

    /// Whether the caller may make such a resource.
    pub(super) fn may_create(permit: &Permit<'_>, kind: ResourceType) -> bool {
        permit.allows(kind.as_str(), Right::Create)
    }
}

/// How a record with one of the card's numbers stands to the card where the index did not name it: never certain.
fn judged(reading: &Reading, record: LogicalId, patient: &Value<'_>) -> Candidate {
    let names: Vec<String> = patient.list_at("name").iter().map(written).collect();
    let name = text::fold(&reading.name);
    let same_name = reading.name.is_empty() || names.iter().any(|other| text::fold(other) == name);
    let born = patient.text_at("birthDate").unwrap_or("");
    let same_birth = reading.birth_date.is_empty() || born.is_empty() || born == reading.birth_date;
    let sexes = (reading.sex, patient.text_at("gender"));
    let same_sex = !matches!(sexes, (Some('1'), Some("female")) | (Some('2'), Some("male")));
    let against = [(same_name, "other-name"), (same_birth, "other-birth-date"), (same_sex, "other-sex")];
    let against: Vec<String> = against.iter().filter(|(same, _)| !same).map(|(_, code)| (*code).to_owned()).collect();
    let grade = if against.is_empty() { Grade::Probable } else { Grade::Possible };
    let holds_against = !against.is_empty();
    let findings = std::iter::once("same-number".to_owned()).chain(against).collect();
    Candidate { record, grade, bits: None, probability: None, findings, holds_against }
}

fn written(name: &Value<'_>) -> String {
    match name.text_at("text") {
        Some(text) => text.to_owned(),
        None => {
            let given: String = name.list_at("given").iter().filter_map(Value::as_str).collect();
            format!("{}{given}", name.text_at("family").unwrap_or(""))
        }
    }
}

/// People whom a desk can look at, at most.
const CANDIDATES_MAX: usize = 5;
