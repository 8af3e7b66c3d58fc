//! Who a card is: what the index says about its statement, and whom a desk has to choose from.

use dukou_audit::{Permit, Right};
use dukou_fhir::search::Query;
use dukou_fhir::{Draft, LogicalId, ResourceKey, ResourceType, Value, validate};
use dukou_identity::capture::Reading;
use dukou_identity::{Bits, Grade, text};
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
}

/// One whom the desk may choose.
pub(super) struct Candidate {
    pub(super) record: LogicalId,
    pub(super) grade: Grade,
    pub(super) bits: Option<Bits>,
    pub(super) probability: Option<f32>,
    pub(super) findings: Vec<String>,
}

impl Exchange {
    /// Asks by every number of the reading. A number that agrees while name, birth date or sex do not is somebody's else or a slip: then
    /// a person looks, and no machine decides.
    pub(super) fn who(&self, permit: &Permit<'_>, reading: &Reading) -> Result<Known, Error> {
        let mut candidates: Vec<Candidate> = Vec::new();
        for query in self.number_queries(reading)? {
            for key in self.store.resolve(permit, &query)? {
                let Some(version) = self.current(permit, &key)? else { continue };
                let record = self.survivor(permit, &key.id)?;
                if candidates.iter().all(|candidate| candidate.record != record) {
                    candidates.push(judged(reading, record, &Exchange::tree(&version)?));
                }
            }
        }
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.grade));
        match candidates.as_slice() {
            [] => Ok(Known::Nobody),
            [only] if only.grade == Grade::Certain && !reading.in_doubt => {
                Ok(Known::Person(only.record.clone(), Standing::Known(Grade::Certain)))
            }
            [first, ..] => {
                let standing =
                    if first.grade == Grade::Possible { Standing::Ask } else { Standing::Known(Grade::Probable) };
                Ok(Known::Ask(standing, candidates))
            }
        }
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
    pub(super) fn survivor(&self, permit: &Permit<'_>, record: &LogicalId) -> Result<LogicalId, Error> {
        let mut at = record.clone();
        for _ in 0..CHAIN_MAX {
            let key = ResourceKey::new(ResourceType::PATIENT, at.clone());
            let Some(version) = self.current(permit, &key)? else { break };
            match self.replaced_by(&Exchange::tree(&version)?) {
                Some(next) if next != *record => at = next,
                _ => break,
            }
        }
        Ok(at)
    }

    fn replaced_by(&self, patient: &Value<'_>) -> Option<LogicalId> {
        let link = patient.list_at("link").iter().find(|link| link.text_at("type") == Some("replaced-by"))?;
        self.local(link.text_at("other.reference")).map(|key| key.id)
    }

    /// Whether two records are one person's.
    pub(super) fn same_person(&self, permit: &Permit<'_>, a: &LogicalId, b: &LogicalId) -> bool {
        match (self.survivor(permit, a), self.survivor(permit, b)) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        }
    }

    /// The Patient of a record's person, to be shown.
    pub(super) fn person_shown(
        &self,
        permit: &Permit<'_>,
        record: &LogicalId,
    ) -> Result<dukou_audit::Unreleased<Version>, Error> {
        let survivor = self.survivor(permit, record)?;
        self.read(permit, &ResourceKey::new(ResourceType::PATIENT, survivor))
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

/// How a record with one of the card's numbers stands to the card.
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
    let named = !reading.name.is_empty() && !names.is_empty();
    let grade = match (against.is_empty(), named) {
        (true, true) => Grade::Certain,
        (true, false) => Grade::Probable,
        (false, _) => Grade::Possible,
    };
    let findings = std::iter::once("same-number".to_owned()).chain(against).collect();
    Candidate { record, grade, bits: None, probability: None, findings }
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

/// Merges behind each other, at most.
const CHAIN_MAX: usize = 32;
