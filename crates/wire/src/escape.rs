//! Escape sequences, HL7 v2 chapter 2, use of escape sequences in text fields.
//!
//! They are recognised after splitting and never split again. What is not understood stays as it was sent. An escape to
//! another character repertoire counts up to the next one, to a formatting command, or to the end of the value.

mod repertoire;

use std::borrow::Cow;

use self::repertoire::Repertoire;
use crate::{Charset, Delimiters, IssueCode};

/// A part of formatted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run<'m> {
    /// Text with its escapes decoded.
    Text(Cow<'m, str>),
    /// A formatting command such as `br` or `sp3`, without the period.
    Command(&'m str),
}

/// Decodes the escapes of one value. Borrowed when nothing changes.
#[must_use]
pub fn decode<'m>(raw: &'m str, delimiters: Delimiters, charset: Charset) -> Cow<'m, str> {
    let escape = delimiters.escape;
    if escape == 0 || memchr::memchr(escape, raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    for token in (Tokens { raw, at: 0, delimiters }) {
        token.write(charset, &mut text);
    }
    Cow::Owned(text)
}

/// Splits formatted text into runs and commands.
#[must_use]
pub fn formatted<'m>(raw: &'m str, delimiters: Delimiters, charset: Charset) -> Vec<Run<'m>> {
    let mut runs = Vec::new();
    let mut text = String::new();
    for token in (Tokens { raw, at: 0, delimiters }) {
        if let Kind::Formatting(command) = token.kind {
            if !text.is_empty() {
                runs.push(Run::Text(Cow::Owned(std::mem::take(&mut text))));
            }
            runs.push(Run::Command(command));
        } else {
            token.write(charset, &mut text);
        }
    }
    if !text.is_empty() {
        runs.push(Run::Text(Cow::Owned(text)));
    }
    runs
}

/// Escapes a value so that [`decode`] gives it back: the delimiters of the message, the escape character before all, and
/// the control characters that end segments and frames. Two quotation marks alone are written so that they are data and
/// no null. `None` when an escape is needed and the message has no escape character.
#[must_use]
pub fn encode(text: &str, delimiters: Delimiters) -> Option<Cow<'_, str>> {
    if text != NULL && !text.bytes().any(|b| letter(b, delimiters).is_some()) {
        return Some(Cow::Borrowed(text));
    }
    if delimiters.escape == 0 {
        return (text == NULL).then_some(Cow::Borrowed(text));
    }
    let escape = char::from(delimiters.escape);
    let mut written = String::with_capacity(text.len() + 16);
    for (at, character) in text.char_indices() {
        let code = u8::try_from(character).ok().filter(u8::is_ascii).and_then(|b| letter(b, delimiters));
        match code {
            _ if text == NULL && at == 0 => written.extend([escape, 'X', '2', '2', escape]),
            None => written.push(character),
            Some(b'X') => {
                let hex = |n: u32| char::from(b"0123456789ABCDEF"[n as usize & 15]);
                let value = u32::from(character);
                written.extend([escape, 'X', hex(value >> 4), hex(value), escape]);
            }
            Some(code) => written.extend([escape, char::from(code), escape]),
        }
    }
    Some(Cow::Owned(written))
}

/// The same text with the characters that are written in hexadecimal digits in another character set. What cannot be
/// decoded or is not in the other set stays.
pub(crate) fn recode(raw: &str, delimiters: Delimiters, from: Charset, to: Charset) -> Cow<'_, str> {
    let escape = delimiters.escape;
    if escape == 0 || from == to || memchr::memchr(escape, raw.as_bytes()).is_none() {
        return Cow::Borrowed(raw);
    }
    let mut written = String::with_capacity(raw.len());
    for token in (Tokens { raw, at: 0, delimiters }) {
        let decoded = if matches!(token.kind, Kind::Hex) { token.hex(from) } else { None };
        match decoded.as_deref().and_then(|text| to.encode(text).ok()) {
            Some(bytes) => {
                written.extend([char::from(escape), 'X']);
                written.extend(bytes.iter().map(|b| format!("{b:02X}")));
                written.push(char::from(escape));
            }
            None => written.push_str(token.raw),
        }
    }
    Cow::Owned(written)
}

