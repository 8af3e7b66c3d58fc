//! Finds the places of a message that paths name, relative to an instance.

mod around;
mod place;
mod row;
mod tree;

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;

use dukou_wire::groups::{GroupId, Groups};
use dukou_wire::{Element, Format, Level, Message, Node, Presence, Segment};
use row::RowCells;
pub(crate) use tree::{Spot, elements};

use crate::gate::{self, Gate};
use crate::plan::{PathPlan, Position, RepetitionFilter, Root, TestPlan};
use crate::quick::QuickMap;
use crate::rule::{RowKind, TestKind};

/// A message with its groups, ready to be looked up.
pub(crate) struct Reading<'m> {
    pub(crate) message: &'m Message<'m>,
    pub(crate) groups: Groups,
    first_child: Vec<GroupId>,
    next_sibling: Vec<GroupId>,
    /// The first fields of every segment, one segment after the other, and where each segment's begin.
    fields: Vec<Node<'m>>,
    first_field: Vec<u32>,
    /// Which fields of a segment are filled.
    filled: Vec<u64>,
    /// The segments by their ids, those of one id in their order.
    named: Vec<(&'m str, u32)>,
    /// Segments that can be seen from a group, by group, name from which we come and segment id.
    seen: RefCell<Seen>,
    /// What keys of ids found at the places that several instances name, by path and segment.
    pub(crate) keys: RefCell<Keys>,
    /// Of a tree the record at hand, and what paths above its instances have led to.
    record: Cell<Option<Element<'m>>>,
    spots: RefCell<Spots<'m>>,
    /// Of rows the cells of the one at hand, and the head and trailer rows.
    rows: bool,
    /// How many elements a tree has.
    elements: usize,
    row: RefCell<RowCells<'m>>,
    frames: [Option<Segment<'m>>; 2],
    /// Where the file has the columns that the map at hand declares; empty where their order is the same.
    pub(crate) columns: RefCell<Vec<u16>>,
}

/// By path and the element where it begins.
type Spots<'m> = QuickMap<(usize, usize), Rc<[Spot<'m>]>>;
/// By path and segment.
type Keys = QuickMap<(usize, Option<usize>), Vec<u8>>;
type Seen = QuickMap<(GroupId, &'static str, [u8; 3]), Rc<[u32]>>;

/// Where an operation stands: the segment of its instance, or the part of a datatype.
#[derive(Clone, Copy, Default)]
pub(crate) struct At<'c, 'm> {
    pub(crate) segment: Option<Segment<'m>>,
    /// Of a tree the element of the instance, or of a lens over elements.
    pub(crate) element: Option<Element<'m>>,
    pub(crate) part: Option<Node<'m>>,
    /// The parts of `part`, found once for all rules of a lens.
    pub(crate) cells: &'c [Node<'m>],
    /// The URI of the HL7 table of the field that a lens reads.
    pub(crate) code_table: Option<&'m str>,
}

impl<'m> At<'_, 'm> {
    pub(crate) fn of(segment: Segment<'m>) -> Self {
        At { segment: Some(segment), ..At::default() }
    }

    /// The number of the segment or element.
    pub(crate) fn place(&self) -> Option<usize> {
        self.element.map(|element| element.index()).or_else(|| self.segment.map(|segment| segment.index()))
    }

    pub(crate) fn of_element(element: Element<'m>) -> Self {
        At { element: Some(element), ..At::default() }
    }

    /// A part of what a lens reads; nothing where the sender's value ends before it.
    fn cell(&self, component: u16, subcomponent: u16) -> Option<Node<'m>> {
        let whole = self.part?;
        let found = match (component, whole.level()) {
            (0, _) | (1, Level::Subcomponent) => whole,
            _ => *self.cells.get(usize::from(component) - 1)?,
        };
        Some(part(found, subcomponent))
    }
}

