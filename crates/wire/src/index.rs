//! The index: one pass over decoded text that notes every delimiter as a `u32` offset.

use crate::issue::{Issue, IssueCode, IssueList};
use crate::{Limits, NotAMessage};

/// The delimiters of one message, HL7 v2 chapter 2, message delimiters. 0 means that the level is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiters {
    /// MSH-1.
    pub field: u8,
    /// First character of MSH-2.
    pub component: u8,
    /// Second character of MSH-2.
    pub repetition: u8,
    /// Third character of MSH-2.
    pub escape: u8,
    /// Fourth character of MSH-2.
    pub subcomponent: u8,
    /// Fifth character of MSH-2; it counts from version 2.7 on.
    pub truncation: u8,
}

impl Default for Delimiters {
    fn default() -> Self {
        Self { field: b'|', component: b'^', repetition: b'~', escape: b'\\', subcomponent: b'&', truncation: 0 }
    }
}

impl Delimiters {
    /// The four delimiters that split, each with the field separator in place of a level that is off.
    fn splitting(self) -> [u8; 4] {
        [self.field, self.repetition, self.component, self.subcomponent].map(|d| if d == 0 { self.field } else { d })
    }
}

/// One segment: where it stands in the text and where its delimiters begin in the offsets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Entry {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// First delimiter of this segment in `Index::offsets`; the next entry's `low` ends it.
    pub(crate) low: u32,
    /// Occurrence among the segments of the same id, 1-based; the top bits are flags.
    occurrence: u32,
}

const RAW: u32 = 1 << 31;
const ESCAPES: u32 = 1 << 30;
const HEADER: u32 = 1 << 29;

impl Entry {
    pub(crate) fn occurrence(self) -> u32 {
        self.occurrence & (HEADER - 1)
    }

    /// The line does not start with a segment id.
    pub(crate) fn is_raw(self) -> bool {
        self.occurrence & RAW != 0
    }

    /// MSH, FHS or BHS: its first field is the field separator itself.
    pub(crate) fn is_header(self) -> bool {
        self.occurrence & HEADER != 0
    }

    /// Some value of the segment may hold an escape sequence.
    pub(crate) fn has_escapes(self) -> bool {
        self.occurrence & ESCAPES != 0
    }
}

/// Offsets of all delimiters and the table of segments. Its buffers are reused from message to message.
#[derive(Debug, Default)]
pub(crate) struct Index {
    offsets: Vec<u32>,
    segments: Vec<Entry>,
    /// Occurrences so far by segment id, sorted by id.
    seen: Vec<([u8; 3], u32)>,
}

impl Index {
    pub(crate) fn segments(&self) -> &[Entry] {
        &self.segments
    }

    pub(crate) fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// The range of a segment's delimiters in the offsets.
    pub(crate) fn range(&self, segment: usize) -> (u32, u32) {
        let high = self.segments.get(segment + 1).map_or(self.offsets.len() as u32, |next| next.low);
        (self.segments[segment].low, high)
    }

    /// Indexes `text` from `start`, where the header stands.
    pub(crate) fn build(
        &mut self,
        text: &str,
        start: usize,
        delimiters: Delimiters,
        join: bool,
        limits: &Limits,
        issues: &mut IssueList,
    ) -> Result<(), NotAMessage> {
        self.offsets.clear();
        self.segments.clear();
        self.seen.clear();
        self.offsets.reserve((text.len() - start) / 7 + 2 * BLOCK);
        let mut pass = Pass {
            bytes: text.as_bytes(),
            delimiters,
            join,
            limits,
            issues,
            line_start: start as u32,
            line_low: 0,
            last: ([0; 3], 0),
            index: self,
        };
        pass.run(start)
    }
}

/// The state of one pass.
struct Pass<'p> {
    bytes: &'p [u8],
    delimiters: Delimiters,
    join: bool,
    limits: &'p Limits,
    issues: &'p mut IssueList,
    /// Where the current line starts in the text and in the offsets.
    line_start: u32,
    line_low: usize,
    /// The last id seen and its place in `seen`: runs of one id need no search.
    last: ([u8; 3], usize),
    index: &'p mut Index,
}

