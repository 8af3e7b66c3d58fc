use crate::{Level, Message, Node, Path, Presence};

/// A value or a null at its smallest position.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'m> {
    /// The segment's 0-based index.
    pub segment: u32,
    /// The field, 1-based; 0 for the text of a raw line.
    pub field: u16,
    /// The repetition, 1-based; 0 for the text of a raw line.
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
        let segment = message.segment(self.segment as usize).path();
        segment.at(self.field, self.repetition, self.component, self.subcomponent)
    }
}

/// The leaves of a message, in one walk over its offsets.
#[derive(Debug, Clone)]
pub struct Leaves<'m> {
    message: &'m Message<'m>,
    bytes: &'m [u8],
    offsets: &'m [u32],
    /// The next segment to enter.
    next_segment: usize,
    /// The current segment's end and its flag.
    end: u32,
    escapes: bool,
    /// The next delimiter and the end of the segment's delimiters.
    at: usize,
    high: usize,
    /// Where the next position starts; `None` between segments.
    start: Option<u32>,
    field: u16,
    repetition: u16,
    component: u16,
    subcomponent: u16,
}

impl<'m> Leaves<'m> {
    pub(crate) fn new(message: &'m Message<'m>) -> Self {
        Self {
            message,
            bytes: message.text.as_bytes(),
            offsets: message.index.offsets(),
            next_segment: 0,
            end: 0,
            escapes: false,
            at: 0,
            high: 0,
            start: None,
            field: 0,
            repetition: 1,
            component: 1,
            subcomponent: 1,
        }
    }

    /// Enters the next segment; a raw line is a leaf by itself.
    fn enter(&mut self) -> Option<Option<Leaf<'m>>> {
        let entry = *self.message.index.segments().get(self.next_segment)?;
        let (low, high) = self.message.index.range(self.next_segment);
        self.next_segment += 1;
        (self.at, self.high) = (low as usize, high as usize);
        (self.end, self.escapes) = (entry.end, entry.has_escapes());
        (self.repetition, self.component, self.subcomponent) = (1, 1, 1);
        if entry.is_raw() {
            let node = self.message.segment(self.next_segment - 1).line();
            let segment = (self.next_segment - 1) as u32;
            return Some(Some(Leaf { segment, field: 0, repetition: 0, component: 0, subcomponent: 0, node }));
        }
        // Of a header the first two fields are the delimiters themselves.
        self.field = if entry.is_header() { 3 } else { 1 };
        self.at += if entry.is_header() { 2 } else { 1 };
        self.start = (self.at <= self.high).then(|| self.offsets[self.at - 1] + 1);
        Some(None)
    }

    /// Moves the counters past the delimiter at `end`.
    #[inline]
    fn advance(&mut self, end: u32) {
        let delimiters = self.message.delimiters;
        let delimiter = self.bytes[end as usize];
        if delimiter == delimiters.field {
            self.field = self.field.saturating_add(1);
            (self.repetition, self.component, self.subcomponent) = (1, 1, 1);
        } else if delimiter == delimiters.component {
            self.component = self.component.saturating_add(1);
            self.subcomponent = 1;
        } else if delimiter == delimiters.subcomponent {
            self.subcomponent = self.subcomponent.saturating_add(1);
        } else {
            self.repetition = self.repetition.saturating_add(1);
            (self.component, self.subcomponent) = (1, 1);
        }
        self.at += 1;
        self.start = Some(end + 1);
    }
}

impl<'m> Iterator for Leaves<'m> {
    type Item = Leaf<'m>;

    fn next(&mut self) -> Option<Leaf<'m>> {
        loop {
            let Some(start) = self.start else {
                match self.enter()? {
                    Some(line) => return Some(line),
                    None => continue,
                }
            };
            let inner = self.at < self.high;
            let end = if inner { self.offsets[self.at] } else { self.end };
            let (field, repetition, component, subcomponent) =
                (self.field, self.repetition, self.component, self.subcomponent);
            if inner {
                self.advance(end);
            } else {
                self.start = None;
            }
            if start == end || is_blank(&self.bytes[start as usize..end as usize]) {
                continue;
            }
            let node = Node::new(self.message, Level::Subcomponent, start..end, 0..0, self.escapes);
            let segment = (self.next_segment - 1) as u32;
            return Some(Leaf { segment, field, repetition, component, subcomponent, node });
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
fn is_blank(value: &[u8]) -> bool {
    let first = value[0];
    if first > b' ' && first != IDEOGRAPHIC_SPACE[0] && first != 0xC2 {
        return false;
    }
    std::str::from_utf8(value).is_ok_and(|text| text.trim().is_empty())
}

const IDEOGRAPHIC_SPACE: &[u8] = "\u{3000}".as_bytes();
