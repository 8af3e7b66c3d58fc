//! Searches and their pages.

use super::house::{House, patient};

#[test]
fn a_search_finds_by_get_and_by_post() {
    let house = House::new();
    let id = house.create(&patient("q1", "王"));
    house.create(&patient("q2", "李"));
    let get = house.get("Patient?identifier=urn:oid:2.16.86%7Cq1");
    assert_eq!(get.ids(), std::slice::from_ref(&id));
    let json = get.json();
    assert_eq!((json["type"].as_str(), json["total"].as_u64()), (Some("searchset"), Some(1)));
    assert_eq!(json["entry"][0]["fullUrl"], format!("http://test.example:8080/fhir/Patient/{id}"));
    let form = house
        .ask("POST", "Patient/_search?gender=female")
        .body("application/x-www-form-urlencoded", b"identifier=urn:oid:2.16.86|q1");
    assert_eq!(form.done().ids(), std::slice::from_ref(&id));
    let system = house
        .ask("POST", "_search")
        .body("application/x-www-form-urlencoded", b"_type=Patient,Observation&_id=")
        .done();
    assert_eq!(system.status, 200, "{}", system.text());
    let nothing = house.get("Patient?identifier=urn:oid:2.16.86%7Cnobody");
    assert_eq!(nothing.status, 200);
    assert!(nothing.json()["entry"].is_null());
}

#[test]
fn pages_show_each_match_once_and_lead_back() {
    let house = House::new();
    let mut made: Vec<String> = (0..7).map(|n| house.create(&patient(&format!("g{n}"), "Paging"))).collect();
    let mut pages = vec![house.get("Patient?family=Paging&_count=3")];
    while let Some(next) = pages.last().and_then(|page| page.link("next")) {
        assert!(next.starts_with("http://test.example:8080/fhir/Patient?family=Paging&_count=3&_cursor="), "{next}");
        pages.push(house.get(&next));
        assert!(pages.len() < 5);
    }
    assert_eq!(pages.iter().map(|page| page.ids().len()).collect::<Vec<_>>(), [3, 3, 1]);
    let mut seen: Vec<String> = pages.iter().flat_map(|page| page.ids()).collect();
    seen.sort();
    made.sort();
    assert_eq!(seen, made);
    assert!(pages[0].link("previous").is_none());
    let back = house.get(&pages[2].link("previous").unwrap());
    assert_eq!(back.ids(), pages[1].ids());
    let first = house.get(&back.link("previous").unwrap());
    assert_eq!(first.ids(), pages[0].ids());
    assert_eq!(pages[1].link("first"), pages[0].link("self"));
}

#[test]
fn a_page_is_as_large_as_asked_for() {
    let house = House::with(crate::Limits { count_max: 30, ..crate::Limits::default() });
    for n in 0..35 {
        house.create(&patient(&format!("l{n}"), "Large"));
    }
    let sizes = [("", 20), ("&_count=25", 25), ("&_count=1000", 30)];
    for (count, size) in sizes {
        let answer = house.get(&format!("Patient?family=Large{count}"));
        assert_eq!(answer.ids().len(), size, "{count}");
        let lowered = answer.link("self").unwrap().contains("_count=30");
        assert_eq!(lowered, count.ends_with("1000"), "a lowered count is shown");
    }
}

