use std::path::Path;

use dukou_fhir::Value;

use super::files_below;
use crate::diagnostic::Findings;
use crate::yaml::{self, Tree};
use crate::{SourceFile, container_schema};

/// Why a tree does not fit a schema; the words of JSON Schema that `container_schema` uses, no others.
fn refused(schema: &Value<'_>, tree: &Tree, root: &Value<'_>) -> Option<String> {
    let schema = match schema.text_at("$ref") {
        Some(name) => root.get("$defs")?.get(name.rsplit('/').next()?)?,
        None => schema,
    };
    for (word, wanted) in [("oneOf", 1), ("anyOf", usize::MAX)] {
        let choices = schema.list_at(word);
        let fits = choices.iter().filter(|choice| refused(choice, tree, root).is_none()).count();
        if !choices.is_empty() && (fits == 0 || fits > wanted) {
            let whys: Vec<String> = choices.iter().filter_map(|choice| refused(choice, tree, root)).collect();
            return Some(format!("line {}: {fits} of {word} fit: {}", tree.place().line, whys.join(" | ")));
        }
    }
    let kind = match tree {
        Tree::Text(_) => "string",
        Tree::List(_) => "array",
        Tree::Map(_) => "object",
    };
    let named = |found: &Value<'_>| found.as_str() == Some(kind);
    if schema.get("type").is_some_and(|kinds| !named(kinds) && !kinds.as_array().unwrap_or_default().iter().any(named))
    {
        return Some(format!("line {}: {kind} where {:?} should stand", tree.place().line, schema.get("type")));
    }
    match tree {
        Tree::Text(word) => {
            let listed = schema.list_at("enum");
            let known = listed.is_empty() || listed.iter().any(|one| one.as_str() == Some(&word.value));
            let arrow = schema.text_at("pattern").is_none_or(|pattern| pattern_holds(pattern, &word.value));
            (!known || !arrow).then(|| format!("line {}: '{}'", word.place.line, word.value))
        }
        Tree::List(items) => schema
            .get("items")
            .and_then(|items_schema| items.value.iter().find_map(|item| refused(items_schema, item, root))),
        Tree::Map(members) => {
            let missing = schema.list_at("required").iter().filter_map(Value::as_str);
            let has = |name: &str| members.value.iter().any(|(key, _)| key.value == name);
            if let Some(missing) = missing.into_iter().find(|name| !has(name)) {
                return Some(format!("line {}: no {missing}", tree.place().line));
            }
            members.value.iter().find_map(|(key, below)| {
                let own = schema.get("properties").and_then(|own| own.as_object()?.get(&key.value));
                let by_pattern = schema.get("patternProperties").and_then(|all| {
                    all.as_object()?
                        .iter()
                        .find(|(pattern, _)| pattern_holds(pattern, &key.value))
                        .map(|(_, schema)| schema)
                });
                match (own.or(by_pattern), schema.get("additionalProperties")) {
                    (Some(schema), _) => refused(schema, below, root),
                    (None, Some(Value::Bool(false))) => {
                        Some(format!("line {}: unknown key {}", key.place.line, key.value))
                    }
                    (None, Some(schema)) => refused(schema, below, root),
                    (None, None) => None,
                }
            })
        }
    }
}

/// The patterns of the schema, by what they mean.
fn pattern_holds(pattern: &str, text: &str) -> bool {
    match pattern {
        "( <-> | -> | <- )" => [" <-> ", " -> ", " <- "].iter().any(|arrow| text.contains(arrow)),
        "^(add|replace) \\S+$" => text
            .split_once(' ')
            .is_some_and(|(verb, id)| matches!(verb, "add" | "replace") && !id.is_empty() && !id.contains(' ')),
        "^drop \\S+ \".+\"$" => text.starts_with("drop ") && text.ends_with('"'),
        "^[0-9]+( cut)?$" => text.trim_end_matches(" cut").bytes().all(|byte| byte.is_ascii_digit()),
        other => panic!("a pattern that this test does not know: {other}"),
    }
}

fn fault(name: &str, text: &str) -> Option<String> {
    let files = [SourceFile { name: name.to_owned(), text: text.to_owned() }];
    let mut findings = Findings::new(&files, Vec::new());
    let tree = yaml::load(0, text, &mut findings).unwrap();
    let schema = container_schema();
    refused(&schema, &tree, &schema)
}

#[test]
fn every_map_file_fits_the_schema_that_editors_are_given() {
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../mappings");
    let maps: Vec<_> = files_below(&mappings).into_iter().filter(|(name, _)| name.ends_with(".fmap.yaml")).collect();
    assert!(maps.len() > 50);
    for (name, text) in maps {
        assert_eq!(fault(&name, &text), None, "{name}");
    }
}

#[test]
fn the_schema_marks_slips() {
    let head = "map: a\nmode: snapshot\nfhir: Patient\n";
    assert!(fault("a", head).is_none());
    for slip in [
        "ruels: {}",
        "rules: {a: PID-7 birthDate}",
        "emit: {a: {fihr: Patient}}",
        "tests: [{get: {}}]",
        "limits: {PID-5: 4}",
    ] {
        assert!(fault("a", &format!("{head}{slip}\n")).is_some(), "{slip}");
    }
    assert!(fault("a", "overlay: a\nrules: [remove b]\n").is_some());
}
