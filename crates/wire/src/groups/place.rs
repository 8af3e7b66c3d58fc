//! Placing segments in groups, one after the other.

use std::collections::HashMap;

use super::grammar::{self, Member, Of, Structure, UNKNOWN};
use super::{Group, GroupId, Groups, structure_of};
use crate::{Issue, IssueCode, Message, Segment};

/// An open group and how far its members have been read.
struct Frame {
    group: GroupId,
    definition: usize,
    /// The member that was read last.
    position: usize,
    /// A segment of that member has been read.
    entered: bool,
}

struct Placer<'p> {
    structure: &'static Structure,
    groups: Vec<Group>,
    /// Groups so far by name, and the last group of a kind inside another.
    ordinals: HashMap<&'static str, u32>,
    last: HashMap<(GroupId, usize), GroupId>,
    of_segment: Vec<GroupId>,
    frames: Vec<Frame>,
    issues: &'p mut Vec<Issue>,
}

pub(super) fn arrange(message: &Message<'_>, issues: &mut Vec<Issue>) -> Groups {
    let header = message.header();
    let name = structure_of(&header.message_code(), &header.trigger(), &header.structure());
    let structure = grammar::structure(name);
    if name == UNKNOWN {
        issues.push(Issue::new(IssueCode::StructureUnknown, header.segment().span().start));
    }
    let root = Group { name: structure.name, parent: None, ordinal: 1, segments: Vec::new(), groups: Vec::new() };
    let mut placer = Placer {
        structure,
        groups: vec![root],
        ordinals: HashMap::new(),
        last: HashMap::new(),
        of_segment: Vec::with_capacity(message.segment_count()),
        frames: vec![Frame { group: 0, definition: 0, position: 0, entered: false }],
        issues,
    };
    for segment in message.segments() {
        placer.place(segment);
    }
    let (groups, of_segment) = (placer.groups, placer.of_segment);
    Groups { groups, of_segment, structure: structure.name }
}

