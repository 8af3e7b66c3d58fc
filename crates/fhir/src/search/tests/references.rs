use super::{finds, found, index::Index, query, refused, resource, site};
use crate::Value;

fn about(reference: &str) -> String {
    format!(r#"{{"resourceType":"Observation","id":"1","subject":{{"reference":"{reference}"}}}}"#)
}

#[test]
fn a_reference_is_found_in_every_form_of_writing() {
    for stored in ["Patient/123", "https://dukou.example/fhir/Patient/123", "Patient/123/_history/4"] {
        for asked in [
            "subject=123",
            "subject=Patient/123",
            "subject:Patient=123",
            "subject:Patient=Patient/123",
            "patient=123",
            "patient=Patient/123",
            "subject=https://dukou.example/fhir/Patient/123",
            "patient=1,2,123",
        ] {
            assert!(finds(&format!("Observation?{asked}"), &about(stored)), "{asked} {stored}");
        }
        for asked in
            ["subject=12", "subject:Group=123", "patient=Patient/124", "subject=http://else.example/fhir/Patient/123"]
        {
            assert!(!finds(&format!("Observation?{asked}"), &about(stored)), "{asked} {stored}");
        }
    }
}

#[test]
fn a_version_is_compared_where_it_is_asked_for() {
    assert!(finds("Observation?subject=Patient/1/_history/2", &about("Patient/1/_history/2")));
    assert!(!finds("Observation?subject=Patient/1/_history/3", &about("Patient/1/_history/2")));
    assert!(!finds("Observation?subject=Patient/1/_history/2", &about("Patient/1")));
}

#[test]
fn other_servers_urns_and_identifiers_are_found_as_written() {
    assert!(finds(
        "Observation?subject=http://else.example/fhir/Patient/1",
        &about("http://else.example/fhir/Patient/1")
    ));
    assert!(finds(
        "Observation?patient=http://else.example/fhir/Patient/1",
        &about("http://else.example/fhir/Patient/1")
    ));
    assert!(!finds("Observation?subject=Patient/1", &about("http://else.example/fhir/Patient/1")));
    assert!(finds("Observation?subject=urn:uuid:6f1c", &about("urn:uuid:6f1c")));
    let logical = r#"{"resourceType":"Observation","id":"1","subject":{"type":"Patient","identifier":{"system":"urn:x","value":"7"}}}"#;
    assert!(finds("Observation?subject:identifier=urn:x|7", logical));
    assert!(finds("Observation?patient:identifier=7", logical));
    assert!(!finds("Observation?subject:identifier=urn:y|7", logical));
}

#[test]
fn canonicals_are_found_with_and_without_version() {
    let filled = r#"{"resourceType":"QuestionnaireResponse","id":"1","questionnaire":"http://x/q|2"}"#;
    assert!(finds("QuestionnaireResponse?questionnaire=http://x/q", filled));
    assert!(finds("QuestionnaireResponse?questionnaire=http://x/q|2", filled));
    assert!(!finds("QuestionnaireResponse?questionnaire=http://x/q|1", filled));
}

const WARD: [&str; 6] = [
    r#"{"resourceType":"Patient","id":"p1","name":[{"family":"张"}],"identifier":[{"system":"urn:mrn","value":"1"}]}"#,
    r#"{"resourceType":"Patient","id":"p2","name":[{"family":"李"}],"identifier":[{"system":"urn:mrn","value":"2"}]}"#,
    r#"{"resourceType":"Observation","id":"o1","subject":{"reference":"Patient/p1"},"code":{"coding":[{"code":"a"}]}}"#,
    r#"{"resourceType":"Observation","id":"o2","subject":{"reference":"https://dukou.example/fhir/Patient/p2"},"code":{"coding":[{"code":"b"}]}}"#,
    r#"{"resourceType":"Observation","id":"o3","subject":{"reference":"Group/p1"},"code":{"coding":[{"code":"a"}]}}"#,
    r#"{"resourceType":"Encounter","id":"e1","subject":{"reference":"Patient/p1"}}"#,
];

#[test]
fn a_chain_asks_the_resource_that_is_referred_to() {
    assert_eq!(found("Observation?subject:Patient.identifier=urn:mrn|1", &WARD), ["o1"]);
    assert_eq!(found("Observation?patient.name=李", &WARD), ["o2"]);
    assert_eq!(found("Observation?subject.family=张,李", &WARD), ["o1", "o2"]);
    assert_eq!(found("Observation?patient.family:exact=张&code=a", &WARD), ["o1"]);
    assert_eq!(found("Observation?patient._id=p2", &WARD), ["o2"]);
    assert_eq!(refused("Observation?patient.organization.name=x").0, "unsupported-parameter");
    assert_eq!(refused("Observation?patient.nonsense=x").0, "unknown-parameter");
    assert_eq!(refused("Observation?code.name=x").0, "bad-parameter-value");
    assert_eq!(refused("QuestionnaireResponse?questionnaire.title=x").0, "bad-parameter-value");
    assert_eq!(refused("Observation?subject:Practitioner.name=x").0, "bad-parameter-value");
}

#[test]
fn has_asks_the_resources_that_refer_here() {
    assert_eq!(found("Patient?_has:Observation:patient:code=a", &WARD), ["p1"]);
    assert_eq!(found("Patient?_has:Observation:subject:code=a,b", &WARD), ["p1", "p2"]);
    assert_eq!(found("Patient?_has:Encounter:patient:_id=e1&family=张", &WARD), ["p1"]);
    assert_eq!(found("Patient?_has:Observation:patient:code=none", &WARD), Vec::<String>::new());
    assert_eq!(refused("Patient?_has:Observation:code:status=final").0, "bad-parameter-value");
    assert_eq!(refused("Patient?_has:Observation:patient=1").0, "bad-parameter-value");
    assert_eq!(refused("Patient?_has:Observation:patient:_has:Provenance:target:agent=1").0, "unsupported-parameter");
    assert_eq!(refused("Patient?_has:Nothing:patient:code=1").0, "bad-parameter-value");
}

#[test]
fn includes_follow_references_both_ways() {
    let resources: Vec<Value<'_>> = WARD.iter().map(|text| resource(text)).collect();
    let index = Index::new(&resources, site());
    let included = |url: &str, at: usize| index.included(&query(url).unwrap(), at).into_iter().collect::<Vec<_>>();
    assert_eq!(included("Observation?_include=Observation:subject", 2), [0]);
    assert_eq!(included("Observation?_include=Observation:subject", 3), [1]);
    assert_eq!(included("Observation?_include=Observation:subject:Group", 2), Vec::<usize>::new());
    assert_eq!(included("Observation?_include=*", 2), [0]);
    assert_eq!(included("Observation?_include=Observation:*", 2), [0]);
    assert_eq!(included("Patient?_revinclude=Observation:subject", 0), [2]);
    assert_eq!(included("Patient?_revinclude=*", 0), [2, 5]);
    assert_eq!(included("Patient?_revinclude=Observation:*:Patient&_revinclude=Encounter:patient", 0), [2, 5]);
}

#[test]
fn an_include_that_cannot_bring_anything_is_refused() {
    for wrong in [
        "Patient:link",
        "Observation:code",
        "Observation:nothing",
        "Nothing:subject",
        "Observation",
        "Observation:subject:Patient:x",
    ] {
        assert_ne!(refused(&format!("Observation?_include={wrong}")).0, "", "{wrong}");
    }
    assert_eq!(refused("Patient?_revinclude=Observation:specimen").0, "bad-parameter-value");
    assert_eq!(refused("Observation?_include:iterate=Observation:subject").0, "unsupported-parameter");
}
