//! What a receiver can read: the character set a message is printed in.

use crate::Charset;

/// The character set of a receiver and how much of it the receiver knows. A character beyond it is an error with a path,
/// never a question mark and never, unless a site asks for it, a numeric reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    charset: Charset,
    name: String,
    /// Only the two-byte characters of GB 2312: A1 to F7, A1 to FE.
    pairs_only: bool,
    references: bool,
}

impl Target {
    /// A receiver that knows the whole of a character set.
    #[must_use]
    pub fn of(charset: Charset) -> Self {
        let name = match charset {
            Charset::Utf8 => "UNICODE UTF-8".to_owned(),
            Charset::Gb18030 => "GB 18030-2000".to_owned(),
            Charset::Big5 | Charset::Iso8859(_) => charset.to_string(),
        };
        Self { charset, name, pairs_only: false, references: false }
    }

    /// The receiver that calls its character set so, by table 0211 or by what senders write for it. Chinese text is
    /// always written as GB18030; one that says `GB2312` gets the characters of that set alone.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let charset = Charset::parse(name)?;
        let pairs_only = charset == Charset::Gb18030 && name.to_ascii_uppercase().replace(' ', "").contains("2312");
        Some(Self { name: name.trim().to_owned(), pairs_only, ..Self::of(charset) })
    }

    /// Writes what the character set lacks as a decimal reference (`&#131207;`) in free text: datatypes TX and FT and
    /// the texts of coded elements. Names and identifiers stay errors.
    #[must_use]
    pub fn with_references(self) -> Self {
        Self { references: true, ..self }
    }

    /// The character set of the bytes.
    #[must_use]
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// What stands in MSH-18.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Free text may hold references.
    #[must_use]
    pub fn writes_references(&self) -> bool {
        self.references
    }

    /// Appends `text` to `bytes`; on failure the byte offset in `text` of the first character the receiver lacks.
    ///
    /// # Errors
    /// When a character is beyond the receiver; `bytes` is as it was.
    pub fn encode_into(&self, text: &str, bytes: &mut Vec<u8>) -> Result<(), usize> {
        let encoded = self.charset.encode(text)?;
        if self.pairs_only
            && let Some(at) = beyond_pairs(text, &encoded)
        {
            return Err(at);
        }
        bytes.extend_from_slice(&encoded);
        Ok(())
    }

    /// The text with a decimal reference for each character the receiver lacks.
    pub(crate) fn referenced(&self, text: &str) -> String {
        let mut written = String::with_capacity(text.len() + 16);
        let mut character_bytes = Vec::new();
        for character in text.chars() {
            character_bytes.clear();
            let mut buffer = [0; 4];
            if self.encode_into(character.encode_utf8(&mut buffer), &mut character_bytes).is_ok() {
                written.push(character);
            } else {
                written.push_str(&format!("&#{};", u32::from(character)));
            }
        }
        written
    }
}

/// Where the first character stands that is neither ASCII nor a pair of GB 2312.
fn beyond_pairs(text: &str, encoded: &[u8]) -> Option<usize> {
    let mut at = 0;
    for (offset, character) in text.char_indices() {
        match encoded.get(at..)? {
            [0..=0x7F, ..] => at += 1,
            [0xA1..=0xF7, 0xA1..=0xFE, ..] => at += 2,
            _ => return Some(offset),
        }
        debug_assert!(character.is_ascii() || at >= 2, "one character is one byte or one pair");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, text: &str) -> Result<Vec<u8>, usize> {
        let mut bytes = Vec::new();
        Target::named(name).unwrap().encode_into(text, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn a_receiver_of_gb2312_gets_its_pairs_and_nothing_else() {
        assert_eq!(written("GB2312", "A李").as_deref(), Ok(&b"A\xC0\xEE"[..]));
        // 珅 is in GBK and not in GB 2312; 䶮 is a pair of GB18030 beyond F7.
        assert_eq!(written("gb2312", "李珅"), Err(3));
        assert_eq!(written("gb 2312-1980", "a䶮"), Err(1));
        assert_eq!(written("gb2312", "\u{20087}"), Err(0));
        assert_eq!(written("GBK", "李珅䶮\u{20087}").map(|bytes| bytes.len()), Ok(10));
    }

    #[test]
    fn a_character_that_a_set_lacks_is_an_error_and_no_reference() {
        assert_eq!(written("GB18030", "a\u{E5E5}"), Err(1), "the one private character GB18030 cannot write");
        assert_eq!(written("BIG-5", "誠x䶮"), Err(4));
        assert_eq!(written("8859/1", "José李"), Err(5));
    }

    #[test]
    fn references_stand_for_what_is_lacking_alone() {
        let target = Target::named("8859/1").unwrap().with_references();
        assert_eq!(target.referenced("é李\u{20087}"), "é&#26446;&#131207;");
    }
}
