//! The payload of each medium, as terminals and look-ups give it.

use dukou_fhir::{FhirDateTime, Instant, Issue, IssueType, LogicalId, Text, Value, json};

use dukou_terminology::gb11643::{self, Refusal};

use super::certificate::{self, RESIDENT};
use super::{Counter, Medium, Mother, Reading};
use crate::forbidden;
use crate::stated::{Class, Marks, Obtained, StatedIdentifier};

/// See [`super::read`].
pub(super) fn read(medium: Medium, payload: &str, counter: &Counter<'_>) -> Result<Reading, Vec<Issue>> {
    let payload = payload.trim();
    if payload.is_empty() || payload.len() > PAYLOAD_BYTES_MAX {
        return Err(vec![not_of_medium(medium)]);
    }
    let mut tree = match payload.as_bytes()[0] {
        b'{' => json::parse(payload.as_bytes(), &LIMITS).map_err(|_| vec![not_of_medium(medium)])?,
        _ => Value::from(payload),
    };
    let dropped = forbidden::purge(&mut tree);
    let read = match medium {
        Medium::ResidentCard => resident_card(&tree, counter),
        Medium::InsuranceCard => insurance_card(&tree),
        Medium::InsuranceCredential => insurance_credential(&tree),
        Medium::HealthCard => health_card(&tree, counter),
        Medium::VisitCard => visit_card(&tree, counter),
        Medium::Passport => passport(&tree),
        Medium::BirthCertificate => birth_certificate(&tree),
        Medium::Typed => typed(&tree),
        Medium::Booking => booking(&tree),
    };
    let mut reading = read.map_err(|issue| vec![issue.unwrap_or_else(|| not_of_medium(medium))])?;
    reading.numbers.retain(|number| !number.value.is_empty());
    reading.dropped = dropped;
    if reading.numbers.is_empty() {
        return Err(vec![not_of_medium(medium)]);
    }
    check_number(&mut reading);
    Ok(reading)
}

/// Nothing: the payload is not one of the medium. An issue: it is, and says why it cannot be used.
type Read = Result<Reading, Option<Issue>>;

/// The chip of a resident identity card (GA 450): number, name, sex, nation, birth date, address, validity.
fn resident_card(tree: &Value<'_>, counter: &Counter<'_>) -> Read {
    tree.as_object().ok_or(None)?;
    let mut reading = person(tree, Medium::ResidentCard, Obtained::Chip);
    reading.numbers.push(number(Class::Resident, RESIDENT, text(tree, NUMBER), Obtained::Chip));
    let until = date(&text(tree, VALID_UNTIL));
    if !until.is_empty() && until < today(counter) {
        // The number is the person's for life; the card proves nothing any more.
        reading.weaken(Obtained::Typed);
        let (en, zh) = ("the card has expired: its number counts as typed", "证件已过有效期：其号码按手工录入对待");
        reading.issues.push(Issue::warning(IssueType::Expired, "card-expired", Text::new(en, zh)));
    }
    Ok(reading)
}

/// Transaction 1101 of the medical insurance (人员基本信息获取): the answer, with the request where the terminal gives both.
fn insurance_card(tree: &Value<'_>) -> Read {
    let request =
        tree.get("request").map(|request| request.get("input.data").or(request.get("data")).unwrap_or(request));
    let answer = tree.get("response").unwrap_or(tree);
    succeeded(answer, "infcode")?;
    let base = answer.get("output.baseinfo").or(answer.get("baseinfo")).ok_or(None)?;
    let asked_by = request.map_or(String::new(), |asked| text(asked, &["mdtrtcerttype"]));
    let obtained = match asked_by.trim_start_matches('0') {
        "1" => Obtained::DynamicQr,
        _ => Obtained::Chip,
    };
    let mut reading = person(base, Medium::InsuranceCard, obtained);
    let (class, system) = certificate::of_insurance(&text(base, &["psncerttype"]));
    reading.numbers.push(number(class, system, text(base, NUMBER), obtained));
    reading.numbers.push(number(
        Class::InsuranceNumber,
        certificate::INSURANCE_NUMBER,
        text(base, &["psnno"]),
        obtained,
    ));
    if let Some(asked) = request {
        if asked_by.trim_start_matches('0') == "3" {
            let card = text(asked, &["mdtrtcertno"]);
            reading.numbers.push(number(Class::InsuranceCard, certificate::INSURANCE_CARD, card, obtained));
        }
        agree(&mut reading, "certno", &text(asked, &["certno"]), &text(base, NUMBER));
        agree(&mut reading, "psn_name", &text(asked, NAME), &text(base, NAME));
    }
    Ok(reading)
}

