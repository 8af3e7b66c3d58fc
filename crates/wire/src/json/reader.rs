//! One pass over the text that notes where values stand. It keeps a stack of its own: no input makes it recurse.

use super::text::{decode, string_length};
use crate::issue::{Issue, IssueCode, IssueList};
use crate::tree::{CONTAINER, ElementEntry, ITEM, NAME_ESCAPED, NIL, NONE, STRING, Tree};
use crate::{Limits, NotAMessage};

/// Reads a whole document of at most `nodes` values. Offsets of refusals refer to the text.
pub(super) fn read(text: &str, limits: &Limits, nodes: usize, issues: &mut IssueList) -> Result<Tree, NotAMessage> {
    let mut tree = Tree::default();
    tree.elements.reserve_exact(values(text.as_bytes()).min(nodes));
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, tree, stack: Vec::new(), limits, nodes };
    reader.run()?;
    reader.flag_repeated(issues);
    Ok(reader.tree)
}

/// How many values the document may have: one for each comma and each bracket that stand outside of strings, and one
/// more. Room for all of them is asked for at once, so that none is held twice while it grows.
fn values(bytes: &[u8]) -> usize {
    let (mut count, mut at) = (1, 0);
    while let Some(&b) = bytes.get(at) {
        match b {
            b',' | b'[' | b'{' => count += 1,
            b'"' => at += 1 + string_length(&bytes[at + 1..]),
            _ => {}
        }
        at += 1;
    }
    count
}

/// The state of one pass.
struct Reader<'t, 'p> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    tree: Tree,
    /// The open objects and arrays, from the document inwards.
    stack: Vec<Open>,
    limits: &'p Limits,
    nodes: usize,
}

/// An open object or array.
#[derive(Clone, Copy)]
struct Open {
    /// The element whose content this is; of a member's array the element is that of the object around.
    element: u32,
    kind: Kind,
    /// What the values of an array are called.
    key: Key,
    /// The array is an element of its own, and not just a repetition of the member.
    owns: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    Array,
}

/// The name of a member as it stands in the text.
#[derive(Clone, Copy)]
struct Key {
    start: u32,
    length: u16,
    escaped: bool,
}

const NO_KEY: Key = Key { start: NONE, length: 0, escaped: false };

impl Reader<'_, '_> {
    fn run(&mut self) -> Result<(), NotAMessage> {
        self.blanks();
        self.value(NO_KEY, false)?;
        while let Some(&open) = self.stack.last() {
            self.blanks();
            match (open.kind, self.bytes.get(self.at)) {
                (Kind::Object, Some(b'}')) | (Kind::Array, Some(b']')) => {
                    self.at += 1;
                    self.close(open);
                    self.after_value()?;
                }
                (Kind::Object, Some(b'"')) => {
                    let key = self.key()?;
                    self.value(key, false)?;
                }
                (Kind::Array, Some(_)) => self.value(open.key, true)?,
                _ => return Err(self.refused()),
            }
        }
        self.blanks();
        if self.at < self.bytes.len() { Err(self.refused()) } else { Ok(()) }
    }

    fn refused(&self) -> NotAMessage {
        NotAMessage::NotJson { raw_offset: self.at as u32 }
    }

    fn blanks(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n')).unwrap_or(rest.len());
    }

    /// What may follow a value: a comma and another one, or the end of what it stands in.
    fn after_value(&mut self) -> Result<(), NotAMessage> {
        let Some(open) = self.stack.last() else { return Ok(()) };
        let closing = if open.kind == Kind::Object { b'}' } else { b']' };
        self.blanks();
        match self.bytes.get(self.at) {
            Some(&b) if b == closing => Ok(()),
            Some(b',') => {
                self.at += 1;
                self.blanks();
                // A comma asks for another value.
                match self.bytes.get(self.at) {
                    Some(b'}' | b']') | None => Err(self.refused()),
                    Some(_) => Ok(()),
                }
            }
            _ => Err(self.refused()),
        }
    }

