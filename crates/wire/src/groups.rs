//! Segment groups: which OBX belongs to which OBR.
//!
//! One grammar file holds the structures; a message is read once, segment by segment, without going back. What a
//! structure does not foresee stays where it stands: an unknown segment belongs to the group of the segment before it,
//! and a segment out of order opens the nearest group that may hold it.

mod grammar;
mod order;
mod place;
mod shape;

use crate::{GroupStep, Header, Issue, Message, Path, Segment};

pub use grammar::{structure_of, structures};
pub(crate) use order::{Position, position};
pub use order::{order, structure_named};
pub use shape::{Shape, ShapeMember, Slot};

/// The number of a group in [`Groups`]; 0 is the root.
pub type GroupId = u32;

/// One group of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name in the structure; of the root the name of the structure.
    pub name: &'static str,
    /// The group around it; `None` for the root.
    pub parent: Option<GroupId>,
    /// Which of the groups of this name in the message, 1-based, in the order of their first segments.
    pub ordinal: u32,
    /// The indexes of the segments that stand in it directly.
    pub segments: Vec<u32>,
    /// The groups that stand in it directly, in order.
    pub groups: Vec<GroupId>,
}

/// The groups of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    groups: Vec<Group>,
    of_segment: Vec<GroupId>,
    structure: &'static str,
}

/// Arranges the segments of a message in the groups of its structure. A message of unknown structure gets a flat root
/// in which PID opens a patient, and ORC or OBR an order.
pub fn arrange(message: &Message<'_>, issues: &mut Vec<Issue>) -> Groups {
    place::arrange(message, issues)
}

impl Groups {
    /// The group a segment stands in directly.
    ///
    /// # Panics
    /// When the message has no such segment.
    #[must_use]
    pub fn group_of(&self, segment_index: usize) -> GroupId {
        self.of_segment[segment_index]
    }

    /// A group by its number.
    ///
    /// # Panics
    /// When there is no such group.
    #[must_use]
    pub fn group(&self, id: GroupId) -> &Group {
        &self.groups[id as usize]
    }

    /// The group around everything.
    #[must_use]
    pub fn root(&self) -> &Group {
        &self.groups[0]
    }

    /// All groups with their numbers, parents before their children.
    pub fn iter(&self) -> impl Iterator<Item = (GroupId, &Group)> {
        (0..).zip(&self.groups)
    }

    /// The groups directly inside a group.
    pub fn children(&self, id: GroupId) -> impl Iterator<Item = (GroupId, &Group)> {
        self.group(id).groups.iter().map(|&inner| (inner, self.group(inner)))
    }

    /// The structure that was used, such as `ORU_R01`; `UNKNOWN` for the flat one.
    #[must_use]
    pub fn structure(&self) -> &'static str {
        self.structure
    }

    /// The groups around a segment, outermost first, each counted inside the one before: with them a path names the
    /// segment, and a draft puts a new one beside it.
    #[must_use]
    pub fn steps(&self, segment_index: usize) -> Vec<GroupStep> {
        let mut steps = Vec::new();
        let mut at = self.group_of(segment_index);
        while let Some(parent) = self.group(at).parent {
            let name = self.group(at).name;
            let before = self.children(parent).take_while(|&(id, _)| id != at).filter(|(_, group)| group.name == name);
            let ordinal = u16::try_from(before.count() + 1).unwrap_or(u16::MAX);
            steps.push(GroupStep { name: name.to_owned(), ordinal });
            at = parent;
        }
        steps.reverse();
        steps
    }

    /// The segment stands in the group or in a group inside it.
    #[must_use]
    pub fn contains(&self, id: GroupId, segment_index: usize) -> bool {
        self.is_inside(self.group_of(segment_index), id)
    }

    /// The nearest group of this name around a segment.
    #[must_use]
    pub fn enclosing(&self, segment_index: usize, name: &str) -> Option<GroupId> {
        let mut at = Some(self.group_of(segment_index));
        while let Some(id) = at {
            if self.group(id).name == name {
                return Some(id);
            }
            at = self.group(id).parent;
        }
        None
    }

    /// The segment a path with groups names: each step is counted inside the step before it, in the order of the
    /// message, and so is the segment.
    #[must_use]
    pub fn find<'m>(&self, message: &'m Message<'_>, path: &Path) -> Option<Segment<'m>> {
        let mut scope = 0;
        for GroupStep { name, ordinal } in path.groups() {
            let named =
                |(id, group): &(GroupId, &Group)| group.name == name && *id != scope && self.is_inside(*id, scope);
            scope = self.iter().filter(named).nth(usize::from(*ordinal).checked_sub(1)?)?.0;
        }
        let inside = |segment: &Segment<'_>| segment.id() == path.segment() && self.contains(scope, segment.index());
        message.segments().filter(inside).nth(usize::from(path.occurrence()) - 1)
    }

    fn is_inside(&self, id: GroupId, scope: GroupId) -> bool {
        let mut at = Some(id);
        while let Some(id) = at {
            if id == scope {
                return true;
            }
            at = self.group(id).parent;
        }
        false
    }
}

/// The structure of a message by its header, for callers that need no groups.
#[must_use]
pub fn structure(header: &Header<'_>) -> &'static str {
    structure_of(&header.message_code(), &header.trigger(), &header.structure())
}
