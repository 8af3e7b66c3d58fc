//! Why bytes are no message, and why a value cannot be set in one.

use crate::Charset;

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
    /// There is no element.
    #[error("no XML element stands at the start")]
    NoRoot {
        /// Where it should stand.
        raw_offset: u32,
    },
    /// The XML declares a document type. Such declarations can make a small document grow without bound and read files,
    /// so they are refused, whatever they say.
    #[error("the XML has a document type declaration")]
    Doctype {
        /// Where it stands.
        raw_offset: u32,
    },
    /// The text is no JSON, RFC 8259.
    #[error("the text is not JSON")]
    NotJson {
        /// The first byte that cannot stand where it stands.
        raw_offset: u32,
    },
    /// Elements or values stand deeper in each other than allowed.
    #[error("the tree is deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
        /// Where it is exceeded.
        raw_offset: u32,
    },
    /// Documents are wrapped in each other as text deeper than allowed.
    #[error("documents are wrapped in each other more than {limit} times")]
    InnerTooDeep {
        /// The limit.
        limit: usize,
        /// Where the innermost one stands.
        raw_offset: u32,
    },
    /// More elements and attributes than allowed.
    #[error("the tree has more than {limit} nodes")]
    TooManyNodes {
        /// The limit.
        limit: usize,
    },
    /// More attributes on one element than allowed.
    #[error("an element has more than {limit} attributes")]
    TooManyAttributes {
        /// The limit.
        limit: usize,
        /// Where the element stands.
        raw_offset: u32,
    },
    /// The first row of a delimited file has more cells than allowed, or a larger one.
    #[error("the first row exceeds a limit, so that nothing can be read")]
    RowTooLarge {
        /// Where it starts.
        raw_offset: u32,
    },
    /// A name of more than 65535 bytes.
    #[error("a name is longer than 65535 bytes")]
    NameTooLong {
        /// Where it starts.
        raw_offset: u32,
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
            Self::NoRoot { .. } => "no-root",
            Self::Doctype { .. } => "doctype",
            Self::NotJson { .. } => "not-json",
            Self::TooDeep { .. } => "too-deep",
            Self::InnerTooDeep { .. } => "inner-too-deep",
            Self::TooManyNodes { .. } => "too-many-nodes",
            Self::TooManyAttributes { .. } => "too-many-attributes",
            Self::RowTooLarge { .. } => "row-too-large",
            Self::NameTooLong { .. } => "name-too-long",
        }
    }

    /// The same refusal with its offset moved, from the text to the bytes or from one document into another.
    pub(crate) fn moved(mut self, place: impl FnOnce(u32) -> u32) -> Self {
        if let Some(offset) = self.offset() {
            *offset = place(*offset);
        }
        self
    }

    /// The byte that decided it; 0 where it is the whole input.
    #[must_use]
    pub fn raw_offset(&self) -> u32 {
        self.clone().offset().map_or(0, |offset| *offset)
    }

    fn offset(&mut self) -> Option<&mut u32> {
        match self {
            Self::NoHeader { raw_offset }
            | Self::Delimiters { raw_offset }
            | Self::Undecodable { raw_offset, .. }
            | Self::LeafTooLarge { raw_offset, .. }
            | Self::NoRoot { raw_offset }
            | Self::RowTooLarge { raw_offset }
            | Self::Doctype { raw_offset }
            | Self::NotJson { raw_offset }
            | Self::TooDeep { raw_offset, .. }
            | Self::InnerTooDeep { raw_offset, .. }
            | Self::TooManyAttributes { raw_offset, .. }
            | Self::NameTooLong { raw_offset } => Some(raw_offset),
            _ => None,
        }
    }
}

/// Why a value could not be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// The path names a segment, a row or an element that is not there, or is a path of another format.
    #[error("the message has no such segment, row or element")]
    NoSegment,
    /// The path names a segment, a raw line, the delimiters, or an element that holds others.
    #[error("the path does not name a value that can be set")]
    NotAField,
    /// The message has no delimiter for a level of the path.
    #[error("the message has no delimiter for that level")]
    LevelOff,
    /// The value holds a delimiter and the message has no escape character, or no quotation marks.
    #[error("the value needs an escape character or quotation marks and the message has none")]
    Unescapable,
    /// Spans overlap, do not stand in the order of the text, or cut a character.
    #[error("the spans overlap, are out of order, or cut a character")]
    Span,
    /// The value holds a character that the message's character set lacks.
    #[error("the value cannot be written in the character set of the message")]
    Unencodable,
}
