//! The JSON Schema of a map file, so that editors complete keys and mark slips while they are typed. The checker knows more.

use dukou_fhir::{Object, Value};

use crate::file::{EMIT_KEYS, LENS_KEYS, MAP_KEYS, NAMES_KEYS, OVERLAY_KEYS, PROFILE_KEYS};

/// The schema (JSON Schema, draft 2020-12) of maps, lenses, overlays, profiles and shared names, made of the keys that the checker knows.
pub fn container_schema() -> Value<'static> {
    let kinds = [
        ("map", &MAP_KEYS[..], &["map", "mode"][..]),
        ("lens", &LENS_KEYS, &["lens", "fhir"]),
        ("overlay", &OVERLAY_KEYS, &["overlay"]),
        ("names", &NAMES_KEYS, &["names"]),
        ("profile", &PROFILE_KEYS, &["profile", "message", "hl7"]),
    ];
    let mut definitions = Object::new();
    for (name, keys, required) in kinds {
        let members = keys.iter().filter(|key| !(name == "map" && **key == "limits"));
        let mut properties = Object::new();
        for key in members {
            properties.insert((*key).to_owned(), member(name, key));
        }
        definitions.insert(name.to_owned(), closed(properties, required));
    }
    let mut emit = Object::new();
    for key in EMIT_KEYS {
        emit.insert(key, member("map", key));
    }
    definitions.insert("emit", closed(emit, &["fhir"]));
    definitions.insert(
        "id",
        closed(Object::new().with("key", words()).with("weak", one_of(&["error", "flag", "skip"])), &["key"]),
    );
    definitions.insert("test", test());
    let refers = ["map", "lens", "overlay", "names", "profile"].map(reference);
    let schema = Object::new()
        .with("$schema", "https://json-schema.org/draft/2020-12/schema")
        .with("title", "dukou map file")
        .with("type", "object")
        .with("oneOf", Value::Array(refers.to_vec()))
        .with("$defs", definitions);
    Value::Object(schema)
}

/// What stands under a key.
fn member(kind: &str, key: &str) -> Value<'static> {
    match (kind, key) {
        ("overlay", "rules") => {
            let verb = Object::new()
                .with("type", "object")
                .with("patternProperties", Object::new().with("^(add|replace) \\S+$", text()))
                .with("additionalProperties", false)
                .with("maxProperties", Value::Number("1".into()));
            let drop = Object::new().with("type", "string").with("pattern", "^drop \\S+ \".+\"$");
            list(Value::Object(
                Object::new().with("anyOf", Value::Array(vec![Value::Object(verb), Value::Object(drop)])),
            ))
        }
        (_, "rules") => {
            // Source, arrow, target.
            let rule = Object::new().with("type", "string").with("pattern", "( <-> | -> | <- )");
            each(Value::Object(rule))
        }
        (_, "systems" | "extensions") => each(text()),
        (_, "tables" | "rows") => {
            let head = Object::new().with("source", text()).with("target", text()).with("rows", list(text()));
            each(either(list(text()), closed(head, &["rows"])))
        }
        ("profile", "events" | "fill") => words(),
        ("profile", "constants") => each(text()),
        (_, "limits") => each(Value::Object(Object::new().with("type", "string").with("pattern", "^[0-9]+( cut)?$"))),
        (_, "tests") => list(reference("test")),
        (_, "emit") => each(reference("emit")),
        (_, "id") => reference("id"),
        (_, "mode") => one_of(&["snapshot", "action"]),
        (_, "whole") => one_of(&["true", "false"]),
        (_, "null") => one_of(&["delete", "keep", "error"]),
        ("map", "v2" | "source") => Value::Object(Object::new().with("type", "object")),
        ("map", "identity") => list(Value::Object(Object::new().with("type", "object"))),
        ("lens", "v2") | (_, "under") => words(),
        ("lens", "source") => Value::Object(Object::new().with("type", "object")),
        _ => text(),
    }
}

fn test() -> Value<'static> {
    let members = Object::new()
        .with("in", text())
        .with("get", Value::Object(Object::new().with("type", "object")))
        .with("absent", words())
        .with("reported", words())
        .with("laws", words())
        .with("note", text());
    closed(members, &["in"])
}

fn closed(properties: Object<'static>, required: &[&str]) -> Value<'static> {
    let required = required.iter().map(|key| Value::from((*key).to_owned())).collect();
    let schema = Object::new()
        .with("type", "object")
        .with("properties", properties)
        .with("required", Value::Array(required))
        .with("additionalProperties", false);
    Value::Object(schema)
}

fn each(value: Value<'static>) -> Value<'static> {
    Value::Object(Object::new().with("type", "object").with("additionalProperties", value))
}

fn list(items: Value<'static>) -> Value<'static> {
    Value::Object(Object::new().with("type", "array").with("items", items))
}

fn either(one: Value<'static>, other: Value<'static>) -> Value<'static> {
    Value::Object(Object::new().with("anyOf", Value::Array(vec![one, other])))
}

/// An editor reads `1` and `true` as YAML does; in maps every scalar is text.
fn text() -> Value<'static> {
    let kinds = ["string", "number", "boolean", "null"].map(Value::from);
    Value::Object(Object::new().with("type", Value::Array(kinds.to_vec())))
}

fn words() -> Value<'static> {
    either(text(), list(text()))
}

fn one_of(known: &[&'static str]) -> Value<'static> {
    let mut values: Vec<Value<'static>> = known.iter().map(|word| Value::from(*word)).collect();
    if known.contains(&"true") {
        values.extend([Value::Bool(true), Value::Bool(false)]);
    }
    Value::Object(Object::new().with("enum", Value::Array(values)))
}

fn reference(name: &str) -> Value<'static> {
    Value::Object(Object::new().with("$ref", format!("#/$defs/{name}")))
}
