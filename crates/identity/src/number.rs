//! Numbers and cards, compared within one system only.

use std::borrow::Cow;

use dukou_terminology::gb11643;

use crate::birth::BirthDate;
use crate::stated::{Class, Obtained, StatedIdentifier};

/// One number of a record, prepared for comparison.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) class: Class,
    pub(crate) obtained: Obtained,
    pub(crate) in_period: bool,
    pub(crate) soundness: Soundness,
    /// The system and the number as one hash; equal numbers of one system have equal keys.
    pub(crate) key: u64,
    /// The system alone.
    pub(crate) system: u64,
    /// The number without blanks, in capitals; a number of 15 digits as it came.
    pub(crate) value: Box<str>,
    /// Keys of the numbers that this one may have been before one slip; empty where it is good.
    pub(crate) repairs: Box<[u64]>,
    /// Whether the number checks itself, so that two good ones are never a slip apart.
    pub(crate) checked: bool,
    /// The birth date that a good identity number tells.
    pub(crate) birth: Option<BirthDate>,
}

/// What a number is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Soundness {
    /// A good number, or one of a kind that cannot be checked.
    Good,
    /// A good number of 15 digits, brought to 18.
    Upgraded,
    /// A number that its own check digit, date or length refutes.
    Broken,
}

impl Number {
    /// The number as it takes part in matching. None: a placeholder, a visit number, or nothing.
    pub(crate) fn prepare(
        stated: &StatedIdentifier,
        placeholders: &[String],
        birth: Option<BirthDate>,
        sex: Option<char>,
    ) -> Option<Number> {
        let value = normal(&stated.value);
        if stated.class == Class::Visit || value.is_empty() || is_placeholder(&value, placeholders) {
            return None;
        }
        let system = hash(0, stated.system.as_bytes());
        let (soundness, full, repairs) = match stated.class {
            Class::Resident => resident(&value, birth, sex),
            _ => (Soundness::Good, None, Vec::new()),
        };
        let told = full.as_deref().and_then(|full| BirthDate::parse(&full[6..14]));
        let key = hash(system, full.as_deref().unwrap_or(&value).as_bytes());
        Some(Number {
            class: stated.class,
            obtained: stated.obtained,
            in_period: stated.in_period,
            soundness,
            key,
            system,
            value: value.into_owned().into(),
            checked: full.is_some(),
            birth: told,
            repairs: repairs.iter().map(|number| hash(system, number.as_bytes())).collect(),
        })
    }

    /// How two numbers of one system agree.
    pub(crate) fn compare(&self, other: &Number) -> NumberLevel {
        let broken = self.soundness == Soundness::Broken || other.soundness == Soundness::Broken;
        if self.key == other.key {
            let linked = self.value.len() != other.value.len();
            return match (broken, linked) {
                (true, _) => NumberLevel::SameSlip,
                (false, true) => NumberLevel::Linked,
                (false, false) => NumberLevel::Equal,
            };
        }
        let mends = |broken: &Number, good: &Number| broken.repairs.contains(&good.key);
        if mends(self, other) || mends(other, self) || self.repairs.iter().any(|key| other.repairs.contains(key)) {
            NumberLevel::Slip
        } else if broken {
            NumberLevel::Unclear
        } else if !self.checked && one_slip(self.value.as_bytes(), other.value.as_bytes()) {
            NumberLevel::Slip
        } else {
            NumberLevel::Different
        }
    }
}

/// How two numbers of one system agree, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NumberLevel {
    /// The same good number.
    Equal,
    /// The same number, one of them brought from 15 digits to 18.
    Linked,
    /// The same broken number.
    SameSlip,
    /// One slip lies between a broken number and the other.
    Slip,
    /// Two good numbers.
    Different,
    /// Two numbers, of which one is broken.
    Unclear,
}

impl NumberLevel {
    /// The names in model files, in the order of the levels.
    pub(crate) const NAMES: &'static [&'static str] = &["equal", "linked", "same-slip", "slip", "different", "unclear"];
}

/// The soundness of a resident number, its form of 18 characters, and the numbers that a broken one may have been.
fn resident(value: &str, birth: Option<BirthDate>, sex: Option<char>) -> (Soundness, Option<String>, Vec<String>) {
    if let Ok(number) = gb11643::parse(value) {
        return (Soundness::Good, Some(number.as_str().to_owned()), Vec::new());
    }
    if let Ok(number) = gb11643::upgrade(value) {
        return (Soundness::Upgraded, Some(number.as_str().to_owned()), Vec::new());
    }
    let birth = birth.map(|date| date.to_string());
    let mut repairs = gb11643::repairs(value, birth.as_deref(), sex);
    if repairs.is_empty() {
        repairs = gb11643::repairs(value, None, None);
    }
    (Soundness::Broken, None, repairs.iter().take(REPAIRS_MAX).map(|number| number.as_str().to_owned()).collect())
}

fn is_placeholder(value: &str, placeholders: &[String]) -> bool {
    let same = value.len() > 3 && value.bytes().all(|b| Some(b) == value.bytes().next());
    same || value.starts_with("123456789") && value.len() < 18 || placeholders.iter().any(|known| known == value)
}

/// Whether two numbers of one length differ in one character, or in two neighbours that changed places.
fn one_slip(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() || a.len() < SLIP_CHARACTERS_MIN {
        return false;
    }
    let mut differ = (0..a.len()).filter(|at| a[*at] != b[*at]);
    match (differ.next(), differ.next(), differ.next()) {
        (Some(_), None, _) => true,
        (Some(first), Some(second), None) => second == first + 1 && a[first] == b[second] && a[second] == b[first],
        _ => false,
    }
}

/// A number as it is compared: half width, no blanks, capitals, no apostrophe in front. What came is kept as it came.
pub fn normal(value: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    if value.len() <= VALUE_CHARACTERS_MAX && value.bytes().all(plain) {
        return Cow::Borrowed(value);
    }
    let value = value.trim_start_matches(['\'', '＇', ' ']).chars().filter_map(half_width);
    let value = value.filter(|c| !c.is_whitespace() && !c.is_control()).flat_map(char::to_uppercase);
    Cow::Owned(value.take(VALUE_CHARACTERS_MAX).collect())
}

/// A number as it is looked up: [`normal`], and a resident number of 15 digits brought to 18.
pub fn sought(class: Class, value: &str) -> Cow<'_, str> {
    let value = normal(value);
    match class {
        Class::Resident => resident(&value, None, None).1.map_or(value, Cow::Owned),
        _ => value,
    }
}

/// A character in half width; None for zero-width characters.
pub(crate) fn half_width(c: char) -> Option<char> {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0),
        '\u{3000}' => Some(' '),
        '\u{200b}'..='\u{200f}' | '\u{feff}' => None,
        _ => Some(c),
    }
}

/// FNV-1a with a last mix: the same on every machine and in every version. Not against an adversary: equality is never decided by it
/// alone where it matters.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let sum = bytes.iter().fold(start, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let sum = (sum ^ (sum >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    sum ^ (sum >> 32)
}

/// In shorter numbers one slip says nothing.
const SLIP_CHARACTERS_MIN: usize = 7;
/// So many numbers that a broken one may have been are looked for.
const REPAIRS_MAX: usize = 40;
/// A number is read so far.
const VALUE_CHARACTERS_MAX: usize = 64;
