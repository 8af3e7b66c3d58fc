//! What is refused, with which status, and how it is recorded.

use dukou_access::Channel;

use super::house::{House, patient};

#[test]
fn without_a_good_credential_nothing_is_said() {
    let house = House::new();
    let before = house.leaves();
    let without = house.ask("GET", "Patient/1").token(None).done();
    assert_eq!(without.verdict(), (401, "credential-missing".into()));
    assert_eq!(without.header("www-authenticate"), "Bearer realm=\"dukou\"");
    let cases = [
        house.ask("GET", "Patient/1").token(None).header("authorization", "Bearer nonsense").done(),
        house.ask("GET", "Patient/1").token(None).header("authorization", "Digest nonsense").done(),
        house.ask("GET", "Patient/1").header("authorization", "Bearer second").done(),
        house.ask("GET", "Patient/1?access_token=x").token(None).done(),
        house.ask("GET", "Patient/1").channel(Channel::Tls).done(),
        house.ask("DELETE", "no/such/address/at/all").token(None).done(),
    ];
    for answer in cases {
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert!(answer.header("x-audit-receipt").is_empty());
        assert_eq!(answer.header("x-request-id").len(), 36);
    }
    assert_eq!(house.leaves(), before, "counted, not recorded one by one");
}

#[test]
fn basic_with_the_clients_token_is_as_good_as_bearer() {
    let house = House::new();
    use base64::Engine as _;
    let ask = |pair: &str| {
        let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        house.ask("GET", "Patient").token(None).header("authorization", &value).done().status
    };
    assert_eq!(ask("his:invented-token-of-the-file-his.token"), 200);
    assert_eq!(ask("reader:invented-token-of-the-file-his.token"), 401);
    assert_eq!(ask("his:wrong"), 401);
}

#[test]
fn each_refusal_of_a_known_client_is_one_record() {
    let house = House::new();
    let cases = [
        (house.ask("GET", "nowhere"), 404, "not-found"),
        (house.ask("GET", "Patiens"), 404, "unknown-type"),
        (house.ask("GET", "$nothing"), 404, "unknown-operation"),
        (house.ask("DELETE", "metadata"), 405, "method-not-allowed"),
        (house.ask("PUT", "Patient/1/_history"), 405, "method-not-allowed"),
        (house.ask("GET", "Patient/1").header("accept", "application/fhir+xml"), 406, "not-acceptable"),
        (house.ask("GET", "Patient/1?_format=xml"), 406, "not-acceptable"),
        (house.ask("POST", "Patient").body("application/fhir+xml", b"<Patient/>"), 415, "media-type"),
        (house.ask("POST", "Patient").body("application/fhir+json; charset=gbk", b"{}"), 415, "media-type"),
        (house.ask("POST", "Patient").header("content-encoding", "br").json("{}"), 415, "media-type"),
        (house.ask("POST", "Patient").header("content-encoding", "gzip").json("{}"), 400, "bad-gzip"),
        (house.ask("GET", "Patient?_count=many"), 400, "bad-parameter"),
        (house.ask("GET", "Patient?family=%zz"), 400, "bad-encoding"),
        (house.ask("GET", "Patient/a_b"), 404, "not-found"),
        (house.ask("POST", "Patient").token(Some("reader.token")).json("{}"), 403, "scope-missing"),
        (house.ask("GET", "Patient").token(Some("reader.token")), 403, "scope-missing"),
        (house.ask("GET", "Patient/1").header("x-purpose-of-use", "GOSSIP"), 403, "purpose-unknown"),
        (house.ask("OPTIONS", "Patient"), 204, ""),
    ];
    for (asking, status, code) in cases {
        let before = house.leaves();
        let answer = asking.done();
        assert_eq!(answer.verdict(), (status, code.to_owned()), "{}", answer.text());
        assert!(!answer.header("x-audit-receipt").is_empty(), "{code}");
        assert_eq!(house.leaves(), before + 1, "{code}");
    }
}

