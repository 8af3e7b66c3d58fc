//! How a record looks on the screen: masked unless the caller asked to see it and said what for.

use dukou_identity::mask;
use serde_json::Value;

/// The lines of a Patient: what a desk compares, one fact a line.
pub(super) fn lines(patient: &Value, show: bool) -> Vec<String> {
    let mask_or = |mask: fn(&str) -> String, value: &str| if show { value.to_owned() } else { mask(value) };
    let mut lines = Vec::new();
    let mut say = |name: &str, values: Vec<String>| {
        let values: Vec<String> = values.into_iter().filter(|value| !value.is_empty()).collect();
        if !values.is_empty() {
            lines.push(format!("  {name:<8} {}", values.join(", ")));
        }
    };
    // A name in letters beside a masked one in characters would spell it out.
    let names = written(patient);
    say("name", names.iter().map(|name| mask_or(mask::name, name)).take(if show { usize::MAX } else { 1 }).collect());
    say("sex", texts(patient, "/gender"));
    say("born", texts(patient, "/birthDate").iter().map(|date| mask_or(mask::birth_date, date)).collect());
    say("numbers", numbers(patient, show));
    let phones = list(patient, "telecom").iter().filter(|telecom| telecom["system"] != "email");
    say("phone", phones.filter_map(|one| one["value"].as_str()).map(|one| mask_or(mask::phone, one)).collect());
    let addresses = list(patient, "address").iter().map(address);
    say("address", addresses.map(|one| mask_or(mask::address, &one)).collect());
    if patient["active"] == false {
        let next = list(patient, "link").iter().find(|link| link["type"] == "replaced-by");
        say("retired", vec![next.and_then(|link| link["other"]["reference"].as_str()).unwrap_or("yes").to_owned()]);
    }
    lines
}

/// The issues of a search or a match: that it was cut, that a source is missing.
pub(super) fn notes(bundle: &Value) -> Vec<String> {
    let outcomes = list(bundle, "entry").iter().filter(|entry| entry["resource"]["resourceType"] == "OperationOutcome");
    let issues = outcomes.flat_map(|entry| list(&entry["resource"], "issue"));
    issues.filter_map(|issue| issue["details"]["text"].as_str().map(str::to_owned)).collect()
}

/// The members of a list; none where there is no list.
pub(super) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Names as they are written, those in characters first.
fn written(patient: &Value) -> Vec<String> {
    let one = |name: &Value| {
        let given = list(name, "given").iter().filter_map(Value::as_str);
        let parts: Vec<&str> = name["family"].as_str().into_iter().chain(given).collect();
        name["text"].as_str().map_or_else(|| parts.concat(), str::to_owned)
    };
    let mut names: Vec<String> = list(patient, "name").iter().map(one).filter(|name| !name.is_empty()).collect();
    names.sort_by_key(|name| name.is_ascii());
    names
}

/// `kind value`, with several numbers beside each other masked together.
fn numbers(patient: &Value, show: bool) -> Vec<String> {
    let identifiers = list(patient, "identifier");
    let values: Vec<&str> = identifiers.iter().map(|one| one["value"].as_str().unwrap_or_default()).collect();
    let shown = if show { values.iter().map(|one| (*one).to_owned()).collect() } else { mask::numbers(values) };
    let kind = |one: &Value| {
        let coded = list(&one["type"], "coding").first().and_then(|coding| coding["code"].as_str());
        let system = one["system"].as_str().and_then(|system| system.rsplit(['/', ':']).next());
        coded.or(system).unwrap_or("?").to_owned()
    };
    let said = identifiers.iter().zip(shown).filter(|(_, value)| !value.is_empty());
    said.map(|(one, value)| format!("{} {value}", kind(one))).collect()
}

fn address(address: &Value) -> String {
    let lines: String = list(address, "line").iter().filter_map(Value::as_str).collect();
    let part = |name: &str| address[name].as_str().unwrap_or_default().to_owned();
    match address["text"].as_str() {
        Some(text) => text.to_owned(),
        None => [part("state"), part("city"), part("district"), lines].concat(),
    }
}

fn texts(value: &Value, at: &str) -> Vec<String> {
    value.pointer(at).and_then(Value::as_str).map(str::to_owned).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_record_is_masked_unless_it_is_to_be_shown() {
        let patient = serde_json::json!({
            "name": [{"text": "ZHANG SANSHI"}, {"text": "张三示"}], "gender": "male", "birthDate": "1990-12-31",
            "identifier": [{"type": {"coding": [{"code": "NNCHN"}]}, "value": "86010119901231019X"}, {"system": "urn:x:h1", "value": "0000451287"}],
            "telecom": [{"system": "phone", "value": "19900000017"}], "address": [{"text": "示范省示范市样例区测试路1号"}],
        });
        let masked = lines(&patient, false).join("\n");
        let expected = "  name     张*示\n  sex      male\n  born     1990\n  numbers  NNCHN 860*************9X, h1 ********87\n  phone    199****0017\n  address  示范省示范市样例区*";
        assert_eq!(masked, expected);
        let shown = lines(&patient, true).join("\n");
        for value in ["张三示, ZHANG SANSHI", "1990-12-31", "86010119901231019X", "19900000017", "测试路1号"] {
            assert!(shown.contains(value), "{shown}");
        }
    }
}
