//! The index: one pass over decoded text that notes every delimiter as a `u32` offset.

use wide::u8x16;

use crate::issue::{Issue, IssueCode, IssueList};
use crate::{Limits, NotAMessage, RowKind};

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
    /// The delimiters that MSH-2 can declare: without a repetition separator nothing behind it has a place.
    pub(crate) fn declarable(self) -> Self {
        match (self.component, self.repetition) {
            (component, 0) => {
                Self { field: self.field, component, repetition: 0, escape: 0, subcomponent: 0, truncation: 0 }
            }
            _ => self,
        }
    }

    /// What stands in MSH-2. A level that is off while a later one is not is declared by the repetition separator, which
    /// outranks it.
    pub(crate) fn declared(self) -> Vec<u8> {
        let Self { component, repetition, escape, subcomponent, truncation, .. } = self.declarable();
        let mut declared = vec![component, repetition, escape, subcomponent, truncation];
        while declared.last() == Some(&0) {
            declared.pop();
        }
        declared.into_iter().map(|b| if b == 0 { repetition } else { b }).collect()
    }

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
    /// A row of a delimited file: a head row has the flag of a header, a trailer row that of a raw line.
    pub(crate) fn of_row(span: std::ops::Range<u32>, low: u32, number: u32, kind: RowKind, quoted: bool) -> Self {
        let kind = match kind {
            RowKind::Head => HEADER,
            RowKind::Row => 0,
            RowKind::Trailer => RAW,
        };
        let occurrence = number.min(HEADER - 1) | kind | if quoted { ESCAPES } else { 0 };
        Self { start: span.start, end: span.end, low, occurrence }
    }

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
    /// The first `count` are offsets; the rest is room to write a block's without asking for more.
    offsets: Vec<u32>,
    count: usize,
    segments: Vec<Entry>,
    /// Occurrences so far by segment id, sorted by id.
    seen: Vec<([u8; 3], u32)>,
}

impl Index {
    /// The index of a delimited file.
    pub(crate) fn of_rows(offsets: Vec<u32>, segments: Vec<Entry>) -> Self {
        Self { count: offsets.len(), offsets, segments, seen: Vec::new() }
    }

    pub(crate) fn segments(&self) -> &[Entry] {
        &self.segments
    }

    pub(crate) fn offsets(&self) -> &[u32] {
        &self.offsets[..self.count]
    }

    /// Appends the positions of the set bits; the caller has made room for a block's.
    #[inline]
    fn append(&mut self, mut marks: u64, base: u32) {
        let Some(room) = self.offsets[self.count..].first_chunk_mut::<BLOCK>() else { return };
        let mut written = 0;
        while marks != 0 {
            room[written % BLOCK] = base + marks.trailing_zeros();
            marks &= marks - 1;
            written += 1;
        }
        self.count += written;
    }

    /// The message that made the buffers grow was an unusual one.
    pub(crate) fn is_oversized(&self) -> bool {
        self.offsets.len() > KEPT_MAX
    }

    /// The range of a segment's delimiters in the offsets.
    pub(crate) fn range(&self, segment: usize) -> (u32, u32) {
        let high = self.segments.get(segment + 1).map_or(self.count as u32, |next| next.low);
        // A message without segments has a header without fields.
        (self.segments.get(segment).map_or(high, |entry| entry.low), high)
    }

    /// The delimiters of a segment.
    pub(crate) fn offsets_of(&self, segment: usize) -> &[u32] {
        let (low, high) = self.range(segment);
        &self.offsets[low as usize..high as usize]
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
        self.count = 0;
        self.segments.clear();
        self.seen.clear();
        // Most messages have a delimiter for every six or seven bytes.
        let room = (text.len() - start) / 7 + 2 * BLOCK;
        if self.offsets.len() < room {
            self.offsets.resize(room, 0);
        }
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
        // The padding is NUL, which is never a delimiter.
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let mut base = start as u32;
        for at in 0..=blocks.len() {
            let block = blocks.get(at).unwrap_or(&last);
            self.block(block, splitting, base)?;
            base += BLOCK as u32;
        }
        let end = self.bytes.len() as u32;
        if end > self.line_start {
            self.close_line(end)?;
        }
        self.flag_escapes(start);
        Ok(())
    }

    #[inline(always)]
    fn block(&mut self, block: &[u8; BLOCK], splitting: [u8; 4], base: u32) -> Result<(), NotAMessage> {
        if self.index.offsets.len() < self.index.count + 2 * BLOCK {
            self.make_room_for_marks(splitting, base as usize);
        }
        let (marks, mut ends) = masks(block, splitting);
        let mut marks = marks;
        while ends != 0 {
            let end = ends.trailing_zeros();
            ends &= ends - 1;
            let below = (1_u64 << end) - 1;
            self.index.append(marks & below, base);
            marks &= !below;
            self.close_line(base + end)?;
            self.line_start = base + end + 1;
            self.line_low = self.index.count;
        }
        self.index.append(marks, base);
        if self.index.count > self.limits.leaves_max {
            return Err(NotAMessage::TooManyLeaves { limit: self.limits.leaves_max });
        }
        Ok(())
    }

