//! The order of elements in a partner's documents: as the template of a map shows it, else as its rules name them.

use dukou_wire::{Element, Message};

use crate::plan::{MapPlan, Program, Root};
use crate::source_head::parse_template;
use crate::source_plan::{SourcePlan, TreeSource};

/// Ranks the places of a new document.
pub(crate) struct Order {
    /// Names from the document down to each element that the template shows, in its order.
    shown: Vec<Vec<String>>,
    /// Names in the order of the rules.
    ruled: Vec<String>,
}

impl Order {
    pub(crate) fn new(map: &MapPlan, template: Option<Element<'_>>) -> Order {
        let mut shown: Vec<Vec<String>> = Vec::new();
        for element in template.into_iter().flat_map(|root| std::iter::once(root).chain(root.descendants())) {
            let mut names: Vec<String> = element.ancestors().map(|one| one.name().to_owned()).collect();
            names.reverse();
            names.retain(|name| !name.is_empty());
            if !shown.contains(&names) {
                shown.push(names);
            }
        }
        let mut names = Vec::new();
        ruled(map, &mut names);
        Order { shown, ruled: names }
    }

    /// The rank of each step: its place among its siblings, and its ordinal. Attributes stand before elements.
    pub(crate) fn rank(&self, steps: &[(String, u32)], attribute: Option<&str>) -> Vec<(usize, u32)> {
        let mut names: Vec<String> = Vec::new();
        let mut ranks = Vec::with_capacity(steps.len() + 1);
        for (name, ordinal) in steps {
            names.push(name.clone());
            let shown = self.shown.iter().position(|known| *known == names);
            let ruled = || {
                self.shown.len() + self.ruled.iter().position(|known| known == name).unwrap_or(usize::from(u16::MAX))
            };
            ranks.push((shown.unwrap_or_else(ruled) + 1, (*ordinal).max(1)));
        }
        if attribute.is_some() {
            ranks.push((0, 0));
        }
        ranks
    }
}

/// The names inside an element in their order.
pub(crate) fn order(program: &Program, message: &Message<'_>, parent: Element<'_>) -> Vec<String> {
    let sources = program.maps.iter().filter_map(|map| match &map.documents.source {
        SourcePlan::Tree(tree) if tree.root_of(message).is_some() => Some((map, tree)),
        _ => None,
    });
    let mut names = Vec::new();
    for (map, tree) in sources {
        shown(tree, parent, &mut names);
        ruled(map, &mut names);
    }
    names
}

/// The names that the template shows inside an element of the same name.
fn shown(tree: &TreeSource, parent: Element<'_>, names: &mut Vec<String>) {
    let Some(Ok((template, _))) = tree.template.as_ref().map(|text| parse_template(text, tree.json)) else { return };
    let Some(root) = template.root() else { return };
    let around =
        |element: Element<'_>| -> Vec<String> { element.ancestors().map(|one| one.name().to_owned()).collect() };
    let wanted = around(parent);
    let same = std::iter::once(root).chain(root.descendants()).find(|element| around(*element) == wanted);
    for child in same.iter().flat_map(Element::children) {
        add(child.name(), names);
    }
}

/// The names that rules read, in the order of the rules.
fn ruled(map: &MapPlan, names: &mut Vec<String>) {
    let operations = map.emits.iter().flat_map(|emit| &emit.body.operations);
    let mut found: Vec<(u32, &str)> = Vec::new();
    for operation in operations {
        for path in operation.sources.iter().flatten() {
            if let Root::Tree(tree) = &path.root {
                found.extend(tree.steps.iter().map(|step| (operation.rule, step.name.as_str())));
            }
        }
    }
    found.sort_by_key(|(rule, _)| *rule);
    for (_, name) in found {
        add(name, names);
    }
}

fn add(name: &str, names: &mut Vec<String>) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}
