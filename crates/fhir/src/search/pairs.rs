//! The pairs of a URL's query or a form (WHATWG URL, application/x-www-form-urlencoded).

use super::refusal;
use crate::{Issue, ResourceType};

/// The names and values of a query string, percent-decoded, `+` as a blank. Bytes that are no UTF-8 become U+FFFD; a
/// `%` without two hexadecimal digits behind it stands for itself.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decoded(name), decoded(value))
    };
    parts.map(pair).collect()
}

/// The resource types that `_type` names, for a search that spans types; empty where it does not stand.
///
/// # Errors
/// One issue for each name that is no type.
pub fn types(pairs: &[(String, String)]) -> Result<Vec<ResourceType>, Vec<Issue>> {
    let values = pairs.iter().filter(|(name, _)| name == "_type").flat_map(|(_, value)| value.split(','));
    let (mut types, mut issues) = (Vec::new(), Vec::new());
    for name in values.filter(|name| !name.is_empty()) {
        match ResourceType::parse(name) {
            Some(kind) if types.contains(&kind) => {}
            Some(kind) => types.push(kind),
            None => issues.push(*refusal::bad_value("_type", "it names no resource type", "不是资源类型").issue),
        }
    }
    if issues.is_empty() { Ok(types) } else { Err(issues) }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match (first, behind) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = behind;
                    high * 16 + low
                }
                _ => b'%',
            },
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).unwrap_or_else(|fault| String::from_utf8_lossy(fault.as_bytes()).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
