//! What each medium states, how sure it is, and what is refused.

use dukou_fhir::{Instant, LogicalId, Offset, validate};

use super::{Counter, Medium, Reading, read};
use crate::stated::{Class, Obtained};

fn counter(now: &str) -> Counter<'static> {
    Counter {
        now: Instant::parse(now).unwrap(),
        zone: Offset::parse("+08:00").unwrap(),
        visit_card_system: "https://h01.example.cn/visit-card",
    }
}

fn at_desk(medium: Medium, payload: &str) -> Result<Reading, Vec<&'static str>> {
    read(medium, payload, &counter("2026-11-21T08:30:00+08:00"))
        .map_err(|issues| issues.iter().map(|issue| issue.code).collect())
}

fn codes(reading: &Reading) -> Vec<&'static str> {
    reading.issues.iter().map(|issue| issue.code).collect()
}

const CHIP: &str = r#"{"name":"彭䶮","sex":"男","nation":"汉","birthDate":"19901231","address":"示范省示范市1号",
    "idNumber":"86010119901231019x","validFrom":"20180101","validUntil":"20380101"}"#;

const ANSWER: &str = r#"{"request":{"cainfo":"C","sign_no":"S","input":{"data":{"mdtrt_cert_type":"03","mdtrt_cert_no":"ZZ0000017",
    "card_sn":"SN1","psn_cert_type":"01","certno":"86010119901231019X","psn_name":"彭䶮"}}},
    "response":{"infcode":"0","output":{"baseinfo":{"psn_no":"9901","psn_cert_type":"01","certno":"86010119901231019X",
    "psn_name":"彭䶮","gend":"1","naty":"01","brdy":"1990-12-31","age":"35.9"},
    "insuinfo":[{"balc":"1024.50","emp_name":"E","insutype":"310"}]}}}"#;

#[test]
fn a_chip_states_the_person_and_its_number_came_from_the_chip() {
    let reading = at_desk(Medium::ResidentCard, CHIP).unwrap();
    assert_eq!((reading.name.as_str(), reading.sex, reading.birth_date.as_str()), ("彭䶮", Some('1'), "1990-12-31"));
    let number = &reading.numbers[0];
    assert_eq!((number.class, number.value.as_str()), (Class::Resident, "86010119901231019X"));
    assert_eq!((number.obtained, reading.in_doubt), (Obtained::Chip, false));
    assert!(reading.issues.is_empty() && reading.names_a_person());
}

#[test]
fn the_number_of_an_expired_card_counts_as_typed() {
    let reading = at_desk(Medium::ResidentCard, &CHIP.replace("20380101", "2026.11.20")).unwrap();
    assert_eq!((codes(&reading), reading.numbers[0].obtained), (vec!["card-expired"], Obtained::Typed));
    let reading = at_desk(Medium::ResidentCard, &CHIP.replace("20380101", "2026.11.21")).unwrap();
    assert!(reading.issues.is_empty(), "its last day counts");
    assert!(at_desk(Medium::ResidentCard, &CHIP.replace("20380101", "长期")).unwrap().issues.is_empty());
}

#[test]
fn a_number_that_contradicts_itself_or_what_stands_beside_it_puts_the_reading_in_doubt() {
    for (from, to, code) in [
        ("86010119901231019x", "860101199012310190", "check-digit"),
        ("19901231\"", "19901230\"", "number-other-birth-date"),
        ("男", "女", "number-other-sex"),
    ] {
        let reading = at_desk(Medium::ResidentCard, &CHIP.replace(from, to)).unwrap();
        assert_eq!((codes(&reading), reading.in_doubt), (vec![code], true));
    }
}

#[test]
fn the_answer_of_the_insurance_states_three_numbers_and_keeps_nothing_forbidden() {
    let reading = at_desk(Medium::InsuranceCard, ANSWER).unwrap();
    let classes: Vec<Class> = reading.numbers.iter().map(|number| number.class).collect();
    assert_eq!(classes, [Class::Resident, Class::InsuranceNumber, Class::InsuranceCard]);
    assert_eq!((reading.dropped, reading.obtained), (4, Obtained::Chip));
    assert!(!reading.in_doubt && reading.issues.is_empty());
}

