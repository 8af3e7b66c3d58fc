//! A resource or datatype while rules fill it.

use std::borrow::Cow;

use dukou_fhir::{FhirDateTime, Object, Offset, Value};

use crate::plan::{Filter, ItemPlace, ListStep, StepPlan, TargetPlan};

/// An object being filled, and which list items belong to which source repeats.
#[derive(Debug, Default)]
pub(crate) struct Sheet<'m> {
    pub(crate) object: Object<'m>,
    /// Group, repeat and index of list items that rules share.
    items: Vec<(u16, u32, u32)>,
    /// Lists and filters that were written, by their numbers in the plan.
    pub(crate) claims: Vec<(u16, u16)>,
    /// Targets whose source was null.
    pub(crate) clears: Vec<&'m TargetPlan>,
    /// Elements that are written only where none is stored.
    pub(crate) once: Vec<&'m str>,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It stands.
    Done,
    /// Another value stood there already and stays.
    Taken,
    /// There was no item to write into.
    Nowhere,
}

impl<'m> Sheet<'m> {
    /// The member that stands for the whole of a primitive.
    pub(crate) const WHOLE: &'static str = "self";

    /// Writes a value; `name` overrides the last step's member name.
    pub(crate) fn put(&mut self, target: &'m TargetPlan, name: Option<&'m str>, ordinal: u32, value: Value<'m>) -> Put {
        if target.steps.is_empty() {
            return set(&mut self.object, Self::WHOLE, value);
        }
        let put = write(&mut self.object, &target.steps, name, ordinal, &mut self.items, value);
        if put == Put::Done {
            self.claim(target);
        }
        put
    }

    /// Where the value that a target was given last now stands, with list numbers from 0.
    pub(crate) fn path_of(&self, target: &TargetPlan, name: Option<&str>, ordinal: u32) -> String {
        let mut path = String::new();
        let mut at = Some(&self.object);
        for (number, step) in target.steps.iter().enumerate() {
            let member = match name {
                Some(name) if number + 1 == target.steps.len() => name,
                _ => &step.name,
            };
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(member);
            let found = at.and_then(|object| object.get(member));
            let Some(list) = &step.list else {
                at = found.and_then(Value::as_object);
                continue;
            };
            let items = found.and_then(Value::as_array).unwrap_or_default();
            if let Some(index) = self.index_of(list, items, ordinal) {
                path.push_str(&format!("[{index}]"));
                at = items.get(index).and_then(Value::as_object);
            } else {
                at = None;
            }
        }
        path
    }

