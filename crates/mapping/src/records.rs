//! Documents of many records: a run of its own for each, so that a bad one spoils none of the others.

use std::ops::Range;

use dukou_wire::{Format, Message};

use crate::change::Change;
use crate::mapped::Mapped;
use crate::moment::Moment;
use crate::plan::{MapPlan, Program};
use crate::quick::QuickMap;
use crate::reading::{At, elements};
use crate::rule::Precision;
use crate::run::{Run, Site};
use crate::source_plan::SourcePlan;
use crate::tally::Accounts;
use crate::trace::Trace;

/// One record of a document, mapped for itself: a row, or the element that the head of a map calls record.
#[derive(Debug)]
pub struct Record<'m> {
    /// Its number among the records of the document, from 1.
    pub number: usize,
    /// Its path, such as `row[4]` or `/message/body/row[2]`; empty for an HL7 v2 message, which is one record.
    pub path: String,
    /// What it says; the account is that of its own leaves.
    pub mapped: Mapped<'m>,
}

/// The records of a document, mapped one after the other as they are asked for.
pub struct Records<'m> {
    run: Run<'m>,
    message: &'m Message<'m>,
    /// Place and maps of each record, in the order of the document.
    ahead: std::vec::IntoIter<(usize, Vec<&'m MapPlan>)>,
    number: usize,
    traced: bool,
    traces: Vec<Trace>,
}

impl Program {
    /// Maps each record of a document for itself, in the order of the document: a fault of one touches no other, and the
    /// work for one does not grow with the document. An HL7 v2 message is one record.
    pub fn records<'m>(&'m self, message: &'m Message<'m>, site: &'m Site<'m>) -> Records<'m> {
        let run = Run::new(self, message, site);
        let mut places: Vec<(usize, Vec<&'m MapPlan>)> = Vec::new();
        if message.format() == Format::Er7 {
            places.push((0, Vec::new()));
        }
        for map in self.maps.iter().filter(|_| message.format() != Format::Er7) {
            if map.documents.apply(&run.reading) {
                places.extend(map.record_places(message).into_iter().map(|place| (place, vec![map])));
            }
        }
        // Maps of one document mostly have the same records.
        places.sort_by_key(|(place, _)| *place);
        places.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1.append(&mut next.1);
            }
            same
        });
        Records { run, message, ahead: places.into_iter(), number: 0, traced: false, traces: Vec::new() }
    }

    /// All records in one: what a later record says of the same resource stands on top of what an earlier one said.
    pub(crate) fn all_records<'m>(&'m self, message: &'m Message<'m>, site: &'m Site<'m>) -> Mapped<'m> {
        self.united(self.records(message, site)).0
    }

    /// The same with a trace, its seats numbered through.
    pub(crate) fn trace_records<'m>(&'m self, message: &'m Message<'m>, site: &'m Site<'m>) -> (Mapped<'m>, Trace) {
        let records = self.records(message, site);
        self.united(Records { traced: true, ..records })
    }

    fn united<'m>(&'m self, mut records: Records<'m>) -> (Mapped<'m>, Trace) {
        let mut whole = Mapped::default();
        let mut known: QuickMap<dukou_fhir::ResourceKey, usize> = QuickMap::default();
        for record in records.by_ref() {
            let Mapped { changes, facts, issues, .. } = record.mapped;
            for change in changes {
                match known.get(&change.key) {
                    Some(at) => {
                        let earlier = std::mem::replace(&mut whole.changes[*at], Change::nothing(change.key.clone()));
                        whole.changes[*at] = change.after(earlier);
                    }
                    None => {
                        known.insert(change.key.clone(), whole.changes.len());
                        whole.changes.push(change);
                    }
                }
            }
            let room = ISSUES_MAX.saturating_sub(whole.issues.len());
            whole.issues.extend(issues.into_iter().take(room));
            whole.facts.event_time = whole.facts.event_time.or(facts.event_time);
            for patient in facts.patients {
                // Patients of neighbouring records are often the same.
                if !whole.facts.patients.iter().rev().take(PATIENTS_SOUGHT).any(|known| *known == patient) {
                    whole.facts.patients.push(patient);
                }
            }
        }
        whole.accounts = records.accounts();
        (whole, Trace::joined(records.traces))
    }
}

