//! Bytes to trees.

use std::borrow::Cow;

use super::locate::position;
use crate::{Object, Value};

/// What a reader may be asked to take in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of objects and lists within each other.
    pub depth_max: u32,
    /// Values of any form in one text; bounds the memory of a tree, which is larger than its text.
    pub values_max: u32,
}

impl Default for Limits {
    /// 64 levels, 8 million values.
    fn default() -> Self {
        Limits { depth_max: 64, values_max: 8_000_000 }
    }
}

/// Why bytes are not a JSON text that we take, and where. Holds nothing of the text itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at line {line}, column {column}")]
pub struct ParseError {
    /// The reason.
    pub kind: ParseErrorKind,
    /// Bytes before the fault.
    pub offset: usize,
    /// Line of the fault, from 1.
    pub line: u32,
    /// Column of the fault in characters, from 1.
    pub column: u32,
}

/// Why bytes are not a JSON text that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// The text ends within a value.
    #[error("unexpected end of the text")]
    UnexpectedEnd,
    /// A character that cannot stand here.
    #[error("unexpected character")]
    UnexpectedCharacter,
    /// A number against the grammar: leading zero, bare sign, missing digits.
    #[error("malformed number")]
    MalformedNumber,
    /// An escape that JSON does not know.
    #[error("malformed escape in a string")]
    MalformedEscape,
    /// Half a surrogate pair in `\u` escapes.
    #[error("lone surrogate in a string")]
    LoneSurrogate,
    /// A control character that was not escaped.
    #[error("control character in a string")]
    ControlCharacter,
    /// Bytes that are not UTF-8.
    #[error("invalid UTF-8")]
    InvalidUtf8,
    /// A member name stands twice in one object.
    #[error("duplicate member name")]
    DuplicateName,
    /// More levels than allowed.
    #[error("too many levels")]
    TooDeep,
    /// More values than allowed.
    #[error("too many values")]
    TooManyValues,
    /// Something follows the value.
    #[error("bytes after the end of the value")]
    TrailingBytes,
}

/// Reads one JSON text, borrowing from it wherever no escape had to be resolved. A byte order mark is refused.
///
/// # Errors
/// The first fault with its offset, line and column.
pub fn parse<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Value<'a>, ParseError> {
    let text = std::str::from_utf8(bytes).map_err(|fault| {
        let kind = ParseErrorKind::InvalidUtf8;
        error(bytes, Fault { kind, offset: fault.valid_up_to() })
    })?;
    let mut reader = Reader { text, bytes, at: 0, limits: *limits, values: 0, members: Vec::new(), items: Vec::new() };
    reader.document().map_err(|fault| error(bytes, fault))
}

/// A fault before its line and column are counted.
struct Fault {
    kind: ParseErrorKind,
    offset: usize,
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    values: u32,
    /// Members of the objects still open; each object takes its own off when it ends, so that it gets a vector of
    /// exactly its size.
    members: Vec<(Cow<'a, str>, Value<'a>)>,
    /// The same for lists.
    items: Vec<Value<'a>>,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Value<'a>, Fault> {
        let value = self.value(0)?;
        self.skip_blanks();
        if self.at < self.bytes.len() {
            return Err(self.fault(ParseErrorKind::TrailingBytes));
        }
        Ok(value)
    }

