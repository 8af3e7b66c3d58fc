//! One reading of a card, a code or a document: what it states, how sure that is, and what is wrong with it.
//!
//! Each medium has a payload form of its own. What nobody may keep ([`crate::forbidden`]) is taken out before anything else is looked at, so that
//! a [`Reading`] cannot hold it. A card that was read is not the person: the reading says what the card states, and the index decides.

mod certificate;
mod life;
mod patient;
mod payload;
#[cfg(test)]
mod tests;

use std::fmt;

use dukou_fhir::{Instant, Issue, LogicalId, Offset};

use crate::stated::{Marks, Obtained, Stated, StatedIdentifier, StatedName};

pub use life::{LifeRules, Visit};

/// What was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Medium {
    /// 居民身份证, its chip.
    ResidentCard,
    /// 社保卡 or 医保 look-up: request and answer of transaction 1101.
    InsuranceCard,
    /// 医保电子凭证: the answer to `ec.query`.
    InsuranceCredential,
    /// 电子健康卡: its code, with or without what the look-up said.
    HealthCard,
    /// 就诊卡 of one hospital.
    VisitCard,
    /// 护照.
    Passport,
    /// 出生医学证明.
    BirthCertificate,
    /// A resident identity number that a person typed.
    Typed,
    /// No card: the appointment, task or order from which a later encounter came.
    Booking,
}

impl Medium {
    /// Every medium with its code and its number in the table `klx` of Chinese registration interfaces, where it has one.
    pub const CODES: [(Medium, &'static str, &'static str); 9] = [
        (Medium::ResidentCard, "resident-card", "5"),
        (Medium::InsuranceCard, "insurance-card", "3"),
        (Medium::InsuranceCredential, "insurance-credential", "4"),
        (Medium::HealthCard, "health-card", "2"),
        (Medium::VisitCard, "visit-card", "1"),
        (Medium::Passport, "passport", ""),
        (Medium::BirthCertificate, "birth-certificate", ""),
        (Medium::Typed, "typed", ""),
        (Medium::Booking, "booking", ""),
    ];

    /// The code.
    pub fn code(self) -> &'static str {
        Medium::CODES[self as usize].1
    }

    /// The medium of a code, or of a number of `klx`.
    pub fn parse(code: &str) -> Option<Medium> {
        let fits = |row: &&(Medium, &str, &str)| row.1 == code || (!row.2.is_empty() && row.2 == code);
        Medium::CODES.iter().find(fits).map(|row| row.0)
    }
}

/// What one reading states. `Debug` shows no value of the person.
#[derive(Clone, PartialEq, Eq)]
pub struct Reading {
    /// What was presented.
    pub medium: Medium,
    /// How the numbers came.
    pub obtained: Obtained,
    /// Numbers of the person and of the card, the most telling first.
    pub numbers: Vec<StatedIdentifier>,
    /// The written name; empty where the medium names nobody.
    pub name: String,
    /// GB/T 2261.1.
    pub sex: Option<char>,
    /// `yyyy-MM-dd`; empty where it is not stated or no date.
    pub birth_date: String,
    /// 民族 as stated: a code of GB/T 3304 or its name.
    pub nation: String,
    /// The address on one line.
    pub address: String,
    /// Telephone numbers.
    pub phones: Vec<String>,
    /// Newborn, birth order.
    pub marks: Marks,
    /// Name and number of the mother, on a birth certificate. They are never the child's.
    pub mother: Option<Mother>,
    /// What is wrong and does not prevent the capture.
    pub issues: Vec<Issue>,
    /// Whether the parts of the reading contradict each other: such a reading is never certain.
    pub in_doubt: bool,
    /// How many values were dropped because nobody may keep them.
    pub dropped: usize,
}

/// The mother on a birth certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Mother {
    /// Her name.
    pub name: String,
    /// Her resident identity number; may be empty.
    pub number: String,
}

/// Where and when a reading is made.
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a> {
    /// The time of the capture: cards and codes expire.
    pub now: Instant,
    /// Offset of local time: codes state local time.
    pub zone: Offset,
    /// The canonical system of the hospital's own cards, for a 就诊卡 that does not name it.
    pub visit_card_system: &'a str,
}

/// Reads what a terminal gives of a medium.
///
/// # Errors
/// The payload is not one of the medium, the look-up failed, the code has expired, or nothing in it names a person. The issues hold no
/// value of the payload.
pub fn read(medium: Medium, payload: &str, counter: &Counter<'_>) -> Result<Reading, Vec<Issue>> {
    payload::read(medium, payload, counter)
}

impl Reading {
    /// The same as what a source states about a record, for the question who this is.
    pub fn stated(&self, record: LogicalId, source: &str, born: Instant) -> Stated {
        let name = StatedName { written: self.name.clone(), pinyin: String::new() };
        Stated {
            born: born.as_millis(),
            names: if self.name.is_empty() { Vec::new() } else { vec![name] },
            sex: self.sex,
            birth_date: self.birth_date.clone(),
            identifiers: self.numbers.clone(),
            phones: self.phones.clone(),
            address: self.address.clone(),
            marks: self.marks,
            ..Stated::new(record, source)
        }
    }

    /// Whether the reading names somebody well enough to register him: a name that the medium states, and a number.
    pub fn names_a_person(&self) -> bool {
        !self.name.is_empty() && !self.numbers.is_empty()
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("medium", &self.medium)
            .field("obtained", &self.obtained)
            .field("in_doubt", &self.in_doubt)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Mother {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mother(..)")
    }
}

impl Obtained {
    /// The code in identifiers and answers.
    pub fn code(self) -> &'static str {
        match self {
            Obtained::Chip => "chip",
            Obtained::DynamicQr => "qr-dynamic",
            Obtained::StaticQr => "qr-static",
            Obtained::Typed => "typed",
            Obtained::Feed => "feed",
        }
    }
}