impl<'m> Records<'m> {
    /// How many records are still ahead.
    pub fn len(&self) -> usize {
        self.ahead.len()
    }

    /// Whether no record is ahead.
    pub fn is_empty(&self) -> bool {
        self.ahead.len() == 0
    }

    /// The account of the whole document, what stands around the records included, as far as they have been mapped.
    pub fn accounts(&mut self) -> Accounts {
        let leaves = 0..self.run.tally.leaf_count();
        self.run.tally.account(leaves)
    }

    fn map(&mut self, place: usize, maps: &[&'m MapPlan]) -> Mapped<'m> {
        let run = &mut self.run;
        if self.message.format() == Format::Er7 {
            run.all();
            let facts = run.facts();
            let leaves = 0..run.tally.leaf_count();
            return run.settle(facts, leaves);
        }
        let at = run.reading.at(place);
        let leaves = run.tally.leaves_of(span(at));
        run.begin(leaves.len());
        run.recorder = self.traced.then(Box::default);
        if let Some(element) = at.element {
            run.reading.enter_record(element);
        }
        let mut event = None;
        for map in maps {
            run.enter_record(map, at, place);
            event = event.or_else(|| run.event_time(map, at));
        }
        for instance in 0..run.instances.len() {
            run.fill(instance);
        }
        if self.traced {
            self.traces.push(run.traced());
        }
        let mut facts = run.facts();
        facts.event_time = event;
        run.settle(facts, leaves)
    }
}

impl<'m> Iterator for Records<'m> {
    type Item = Record<'m>;

    fn next(&mut self) -> Option<Record<'m>> {
        let (place, maps) = self.ahead.next()?;
        self.number += 1;
        let mapped = self.map(place, &maps);
        let path = match self.message.format() {
            Format::Er7 => String::new(),
            _ => self.run.reading.place_path(self.run.reading.at(place)),
        };
        Some(Record { number: self.number, path, mapped })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ahead.size_hint()
    }
}

impl MapPlan {
    /// The records of a document for which the map is meant.
    fn record_places(&self, message: &Message<'_>) -> Vec<usize> {
        match &self.documents.source {
            SourcePlan::Segments => Vec::new(),
            SourcePlan::Tree(tree) => tree.records(message).iter().map(dukou_wire::Element::index).collect(),
            SourcePlan::Rows(_) => {
                let rows = message.segments().filter(|row| row.id() == dukou_wire::RowKind::Row.as_str());
                rows.map(|row| row.index()).collect()
            }
        }
    }
}

impl<'m> Run<'m> {
    /// Makes the instances of a map in one record.
    fn enter_record(&mut self, map: &'m MapPlan, at: At<'_, 'm>, place: usize) {
        if let SourcePlan::Rows(rows) = &map.documents.source {
            self.reading.columns.replace(rows.numbers(self.reading.message));
        }
        for (number, emit) in map.emits.iter().enumerate() {
            match at.element {
                Some(record) => {
                    for element in elements(record, &emit.per_steps) {
                        self.enter_place(map, number, emit, element.index());
                    }
                }
                None => self.enter_place(map, number, emit, place),
            }
        }
        self.once(map, at);
    }

    /// When the event of a record happened, as the head of its map says.
    fn event_time(&self, map: &MapPlan, at: At<'_, 'm>) -> Option<String> {
        map.documents.event.iter().find_map(|path| {
            let mut time = None;
            self.reading.visit(path, at, &mut |found| {
                let spelled = crate::spelling::read(&crate::reading::first_leaf(found.node).text(), None);
                let moment = spelled.as_ref().and_then(|spelled| Moment::parse(&spelled.moment));
                let written = moment.and_then(|moment| moment.date_time(Precision::Keep, self.zone.as_deref()).ok());
                time = written.map(|written| written.text);
                std::ops::ControlFlow::Break(())
            });
            time
        })
    }
}

fn span(at: At<'_, '_>) -> Range<u32> {
    match (at.element, at.segment) {
        (Some(element), _) => element.span(),
        (None, Some(row)) => row.span(),
        (None, None) => 0..0,
    }
}

/// Issues of one document beyond this number are not kept; those of one record have a limit of their own.
const ISSUES_MAX: usize = 10_000;
/// So many of the last patients are compared with one more.
const PATIENTS_SOUGHT: usize = 64;