    fn value(&mut self, depth: u32) -> Result<Value<'a>, Fault> {
        self.skip_blanks();
        self.values += 1;
        if self.values > self.limits.values_max {
            return Err(self.fault(ParseErrorKind::TooManyValues));
        }
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.fault(ParseErrorKind::UnexpectedCharacter)),
            None => Err(self.fault(ParseErrorKind::UnexpectedEnd)),
        }
    }

    fn object(&mut self, depth: u32) -> Result<Value<'a>, Fault> {
        self.open(depth)?;
        let start = self.members.len();
        let mut late_names = Vec::new();
        if self.closes(b'}') {
            return Ok(Value::Object(Object::new()));
        }
        loop {
            self.skip_blanks();
            let name_at = self.at;
            let name = match self.peek() {
                Some(b'"') => self.string()?,
                _ => return Err(self.unexpected()),
            };
            if self.members.len() - start < SCANNED_NAMES {
                if self.members[start..].iter().any(|(other, _)| *other == name) {
                    return Err(Fault { kind: ParseErrorKind::DuplicateName, offset: name_at });
                }
            } else {
                late_names.push(name_at);
            }
            self.skip_blanks();
            self.expect(b':')?;
            let value = self.value(depth)?;
            self.members.push((name, value));
            if self.ends(b'}')? {
                break;
            }
        }
        let members = self.members.drain(start..).collect::<Vec<_>>();
        if !late_names.is_empty() {
            refuse_late_duplicates(&members, &late_names)?;
        }
        Ok(Value::Object(Object::from_members(members)))
    }

    fn array(&mut self, depth: u32) -> Result<Value<'a>, Fault> {
        self.open(depth)?;
        let start = self.items.len();
        if self.closes(b']') {
            return Ok(Value::Array(Vec::new()));
        }
        loop {
            let value = self.value(depth)?;
            self.items.push(value);
            if self.ends(b']')? {
                return Ok(Value::Array(self.items.drain(start..).collect()));
            }
        }
    }

    /// Takes the opening bracket.
    fn open(&mut self, depth: u32) -> Result<(), Fault> {
        if depth > self.limits.depth_max {
            return Err(self.fault(ParseErrorKind::TooDeep));
        }
        self.at += 1;
        Ok(())
    }

    /// Takes the closing bracket of an empty object or list.
    fn closes(&mut self, bracket: u8) -> bool {
        self.skip_blanks();
        let closes = self.peek() == Some(bracket);
        self.at += usize::from(closes);
        closes
    }

    /// Takes a comma or the closing bracket, and says whether it was the bracket.
    fn ends(&mut self, bracket: u8) -> Result<bool, Fault> {
        self.skip_blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            Some(byte) if byte == bracket => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn number(&mut self) -> Result<Value<'a>, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.fault(ParseErrorKind::MalformedNumber)),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        if let Some(b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E') = self.peek() {
            return Err(self.fault(ParseErrorKind::MalformedNumber));
        }
        Ok(Value::Number(Cow::Borrowed(&self.text[start..self.at])))
    }

    /// Takes one digit at least.
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.fault(ParseErrorKind::MalformedNumber)) } else { Ok(()) }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Result<Value<'a>, Fault> {
        for expected in word.bytes() {
            self.expect(expected)?;
        }
        Ok(value)
    }

    /// Takes a string; the quote stands at the current place.
    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at + 1;
        self.at = start;
        self.skip_plain();
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(&self.text[start..self.at - 1]));
        }
        let mut decoded = String::from(&self.text[start..self.at]);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(decoded));
                }
                Some(b'\\') => decoded.push(self.escape()?),
                Some(_) => return Err(self.fault(ParseErrorKind::ControlCharacter)),
                None => return Err(self.fault(ParseErrorKind::UnexpectedEnd)),
            }
            let from = self.at;
            self.skip_plain();
            decoded.push_str(&self.text[from..self.at]);
        }
    }

    /// Goes on to the next quote, backslash or control character.
    fn skip_plain(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(|byte| SPECIAL[usize::from(*byte)]).unwrap_or(rest.len());
    }

    /// Takes an escape, a pair of surrogates as one.
    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at;
        self.at += 1;
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(start),
            Some(_) => {
                return Err(Fault { kind: ParseErrorKind::MalformedEscape, offset: start });
            }
            None => return Err(self.fault(ParseErrorKind::UnexpectedEnd)),
        };
        self.at += 1;
        Ok(plain)
    }

    fn code_point(&mut self, start: usize) -> Result<char, Fault> {
        let lone = Fault { kind: ParseErrorKind::LoneSurrogate, offset: start };
        let first = self.hex_unit(start)?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or(lone);
        }
        if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
            return Err(lone);
        }
        self.at += 1;
        let second = self.hex_unit(start)?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(lone);
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(lone)
    }

    /// Takes `uXXXX`.
    fn hex_unit(&mut self, start: usize) -> Result<u32, Fault> {
        let malformed = Fault { kind: ParseErrorKind::MalformedEscape, offset: start };
        let Some(digits) = self.bytes.get(self.at + 1..self.at + 5) else {
            return Err(malformed);
        };
        let mut unit = 0;
        for digit in digits {
            let Some(nibble) = char::from(*digit).to_digit(16) else {
                return Err(malformed);
            };
            unit = unit * 16 + nibble;
        }
        self.at += 5;
        Ok(unit)
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected())
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn unexpected(&self) -> Fault {
        match self.peek() {
            Some(_) => self.fault(ParseErrorKind::UnexpectedCharacter),
            None => self.fault(ParseErrorKind::UnexpectedEnd),
        }
    }

    fn fault(&self, kind: ParseErrorKind) -> Fault {
        Fault { kind, offset: self.at }
    }
}

/// Names past the first few are compared by sorting once, so that a hostile object of a million members costs no more
/// than a sort. `late_names` holds the offsets of the names from number [`SCANNED_NAMES`] on.
fn refuse_late_duplicates(members: &[(Cow<'_, str>, Value<'_>)], late_names: &[usize]) -> Result<(), Fault> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by(|a, b| members[*a].0.cmp(&members[*b].0).then(a.cmp(b)));
    let second = order.windows(2).filter(|pair| members[pair[0]].0 == members[pair[1]].0).map(|pair| pair[1]).min();
    match second.and_then(|index| late_names.get(index - SCANNED_NAMES)) {
        Some(&offset) => Err(Fault { kind: ParseErrorKind::DuplicateName, offset }),
        None => Ok(()),
    }
}

fn error(bytes: &[u8], fault: Fault) -> ParseError {
    let at = position(bytes, fault.offset);
    ParseError { kind: fault.kind, offset: fault.offset, line: at.line, column: at.column }
}

/// How many member names are compared one by one before sorting pays.
const SCANNED_NAMES: usize = 24;

/// Bytes that end a run of plain characters in a string.
const SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table
};
