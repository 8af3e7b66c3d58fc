//! What a FHIR Patient states about a person: the record as one source knows it, and what in it contradicts itself.
//!
//! Nothing is mended here. A number that does not agree with the birth date or the sex beside it is named in an issue and stays as it is.

use dukou_fhir::{Issue, IssueType, LogicalId, Text, Value};
use dukou_terminology::gb11643;

use crate::stated::{Class, Marks, Obtained, Stated, StatedIdentifier, StatedName};
use crate::systems::{Beside, Canonical, Gap, Systems, Written};
use crate::text::{self, Standing};

/// What is known about a record beside its Patient.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'o> {
    /// The record: the logical id of its Patient.
    pub record: &'o LogicalId,
    /// The system that states it; empty where it is to be told from the Patient itself ([`source_of`]).
    pub source: &'o str,
    /// When the record's first version came, in milliseconds since 1970.
    pub born: i64,
    /// The day of this version, `yyyy-MM-dd`: a number whose period ended before it is out of its period. Empty: no period has ended.
    pub day: &'o str,
}

/// Reads a Patient. The issues name what contradicts itself and what could not be told; none of them holds a value of the patient.
pub fn stated(patient: &Value<'_>, systems: &Systems, origin: &Origin<'_>) -> (Stated, Vec<Issue>) {
    let source = if origin.source.is_empty() { source_of(patient) } else { origin.source.to_owned() };
    let mut stated = Stated::new(origin.record.clone(), &source);
    stated.born = origin.born;
    stated.active = is_active(patient);
    stated.names = names(patient);
    stated.sex = patient.text_at("gender").and_then(sex);
    patient.text_at("birthDate").unwrap_or("").clone_into(&mut stated.birth_date);
    stated.phones = phones(patient);
    stated.address = patient.list_at("address").first().map(address).unwrap_or_default();
    let mut issues = Vec::new();
    stated.identifiers = identifiers(patient, systems, &stated, origin.day, &mut issues);
    stated.marks = marks(patient, &stated);
    leave_the_mothers_number(&mut stated, &mut issues);
    contradictions(&stated, &mut issues);
    (stated, issues)
}

/// The source of a Patient as it says itself: `meta.source`, else the system of its first number that a hospital system gave it. Empty
/// where it says nothing.
pub fn source_of(patient: &Value<'_>) -> String {
    if let Some(source) = patient.text_at("meta.source") {
        return source.split('#').next().unwrap_or(source).to_owned();
    }
    let of_a_system = |identifier: &&Value<'_>| {
        identifier.list_at("type.coding").iter().any(|coding| {
            coding.text_at("system") == Some(V2_TYPES) && matches!(coding.text_at("code"), Some("MR" | "PI" | "PT"))
        })
    };
    let found =
        patient.list_at("identifier").iter().find(of_a_system).and_then(|identifier| identifier.text_at("system"));
    found.unwrap_or("").to_owned()
}

/// Whether the record is in use: not inactive, and not retired by a merge.
fn is_active(patient: &Value<'_>) -> bool {
    let retired = patient.list_at("link").iter().any(|link| link.text_at("type") == Some("replaced-by"));
    patient.get("active").and_then(Value::as_bool) != Some(false) && !retired
}

/// Names, the usual one first, former ones last. A name in pinyin belongs to the written one where there is one of each.
fn names(patient: &Value<'_>) -> Vec<StatedName> {
    let mut written: Vec<(u8, String)> = Vec::new();
    let mut pinyin: Vec<(u8, String)> = Vec::new();
    for name in patient.list_at("name") {
        let rank = rank(name.text_at("use"));
        match representation(name) {
            Some("SYL" | "ABC") => pinyin.push((rank, parts(name, "^"))),
            _ => written.push((rank, full(name))),
        }
    }
    written.retain(|(_, name)| !name.is_empty());
    pinyin.retain(|(_, name)| !name.is_empty());
    written.sort_by_key(|(rank, _)| *rank);
    pinyin.sort_by_key(|(rank, _)| *rank);
    let mut names: Vec<StatedName> =
        written.into_iter().map(|(_, written)| StatedName { written, pinyin: String::new() }).collect();
    let mut spelled = pinyin.into_iter().map(|(_, pinyin)| pinyin);
    match (names.first_mut(), spelled.next()) {
        (Some(usual), Some(pinyin)) => usual.pinyin = pinyin,
        (None, Some(pinyin)) => names.push(StatedName { written: String::new(), pinyin }),
        (_, None) => {}
    }
    names.extend(spelled.map(|pinyin| StatedName { written: String::new(), pinyin }));
    names
}

fn rank(used: Option<&str>) -> u8 {
    match used {
        Some("official") => 0,
        Some("usual") | None => 1,
        Some("old" | "maiden") => 3,
        _ => 2,
    }
}