/// Reports what is odd about the escapes of one value; offsets are relative to it.
pub(crate) fn check(
    raw: &str,
    delimiters: Delimiters,
    charset: Charset,
    formatted: bool,
    mut report: impl FnMut(IssueCode, usize),
) {
    for token in (Tokens { raw, at: 0, delimiters }) {
        let code = match token.kind {
            Kind::Text | Kind::Delimiter(_) => continue,
            Kind::Formatting(_) if formatted => continue,
            Kind::Formatting(_) => IssueCode::EscapeFormatting,
            Kind::Hex if token.hex(charset).is_some() => continue,
            Kind::Hex | Kind::BadHex => IssueCode::EscapeHex,
            Kind::Shifted(Some(repertoire)) if token.shifted(repertoire).is_some() => continue,
            Kind::Shifted(_) => IssueCode::EscapeCharset,
            Kind::Unknown => IssueCode::EscapeUnknown,
            Kind::Lone => IssueCode::EscapeUnterminated,
        };
        report(code, token.start);
    }
}

/// The letter that stands for a character between escape characters; X for a hexadecimal sequence.
fn letter(b: u8, delimiters: Delimiters) -> Option<u8> {
    let Delimiters { field, component, repetition, escape, subcomponent, truncation } = delimiters;
    match b {
        b'\r' | b'\n' | 0x0B | 0x1C | 0 => Some(b'X'),
        _ if b == escape => Some(b'E'),
        _ if b == field => Some(b'F'),
        _ if b == component => Some(b'S'),
        _ if b == subcomponent => Some(b'T'),
        _ if b == repetition => Some(b'R'),
        _ if b == truncation => Some(b'P'),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind<'m> {
    Text,
    Delimiter(u8),
    /// One or more adjacent hexadecimal sequences.
    Hex,
    BadHex,
    /// A switch to another repertoire, if it is known with the text that is written in it.
    Shifted(Option<Repertoire>),
    Formatting(&'m str),
    Unknown,
    /// An escape character that starts no sequence.
    Lone,
}

struct Token<'m> {
    kind: Kind<'m>,
    start: usize,
    raw: &'m str,
    delimiters: Delimiters,
}

impl Token<'_> {
    fn write(&self, charset: Charset, text: &mut String) {
        match self.kind {
            Kind::Delimiter(delimiter) => text.push(char::from(delimiter)),
            Kind::Hex => match self.hex(charset) {
                Some(decoded) => text.push_str(&decoded),
                None => text.push_str(self.raw),
            },
            Kind::Shifted(Some(repertoire)) => match self.shifted(repertoire) {
                Some(decoded) => text.push_str(&decoded),
                None => text.push_str(self.raw),
            },
            _ => text.push_str(self.raw),
        }
    }

    /// The text behind a switch to another repertoire.
    fn shifted(&self, repertoire: Repertoire) -> Option<String> {
        let delimiters = self.delimiters;
        let after_switch = 2 + self.raw.bytes().skip(1).position(|b| b == delimiters.escape)?;
        let raw = &self.raw[after_switch..];
        let mut bytes = Vec::with_capacity(raw.len());
        for token in (Tokens { raw, at: 0, delimiters }) {
            match token.kind {
                Kind::Text => bytes.extend_from_slice(token.raw.as_bytes()),
                Kind::Delimiter(delimiter) => bytes.push(delimiter),
                Kind::Hex => bytes.extend(token.hex_bytes()?),
                _ => return None,
            }
        }
        repertoire.decode(&bytes)
    }

    /// The text of joined hexadecimal sequences in the character set of the message.
    fn hex(&self, charset: Charset) -> Option<String> {
        charset.decode(&self.hex_bytes()?).ok().map(Cow::into_owned)
    }

    fn hex_bytes(&self) -> Option<Vec<u8>> {
        let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
        let mut digits = self.raw.bytes().filter(|&b| b != self.delimiters.escape && b != b'X');
        let mut bytes = Vec::with_capacity(self.raw.len() / 2);
        while let Some(high) = digits.next() {
            bytes.push(digit(high)? << 4 | digit(digits.next()?)?);
        }
        Some(bytes)
    }
}

struct Tokens<'m> {
    raw: &'m str,
    at: usize,
    delimiters: Delimiters,
}

