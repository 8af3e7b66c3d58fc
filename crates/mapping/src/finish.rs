//! What must hold of a resource before it leaves: required elements, and no two contents for one id.

use std::collections::HashSet;

use dukou_fhir::{Issue, IssueType, Object, ResourceKey, Severity, Text, Value};

use crate::change::Change;
use crate::plan::{Required, Write};
use crate::quick::{QuickHash, QuickMap};
use crate::run::{Run, change};

/// Resources, and parts of them, that were not made after all.
#[derive(Debug, Default)]
pub(crate) struct Fallen {
    owners: HashSet<u32, QuickHash>,
    regions: HashSet<(u32, u16), QuickHash>,
}

impl Fallen {
    pub(crate) fn add(&mut self, owner: u32) {
        self.owners.insert(owner);
    }

    pub(crate) fn has(&self, owner: u32, region: u16) -> bool {
        let none = self.owners.is_empty() && self.regions.is_empty();
        !none && (self.owners.contains(&owner) || (region != 0 && self.regions.contains(&(owner, region))))
    }
}

impl<'m> Run<'m> {
    /// Checks every resource for required elements; references to those that fall are taken away.
    pub(crate) fn complete(&mut self, fallen: &mut Fallen, later: &[(usize, &'m Write)]) {
        for at in 0..self.instances.len() {
            if !self.is_made(at) {
                fallen.add(at as u32);
            } else if !later.iter().any(|(own, _)| *own == at) {
                self.complete_one(at, fallen);
            }
        }
        // A reference that goes may be a required element of another resource, so look again until nothing falls.
        let mut gone = self.gone(fallen);
        while !gone.is_empty() {
            for at in 0..self.instances.len() {
                if !fallen.has(at as u32, 0)
                    && remove_references(&mut self.sheets[at].object, &gone)
                    && !later.iter().any(|(own, _)| *own == at)
                {
                    self.complete_one(at, fallen);
                }
            }
            let now = self.gone(fallen);
            if now.len() == gone.len() {
                break;
            }
            gone = now;
        }
    }

    /// Keys of resources that fell though others may point to them.
    fn gone(&self, fallen: &Fallen) -> HashSet<String> {
        let fell = (0..self.instances.len()).filter(|at| self.is_made(*at) && fallen.has(*at as u32, 0));
        fell.map(|at| self.key_text(at)).collect()
    }

    /// Checks one resource for required elements.
    pub(crate) fn complete_one(&mut self, at: usize, fallen: &mut Fallen) {
        let emit = self.emit_of(at);
        for (number, required) in emit.body.required.iter().enumerate().rev() {
            let missing = lacks(&mut self.sheets[at].object, required);
            if !missing {
                continue;
            }
            let element = required.any.first().map_or("", String::as_str);
            let kind = emit.kind;
            let place = required.parent.join(".");
            if required.parent.is_empty() {
                fallen.add(at as u32);
                let text = Text::new(
                    format!("the {kind} is not made: its element {element} is required and has no value"),
                    format!("未生成 {kind}：缺少必填元素 {element}"),
                );
                let path = self.segment_path(at);
                self.issue(Severity::Warning, IssueType::Required, "required-missing", text, path);
            } else {
                fallen.regions.insert((at as u32, number as u16 + 1));
                let text = Text::new(
                    format!("{kind}.{place} is left out: its element {element} is required and has no value"),
                    format!("已省略 {kind}.{place}：缺少必填元素 {element}"),
                );
                let path = self.segment_path(at);
                self.issue(Severity::Warning, IssueType::Required, "required-missing", text, path);
            }
        }
    }
}

impl<'m> Run<'m> {
    pub(crate) fn unite_mentions(
        &mut self,
        changes: &mut Vec<Change<'m>>,
        known: &mut QuickMap<ResourceKey, usize>,
        fallen: &mut Fallen,
    ) {
        let mentions = std::mem::take(&mut self.mentions);
        let mut clashed = vec![false; mentions.len()];
        for (number, mention) in mentions.into_iter().enumerate() {
            // What was said once adds nothing when it is said again; a clash is told again.
            if let Some(first) = mention.again {
                if clashed[first] {
                    self.clash(&mention.key);
                }
                continue;
            }
            let change = change(mention.key, mention.lists, mention.sheet);
            let change = Change { snapshot: true, mention: true, ..change };
            clashed[number] = !self.unite(changes, known, change, mention.owner, fallen);
        }
    }

    /// Adds a change, or unites it with one of the same resource; false where the two do not agree.
    pub(crate) fn unite(
        &mut self,
        changes: &mut Vec<Change<'m>>,
        known: &mut QuickMap<ResourceKey, usize>,
        change: Change<'m>,
        owner: u32,
        fallen: &mut Fallen,
    ) -> bool {
        let Some(at) = known.get(&change.key) else {
            known.insert(change.key.clone(), changes.len());
            changes.push(change);
            return true;
        };
        let own = &mut changes[*at];
        let agreed = agree(&own.set, &change.set);
        if !agreed {
            if !change.mention {
                fallen.add(owner);
            }
            self.clash(&change.key);
            if !change.mention {
                return false;
            }
        }
        unite(&mut own.set, change.set);
        own.clear.extend(change.clear);
        own.lists.extend(change.lists);
        own.bodies.extend(change.bodies);
        own.whole.extend(change.whole);
        own.once.extend(change.once);
        own.mention &= change.mention;
        own.snapshot &= change.snapshot;
        agreed
    }

    fn clash(&mut self, key: &ResourceKey) {
        let kind = key.kind;
        let text = Text::new(
            format!("two places of the message make the same {kind} with different content; the first one stands"),
            format!("消息中两处生成同一 {kind} 但内容不同，以先出现者为准"),
        );
        let issue = Issue::new(Severity::Warning, IssueType::Conflict, "E-ID-CLASH", text);
        self.issues.push(issue.at(key.to_string()));
    }
}

/// Whether a parent lacks the element; parents below the top that lack it are taken away.
pub(crate) fn lacks(object: &mut Object<'_>, required: &Required) -> bool {
    fn has(object: &Object<'_>, required: &Required) -> bool {
        // Extensions of a primitive, such as the reason why it is absent, stand for it.
        required.any.iter().any(|name| object.contains(name) || object.contains(&format!("_{name}")))
    }
    let Some((last, above)) = required.parent.split_last() else { return !has(object, required) };
    let mut lacking = false;
    each_below(object, above, &mut |parent| {
        let gone = match parent.get_mut(last) {
            Some(Value::Array(items)) => {
                let before = items.len();
                items.retain(|item| item.as_object().is_none_or(|item| has(item, required)));
                lacking |= items.len() != before;
                items.is_empty()
            }
            Some(Value::Object(inner)) => {
                let gone = !has(inner, required);
                lacking |= gone;
                gone
            }
            _ => false,
        };
        if gone {
            parent.remove(last);
        }
    });
    lacking
}

fn each_below<'m>(object: &mut Object<'m>, path: &[String], act: &mut dyn FnMut(&mut Object<'m>)) {
    let Some((first, below)) = path.split_first() else {
        act(object);
        return;
    };
    match object.get_mut(first) {
        Some(Value::Object(inner)) => each_below(inner, below, act),
        Some(Value::Array(items)) => {
            for item in items {
                if let Value::Object(inner) = item {
                    each_below(inner, below, act);
                }
            }
        }
        _ => {}
    }
}

/// Takes references to resources away that are not made; true where something went.
fn remove_references(object: &mut Object<'_>, gone: &HashSet<String>) -> bool {
    let points = |value: &Value<'_>| value.text_at("reference").is_some_and(|text| gone.contains(text));
    let mut changed = false;
    let mut empty = Vec::new();
    for (name, value) in object.iter_mut() {
        match value {
            Value::Object(inner) => {
                if inner.get("reference").and_then(Value::as_str).is_some_and(|text| gone.contains(text)) {
                    inner.remove("reference");
                    changed = true;
                } else {
                    changed |= remove_references(inner, gone);
                }
                if inner.is_empty() {
                    empty.push(name.to_owned());
                }
            }
            Value::Array(items) => {
                let before = items.len();
                items.retain(|item| !points(item));
                changed |= items.len() != before;
                for item in items.iter_mut() {
                    if let Value::Object(inner) = item {
                        changed |= remove_references(inner, gone);
                    }
                }
                if items.is_empty() {
                    empty.push(name.to_owned());
                }
            }
            _ => {}
        }
    }
    for name in empty {
        object.remove(&name);
    }
    changed
}

/// Whether two contents of one resource can stand together.
pub(crate) fn agree(one: &Object<'_>, two: &Object<'_>) -> bool {
    two.iter().all(|(name, value)| match (one.get(name), value) {
        (None, _) | (Some(Value::Array(_)), Value::Array(_)) => true,
        (Some(Value::Object(one)), Value::Object(two)) => agree(one, two),
        (Some(own), other) => own == other,
    })
}

/// Adds what the other says; lists grow by items that are not there.
pub(crate) fn unite<'m>(own: &mut Object<'m>, other: Object<'m>) {
    for (name, value) in other {
        match (own.get_mut(&name), value) {
            (None, value) => {
                own.insert(name, value);
            }
            (Some(Value::Array(items)), Value::Array(more)) => {
                for item in more {
                    if !items.contains(&item) {
                        items.push(item);
                    }
                }
            }
            (Some(Value::Object(own)), Value::Object(other)) => unite(own, other),
            (Some(_), _) => {}
        }
    }
}
