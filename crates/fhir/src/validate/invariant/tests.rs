use super::*;
use crate::json;
use crate::validate::{Options, validate};

/// The rules that a resource breaks.
fn broken(text: &str) -> Vec<&'static str> {
    let value = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
    let keys: Vec<&str> = all().map(|rule| rule.key).collect();
    let issues = validate(&value, &Options::default());
    issues.iter().map(|issue| issue.code).filter(|code| keys.contains(code)).collect()
}

#[test]
fn every_rule_is_about_a_known_type_and_says_so_in_both_languages() {
    for rule in all() {
        assert!(TypeId::parse(rule.on).is_some(), "{} {}", rule.key, rule.on);
        assert!(!rule.en.is_empty() && !rule.zh.is_ascii(), "{}", rule.key);
    }
}

#[test]
fn an_observation_has_a_value_or_a_reason_for_none() {
    let code = r#""resourceType":"Observation","status":"final","code":{"coding":[{"code":"a"}]}"#;
    assert_eq!(broken(&format!("{{{code},\"valueString\":\"x\"}}")), Vec::<&str>::new());
    assert_eq!(broken(&format!("{{{code},\"valueString\":\"x\",\"dataAbsentReason\":{{\"text\":\"x\"}}}}")), ["obs-6"]);
    let component = r#""component":[{"code":{"coding":[{"code":"a"}]}}]"#;
    assert_eq!(broken(&format!("{{{code},\"valueString\":\"x\",{component}}}")), ["obs-7"]);
    assert_eq!(broken(&format!("{{{code},\"referenceRange\":[{{\"type\":{{\"text\":\"x\"}}}}]}}")), ["obs-3"]);
}

#[test]
fn a_period_does_not_end_before_it_starts() {
    let period = |start: &str, end: &str| {
        broken(&format!(r#"{{"resourceType":"Patient","name":[{{"period":{{"start":"{start}","end":"{end}"}}}}]}}"#))
    };
    assert!(period("2024", "2024-05").is_empty());
    assert!(period("2024-05-02T00:00:00+08:00", "2024-05-01T20:00:00Z").is_empty());
    assert!(period("2024-05-01T20:00:00Z", "2024-05-01").is_empty());
    assert_eq!(period("2024-05-02", "2024-05-01"), ["per-1"]);
    assert_eq!(period("2024-05-01T10:00:00Z", "2024-05-01T09:00:00Z"), ["per-1"]);
}

#[test]
fn specialised_quantities_keep_the_rules_of_quantity() {
    let onset = r#"{"resourceType":"Condition","subject":{"reference":"Patient/a"},"onsetAge":{"value":3,"code":"a"}}"#;
    assert_eq!(broken(onset), ["qty-3"]);
    let range = r#"{"resourceType":"Condition","subject":{"display":"a"},"onsetRange":{"low":{"value":10.0},"high":{"value":9.99}}}"#;
    assert_eq!(broken(range), ["rng-2"]);
}

#[test]
fn an_extension_has_a_value_or_extensions() {
    let patient = |extension: &str| broken(&format!(r#"{{"resourceType":"Patient","extension":[{extension}]}}"#));
    assert!(patient(r#"{"url":"u","valueString":"a"}"#).is_empty());
    assert!(patient(r#"{"url":"u","_valueString":{"id":"a","extension":[{"url":"v","valueString":"a"}]}}"#).is_empty());
    assert_eq!(patient(r#"{"url":"u"}"#), ["ext-1"]);
    assert_eq!(patient(r#"{"url":"u","valueString":"a","extension":[{"url":"v","valueString":"a"}]}"#), ["ext-1"]);
}

#[test]
fn entries_have_requests_exactly_where_they_belong() {
    let bundle =
        |kind: &str, entry: &str| broken(&format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{entry}]}}"#));
    let request = r#"{"request":{"method":"GET","url":"Patient"}}"#;
    assert!(bundle("batch", request).is_empty());
    assert_eq!(bundle("collection", request), ["bdl-3"]);
    assert_eq!(bundle("transaction", r#"{"resource":{"resourceType":"Patient"}}"#), ["bdl-3"]);
    assert_eq!(bundle("collection", r#"{"fullUrl":"urn:x"}"#), ["bdl-5"]);
    let twice = r#"{"fullUrl":"urn:x","resource":{"resourceType":"Patient"}},{"fullUrl":"urn:x","resource":{"resourceType":"Patient"}}"#;
    assert_eq!(bundle("collection", twice), ["bdl-7"]);
}

#[test]
fn an_appointment_has_both_ends_or_none() {
    let appointment = |rest: &str| {
        broken(&format!(
            r#"{{"resourceType":"Appointment","participant":[{{"actor":{{"reference":"Patient/a"}},"status":"accepted"}}],{rest}}}"#
        ))
    };
    assert!(appointment(r#""status":"proposed""#).is_empty());
    assert_eq!(appointment(r#""status":"booked""#), ["app-3"]);
    assert_eq!(appointment(r#""status":"proposed","start":"2024-05-01T10:00:00Z""#), ["app-2"]);
}
