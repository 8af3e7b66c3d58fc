//! What an example expects and what was found, in one shape, so that they can be laid side by side.

use dukou_fhir::{Object, Value};

use crate::yaml::Tree;

/// Where an expectation and what was found part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    /// The element below the resource: `telecom[0].use`.
    pub(crate) path: String,
    /// Nothing stands there.
    pub(crate) missing: bool,
}

/// Every place where the expectation is not met. Elements that nobody expects are passed over; lists must be as long as said.
pub(crate) fn partings(path: &str, expected: &Tree, found: &Value<'_>, all: &mut Vec<Parting>) {
    let part = |path: String, missing| Parting { path, missing };
    match (expected, found) {
        (Tree::Map(members), Value::Object(object)) => {
            for (name, expected) in &members.value {
                let below = if path.is_empty() { name.value.clone() } else { format!("{path}.{}", name.value) };
                match object.get(&name.value) {
                    Some(found) => partings(&below, expected, found, all),
                    None => all.push(part(below, true)),
                }
            }
        }
        (Tree::List(items), Value::Array(values)) => {
            for (number, expected) in items.value.iter().enumerate() {
                let below = format!("{path}[{number}]");
                match values.get(number) {
                    Some(found) => partings(&below, expected, found, all),
                    None => all.push(part(below, true)),
                }
            }
            all.extend((items.value.len()..values.len()).map(|number| part(format!("{path}[{number}]"), false)));
        }
        (Tree::Text(word), found) if text(found).as_deref() == Some(&word.value) => {}
        _ => all.push(part(path.to_owned(), false)),
    }
}

/// The expectation as JSON; a text that equals a number or a boolean of the other side takes its form.
pub(crate) fn of_expected(expected: &Tree, found: Option<&Value<'_>>) -> Value<'static> {
    match expected {
        Tree::Map(members) => {
            let mut object = Object::new();
            for (name, expected) in &members.value {
                let found = found.and_then(Value::as_object).and_then(|object| object.get(&name.value));
                object.insert(name.value.clone(), of_expected(expected, found));
            }
            Value::Object(object)
        }
        Tree::List(items) => {
            let values = found.and_then(Value::as_array).unwrap_or_default();
            let items = items.value.iter().enumerate();
            Value::Array(items.map(|(number, item)| of_expected(item, values.get(number))).collect())
        }
        Tree::Text(word) => match found {
            Some(found @ (Value::Number(_) | Value::Bool(_))) if text(found).as_deref() == Some(&word.value) => {
                found.clone().into_static()
            }
            _ => Value::from(word.value.clone()),
        },
    }
}

/// What was found, without what nobody expects.
pub(crate) fn of_found(expected: &Tree, found: &Value<'_>) -> Value<'static> {
    match (expected, found) {
        (Tree::Map(members), Value::Object(object)) => {
            let mut shown = Object::new();
            for (name, expected) in &members.value {
                if let Some(found) = object.get(&name.value) {
                    shown.insert(name.value.clone(), of_found(expected, found));
                }
            }
            Value::Object(shown)
        }
        (Tree::List(items), Value::Array(values)) => {
            let shown = values.iter().enumerate().map(|(number, found)| match items.value.get(number) {
                Some(expected) => of_found(expected, found),
                None => found.clone().into_static(),
            });
            Value::Array(shown.collect())
        }
        (_, found) => found.clone().into_static(),
    }
}

fn text(value: &Value<'_>) -> Option<String> {
    match value {
        Value::String(text) | Value::Number(text) => Some(text.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