impl Pass<'_> {
    fn run(&mut self, start: usize) -> Result<(), NotAMessage> {
        let splitting = self.delimiters.splitting();
        let (blocks, rest) = self.bytes[start..].as_chunks::<BLOCK>();
        let mut base = start as u32;
        for block in blocks {
            self.block(block, splitting, base)?;
            base += BLOCK as u32;
        }
        if !rest.is_empty() {
            // The padding is NUL, which is never a delimiter.
            let mut block = [0; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            self.block(&block, splitting, base)?;
        }
        let end = self.bytes.len() as u32;
        if end > self.line_start {
            self.close_line(end)?;
        }
        self.flag_escapes(start);
        Ok(())
    }

    #[inline]
    fn block(&mut self, block: &[u8; BLOCK], splitting: [u8; 4], base: u32) -> Result<(), NotAMessage> {
        let (marks, mut ends) = masks(block, splitting);
        let mut marks = marks;
        while ends != 0 {
            let end = ends.trailing_zeros();
            ends &= ends - 1;
            let below = (1_u64 << end) - 1;
            append(&mut self.index.offsets, marks & below, base);
            marks &= !below;
            self.close_line(base + end)?;
            self.line_start = base + end + 1;
            self.line_low = self.index.offsets.len();
        }
        append(&mut self.index.offsets, marks, base);
        if self.index.offsets.len() > self.limits.leaves_max {
            return Err(NotAMessage::TooManyLeaves { limit: self.limits.leaves_max });
        }
        Ok(())
    }

    /// The line `line_start..end` is complete, its delimiters are noted: make it a segment, or part of one.
    fn close_line(&mut self, end: u32) -> Result<(), NotAMessage> {
        let line = &self.bytes[self.line_start as usize..end as usize];
        let Some(id) = segment_id(line, self.delimiters.field) else {
            return self.close_odd_line(line, end);
        };
        let header = line.len() > 3 && matches!(&id, b"MSH" | b"FHS" | b"BHS");
        let mut occurrence = self.occurrence(id);
        if header {
            occurrence |= HEADER;
            self.drop_encoding_characters();
            if !self.index.segments.is_empty() {
                let offset = self.line_start;
                self.issues.push(|| Issue::new(IssueCode::SecondHeader, offset));
            }
        }
        self.add(end, occurrence)
    }

    /// A line without a segment id is blank, or joined to the segment before it, or kept as a raw segment.
    fn close_odd_line(&mut self, line: &[u8], end: u32) -> Result<(), NotAMessage> {
        let offset = self.line_start;
        if line.iter().all(|&b| b <= b' ') {
            self.index.offsets.truncate(self.line_low);
            return Ok(());
        }
        if self.join
            && let Some(previous) = self.index.segments.last_mut()
        {
            previous.end = end;
            self.issues.push(|| Issue::new(IssueCode::JoinedLine, offset));
            return Ok(());
        }
        self.index.offsets.truncate(self.line_low);
        let occurrence = self.occurrence(*b"?  ") | RAW;
        self.issues.push(|| Issue::new(IssueCode::RawSegment, offset));
        self.add(end, occurrence)
    }

    fn add(&mut self, end: u32, occurrence: u32) -> Result<(), NotAMessage> {
        if self.index.segments.len() >= self.limits.segments_max {
            return Err(NotAMessage::TooManySegments { limit: self.limits.segments_max });
        }
        self.index.segments.push(Entry { start: self.line_start, end, low: self.line_low as u32, occurrence });
        Ok(())
    }

    /// The characters of MSH-2 are delimiters by definition and split nothing.
    fn drop_encoding_characters(&mut self) {
        let field = self.delimiters.field;
        let offsets = &mut self.index.offsets;
        let first = self.line_low + 1;
        let next = offsets[first.min(offsets.len())..]
            .iter()
            .position(|&at| self.bytes[at as usize] == field)
            .map_or(offsets.len(), |n| first + n);
        if first < next {
            offsets.drain(first..next);
        }
    }

    fn occurrence(&mut self, id: [u8; 3]) -> u32 {
        let seen = &mut self.index.seen;
        if self.last.0 != id {
            let at = seen.binary_search_by(|(known, _)| known.cmp(&id)).unwrap_or_else(|at| {
                seen.insert(at, (id, 0));
                at
            });
            self.last = (id, at);
        }
        let count = &mut seen[self.last.1].1;
        *count += 1;
        *count
    }

    /// Notes which segments hold an escape character, so that the values of all others are read without a search.
    fn flag_escapes(&mut self, start: usize) {
        if self.delimiters.escape == 0 {
            return;
        }
        let segments = &mut self.index.segments;
        // The header's own encoding characters end where its second field does.
        let mut from = start + 4;
        from += memchr::memchr(self.delimiters.field, &self.bytes[from.min(self.bytes.len())..]).unwrap_or(0);
        let mut at = 0;
        while let Some(found) = self.bytes.get(from..).and_then(|rest| memchr::memchr(self.delimiters.escape, rest)) {
            let offset = (from + found) as u32;
            at += segments[at..].partition_point(|entry| entry.end <= offset);
            let Some(entry) = segments.get_mut(at) else { return };
            if entry.start <= offset {
                entry.occurrence |= ESCAPES;
                from = entry.end as usize;
            } else {
                from = offset as usize + 1;
            }
        }
    }
}

/// A segment id is an upper-case letter and two upper-case letters or digits, followed by a field separator or nothing.
fn segment_id(line: &[u8], field: u8) -> Option<[u8; 3]> {
    let id: [u8; 3] = *line.first_chunk()?;
    let named = id[0].is_ascii_uppercase() && id[1..].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let ended = line.get(3).is_none_or(|&b| b == field);
    (named && ended).then_some(id)
}

/// Bit masks of the splitting delimiters and of the line ends in one block.
#[inline]
fn masks(block: &[u8; BLOCK], [a, b, c, d]: [u8; 4]) -> (u64, u64) {
    let mut marks = [0_u8; BLOCK];
    let mut ends = [0_u8; BLOCK];
    for i in 0..BLOCK {
        let x = block[i];
        marks[i] = u8::from((x == a) | (x == b) | (x == c) | (x == d));
        ends[i] = u8::from((x == b'\r') | (x == b'\n'));
    }
    (gather(&marks), gather(&ends))
}

/// Packs 64 bytes of 0 or 1 into 64 bits.
#[inline]
fn gather(flags: &[u8; BLOCK]) -> u64 {
    let mut mask = 0;
    for (i, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
        // The product moves the lowest bit of byte k to bit 56 + k.
        let bits = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (i * 8);
    }
    mask
}

/// Appends the positions of the set bits.
#[inline]
fn append(offsets: &mut Vec<u32>, mut marks: u64, base: u32) {
    while marks != 0 {
        offsets.push(base + marks.trailing_zeros());
        marks &= marks - 1;
    }
}

const BLOCK: usize = 64;
