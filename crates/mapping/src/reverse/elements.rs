//! Which elements of an object an operation may take.

use dukou_fhir::{Object, Value};

use super::hints::Hints;
use super::run::{Owner, Scope, address};
use crate::plan::{ItemPlace, ListStep, StepPlan, TargetPlan, Turn, Write};

/// An element, and the list item in which it stands.
pub(crate) struct Element<'t, 'v> {
    pub(crate) value: &'t Value<'v>,
    /// The object that holds it.
    pub(crate) parent: &'t Object<'v>,
    /// The innermost item that a source repeat stands for.
    pub(crate) item: Option<(usize, Owner)>,
    /// Members that only tell the slice.
    pub(crate) slices: Vec<&'t Value<'v>>,
}

struct Walk<'w, 't, 'v> {
    target: &'w TargetPlan,
    turn: Turn,
    write: &'w Write,
    rule: u32,
    scope: &'w Scope<'t, 'v>,
    hints: &'w Hints<'v>,
    slices: Vec<&'t Value<'v>>,
    found: Vec<Element<'t, 'v>>,
}

/// The elements at a target that no other rule has a better right to.
pub(crate) fn elements<'t, 'v>(
    target: &TargetPlan,
    turn: Turn,
    write: &Write,
    rule: u32,
    scope: &Scope<'t, 'v>,
    hints: &Hints<'v>,
) -> Vec<Element<'t, 'v>> {
    let object: &'t Object<'v> = scope.object;
    let mut walk = Walk { target, turn, write, rule, scope, hints, slices: Vec::new(), found: Vec::new() };
    if target.steps.is_empty() {
        if let Some(value) = object.get(crate::sheet::Sheet::WHOLE) {
            walk.found(value, object, None);
        }
        return walk.found;
    }
    walk.steps(&target.steps, object, None);
    walk.found
}

impl<'t, 'v> Walk<'_, 't, 'v> {
    fn found(&mut self, value: &'t Value<'v>, parent: &'t Object<'v>, item: Option<(usize, Owner)>) {
        self.found.push(Element { value, parent, item, slices: self.slices.clone() });
    }

    fn steps(&mut self, steps: &[StepPlan], object: &'t Object<'v>, item: Option<(usize, Owner)>) {
        let Some((step, below)) = steps.split_first() else { return };
        let value = match below.is_empty() && !self.target.choices.is_empty() {
            true => self.target.choices.iter().find_map(|(_, name)| object.get(name)),
            false => object.get(&step.name),
        };
        let Some(value) = value else { return };
        let Some(list) = &step.list else {
            match (below.is_empty(), value) {
                (true, value) => self.found(value, object, item),
                (false, Value::Object(inner)) => self.steps(below, inner, item),
                _ => {}
            }
            return;
        };
        let Value::Array(items) = value else { return };
        self.items(list, below, object, items, item);
    }

    fn items(
        &mut self,
        list: &ListStep,
        below: &[StepPlan],
        object: &'t Object<'v>,
        items: &'t [Value<'v>],
        outer: Option<(usize, Owner)>,
    ) {
        let mut held = 0u16;
        for value in items {
            if !list.filter.as_ref().is_none_or(|filter| filter.holds(value)) || value.is_null() {
                continue;
            }
            held = held.saturating_add(1);
            if matches!(list.place, ItemPlace::Nth(number) if number != held) {
                continue;
            }
            let own = self.owner(list, below);
            if let Some(owner) = own
                && !self.may_take(value, owner)
            {
                continue;
            }
            let repeats = matches!(list.place, ItemPlace::Zip(_) | ItemPlace::Append);
            let item = match own {
                Some(owner) if repeats || outer.is_none() => Some((address(value), owner)),
                _ => outer,
            };
            let slices = self.slices.len();
            if let Some(filter) = list.filter.as_ref().filter(|filter| !filter.negate) {
                self.slices.extend(value.get(&filter.member));
            }
            match (below.is_empty(), value) {
                (true, value) => self.found(value, object, item),
                (false, Value::Object(inner)) => self.steps(below, inner, item),
                _ => {}
            }
            self.slices.truncate(slices);
        }
    }

    /// To whom an item would belong that the operation takes; nothing where it only looks into it.
    fn owner(&self, list: &ListStep, below: &[StepPlan]) -> Option<Owner> {
        match list.place {
            ItemPlace::Zip(group) => Some(Owner::Group(group)),
            ItemPlace::Append => Some(Owner::Rule(self.rule)),
            ItemPlace::One | ItemPlace::Nth(_) if below.is_empty() => Some(Owner::Rule(self.rule)),
            _ if list.filter.is_some() => Some(Owner::Slice),
            _ => None,
        }
    }

    fn may_take(&self, value: &Value<'v>, owner: Owner) -> bool {
        let at = address(value);
        if self.scope.top
            && let Some(known) = self.hints.origin(at, self.scope.seat)
        {
            return known.iter().any(|(rule, _)| *rule == self.rule);
        }
        let free = self.scope.claims.iter().filter(|(claimed, _)| *claimed == at).all(|(_, other)| {
            *other == owner || (*other == Owner::Slice && self.turn <= Turn::Slice) || owner == Owner::Slice
        });
        let alike = self.turn != Turn::Alike
            || self.write.fill.iter().all(|(name, fill)| value.get(name).is_some_and(|value| value == fill));
        free && alike
    }
}
