//! Documents that stand in another one as text: XML in a SOAP string parameter, JSON in a JSON string, HL7 v2 in XML.

use std::borrow::Cow;
use std::ops::Range;

use crate::message::{Locator, Replacement};
use crate::node::Node;
use crate::pieces::{Piece, Pieces, Writing};
use crate::refusal::SetError;
use crate::{Format, Limits, Message, NotAMessage, json, xml};

/// Where a document stands that was unwrapped: the message around it and the span of its text there.
#[derive(Debug)]
pub(crate) struct Origin<'a> {
    outer: &'a Message<'a>,
    span: Range<u32>,
    writing: Writing,
}

/// The text of an inner document.
pub(crate) struct Unwrapped<'m> {
    pub(crate) text: Cow<'m, str>,
    pub(crate) origin: Box<Origin<'m>>,
    pub(crate) nodes_left: usize,
}

/// Takes a document out of the node that holds it as text.
///
/// # Errors
/// When documents are wrapped too deep.
pub(crate) fn unwrap<'m>(
    outer: &'m Message<'m>,
    node: Node<'m>,
    limits: &Limits,
) -> Result<Unwrapped<'m>, NotAMessage> {
    let (mut depth, mut nodes) = (0, 0);
    let mut around = Some(outer);
    while let Some(message) = around {
        nodes += message.tree().map_or(0, |tree| tree.elements.len() + tree.attributes.len());
        around = message.origin.as_ref().map(|origin| origin.outer);
        depth += 1;
    }
    if depth > limits.inner_depth_max {
        return Err(NotAMessage::InnerTooDeep {
            limit: limits.inner_depth_max,
            raw_offset: outer.raw_offset(node.span().start),
        });
    }
    let writing = writing(outer, node);
    let origin = Box::new(Origin { outer, span: node.span(), writing });
    Ok(Unwrapped { text: node.text(), origin, nodes_left: limits.xml_nodes_max.saturating_sub(nodes) })
}

/// The first characters of a text, after its blanks.
pub(crate) fn beginning(message: &Message<'_>, node: Node<'_>) -> String {
    let raw = node.raw();
    let mut text = String::new();
    for (range, piece) in Pieces::new(raw, writing(message, node)) {
        match piece {
            Piece::Nothing => {}
            Piece::Character(character) => text.push(character),
            Piece::Verbatim if text.is_empty() => text.extend(raw[range].trim_start().chars().take(BEGINNING)),
            Piece::Verbatim => text.extend(raw[range].chars().take(BEGINNING)),
        }
        if text.trim_start().is_empty() {
            text.clear();
        }
        if text.len() >= BEGINNING {
            break;
        }
    }
    text
}

fn writing(message: &Message<'_>, node: Node<'_>) -> Writing {
    match (message.format(), node.is_attribute()) {
        (Format::Json, _) => Writing::JsonString,
        (_, true) => Writing::Attribute,
        _ => Writing::Data,
    }
}

/// How many characters tell a format.
const BEGINNING: usize = 8;

impl<'a> Origin<'a> {
    pub(crate) fn outer(&self) -> &'a Message<'a> {
        self.outer
    }

    fn pieces(&self) -> Pieces<'a> {
        let raw = &self.outer.text()[self.span.start as usize..self.span.end as usize];
        Pieces::new(raw, self.writing)
    }

    /// Replacements in the inner text as replacements in the outer one. They must be in order.
    pub(crate) fn outwards(&self, replacements: &[Replacement<'_>]) -> Result<Vec<Replacement<'static>>, SetError> {
        let mut seams = Seams::new(self);
        let mut outer = Vec::with_capacity(replacements.len());
        for (span, text) in replacements {
            let (range, in_section) = seams.range(span.clone()).ok_or(SetError::NotAField)?;
            let written = match (self.writing, in_section) {
                (Writing::JsonString, _) => json::escape(text),
                (_, true) => xml::escape_section(text),
                (writing, false) => xml::escape(text, writing == Writing::Attribute),
            };
            outer.push((range, Cow::Owned(written.into_owned())));
        }
        Ok(outer)
    }
}

/// Finds where offsets of an inner text stand in the outer one, in one walk.
#[derive(Debug, Clone)]
pub(crate) struct Seams<'a> {
    pieces: Pieces<'a>,
    start: u32,
    /// The last piece: its span in the outer text, in the inner text, and whether it stands in a CDATA section.
    outer: Range<usize>,
    inner: Range<usize>,
    verbatim: bool,
    in_section: bool,
}

impl<'a> Seams<'a> {
    pub(crate) fn new(origin: &Origin<'a>) -> Self {
        let (pieces, start) = (origin.pieces(), origin.span.start);
        Self { pieces, start, outer: 0..0, inner: 0..0, verbatim: true, in_section: false }
    }

    /// Goes to the next piece that stands for text.
    fn advance(&mut self) -> bool {
        loop {
            let in_section = self.pieces.is_in_section();
            let Some((outer, piece)) = self.pieces.next() else { return false };
            let length = match piece {
                Piece::Nothing => continue,
                Piece::Verbatim => outer.len(),
                Piece::Character(character) => character.len_utf8(),
            };
            self.verbatim = piece == Piece::Verbatim;
            self.inner = self.inner.end..self.inner.end + length;
            (self.outer, self.in_section) = (outer, in_section);
            return true;
        }
    }

    /// The offset in the outer text of the character at an offset of the inner one; offsets are asked for in order.
    pub(crate) fn locate(&mut self, inner: u32) -> u32 {
        while self.inner.end <= inner as usize && self.advance() {}
        self.start + self.at(inner as usize) as u32
    }

    /// Within the current piece, or at its end.
    fn at(&self, inner: usize) -> usize {
        if inner >= self.inner.end {
            self.outer.end
        } else if self.verbatim {
            self.outer.start + (inner - self.inner.start)
        } else {
            self.outer.start
        }
    }

    /// The span in the outer text, and whether it stands in a CDATA section; `None` when it begins in one and ends
    /// outside.
    fn range(&mut self, inner: Range<u32>) -> Option<(Range<u32>, bool)> {
        let start = self.locate(inner.start);
        let in_section = self.in_section;
        if inner.is_empty() {
            return Some((start..start, in_section));
        }
        // The end is that of the last character, so that markup behind it stays.
        let last = inner.end as usize - 1;
        while self.inner.end <= last && self.advance() {
            if self.in_section != in_section {
                return None;
            }
        }
        let end = if self.verbatim { self.at(last) + 1 } else { self.outer.end };
        Some((start..self.start + end as u32, in_section))
    }
}

/// Finds raw offsets through the message around.
pub(crate) struct Through<'m> {
    pub(crate) seams: Seams<'m>,
    pub(crate) outer: Box<Locator<'m>>,
}
