//! Batches and files of messages: HL7 v2 chapter 2, batch protocol: `[FHS] { [BHS] { message } [BTS] } [FTS]`.
//!
//! A file of bare messages is a batch without headers. Line ends are ASCII in every supported character set and never
//! part of a character, so the raw bytes are split before they are decoded.

mod answers;

use crate::Limits;
use crate::charset::BYTE_ORDER_MARK;
use crate::issue::{Issue, IssueCode, IssueList};

pub use answers::Answers;

/// One message of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// The bytes of the message.
    pub bytes: &'a [u8],
    /// Where they start in the file.
    pub offset: u32,
    /// The batch of its file the message is in, 1-based; 0 outside any batch.
    pub batch: u32,
    /// The file the message is in, for several may be written one after the other, 1-based; 0 outside any file.
    pub file: u32,
    /// The message's number in its file, 1-based.
    pub ordinal: u32,
    /// The BHS segment of its batch.
    pub batch_header: Option<&'a [u8]>,
    /// The FHS segment of its file.
    pub file_header: Option<&'a [u8]>,
}

/// Yields the messages of a file one by one; what is wrong with the file is in [`Reader::finish`].
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    messages_max: usize,
    issues: IssueList,
    /// The field separator of the FHS or BHS that was read last.
    field: u8,
    file: Option<&'a [u8]>,
    batch: Option<&'a [u8]>,
    files: u32,
    batches: u32,
    messages: u32,
    messages_in_batch: u32,
}

impl<'a> Reader<'a> {
    /// A reader of a whole file or of the payload of one frame. Bytes beyond 4 GiB are not read.
    #[must_use]
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Self {
        let bytes = &bytes[..bytes.len().min(u32::MAX as usize)];
        let at = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Self {
            bytes,
            at,
            messages_max: limits.batch_messages_max,
            issues: IssueList::new(limits),
            field: b'|',
            file: None,
            batch: None,
            files: 0,
            batches: 0,
            messages: 0,
            messages_in_batch: 0,
        }
    }

    /// What is wrong with the file, once all messages have been read.
    #[must_use]
    pub fn finish(mut self) -> Vec<Issue> {
        while self.next().is_some() {}
        let end = self.bytes.len() as u32;
        if self.batch.is_some() || self.file.is_some() {
            self.issues.push(|| Issue::new(IssueCode::BatchUnclosed, end));
        }
        self.issues.into_vec()
    }

    /// The start of the line after the one at `at`.
    fn line_end(&self, at: usize) -> usize {
        memchr::memchr2(b'\r', b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |n| at + n)
    }

    /// The line at `at` without a start block, which files cut from a stream still carry.
    fn line_kind(&self, at: usize) -> Kind {
        let line = &self.bytes[at..];
        let line = line.strip_prefix(b"\x0B").unwrap_or(line);
        match line.first_chunk() {
            Some(b"MSH") => Kind::Message,
            Some(b"FHS") => Kind::FileHeader,
            Some(b"BHS") => Kind::BatchHeader,
            Some(b"BTS") => Kind::BatchTrailer,
            Some(b"FTS") => Kind::FileTrailer,
            _ => Kind::Other,
        }
    }

    /// Reads the message whose header stands at `at`: up to the next header or trailer.
    fn message(&mut self, at: usize) -> Part<'a> {
        let from = at + usize::from(self.bytes[at] == 0x0B);
        let mut end = self.line_end(at);
        while end < self.bytes.len() && (end + 1 == self.bytes.len() || self.line_kind(end + 1) == Kind::Other) {
            end = if end + 1 == self.bytes.len() { end + 1 } else { self.line_end(end + 1) };
        }
        let end = (end + 1).min(self.bytes.len());
        self.at = end;
        self.messages += 1;
        self.messages_in_batch += 1;
        let batch = if self.batch.is_some() { self.batches } else { 0 };
        Part {
            bytes: &self.bytes[from..end],
            offset: from as u32,
            batch,
            file: if self.file.is_some() { self.files } else { 0 },
            ordinal: self.messages,
            batch_header: self.batch,
            file_header: self.file,
        }
    }

    /// Opens and closes batches and files, and compares their counts.
    fn frame(&mut self, kind: Kind, at: usize, end: usize) {
        let line = &self.bytes[at..end];
        let line = line.strip_prefix(b"\x0B").unwrap_or(line);
        let offset = at as u32;
        match kind {
            Kind::FileHeader | Kind::BatchHeader => {
                self.field = line.get(3).copied().unwrap_or(b'|');
                let nested = if kind == Kind::FileHeader { self.file.is_some() } else { self.batch.is_some() };
                if nested {
                    self.issues.push(|| Issue::new(IssueCode::BatchUnclosed, offset));
                }
                if kind == Kind::FileHeader {
                    (self.file, self.batches) = (Some(line), 0);
                    self.files += 1;
                } else {
                    self.batches += 1;
                    (self.batch, self.messages_in_batch) = (Some(line), 0);
                }
            }
            Kind::BatchTrailer => {
                let found = u64::from(std::mem::take(&mut self.messages_in_batch));
                self.compare(IssueCode::BatchCount, line, found, offset);
                self.batches += u32::from(self.batch.take().is_none());
            }
            Kind::FileTrailer => {
                if self.batch.take().is_some() {
                    self.issues.push(|| Issue::new(IssueCode::BatchUnclosed, offset));
                }
                let bare = self.batches == 0 && self.messages > 0;
                let found = u64::from(self.batches) + u64::from(bare);
                self.compare(IssueCode::FileCount, line, found, offset);
                self.file = None;
            }
            Kind::Message | Kind::Other => {}
        }
    }

    /// An empty count says nothing; any other must be the number found.
    fn compare(&mut self, code: IssueCode, line: &[u8], found: u64, offset: u32) {
        let declared = line.split(|&b| b == self.field).nth(1).unwrap_or_default().trim_ascii();
        if declared.is_empty() {
            return;
        }
        let declared = std::str::from_utf8(declared).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
        if declared != found {
            self.issues.push(|| Issue::new(code, offset).with_numbers(declared, found));
        }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        while self.at < self.bytes.len() {
            let at = self.at;
            let kind = self.line_kind(at);
            if kind == Kind::Message {
                if self.messages as usize >= self.messages_max {
                    let limit = self.messages_max as u64;
                    self.issues.push(|| Issue::new(IssueCode::BatchTooLong, at as u32).with_numbers(limit, limit + 1));
                    self.at = self.bytes.len();
                    return None;
                }
                return Some(self.message(at));
            }
            let end = self.line_end(at);
            self.at = end + 1;
            if kind != Kind::Other {
                self.frame(kind, at, end);
            } else if self.bytes[at..end].iter().any(|&b| b > b' ') {
                self.issues.push(|| Issue::new(IssueCode::BatchStray, at as u32));
            }
        }
        None
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    FileHeader,
    BatchHeader,
    Message,
    BatchTrailer,
    FileTrailer,
    Other,
}
