use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::charset::{Decoded, Reason};
use crate::delimited::Rows;
use crate::index::Index;
use crate::inner::{Origin, Seams, Through, Unwrapped};
use crate::refusal::SetError;
use crate::tree::Tree;
use crate::{
    Charset, Delimiters, Element, Format, Header, Leaves, Node, Path, RowKind, Segment, escape, groups, write,
};

/// A message of any format: the bytes it came in, the decoded text, and an index of its parts. Nothing is copied per
/// field. ER7 and delimited messages have [`segments`](Self::segments), XML and JSON have a [`root`](Self::root).
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
    pub(crate) shape: Shape,
    /// Where it stands as text in another message.
    pub(crate) origin: Option<Box<Origin<'a>>>,
}

/// What the message is, and none of what it says.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Message");
        shown.field("format", &self.format()).field("charset", &self.charset).field("bytes", &self.raw.len());
        shown.finish_non_exhaustive()
    }
}

/// What a message has beside its segments, or in place of them.
#[derive(Debug)]
pub(crate) enum Shape {
    /// ER7: the index says all.
    Segments,
    /// The rows of a delimited file, which the index holds as segments.
    Rows(Box<Rows>),
    /// An XML document.
    Xml(Box<Tree>),
    /// A JSON document.
    Json(Box<Tree>),
}

impl<'a> Message<'a> {
    /// A message whose text is known and whose parts are not yet.
    pub(crate) fn new(raw: &'a [u8], decoded: Decoded<'a>) -> Self {
        let Decoded { text, charset, reason, mark_bytes } = decoded;
        Self {
            raw,
            text,
            charset,
            reason,
            delimiters: Delimiters::default(),
            index: Index::default(),
            mark_bytes,
            truncates: false,
            shape: Shape::Segments,
            origin: None,
        }
    }

    /// A message that stands as text in another one.
    pub(crate) fn unwrapped(inner: Unwrapped<'a>) -> Self {
        let outer = inner.origin.outer();
        let (charset, reason) = (outer.charset, Reason::Envelope);
        let decoded = Decoded { text: inner.text, charset, reason, mark_bytes: 0 };
        Self { origin: Some(inner.origin), ..Self::new(outer.raw, decoded) }
    }

    /// The message around, when this one stands in it as text.
    #[must_use]
    pub fn outer(&self) -> Option<&'a Message<'a>> {
        self.origin.as_ref().map(|origin| origin.outer())
    }

    /// The bytes exactly as they came; of a message that stands in another one those of the outermost.
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

    /// How the message is written.
    #[inline]
    #[must_use]
    pub fn format(&self) -> Format {
        match self.shape {
            Shape::Segments => Format::Er7,
            Shape::Rows(_) => Format::Delimited,
            Shape::Xml(_) => Format::Xml,
            Shape::Json(_) => Format::Json,
        }
    }

    pub(crate) fn tree(&self) -> Option<&Tree> {
        match &self.shape {
            Shape::Xml(tree) | Shape::Json(tree) => Some(tree),
            _ => None,
        }
    }

    pub(crate) fn rows(&self) -> Option<&Rows> {
        match &self.shape {
            Shape::Rows(rows) => Some(rows),
            _ => None,
        }
    }

