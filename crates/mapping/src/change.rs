//! What a message changes in one resource.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use dukou_fhir::schema::TypeId;
use dukou_fhir::{Branch, Forest, NodeId, Object, Printer, ResourceKey, Value, json};

use crate::plan::{Body, Filter, ItemPlace, ListPlan, TargetPlan};

/// What one message says about one resource: elements set, elements cleared, lists replaced slice by slice.
///
/// What the message does not mention stays as it is stored; see [`Change::apply`].
#[derive(Debug)]
pub struct Change<'m> {
    /// The resource.
    pub key: ResourceKey,
    /// Elements, or slices of lists, that the sender deletes.
    pub clear: Vec<Clear<'m>>,
    /// Whether lists replace lists; otherwise items are aligned by their keys.
    pub snapshot: bool,
    /// Whether the id is that of the message only, since no business key was valued.
    pub weak: bool,
    /// Whether the resource is made from a mere mention, such as a practitioner in a field of an order: its lists only
    /// grow, and a caller may leave it out where the resource is stored already.
    pub mention: bool,
    /// The trees of all changes of the message, and the root of this one.
    forest: Arc<Forest<'m>>,
    root: NodeId,
    /// Which parts of lists the message speaks about.
    lists: Vec<ListChange<'m>>,
    /// The plans behind the change.
    bodies: Vec<&'m Body>,
    /// Plans that say all there is to say: what they can write and did not write is cleared.
    whole: Vec<&'m Body>,
    /// Elements that give way to what is stored.
    once: Vec<&'m str>,
}

/// A change while others of the same message may still join it.
#[derive(Debug)]
pub(crate) struct Said<'m> {
    pub(crate) key: ResourceKey,
    pub(crate) root: NodeId,
    pub(crate) clear: Vec<Clear<'m>>,
    pub(crate) lists: Vec<ListChange<'m>>,
    pub(crate) bodies: Vec<&'m Body>,
    pub(crate) whole: Vec<&'m Body>,
    pub(crate) once: Vec<&'m str>,
    pub(crate) snapshot: bool,
    pub(crate) weak: bool,
    pub(crate) mention: bool,
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

impl<'m> Change<'m> {
    pub(crate) fn new(said: Said<'m>, forest: Arc<Forest<'m>>) -> Self {
        let Said { key, root, clear, lists, bodies, whole, once, snapshot, weak, mention } = said;
        Change { key, clear, snapshot, weak, mention, forest, root, lists, bodies, whole, once }
    }

    /// A change that says nothing.
    pub(crate) fn nothing(key: ResourceKey) -> Self {
        let mut forest = Forest::default();
        let root = forest.object();
        Change {
            key,
            clear: Vec::new(),
            snapshot: false,
            weak: false,
            mention: true,
            forest: Arc::new(forest),
            root,
            lists: Vec::new(),
            bodies: Vec::new(),
            whole: Vec::new(),
            once: Vec::new(),
        }
    }

    /// This change and an earlier one of the same resource in one: what this one says stands on top.
    pub(crate) fn after(self, earlier: Change<'m>) -> Self {
        let before = earlier.apply(None);
        let mut set = match self.apply(Some(&before)).into_static() {
            Value::Object(object) => object,
            _ => Object::new(),
        };
        set.remove("resourceType");
        set.remove("id");
        let mut forest = Forest::default();
        let root = forest.plant(Value::Object(set));
        let mut lists = self.lists;
        for list in earlier.lists {
            match lists.iter_mut().find(|known| std::ptr::eq(known.plan, list.plan)) {
                Some(known) => known.claimed.extend(list.claimed),
                None => lists.push(list),
            }
        }
        let own = |body: &&Body| !self.bodies.iter().any(|known| std::ptr::eq(*known, *body));
        let more: Vec<&'m Body> = earlier.bodies.into_iter().filter(own).collect();
        Change {
            clear: self.clear.into_iter().chain(earlier.clear).collect(),
            mention: self.mention && earlier.mention,
            weak: self.weak && earlier.weak,
            snapshot: self.snapshot,
            forest: Arc::new(forest),
            root,
            lists,
            bodies: self.bodies.into_iter().chain(more).collect(),
            whole: self.whole.into_iter().chain(earlier.whole).collect(),
            once: self.once.into_iter().filter(|name| earlier.once.contains(name)).collect(),
            key: self.key,
        }
    }

    /// Elements with their new content; neither `resourceType`, `id` nor `meta.versionId`.
    pub fn set(&self) -> Branch<'_, 'm> {
        self.forest.branch(self.root)
    }