    /// The buffer grows once and to what the rest of the text needs, so that a hostile message cannot make it much larger
    /// than the message is.
    #[cold]
    fn make_room_for_marks(&mut self, splitting: [u8; 4], base: usize) {
        let (blocks, rest) = self.bytes[base..].as_chunks::<BLOCK>();
        let ahead =
            blocks.iter().map(|block| masks(block, splitting).0.count_ones() as usize).sum::<usize>() + rest.len();
        let most = self.limits.leaves_max.saturating_sub(self.index.count) + BLOCK;
        let length = self.index.count + ahead.min(most) + 2 * BLOCK;
        let offsets = &mut self.index.offsets;
        offsets.reserve_exact(length.saturating_sub(offsets.len()));
        offsets.resize(length, 0);
    }

    /// The same for segments. A line that starts with no segment id is one of its own or joined to the line before.
    #[cold]
    fn make_room_for_segments(&mut self) {
        let rest = &self.bytes[self.line_start as usize..];
        let (mut named, mut odd) = (0, 0);
        let mut from = 0;
        while from < rest.len() {
            let end = memchr::memchr2(b'\r', b'\n', &rest[from..]).map_or(rest.len(), |at| from + at);
            match segment_id(&rest[from..end], self.delimiters.field) {
                Some(_) => named += 1,
                None => odd += usize::from(end > from),
            }
            from = end + 1;
        }
        let ahead = named + odd.min(named + self.limits.issues_max);
        let most = self.limits.segments_max.saturating_sub(self.index.segments.len());
        self.index.segments.reserve_exact(ahead.clamp(1, most.max(1)));
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
            self.index.count = self.line_low;
            return Ok(());
        }
        // So many lines of no segment are told apart; what follows them is one.
        let many = self.index.seen.iter().any(|&(id, count)| id == *b"?  " && count as usize >= self.limits.issues_max);
        if !self.join
            && many
            && let Some(previous) = self.index.segments.last_mut().filter(|previous| previous.is_raw())
        {
            self.index.count = self.line_low;
            previous.end = end;
            self.issues.push(|| Issue::new(IssueCode::RawSegment, offset));
            return Ok(());
        }
        if self.join
            && let Some(previous) = self.index.segments.last_mut()
        {
            previous.end = end;
            self.issues.push(|| Issue::new(IssueCode::JoinedLine, offset));
            return Ok(());
        }
        self.index.count = self.line_low;
        let occurrence = self.occurrence(*b"?  ") | RAW;
        self.issues.push(|| Issue::new(IssueCode::RawSegment, offset));
        self.add(end, occurrence)
    }

    fn add(&mut self, end: u32, occurrence: u32) -> Result<(), NotAMessage> {
        if self.index.segments.len() >= self.limits.segments_max {
            return Err(NotAMessage::TooManySegments { limit: self.limits.segments_max });
        }
        if self.index.segments.len() == self.index.segments.capacity() {
            self.make_room_for_segments();
        }
        self.index.segments.push(Entry { start: self.line_start, end, low: self.line_low as u32, occurrence });
        Ok(())
    }

    /// The characters of MSH-2 are delimiters by definition and split nothing.
    fn drop_encoding_characters(&mut self) {
        let field = self.delimiters.field;
        let first = self.line_low + 1;
        let offsets = &mut self.index.offsets[..self.index.count];
        let after = offsets.iter().skip(first).position(|&at| self.bytes[at as usize] == field);
        let next = after.map_or(offsets.len(), |n| first + n);
        if first < next {
            offsets.copy_within(next.., first);
            self.index.count -= next - first;
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

/// A bit for every splitting delimiter of a block, and a bit for every line end.
#[inline(always)]
pub(crate) fn masks(block: &[u8; BLOCK], splitting: [u8; 4]) -> (u64, u64) {
    let [a, b, c, d] = splitting.map(u8x16::splat);
    let (cr, lf) = (u8x16::splat(b'\r'), u8x16::splat(b'\n'));
    let (mut marks, mut ends) = (0, 0);
    for (n, sixteen) in block.as_chunks::<16>().0.iter().enumerate() {
        let x = u8x16::new(*sixteen);
        let mark = x.simd_eq(a) | x.simd_eq(b) | x.simd_eq(c) | x.simd_eq(d);
        let end = x.simd_eq(cr) | x.simd_eq(lf);
        marks |= u64::from(mark.to_bitmask()) << (16 * n);
        ends |= u64::from(end.to_bitmask()) << (16 * n);
    }
    (marks, ends)
}

pub(crate) const BLOCK: usize = 64;
/// Offsets kept from message to message: 1 MiB.
const KEPT_MAX: usize = 1 << 18;