#[test]
fn what_is_out_of_reach_answers_like_what_is_absent() {
    let house = House::new();
    for id in ["p1", "p2"] {
        let body = patient(id, "王").replacen('{', &format!("{{\"id\":\"{id}\","), 1);
        assert_eq!(house.put(&format!("Patient/{id}"), &body).status, 201);
    }
    let ward = |address: &str| house.ask("GET", address).token(Some("ward.token")).done();
    assert_eq!(ward("Patient/p1").status, 200);
    let (there, absent) = (ward("Patient/p2"), ward("Patient/p9"));
    assert_eq!((there.status, there.bytes.clone()), (404, absent.bytes.clone()));
    let observation = r#"{"resourceType":"Observation","id":"o2","status":"final","code":{"text":"Hb"},"subject":{"reference":"Patient/p2"}}"#;
    assert_eq!(house.put("Observation/o2", observation).status, 201);
    assert_eq!(ward("Observation/o2").bytes, ward("Observation/o9").bytes);
    assert_eq!(ward("Observation/o2").status, 404);
    assert_eq!(ward("Observation").json()["total"], 0, "what may not be seen is not counted");
    assert_eq!(ward("Patient?_summary=count").json()["total"], 1);
    assert_eq!(ward("Patient/p2/Observation").json()["total"], 0);
    assert_eq!(ward("Patient/p2/$everything").bytes, ward("Patient/p9/$everything").bytes);
    assert_eq!(ward("Observation/o2/_history").status, 404);
    assert_eq!(ward("Observation/_history").json()["total"], 0);
}

#[test]
fn sizes_are_taken_at_their_limit_and_refused_above() {
    let limits =
        crate::Limits { url_bytes_max: 200, header_fields_max: 10, body_bytes_max: 400, ..crate::Limits::default() };
    let house = House::with(limits);
    let url = |bytes: usize| format!("Patient?identifier={}", "x".repeat(bytes - "/fhir/Patientidentifier=".len()));
    assert_eq!(house.get(&url(200)).status, 200);
    assert_eq!(house.get(&url(201)).verdict(), (414, "url-too-long".into()));
    let mut many = house.ask("GET", "Patient");
    for name in ["x-a", "x-b", "x-c", "x-d", "x-e", "x-f", "x-g", "x-h"] {
        many = many.header(name, "1");
    }
    assert_eq!(many.done().status, 200);
    let mut more = house.ask("GET", "Patient");
    for name in ["x-a", "x-b", "x-c", "x-d", "x-e", "x-f", "x-g", "x-h", "x-i"] {
        more = more.header(name, "1");
    }
    assert_eq!(more.done().verdict(), (431, "headers-too-large".into()));
    let body = |bytes: usize| {
        let plain = patient("", "王");
        patient(&"9".repeat(bytes - plain.len()), "王")
    };
    assert_eq!(house.post("Patient", &body(400)).status, 201);
    assert_eq!(house.post("Patient", &body(401)).verdict(), (413, "body-too-large".into()));
}

#[test]
fn texts_come_in_the_language_asked_for() {
    let house = House::new();
    let chinese = house.ask("GET", "Patient/1").header("accept-language", "zh-CN, en;q=0.5").done();
    assert_eq!(chinese.header("content-language"), "zh");
    assert!(chinese.text().contains("未找到"), "{}", chinese.text());
    assert_eq!(chinese.verdict(), house.get("Patient/1").verdict(), "the code is the same");
}

#[test]
fn gzip_goes_both_ways() {
    let house = House::new();
    let plain = patient("gz", &"长".repeat(600));
    let small = crate::gzip::deflate(plain.as_bytes()).unwrap();
    let answer = house
        .ask("POST", "Patient")
        .header("content-encoding", "gzip")
        .header("accept-encoding", "gzip")
        .body("application/fhir+json", &small)
        .done();
    assert_eq!((answer.status, answer.header("content-encoding")), (201, "gzip"));
    let inflated = crate::gzip::inflate(&answer.bytes, 1 << 20).unwrap();
    assert!(String::from_utf8(inflated.to_vec()).unwrap().contains("长长"));
}

