//! Places of documents in the terms of the way back: an element or row is a segment, the repeating part of a path below
//! it a field, its item a repetition, and what stands in the item a component.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use dukou_wire::{Element, Format, Message, Node, RowKind as Kind, Segment};

use super::draft::Spot;
use crate::plan::{Body, Operation, PathPlan, Position, Program, Root, TreePlan, TreeStart, TreeStepPlan};
use crate::reading::elements;
use crate::rule::{RowKind, StepKind};
use crate::source_plan::SourcePlan;

/// The paths of a program through trees by number, and where the records of a document stand.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Whether a document is written at all.
    pub(crate) document: bool,
    numbers: HashMap<usize, (u16, u16)>,
    /// The repeating part of paths, and where it begins; the number less 1.
    pub(crate) prefixes: Vec<(TreeStart, Vec<TreeStepPlan>)>,
    /// What stands behind it.
    pub(crate) suffixes: Vec<Suffix>,
    /// The record around each element that has resources.
    pub(crate) record_of: HashMap<u32, u32>,
    /// Where a file has the declared columns; empty where their order is the same.
    columns: Vec<u16>,
    frames: [Option<u32>; 2],
}

/// The last part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Suffix {
    pub(crate) steps: Vec<TreeStepPlan>,
    pub(crate) attribute: Option<String>,
}

