//! Which items of a changed list continue which items of the list as it was.

use std::collections::HashMap;

use dukou_fhir::{Object, Value};

use super::run::address;

/// Pairs the items of all lists of two versions of an object, by address: equal ones first, then those with the same
/// key, then the rest in their order.
pub(crate) fn align(old: &Object<'_>, new: &Object<'_>, pairs: &mut HashMap<usize, usize>) {
    for (name, old) in old.iter() {
        match (old, new.get(name)) {
            (Value::Object(old), Some(Value::Object(new))) => align(old, new, pairs),
            (Value::Array(old), Some(Value::Array(new))) => align_lists(old, new, pairs),
            _ => {}
        }
    }
}

fn align_lists(old: &[Value<'_>], new: &[Value<'_>], pairs: &mut HashMap<usize, usize>) {
    let mut taken = vec![false; new.len()];
    let mut partner: Vec<Option<usize>> = vec![None; old.len()];
    let tests: [fn(&Value<'_>, &Value<'_>) -> bool; 3] = [|old, new| old == new, same_key, |_, _| true];
    for (number, test) in tests.into_iter().enumerate() {
        // Lists too long for all pairs are paired in their order.
        if number < 2 && old.len().saturating_mul(new.len()) > PAIRS_MAX {
            continue;
        }
        let mut next = 0;
        for (at, item) in old.iter().enumerate().filter(|(at, _)| partner[*at].is_none()).collect::<Vec<_>>() {
            let from = if number == 2 { next } else { 0 };
            let found = (from..new.len()).find(|other| !taken[*other] && test(item, &new[*other]));
            if let Some(found) = found {
                taken[found] = true;
                partner[at] = Some(found);
                next = found + 1;
            }
        }
    }
    for (at, other) in partner.into_iter().enumerate() {
        let Some(other) = other else { continue };
        pairs.insert(address(&old[at]), address(&new[other]));
        if let (Value::Object(old), Value::Object(new)) = (&old[at], &new[other]) {
            align(old, new, pairs);
        }
    }
}

/// Whether two items name the same thing: by url, by value and system, by reference, by code.
fn same_key(old: &Value<'_>, new: &Value<'_>) -> bool {
    let keys = ["url", "value", "reference", "code", "family"];
    let key = keys.iter().find(|key| old.text_at(key).is_some());
    key.is_some_and(|key| old.text_at(key) == new.text_at(key) && old.text_at("system") == new.text_at("system"))
}

/// Pairs of items that are compared for one list.
const PAIRS_MAX: usize = 1 << 16;
