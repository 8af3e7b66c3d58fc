//! XML as hospitals send it: a lossless tree of elements, attributes and character data with offsets (XML 1.0).
//!
//! Bytes that are not quite XML are read as far as they say something: what is wrong becomes an issue and stays in the
//! text. Nothing outside the document is ever read, and nothing in it grows: document types are refused, and of entities
//! only the five predefined ones and character references are decoded.
//!
//! ```
//! use dukou_wire::{Limits, Path, Presence, Site, xml};
//!
//! let bytes = "<row><xm>王建国 </xm><xb code='1'>男</xb><bz/></row>".as_bytes();
//! let (message, issues) = xml::parse(bytes, &Limits::default(), &Site::default())?;
//! let row = message.root().ok_or("no root")?;
//! assert_eq!(row.child_value("xm").text(), "王建国 ");
//! assert_eq!(row.child_value("xm").trimmed(), "王建国");
//! assert_eq!(message.get(&Path::parse("/row/xb/@code")?).map(|node| node.text().into_owned()).as_deref(), Some("1"));
//! assert_eq!(row.child_value("bz").presence(), Presence::Empty);
//! assert_eq!(row.child_value("sfzh").presence(), Presence::Absent);
//! assert!(issues.is_empty());
//! assert_eq!(xml::print(&message), bytes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod decode;
mod gate;
mod reader;

use std::borrow::Cow;

use crate::charset::Decoded;
use crate::inspect::inspect;
use crate::issue::{Issue, IssueList};
use crate::message::{Locator, Shape};
use crate::{Charset, Delimiters, Limits, Message, NotAMessage, Site};

pub(crate) use decode::decode;

/// Reads one document.
///
/// The character set is that of a byte order mark, else UTF-8 when the bytes are strict UTF-8, else the declared one when
/// the bytes decode by it, else the site's default. A declaration is only a hint, because many senders declare one
/// character set and write another.
///
/// # Errors
/// When there is no element, a document type is declared, or a limit is exceeded.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits, site: &Site) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
    parse_as(bytes, None, limits, site)
}

/// Reads one document whose transport, such as the `Content-Type` of HTTP, names a character set: it counts before what
/// the document itself declares, unless the bytes contradict it.
///
/// # Errors
/// As [`parse`].
pub fn parse_as<'a>(
    bytes: &'a [u8],
    transport: Option<Charset>,
    limits: &Limits,
    site: &Site,
) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
    if bytes.len() > limits.frame_bytes_max || u32::try_from(bytes.len()).is_err() {
        return Err(NotAMessage::TooLarge { limit: limits.frame_bytes_max.min(u32::MAX as usize) });
    }
    let mut issues = IssueList::new(limits);
    let decoded = gate::decode(bytes, transport, site, &mut issues)?;
    if u32::try_from(decoded.text.len()).is_err() {
        return Err(NotAMessage::TooLarge { limit: u32::MAX as usize });
    }
    let Decoded { text, charset, reason, mark_bytes } = decoded;
    let mut message = Message {
        raw: bytes,
        text,
        charset,
        reason,
        delimiters: Delimiters::default(),
        index: crate::index::Index::default(),
        mark_bytes,
        truncates: false,
        shape: Shape::Segments,
    };
    let tree = reader::read(&message.text, limits, limits.xml_nodes_max, &mut issues)
        .map_err(|error| error.moved(|text_offset| message.raw_offset(text_offset)))?;
    message.shape = Shape::Xml(Box::new(tree));
    inspect(&message, &mut issues);
    let mut issues = issues.into_vec();
    locate(&message, &mut issues);
    Ok((message, issues))
}

/// The bytes of a document, exactly as they came.
#[must_use]
pub fn print(message: &Message<'_>) -> Vec<u8> {
    message.raw().to_vec()
}

/// Puts the issues in the order of the text and fills in their places: the path of the innermost element around.
pub(crate) fn locate(message: &Message<'_>, issues: &mut [Issue]) {
    issues.sort_by_key(|issue| (issue.code == crate::IssueCode::MoreIssues, issue.text_offset));
    let mut locator = Locator::new(message);
    for issue in issues {
        issue.raw_offset = locator.raw_offset(issue.text_offset);
        if issue.path.is_none() && issue.code != crate::IssueCode::MoreIssues {
            issue.path = message.root().and_then(|root| root.around(issue.text_offset)).map(|element| element.path());
        }
    }
}

/// Text for a place in a document: what would be read as markup is written as entities.
///
/// `attribute`: for a value in quotation marks, where line ends would be read as blanks.
pub(crate) fn encode(text: &str, attribute: bool) -> Cow<'_, str> {
    let special = |b: u8| matches!(b, b'&' | b'<' | b'>' | b'\r') || (attribute && matches!(b, b'"' | b'\n' | b'\t'));
    if !text.bytes().any(special) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '\r' => written.push_str("&#13;"),
            '"' if attribute => written.push_str("&quot;"),
            '\n' if attribute => written.push_str("&#10;"),
            '\t' if attribute => written.push_str("&#9;"),
            other => written.push(other),
        }
    }
    Cow::Owned(written)
}
