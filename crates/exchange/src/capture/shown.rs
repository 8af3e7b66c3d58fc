//! What a desk sees of a card and of those it has to choose from: masked.

use dukou_fhir::{LogicalId, Value};
use dukou_identity::capture::Reading;
use dukou_identity::{Bits, Class, Grade, mask};

use super::known::Candidate;

/// What the card states, masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskedCard {
    /// The code of the medium.
    pub medium: &'static str,
    /// How it was read: `chip`, `qr-dynamic`, `qr-static`, `typed`.
    pub obtained: &'static str,
    /// `彭*`.
    pub name: String,
    /// GB/T 2261.1.
    pub sex: Option<char>,
    /// The year.
    pub birth: String,
    /// The numbers.
    pub numbers: Vec<MaskedNumber>,
}

/// A number, masked, with what kind of number it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedNumber {
    /// The class, as in model files: `resident`, `passport`.
    pub class: &'static str,
    /// First three and last two characters.
    pub value: String,
}

impl MaskedCard {
    /// The masked form of a reading.
    pub(super) fn of(reading: &Reading) -> MaskedCard {
        let told = || reading.numbers.iter().filter(|number| number.class != Class::Visit);
        let values = mask::numbers(told().map(|number| number.value.as_str()));
        let numbers = told().zip(values);
        MaskedCard {
            medium: reading.medium.code(),
            obtained: reading.obtained.code(),
            name: mask::name(&reading.name),
            sex: reading.sex,
            birth: mask::birth_date(&reading.birth_date),
            numbers: numbers.map(|(number, value)| MaskedNumber { class: number.class.name(), value }).collect(),
        }
    }
}

/// One whom the desk may choose, masked.
#[derive(Clone, Debug, PartialEq)]
pub struct MaskedCandidate {
    /// The record.
    pub record: LogicalId,
    /// How sure.
    pub grade: Grade,
    /// The evidence, where it was weighed.
    pub bits: Option<Bits>,
    /// The probability, where it was weighed.
    pub probability: Option<f32>,
    /// What speaks for and against: the code of each finding.
    pub findings: Vec<String>,
    /// The name, masked.
    pub name: String,
    /// The code of administrative-gender.
    pub gender: String,
    /// The year of birth.
    pub birth: String,
}

impl MaskedCandidate {
    /// The masked form of a candidate and its Patient.
    pub(super) fn of(candidate: &Candidate, patient: &Value<'_>) -> MaskedCandidate {
        let text = |path: &str| patient.text_at(path).unwrap_or("");
        let name = match text("name[0].text") {
            "" => format!("{}{}", text("name[0].family"), text("name[0].given[0]")),
            written => written.to_owned(),
        };
        MaskedCandidate {
            record: candidate.record.clone(),
            grade: candidate.grade,
            bits: candidate.bits,
            probability: candidate.probability,
            findings: candidate.findings.clone(),
            name: mask::name(&name),
            gender: text("gender").to_owned(),
            birth: mask::birth_date(text("birthDate")),
        }
    }
}