impl<'m> Tokens<'m> {
    /// The content of the sequence that starts at `at`, where an escape character stands.
    fn content(&self, at: usize) -> Option<&'m str> {
        let bytes = self.raw.as_bytes();
        let inside = bytes.get(at + 1..)?;
        let length = inside.iter().position(|&b| {
            !(b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-')) || b == self.delimiters.escape
        })?;
        (inside[length] == self.delimiters.escape && length > 0).then(|| &self.raw[at + 1..at + 1 + length])
    }

    fn kind(&self, content: &'m str) -> Kind<'m> {
        let delimiters = self.delimiters;
        let single = match content {
            "F" => delimiters.field,
            "S" => delimiters.component,
            "T" => delimiters.subcomponent,
            "R" => delimiters.repetition,
            "E" => delimiters.escape,
            "P" => delimiters.truncation,
            _ => 0,
        };
        if single != 0 {
            return Kind::Delimiter(single);
        }
        let (first, rest) = content.split_at(1);
        let hexadecimal = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_hexdigit());
        match (first, rest.len()) {
            ("X", n) if hexadecimal && n % 2 == 0 => Kind::Hex,
            ("X", _) if hexadecimal || rest.is_empty() => Kind::BadHex,
            ("C", 4) | ("M", 4 | 6) if hexadecimal => Kind::Shifted(Repertoire::of(content)),
            (".", 1..) if is_formatting(rest) => Kind::Formatting(rest),
            _ => Kind::Unknown,
        }
    }

    /// The end of the hexadecimal sequences that follow each other from `at`.
    fn end_of_hex(&self, mut at: usize) -> usize {
        while self.raw.as_bytes().get(at) == Some(&self.delimiters.escape) {
            match self.content(at) {
                Some(content) if matches!(self.kind(content), Kind::Hex) => at += content.len() + 2,
                _ => break,
            }
        }
        at
    }
}

impl Tokens<'_> {
    /// The end of the text that is written in another repertoire from `at` on.
    fn end_of_shifted(&self, mut at: usize) -> usize {
        while let Some(found) =
            self.raw.as_bytes().get(at..).and_then(|rest| memchr::memchr(self.delimiters.escape, rest))
        {
            at += found;
            match self.content(at) {
                Some(content) if matches!(self.kind(content), Kind::Hex | Kind::Delimiter(_)) => {
                    at += content.len() + 2
                }
                _ => return at,
            }
        }
        self.raw.len()
    }
}

impl<'m> Iterator for Tokens<'m> {
    type Item = Token<'m>;

    fn next(&mut self) -> Option<Token<'m>> {
        let start = self.at;
        let rest = self.raw.as_bytes().get(start..).filter(|rest| !rest.is_empty())?;
        let escape = self.delimiters.escape;
        let next = if escape == 0 { None } else { memchr::memchr(escape, rest) };
        let (kind, end) = match next {
            None => (Kind::Text, self.raw.len()),
            Some(1..) => (Kind::Text, start + next.unwrap_or(0)),
            Some(0) => match self.content(start) {
                None => (Kind::Lone, start + 1),
                Some(content) => match self.kind(content) {
                    Kind::Hex => (Kind::Hex, self.end_of_hex(start)),
                    Kind::Shifted(Some(Repertoire::Ascii) | None) => (self.kind(content), start + content.len() + 2),
                    kind @ Kind::Shifted(_) => (kind, self.end_of_shifted(start + content.len() + 2)),
                    kind => (kind, start + content.len() + 2),
                },
            },
        };
        self.at = end;
        Some(Token { kind, start, raw: &self.raw[start..end], delimiters: self.delimiters })
    }
}

/// A formatting command of chapter 2, with or without a number.
fn is_formatting(command: &str) -> bool {
    let (name, number) = command.split_at(command.len().min(2));
    let unsigned = number.strip_prefix(['+', '-']).unwrap_or(number);
    let numbered = unsigned.bytes().all(|b| b.is_ascii_digit()) && (number.is_empty() || !unsigned.is_empty());
    match name {
        "br" | "fi" | "nf" | "ce" => number.is_empty(),
        "sp" | "in" | "ti" | "sk" => numbered,
        _ => false,
    }
}

const NULL: &str = "\"\"";
