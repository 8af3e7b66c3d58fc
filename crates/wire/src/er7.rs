//! ER7, the "vertical bar" encoding of HL7 v2 (chapter 2, message construction rules).

use std::borrow::Cow;

use crate::charset;
use crate::index::Index;
use crate::inner::Unwrapped;
use crate::inspect::inspect;
use crate::issue::{Issue, IssueCode, IssueList};
use crate::message::Locator;
use crate::{Delimiters, Limits, Message, Node, NotAMessage, Segment, Site, escape, facts};

/// Reads one message.
///
/// Whatever is odd about it becomes an issue and stays in the tree; the bytes are always kept whole.
///
/// # Errors
/// When there is no readable header or a limit is exceeded.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits, site: &Site) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
    Parser::default().parse(bytes, limits, site)
}

/// The bytes of a message, exactly as they came.
#[must_use]
pub fn print(message: &Message<'_>) -> Vec<u8> {
    message.raw().to_vec()
}

/// A parser that reuses its buffers from message to message.
#[derive(Debug, Default)]
pub struct Parser {
    index: Index,
    text: String,
}

impl Parser {
    /// Reads one message, as [`parse`] does.
    ///
    /// # Errors
    /// When there is no readable header or a limit is exceeded.
    pub fn parse<'a>(
        &mut self,
        bytes: &'a [u8],
        limits: &Limits,
        site: &Site,
    ) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
        limits.admit(bytes)?;
        let mut issues = IssueList::new(limits);
        let decoded = charset::gate(bytes, site, std::mem::take(&mut self.text), &mut issues)?.addressable()?;
        let message = Message::new(bytes, decoded);
        read(message, std::mem::take(&mut self.index), limits, site, issues)
    }

    /// Takes the buffers of a message that is no longer needed, unless it was unusually large.
    pub fn recycle(&mut self, message: Message<'_>) {
        if !message.index.is_oversized() {
            self.index = message.index;
        }
        if let Cow::Owned(text) = message.text
            && text.capacity() <= TEXT_KEPT_MAX
        {
            self.text = text;
        }
    }
}

/// Reads a message that stands as text in another one.
pub(crate) fn inner<'m>(
    unwrapped: Unwrapped<'m>,
    limits: &Limits,
    site: &Site,
) -> Result<(Message<'m>, Vec<Issue>), NotAMessage> {
    read(Message::unwrapped(unwrapped), Index::default(), limits, site, IssueList::new(limits))
}

/// Finds the parts of a message whose text is known.
fn read<'a>(
    mut message: Message<'a>,
    mut index: Index,
    limits: &Limits,
    site: &Site,
    mut issues: IssueList,
) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
    let (start, delimiters) =
        header(&message, &mut issues).map_err(|error| error.moved(|at| message.raw_offset(at)))?;
    index.build(&message.text, start, delimiters, site.join_broken_lines, limits, &mut issues)?;
    (message.delimiters, message.index) = (delimiters, index);
    message.truncates = delimiters.truncation != 0 && facts::at_least(&message.header().version(), "2.7");
    check_leaves(&message, limits, &mut issues)?;
    inspect(&message, &mut issues);
    check(&message, &mut issues);
    let mut issues = issues.into_vec();
    locate(&message, &mut issues);
    Ok((message, issues))
}

/// Finds the header and its delimiters. Offsets of refusals refer to the text.
fn header(message: &Message<'_>, issues: &mut IssueList) -> Result<(usize, Delimiters), NotAMessage> {
    let bytes = message.text.as_bytes();
    let start = bytes.iter().position(|&b| b > b' ').ok_or(NotAMessage::Empty)?;
    let raw_offset = start as u32;
    let line = &bytes[start..];
    if !(line.starts_with(b"MSH") || line.starts_with(b"FHS") || line.starts_with(b"BHS")) {
        return Err(NotAMessage::NoHeader { raw_offset });
    }
    let refused = NotAMessage::Delimiters { raw_offset: raw_offset + 3 };
    let field = *line.get(3).filter(|&&b| is_delimiter(b)).ok_or(refused.clone())?;
    let rest = &line[4..];
    let length = rest.iter().position(|&b| b == field || b == b'\r' || b == b'\n').unwrap_or(rest.len());
    let characters = &rest[..length];
    let used = &characters[..length.min(5)];
    if !used.iter().all(|&b| is_delimiter(b)) {
        return Err(refused);
    }
    if start > 0 || message.mark_bytes > 0 {
        issues.push(|| Issue::new(IssueCode::LeadingBytes, 0));
    }
    if !(4..=5).contains(&length) {
        issues.push(|| Issue::new(IssueCode::EncodingCharacters, start as u32 + 4));
    }
    let at = |n: usize| used.get(n).copied().unwrap_or(0);
    let declared = Delimiters {
        field,
        component: at(0),
        repetition: at(1),
        escape: at(2),
        subcomponent: at(3),
        truncation: at(4),
    };
    let delimiters = distinct(declared);
    if delimiters != declared {
        issues.push(|| Issue::new(IssueCode::DelimiterRepeated, start as u32 + 4));
    }
    Ok((start, delimiters))
}

/// ASCII punctuation and control characters, apart from those that end lines and frames.
fn is_delimiter(b: u8) -> bool {
    b.is_ascii_punctuation() || (b.is_ascii_control() && !matches!(b, b'\r' | b'\n' | 0x0B | 0x1C | 0))
}

