//! The grammar of message structures, read once from the data file.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// A group of a structure; number 0 of each structure is the root.
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) members: Vec<Member>,
    /// The segments that may come first.
    pub(super) first: HashSet<&'static str>,
    /// All segments at any depth.
    pub(super) all: HashSet<&'static str>,
    /// The group may be empty.
    pub(super) nullable: bool,
}

/// A member of a group.
pub(super) struct Member {
    pub(super) of: Of,
    pub(super) optional: bool,
    pub(super) repeats: bool,
}

/// What a member is.
pub(super) enum Of {
    /// One of these segments; mostly there is but one.
    Segment(Vec<&'static str>),
    /// The group with this number in the structure.
    Group(usize),
}

/// A message structure.
pub(super) struct Structure {
    pub(super) name: &'static str,
    pub(super) definitions: Vec<Definition>,
}

impl Structure {
    /// The member may begin with this segment.
    pub(super) fn starts(&self, member: &Member, id: &str) -> bool {
        match &member.of {
            Of::Segment(ids) => ids.contains(&id),
            Of::Group(group) => self.definitions[*group].first.contains(id),
        }
    }

    /// The member holds this segment at some depth.
    pub(super) fn holds(&self, member: &Member, id: &str) -> bool {
        match &member.of {
            Of::Segment(ids) => ids.contains(&id),
            Of::Group(group) => self.definitions[*group].all.contains(id),
        }
    }
}

/// The structure of this name, or the flat one.
pub(super) fn structure(name: &str) -> &'static Structure {
    let known = |name| GRAMMAR.by_name.get(name).copied();
    &GRAMMAR.structures[known(name).or_else(|| known(UNKNOWN)).unwrap_or(0)]
}

/// The name of the structure of a message: what MSH-9.3 says if it is known, else what table 0354 gives for the message
/// code and trigger event; `UNKNOWN` where there is none.
#[must_use]
pub fn structure_of(code: &str, trigger: &str, stated: &str) -> &'static str {
    let known = |name: &str| GRAMMAR.by_name.get(name).map(|&at| GRAMMAR.structures[at].name);
    let by_event = || GRAMMAR.by_event.get(&(code, trigger)).copied();
    let by_name = || known(&format!("{code}_{trigger}"));
    let by_code = || GRAMMAR.by_event.get(&(code, "")).copied().or_else(|| known(code));
    known(stated).or_else(by_event).or_else(by_name).or_else(by_code).unwrap_or(UNKNOWN)
}

/// The names of all structures that are known, the flat one last.
pub fn structures() -> impl Iterator<Item = &'static str> {
    GRAMMAR.structures.iter().map(|structure| structure.name)
}

struct Grammar {
    structures: Vec<Structure>,
    by_name: HashMap<&'static str, usize>,
    by_event: HashMap<(&'static str, &'static str), &'static str>,
}

/// Read once from constant text; it never changes.
static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    let mut grammar = Grammar { structures: Vec::new(), by_name: HashMap::new(), by_event: HashMap::new() };
    for line in include_str!("../../data/structures.txt").lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, events)) = line.split_once(" = ") {
            for event in events.split(' ') {
                grammar.by_event.insert(event.split_once('^').unwrap_or((event, "")), name);
            }
        } else if let Some((name, members)) = line.split_once(": ") {
            grammar.by_name.insert(name, grammar.structures.len());
            grammar.structures.push(read(name, members));
        }
    }
    grammar
});

fn read(name: &'static str, members: &'static str) -> Structure {
    let mut reader = Reader { tokens: tokens(members), at: 0, definitions: Vec::new() };
    reader.group(name, &[]);
    let mut structure = Structure { name, definitions: reader.definitions };
    // A group has a higher number than the group around it.
    for group in (0..structure.definitions.len()).rev() {
        complete(&mut structure, group);
    }
    structure
}

/// Fills in what follows from the members.
fn complete(structure: &mut Structure, group: usize) {
    let (mut first, mut all, mut nullable) = (HashSet::new(), HashSet::new(), true);
    for member in &structure.definitions[group].members {
        let (may_be_empty, starts): (bool, Vec<&'static str>) = match &member.of {
            Of::Segment(ids) => {
                all.extend(ids);
                (false, ids.clone())
            }
            Of::Group(inner) => {
                let inner = &structure.definitions[*inner];
                all.extend(&inner.all);
                (inner.nullable, inner.first.iter().copied().collect())
            }
        };
        if nullable {
            first.extend(starts);
        }
        nullable &= member.optional || may_be_empty;
    }
    let definition = &mut structure.definitions[group];
    (definition.first, definition.all, definition.nullable) = (first, all, nullable);
}

/// Brackets, names with a colon, and segment ids or choices of them.
fn tokens(text: &'static str) -> Vec<&'static str> {
    let mut tokens = Vec::new();
    for word in text.split(' ') {
        let mut rest = word;
        while let Some(at) = rest.find(['[', ']', '{', '}', '(', ')']) {
            if at > 0 {
                tokens.push(&rest[..at]);
            }
            tokens.push(&rest[at..=at]);
            rest = &rest[at + 1..];
        }
        if !rest.is_empty() {
            tokens.push(rest);
        }
    }
    tokens
}

struct Reader {
    tokens: Vec<&'static str>,
    at: usize,
    definitions: Vec<Definition>,
}

impl Reader {
    /// Reads members up to one of `ends`, or to the end of the line, as a group; gives its number.
    fn group(&mut self, name: &'static str, ends: &[&str]) -> usize {
        let number = self.definitions.len();
        let (first, all) = (HashSet::new(), HashSet::new());
        self.definitions.push(Definition { name, members: Vec::new(), first, all, nullable: false });
        while let Some(&token) = self.tokens.get(self.at).filter(|token| !ends.contains(token)) {
            let member = self.member(token);
            self.definitions[number].members.push(member);
        }
        number
    }

    fn member(&mut self, token: &'static str) -> Member {
        self.at += 1;
        let close = match token {
            "[" => "]",
            "{" => "}",
            "(" => ")",
            _ => return Member { of: self.of(token), optional: false, repeats: false },
        };
        let inner = self.tokens.get(self.at).copied().unwrap_or(close);
        let mut member = if matches!(inner, "[" | "{" | "(") {
            self.member(inner)
        } else {
            self.at += 1;
            Member { of: self.of(inner), optional: false, repeats: false }
        };
        // The closing bracket.
        self.at += 1;
        member.optional |= token == "[";
        member.repeats |= token == "{";
        member
    }

    fn of(&mut self, token: &'static str) -> Of {
        match token.strip_suffix(':') {
            Some(name) => Of::Group(self.group(name, &["]", "}", ")"])),
            None => Of::Segment(token.trim_matches(['<', '>']).split('|').collect()),
        }
    }
}

/// The structure of messages that have none of their own.
pub(super) const UNKNOWN: &str = "UNKNOWN";
