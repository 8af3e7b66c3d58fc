//! A changed view into the message of which it was made: the view as it was and the view as it is are both written by
//! the same rules, and what differs is changed in the message. What does not differ stays byte for byte.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use dukou_fhir::{Object, Value};
use dukou_wire::groups::Groups;
use dukou_wire::{Format, Limits, Message, er7};

use super::align::align;
use super::change::write_changes;
use super::draft::{Draft, Spot};
use super::hints::Hints;
use super::outbound::{FromFhirError, Written};
use super::run::Back;
use super::seat::{BackSeat, Seating};
use super::tally::tally;
use super::tree::{Places, SharedPlaces};
use super::view::{Shown, View};
use crate::plan::Program;
use crate::run::{MessageKind, Site};
use crate::trace::Trace;

impl Program {
    /// Writes a view into the message of which it was made, round by round: where a change takes away what another
    /// element was read from, the next round finds that element missing and gives it a place of its own.
    pub(crate) fn put(
        &self,
        view: &Value<'_>,
        message: &Message<'_>,
        site: &Site<'_>,
    ) -> Result<Written, FromFhirError> {
        let (mut written, mut same_keys) = self.put_once(view, message, site)?;
        let mut before = message.raw().to_vec();
        for _ in 1..ROUNDS_MAX {
            // A resource that came or went has another id when the message is read again.
            if written.bytes == before || message.format() != Format::Er7 || !same_keys {
                break;
            }
            let reader = dukou_wire::Site { charset_default: message.charset(), ..dukou_wire::Site::default() };
            let bytes = std::mem::take(&mut written.bytes);
            let again = match er7::parse(&bytes, &Limits::default(), &reader) {
                Ok((changed, _)) => Some(self.put_once(view, &changed, site)?),
                Err(_) => None,
            };
            match again {
                Some(again) => (written, same_keys) = again,
                None => {
                    written.bytes = bytes;
                    break;
                }
            }
            before = bytes;
        }
        Ok(written)
    }

    /// One round; whether all resources stand where they stood.
    fn put_once(
        &self,
        view: &Value<'_>,
        message: &Message<'_>,
        site: &Site<'_>,
    ) -> Result<(Written, bool), FromFhirError> {
        let (mapped, trace) = self.trace(message, site);
        let before = mapped.to_bundle();
        let groups = dukou_wire::groups::arrange(message, &mut Vec::new());
        let header = message.header();
        let version = header.version().into_owned();
        let document = message.format() != Format::Er7;
        let places = document.then(|| {
            let mut places = Places::of(self, Some(message));
            places.records(message, self, trace.seats.iter().map(|seat| seat.segment));
            SharedPlaces::new(places)
        });
        let frame = Frame { program: self, message, groups: &groups, trace: &trace, version: &version, places };

        let old = View::new(&before);
        let origins = frame.origins(&old);
        let old_seats = frame.seats(&old);
        let mut trial = frame.back(View::new(&before), frame.hints(&origins, HashSet::new()));
        trial.run(&old_seats);
        // Both views are written with the same knowledge: equal views give equal drafts.
        let carried = all_spots(&trial.draft);
        let mut was = frame.back(View::new(&before), frame.hints(&origins, carried.clone()));
        was.run(&old_seats);

        let shown = View::new(view);
        if shown.resources.is_empty() && !old.resources.is_empty() {
            return Err(FromFhirError::Empty);
        }
        let known = |shown: &Shown<'_>| old.keyed(shown.kind.as_str(), shown.id).is_some();
        if !old.resources.is_empty() && !shown.resources.iter().any(known) {
            return Err(FromFhirError::Foreign);
        }
        let hints = frame.hints(&moved(&origins, &old, &shown), carried);
        let mut seats = frame.seats(&shown);
        let mut is = frame.back(shown, hints);
        if document {
            is.run(&seats);
            let changed = super::document::changes(self, message, &was, &is).map_err(FromFhirError::Document)?;
            is.issues.extend(changed.issues);
            is.unseated(&seats);
            let accounts = tally(&is.view, &mut is.marks);
            return Ok((Written { bytes: changed.bytes, accounts, issues: is.issues }, true));
        }
        frame.seat_new(&old, &mut is, &mut seats);
        is.run(&seats);
        is.number();
        let gone = gone(&old_seats, &seats);
        let same_keys = gone.is_empty() && seats.len() <= old_seats.len();
        let bytes =
            write_changes(self, message, &was.draft, &is.draft, &gone, &seats).map_err(FromFhirError::Change)?;
        is.unseated(&seats);
        let accounts = tally(&is.view, &mut is.marks);
        Ok((Written { bytes, accounts, issues: is.issues }, same_keys))
    }
}

/// What both runs have in common.
struct Frame<'f> {
    program: &'f Program,
    message: &'f Message<'f>,
    groups: &'f Groups,
    trace: &'f Trace,
    version: &'f str,
    /// Of a document where its places are.
    places: Option<SharedPlaces>,
}

impl<'f> Frame<'f> {
    fn back<'v>(&self, view: View<'v>, hints: Hints<'v>) -> Back<'v>
    where
        'f: 'v,
    {
        Back {
            program: self.program,
            view,
            draft: self.draft(),
            places: self.places.clone().unwrap_or_default(),
            version: self.version,
            hints,
            resource: None,
            marks: Vec::new(),
            issues: Vec::new(),
        }
    }

    fn draft<'v>(&self) -> Draft<'v>
    where
        'f: 'v,
    {
        match (&self.places, self.message.root()) {
            (None, _) => Draft::of(self.message, self.groups),
            (Some(_), Some(root)) => {
                let names = std::iter::once(root).chain(root.descendants()).map(|element| element.name());
                Draft::flat(names.map(Cow::Borrowed))
            }
            (Some(_), None) => Draft::flat(self.message.segments().map(|row| Cow::Borrowed(row.id()))),
        }
    }

