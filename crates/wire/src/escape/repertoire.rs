use encoding_rs::Encoding;

/// A character repertoire that a message reaches by an escape of ISO 2022: HL7 v2 chapter 2, escape sequences
/// supporting multiple character sets. Its characters are bytes below 80, one or two for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repertoire {
    /// ISO 646 US.
    Ascii,
    /// JIS X 0201, the Latin half: a yen sign and an overline in place of backslash and tilde.
    JisRoman,
    /// JIS X 0201, the half of katakana.
    JisKatakana,
    /// JIS X 0208.
    JisKanji,
    /// JIS X 0212.
    JisSupplement,
    /// GB 2312.
    Gb2312,
    /// KS X 1001.
    KoreanHangul,
}

impl Repertoire {
    /// The repertoire of `\Cxxyy\` and `\Mxxyyzz\`, given without the escape characters: the bytes of the ISO 2022
    /// sequence behind ESC. `None` for those this crate does not know.
    pub(super) fn of(sequence: &str) -> Option<Self> {
        match sequence {
            "C2842" => Some(Self::Ascii),
            "C284A" | "C284a" => Some(Self::JisRoman),
            "C2849" => Some(Self::JisKatakana),
            // JIS C 6226, the set before JIS X 0208, is read by the newer table.
            "M2442" | "M242842" | "M2440" => Some(Self::JisKanji),
            "M242844" => Some(Self::JisSupplement),
            "M2441" | "M242841" => Some(Self::Gb2312),
            "M242843" => Some(Self::KoreanHangul),
            _ => None,
        }
    }

    /// Decodes the bytes of a run; `None` when one of them is no character of the repertoire.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Ascii => String::from_utf8(bytes.to_vec()).ok().filter(|text| text.is_ascii()),
            Self::JisRoman => bytes.iter().map(|&b| roman(b)).collect(),
            Self::JisKatakana => bytes.iter().map(|&b| katakana(b)).collect(),
            Self::JisKanji => pairs(bytes, encoding_rs::EUC_JP, &[]),
            Self::JisSupplement => pairs(bytes, encoding_rs::EUC_JP, &[SINGLE_SHIFT_3]),
            Self::Gb2312 => pairs(bytes, encoding_rs::GBK, &[]),
            Self::KoreanHangul => pairs(bytes, encoding_rs::EUC_KR, &[]),
        }
    }
}

fn roman(b: u8) -> Option<char> {
    match b {
        b'\\' => Some('¥'),
        b'~' => Some('‾'),
        0..=0x7F => Some(char::from(b)),
        _ => None,
    }
}

fn katakana(b: u8) -> Option<char> {
    match b {
        0x21..=0x5F => char::from_u32(0xFF61 + u32::from(b - 0x21)),
        0..=b' ' => Some(char::from(b)),
        _ => None,
    }
}

/// Two bytes of a 94 by 94 set are, with their high bits, a character of the EUC encoding that holds the set.
fn pairs(bytes: &[u8], encoding: &'static Encoding, prefix: &[u8]) -> Option<String> {
    let mut extended = Vec::with_capacity(bytes.len() + bytes.len() / 2);
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        match (first, after) {
            (0..=b' ', _) => {
                extended.push(*first);
                rest = after;
            }
            (0x21..=0x7E, [second @ 0x21..=0x7E, after @ ..]) => {
                extended.extend_from_slice(prefix);
                extended.extend([first | HIGH, second | HIGH]);
                rest = after;
            }
            _ => return None,
        }
    }
    let text = encoding.decode_without_bom_handling_and_without_replacement(&extended)?;
    // Positions that the set leaves free are private to the encoding.
    let private = text.contains(|c| ('\u{E000}'..='\u{F8FF}').contains(&c));
    (!private).then(|| text.into_owned())
}

const HIGH: u8 = 0x80;
/// Before a character of JIS X 0212 in EUC-JP.
const SINGLE_SHIFT_3: u8 = 0x8F;
