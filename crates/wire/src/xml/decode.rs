//! Character data and attribute values as text.

use std::borrow::Cow;

use crate::pieces::{Piece, Pieces, Writing};

/// The text of a part of a document: entities decoded, CDATA unwrapped, comments, instructions and tags left out, line
/// ends made one. Of an attribute value line ends and tabs become blanks. What is no entity stays as it is.
pub(crate) fn decode(raw: &str, attribute: bool) -> Cow<'_, str> {
    let writing = if attribute { Writing::Attribute } else { Writing::Data };
    let mut only = None;
    let mut text = String::new();
    for (range, piece) in Pieces::new(raw, writing) {
        match (piece, only) {
            (Piece::Nothing, _) => {}
            // What is one piece of the document is not copied: a value without entities, a single CDATA section.
            (Piece::Verbatim, None) if text.is_empty() => only = Some(&raw[range]),
            _ => {
                text.push_str(only.take().unwrap_or_default());
                match piece {
                    Piece::Character(character) => text.push(character),
                    _ => text.push_str(&raw[range]),
                }
            }
        }
    }
    match only {
        Some(piece) => Cow::Borrowed(piece),
        None => Cow::Owned(text),
    }
}

/// The bytes of the tag, comment or instruction at the start of the text; `None` for a stray sign, which is text.
pub(crate) fn markup_length(text: &str) -> Option<usize> {
    let end = match text.as_bytes() {
        [b'<', b'!', b'-', b'-', ..] => text[4..].find("-->").map(|end| end + 7),
        [b'<', b'?', ..] => text.find("?>").map(|end| end + 2),
        [b'<', b'/', ..] => text.find('>').map(|end| end + 1),
        [b'<', start, ..] if super::reader::starts_name(*start) => Some(super::reader::tag_length(text.as_bytes())),
        _ => return None,
    };
    Some(end.unwrap_or(text.len()))
}

/// The character that a reference at the start of the text stands for, and the bytes of the reference.
pub(crate) fn reference(text: &str) -> Option<(char, usize)> {
    let body = text.strip_prefix('&')?;
    let end = memchr::memchr(b';', &body.as_bytes()[..body.len().min(REFERENCE_BYTES_MAX)])?;
    let character = match &body[..end] {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        number => numbered(number.strip_prefix('#')?)?,
    };
    Some((character, end + 2))
}

/// The character of a number, if XML allows it.
fn numbered(number: &str) -> Option<char> {
    let hex = number.strip_prefix('x');
    let digits = hex.unwrap_or(number);
    if !digits.bytes().all(|b| if hex.is_some() { b.is_ascii_hexdigit() } else { b.is_ascii_digit() }) {
        return None;
    }
    let code = u32::from_str_radix(digits, if hex.is_some() { 16 } else { 10 }).ok()?;
    let character = char::from_u32(code)?;
    super::is_writable(character).then_some(character)
}

pub(crate) const CDATA_START: &str = "<![CDATA[";
pub(crate) const CDATA_END: &str = "]]>";
/// The longest reference that is looked for: leading zeros are rare.
const REFERENCE_BYTES_MAX: usize = 16;