#[test]
fn request_and_answer_of_the_insurance_must_name_the_same_person() {
    let other = ANSWER.replacen("86010119901231019X\",\"psn_name", "860101198808080091\",\"psn_name", 1);
    let reading = at_desk(Medium::InsuranceCard, &other).unwrap();
    assert_eq!((codes(&reading), reading.in_doubt), (vec!["answer-disagrees"], true));
    let failed = ANSWER.replace("\"infcode\":\"0\"", "\"infcode\":\"-1\"");
    assert_eq!(at_desk(Medium::InsuranceCard, &failed), Err(vec!["lookup-failed"]));
}

#[test]
fn a_look_up_by_the_electronic_credential_never_takes_its_token_for_a_card_number() {
    let asked = ANSWER.replace("\"mdtrt_cert_type\":\"03\"", "\"mdtrt_cert_type\":\"01\"");
    let reading = at_desk(Medium::InsuranceCard, &asked).unwrap();
    assert_eq!((reading.dropped, reading.obtained), (5, Obtained::DynamicQr));
    assert!(reading.numbers.iter().all(|number| number.value != "ZZ0000017"));
}

#[test]
fn an_electronic_credential_states_the_holder_and_drops_its_token() {
    let payload = r#"{"code":0,"data":{"userName":"彭䶮","idNo":"86010119901231019X","idType":"01","ecToken":"TOKEN-17",
        "insuOrg":"860101","ecIndexNo":"INDEX-17","gender":"男","birthday":"1990-12-31"}}"#;
    let reading = at_desk(Medium::InsuranceCredential, payload).unwrap();
    assert_eq!((reading.dropped, reading.obtained), (1, Obtained::DynamicQr));
    assert_eq!(reading.numbers.len(), 2);
    let refused = payload.replace("\"code\":0", "\"code\":500");
    assert_eq!(at_desk(Medium::InsuranceCredential, &refused), Err(vec!["lookup-failed"]));
}

#[test]
fn a_health_code_counts_as_typed_without_expiry_and_not_at_all_after_it() {
    let code = |text: &str| at_desk(Medium::HealthCard, text).map(|reading| reading.obtained);
    assert_eq!(code("99EHC017:1"), Ok(Obtained::StaticQr));
    assert_eq!(code("99EHC017:0:20261121083500"), Ok(Obtained::DynamicQr));
    assert_eq!(code("99EHC017:0:20261121083000"), Ok(Obtained::DynamicQr), "the last second counts");
    assert_eq!(code("99EHC017:0:20261121082959"), Err(vec!["code-expired"]));
    for bad in ["99EHC017", "99EHC017:0:20261321083000", "99EHC017:0:2026", ":1", "a:b:c:d"] {
        assert_eq!(code(bad), Err(vec!["payload-unreadable"]), "{bad}");
    }
}

#[test]
fn the_look_up_of_a_health_card_names_its_holder() {
    let payload = r#"{"qr":"99EHC017:1","reply":{"name":"彭䶮","main_index":"MI17","id_type":"01","id_number":"86010119901231019X",
        "sex":"1","birthday":"1990-12-31","phone":"19900000017"}}"#;
    let reading = at_desk(Medium::HealthCard, payload).unwrap();
    let values: Vec<&str> = reading.numbers.iter().map(|number| number.value.as_str()).collect();
    assert_eq!(values, ["86010119901231019X", "MI17"]);
    assert_eq!(reading.phones, ["19900000017"]);
}

#[test]
fn a_card_of_the_house_belongs_to_the_house_and_passports_to_their_countries() {
    let card = at_desk(Medium::VisitCard, "K0000017").unwrap();
    assert_eq!(card.numbers[0].system, "https://h01.example.cn/visit-card");
    let passport = at_desk(Medium::Passport, r#"{"number":"e1234567","country":"utp","name":"TEST PERSON"}"#).unwrap();
    assert!(passport.numbers[0].system.ends_with("/passport-UTP"));
    assert_eq!(passport.numbers[0].value, "E1234567");
}

#[test]
fn a_birth_certificate_is_the_childs_and_the_mothers_number_never_is() {
    let payload = r#"{"certificateNo":"X860000017","name":"林小宝","sex":"男","birthDate":"2026-11-20","motherName":"林丽",
        "motherId":"86010119901231019X","birthOrder":"2"}"#;
    let reading = at_desk(Medium::BirthCertificate, payload).unwrap();
    assert_eq!((reading.numbers.len(), reading.marks.newborn, reading.marks.birth_order), (1, true, Some(2)));
    assert_eq!(reading.mother.as_ref().unwrap().number, "86010119901231019X");
}

