//! Rows of cells: CSV (RFC 4180) and its kin with `;`, `|` or a tab, with or without quotation marks, with a row of
//! column names, and with a head and a trailer row that state how much the file holds.
//!
//! How a source writes is told by a [`Layout`]. Each row is a segment of the message, each cell a field; sub-delimiters
//! give repetitions and components. A bad row is an issue of that row and keeps nobody else's from being read.
//!
//! ```
//! use dukou_wire::delimited::{self, Layout};
//! use dukou_wire::{Limits, Path, Site};
//!
//! let bytes = "姓名,结果\n王建国,\"1,25\"\n李样例,7.86\n".as_bytes();
//! let (message, issues) = delimited::parse(bytes, &Layout::csv(), &Limits::default(), &Site::default())?;
//! let text = |path: &str| Some(message.get(&Path::parse(path).ok()?)?.text().into_owned());
//! assert_eq!(text("row[2]/姓名").as_deref(), Some("李样例"));
//! assert_eq!(text("row[1]/col 2").as_deref(), Some("1,25"));
//! assert_eq!(issues[0].to_string(), "cell-decimal-comma at row[1]/结果 (byte 25): the cell may be a number with a decimal comma");
//! assert_eq!(delimited::print(&message), bytes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checks;
mod draft;
mod layout;
mod pattern;
mod rows;
mod scan;

use std::borrow::Cow;

use crate::charset;
use crate::inspect::inspect;
use crate::issue::{Issue, IssueCode, IssueList};
use crate::message::{Locator, Shape};
use crate::{Column, Delimiters, Limits, Message, NotAMessage, Segment, Site};

pub use draft::{Draft, Formulas};
pub use layout::{Layout, LayoutError};
pub use pattern::RowPattern;
pub(crate) use rows::Rows;

/// Reads one file.
///
/// The character set is the site's forced one, else that of a byte order mark, else UTF-8 when the bytes are strict
/// UTF-8, else the site's default.
///
/// # Errors
/// When there is nothing but blanks, or the whole is larger than allowed. Other limits end the reading with an issue.
pub fn parse<'a>(
    bytes: &'a [u8],
    layout: &Layout,
    limits: &Limits,
    site: &Site,
) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
    limits.admit(bytes)?;
    let mut issues = IssueList::new(limits);
    let decoded = charset::gate_undeclared(bytes, site)?.addressable()?;
    let lines = scan::scan(&decoded.text, layout, limits, &mut issues);
    if lines.lines.is_empty() {
        let first = decoded.text.bytes().position(|b| b > b' ');
        let raw_offset = |at: usize| at as u32 + decoded.mark_bytes;
        return Err(first.map_or(NotAMessage::Empty, |at| NotAMessage::RowTooLarge { raw_offset: raw_offset(at) }));
    }
    let (rows, index) = rows::arrange(&decoded.text, layout, lines, &mut issues);
    let mut message = Message::new(bytes, decoded);
    (message.delimiters, message.index) = (layout.delimiters(), index);
    message.shape = Shape::Rows(Box::new(rows));
    inspect(&message, &mut issues);
    checks::check(&message, layout, &mut issues);
    let mut issues = issues.into_vec();
    locate(&message, &mut issues);
    Ok((message, issues))
}

impl Message<'_> {
    /// The names of the columns of a delimited file, those of its row of names or else the declared ones; `None` for
    /// other formats.
    #[must_use]
    pub fn column_names(&self) -> Option<&[String]> {
        self.rows().map(Rows::names)
    }
}

/// The bytes of a file, exactly as they came.
#[must_use]
pub fn print(message: &Message<'_>) -> Vec<u8> {
    message.raw().to_vec()
}

/// The findings about one row, of those that [`parse`] gave: its own verdict, whatever the other rows are.
#[must_use]
pub fn issues_of<'i>(row: Segment<'_>, issues: &'i [Issue]) -> &'i [Issue] {
    let span = row.span();
    let told = issues.partition_point(|issue| issue.code != IssueCode::MoreIssues);
    let from = issues[..told].partition_point(|issue| issue.text_offset < span.start);
    let to = issues[..told].partition_point(|issue| issue.text_offset <= span.end);
    &issues[from..to.max(from)]
}

/// What tells a row apart from all others, whenever it is read: the file, the number of the row and its key columns. The
/// same file gives the same keys, so that sending it again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    /// What the caller knows the file by, such as the hash of its bytes.
    pub file: String,
    /// The number among the rows of data, from 1.
    pub row: u32,
    /// The values of the key columns of the layout, without blanks around them.
    pub columns: Vec<String>,
}

/// The key of a row.
#[must_use]
pub fn row_key(file: &str, row: Segment<'_>, layout: &Layout) -> RowKey {
    let number = |column: &Column| row.message().rows().map_or(0, |rows| rows.number(column));
    let columns = layout.keys.iter().map(|column| row.field(number(column)).trimmed().into_owned()).collect();
    RowKey { file: file.to_owned(), row: row.occurrence() as u32, columns }
}

/// The text of a quoted cell without its outer quotation marks: doubled ones inside are one.
pub(crate) fn decode(raw: &str, quote: u8) -> Cow<'_, str> {
    let bytes = raw.as_bytes();
    let (mut text, mut from, mut at) = (String::new(), 0, 0);
    while let Some(found) = memchr::memchr(quote, &bytes[at..]) {
        at += found + 1;
        if bytes.get(at) == Some(&quote) {
            text.push_str(&raw[from..at]);
            at += 1;
            from = at;
        }
    }
    if from == 0 {
        return Cow::Borrowed(raw);
    }
    text.push_str(&raw[from..]);
    Cow::Owned(text)
}

/// Puts the issues in the order of the text and fills in their places.
fn locate(message: &Message<'_>, issues: &mut [Issue]) {
    issues.sort_by_key(|issue| (issue.code == IssueCode::MoreIssues, issue.text_offset));
    let mut locator = Locator::new(message);
    for issue in issues {
        issue.raw_offset = locator.raw_offset(issue.text_offset);
        if issue.path.is_none() && !matches!(issue.code, IssueCode::MoreIssues | IssueCode::RowsStopped) {
            issue.path = rows::row_at(message, issue.text_offset).map(|row| row.path());
        }
    }
}

pub(crate) const fn or_zero(delimiter: Option<u8>) -> u8 {
    match delimiter {
        Some(delimiter) => delimiter,
        None => 0,
    }
}

impl Layout {
    /// The delimiters as the index knows them; the quotation mark stands in for the escape character.
    pub(crate) fn delimiters(&self) -> Delimiters {
        Delimiters {
            field: self.separator,
            component: or_zero(self.component),
            repetition: or_zero(self.repetition),
            escape: or_zero(self.quote),
            subcomponent: or_zero(self.subcomponent),
            truncation: 0,
        }
    }
}
