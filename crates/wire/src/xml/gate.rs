//! The character set gate of XML. Section 4.3.3 of XML 1.0 lets the transport overrule the declaration, and Chinese
//! senders declare `gb2312` for what is GB18030, or within a UTF-8 envelope: the declaration is a hint, no more.

use std::borrow::Cow;

use crate::charset::{Decoded, Reason, mark_length};
use crate::issue::{Issue, IssueCode, IssueList};
use crate::{Charset, NotAMessage, Site};

/// Finds the character set of a document and decodes it.
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    transport: Option<Charset>,
    site: &Site,
    issues: &mut IssueList,
) -> Result<Decoded<'a>, NotAMessage> {
    let mark = mark_length(bytes)?;
    let body = &bytes[mark..];
    let whole = |charset: Charset, reason| {
        let undecodable = |at| NotAMessage::Undecodable { charset, raw_offset: (mark + at) as u32 };
        let text = charset.decode(body).map_err(undecodable)?;
        Ok(Decoded { text, charset, reason, mark_bytes: mark as u32 })
    };
    if let Some(forced) = site.charset_forced {
        return whole(forced, Reason::Forced);
    }
    if mark > 0 {
        return whole(Charset::Utf8, Reason::ByteOrderMark);
    }
    if let Some(transport) = transport {
        match whole(transport, Reason::Transport) {
            Ok(decoded) => return Ok(decoded),
            Err(_) => issues.push(|| Issue::new(IssueCode::CharsetSuspect, 0)),
        }
    }
    let declared = declaration(body).map(|name| Charset::parse(&String::from_utf8_lossy(name)));
    if declared == Some(None) {
        issues.push(|| Issue::new(IssueCode::CharsetUnknown, 0));
    }
    let declared = declared.flatten();
    if let Ok(text) = std::str::from_utf8(body) {
        // Bytes that are all ASCII are of any character set: what is written into them is of the declared one.
        let (charset, reason) = match declared {
            Some(charset) if text.is_ascii() => (charset, Reason::Declared),
            _ => (Charset::Utf8, Reason::StrictUtf8),
        };
        return Ok(Decoded { text: Cow::Borrowed(text), charset, reason, mark_bytes: 0 });
    }
    match declared {
        Some(charset) => whole(charset, Reason::Declared).or_else(|_| {
            issues.push(|| Issue::new(IssueCode::CharsetSuspect, 0));
            whole(site.charset_default, Reason::Default)
        }),
        None => whole(site.charset_default, Reason::Default),
    }
}

/// The character set that the XML declaration names, found without decoding: all it may hold is ASCII.
fn declaration(bytes: &[u8]) -> Option<&[u8]> {
    let start = bytes.iter().position(|&b| b > b' ')?;
    let declaration = bytes[start..].strip_prefix(b"<?xml")?;
    let end = declaration.iter().take(DECLARATION_BYTES_MAX).position(|&b| b == b'>')?;
    let declaration = &declaration[..end];
    let at = memchr::memmem::find(declaration, b"encoding")? + b"encoding".len();
    let value = declaration[at..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (&quote, value) = value.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
    Some(&value[..memchr::memchr(quote, value)?])
}

const DECLARATION_BYTES_MAX: usize = 1024;
