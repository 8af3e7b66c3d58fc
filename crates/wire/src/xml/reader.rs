//! One pass over the text that notes where elements and attributes stand.

use super::{CDATA_END, CDATA_START, reference};
use crate::issue::{Issue, IssueCode, IssueList};
use crate::tree::{AttributeEntry, EMPTY_TAG, ElementEntry, NIL, NONE, TEXT, Tree, UNCLOSED};
use crate::{Limits, NotAMessage};

/// Reads a whole document of at most `nodes` elements and attributes. Offsets of refusals refer to the text.
pub(super) fn read(text: &str, limits: &Limits, nodes: usize, issues: &mut IssueList) -> Result<Tree, NotAMessage> {
    let mut tree = Tree::default();
    tree.elements.reserve_exact(starts(text.as_bytes()).min(nodes.saturating_add(1)));
    let mut reader = Reader { text, bytes: text.as_bytes(), tree, stack: Vec::new(), limits, nodes, issues };
    reader.run()?;
    let mut tree = reader.tree;
    if tree.attributes.capacity() > 2 * tree.attributes.len() {
        tree.attributes.shrink_to_fit();
    }
    Ok(tree)
}

/// How many start tags the document may have.
fn starts(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'<', bytes).filter(|&at| bytes.get(at + 1).is_some_and(|&b| starts_name(b))).count()
}

/// The state of one pass.
struct Reader<'t, 'p> {
    text: &'t str,
    bytes: &'t [u8],
    tree: Tree,
    /// The open elements, from the root inwards.
    stack: Vec<u32>,
    limits: &'p Limits,
    nodes: usize,
    issues: &'p mut IssueList,
}

