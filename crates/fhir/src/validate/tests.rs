use proptest::prelude::*;

use super::*;
use crate::{Language, OperationOutcome, Position, ResourceType, Severity, reference};

fn read(text: &str) -> Value<'_> {
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
}

/// Code and place of each issue.
fn found(text: &str) -> Vec<(&'static str, String)> {
    let issues = validate(&read(text), &Options::default());
    issues.iter().map(|issue| (issue.code, issue.expression.join(" "))).collect()
}

#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let found = found(text);
    let found: Vec<(&str, &str)> = found.iter().map(|(code, place)| (*code, place.as_str())).collect();
    assert_eq!(found, expected, "{text}");
}

fn patient(members: &str) -> String {
    format!("{{\"resourceType\":\"Patient\",{members}}}")
}

const LABORATORY: &str = r##"{"resourceType":"Observation","id":"glu-1","meta":{"source":"urn:his:lis"},
    "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">5.10 mmol/L</div>"},
    "contained":[{"resourceType":"Specimen","id":"s","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0487","code":"SER"}]}}],
    "identifier":[{"use":"official","system":"urn:oid:1.2.156.1","value":"X-1"}],"status":"final",
    "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
    "code":{"coding":[{"system":"http://loinc.org","code":"14749-6"}],"text":"葡萄糖"},
    "subject":{"reference":"Patient/p1"},"encounter":{"reference":"https://his.example/fhir/Encounter/e1"},
    "effectiveDateTime":"2024-05-01T08:00:00+08:00","issued":"2024-05-01T09:30:00.000+08:00",
    "performer":[{"reference":"Practitioner/a"},{"display":"检验科"}],
    "valueQuantity":{"value":5.10,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"},
    "interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"N"}]}],
    "specimen":{"reference":"#s"},
    "referenceRange":[{"low":{"value":3.9},"high":{"value":6.1},"text":"3.9-6.1"}],
    "extension":[{"url":"urn:x","valueCode":"a"}],"_issued":{"extension":[{"url":"urn:y","valueString":"z"}]}}"##;

#[test]
fn a_laboratory_result_without_fault_has_no_issue() {
    check(LABORATORY, &[]);
}

#[test]
fn every_fault_is_named_once_at_its_place() {
    let text = patient(
        r#""name":[{"familly":"x","given":"y"}],"gender":"man","birthDate":"1980-02-30","contact":[{"name":{"family":5}},{}],
           "telecom":[{"system":"phone","rank":0}],"deceasedBoolean":true,"deceasedDateTime":"2024","active":null"#,
    );
    check(
        &text,
        &[
            ("unknown-element", "Patient.name[0].familly"),
            ("list-expected", "Patient.name[0].given"),
            ("code-not-in-value-set", "Patient.gender"),
            ("bad-format", "Patient.birthDate"),
            ("wrong-json-type", "Patient.contact[0].name.family"),
            ("empty-element", "Patient.contact[1]"),
            ("bad-format", "Patient.telecom[0].rank"),
            ("choice-repeated", "Patient.deceased"),
            ("wrong-json-type", "Patient.active"),
        ],
    );
}

#[test]
fn missing_elements_are_named() {
    check(
        r#"{"resourceType":"Observation","component":[{"valueString":"x"}]}"#,
        &[
            ("element-missing", "Observation.component[0].code"),
            ("element-missing", "Observation.status"),
            ("element-missing", "Observation.code"),
        ],
    );
}

