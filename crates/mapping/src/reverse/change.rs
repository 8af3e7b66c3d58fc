//! The difference of two drafts over one message, written into it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use dukou_wire::draft::{PrintError, SegmentDraft};
use dukou_wire::edit::Edits;
use dukou_wire::{Delimiters, Message, Place, Segment};

use super::draft::{Child, Draft, Spot, Written};
use super::print::{leaves, push, says};
use super::seat::BackSeat;
use super::value::Form;
use crate::plan::{ActionPlan, Program};
use crate::rule::NullPolicy;

/// The bytes of the message with what differs between the drafts.
pub(crate) fn write_changes(
    program: &Program,
    message: &Message<'_>,
    was: &Draft<'_>,
    is: &Draft<'_>,
    gone: &HashSet<u32>,
    seats: &[BackSeat<'_>],
) -> Result<Vec<u8>, PrintError> {
    let mut edits = message.edit();
    let seated: HashSet<u32> = seats.iter().map(|seat| seat.segment).collect();
    let mut removed = removed_segments(is, gone, &seated);
    for segment in message.segments().filter(|segment| !segment.is_raw()) {
        let at = segment.index() as u32;
        if removed.contains(&at) {
            continue;
        }
        let emptied = was.alive(at).next().is_some() && is.alive(at).next().is_none();
        if emptied && at != 0 && !seated.contains(&at) && is.repeats(at) {
            removed.insert(at);
            continue;
        }
        change_segment(program, segment, was, is, &mut edits, message.delimiters());
    }
    for at in &removed {
        edits.remove_segment(*at as usize);
    }
    insert(was, is, message.delimiters(), &mut edits);
    if edits.is_empty() {
        return Ok(message.raw().to_vec());
    }
    edits.finish()
}

/// Segments of resources that are gone, with what stands in their groups for nobody else.
fn removed_segments(is: &Draft<'_>, gone: &HashSet<u32>, seated: &HashSet<u32>) -> BTreeSet<u32> {
    let mut removed: BTreeSet<u32> = gone.iter().copied().collect();
    for at in gone {
        let group = is.segments[*at as usize].group;
        if group != 0 && !lives(is, group, seated) {
            everything(is, group, &mut removed);
        }
    }
    removed
}

/// Whether a group holds a segment of a resource that is there.
fn lives(is: &Draft<'_>, group: u32, seated: &HashSet<u32>) -> bool {
    is.groups[group as usize].children.iter().any(|child| match child {
        Child::Segment(at) => seated.contains(at),
        Child::Group(at) => lives(is, *at, seated),
    })
}

fn everything(is: &Draft<'_>, group: u32, removed: &mut BTreeSet<u32>) {
    for child in &is.groups[group as usize].children {
        match child {
            Child::Segment(at) if is.segments[*at as usize].original.is_some() => {
                removed.insert(*at);
            }
            Child::Segment(_) => {}
            Child::Group(at) => everything(is, *at, removed),
        }
    }
}

/// New segments behind those of the message after which they stand.
fn insert(was: &Draft<'_>, is: &Draft<'_>, delimiters: Delimiters, edits: &mut Edits<'_>) {
    // What the rules would add to the message for the unchanged view as well is no change.
    let mut added: Vec<Content<'_>> = was
        .in_order()
        .into_iter()
        .filter(|at| was.segments[*at as usize].original.is_none())
        .map(|at| content(was, at))
        .collect();
    let mut behind = 0;
    for at in is.in_order() {
        if let Some(original) = is.segments[at as usize].original {
            behind = original as usize;
            continue;
        }
        let leaves = leaves(is, at);
        if !says(&leaves) {
            continue;
        }
        let own = content(is, at);
        if let Some(known) = added.iter().position(|known| *known == own) {
            added.swap_remove(known);
            continue;
        }
        let mut segment = SegmentDraft::new(&is.segments[at as usize].id);
        for written in leaves {
            let Spot { field, repetition, component, subcomponent, .. } = written.spot;
            let mut raw = String::new();
            push(written, delimiters, &mut raw);
            segment.set_raw(Place::at(field, repetition, component, subcomponent), &raw, delimiters);
        }
        edits.insert_after(behind, segment);
    }
}

/// A segment by its id, its group and what rules say in it.
type Content<'d> = (&'d str, u32, Vec<((u16, u16, u16, u16), &'d str)>);

fn content<'d>(draft: &'d Draft<'_>, at: u32) -> Content<'d> {
    let segment = &draft.segments[at as usize];
    let said = leaves(draft, at).into_iter().filter(|written| written.form != Form::Given);
    let said = said.map(|written| {
        let Spot { field, repetition, component, subcomponent, .. } = written.spot;
        ((field, repetition, component, subcomponent), written.text.as_ref())
    });
    (&segment.id, segment.group, said.collect())
}

/// The text of a place before and after; nothing where it stands in neither.
struct Difference<'d, 'v> {
    before: Option<&'d Written<'v>>,
    after: Option<&'d Written<'v>>,
}

fn change_segment<'d>(
    program: &Program,
    segment: Segment<'_>,
    was: &'d Draft<'d>,
    is: &'d Draft<'d>,
    edits: &mut Edits<'_>,
    delimiters: Delimiters,
) {
    let at = segment.index() as u32;
    let before: BTreeMap<Spot, &Written<'_>> = leaves(was, at).into_iter().map(|one| (one.spot, one)).collect();
    let after = preferred(was, is, at);
    let spots: BTreeSet<Spot> = before.keys().chain(after.keys()).copied().collect();
    let mut fields: BTreeMap<u16, BTreeMap<Spot, Difference<'_, '_>>> = BTreeMap::new();
    for spot in spots {
        let difference = Difference { before: before.get(&spot).copied(), after: after.get(&spot).copied() };
        fields.entry(spot.field).or_default().insert(spot, difference);
    }
    for (field, places) in fields {
        let same = places.values().all(|one| match (one.before, one.after) {
            (Some(before), Some(after)) => before.text == after.text,
            _ => false,
        });
        if same || (segment.is_header() && field <= 2) {
            continue;
        }
        let place = Place::field(field);
        match changed_field(segment.field(field).raw(), &places, delimiters) {
            Some(raw) => edits.set_raw(segment.index(), place, &raw),
            None if deletes(program, &places) => edits.set_null(segment.index(), place),
            None => edits.set_raw(segment.index(), place, ""),
        };
    }
}

/// What stands at each place after the change. Of two rules for one place the one counts that says something new.
pub(super) fn preferred<'d>(was: &'d Draft<'d>, is: &'d Draft<'d>, segment: u32) -> HashMap<Spot, &'d Written<'d>> {
    let said: HashSet<(Spot, u32, u32, &str)> =
        was.alive(segment).map(|one| (one.spot, one.seat, one.rule, one.text.as_ref())).collect();
    let is_new = |one: &Written<'_>| !said.contains(&(one.spot, one.seat, one.rule, one.text.as_ref()));
    let mut found: HashMap<Spot, &Written<'_>> = HashMap::new();
    for one in is.alive(segment) {
        match found.get(&one.spot) {
            Some(known) if (is_new(known), known.form) >= (is_new(one), one.form) => {}
            _ => {
                found.insert(one.spot, one);
            }
        }
    }
    found
}