/// Of two equal delimiters the one of the higher level stays; the escape character counts before the subcomponent, for
/// senders that write it twice.
fn distinct(declared: Delimiters) -> Delimiters {
    let Delimiters { field, repetition, component, subcomponent, escape, truncation } = declared;
    let mut by_level = [field, repetition, component, escape, subcomponent, truncation];
    for level in 1..by_level.len() {
        if by_level[..level].contains(&by_level[level]) {
            by_level[level] = 0;
        }
    }
    let [field, repetition, component, escape, subcomponent, truncation] = by_level;
    Delimiters { field, repetition, component, subcomponent, escape, truncation }
}

/// Refuses positions that are too large, and flags those that cannot be told apart.
fn check_leaves(message: &Message<'_>, limits: &Limits, issues: &mut IssueList) -> Result<(), NotAMessage> {
    if message.text.len() > limits.leaf_bytes_max {
        let large = |start: u32, end: u32| (end - start) as usize > limits.leaf_bytes_max;
        for segment in message.segments() {
            let mut start = segment.span().start;
            for end in segment.delimiter_offsets().chain([segment.span().end]) {
                if large(start, end) {
                    let raw_offset = message.raw_offset(start);
                    return Err(NotAMessage::LeafTooLarge { limit: limits.leaf_bytes_max, raw_offset });
                }
                start = end;
            }
        }
    }
    if message.index.offsets().len() >= usize::from(u16::MAX) {
        for segment in message.segments().filter(|s| s.delimiter_offsets().len() >= usize::from(u16::MAX)) {
            issues.push(|| Issue::new(IssueCode::PositionOverflow, segment.span().start).with_path(segment.path()));
        }
    }
    Ok(())
}

/// What the version facts say about the content: only segments with a repetition or an escape are looked at.
fn check(message: &Message<'_>, issues: &mut IssueList) {
    let version = message.header().version();
    if !version.is_empty() && !facts::is_version(&version) {
        let at = message.header().segment().field(12).span().start;
        issues.push(|| Issue::new(IssueCode::VersionUnknown, at));
    }
    check_repetitions(message, issues);
    for segment in message.segments().filter(|segment| segment.entry().has_escapes()) {
        check_escapes(message, segment, issues);
    }
}

/// A repetition in a field that does not repeat. A field of varying datatype may always hold several values.
fn check_repetitions(message: &Message<'_>, issues: &mut IssueList) {
    let repetition = message.delimiters.repetition;
    if repetition == 0 {
        return;
    }
    let mut segments = message.segments().peekable();
    let mut checked = 0;
    for at in memchr::memchr_iter(repetition, message.text.as_bytes()) {
        let at = at as u32;
        while segments.peek().is_some_and(|segment| segment.span().end <= at) {
            segments.next();
        }
        let Some(segment) = segments.peek().copied().filter(|s| s.span().start <= at && s.span().end > checked) else {
            continue;
        };
        checked = segment.span().end;
        if segment.is_raw() {
            continue;
        }
        let first = if segment.is_header() { 3 } else { 1 };
        let several = |&(number, field): &(u16, Node<'_>)| number >= first && field.child_count() > 1;
        for (number, field) in segment.fields().filter(several) {
            let facts = facts::field(segment.id(), number);
            if facts.is_some_and(|facts| !facts.repeats && facts.datatype != "varies") {
                let path = || segment.path().at(number, 0, 0, 0);
                issues.push(|| Issue::new(IssueCode::Repetition, field.span().start).with_path(path()));
            }
        }
    }
}

fn check_escapes(message: &Message<'_>, segment: Segment<'_>, issues: &mut IssueList) {
    for (number, field) in segment.fields().filter(|(number, _)| !(segment.is_header() && *number <= 2)) {
        let raw = field.raw();
        if memchr::memchr(message.delimiters.escape, raw.as_bytes()).is_none() {
            continue;
        }
        let formatted = datatype(segment, number) == "FT";
        escape::check(raw, message.delimiters, message.charset, formatted, |code, at| {
            let path = || segment.path().at(number, 0, 0, 0);
            issues.push(|| Issue::new(code, field.span().start + at as u32).with_path(path()));
        });
    }
}

/// The datatype of a field; of OBX-5 it is the value of OBX-2.
fn datatype(segment: Segment<'_>, number: u16) -> &str {
    if segment.id() == "OBX" && number == 5 {
        return segment.field(2).raw();
    }
    facts::field(segment.id(), number).map_or("", |facts| facts.datatype)
}

/// Puts the issues in the order of the text and fills in their places.
fn locate(message: &Message<'_>, issues: &mut [Issue]) {
    issues.sort_by_key(|issue| (issue.code == IssueCode::MoreIssues, issue.text_offset));
    let mut locator = Locator::new(message);
    for issue in issues {
        issue.raw_offset = locator.raw_offset(issue.text_offset);
        if issue.code == IssueCode::LeadingBytes {
            issue.raw_offset = 0;
        }
        if matches!(issue.code, IssueCode::RawSegment | IssueCode::SecondHeader) {
            let at = message.index.segments().partition_point(|entry| entry.end <= issue.text_offset);
            issue.path = (at < message.segment_count()).then(|| message.segment(at).path());
        }
    }
}

/// Bytes of decoded text kept from message to message.
const TEXT_KEPT_MAX: usize = 1 << 20;
