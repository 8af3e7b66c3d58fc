//! Resident identity numbers (GB 11643-1999) and the numbers built like them.
//!
//! Eighteen characters: six digits of the county (GB/T 2260), eight of the birth date, three of sequence (odd for men), and a check
//! character by ISO 7064:1983, MOD 11-2. Residence permits of Hong Kong, Macao and Taiwan residents (81, 82, 83 in the place of the
//! province) and the permanent residence cards of foreigners since 2023 (9 first) are built the same way. Numbers of the first generation
//! have fifteen digits: no century and no check.
//!
//! A county that no table knows is not an error: counties are abolished and people keep their numbers.

mod permit;
mod repair;
#[cfg(test)]
mod tests;

use std::fmt;

pub use permit::{Permit, permit};
pub use repair::{REPAIRS_MAX, Slip, repairs, slip};

/// A number of eighteen characters with a real birth date and the right check character.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResidentNumber([u8; LENGTH]);

/// For whom a number of eighteen characters is made out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    /// A citizen: 居民身份证.
    Resident,
    /// A resident of Hong Kong (81), Macao (82) or Taiwan (83): 港澳台居民居住证.
    HongKongMacaoTaiwan,
    /// A foreigner with permanent residence: 外国人永久居留身份证 (2023).
    ForeignPermanent,
}

/// Why a text is no such number. The text itself is not repeated: it is a patient's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Neither eighteen characters nor fifteen digits.
    #[error("an identity number has 18 characters or 15 digits, this has {0}")]
    Length(usize),
    /// Something that is no digit, counted from 1.
    #[error("character {0} of an identity number must be a digit")]
    Digit(usize),
    /// A spreadsheet has made a number of it and lost its end: `8.60101E+17`.
    #[error("the identity number was written as a rounded number")]
    Rounded,
    /// Digits 7 to 14 are no day of the calendar.
    #[error("digits 7 to 14 of an identity number must be a day of the calendar")]
    Date,
    /// The check character is not the one that the digits give.
    #[error("the check character of the identity number does not fit its digits")]
    Check,
}

impl Refusal {
    /// A word for codes and counters.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Length(_) => "length",
            Refusal::Digit(_) => "digit",
            Refusal::Rounded => "rounded",
            Refusal::Date => "date",
            Refusal::Check => "check",
        }
    }

    /// The reason in both languages.
    #[must_use]
    pub fn text(self) -> dukou_fhir::Text {
        let zh = match self {
            Refusal::Length(length) => format!("身份证号应为18位或15位,现为{length}位"),
            Refusal::Digit(place) => format!("身份证号第{place}位应为数字"),
            Refusal::Rounded => "身份证号被表格软件写成科学计数法,末位已丢失".to_owned(),
            Refusal::Date => "身份证号第7至14位不是有效日期".to_owned(),
            Refusal::Check => "身份证号校验码不符".to_owned(),
        };
        dukou_fhir::Text::new(self.to_string(), zh)
    }
}

/// Reads a number of eighteen characters as people and devices write it: blanks, a spreadsheet's apostrophe, full width digits and a small
/// x are understood. Fifteen digits are refused by their length here; see [`upgrade`].
///
/// # Errors
/// The first reason for which the text is no such number.
pub fn parse(text: &str) -> Result<ResidentNumber, Refusal> {
    let stripped = Stripped::of(text)?;
    let bytes: [u8; LENGTH] = stripped.bytes().try_into().map_err(|_| Refusal::Length(stripped.length))?;
    checked(bytes)
}

/// The number of eighteen characters that fifteen digits became: the century is 19, the check character is computed. It is the same person's
/// number by rule, not by what was stated.
///
/// # Errors
/// The first reason for which the text is no number of fifteen digits.
pub fn upgrade(text: &str) -> Result<ResidentNumber, Refusal> {
    let stripped = Stripped::of(text)?;
    let old: &[u8; 15] = stripped.bytes().try_into().map_err(|_| Refusal::Length(stripped.length))?;
    let mut bytes = [0; LENGTH];
    bytes[..6].copy_from_slice(&old[..6]);
    bytes[6..8].copy_from_slice(b"19");
    bytes[8..17].copy_from_slice(&old[6..]);
    if let Some(at) = old.iter().position(|byte| !byte.is_ascii_digit()) {
        return Err(Refusal::Digit(at + 1));
    }
    bytes[17] = check_of(&bytes);
    checked(bytes)
}

/// The check character for the first seventeen digits; nothing where they are not seventeen digits or more.
#[must_use]
pub fn check_digit(digits: &str) -> Option<char> {
    let digits = digits.as_bytes().get(..LENGTH - 1)?;
    digits.iter().all(u8::is_ascii_digit).then(|| char::from(check_of(digits)))
}