impl Placer<'_> {
    fn place(&mut self, segment: Segment<'_>) {
        let id = segment.id();
        if !(self.place_in_order(segment, id) || self.place_out_of_order(segment, id)) {
            if !segment.is_raw() && !id.starts_with('Z') {
                self.report(IssueCode::SegmentUnexpected, segment);
            }
            self.attach(segment);
        }
    }

    /// The innermost open group in which the segment may come next takes it.
    fn place_in_order(&mut self, segment: Segment<'_>, id: &str) -> bool {
        for depth in (0..self.frames.len()).rev() {
            let frame = &self.frames[depth];
            let members = &self.structure.definitions[frame.definition].members;
            let after = |at: usize| at > frame.position || !frame.entered || members[at].repeats;
            let found =
                (frame.position..members.len()).find(|&at| after(at) && self.structure.starts(&members[at], id));
            let Some(at) = found else { continue };
            let from = frame.position + usize::from(frame.entered);
            let missing = members[from.min(at)..at].iter().any(|m| !m.optional && matches!(m.of, Of::Segment(_)));
            if missing {
                self.report(IssueCode::SegmentMissing, segment);
            }
            self.frames.truncate(depth + 1);
            self.enter(at, id);
            self.attach(segment);
            return true;
        }
        false
    }

    /// The nearest open group that holds such a segment anywhere takes it, directly or in a group of its own. Another
    /// order detail where one stands already opens an order of its own, so that what follows belongs to it.
    fn place_out_of_order(&mut self, segment: Segment<'_>, id: &str) -> bool {
        let detail = ORDER_DETAILS.contains(&id) && self.order_has(id, segment);
        let found = (0..self.frames.len()).rev().find_map(|depth| self.holder(depth, id, detail));
        let holder = found.or_else(|| (0..self.frames.len()).rev().find_map(|depth| self.holder(depth, id, false)));
        let Some((depth, member)) = holder else { return false };
        self.frames.truncate(depth + 1);
        if let Some(member) = member {
            self.reopen(member, id, detail);
        }
        self.report(IssueCode::SegmentOutOfOrder, segment);
        self.attach(segment);
        true
    }

    /// The open order has such a segment already.
    fn order_has(&self, id: &str, segment: Segment<'_>) -> bool {
        let around = (0..self.frames.len()).rev().find(|&depth| self.holder(depth, id, true).is_some());
        // What was opened inside a group has a higher number than the group.
        let Some(order) = around.and_then(|depth| self.frames.get(depth + 1)) else { return false };
        let message = segment.message();
        let mut inside = self.groups[order.group as usize..].iter().flat_map(|group| &group.segments);
        inside.any(|&index| message.segment(index as usize).id() == id)
    }

    /// Whether the open group at `depth` holds such a segment, and in which of its inner groups. With `anew` only a
    /// group that may stand there several times will do.
    fn holder(&self, depth: usize, id: &str, anew: bool) -> Option<(usize, Option<usize>)> {
        let structure = self.structure;
        let members = &structure.definitions[self.frames[depth].definition].members;
        let direct = members.iter().any(|m| matches!(m.of, Of::Segment(_)) && structure.holds(m, id));
        if direct && !anew {
            return Some((depth, None));
        }
        let inner = |m: &&Member| matches!(m.of, Of::Group(_)) && (m.repeats || !anew);
        let position = |holds: &dyn Fn(&Member) -> bool| members.iter().position(|m| inner(&m) && holds(m));
        let found = position(&|m| structure.starts(m, id)).or_else(|| position(&|m| structure.holds(m, id)));
        found.map(|member| (depth, Some(member)))
    }

    /// Reads the member `at` of the innermost frame: a group is opened down to the segment.
    fn enter(&mut self, at: usize, id: &str) {
        let structure = self.structure;
        let mut at = at;
        loop {
            let Some(frame) = self.frames.last_mut() else { return };
            (frame.position, frame.entered) = (at, true);
            let Of::Group(definition) = structure.definitions[frame.definition].members[at].of else { return };
            self.open(definition);
            let members = &structure.definitions[definition].members;
            let Some(next) = members.iter().position(|m| structure.starts(m, id)) else { return };
            at = next;
        }
    }

    /// Goes down to a group that holds the segment: into the last group of its kind where the segment does not begin
    /// one of several.
    fn reopen(&mut self, at: usize, id: &str, anew: bool) {
        let structure = self.structure;
        let mut at = at;
        loop {
            let Some(frame) = self.frames.last_mut() else { return };
            let member = &structure.definitions[frame.definition].members[at];
            let Of::Group(definition) = member.of else {
                (frame.position, frame.entered) = (frame.position.max(at), true);
                return;
            };
            let fresh = member.repeats && (anew || structure.starts(member, id));
            match self.last.get(&(frame.group, definition)).copied().filter(|_| !fresh) {
                Some(group) => {
                    let position = structure.definitions[definition].members.len();
                    self.frames.push(Frame { group, definition, position, entered: false });
                }
                None => {
                    if at >= frame.position {
                        (frame.position, frame.entered) = (at, true);
                    }
                    self.open(definition);
                }
            }
            let members = &structure.definitions[definition].members;
            let starts = members.iter().position(|m| structure.starts(m, id));
            match starts.or_else(|| members.iter().position(|m| structure.holds(m, id))) {
                Some(next) => at = next,
                None => return,
            }
        }
    }

    fn open(&mut self, definition: usize) {
        let name = self.structure.definitions[definition].name;
        let parent = self.frames.last().map_or(0, |frame| frame.group);
        let ordinal = self.ordinals.entry(name).or_default();
        *ordinal += 1;
        let group = self.groups.len() as GroupId;
        self.groups.push(Group {
            name,
            parent: Some(parent),
            ordinal: *ordinal,
            segments: Vec::new(),
            groups: Vec::new(),
        });
        self.groups[parent as usize].groups.push(group);
        self.last.insert((parent, definition), group);
        self.frames.push(Frame { group, definition, position: 0, entered: false });
    }

    fn attach(&mut self, segment: Segment<'_>) {
        let group = self.frames.last().map_or(0, |frame| frame.group);
        self.groups[group as usize].segments.push(segment.index() as u32);
        self.of_segment.push(group);
    }

    fn report(&mut self, code: IssueCode, segment: Segment<'_>) {
        if self.structure.name != UNKNOWN {
            self.issues.push(Issue::new(code, segment.span().start).with_path(segment.path()));
        }
    }
}

/// The segments that say what is ordered.
const ORDER_DETAILS: &[&str] = &["OBR", "RXO", "RXE", "RXD", "RXG", "RXA", "ODS", "ODT", "RQD", "RQ1"];
