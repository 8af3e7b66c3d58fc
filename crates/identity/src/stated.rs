//! What one source states about one patient, before anything is normalised: the seam between rows or resources and matching.

use std::fmt;

use dukou_fhir::LogicalId;

/// One source's view of one patient, every value as received. `Debug` shows the record's name only.
#[derive(Clone, PartialEq, Eq)]
pub struct Stated {
    /// The record: the logical id of its Patient.
    pub record: LogicalId,
    /// The system that states it, such as `HIS1`.
    pub source: String,
    /// When the record's first version came, in milliseconds since 1970; 0 in batches.
    pub born: i64,
    /// Names, the usual one first.
    pub names: Vec<StatedName>,
    /// GB/T 2261.1: `'1'` male, `'2'` female, `'9'` not stated, `'0'` unknown.
    pub sex: Option<char>,
    /// The birth date in any form that registration desks write.
    pub birth_date: String,
    /// Numbers and cards.
    pub identifiers: Vec<StatedIdentifier>,
    /// Telephone numbers.
    pub phones: Vec<String>,
    /// The address on one line.
    pub address: String,
    /// What is known about the patient beside the demographics.
    pub marks: Marks,
    /// False: retired by a merge, or not in use.
    pub active: bool,
    /// Further fields by the names a model gives them, such as `postcode`.
    pub other: Vec<(String, String)>,
}

impl Stated {
    /// An empty statement about a record, to be filled.
    pub fn new(record: LogicalId, source: &str) -> Stated {
        Stated {
            record,
            source: source.to_owned(),
            born: 0,
            names: Vec::new(),
            sex: None,
            birth_date: String::new(),
            identifiers: Vec::new(),
            phones: Vec::new(),
            address: String::new(),
            marks: Marks::default(),
            active: true,
            other: Vec::new(),
        }
    }
}

impl fmt::Debug for Stated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stated").field("record", &self.record).finish_non_exhaustive()
    }
}

/// A name as written, with the pinyin that stood beside it or instead of it. One of the two may be empty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StatedName {
    /// The written name.
    pub written: String,
    /// Pinyin, such as `ZHANG^SAN` (DICOM PN).
    pub pinyin: String,
}

/// A number or card of the patient.
#[derive(Clone, PartialEq, Eq)]
pub struct StatedIdentifier {
    /// What kind of number it is; decides whether it can be strong and whether it lasts a life.
    pub class: Class,
    /// The canonical system of the authority that assigned it. Numbers are compared within one system only.
    pub system: String,
    /// The number.
    pub value: String,
    /// How it came.
    pub obtained: Obtained,
    /// False: after the end of its period. It still finds the person, and is never strong.
    pub in_period: bool,
}

/// Kinds of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// 居民身份证 (GB 11643).
    Resident,
    /// 外国人永久居留身份证.
    ForeignPermanent,
    /// 港澳台居民居住证.
    HkMoTwResidence,
    /// 护照.
    Passport,
    /// 港澳居民来往内地通行证, 台湾居民来往大陆通行证 and other permits.
    Permit,
    /// 医保 psn_no.
    InsuranceNumber,
    /// 社保卡, the physical card; reissued in a life.
    InsuranceCard,
    /// 电子健康卡.
    HealthCard,
    /// 就诊卡 of one hospital.
    VisitCard,
    /// The patient's number in one system (HL7 MR, PI, PT).
    MedicalRecord,
    /// 出生医学证明.
    BirthCertificate,
    /// The number of an unidentified patient (无名氏).
    Anonymous,
    /// A visit or account number; never takes part in matching.
    Visit,
    /// A number whose kind is not known; never strong.
    Untyped,
    /// Any other number.
    Other,
}

impl Class {
    /// Every class with the name it has in model files.
    pub const NAMES: [(Class, &'static str); 15] = [
        (Class::Resident, "resident"),
        (Class::ForeignPermanent, "foreign-permanent"),
        (Class::HkMoTwResidence, "hk-mo-tw-residence"),
        (Class::Passport, "passport"),
        (Class::Permit, "permit"),
        (Class::InsuranceNumber, "insurance-number"),
        (Class::InsuranceCard, "insurance-card"),
        (Class::HealthCard, "health-card"),
        (Class::VisitCard, "visit-card"),
        (Class::MedicalRecord, "medical-record"),
        (Class::BirthCertificate, "birth-certificate"),
        (Class::Anonymous, "anonymous"),
        (Class::Visit, "visit"),
        (Class::Untyped, "untyped"),
        (Class::Other, "other"),
    ];

    /// The name in model files.
    pub fn name(self) -> &'static str {
        Class::NAMES[self as usize].1
    }

    /// The class with that name.
    pub fn parse(name: &str) -> Option<Class> {
        Class::NAMES.iter().find(|(_, known)| *known == name).map(|(class, _)| *class)
    }
}

/// How a number was obtained, surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Obtained {
    /// Read from the chip of a card.
    Chip,
    /// From a QR code that expires.
    DynamicQr,
    /// From a QR code that does not; counts as typed.
    StaticQr,
    /// Typed by a person.
    Typed,
    /// Sent by another system.
    Feed,
}

/// What is known about a patient beside the demographics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// A newborn who is named by the mother.
    pub newborn: bool,
    /// 1 for the first of several born together.
    pub birth_order: Option<u8>,
    /// An unidentified patient.
    pub anonymous: bool,
    /// The patient has died.
    pub deceased: bool,
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn every_class_of_numbers_is_found_by_its_name() {
        for (class, name) in Class::NAMES {
            assert_eq!(Class::parse(name), Some(class));
            assert_eq!(class.name(), name);
        }
    }
}