/// Where a leaf stands, or would stand.
pub(crate) enum Leaf<'m> {
    There(Node<'m>),
    /// Steps that are missing below an element, an attribute of the last of them.
    Missing(Element<'m>, Vec<TreeStepPlan>, Option<String>),
}

impl Places {
    /// Numbers all paths of a program; of a document the columns of the map that reads it.
    pub(crate) fn of(program: &Program, message: Option<&Message<'_>>) -> Places {
        let mut places = Places { document: true, ..Places::default() };
        for emit in program.maps.iter().flat_map(|map| &map.emits) {
            places.body(&emit.body);
        }
        for lens in &program.lenses {
            places.body(&lens.body);
        }
        let Some(message) = message.filter(|message| message.format() == Format::Delimited) else { return places };
        let sources = program.maps.iter().filter_map(|map| match &map.documents.source {
            SourcePlan::Rows(rows) => Some(rows),
            _ => None,
        });
        places.columns =
            sources.into_iter().find(|rows| rows.fits(message)).map_or(Vec::new(), |rows| rows.numbers(message));
        let frame =
            |kind: Kind| message.segments().find(|row| row.row_kind() == Some(kind)).map(|row| row.index() as u32);
        places.frames = [frame(Kind::Head), frame(Kind::Trailer)];
        places
    }

    fn body(&mut self, body: &Body) {
        let operations = body.operations.iter().chain(&body.late).chain(&body.back_only);
        for operation in operations {
            self.operation(operation);
        }
    }

    fn operation(&mut self, operation: &Operation) {
        for path in operation.sources.iter().flatten() {
            self.path(path, false);
        }
        for test in &operation.guard {
            self.path(&test.path, true);
        }
    }

    fn path(&mut self, path: &PathPlan, guard: bool) {
        let Root::Tree(tree) = &path.root else { return };
        // A guard looks at all elements; on the way back at the one that a rule without selector reads.
        let plain = |step: &TreeStepPlan| TreeStepPlan { position: Position::Nth(1), ..step.clone() };
        let steps: Vec<TreeStepPlan> =
            tree.steps.iter().map(|step| if guard { plain(step) } else { step.clone() }).collect();
        let repeats = steps.iter().rposition(|step| !matches!(step.position, Position::Nth(_)));
        let (prefix, suffix) = steps.split_at(repeats.map_or(0, |at| at + 1));
        let prefix = (tree.start, prefix.to_vec());
        let suffix = Suffix { steps: suffix.to_vec(), attribute: tree.attribute.clone() };
        let field = number(&mut self.prefixes, prefix);
        let component = number(&mut self.suffixes, suffix);
        self.numbers.insert(std::ptr::from_ref::<TreePlan>(tree).addr(), (field, component));
    }

    /// The place of a path for an instance; the repetition is open where the path repeats.
    pub(crate) fn spot(&self, tree: &TreePlan, own: u32) -> Option<Spot> {
        let (field, component) = *self.numbers.get(&std::ptr::from_ref(tree).addr())?;
        let segment = match tree.start {
            TreeStart::Own(_) => own,
            TreeStart::Record(_) => *self.record_of.get(&own)?,
            TreeStart::Document => 0,
        };
        let repeats = !self.prefixes[usize::from(field) - 1].1.is_empty();
        Some(Spot { segment, field, repetition: u16::from(!repeats), component, subcomponent: 0 })
    }

    /// The number of the head or trailer row.
    pub(crate) fn frame(&self, kind: RowKind) -> Option<u32> {
        self.frames[usize::from(kind == RowKind::Trailer)]
    }

    /// The number in the file of a declared column.
    pub(crate) fn column(&self, row: Segment<'_>, field: u16) -> u16 {
        match self.columns.get(usize::from(field).wrapping_sub(1)) {
            Some(number) if row.row_kind() == Some(Kind::Row) && *number > 0 => *number,
            _ => field,
        }
    }

    /// What stands at a place of a document.
    pub(crate) fn node<'m>(&self, message: &'m Message<'m>, spot: Spot) -> Option<Node<'m>> {
        if message.format() != Format::Delimited {
            return match self.leaf(message, spot)? {
                Leaf::There(node) => Some(node),
                Leaf::Missing(..) => None,
            };
        }
        let row = self.row(message, spot.segment)?;
        let cell = row.field(self.column(row, spot.field));
        Some(cell.child(spot.repetition).child(spot.component).child(spot.subcomponent))
    }

    pub(crate) fn row<'m>(&self, message: &'m Message<'m>, segment: u32) -> Option<Segment<'m>> {
        ((segment as usize) < message.segment_count()).then(|| message.segment(segment as usize))
    }

    /// A leaf of a tree, or where it would be.
    pub(crate) fn leaf<'m>(&self, message: &'m Message<'m>, spot: Spot) -> Option<Leaf<'m>> {
        let (start, prefix) = self.prefixes.get(usize::from(spot.field).checked_sub(1)?)?;
        let suffix = self.suffixes.get(usize::from(spot.component).checked_sub(1)?)?;
        let mut element = message.element(spot.segment as usize)?;
        let mut steps = prefix.as_slice();
        match start {
            TreeStart::Own(ups) | TreeStart::Record(ups) => element = element.ancestors().nth(usize::from(*ups))?,
            TreeStart::Document if steps.is_empty() => {}
            TreeStart::Document => steps = below_root(steps, element),
        }
        let mut rest = suffix.steps.as_slice();
        if let Some((last, before)) = steps.split_last() {
            let around = elements(element, before);
            let all: Vec<Element<'m>> =
                around.iter().flat_map(|one| elements(*one, std::slice::from_ref(last))).collect();
            match all.get(usize::from(spot.repetition).checked_sub(1)?) {
                Some(found) => element = *found,
                None => {
                    let missing = std::iter::once(last).chain(rest).cloned().collect();
                    return Some(Leaf::Missing(*around.last()?, missing, suffix.attribute.clone()));
                }
            }
        } else if *start == TreeStart::Document {
            rest = below_root(rest, element);
        }
        while let Some((step, below)) = rest.split_first() {
            match elements(element, std::slice::from_ref(step)).first() {
                Some(found) => (element, rest) = (*found, below),
                None => return Some(Leaf::Missing(element, rest.to_vec(), suffix.attribute.clone())),
            }
        }
        let Some(name) = &suffix.attribute else { return Some(Leaf::There(element.value())) };
        let attribute = element.attribute(name);
        match attribute.presence() {
            dukou_wire::Presence::Absent => Some(Leaf::Missing(element, Vec::new(), Some(name.clone()))),
            _ => Some(Leaf::There(attribute)),
        }
    }

    /// How often the repeating part of a path is there.
    pub(crate) fn repetitions(&self, message: &Message<'_>, segment: u32, field: u16) -> u16 {
        if message.format() == Format::Delimited {
            let Some(row) = self.row(message, segment) else { return 0 };
            let cell = row.field(self.column(row, field));
            return if cell.raw().is_empty() { 0 } else { cell.child_count() };
        }
        let Some((start, steps)) = usize::from(field).checked_sub(1).and_then(|at| self.prefixes.get(at)) else {
            return 0;
        };
        let Some(mut element) = message.element(segment as usize) else { return 0 };
        let mut steps = steps.as_slice();
        match start {
            TreeStart::Own(ups) | TreeStart::Record(ups) => match element.ancestors().nth(usize::from(*ups)) {
                Some(above) => element = above,
                None => return 0,
            },
            TreeStart::Document => steps = below_root(steps, element),
        }
        if steps.is_empty() {
            return 0;
        }
        elements(element, steps).len().try_into().unwrap_or(u16::MAX)
    }

    /// Notes the record of each element among the seats.
    pub(crate) fn records(&mut self, message: &Message<'_>, program: &Program, seats: impl Iterator<Item = u32>) {
        let mut records: HashSet<u32> = HashSet::new();
        for map in &program.maps {
            if let SourcePlan::Tree(tree) = &map.documents.source {
                records.extend(tree.records(message).iter().map(|element| element.index() as u32));
            }
        }
        for seat in seats {
            let element = message.element(seat as usize);
            let around = element.and_then(|element| {
                element.ancestors().map(|one| one.index() as u32).find(|index| records.contains(index))
            });
            self.record_of.insert(seat, around.unwrap_or(seat));
        }
    }
}

/// Absolute steps without the one that names the root of XML.
fn below_root<'s>(steps: &'s [TreeStepPlan], root: Element<'_>) -> &'s [TreeStepPlan] {
    match steps.split_first() {
        Some((first, rest)) if first.kind == StepKind::Child && first.name == root.name() => rest,
        _ => steps,
    }
}

fn number<T: PartialEq>(known: &mut Vec<T>, one: T) -> u16 {
    let at = known.iter().position(|known| *known == one).unwrap_or_else(|| {
        known.push(one);
        known.len() - 1
    });
    u16::try_from(at + 1).unwrap_or(u16::MAX)
}

/// Shared by all that works on one document.
pub(crate) type SharedPlaces = Rc<Places>;
