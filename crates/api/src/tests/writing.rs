//! Create, update, patch, delete and ingest.

use super::house::{House, patient};

fn with_id(body: &str, id: &str) -> String {
    body.replacen('{', &format!("{{\"id\":\"{id}\","), 1)
}

#[test]
fn a_create_answers_with_place_version_and_the_resource() {
    let house = House::new();
    let body = with_id(&patient("c1", "王"), "mine");
    let answer = house.post("Patient", &body);
    assert_eq!(answer.status, 201);
    let json = answer.json();
    let id = json["id"].as_str().unwrap();
    assert_ne!(id, "mine", "the id of a created resource is ours");
    assert_eq!(answer.header("location"), format!("http://test.example:8080/fhir/Patient/{id}/_history/1"));
    assert_eq!((answer.header("etag"), json["meta"]["versionId"].as_str()), ("W/\"1\"", Some("1")));
}

#[test]
fn what_is_returned_follows_prefer() {
    let house = House::new();
    let ask = |prefer: &str| house.ask("POST", "Patient").header("prefer", prefer).json(&patient("p1", "王")).done();
    let minimal = ask("return=minimal");
    assert_eq!((minimal.status, minimal.bytes.len()), (201, 0));
    assert_eq!(minimal.header("preference-applied"), "return=minimal");
    assert_eq!(ask("return=OperationOutcome").json()["resourceType"], "OperationOutcome");
    assert_eq!(ask("return=representation").json()["resourceType"], "Patient");
    let id = house.create(&patient("p2", "王"));
    let deleted = house.ask("DELETE", &format!("Patient/{id}")).header("prefer", "return=OperationOutcome").done();
    assert_eq!((deleted.status, deleted.json()["resourceType"].as_str()), (200, Some("OperationOutcome")));
}

