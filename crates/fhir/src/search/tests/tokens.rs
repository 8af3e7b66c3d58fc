use super::super::{Alias, scan};
use super::index::Index;
use super::{finds, found, query, refused, resource, site};

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"1","status":"final",
    "identifier":[
      {"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}],"text":"住院号"},
      "system":"urn:oid:1.2.3","value":"Ab1"},{"value":"lone"}],
    "code":{"coding":[{"system":"http://loinc.org","code":"8480-6","display":"Systolic blood pressure"},
      {"code":"bp-s"}],"text":"收缩压"},
    "valueQuantity":{"value":1}}"#;

#[test]
fn a_code_is_found_with_its_system_with_any_and_with_none() {
    assert!(finds("Observation?code=http://loinc.org|8480-6", OBSERVATION));
    assert!(finds("Observation?code=8480-6", OBSERVATION));
    assert!(finds("Observation?code=|bp-s", OBSERVATION));
    assert!(!finds("Observation?code=|8480-6", OBSERVATION));
    assert!(finds("Observation?code=http://loinc.org|", OBSERVATION));
    assert!(!finds("Observation?code=http://snomed.info/sct|", OBSERVATION));
    assert!(!finds("Observation?code=http://snomed.info/sct|8480-6", OBSERVATION));
    assert!(finds("Observation?code=x,http://loinc.org|8480-6", OBSERVATION));
}

#[test]
fn case_counts_in_identifiers_and_not_in_codes() {
    assert!(finds("Observation?code=BP-S", OBSERVATION));
    assert!(finds("Observation?identifier=urn:oid:1.2.3|Ab1", OBSERVATION));
    assert!(!finds("Observation?identifier=urn:oid:1.2.3|ab1", OBSERVATION));
    assert!(!finds("Observation?identifier=ab1", OBSERVATION));
    assert!(finds("Observation?identifier=|lone", OBSERVATION));
    assert!(finds("Observation?identifier:not=ab1", OBSERVATION));
    assert!(!finds("Observation?identifier:not=Ab1", OBSERVATION));
}

#[test]
fn a_bound_code_has_the_system_of_its_binding() {
    assert!(finds("Observation?status=final", OBSERVATION));
    assert!(finds("Observation?status=http://hl7.org/fhir/observation-status|final", OBSERVATION));
    assert!(!finds("Observation?status=http://loinc.org|final", OBSERVATION));
    assert!(finds("Observation?status=preliminary,final", OBSERVATION));
}

#[test]
fn not_finds_those_without_the_code_and_without_any() {
    let bare = r#"{"resourceType":"Observation","id":"2"}"#;
    assert_eq!(found("Observation?code:not=8480-6", &[OBSERVATION, bare]), ["2"]);
    assert_eq!(found("Observation?code:not=x", &[OBSERVATION, bare]), ["1", "2"]);
    assert_eq!(found("Observation?code:not=x,bp-s", &[OBSERVATION, bare]), ["2"]);
    assert_eq!(found("Observation?status:missing=true", &[OBSERVATION, bare]), ["2"]);
    assert_eq!(found("Observation?status:missing=false", &[OBSERVATION, bare]), ["1"]);
    assert_eq!(found("Observation?_id=2,3", &[OBSERVATION, bare]), ["2"]);
    assert_eq!(found("Observation?_id:not=2", &[OBSERVATION, bare]), ["1"]);
}

#[test]
fn text_looks_at_what_stands_beside_the_code() {
    assert!(finds("Observation?code:text=systolic", OBSERVATION));
    assert!(finds("Observation?code:text=blood", OBSERVATION));
    assert!(finds("Observation?code:text=收缩", OBSERVATION));
    assert!(finds("Observation?identifier:text=住院", OBSERVATION));
    assert!(!finds("Observation?code:text=diastolic", OBSERVATION));
}

#[test]
fn of_type_needs_type_and_value_of_one_identifier() {
    let of_type = "Observation?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|";
    assert!(finds(&format!("{of_type}Ab1"), OBSERVATION));
    assert!(!finds(&format!("{of_type}lone"), OBSERVATION));
    assert_eq!(refused("Observation?identifier:of-type=MR|Ab1").0, "bad-parameter-value");
}

