//! Whether a resource can be what an emit or a lens makes, by the constants that stand in everything it makes.

use dukou_fhir::{Object, Value};

use super::run::Scope;
use crate::plan::{ActionPlan, Body, Constant, ItemPlace, LensUse, Program, StepPlan};

/// How many constants of a body a resource says; nothing where it says something else, or says one of them not at all.
pub(crate) fn fit(body: &Body, object: &Object<'_>, strict: bool) -> Option<usize> {
    let mut said = 0;
    for operation in body.operations.iter().filter(|operation| operation.guard.is_empty()) {
        let ActionPlan::Write(write) = &operation.action else { continue };
        let (LensUse::Constant(Constant::Fixed(fixed)), Some(target)) = (&write.lens, write.targets.first()) else {
            continue;
        };
        if target.parent.is_some() || write.once {
            continue;
        }
        match says_at(&target.steps, object, fixed) {
            Some(true) => said += 1,
            Some(false) => return None,
            None if strict => return None,
            None => {}
        }
    }
    Some(said)
}

/// Whether any value at the target says the constant; nothing where there is no value.
fn says_at(steps: &[StepPlan], object: &Object<'_>, fixed: &Value<'_>) -> Option<bool> {
    let (step, below) = steps.split_first()?;
    let value = object.get(&step.name)?;
    let Some(list) = &step.list else {
        return match (below.is_empty(), value) {
            (true, value) => Some(holds(value, fixed)),
            (false, Value::Object(inner)) => says_at(below, inner, fixed),
            _ => None,
        };
    };
    let open = matches!(list.place, ItemPlace::Append | ItemPlace::Zip(_) | ItemPlace::Each(_));
    let mut best = None;
    for item in value.as_array()? {
        if !list.filter.as_ref().is_none_or(|filter| filter.holds(item)) {
            continue;
        }
        let here = match (below.is_empty(), item) {
            (true, item) => Some(holds(item, fixed)),
            (false, Value::Object(inner)) => says_at(below, inner, fixed),
            _ => None,
        };
        match here {
            Some(true) => return Some(true),
            // Of a list that others fill as well no item need say it.
            Some(false) if open => {}
            other => best = best.or(other),
        }
    }
    best
}

/// Whether a value says all that a constant says.
fn holds(value: &Value<'_>, fixed: &Value<'_>) -> bool {
    match (value, fixed) {
        (Value::Object(value), Value::Object(fixed)) => {
            fixed.iter().all(|(name, fixed)| value.get(name).is_some_and(|value| holds(value, fixed)))
        }
        (Value::Array(values), Value::Array(fixed)) => {
            fixed.iter().all(|fixed| values.iter().any(|value| holds(value, fixed)))
        }
        (value, fixed) => value == fixed,
    }
}

/// Whether the value is what a constant would have written.
pub(super) fn is_constant(constant: &Constant, value: &Value<'_>, scope: &Scope<'_, '_>, program: &Program) -> bool {
    match constant {
        Constant::Fixed(fixed) => says(value, fixed),
        Constant::Plan => value.as_str() == Some(program.hash_text.as_str()),
        Constant::Site | Constant::Document => true,
        Constant::CodeTable => scope.code_table.is_some() && value.as_str() == scope.code_table,
    }
}

fn says(value: &Value<'_>, fixed: &Value<'_>) -> bool {
    match (value, fixed) {
        (Value::Object(value), Value::Object(fixed)) => {
            fixed.iter().all(|(name, fixed)| value.get(name).is_some_and(|value| says(value, fixed)))
                && value.len() == fixed.len()
        }
        (Value::Array(values), Value::Array(fixed)) => {
            values.len() == fixed.len() && values.iter().zip(fixed).all(|(value, fixed)| says(value, fixed))
        }
        (value, fixed) => value == fixed,
    }
}
