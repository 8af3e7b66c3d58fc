//! The character set gate: bytes are decoded before anything looks for a delimiter.
//!
//! The second byte of a GB18030, GBK or BIG-5 character may be any of `\`, `^`, `|` and `~`, so a scan of the raw bytes
//! would split Chinese names. HL7 v2 chapter 2, MSH-18 and table 0211.

use std::borrow::Cow;
use std::fmt;

use encoding_rs::{DecoderResult, EncoderResult, Encoding};

use crate::issue::{Issue, IssueCode, IssueList};
use crate::{NotAMessage, Site};

/// A character set that a message may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charset {
    /// UTF-8; ASCII is read as its subset.
    Utf8,
    /// GB18030, and GBK and GB2312 as its subsets.
    Gb18030,
    /// BIG-5.
    Big5,
    /// ISO 8859 part 1 to 9 or 15; parts 1 and 9 with the Windows characters at 80 to 9F.
    Iso8859(u8),
}

impl Charset {
    /// Reads a name of table 0211, or what senders write for one; case and blanks do not count. `ASCII` and the empty
    /// name are UTF-8, of which they are a subset.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut letters = [0; NAME_BYTES_MAX];
        let mut length = 0;
        for character in name.chars().filter(|c| !c.is_whitespace()) {
            let letter = u8::try_from(character).ok().filter(u8::is_ascii)?;
            *letters.get_mut(length)? = letter.to_ascii_uppercase();
            length += 1;
        }
        let name = std::str::from_utf8(&letters[..length]).ok()?;
        match name {
            "" | "ASCII" | "US-ASCII" | "UTF-8" | "UTF8" | "UNICODE" | "UNICODEUTF-8" | "UNICODEUTF8" => {
                Some(Self::Utf8)
            }
            "GB18030" | "GB18030-2000" | "GB18030-2005" | "GB18030-2022" | "GBK" | "GB2312" | "GB2312-1980" | "936"
            | "CP936" => Some(Self::Gb18030),
            "BIG-5" | "BIG5" => Some(Self::Big5),
            "8859" => Some(Self::Iso8859(1)),
            _ => {
                let part: u8 = name.strip_prefix("8859/").or_else(|| name.strip_prefix("ISO-8859-"))?.parse().ok()?;
                matches!(part, 1..=9 | 15).then_some(Self::Iso8859(part))
            }
        }
    }

    fn encoding(self) -> &'static Encoding {
        match self {
            Self::Utf8 => encoding_rs::UTF_8,
            Self::Gb18030 => encoding_rs::GB18030,
            Self::Big5 => encoding_rs::BIG5,
            Self::Iso8859(2) => encoding_rs::ISO_8859_2,
            Self::Iso8859(3) => encoding_rs::ISO_8859_3,
            Self::Iso8859(4) => encoding_rs::ISO_8859_4,
            Self::Iso8859(5) => encoding_rs::ISO_8859_5,
            Self::Iso8859(6) => encoding_rs::ISO_8859_6,
            Self::Iso8859(7) => encoding_rs::ISO_8859_7,
            Self::Iso8859(8) => encoding_rs::ISO_8859_8,
            Self::Iso8859(9) => encoding_rs::WINDOWS_1254,
            Self::Iso8859(15) => encoding_rs::ISO_8859_15,
            Self::Iso8859(_) => encoding_rs::WINDOWS_1252,
        }
    }

    /// Two bytes or more may stand for one character, and the later ones may look like a delimiter.
    fn has_lead_bytes(self) -> bool {
        matches!(self, Self::Gb18030 | Self::Big5)
    }

    /// How many of the bytes, which decode without error, stand for the first `characters` characters.
    pub(crate) fn bytes_of(self, bytes: &[u8], mut characters: usize) -> usize {
        let mut at = 0;
        while characters > 0 && at < bytes.len() {
            let (length, decoded) = match (self, &bytes[at..]) {
                (Self::Utf8, [lead, ..]) => (lead.leading_ones().max(1) as usize, 1),
                // The four pairs that stand for a letter and a combining accent.
                (Self::Big5, [0x88, 0x62 | 0x64 | 0xA3 | 0xA5, ..]) => (2, 2),
                (Self::Gb18030, [0x81..=0xFE, 0x30..=0x39, ..]) => (4, 1),
                (Self::Gb18030 | Self::Big5, [0x81..=0xFE, ..]) => (2, 1),
                _ => (1, 1),
            };
            at += length;
            characters = characters.saturating_sub(decoded);
        }
        at
    }

    /// Decodes all of `bytes`; on failure the offset of the first byte that is no character.
    pub fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, usize> {
        if self == Self::Utf8 {
            return std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| error.valid_up_to());
        }
        if bytes.is_ascii() {
            return std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| error.valid_up_to());
        }
        self.decode_into(bytes, String::new()).map(Cow::Owned)
    }

    /// Decodes into a buffer that is reused; the buffer is cleared first.
    pub(crate) fn decode_into(self, bytes: &[u8], mut text: String) -> Result<String, usize> {
        let mut decoder = self.encoding().new_decoder_without_bom_handling();
        text.clear();
        text.reserve(bytes.len() + bytes.len() / 2 + 16);
        let mut read = 0;
        loop {
            let (result, n) = decoder.decode_to_string_without_replacement(&bytes[read..], &mut text, true);
            read += n;
            match result {
                DecoderResult::InputEmpty => return Ok(text),
                DecoderResult::OutputFull => text.reserve(bytes.len() - read + 64),
                DecoderResult::Malformed(length, after) => {
                    return Err(read.saturating_sub(usize::from(length) + usize::from(after)));
                }
            }
        }
    }

    /// Encodes `text`; on failure the byte offset in `text` of the first character that the character set lacks.
    pub fn encode(self, text: &str) -> Result<Cow<'_, [u8]>, usize> {
        if self == Self::Utf8 || text.is_ascii() {
            return Ok(Cow::Borrowed(text.as_bytes()));
        }
        let mut encoder = self.encoding().new_encoder();
        let mut bytes = Vec::with_capacity(text.len() + 16);
        let mut read = 0;
        loop {
            let (result, n) = encoder.encode_from_utf8_to_vec_without_replacement(&text[read..], &mut bytes, true);
            read += n;
            match result {
                EncoderResult::InputEmpty => return Ok(Cow::Owned(bytes)),
                EncoderResult::OutputFull => bytes.reserve(2 * (text.len() - read) + 64),
                EncoderResult::Unmappable(character) => return Err(read - character.len_utf8()),
            }
        }
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf8 => f.write_str("UTF-8"),
            Self::Gb18030 => f.write_str("GB18030"),
            Self::Big5 => f.write_str("BIG-5"),
            Self::Iso8859(part) => write!(f, "8859/{part}"),
        }
    }
}