/// How a name is written: `IDE` in characters, `SYL` or `ABC` in letters (ISO 21090).
fn representation<'v>(name: &'v Value<'_>) -> Option<&'v str> {
    let extension =
        name.list_at("extension").iter().find(|extension| extension.text_at("url") == Some(REPRESENTATION))?;
    extension.text_at("valueCode")
}

/// A written name: as one text where there is one, else surname and given names; without a blank between characters.
fn full(name: &Value<'_>) -> String {
    match name.text_at("text") {
        Some(text) => text.to_owned(),
        None => {
            let letters = |text: &str| text.bytes().any(|byte| byte.is_ascii_alphabetic());
            let latin = name.text_at("family").is_some_and(letters);
            parts(name, if latin { " " } else { "" })
        }
    }
}

fn parts(name: &Value<'_>, between: &str) -> String {
    let given: Vec<&str> = name.list_at("given").iter().filter_map(Value::as_str).collect();
    match (name.text_at("family"), given.is_empty()) {
        (Some(family), true) => family.to_owned(),
        (Some(family), false) => format!("{family}{between}{}", given.join(if between.is_empty() { "" } else { " " })),
        (None, false) => given.join(" "),
        (None, true) => name.text_at("text").unwrap_or("").to_owned(),
    }
}

/// GB/T 2261.1 for a code of administrative gender.
fn sex(gender: &str) -> Option<char> {
    match gender {
        "male" => Some('1'),
        "female" => Some('2'),
        "other" => Some('9'),
        "unknown" => Some('0'),
        _ => None,
    }
}

fn phones(patient: &Value<'_>) -> Vec<String> {
    let is_phone = |telecom: &&Value<'_>| {
        matches!(telecom.text_at("system"), None | Some("phone" | "sms")) && telecom.text_at("use") != Some("old")
    };
    patient
        .list_at("telecom")
        .iter()
        .filter(is_phone)
        .filter_map(|telecom| telecom.text_at("value"))
        .map(str::to_owned)
        .collect()
}

fn address(address: &Value<'_>) -> String {
    if let Some(text) = address.text_at("text") {
        return text.to_owned();
    }
    let mut line = String::new();
    for part in ["state", "city", "district"] {
        line.push_str(address.text_at(part).unwrap_or(""));
    }
    address.list_at("line").iter().filter_map(Value::as_str).for_each(|part| line.push_str(part));
    line
}

