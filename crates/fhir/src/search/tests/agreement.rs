//! For random resources and queries, the index and the scan find the same.

use std::fmt::Write;

use super::index::Index;
use super::{options, resource, site};
use crate::search::{Query, pairs, scan};
use crate::{ResourceType, Value};

/// A repeatable source of choices (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
    }

    fn one<'c>(&mut self, choices: &[&'c str]) -> &'c str {
        choices[self.below(choices.len())]
    }

    /// Some of the parts, joined by commas.
    fn some(&mut self, parts: &[String]) -> String {
        let chosen: Vec<&str> = parts.iter().filter(|_| self.below(3) > 0).map(String::as_str).collect();
        chosen.join(",")
    }
}

const FAMILIES: [&str; 8] = ["张", "欧阳", "Li", "LI", "Müller", "van der Berg", "ｌｉ", "𠮷田"];
const GIVEN: [&str; 6] = ["晓明", "Anna-Maria", "anna", "三", "Éve", "Maximiliane Theodora Adelheid"];
const DATES: [&str; 9] = [
    "2020",
    "2020-05",
    "2020-05-01",
    "2020-05-01T00:00:00+08:00",
    "2020-04-30T20:00:00Z",
    "2020-05-02T10:30:00.5+08:00",
    "1990-12-31",
    "2021-01-01",
    "2020-12",
];
const CODES: [&str; 5] = ["8480-6", "8462-4", "MR", "mr", "女"];
const SYSTEMS: [&str; 4] =
    ["http://loinc.org", "http://unitsofmeasure.org", "urn:oid:1.2.156", "http://hl7.org/fhir/x"];
const NUMBERS: [&str; 10] = ["5", "5.4", "5.40", "54e-1", "-3", "0", "100", "99.6", "1e2", "0.000001"];
const UNITS: [&str; 3] = ["mg", "mmol/L", "毫克"];
const PLACES: [&str; 8] = [
    "Patient/1",
    "Patient/2",
    "Patient/1/_history/2",
    "https://dukou.example/fhir/Patient/2",
    "http://else.example/Patient/1",
    "Group/1",
    "urn:uuid:1",
    "Practitioner/1",
];

