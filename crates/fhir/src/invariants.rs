//! Promises of this crate as functions over any bytes: a test or a fuzzer calls one of them in one line. Each panics
//! when its promise is broken.

use crate::reference::{self, Target};
use crate::search::{self, Condition, Handling, Lookup, PostingKey, Query};
use crate::{
    Draft, FhirDateTime, Instant, LogicalId, Offset, ResourceKey, ResourceType, Time, Value, VersionId, json, path,
    validate,
};

/// What parses is printed so that it parses to the same tree, and the canonical form is a fixed point. A refusal lies within the text.
pub fn json_parse_print(data: &[u8]) {
    let limits = json::Limits::default();
    let value = match json::parse(data, &limits) {
        Ok(value) => value,
        Err(error) => return assert!(error.offset <= data.len(), "a fault lies within the text"),
    };
    let (mut canonical, mut pretty, mut again) = (Vec::new(), Vec::new(), Vec::new());
    json::print(&value, &mut canonical);
    json::print_pretty(&value, &mut pretty);
    assert!(canonical.len() <= data.len() * 6, "printing does not swell the text");
    let reread = json::parse(&canonical, &limits);
    assert_eq!(reread.as_ref(), Ok(&value), "the canonical form says the same");
    assert_eq!(json::parse(&pretty, &limits).as_ref(), Ok(&value), "the indented form says the same");
    if let Ok(reread) = reread {
        json::print(&reread, &mut again);
    }
    assert_eq!(again, canonical, "the canonical form is printed as it is");
}

/// Any tree can be validated, indexed and drafted; a draft is stored and read back as what it was made of.
pub fn resource_total(data: &[u8]) {
    let Ok(value) = json::parse(data, &json::Limits::default()) else { return };
    let mut issues = validate::validate(&value, &validate::Options { issues_max: 50 });
    assert!(issues.len() <= 51, "the list of faults is bounded");
    validate::place(&mut issues, data);
    for issue in &issues {
        let inside = issue.position.is_none_or(|position| position.line >= 1 && position.column >= 1);
        assert!(inside && !issue.code.is_empty());
    }
    let Some(kind) = value.resource_type().and_then(ResourceType::parse) else { return };
    for site in SITES {
        let keys = search::keys(&value, kind, site);
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "keys are sorted and each stands once");
        search::patients(&value, site.base);
    }
    references(&value);
    draft(&value, kind);
}

/// Rewriting every reference to itself changes nothing.
fn references(value: &Value<'_>) {
    let all: Vec<(String, String)> =
        reference::references(value).into_iter().map(|(place, text)| (place, text.to_owned())).collect();
    for (_, text) in &all {
        reference_text(text);
    }
    let mut same = value.clone().into_static();
    reference::rewrite(&mut same, &mut |text| Some(text.to_owned()));
    assert_eq!(same, value.clone().into_static(), "a reference rewritten to itself stays");
}

fn draft(value: &Value<'_>, kind: ResourceType) {
    let Some(id) = LogicalId::parse("a-1") else { return };
    let Ok(draft) = Draft::new(value, ResourceKey::new(kind, id)) else { return };
    let stamped = draft.stamp(VersionId::FIRST, Instant::from_millis(0));
    assert!(stamped.len() <= draft.stamped_len_max());
    assert!(draft.same_content(&stamped), "a draft knows what was stored of it");
    let limits = json::Limits { depth_max: u32::MAX, values_max: u32::MAX };
    let Ok(stored) = json::parse(&stamped, &limits) else { panic!("what is stored can be read") };
    assert_eq!((stored.text_at("id"), stored.text_at("meta.versionId")), (Some("a-1"), Some("1")));
    let again =
        Draft::new(&stored, draft.key().clone()).map(|draft| draft.stamp(VersionId::FIRST, Instant::from_millis(0)));
    assert_eq!(again.as_ref(), Ok(&stamped), "what is stored is drafted as it is");
}

