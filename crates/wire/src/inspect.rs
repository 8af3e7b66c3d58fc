//! What decoded text gives away about its road: text garbled before it came, characters of private meaning, and bytes
//! that would be written otherwise. Each finding names the place, so that the caller can hold back what is in doubt.

use std::collections::HashMap;

use memchr::memmem;

use crate::issue::{Issue, IssueCode, IssueList};
use crate::message::Locator;
use crate::{Charset, Message};

/// Flags the values of a message that look garbled, or hold private-use characters.
pub(crate) fn inspect(message: &Message<'_>, issues: &mut IssueList) {
    let text = message.text();
    if text.is_ascii() {
        return;
    }
    // Of a message within another one the bytes have been looked at already.
    if message.outer().is_none() {
        check_reversible(message, issues);
    }
    if is_garbled(text) || has_private_use(text) {
        for leaf in message.leaves().filter(|leaf| !leaf.node.raw().is_ascii()) {
            let raw = leaf.node.raw();
            for (code, found) in [(IssueCode::Mojibake, is_garbled(raw)), (IssueCode::PrivateUse, has_private_use(raw))]
            {
                if found {
                    let at = leaf.node.span().start;
                    issues.push(|| Issue::new(code, at).with_path(leaf.path(message)));
                }
            }
        }
    }
    check_name(message, issues);
}

/// Replacement characters, what they become when they are read as GBK, memory that was never written, and UTF-8 read
/// as a one-byte set.
fn is_garbled(text: &str) -> bool {
    let bytes = text.as_bytes();
    MARKS.iter().any(|mark| memmem::find(bytes, mark.as_bytes()).is_some())
        || memchr::memchr_iter(0xC3, bytes).any(|at| is_utf8_read_as_latin(&text[at..]))
}

/// A letter that stands for the first byte of a UTF-8 character, followed by signs that stand for its other bytes.
fn is_utf8_read_as_latin(text: &str) -> bool {
    let mut characters = text.chars();
    let following = match characters.next() {
        Some('\u{C3}') => 1,
        Some('\u{E0}'..='\u{EF}') => 2,
        _ => return false,
    };
    characters.by_ref().take(following).filter(|&c| is_sign(c)).count() == following
}

/// What 80 to BF are in ISO 8859-1 and in the Windows set that is read for it.
fn is_sign(character: char) -> bool {
    matches!(character, '\u{80}'..='\u{BF}') || WINDOWS_SIGNS.contains(character)
}

fn has_private_use(text: &str) -> bool {
    let bytes = text.as_bytes();
    let private = |at: usize| text[at..].starts_with(|c| matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..));
    memchr::memchr3_iter(0xEE, 0xEF, 0xF3, bytes).any(private) || memchr::memchr_iter(0xF4, bytes).any(private)
}

/// A patient's name that is UTF-8 when it is written as GBK was read in the wrong set by somebody before.
fn check_name(message: &Message<'_>, issues: &mut IssueList) {
    let Some(patient) = message.first("PID") else { return };
    let name = patient.field(5);
    for part in name.children().flat_map(|repetition| repetition.children()) {
        let raw = part.raw();
        if raw.is_ascii() || raw.len() > NAME_BYTES_MAX {
            continue;
        }
        let Ok(written) = Charset::Gb18030.encode(raw) else { continue };
        if std::str::from_utf8(&written).is_ok_and(|read| read.contains(is_han)) {
            let at = part.span().start;
            issues.push(|| Issue::new(IssueCode::Mojibake, at).with_path(patient.path().at(5, 0, 0, 0)));
            return;
        }
    }
}

fn is_han(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9FFF}')
}

/// Flags bytes that are decoded to a character which is encoded by others.
fn check_reversible(message: &Message<'_>, issues: &mut IssueList) {
    let at = match message.charset() {
        Charset::Gb18030 => TWICE_IN_GB18030.iter().find_map(|&(bytes, characters)| {
            memmem::find(message.raw(), bytes)?;
            characters.iter().find_map(|character| {
                first_written_otherwise(message, memmem::find_iter(message.text().as_bytes(), character))
            })
        }),
        Charset::Big5 => {
            let text = message.text();
            first_written_otherwise(message, text.char_indices().filter(|(_, c)| !c.is_ascii()).map(|(at, _)| at))
        }
        Charset::Utf8 | Charset::Iso8859(_) => None,
    };
    if let Some(at) = at {
        issues.push(|| Issue::new(IssueCode::CharsetNotReversible, at as u32));
    }
}

/// The first of these characters whose bytes are not those that encoding gives.
fn first_written_otherwise(message: &Message<'_>, offsets: impl Iterator<Item = usize>) -> Option<usize> {
    let mut locator = Locator::new(message);
    let mut known: HashMap<char, Option<Vec<u8>>> = HashMap::new();
    offsets.into_iter().find(|&at| {
        let Some(character) = message.text()[at..].chars().next() else { return false };
        let raw_offset = locator.raw_offset(at as u32) as usize;
        let encoded = known.entry(character).or_insert_with(|| {
            message.charset().encode(character.encode_utf8(&mut [0; 4])).ok().map(std::borrow::Cow::into_owned)
        });
        encoded.as_ref().is_none_or(|encoded| !message.raw()[raw_offset..].starts_with(encoded))
    })
}

/// U+FFFD, U+FFFD twice as GBK, and memory that a compiler marks.
const MARKS: &[&str] = &["\u{FFFD}", "锟斤拷", "烫烫烫", "屯屯屯"];
const WINDOWS_SIGNS: &str = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ";
/// Bytes of GB18030 that stand for a character which has others: the euro sign of GBK, a second ideographic space, and
/// how the four-byte forms of characters begin that got two bytes later. Each with its characters.
const TWICE_IN_GB18030: &[(&[u8], &[&str])] = &[
    (b"\x80", &["€"]),
    (b"\xA3\xA0", &["\u{3000}"]),
    (b"\x82\x35", &["\u{9FB4}", "\u{9FB5}", "\u{9FB6}", "\u{9FB7}", "\u{9FB8}", "\u{9FB9}", "\u{9FBA}", "\u{9FBB}"]),
    (
        b"\x84\x31",
        &[
            "\u{FE10}", "\u{FE11}", "\u{FE12}", "\u{FE13}", "\u{FE14}", "\u{FE15}", "\u{FE16}", "\u{FE17}", "\u{FE18}",
            "\u{FE19}",
        ],
    ),
];
const NAME_BYTES_MAX: usize = 96;