    fn hints<'v>(&self, origins: &Origins, carried: HashSet<Spot>) -> Hints<'v>
    where
        'f: 'v,
    {
        let mut hints = Hints {
            message: Some(self.message),
            places: self.places.clone(),
            origins: origins.clone(),
            carried,
            ..Hints::default()
        };
        for line in self.trace.lines() {
            hints.fired.insert((line.seat, line.rule));
            hints.alternatives.insert((line.seat, line.rule), line.alternative);
        }
        let mut by_place: HashMap<(u32, u32), Vec<u32>> = HashMap::new();
        for seat in &self.trace.seats {
            by_place.entry((seat.map, seat.emit)).or_default().push(seat.segment);
        }
        for (number, seat) in (0u32..).zip(&self.trace.seats) {
            hints.siblings.insert(number, by_place[&(seat.map, seat.emit)].clone());
        }
        hints
    }

    /// The seats of the resources that a view shows.
    fn seats<'v>(&self, view: &View<'v>) -> Vec<BackSeat<'v>>
    where
        'f: 'v,
    {
        let seats = (0u32..).zip(&self.trace.seats).filter_map(|(number, seat)| {
            let key = seat.key.as_ref()?;
            let resource = view.keyed(key.kind.as_str(), key.id.as_str())?;
            let program: &'f Program = self.program;
            let emit = &program.maps[seat.map as usize].emits[seat.emit as usize];
            Some(BackSeat { emit, place: (seat.map, seat.emit), segment: seat.segment, resource, number })
        });
        seats.collect()
    }

    /// Which rules wrote which list items, by the address of the item.
    fn origins(&self, view: &View<'_>) -> Origins {
        let mut origins = Origins::new();
        let mut seen = HashSet::new();
        let first: HashSet<u32> = (0u32..)
            .zip(&self.trace.seats)
            .filter(|(_, seat)| seat.key.as_ref().is_some_and(|key| seen.insert(key)))
            .map(|(number, _)| number)
            .collect();
        // Of a resource that several segments make only the first tells its places; the lists of others were joined.
        for line in self.trace.lines().iter().filter(|line| first.contains(&line.seat)) {
            let Some(at) = view.keyed(line.resource.kind.as_str(), line.resource.id.as_str()) else { continue };
            let object = view.resources[at].object;
            for (end, _) in line.path.match_indices(']') {
                if let Some(item) = at_path(object, &line.path[..=end]) {
                    let known = origins.entry((super::run::address(item), line.seat)).or_default();
                    if !known.contains(&(line.rule, line.ordinal)) {
                        known.push((line.rule, line.ordinal));
                    }
                }
            }
        }
        origins
    }

    /// Seats for resources that were not there before.
    fn seat_new<'v>(&self, old: &View<'_>, back: &mut Back<'v>, seats: &mut Vec<BackSeat<'v>>)
    where
        'f: 'v,
    {
        let header = self.message.header();
        let (code, trigger, stated) = (header.message_code(), header.trigger(), header.structure());
        let program: &'f Program = self.program;
        let Some(profile) = program.profiles.iter().find(|profile| profile.code == code && profile.event == trigger)
        else {
            return;
        };
        let kind = MessageKind {
            version: self.version,
            trigger: &trigger,
            code: &code,
            structure: dukou_wire::groups::structure(&header),
            stated: &stated,
        };
        let emits = back.emits(&kind);
        let shown = back.view.resources.iter().enumerate();
        let told = shown.filter(|(_, shown)| old.keyed(shown.kind.as_str(), shown.id).is_some()).map(|(at, _)| at);
        let told = told.collect();
        let mut seating = Seating::new(back, emits);
        seating.told = told;
        seating.next = self.trace.seats.len() as u32;
        seating.seats = std::mem::take(seats);
        seating.fill(profile);
        *seats = seating.seats;
    }
}

type Origins = HashMap<(usize, u32), Vec<(u32, u32)>>;

/// The origins of list items in the new view, by the items of the old one that they continue.
fn moved(origins: &Origins, old: &View<'_>, new: &View<'_>) -> Origins {
    let mut pairs = HashMap::new();
    for shown in &old.resources {
        if let Some(at) = new.keyed(shown.kind.as_str(), shown.id) {
            align(shown.object, new.resources[at].object, &mut pairs);
        }
    }
    let found = origins.iter().filter_map(|((item, seat), known)| Some(((*pairs.get(item)?, *seat), known.clone())));
    found.collect()
}

fn all_spots(draft: &Draft<'_>) -> HashSet<Spot> {
    let alive = draft.journal.iter().filter(|written| !written.dead).map(|written| written.spot);
    // The kind of message never changes.
    alive.filter(|spot| spot.segment != 0 || !matches!(spot.field, 9 | 12)).collect()
}

/// Segments that stood for resources of which none is left.
fn gone(old: &[BackSeat<'_>], new: &[BackSeat<'_>]) -> HashSet<u32> {
    let left: HashSet<u32> = new.iter().map(|seat| seat.segment).collect();
    old.iter().map(|seat| seat.segment).filter(|segment| *segment != 0 && !left.contains(segment)).collect()
}

fn at_path<'v>(object: &'v Object<'v>, path: &str) -> Option<&'v Value<'v>> {
    let (first, rest) = match path.find(['.', '[']) {
        Some(end) => path.split_at(end),
        None => (path, ""),
    };
    let value = object.get(first)?;
    match rest {
        "" => Some(value),
        _ => value.get(rest.trim_start_matches('.')),
    }
}

/// A change rarely needs a second round, and a view that contradicts itself never comes to rest.
const ROUNDS_MAX: usize = 3;