#[test]
fn a_bad_body_is_refused_with_the_fitting_status() {
    let house = House::new();
    let cases = [
        ("{", 400, "bad-json"),
        ("", 415, "media-type"),
        (r#"{"resourceType":"Patient","gender":"male","gender":"female"}"#, 400, "bad-json"),
        (r#"{"resourceType":"Observation","status":"final","code":{"text":"x"}}"#, 400, ""),
        (r#"{"resourceType":"Patient","colour":"red"}"#, 422, ""),
        (r#"{"resourceType":"Patient","gender":"unknowable"}"#, 422, ""),
        (r#"{"resourceType":"Patient","birthDate":"1980-02-30"}"#, 422, ""),
    ];
    for (body, status, code) in cases {
        let asking = house.ask("POST", "Patient");
        let answer = if body.is_empty() { asking.done() } else { asking.json(body).done() };
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(code.is_empty() || answer.verdict().1 == code, "{body}: {}", answer.text());
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    }
}

#[test]
fn a_conditional_create_happens_once() {
    let house = House::new();
    let ask = |criteria: &str| {
        house.ask("POST", "Patient").header("if-none-exist", criteria).json(&patient("ce", "王")).done()
    };
    let first = ask("identifier=urn:oid:2.16.86%7Cce");
    assert_eq!(first.status, 201, "{}", first.text());
    let second = ask("?identifier=urn:oid:2.16.86|ce");
    assert_eq!((second.status, second.json()["id"] == first.json()["id"]), (200, true));
    assert_eq!(second.header("location"), first.header("location"));
    house.create(&patient("ce", "李"));
    assert_eq!(ask("identifier=urn:oid:2.16.86|ce").verdict(), (412, "several-matches".into()));
    assert_eq!(ask("identifer=1").status, 400, "a misspelled criterion never creates");
}

#[test]
fn an_update_counts_versions_and_honours_if_match() {
    let house = House::new();
    let id = house.create(&patient("u1", "王"));
    let address = format!("Patient/{id}");
    let answer =
        house.ask("PUT", &address).header("if-match", "W/\"1\"").json(&with_id(&patient("u1", "李"), &id)).done();
    assert_eq!((answer.status, answer.header("etag")), (200, "W/\"2\""));
    let stale =
        house.ask("PUT", &address).header("if-match", "W/\"1\"").json(&with_id(&patient("u1", "张"), &id)).done();
    assert_eq!(stale.verdict(), (412, "version-mismatch".into()));
    let same = house.put(&address, &with_id(&patient("u1", "李"), &id));
    assert_eq!((same.status, same.header("etag")), (200, "W/\"2\""), "unchanged content makes no version");
    assert_eq!(house.put(&address, &with_id(&patient("u1", "张"), "other")).status, 400);
    assert_eq!(house.put(&address, &patient("u1", "张")).status, 400, "the id must stand in the body");
}

#[test]
fn an_update_creates_under_a_chosen_id_where_the_policy_lets_it() {
    let house = House::new();
    let answer = house.put("Patient/chosen-1", &with_id(&patient("k1", "王"), "chosen-1"));
    assert_eq!((answer.status, answer.json()["id"].as_str()), (201, Some("chosen-1")));
    let body = r#"{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"Hb"}}"#;
    let refused =
        house.ask("PUT", "Observation/o1").token(Some("batch.token")).header("if-match", "W/\"1\"").json(body).done();
    assert!(matches!(refused.status, 405 | 412), "{}", refused.text());
    let without = house.ask("PUT", "Observation/o1").token(Some("batch.token")).json(body).done();
    assert_eq!(without.verdict(), (400, "if-match-missing".into()));
    assert_eq!(house.put("Patient/a_b", &patient("k1", "王")).verdict(), (400, "bad-id".into()));
}

#[test]
fn a_conditional_update_follows_its_matches() {
    let house = House::new();
    let address = "Patient?identifier=urn:oid:2.16.86%7Ccu";
    let first = house.put(address, &patient("cu", "王"));
    assert_eq!(first.status, 201, "{}", first.text());
    let second = house.put(address, &patient("cu", "李"));
    assert_eq!((second.status, second.json()["id"] == first.json()["id"]), (200, true));
    assert_eq!(house.put(address, &with_id(&patient("cu", "李"), "other")).status, 400);
    assert_eq!(house.put("Patient", &patient("cu", "李")).verdict(), (400, "criteria-missing".into()));
    house.create(&patient("cu", "张"));
    assert_eq!(house.put(address, &patient("cu", "陈")).verdict(), (412, "several-matches".into()));
}

#[test]
fn a_patch_changes_what_it_names() {
    let house = House::new();
    let id = house.create(
        r#"{"resourceType":"Observation","status":"final","code":{"text":"Hb"},"valueQuantity":{"value":5.10}}"#,
    );
    let address = format!("Observation/{id}");
    let patch = |operations: &str| {
        house.ask("PATCH", &address).body("application/json-patch+json", operations.as_bytes()).done()
    };
    let answer = patch(
        r#"[{"op":"test","path":"/status","value":"final"},{"op":"replace","path":"/status","value":"amended"}]"#,
    );
    assert_eq!((answer.status, answer.header("etag")), (200, "W/\"2\""), "{}", answer.text());
    assert!(answer.text().contains("5.10"));
    assert_eq!(patch(r#"[{"op":"test","path":"/status","value":"final"}]"#).status, 422);
    assert_eq!(patch(r#"[{"op":"twist","path":"/status"}]"#).status, 400);
    assert_eq!(patch(r#"[{"op":"replace","path":"/status","value":"bogus"}]"#).status, 422);
    let other = house.ask("PATCH", &address).json("[]").done();
    assert_eq!(other.verdict(), (415, "media-type".into()));
}

#[test]
fn a_referenced_resource_is_not_deleted() {
    let house = House::new();
    let id = house.create(&patient("d1", "王"));
    let observation = format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"Hb"}},"subject":{{"reference":"Patient/{id}"}}}}"#
    );
    house.create(&observation);
    assert_eq!(house.ask("DELETE", &format!("Patient/{id}")).done().verdict(), (409, "referenced".into()));
    let dangling = observation.replace(&id, "nobody");
    assert_eq!(house.post("Observation", &dangling).verdict(), (422, "reference-without-target".into()));
}

#[test]
fn a_conditional_delete_takes_one() {
    let house = House::new();
    house.create(&patient("cd", "王"));
    let address = "Patient?identifier=urn:oid:2.16.86%7Ccd";
    assert_eq!(house.ask("DELETE", address).done().status, 204);
    assert_eq!(house.ask("DELETE", address).done().status, 204, "nothing left is no fault");
    house.create(&patient("cd", "王"));
    house.create(&patient("cd", "李"));
    assert_eq!(house.ask("DELETE", address).done().verdict(), (412, "several-matches".into()));
    assert_eq!(house.ask("DELETE", "Patient").done().verdict(), (400, "criteria-missing".into()));
}

#[test]
fn an_unreadable_message_is_kept_and_refused_with_an_acknowledgement() {
    let house = House::new();
    let answer = house.ask("POST", "/ingest").body("x-application/hl7-v2+er7", b"PID|1||").done();
    assert_eq!(answer.status, 422);
    assert_eq!(answer.header("content-type"), "x-application/hl7-v2+er7");
    assert!(answer.text().contains("MSA|AR"), "{}", answer.text());
    let outcome =
        house.ask("POST", "/ingest").header("accept", "application/fhir+json").body("text/plain", b"PID|2||").done();
    assert_eq!((outcome.status, outcome.json()["resourceType"].as_str()), (422, Some("OperationOutcome")));
    assert_eq!(house.ask("GET", "/ingest").done().status, 200, "nothing is held");
    assert_eq!(house.ask("PUT", "/ingest").done().verdict(), (405, "method-not-allowed".into()));
}
