//! Character data and attribute values as text, XML 1.0 sections 2.4, 2.7, 2.11, 3.3.3 and 4.1.

use std::borrow::Cow;

/// The text of a part of a document: entities decoded, CDATA unwrapped, comments, instructions and tags left out, line
/// ends made one. Of an attribute value line ends and tabs become blanks. What is no entity stays as it is.
pub(crate) fn decode(raw: &str, attribute: bool) -> Cow<'_, str> {
    let bytes = raw.as_bytes();
    let mut text = String::new();
    let (mut at, mut from) = (0, 0);
    while at < bytes.len() {
        let (end, replacement) = match bytes[at] {
            b'&' => match reference(&raw[at..]) {
                Some((character, length)) => (at + length, Piece::Character(character)),
                None => (at + 1, Piece::Same),
            },
            b'<' if !attribute => markup(raw, at),
            b'\r' => (
                at + 1 + usize::from(bytes.get(at + 1) == Some(&b'\n')),
                Piece::Character(if attribute { ' ' } else { '\n' }),
            ),
            b'\n' | b'\t' if attribute => (at + 1, Piece::Character(' ')),
            _ => {
                at += if attribute { 1 } else { plain(&bytes[at..]) };
                continue;
            }
        };
        if let Piece::Same = replacement {
            at = end;
            continue;
        }
        text.push_str(&raw[from..at]);
        match replacement {
            Piece::Character(character) => text.push(character),
            Piece::Data(data) => push_lines(data, &mut text),
            Piece::Nothing | Piece::Same => {}
        }
        (at, from) = (end, end);
    }
    if from == 0 {
        return Cow::Borrowed(raw);
    }
    text.push_str(&raw[from..]);
    Cow::Owned(text)
}

/// What stands in the text for a piece of the document.
enum Piece<'t> {
    Same,
    Nothing,
    Character(char),
    Data(&'t str),
}

/// How many bytes ahead stand for themselves.
fn plain(bytes: &[u8]) -> usize {
    memchr::memchr3(b'&', b'<', b'\r', bytes).unwrap_or(bytes.len())
}

/// The end of the markup that starts here, and the data in it.
fn markup(raw: &str, at: usize) -> (usize, Piece<'_>) {
    let rest = &raw[at..];
    if let Some(data) = rest.strip_prefix(CDATA_START) {
        return match data.find(CDATA_END) {
            Some(length) => (at + CDATA_START.len() + length + CDATA_END.len(), Piece::Data(&data[..length])),
            None => (raw.len(), Piece::Data(data)),
        };
    }
    let end = match rest.as_bytes() {
        [b'<', b'!', b'-', b'-', ..] => rest[4..].find("-->").map(|end| end + 7),
        [b'<', b'?', ..] => rest.find("?>").map(|end| end + 2),
        [b'<', b'/', ..] => rest.find('>').map(|end| end + 1),
        [b'<', start, ..] if super::reader::starts_name(*start) => Some(super::reader::tag_length(rest.as_bytes())),
        // A stray sign is text.
        _ => return (at + 1, Piece::Same),
    };
    (at + end.unwrap_or(rest.len()), Piece::Nothing)
}

/// Appends data with its line ends made one.
fn push_lines(data: &str, text: &mut String) {
    let mut lines = data.split('\r');
    text.push_str(lines.next().unwrap_or_default());
    for line in lines {
        if !line.starts_with('\n') {
            text.push('\n');
        }
        text.push_str(line);
    }
}

/// The character that a reference at the start of the text stands for, and the bytes of the reference.
pub(super) fn reference(text: &str) -> Option<(char, usize)> {
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
    let allowed = matches!(character, '\t' | '\n' | '\r') || (character >= ' ' && !matches!(code, 0xFFFE | 0xFFFF));
    allowed.then_some(character)
}

pub(super) const CDATA_START: &str = "<![CDATA[";
pub(super) const CDATA_END: &str = "]]>";
/// The longest reference that is looked for: leading zeros are rare.
const REFERENCE_BYTES_MAX: usize = 16;
