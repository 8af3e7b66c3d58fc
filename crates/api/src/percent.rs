//! Percent coding of addresses and forms (RFC 3986, 2.1; WHATWG URL for the plus sign).

/// Decodes a path: a malformed escape or bytes that are not UTF-8 give none.
pub(crate) fn decode_path(text: &str) -> Option<String> {
    decode(text, false)
}

/// The pairs of a query or form, in order. A plus sign is a space.
pub(crate) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Some((decode(name, true)?, decode(value, true)?))
        })
        .collect()
}

/// Pairs as a query that [`pairs`] reads back.
pub(crate) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        encode(name, &mut out);
        out.push('=');
        encode(value, &mut out);
    }
    out
}

fn decode(text: &str, plus: bool) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let value = digit()? * 16 + digit()?;
                bytes.push(u8::try_from(value).ok()?);
            }
            b'+' if plus => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        // Beside the unreserved characters those that R4 queries are full of and that a query may hold as they are.
        if byte.is_ascii_alphanumeric() || b"-._~:/,$*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::{decode_path, pairs, query};

    #[test]
    fn a_query_is_read_in_order_and_printed_back() {
        let read = pairs("family=%E7%8E%8B&given=a+b&identifier=urn:oid:2.16|x%7Cy&empty=&flag&&_count=2").unwrap();
        let expected = [
            ("family", "王"),
            ("given", "a b"),
            ("identifier", "urn:oid:2.16|x|y"),
            ("empty", ""),
            ("flag", ""),
            ("_count", "2"),
        ];
        assert_eq!(read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(), expected);
        let printed = query(expected);
        assert_eq!(pairs(&printed), Some(read));
        assert!(printed.contains("family=%E7%8E%8B&given=a%20b&identifier=urn:oid:2.16%7Cx%7Cy"));
    }

    #[test]
    fn a_malformed_escape_is_refused() {
        for text in ["a=%", "a=%4", "a=%zz", "a=%FF", "%C3=1"] {
            assert_eq!(pairs(text), None, "{text}");
        }
        assert_eq!(decode_path("Patient/%24everything+x").as_deref(), Some("Patient/$everything+x"));
        assert_eq!(decode_path("%E7%8E"), None);
    }
}
