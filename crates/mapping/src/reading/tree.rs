//! Finds elements and attributes of a tree, relative to an instance, a record or the document.

use std::ops::ControlFlow;
use std::rc::Rc;

use dukou_wire::{Element, Node, Presence};

use super::{At, Reading, valued, within};
use crate::plan::{Position, TreeFilter, TreePlan, TreeStart, TreeStepPlan};
use crate::rule::{StepKind, TestKind};

/// An element that a path leads to, or the one whose attribute it names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot<'m> {
    pub(crate) element: Element<'m>,
    /// The attribute, or the character data of the element.
    pub(crate) node: Node<'m>,
    /// The number among the repeats of the path.
    pub(crate) ordinal: u32,
}

type See<'s, 'm> = dyn FnMut(Spot<'m>) -> ControlFlow<()> + 's;

impl<'m> Reading<'m> {
    /// Shows every place that the path names, in the order of the document, until the visitor has seen enough.
    pub(crate) fn visit_tree(&self, path: &TreePlan, at: At<'_, 'm>, see: &mut See<'_, 'm>) {
        let start = match path.start {
            TreeStart::Own(ups) => at.element.and_then(|own| above(own, ups)),
            TreeStart::Record(ups) => self.record.get().and_then(|record| above(record, ups)),
            TreeStart::Document => self.document(path),
        };
        let Some(start) = start else { return };
        if path.start == TreeStart::Own(0) {
            let _seen = walk_from(path, start, see);
            return;
        }
        // What stands above is asked for by every instance below it: it is looked up once.
        for spot in self.looked_up(path, start).iter() {
            if see(*spot).is_break() {
                return;
            }
        }
    }

    /// The root that the first step names: that of the document, or what a SOAP envelope carries.
    fn document(&self, path: &TreePlan) -> Option<Element<'m>> {
        let root = self.message.root()?;
        let named = path.steps.first().is_none_or(|first| first.name == root.name());
        if named || root.name().is_empty() { Some(root) } else { dukou_wire::xml::body(self.message) }
    }

    fn looked_up(&self, path: &TreePlan, start: Element<'m>) -> Rc<[Spot<'m>]> {
        // Plans do not move while they are run.
        let key = (std::ptr::from_ref(path) as usize, start.index());
        if let Some(known) = self.spots.borrow().get(&key) {
            return Rc::clone(known);
        }
        let mut found = Vec::new();
        let _all = walk_from(path, start, &mut |spot| {
            found.push(spot);
            ControlFlow::Continue(())
        });
        let found: Rc<[Spot<'m>]> = found.into();
        self.spots.borrow_mut().insert(key, Rc::clone(&found));
        found
    }

    /// Begins a record: what was looked up in the one before is forgotten.
    pub(crate) fn enter_record(&self, record: Element<'m>) {
        self.record.set(Some(record));
        self.spots.borrow_mut().retain(|(_, start), _| *start < record.index());
    }

    /// Whether a test of a path through a tree holds; blanks around values do not count.
    pub(crate) fn holds_in_tree(&self, path: &TreePlan, kind: &TestKind, at: At<'_, 'm>) -> bool {
        match kind {
            TestKind::Valued => return self.says_in_tree(path, at),
            TestKind::Empty => return !self.says_in_tree(path, at),
            TestKind::Null | TestKind::In(_) | TestKind::NotIn(_) | TestKind::Begins(_) => {}
        }
        let mut any = false;
        self.visit_tree(path, at, &mut |spot| {
            any = match kind {
                TestKind::In(values) | TestKind::NotIn(values) => {
                    spot.node.presence() == Presence::Value && values.contains(&spot.node.trimmed().into_owned())
                }
                TestKind::Begins(start) => spot.node.trimmed().starts_with(start.as_str()),
                _ => spot.node.presence() == Presence::Null,
            };
            if any { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        any != matches!(kind, TestKind::NotIn(_))
    }

    /// Whether anything at or below the places of a path has a value.
    pub(crate) fn says_in_tree(&self, path: &TreePlan, at: At<'_, 'm>) -> bool {
        let mut says = false;
        self.visit_tree(path, at, &mut |spot| {
            says = valued(spot.node) || (path.attribute.is_none() && says_below(spot.element));
            if says { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        says
    }
}

/// The elements that the steps lead to, all of them.
pub(crate) fn elements<'m>(from: Element<'m>, steps: &[TreeStepPlan]) -> Vec<Element<'m>> {
    let mut found = Vec::new();
    let mut walk = Walk { attribute: None, repeats: [0; DEPTH] };
    let _all = walk.step(from, steps, 0, &mut |spot| {
        found.push(spot.element);
        ControlFlow::Continue(())
    });
    found
}

fn walk_from<'m>(path: &TreePlan, start: Element<'m>, see: &mut See<'_, 'm>) -> ControlFlow<()> {
    let mut walk = Walk { attribute: path.attribute.as_deref(), repeats: [0; DEPTH] };
    // The root element of XML is named by the first step; the root of JSON has no name.
    let names_root = path.start == TreeStart::Document && !start.name().is_empty();
    match path.steps.split_first() {
        Some((first, rest)) if names_root && first.kind == StepKind::Child => {
            let fits = first.name == start.name() && first.filters.iter().all(|filter| filter.holds(start));
            if fits { walk.step(start, rest, 0, see) } else { ControlFlow::Continue(()) }
        }
        _ => walk.step(start, &path.steps, 0, see),
    }
}

/// The state of one walk.
struct Walk<'p> {
    attribute: Option<&'p str>,
    /// How often each repeating step, counted from the last one, has led somewhere.
    repeats: [u32; DEPTH],
}

impl Walk<'_> {
    fn step<'m>(
        &mut self,
        element: Element<'m>,
        steps: &[TreeStepPlan],
        ordinal: u32,
        see: &mut See<'_, 'm>,
    ) -> ControlFlow<()> {
        let Some((step, rest)) = steps.split_first() else { return self.arrive(element, ordinal, see) };
        match step.kind {
            StepKind::Child => self.each(element.children_named(&step.name), step, rest, ordinal, see),
            StepKind::Up => self.each(element.parent().into_iter(), step, rest, ordinal, see),
            StepKind::Any => {
                let named = element.descendants().filter(|one| one.name() == step.name);
                self.each(named, step, rest, ordinal, see)
            }
            StepKind::Section => {
                let sections = element.descendants().filter(|one| one.name() == "section" && coded(*one, &step.name));
                self.each(sections, step, rest, ordinal, see)
            }
            StepKind::Entry => {
                let entries = element.descendants().filter(|one| one.name() != "section" && coded(*one, &step.name));
                self.each(entries, step, rest, ordinal, see)
            }
        }
    }

    fn each<'m>(
        &mut self,
        candidates: impl Iterator<Item = Element<'m>>,
        step: &TreeStepPlan,
        rest: &[TreeStepPlan],
        ordinal: u32,
        see: &mut See<'_, 'm>,
    ) -> ControlFlow<()> {
        let mut counted = 0u16;
        let repeats = !matches!(step.position, Position::Nth(_));
        for candidate in candidates.filter(|one| step.filters.iter().all(|filter| filter.holds(*one))) {
            counted = counted.saturating_add(1);
            if !within(step.position, counted) {
                continue;
            }
            let mut ordinal = ordinal;
            if repeats {
                let number = &mut self.repeats[rest.len() % DEPTH];
                ordinal = *number;
                *number += 1;
            }
            self.step(candidate, rest, ordinal, see)?;
            if !repeats {
                break;
            }
        }
        ControlFlow::Continue(())
    }

    fn arrive<'m>(&self, element: Element<'m>, ordinal: u32, see: &mut See<'_, 'm>) -> ControlFlow<()> {
        let node = match self.attribute {
            Some(name) => element.attribute(name),
            None => element.value(),
        };
        if node.presence() == Presence::Absent {
            return ControlFlow::Continue(());
        }
        see(Spot { element, node, ordinal })
    }
}

impl TreeFilter {
    /// Whether the element has the value below it; blanks around it do not count.
    fn holds(&self, element: Element<'_>) -> bool {
        let mut place = Some(element);
        for name in &self.path {
            place = place.and_then(|element| element.child(name));
        }
        let is = place.is_some_and(|element| {
            let node = match &self.attribute {
                Some(name) => element.attribute(name),
                None => element.value(),
            };
            node.presence() == Presence::Value && node.trimmed() == self.value
        });
        is != self.negate
    }
}

/// Whether a section, or the act of an entry, bears a code (HL7 CDA R2, 4.3.4 and 4.3.6).
fn coded(element: Element<'_>, code: &str) -> bool {
    element.child("code").is_some_and(|child| child.attribute("code").trimmed() == code)
}

fn above(element: Element<'_>, ups: u16) -> Option<Element<'_>> {
    element.ancestors().nth(usize::from(ups))
}

fn says_below(element: Element<'_>) -> bool {
    let says = |element: Element<'_>| {
        element.attributes().any(|attribute| valued(attribute.value())) || valued(element.value())
    };
    says(element) || element.descendants().any(says)
}

/// Repeats are counted for so many steps from the end of a path; deeper ones share a count.
const DEPTH: usize = 16;
