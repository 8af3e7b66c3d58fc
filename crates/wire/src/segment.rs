use std::ops::Range;

use crate::index::Entry;
use crate::path::RAW_ID;
use crate::{Delimiters, Level, Message, Node, Path, RowKind};

/// A view of one segment.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'m> {
    message: &'m Message<'m>,
    index: usize,
    entry: Entry,
}

impl<'m> Segment<'m> {
    pub(crate) fn new(message: &'m Message<'m>, index: usize) -> Self {
        Self { message, index, entry: message.index.segments()[index] }
    }

    /// A segment without fields, of a message that has none.
    pub(crate) fn nowhere(message: &'m Message<'m>) -> Self {
        // Behind the last row, so that it has no delimiters.
        Self { message, index: message.segment_count(), entry: Entry::default() }
    }

    /// The 0-based place of the segment in the message.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The three characters of the segment id; `?` for a raw line; of a row `head`, `row` or `trailer`.
    #[must_use]
    pub fn id(&self) -> &'m str {
        if let Some(kind) = self.row_kind() {
            return kind.as_str();
        }
        if self.is_raw() { RAW_ID } else { self.raw().get(..3).unwrap_or(RAW_ID) }
    }

    /// Which of the segments of this id it is, 1-based.
    #[must_use]
    pub fn occurrence(&self) -> usize {
        self.entry.occurrence() as usize
    }

    /// What kind of row of a delimited file it is.
    #[must_use]
    pub fn row_kind(&self) -> Option<RowKind> {
        self.message.rows()?;
        Some(match (self.entry.is_header(), self.entry.is_raw()) {
            (true, _) => RowKind::Head,
            (_, true) => RowKind::Trailer,
            _ => RowKind::Row,
        })
    }

    /// The segment as it stands in the text, without the line end.
    #[must_use]
    pub fn raw(&self) -> &'m str {
        &self.message.text[self.entry.start as usize..self.entry.end as usize]
    }

    /// Where it stands in the text.
    #[must_use]
    pub fn span(&self) -> Range<u32> {
        self.entry.start..self.entry.end
    }

    /// The line does not start with a segment id. It has no fields; its text is one leaf.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.entry.is_raw() && !self.is_row()
    }

    /// The segment is a row of a delimited file.
    #[must_use]
    pub fn is_row(&self) -> bool {
        self.message.rows().is_some()
    }

    /// MSH, FHS or BHS: field 1 is the field separator and field 2 holds the encoding characters.
    #[must_use]
    pub fn is_header(&self) -> bool {
        self.entry.is_header() && !self.is_row()
    }

    /// The path of the segment.
    #[must_use]
    pub fn path(&self) -> Path {
        if let Some(kind) = self.row_kind() {
            return Path::of_row(kind, self.entry.occurrence());
        }
        let occurrence = u16::try_from(self.occurrence()).unwrap_or(u16::MAX);
        Path::of_segment(self.id(), occurrence).unwrap_or_else(|| Path::raw_line(occurrence))
    }

    /// The last field's number; 0 for a raw line and a segment of its id alone.
    #[must_use]
    pub fn field_count(&self) -> u16 {
        if self.is_raw() {
            return 0;
        }
        // A row has a field before its first separator, and a header the separator itself.
        let more = usize::from(self.is_header() || self.is_row());
        let separators = self.delimiter_offsets().filter(|&at| self.is_separator(at)).count() + more;
        u16::try_from(separators).unwrap_or(u16::MAX)
    }

    /// The field of this 1-based number, absent when the segment ends before it.
    #[must_use]
    pub fn field(&self, number: u16) -> Node<'m> {
        if self.is_raw() || number == 0 {
            return self.absent();
        }
        if self.is_header() && number == 1 {
            return self.separator_field();
        }
        self.fields_after_first()
            .nth(usize::from(number) - 1 - usize::from(self.is_header()))
            .unwrap_or_else(|| self.absent())
    }

    /// The fields with their numbers.
    pub fn fields(&self) -> impl Iterator<Item = (u16, Node<'m>)> + use<'m> {
        let first = (self.is_header() && !self.is_raw()).then(|| self.separator_field());
        let take = if self.is_raw() { 0 } else { usize::from(u16::MAX) };
        (1..=u16::MAX).zip(first.into_iter().chain(self.fields_after_first()).take(take))
    }

    /// Adds the first fields, at most so many, to a list: all that [`Self::fields`] gives, at one go.
    pub fn add_fields(&self, limit: usize, fields: &mut Vec<Node<'m>>) {
        if self.is_raw() {
            return;
        }
        let most = fields.len() + limit;
        if self.is_header() {
            fields.push(self.separator_field());
        }
        for field in self.fields_after_first() {
            if fields.len() == most {
                return;
            }
            fields.push(field);
        }
    }

    /// The node of a path below this segment.
    pub(crate) fn node(&self, path: &Path) -> Node<'m> {
        self.node_at(path.field(), path)
    }

    /// The node of the inner levels of a path below a field.
    pub(crate) fn node_at(&self, field: u16, path: &Path) -> Node<'m> {
        let mut node = self.field(field);
        for number in [path.repetition(), path.component(), path.subcomponent()] {
            if number == 0 {
                break;
            }
            node = node.child(number);
        }
        node
    }

    /// Where a value of this path goes: the span it replaces, and the delimiters to write before it when the place is
    /// not there yet. `None` when a needed delimiter is switched off.
    pub(crate) fn place(&self, path: &Path, delimiters: Delimiters) -> Option<(Range<u32>, String)> {
        let mut fill = String::new();
        let mut span = self.span();
        let mut node = self.field(path.field());
        let mut missing = |count: u16, delimiter: u8| {
            if count > 0 && delimiter == 0 {
                return None;
            }
            fill.extend(std::iter::repeat_n(char::from(delimiter), usize::from(count)));
            Some(())
        };
        let steps = [
            (path.field(), self.field_count(), delimiters.field),
            (path.repetition(), 0, delimiters.repetition),
            (path.component(), 0, delimiters.component),
            (path.subcomponent(), 0, delimiters.subcomponent),
        ];
        let mut inside = true;
        for (depth, (number, count, delimiter)) in steps.into_iter().enumerate() {
            if number == 0 {
                break;
            }
            let parent_count = match (depth, inside) {
                (0, _) => count,
                (_, true) => node.child_count(),
                (_, false) => 1,
            };
            if depth > 0 && inside {
                node = node.child(number);
            }
            if inside && number <= parent_count {
                span = node.span();
            } else {
                missing(number - parent_count.min(number), delimiter)?;
                span = span.end..span.end;
                inside = false;
            }
        }
        Some((span, fill))
    }

    fn fields_after_first(&self) -> impl Iterator<Item = Node<'m>> + use<'m> {
        let segment = *self;
        let (mut low, high) = self.message.index.range(self.index);
        let offsets = self.message.index.offsets();
        let rows = self.is_row();
        let mut start = if rows {
            Some(self.entry.start)
        } else {
            // The first delimiter ends the segment id.
            let first = (low < high).then(|| offsets[low as usize] + 1);
            low += 1;
            first
        };
        // The encoding characters are no text.
        let (header, mut first) = (self.is_header(), true);
        std::iter::from_fn(move || {
            let from = start?;
            let inner = low;
            while low < high && !segment.is_separator(offsets[low as usize]) {
                low += 1;
            }
            let end = if low < high { offsets[low as usize] } else { segment.entry.end };
            start = (low < high).then_some(end + 1);
            let escapes = segment.entry.has_escapes() && !(header && first);
            first = false;
            let node = if rows {
                Node::of_cell(segment.message, from..end, inner..low, escapes)
            } else {
                Node::new(segment.message, Level::Field, from..end, inner..low, escapes)
            };
            low += 1;
            Some(node)
        })
    }

    pub(crate) fn delimiter_offsets(&self) -> impl ExactSizeIterator<Item = u32> + use<'m> {
        self.message.index.offsets_of(self.index).iter().copied()
    }

    fn is_separator(&self, at: u32) -> bool {
        self.message.text.as_bytes()[at as usize] == self.message.delimiters.field
    }

    fn separator_field(&self) -> Node<'m> {
        let at = self.entry.start + 3;
        Node::new(self.message, Level::Field, at..at + 1, 0..0, false)
    }

    fn absent(&self) -> Node<'m> {
        Node::absent(self.message, Level::Field, self.entry.end)
    }

    /// The whole line of a raw segment.
    pub(crate) fn line(&self) -> Node<'m> {
        Node::new(self.message, Level::Subcomponent, self.span(), 0..0, false)
    }

    pub(crate) fn message(&self) -> &'m Message<'m> {
        self.message
    }

    pub(crate) fn entry(&self) -> Entry {
        self.entry
    }
}
