use std::borrow::Cow;
use std::ops::Range;

use crate::{Message, escape};

/// The level of a node in the tree below a segment.
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
    /// The message ends before the place: no statement.
    Absent,
    /// Nothing between the delimiters: no statement.
    Empty,
    /// Two quotation marks and nothing else: the value is to be deleted.
    Null,
    /// A value.
    Value,
}

/// A view of a field, repetition, component or subcomponent.
#[derive(Debug, Clone, Copy)]
pub struct Node<'m> {
    message: &'m Message<'m>,
    raw: &'m str,
    start: u32,
    /// The delimiters inside, as a range of the message's offsets.
    low: u32,
    high: u32,
    level: Level,
    absent: bool,
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
        Self { message, raw, start: span.start, low: inner.start, high: inner.end, level, absent: false, escapes }
    }

    /// A node of the finest level whose text the caller has cut out already.
    #[inline]
    pub(crate) fn finest(message: &'m Message<'m>, raw: &'m str, start: u32, escapes: bool) -> Self {
        Self { message, raw, start, low: 0, high: 0, level: Level::Subcomponent, absent: false, escapes }
    }

    pub(crate) fn absent(message: &'m Message<'m>, level: Level, at: u32) -> Self {
        Self { message, raw: "", start: at, low: 0, high: 0, level, absent: true, escapes: false }
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
        escape::decode(self.raw(), self.message.delimiters, self.message.charset)
    }

    /// What the sender says by this place.
    #[inline]
    #[must_use]
    pub fn presence(&self) -> Presence {
        match self.raw.len() {
            0 if self.absent => Presence::Absent,
            0 => Presence::Empty,
            2 if self.raw == "\"\"" => Presence::Null,
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
        if self.absent || self.level == Level::Subcomponent {
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
        let mut start = (!self.absent && self.level != Level::Subcomponent).then_some(self.start);
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
        if number == 1 && !self.absent && self.level != Level::Subcomponent {
            return Node { level: self.child_level(), ..*self };
        }
        Node::absent(self.message, self.child_level(), self.end())
    }

    /// The text as runs and formatting commands. Only data of type FT holds commands; HL7 v2 chapter 2, formatted text.
    #[must_use]
    pub fn formatted(&self) -> Vec<escape::Run<'m>> {
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
