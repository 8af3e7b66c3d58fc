use std::borrow::Cow;

use crate::charset::Reason;
use crate::index::Index;
use crate::{Charset, Delimiters, Header, Leaves, Node, Path, Segment, escape, groups};

/// A message: the bytes it came in, the decoded text, and an index of its delimiters. Nothing is copied per field.
#[derive(Debug)]
pub struct Message<'a> {
    pub(crate) raw: &'a [u8],
    pub(crate) text: Cow<'a, str>,
    pub(crate) charset: Charset,
    pub(crate) reason: Reason,
    pub(crate) delimiters: Delimiters,
    pub(crate) index: Index,
    /// Bytes of a byte order mark, which the text lacks.
    pub(crate) mark_bytes: u32,
    /// Version 2.7 or later: a truncation character counts.
    pub(crate) truncates: bool,
}

impl<'a> Message<'a> {
    /// The bytes exactly as they came.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The decoded text, without a byte order mark. Offsets of nodes and issues refer to it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The character set the bytes were decoded with.
    #[must_use]
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// Why that character set.
    #[must_use]
    pub fn charset_reason(&self) -> Reason {
        self.reason
    }

    /// The delimiters of this message.
    #[must_use]
    pub fn delimiters(&self) -> Delimiters {
        self.delimiters
    }

    /// The segments in their order, raw lines among them.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = Segment<'_>> + ExactSizeIterator {
        (0..self.segment_count()).map(|index| self.segment(index))
    }

    /// The segment of this 0-based index.
    ///
    /// # Panics
    /// When there is no such segment; [`Self::segment_count`] tells.
    #[must_use]
    pub fn segment(&self, index: usize) -> Segment<'_> {
        Segment::new(self, index)
    }

    /// The number of segments, raw lines among them.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.index.segments().len()
    }

    /// The first segment of this id.
    #[must_use]
    pub fn first(&self, id: &str) -> Option<Segment<'_>> {
        self.segments().find(|segment| segment.id() == id)
    }

    /// The segment of this id and 1-based occurrence.
    #[must_use]
    pub fn occurrence(&self, id: &str, occurrence: usize) -> Option<Segment<'_>> {
        self.segments().find(|segment| segment.occurrence() == occurrence && segment.id() == id)
    }

    /// The node a path names, absent or not; `None` when the path's segment is not there or the path names a whole
    /// segment. A path with groups is looked up in [`groups::arrange`].
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<Node<'_>> {
        let segment = self.find(path)?;
        (path.field() > 0).then(|| segment.node(path))
    }

    /// The segment a path names.
    #[must_use]
    pub fn find(&self, path: &Path) -> Option<Segment<'_>> {
        if path.groups().is_empty() {
            return self.occurrence(path.segment(), usize::from(path.occurrence()));
        }
        groups::arrange(self, &mut Vec::new()).find(self, path)
    }

    /// Every value and null of the message, at its smallest position, in order.
    #[must_use]
    pub fn leaves(&self) -> Leaves<'_> {
        Leaves::new(self)
    }

    /// The number of leaves.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.leaves().count()
    }

    /// The fields of the header segment by name.
    #[must_use]
    pub fn header(&self) -> Header<'_> {
        Header::new(self.segment(0))
    }

    /// The bytes of this message with one value replaced; every other byte stays as it is. The value is escaped and
    /// encoded for this message; missing positions before it are filled with delimiters. An empty value empties the
    /// place.
    ///
    /// # Errors
    /// When the place cannot be addressed or the value cannot be written in this message.
    pub fn set(&self, path: &Path, value: &str) -> Result<Vec<u8>, SetError> {
        let segment = self.find(path).ok_or(SetError::NoSegment)?;
        if path.field() == 0 || segment.is_raw() || (segment.is_header() && path.field() <= 2) {
            return Err(SetError::NotAField);
        }
        let (span, fill) = segment.place(path, self.delimiters).ok_or(SetError::LevelOff)?;
        let escaped = escape::encode(value, self.delimiters).ok_or(SetError::Unescapable)?;
        let written = fill + &escaped;
        let encoded = self.charset.encode(&written).map_err(|_| SetError::Unencodable)?;
        let (from, to) = (self.raw_offset(span.start) as usize, self.raw_offset(span.end) as usize);
        let mut bytes = Vec::with_capacity(self.raw.len() + encoded.len());
        bytes.extend_from_slice(&self.raw[..from]);
        bytes.extend_from_slice(&encoded);
        bytes.extend_from_slice(&self.raw[to..]);
        Ok(bytes)
    }

    /// The offset in the raw bytes of an offset in the text. Where the text was decoded this walks the characters
    /// before it.
    #[must_use]
    pub fn raw_offset(&self, text_offset: u32) -> u32 {
        let mut locator = Locator::new(self);
        locator.raw_offset(text_offset)
    }
}

