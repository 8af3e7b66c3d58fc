//! The invariants of R4 that are checked, as one table.
//!
//! Those that look at one object stand in the lists below. Those that need the whole resource are part of the walk and
//! carry the same keys in their issues: `ele-1` (empty elements), `dom-2` to `dom-5` and `ref-1` (contained resources),
//! `sqty-1` (simple quantities), `txt-1` and `txt-2` (narratives). Best-practice rules (`dom-6`, names fit for code
//! generators) are left out.

mod clinical;
mod conformance;
mod datatype;
mod workflow;

use std::sync::OnceLock;

use crate::schema::TypeId;
use crate::{Object, Value};

/// One rule about an object of a type or of its specialisations.
pub(super) struct Invariant {
    /// The key in the specification.
    pub(super) key: &'static str,
    /// The type, or the part of one.
    on: &'static str,
    pub(super) check: Check,
    pub(super) en: &'static str,
    pub(super) zh: &'static str,
}

/// How a rule is checked.
pub(super) enum Check {
    /// On the object itself.
    Object(fn(&Object<'_>) -> bool),
    /// On the object and each member of a list in it, so that the fault is named at the member.
    Each(&'static str, fn(&Object<'_>, &Object<'_>) -> bool),
}

/// The rules about a type.
pub(super) fn of(kind: TypeId) -> &'static [&'static Invariant] {
    static BY_TYPE: OnceLock<Vec<Vec<&'static Invariant>>> = OnceLock::new();
    let by_type = BY_TYPE.get_or_init(|| {
        let mut by_type = vec![Vec::new(); TypeId::count()];
        for rule in all() {
            let on = TypeId::parse(rule.on).expect("each rule is about a type of the table");
            for kind in TypeId::all().filter(|kind| kind.is_a(on)) {
                by_type[kind.index()].push(rule);
            }
        }
        by_type
    });
    &by_type[kind.index()]
}

fn all() -> impl Iterator<Item = &'static Invariant> {
    datatype::RULES.iter().chain(clinical::RULES).chain(workflow::RULES).chain(conformance::RULES)
}

const fn rule(
    key: &'static str,
    on: &'static str,
    holds: fn(&Object<'_>) -> bool,
    en: &'static str,
    zh: &'static str,
) -> Invariant {
    Invariant { key, on, check: Check::Object(holds), en, zh }
}

const fn each_rule(
    key: &'static str,
    on: &'static str,
    list: &'static str,
    holds: fn(&Object<'_>, &Object<'_>) -> bool,
    en: &'static str,
    zh: &'static str,
) -> Invariant {
    Invariant { key, on, check: Check::Each(list, holds), en, zh }
}

/// Whether an element is there, with a value or with extensions only.
fn has(object: &Object<'_>, name: &str) -> bool {
    object.iter().any(|(own, _)| own.strip_prefix('_').unwrap_or(own) == name)
}

/// Whether a choice element is there in any form.
fn any(object: &Object<'_>, name: &str) -> bool {
    object.iter().any(|(own, _)| {
        let own = own.strip_prefix('_').unwrap_or(own);
        own.strip_prefix(name).is_some_and(|kind| kind.starts_with(|first: char| first.is_ascii_uppercase()))
    })
}

/// How many of the elements are there.
fn count(object: &Object<'_>, names: &[&str]) -> usize {
    names.iter().filter(|name| has(object, name)).count()
}

fn text<'o>(object: &'o Object<'_>, name: &str) -> &'o str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn is_true(object: &Object<'_>, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool) == Some(true)
}

/// The members of a list that are objects.
fn each<'o, 'v>(object: &'o Object<'v>, name: &str) -> impl Iterator<Item = &'o Object<'v>> {
    object.get(name).and_then(Value::as_array).unwrap_or_default().iter().filter_map(Value::as_object)
}

/// Whether a CodeableConcept has a coding of the system with one of the codes.
fn is_coded(object: &Object<'_>, name: &str, system: &str, codes: &[&str]) -> bool {
    let Some(concept) = object.get(name).and_then(Value::as_object) else {
        return false;
    };
    each(concept, "coding").any(|coding| text(coding, "system") == system && codes.contains(&text(coding, "code")))
}

/// A number for comparisons only. Reading into a binary float keeps the order of decimals, so a strict difference of
/// the floats is one of the decimals.
fn number(object: &Object<'_>, name: &str) -> Option<f64> {
    object.get(name)?.as_number()?.parse().ok()
}

/// Whether texts stand once each.
fn distinct<'t>(texts: impl Iterator<Item = &'t str>) -> bool {
    let mut texts: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
    texts.sort_unstable();
    texts.windows(2).all(|pair| pair[0] != pair[1])
}

const UCUM: &str = "http://unitsofmeasure.org";

#[cfg(test)]
mod tests;
