//! Read, vread, history, metadata, validate.

use super::house::{House, patient};

#[test]
fn a_read_shows_the_stored_bytes_with_version_and_time() {
    let house = House::new();
    let id = house.create(&patient("r1", "王"));
    let answer = house.get(&format!("Patient/{id}"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("etag"), "W/\"1\"");
    assert!(answer.header("last-modified").ends_with("GMT"));
    assert_eq!(answer.header("content-type"), "application/fhir+json; charset=utf-8");
    assert_eq!(answer.json()["name"][0]["family"], "王");
    assert_eq!(answer.json()["meta"]["versionId"], "1");
    assert_eq!(answer.header("x-request-id").len(), 36);
    assert!(answer.header("x-audit-receipt").starts_with("hospital.example/dukou "));
}

#[test]
fn a_head_is_a_get_without_its_body() {
    let house = House::new();
    let id = house.create(&patient("r1", "王"));
    let get = house.get(&format!("Patient/{id}"));
    let head = house.ask("HEAD", &format!("Patient/{id}")).done();
    assert_eq!((head.status, head.bytes.len()), (200, 0));
    assert_eq!(head.header("content-length"), get.bytes.len().to_string());
    assert_eq!(head.header("etag"), get.header("etag"));
}

#[test]
fn a_known_version_is_not_sent_again() {
    let house = House::new();
    let id = house.create(&patient("r1", "王"));
    let address = format!("Patient/{id}");
    for tag in ["W/\"1\"", "\"1\"", "1", "W/\"9\", W/\"1\"", "*"] {
        let answer = house.ask("GET", &address).header("if-none-match", tag).done();
        assert_eq!((answer.status, answer.bytes.len()), (304, 0), "{tag}");
        assert_eq!(answer.header("etag"), "W/\"1\"");
    }
    assert_eq!(house.ask("GET", &address).header("if-none-match", "W/\"2\"").done().status, 200);
    let modified = house.get(&address).header("last-modified").to_owned();
    assert_eq!(house.ask("GET", &address).header("if-modified-since", &modified).done().status, 304);
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(house.ask("GET", &address).header("if-modified-since", old).done().status, 200);
}

#[test]
fn what_was_deleted_is_gone_and_what_never_was_is_not_found() {
    let house = House::new();
    let id = house.create(&patient("r1", "王"));
    assert_eq!(house.ask("DELETE", &format!("Patient/{id}")).done().status, 204);
    assert_eq!(house.get(&format!("Patient/{id}")).verdict(), (410, "deleted".into()));
    assert_eq!(house.get(&format!("Patient/{id}/_history/2")).verdict(), (410, "deleted".into()));
    assert_eq!(house.get(&format!("Patient/{id}/_history/1")).status, 200);
    assert_eq!(house.get(&format!("Patient/{id}/_history/3")).verdict(), (404, "not-found".into()));
    assert_eq!(house.get("Patient/nobody").verdict(), (404, "not-found".into()));
    assert_eq!(house.ask("DELETE", &format!("Patient/{id}")).done().status, 204, "deleting again is the same");
}

#[test]
fn a_history_tells_every_version_newest_first_and_pages() {
    let house = House::new();
    let id = house.create(&patient("h1", "王"));
    for family in ["李", "张"] {
        assert_eq!(house.put(&format!("Patient/{id}"), &with_id(&patient("h1", family), &id)).status, 200);
    }
    house.ask("DELETE", &format!("Patient/{id}")).done();
    let whole = house.get(&format!("Patient/{id}/_history")).json();
    assert_eq!((whole["type"].as_str(), whole["total"].as_u64()), (Some("history"), Some(4)));
    let entry = |place: usize| &whole["entry"][place];
    assert_eq!(entry(0)["request"]["method"], "DELETE");
    assert!(entry(0)["resource"].is_null());
    assert_eq!(entry(0)["response"]["status"], "204 No Content");
    assert_eq!(entry(1)["resource"]["name"][0]["family"], "张");
    assert_eq!(entry(3)["request"]["method"], "POST");
    assert_eq!(entry(3)["response"]["etag"], "W/\"1\"");
    let mut address = format!("Patient/{id}/_history?_count=3");
    let mut seen = 0;
    for _ in 0..5 {
        let page = house.get(&address);
        seen += page.json()["entry"].as_array().unwrap().len();
        match page.link("next") {
            Some(next) => address = next,
            None => break,
        }
    }
    assert_eq!(seen, 4);
    assert_eq!(house.get("Patient/_history").json()["total"], 4);
    assert_eq!(house.get("_history?_since=2099-01-01").json()["total"], 0);
}

#[test]
fn shortened_answers_say_so_and_cannot_be_written_back() {
    let house = House::new();
    let id = house.create(&patient("s1", "王"));
    let short = house.get(&format!("Patient/{id}?_elements=gender"));
    assert_eq!(short.json()["meta"]["tag"][0]["code"], "SUBSETTED");
    assert!(short.json()["name"].is_null() && short.json()["gender"] == "female");
    let back = house.put(&format!("Patient/{id}"), &short.text());
    assert_eq!(back.verdict(), (422, "subsetted".into()));
    let pretty = house.get(&format!("Patient/{id}?_pretty=true"));
    assert!(pretty.text().contains("\n  \"gender\""), "{}", pretty.text());
}

#[test]
fn the_capability_statement_names_what_the_route_table_serves() {
    let house = House::new();
    let before = house.leaves();
    let answer = house.ask("GET", "metadata").token(None).done();
    assert_eq!(answer.status, 200);
    assert_eq!(house.leaves(), before, "counted in the summary of its peer, not recorded by itself");
    let json = answer.json();
    assert_eq!(json["fhirVersion"], "4.0.1");
    assert_eq!(json["implementation"]["url"], "http://test.example:8080/fhir");
    let resources = json["rest"][0]["resource"].as_array().unwrap();
    assert!(resources.len() > 140);
    let patient = resources.iter().find(|resource| resource["type"] == "Patient").unwrap();
    let codes: Vec<&str> =
        patient["interaction"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()).collect();
    for code in
        ["read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type"]
    {
        assert!(codes.contains(&code), "{code}");
    }
    let parameters = patient["searchParam"].as_array().unwrap();
    assert!(parameters.iter().any(|parameter| parameter["name"] == "identifier" && parameter["type"] == "token"));
    let again = house.ask("GET", "metadata").token(None).header("if-none-match", answer.header("etag")).done();
    assert_eq!(again.status, 304);
}

#[test]
fn validate_lists_the_faults_of_a_readable_resource() {
    let house = House::new();
    let good = house.post("Patient/$validate", &patient("v1", "王"));
    assert_eq!(good.verdict(), (200, "valid".into()));
    let bad = house.post("$validate", r#"{"resourceType":"Patient","gender":"unknowable","colour":"red"}"#);
    assert_eq!(bad.status, 200);
    assert_eq!(bad.json()["issue"].as_array().unwrap().len(), 2, "{}", bad.text());
    let parameters = format!(
        r#"{{"resourceType":"Parameters","parameter":[{{"name":"resource","resource":{}}}]}}"#,
        patient("v1", "王")
    );
    assert_eq!(house.post("Patient/$validate", &parameters).verdict(), (200, "valid".into()));
    assert_eq!(house.post("Observation/$validate", &patient("v1", "王")).verdict(), (400, "other-type".into()));
    assert_eq!(house.post("$validate", "{").verdict(), (400, "bad-json".into()));
    let profiled = house.post("Patient/$validate?profile=http://example.org/p", &patient("v1", "王"));
    assert!(profiled.status == 200 && profiled.text().contains("profile-not-held"), "a profile is never silently fine");
    assert_eq!(house.post("Patient/$validate?modus=create", &patient("v1", "王")).status, 400);
}

fn with_id(body: &str, id: &str) -> String {
    body.replacen('{', &format!("{{\"id\":\"{id}\","), 1)
}
