//! Which resources of a view make a record of a new document, and which stand for the elements below it.

use std::collections::{HashMap, HashSet};

use super::fit::fit;
use super::seat::{BackSeat, references};
use super::view::View;
use crate::plan::{ActionPlan, Body, EmitPlan, LensUse, MapPlan, Operation, PathPlan, Root, TargetPlan, TreeStepPlan};
use crate::source_plan::SourcePlan;

/// A place of the new document: the record, or an element below it.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewPlace {
    /// Names and ordinals from the document on, 0 where a name does not repeat; empty for a row, and for the document
    /// itself.
    pub(crate) steps: Vec<(String, u32)>,
    /// The number of the row.
    pub(crate) row: u32,
}

/// Finds the seats of all records.
pub(crate) struct Seating<'v> {
    map: &'v MapPlan,
    pub(crate) seats: Vec<BackSeat<'v>>,
    pub(crate) places_of: Vec<NewPlace>,
    /// The record of each place.
    pub(crate) records: HashMap<u32, u32>,
}

impl<'v> Seating<'v> {
    pub(crate) fn new(map: &'v MapPlan) -> Self {
        let places_of = vec![NewPlace::default()];
        Seating { map, seats: Vec::new(), places_of, records: HashMap::from([(0, 0)]) }
    }

    /// A record for each resource of the emit that leads to the others.
    pub(crate) fn records(&mut self, view: &View<'v>) {
        let Some(leader) = self.leader(view) else { return };
        let emit = &self.map.emits[leader];
        let fits = |at: &usize| {
            let shown = &view.resources[*at];
            shown.kind == emit.kind && fit(&emit.body, shown.object, false).is_some()
        };
        let repeats = !matches!(&self.map.documents.source, SourcePlan::Tree(tree) if tree.record.is_empty());
        let resources: Vec<usize> = (0..view.resources.len()).filter(fits).collect();
        let room = if repeats { resources.len() } else { 1 };
        for (number, resource) in (1u32..).zip(resources.into_iter().take(room)) {
            self.record(leader, resource, number, view, repeats);
        }
    }

    /// The emit per record that stands under another one, else the one whose resources refer to most others.
    fn leader(&self, view: &View<'v>) -> Option<usize> {
        let emits = &self.map.emits;
        let of_record = (0..emits.len()).filter(|at| emits[*at].is_of_record());
        let present = of_record.filter(|at| view.resources.iter().any(|shown| shown.kind == emits[*at].kind));
        let weight = |at: &usize| {
            let others = (0..emits.len()).filter(|other| other != at);
            let named =
                others.filter(|other| refers(&emits[*at].body, *other, &emits[*other]).next().is_some()).count();
            let below = emits.iter().filter(|emit| emit.under.contains(at) && !emit.is_of_record()).count();
            (emits[*at].link.is_some(), named + below)
        };
        present.rev().max_by_key(weight)
    }

    fn record(&mut self, leader: usize, resource: usize, number: u32, view: &View<'v>, repeats: bool) {
        let steps = self.record_steps(number, repeats);
        let record = self.open(NewPlace { steps, row: number }, None);
        let first = self.seats.len();
        self.sit(leader, record, resource);
        // Each round may seat a resource that leads to another one.
        for _ in 0..ROUNDS_MAX {
            let before = self.seats.len();
            for at in 0..self.map.emits.len() {
                self.emit(at, record, first, view);
            }
            if self.seats.len() == before {
                break;
            }
        }
    }

    /// Seats what an emit makes in a record, as far as it is known by now.
    fn emit(&mut self, at: usize, record: u32, first: usize, view: &View<'v>) {
        let emit = &self.map.emits[at];
        let seated = self.seats[first..].iter().filter(|seat| seat.place.1 as usize == at).count();
        if emit.is_of_record() {
            if seated == 0
                && let Some(found) = self.candidates(at, first, view).first()
            {
                self.sit(at, record, *found);
            }
            return;
        }
        let around: Vec<usize> = (first..self.seats.len()).filter(|seat| self.stands_in(at, *seat)).collect();
        for seat in around {
            self.inside(at, record, seat, view);
        }
        let within = self.map.emits.iter().any(|other| other.holds(emit));
        if within {
            return;
        }
        let mut ordinal = seated as u32;
        for child in self.candidates(at, first, view) {
            ordinal += 1;
            let below = names(&emit.per_steps, ordinal);
            let own = &self.places_of[record as usize];
            let place = NewPlace { steps: own.steps.iter().cloned().chain(below).collect(), row: own.row };
            let place = self.open(place, Some(record));
            self.sit(at, place, child);
        }
    }