    fn index_of(&self, list: &ListStep, items: &[Value<'m>], ordinal: u32) -> Option<usize> {
        let holds = |item: &Value<'m>| list.filter.as_ref().is_none_or(|filter| filter.holds(item));
        let mut held = (0..items.len()).filter(|at| holds(&items[*at]));
        match list.place {
            ItemPlace::Zip(group) => {
                let known = self.items.iter().find(|(own, repeat, _)| *own == group && *repeat == ordinal);
                known.map(|(_, _, index)| *index as usize)
            }
            ItemPlace::Nth(number) => held.nth(usize::from(number) - 1),
            ItemPlace::One => held.next(),
            ItemPlace::Append => items.len().checked_sub(1),
            ItemPlace::Each(_) => None,
        }
    }

    /// Notes that the source of a target was null.
    pub(crate) fn clear(&mut self, target: &'m TargetPlan) {
        self.claim(target);
        self.clears.push(target);
    }

    fn claim(&mut self, target: &TargetPlan) {
        if target.claim.0 != 0 && !self.claims.contains(&target.claim) {
            self.claims.push(target.claim);
        }
    }
}

fn write<'m>(
    object: &mut Object<'m>,
    steps: &'m [StepPlan],
    name: Option<&'m str>,
    ordinal: u32,
    items: &mut Vec<(u16, u32, u32)>,
    value: Value<'m>,
) -> Put {
    let Some((step, below)) = steps.split_first() else { return Put::Nowhere };
    let member: &'m str = match name {
        Some(name) if below.is_empty() => name,
        _ => &step.name,
    };
    let Some(list) = &step.list else {
        if below.is_empty() {
            return set(object, member, value);
        }
        let Some(inner) = child(object, member) else { return Put::Taken };
        let put = write(inner, below, name, ordinal, items, value);
        if inner.is_empty() {
            object.remove(member);
        }
        return put;
    };
    if let ItemPlace::Each(group) = list.place {
        return each(object, member, list, group, below, name, ordinal, items, value);
    }
    let Some(array) = array(object, member) else { return Put::Taken };
    // The same thing said in two fields is appended once.
    if below.is_empty()
        && list.place == ItemPlace::Append
        && value.as_object().is_some()
        && array.iter().rev().take(TWINS_SOUGHT).any(|item| *item == value)
    {
        return Put::Done;
    }
    if let (true, ItemPlace::Nth(number)) = (member.starts_with('_'), list.place) {
        return beside(array, usize::from(number), below, name, ordinal, items, value);
    }
    let before = array.len();
    let index = item(array, list, ordinal, items, below.is_empty());
    if below.is_empty() {
        return match array.get_mut(index) {
            Some(slot) => merge(slot, value),
            None => {
                array.push(value);
                Put::Done
            }
        };
    }
    let put = match &mut array[index] {
        Value::Object(inner) => write(inner, below, name, ordinal, items, value),
        _ => Put::Taken,
    };
    // An item made for a value that found no room goes again.
    if put != Put::Done && array.len() > before {
        array.truncate(before);
        if let ItemPlace::Zip(group) = list.place {
            items.retain(|(own, repeat, _)| *own != group || *repeat != ordinal);
        }
        if array.is_empty() {
            object.remove(member);
        }
    }
    put
}

/// Writes into the list beside a list of primitives, where `null` keeps the numbers aligned.
fn beside<'m>(
    array: &mut Vec<Value<'m>>,
    number: usize,
    below: &'m [StepPlan],
    name: Option<&'m str>,
    ordinal: u32,
    items: &mut Vec<(u16, u32, u32)>,
    value: Value<'m>,
) -> Put {
    while array.len() < number {
        array.push(Value::Null);
    }
    let slot = &mut array[number - 1];
    if slot.is_null() {
        *slot = Value::Object(Object::new());
    }
    match slot {
        Value::Object(inner) => write(inner, below, name, ordinal, items, value),
        _ => Put::Taken,
    }
}

/// Makes each list of primitives as long as the list of extensions beside it, and the other way round.
pub(crate) fn align(object: &mut Object<'_>) {
    let beside = |(name, value): (&str, &Value<'_>)| match value {
        Value::Array(items) if name.starts_with('_') => Some((name.to_owned(), items.len())),
        _ => None,
    };
    let lists: Vec<(String, usize)> = object.iter().filter_map(beside).collect();
    for (name, extensions) in lists {
        let plain = name[1..].to_owned();
        let values = object.get(&plain).and_then(Value::as_array).map_or(0, <[_]>::len);
        let longest = values.max(extensions);
        for name in [name, plain] {
            if !object.contains(&name) {
                object.insert(name.clone(), Value::Array(Vec::new()));
            }
            if let Some(Value::Array(items)) = object.get_mut(&name) {
                items.resize(longest, Value::Null);
            }
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "one step of a walk whose state is these")]
fn each<'m>(
    object: &mut Object<'m>,
    member: &str,
    list: &'m ListStep,
    group: Option<u16>,
    below: &'m [StepPlan],
    name: Option<&'m str>,
    ordinal: u32,
    items: &mut Vec<(u16, u32, u32)>,
    value: Value<'m>,
) -> Put {
    let Some(Value::Array(array)) = object.get_mut(member) else { return Put::Nowhere };
    let mut put = Put::Nowhere;
    for (index, slot) in array.iter_mut().enumerate() {
        let chosen = match group {
            Some(group) => items.iter().any(|(known, _, at)| *known == group && *at as usize == index),
            None => list.filter.as_ref().is_none_or(|filter| filter.holds(slot)),
        };
        let (true, Value::Object(inner)) = (chosen, slot) else { continue };
        put = match below.is_empty() {
            true => Put::Nowhere,
            false => write(inner, below, name, ordinal, items, value.clone()),
        };
    }
    put
}