/// Finds raw offsets of text offsets in one walk, when they are asked for in ascending order.
pub(crate) struct Locator<'m> {
    message: &'m Message<'m>,
    text_at: usize,
    raw_at: usize,
}

impl<'m> Locator<'m> {
    pub(crate) fn new(message: &'m Message<'m>) -> Self {
        Self { message, text_at: 0, raw_at: message.mark_bytes as usize }
    }

    pub(crate) fn raw_offset(&mut self, text_offset: u32) -> u32 {
        let message = self.message;
        if matches!(message.text, Cow::Borrowed(_)) {
            return text_offset + message.mark_bytes;
        }
        if (text_offset as usize) < self.text_at {
            *self = Self::new(message);
        }
        let characters = message.text[self.text_at..text_offset as usize].chars().count();
        self.raw_at += message.charset.bytes_of(&message.raw[self.raw_at..], characters);
        self.text_at = text_offset as usize;
        self.raw_at as u32
    }
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAMessage {
    /// There is nothing but blanks.
    #[error("the input is empty")]
    Empty,
    /// The first line is none of MSH, FHS and BHS.
    #[error("no MSH, FHS or BHS segment stands at the start")]
    NoHeader {
        /// Where the header should stand.
        raw_offset: u32,
    },
    /// The delimiters of the header cannot be used.
    #[error("the header declares no usable delimiters")]
    Delimiters {
        /// Where the delimiters stand.
        raw_offset: u32,
    },
    /// The bytes are UTF-16.
    #[error("the bytes are UTF-16")]
    Utf16,
    /// The bytes are not of the character set they should be of.
    #[error("the bytes are not valid {charset}")]
    Undecodable {
        /// The character set that was tried.
        charset: Charset,
        /// The first byte that is no character.
        raw_offset: u32,
    },
    /// More bytes than a message may have.
    #[error("the message is larger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// More segments than a message may have.
    #[error("the message has more than {limit} segments")]
    TooManySegments {
        /// The limit.
        limit: usize,
    },
    /// More positions than a message may have.
    #[error("the message has more than {limit} positions")]
    TooManyLeaves {
        /// The limit.
        limit: usize,
    },
    /// A position larger than one may be.
    #[error("a position is larger than {limit} bytes")]
    LeafTooLarge {
        /// The limit, in bytes.
        limit: usize,
        /// Where it starts.
        raw_offset: u32,
    },
}

impl NotAMessage {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NoHeader { .. } => "no-header",
            Self::Delimiters { .. } => "delimiters",
            Self::Utf16 => "utf-16",
            Self::Undecodable { .. } => "undecodable",
            Self::TooLarge { .. } => "too-large",
            Self::TooManySegments { .. } => "too-many-segments",
            Self::TooManyLeaves { .. } => "too-many-leaves",
            Self::LeafTooLarge { .. } => "leaf-too-large",
        }
    }

    /// The byte that decided it; 0 where it is the whole input.
    #[must_use]
    pub fn raw_offset(&self) -> u32 {
        match *self {
            Self::NoHeader { raw_offset }
            | Self::Delimiters { raw_offset }
            | Self::Undecodable { raw_offset, .. }
            | Self::LeafTooLarge { raw_offset, .. } => raw_offset,
            _ => 0,
        }
    }
}

/// Why a value could not be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The path names a segment that is not there.
    #[error("the message has no such segment")]
    NoSegment,
    /// The path names a segment, a raw line, or the delimiters.
    #[error("the path does not name a field that can be set")]
    NotAField,
    /// The message has no delimiter for a level of the path.
    #[error("the message has no delimiter for that level")]
    LevelOff,
    /// The value holds a delimiter and the message has no escape character.
    #[error("the value needs an escape character and the message has none")]
    Unescapable,
    /// The value holds a character that the message's character set lacks.
    #[error("the value cannot be written in the character set of the message")]
    Unencodable,
}
