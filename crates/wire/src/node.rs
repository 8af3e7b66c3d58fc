use std::borrow::Cow;
use std::ops::Range;

use crate::{Format, Message, delimited, escape, json, xml};

/// The level of a node below a segment or row. What stands in a tree has the finest level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A field with all its repetitions.
    Field,
    /// One repetition of a field.
    Repetition,
    /// A component of a repetition.
    Component,
    /// A subcomponent of a component.
    Subcomponent,
}

/// What a sender says by a place of a message, HL7 v2 chapter 2, null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    /// The message ends before the place, or has no such element: no statement.
    Absent,
    /// Nothing between the delimiters, the tags or the quotation marks: no statement.
    Empty,
    /// The value is to be deleted: in ER7 two quotation marks and nothing else, in XML `xsi:nil`, in JSON `null`.
    Null,
    /// A value.
    Value,
}

/// What a node is beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Data.
    Plain,
    /// The message ends before the place.
    Absent,
    /// A mark beside the text says that the value is to be deleted.
    Null,
    /// The value of an attribute.
    Attribute,
    /// A JSON value that is no string: nothing in it is an escape.
    Literal,
}

/// A view of one place: a field, repetition, component or subcomponent, a cell or part of one, the character data of an
/// element, the value of an attribute.
#[derive(Debug, Clone, Copy)]
pub struct Node<'m> {
    message: &'m Message<'m>,
    raw: &'m str,
    start: u32,
    /// The delimiters inside, as a range of the message's offsets.
    low: u32,
    high: u32,
    level: Level,
    state: State,
    escapes: bool,
}

impl<'m> Node<'m> {
    #[inline]
    pub(crate) fn new(
        message: &'m Message<'m>,
        level: Level,
        span: Range<u32>,
        inner: Range<u32>,
        escapes: bool,
    ) -> Self {
        let raw = &message.text[span.start as usize..span.end as usize];
        Self { message, raw, start: span.start, low: inner.start, high: inner.end, level, state: State::Plain, escapes }
    }

    /// A node of the finest level whose text the caller has cut out already.
    #[inline]
    pub(crate) fn finest(message: &'m Message<'m>, raw: &'m str, start: u32, escapes: bool) -> Self {
        Self { message, raw, start, low: 0, high: 0, level: Level::Subcomponent, state: State::Plain, escapes }
    }

    pub(crate) fn absent(message: &'m Message<'m>, level: Level, at: u32) -> Self {
        Self { message, raw: "", start: at, low: 0, high: 0, level, state: State::Absent, escapes: false }
    }

    /// A cell of a row: the quotation marks around it are no part of it. `quotes`: the row holds some.
    pub(crate) fn of_cell(message: &'m Message<'m>, span: Range<u32>, inner: Range<u32>, quotes: bool) -> Self {
        let mut span = span;
        let mut escapes = false;
        if quotes {
            let quote = message.delimiters.escape;
            let raw = &message.text.as_bytes()[span.start as usize..span.end as usize];
            if let [first, content @ .., last] = raw
                && *first == quote
                && *last == quote
            {
                escapes = memchr::memchr(quote, content).is_some();
                span = span.start + 1..span.end - 1;
            }
        }
        Self::new(message, Level::Field, span, inner, escapes)
    }

    /// A part of a tree.
    pub(crate) fn of_tree(message: &'m Message<'m>, span: Range<u32>, state: State) -> Self {
        let raw = &message.text[span.start as usize..span.end as usize];
        let escapes = match (state, message.format()) {
            (State::Literal, _) => false,
            (_, Format::Json) => memchr::memchr(b'\\', raw.as_bytes()).is_some(),
            (State::Attribute, _) => raw.bytes().any(|b| matches!(b, b'&' | b'\t' | b'\r' | b'\n')),
            _ => memchr::memchr3(b'&', b'<', b'\r', raw.as_bytes()).is_some(),
        };
        Self { message, raw, start: span.start, low: 0, high: 0, level: Level::Subcomponent, state, escapes }
    }

    fn end(&self) -> u32 {
        self.start + self.raw.len() as u32
    }