/// The index of the item to write; where items are objects with elements below, it is made if it is not there. For a
/// value that is an item itself, an index past the end stands for a new one.
fn item<'m>(
    array: &mut Vec<Value<'m>>,
    list: &'m ListStep,
    ordinal: u32,
    items: &mut Vec<(u16, u32, u32)>,
    whole: bool,
) -> usize {
    let found = match list.place {
        ItemPlace::Zip(group) => {
            let known = items.iter().find(|(own, repeat, _)| *own == group && *repeat == ordinal);
            known.map(|(_, _, index)| *index as usize)
        }
        ItemPlace::Nth(number) => {
            let number = usize::from(number) - 1;
            let holds = |item: &Value<'m>| list.filter.as_ref().is_none_or(|filter| filter.holds(item));
            array.iter().enumerate().filter(|(_, item)| holds(item)).nth(number).map(|(index, _)| index)
        }
        ItemPlace::One => list.filter.as_ref().and_then(|filter| array.iter().position(|item| filter.holds(item))),
        ItemPlace::Append | ItemPlace::Each(_) => None,
    };
    if let Some(found) = found {
        return found;
    }
    let index = array.len();
    if let ItemPlace::Zip(group) = list.place {
        items.push((group, ordinal, index as u32));
    }
    if let Some((member, made)) = list.filter.as_ref().and_then(Filter::made) {
        array.push(Value::Object(Object::new().with(member, made)));
    } else if !whole {
        array.push(Value::Object(Object::new()));
    }
    index
}

fn set<'m>(object: &mut Object<'m>, member: &'m str, value: Value<'m>) -> Put {
    if member == "end" && ends_before_it_starts(object, &value) {
        return Put::Taken;
    }
    // Nearly always the member is new; where it is not, what stood there is put back.
    match object.insert(Cow::Borrowed(member), value) {
        None => Put::Done,
        Some(before) => match object.insert(Cow::Borrowed(member), before) {
            Some(value) => object.get_mut(member).map_or(Put::Nowhere, |slot| merge(slot, value)),
            None => Put::Done,
        },
    }
}

/// A period that ends before it starts is no period (FHIR R4, invariant per-1): the start stays, the end is refused.
fn ends_before_it_starts(object: &Object<'_>, end: &Value<'_>) -> bool {
    let start = object.get("start").and_then(Value::as_str).and_then(FhirDateTime::parse);
    let end = end.as_str().and_then(FhirDateTime::parse);
    matches!((start, end), (Some(start), Some(end)) if end.high(Offset::UTC) < start.low(Offset::UTC))
}

/// Adds what is missing; what stands already stays.
fn merge<'m>(slot: &mut Value<'m>, value: Value<'m>) -> Put {
    match (slot, value) {
        (Value::Object(own), Value::Object(other)) => {
            for (name, value) in other {
                if !own.contains(&name) {
                    own.insert(name, value);
                }
            }
            Put::Done
        }
        (slot, value) if *slot == value => Put::Done,
        _ => Put::Taken,
    }
}

fn child<'o, 'm>(object: &'o mut Object<'m>, member: &'m str) -> Option<&'o mut Object<'m>> {
    if !object.contains(member) {
        object.insert(Cow::Borrowed(member), Value::Object(Object::new()));
    }
    object.get_mut(member)?.as_object_mut()
}

fn array<'o, 'm>(object: &'o mut Object<'m>, member: &'m str) -> Option<&'o mut Vec<Value<'m>>> {
    if !object.contains(member) {
        object.insert(Cow::Borrowed(member), Value::Array(Vec::new()));
    }
    object.get_mut(member)?.as_array_mut()
}

/// How many of the last items of a list are compared with one to be appended.
const TWINS_SOUGHT: usize = 8;
