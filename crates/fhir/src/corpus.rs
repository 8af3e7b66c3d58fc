//! Published resources from beside the checkout: read without loss, stored, and judged. Skipped aloud where they are absent.

use std::path::{Path, PathBuf};

use crate::{Draft, Instant, LogicalId, ResourceKey, ResourceType, Value, VersionId, json, reference, validate};

#[test]
fn resources_of_others_are_carried_without_loss() {
    let files = bundles(Path::new(CORPUS));
    if files.is_empty() {
        println!("skipped: no resources in {CORPUS}");
        return;
    }
    let mut resources = 0;
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        let bundle = json::parse(&bytes, &json::Limits::default()).unwrap();
        let mut printed = Vec::new();
        json::print(&bundle, &mut printed);
        let other: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(printed, serde_json::to_vec(&other).unwrap(), "{}", file.display());
        for resource in bundle.list_at("entry").iter().filter_map(|entry| entry.get("resource")) {
            carry(resource, file);
            resources += 1;
        }
    }
    println!("{resources} resources in {} files", files.len());
}

/// Stores a resource and reads it back; what points elsewhere stays as it is.
fn carry(resource: &Value<'_>, file: &Path) {
    let kind = ResourceType::parse(resource.resource_type().unwrap()).unwrap();
    let key = ResourceKey::new(kind, LogicalId::parse("a").unwrap());
    let draft = Draft::new(resource, key).unwrap();
    let stored = draft.stamp(VersionId::FIRST, Instant::from_millis(0));
    assert!(draft.same_content(&stored));
    let read_back = json::parse(&stored, &json::Limits::default()).unwrap();
    let judged = |value: &Value<'_>| {
        let issues = validate::validate(value, &validate::Options::default());
        let mut found: Vec<(&str, Vec<String>)> =
            issues.into_iter().map(|issue| (issue.code, issue.expression)).collect();
        // The stored form has another order of members and an id of our own.
        found.retain(|(_, place)| place.iter().all(|place| !place.ends_with(".id")));
        found.sort();
        found
    };
    assert_eq!(judged(resource), judged(&read_back), "{}", file.display());
    assert_eq!(reference::references(resource), reference::references(&read_back));
}

fn bundles(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(bundles(&path));
        } else if path.to_string_lossy().ends_with(".expected.fhir.json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus/hl7v2");