impl ResidentNumber {
    /// The eighteen characters, the last `0` to `9` or `X`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Digits and a capital X are all that a number is made of.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The six digits of the county where the first card was made out.
    #[must_use]
    pub fn county(&self) -> &str {
        &self.as_str()[..6]
    }

    /// Year, month and day of birth.
    #[must_use]
    pub fn birth(&self) -> (u16, u8, u8) {
        birth_of(&self.0)
    }

    /// The birth date as `yyyy-MM-dd`.
    #[must_use]
    pub fn birth_date(&self) -> String {
        let (year, month, day) = self.birth();
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// The sex by GB/T 2261.1: `1` for an odd sequence, `2` for an even one.
    #[must_use]
    pub fn sex(&self) -> char {
        if self.0[16] % 2 == 1 { '1' } else { '2' }
    }

    /// The three digits of sequence among those who were born on one day in one county. Twins have neighbours.
    #[must_use]
    pub fn sequence(&self) -> u16 {
        number(&self.0[14..17])
    }

    /// For whom the number is made out, by its first digits.
    #[must_use]
    pub fn holder(&self) -> Holder {
        match &self.0[..2] {
            b"81" | b"82" | b"83" => Holder::HongKongMacaoTaiwan,
            [b'9', _] => Holder::ForeignPermanent,
            _ => Holder::Resident,
        }
    }
}

impl fmt::Debug for ResidentNumber {
    /// A patient's number is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResidentNumber({:?})", self.holder())
    }
}

/// A text without blanks and marks, at most one character longer than a number; longer ones are only counted.
struct Stripped {
    bytes: [u8; LENGTH + 1],
    length: usize,
}

impl Stripped {
    fn of(text: &str) -> Result<Stripped, Refusal> {
        let mut stripped = Stripped { bytes: [0; LENGTH + 1], length: 0 };
        for c in text.chars().filter(|c| !is_mark(*c)) {
            if let Some(byte) = stripped.bytes.get_mut(stripped.length) {
                *byte = plain(c);
            }
            stripped.length += 1;
        }
        let known = &stripped.bytes[..stripped.length.min(LENGTH + 1)];
        if known.contains(&b'E') && known.first().is_some_and(u8::is_ascii_digit) && known.contains(&b'+') {
            return Err(Refusal::Rounded);
        }
        Ok(stripped)
    }

    /// The characters; none where there are too many.
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Blanks, invisible marks and the apostrophe that a spreadsheet puts before a number that is text.
fn is_mark(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '\'' | '’' | '‘' | '＇' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}')
}

/// The digit or capital letter; a character that neither is becomes one that no number has.
fn plain(c: char) -> u8 {
    let half = match c {
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '×' | 'Х' | 'х' | 'Χ' | 'χ' => 'X',
        other => other,
    };
    u8::try_from(half.to_ascii_uppercase()).ok().filter(u8::is_ascii).unwrap_or(b'?')
}

/// The number that these characters are.
fn checked(bytes: [u8; LENGTH]) -> Result<ResidentNumber, Refusal> {
    if let Some(at) = bytes[..LENGTH - 1].iter().position(|byte| !byte.is_ascii_digit()) {
        return Err(Refusal::Digit(at + 1));
    }
    if !bytes[LENGTH - 1].is_ascii_digit() && bytes[LENGTH - 1] != b'X' {
        return Err(Refusal::Digit(LENGTH));
    }
    if !is_day(birth_of(&bytes)) {
        return Err(Refusal::Date);
    }
    if bytes[LENGTH - 1] != check_of(&bytes) {
        return Err(Refusal::Check);
    }
    Ok(ResidentNumber(bytes))
}

fn check_of(digits: &[u8]) -> u8 {
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    CHECKS[(sum % 11) as usize]
}

fn birth_of(bytes: &[u8; LENGTH]) -> (u16, u8, u8) {
    let two = |from: usize| (bytes[from] - b'0') * 10 + (bytes[from + 1] - b'0');
    (number(&bytes[6..10]), two(10), two(12))
}

fn number(digits: &[u8]) -> u16 {
    digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
}

/// Whether a day is in the calendar, in the centuries in which holders of such numbers were or will be born.
fn is_day((year, month, day): (u16, u8, u8)) -> bool {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return false,
    };
    (1800..2200).contains(&year) && (1..=days).contains(&day)
}

const LENGTH: usize = 18;
/// GB 11643-1999, 6.1 and table 1: powers of two by 11, and the character for each remainder.
const WEIGHTS: [u32; LENGTH - 1] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: [u8; 11] = *b"10X98765432";