/// The field after the change; nothing where no repetition is left.
fn changed_field(raw: &str, places: &BTreeMap<Spot, Difference<'_, '_>>, delimiters: Delimiters) -> Option<String> {
    let mut repetitions: Vec<Option<String>> = match raw {
        "" => Vec::new(),
        _ => split(raw, delimiters.repetition).map(|one| Some(one.to_owned())).collect(),
    };
    let mut numbers: Vec<u16> = places.keys().map(|spot| spot.repetition).collect();
    numbers.dedup();
    for number in numbers {
        let here: Vec<(&Spot, &Difference<'_, '_>)> =
            places.iter().filter(|(spot, _)| spot.repetition == number).collect();
        while repetitions.len() < usize::from(number) {
            repetitions.push(Some(String::new()));
        }
        let slot = &mut repetitions[usize::from(number) - 1];
        let old = slot.clone().unwrap_or_default();
        *slot = changed_repetition(&old, &here, delimiters);
    }
    let left: Vec<String> = repetitions.into_iter().flatten().collect();
    let text = left.join(&char::from(delimiters.repetition).to_string());
    (!text.is_empty() && !left.is_empty()).then_some(text)
}

/// A repetition after the change; nothing where it goes.
fn changed_repetition(raw: &str, here: &[(&Spot, &Difference<'_, '_>)], delimiters: Delimiters) -> Option<String> {
    let differs = |one: &Difference<'_, '_>| {
        one.before.map(|written| written.text.as_ref()) != one.after.map(|written| written.text.as_ref())
    };
    if !here.iter().any(|(_, one)| differs(one)) {
        return Some(raw.to_owned());
    }
    if here.iter().all(|(_, one)| one.after.is_none()) {
        return None;
    }
    let mut parts = Parts::of(raw, delimiters);
    // Where the sender said it in another way, the repetition is said anew.
    let elsewhere = here.iter().any(|(spot, one)| differs(one) && one.before.is_some() && !parts.is_filled(spot));
    if elsewhere {
        parts = Parts::default();
    }
    for (spot, one) in here.iter().filter(|(_, one)| elsewhere || differs(one)) {
        let mut text = String::new();
        if let Some(after) = one.after {
            push(after, delimiters, &mut text);
        }
        parts.set(spot, text);
    }
    Some(parts.text(delimiters))
}