    /// Whether the place of an emit lies in that of a seat.
    fn stands_in(&self, at: usize, seat: usize) -> bool {
        self.seats[seat].emit.holds(&self.map.emits[at])
    }

    /// Seats what a resource below the record names at a place inside of its own.
    fn inside(&mut self, at: usize, record: u32, seat: usize, view: &View<'v>) {
        let emit = &self.map.emits[at];
        let outer = self.seats[seat].clone();
        let own = self.places_of[outer.segment as usize].clone();
        let known = self.seats.iter().any(|other| {
            other.place.1 as usize == at && self.places_of[other.segment as usize].steps.starts_with(&own.steps)
        });
        if known {
            return;
        }
        let mut found: Vec<usize> = refers(&outer.emit.body, at, emit)
            .flat_map(|(_, target)| named(view, outer.resource, target))
            .filter(|one| view.resources[*one].kind == emit.kind)
            .collect();
        found.dedup();
        for (ordinal, child) in (1u32..).zip(found) {
            let below = names(&emit.per_steps[outer.emit.per_steps.len()..], ordinal);
            let place = NewPlace { steps: own.steps.iter().cloned().chain(below).collect(), row: own.row };
            let place = self.open(place, Some(record));
            self.sit(at, place, child);
        }
    }

    /// Resources for an emit: those that resources of the record name, or list, at its place; else those that name one
    /// of the record; else the only one of its kind.
    fn candidates(&self, at: usize, first: usize, view: &View<'v>) -> Vec<usize> {
        let emit = &self.map.emits[at];
        let here = &self.seats[first..];
        let mut found: Vec<usize> = Vec::new();
        for plain in [true, false] {
            if !found.is_empty() {
                break;
            }
            for seat in here {
                let targets =
                    refers(&seat.emit.body, at, emit).filter(|(operation, _)| operation.guard.is_empty() == plain);
                found.extend(targets.flat_map(|(_, target)| named(view, seat.resource, target)));
            }
            self.keep(emit, first, view, &mut found);
        }
        if let (Some(link), Some(parent)) = (&emit.link, emit.link.as_ref().and_then(|link| link.parent)) {
            let under = emit.under.get(usize::from(parent)).copied();
            for seat in here.iter().filter(|seat| under == Some(seat.place.1 as usize)) {
                found.extend(named(view, seat.resource, link));
            }
            self.keep(emit, first, view, &mut found);
        }
        // What others name is found by them alone.
        if found.is_empty() {
            let elsewhere = self.named_by_others(at, view);
            let names_record = |other: &usize| {
                here.iter().any(|seat| {
                    let targets = refers(&emit.body, seat.place.1 as usize, seat.emit);
                    targets.flat_map(|(_, target)| named(view, *other, target)).any(|one| one == seat.resource)
                })
            };
            found.extend((0..view.resources.len()).filter(|other| !elsewhere.contains(other)).filter(names_record));
            self.keep(emit, first, view, &mut found);
        }
        let is_named = self.map.emits.iter().any(|other| refers(&other.body, at, emit).next().is_some());
        let names_others =
            (0..self.map.emits.len()).any(|other| refers(&emit.body, other, &self.map.emits[other]).next().is_some());
        let alone = self.map.emits.iter().filter(|other| other.kind == emit.kind).count() == 1;
        if found.is_empty() && alone && !is_named && !names_others {
            found.extend((0..view.resources.len()).filter(|other| view.resources[*other].kind == emit.kind));
            found.truncate(if found.len() == 1 { 1 } else { 0 });
            self.keep(emit, first, view, &mut found);
        }
        found
    }

