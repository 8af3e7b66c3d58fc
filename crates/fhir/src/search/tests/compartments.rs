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

#[test]
fn what_is_in_doubt_between_two_patients_stands_in_both_charts_and_is_found_by_either() {
    let mark = r#""extension":[{"url":"https://dukou.dev/fhir/StructureDefinition/identity-in-doubt","valueReference":{"reference":"Patient/2"}}]"#;
    let text = format!(
        r#"{{"resourceType":"Observation","id":"a",{mark},"subject":{{"reference":"Patient/1"}},"focus":[{{"reference":"Patient/9"}}]}}"#
    );
    assert_eq!(of(&text), ["1", "2"]);
    for (asked, met) in [("subject=Patient/1", 1), ("patient=2", 1), ("subject=Patient/3", 0), ("focus=Patient/2", 0)] {
        assert_eq!(found(&format!("Observation?{asked}"), &[&text]).len(), met, "{asked}");
    }
}

#[test]
fn a_query_about_one_record_is_widened_to_all_records_of_the_person() {
    let texts = [
        r#"{"resourceType":"Observation","id":"a","subject":{"reference":"Patient/1"}}"#,
        r#"{"resourceType":"Observation","id":"b","subject":{"reference":"Patient/2"}}"#,
        r#"{"resourceType":"Observation","id":"c","subject":{"reference":"Patient/3"}}"#,
    ];
    let all: Vec<Value<'_>> = texts.iter().map(|text| resource(text)).collect();
    let same = |id: &LogicalId| match id.as_str() {
        "1" | "2" => ["1", "2"].map(|id| LogicalId::parse(id).unwrap()).to_vec(),
        _ => vec![id.clone()],
    };
    for (asked, met) in
        [("patient=2", 2), ("subject=Patient/1", 2), ("subject=Patient/3", 1), ("subject=Patient/2,Patient/3", 3)]
    {
        let mut query = query(&format!("Observation?{asked}")).unwrap();
        query.widen_patients(&same);
        assert_eq!(scan(&query, &all).len(), met, "{asked}");
    }
    let kind = ResourceType::parse("Observation").unwrap();
    let mut narrow = query("Observation?status:missing=true").unwrap();
    narrow.narrow(in_compartment(kind, LogicalId::parse("2").unwrap(), site()));
    narrow.widen_patients(&same);
    assert!(narrow.is_in_compartment());
    assert_eq!(scan(&narrow, &all).len(), 2);
}