/// A place found, with its number among the repeats of its source.
#[derive(Clone, Copy)]
pub(crate) struct Found<'m> {
    pub(crate) node: Node<'m>,
    pub(crate) ordinal: u32,
}

/// 0 is the root, which is nobody's child, so it stands for none.
const NONE: GroupId = 0;

impl<'m> Reading<'m> {
    pub(crate) fn new(message: &'m Message<'m>) -> Self {
        // What the arrangement finds odd has been told by the reader of the message.
        let groups = dukou_wire::groups::arrange(message, &mut Vec::new());
        let count = groups.iter().count();
        let (mut first_child, mut next_sibling) = (vec![NONE; count], vec![NONE; count]);
        let mut last_child = vec![NONE; count];
        for (id, group) in groups.iter() {
            let Some(parent) = group.parent else { continue };
            match std::mem::replace(&mut last_child[parent as usize], id) {
                NONE => first_child[parent as usize] = id,
                before => next_sibling[before as usize] = id,
            }
        }
        let mut fields = Vec::with_capacity(message.segment_count() * 16);
        let mut first_field = Vec::with_capacity(message.segment_count() + 1);
        let rows = message.format() == Format::Delimited;
        for segment in message.segments() {
            first_field.push(fields.len() as u32);
            if rows {
                continue;
            }
            segment.add_fields(FIELDS_HELD, &mut fields);
        }
        first_field.push(fields.len() as u32);
        let of_segment = |ends: &[u32]| &fields[ends[0] as usize..ends[1] as usize];
        let filled: Vec<u64> =
            first_field.windows(2).map(|ends| gate::bits(of_segment(ends).iter().map(is_filled))).collect();
        let mut named: Vec<(&str, u32)> = message.segments().map(|segment| segment.id()).zip(0..).collect();
        named.sort_unstable();
        let mut reading = Reading {
            message,
            groups,
            first_child,
            next_sibling,
            fields,
            first_field,
            filled,
            named,
            seen: RefCell::default(),
            keys: RefCell::default(),
            record: Cell::new(None),
            spots: RefCell::default(),
            rows,
            elements: message.root().map_or(0, |root| root.descendants().count() + 1),
            row: RefCell::default(),
            frames: [None, None],
            columns: RefCell::default(),
        };
        reading.frames = [RowKind::Head, RowKind::Trailer].map(|kind| reading.frame_row(kind));
        reading
    }

