mod tree;

use std::ops::Range;

use crate::{Delimiters, Element, Format, Message, Node, Path, Presence};
use tree::TreeWalk;

/// A value or a null at its smallest position.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'m> {
    /// The 0-based index of the segment or row; of a tree that of the element.
    pub segment: u32,
    /// The field, 1-based; 0 for the text of a raw line. Of a tree the attribute, 1-based; 0 for character data.
    pub field: u16,
    /// The repetition, 1-based; 0 for the text of a raw line. Of a tree the run of character data, 1-based; 0 where it
    /// is the only one.
    pub repetition: u16,
    /// The component, 1-based; 0 for the text of a raw line.
    pub component: u16,
    /// The subcomponent, 1-based; 0 for the text of a raw line.
    pub subcomponent: u16,
    /// The subcomponent itself; of a raw line its text.
    pub node: Node<'m>,
}

impl Leaf<'_> {
    /// The path with all its levels.
    #[must_use]
    pub fn path(&self, message: &Message<'_>) -> Path {
        if let Some(element) = self.element(message) {
            return tree::path(self, element);
        }
        let segment = message.segment(self.segment as usize).path();
        if let Some(rows) = message.rows() {
            return rows.path(message, segment, self);
        }
        segment.at(self.field, self.repetition, self.component, self.subcomponent)
    }

    /// The element that has the value, of a leaf of a tree.
    #[must_use]
    pub fn element<'m>(&self, message: &'m Message<'m>) -> Option<Element<'m>> {
        message.element(self.segment as usize)
    }
}

/// The leaves of a message, in one walk over its offsets.
#[derive(Debug, Clone)]
pub struct Leaves<'m> {
    message: &'m Message<'m>,
    text: &'m str,
    delimiters: Delimiters,
    /// The next segment to enter.
    next_segment: usize,
    /// The current segment's end and its flag.
    end: u32,
    escapes: bool,
    /// It has more positions than a number may count.
    long: bool,
    /// There is a position left in the current segment; it starts at `start`.
    inside: bool,
    start: u32,
    /// The delimiters of the segment that are still ahead.
    ahead: &'m [u32],
    place: Place,
    kind: Kind<'m>,
    /// The current row holds quotation marks: its positions are found one by one.
    quoted: bool,
    /// The cell of such a row without the quotation marks around it, and whether there are some inside.
    cell: Range<u32>,
    cell_escapes: bool,
}

/// What the walk goes over.
#[derive(Debug, Clone)]
enum Kind<'m> {
    Segments,
    Rows,
    Tree(TreeWalk<'m>),
}

/// Field, repetition, component and subcomponent in one word, 16 bits each, the field highest: so a step is a shift and
/// an addition, whatever the level.
#[derive(Debug, Clone, Copy)]
struct Place(u64);

impl Place {
    fn field(number: u64) -> Self {
        Self(number << FIELD | FIRST)
    }

    /// The next position of the level whose bits and those above it are in `kept`; the levels below begin anew.
    #[inline]
    fn next(self, kept: u64) -> Self {
        let one = kept & kept.wrapping_neg();
        Self((self.0 & kept) + one + (FIRST & !kept))
    }

    /// The same, for segments so long that a number may have no successor: it stays then.
    fn next_saturating(self, kept: u64) -> Self {
        let shift = kept.trailing_zeros();
        if self.0 >> shift & LAST == LAST {
            return Self((self.0 & kept) | (FIRST & !kept));
        }
        self.next(kept)
    }

    #[inline]
    fn number(self, shift: u32) -> u16 {
        (self.0 >> shift & LAST) as u16
    }
}