/// Components and subcomponents of a repetition, as they are spelt.
#[derive(Default)]
struct Parts {
    components: Vec<Vec<String>>,
}

impl Parts {
    fn of(raw: &str, delimiters: Delimiters) -> Parts {
        let inner = |part: &str| split(part, delimiters.subcomponent).map(str::to_owned).collect();
        match raw {
            "" | "\"\"" => Parts::default(),
            _ => Parts { components: split(raw, delimiters.component).map(inner).collect() },
        }
    }

    fn is_filled(&self, spot: &Spot) -> bool {
        let component = self.components.get(usize::from(spot.component) - 1);
        component.and_then(|parts| parts.get(usize::from(spot.subcomponent) - 1)).is_some_and(|text| !text.is_empty())
    }

    fn set(&mut self, spot: &Spot, text: String) {
        let (component, subcomponent) = (usize::from(spot.component), usize::from(spot.subcomponent));
        if self.components.len() < component {
            self.components.resize(component, vec![String::new()]);
        }
        let parts = &mut self.components[component - 1];
        if parts.len() < subcomponent {
            parts.resize(subcomponent, String::new());
        }
        parts[subcomponent - 1] = text;
    }

    fn text(&self, delimiters: Delimiters) -> String {
        let inner = char::from(delimiters.subcomponent).to_string();
        let components: Vec<String> = self.components.iter().map(|parts| parts.join(&inner)).collect();
        components.join(&char::from(delimiters.component).to_string())
    }
}

fn split(text: &str, delimiter: u8) -> impl Iterator<Item = &str> {
    // A delimiter that is switched off splits nothing.
    let delimiter = if delimiter == 0 { '\u{0}' } else { char::from(delimiter) };
    text.split(delimiter)
}

/// Whether the absence of what stood here is to be told to the receiver (HL7 v2 chapter 2, null).
fn deletes(program: &Program, places: &BTreeMap<Spot, Difference<'_, '_>>) -> bool {
    let mut before = places.values().filter_map(|one| one.before);
    before.find(|before| before.form != Form::Equation).is_some_and(|before| !program.keeps_null(before.rule))
}

impl Program {
    /// Whether a rule does not take a null for a deletion.
    fn keeps_null(&self, rule: u32) -> bool {
        let operations = self.maps.iter().flat_map(|map| &map.emits).flat_map(|emit| &emit.body.operations);
        let mut own = operations.filter(|operation| operation.rule == rule);
        own.any(|operation| match &operation.action {
            ActionPlan::Write(write) => write.null != NullPolicy::Delete,
            ActionPlan::Drop | ActionPlan::Keep => false,
        })
    }
}
