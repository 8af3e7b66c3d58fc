//! What the CapabilityStatement claims can be called; what it does not claim is refused.

use dukou_fhir::search::parameters;
use dukou_fhir::{ResourceType, search};
use serde_json::Value;

use super::house::{House, patient};

#[test]
fn every_claimed_search_parameter_is_served() {
    let house = House::new();
    for resource in resources(&house) {
        let kind = resource["type"].as_str().unwrap();
        for parameter in resource["searchParam"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let values: &[&str] = match parameter["type"].as_str().unwrap() {
                "date" => &["2020-01-01"],
                "number" | "quantity" => &["5"],
                "reference" => &["1"],
                "uri" => &["http://example.org/x"],
                // The components have types of their own.
                "composite" => &["x$5", "x$x", "x$2020-01-01", "x$1", "1$x", "5$5", "x$5$5"],
                _ => &["x"],
            };
            let served = values.iter().any(|value| house.get(&format!("{kind}?{name}={value}")).status == 200);
            assert!(served, "{kind}?{name}={}", values[0]);
        }
    }
}

#[test]
fn every_claimed_include_is_served() {
    let house = House::new();
    for resource in resources(&house) {
        let kind = resource["type"].as_str().unwrap();
        for (list, name) in [("searchInclude", "_include"), ("searchRevInclude", "_revinclude")] {
            for value in resource[list].as_array().into_iter().flatten() {
                let value = value.as_str().unwrap();
                let answer = house.get(&format!("{kind}?{name}={value}"));
                assert_eq!(answer.status, 200, "{kind}?{name}={value}: {}", answer.text());
            }
        }
    }
}

#[test]
fn what_is_not_claimed_is_refused() {
    let house = House::new();
    for kind in ResourceType::all() {
        for parameter in parameters::of(kind).iter().filter(|parameter| parameter.unsupported().is_some()) {
            let answer = house.get(&format!("{kind}?{}=x", parameter.code()));
            assert_eq!(answer.status, 400, "{kind}?{}: {}", parameter.code(), answer.text());
        }
    }
    assert!(search::includes(ResourceType::PATIENT).iter().all(|include| include.starts_with("Patient:")));
    for address in
        ["Patient?_filter=name eq x", "Patient?_query=x", "Patient/$no-such", "$convert", "Patient?nothing=1"]
    {
        let status = house.ask("GET", &address.replace(' ', "%20")).done().status;
        assert!(matches!(status, 400 | 404), "{address}: {status}");
    }
}

#[test]
fn every_claimed_interaction_is_served_for_every_type() {
    let house = House::new();
    let claimed = resources(&house);
    for resource in &claimed {
        let kind = resource["type"].as_str().unwrap();
        let mut codes: Vec<&str> =
            resource["interaction"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()).collect();
        codes.sort_unstable();
        let expected =
            ["create", "delete", "history-instance", "history-type", "patch", "read", "search-type", "update", "vread"];
        assert_eq!(codes, expected, "{kind}");
        // A type without a stored resource answers by its routes all the same: nothing here is 405 or 501.
        let empty = format!("{{\"resourceType\":\"{kind}\",\"id\":\"x\"}}");
        let statuses = [
            house.get(&format!("{kind}/x")).status,
            house.get(&format!("{kind}/x/_history")).status,
            house.get(&format!("{kind}/_history")).status,
            house.get(kind).status,
            house.ask("DELETE", &format!("{kind}/x")).done().status,
            house.post(&format!("{kind}/$validate"), &empty).status,
        ];
        assert_eq!(statuses, [404, 404, 200, 200, 204, 200], "{kind}");
        assert!(matches!(house.post(kind, &empty).status, 201 | 422), "{kind}");
    }
    assert_eq!(claimed.len(), ResourceType::all().len());
}

#[test]
fn the_claimed_operations_and_system_interactions_are_served() {
    let house = House::new();
    let json = house.get("metadata").json();
    let rest = &json["rest"][0];
    let codes: Vec<&str> =
        rest["interaction"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["transaction", "batch", "search-system", "history-system"]);
    assert_eq!(house.get("_history").status, 200);
    assert_eq!(house.get("?_type=Patient").status, 200);
    let id = house.create(&patient("x", "王"));
    assert_eq!(house.get(&format!("Patient/{id}/$everything")).status, 200);
}

fn resources(house: &House) -> Vec<Value> {
    house.get("metadata").json()["rest"][0]["resource"].as_array().unwrap().clone()
}
