//! Names in letters: pinyin as `ZHANG^SAN`, names of other languages, in any order and with any marks between the words.

use unicode_normalization::UnicodeNormalization;

use super::level::{Level, NameLevel, NamePattern};
use super::{Hash64, skeleton};
use crate::readings::Readings;

/// The words of a name in capital letters of ASCII, without accents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    letters: Box<[u8]>,
    ends: [u8; WORDS_MAX],
    count: u8,
    /// A mark (`^`, a comma) or capital letters beside small ones said which word is the surname; it then stands first.
    surname_first: bool,
    /// The consonants.
    pub(super) skeleton: u64,
}

/// The most words of a name that are told apart; further ones belong to the last.
const WORDS_MAX: usize = 6;
/// The most letters of a name that are compared.
pub(super) const LETTERS_MAX: usize = 64;

impl Words {
    /// Reads a cleaned name in letters; nothing where no letter is in it.
    pub(super) fn parse(cleaned: &str) -> Option<Words> {
        let surname_first = cleaned.contains(['^', ',']);
        let mut letters: Vec<u8> = Vec::new();
        let mut ends: Vec<u8> = Vec::new();
        for word in cleaned.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’') {
            let start = letters.len();
            letters.extend(word.chars().flat_map(ascii));
            letters.truncate(LETTERS_MAX);
            if letters.len() > start {
                ends.push(u8::try_from(letters.len()).unwrap_or(u8::MAX));
            }
        }
        let count = ends.len().min(WORDS_MAX);
        let last = *ends.last()?;
        let mut fixed = [last; WORDS_MAX];
        fixed[..count].copy_from_slice(&ends[..count]);
        fixed[count - 1] = last;
        let parted = |at: usize| ends.iter().any(|end| usize::from(*end) == at).then_some(b' ');
        let skeleton = letters.iter().enumerate().flat_map(|(at, letter)| parted(at).into_iter().chain([*letter]));
        let skeleton = skeleton::of_letters(skeleton);
        let count = u8::try_from(count).unwrap_or(u8::MAX);
        Some(Words { letters: letters.into_boxed_slice(), ends: fixed, count, surname_first, skeleton })
    }

    pub(super) fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// The letters of the words from one to before another.
    pub(super) fn between(&self, from: usize, to: usize) -> &[u8] {
        let start = if from == 0 { 0 } else { usize::from(self.ends[from - 1]) };
        let end = if to == 0 { 0 } else { usize::from(self.ends[to - 1]) };
        &self.letters[start..end.max(start)]
    }

    pub(super) fn word(&self, at: usize) -> &[u8] {
        self.between(at, at + 1)
    }

    /// One end of the name as the surname, and the other words.
    fn divided(&self, last: bool) -> (&[u8], &[u8]) {
        let count = self.count();
        if last { (self.word(count - 1), self.between(0, count - 1)) } else { (self.word(0), self.between(1, count)) }
    }

    pub(super) fn all(&self) -> &[u8] {
        &self.letters
    }

    /// Whether a mark said that the first word is the surname.
    pub(super) fn is_surname_first(&self) -> bool {
        self.surname_first
    }

    /// The key of all letters, whatever the order of the words.
    pub(super) fn hash(&self) -> u64 {
        if self.surname_first {
            self.hash_from(0)
        } else {
            (0..self.count()).map(|at| self.hash_from(at)).min().unwrap_or(0)
        }
    }

    /// The key of the letters beginning with one word, the others behind it in their order.
    fn hash_from(&self, first: usize) -> u64 {
        let others = (0..self.count()).filter(|at| *at != first).map(|at| self.word(at));
        others.fold(Hash64::default().letters(self.word(first)), |hash, word| hash.letters(word)).finish()
    }

    pub(super) fn sound_hashes(&self, give: &mut impl FnMut(u64)) {
        for first in 0..if self.surname_first { 1 } else { self.count().min(2) } {
            give(self.hash_from(first));
        }
        give(skeleton::key(self.skeleton));
    }
}

/// The plain letters of a letter with marks.
fn ascii(c: char) -> impl Iterator<Item = u8> {
    let plain = match c {
        'Ø' => "O",
        'Æ' => "AE",
        'Œ' => "OE",
        'Đ' | 'Ð' => "D",
        'Ł' => "L",
        'Þ' => "TH",
        'ẞ' => "SS",
        'İ' | 'I' => "I",
        _ => "",
    };
    let decomposed = c.nfkd().filter(|_| plain.is_empty()).flat_map(char::to_uppercase);
    plain.bytes().chain(decomposed.filter(char::is_ascii_alphanumeric).filter_map(|c| u8::try_from(c).ok()))
}

/// Compares two names in letters.
pub(super) fn compare(a: &Words, b: &Words) -> NameLevel {
    if a.count() == 1 || b.count() == 1 {
        return single(a, b);
    }
    let straight = ordered(a, b, Order::Straight);
    if straight.pattern == NamePattern::LettersSame {
        return straight;
    }
    let turned = ordered(a, b, Order::LastFirst).min(ordered(a, b, Order::FirstLast));
    if is_slip(turned.surname) && is_slip(turned.given) && turned < straight {
        // Where both sides say which word is the surname, another order is another name.
        let same = turned.pattern == NamePattern::LettersSame && !(a.surname_first && b.surname_first);
        let pattern = if same { NamePattern::Turned } else { NamePattern::BothNear };
        return NameLevel::new(pattern, Level::Swapped, Level::Swapped);
    }
    straight
}

