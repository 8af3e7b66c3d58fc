//! One pass over the text that notes every separator and cuts the text into lines.

use super::Layout;
use crate::Limits;
use crate::index::{BLOCK, masks};
use crate::issue::{Issue, IssueCode, IssueList};

/// A line that is not blank.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) start: u32,
    pub(super) end: u32,
    /// Its first separator in the offsets; the next line's ends them.
    pub(super) low: u32,
    /// A quoted cell stands in it.
    pub(super) quoted: bool,
}

/// The lines of a file and the offsets of their separators.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) lines: Vec<Line>,
    pub(super) offsets: Vec<u32>,
}

pub(super) fn scan(text: &str, layout: &Layout, limits: &Limits, issues: &mut IssueList) -> Lines {
    let delimiters = layout.delimiters();
    let sub = [delimiters.repetition, delimiters.component, delimiters.subcomponent];
    let separator = layout.separator;
    let splitting = [separator, sub[0], sub[1], sub[2]].map(|d| if d == 0 { separator } else { d });
    // Room for all is asked for at once, so that nothing is held twice while it grows.
    let used = [Some(separator), layout.repetition, layout.component, layout.subcomponent];
    let separators = used.into_iter().flatten().map(|delimiter| count(text.as_bytes(), delimiter)).sum();
    let ends = (count(text.as_bytes(), b'\n') + 1).min(limits.rows_max.saturating_add(4));
    let lines = Lines { lines: Vec::with_capacity(ends), offsets: Vec::with_capacity(separators) };
    // The row of column names and those around the data are not counted.
    let around = [layout.head.is_some(), layout.header, layout.trailer.is_some()].into_iter().filter(|&is| is).count();
    let mut pass = Pass {
        bytes: text.as_bytes(),
        splitting,
        quote: layout.quote,
        limits,
        lines_max: limits.rows_max.saturating_add(around),
        issues,
        lines,
        line_start: 0,
        line_low: 0,
        quoted: false,
        inside: None,
        skip: 0,
        stopped: false,
    };
    let mut from = 0;
    while let Some(again) = pass.run(from) {
        from = again;
    }
    pass.lines
}

/// The state of one pass.
struct Pass<'p> {
    bytes: &'p [u8],
    splitting: [u8; 4],
    quote: Option<u8>,
    limits: &'p Limits,
    lines_max: usize,
    issues: &'p mut IssueList,
    lines: Lines,
    /// Where the current line starts in the text and in the offsets, and whether a cell of it was quoted.
    line_start: usize,
    line_low: usize,
    quoted: bool,
    /// The quotation mark that opened the current cell.
    inside: Option<usize>,
    /// Everything before this offset has been dealt with.
    skip: usize,
    stopped: bool,
}

