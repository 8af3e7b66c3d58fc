//! Which resource stands for which segment of a message that is made anew.

use std::collections::HashMap;

use dukou_fhir::{Object, ResourceType, Value};

use super::profile::Profile;
use super::run::Back;
use crate::plan::{
    ActionPlan, Body, EmitPlan, KeyAlternative, KeyPlan, LensUse, Operation, PathPlan, Root, TargetPlan,
};

/// A resource and the segment that it becomes.
#[derive(Clone, Debug)]
pub(crate) struct BackSeat<'v> {
    pub(crate) emit: &'v EmitPlan,
    /// Map and emit by their numbers.
    pub(crate) place: (u32, u32),
    pub(crate) segment: u32,
    /// The number of the resource in the view.
    pub(crate) resource: usize,
    /// Its own number.
    pub(crate) number: u32,
}

/// Finds seats.
pub(crate) struct Seating<'b, 'v> {
    pub(crate) back: &'b mut Back<'v>,
    pub(crate) seats: Vec<BackSeat<'v>>,
    /// Resources that need no seat: the message tells of them in a field of another.
    pub(crate) told: std::collections::HashSet<usize>,
    /// The number of the next seat.
    pub(crate) next: u32,
    /// Emits that are meant for the kind of message, with their numbers.
    pub(crate) emits: Vec<(u32, u32, &'v EmitPlan)>,
    /// Resources of the view that point to each resource; found when first needed.
    pointers: Option<HashMap<usize, Vec<usize>>>,
}

impl<'b, 'v> Seating<'b, 'v> {
    pub(crate) fn new(back: &'b mut Back<'v>, emits: Vec<(u32, u32, &'v EmitPlan)>) -> Seating<'b, 'v> {
        Seating { back, seats: Vec::new(), told: Default::default(), next: 0, emits, pointers: None }
    }

    /// Gives every resource that the profile speaks of a segment.
    pub(crate) fn fill(&mut self, profile: &'v Profile) {
        for (segment, kind) in &profile.fill {
            let fits = |emit: &EmitPlan| emit.per == *segment && emit.kind == *kind && emit.mention_only().is_none();
            let Some((map, number, emit)) = self.emits.iter().copied().find(|(_, _, emit)| fits(emit)) else {
                continue;
            };
            for (resource, parent) in self.linked(map, emit) {
                let scope = self.group_of(parent);
                self.open((map, number), emit, resource, scope, profile);
            }
            for resource in self.of_kind(*kind) {
                if !self.is_seated(resource) && self.fits_best(emit, resource, profile) {
                    for scope in self.scopes(emit, resource) {
                        self.open((map, number), emit, resource, scope, profile);
                    }
                }
            }
        }
    }

    /// Children of seated parents in the order in which the parents name them.
    fn linked(&self, map: u32, emit: &'v EmitPlan) -> Vec<(usize, u32)> {
        let Some(link) = &emit.link else { return Vec::new() };
        let Some(under) = link.parent.and_then(|parent| emit.under.get(usize::from(parent))) else { return Vec::new() };
        let mut found: Vec<(usize, u32)> = Vec::new();
        for seat in self.seats.iter().filter(|seat| seat.place == (map, *under as u32)) {
            let object = self.back.view.resources[seat.resource].object;
            for reference in references(object, link) {
                let child = self.back.view.find(reference);
                let child = child.filter(|child| self.back.view.resources[*child].kind == emit.kind);
                if let Some(child) = child.filter(|child| !found.iter().any(|(known, _)| known == child)) {
                    found.push((child, seat.segment));
                }
            }
        }
        found.retain(|(child, _)| !self.is_seated(*child));
        found
    }

    /// Whether no other line of the profile suits the resource better: a guarantor is no next of kin.
    fn fits_best(&self, emit: &'v EmitPlan, resource: usize, profile: &'v Profile) -> bool {
        let shown = &self.back.view.resources[resource];
        let Some(own) = super::fit::fit(&emit.body, shown.object, false) else { return false };
        let rivals = self.emits.iter().filter(|(_, _, other)| {
            other.kind == emit.kind && profile.fill.iter().any(|(id, kind)| *id == other.per && *kind == other.kind)
        });
        let best = rivals.filter_map(|(_, _, other)| super::fit::fit(&other.body, shown.object, true)).max();
        best.is_none_or(|best| own >= best)
    }

    fn of_kind(&self, kind: ResourceType) -> Vec<usize> {
        let all = self.back.view.resources.iter().enumerate();
        all.filter(|(_, shown)| shown.kind == kind).map(|(at, _)| at).collect()
    }

    pub(crate) fn is_seated(&self, resource: usize) -> bool {
        self.told.contains(&resource) || self.seats.iter().any(|seat| seat.resource == resource)
    }

    fn group_of(&self, segment: u32) -> u32 {
        self.back.draft.segments[segment as usize].group
    }

    /// The groups in whose scope a resource stands: each one whose own resource names it as what a segment below it is
    /// (`SPECIMEN/SPM[*] -> report.specimen[*]`), for several results may be of one specimen; else the one of its scope.
    fn scopes(&mut self, emit: &'v EmitPlan, resource: usize) -> Vec<u32> {
        let below = |operation: &Operation| {
            let mut paths = operation.sources.iter().flatten();
            paths.any(|path| matches!(&path.root, Root::Group(_, name, _) if *name == emit.per))
        };
        let pointers = self.pointers.get_or_insert_with(|| pointers(self.back));
        let from = pointers.get(&resource).map(Vec::as_slice).unwrap_or_default();
        let mut groups: Vec<u32> = Vec::new();
        for seat in self.seats.iter().filter(|seat| from.contains(&seat.resource)) {
            let object = self.back.view.resources[seat.resource].object;
            let rules = segment_references(&seat.emit.body)
                .filter(|(operation, _)| segment_kind(operation) == Some(emit.kind) && below(operation));
            let mut named = rules.flat_map(|(_, target)| references(object, target));
            let group = self.back.draft.segments[seat.segment as usize].group;
            if !groups.contains(&group) && named.any(|text| self.back.view.find(text) == Some(resource)) {
                groups.push(group);
            }
        }
        match groups.is_empty() {
            true => vec![self.scope(emit, resource)],
            false => groups,
        }
    }

    /// The group in whose scope a resource belongs: that of one that points to it, else that of one it points to.
    fn scope(&mut self, emit: &'v EmitPlan, resource: usize) -> u32 {
        let deepest = |seats: Vec<u32>, back: &Back<'v>| {
            let groups = seats.into_iter().map(|segment| back.draft.segments[segment as usize].group);
            groups.max_by_key(|group| back.draft.depth(*group))
        };
        let pointers = self.pointers.get_or_insert_with(|| pointers(self.back));
        let from = pointers.get(&resource).cloned().unwrap_or_default();
        let from: Vec<u32> =
            self.seats.iter().filter(|seat| from.contains(&seat.resource)).map(|seat| seat.segment).collect();
        if let Some(group) = deepest(from, self.back) {
            return group;
        }
        let object = self.back.view.resources[resource].object;
        let mut to = Vec::new();
        for (operation, target) in segment_references(&emit.body) {
            let Some(kind) = segment_kind(operation) else { continue };
            for found in references(object, target).filter_map(|text| self.back.view.find(text)) {
                let seats = self.seats.iter().filter(|seat| seat.resource == found && seat.emit.kind == kind);
                to.extend(seats.map(|seat| seat.segment));
            }
        }
        // A result that names its patient alone stands under the first order rather than under the patient.
        let parents = self.seats.iter().filter(|seat| {
            let number = seat.place.1 as usize;
            emit.under.contains(&number)
        });
        let parent = parents.map(|seat| seat.segment).next();
        deepest(to.into_iter().chain(parent).collect(), self.back).unwrap_or(0)
    }