#[test]
fn booleans_contacts_and_assertions_are_tokens() {
    let patient = r#"{"resourceType":"Patient","id":"1","active":true,"deceasedDateTime":"2020-01-01",
        "telecom":[{"system":"phone","value":"19900000001"},{"system":"email","value":"Li@example.org"}]}"#;
    assert!(finds("Patient?active=true", patient));
    assert!(!finds("Patient?active=false", patient));
    assert!(finds("Patient?deceased=true", patient));
    assert!(finds("Patient?phone=19900000001", patient));
    assert!(!finds("Patient?email=19900000001", patient));
    assert!(finds("Patient?telecom=phone|19900000001&email=li@EXAMPLE.org", patient));
    assert!(finds("Patient?deceased=false", r#"{"resourceType":"Patient","id":"2"}"#));
}

#[test]
fn meta_is_searched_in_every_type() {
    let patient = r#"{"resourceType":"Patient","id":"1","meta":{"source":"urn:his:1","profile":["http://x/p|1.0"],
        "lastUpdated":"2024-05-01T10:00:00.123Z",
        "tag":[{"system":"http://t","code":"a"}],"security":[{"system":"http://s","code":"R"}]}}"#;
    for hit in ["_tag=http://t|a", "_security=R", "_profile=http://x/p", "_profile=http://x/p|1.0", "_source=urn:his:1"]
    {
        assert!(finds(&format!("Patient?{hit}"), patient), "{hit}");
    }
    for miss in ["_tag=http://s|a", "_profile=http://x/p|2.0", "_source=URN:his:1"] {
        assert!(!finds(&format!("Patient?{miss}"), patient), "{miss}");
    }
    for hit in
        ["ge2024-05-01", "gt2024-04", "lt2025", "2024-05-01T10:00:00.123Z", "le2024-05-01T10:00:01Z", "ap2024-05-01"]
    {
        assert!(finds(&format!("Patient?_lastUpdated={hit}"), patient), "{hit}");
    }
    for miss in ["gt2024-05-01", "lt2024-05-01", "sa2024-05-01T10:00:00.123Z", "eb2024-05-01T10:00:00.123Z", "ne2024"] {
        assert!(!finds(&format!("Patient?_lastUpdated={miss}"), patient), "{miss}");
    }
}

#[test]
fn escaped_separators_are_part_of_a_code() {
    let patient = r#"{"resourceType":"Patient","id":"1","identifier":[{"system":"urn:x","value":"a,b|c$d\\e"}]}"#;
    assert!(finds(r"Patient?identifier=urn:x|a\,b\|c\$d\\e", patient));
    assert!(finds(r"Patient?identifier=urn:x%7Ca\,b\|c\$d\\e", patient));
    assert_eq!(refused(r"Patient?identifier=a\b"), ("bad-parameter-value".into(), "http.identifier".into()));
}

#[test]
fn a_composite_is_met_within_one_element() {
    let pressure = r#"{"resourceType":"Observation","id":"1","code":{"coding":[{"code":"panel"}]},"component":[
        {"code":{"coding":[{"code":"8480-6"}]},"valueQuantity":{"value":120,"code":"mm[Hg]"}},
        {"code":{"coding":[{"code":"8462-4"}]},"valueQuantity":{"value":80,"code":"mm[Hg]"}}]}"#;
    assert!(finds("Observation?component-code-value-quantity=8480-6$gt100", pressure));
    assert!(!finds("Observation?component-code-value-quantity=8462-4$gt100", pressure));
    assert!(finds("Observation?combo-code-value-quantity=8462-4$lt90||mm[Hg]", pressure));
    assert!(finds("Observation?combo-code=8462-4&combo-value-quantity=gt100", pressure));
    assert!(finds("Observation?combo-code=panel", pressure));
    assert!(!finds("Observation?code-value-quantity=panel$gt1", pressure));
    assert_eq!(refused("Observation?code-value-quantity=panel").0, "bad-parameter-value");
}

#[test]
fn an_identifier_is_found_under_every_name_of_its_system_and_the_question_stays_as_asked() {
    let resources = [
        resource(r#"{"resourceType":"Patient","id":"plain","identifier":[{"system":"urn:card","value":"1"}]}"#),
        resource(r#"{"resourceType":"Patient","id":"alias","identifier":[{"system":"urn:old-card","value":"1"}]}"#),
        resource(
            r#"{"resourceType":"Patient","id":"typed","identifier":[{"system":"urn:any","value":"1","type":{"coding":[{"system":"urn:kinds","code":"card"}]}}]}"#,
        ),
        resource(
            r#"{"resourceType":"Patient","id":"other","identifier":[{"system":"urn:any","value":"1","type":{"coding":[{"system":"urn:kinds","code":"pass"}]}}]}"#,
        ),
    ];
    let names = |system: &str, _: &str| {
        let types = vec![("urn:kinds".to_owned(), "card".to_owned())];
        match system {
            "urn:card" | "urn:old-card" => vec![
                Alias { system: "urn:card".into(), types: Vec::new() },
                Alias { system: "urn:old-card".into(), types: Vec::new() },
                Alias { system: "urn:any".into(), types },
            ],
            _ => Vec::new(),
        }
    };
    for (url, ids) in [
        ("Patient?identifier=urn:card|1", &["plain", "alias", "typed"][..]),
        ("Patient?identifier=urn:old-card|1", &["plain", "alias", "typed"]),
        ("Patient?identifier=urn:old-card|2", &[]),
        ("Patient?identifier:not=urn:old-card|1", &["other"]),
        ("Patient?identifier=urn:any|1", &["typed", "other"]),
    ] {
        let mut widened = query(url).unwrap();
        widened.widen(&names);
        let found = scan(&widened, &resources);
        assert_eq!(Index::new(&resources, site()).search(&widened), found, "{url}");
        let found: Vec<&str> = found.into_iter().map(|at| resources[at].text_at("id").unwrap()).collect();
        assert_eq!(found, ids, "{url}");
        assert_eq!(widened.canonical(), query(url).unwrap().canonical());
    }
    let mut chained = query("Observation?subject:Patient.identifier=urn:old-card|1").unwrap();
    chained.widen(&names);
    let branch = &chained.conditions()[0].join().unwrap().branches()[0];
    assert!(branch.condition.matches(&resources[0]), "a chained question, too");
}