    /// The resource after the change: merged into the stored version, or made anew where there is none.
    pub fn apply<'v>(&'v self, current: Option<&Value<'v>>) -> Value<'v> {
        let set = self.set().to_object();
        let Some(Value::Object(stored)) = current else {
            let head = Object::new().with("resourceType", self.key.kind.as_str()).with("id", self.key.id.as_str());
            return Value::Object(head.followed_by(set));
        };
        let mut object = stored.clone();
        for body in &self.whole {
            self.clear_unsaid(&mut object, &set, body);
        }
        let kind = TypeId::of(self.key.kind);
        for clear in &self.clear {
            // Where the element is said as well, what is said takes its place; of a list the slice is claimed.
            let said =
                clear.target.steps.first().is_some_and(|step| {
                    set.contains(&step.name) && (step.list.is_some() || clear.target.steps.len() == 1)
                });
            if !said {
                clear.remove(&mut object);
            }
        }
        for list in &self.lists {
            if !set.contains(&list.plan.element) {
                self.keep_unclaimed(&mut object, &[], list);
                remove_empty(&mut object, &list.plan.element);
            }
        }
        let beside: Vec<String> =
            set.iter().filter(|(name, _)| name.starts_with('_')).map(|(name, _)| name.to_owned()).collect();
        for (name, value) in set {
            if self.once.iter().any(|once| *once == name) && object.contains(&name) {
                continue;
            }
            other_choices(&mut object, kind, &name);
            if !name.starts_with('_') && is_primitive(&value) {
                let extensions = format!("_{name}");
                if !beside.contains(&extensions) {
                    object.remove(&extensions);
                }
            }
            self.member(&mut object, name, value);
        }
        Value::Object(object)
    }

    /// Whether another change grew in the same forest, so that one printer does for both.
    pub(crate) fn is_beside(&self, other: &Change<'_>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.forest), Arc::as_ptr(&other.forest))
    }

    /// Prints this change and those beside it.
    pub(crate) fn printer<'p>(&'p self, out: &'p mut Vec<u8>) -> Printer<'p, 'm> {
        Printer::new(&self.forest, out)
    }

    /// Appends the canonical form of the resource made anew, as printing [`Change::apply`] of nothing would.
    pub(crate) fn print(&self, printer: &mut Printer<'_, 'm>) {
        let mut before = b'{';
        for (name, own) in [("resourceType", self.key.kind.as_str()), ("id", self.key.id.as_str())] {
            printer.out.push(before);
            json::print_text(name, printer.out);
            printer.out.push(b':');
            match self.forest.member(self.root, name) {
                Some(said) => printer.print(said),
                None => json::print_text(own, printer.out),
            }
            before = b',';
        }
        printer.print_others(self.root, &["resourceType", "id"]);
        printer.out.push(b'}');
    }

    fn member<'v>(&'v self, object: &mut Object<'v>, name: Cow<'v, str>, value: Value<'v>) {
        let (new, known) = match (value, object.get(&name)) {
            (Value::Array(new), Some(Value::Array(_))) => (new, name),
            (value, _) => return deep(object, name, value),
        };
        let name = known.as_ref();
        let list = self.lists.iter().find(|list| list.plan.element == name);
        let grows = self.bodies.iter().any(|body| body.links.iter().any(|link| link == name));
        match list {
            _ if grows => {}
            Some(list) if self.snapshot => self.keep_unclaimed(object, &new, list),
            Some(list) if !list.plan.keys.is_empty() => remove_equal_keys(object, name, &new, &list.plan.keys),
            Some(list) => self.keep_unclaimed(object, &new, list),
            None if self.mention => {}
            None => {
                if let Some(Value::Array(stored)) = object.get_mut(name) {
                    stored.clear();
                }
            }
        }
        if let Some(Value::Array(stored)) = object.get_mut(name) {
            let kept = stored.len();
            for item in new {
                if !stored[..kept].contains(&item) {
                    stored.push(item);
                }
            }
        }
    }

    /// Takes away what a plan can write and the message does not say.
    fn clear_unsaid(&self, object: &mut Object<'_>, set: &Object<'_>, body: &Body) {
        for name in &body.writes {
            if body.links.contains(name) || self.once.contains(&name.as_str()) {
                continue;
            }
            let Some(list) = body.lists.iter().find(|list| list.element == *name) else {
                if !set.contains(name) {
                    object.remove(name);
                }
                continue;
            };
            if let Some(Value::Array(stored)) = object.get_mut(name) {
                stored.retain(|item| !list.unsliced && most_specific(&list.filters, item) == 0);
            }
            if !set.contains(name) {
                remove_empty(object, name);
            }
        }
    }

    /// Takes the items out about which the message speaks: those of a written slice.
    fn keep_unclaimed(&self, object: &mut Object<'_>, new: &[Value<'_>], list: &ListChange<'_>) {
        if self.mention {
            return;
        }
        let name = list.plan.element.as_str();
        let Some(Value::Array(stored)) = object.get_mut(name) else { return };
        // An item may fall into the slice of another rule; then the message speaks about that slice, too.
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
fn deep<'v>(object: &mut Object<'v>, name: Cow<'v, str>, value: Value<'v>) {
    match (object.get_mut(&name), value) {
        (Some(Value::Object(stored)), Value::Object(new)) if !is_datatype(&name) => {
            for (name, value) in new {
                deep(stored, name, value);
            }
        }
        (_, value) => {
            object.insert(name, value);
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