    /// The level of the node.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// The text as it was sent, escapes and delimiters included.
    #[inline]
    #[must_use]
    pub fn raw(&self) -> &'m str {
        self.raw
    }

    /// The text with its escapes decoded. Borrowed when there is nothing to decode. Delimiters of lower levels stay as
    /// they are, so read it from the smallest node.
    #[inline]
    #[must_use]
    pub fn text(&self) -> Cow<'m, str> {
        if !self.escapes {
            return Cow::Borrowed(self.raw());
        }
        match self.message.format() {
            Format::Er7 => escape::decode(self.raw(), self.message.delimiters, self.message.charset),
            Format::Xml => xml::decode(self.raw, self.state == State::Attribute),
            Format::Json => json::decode(self.raw),
            Format::Delimited => delimited::decode(self.raw, self.message.delimiters.escape),
        }
    }

    /// The text without blanks around it, ideographic ones included: a view, the tree keeps them.
    #[must_use]
    pub fn trimmed(&self) -> Cow<'m, str> {
        match self.text() {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        }
    }

    /// The value of an attribute.
    pub(crate) fn is_attribute(&self) -> bool {
        self.state == State::Attribute
    }

    /// The text may differ from what was sent.
    pub(crate) fn has_escapes(&self) -> bool {
        self.escapes
    }

    /// Nothing but blanks and marks that stand for no text, such as comments.
    pub(crate) fn says_nothing(&self) -> bool {
        let blank = self.raw.trim_ascii().is_empty();
        blank || (!self.raw.as_bytes()[0].is_ascii_alphanumeric() && self.text().trim().is_empty())
    }

    /// What the sender says by this place.
    #[inline]
    #[must_use]
    pub fn presence(&self) -> Presence {
        match self.raw.len() {
            0 if self.state == State::Absent => Presence::Absent,
            0 if self.state == State::Null => Presence::Null,
            0 => Presence::Empty,
            2 if self.raw == "\"\"" && self.message.format() == Format::Er7 => Presence::Null,
            _ => Presence::Value,
        }
    }

    /// Where it stands in the text.
    #[must_use]
    pub fn span(&self) -> Range<u32> {
        self.start..self.end()
    }

    /// The number of parts of the next level: of a field its repetitions, and so on; 0 when absent, and for a
    /// subcomponent.
    #[must_use]
    pub fn child_count(&self) -> u16 {
        if self.state == State::Absent || self.level == Level::Subcomponent {
            return 0;
        }
        let delimiter = self.child_delimiter();
        let bytes = self.message.text.as_bytes();
        let inner = &self.message.index.offsets()[self.low as usize..self.high as usize];
        let count = inner.iter().filter(|&&at| bytes[at as usize] == delimiter).count() + 1;
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    /// The parts of the next level, in order.
    pub fn children(&self) -> impl Iterator<Item = Node<'m>> + use<'m> {
        let parent = *self;
        let delimiter = self.child_delimiter();
        let offsets = self.message.index.offsets();
        let bytes = self.message.text.as_bytes();
        let mut low = self.low;
        let mut start = (self.state != State::Absent && self.level != Level::Subcomponent).then_some(self.start);
        std::iter::from_fn(move || {
            let from = start?;
            if parent.low == parent.high {
                start = None;
                return Some(parent.only_child(1));
            }
            let inner = low;
            while low < parent.high && bytes[offsets[low as usize] as usize] != delimiter {
                low += 1;
            }
            let end = if low < parent.high { offsets[low as usize] } else { parent.end() };
            start = (low < parent.high).then_some(end + 1);
            let node = Node::new(parent.message, parent.child_level(), from..end, inner..low, parent.escapes);
            low += 1;
            Some(node)
        })
    }

    /// The part of this 1-based number; an absent node when there is none.
    #[inline]
    #[must_use]
    pub fn child(&self, number: u16) -> Node<'m> {
        if self.low == self.high {
            return self.only_child(number);
        }
        let found = (number > 0).then(|| self.children().nth(usize::from(number) - 1)).flatten();
        found.unwrap_or_else(|| Node::absent(self.message, self.child_level(), self.end()))
    }

    /// The part of the next level where there is but one: no delimiter of that level stands inside.
    #[inline]
    #[must_use]
    pub fn sole_child(&self) -> Option<Node<'m>> {
        if self.state == State::Absent || self.level == Level::Subcomponent {
            return None;
        }
        let delimiter = self.child_delimiter();
        let bytes = self.message.text.as_bytes();
        let inner = &self.message.index.offsets()[self.low as usize..self.high as usize];
        let sole = !inner.iter().any(|&at| bytes[at as usize] == delimiter);
        sole.then(|| Node { level: self.child_level(), ..*self })
    }

    /// Whether no delimiter stands inside, so that the node is one value or nothing.
    #[inline]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.low == self.high
    }

    /// The first position below the node, or the node itself where it is one.
    #[inline]
    #[must_use]
    pub fn first_leaf(&self) -> Node<'m> {
        if self.low == self.high {
            return Node { level: Level::Subcomponent, ..*self };
        }
        let mut node = *self;
        while node.level != Level::Subcomponent {
            node = node.child(1);
        }
        node
    }

    /// The child of a node without delimiters inside: it is the whole, or not there.
    #[inline]
    fn only_child(&self, number: u16) -> Node<'m> {
        if number == 1 && self.state != State::Absent && self.level != Level::Subcomponent {
            return Node { level: self.child_level(), ..*self };
        }
        Node::absent(self.message, self.child_level(), self.end())
    }

    /// The text as runs and formatting commands. Only data of type FT holds commands; HL7 v2 chapter 2, formatted text.
    #[must_use]
    pub fn formatted(&self) -> Vec<escape::Run<'m>> {
        if self.message.format() != Format::Er7 {
            return vec![escape::Run::Text(self.text())];
        }
        escape::formatted(self.raw(), self.message.delimiters, self.message.charset)
    }

    /// The sender cut the value: from version 2.7 on it ends in the truncation character.
    #[must_use]
    pub fn truncated(&self) -> bool {
        self.message.truncates && self.raw().as_bytes().last() == Some(&self.message.delimiters.truncation)
    }

    fn child_level(&self) -> Level {
        match self.level {
            Level::Field => Level::Repetition,
            Level::Repetition => Level::Component,
            Level::Component | Level::Subcomponent => Level::Subcomponent,
        }
    }

    fn child_delimiter(&self) -> u8 {
        let delimiters = self.message.delimiters;
        match self.level {
            Level::Field => delimiters.repetition,
            Level::Repetition => delimiters.component,
            Level::Component | Level::Subcomponent => delimiters.subcomponent,
        }
    }
}
