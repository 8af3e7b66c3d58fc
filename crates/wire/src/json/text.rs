//! Strings of JSON as text, RFC 8259 section 7.

use std::borrow::Cow;

/// The text of a string without its quotation marks. Half of a surrogate pair stays as it was written: it stands for no
/// character.
pub(crate) fn decode(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else { return Cow::Borrowed(raw) };
    let mut text = String::with_capacity(raw.len());
    text.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while !rest.is_empty() {
        let (character, length) = escaped(rest);
        match character {
            Some(character) => text.push(character),
            None => text.push_str(&rest[..length]),
        }
        rest = &rest[length..];
        let plain = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        text.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    Cow::Owned(text)
}

/// The character of the escape at the start of the text, and its bytes; no character when it stands for none.
pub(crate) fn escaped(text: &str) -> (Option<char>, usize) {
    let character = match text.as_bytes().get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{C}',
        Some(&b @ (b'"' | b'\\' | b'/')) => char::from(b),
        Some(b'u') => return numbered(text),
        _ => return (None, 1),
    };
    (Some(character), 2)
}

fn numbered(text: &str) -> (Option<char>, usize) {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let Some(high) = unit(0) else { return (None, 1) };
    if let (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) = (high, unit(6)) {
        return (char::from_u32(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)), 12);
    }
    (char::from_u32(high), 6)
}

/// A text as the content of a string, without the quotation marks.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    let special = |b: u8| matches!(b, b'"' | b'\\' | 0..=0x1F);
    if !text.bytes().any(special) {
        return Cow::Borrowed(text);
    }
    let mut written = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            '\u{8}' => written.push_str("\\b"),
            '\u{C}' => written.push_str("\\f"),
            control @ '\0'..='\u{1F}' => {
                written.push_str("\\u00");
                let digit = |n: u32| char::from_digit(n & 15, 16).unwrap_or('0');
                written.extend([digit(u32::from(control) >> 4), digit(u32::from(control))]);
            }
            other => written.push(other),
        }
    }
    Cow::Owned(written)
}

/// The new text can stand where the old one stood without quotation marks: a number for a number, a word for a word.
pub(crate) fn stays_literal(was: &str, value: &str) -> bool {
    match was.as_bytes().first() {
        Some(b't' | b'f') => matches!(value, "true" | "false"),
        Some(b'-' | b'0'..=b'9') => is_number(value),
        _ => false,
    }
}

/// RFC 8259 section 6.
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    let whole_fits = digits(whole) && (whole == "0" || !whole.starts_with('0'));
    let exponent_fits = |part: &str| digits(part.strip_prefix(['+', '-']).unwrap_or(part));
    whole_fits && fraction.is_none_or(digits) && exponent.is_none_or(exponent_fits)
}

/// Where the first value goes into the empty array of a member; `object` is an object as it stands in the text. `None`
/// when it has no member of that name, or the member is no empty array.
pub(crate) fn empty_array(object: &str, name: &str) -> Option<u32> {
    let bytes = object.as_bytes();
    let (mut depth, mut at) = (0_u32, 0);
    while let Some(&b) = bytes.get(at) {
        match b {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = at + 1 + string_length(&bytes[at + 1..]);
                let rest = object.get(end + 1..)?;
                let value = rest.trim_ascii_start().strip_prefix(':').map(str::trim_ascii_start);
                if depth == 1
                    && decode(&object[at + 1..end]) == name
                    && let Some(inside) = value.and_then(|value| value.strip_prefix('['))
                    && inside.trim_ascii_start().starts_with(']')
                {
                    return u32::try_from(object.len() - inside.len()).ok();
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The bytes of a string up to its closing quotation mark.
pub(super) fn string_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at;
        }
        at += 2;
    }
    bytes.len()
}
