//! Patients as the maps write them, and what they state.

use dukou_fhir::{LogicalId, json};

use super::{Origin, source_of, stated};
use crate::stated::{Class, Obtained, Stated};

const RESIDENT: &str = "https://dukou.dev/fhir/system/CHN-resident-identity-card";
const V2: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";

/// The statement of a Patient with these members, and the codes of its issues.
fn read(members: &str) -> (Stated, Vec<&'static str>) {
    let text = format!(r#"{{"resourceType":"Patient",{members}}}"#);
    let patient = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
    let record = LogicalId::parse("p1").unwrap();
    let origin = Origin { record: &record, source: "HIS1", born: 7, day: "2026-11-22" };
    let (stated, issues) = stated(&patient, &crate::systems::tests::shipped(), &origin);
    (stated, issues.iter().map(|issue| issue.code).collect())
}

fn names(members: &str) -> Vec<(String, String)> {
    read(members).0.names.into_iter().map(|name| (name.written, name.pinyin)).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(written, pinyin)| ((*written).to_owned(), (*pinyin).to_owned())).collect()
}

#[test]
fn the_written_name_and_its_pinyin_are_one_name() {
    let representation = |code: &str| {
        format!(
            r#""extension":[{{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation","valueCode":"{code}"}}]"#
        )
    };
    let both = format!(
        r#""name":[{{"use":"official","family":"Wang","given":["Xiuying"],{}}},{{"use":"official","family":"王","given":["秀英"],{}}},{{"use":"maiden","family":"陈","given":["秀英"]}}]"#,
        representation("ABC"),
        representation("IDE")
    );
    assert_eq!(names(&both), pairs(&[("王秀英", "Wang^Xiuying"), ("陈秀英", "")]));
    let only = format!(r#""name":[{{"text":"WANG^XIUYING",{}}}]"#, representation("SYL"));
    assert_eq!(names(&only), pairs(&[("", "WANG^XIUYING")]));
    assert_eq!(names(r#""name":[{"text":"罗渡口"}]"#), pairs(&[("罗渡口", "")]));
    assert_eq!(names(r#""name":[{"family":"Doe","given":["Jane","Q"]}]"#), pairs(&[("Doe Jane Q", "")]));
}

#[test]
fn demographics_are_taken_as_they_stand() {
    let (stated, issues) = read(
        r#""active":true,"gender":"female","birthDate":"1985-07-14","telecom":[{"system":"phone","value":"19900000061"},{"system":"email","value":"a@example.cn"},{"value":"0512 6690011"}],
        "address":[{"state":"江苏省","city":"苏州市","line":["渡口路20号"]}],"multipleBirthInteger":2,"deceasedBoolean":false"#,
    );
    assert_eq!((stated.sex, stated.birth_date.as_str(), stated.born), (Some('2'), "1985-07-14", 7));
    assert_eq!(stated.phones, ["19900000061", "0512 6690011"]);
    assert_eq!(stated.address, "江苏省苏州市渡口路20号");
    assert_eq!((stated.marks.birth_order, stated.marks.deceased, stated.active), (Some(2), false, true));
    assert!(issues.is_empty(), "{issues:?}");
}

#[test]
fn a_birth_date_or_a_sex_against_the_number_is_named_and_nothing_is_changed() {
    let number = format!(r#""identifier":[{{"system":"{RESIDENT}","value":"860202198507140329"}}]"#);
    let (stated, issues) = read(&format!(r#"{number},"gender":"male","birthDate":"1985-07-15""#));
    assert_eq!(issues, ["birth-date-against-number", "sex-against-number"]);
    assert_eq!((stated.sex, stated.birth_date.as_str()), (Some('1'), "1985-07-15"));
    assert_eq!(stated.identifiers[0].value, "860202198507140329");
    assert!(
        read(&format!(r#"{number},"gender":"unknown","birthDate":"1985""#)).1.is_empty(),
        "unknown contradicts nothing"
    );
}

#[test]
fn a_number_of_unknown_kind_is_untyped_and_named() {
    let (stated, issues) = read(r#""identifier":[{"use":"official","value":"860202198507140329"}]"#);
    assert_eq!((stated.identifiers[0].class, issues), (Class::Untyped, vec!["untyped-number"]));
    let unknown =
        r#""identifier":[{"type":{"coding":[{"system":"urn:oid:2.16.156.10011.2.3.1.3","code":"77"}]},"value":"1"}]"#;
    assert_eq!(read(unknown).1, ["unknown-certificate"]);
    let foreign = format!(
        r#""identifier":[{{"system":"urn:oid:1.2.3","type":{{"coding":[{{"system":"{V2}","code":"NI"}}]}},"value":"1"}}]"#
    );
    assert_eq!(read(&foreign).1, ["unknown-authority"]);
}

#[test]
fn a_number_knows_how_it_was_obtained_and_whether_its_period_is_over() {
    let card = "https://dukou.dev/fhir/system/CHN-social-security-card";
    let of = |more: &str| {
        let (stated, _) = read(&format!(r#""identifier":[{{"system":"{card}","value":"A1"{more}}}]"#));
        (stated.identifiers[0].obtained, stated.identifiers[0].in_period)
    };
    assert_eq!(of(""), (Obtained::Feed, true));
    assert_eq!(of(r#","period":{"end":"2026-11-21T08:00:00+08:00"}"#), (Obtained::Feed, false));
    assert_eq!(of(r#","period":{"end":"2026-11"}"#), (Obtained::Feed, true), "the month is not over");
    assert_eq!(of(r#","use":"old""#), (Obtained::Feed, false));
    let chip = r#","extension":[{"url":"https://dukou.dev/fhir/StructureDefinition/obtained","valueCode":"chip"}]"#;
    assert_eq!(of(chip), (Obtained::Chip, true));
}

#[test]
fn the_number_of_a_mother_says_nothing_about_her_newborn() {
    let number = format!(r#"{{"system":"{RESIDENT}","value":"860202198507140329"}}"#);
    let child = format!(r#""name":[{{"text":"王芳之子"}}],"birthDate":"2026-11-20","identifier":[{number}]"#);
    let (stated, issues) = read(&child);
    assert!(stated.marks.newborn && stated.identifiers.is_empty());
    assert_eq!(issues, ["number-of-the-mother"]);
    let certificate = r#"{"system":"https://dukou.dev/fhir/system/CHN-birth-certificate","value":"Z990000041"}"#;
    let named =
        format!(r#""name":[{{"text":"林小宝"}}],"birthDate":"2026-11-20","identifier":[{number},{certificate}]"#);
    let (stated, _) = read(&named);
    assert_eq!(stated.identifiers.iter().map(|known| known.class).collect::<Vec<_>>(), [Class::BirthCertificate]);
    let mother =
        format!(r#""name":[{{"text":"王芳"}}],"gender":"female","birthDate":"1985-07-14","identifier":[{number}]"#);
    assert_eq!(read(&mother).0.identifiers.len(), 1);
}

#[test]
fn the_unidentified_are_marked_by_name_or_by_number() {
    assert!(read(r#""name":[{"family":"无名氏","use":"anonymous"}]"#).0.marks.anonymous);
    assert!(read(r#""name":[{"text":"无名氏2026111801"}]"#).0.marks.anonymous);
    let number = format!(
        r#""identifier":[{{"system":"urn:oid:1.2.3","type":{{"coding":[{{"system":"{V2}","code":"ANON"}}]}},"value":"1"}}]"#
    );
    assert!(read(&number).0.marks.anonymous);
    assert!(!read(r#""name":[{"text":"王芳"}]"#).0.marks.anonymous);
}

#[test]
fn a_retired_record_is_not_active_and_a_source_is_told_by_the_record_itself() {
    assert!(!read(r#""link":[{"type":"replaced-by","other":{"reference":"Patient/p2"}}]"#).0.active);
    assert!(!read(r#""active":false"#).0.active);
    let of = |members: &str| {
        let text = format!(r#"{{"resourceType":"Patient",{members}}}"#);
        source_of(&json::parse(text.as_bytes(), &json::Limits::default()).unwrap())
    };
    assert_eq!(of(r##""meta":{"source":"urn:his:1#abc"}"##), "urn:his:1");
    let record =
        format!(r#"{{"system":"urn:oid:1.2.3","type":{{"coding":[{{"system":"{V2}","code":"MR"}}]}},"value":"1"}}"#);
    assert_eq!(of(&format!(r#""identifier":[{{"system":"{RESIDENT}","value":"1"}},{record}]"#)), "urn:oid:1.2.3");
    assert_eq!(of(r#""gender":"male""#), "");
}
