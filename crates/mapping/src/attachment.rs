//! Documents inside or beside a message: ED and RP.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dukou_fhir::{Object, Value};
use dukou_wire::Node;

use crate::lens::{Hand, Made, Outcome};
use crate::reading::{first_leaf, part, valued};
use crate::refusal::Refusal;

/// ED (HL7 v2 chapter 2A): source, type, subtype, encoding, data.
pub(crate) fn embedded<'m>(node: Node<'m>, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let encoding = hand.text(part(node, 4));
    let Some(data) = hand.text(part(node, 5)) else { return Ok(None) };
    let encoding = encoding.as_deref().map(str::trim).unwrap_or_default().to_ascii_lowercase();
    let data: Cow<'m, str> = match encoding.as_str() {
        "base64" => clean_base64(data).ok_or(Refusal("not-base64"))?,
        "hex" => Cow::Owned(STANDARD.encode(from_hex(&data).ok_or(Refusal("not-hex"))?)),
        "a" | "" => Cow::Owned(STANDARD.encode(data.as_bytes())),
        _ => return Err(Refusal("encoding-unknown")),
    };
    let attachment = with_media(Object::new(), part(node, 2), part(node, 3), hand);
    Ok(Some(Made::new(attachment.with("data", data))))
}

/// The attachment with its media type, where type and subtype give one; else the two are not carried.
fn with_media<'m>(attachment: Object<'m>, kind: Node<'m>, subtype: Node<'m>, hand: &mut Hand<'_, 'm>) -> Object<'m> {
    let said = |node| valued(node).then(|| first_leaf(node).text());
    match media_type(said(kind).as_deref(), said(subtype).as_deref()) {
        Some(media) => {
            let _carried = (hand.text(kind), hand.text(subtype));
            attachment.with("contentType", media)
        }
        None => attachment,
    }
}

/// Plain text as a document.
pub(crate) fn of_text<'m>(text: &str) -> Made<'m> {
    let attachment = Object::new().with("contentType", "text/plain; charset=utf-8");
    Made::new(attachment.with("data", STANDARD.encode(text.as_bytes())))
}

/// RP (HL7 v2 chapter 2A): pointer, application, type, subtype.
pub(crate) fn pointer<'m>(node: Node<'m>, hand: &mut Hand<'_, 'm>) -> Outcome<'m> {
    let Some(url) = hand.text(part(node, 1)) else { return Ok(None) };
    if url.contains(char::is_whitespace) {
        return Err(Refusal("not-a-url"));
    }
    let attachment = with_media(Object::new(), part(node, 3), part(node, 4), hand);
    Ok(Some(Made::new(attachment.with("url", Value::from(url)))))
}

/// Bytes as an attachment holds them.
pub(crate) fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Base64 without blanks and line ends.
fn clean_base64(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let text = if text.contains(char::is_whitespace) {
        Cow::Owned(text.chars().filter(|c| !c.is_whitespace()).collect())
    } else {
        text
    };
    let body = text.trim_end_matches('=');
    let fits = body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
    (fits && text.len() % 4 == 0 && text.len() - body.len() <= 2 && !text.is_empty()).then_some(text)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let (pairs, odd) = digits.as_chunks::<2>();
    odd.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The media type of tables 0191 and 0291.
fn media_type(kind: Option<&str>, subtype: Option<&str>) -> Option<String> {
    let kind = kind.map(|kind| kind.trim().to_ascii_lowercase()).unwrap_or_default();
    let subtype = subtype.map(|subtype| subtype.trim().to_ascii_lowercase()).unwrap_or_default();
    if kind.contains('/') {
        return Some(kind).filter(|kind| is_media_type(kind));
    }
    let (kind, usual) = match kind.as_str() {
        "" if subtype.contains('/') => return Some(subtype).filter(|subtype| is_media_type(subtype)),
        "" if matches!(subtype.as_str(), "pdf" | "xml" | "json" | "rtf" | "octet-stream") => ("application", ""),
        "" if matches!(subtype.as_str(), "jpeg" | "jpg" | "png" | "gif" | "tiff" | "bmp") => ("image", ""),
        "application" | "ap" => ("application", "octet-stream"),
        "text" | "tx" | "ft" | "txt" => ("text", "plain"),
        "image" | "im" | "ns" => ("image", ""),
        "audio" | "au" => ("audio", "basic"),
        "multipart" => ("multipart", ""),
        "video" => ("video", ""),
        "pdf" => return Some("application/pdf".to_owned()),
        _ => return None,
    };
    let subtype = match subtype.as_str() {
        "" => usual,
        "jpg" => "jpeg",
        "txt" => "plain",
        other => other,
    };
    Some(format!("{kind}/{subtype}")).filter(|media| is_media_type(media))
}

fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+'))
    };
    text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}