#[test]
fn a_browser_is_answered_for_listed_origins_only() {
    let house = House::new();
    let ask = |origin: &str| {
        house
            .ask("OPTIONS", "Patient")
            .token(None)
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .done()
    };
    let listed = ask("https://app.example");
    assert_eq!((listed.status, listed.header("access-control-allow-origin")), (204, "https://app.example"));
    let other = ask("https://evil.example");
    assert_eq!((other.status, other.header("access-control-allow-origin")), (401, ""));
    let read = house.ask("GET", "Patient").header("origin", "https://app.example").done();
    assert!(read.header("access-control-expose-headers").contains("X-Audit-Receipt"));
}

#[test]
fn no_input_of_a_client_is_answered_with_a_fault_of_ours() {
    let house = House::new();
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"];
    let addresses = [
        "",
        "Patient",
        "Patient/1",
        "Patient/1/_history",
        "Patient/1/_history/1",
        "_history",
        "_search",
        "Patient/_search",
        "$validate",
        "Patient/$validate",
        "Patient/1/Observation",
        "Patient/1/*",
        "Patient/1/$everything",
        "metadata",
        "Patient/1/2/3/4",
        "%00",
        "/ingest",
        "Patient?identifier=|||",
        "Patient?birthdate=ge",
        "Observation?value-quantity=5||",
        "Patient?_sort=-nothing",
        "Patient?_include=*",
        "Patient?_cursor=AAAA",
        "Patient?_has:Observation:patient:code=1",
        "Patient?general-practitioner.name=x",
        "Patient?_type=Patient",
    ];
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"resourceType":"Bundle","type":"batch","entry":[null,1,{}]}"#,
        r#"{"resourceType":"Patient"}"#,
        "[{\"op\":\"add\"}]",
    ];
    let kinds = [
        "application/fhir+json",
        "application/json-patch+json",
        "application/x-www-form-urlencoded",
        "x-application/hl7-v2+er7",
    ];
    for method in methods {
        for address in addresses {
            for body in bodies {
                for kind in kinds {
                    let answer = house.ask(method, address).body(kind, body.as_bytes()).done();
                    assert!(
                        answer.status < 500,
                        "{method} {address} {kind} {body}: {} {}",
                        answer.status,
                        answer.text()
                    );
                }
            }
        }
    }
}

#[test]
fn a_question_needs_the_right_to_search_every_type_it_walks_through() {
    let house = House::new();
    let id = house.create(&patient("walk", "王"));
    let observation = format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"Hb"}},"subject":{{"reference":"Patient/{id}"}}}}"#
    );
    let made = house.create(&observation);
    let reader = |address: &str| house.ask("GET", address).token(Some("reader.token")).done();
    assert_eq!(reader("Observation").ids(), [made]);
    assert_eq!(reader("Observation?subject:Patient.family=x").verdict(), (403, "forbidden".into()));
    assert_eq!(reader("Observation?subject.family=x").verdict(), (403, "forbidden".into()));
    assert_eq!(reader("Observation?_has:Provenance:target:agent=x").verdict(), (403, "forbidden".into()));
    let included = reader("Observation?_include=*").json();
    let kinds: Vec<&str> =
        included["entry"].as_array().unwrap().iter().map(|e| e["resource"]["resourceType"].as_str().unwrap()).collect();
    assert!(kinds.iter().all(|kind| ["Observation", "Patient"].contains(kind)), "{kinds:?}");
    let once = house
        .ask("POST", "Observation")
        .token(Some("batch.token"))
        .header("if-none-exist", "status=final")
        .json(&observation);
    assert_eq!(once.done().verdict(), (403, "forbidden".into()), "a condition is a question");
}