/// Why a message was decoded the way it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The site forces the character set.
    Forced,
    /// The bytes start with the byte order mark of UTF-8.
    ByteOrderMark,
    /// MSH-18 or the XML declaration says so.
    Declared,
    /// The transport, such as the `Content-Type` of HTTP, says so.
    Transport,
    /// The document stands in another one.
    Envelope,
    /// The bytes are strict UTF-8.
    StrictUtf8,
    /// Nothing else fitted: the site's default.
    Default,
}

/// Decoded text and what led to it.
pub(crate) struct Decoded<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) charset: Charset,
    pub(crate) reason: Reason,
    /// Bytes of a byte order mark before the text.
    pub(crate) mark_bytes: u32,
}

impl<'a> Decoded<'a> {
    /// Only text whose every offset fits is read on.
    pub(crate) fn addressable(self) -> Result<Decoded<'a>, NotAMessage> {
        match u32::try_from(self.text.len()) {
            Ok(_) => Ok(self),
            Err(_) => Err(NotAMessage::TooLarge { limit: u32::MAX as usize }),
        }
    }
}

/// Finds the character set of a message and decodes it; `spare` is a buffer to decode into.
pub(crate) fn gate<'a>(
    bytes: &'a [u8],
    site: &Site,
    spare: String,
    issues: &mut IssueList,
) -> Result<Decoded<'a>, NotAMessage> {
    let mark = mark_length(bytes)?;
    let body = &bytes[mark..];
    let strict = std::str::from_utf8(body);
    let (charset, reason) = match (site.charset_forced, mark, &strict) {
        (Some(forced), ..) => (forced, Reason::Forced),
        (None, 1.., _) => (Charset::Utf8, Reason::ByteOrderMark),
        (None, 0, Ok(text)) => choose_for_utf8(text, issues),
        (None, 0, Err(_)) => choose_for_other(body, site, issues),
    };
    let text = match (charset, strict) {
        (Charset::Utf8, Ok(text)) => Cow::Borrowed(text),
        (_, Ok(text)) if text.is_ascii() => Cow::Borrowed(text),
        (Charset::Utf8, Err(error)) => {
            return Err(NotAMessage::Undecodable { charset, raw_offset: (mark + error.valid_up_to()) as u32 });
        }
        (charset, _) => Cow::Owned(
            charset
                .decode_into(body, spare)
                .map_err(|at| NotAMessage::Undecodable { charset, raw_offset: (mark + at) as u32 })?,
        ),
    };
    Ok(Decoded { text, charset, reason, mark_bytes: mark as u32 })
}

