//! JSON that is not FHIR: card payloads, content of QR codes, partner interfaces (RFC 8259).
//!
//! The text must be JSON to the letter; there is no lenient reading. Numbers keep their text, members their order, and a
//! member that is named twice is kept twice and flagged.
//!
//! ```
//! use dukou_wire::{Limits, Path, json};
//!
//! let bytes = br#"{"payload":{"cards":[{"no":"C1"},{"no":"C2"}],"balance":1024.50}}"#;
//! let (message, _) = json::parse(bytes, &Limits::default())?;
//! let text = |path: &str| Some(message.get(&Path::parse(path).ok()?)?.text().into_owned());
//! assert_eq!(text("/payload/cards[2]/no").as_deref(), Some("C2"));
//! assert_eq!(text("/payload/balance").as_deref(), Some("1024.50"));
//! let places: Vec<String> = message.leaves().map(|leaf| leaf.path(&message).to_string()).collect();
//! assert_eq!(places, ["/payload/cards[1]/no", "/payload/cards[2]/no", "/payload/balance"]);
//! assert_eq!(json::print(&message), bytes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod reader;
mod text;

use std::borrow::Cow;

use crate::charset::{Decoded, Reason, mark_length};
use crate::inner::Unwrapped;
use crate::issue::{Issue, IssueCode, IssueList};
use crate::message::Shape;
use crate::{Charset, Limits, Message, NotAMessage, tree};

pub use text::escape;
pub(crate) use text::{decode, empty_array, escaped, stays_literal};

/// Reads one document. Its character set is strict UTF-8 (RFC 8259, section 8.1); a byte order mark is kept and reported.
///
/// # Errors
/// When the text is not JSON or a limit is exceeded.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
    limits.admit(bytes)?;
    let mark = mark_length(bytes)?;
    let text = std::str::from_utf8(&bytes[mark..]).map_err(|error| NotAMessage::Undecodable {
        charset: Charset::Utf8,
        raw_offset: (mark + error.valid_up_to()) as u32,
    })?;
    if text.trim_ascii().is_empty() {
        return Err(NotAMessage::Empty);
    }
    let mut issues = IssueList::new(limits);
    if mark > 0 {
        issues.push(|| Issue::new(IssueCode::LeadingBytes, 0));
    }
    let reason = if mark > 0 { Reason::ByteOrderMark } else { Reason::StrictUtf8 };
    let decoded = Decoded { text: Cow::Borrowed(text), charset: Charset::Utf8, reason, mark_bytes: mark as u32 };
    read(Message::new(bytes, decoded), limits.json_nodes_max, limits, issues)
}

/// Reads a document that stands as text in another one.
pub(crate) fn inner<'m>(unwrapped: Unwrapped<'m>, limits: &Limits) -> Result<(Message<'m>, Vec<Issue>), NotAMessage> {
    let nodes = unwrapped.nodes_left.min(limits.json_nodes_max);
    read(Message::unwrapped(unwrapped), nodes, limits, IssueList::new(limits))
}

/// Finds the parts of a document whose text is known.
fn read<'a>(
    message: Message<'a>,
    nodes: usize,
    limits: &Limits,
    issues: IssueList,
) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
    tree::grow(message, issues, |text, issues| {
        reader::read(text, limits, nodes, issues).map(|tree| Shape::Json(Box::new(tree)))
    })
}

/// The bytes of a document, exactly as they came.
#[must_use]
pub fn print(message: &Message<'_>) -> Vec<u8> {
    message.raw().to_vec()
}