impl<'m> Leaves<'m> {
    pub(crate) fn new(message: &'m Message<'m>) -> Self {
        Self {
            message,
            text: &message.text,
            delimiters: message.delimiters,
            next_segment: 0,
            end: 0,
            escapes: false,
            long: false,
            inside: false,
            start: 0,
            ahead: &[],
            place: Place(0),
            kind: match (message.tree(), message.format()) {
                (Some(tree), _) => Kind::Tree(TreeWalk::new(message, tree)),
                (None, Format::Delimited) => Kind::Rows,
                _ => Kind::Segments,
            },
            quoted: false,
            cell: 0..0,
            cell_escapes: false,
        }
    }

    /// Enters the next segment; `None` after the last.
    fn enter(&mut self) -> Option<Entered<'m>> {
        match &mut self.kind {
            Kind::Segments => {}
            Kind::Rows => return self.enter_row(),
            Kind::Tree(walk) => return walk.next().map(Entered::Leaf),
        }
        let entry = *self.message.index.segments().get(self.next_segment)?;
        let offsets = self.message.index.offsets_of(self.next_segment);
        self.next_segment += 1;
        (self.end, self.escapes) = (entry.end, entry.has_escapes());
        self.long = offsets.len() >= LAST as usize;
        if entry.is_raw() {
            // A line of nothing but ideographic spaces is no value.
            let blank = is_blank(&self.text[entry.start as usize..entry.end as usize]);
            return Some(if blank { Entered::Segment } else { Entered::Line });
        }
        // Of a header the first two fields are the delimiters themselves.
        let skipped = if entry.is_header() { 2 } else { 1 };
        self.place = Place::field(if entry.is_header() { 3 } else { 1 });
        if let Some(&before) = offsets.get(skipped - 1) {
            (self.inside, self.start) = (true, before + 1);
            self.ahead = &offsets[skipped..];
        }
        Some(Entered::Segment)
    }

    /// Enters the next row, or gives the next leaf of one with quotation marks.
    fn enter_row(&mut self) -> Option<Entered<'m>> {
        while self.quoted {
            if let Some(leaf) = self.quoted_position() {
                return Some(Entered::Leaf(leaf));
            }
        }
        let entry = *self.message.index.segments().get(self.next_segment)?;
        self.ahead = self.message.index.offsets_of(self.next_segment);
        self.next_segment += 1;
        (self.start, self.end, self.escapes) = (entry.start, entry.end, false);
        self.place = Place::field(1);
        self.long = self.ahead.len() >= LAST as usize;
        self.quoted = entry.has_escapes();
        self.inside = !self.quoted;
        Some(Entered::Segment)
    }

    /// The next position of a row with quotation marks; call it only inside one.
    fn quoted_position(&mut self) -> Option<Leaf<'m>> {
        let text = self.text.as_bytes();
        let field = self.delimiters.field;
        if self.place.0 << (64 - FIELD) == FIRST << (64 - FIELD) {
            let end = self.ahead.iter().copied().find(|&at| text[at as usize] == field).unwrap_or(self.end);
            let cell = Node::of_cell(self.message, self.start..end, 0..0, true);
            (self.cell, self.cell_escapes) = (cell.span(), cell.has_escapes());
        }
        let (start, place) = (self.start.max(self.cell.start), self.place);
        let end = match self.ahead.split_first() {
            Some((&end, ahead)) => {
                let kept = self.delimiters.kept(text[end as usize]);
                self.place = if self.long { place.next_saturating(kept) } else { place.next(kept) };
                (self.start, self.ahead) = (end + 1, ahead);
                end.min(self.cell.end)
            }
            None => {
                self.quoted = false;
                self.cell.end
            }
        };
        let raw = &self.text[start as usize..end.max(start) as usize];
        (!is_blank(raw)).then(|| self.leaf(place, Node::finest(self.message, raw, start, self.cell_escapes)))
    }

    /// A raw line is a leaf by itself.
    fn line(&self) -> Leaf<'m> {
        let segment = self.next_segment - 1;
        let node = self.message.segment(segment).line();
        Leaf { segment: segment as u32, field: 0, repetition: 0, component: 0, subcomponent: 0, node }
    }

    /// The next position of the segment, blank or not; call it only inside a segment.
    #[inline(always)]
    fn position(&mut self) -> Option<Leaf<'m>> {
        let (start, place) = (self.start, self.place);
        let end = match self.ahead.split_first() {
            Some((&end, ahead)) => {
                let delimiter = self.text.as_bytes()[end as usize];
                let kept = self.delimiters.kept(delimiter);
                self.place = if self.long { place.next_saturating(kept) } else { place.next(kept) };
                (self.start, self.ahead) = (end + 1, ahead);
                end
            }
            None => {
                self.inside = false;
                self.end
            }
        };
        if start == end {
            return None;
        }
        let raw = &self.text[start as usize..end as usize];
        if is_blank(raw) {
            return None;
        }
        Some(self.leaf(place, Node::finest(self.message, raw, start, self.escapes)))
    }

    #[inline(always)]
    fn leaf(&self, place: Place, node: Node<'m>) -> Leaf<'m> {
        Leaf {
            segment: (self.next_segment - 1) as u32,
            field: place.number(FIELD),
            repetition: place.number(REPETITION),
            component: place.number(COMPONENT),
            subcomponent: place.number(SUBCOMPONENT),
            node,
        }
    }
}

