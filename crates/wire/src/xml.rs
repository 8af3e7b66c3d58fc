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
use std::ops::Range;

use crate::document::ElementDraft;
use crate::issue::{Issue, IssueList};
use crate::message::Shape;
use crate::refusal::SetError;
use crate::{Charset, Element, Format, Limits, Message, NotAMessage, Site, json, tree};

pub(crate) use decode::{CDATA_END, CDATA_START, decode, markup_length, reference};

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
    limits.admit(bytes)?;
    let mut issues = IssueList::new(limits);
    let decoded = gate::decode(bytes, transport, site, &mut issues)?.addressable()?;
    read(Message::new(bytes, decoded), limits.xml_nodes_max, limits, issues)
}

/// Reads a document that an element or attribute holds as text: escaped, in a CDATA section, or in a string of JSON. It
/// may be XML, JSON or ER7, by its first characters. What it declares as its character set does not count: the bytes
/// around it have been decoded.
///
/// The message that is given back knows its place: its [`raw`](Message::raw) bytes are those of the outermost message,
/// offsets of issues point into them, and [`Message::set`] gives them back with one value changed.
///
/// ```
/// use dukou_wire::{Limits, Path, Site, xml};
///
/// let bytes = b"<Envelope><Body><Save><p>&lt;row&gt;&lt;xm&gt;A&amp;amp;B&lt;/xm&gt;&lt;/row&gt;</p></Save></Body></Envelope>";
/// let (limits, site) = (Limits::default(), Site::default());
/// let (envelope, _) = xml::parse(bytes, &limits, &site)?;
/// let parameter = xml::wrapped(&envelope).next().ok_or("nothing is wrapped")?;
/// let (inner, _) = xml::inner(parameter, &limits, &site)?;
/// let path = Path::parse("/row/xm")?;
/// assert_eq!(inner.get(&path).map(|node| node.text().into_owned()).as_deref(), Some("A&B"));
/// let written = inner.set(&path, "<C>")?;
/// assert!(written.starts_with(b"<Envelope><Body><Save><p>&lt;row&gt;&lt;xm&gt;&amp;lt;C&amp;gt;&lt;/xm&gt;"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As the parser of its format; when documents are wrapped too deep; when the documents within each other have too many
/// nodes together.
pub fn inner<'m>(element: Element<'m>, limits: &Limits, site: &Site) -> Result<(Message<'m>, Vec<Issue>), NotAMessage> {
    let unwrapped = crate::inner::unwrap(element.message(), element.value(), limits)?;
    match crate::sniff(unwrapped.text.as_bytes()) {
        Format::Er7 => crate::er7::inner(unwrapped, limits, site),
        Format::Json => json::inner(unwrapped, limits),
        Format::Xml | Format::Delimited => {
            let nodes = unwrapped.nodes_left;
            read(Message::unwrapped(unwrapped), nodes, limits, IssueList::new(limits))
        }
    }
}

/// Finds the parts of a document whose text is known.
fn read<'a>(
    message: Message<'a>,
    nodes: usize,
    limits: &Limits,
    issues: IssueList,
) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
    tree::grow(message, issues, |text, issues| {
        reader::read(text, limits, nodes, issues).map(|tree| Shape::Xml(Box::new(tree)))
    })
}

/// What a SOAP envelope (1.1 or 1.2, by whatever namespace) carries: the first element in its body. A document without
/// an envelope is its own content.
#[must_use]
pub fn body<'m>(message: &'m Message<'_>) -> Option<Element<'m>> {
    let root = message.root()?;
    if root.name() != "Envelope" {
        return Some(root);
    }
    root.child("Body").and_then(|body| body.children().next())
}

/// The elements that hold a document as text, in the order of the document: those whose text begins like one.
pub fn wrapped<'m>(message: &'m Message<'_>) -> impl Iterator<Item = Element<'m>> {
    let all = message.root().into_iter().flat_map(|root| std::iter::once(root).chain(root.descendants()));
    all.filter(|element| element.is_leaf() && holds_document(element))
}

/// By its first characters and its last one: nothing more is decoded.
fn holds_document(element: &Element<'_>) -> bool {
    let value = element.value();
    let raw = value.raw().trim_ascii();
    if !raw.as_bytes().first().is_some_and(|b| matches!(b, b'&' | b'<' | b'{' | b'[' | b'\\' | b'M')) {
        return false;
    }
    let begins = crate::inner::beginning(element.message(), value);
    let ends = |ends: &[&str]| ends.iter().any(|end| raw.ends_with(end));
    match (crate::sniff(begins.as_bytes()), begins.trim_start().as_bytes()) {
        (Format::Xml, [_, next, ..]) => {
            (reader::starts_name(*next) || matches!(next, b'?' | b'!'))
                && ends(&[">", "&gt;", "&#62;", "&#x3E;", "&#x3e;"])
        }
        (Format::Json, [b'[', rest @ ..])
            if !rest.trim_ascii_start().first().is_some_and(|b| b"\"{[]-0123456789tfn".contains(b)) =>
        {
            false
        }
        (Format::Json, [_, ..]) => ends(&["}", "]", "]]>", "&#125;", "&#93;"]),
        (Format::Er7, _) => true,
        _ => false,
    }
}

/// The bytes of a document, exactly as they came.
#[must_use]
pub fn print(message: &Message<'_>) -> Vec<u8> {
    message.raw().to_vec()
}

/// Text for a place in a document: what would be read as markup is written as entities.
///
/// `attribute`: for a value in quotation marks, where line ends would be read as blanks.
#[must_use]
pub fn escape(text: &str, attribute: bool) -> Cow<'_, str> {
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

/// Where new elements go within an element of a document, and their text, for [`Message::rewrite`]: before one of its
/// elements, or behind all. Where the elements there stand each on its own line, so do the new ones.
///
/// ```
/// use dukou_wire::document::ElementDraft;
/// use dukou_wire::{Limits, Site, xml};
///
/// let (message, _) = xml::parse(b"<row>\n  <xm>A</xm>\n  <xb>1</xb>\n</row>", &Limits::default(), &Site::default())?;
/// let row = message.root().ok_or("no root")?;
/// let mut birth = ElementDraft::new("csrq");
/// birth.text("19901231");
/// let change = xml::insertion(row, row.child("xb"), &[birth])?;
/// let expected = b"<row>\n  <xm>A</xm>\n  <csrq>19901231</csrq>\n  <xb>1</xb>\n</row>";
/// assert_eq!(message.rewrite(&[change])?, expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the element holds text, or a name or a character of the new ones cannot stand in XML.
pub fn insertion(
    parent: Element<'_>,
    before: Option<Element<'_>>,
    drafts: &[ElementDraft],
) -> Result<(Range<u32>, String), SetError> {
    crate::write::insertion(parent, before, drafts)
}

/// Whether XML can hold the character at all, XML 1.0 section 2.2: control characters it cannot, not even as references.
pub(crate) fn is_writable(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r') || (character >= ' ' && !matches!(character, '\u{FFFE}' | '\u{FFFF}'))
}

/// The text can be the name of an element or attribute.
pub(crate) fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(reader::starts_name) && reader::name_length(text.as_bytes()) == text.len()
}

/// Text for the inside of a CDATA section, which is closed and opened again where the text could not stand in one.
pub(crate) fn escape_section(text: &str) -> Cow<'_, str> {
    if !text.contains(CDATA_END) && !text.contains('\r') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(CDATA_END, "]]]]><![CDATA[>").replace('\r', "]]>&#13;<![CDATA["))
}
