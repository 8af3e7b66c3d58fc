use super::*;
use crate::json;

fn found(expression: &str, resource: &str) -> Vec<String> {
    let resource = json::parse(resource.as_bytes(), &json::Limits::default()).unwrap();
    let program = Program::compile(expression, resource.resource_type().unwrap()).unwrap();
    let mut found = Vec::new();
    program.each(&resource, |item| {
        let mut text = Vec::new();
        json::print(item.value, &mut text);
        found.push(format!("{} {}", item.datatype, String::from_utf8(text).unwrap()));
    });
    found
}

const OBSERVATION: &str = r##"{"resourceType":"Observation","status":"final","subject":{"reference":"#p"},
    "contained":[{"resourceType":"Patient","id":"p"}],
    "valueQuantity":{"value":5.10},"component":[{"valueString":"a"},{"valueCodeableConcept":{"text":"b"}},{}],
    "performer":[{"reference":"Patient/1"},{"reference":"http://x.org/f/Practitioner/2/_history/3"},
      {"type":"Patient","identifier":{"value":"7"}},{"reference":"urn:uuid:1"}]}"##;

#[test]
fn a_choice_is_found_under_each_of_its_types() {
    assert_eq!(found("Observation.value", OBSERVATION), ["Quantity {\"value\":5.10}"]);
    assert_eq!(found("(Observation.value as Quantity)", OBSERVATION).len(), 1);
    assert_eq!(found("Observation.value.as(string)", OBSERVATION).len(), 0);
    assert_eq!(found("Observation.component.value.ofType(string)", OBSERVATION), ["string \"a\""]);
    assert_eq!(found("(Observation.component.value as CodeableConcept).text", OBSERVATION), ["string \"b\""]);
}

#[test]
fn a_union_finds_each_part_and_parts_of_other_types_fall_away() {
    assert_eq!(found("Patient.gender | Observation.status | Observation.component.value", OBSERVATION).len(), 3);
    let program = Program::compile("Patient.gender | Group.code", "Observation").unwrap();
    assert!(program.is_empty() && program.datatypes().is_empty());
}

#[test]
fn a_reference_resolves_by_url_type_or_contained_resource() {
    assert_eq!(found("Observation.subject.where(resolve() is Patient)", OBSERVATION).len(), 1);
    assert_eq!(found("Observation.performer.where(resolve() is Patient)", OBSERVATION).len(), 2);
    assert_eq!(found("Observation.performer.where(resolve() is Practitioner)", OBSERVATION).len(), 1);
}

#[test]
fn lists_are_filtered_by_text_index_and_extension() {
    let patient = r#"{"resourceType":"Patient","name":[{"use":"official","family":"张"},{"use":"old","family":"李"}],
        "extension":[{"url":"http://x","valueInteger":3}]}"#;
    assert_eq!(found("Patient.name.where(use = 'old').family", patient), ["string \"李\""]);
    assert_eq!(found("Patient.name[0].family", patient), ["string \"张\""]);
    assert_eq!(found("Patient.extension('http://x').value", patient), ["integer 3"]);
}

#[test]
fn an_assertion_gives_one_boolean() {
    let deceased = "Patient.deceased.exists() and Patient.deceased != false";
    assert_eq!(found(deceased, r#"{"resourceType":"Patient"}"#), ["boolean false"]);
    assert_eq!(found(deceased, r#"{"resourceType":"Patient","deceasedBoolean":false}"#), ["boolean false"]);
    assert_eq!(found(deceased, r#"{"resourceType":"Patient","deceasedBoolean":true}"#), ["boolean true"]);
    assert_eq!(found(deceased, r#"{"resourceType":"Patient","deceasedDateTime":"2020"}"#), ["boolean true"]);
}

#[test]
fn a_relative_expression_starts_at_its_focus() {
    let resource = json::parse(OBSERVATION.as_bytes(), &json::Limits::default()).unwrap();
    let component = &resource.list_at("component")[0];
    let program = Program::compile("value.as(string) | %resource.status", "Observation.component").unwrap();
    let mut found = Vec::new();
    assert!(!program.any_from(&resource, component, |item| {
        found.push(item.value.as_str());
        false
    }));
    assert_eq!(found, [Some("a"), Some("final")]);
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    let fault = |expression| Program::compile(expression, "Patient").map(|_| ()).unwrap_err();
    assert_eq!(fault("Patient.nam").offset, 8);
    assert_eq!(fault("Patient.nam").kind, PathErrorKind::UnknownElement("nam".to_owned()));
    assert!(matches!(fault("Patient.name.first()").kind, PathErrorKind::Unsupported(_)));
    assert!(matches!(fault("Patient.deceased as Nothing").kind, PathErrorKind::UnknownType(_)));
    for broken in
        ["", "Patient.", "Patient.name[", "(Patient.name", "Patient.name |", "Patient.name where", "Patient.name[x]"]
    {
        assert_eq!(fault(broken).kind, PathErrorKind::Syntax, "{broken}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(text in "(Patient|\\.|name|where|\\(|\\)|\\[|0|\\]|'| |\\||as|=|exists\\(\\)|\\PC){0,12}") {
        if let Err(fault) = Program::compile(&text, "Patient") {
            assert!(text.is_char_boundary(fault.offset));
        }
    }
}
