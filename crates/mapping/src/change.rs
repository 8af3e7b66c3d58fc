//! What a message changes in one resource.

use std::borrow::Cow;
use std::fmt;

use dukou_fhir::schema::TypeId;
use dukou_fhir::{Object, ResourceKey, Value};

use crate::plan::{Body, Filter, ItemPlace, ListPlan, TargetPlan, borrowed};

/// What one message says about one resource: elements set, elements cleared, lists replaced slice by slice.
///
/// What the message does not mention stays as it is stored; see [`Change::apply`].
#[derive(Debug)]
pub struct Change<'m> {
    /// The resource.
    pub key: ResourceKey,
    /// Elements with their new content; neither `resourceType`, `id` nor `meta.versionId`.
    pub set: Object<'m>,
    /// Elements, or slices of lists, that the sender deletes.
    pub clear: Vec<Clear<'m>>,
    /// Which parts of lists the message speaks about.
    pub(crate) lists: Vec<ListChange<'m>>,
    /// The plans behind the change.
    pub(crate) bodies: Vec<&'m Body>,
    /// Plans that say all there is to say: what they can write and did not write is cleared.
    pub(crate) whole: Vec<&'m Body>,
    /// Elements that give way to what is stored.
    pub(crate) once: Vec<&'m str>,
    /// Whether lists replace lists; otherwise items are aligned by their keys.
    pub snapshot: bool,
    /// Whether the id is that of the message only, since no business key was valued.
    pub weak: bool,
    /// Whether the resource is made from a mere mention, such as a practitioner in a field of an order: its lists only
    /// grow, and a caller may leave it out where the resource is stored already.
    pub mention: bool,
}

#[derive(Debug)]
pub(crate) struct ListChange<'m> {
    pub(crate) plan: &'m ListPlan,
    /// Numbers of the filters that were written, from 1; 0 stands for what is in no slice.
    pub(crate) claimed: Vec<u16>,
}

/// An element, or a slice of a list, that is deleted.
#[derive(Debug)]
pub struct Clear<'m> {
    pub(crate) target: &'m TargetPlan,
}

impl fmt::Display for Clear<'_> {
    /// As in `Patient.telecom[use=work]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.target.text.trim_end_matches("[*]"))
    }
}

impl Change<'_> {
    /// The resource after the change: merged into the stored version, or made anew where there is none.
    pub fn apply<'v>(&'v self, current: Option<&Value<'v>>) -> Value<'v> {
        let head = || Object::new().with("resourceType", self.key.kind.as_str()).with("id", self.key.id.as_str());
        let Some(Value::Object(stored)) = current else {
            return Value::Object(head().followed_by(&self.set));
        };
        let mut object = stored.clone();
        for body in &self.whole {
            self.clear_unsaid(&mut object, body);
        }
        let kind = TypeId::of(self.key.kind);
        for clear in &self.clear {
            // Where the element is said as well, what is said takes its place; of a list the slice is claimed.
            let said = clear.target.steps.first().is_some_and(|step| {
                self.set.contains(&step.name) && (step.list.is_some() || clear.target.steps.len() == 1)
            });
            if !said {
                clear.remove(&mut object);
            }
        }
        for list in &self.lists {
            if !self.set.contains(&list.plan.element) {
                self.keep_unclaimed(&mut object, list);
                remove_empty(&mut object, &list.plan.element);
            }
        }
        for (name, value) in self.set.iter() {
            if self.once.contains(&name) && object.contains(name) {
                continue;
            }
            other_choices(&mut object, kind, name);
            if !name.starts_with('_') && !self.set.contains(&format!("_{name}")) && is_primitive(value) {
                object.remove(&format!("_{name}"));
            }
            self.member(&mut object, name, value);
        }
        Value::Object(object)
    }

    fn member<'v>(&'v self, object: &mut Object<'v>, name: &'v str, value: &'v Value<'v>) {
        let (Value::Array(new), Some(Value::Array(_))) = (value, object.get(name)) else {
            deep(object, name, value);
            return;
        };
        let list = self.lists.iter().find(|list| list.plan.element == name);
        let grows = self.bodies.iter().any(|body| body.links.iter().any(|link| link == name));
        match list {
            _ if grows => {}
            Some(list) if self.snapshot => self.keep_unclaimed(object, list),
            Some(list) if !list.plan.keys.is_empty() => remove_equal_keys(object, name, new, &list.plan.keys),
            Some(list) => self.keep_unclaimed(object, list),
            None if self.mention => {}
            None => {
                if let Some(Value::Array(stored)) = object.get_mut(name) {
                    stored.clear();
                }
            }
        }
        match object.get_mut(name) {
            Some(Value::Array(stored)) => {
                let kept = stored.len();
                for item in new {
                    if !stored[..kept].contains(item) {
                        stored.push(borrowed(item));
                    }
                }
            }
            _ => {
                object.insert(name, borrowed(value));
            }
        }
    }

    /// Takes away what a plan can write and the message does not say.
    fn clear_unsaid(&self, object: &mut Object<'_>, body: &Body) {
        for name in &body.writes {
            if body.links.contains(name) || self.once.contains(&name.as_str()) {
                continue;
            }
            let Some(list) = body.lists.iter().find(|list| list.element == *name) else {
                if !self.set.contains(name) {
                    object.remove(name);
                }
                continue;
            };
            if let Some(Value::Array(stored)) = object.get_mut(name) {
                stored.retain(|item| !list.unsliced && most_specific(&list.filters, item) == 0);
            }
            if !self.set.contains(name) {
                remove_empty(object, name);
            }
        }
    }

    /// Takes the items out about which the message speaks: those of a written slice.
    fn keep_unclaimed(&self, object: &mut Object<'_>, list: &ListChange<'_>) {
        if self.mention {
            return;
        }
        let name = list.plan.element.as_str();
        let Some(Value::Array(stored)) = object.get_mut(name) else { return };
        // An item may fall into the slice of another rule; then the message speaks about that slice, too.
        let new = self.set.get(name).and_then(Value::as_array).unwrap_or_default();
        let mut claimed = list.claimed.clone();
        claimed.extend(new.iter().map(|item| most_specific(&list.plan.filters, item)));
        stored.retain(|item| !claimed.contains(&most_specific(&list.plan.filters, item)));
    }
}

