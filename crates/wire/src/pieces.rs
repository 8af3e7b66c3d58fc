//! The text of a place in a tree, piece by piece: which bytes of the document stand for which characters. XML 1.0 sections
//! 2.4, 2.7, 2.11, 3.3.3 and 4.1; RFC 8259 section 7.

use std::ops::Range;

use crate::json;
use crate::xml::{CDATA_END, CDATA_START, markup_length, reference};

/// How the place is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Character data of XML, with tags, comments and sections in it.
    Data,
    /// The value of an XML attribute.
    Attribute,
    /// A string of JSON.
    JsonString,
}

/// What a piece stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Itself.
    Verbatim,
    /// One character.
    Character(char),
    /// Nothing: markup, a comment.
    Nothing,
}

/// The pieces of a place, in order and without gaps.
#[derive(Debug, Clone)]
pub(crate) struct Pieces<'t> {
    raw: &'t str,
    writing: Writing,
    at: usize,
    /// Where the CDATA section ends that is being read.
    section_end: Option<usize>,
}

impl<'t> Pieces<'t> {
    pub(crate) fn new(raw: &'t str, writing: Writing) -> Self {
        Self { raw, writing, at: 0, section_end: None }
    }

    /// The next piece stands in a CDATA section.
    pub(crate) fn is_in_section(&self) -> bool {
        self.section_end.is_some_and(|end| self.at <= end)
    }

    fn in_section(&mut self, end: usize) -> (usize, Piece) {
        let bytes = &self.raw.as_bytes()[..end];
        if self.at == end {
            self.section_end = None;
            return ((end + CDATA_END.len()).min(self.raw.len()), Piece::Nothing);
        }
        match bytes[self.at] {
            b'\r' => (self.at + line_end(&bytes[self.at..]), Piece::Character('\n')),
            _ => {
                let plain = memchr::memchr(b'\r', &bytes[self.at..]);
                (plain.map_or(end, |length| self.at + length), Piece::Verbatim)
            }
        }
    }

    fn in_data(&mut self) -> (usize, Piece) {
        let (at, rest) = (self.at, &self.raw[self.at..]);
        match rest.as_bytes()[0] {
            b'&' => match reference(rest) {
                Some((character, length)) => (at + length, Piece::Character(character)),
                None => (at + 1, Piece::Verbatim),
            },
            b'<' if rest.starts_with(CDATA_START) => {
                let start = at + CDATA_START.len();
                let length = memchr::memmem::find(&self.raw.as_bytes()[start..], CDATA_END.as_bytes());
                self.section_end = Some(length.map_or(self.raw.len(), |length| start + length));
                (start, Piece::Nothing)
            }
            b'<' => match markup_length(rest) {
                Some(length) => (at + length, Piece::Nothing),
                None => (at + 1, Piece::Verbatim),
            },
            b'\r' => (at + line_end(rest.as_bytes()), Piece::Character('\n')),
            _ => (at + memchr::memchr3(b'&', b'<', b'\r', rest.as_bytes()).unwrap_or(rest.len()), Piece::Verbatim),
        }
    }

    fn in_attribute(&self) -> (usize, Piece) {
        let (at, rest) = (self.at, &self.raw[self.at..]);
        match rest.as_bytes()[0] {
            b'&' => match reference(rest) {
                Some((character, length)) => (at + length, Piece::Character(character)),
                None => (at + 1, Piece::Verbatim),
            },
            b'\r' => (at + line_end(rest.as_bytes()), Piece::Character(' ')),
            b'\n' | b'\t' => (at + 1, Piece::Character(' ')),
            _ => {
                let special = |b: &u8| matches!(b, b'&' | b'\r' | b'\n' | b'\t');
                (at + rest.bytes().position(|b| special(&b)).unwrap_or(rest.len()), Piece::Verbatim)
            }
        }
    }

    fn in_string(&self) -> (usize, Piece) {
        let (at, rest) = (self.at, &self.raw[self.at..]);
        match memchr::memchr(b'\\', rest.as_bytes()) {
            Some(0) => match json::escaped(rest) {
                (Some(character), length) => (at + length, Piece::Character(character)),
                (None, length) => (at + length, Piece::Verbatim),
            },
            plain => (at + plain.unwrap_or(rest.len()), Piece::Verbatim),
        }
    }
}

/// `\r\n` is one line end, and so is `\r`.
fn line_end(bytes: &[u8]) -> usize {
    1 + usize::from(bytes.get(1) == Some(&b'\n'))
}

impl Iterator for Pieces<'_> {
    type Item = (Range<usize>, Piece);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(end) = self.section_end {
            let from = self.at;
            let (to, piece) = self.in_section(end);
            self.at = to;
            return Some((from..to, piece));
        }
        if self.at >= self.raw.len() {
            return None;
        }
        let from = self.at;
        let (to, piece) = match self.writing {
            Writing::Data => self.in_data(),
            Writing::Attribute => self.in_attribute(),
            Writing::JsonString => self.in_string(),
        };
        self.at = to;
        Some((from..to, piece))
    }
}