    /// The name of a member and the colon behind it.
    fn key(&mut self) -> Result<Key, NotAMessage> {
        let (start, end) = self.string()?;
        let length = u16::try_from(end - start).map_err(|_| NotAMessage::NameTooLong { raw_offset: start as u32 })?;
        let escaped = memchr::memchr(b'\\', &self.bytes[start..end]).is_some();
        self.blanks();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.refused());
        }
        self.at += 1;
        self.blanks();
        Ok(Key { start: start as u32, length, escaped })
    }

    /// One value; objects and arrays are opened, and closed by [`Self::run`].
    fn value(&mut self, key: Key, item: bool) -> Result<(), NotAMessage> {
        let from = self.at;
        match self.bytes.get(from) {
            Some(b'{') => return self.open(Kind::Object, key, item),
            Some(b'[') => return self.open(Kind::Array, key, item),
            Some(b'"') => {
                let (start, end) = self.string()?;
                self.element(key, item, STRING, start, end)?;
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                self.element(key, item, 0, from, self.at)?;
            }
            _ => {
                let rest = &self.bytes[from..];
                let word = ["null", "true", "false"].into_iter().find(|word| rest.starts_with(word.as_bytes()));
                let word = word.ok_or(self.refused())?;
                self.at += word.len();
                self.element(key, item, if word == "null" { NIL } else { 0 }, from, self.at)?;
            }
        }
        self.after_value()
    }

    fn open(&mut self, kind: Kind, key: Key, item: bool) -> Result<(), NotAMessage> {
        if self.stack.len() >= self.limits.json_depth_max {
            let limit = self.limits.json_depth_max;
            return Err(NotAMessage::TooDeep { limit, raw_offset: self.at as u32 });
        }
        let start = self.at;
        self.at += 1;
        let around = self.stack.last().map(|open| open.element);
        // The array of a member is its values; every other array and every object is an element by itself.
        let open = match (kind, around) {
            (Kind::Array, Some(element)) if !item => Open { element, kind, key, owns: false },
            (Kind::Array, _) => {
                let element = self.element(key, item, CONTAINER, start, start)?;
                Open { element, kind, key: NO_KEY, owns: true }
            }
            (Kind::Object, _) => {
                let element = self.element(key, item, CONTAINER, start, start)?;
                Open { element, kind, key: NO_KEY, owns: true }
            }
        };
        self.stack.push(open);
        Ok(())
    }

    fn close(&mut self, open: Open) {
        self.stack.pop();
        if open.owns {
            let next = self.tree.elements.len() as u32;
            let entry = &mut self.tree.elements[open.element as usize];
            (entry.end, entry.next) = (self.at as u32, next);
        }
    }

    fn element(&mut self, key: Key, item: bool, flags: u8, start: usize, end: usize) -> Result<u32, NotAMessage> {
        if self.tree.elements.len() >= self.nodes {
            return Err(NotAMessage::TooManyNodes { limit: self.limits.json_nodes_max });
        }
        if end - start > self.limits.leaf_bytes_max {
            return Err(NotAMessage::LeafTooLarge { limit: self.limits.leaf_bytes_max, raw_offset: start as u32 });
        }
        let number = self.tree.elements.len() as u32;
        let escaped = if key.escaped { NAME_ESCAPED } else { 0 };
        if key.escaped {
            let raw = &self.text[key.start as usize..][..usize::from(key.length)];
            self.tree.names.push((number, decode(raw).into()));
        }
        self.tree.elements.push(ElementEntry {
            name: key.start,
            name_length: key.length,
            prefix: 0,
            flags: flags | escaped | if item { ITEM } else { 0 },
            start: start as u32,
            end: end as u32,
            parent: self.stack.last().map_or(NONE, |open| open.element),
            next: number + 1,
            attributes: 0,
        });
        Ok(number)
    }

    /// The content of the string that starts here.
    fn string(&mut self) -> Result<(usize, usize), NotAMessage> {
        let start = self.at + 1;
        self.at = start;
        loop {
            let rest = &self.bytes[self.at..];
            let plain = &rest[..memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len())];
            if plain.iter().fold(false, |found, &b| found | (b < b' ')) {
                self.at += plain.iter().position(|&b| b < b' ').unwrap_or(0);
                return Err(self.refused());
            }
            self.at += plain.len();
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok((start, self.at - 1));
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(self.refused()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotAMessage> {
        self.at += match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or(self.refused())?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(self.refused());
                }
                6
            }
            _ => return Err(self.refused()),
        };
        Ok(())
    }

    /// Passes over a number, RFC 8259 section 6.
    fn number(&mut self) -> Result<(), NotAMessage> {
        self.at += usize::from(self.bytes[self.at] == b'-');
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), NotAMessage> {
        let rest = &self.bytes[self.at..];
        let count = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        if count == 0 { Err(self.refused()) } else { Ok(()) }
    }

    /// Flags members of one object that have the same name and are not the values of one array.
    fn flag_repeated(&self, issues: &mut IssueList) {
        let elements = &self.tree.elements;
        let mut repeated: Vec<u32> = Vec::new();
        let mut members: Vec<u32> = Vec::new();
        for (number, element) in (0..).zip(elements).filter(|(_, element)| element.has(CONTAINER)) {
            members.clear();
            let mut child: u32 = number + 1;
            while child < element.next {
                let entry = &elements[child as usize];
                // The values of an array share the place of their name.
                if entry.name != NONE && members.last().is_none_or(|&last| elements[last as usize].name != entry.name) {
                    members.push(child);
                }
                child = entry.next;
            }
            self.find_repeated(&mut members, &mut repeated);
        }
        repeated.sort_unstable();
        for at in repeated {
            issues.push(|| Issue::new(IssueCode::MemberRepeated, at));
        }
    }

    /// Adds where the names stand that another member before them has.
    fn find_repeated(&self, members: &mut [u32], repeated: &mut Vec<u32>) {
        let name = |number: u32| self.tree.name(number, self.text);
        let place = |number: u32| self.tree.elements[number as usize].name;
        if members.len() <= FEW {
            let again = |&at: &usize| members[..at].iter().any(|&other| name(other) == name(members[at]));
            repeated.extend((1..members.len()).filter(again).map(|at| place(members[at])));
            return;
        }
        members.sort_by(|&a, &b| name(a).cmp(name(b)));
        for same in members.chunk_by(|&a, &b| name(a) == name(b)) {
            repeated.extend(same[1..].iter().map(|&number| place(number)));
        }
    }
}

/// So many names are compared one by one; more are sorted.
const FEW: usize = 16;
