//! Codes of required bindings.

use crate::schema::ValueSet;
use crate::{Object, Value};

use super::finding;
use super::walk::Walk;

/// Checks a code that stands alone.
pub(super) fn check_code<'v>(walk: &mut Walk<'v>, set: &'static ValueSet, code: &'v str) {
    match set.holds(None, code) {
        Some(true) => {}
        Some(false) => walk.fault(|| finding::code_not_in_set(code, set)),
        None => walk.fault(|| finding::set_not_held(set)),
    }
}

/// Checks the code of a Coding or a Quantity.
pub(super) fn check_coding<'v>(walk: &mut Walk<'v>, set: &'static ValueSet, coding: &'v Object<'v>) {
    match held(set, coding) {
        Held::Yes => {}
        Held::No => {
            let code = coding.get("code").and_then(Value::as_str).unwrap_or_default();
            walk.fault_at("code", || finding::code_not_in_set(code, set));
        }
        Held::NoCode => walk.fault(|| finding::code_wanted(set)),
        Held::Open => walk.fault(|| finding::set_not_held(set)),
    }
}

/// Checks that one coding of a CodeableConcept comes from the set.
pub(super) fn check_concept<'v>(walk: &mut Walk<'v>, set: &'static ValueSet, concept: &'v Object<'v>) {
    let codings = concept.get("coding").and_then(Value::as_array).unwrap_or_default();
    let mut found = Held::NoCode;
    for coding in codings.iter().filter_map(Value::as_object) {
        match held(set, coding) {
            Held::Yes => return,
            Held::NoCode => {}
            other => found = other,
        }
    }
    let only_extended = concept.len() == 1 && concept.contains("extension");
    match found {
        // Data that is absent for a stated reason has no code.
        Held::NoCode if only_extended => {}
        Held::NoCode => walk.fault(|| finding::code_wanted(set)),
        Held::Open => walk.fault(|| finding::set_not_held(set)),
        _ => walk.fault(|| finding::no_coding_in_set(set)),
    }
}

enum Held {
    Yes,
    No,
    NoCode,
    Open,
}

fn held(set: &ValueSet, coding: &Object<'_>) -> Held {
    let Some(code) = coding.get("code").and_then(Value::as_str) else {
        return Held::NoCode;
    };
    let system = coding.get("system").and_then(Value::as_str).unwrap_or_default();
    match set.holds(Some(system), code) {
        Some(true) => Held::Yes,
        Some(false) => Held::No,
        None => Held::Open,
    }
}