impl Reader<'_, '_> {
    fn run(&mut self) -> Result<(), NotAMessage> {
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'<', &self.bytes[at..]) {
            let tag = at + found;
            self.data(at, tag)?;
            at = match self.bytes.get(tag + 1) {
                Some(b'/') => self.end_tag(tag),
                Some(b'!') => self.declaration(tag)?,
                Some(b'?') => self.instruction(tag),
                Some(&b) if starts_name(b) => {
                    if self.stack.is_empty() && !self.tree.elements.is_empty() {
                        self.issue(IssueCode::TrailingContent, tag);
                        return Ok(());
                    }
                    self.start_tag(tag)?
                }
                _ => {
                    self.issue(IssueCode::MarkupStray, tag);
                    self.mark_text();
                    tag + 1
                }
            };
        }
        self.data(at, self.bytes.len())?;
        let Some(&innermost) = self.stack.last() else {
            let none = self.tree.elements.is_empty();
            return if none { Err(NotAMessage::NoRoot { raw_offset: self.first_visible() }) } else { Ok(()) };
        };
        self.issue(IssueCode::ElementUnclosed, self.tree.elements[innermost as usize].open() as usize);
        self.close_to(0, self.bytes.len(), UNCLOSED);
        Ok(())
    }

    fn first_visible(&self) -> u32 {
        self.bytes.iter().position(|&b| b > b' ').unwrap_or(0) as u32
    }

    fn issue(&mut self, code: IssueCode, at: usize) {
        self.issues.push(|| Issue::new(code, at as u32));
    }

    /// The innermost open element has text of its own.
    fn mark_text(&mut self) {
        if let Some(&open) = self.stack.last() {
            self.tree.elements[open as usize].flags |= TEXT;
        }
    }

    /// Character data between two pieces of markup.
    fn data(&mut self, from: usize, to: usize) -> Result<(), NotAMessage> {
        let data = &self.bytes[from..to];
        if data.len() > self.limits.leaf_bytes_max {
            return Err(NotAMessage::LeafTooLarge { limit: self.limits.leaf_bytes_max, raw_offset: from as u32 });
        }
        if data.iter().all(|&b| b <= b' ') {
            return Ok(());
        }
        if self.stack.is_empty() {
            let before = self.tree.elements.is_empty();
            let first = from + data.iter().position(|&b| b > b' ').unwrap_or(0);
            self.issue(if before { IssueCode::LeadingBytes } else { IssueCode::TrailingContent }, first);
            return Ok(());
        }
        self.mark_text();
        self.references(from, to);
        Ok(())
    }

    /// Flags what begins like an entity and is none that is decoded.
    fn references(&mut self, from: usize, to: usize) {
        for at in memchr::memchr_iter(b'&', &self.bytes[from..to]) {
            if reference(&self.text[from + at..to]).is_none() {
                self.issue(IssueCode::EntityUnknown, from + at);
            }
        }
    }

    /// A comment, CDATA, or what must not be.
    fn declaration(&mut self, at: usize) -> Result<usize, NotAMessage> {
        let rest = &self.text[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            let end = memchr::memmem::find(comment.as_bytes(), b"-->").map(|end| at + 7 + end);
            return Ok(self.or_unclosed(end, at));
        }
        if let Some(data) = rest.strip_prefix(CDATA_START) {
            let length = memchr::memmem::find(data.as_bytes(), CDATA_END.as_bytes());
            let data = &data[..length.unwrap_or(data.len())];
            if data.len() > self.limits.leaf_bytes_max {
                return Err(NotAMessage::LeafTooLarge { limit: self.limits.leaf_bytes_max, raw_offset: at as u32 });
            }
            if !data.trim_ascii().is_empty() {
                self.mark_text();
            }
            let end = length.map(|length| at + CDATA_START.len() + length + CDATA_END.len());
            return Ok(self.or_unclosed(end, at));
        }
        let named = rest.get(2..9).is_some_and(|name| name.eq_ignore_ascii_case("DOCTYPE"));
        if named || self.stack.is_empty() {
            return Err(NotAMessage::Doctype { raw_offset: at as u32 });
        }
        self.issue(IssueCode::MarkupStray, at);
        self.mark_text();
        Ok(at + 1)
    }

    fn instruction(&mut self, at: usize) -> usize {
        let end = memchr::memmem::find(&self.bytes[at..], b"?>").map(|end| at + end + 2);
        self.or_unclosed(end, at)
    }

    /// What never ends reaches to the end of the text.
    fn or_unclosed(&mut self, end: Option<usize>, at: usize) -> usize {
        end.unwrap_or_else(|| {
            self.issue(IssueCode::MarkupUnclosed, at);
            self.bytes.len()
        })
    }

    fn end_tag(&mut self, at: usize) -> usize {
        let start = at + 2;
        let length = name_length(&self.bytes[start..]);
        let name = &self.bytes[start..start + length];
        let found = memchr::memchr(b'>', &self.bytes[start + length..]).map(|end| start + length + end + 1);
        let end = self.or_unclosed(found, at);
        let depth = self.stack.iter().rposition(|&open| self.full_name(open) == name);
        match depth {
            Some(depth) => {
                if depth + 1 < self.stack.len() {
                    let unclosed = self.stack[depth + 1];
                    self.issue(IssueCode::ElementUnclosed, self.tree.elements[unclosed as usize].open() as usize);
                    self.close_to(depth + 1, at, UNCLOSED);
                }
                self.close_to(depth, at, if found.is_some() { 0 } else { UNCLOSED });
            }
            None => self.issue(IssueCode::EndTagStray, at),
        }
        end
    }

    fn full_name(&self, element: u32) -> &[u8] {
        let entry = &self.tree.elements[element as usize];
        &self.bytes[entry.open() as usize + 1..entry.name as usize + usize::from(entry.name_length)]
    }

    /// Closes the open elements until `depth` remain.
    fn close_to(&mut self, depth: usize, end: usize, flag: u8) {
        let next = self.tree.elements.len() as u32;
        for open in self.stack.drain(depth..) {
            let entry = &mut self.tree.elements[open as usize];
            (entry.end, entry.next) = (end as u32, next);
            entry.flags |= flag;
            // What says that it is nil and has content is no null: all of it is kept.
            if next > open + 1 || entry.has(TEXT) {
                entry.flags &= !NIL;
            }
        }
    }

    fn start_tag(&mut self, at: usize) -> Result<usize, NotAMessage> {
        let name = self.name(at + 1)?;
        if self.stack.len() >= self.limits.xml_depth_max {
            return Err(NotAMessage::TooDeep { limit: self.limits.xml_depth_max, raw_offset: at as u32 });
        }
        let first = self.tree.attributes.len();
        let element = self.tree.elements.len() as u32;
        self.tree.elements.push(ElementEntry {
            name: name.start as u32,
            name_length: name.length,
            prefix: name.prefix,
            flags: 0,
            start: 0,
            end: 0,
            parent: self.stack.last().copied().unwrap_or(NONE),
            next: element + 1,
            attributes: first as u32,
        });
        self.check_nodes()?;
        let (content, closing) = self.attributes(at, name.end())?;
        let entry = &mut self.tree.elements[element as usize];
        (entry.start, entry.end) = (content as u32, content as u32);
        match closing {
            Closing::Empty => entry.flags |= EMPTY_TAG,
            Closing::Open => self.stack.push(element),
            Closing::Missing => {
                self.stack.push(element);
                self.issue(IssueCode::MarkupUnclosed, at);
            }
        }
        if !matches!(closing, Closing::Missing) && self.is_nil(first) {
            self.tree.elements[element as usize].flags |= NIL;
        }
        self.check_repeated(first);
        Ok(content)
    }

    fn check_nodes(&self) -> Result<(), NotAMessage> {
        if self.tree.elements.len() + self.tree.attributes.len() > self.nodes {
            return Err(NotAMessage::TooManyNodes { limit: self.limits.xml_nodes_max });
        }
        Ok(())
    }

    /// Reads attributes up to the end of the tag; gives where the content starts.
    fn attributes(&mut self, tag: usize, from: usize) -> Result<(usize, Closing), NotAMessage> {
        let first = self.tree.attributes.len();
        let mut at = from;
        loop {
            match self.bytes.get(at) {
                None => return Ok((at, Closing::Missing)),
                Some(b'>') => return Ok((at + 1, Closing::Open)),
                Some(b'/') if self.bytes.get(at + 1) == Some(&b'>') => return Ok((at + 2, Closing::Empty)),
                Some(b'<') => return Ok((at, Closing::Missing)),
                Some(b' ' | b'\t' | b'\r' | b'\n') => at += 1,
                Some(&b) if starts_name(b) => {
                    at = self.attribute(at)?;
                    if self.tree.attributes.len() - first > self.limits.attributes_max {
                        let limit = self.limits.attributes_max;
                        return Err(NotAMessage::TooManyAttributes { limit, raw_offset: tag as u32 });
                    }
                    self.check_nodes()?;
                }
                Some(_) => {
                    self.issue(IssueCode::MarkupStray, at);
                    at += 1;
                }
            }
        }
    }

    /// Reads one attribute; gives where it ends.
    fn attribute(&mut self, at: usize) -> Result<usize, NotAMessage> {
        let name = self.name(at)?;
        let equals = name.end() + blanks(&self.bytes[name.end()..]);
        let (start, end, after) = if self.bytes.get(equals) == Some(&b'=') {
            let value = equals + 1 + blanks(&self.bytes[equals + 1..]);
            self.value(value)
        } else {
            self.issue(IssueCode::AttributeUnquoted, at);
            (name.end(), name.end(), name.end())
        };
        if end - start > self.limits.leaf_bytes_max {
            return Err(NotAMessage::LeafTooLarge { limit: self.limits.leaf_bytes_max, raw_offset: start as u32 });
        }
        self.references(start, end);
        let (prefix, local) = self.text[at..name.end()].split_at(usize::from(name.prefix));
        self.tree.attributes.push(AttributeEntry {
            name: name.start as u32,
            name_length: name.length,
            prefix: name.prefix,
            declares: prefix == "xmlns:" || (prefix.is_empty() && local == "xmlns"),
            start: start as u32,
            end: end as u32,
        });
        Ok(after)
    }

    /// The value that starts here: its start, its end, and where reading goes on.
    fn value(&mut self, at: usize) -> (usize, usize, usize) {
        if let Some(&quote @ (b'"' | b'\'')) = self.bytes.get(at)
            && let Some(length) = memchr::memchr(quote, &self.bytes[at + 1..])
        {
            let (start, end) = (at + 1, at + 1 + length);
            if let Some(sign) = memchr::memchr(b'<', &self.bytes[start..end]) {
                self.issue(IssueCode::MarkupStray, start + sign);
            }
            return (start, end, end + 1);
        }
        self.issue(IssueCode::AttributeUnquoted, at);
        let rest = &self.bytes[at..];
        let ends = |&b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'>' | b'<');
        let end = at + rest.iter().position(ends).unwrap_or(rest.len());
        (at, end, end)
    }

    fn name(&self, at: usize) -> Result<Name, NotAMessage> {
        let length = name_length(&self.bytes[at..]);
        let name = &self.bytes[at..at + length];
        let colon = memchr::memchr(b':', name).filter(|&colon| colon > 0 && colon + 1 < length);
        let prefix = colon.and_then(|colon| u8::try_from(colon + 1).ok()).unwrap_or(0);
        let start = at + usize::from(prefix);
        match u16::try_from(at + length - start) {
            Ok(length) => Ok(Name { start, length, prefix }),
            Err(_) => Err(NotAMessage::NameTooLong { raw_offset: at as u32 }),
        }
    }

    /// One of the attributes from this number on is `xsi:nil`, XML Schema part 1, section 2.6.2.
    fn is_nil(&self, first: usize) -> bool {
        self.tree.attributes[first..].iter().any(|attribute| {
            let name = &self.bytes[attribute.name as usize..][..usize::from(attribute.name_length)];
            let value = &self.bytes[attribute.start as usize..attribute.end as usize];
            attribute.prefix > 0 && name == b"nil" && matches!(value, b"true" | b"1")
        })
    }

    /// Flags attributes of the same name on one element.
    fn check_repeated(&mut self, first: usize) {
        let attributes = &self.tree.attributes[first..];
        if attributes.len() < 2 {
            return;
        }
        let name = |attribute: &AttributeEntry| {
            let start = attribute.name as usize - usize::from(attribute.prefix);
            &self.bytes[start..attribute.name as usize + usize::from(attribute.name_length)]
        };
        let earlier = |at: usize| attributes[..at].iter().any(|other| name(other) == name(&attributes[at]));
        let repeated = (1..attributes.len()).find(|&at| earlier(at)).map(|at| attributes[at].name);
        if let Some(at) = repeated {
            self.issue(IssueCode::AttributeRepeated, at as usize);
        }
    }
}