#[test]
fn a_page_link_serves_its_client_and_query_only() {
    let house = House::new();
    for n in 0..3 {
        house.create(&format!(r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x{n}"}}}}"#));
    }
    let next = house.get("Observation?status=final&_count=1").link("next").unwrap();
    assert_eq!(house.get(&next).status, 200);
    let foreign = house.ask("GET", &next).token(Some("reader.token")).done();
    assert_eq!(foreign.verdict(), (400, "bad-cursor".into()));
    let other = next.replace("status=final", "status=amended");
    assert_eq!(house.get(&other).verdict(), (400, "bad-cursor".into()));
    let altered = format!("{}A", &next[..next.len() - 1]);
    assert!(house.get(&altered).status == 400 || altered == next);
}

#[test]
fn an_unknown_parameter_is_refused_or_named() {
    let house = House::new();
    house.create(&patient("n1", "王"));
    let strict = house.get("Patient?famly=x");
    assert_eq!(strict.verdict(), (400, "unknown-parameter".into()));
    assert!(strict.text().contains("famly") && strict.text().contains("family"), "{}", strict.text());
    let lenient = house.ask("GET", "Patient?famly=x&gender=female").header("prefer", "handling=lenient").done();
    assert_eq!(lenient.status, 200);
    assert_eq!(lenient.header("preference-applied"), "handling=lenient");
    assert!(!lenient.link("self").unwrap().contains("famly"));
    let json = lenient.json();
    let entries = json["entry"].as_array().unwrap();
    assert_eq!(entries.last().unwrap()["search"]["mode"], "outcome");
    assert!(entries.last().unwrap()["resource"]["issue"][0]["details"]["text"].as_str().unwrap().contains("famly"));
    assert_eq!(house.get("Patient/1?family=x").verdict(), (400, "unknown-parameter".into()));
}

#[test]
fn a_count_of_zero_counts_only() {
    let house = House::new();
    for n in 0..3 {
        house.create(&patient(&format!("z{n}"), "Zero"));
    }
    for address in ["Patient?family=Zero&_count=0", "Patient?family=Zero&_summary=count"] {
        let answer = house.get(address);
        assert_eq!(answer.json()["total"], 3, "{address}");
        assert!(answer.json()["entry"].is_null());
        assert!(answer.link("next").is_none());
    }
    let both = house.get("?_type=Patient,Observation&_summary=count");
    assert_eq!(both.json()["total"], 3, "{}", both.text());
}

#[test]
fn includes_stand_beside_their_matches() {
    let house = House::new();
    let id = house.create(&patient("i1", "王"));
    let observation = format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"text":"Hb"}},"subject":{{"reference":"Patient/{id}"}}}}"#
    );
    let made = house.create(&observation);
    let answer = house.get("Observation?_include=Observation:subject");
    assert_eq!(answer.ids(), std::slice::from_ref(&made));
    assert_eq!(answer.json()["total"], 1);
    assert_eq!(answer.json()["entry"][1]["search"]["mode"], "include");
    let compartment = house.get(&format!("Patient/{id}/Observation"));
    assert_eq!(compartment.ids(), std::slice::from_ref(&made));
    let everything = house.get(&format!("Patient/{id}/$everything"));
    assert_eq!(everything.status, 200, "{}", everything.text());
    let mut ids = everything.ids();
    ids.sort();
    let mut both = vec![id.clone(), made];
    both.sort();
    assert_eq!(ids, both);
    assert_eq!(house.get("Patient/nobody/$everything").status, 404);
    let dated = house.get(&format!("Patient/{id}/$everything?start=2020-01-01&_type=Patient"));
    assert_eq!(dated.ids(), [id]);
}

#[test]
fn a_search_over_several_types_pages_through_all_of_them() {
    let house = House::new();
    let mut made: Vec<String> = (0..3).map(|n| house.create(&patient(&format!("m{n}"), "Many"))).collect();
    for n in 0..3 {
        made.push(
            house.create(&format!(r#"{{"resourceType":"Observation","status":"final","code":{{"text":"x{n}"}}}}"#)),
        );
    }
    let mut address = "?_type=Patient,Observation&_count=2".to_owned();
    let mut seen = Vec::new();
    for _ in 0..6 {
        let page = house.get(&address);
        assert_eq!(page.status, 200, "{}", page.text());
        seen.extend(page.ids());
        match page.link("next") {
            Some(next) => address = next,
            None => break,
        }
    }
    seen.sort();
    made.sort();
    assert_eq!(seen, made);
}

#[test]
fn a_search_by_one_name_of_an_authority_finds_what_stands_under_another() {
    let house = House::new();
    let resident = "https://dukou.dev/fhir/system/CHN-resident-identity-card";
    let number = "860202198507140329";
    let with = |system: &str| {
        house.create(&format!(
            r#"{{"resourceType":"Patient","identifier":[{{"system":"{system}","value":"{number}"}}]}}"#
        ))
    };
    let aliases = ["urn:oid:2.16.840.1.113883.2.23.1.19.1", "urn:oid:2.16.156.10011.1.3", resident];
    let mut made: Vec<String> = aliases.map(with).into();
    made.sort();
    for asked in aliases {
        let found = house
            .ask("POST", "Patient/_search")
            .body("application/x-www-form-urlencoded", format!("identifier={asked}|{number}").as_bytes())
            .done();
        let mut ids = found.ids();
        ids.sort();
        assert_eq!(ids, made, "{asked}");
        let link = found.link("self").unwrap();
        assert_eq!(
            link.matches("113883").count(),
            asked.matches("113883").count(),
            "the question stays as asked: {link}"
        );
    }
    let passport = house.get(&format!("Patient?identifier=https://dukou.dev/fhir/system/passport%7C{number}"));
    assert!(passport.ids().is_empty(), "another authority has other numbers");
}
