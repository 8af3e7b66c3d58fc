//! Many changes to one message: what no change names stays byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::{PrintError, Printer, SegmentDraft};
use crate::message::Locator;
use crate::{Format, Message, Path, Place, Segment, Target};

/// Changes that are collected and then made in one pass. Segments are named by their 0-based index in the message as it
/// came; a field is printed anew when something in it was set, and the rest of its segment stays as it is.
///
/// ```
/// use dukou_wire::{Limits, Place, Site, draft::SegmentDraft, er7};
///
/// let bytes = b"MSH|^~\\&|LIS|H\rPID|1||A~B^^^H&1^MR||x\rZZ1|?\r";
/// let (message, _) = er7::parse(bytes, &Limits::default(), &Site::default())?;
/// let mut edits = message.edit();
/// edits.set(1, Place::at(3, 2, 5, 0), "PI").set(1, Place::field(8), "M");
/// let mut note = SegmentDraft::new("NTE");
/// note.set(Place::field(3), "a|b");
/// edits.insert_after(1, note);
/// assert_eq!(edits.finish()?, b"MSH|^~\\&|LIS|H\rPID|1||A~B^^^H&1^PI||x|||M\rNTE|||a\\F\\b\rZZ1|?\r");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Edits<'m> {
    message: &'m Message<'m>,
    changed: BTreeMap<usize, Changed>,
    removed: BTreeSet<usize>,
    inserted: BTreeMap<usize, Vec<SegmentDraft>>,
    /// The first change that cannot be made.
    refused: Option<PrintError>,
}

/// The fields of a segment that are printed anew.
#[derive(Debug, Clone)]
struct Changed {
    fields: BTreeSet<u16>,
    values: SegmentDraft,
}

impl<'a> Message<'a> {
    /// Starts a set of changes.
    #[must_use]
    pub fn edit(&self) -> Edits<'_> {
        let (changed, removed, inserted) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Edits { message: self, changed, removed, inserted, refused: None }
    }
}

impl<'m> Edits<'m> {
    /// Writes a value at a place; missing positions before it are filled with delimiters. An empty value empties the
    /// place and leaves the delimiters around it.
    pub fn set(&mut self, segment: usize, place: Place, text: &str) -> &mut Self {
        self.change(segment, place, |values| values.replace(place, text))
    }

    /// Writes a null: the receiver is to delete the value.
    pub fn set_null(&mut self, segment: usize, place: Place) -> &mut Self {
        self.change(segment, place, |values| values.set_null(place))
    }

    /// Writes what stands in this or another message with the same delimiters, escapes and delimiters included.
    pub fn set_raw(&mut self, segment: usize, place: Place, raw: &str) -> &mut Self {
        let delimiters = self.message.delimiters();
        self.change(segment, place, |values| values.set_raw(place, raw, delimiters))
    }

    /// Takes a segment away with its line end.
    pub fn remove_segment(&mut self, segment: usize) -> &mut Self {
        self.removed.insert(segment);
        self
    }

    /// Writes a new segment behind one of the message, after those that were inserted there before. One without any
    /// value is left out.
    pub fn insert_after(&mut self, segment: usize, draft: SegmentDraft) -> &mut Self {
        self.inserted.entry(segment).or_default().push(draft);
        self
    }

