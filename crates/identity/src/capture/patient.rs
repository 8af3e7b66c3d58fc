//! The Patient that a reading makes where nobody is known yet.

use dukou_fhir::{LogicalId, Object, Value};

use super::Reading;
use crate::stated::{Class, StatedIdentifier};

impl Reading {
    /// A new Patient of what the reading states (FHIR R4, Patient): its numbers with how they were obtained, and nothing about the mother.
    /// `source` names the terminals' site, for `meta.source`.
    pub fn patient(&self, id: &LogicalId, source: &str) -> Value<'static> {
        let identifiers: Vec<Value<'static>> = self.numbers.iter().map(identifier).collect();
        let mut patient = Object::new()
            .with("resourceType", "Patient")
            .with("id", id.as_str().to_owned())
            .with("meta", Object::new().with("source", source.to_owned()));
        if !self.nation.is_empty() {
            let nation = Object::new()
                .with("url", ETHNIC_GROUP)
                .with("valueCodeableConcept", Object::new().with("text", self.nation.clone()));
            patient.insert("extension", vec![Value::from(nation)]);
        }
        patient.insert("identifier", identifiers);
        patient.insert("active", true);
        if !self.name.is_empty() {
            patient.insert("name", vec![Value::from(Object::new().with("text", self.name.clone()))]);
        }
        let phone = |phone: &String| -> Value<'static> {
            Object::new().with("system", "phone").with("value", phone.clone()).into()
        };
        if !self.phones.is_empty() {
            patient.insert("telecom", self.phones.iter().map(phone).collect::<Vec<_>>());
        }
        if let Some(sex) = self.sex {
            patient.insert("gender", gender(sex));
        }
        if !self.birth_date.is_empty() {
            patient.insert("birthDate", self.birth_date.clone());
        }
        if let Some(order) = self.marks.birth_order {
            patient.insert("multipleBirthInteger", u64::from(order));
        }
        if !self.address.is_empty() {
            patient.insert("address", vec![Value::from(Object::new().with("text", self.address.clone()))]);
        }
        patient.into()
    }
}

fn identifier(number: &StatedIdentifier) -> Value<'static> {
    let obtained = Object::new().with("url", OBTAINED).with("valueCode", number.obtained.code());
    let mut identifier = Object::new().with("extension", vec![Value::from(obtained)]);
    if let Some((code, text)) = kind(number.class) {
        let coding = Object::new().with("system", V2_0203).with("code", code);
        identifier.insert("type", Object::new().with("coding", vec![Value::from(coding)]).with("text", text));
    }
    if !number.system.is_empty() {
        identifier.insert("system", number.system.clone());
    }
    identifier.insert("value", number.value.clone());
    identifier.into()
}

/// The type of a number in HL7 table 0203, with its name.
fn kind(class: Class) -> Option<(&'static str, &'static str)> {
    match class {
        Class::Resident => Some(("NNCHN", "居民身份证")),
        Class::ForeignPermanent => Some(("PRC", "外国人永久居留身份证")),
        Class::Passport => Some(("PPN", "护照")),
        Class::InsuranceNumber => Some(("MB", "医保人员编号")),
        Class::InsuranceCard => Some(("SS", "社会保障卡")),
        Class::HealthCard => Some(("HC", "电子健康卡")),
        Class::VisitCard => Some(("MR", "就诊卡")),
        Class::BirthCertificate => Some(("BCT", "出生医学证明")),
        _ => None,
    }
}

fn gender(sex: char) -> &'static str {
    match sex {
        '1' => "male",
        '2' => "female",
        _ => "unknown",
    }
}

/// How a number was obtained, on `Patient.identifier`: `chip`, `qr-dynamic`, `qr-static`, `typed`, `feed`.
pub(super) const OBTAINED: &str = "https://dukou.dev/fhir/StructureDefinition/obtained";
const ETHNIC_GROUP: &str = "https://dukou.dev/fhir/StructureDefinition/ethnic-group";
const V2_0203: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
