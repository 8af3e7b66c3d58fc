use std::fmt;

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// HL7 v2 with vertical bars.
    Er7,
    /// XML, SOAP and CDA among it.
    Xml,
    /// JSON that is not FHIR.
    Json,
    /// Rows of cells, CSV among them.
    Delimited,
}

impl Format {
    /// The name that maps and reports use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Er7 => "er7",
            Self::Xml => "xml",
            Self::Json => "json",
            Self::Delimited => "delimited",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A guess by the first bytes, for doors that take any format: a header segment is ER7, `<` is XML, `{` and `[` are JSON,
/// and whatever else is rows. A byte order mark, blanks and the start of an MLLP frame are passed over. The bytes may
/// still turn out to be no message of that format.
///
/// ```
/// use dukou_wire::{Format, sniff};
/// assert_eq!(sniff(b"\xEF\xBB\xBF<?xml version=\"1.0\"?><a/>"), Format::Xml);
/// assert_eq!(sniff(b"MSH|^~\\&|HIS"), Format::Er7);
/// assert_eq!(sniff(b" {\"a\":1}"), Format::Json);
/// assert_eq!(sniff(b"#YY|V1.2|99000001"), Format::Delimited);
/// ```
#[must_use]
pub fn sniff(bytes: &[u8]) -> Format {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let start = bytes.iter().position(|&b| b > b' ').unwrap_or(bytes.len());
    let body = &bytes[start..];
    match body {
        [b'<', ..] => Format::Xml,
        [b'{' | b'[', ..] => Format::Json,
        [a, b, c, separator, ..] if matches!(&[*a, *b, *c], b"MSH" | b"FHS" | b"BHS") => {
            if separator.is_ascii_alphanumeric() { Format::Delimited } else { Format::Er7 }
        }
        _ => Format::Delimited,
    }
}
