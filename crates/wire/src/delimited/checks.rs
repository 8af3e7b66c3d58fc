//! What is odd about rows and cells. It is flagged and never repaired: only the sender knows what was meant.

use std::collections::BTreeSet;

use super::pattern::Slot;
use super::{Layout, RowPattern};
use crate::issue::{Issue, IssueCode, IssueList};
use crate::{Message, Node, RowKind, Segment};

/// Checks every row, and the counts that the file states.
pub(super) fn check(message: &Message<'_>, layout: &Layout, issues: &mut IssueList) {
    let Some(rows) = message.rows() else { return };
    let text = message.text().as_bytes();
    let traps = Traps {
        identifiers: layout.identifiers.iter().map(|column| rows.number(column)).collect(),
        full_width: memchr::memmem::find(text, &FULL_WIDTH_DIGITS[..2]).is_some(),
        commas: layout.separator != b',' && memchr::memchr(b',', text).is_some(),
    };
    let mut width = rows.names().len();
    let data = message.segments().filter(|row| row.id() == RowKind::Row.as_str());
    for row in data {
        let found = usize::from(row.field_count());
        if width == 0 {
            width = found;
        }
        if found != width {
            let numbers = (width as u64, found as u64);
            issues.push(|| {
                Issue::new(IssueCode::RowWidth, row.span().start)
                    .with_numbers(numbers.0, numbers.1)
                    .with_path(row.path())
            });
        }
        traps.row(row, message, issues);
    }
    let patterns = [(RowKind::Head, &layout.head), (RowKind::Trailer, &layout.trailer)];
    for (kind, pattern) in patterns {
        if let Some(pattern) = pattern {
            count(message, kind, pattern, issues);
        }
    }
}

/// Compares what the head or trailer states with what the file holds.
fn count(message: &Message<'_>, kind: RowKind, pattern: &RowPattern, issues: &mut IssueList) {
    let Some(rows) = message.rows() else { return };
    // Of several trailers the last one speaks for the whole.
    let Some(row) = message.segments().rev().find(|row| row.id() == kind.as_str()) else { return };
    for (number, slot) in pattern.counts() {
        let cell = row.field(number);
        let place = || row.path().at(number, 0, 0, 0);
        let Some(declared) = pattern.count(number, &cell.text()) else {
            issues.push(|| Issue::new(IssueCode::RowCountUnread, cell.span().start).with_path(place()));
            continue;
        };
        let found = match slot {
            Slot::Distinct(column) => distinct(message, rows.number(column)),
            _ => u64::from(rows.count()),
        };
        if declared != found {
            let issue = || Issue::new(IssueCode::RowCount, cell.span().start).with_numbers(declared, found);
            issues.push(|| issue().with_path(place()));
        }
    }
}

/// How many different values a column holds.
fn distinct(message: &Message<'_>, number: u16) -> u64 {
    let data = message.segments().filter(|row| row.id() == RowKind::Row.as_str());
    let cells = data.map(|row| row.field(number).trimmed());
    cells.filter(|cell| !cell.is_empty()).collect::<BTreeSet<_>>().len() as u64
}

/// What to look for in cells.
struct Traps {
    /// The numbers of the columns that hold identifiers.
    identifiers: Vec<u16>,
    /// Some full-width character may stand in the file.
    full_width: bool,
    /// A comma may stand in a cell without quotation marks.
    commas: bool,
}

impl Traps {
    fn row(&self, row: Segment<'_>, message: &Message<'_>, issues: &mut IssueList) {
        let text = message.text().as_bytes();
        let separator = message.delimiters().field;
        let ends = row.delimiter_offsets().filter(|&at| text[at as usize] == separator).chain([row.span().end]);
        let mut start = row.span().start;
        for (number, end) in (1..).zip(ends) {
            let first = if start < end { text[start as usize] } else { 0 };
            if self.may_hold(first, number) {
                let cell = Node::of_cell(message, start..end, 0..0, row.entry().has_escapes());
                if let Some(code) = self.find(cell, number) {
                    let path = || row.path().at(number, 0, 0, 0);
                    let named = || message.rows().map_or_else(path, |rows| rows.named(path()));
                    issues.push(|| Issue::new(code, cell.span().start).with_path(named()));
                }
            }
            start = end + 1;
        }
    }

    /// A cell that begins with this byte may be odd.
    fn may_hold(&self, first: u8, column: u16) -> bool {
        match first {
            b'\'' | b'=' | b'@' | b'+' | b'-' | b'"' => true,
            b'0'..=b'9' => self.commas || self.identifiers.contains(&column),
            0x80.. => self.full_width,
            _ => false,
        }
    }

    fn find(&self, cell: Node<'_>, column: u16) -> Option<IssueCode> {
        let raw = cell.raw().as_bytes();
        match *raw.first()? {
            b'\'' => Some(IssueCode::CellApostrophe),
            b'=' | b'@' => Some(IssueCode::CellFormula),
            // Signs alone are ordinary results; only what could be computed is a formula.
            b'+' | b'-' if raw.get(1).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'(') => {
                Some(IssueCode::CellFormula)
            }
            b'0'..=b'9' | b'-' | b'+' if self.identifiers.contains(&column) && is_scientific(raw) => {
                Some(IssueCode::CellScientific)
            }
            b'0'..=b'9' | b'-' | b'+' if has_decimal_comma(raw) => Some(IssueCode::CellDecimalComma),
            0x80.. if self.full_width && has_full_width_digit(cell) => Some(IssueCode::CellFullWidth),
            _ => None,
        }
    }
}

/// `8.60101E+17`
fn is_scientific(raw: &[u8]) -> bool {
    let Some(at) = raw.iter().position(|b| matches!(b, b'E' | b'e')) else { return false };
    let (mantissa, exponent) = (&raw[..at], &raw[at + 1..]);
    let exponent = exponent.strip_prefix(b"+").or(exponent.strip_prefix(b"-")).unwrap_or(exponent);
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    digits(exponent)
        && !mantissa.is_empty()
        && mantissa.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'))
}

/// `1,25`, and not `1,250`, which is a thousand.
fn has_decimal_comma(raw: &[u8]) -> bool {
    let Some(at) = memchr::memchr(b',', &raw[..raw.len().min(NUMBER_BYTES_MAX)]) else { return false };
    let (whole, rest) = (&raw[..at], &raw[at + 1..]);
    let whole = whole.strip_prefix(b"-").unwrap_or(whole);
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    digits(whole) && digits(rest) && rest.len() != 3
}

fn has_full_width_digit(cell: Node<'_>) -> bool {
    cell.raw().chars().any(|c| ('０'..='９').contains(&c))
}

/// What the full-width digits begin with in UTF-8.
const FULL_WIDTH_DIGITS: [u8; 2] = [0xEF, 0xBC];
/// No number that a person wrote is longer.
const NUMBER_BYTES_MAX: usize = 32;