impl Pass<'_> {
    /// Scans from an offset to the end. When a quoted cell never ends, quotation marks count no more from there on, and
    /// the place from which to scan again is given.
    fn run(&mut self, from: usize) -> Option<usize> {
        let (blocks, rest) = self.bytes[from..].as_chunks::<BLOCK>();
        // The padding is NUL, which is never a delimiter.
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let mut base = from;
        for at in 0..=blocks.len() {
            self.block(blocks.get(at).unwrap_or(&last), base);
            base += BLOCK;
            let runaway = self.inside.filter(|open| base - open > self.limits.cell_bytes_max + BLOCK);
            if runaway.is_some() || self.stopped {
                break;
            }
        }
        if let Some(open) = self.inside.take() {
            self.issues.push(|| Issue::new(IssueCode::QuoteUnclosed, open as u32));
            self.quote = None;
            self.skip = 0;
            let kept = self.lines.offsets.partition_point(|&offset| (offset as usize) < open);
            self.lines.offsets.truncate(kept);
            return Some(open);
        }
        if !self.stopped && self.bytes.len() > self.line_start {
            self.close_line(self.bytes.len());
        }
        None
    }

    #[inline(always)]
    fn block(&mut self, block: &[u8; BLOCK], base: usize) {
        if self.quote.is_some_and(|quote| has(block, quote)) {
            self.block_with_quotes(block, base);
            return;
        }
        let (mut marks, mut ends) = masks(block, self.splitting);
        if self.inside.is_some() {
            ends = 0;
            if self.splitting[1..].iter().all(|&sub| sub == self.splitting[0]) {
                return;
            }
        }
        while ends != 0 && !self.stopped {
            let end = ends.trailing_zeros();
            ends &= ends - 1;
            let below = (1_u64 << end) - 1;
            self.append(marks & below, base);
            marks &= !below;
            self.close_line(base + end as usize);
        }
        if !self.stopped {
            self.append(marks, base);
        }
    }

    #[inline(always)]
    fn append(&mut self, mut marks: u64, base: usize) {
        while marks != 0 {
            let at = base + marks.trailing_zeros() as usize;
            marks &= marks - 1;
            if self.inside.is_none() || self.bytes[at] != self.splitting[0] {
                self.lines.offsets.push(at as u32);
            }
        }
    }

    fn block_with_quotes(&mut self, block: &[u8; BLOCK], base: usize) {
        let separator = self.splitting[0];
        for (at, &b) in (base..).zip(block) {
            if at < self.skip || self.stopped {
                continue;
            }
            if Some(b) == self.quote {
                self.quotation_mark(b, at);
            } else if matches!(b, b'\r' | b'\n') && self.inside.is_none() {
                self.close_line(at);
            } else if self.splitting.contains(&b) && (b != separator || self.inside.is_none()) {
                self.lines.offsets.push(at as u32);
            }
        }
    }

    fn quotation_mark(&mut self, quote: u8, at: usize) {
        let next = self.bytes.get(at + 1).copied();
        let ends_cell = next.is_none_or(|next| next == self.splitting[0] || matches!(next, b'\r' | b'\n'));
        match self.inside {
            Some(_) if next == Some(quote) => self.skip = at + 2,
            Some(_) => {
                self.inside = None;
                if !ends_cell {
                    self.issues.push(|| Issue::new(IssueCode::QuoteStray, at as u32 + 1));
                }
            }
            None if at == self.line_start || self.bytes[at - 1] == self.splitting[0] => {
                (self.inside, self.quoted) = (Some(at), true);
            }
            None => self.issues.push(|| Issue::new(IssueCode::QuoteStray, at as u32)),
        }
    }

    /// The line up to `end` is complete, its separators are noted.
    fn close_line(&mut self, end: usize) {
        let start = self.line_start;
        let line = &self.bytes[start..end];
        let (low, quoted) = (self.line_low, self.quoted);
        if line.iter().all(|&b| b <= b' ') {
            self.lines.offsets.truncate(low);
        } else if self.exceeds(line, start) {
            self.issues.push(|| Issue::new(IssueCode::RowsStopped, start as u32));
            self.lines.offsets.truncate(low);
            self.stopped = true;
        } else {
            self.lines.lines.push(Line { start: start as u32, end: end as u32, low: low as u32, quoted });
        }
        self.line_start = end + 1;
        self.line_low = self.lines.offsets.len();
        self.quoted = false;
    }

    /// One row too many, too many cells in it, or one that is too large.
    fn exceeds(&self, line: &[u8], start: usize) -> bool {
        let own = &self.lines.offsets[self.line_low..];
        if self.lines.lines.len() >= self.lines_max {
            return true;
        }
        let separates = |at: &&u32| self.bytes[**at as usize] == self.splitting[0];
        if own.len() >= self.limits.columns_max && own.iter().filter(separates).count() >= self.limits.columns_max {
            return true;
        }
        if line.len() <= self.limits.cell_bytes_max {
            return false;
        }
        let mut from = start;
        let ends = own.iter().filter(separates).map(|&at| at as usize).chain([start + line.len()]);
        for end in ends {
            if end - from > self.limits.cell_bytes_max {
                return true;
            }
            from = end + 1;
        }
        false
    }
}

/// How often the byte stands in the text.
fn count(bytes: &[u8], wanted: u8) -> usize {
    // Counts of a byte each are summed without a branch.
    let (chunks, rest) = bytes.as_chunks::<128>();
    let in_chunk = |chunk: &[u8]| usize::from(chunk.iter().fold(0_u8, |sum, &b| sum + u8::from(b == wanted)));
    chunks.iter().map(|chunk| in_chunk(chunk)).sum::<usize>() + in_chunk(rest)
}

/// Whether the byte stands in the block, without a branch for each byte.
#[inline]
fn has(block: &[u8; BLOCK], wanted: u8) -> bool {
    block.iter().fold(0, |found, &b| found | u8::from(b == wanted)) != 0
}