    /// The resources of a view that others name where they refer to what an emit makes.
    fn named_by_others(&self, at: usize, view: &View<'v>) -> HashSet<usize> {
        let emit = &self.map.emits[at];
        let mut found = HashSet::new();
        for other in &self.map.emits {
            for (_, target) in refers(&other.body, at, emit) {
                let of_kind = (0..view.resources.len()).filter(|one| view.resources[*one].kind == other.kind);
                found.extend(of_kind.flat_map(|one| named(view, one, target)));
            }
        }
        found
    }

    /// Leaves what the emit can have made and what has no seat yet: none in this record, and none at all below one.
    fn keep(&self, emit: &EmitPlan, first: usize, view: &View<'v>, found: &mut Vec<usize>) {
        let from = if emit.is_of_record() { first } else { 0 };
        let mut seen: Vec<usize> = Vec::new();
        found.retain(|one| {
            let free = !seen.contains(one) && !self.seats[from..].iter().any(|seat| seat.resource == *one);
            seen.push(*one);
            let shown = &view.resources[*one];
            free && shown.kind == emit.kind && fit(&emit.body, shown.object, false).is_some()
        });
    }

    fn record_steps(&self, number: u32, repeats: bool) -> Vec<(String, u32)> {
        let SourcePlan::Tree(tree) = &self.map.documents.source else { return Vec::new() };
        let root = tree.roots.first().map(Vec::as_slice).unwrap_or_default();
        let root = root.iter().map(|name| (name.clone(), 0));
        root.chain(names(&tree.record, if repeats { number } else { 0 })).collect()
    }

    fn open(&mut self, place: NewPlace, record: Option<u32>) -> u32 {
        let own = self.places_of.len() as u32;
        self.places_of.push(place);
        self.records.insert(own, record.unwrap_or(own));
        own
    }

    fn sit(&mut self, emit: usize, segment: u32, resource: usize) {
        let number = self.seats.len() as u32;
        let plan = &self.map.emits[emit];
        self.seats.push(BackSeat { emit: plan, place: (0, emit as u32), segment, resource, number });
    }
}

impl EmitPlan {
    fn is_of_record(&self) -> bool {
        self.per_steps.is_empty()
    }

    /// Whether the places of another emit lie in those of this one, below the record.
    fn holds(&self, other: &EmitPlan) -> bool {
        let depth = self.per_steps.len();
        depth > 0 && other.per_steps.len() > depth && other.per_steps[..depth] == self.per_steps[..]
    }
}

/// The resources that a resource names at a target.
fn named(view: &View<'_>, resource: usize, target: &TargetPlan) -> Vec<usize> {
    references(view.resources[resource].object, target).filter_map(|text| view.find(text)).collect()
}

/// The operations and targets at which a body refers to what an emit makes.
fn refers<'p>(
    body: &'p Body,
    number: usize,
    emit: &'p EmitPlan,
) -> impl Iterator<Item = (&'p Operation, &'p TargetPlan)> {
    let operations = body.operations.iter().chain(&body.late);
    operations.filter_map(move |operation| {
        let ActionPlan::Write(write) = &operation.action else { return None };
        let here = match write.lens {
            LensUse::Emit(at) => at == number,
            LensUse::Segment(kind) => {
                kind == emit.kind && operation.sources.iter().flatten().any(|path| is_place_of(path, emit))
            }
            _ => false,
        };
        Some((operation, write.targets.first()?)).filter(|_| here)
    })
}

/// Whether a path names the place per which an emit is made.
fn is_place_of(path: &PathPlan, emit: &EmitPlan) -> bool {
    match &path.root {
        Root::Tree(tree) if emit.is_of_record() => tree.steps.is_empty(),
        Root::Tree(tree) => tree.whole.ends_with(&format!("/{}", emit.per)),
        _ => emit.is_of_record(),
    }
}

/// Names of steps; the last one has the ordinal.
fn names(steps: &[TreeStepPlan], ordinal: u32) -> Vec<(String, u32)> {
    let last = steps.len().saturating_sub(1);
    let numbered = |(at, step): (usize, &TreeStepPlan)| (step.name.clone(), if at == last { ordinal } else { 0 });
    steps.iter().enumerate().map(numbered).collect()
}

/// So often a resource may lead to the next one within a record.
const ROUNDS_MAX: usize = 8;
