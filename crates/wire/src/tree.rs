//! The index of a tree: elements and attributes as offsets into the text, in the order of the document.

use std::sync::OnceLock;

use crate::inspect::inspect;
use crate::issue::{Issue, IssueCode, IssueList};
use crate::message::{Locator, Shape};
use crate::{Message, NotAMessage};

/// Elements in the order in which they open, and their attributes in the same order.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) elements: Vec<ElementEntry>,
    pub(crate) attributes: Vec<AttributeEntry>,
    /// Names of JSON members that hold escapes, decoded, by element.
    pub(crate) names: Vec<(u32, Box<str>)>,
    ordinals: OnceLock<Box<[Ordinal]>>,
}

/// One element of XML, or one value of JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ElementEntry {
    /// Where the local name, or the name of the member, starts.
    pub(crate) name: u32,
    pub(crate) name_length: u16,
    /// Bytes of a namespace prefix before the name, its colon included.
    pub(crate) prefix: u8,
    pub(crate) flags: u8,
    /// The content: between the tags of XML, between the quotation marks of a JSON string, else the whole value.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// `NONE` for the root.
    pub(crate) parent: u32,
    /// The number of the first element behind this one and all that is in it.
    pub(crate) next: u32,
    /// The number of its first attribute; those of the next element end them.
    pub(crate) attributes: u32,
}

/// `<a/>`: there is no end tag, and the content stands behind the tag.
pub(crate) const EMPTY_TAG: u8 = 1;
/// `xsi:nil`, or a JSON null.
pub(crate) const NIL: u8 = 1 << 1;
/// The element itself holds more character data than blanks.
pub(crate) const TEXT: u8 = 1 << 2;
/// The end tag is missing.
pub(crate) const UNCLOSED: u8 = 1 << 3;
/// A JSON value within an array.
pub(crate) const ITEM: u8 = 1 << 4;
/// A JSON string.
pub(crate) const STRING: u8 = 1 << 5;
/// A JSON object or array.
pub(crate) const CONTAINER: u8 = 1 << 6;
/// The name is one of `Tree::names`.
pub(crate) const NAME_ESCAPED: u8 = 1 << 7;

/// No element.
pub(crate) const NONE: u32 = u32::MAX;

impl ElementEntry {
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Where `<` of the start tag stands.
    pub(crate) fn open(&self) -> u32 {
        self.name - u32::from(self.prefix) - 1
    }
}

/// One attribute.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttributeEntry {
    /// Where the local name starts.
    pub(crate) name: u32,
    pub(crate) name_length: u16,
    /// Bytes of a namespace prefix before the name, its colon included.
    pub(crate) prefix: u8,
    /// A namespace declaration.
    pub(crate) declares: bool,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Which of its siblings of the same name an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ordinal {
    pub(crate) number: u32,
    pub(crate) alone: bool,
}

impl Tree {
    /// The attributes of an element, as a range of `attributes`.
    pub(crate) fn attributes_of(&self, element: u32) -> std::ops::Range<u32> {
        let low = self.elements[element as usize].attributes;
        let high = self.elements.get(element as usize + 1).map_or(self.attributes.len() as u32, |next| next.attributes);
        low..high
    }

    /// Where the element ends in the text, its end tag or closing quotation mark included.
    pub(crate) fn end_of(&self, element: u32, text: &[u8], xml: bool) -> u32 {
        let entry = &self.elements[element as usize];
        if !xml {
            return entry.end + u32::from(entry.has(STRING));
        }
        if entry.has(EMPTY_TAG | UNCLOSED) {
            return entry.end;
        }
        let tag = &text[entry.end as usize..];
        entry.end + memchr::memchr(b'>', tag).map_or(tag.len(), |at| at + 1) as u32
    }

    /// The name of an element without its namespace prefix.
    pub(crate) fn name<'t>(&'t self, element: u32, text: &'t str) -> &'t str {
        let entry = &self.elements[element as usize];
        if entry.has(NAME_ESCAPED) {
            let at = self.names.binary_search_by_key(&element, |(of, _)| *of);
            return at.map_or("", |at| &self.names[at].1);
        }
        if entry.name == NONE {
            return "";
        }
        &text[entry.name as usize..][..usize::from(entry.name_length)]
    }

    /// The ordinals of all elements among their siblings, found once for all when the first is asked for.
    pub(crate) fn ordinal(&self, element: u32, text: &str) -> Ordinal {
        self.ordinals.get_or_init(|| self.count_ordinals(text))[element as usize]
    }

    fn count_ordinals(&self, text: &str) -> Box<[Ordinal]> {
        let mut ordinals = vec![Ordinal { number: 1, alone: true }; self.elements.len()].into_boxed_slice();
        let mut order: Vec<u32> = (0..self.elements.len() as u32).collect();
        let key = |&element: &u32| (self.elements[element as usize].parent, self.name(element, text));
        order.sort_by(|a, b| key(a).cmp(&key(b)));
        for same in order.chunk_by(|a, b| key(a) == key(b)) {
            for (number, &element) in (1..).zip(same) {
                ordinals[element as usize] = Ordinal { number, alone: same.len() == 1 };
            }
        }
        ordinals
    }
}

/// Gives a message whose text is known its tree: `read` finds the parts, then the findings get their places.
pub(crate) fn grow<'a>(
    mut message: Message<'a>,
    mut issues: IssueList,
    read: impl FnOnce(&str, &mut IssueList) -> Result<Shape, NotAMessage>,
) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
    message.shape =
        read(&message.text, &mut issues).map_err(|error| error.moved(|text_offset| message.raw_offset(text_offset)))?;
    inspect(&message, &mut issues);
    let mut issues = issues.into_vec();
    locate(&message, &mut issues);
    Ok((message, issues))
}

/// Puts the issues in the order of the text and fills in their places: the path of the innermost element around.
fn locate(message: &Message<'_>, issues: &mut [Issue]) {
    issues.sort_by_key(|issue| (issue.code == IssueCode::MoreIssues, issue.text_offset));
    let mut locator = Locator::new(message);
    for issue in issues {
        issue.raw_offset = locator.raw_offset(issue.text_offset);
        if issue.path.is_none() && issue.code != IssueCode::MoreIssues {
            issue.path = message.root().and_then(|root| root.around(issue.text_offset)).map(|element| element.path());
        }
    }
}
