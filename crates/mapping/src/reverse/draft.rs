//! A message in the making: groups, segments, and a journal of texts that can be taken back.

use std::borrow::Cow;

use dukou_wire::Message;
use dukou_wire::groups::{Groups, Shape, ShapeMember, Slot};

use super::value::Form;
use crate::plan::{Position, RepetitionFilter};

/// A place below a segment; 0 leaves a level open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spot {
    pub(crate) segment: u32,
    pub(crate) field: u16,
    pub(crate) repetition: u16,
    pub(crate) component: u16,
    pub(crate) subcomponent: u16,
}

impl Spot {
    /// A part one level below; nothing below a subcomponent. 0 is the place itself.
    pub(crate) fn part(self, number: u16) -> Option<Spot> {
        match (number, self.component, self.subcomponent) {
            (0, ..) => Some(self),
            (_, 0, _) => Some(Spot { component: number, ..self }),
            (_, _, 0) => Some(Spot { subcomponent: number, ..self }),
            (1, ..) => Some(self),
            _ => None,
        }
    }

    /// The first position at or below the place.
    pub(crate) fn leaf(self) -> Spot {
        let one = |number: u16| number.max(1);
        Spot {
            repetition: one(self.repetition),
            component: one(self.component),
            subcomponent: one(self.subcomponent),
            ..self
        }
    }

    /// Whether a position lies at or below the place.
    pub(crate) fn holds(self, leaf: Spot) -> bool {
        let open = |own: u16, other: u16| own == 0 || own == other;
        self.segment == leaf.segment
            && self.field == leaf.field
            && open(self.repetition, leaf.repetition)
            && open(self.component, leaf.component)
            && open(self.subcomponent, leaf.subcomponent)
    }
}

/// One text in the journal.
#[derive(Clone, Debug)]
pub(crate) struct Written<'v> {
    pub(crate) spot: Spot,
    pub(crate) form: Form,
    pub(crate) rule: u32,
    pub(crate) seat: u32,
    pub(crate) text: Cow<'v, str>,
    /// It was taken back.
    pub(crate) dead: bool,
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    shape: Option<Shape>,
    pub(crate) parent: Option<u32>,
    /// Its number among the members of the group around it.
    member: u16,
    pub(crate) children: Vec<Child>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Child {
    Segment(u32),
    Group(u32),
}

#[derive(Debug)]
pub(crate) struct Segment<'v> {
    pub(crate) id: Cow<'v, str>,
    pub(crate) group: u32,
    member: u16,
    /// Its number in the message that is changed.
    pub(crate) original: Option<u32>,
    /// Numbers in the journal.
    writes: Vec<u32>,
}

#[derive(Debug)]
pub(crate) struct Draft<'v> {
    pub(crate) groups: Vec<Group>,
    pub(crate) segments: Vec<Segment<'v>>,
    pub(crate) journal: Vec<Written<'v>>,
}