fn remove_empty(object: &mut Object<'_>, name: &str) {
    if object.get(name).and_then(Value::as_array).is_some_and(<[_]>::is_empty) {
        object.remove(name);
    }
}

/// The slice of an item: the first that equals, else the first that differs, else none (0).
fn most_specific(filters: &[Filter], item: &Value<'_>) -> u16 {
    let holding = |negate: bool| {
        let found = filters.iter().position(|filter| filter.negate == negate && filter.holds(item));
        found.map(|at| at as u16 + 1)
    };
    holding(false).or_else(|| holding(true)).unwrap_or(0)
}

fn remove_equal_keys(object: &mut Object<'_>, name: &str, new: &[Value<'_>], keys: &[String]) {
    let Some(Value::Array(stored)) = object.get_mut(name) else { return };
    stored.retain(|item| !new.iter().any(|other| keys.iter().all(|key| item.get(key) == other.get(key))));
}

fn is_primitive(value: &Value<'_>) -> bool {
    matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_))
}

/// Setting one type of a choice takes the others away.
fn other_choices(object: &mut Object<'_>, kind: TypeId, name: &str) {
    let Some(member) = kind.member(name).filter(|member| member.element.choice) else { return };
    for content in &member.element.types {
        let other = member.element.json_name(content.kind);
        if other != name {
            object.remove(&other);
            object.remove(&format!("_{other}"));
        }
    }
}

/// Objects are merged member by member; everything else is replaced.
fn deep<'v>(object: &mut Object<'v>, name: &'v str, value: &'v Value<'v>) {
    match (object.get_mut(name), value) {
        (Some(Value::Object(stored)), Value::Object(new)) if !is_datatype(name) => {
            for (name, value) in new.iter() {
                deep(stored, name, value);
            }
        }
        _ => {
            object.insert(Cow::Borrowed(name), borrowed(value));
        }
    }
}

/// Concepts, quantities and references are said as a whole: a code must not keep the display of another.
fn is_datatype(name: &str) -> bool {
    !matches!(name, "meta" | "hospitalization" | "period" | "collection" | "content" | "details" | "context")
}

impl Clear<'_> {
    fn remove(&self, object: &mut Object<'_>) {
        remove_at(object, &self.target.steps);
    }
}

fn remove_at(object: &mut Object<'_>, steps: &[crate::plan::StepPlan]) {
    let Some((step, below)) = steps.split_first() else { return };
    let Some(list) = &step.list else {
        if below.is_empty() {
            object.remove(&step.name);
            object.remove(&format!("_{}", step.name));
        } else if let Some(Value::Object(inner)) = object.get_mut(&step.name) {
            remove_at(inner, below);
            if inner.is_empty() {
                object.remove(&step.name);
            }
        }
        return;
    };
    let Some(Value::Array(items)) = object.get_mut(&step.name) else { return };
    let mut number = 0;
    let mut chosen = |item: &Value<'_>| {
        let holds = list.filter.as_ref().is_none_or(|filter| filter.holds(item));
        number += usize::from(holds);
        match list.place {
            ItemPlace::Nth(wanted) => holds && number == usize::from(wanted),
            _ => holds,
        }
    };
    // An item whose only content was the cleared element goes with it.
    items.retain_mut(|item| {
        if !chosen(item) {
            return true;
        }
        match item {
            Value::Object(inner) if !below.is_empty() => {
                remove_at(inner, below);
                let made = list.filter.as_ref().map(|filter| filter.member.as_str());
                inner.iter().any(|(name, _)| Some(name) != made)
            }
            _ => false,
        }
    });
    if items.is_empty() {
        object.remove(&step.name);
    }
}
