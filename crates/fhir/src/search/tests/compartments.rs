use super::{found, query, resource, site};
use crate::search::{PostingKey, in_compartment, keys, patients, scan};
use crate::{LogicalId, ResourceType, Value};

fn of(text: &str) -> Vec<String> {
    patients(&resource(text), site().base).iter().map(LogicalId::to_string).collect()
}

#[test]
fn a_resource_stands_in_the_compartments_that_the_definition_names() {
    assert_eq!(
        of(r#"{"resourceType":"Observation","subject":{"reference":"Patient/1"},
        "performer":[{"reference":"Patient/2"},{"reference":"Practitioner/3"}],"focus":[{"reference":"Patient/9"}]}"#),
        ["1", "2"]
    );
    assert_eq!(
        of(
            r#"{"resourceType":"Observation","subject":{"reference":"https://dukou.example/fhir/Patient/1/_history/2"}}"#
        ),
        ["1"]
    );
    assert_eq!(
        of(r#"{"resourceType":"Observation","subject":{"reference":"http://else.example/Patient/1"}}"#),
        Vec::<String>::new()
    );
    assert_eq!(of(r#"{"resourceType":"Patient","id":"1","link":[{"other":{"reference":"Patient/2"}}]}"#), ["1", "2"]);
    assert_eq!(of(r#"{"resourceType":"Organization","id":"1"}"#), Vec::<String>::new());
    assert_eq!(of(r#"{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/5"}}]}"#), ["5"]);
}

#[test]
fn a_compartment_narrows_a_query_and_changes_its_identity() {
    let kind = ResourceType::parse("Observation").unwrap();
    let texts = [
        r#"{"resourceType":"Observation","id":"a","subject":{"reference":"Patient/1"}}"#,
        r#"{"resourceType":"Observation","id":"b","subject":{"reference":"Patient/2"}}"#,
    ];
    let resources: Vec<Value<'_>> = texts.iter().map(|text| resource(text)).collect();
    let wide = query("Observation?status:missing=true").unwrap();
    let mut narrow = wide.clone();
    narrow.narrow(in_compartment(kind, LogicalId::parse("2").unwrap(), site()));
    assert_eq!(scan(&wide, &resources), [0, 1]);
    assert_eq!(scan(&narrow, &resources), [1]);
    assert_ne!(wide.canonical(), narrow.canonical());
    assert!(keys(&resources[1], kind, site()).contains(&PostingKey::in_compartment(kind, "2")));
    assert_eq!(found("Observation?patient=2", &texts), ["b"]);
}