impl<'v> Draft<'v> {
    /// An empty message with its header.
    pub(crate) fn new(structure: &str) -> Draft<'v> {
        let shape = Shape::of(structure);
        let root = Group { name: shape.name(), shape: Some(shape), parent: None, member: 0, children: Vec::new() };
        let mut draft = Draft { groups: vec![root], segments: Vec::new(), journal: Vec::new() };
        draft.add(0, 0, Cow::Borrowed("MSH"), None);
        draft
    }

    /// The frame of a message that came: its groups and segments without their texts.
    pub(crate) fn of(message: &'v Message<'v>, groups: &Groups) -> Draft<'v> {
        let mut draft = Draft { groups: Vec::new(), segments: Vec::new(), journal: Vec::new() };
        for (_, group) in groups.iter() {
            let parent = group.parent;
            let shape = match parent.map(|parent| draft.groups[parent as usize].shape) {
                None => Some(Shape::of(group.name)),
                Some(around) => around.and_then(|around| around.inner(group.name)),
            };
            let around = parent.and_then(|parent| draft.groups[parent as usize].shape);
            let member = around.and_then(|around| member_of_group(around, group.name)).unwrap_or(u16::MAX);
            draft.groups.push(Group { name: group.name, shape, parent, member, children: Vec::new() });
        }
        let mut seen = vec![false; draft.groups.len()];
        for segment in message.segments() {
            let group = groups.group_of(segment.index());
            draft.enter(group, &mut seen);
            let shape = draft.groups[group as usize].shape;
            let member = shape.and_then(|shape| member_of_segment(shape, segment.id())).map_or(u16::MAX, |m| m.number);
            let number = draft.segments.len() as u32;
            draft.segments.push(Segment {
                id: Cow::Borrowed(segment.id()),
                group,
                member,
                original: Some(segment.index() as u32),
                writes: Vec::new(),
            });
            draft.groups[group as usize].children.push(Child::Segment(number));
        }
        draft
    }

    /// Elements or rows of a document side by side, by the numbers they have there.
    pub(crate) fn flat(names: impl Iterator<Item = Cow<'v, str>>) -> Draft<'v> {
        let root = Group { name: "", shape: None, parent: None, member: 0, children: Vec::new() };
        let mut draft = Draft { groups: vec![root], segments: Vec::new(), journal: Vec::new() };
        for (number, name) in (0u32..).zip(names) {
            draft.segments.push(Segment { id: name, group: 0, member: 0, original: Some(number), writes: Vec::new() });
        }
        draft
    }

    /// One more element or row, which the document does not have.
    pub(crate) fn add_flat(&mut self, name: Cow<'v, str>) -> u32 {
        self.segments.push(Segment { id: name, group: 0, member: 0, original: None, writes: Vec::new() });
        self.segments.len() as u32 - 1
    }

    /// Puts a group and those around it behind what stands there already.
    fn enter(&mut self, group: u32, seen: &mut [bool]) {
        if std::mem::replace(&mut seen[group as usize], true) {
            return;
        }
        if let Some(parent) = self.groups[group as usize].parent {
            self.enter(parent, seen);
            self.groups[parent as usize].children.push(Child::Group(group));
        }
    }

    fn add(&mut self, group: u32, member: u16, id: Cow<'v, str>, original: Option<u32>) -> u32 {
        let number = self.segments.len() as u32;
        self.segments.push(Segment { id, group, member, original, writes: Vec::new() });
        self.insert(group, member, Child::Segment(number));
        number
    }

    fn add_group(&mut self, parent: u32, member: ShapeMember, shape: Shape) -> u32 {
        let number = self.groups.len() as u32;
        self.groups.push(Group {
            name: shape.name(),
            shape: Some(shape),
            parent: Some(parent),
            member: member.number,
            children: Vec::new(),
        });
        self.insert(parent, member.number, Child::Group(number));
        number
    }

    /// A new child stands behind all that the structure puts before it.
    fn insert(&mut self, group: u32, member: u16, child: Child) {
        let member_of = |child: &Child| match child {
            Child::Segment(at) => self.segments[*at as usize].member,
            Child::Group(at) => self.groups[*at as usize].member,
        };
        let children = &self.groups[group as usize].children;
        let place = children.iter().rposition(|other| other != &child && member_of(other) <= member);
        let place = place.map_or(0, |at| at + 1);
        self.groups[group as usize].children.insert(place, child);
    }

    /// Segments of an id directly in a group, in order.
    pub(crate) fn direct<'s>(&'s self, group: u32, id: &'s str) -> impl DoubleEndedIterator<Item = u32> + 's {
        self.groups[group as usize].children.iter().filter_map(move |child| match child {
            Child::Segment(at) if self.segments[*at as usize].id == id => Some(*at),
            _ => None,
        })
    }

    /// The first segment of an id in the groups below a group; groups of the name `from` are left out.
    fn below(&self, group: u32, from: &str, id: &str) -> Option<u32> {
        self.groups[group as usize].children.iter().find_map(|child| match child {
            Child::Group(at) if self.groups[*at as usize].name != from => {
                self.direct(*at, id).next().or_else(|| self.below(*at, "", id))
            }
            _ => None,
        })
    }

    /// The nearest segment of an id, as forward paths find it; made where the structure has room for it.
    pub(crate) fn nearest(&mut self, id: &'v str, own: u32) -> Option<u32> {
        if id == "MSH" {
            return Some(0);
        }
        if let Some(known) = self.known_nearest(id, own) {
            return Some(known);
        }
        let mut group = self.segments[own as usize].group;
        let mut from = "";
        loop {
            let shape = self.groups[group as usize].shape;
            let room = shape.and_then(|shape| way(shape, from, id));
            if let Some(way) = room {
                return self.follow(group, &way, id, false);
            }
            from = self.groups[group as usize].name;
            match self.groups[group as usize].parent {
                Some(parent) => group = parent,
                None => return self.site_segment(id, own),
            }
        }
    }

    /// The nearest segment of an id that is there.
    pub(crate) fn known_nearest(&self, id: &str, own: u32) -> Option<u32> {
        if id == "MSH" {
            return Some(0);
        }
        let mut group = self.segments[own as usize].group;
        let mut from = "";
        loop {
            let before = self.direct(group, id).rfind(|at| *at <= own);
            let here = before.or_else(|| self.direct(group, id).next()).or_else(|| self.below(group, from, id));
            if here.is_some() {
                return here;
            }
            from = self.groups[group as usize].name;
            group = self.groups[group as usize].parent?;
        }
    }

    /// Segments of an id in groups of a name below a group, groups of the name `from` left out.
    pub(crate) fn named_below(&self, group: u32, from: &str, wanted: &str, id: &str, found: &mut Vec<u32>) {
        for child in &self.groups[group as usize].children {
            let Child::Group(at) = child else { continue };
            let name = self.groups[*at as usize].name;
            if name == from {
                continue;
            }
            if name == wanted {
                found.extend(self.direct(*at, id));
            }
            self.named_below(*at, "", wanted, id, found);
        }
    }

    /// How many groups stand around a group.
    pub(crate) fn depth(&self, group: u32) -> usize {
        std::iter::successors(self.groups[group as usize].parent, |at| self.groups[*at as usize].parent).count()
    }

    /// Whether the structure lets a segment stand several times in its group.
    pub(crate) fn repeats(&self, segment: u32) -> bool {
        let segment = &self.segments[segment as usize];
        let shape = self.groups[segment.group as usize].shape;
        shape.and_then(|shape| shape.members().nth(usize::from(segment.member))).is_none_or(|member| member.repeats)
    }

    /// Whether the structure lets a group stand several times in the group around it.
    pub(crate) fn group_repeats(&self, group: u32) -> bool {
        let here = &self.groups[group as usize];
        let around = here.parent.and_then(|parent| self.groups[parent as usize].shape);
        around.and_then(|shape| shape.members().nth(usize::from(here.member))).is_none_or(|member| member.repeats)
    }

    /// Makes the segments of an id that the structure asks for in groups that hold something.
    pub(crate) fn require(&mut self, id: &'v str) {
        for group in 0..self.groups.len() as u32 {
            let shape = self.groups[group as usize].shape;
            let member = shape.and_then(|shape| member_of_segment(shape, id)).filter(|member| !member.optional);
            if let Some(member) = member
                && self.direct(group, id).next().is_none()
                && (group == 0 || self.is_filled(group))
            {
                self.add(group, member.number, Cow::Borrowed(id), None);
            }
        }
    }

    /// Whether the structure asks for a segment in its group, which holds something.
    pub(crate) fn is_required(&self, segment: u32) -> bool {
        let group = self.segments[segment as usize].group;
        let id = self.segments[segment as usize].id.as_ref();
        let shape = self.groups[group as usize].shape;
        let member = shape.and_then(|shape| member_of_segment(shape, id));
        member.is_some_and(|member| !member.optional) && group != 0 && self.is_filled(group)
    }

    fn is_filled(&self, group: u32) -> bool {
        self.groups[group as usize].children.iter().any(|child| match child {
            Child::Segment(at) => self.alive(*at).next().is_some(),
            Child::Group(at) => self.is_filled(*at),
        })
    }

    /// Segments of a site stand where their maps read them: behind the own one.
    fn site_segment(&mut self, id: &'v str, own: u32) -> Option<u32> {
        let group = self.segments[own as usize].group;
        id.starts_with('Z').then(|| self.add(group, u16::MAX, Cow::Borrowed(id), None))
    }

    /// A new segment in the scope of a group or around it; nothing where the structure has no room.
    pub(crate) fn open(&mut self, scope: u32, id: &'v str) -> Option<u32> {
        let mut group = scope;
        loop {
            let shape = self.groups[group as usize].shape;
            if let Some(way) = shape.and_then(|shape| way(shape, "", id)) {
                return self.follow(group, &way, id, true);
            }
            group = self.groups[group as usize].parent?;
        }
    }

    /// A new segment in a group of a name, in the scope of the own segment.
    pub(crate) fn open_in(&mut self, names: &[String], id: &'v str, own: u32) -> Option<u32> {
        let wanted = names.last()?;
        let mut group = self.segments[own as usize].group;
        loop {
            if self.groups[group as usize].name == wanted {
                return self.beside_or_open(group, id);
            }
            let shape = self.groups[group as usize].shape;
            if let Some(shape) = shape
                && let Some(mut steps) = way_to_group(shape, wanted)
                && let Some(Slot::Group(inner)) = steps.last().map(|step| step.slot)
                && let Some(member) = member_of_segment(inner, id)
            {
                steps.push(member);
                return self.follow(group, &steps, id, true);
            }
            group = self.groups[group as usize].parent?;
        }
    }

    fn beside_or_open(&mut self, group: u32, id: &'v str) -> Option<u32> {
        let member = self.groups[group as usize].shape.and_then(|shape| member_of_segment(shape, id))?;
        self.follow(group, &[member], id, true)
    }

    /// A new segment beside another one in its own group.
    pub(crate) fn open_beside(&mut self, id: &'v str, own: u32) -> Option<u32> {
        let group = self.segments[own as usize].group;
        if id.starts_with('Z') {
            return self.site_segment(id, own);
        }
        self.beside_or_open(group, id)
    }

    /// Walks down to a segment; `fresh` makes a new one in a new instance of the innermost group that repeats.
    fn follow(&mut self, scope: u32, way: &[ShapeMember], id: &'v str, fresh: bool) -> Option<u32> {
        let turn = way.iter().rposition(|member| member.repeats).filter(|_| fresh);
        let mut group = scope;
        for (at, member) in way.iter().enumerate() {
            match member.slot {
                Slot::Segment(_) => {
                    let known = self.direct(group, id).next();
                    return match known {
                        Some(_) if fresh && turn != Some(at) => None,
                        Some(known) if !fresh => Some(known),
                        _ => Some(self.add(group, member.number, Cow::Borrowed(id), None)),
                    };
                }
                Slot::Group(shape) => {
                    let last = self.last_group(group, shape.name());
                    let full = |last: &u32| {
                        turn == Some(at)
                            && (self.direct(*last, id).next().is_some() || self.below(*last, "", id).is_some())
                    };
                    group = match last.filter(|last| !full(last)) {
                        Some(last) => last,
                        None => self.add_group(group, *member, shape),
                    };
                }
            }
        }
        None
    }

    fn last_group(&self, group: u32, name: &str) -> Option<u32> {
        self.groups[group as usize].children.iter().rev().find_map(|child| match child {
            Child::Group(at) if self.groups[*at as usize].name == name => Some(*at),
            _ => None,
        })
    }

    /// All segments in the order of the message.
    pub(crate) fn in_order(&self) -> Vec<u32> {
        fn walk(draft: &Draft<'_>, group: u32, found: &mut Vec<u32>) {
            for child in &draft.groups[group as usize].children {
                match child {
                    Child::Segment(at) => found.push(*at),
                    Child::Group(at) => walk(draft, *at, found),
                }
            }
        }
        let mut found = Vec::with_capacity(self.segments.len());
        walk(self, 0, &mut found);
        found
    }

    /// Adds a text to the journal.
    pub(crate) fn write(&mut self, written: Written<'v>) {
        let written = Written { spot: written.spot.leaf(), ..written };
        self.segments[written.spot.segment as usize].writes.push(self.journal.len() as u32);
        self.journal.push(written);
    }

    /// Takes back what was written since.
    pub(crate) fn take_back(&mut self, range: std::ops::Range<usize>) {
        for written in &mut self.journal[range] {
            written.dead = true;
        }
    }

    /// What stands of the texts of a segment, as they were written.
    pub(crate) fn alive(&self, segment: u32) -> impl Iterator<Item = &Written<'v>> {
        let writes = self.segments[segment as usize].writes.iter();
        writes.map(|at| &self.journal[*at as usize]).filter(|written| !written.dead)
    }

    /// The text that wins at a position.
    pub(crate) fn best(&self, leaf: Spot) -> Option<&Written<'v>> {
        let here = self.alive(leaf.segment).filter(|written| written.spot == leaf);
        here.fold(None, |best: Option<&Written<'v>>, next| match best {
            Some(best) if best.form >= next.form => Some(best),
            _ => Some(next),
        })
    }

    /// How many repetitions of a field hold something.
    pub(crate) fn repetitions(&self, segment: u32, field: u16) -> u16 {
        let here = self.alive(segment).filter(|written| written.spot.field == field);
        here.map(|written| written.spot.repetition).max().unwrap_or(0)
    }

    /// A repetition for a path: by its number, or a new one behind all others.
    pub(crate) fn repetition(&self, segment: u32, field: u16, position: Position, taken: u16) -> u16 {
        let next = self.repetitions(segment, field).max(taken) + 1;
        match position {
            Position::Nth(number) => number,
            Position::From(number) => next.max(number),
            Position::All => next,
        }
    }

    /// The repetition that a filter already names.
    pub(crate) fn filtered(&self, segment: u32, field: u16, filter: &RepetitionFilter) -> Option<u16> {
        let leaf = Spot {
            segment,
            field,
            repetition: 0,
            component: filter.component.max(1),
            subcomponent: filter.subcomponent.max(1),
        };
        let mut here = self.alive(segment).filter(|written| leaf.holds(written.spot));
        here.find(|written| (written.text == filter.value) != filter.negate).map(|written| written.spot.repetition)
    }
}

