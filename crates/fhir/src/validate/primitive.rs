//! Formats of the primitive datatypes (R4 datatypes, primitive types).

use crate::schema::Primitive;
use crate::{FhirDateTime, Instant, LogicalId, Precision, Time, Value};

/// Why a value is not one of a primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// Another JSON form was expected.
    Json,
    /// The form is right, the format is not.
    Format,
    /// More than 1024 * 1024 characters.
    TooLong,
}

/// Checks one value.
pub(super) fn check(primitive: Primitive, value: &Value<'_>) -> Result<(), Misfit> {
    let fits = match (primitive, value) {
        (Primitive::Boolean, Value::Bool(_)) | (Primitive::Decimal, Value::Number(_)) => true,
        (Primitive::Integer, Value::Number(text)) => integer(text).is_some(),
        (Primitive::UnsignedInt, Value::Number(text)) => integer(text).is_some_and(|number| number >= 0),
        (Primitive::PositiveInt, Value::Number(text)) => integer(text).is_some_and(|number| number > 0),
        (
            Primitive::Boolean
            | Primitive::Decimal
            | Primitive::Integer
            | Primitive::UnsignedInt
            | Primitive::PositiveInt,
            _,
        ) => return Err(Misfit::Json),
        (_, Value::String(text)) => return check_text(primitive, text),
        _ => return Err(Misfit::Json),
    };
    if fits { Ok(()) } else { Err(Misfit::Format) }
}

fn check_text(primitive: Primitive, text: &str) -> Result<(), Misfit> {
    let fits = match primitive {
        Primitive::String | Primitive::Markdown => {
            if text.len() > CHARACTERS_MAX && text.chars().count() > CHARACTERS_MAX {
                return Err(Misfit::TooLong);
            }
            is_string(text)
        }
        Primitive::Code => is_code(text),
        Primitive::Uri | Primitive::Url | Primitive::Canonical => is_uri(text),
        Primitive::Id => LogicalId::parse(text).is_some(),
        Primitive::Oid => is_oid(text),
        Primitive::Uuid => is_uuid(text),
        Primitive::Date => FhirDateTime::parse(text).is_some_and(|date| date.precision() <= Precision::Day),
        Primitive::DateTime => FhirDateTime::parse(text).is_some(),
        Primitive::Instant => Instant::parse(text).is_some(),
        Primitive::Time => Time::parse(text).is_some(),
        Primitive::Base64Binary => is_base64(text),
        _ => true,
    };
    if fits { Ok(()) } else { Err(Misfit::Format) }
}

/// A JSON number without point, exponent and leading zero, within 32 bits.
fn integer(text: &str) -> Option<i32> {
    if text == "-0" { None } else { text.parse().ok() }
}

/// Not empty, and no control characters but tab, line feed and carriage return.
fn is_string(text: &str) -> bool {
    !text.is_empty() && !text.bytes().any(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r'))
}

/// No blanks at the ends, single blanks within.
fn is_code(text: &str) -> bool {
    let mut after_blank = true;
    for letter in text.chars() {
        let blank = letter.is_whitespace();
        if (blank && after_blank) || letter.is_control() {
            return false;
        }
        after_blank = blank;
    }
    !after_blank
}

fn is_uri(text: &str) -> bool {
    if text.is_ascii() {
        return !text.is_empty() && text.bytes().all(|byte| byte > b' ' && byte != 0x7f);
    }
    !text.chars().any(|letter| letter.is_whitespace() || letter.is_control())
}

fn is_oid(text: &str) -> bool {
    let Some(arcs) = text.strip_prefix("urn:oid:") else {
        return false;
    };
    let mut arcs = arcs.split('.');
    let arc = |arc: &str| {
        !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'))
    };
    let first = arcs.next().is_some_and(|first| matches!(first, "0" | "1" | "2"));
    let mut rest = 0;
    first
        && arcs.all(|text| {
            rest += 1;
            arc(text)
        })
        && rest > 0
}

fn is_uuid(text: &str) -> bool {
    let Some(text) = text.strip_prefix("urn:uuid:") else {
        return false;
    };
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Groups of four, blanks between allowed, padding only at the end.
fn is_base64(text: &str) -> bool {
    let (mut digits, mut padding) = (0usize, 0usize);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            b'=' => padding += 1,
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => return false,
        }
    }
    digits > 0 && padding <= 2 && (digits + padding).is_multiple_of(4)
}