impl Delimiters {
    /// The bits of a place that stay when a delimiter passes: those of its level and above.
    #[inline]
    fn kept(self, delimiter: u8) -> u64 {
        if delimiter == self.field {
            u64::MAX << FIELD
        } else if delimiter == self.component {
            u64::MAX << COMPONENT
        } else if delimiter == self.repetition {
            u64::MAX << REPETITION
        } else {
            u64::MAX
        }
    }
}

enum Entered<'m> {
    Segment,
    Line,
    Leaf(Leaf<'m>),
}

impl<'m> Iterator for Leaves<'m> {
    type Item = Leaf<'m>;

    #[inline]
    fn next(&mut self) -> Option<Leaf<'m>> {
        loop {
            while self.inside {
                if let Some(leaf) = self.position() {
                    return Some(leaf);
                }
            }
            match self.enter()? {
                Entered::Line => return Some(self.line()),
                Entered::Leaf(leaf) => return Some(leaf),
                Entered::Segment => {}
            }
        }
    }

    /// The whole walk with its state in registers.
    #[inline]
    fn fold<B, F: FnMut(B, Leaf<'m>) -> B>(mut self, init: B, mut f: F) -> B {
        let mut result = init;
        if let Kind::Tree(walk) = &mut self.kind {
            while let Some(leaf) = walk.next() {
                result = f(result, leaf);
            }
            return result;
        }
        loop {
            let mut walk = self.clone();
            while walk.inside {
                if let Some(leaf) = walk.position() {
                    result = f(result, leaf);
                }
            }
            self.inside = false;
            match self.enter() {
                Some(Entered::Line) => result = f(result, self.line()),
                Some(Entered::Leaf(leaf)) => result = f(result, leaf),
                Some(Entered::Segment) => {}
                None => return result,
            }
        }
    }
}

impl Leaf<'_> {
    /// The leaf is a null: the sender wants the value deleted.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.node.presence() == Presence::Null
    }
}

/// Nothing but blanks, ideographic ones included.
#[inline]
fn is_blank(value: &str) -> bool {
    // Most values begin with a visible ASCII character.
    !value.as_bytes().first().is_some_and(u8::is_ascii_graphic) && is_blank_throughout(value)
}

#[cold]
fn is_blank_throughout(value: &str) -> bool {
    value.trim().is_empty()
}

/// Where the levels stand in a place.
const FIELD: u32 = 48;
const REPETITION: u32 = 32;
const COMPONENT: u32 = 16;
const SUBCOMPONENT: u32 = 0;
/// Every level at 1.
const FIRST: u64 = 1 << REPETITION | 1 << COMPONENT | 1;
/// The highest number of a level.
const LAST: u64 = 0xFFFF;
