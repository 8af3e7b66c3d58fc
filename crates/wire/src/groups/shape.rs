//! What a structure allows where, for those who add segments to a message.

use super::grammar::{self, Of, Structure};

/// A group as its structure defines it; the root is the message itself.
#[derive(Clone, Copy)]
pub struct Shape {
    structure: &'static Structure,
    group: usize,
}

/// A member of a group.
#[derive(Clone, Copy, Debug)]
pub struct ShapeMember {
    /// Its number among the members of the group, from 0: the order in which they stand in a message.
    pub number: u16,
    /// It may be absent.
    pub optional: bool,
    /// It may stand there several times.
    pub repeats: bool,
    /// What stands there.
    pub slot: Slot,
}

/// What may stand at a place of a group.
#[derive(Clone, Copy, Debug)]
pub enum Slot {
    /// A segment with one of these ids; mostly there is but one.
    Segment(&'static [&'static str]),
    /// A group.
    Group(Shape),
}

impl Shape {
    /// The root of the structure of this name; of an unknown one that of the flat structure.
    #[must_use]
    pub fn of(structure: &str) -> Shape {
        Shape { structure: grammar::structure(structure), group: 0 }
    }

    /// The name of the group; of the root that of the structure.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.structure.definitions[self.group].name
    }

    /// The members in their order.
    pub fn members(self) -> impl Iterator<Item = ShapeMember> {
        let members = &self.structure.definitions[self.group].members;
        (0u16..).zip(members).map(move |(number, member)| ShapeMember {
            number,
            optional: member.optional,
            repeats: member.repeats,
            slot: match &member.of {
                Of::Segment(ids) => Slot::Segment(ids),
                Of::Group(group) => Slot::Group(Shape { structure: self.structure, group: *group }),
            },
        })
    }

    /// The group of this name directly inside.
    #[must_use]
    pub fn inner(self, name: &str) -> Option<Shape> {
        self.members().find_map(|member| match member.slot {
            Slot::Group(inner) if inner.name() == name => Some(inner),
            _ => None,
        })
    }

    /// The segment may stand in the group, or in a group inside it.
    #[must_use]
    pub fn holds(self, id: &str) -> bool {
        self.structure.definitions[self.group].all.contains(id)
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Shape) -> bool {
        std::ptr::eq(self.structure, other.structure) && self.group == other.group
    }
}

impl std::fmt::Debug for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.structure.name, self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_structure_tells_what_may_stand_where() {
        let root = Shape::of("ORU_R01");
        let result = root.inner("PATIENT_RESULT").unwrap();
        assert!(root.holds("OBX") && result.holds("PID") && !result.holds("MSH"));
        let order = result.inner("ORDER_OBSERVATION").unwrap();
        let names: Vec<String> = order
            .members()
            .map(|member| match member.slot {
                Slot::Segment(ids) => ids.join("|"),
                Slot::Group(group) => format!("{}:", group.name()),
            })
            .collect();
        assert_eq!(names[..3], ["ORC", "OBR", "NTE"].map(str::to_owned));
        assert!(names.contains(&"OBSERVATION:".to_owned()));
        assert_eq!(Shape::of("ZZZ_Z99").name(), "UNKNOWN");
    }
}