/// A text that is a date, time, instant, offset, id, key or reference is one range, and is printed as it was read.
pub fn scalar_text(text: &str) {
    for parsed in [FhirDateTime::parse(text), FhirDateTime::parse_lenient(text)].into_iter().flatten() {
        assert_eq!(parsed.as_str(), text);
        for site in [Offset::UTC, Offset::EASTMOST, Offset::WESTMOST] {
            assert!(parsed.low(site) <= parsed.high(site), "a time does not end before it begins");
        }
    }
    if let Some(instant) = Instant::parse(text) {
        assert_eq!(Instant::parse(&instant.to_string()), Some(instant), "an instant is read back");
    }
    if let Some(time) = Time::parse(text) {
        assert!((0..=86_400_999).contains(&time.millis()) && time.as_str() == text);
    }
    if let Some(key) = ResourceKey::parse(text) {
        assert_eq!(ResourceKey::parse(&key.to_string()), Some(key));
    }
    if let Some(version) = VersionId::parse(text) {
        assert_eq!(VersionId::new(version.number()), Some(version));
    }
    reference_text(text);
}

fn reference_text(text: &str) {
    for site in SITES {
        if let Target::Local(key, _) = Target::parse(text, site.base) {
            assert!(matches!(Target::parse(&key.to_string(), site.base), Target::Local(again, None) if again == key));
        }
    }
}

/// An expression compiles or is refused, and finds something or nothing in any tree.
pub fn path_total(expression: &str, data: &[u8]) {
    for datatype in ["Patient", "Observation", "Observation.component"] {
        let Ok(program) = path::Program::compile(expression, datatype) else { continue };
        if let Ok(value) = json::parse(data, &json::Limits::default()) {
            program.each(&value, |_| ());
        }
    }
}

/// A query is read or every fault is named; strict and lenient readings agree on what both take; and the index finds of a resource
/// exactly what a look at the resource finds.
pub fn search_agrees(kind: ResourceType, query: &str, resource: &[u8]) {
    let pairs = search::pairs(query);
    let strict = search::Options { site: SITES[1], ..search::Options::default() };
    let lenient = search::Options { handling: Handling::Lenient, ..strict };
    let tolerant = match Query::parse(kind, &pairs, &lenient) {
        Ok(query) => query,
        Err(issues) => return assert!(!issues.is_empty(), "a refusal says why"),
    };
    if let Ok(query) = Query::parse(kind, &pairs, &strict) {
        assert_eq!(query.canonical(), tolerant.canonical(), "nothing was left out");
        let again = Query::parse(kind, query.self_pairs(), &strict).map(|again| again.canonical());
        assert_eq!(again.ok(), Some(query.canonical()), "the self link asks the same");
    }
    let Ok(value) = json::parse(resource, &json::Limits::default()) else { return };
    if value.resource_type() == Some(kind.as_str()) {
        let keys = search::keys(&value, kind, SITES[1]);
        tolerant.conditions().iter().for_each(|condition| agrees(condition, &value, &keys));
        tolerant.sort().iter().for_each(|sort| drop(sort.key(&value)));
    }
}

fn agrees(condition: &Condition, value: &Value<'_>, keys: &[PostingKey]) {
    let (lookup, check) = condition.plan();
    let holds = |wanted: &[PostingKey]| wanted.iter().any(|key| keys.contains(key));
    let (found, sure) = match &lookup {
        Lookup::Keys(wanted) => (holds(wanted), !check),
        Lookup::Ranges(ranges) => (ranges.iter().any(|range| keys.iter().any(|key| range.holds(key))), !check),
        Lookup::Not(wanted) if holds(wanted) => (check, !check),
        Lookup::Not(_) => (true, true),
        Lookup::Ids(_) | Lookup::All => return,
    };
    // `_lastUpdated` is indexed by the writer, which alone knows it.
    if condition.join().is_some() || condition.name().starts_with("_lastUpdated") {
        return;
    }
    let matches = condition.matches(value);
    assert!(found || !matches, "the index finds what matches {}", condition.name());
    assert!(!sure || found == matches, "the index alone decides {}", condition.name());
}

const SITES: [search::Site<'static>; 2] = [
    search::Site { zone: Offset::UTC, base: None },
    search::Site { zone: Offset::EASTMOST, base: Some("https://fhir.example/r4") },
];
