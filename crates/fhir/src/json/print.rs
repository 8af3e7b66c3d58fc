//! Trees to bytes.

use crate::Value;

/// Appends the canonical form: no blanks, only the escapes that RFC 8259 asks for, all other characters as they are.
pub fn print(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(text) => out.extend_from_slice(text.as_bytes()),
        Value::String(text) => print_text(text, out),
        Value::Array(values) => {
            out.push(b'[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                print(value, out);
            }
            out.push(b']');
        }
        Value::Object(object) => {
            out.push(b'{');
            for (at, (name, value)) in object.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                print_text(name, out);
                out.push(b':');
                print(value, out);
            }
            out.push(b'}');
        }
    }
}

/// Appends a form for people: two blanks a level, one member a line, a newline at the end.
pub fn print_pretty(value: &Value<'_>, out: &mut Vec<u8>) {
    print_indented(value, 0, out);
    out.push(b'\n');
}

/// Appends one string with its quotes.
#[inline]
pub fn print_text(text: &str, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    if is_plain(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
    } else {
        print_escaped(text.as_bytes(), out);
    }
    out.push(b'"');
}

/// Whether all bytes stand in a string as they are; eight of them at a time.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let (eights, rest) = bytes.as_chunks::<8>();
    let found = eights.iter().fold(0, |found, eight| found | escaped(u64::from_le_bytes(*eight)));
    let rest = match (bytes.last_chunk::<8>(), rest) {
        (_, []) => 0,
        // The last eight, some of them a second time.
        (Some(last), _) => escaped(u64::from_le_bytes(*last)),
        (None, rest) => u64::from(rest.iter().any(|byte| ESCAPED[usize::from(*byte)])),
    };
    found | rest == 0
}

/// Not 0 where one of eight bytes is a quotation mark, a backslash or below the blank.
#[inline]
fn escaped(eight: u64) -> u64 {
    let below = |word: u64, limit: u8| word.wrapping_sub(EACH * u64::from(limit)) & !word;
    let is = |byte: u8| below(eight ^ (EACH * u64::from(byte)), 1);
    (below(eight, b' ') | is(b'"') | is(b'\\')) & (EACH << 7)
}

/// A one in each byte.
const EACH: u64 = u64::MAX / 255;

fn print_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if !ESCAPED[usize::from(byte)] {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            _ => {
                let digit = |nibble: u8| HEX[usize::from(nibble & 15)];
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
            }
        }
    }
    out.extend_from_slice(&bytes[from..]);
}

fn print_indented(value: &Value<'_>, level: usize, out: &mut Vec<u8>) {
    match value {
        Value::Array(values) if !values.is_empty() => {
            out.push(b'[');
            for (at, value) in values.iter().enumerate() {
                start_line(at > 0, level + 1, out);
                print_indented(value, level + 1, out);
            }
            start_line(false, level, out);
            out.push(b']');
        }
        Value::Object(object) if !object.is_empty() => {
            out.push(b'{');
            for (at, (name, value)) in object.iter().enumerate() {
                start_line(at > 0, level + 1, out);
                print_text(name, out);
                out.extend_from_slice(b": ");
                print_indented(value, level + 1, out);
            }
            start_line(false, level, out);
            out.push(b'}');
        }
        _ => print(value, out),
    }
}

fn start_line(after_comma: bool, level: usize, out: &mut Vec<u8>) {
    if after_comma {
        out.push(b',');
    }
    out.push(b'\n');
    out.resize(out.len() + 2 * level, b' ');
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Which bytes cannot stand in a string as they are.
const ESCAPED: [bool; 256] = {
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