#[test]
fn what_is_not_of_the_medium_is_refused_without_a_word_of_it() {
    for medium in Medium::CODES.map(|row| row.0) {
        for payload in ["", "{", "{}", "[1]", "null", "{\"data\":[]}", "{\"response\":7}", "\u{0}"] {
            if let Err(issues) = read(medium, payload, &counter("2026-11-21T08:30:00+08:00")) {
                assert!(!issues.is_empty());
            }
        }
    }
    let secret = at_desk(Medium::InsuranceCard, r#"{"baseinfo":{"psn_name":"CANARY"},"infcode":"0"}"#);
    assert_eq!(secret, Err(vec!["payload-unreadable"]));
    assert!(!format!("{:?}", at_desk(Medium::ResidentCard, CHIP)).contains("8601"));
}

#[test]
fn a_reading_makes_a_patient_that_is_valid_and_says_how_its_numbers_came() {
    for (medium, payload) in [
        (Medium::ResidentCard, CHIP),
        (Medium::InsuranceCard, ANSWER),
        (Medium::BirthCertificate, r#"{"number":"X1","name":"林小宝","birthOrder":"1"}"#),
    ] {
        let reading = at_desk(medium, payload).unwrap();
        let patient = reading.patient(&LogicalId::parse("p1").unwrap(), "urn:dukou:capture:t01");
        assert_eq!(validate::validate(&patient, &validate::Options::default()), []);
        let how = patient.text_at("identifier[0].extension[0].valueCode");
        assert_eq!(how, Some(reading.obtained.code()));
    }
}

#[test]
fn a_medium_is_known_by_its_code_and_by_its_number_in_registration_interfaces() {
    for (medium, code, number) in Medium::CODES {
        assert_eq!((Medium::parse(code), medium.code()), (Some(medium), code));
        assert!(number.is_empty() || Medium::parse(number) == Some(medium));
    }
    assert_eq!(Medium::parse(""), None);
}

/// A payload with one character changed, taken out or put in.
fn slipped(payload: &str, at: usize, with: char, kind: u8) -> String {
    let mut letters: Vec<char> = payload.chars().collect();
    let at = at % letters.len();
    match kind % 3 {
        0 => letters[at] = with,
        1 => drop(letters.remove(at)),
        _ => letters.insert(at, with),
    }
    letters.into_iter().collect()
}

proptest::proptest! {
    #[test]
    fn any_payload_is_read_or_refused_and_no_refusal_repeats_it(text in "\\PC{0,80}", medium in 0_usize..9) {
        let medium = Medium::CODES[medium].0;
        if let Err(issues) = read(medium, &text, &counter("2026-11-21T08:30:00+08:00")) {
            let said: Vec<String> = issues.iter().map(|issue| format!("{issue:?}")).collect();
            proptest::prop_assert!(!issues.is_empty());
            proptest::prop_assert!(text.chars().count() < 24 || said.iter().all(|said| !said.contains(&text)));
        }
    }

    #[test]
    fn a_slip_in_a_good_payload_never_panics_and_what_is_read_makes_a_valid_patient(
        at in 0_usize..700, with in proptest::char::any(), kind in 0_u8..3, which in 0_usize..2,
    ) {
        let (medium, payload) = [(Medium::ResidentCard, CHIP), (Medium::InsuranceCard, ANSWER)][which];
        if let Ok(reading) = at_desk(medium, &slipped(payload, at, with, kind)) {
            let patient = reading.patient(&LogicalId::parse("p1").unwrap(), "urn:dukou:capture:t01");
            let faults = validate::validate(&patient, &validate::Options::default());
            proptest::prop_assert!(faults.iter().all(|fault| !fault.severity.is_error()), "{faults:?}");
        }
    }
}