/// The answer to `ec.query` (医保电子凭证). Its token serves once and was dropped before this is called.
fn insurance_credential(tree: &Value<'_>) -> Read {
    let answer = tree.get("response").unwrap_or(tree);
    if answer.get("data").is_some() {
        succeeded(answer, "code")?;
    }
    let holder = answer.get("data").unwrap_or(answer);
    holder.as_object().ok_or(None)?;
    let mut reading = person(holder, Medium::InsuranceCredential, Obtained::DynamicQr);
    let (class, system) = certificate::of_insurance(&text(holder, &["idtype"]));
    reading.numbers.push(number(class, system, text(holder, NUMBER), Obtained::DynamicQr));
    let index = text(holder, &["ecindexno"]);
    reading.numbers.push(number(Class::Other, certificate::CREDENTIAL_INDEX, index, Obtained::DynamicQr));
    Ok(reading)
}

/// The code of an electronic health card, `ID:type` or `ID:type:expiry`, alone or beside what the look-up said.
fn health_card(tree: &Value<'_>, counter: &Counter<'_>) -> Read {
    let code = match tree {
        Value::String(code) => code.to_string(),
        _ => text(tree, &["qr", "qrcode", "code", "ehc"]),
    };
    let obtained = health_code(&code, counter)?;
    let holder = tree.get("reply").or(tree.get("response")).or(tree.get("data")).unwrap_or(tree);
    let mut reading = person(holder, Medium::HealthCard, obtained);
    let (class, system) = certificate::of_health(&text(holder, &["idtype"]));
    reading.numbers.push(number(class, system, text(holder, NUMBER), obtained));
    let index = Some(text(holder, &["mainindex", "ecardid"])).filter(|index| !index.is_empty());
    let own = index.unwrap_or_else(|| code.split(':').next().unwrap_or("").to_owned());
    reading.numbers.push(number(Class::HealthCard, certificate::HEALTH_CARD, own, obtained));
    Ok(reading)
}