#[test]
fn lists_stand_where_lists_belong() {
    check(&patient(r#""birthDate":["1980"]"#), &[("unexpected-list", "Patient.birthDate")]);
    check(&patient(r#""name":{"text":"a"}"#), &[("list-expected", "Patient.name")]);
    check(&patient(r#""name":[]"#), &[("empty-list", "Patient.name")]);
    check(&patient(r#""name":["a"]"#), &[("wrong-json-type", "Patient.name[0]")]);
}

#[test]
fn a_choice_has_one_of_its_forms() {
    let observation =
        |rest: &str| format!(r#"{{"resourceType":"Observation","status":"final","code":{{"text":"a"}},{rest}}}"#);
    check(&observation(r#""valueDecimal":1"#), &[("unknown-element", "Observation.valueDecimal")]);
    check(&observation(r#""value":1"#), &[("unknown-element", "Observation.value")]);
    check(&observation(r#""valueString":"a","_valueString":{"id":"b"}"#), &[]);
    check(
        &observation(r#""_valueString":{"extension":[{"url":"u","valueCode":"a"}]},"valueInteger":1"#),
        &[("choice-repeated", "Observation.value")],
    );
}

#[test]
fn extensions_of_primitives_stand_beside_them() {
    let extension = r#"{"extension":[{"url":"u","valueCode":"a"}]}"#;
    check(&patient(&format!(r#""_birthDate":{extension}"#)), &[]);
    check(&patient(&format!(r#""name":[{{"given":["a",null],"_given":[null,{extension}]}}]"#)), &[]);
    check(
        &patient(&format!(r#""name":[{{"_given":[null,{extension}]}}]"#)),
        &[("wrong-json-type", "Patient.name[0].given[0]")],
    );
    check(
        &patient(r#""name":[{"given":["a",null],"_given":[null,null]}]"#),
        &[("wrong-json-type", "Patient.name[0].given[1]")],
    );
    check(
        &patient(&format!(r#""name":[{{"given":["a"],"_given":[null,{extension}]}}]"#)),
        &[("uneven-lists", "Patient.name[0].given")],
    );
    check(&patient(r#""_birthDate":"x""#), &[("wrong-json-type", "Patient.birthDate")]);
    check(&patient(r#""_birthDate":{"valueDate":"x"}"#), &[("unknown-element", "Patient.birthDate.valueDate")]);
    check(&patient(r#""_maritalStatus":{"id":"x"}"#), &[("unknown-element", "Patient.maritalStatus")]);
    check(
        r#"{"resourceType":"Observation","_status":{"extension":[{"url":"u","valueCode":"a"}]},"code":{"text":"a"}}"#,
        &[],
    );
}

#[test]
fn required_codes_come_from_their_value_sets() {
    let verified = |code: &str| {
        format!(
            r#"{{"resourceType":"Condition","subject":{{"reference":"Patient/a"}},"verificationStatus":{{{code}}},"clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}}]}}}}"#
        )
    };
    let system = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
    check(&verified(&format!(r#""coding":[{{"code":"x"}},{{"system":"{system}","code":"confirmed"}}]"#)), &[]);
    let place = "Condition.verificationStatus";
    check(&verified(r#""coding":[{"code":"confirmed"}]"#), &[("code-not-in-value-set", place)]);
    check(&verified(r#""text":"confirmed""#), &[("code-missing", place)]);
    check(
        &verified(
            r#""extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]"#,
        ),
        &[],
    );
}

#[test]
fn a_required_set_that_is_not_held_is_a_warning() {
    let text = r#"{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/a"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]}}"#;
    check(text, &[]);
    let open = crate::schema::TypeId::all().flat_map(|kind| kind.elements()).filter_map(|element| element.binding);
    let open: Vec<String> = open.filter(|set| set.holds(None, "a").is_none()).map(|set| set.url()).collect();
    assert!(open.iter().all(|url| finding_is_warning(url)), "{open:?}");
}

fn finding_is_warning(url: &str) -> bool {
    let sets = crate::schema::TypeId::all().flat_map(|kind| kind.elements()).filter_map(|element| element.binding);
    let mut issues = sets.filter(|set| set.url() == url).map(finding::set_not_held);
    issues.all(|issue| issue.severity == Severity::Warning)
}

#[test]
fn references_point_to_what_the_element_allows() {
    let subject = |reference: &str| {
        format!(r#"{{"resourceType":"Observation","status":"final","code":{{"text":"a"}},"subject":{{{reference}}}}}"#)
    };
    for good in [
        "Patient/1",
        "Patient/1/_history/2",
        "https://a/fhir/Group/1",
        "urn:uuid:0",
        "Patient?identifier=a",
        "http://a/b",
        "#",
    ] {
        if good != "#" {
            check(&subject(&format!("\"reference\":\"{good}\"")), &[]);
        }
    }
    check(&subject(r#""reference":"Encounter/1""#), &[("reference-target-type", "Observation.subject.reference")]);
    check(
        &subject(r#""reference":"https://a/fhir/Encounter/1""#),
        &[("reference-target-type", "Observation.subject.reference")],
    );
    check(&subject(r#""type":"Encounter","display":"a""#), &[("reference-target-type", "Observation.subject.type")]);
    check(
        &subject(r#""type":"Group","reference":"Patient/1""#),
        &[("reference-type-differs", "Observation.subject.type")],
    );
    for bad in ["patient/1", "Patient", "Patient/a b", "Foo/1", "Patient/1/_history/x", "Foo?a=b", "/Patient/1"] {
        check(
            &subject(&format!("\"reference\":\"{bad}\"")),
            &[("reference-malformed", "Observation.subject.reference")],
        );
    }
}

#[test]
fn contained_resources_are_referred_to_and_resolve() {
    let observation = |contained: &str, rest: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final","code":{{"text":"a"}},"contained":[{contained}]{rest}}}"#
        )
    };
    let (unused, missing) = (("dom-3", "Observation.contained[0]"), ("ref-1", "Observation.subject.reference"));
    check(&observation(r#"{"resourceType":"Patient","id":"p"}"#, r##","subject":{"reference":"#p"}"##), &[]);
    check(&observation(r#"{"resourceType":"Patient","id":"p"}"#, ""), &[unused]);
    check(
        &observation(r#"{"resourceType":"Patient","id":"p"}"#, r##","subject":{"reference":"#q"}"##),
        &[missing, unused],
    );
    check(
        &observation(r#"{"resourceType":"Specimen","id":"p"}"#, r##","subject":{"reference":"#p"}"##),
        &[("reference-target-type", "Observation.subject.reference")],
    );
    let back = r##"{"resourceType":"Provenance","target":[{"reference":"#"}],"recorded":"2024-05-01T08:00:00Z","agent":[{"who":{"display":"a"}}]}"##;
    check(&observation(back, ""), &[]);
    let nested =
        r#"{"resourceType":"Patient","id":"p","meta":{"versionId":"1"},"contained":[{"resourceType":"Patient"}]}"#;
    check(
        &observation(nested, r##","subject":{"reference":"#p"}"##),
        &[("dom-2", "Observation.contained[0].contained"), ("dom-4", "Observation.contained[0].meta.versionId")],
    );
}

#[test]
fn links_in_a_transaction_lead_to_its_entries() {
    let bundle = |kind: &str, subject: &str| {
        format!(
            r#"{{"resourceType":"Bundle","type":"{kind}","entry":[
            {{"fullUrl":"urn:uuid:a","resource":{{"resourceType":"Patient"}},"request":{{"method":"POST","url":"Patient"}}}},
            {{"fullUrl":"urn:uuid:b","resource":{{"resourceType":"Observation","status":"final","code":{{"text":"a"}},"subject":{{"reference":"{subject}"}}}},"request":{{"method":"POST","url":"Observation"}}}}]}}"#
        )
    };
    check(&bundle("transaction", "urn:uuid:a"), &[]);
    let place = "Bundle.entry[1].resource.subject.reference";
    check(&bundle("transaction", "urn:uuid:b"), &[("reference-target-type", place)]);
    check(&bundle("transaction", "urn:uuid:c"), &[("reference-not-in-bundle", place)]);
    check(&bundle("batch", "urn:uuid:c"), &[]);
}

#[test]
fn what_is_no_resource_is_refused() {
    check("[]", &[("wrong-json-type", "")]);
    check("{}", &[("resource-type-missing", "")]);
    check(r#"{"resourceType":5}"#, &[("resource-type-missing", "")]);
    check(r#"{"resourceType":"Resource"}"#, &[("resource-type-unknown", "Resource")]);
    check(
        &patient(r#""contained":[5,{"resourceType":"Foo"}]"#),
        &[
            ("wrong-json-type", "Patient.contained[0]"),
            ("resource-type-unknown", "Patient.contained[1]"),
            ("dom-3", "Patient.contained[0]"),
            ("dom-3", "Patient.contained[1]"),
        ],
    );
}

#[test]
fn faults_beyond_the_limit_are_counted_and_keep_their_weight() {
    let names = vec![r#"{"foo":1,"text":"a"}"#; 500].join(",");
    let issues = validate(&read(&patient(&format!("\"name\":[{names}]"))), &Options::default());
    assert_eq!(issues.len(), 201);
    assert_eq!((issues[200].code, issues[200].severity), ("more-faults", Severity::Error));
    assert!(issues[200].text.en.contains("300"));
}

#[test]
fn no_text_tells_what_was_sent() {
    let secret = "13800138000王小明";
    let text = format!(
        r##"{{"resourceType":"Patient","{secret}":1,"gender":"{secret}","birthDate":"{secret}","name":[{{"use":"{secret}","family":["{secret}"]}}],
        "managingOrganization":{{"reference":"{secret}"}},"active":"{secret}","text":{{"status":"{secret}","div":"{secret}"}},"link":[{{"other":{{"reference":"#{secret}"}},"type":"{secret}"}}]}}"##
    );
    let issues = validate(&read(&text), &Options::default());
    assert_eq!(issues.len(), 11, "{issues:?}");
    assert!(!format!("{issues:?}").contains("王") && !format!("{issues:?}").contains("138001"));
}

#[test]
fn issues_lead_back_to_line_and_column_and_become_an_outcome_in_either_language() {
    let text = "{\"resourceType\":\"Patient\",\n  \"birthDate\": \"1980-13\"}";
    let mut issues = validate(&read(text), &Options::default());
    place(&mut issues, text.as_bytes());
    assert_eq!(issues[0].position, Some(Position { line: 2, column: 3 }));
    let outcome = OperationOutcome::from(issues);
    let english = outcome.to_value(Language::English);
    assert_eq!(english.text_at("issue[0].expression[0]"), Some("Patient.birthDate"));
    assert_eq!(english.text_at("issue[0].code"), Some("value"));
    assert_eq!(english.text_at("issue[0].diagnostics"), Some("line 2, column 3"));
    assert_eq!(validate(&english, &Options::default()), []);
    let chinese = outcome.to_value(Language::choose("fr, zh-CN;q=0.9, en;q=0.8"));
    assert!(chinese.text_at("issue[0].details.text").unwrap().contains("日期"));
}

/// Objects that use real element names in wrong places.
fn muddles() -> impl Strategy<Value = serde_json::Value> {
    let name = prop::sample::select(vec![
        "id",
        "meta",
        "extension",
        "_id",
        "_status",
        "status",
        "url",
        "valueString",
        "_valueString",
        "valueReference",
        "reference",
        "contained",
        "resourceType",
        "resource",
        "entry",
        "fullUrl",
        "type",
        "subject",
        "text",
        "div",
        "code",
        "coding",
        "given",
        "_given",
        "name",
        "period",
        "start",
        "end",
        "low",
        "high",
        "value",
        "identifier",
        "component",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        prop::sample::select(vec![
            "Patient",
            "Bundle",
            "#a",
            "#",
            "a",
            "Patient/a",
            "urn:uuid:a",
            "2024",
            "<div",
            "王"
        ])
        .prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(6, 80, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::vec((name.clone(), inner), 0..8).prop_map(|members| {
                let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                serde_json::Value::Object(members.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_tree_is_judged_without_a_panic(tree in muddles(), kind in 0..146u16) {
        let mut tree = tree;
        let kind = ResourceType::from_index(kind).unwrap();
        if let Some(object) = tree.as_object_mut() {
            object.insert("resourceType".to_owned(), kind.as_str().into());
        }
        let text = tree.to_string();
        let mut value = read(&text);
        let mut issues = validate(&value, &Options { issues_max: 5 });
        place(&mut issues, text.as_bytes());
        prop_assert!(issues.len() <= 6);
        let count = reference::references(&value).len();
        prop_assert!(reference::rewrite(&mut value, &mut |text| Some(text.to_owned())) >= count);
        prop_assert_eq!(value, read(&text));
    }
}