    /// Nothing was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty() && self.inserted.is_empty() && self.refused.is_none()
    }

    /// The bytes of the changed message.
    ///
    /// # Errors
    /// When a change names no field of the message or cannot be written in it; when the message is not ER7, or stands as
    /// text in another one, whose bytes these are: [`Message::set`] and [`Message::rewrite`] change those.
    pub fn finish(&self) -> Result<Vec<u8>, PrintError> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let changeable = self.message.format() == Format::Er7 && self.message.outer().is_none();
        if !changeable && !self.is_empty() {
            let path = self.message.segments().next().map_or_else(|| Path::in_tree(Vec::new()), |first| first.path());
            return Err(PrintError::NotAField { path });
        }
        let target = Target::of(self.message.charset());
        let mut writer = Writer {
            printer: Printer { delimiters: self.message.delimiters(), target: &target },
            message: self.message,
            locator: Locator::new(self.message),
            copied: 0,
            bytes: Vec::with_capacity(self.message.raw().len() + 256),
        };
        for segment in self.message.segments() {
            let index = segment.index();
            if self.removed.contains(&index) {
                writer.copy_to(segment.span().start);
                writer.skip_to(writer.line_end(segment));
            } else if let Some(changed) = self.changed.get(&index) {
                writer.segment(segment, changed)?;
            }
            if let Some(drafts) = self.inserted.get(&index) {
                writer.insert(segment, drafts, self.removed.contains(&index))?;
            }
        }
        writer.copy_rest();
        Ok(writer.bytes)
    }

    fn change(&mut self, segment: usize, place: Place, write: impl FnOnce(&mut SegmentDraft)) -> &mut Self {
        let message = self.message;
        if segment >= message.segment_count() {
            let nowhere = Path::raw_line(u16::MAX);
            self.refused.get_or_insert(PrintError::NotAField { path: nowhere });
            return self;
        }
        let segment = message.segment(segment);
        if place.field == 0 || segment.is_raw() || (segment.is_header() && place.field <= 2) {
            self.refused.get_or_insert(PrintError::NotAField { path: place.in_segment(segment.path()) });
            return self;
        }
        let changed = self
            .changed
            .entry(segment.index())
            .or_insert_with(|| Changed { fields: BTreeSet::new(), values: SegmentDraft::new(segment.id()) });
        let whole = Place::field(place.field);
        if changed.fields.insert(place.field) {
            changed.values.set_raw(whole, segment.field(place.field).raw(), message.delimiters());
        }
        write(&mut changed.values);
        self
    }
}

struct Writer<'w> {
    message: &'w Message<'w>,
    printer: Printer<'w>,
    locator: Locator<'w>,
    /// How far the raw bytes have been copied or skipped.
    copied: usize,
    bytes: Vec<u8>,
}

impl Writer<'_> {
    fn copy_to(&mut self, text_offset: u32) {
        let to = self.locator.raw_offset(text_offset) as usize;
        if to > self.copied {
            self.bytes.extend_from_slice(&self.message.raw()[self.copied..to]);
            self.copied = to;
        }
    }

    fn skip_to(&mut self, text_offset: u32) {
        self.copied = self.copied.max(self.locator.raw_offset(text_offset) as usize);
    }

    fn copy_rest(&mut self) {
        self.bytes.extend_from_slice(&self.message.raw()[self.copied..]);
    }

    /// The offset behind the line end of a segment.
    fn line_end(&self, segment: Segment<'_>) -> u32 {
        let end = segment.span().end;
        let length = match &self.message.text().as_bytes()[end as usize..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
        end + length
    }

    fn segment(&mut self, segment: Segment<'_>, changed: &Changed) -> Result<(), PrintError> {
        let path = segment.path();
        let mut last = segment.field_count();
        for &number in &changed.fields {
            if number <= segment.field_count() {
                let span = segment.field(number).span();
                self.copy_to(span.start);
                changed.values.print_field(number, self.printer, &path, &mut self.bytes)?;
                self.skip_to(span.end);
            } else if changed.values.has(Place::field(number)) {
                self.copy_to(segment.span().end);
                let separator = self.printer.delimiters.field;
                self.bytes.extend(std::iter::repeat_n(separator, usize::from(number - last)));
                changed.values.print_field(number, self.printer, &path, &mut self.bytes)?;
                last = number;
            }
        }
        Ok(())
    }

    fn insert(&mut self, behind: Segment<'_>, drafts: &[SegmentDraft], removed: bool) -> Result<(), PrintError> {
        let (end, after) = (behind.span().end, self.line_end(behind));
        if !removed {
            self.copy_to(after);
        }
        let text = self.message.text();
        let line_end = if after > end { &text[end as usize..after as usize] } else { "\r" };
        let open = after == end && !removed;
        for draft in drafts.iter().filter(|draft| !draft.is_empty()) {
            if open {
                self.bytes.extend_from_slice(line_end.as_bytes());
            }
            let path = Path::of_segment(draft.id(), 1).unwrap_or_else(|| Path::raw_line(1));
            draft.print(self.printer, &path, &mut self.bytes)?;
            if !open {
                self.bytes.extend_from_slice(line_end.as_bytes());
            }
        }
        Ok(())
    }
}