    /// The one node that a path names, or nothing where it names none; no answer where several may be meant.
    #[inline]
    pub(crate) fn only(&self, path: &PathPlan, at: At<'_, 'm>) -> Option<Option<Node<'m>>> {
        let segment = match &path.root {
            Root::Part => return Some(at.cell(path.component, path.subcomponent)),
            Root::Own => at.segment,
            Root::Nearest(name) => self.nearest(name, at).map(|index| self.message.segment(index)),
            _ => return None,
        };
        let Some(field) = segment.and_then(|segment| self.field(segment, path.field)) else { return Some(None) };
        let repetition = field.sole_child()?;
        let meant = within(path.position, 1) && path.filter.as_ref().is_none_or(|filter| filter.holds(repetition));
        Some(meant.then(|| parts(repetition, path.component, path.subcomponent)))
    }

    /// The same for alternatives, of which the first that says something counts.
    pub(crate) fn only_of(&self, alternatives: &[PathPlan], at: At<'_, 'm>) -> Option<Option<Node<'m>>> {
        let mut only = None;
        for path in alternatives {
            only = self.only(path, at)?;
            if only.is_some_and(|node| valued(node) || node.presence() == Presence::Null) {
                break;
            }
        }
        Some(only)
    }

    /// Shows every node that the path names, in order, until the visitor has seen enough.
    pub(crate) fn visit(&self, path: &PathPlan, at: At<'_, 'm>, see: &mut dyn FnMut(Found<'m>) -> ControlFlow<()>) {
        match &path.root {
            Root::Part => {
                if let Some(node) = at.cell(path.component, path.subcomponent) {
                    let _seen = see(Found { node, ordinal: 0 });
                }
            }
            Root::Own => {
                if let Some(segment) = at.segment {
                    let _seen = self.repetitions(path, segment, 0, see);
                }
            }
            Root::Nearest(name) => {
                if let Some(index) = self.nearest(name, at) {
                    let _seen = self.repetitions(path, self.message.segment(index), 0, see);
                }
            }
            Root::Beside(name, position) => self.beside(name, *position, path, at, see),
            Root::Group(group, name, position) => self.grouped(group, name, *position, path, at, see),
            Root::Tree(tree) => {
                self.visit_tree(tree, at, &mut |spot| see(Found { node: spot.node, ordinal: spot.ordinal }));
            }
            Root::Row(kind) => self.visit_frame(*kind, path, see),
        }
    }

    /// Shows the repetitions of the path's field, or the component named of each.
    fn repetitions(
        &self,
        path: &PathPlan,
        segment: Segment<'m>,
        base: u32,
        see: &mut dyn FnMut(Found<'m>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(field) = self.field(segment, path.field) else { return ControlFlow::Continue(()) };
        // Most fields hold one plain value, and most paths want it.
        if path.filter.is_none() && field.is_plain() {
            if !within(path.position, 1) {
                return ControlFlow::Continue(());
            }
            let node = parts(field.child(1), path.component, path.subcomponent);
            return see(Found { node, ordinal: base });
        }
        let (mut counted, mut next) = (0u16, 0u32);
        for repetition in field.children() {
            let number = next;
            next += 1;
            if let Some(filter) = &path.filter
                && !filter.holds(repetition)
            {
                continue;
            }
            counted = counted.saturating_add(1);
            if !within(path.position, counted) {
                continue;
            }
            let node = parts(repetition, path.component, path.subcomponent);
            see(Found { node, ordinal: base + number })?;
            if matches!(path.position, Position::Nth(_)) {
                break;
            }
        }
        ControlFlow::Continue(())
    }

    /// A field that is not empty.
    #[inline]
    pub(crate) fn field(&self, segment: Segment<'m>, number: u16) -> Option<Node<'m>> {
        let index = segment.index();
        if self.rows {
            return self.cell(segment, number).filter(is_filled);
        }
        let (from, to) = (self.first_field[index] as usize, self.first_field[index + 1] as usize);
        let fields = &self.fields[from..to];
        let field = match fields.get(usize::from(number).wrapping_sub(1)) {
            Some(field) => *field,
            None if fields.len() < FIELDS_HELD => return None,
            None => segment.field(number),
        };
        is_filled(&field).then_some(field)
    }

    /// The numbers of all segments of an id.
    pub(crate) fn named(&self, id: &str) -> impl Iterator<Item = usize> + use<'_, 'm> {
        let first = self.named.partition_point(|(known, _)| *known < id);
        let behind = self.named[first..].partition_point(|(known, _)| *known == id);
        self.named[first..first + behind].iter().map(|(_, number)| *number as usize)
    }

    /// What operations can read at a place.
    pub(crate) fn there(&self, at: At<'_, 'm>) -> Gate {
        let filled = at.segment.filter(|_| !self.rows).map_or(u64::MAX, |segment| self.filled[segment.index()]);
        Gate::there(filled, at)
    }

    /// Whether that is known of each field: the cells of rows are looked up one by one.
    pub(crate) fn tells_fields(&self, at: At<'_, 'm>) -> bool {
        at.segment.is_some() && !self.rows
    }

    /// Whether a path surely names nothing; a cheap look before anything else is tried.
    #[inline]
    pub(crate) fn surely_empty(&self, path: &PathPlan, at: At<'_, 'm>) -> bool {
        match (&path.root, at.segment) {
            (Root::Part, _) => at.cell(path.component, 0).is_none_or(|node| node.span().is_empty()),
            (Root::Own, Some(segment)) => path.field != 0 && self.field(segment, path.field).is_none(),
            _ => false,
        }
    }

    /// Numbers of the segments or elements that a path names, as instances are made for them.
    pub(crate) fn places(&self, path: &PathPlan, at: At<'_, 'm>) -> Vec<usize> {
        let Root::Tree(tree) = &path.root else {
            return self.segments(path, at).into_iter().map(|segment| segment.index()).collect();
        };
        let mut found = Vec::new();
        self.visit_tree(tree, at, &mut |spot| {
            found.push(spot.element.index());
            ControlFlow::Continue(())
        });
        found
    }

    /// The segment or element of a number.
    pub(crate) fn at(&self, place: usize) -> At<'m, 'm> {
        match self.message.element(place) {
            Some(element) => At::of_element(element),
            None => At::of(self.message.segment(place)),
        }
    }

    /// The path of a segment or element.
    pub(crate) fn place_path(&self, at: At<'_, 'm>) -> String {
        match (at.segment, at.element) {
            (Some(segment), _) => segment.path().to_string(),
            (None, Some(element)) => element.path().to_string(),
            (None, None) => String::new(),
        }
    }

    /// The text of a row or element; nothing of a segment.
    pub(crate) fn own_text(&self, at: At<'_, 'm>) -> Option<&'m str> {
        match (at.element, at.segment) {
            (Some(element), _) => {
                let span = element.span();
                self.message.text().get(span.start as usize..span.end as usize)
            }
            (None, Some(row)) if row.is_row() => Some(row.raw()),
            _ => None,
        }
    }

    /// Segments that a path without field names.
    pub(crate) fn segments(&self, path: &PathPlan, at: At<'_, 'm>) -> Vec<Segment<'m>> {
        match &path.root {
            Root::Part | Root::Tree(_) => Vec::new(),
            Root::Row(kind) => self.frames[usize::from(*kind == RowKind::Trailer)].into_iter().collect(),
            Root::Own => at.segment.into_iter().collect(),
            Root::Nearest(name) => {
                self.nearest(name, at).map(|index| self.message.segment(index)).into_iter().collect()
            }
            Root::Beside(name, position) => self.positioned(self.beside_indexes(name, at), *position),
            Root::Group(group, name, position) => self.positioned(self.group_indexes(group, name, at), *position),
        }
    }

    fn positioned(&self, indexes: Vec<u32>, position: Position) -> Vec<Segment<'m>> {
        let chosen = (1u16..).zip(indexes).filter(|(number, _)| within(position, *number));
        chosen.map(|(_, index)| self.message.segment(index as usize)).collect()
    }

    fn beside(
        &self,
        name: &str,
        position: Position,
        path: &PathPlan,
        at: At<'_, 'm>,
        see: &mut dyn FnMut(Found<'m>) -> ControlFlow<()>,
    ) {
        self.each(self.beside_indexes(name, at), position, path, see);
    }

    fn grouped(
        &self,
        group: &[String],
        name: &str,
        position: Position,
        path: &PathPlan,
        at: At<'_, 'm>,
        see: &mut dyn FnMut(Found<'m>) -> ControlFlow<()>,
    ) {
        self.each(self.group_indexes(group, name, at), position, path, see);
    }

    fn each(
        &self,
        indexes: Vec<u32>,
        position: Position,
        path: &PathPlan,
        see: &mut dyn FnMut(Found<'m>) -> ControlFlow<()>,
    ) {
        for (number, index) in (0u32..).zip(indexes) {
            let counted = u16::try_from(number + 1).unwrap_or(u16::MAX);
            if !within(position, counted) {
                continue;
            }
            if self.repetitions(path, self.message.segment(index as usize), number << 16, see).is_break() {
                return;
            }
        }
    }

    /// Whether all tests hold.
    pub(crate) fn holds(&self, tests: &[TestPlan], at: At<'_, 'm>) -> bool {
        tests.iter().all(|test| {
            let mut any = false;
            if let Root::Tree(tree) = &test.path.root {
                return self.holds_in_tree(tree, &test.kind, at);
            }
            if test.path.is_segment() {
                let there = !self.segments(&test.path, at).is_empty();
                return there == matches!(test.kind, TestKind::Valued);
            }
            self.visit(&test.path, at, &mut |found| {
                any = one_holds(&test.kind, found.node);
                if any { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            match test.kind {
                TestKind::Empty | TestKind::NotIn(_) => !any,
                _ => any,
            }
        })
    }
}

/// Whether a node makes a test true; for the negative tests whether it makes them false.
fn one_holds(kind: &TestKind, node: Node<'_>) -> bool {
    match kind {
        TestKind::Valued | TestKind::Empty => valued(node),
        TestKind::Null => node.presence() == Presence::Null,
        TestKind::Begins(start) => {
            let leaf = first_leaf(node);
            leaf.presence() == Presence::Value && leaf.text().starts_with(start.as_str())
        }
        TestKind::In(values) | TestKind::NotIn(values) => {
            let leaf = first_leaf(node);
            if leaf.presence() != Presence::Value {
                return false;
            }
            let text = leaf.text();
            values.iter().any(|value| *value == text.as_ref())
        }
    }
}

/// Whether anything stands in a field.
fn is_filled(field: &Node<'_>) -> bool {
    !field.raw().is_empty()
}

/// Whether the node holds anything but delimiters, blanks and nulls.
pub(crate) fn valued(node: Node<'_>) -> bool {
    // Delimiters are neither letters nor digits, so such a first character is a value at once.
    if node.raw().as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) {
        return true;
    }
    if node.presence() != Presence::Value {
        return false;
    }
    if node.level() == Level::Subcomponent {
        // Of a document there may be nothing but marks that stand for no text: comments, elements, references to blanks.
        let marked = node.raw().contains(['<', '&']);
        return !(node.raw().trim().is_empty() || marked && node.trimmed().is_empty());
    }
    node.children().any(valued)
}

/// The first position below a node.
#[inline]
pub(crate) fn first_leaf(node: Node<'_>) -> Node<'_> {
    node.first_leaf()
}

/// A part of a datatype wherever the datatype stands; a smallest position is its own first part.
pub(crate) fn part(node: Node<'_>, number: u16) -> Node<'_> {
    match (number, node.level()) {
        (0, _) | (1, Level::Subcomponent) => node,
        _ => node.child(number),
    }
}

fn parts(node: Node<'_>, component: u16, subcomponent: u16) -> Node<'_> {
    part(part(node, component), subcomponent)
}

/// Component number and text of the leaf that starts at an offset.
pub(crate) fn locate<'m>(node: Node<'m>, start: u32) -> Option<(String, std::borrow::Cow<'m, str>)> {
    for (number, child) in (1..).zip(node.children()) {
        let span = child.span();
        if !(span.start..=span.end).contains(&start) {
            continue;
        }
        for (inner, grandchild) in (1..).zip(child.children()) {
            if grandchild.span().start == start {
                let number = if child.child_count() > 1 { format!("{number}.{inner}") } else { format!("{number}") };
                return Some((number, first_leaf(grandchild).text()));
            }
        }
        if span.start == start {
            return Some((format!("{number}"), child.text()));
        }
    }
    (node.span().start == start).then(|| ("1".to_owned(), node.text()))
}

fn within(position: Position, number: u16) -> bool {
    match position {
        Position::All => true,
        Position::Nth(wanted) => number == wanted,
        Position::From(first) => number >= first,
    }
}

impl RepetitionFilter {
    fn holds(&self, repetition: Node<'_>) -> bool {
        let leaf = first_leaf(parts(repetition, self.component, self.subcomponent));
        (leaf.presence() == Presence::Value && leaf.text() == self.value.as_str()) != self.negate
    }
}

/// Fields beyond this number are looked up in the segment itself.
const FIELDS_HELD: usize = 200;