fn coding(dice: &mut Dice) -> String {
    let system = format!(r#""system":"{}","#, dice.one(&SYSTEMS));
    let system = if dice.below(3) == 0 { "" } else { &system };
    format!(r#"{{{system}"code":"{}","display":"Systolic {}"}}"#, dice.one(&CODES), dice.one(&GIVEN))
}

fn quantity(dice: &mut Dice) -> String {
    let comparator = dice.one(&["", "", "", r#""comparator":"<","#, r#""comparator":">=","#]);
    let unit = dice.one(&UNITS);
    let code = if dice.below(2) == 0 {
        String::new()
    } else {
        format!(r#","system":"{}","code":"{unit}""#, dice.one(&SYSTEMS))
    };
    format!(r#"{{"value":{},{comparator}"unit":"{}"{code}}}"#, dice.one(&NUMBERS), dice.one(&UNITS))
}

fn patient(dice: &mut Dice, id: usize) -> String {
    let (family, given) = (dice.one(&FAMILIES), dice.one(&GIVEN));
    let elements = [
        format!(r#""name":[{{"family":"{family}","given":["{given}"]}},{{"text":"{} {family}"}}]"#, dice.one(&GIVEN)),
        format!(
            r#""identifier":[{{"system":"{}","value":"{}"}},{{"value":"{}"}}]"#,
            dice.one(&SYSTEMS),
            dice.one(&CODES),
            dice.one(&CODES)
        ),
        format!(r#""birthDate":"{}""#, dice.one(&["2020-05-01", "1990-12-31", "2020", "2020-05"])),
        format!(r#""gender":"{}""#, dice.one(&["male", "female", "unknown"])),
        format!(r#""active":{}"#, dice.one(&["true", "false"])),
        format!(
            r#""telecom":[{{"system":"{}","value":"1990000000{}"}}]"#,
            dice.one(&["phone", "email"]),
            dice.below(3)
        ),
        format!(r#""link":[{{"other":{{"reference":"{}"}}}}]"#, dice.one(&PLACES)),
        format!(
            r#""meta":{{"lastUpdated":"2020-05-0{}T10:00:00.123Z","profile":["http://x|{}"]}}"#,
            dice.below(3) + 1,
            dice.below(2)
        ),
    ];
    format!(r#"{{"resourceType":"Patient","id":"{id}",{}"deceasedBoolean":false}}"#, ended(dice.some(&elements)))
}

fn observation(dice: &mut Dice, id: usize) -> String {
    let value = match dice.below(5) {
        0 => format!(r#""valueQuantity":{}"#, quantity(dice)),
        1 => format!(r#""valueCodeableConcept":{{"coding":[{}],"text":"{}"}}"#, coding(dice), dice.one(&GIVEN)),
        2 => format!(r#""valueString":"{}""#, dice.one(&FAMILIES)),
        3 => format!(r#""valuePeriod":{{"start":"{}"}}"#, dice.one(&DATES)),
        _ => format!(r#""valueDateTime":"{}""#, dice.one(&DATES)),
    };
    let effective = match dice.below(3) {
        0 => format!(r#""effectivePeriod":{{"start":"{}","end":"2021-03-04"}}"#, dice.one(&DATES)),
        _ => format!(r#""effectiveDateTime":"{}""#, dice.one(&DATES)),
    };
    let elements = [
        format!(r#""code":{{"coding":[{},{}],"text":"{}"}}"#, coding(dice), coding(dice), dice.one(&GIVEN)),
        format!(r#""subject":{{"reference":"{}","identifier":{{"value":"{}"}}}}"#, dice.one(&PLACES), dice.one(&CODES)),
        format!(r#""performer":[{{"reference":"{}"}},{{"reference":"{}"}}]"#, dice.one(&PLACES), dice.one(&PLACES)),
        format!(r#""component":[{{"code":{{"coding":[{}]}},"valueQuantity":{}}}]"#, coding(dice), quantity(dice)),
        value,
        effective,
    ];
    format!(
        r#"{{"resourceType":"Observation","id":"{id}",{}"status":"{}"}}"#,
        ended(dice.some(&elements)),
        dice.one(&["final", "amended"])
    )
}

fn ended(elements: String) -> String {
    if elements.is_empty() { elements } else { elements + "," }
}

/// One random pair for a type.
fn pair(dice: &mut Dice, kind: &str) -> String {
    let prefix = dice.one(&["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]);
    let token = match dice.below(4) {
        0 => dice.one(&CODES).to_owned(),
        1 => format!("|{}", dice.one(&CODES)),
        2 => format!("{}|", dice.one(&SYSTEMS)),
        _ => format!("{}|{}", dice.one(&SYSTEMS), dice.one(&CODES)),
    };
    let unit = match dice.below(3) {
        0 => String::new(),
        1 => format!("||{}", dice.one(&UNITS)),
        _ => format!("|{}|{}", dice.one(&SYSTEMS), dice.one(&UNITS)),
    };
    let amount = format!("{prefix}{}{unit}", dice.one(&NUMBERS));
    let not = dice.one(&["", "", ":not", ":text"]);
    let text = dice.one(&["", "", ":contains", ":exact"]);
    let word = dice
        .one(&[&FAMILIES[..], &GIVEN[..], &["a", "欧", "b", "s", "maximiliane theodora adelheid x"][..]].concat())
        .to_owned();
    let place = dice.one(&[
        "1",
        "Patient/1",
        "Patient/2",
        "Patient/1/_history/2",
        "http://else.example/Patient/1",
        "urn:uuid:1",
    ]);
    match (kind, dice.below(12)) {
        (_, 0) => format!("_sort={}", dice.one(if kind == "Patient" { &PATIENT_SORTS } else { &OBSERVATION_SORTS })),
        (_, 1) => format!(
            "{}:missing={}",
            dice.one(if kind == "Patient" { &PATIENT_CODES } else { &OBSERVATION_CODES }),
            dice.one(&["true", "false"])
        ),
        (_, 2) => format!("_id{}={},7", dice.one(&["", ":not"]), dice.below(9)),
        ("Patient", 3) => format!("identifier{not}={token}"),
        ("Patient", 4) => format!("birthdate={prefix}{}", dice.one(&DATES)),
        ("Patient", 5) => format!(
            "{}={}",
            dice.one(&["gender", "gender:not"]),
            dice.one(&["male", "female,unknown", "http://hl7.org/fhir/administrative-gender|male"])
        ),
        ("Patient", 6) => format!("_lastUpdated={prefix}2020-05-0{}", dice.below(3) + 1),
        ("Patient", 7) => format!("link={place}"),
        ("Patient", 8) => format!("_has:Observation:{}:code={token}", dice.one(&["subject", "patient", "performer"])),
        ("Patient", 9) => format!("{}=1990000000{}", dice.one(&["phone", "email", "telecom"]), dice.below(3)),
        ("Patient", _) => format!("{}{text}={word}", dice.one(&["name", "family", "given"])),
        (_, 3) => format!("code{not}={token}"),
        (_, 4) => format!("date={prefix}{},{prefix}{}", dice.one(&DATES), dice.one(&DATES)),
        (_, 5) => format!("{}={amount}", dice.one(&["value-quantity", "combo-value-quantity"])),
        (_, 6) => format!("{}={place}", dice.one(&["subject", "patient", "performer", "subject:Patient"])),
        (_, 7) => format!("component-code-value-quantity={token}${amount}"),
        (_, 8) => format!("patient.name={word}"),
        (_, 9) => format!("subject:identifier={}", dice.one(&CODES)),
        (_, 10) => format!("value-string{text}={word}"),
        _ => format!("value-date={prefix}{}", dice.one(&DATES)),
    }
}

const PATIENT_SORTS: [&str; 7] =
    ["name", "-family", "birthdate", "-birthdate", "_lastUpdated", "-_lastUpdated,gender", "link"];
const OBSERVATION_SORTS: [&str; 6] = ["date", "-date", "code,-date", "value-quantity", "-value-quantity", "-subject"];
const PATIENT_CODES: [&str; 5] = ["name", "gender", "birthdate", "identifier", "_profile"];
const OBSERVATION_CODES: [&str; 5] = ["value-quantity", "date", "subject", "patient", "combo-code"];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(250))]
    #[test]
    fn index_and_scan_find_the_same(seed in 1u64..) {
        let mut dice = Dice(seed);
        let texts: Vec<String> = (0..16).map(|id| match id % 2 {
            0 => patient(&mut dice, id / 2),
            _ => observation(&mut dice, id / 2),
        }).collect();
        let resources: Vec<Value<'_>> = texts.iter().map(|text| resource(text)).collect();
        let index = Index::new(&resources, site());
        for _ in 0..40 {
            let kind = dice.one(&["Patient", "Observation"]);
            let mut url = pair(&mut dice, kind);
            if dice.below(2) == 0 {
                let second = pair(&mut dice, kind);
                if !(url.starts_with("_sort") && second.starts_with("_sort")) {
                    write!(url, "&{second}").unwrap();
                }
            }
            // A plus sign of a zone is sent escaped.
            let pairs = pairs(&url.replace('+', "%2B"));
            let query = Query::parse(ResourceType::parse(kind).unwrap(), &pairs, &options()).unwrap_or_else(|issues| panic!("{url}: {issues:?}"));
            assert_eq!(index.search(&query), scan(&query, &resources), "{kind}?{url}\n{}", texts.join("\n"));
        }
    }
}