/// How a code was obtained: one with an expiry is dynamic and refused when that has passed; one without counts as typed.
fn health_code(code: &str, counter: &Counter<'_>) -> Result<Obtained, Option<Issue>> {
    let parts: Vec<&str> = code.trim().split(':').collect();
    let plain = |part: &str| {
        !part.is_empty() && part.len() <= CODE_BYTES_MAX && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    match parts.as_slice() {
        [id, kind] if plain(id) && plain(kind) => Ok(Obtained::StaticQr),
        [id, kind, expiry] if plain(id) && plain(kind) => {
            let expiry = local_time(expiry, counter).ok_or(None)?;
            if expiry < counter.now {
                let (en, zh) =
                    ("the code has expired: let the patient show a new one", "二维码已过期：请患者刷新后重新出示");
                return Err(Some(Issue::error(IssueType::BusinessRule, "code-expired", Text::new(en, zh))));
            }
            Ok(Obtained::DynamicQr)
        }
        _ => Err(None),
    }
}

/// A card of one hospital: its number, known to that hospital only.
fn visit_card(tree: &Value<'_>, counter: &Counter<'_>) -> Read {
    let value = match tree {
        Value::String(number) => number.to_string(),
        _ => text(tree, &["number", "cardno", "kh", "jzkh"]),
    };
    let named = text(tree, &["system"]);
    let system = if named.is_empty() { counter.visit_card_system } else { &named };
    let mut reading = person(tree, Medium::VisitCard, Obtained::Typed);
    reading.numbers.push(number(Class::VisitCard, system, value, Obtained::Typed));
    Ok(reading)
}

fn passport(tree: &Value<'_>) -> Read {
    tree.as_object().ok_or(None)?;
    let mut reading = person(tree, Medium::Passport, Obtained::Typed);
    // A nationality beside a passport is a country, not a 民族.
    reading.nation.clear();
    // A number is one person's only within the country that issued it.
    let country = text(tree, &["country", "issuingcountry", "nationality"]).to_uppercase();
    let system = if country.is_empty() {
        certificate::PASSPORT.to_owned()
    } else {
        format!("{}-{country}", certificate::PASSPORT)
    };
    let value = text(tree, NUMBER).to_uppercase();
    reading.numbers.push(number(Class::Passport, &system, value, Obtained::Typed));
    Ok(reading)
}

/// A birth certificate (出生医学证明): the child's, with the mother beside it.
fn birth_certificate(tree: &Value<'_>) -> Read {
    tree.as_object().ok_or(None)?;
    let mut reading = person(tree, Medium::BirthCertificate, Obtained::Typed);
    let value = text(tree, &["certificate", "certificateno", "number", "csyxzmh"]);
    reading.numbers.push(number(Class::BirthCertificate, certificate::BIRTH_CERTIFICATE, value, Obtained::Typed));
    let order = text(tree, &["birthorder", "cssx"]).parse().ok().filter(|order| (1..=9).contains(order));
    reading.marks = Marks { newborn: true, birth_order: order, ..Marks::default() };
    let mother = Mother {
        name: text(tree, &["mothername", "mqxm"]),
        number: text(tree, &["motherid", "mothernumber", "mqsfzh"]),
    };
    reading.mother = Some(mother).filter(|mother| !mother.name.is_empty());
    Ok(reading)
}

/// What a person typed: at least a resident identity number, or the number of another certificate with its kind.
fn typed(tree: &Value<'_>) -> Read {
    let mut reading = person(tree, Medium::Typed, Obtained::Typed);
    let (value, kind) = match tree {
        Value::String(number) => (number.to_string(), String::new()),
        _ => (text(tree, NUMBER), text(tree, &["idtype", "zjlx", "certificatetype"])),
    };
    let (class, system) = if kind.is_empty() { (Class::Resident, RESIDENT) } else { certificate::of_health(&kind) };
    reading.numbers.push(number(class, system, value, Obtained::Typed));
    Ok(reading)
}

/// A reference to what was booked. It names nobody: whose it is stands in the resource.
fn booking(tree: &Value<'_>) -> Read {
    let reference = tree.as_str().ok_or(None)?;
    let kinds = ["Appointment/", "Task/", "ServiceRequest/"];
    let id = kinds.iter().find_map(|kind| reference.strip_prefix(kind)).ok_or(None)?;
    LogicalId::parse(id).ok_or(None)?;
    let mut reading = person(tree, Medium::Booking, Obtained::Feed);
    reading.numbers.push(number(Class::Visit, certificate::BOOKING, reference.to_owned(), Obtained::Feed));
    Ok(reading)
}

/// What every medium may say about the person.
fn person(tree: &Value<'_>, medium: Medium, obtained: Obtained) -> Reading {
    let phones = PHONES.iter().map(|name| text(tree, &[*name])).filter(|phone| !phone.is_empty()).collect();
    Reading {
        medium,
        obtained,
        numbers: Vec::new(),
        name: text(tree, NAME),
        sex: sex(&text(tree, SEX)),
        birth_date: date(&text(tree, BIRTH)),
        nation: text(tree, NATION),
        address: text(tree, ADDRESS),
        phones,
        marks: Marks::default(),
        mother: None,
        issues: Vec::new(),
        in_doubt: false,
        dropped: 0,
    }
}

impl Reading {
    /// The numbers came in a less certain way than the medium promises.
    fn weaken(&mut self, obtained: Obtained) {
        self.obtained = obtained;
        self.numbers.iter_mut().for_each(|number| number.obtained = obtained);
    }

    /// The parts of the reading contradict each other.
    fn doubt(&mut self, code: &'static str, en: String, zh: String) {
        self.in_doubt = true;
        self.issues.push(Issue::warning(IssueType::BusinessRule, code, Text::new(en, zh)));
    }
}

/// Request and answer must name the same person.
fn agree(reading: &mut Reading, leaf: &'static str, asked: &str, answered: &str) {
    if !asked.is_empty() && !answered.is_empty() && !asked.eq_ignore_ascii_case(answered) {
        let (en, zh) = (format!("request and answer differ in {leaf}"), format!("请求与应答的 {leaf} 不一致"));
        reading.doubt("answer-disagrees", en, zh);
    }
}

/// A resident identity number must agree with its own check digit, and with the birth date and sex beside it (GB 11643).
fn check_number(reading: &mut Reading) {
    let Some(at) = reading.numbers.iter().position(|number| number.class == Class::Resident) else {
        return;
    };
    let value = reading.numbers[at].value.clone();
    let read = if value.chars().count() == 15 { gb11643::upgrade(&value) } else { gb11643::parse(&value) };
    let number = match read {
        Ok(number) => number,
        Err(refusal) => {
            let code = if refusal == Refusal::Check { "check-digit" } else { "number-malformed" };
            let text = refusal.text();
            return reading.doubt(code, text.en, text.zh);
        }
    };
    if !reading.birth_date.is_empty() && number.birth_date() != reading.birth_date {
        let (en, zh) = ("the identity number names another birth date", "身份证号与出生日期不一致");
        reading.doubt("number-other-birth-date", en.to_owned(), zh.to_owned());
    }
    if matches!((reading.sex, number.sex()), (Some('1'), '2') | (Some('2'), '1')) {
        let (en, zh) = ("the identity number names the other sex", "身份证号与性别不一致");
        reading.doubt("number-other-sex", en.to_owned(), zh.to_owned());
    }
}

fn number(class: Class, system: &str, value: String, obtained: Obtained) -> StatedIdentifier {
    let value = if value.ends_with('x') { value.to_ascii_uppercase() } else { value };
    StatedIdentifier { class, system: system.to_owned(), value, obtained, in_period: true }
}

/// The look-up behind a reading must have succeeded.
fn succeeded(answer: &Value<'_>, leaf: &'static str) -> Result<(), Option<Issue>> {
    let said = answer.get(leaf).and_then(|code| code.as_str().or(code.as_number())).map(str::trim);
    if said == Some("0") {
        return Ok(());
    }
    let (en, zh) = (format!("the look-up did not succeed: {leaf} is not 0"), format!("查询未成功：{leaf} 不为 0"));
    Err(Some(Issue::error(IssueType::BusinessRule, "lookup-failed", Text::new(en, zh))))
}

/// The first member of these names that says something, blanks at its ends cut. Names are compared without case and joints.
fn text(tree: &Value<'_>, names: &[&str]) -> String {
    let Some(object) = tree.as_object() else {
        return String::new();
    };
    let plain =
        |name: &str| -> String { name.chars().filter(|c| !"_-. ".contains(*c)).flat_map(char::to_lowercase).collect() };
    for wanted in names {
        let found = object.iter().filter(|(name, _)| plain(name) == *wanted);
        for (_, value) in found {
            let said = value.as_str().or(value.as_number()).unwrap_or("").trim();
            if !said.is_empty() && said.len() <= LEAF_BYTES_MAX {
                return said.to_owned();
            }
        }
    }
    String::new()
}

/// GB/T 2261.1, its characters, or the letters of HL7.
fn sex(stated: &str) -> Option<char> {
    match stated {
        "1" | "男" | "男性" | "M" | "m" => Some('1'),
        "2" | "女" | "女性" | "F" | "f" => Some('2'),
        "0" | "未知" => Some('0'),
        "9" | "未说明" => Some('9'),
        _ => None,
    }
}

/// A date as FHIR writes it, of `yyyyMMdd`, `yyyy-MM-dd`, `yyyy.MM.dd`, `yyyy/MM/dd` or `yyyy年MM月dd日`; nothing where it is none, so also
/// of 长期.
fn date(stated: &str) -> String {
    let parts: Vec<&str> = stated.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let written = match parts.as_slice() {
        [all] if all.len() == 8 => format!("{}-{}-{}", &all[..4], &all[4..6], &all[6..]),
        [year, month, day, ..] if year.len() == 4 => format!("{year}-{month:0>2}-{day:0>2}"),
        _ => return String::new(),
    };
    if FhirDateTime::parse(&written).is_some() { written } else { String::new() }
}

/// `yyyyMMddHHmmss` in local time.
fn local_time(stated: &str, counter: &Counter<'_>) -> Option<Instant> {
    if stated.len() != 14 || !stated.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| &stated[from..to];
    let clock = format!("{}:{}:{}", part(8, 10), part(10, 12), part(12, 14));
    let written = format!("{}-{}-{}T{clock}", part(0, 4), part(4, 6), part(6, 8));
    FhirDateTime::parse_lenient(&written).map(|time| time.low(counter.zone))
}

/// The local date of the capture.
fn today(counter: &Counter<'_>) -> String {
    let local = counter.now.as_millis() + i64::from(counter.zone.minutes()) * 60_000;
    let (year, month, day, _) = Instant::from_millis(local).calendar();
    format!("{year:04}-{month:02}-{day:02}")
}

fn not_of_medium(medium: Medium) -> Issue {
    let code = medium.code();
    let en = format!("the payload is not one of the medium {code}, or names no number");
    Issue::error(IssueType::Value, "payload-unreadable", Text::new(en, format!("载荷不符合介质 {code}，或未包含号码")))
}

const NAME: &[&str] = &["name", "psnname", "username", "xm", "姓名", "patientname"];
const SEX: &[&str] = &["sex", "gender", "gend", "xb", "性别"];
const BIRTH: &[&str] = &["birth", "birthdate", "birthday", "brdy", "csrq", "出生", "出生日期", "born"];
const NATION: &[&str] = &["nation", "naty", "ethnicity", "mz", "民族", "nationality"];
const ADDRESS: &[&str] = &["address", "addr", "zz", "住址"];
const NUMBER: &[&str] =
    &["number", "idno", "idnumber", "certno", "cardno", "sfzh", "sfzhm", "zjhm", "公民身份号码", "passportno"];
const VALID_UNTIL: &[&str] = &["validuntil", "validto", "enddate", "expirydate", "expiry", "yxqjzrq", "有效期限"];
const PHONES: [&str; 5] = ["phone", "mobile", "tel", "sjh", "cellphone"];

const LIMITS: json::Limits = json::Limits { depth_max: 16, values_max: 10_000 };
const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
const LEAF_BYTES_MAX: usize = 1_024;
const CODE_BYTES_MAX: usize = 128;