fn member_of_segment(shape: Shape, id: &str) -> Option<ShapeMember> {
    shape.members().find(|member| matches!(member.slot, Slot::Segment(ids) if ids.contains(&id)))
}

fn member_of_group(shape: Shape, name: &str) -> Option<u16> {
    let found = shape.members().find(|member| matches!(member.slot, Slot::Group(inner) if inner.name() == name));
    found.map(|member| member.number)
}

/// The shortest way from a group down to a segment, groups of the name `from` left out at the top.
fn way(shape: Shape, from: &str, id: &str) -> Option<Vec<ShapeMember>> {
    if !shape.holds(id) {
        return None;
    }
    if let Some(member) = member_of_segment(shape, id) {
        return Some(vec![member]);
    }
    let mut best: Option<Vec<ShapeMember>> = None;
    for member in shape.members() {
        let Slot::Group(inner) = member.slot else { continue };
        if inner.name() == from {
            continue;
        }
        if let Some(mut below) = way(inner, "", id)
            && best.as_ref().is_none_or(|best| below.len() + 1 < best.len())
        {
            below.insert(0, member);
            best = Some(below);
        }
    }
    best
}

fn way_to_group(shape: Shape, name: &str) -> Option<Vec<ShapeMember>> {
    for member in shape.members() {
        let Slot::Group(inner) = member.slot else { continue };
        if inner.name() == name {
            return Some(vec![member]);
        }
        if let Some(mut below) = way_to_group(inner, name) {
            below.insert(0, member);
            return Some(below);
        }
    }
    None
}