    /// The root element of XML, or the document itself of JSON; `None` for formats that have segments.
    #[must_use]
    pub fn root(&self) -> Option<Element<'_>> {
        self.tree().map(|tree| Element::new(self, tree, 0))
    }

    /// The element of this 0-based [index](Element::index).
    #[must_use]
    pub fn element(&self, index: usize) -> Option<Element<'_>> {
        let tree = self.tree()?;
        (index < tree.elements.len()).then(|| Element::new(self, tree, index as u32))
    }

    /// The delimiters of this message; of XML and JSON the usual ones of ER7, which do not count there.
    #[must_use]
    pub fn delimiters(&self) -> Delimiters {
        self.delimiters
    }

    /// The segments in their order, raw lines among them; of a delimited file its rows. None of XML and JSON.
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
        if let Some(rows) = self.rows() {
            let kind = RowKind::parse(id)?;
            return rows.find(self, kind, u32::try_from(occurrence).ok()?);
        }
        self.segments().find(|segment| segment.occurrence() == occurrence && segment.id() == id)
    }

    /// The names of the columns of a delimited file, in order; empty when there are none.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        self.rows().map_or(&[], |rows| rows.names())
    }

    /// The 1-based number of the column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<u16> {
        let at = self.columns().iter().position(|known| known == name)?;
        u16::try_from(at + 1).ok()
    }

    /// The node a path names, absent or not; `None` when the path's segment is not there, the path names a whole
    /// segment, or it is a path of another format. A path with groups is looked up in [`groups::arrange`].
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<Node<'_>> {
        if let Some(steps) = path.steps() {
            return self.root().map(|root| root.walk(steps));
        }
        let segment = self.find(path)?;
        if let Some(rows) = self.rows() {
            return rows.field(path).map(|field| segment.node_at(field, path));
        }
        (path.field() > 0).then(|| segment.node(path))
    }

    /// The element a path names; of a path to an attribute or a run of text the element that has it.
    #[must_use]
    pub fn find_element(&self, path: &Path) -> Option<Element<'_>> {
        self.root()?.walk_to(path.steps()?)
    }

    /// The segment or row a path names.
    #[must_use]
    pub fn find(&self, path: &Path) -> Option<Segment<'_>> {
        if let (Some(rows), Some((kind, number))) = (self.rows(), path.row()) {
            return rows.find(self, kind, number);
        }
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

    /// The fields of the header segment by name; all absent when the message is not ER7.
    #[must_use]
    pub fn header(&self) -> Header<'_> {
        let is_er7 = matches!(self.shape, Shape::Segments);
        Header::new(if is_er7 { self.segment(0) } else { Segment::nowhere(self) })
    }

    /// The bytes of this message with one value replaced; every other byte stays as it is. The value is escaped and
    /// encoded for this message; missing positions before it are filled with delimiters, and in a tree a missing
    /// attribute, element or member is added behind the others. An empty value empties the place.
    ///
    /// # Errors
    /// When the place cannot be addressed or the value cannot be written in this message.
    pub fn set(&self, path: &Path, value: &str) -> Result<Vec<u8>, SetError> {
        let (span, written) = self.replacement(path, value)?;
        self.replaced(span, &written)
    }

    /// What [`Self::set`] writes, and the span of the text that it replaces: for [`Self::rewrite`], when several values
    /// change. Two values that are both added below one element that is not there yet are set one after the other.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn replacement(&self, path: &Path, value: &str) -> Result<(Range<u32>, String), SetError> {
        if self.format() != Format::Er7 {
            return write::place(self, path, value);
        }
        let segment = self.find(path).ok_or(SetError::NoSegment)?;
        if path.field() == 0 || segment.is_raw() || (segment.is_header() && path.field() <= 2) {
            return Err(SetError::NotAField);
        }
        let (span, fill) = segment.place(path, self.delimiters).ok_or(SetError::LevelOff)?;
        let escaped = escape::encode(value, self.delimiters).ok_or(SetError::Unescapable)?;
        Ok((span, fill + &escaped))
    }

    /// The bytes of this message with one span of its text replaced.
    fn replaced(&self, span: Range<u32>, written: &str) -> Result<Vec<u8>, SetError> {
        self.rewritten(&[(span, Cow::Borrowed(written))])
    }

    /// The bytes of this message with spans of its text replaced; every other byte stays as it is. The new text is
    /// written as it is given, in the character set of the message: escape it before, with [`xml::escape`],
    /// [`json::escape`] or [`escape::encode`]. Of a message that stands in another one the bytes are those of the
    /// outermost, and the text is escaped for it.
    ///
    /// [`xml::escape`]: crate::xml::escape
    /// [`json::escape`]: crate::json::escape
    ///
    /// # Errors
    /// When the spans do not stand in the order of the text, overlap or cut a character, or when the text cannot be
    /// written in the character set.
    pub fn rewrite(&self, replacements: &[(Range<u32>, String)]) -> Result<Vec<u8>, SetError> {
        let borrowed = |(span, text): &(Range<u32>, String)| (span.clone(), Cow::Owned(text.clone()));
        self.rewritten(&replacements.iter().map(borrowed).collect::<Vec<_>>())
    }

    pub(crate) fn rewritten(&self, replacements: &[Replacement<'_>]) -> Result<Vec<u8>, SetError> {
        let mut before = 0;
        for (span, _) in replacements {
            let cuts = [span.start, span.end].iter().any(|&at| !self.text.is_char_boundary(at as usize));
            if span.start < before || span.end < span.start || cuts {
                return Err(SetError::Span);
            }
            before = span.end;
        }
        if let Some(origin) = &self.origin {
            return origin.outer().rewritten(&origin.outwards(replacements)?);
        }
        let added: usize = replacements.iter().map(|(_, text)| text.len()).sum();
        let mut bytes = Vec::with_capacity(self.raw.len() + added);
        let mut locator = Locator::new(self);
        let mut copied = 0;
        for (span, text) in replacements {
            let from = locator.raw_offset(span.start) as usize;
            bytes.extend_from_slice(&self.raw[copied..from]);
            bytes.extend_from_slice(&self.charset.encode(text).map_err(|_| SetError::Unencodable)?);
            copied = locator.raw_offset(span.end) as usize;
        }
        bytes.extend_from_slice(&self.raw[copied..]);
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

/// A span of a text and what is written in its place.
pub(crate) type Replacement<'t> = (Range<u32>, Cow<'t, str>);

/// Finds raw offsets of text offsets in one walk, when they are asked for in ascending order.
pub(crate) struct Locator<'m> {
    message: &'m Message<'m>,
    text_at: usize,
    raw_at: usize,
    /// The way through the message around.
    through: Option<Through<'m>>,
}

impl<'m> Locator<'m> {
    pub(crate) fn new(message: &'m Message<'m>) -> Self {
        let through = message
            .origin
            .as_ref()
            .map(|origin| Through { seams: Seams::new(origin), outer: Box::new(Locator::new(origin.outer())) });
        Self { message, text_at: 0, raw_at: message.mark_bytes as usize, through }
    }

    pub(crate) fn raw_offset(&mut self, text_offset: u32) -> u32 {
        let message = self.message;
        if (text_offset as usize) < self.text_at {
            *self = Self::new(message);
        }
        if let Some(Through { seams, outer }) = &mut self.through {
            self.text_at = text_offset as usize;
            return outer.raw_offset(seams.locate(text_offset));
        }
        if matches!(message.text, Cow::Borrowed(_)) {
            return text_offset + message.mark_bytes;
        }
        let characters = message.text[self.text_at..text_offset as usize].chars().count();
        self.raw_at += message.charset.bytes_of(&message.raw[self.raw_at..], characters);
        self.text_at = text_offset as usize;
        self.raw_at as u32
    }
}