/// What a string may hold (R4: 1 MB, as characters).
const CHARACTERS_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(name: &str, texts: &[&str]) {
        let primitive = Primitive::parse(name).unwrap();
        for text in texts {
            assert_eq!(check(primitive, &Value::from(*text)), Ok(()), "{name} {text}");
        }
    }

    fn is_refused(name: &str, texts: &[&str]) {
        let primitive = Primitive::parse(name).unwrap();
        for text in texts {
            assert_eq!(check(primitive, &Value::from(*text)), Err(Misfit::Format), "{name} {text}");
        }
    }

    #[test]
    fn texts_follow_the_published_formats() {
        fits("string", &["a", " ", "a\tb\r\nc", "王小明"]);
        is_refused("string", &["", "a\u{0}", "\u{8}"]);
        fits("code", &["a", "a b"]);
        is_refused("code", &["", " a", "a ", "a  b", "\t"]);
        fits("uri", &["http://a/b?c#d", "urn:oid:1.2", "中文"]);
        is_refused("uri", &["", "a b", "a\n", "甲\u{3000}乙"]);
        fits("id", &["A-1.b"]);
        is_refused("id", &["", "a_b", &"a".repeat(65)]);
        fits("oid", &["urn:oid:1.2.840.0"]);
        is_refused("oid", &["1.2", "urn:oid:3.1", "urn:oid:1", "urn:oid:1.02", "urn:oid:1..2"]);
        fits("uuid", &["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"]);
        is_refused("uuid", &["c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:C757873D-EC9A-4326-A141-556F43239520"]);
        fits("base64Binary", &["YQ==", "YW Jj", "YWJj\nYWJj"]);
        is_refused("base64Binary", &["", "YQ=", "Y===", "YQ==YQ==", "Y-_=", "  "]);
    }

    #[test]
    fn dates_and_times_follow_the_published_formats() {
        fits("date", &["2024", "2024-02", "2024-02-29"]);
        is_refused("date", &["2024-02-30", "2024-02-29T00:00:00Z", "20240229"]);
        fits("dateTime", &["2024", "2024-02-29T23:59:59+08:00", "2024-02-29T23:59:60.123456Z"]);
        is_refused(
            "dateTime",
            &["2024-02-29T23:59", "2024-02-29T23:59:59", "2024-02-29 23:59:59Z", "2024-02-29t10:00:00z"],
        );
        fits("instant", &["2024-02-29T23:59:59.1Z"]);
        is_refused("instant", &["2024-02-29", "2024-02-29T23:59:59"]);
        fits("time", &["23:59:59"]);
        is_refused("time", &["24:00:00", "23:59"]);
    }

    #[test]
    fn whole_numbers_have_neither_point_nor_exponent_and_fit_32_bits() {
        let number =
            |name: &str, text: &'static str| check(Primitive::parse(name).unwrap(), &Value::Number(text.into()));
        assert_eq!(number("integer", "-2147483648"), Ok(()));
        for text in ["2147483648", "1.0", "1e2", "-0"] {
            assert_eq!(number("integer", text), Err(Misfit::Format), "{text}");
        }
        assert_eq!(number("positiveInt", "0"), Err(Misfit::Format));
        assert_eq!(number("unsignedInt", "0"), Ok(()));
        assert_eq!(number("decimal", "1e2"), Ok(()));
        assert_eq!(check(Primitive::Decimal, &Value::from("1.0")), Err(Misfit::Json));
        assert_eq!(check(Primitive::Boolean, &Value::from("true")), Err(Misfit::Json));
        assert_eq!(check(Primitive::String, &Value::Null), Err(Misfit::Json));
    }
}