/// A name in the text.
struct Name {
    /// Where the local name starts.
    start: usize,
    length: u16,
    prefix: u8,
}

impl Name {
    fn end(&self) -> usize {
        self.start + usize::from(self.length)
    }
}

/// How a start tag ended.
enum Closing {
    Open,
    Empty,
    Missing,
}

/// The bytes of a start tag at the start of `bytes`, as [`Reader::attributes`] reads it.
pub(super) fn tag_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&b) = bytes.get(at) {
        match b {
            b'>' => return at + 1,
            b'<' => return at,
            b'=' => {
                at += 1 + blanks(&bytes[at + 1..]);
                if let Some(&quote @ (b'"' | b'\'')) = bytes.get(at) {
                    at += memchr::memchr(quote, &bytes[at + 1..]).map_or(1, |length| length + 2);
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().position(|&b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n')).unwrap_or(bytes.len())
}

/// The bytes of the name at the start.
pub(super) fn name_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|&b| !IN_NAME[usize::from(b)]).unwrap_or(bytes.len())
}

/// A name may start with this byte. All characters beyond ASCII count as letters.
pub(super) fn starts_name(b: u8) -> bool {
    IN_NAME[usize::from(b)] && !matches!(b, b'-' | b'.' | b'0'..=b'9')
}

/// The bytes of names, XML 1.0 section 2.3.
const IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        table[b] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':') || byte >= 0x80;
        b += 1;
    }
    table
};
