//! What must hold of a resource before it leaves: required elements, and no two contents for one id.

use std::collections::HashSet;

use dukou_fhir::{Branch, Forest, Issue, IssueType, NodeId, ResourceKey, Severity, Text};

use crate::change::Said;
use crate::plan::{Required, Write};
use crate::quick::{QuickHash, QuickMap};
use crate::run::{Run, change};

/// Resources, and parts of them, that were not made after all.
#[derive(Debug, Default)]
pub(crate) struct Fallen {
    owners: Vec<bool>,
    regions: HashSet<(u32, u16), QuickHash>,
}

impl Fallen {
    pub(crate) fn add(&mut self, owner: u32) {
        let owner = owner as usize;
        if self.owners.len() <= owner {
            self.owners.resize(owner + 1, false);
        }
        self.owners[owner] = true;
    }

    pub(crate) fn has(&self, owner: u32, region: u16) -> bool {
        let fell = self.owners.get(owner as usize).copied().unwrap_or(false);
        fell || (region != 0 && !self.regions.is_empty() && self.regions.contains(&(owner, region)))
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
                    && remove_references(&mut self.forest, self.sheets[at].root, &gone)
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
            let missing = lacks(&mut self.forest, self.sheets[at].root, required);
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
        changes: &mut Vec<Said<'m>>,
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
            let change = Said { snapshot: true, mention: true, ..change };
            clashed[number] = !self.unite(changes, known, change, mention.owner, fallen);
        }
    }

    /// Adds a change, or unites it with one of the same resource; false where the two do not agree.
    pub(crate) fn unite(
        &mut self,
        changes: &mut Vec<Said<'m>>,
        known: &mut QuickMap<ResourceKey, usize>,
        change: Said<'m>,
        owner: u32,
        fallen: &mut Fallen,
    ) -> bool {
        let Some(at) = known.get(&change.key) else {
            known.insert(change.key.clone(), changes.len());
            changes.push(change);
            return true;
        };
        let own = &mut changes[*at];
        let agreed = agree(self.forest.branch(own.root), self.forest.branch(change.root));
        if !agreed {
            if !change.mention {
                fallen.add(owner);
            }
            self.clash(&change.key);
            if !change.mention {
                return false;
            }
        }
        unite(&mut self.forest, own.root, change.root);
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
pub(crate) fn lacks(forest: &mut Forest<'_>, object: NodeId, required: &Required) -> bool {
    let lacks = lacks_below(forest, object, &required.parent, required);
    if lacks && !required.parent.is_empty() {
        remove_lacking(forest, object, &required.parent, required);
    }
    lacks
}

fn lacks_below(forest: &Forest<'_>, object: NodeId, path: &[String], required: &Required) -> bool {
    let Some((first, below)) = path.split_first() else { return !has(forest, object, required) };
    let Some(inner) = forest.member(object, first) else { return false };
    let lacks = |node: NodeId| forest.is_object(node) && lacks_below(forest, node, below, required);
    if forest.is_list(inner) { forest.children(inner).any(lacks) } else { lacks(inner) }
}

fn remove_lacking(forest: &mut Forest<'_>, object: NodeId, path: &[String], required: &Required) {
    let Some((first, below)) = path.split_first() else { return };
    forest.open(object);
    let Some(inner) = forest.member(object, first) else { return };
    if !below.is_empty() {
        forest.open(inner);
        let items = if forest.is_list(inner) { forest.children(inner).collect() } else { vec![inner] };
        for item in items {
            remove_lacking(forest, item, below, required);
        }
        return;
    }
    let gone = if forest.is_list(inner) {
        retain(forest, inner, |forest, item| !forest.is_object(item) || has(forest, item, required));
        forest.is_empty(inner)
    } else {
        forest.is_object(inner) && !has(forest, inner, required)
    };
    if gone {
        forest.take_out(object, inner);
    }
}

/// Whether one of the members stands. Extensions of a primitive, such as the reason why it is absent, stand for it.
fn has(forest: &Forest<'_>, object: NodeId, required: &Required) -> bool {
    let beside = |name: &str| name.strip_prefix('_').is_some_and(|name| required.any.iter().any(|any| name == any));
    required.any.iter().any(|any| forest.member(object, any).is_some())
        || forest.children(object).any(|member| beside(forest.name(member)))
}

/// Keeps only the children for which the test holds; true where something went.
fn retain(forest: &mut Forest<'_>, parent: NodeId, keep: impl Fn(&Forest<'_>, NodeId) -> bool) -> bool {
    forest.open(parent);
    let mut went = false;
    let mut next = forest.first(parent);
    while let Some(child) = next {
        next = forest.next(child);
        if !keep(forest, child) {
            forest.take_out(parent, child);
            went = true;
        }
    }
    went
}

/// Takes references to resources away that are not made; true where something went.
fn remove_references(forest: &mut Forest<'_>, object: NodeId, gone: &HashSet<String>) -> bool {
    let points = |forest: &Forest<'_>, node: NodeId| {
        forest.branch(node).text_at("reference").is_some_and(|text| gone.contains(text))
    };
    forest.open(object);
    let mut changed = false;
    let mut next = forest.first(object);
    while let Some(member) = next {
        next = forest.next(member);
        if forest.is_object(member) {
            if points(forest, member) {
                forest.remove(member, "reference");
                changed = true;
            } else {
                changed |= remove_references(forest, member, gone);
            }
        } else if forest.is_list(member) {
            changed |= retain(forest, member, |forest, item| !points(forest, item));
            let items: Vec<NodeId> = forest.children(member).filter(|item| forest.is_object(*item)).collect();
            for item in items {
                changed |= remove_references(forest, item, gone);
            }
        } else {
            continue;
        }
        if forest.is_empty(member) {
            forest.take_out(object, member);
        }
    }
    changed
}

/// Whether two contents of one resource can stand together.
pub(crate) fn agree(one: Branch<'_, '_>, two: Branch<'_, '_>) -> bool {
    two.members().all(|(name, other)| match one.get(name) {
        None => true,
        Some(own) if own.is_list() && other.is_list() => true,
        Some(own) if own.is_object() && other.is_object() => agree(own, other),
        Some(own) => own.same(other),
    })
}

/// Adds what the other says; lists grow by items that are not there.
pub(crate) fn unite(forest: &mut Forest<'_>, own: NodeId, other: NodeId) {
    forest.open(own);
    forest.open(other);
    let mut next = forest.first(other);
    while let Some(member) = next {
        next = forest.next(member);
        let Some(known) = forest.member(own, forest.name(member)) else {
            forest.take_out(other, member);
            forest.adopt(own, member);
            continue;
        };
        if forest.is_list(known) && forest.is_list(member) {
            unite_lists(forest, known, member);
        } else if forest.is_object(known) && forest.is_object(member) {
            unite(forest, known, member);
        }
    }
}

fn unite_lists(forest: &mut Forest<'_>, own: NodeId, other: NodeId) {
    forest.open(own);
    forest.open(other);
    let mut next = forest.first(other);
    while let Some(item) = next {
        next = forest.next(item);
        if !forest.children(own).any(|known| forest.same(known, item)) {
            forest.take_out(other, item);
            forest.push(own, item);
        }
    }
}
