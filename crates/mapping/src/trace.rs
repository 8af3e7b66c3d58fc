//! What a run wrote, by which rule and from where: for people who ask why, and for the way back.

use std::ops::Range;

use dukou_fhir::ResourceKey;

use crate::plan::{Operation, Program, TargetPlan};
use crate::reading::At;
use crate::run::{Run, Standing};

/// Every value that top-level rules wrote, in the order of writing; and which resource stands for which segment.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub(crate) seats: Vec<Seat>,
    lines: Vec<TraceLine>,
}

/// One value that a rule wrote. Holds no value itself.
#[derive(Clone, Debug)]
pub struct TraceLine {
    pub(crate) rule: u32,
    /// The number of the resource among all seats.
    pub(crate) seat: u32,
    /// Which alternative of the first source gave the value, from 0.
    pub(crate) alternative: u16,
    /// The number among the repeats of the source; segments count in the upper half.
    pub(crate) ordinal: u32,
    /// The segment for which the rule ran, by its 0-based index.
    pub segment: u32,
    /// Where the sources stand in the text of the message; empty for constants and references to segments.
    pub sources: Vec<Range<u32>>,
    /// The resource that was written.
    pub resource: ResourceKey,
    /// The place in the resource, with list numbers from 0: `name[1].family`.
    pub path: String,
}

/// A resource made for a segment.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// Map and emit by their numbers.
    pub(crate) map: u32,
    pub(crate) emit: u32,
    pub(crate) segment: u32,
    pub(crate) key: Option<ResourceKey>,
    /// The seats of the emits under which it stands.
    pub(crate) parents: Vec<Option<u32>>,
}

impl Trace {
    /// Every value written, in the order of writing.
    pub fn lines(&self) -> &[TraceLine] {
        &self.lines
    }
}

impl Trace {
    /// The traces of several records in one, their seats numbered through.
    pub(crate) fn joined(traces: Vec<Trace>) -> Trace {
        let mut whole = Trace::default();
        for trace in traces {
            let first = whole.seats.len() as u32;
            let moved = |seat: Seat| Seat {
                parents: seat.parents.iter().map(|parent| parent.map(|at| at + first)).collect(),
                ..seat
            };
            whole.seats.extend(trace.seats.into_iter().map(moved));
            whole.lines.extend(trace.lines.into_iter().map(|line| TraceLine { seat: line.seat + first, ..line }));
        }
        whole
    }
}

impl TraceLine {
    /// The map or lens and the rule that wrote it.
    pub fn rule<'p>(&self, program: &'p Program) -> (&'p str, &'p str) {
        let facts = &program.rules[self.rule as usize];
        (&facts.map, &facts.id)
    }
}

/// Takes notes while a run writes.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    rule: u32,
    segment: u32,
    alternative: u16,
    sources: Vec<Range<u32>>,
    lines: Vec<TraceLine>,
}

impl Recorder {
    /// The places that the lens is given next.
    pub(crate) fn given(&mut self, sources: impl Iterator<Item = Range<u32>>) {
        self.sources.clear();
        self.sources.extend(sources);
    }

    /// A value now stands at a place of a resource.
    pub(crate) fn wrote(&mut self, seat: usize, resource: ResourceKey, ordinal: u32, path: String) {
        self.lines.push(TraceLine {
            rule: self.rule,
            seat: seat as u32,
            alternative: self.alternative,
            ordinal,
            segment: self.segment,
            sources: self.sources.clone(),
            resource,
            path,
        });
    }
}

impl<'m> Run<'m> {
    /// Begins the notes of an operation.
    pub(crate) fn note(&mut self, operation: &Operation, at: At<'_, 'm>) {
        let says = |path| {
            let mut valued = false;
            self.reading.visit(path, at, &mut |found| {
                valued |= crate::reading::valued(found.node);
                std::ops::ControlFlow::Continue(())
            });
            valued
        };
        let alternative = operation.sources.first().and_then(|paths| paths.iter().position(says)).unwrap_or(0);
        if let Some(recorder) = &mut self.recorder {
            recorder.rule = operation.rule;
            recorder.segment = at.place().unwrap_or(0) as u32;
            recorder.alternative = alternative as u16;
            recorder.sources.clear();
        }
    }

    /// Notes that a value stands at a place of the own resource or that of a parent.
    pub(crate) fn wrote(&mut self, target: &TargetPlan, ordinal: u32, path: String, standing: Standing) {
        let seat = match target.parent {
            Some(number) => self.parent_of(standing, number),
            None => standing.own,
        };
        let Some((seat, key)) = seat.and_then(|seat| Some((seat, self.key(seat)?))) else { return };
        if let Some(recorder) = &mut self.recorder {
            recorder.wrote(seat, key, ordinal, path);
        }
    }

    /// What was noted, with the seats of all resources.
    pub(crate) fn traced(&mut self) -> Trace {
        let seats = (0..self.instances.len()).map(|at| self.seat(at)).collect();
        Trace { seats, lines: self.recorder.take().map(|recorder| recorder.lines).unwrap_or_default() }
    }
}
