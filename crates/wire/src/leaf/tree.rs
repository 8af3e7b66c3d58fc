//! The leaves of a tree, in the order of the document.

use super::Leaf;
use crate::element::{Attribute, Element};
use crate::node::{Node, State};
use crate::tree::{CONTAINER, NIL, NONE, Tree};
use crate::{Format, Message, Path, Step};

/// A walk over attributes and runs of character data.
#[derive(Debug, Clone)]
pub(super) struct TreeWalk<'m> {
    message: &'m Message<'m>,
    tree: &'m Tree,
    /// The next element to open.
    next: u32,
    /// The open element, and its attributes that are still ahead.
    current: u32,
    attributes: std::ops::Range<u32>,
    /// How far the character data has been walked.
    at: u32,
    /// How many runs each open element has shown, from the root to the current one.
    runs: Vec<u16>,
}

impl<'m> TreeWalk<'m> {
    pub(super) fn new(message: &'m Message<'m>, tree: &'m Tree) -> Self {
        Self { message, tree, next: 0, current: NONE, attributes: 0..0, at: 0, runs: Vec::new() }
    }

    pub(super) fn next(&mut self) -> Option<Leaf<'m>> {
        let xml = self.message.format() == Format::Xml;
        loop {
            if let Some(leaf) = self.attribute() {
                return Some(leaf);
            }
            let step = if xml { self.step()? } else { self.value()? };
            if step.is_some() {
                return step;
            }
        }
    }

    /// The next attribute of the open element that says anything.
    fn attribute(&mut self) -> Option<Leaf<'m>> {
        let tree = self.tree;
        while let Some(number) = self.attributes.next() {
            let entry = &tree.attributes[number as usize];
            let attribute = Attribute::new(self.message, entry);
            let element = &tree.elements[self.current as usize];
            // What marks an element as nil is told by the element's own leaf.
            let marks_nil = element.has(NIL) && entry.prefix > 0 && attribute.name() == "nil";
            if !entry.declares && !marks_nil && !attribute.value().says_nothing() {
                let number = (number - element.attributes + 1) as u16;
                return Some(self.leaf(self.current, number, 0, attribute.value()));
            }
        }
        None
    }

    /// The next value of a JSON document; `None` after the last.
    fn value(&mut self) -> Option<Option<Leaf<'m>>> {
        let entry = self.tree.elements.get(self.next as usize)?;
        let number = self.next;
        self.next += 1;
        if entry.has(CONTAINER) {
            return Some(None);
        }
        let value = Element::new(self.message, self.tree, number).value();
        let says = entry.has(NIL) || !value.says_nothing();
        Some(says.then(|| self.leaf(number, 0, 0, value)))
    }

    /// Goes to the next tag of an XML document and shows the run of character data before it; `None` after the root.
    fn step(&mut self) -> Option<Option<Leaf<'m>>> {
        if self.current == NONE {
            if self.next > 0 || self.tree.elements.is_empty() {
                return None;
            }
            self.open();
            return Some(None);
        }
        let (current, from) = (self.current, self.at);
        let entry = &self.tree.elements[current as usize];
        let opens = self.next < entry.next;
        let to = if opens { self.tree.elements[self.next as usize].open() } else { entry.end };
        let alone = entry.next == current + 1;
        let shown = if alone && entry.has(NIL) {
            Some(self.leaf(current, 0, 0, Element::new(self.message, self.tree, current).value()))
        } else {
            self.run(from..to, alone)
        };
        if opens {
            self.open();
        } else {
            self.at = self.tree.end_of(current, self.message.text().as_bytes(), true);
            self.current = entry.parent;
            self.runs.pop();
        }
        Some(shown)
    }

    /// A run of character data of the open element, unless it says nothing.
    fn run(&mut self, span: std::ops::Range<u32>, alone: bool) -> Option<Leaf<'m>> {
        if self.message.text()[span.start as usize..span.end as usize].trim_ascii().is_empty() {
            return None;
        }
        let node = Node::of_tree(self.message, span, State::Plain);
        if node.says_nothing() {
            return None;
        }
        let count = self.runs.last_mut()?;
        *count = count.saturating_add(1);
        let number = if alone { 0 } else { *count };
        Some(self.leaf(self.current, 0, number, node))
    }

    /// Enters the next element.
    fn open(&mut self) {
        self.current = self.next;
        self.next += 1;
        self.attributes = self.tree.attributes_of(self.current);
        self.at = self.tree.elements[self.current as usize].start;
        self.runs.push(0);
    }

    fn leaf(&self, element: u32, attribute: u16, run: u16, node: Node<'m>) -> Leaf<'m> {
        Leaf { segment: element, field: attribute, repetition: run, component: 0, subcomponent: 0, node }
    }
}

/// The path of a leaf: that of its element, and the attribute or the run where it is one of several.
pub(super) fn path(leaf: &Leaf<'_>, element: Element<'_>) -> Path {
    let mut steps = element.steps();
    if leaf.field > 0 {
        let before = usize::from(leaf.field) - 1;
        let taken = |name: &str| element.attributes().take(before).any(|attribute| attribute.name() == name);
        let name = element.all_attributes().nth(before).map_or("", |attribute| match attribute.name() {
            name if taken(name) => attribute.qualified_name(),
            name => name,
        });
        steps.push(Step::Attribute { name: name.to_owned() });
    } else if leaf.repetition > 0 {
        steps.push(Step::Text { ordinal: u32::from(leaf.repetition) });
    }
    Path::in_tree(steps)
}