/// The same, or one letter apart.
fn is_slip(level: Level) -> bool {
    matches!(level, Level::Same | Level::Near)
}

/// Which words are taken for the surnames.
#[derive(Clone, Copy)]
enum Order {
    Straight,
    /// The first of one, the last of the other.
    FirstLast,
    /// The last of one, the first of the other.
    LastFirst,
}

/// Surname with surname and the other words with the other words.
fn ordered(a: &Words, b: &Words, order: Order) -> NameLevel {
    let (a_surname, a_rest) = a.divided(matches!(order, Order::LastFirst));
    let (b_surname, b_rest) = b.divided(matches!(order, Order::FirstLast));
    let (surname, given) = (word(a_surname, b_surname), word(a_rest, b_rest));
    NameLevel::new(joined(surname, given), surname, given)
}

/// A name of one word is a name whose parts were not told apart, or one part alone.
fn single(a: &Words, b: &Words) -> NameLevel {
    let whole = word(a.all(), b.all());
    if is_slip(whole) {
        return NameLevel::new(joined(whole, Level::Same), whole, whole);
    }
    let (short, long) = if a.count() == 1 { (a, b) } else { (b, a) };
    let cut = (0..long.count()).any(|at| word(short.all(), long.word(at)) == Level::Same);
    if cut && long.count() > 1 {
        return NameLevel::new(NamePattern::Cut, Level::Cut, Level::Same);
    }
    NameLevel::new(NamePattern::LettersDifferent, Level::Different, Level::Different)
}

fn joined(surname: Level, given: Level) -> NamePattern {
    match (surname, given) {
        (Level::Same, Level::Same) => NamePattern::LettersSame,
        (Level::Near, Level::Near) => NamePattern::BothNear,
        (Level::Same, Level::Near) | (Level::Near, Level::Same) => NamePattern::LettersNear,
        (Level::Same, Level::Swapped) => NamePattern::LettersSwapped,
        (Level::Same, Level::Dropped) => NamePattern::LettersDropped,
        (Level::Same, Level::Cut) => NamePattern::Cut,
        (Level::Same | Level::Near, _) => NamePattern::LettersGivenDifferent,
        (_, Level::Same | Level::Near) => NamePattern::LettersSurnameDifferent,
        _ => NamePattern::LettersDifferent,
    }
}

/// The level of one word.
fn word(a: &[u8], b: &[u8]) -> Level {
    if a == b {
        return Level::Same;
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.is_empty() {
        return Level::Missing;
    }
    if is_near(short, long) && !are_pinyin(short, long) {
        Level::Near
    } else if short.len() == 1 && short[0] == long[0] {
        Level::Cut
    } else if short.len() == long.len() && is_rotated(short, long) {
        Level::Swapped
    } else if short.len() >= 2 && (long.starts_with(short) || long.ends_with(short)) {
        Level::Dropped
    } else {
        Level::Different
    }
}

/// LI and LIU are two surnames, XINJUAN and XINYUAN two given names: letters that are pinyin on both sides are no slip of each other.
pub(super) fn are_pinyin(a: &[u8], b: &[u8]) -> bool {
    is_pinyin(a) && is_pinyin(b)
}

/// Whether letters are syllables one after another.
fn is_pinyin(letters: &[u8]) -> bool {
    let mut ends = [false; LETTERS_MAX + 1];
    ends[0] = true;
    for to in 1..=letters.len().min(LETTERS_MAX) {
        ends[to] = (to.saturating_sub(SYLLABLE_MAX)..to).any(|from| {
            let syllable = std::str::from_utf8(&letters[from..to]);
            ends[from] && syllable.is_ok_and(|syllable| Readings::spelled(syllable).is_some())
        });
    }
    letters.len() <= LETTERS_MAX && ends[letters.len()]
}

/// The letters of the longest syllables, such as ZHUANG.
const SYLLABLE_MAX: usize = 6;

/// Two syllables in the other order: `LIJIE` and `JIELI`.
fn is_rotated(a: &[u8], b: &[u8]) -> bool {
    a.len() >= 4 && (2..=a.len() - 2).any(|at| a[at..] == b[..a.len() - at] && a[..at] == b[a.len() - at..])
}

/// One letter more, less, other, or two neighbours changed over, in words of at least three letters.
pub(super) fn is_near(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if long.len() < 3 || long.len() - short.len() > 1 {
        return false;
    }
    let head = short.iter().zip(long).take_while(|(one, other)| one == other).count();
    if short.len() < long.len() {
        return short[head..] == long[head + 1..];
    }
    let (one, other) = (&short[head..], &long[head..]);
    one.len() <= 1 || one[1..] == other[1..] || (one[0] == other[1] && one[1] == other[0] && one[2..] == other[2..])
}