fn identifiers(
    patient: &Value<'_>,
    systems: &Systems,
    stated: &Stated,
    day: &str,
    issues: &mut Vec<Issue>,
) -> Vec<StatedIdentifier> {
    let beside = Beside { source: &stated.source, birth_date: &stated.birth_date, sex: stated.sex };
    let mut found: Vec<StatedIdentifier> = Vec::new();
    for (place, identifier) in patient.list_at("identifier").iter().enumerate() {
        let Some(value) = identifier.text_at("value") else { continue };
        let types: Vec<(&str, &str)> = identifier
            .list_at("type.coding")
            .iter()
            .map(|coding| (coding.text_at("system").unwrap_or(""), coding.text_at("code").unwrap_or("")))
            .collect();
        let written = Written {
            system: identifier.text_at("system").unwrap_or(""),
            types: &types,
            text: identifier.text_at("type.text").unwrap_or(""),
            assigner: assigner(identifier),
            value,
        };
        let Canonical { class, system, gap } = systems.canonical(&written, &beside);
        issues.extend(gap.map(|gap| could_not_tell(&gap).at(format!("Patient.identifier[{place}]"))));
        let one = StatedIdentifier {
            class,
            system,
            value: value.to_owned(),
            obtained: obtained(identifier),
            in_period: in_period(identifier, day),
        };
        // One number may stand twice, under two names of its system.
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// The organisation that assigned a number: its code, else its name.
fn assigner<'v>(identifier: &'v Value<'_>) -> &'v str {
    let paths = ["assigner.identifier.value", "assigner.display", "assigner.reference"];
    paths.iter().find_map(|path| identifier.text_at(path)).unwrap_or("")
}

/// How the number came; what came with a message and says nothing came by feed.
fn obtained(identifier: &Value<'_>) -> Obtained {
    let extension = identifier.list_at("extension").iter().find(|extension| extension.text_at("url") == Some(OBTAINED));
    match extension.and_then(|extension| extension.text_at("valueCode")) {
        Some("chip") => Obtained::Chip,
        Some("qr-dynamic") => Obtained::DynamicQr,
        Some("qr-static") => Obtained::StaticQr,
        Some("typed") => Obtained::Typed,
        _ => Obtained::Feed,
    }
}

/// Whether the number was good on that day. Dates compare as text; a shorter one holds to its end.
fn in_period(identifier: &Value<'_>, day: &str) -> bool {
    let end = identifier.text_at("period.end").map(|end| end.get(..10).unwrap_or(end));
    let over = end.is_some_and(|end| !day.is_empty() && end < day && !day.starts_with(end));
    !over && identifier.text_at("use") != Some("old")
}

fn marks(patient: &Value<'_>, stated: &Stated) -> Marks {
    let order = patient.get("multipleBirthInteger").and_then(Value::as_number).and_then(|order| order.parse().ok());
    let several = patient.get("multipleBirthBoolean").and_then(Value::as_bool) == Some(true);
    let unnamed = patient.list_at("name").iter().any(|name| name.text_at("use") == Some("anonymous"));
    let dead = patient.get("deceasedBoolean").and_then(Value::as_bool) == Some(true);
    let called = |standing| stated.names.iter().any(|name| text::standing(&name.written) == standing);
    Marks {
        newborn: called(Standing::Newborn),
        birth_order: order.or(several.then_some(0)),
        anonymous: unnamed || called(Standing::Placeholder) || has(stated, Class::Anonymous),
        deceased: dead || patient.text_at("deceasedDateTime").is_some(),
    }
}

fn has(stated: &Stated, class: Class) -> bool {
    stated.identifiers.iter().any(|identifier| identifier.class == class)
}

/// A newborn is registered under the number of the mother: it stays where it was written and says nothing about who the child is.
fn leave_the_mothers_number(stated: &mut Stated, issues: &mut Vec<Issue>) {
    if !stated.marks.newborn && !has(stated, Class::BirthCertificate) {
        return;
    }
    let born = year(&stated.birth_date);
    let before = stated.identifiers.len();
    stated.identifiers.retain(|identifier| {
        let of_number = gb11643::parse(&identifier.value).ok().map(|number| i32::from(number.birth().0));
        let older = matches!((born, of_number), (Some(born), Some(other)) if born - other >= MOTHER_YEARS_MIN);
        !(older && LIFELONG.contains(&identifier.class))
    });
    if stated.identifiers.len() < before {
        issues.push(warning(
            "number-of-the-mother",
            "the identity number of a grown person on the record of a newborn; it belongs on RelatedPerson",
            "新生儿记录上的成人证件号码，应登记在 RelatedPerson 上",
            "Patient.identifier",
        ));
    }
}

fn year(date: &str) -> Option<i32> {
    date.get(..4)?.parse().ok()
}

/// What the parts of a record say against each other.
fn contradictions(stated: &Stated, issues: &mut Vec<Issue>) {
    for number in stated.identifiers.iter().filter(|identifier| LIFELONG.contains(&identifier.class)) {
        let Ok(parts) = gb11643::parse(&number.value) else { continue };
        if stated.birth_date.len() == 10 && parts.birth_date() != stated.birth_date {
            issues.push(warning(
                "birth-date-against-number",
                "the birth date is not the one in the identity number",
                "出生日期与证件号码中的日期不一致",
                "Patient.birthDate",
            ));
        }
        if matches!(stated.sex, Some('1' | '2')) && stated.sex != Some(parts.sex()) {
            issues.push(warning(
                "sex-against-number",
                "the sex is not the one in the identity number",
                "性别与证件号码中的性别位不一致",
                "Patient.gender",
            ));
        }
    }
}

fn could_not_tell(gap: &Gap) -> Issue {
    let (code, text) = match gap {
        Gap::Bare => (
            "untyped-number",
            Text::new(
                "nothing says what kind of number this is; it is never strong",
                "未说明证件类型，该号码不作为强标识",
            ),
        ),
        Gap::UnknownCertificate { table, edition } => (
            "unknown-certificate",
            Text::new(
                format!(
                    "the table {table} ({edition}) has no row for this kind of certificate; the number is never strong"
                ),
                format!("码表 {table}（{edition}）没有该证件类型，该号码不作为强标识"),
            ),
        ),
        Gap::UnknownAuthority => (
            "unknown-authority",
            Text::new(
                "an identity number under a system that no file names; add the system as an alias to compare it",
                "证件号码的系统未登记；请在 systems.toml 中登记为别名后方可比对",
            ),
        ),
    };
    Issue::warning(IssueType::CodeInvalid, code, text)
}

fn warning(code: &'static str, en: &str, zh: &str, place: &str) -> Issue {
    Issue::warning(IssueType::BusinessRule, code, Text::new(en, zh)).at(place)
}

/// Numbers with the birth date and the sex in their digits.
const LIFELONG: [Class; 3] = [Class::Resident, Class::HkMoTwResidence, Class::ForeignPermanent];
/// A number that many years older than a newborn is that of a parent.
const MOTHER_YEARS_MIN: i32 = 12;
const V2_TYPES: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
const REPRESENTATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation";
/// How a number was obtained, on the identifier: `chip`, `qr-dynamic`, `qr-static`, `typed` or `feed`.
const OBTAINED: &str = "https://dukou.dev/fhir/StructureDefinition/obtained";

#[cfg(test)]
mod tests;