    fn open(&mut self, place: (u32, u32), emit: &'v EmitPlan, resource: usize, scope: u32, profile: &'v Profile) {
        let segment = match emit.per.as_str() {
            "MSH" => (!self.seats.iter().any(|seat| seat.place == place)).then_some(0),
            id => self.back.draft.open(scope, id),
        };
        let Some(segment) = segment else { return };
        self.sit(place, emit, segment, resource);
        self.companions(segment, profile);
    }

    fn sit(&mut self, place: (u32, u32), emit: &'v EmitPlan, segment: u32, resource: usize) {
        self.seats.push(BackSeat { emit, place, segment, resource, number: self.next });
        self.next += 1;
    }

    /// Resources that stand for the same segment, as rules say: `OBR -> report.basedOn[first] ref ServiceRequest`.
    pub(crate) fn companions(&mut self, segment: u32, profile: &'v Profile) {
        let id = self.back.draft.segments[segment as usize].id.clone();
        let emits: Vec<(u32, u32, &'v EmitPlan)> =
            self.emits.iter().copied().filter(|(_, _, emit)| emit.per == id).collect();
        for (map, number, emit) in emits {
            let opened = profile.fill.iter().any(|(_, kind)| *kind == emit.kind);
            let place = (map, number);
            if opened || self.seats.iter().any(|seat| seat.segment == segment && seat.place == place) {
                continue;
            }
            if let Some(resource) = self.companion(segment, emit) {
                self.sit(place, emit, segment, resource);
            }
        }
    }

    fn companion(&self, segment: u32, emit: &'v EmitPlan) -> Option<usize> {
        let view = &self.back.view;
        let here = || self.seats.iter().filter(|seat| seat.segment == segment);
        for seat in here() {
            let object = view.resources[seat.resource].object;
            let named = |operation: &Operation| {
                segment_kind(operation) == Some(emit.kind) && is_own(operation) || shares_key(operation, emit)
            };
            for (_, target) in all_references(&seat.emit.body).filter(|(operation, _)| named(operation)) {
                let mut found = references(object, target).filter_map(|text| view.find(text));
                let found = found.find(|found| view.resources[*found].kind == emit.kind);
                if found.is_some() {
                    return found;
                }
            }
        }
        for (operation, target) in segment_references(&emit.body).filter(|(operation, _)| is_own(operation)) {
            for (at, shown) in view.resources.iter().enumerate().filter(|(_, shown)| shown.kind == emit.kind) {
                let mut to = references(shown.object, target).filter_map(|text| view.find(text));
                let kind = segment_kind(operation);
                if to.any(|found| here().any(|seat| seat.resource == found && Some(seat.emit.kind) == kind)) {
                    return Some(at).filter(|at| !self.is_seated(*at));
                }
            }
        }
        None
    }
}

impl EmitPlan {
    /// A resource that is made for a segment without a place of its own in the message: it stands there because another
    /// one names it.
    fn mention_only(&self) -> Option<()> {
        let mention = self.mention.as_ref()?;
        let always = mention.iter().all(|test| {
            matches!(test.kind, crate::rule::TestKind::Valued)
                && matches!(&test.path.root, Root::Nearest(name) if name == "MSH")
        });
        always.then_some(())
    }
}

fn all_references(body: &Body) -> impl Iterator<Item = (&Operation, &TargetPlan)> {
    let operations = body.operations.iter().chain(&body.late);
    operations.filter_map(|operation| match &operation.action {
        ActionPlan::Write(write) if matches!(write.lens, LensUse::Segment(_) | LensUse::Resource(_)) => {
            Some((operation, write.targets.first()?))
        }
        _ => None,
    })
}

/// References to what a map makes of a segment.
fn segment_references(body: &Body) -> impl Iterator<Item = (&Operation, &TargetPlan)> {
    all_references(body).filter(|(operation, _)| segment_kind(operation).is_some())
}

fn segment_kind(operation: &Operation) -> Option<ResourceType> {
    match &operation.action {
        ActionPlan::Write(write) => match write.lens {
            LensUse::Segment(kind) => Some(kind),
            _ => None,
        },
        ActionPlan::Drop | ActionPlan::Keep => None,
    }
}

fn is_own(operation: &Operation) -> bool {
    operation.sources.iter().flatten().any(|path| path.root == Root::Own)
}

/// Whether the id of an emit is made of the same field as the small resource to which the operation refers.
fn shares_key(operation: &Operation, emit: &EmitPlan) -> bool {
    let made = match &operation.action {
        ActionPlan::Write(write) => matches!(write.lens, LensUse::Resource(_)),
        ActionPlan::Drop | ActionPlan::Keep => false,
    };
    let Some(KeyPlan::Source(alternatives)) = emit.id.keys.first() else { return false };
    let same = |path: &PathPlan, key: &PathPlan| path.root == key.root && path.field == key.field && path.field != 0;
    made && alternatives.iter().any(|alternative| match alternative {
        KeyAlternative::Path(key, _) => operation.sources.iter().flatten().any(|path| same(path, key)),
        KeyAlternative::Constant(_) => false,
    })
}

/// The references at a target, whatever the items of lists are.
pub(crate) fn references<'v>(object: &'v Object<'v>, target: &TargetPlan) -> impl Iterator<Item = &'v str> {
    let mut found = Vec::new();
    let names: Vec<&str> = target.steps.iter().map(|step| step.name.as_str()).collect();
    below(object, &names, &mut found);
    found.into_iter()
}

fn below<'v>(object: &'v Object<'v>, names: &[&str], found: &mut Vec<&'v str>) {
    let Some((first, rest)) = names.split_first() else {
        found.extend(object.get("reference").and_then(Value::as_str));
        return;
    };
    match object.get(first) {
        Some(Value::Object(inner)) => below(inner, rest, found),
        Some(Value::Array(items)) => {
            for item in items.iter().filter_map(Value::as_object) {
                below(item, rest, found);
            }
        }
        _ => {}
    }
}

fn pointers(back: &Back<'_>) -> HashMap<usize, Vec<usize>> {
    let mut pointers: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, shown) in back.view.resources.iter().enumerate() {
        let mut found = Vec::new();
        every_reference(shown.object, &mut found);
        for target in found.into_iter().filter_map(|text| back.view.find(text)) {
            pointers.entry(target).or_default().push(at);
        }
    }
    pointers
}

fn every_reference<'v>(object: &'v Object<'v>, found: &mut Vec<&'v str>) {
    for (name, value) in object.iter() {
        match value {
            Value::String(text) if name == "reference" => found.push(text),
            Value::Object(inner) => every_reference(inner, found),
            Value::Array(items) => {
                items.iter().filter_map(Value::as_object).for_each(|inner| every_reference(inner, found))
            }
            _ => {}
        }
    }
}