/// Finds the character set of bytes that declare none, and decodes them.
pub(crate) fn gate_undeclared<'a>(bytes: &'a [u8], site: &Site) -> Result<Decoded<'a>, NotAMessage> {
    let mark = mark_length(bytes)?;
    let body = &bytes[mark..];
    let (charset, reason) = match (site.charset_forced, mark) {
        (Some(forced), _) => (forced, Reason::Forced),
        (None, 1..) => (Charset::Utf8, Reason::ByteOrderMark),
        // Bytes that are all ASCII are of any character set: what is written into them is of the site's.
        (None, 0) if body.is_ascii() => (site.charset_default, Reason::Default),
        (None, 0) if std::str::from_utf8(body).is_ok() => (Charset::Utf8, Reason::StrictUtf8),
        (None, 0) => (site.charset_default, Reason::Default),
    };
    let undecodable = |at| NotAMessage::Undecodable { charset, raw_offset: (mark + at) as u32 };
    let text = charset.decode(body).map_err(undecodable)?;
    Ok(Decoded { text, charset, reason, mark_bytes: mark as u32 })
}

/// The bytes are strict UTF-8; a declaration of another character set is believed only where it can be.
fn choose_for_utf8(text: &str, issues: &mut IssueList) -> (Charset, Reason) {
    let declared = declaration(text.as_bytes(), false);
    let Some(declared) = declared else { return (Charset::Utf8, Reason::StrictUtf8) };
    let name = String::from_utf8_lossy(declared);
    let Some(charset) = Charset::parse(&name) else {
        issues.push(|| Issue::new(IssueCode::CharsetUnknown, 0));
        return (Charset::Utf8, Reason::StrictUtf8);
    };
    if name.trim().is_empty() {
        return (Charset::Utf8, Reason::StrictUtf8);
    }
    if text.is_ascii() || charset == Charset::Utf8 {
        let contradicted = !text.is_ascii() && name.to_ascii_uppercase().contains("ASCII");
        let reason = if contradicted { Reason::StrictUtf8 } else { Reason::Declared };
        return (charset, reason);
    }
    issues.push(|| Issue::new(IssueCode::CharsetSuspect, 0));
    // Text of another character set is strict UTF-8 by chance only where all characters have two bytes.
    if text.contains(|c| c >= '\u{800}') || charset.decode(text.as_bytes()).is_err() {
        return (Charset::Utf8, Reason::StrictUtf8);
    }
    (charset, Reason::Declared)
}

/// The bytes are not UTF-8: the split of MSH whose own MSH-18 agrees with the way of splitting wins.
fn choose_for_other(bytes: &[u8], site: &Site, issues: &mut IssueList) -> (Charset, Reason) {
    let mut named = None;
    for lead_bytes in [false, true] {
        let Some(name) = declaration(bytes, lead_bytes) else { continue };
        let Some(name) = std::str::from_utf8(name).ok().filter(|name| !name.trim().is_empty()) else { continue };
        match Charset::parse(name) {
            Some(charset) if charset.has_lead_bytes() == lead_bytes && charset != Charset::Utf8 => {
                return (charset, Reason::Declared);
            }
            Some(_) => named = Some(IssueCode::CharsetSuspect),
            None => named = named.or(Some(IssueCode::CharsetUnknown)),
        }
    }
    if let Some(code) = named {
        issues.push(|| Issue::new(code, 0));
    }
    (site.charset_default, Reason::Default)
}

/// The first repetition of MSH-18, found without decoding. With `lead_bytes`, bytes 81 to FE take the next byte with
/// them, or the next three where a digit follows, as in GB18030.
fn declaration(bytes: &[u8], lead_bytes: bool) -> Option<&[u8]> {
    let start = bytes.iter().position(|&b| b > b' ')?;
    let header = bytes.get(start..)?;
    if !header.starts_with(b"MSH") {
        return None;
    }
    let field = *header.get(3)?;
    let repetition = *header.get(5)?;
    let (mut at, mut number, mut from) = (4, 2, 4);
    while at < header.len() && number < 19 {
        let b = header[at];
        if b == field || b == b'\r' || b == b'\n' {
            if number == 18 || b != field {
                break;
            }
            number += 1;
            from = at + 1;
        } else if lead_bytes && (0x81..=0xFE).contains(&b) {
            at += if matches!(header.get(at + 1), Some(0x30..=0x39)) { 3 } else { 1 };
        }
        at += 1;
    }
    if number != 18 {
        return None;
    }
    let value = &header[from..at.min(header.len())];
    Some(value.split(|&b| b == repetition).next().unwrap_or(value))
}

/// The length of the byte order mark of UTF-8 before the text, 0 without one; UTF-16 is refused, with its mark or without.
pub(crate) fn mark_length(bytes: &[u8]) -> Result<usize, NotAMessage> {
    if bytes.starts_with(b"\xFE\xFF") || bytes.starts_with(b"\xFF\xFE") || looks_like_utf16(bytes) {
        return Err(NotAMessage::Utf16);
    }
    Ok(if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 })
}

/// Every second byte of the header is NUL.
pub(crate) fn looks_like_utf16(bytes: &[u8]) -> bool {
    let Some(head) = bytes.first_chunk::<6>() else { return false };
    let zero = |odd: usize| (0..6).all(|i| (head[i] == 0) == (i % 2 == odd));
    zero(0) || zero(1)
}

/// The longest name of a character set, without blanks.
const NAME_BYTES_MAX: usize = 16;
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
