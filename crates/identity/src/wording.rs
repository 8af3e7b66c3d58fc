//! Any other text of a record: how far apart two wordings are, letter by letter.
//!
//! Names in Chinese characters and in pinyin have their own comparison ([`crate::Name`]); this one serves whatever a model lists beside
//! them: streets, suburbs, names in English files.

use crate::text::fold;

/// A text made ready for comparison: folded, without blanks and marks, the first [`WORDING_LETTERS_MAX`] letters and digits of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// Classes of letters below [`CLASSES`].
    letters: Box<[u8]>,
    /// Which classes stand in it.
    present: u64,
}

/// How far apart two wordings are, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WordingLevel {
    /// The same letters.
    Same,
    /// One letter more, less, other, or two neighbours changed over.
    OneEdit,
    /// Two such slips in at least five letters.
    TwoEdits,
    /// Three such slips in at least eight letters.
    ThreeEdits,
    /// One is the beginning of the other, in at least three letters.
    Cut,
    /// Different.
    Different,
}

impl WordingLevel {
    /// The names in model files, best first.
    pub const NAMES: &'static [&'static str] = &["same", "one-edit", "two-edits", "three-edits", "cut", "different"];
}

/// The most letters of a text that are compared.
pub const WORDING_LETTERS_MAX: usize = 64;

/// Letters and digits of ASCII have a class each, all other characters share the rest.
const CLASSES: usize = 64;

impl Wording {
    /// Prepares a text; nothing where it has no letter or digit.
    #[must_use]
    pub fn prepare(text: &str) -> Option<Wording> {
        let folded = fold(text);
        let letters: Box<[u8]> = folded.chars().filter_map(class).take(WORDING_LETTERS_MAX).collect();
        let present = letters.iter().fold(0, |present, letter| present | 1 << letter);
        (!letters.is_empty()).then_some(Wording { letters, present })
    }

    /// How far apart two wordings are. It does not matter which stands first, and nothing is allocated.
    #[must_use]
    pub fn compare(&self, other: &Wording) -> WordingLevel {
        let (short, long) = if self.letters.len() <= other.letters.len() { (self, other) } else { (other, self) };
        if short.letters == long.letters {
            return WordingLevel::Same;
        }
        let limit = EDITS.iter().rposition(|least| long.letters.len() >= *least).unwrap_or(0);
        match short.edits(long, limit) {
            Some(1) => WordingLevel::OneEdit,
            Some(2) => WordingLevel::TwoEdits,
            Some(_) => WordingLevel::ThreeEdits,
            None if short.letters.len() >= 3 && long.letters.starts_with(&short.letters) => WordingLevel::Cut,
            None => WordingLevel::Different,
        }
    }

    /// The slips between two wordings; nothing where they are more than the limit.
    fn edits(&self, other: &Wording, limit: usize) -> Option<usize> {
        let lacking = |one: u64, other: u64| (one & !other).count_ones() as usize;
        let least = lacking(self.present, other.present).max(lacking(other.present, self.present));
        if least > limit || other.letters.len() - self.letters.len() > limit {
            return None;
        }
        let edits = distance(&self.letters, &other.letters);
        (edits <= limit).then_some(edits)
    }

    /// The key of all its letters, the same in every process: what blocks and frequencies are counted by.
    #[must_use]
    pub fn key(&self) -> u64 {
        // FNV-1a, mixed at the end.
        let add = |hash: u64, letter: &u8| (hash ^ u64::from(*letter)).wrapping_mul(0x0100_0000_01b3);
        let hash = self.letters.iter().fold(0xcbf2_9ce4_8422_2325, add);
        (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The text as it may be shown: the first letter or digit and how many follow.
    #[must_use]
    pub fn masked(&self) -> String {
        let first = match self.letters.first() {
            Some(digit @ 0..=9) => char::from(b'0' + digit),
            Some(letter @ 10..=35) => char::from(b'A' + letter - 10),
            _ => '*',
        };
        format!("{first}{}", "*".repeat(self.letters.len() - 1))
    }
}

/// The class of a letter or digit; marks have none.
fn class(c: char) -> Option<u8> {
    match c {
        '0'..='9' => Some(c as u8 - b'0'),
        'A'..='Z' => Some(c as u8 - b'A' + 10),
        c if c.is_alphanumeric() => u8::try_from(36 + u32::from(c) % 28).ok(),
        _ => None,
    }
}

/// The restricted Damerau-Levenshtein distance (optimal string alignment) of at most 64 letters, by columns of bits: H. Hyyrö, A
/// bit-vector algorithm for computing Levenshtein and Damerau edit distances, Nordic Journal of Computing 10 (2003).
fn distance(short: &[u8], long: &[u8]) -> usize {
    let mut places = [0_u64; CLASSES];
    for (at, letter) in short.iter().enumerate() {
        places[usize::from(*letter) % CLASSES] |= 1 << at;
    }
    let last = 1_u64 << (short.len() - 1);
    let (mut rises, mut falls, mut zeros, mut before) = (u64::MAX, 0_u64, 0_u64, 0_u64);
    let mut edits = short.len();
    for letter in long {
        let here = places[usize::from(*letter) % CLASSES];
        let changed_over = ((!zeros & here) << 1) & before;
        zeros = ((here & rises).wrapping_add(rises) ^ rises) | here | falls | changed_over;
        let right_rises = falls | !(zeros | rises);
        let right_falls = zeros & rises;
        edits += usize::from(right_rises & last != 0);
        edits -= usize::from(right_falls & last != 0);
        let shifted = (right_rises << 1) | 1;
        rises = (right_falls << 1) | !(zeros | shifted);
        falls = shifted & zeros;
        before = here;
    }
    edits
}

/// The least length of the longer wording for so many edits.
const EDITS: [usize; 4] = [0, 2, 5, 8];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Wording, WordingLevel, class, distance};

    fn level(a: &str, b: &str) -> WordingLevel {
        Wording::prepare(a).unwrap().compare(&Wording::prepare(b).unwrap())
    }

    #[test]
    fn slips_of_typing_are_counted() {
        use WordingLevel as L;
        for (a, b, expected) in [
            ("campbell", "Campbell ", L::Same),
            ("wheatley street", "wheatleystreet", L::Same),
            ("o'loghlen street", "ologhlen street", L::Same),
            ("campbell", "campgell", L::OneEdit),
            ("brock", "brokc", L::OneEdit),
            ("3046", "3036", L::OneEdit),
            ("emmet", "emet", L::OneEdit),
            ("miranda", "mirmada", L::TwoEdits),
            ("white", "whitwg", L::TwoEdits),
            ("degasperi", "dagasxeris", L::ThreeEdits),
            ("elizabeth", "eliza", L::Cut),
            ("ruby", "ella", L::Different),
            ("ryan", "mesecke", L::Different),
            ("7", "9", L::Different),
            ("17", "19", L::OneEdit),
            ("长安街12号", "長安街12号", L::Same),
        ] {
            assert_eq!((level(a, b), level(b, a)), (expected, expected), "{a} {b}");
        }
        assert_eq!(Wording::prepare(" - "), None);
    }

    /// The table that the columns of bits stand for.
    fn naive(a: &[u8], b: &[u8]) -> usize {
        let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
        for i in 0..=a.len() {
            for j in 0..=b.len() {
                table[i][j] = if i == 0 || j == 0 {
                    i + j
                } else {
                    let other = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let swapped = (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                        .then(|| table[i - 2][j - 2] + 1);
                    other.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1).min(swapped.unwrap_or(usize::MAX))
                };
            }
        }
        table[a.len()][b.len()]
    }

    proptest! {
        #[test]
        fn the_distance_is_that_of_the_table(a in "[a-d]{1,64}", b in "[a-d]{1,64}", c in "[a-z0-9]{1,20}", d in "[a-z0-9]{1,20}") {
            for (a, b) in [(&a, &b), (&c, &d), (&a, &c)] {
                let letters = |text: &str| -> Vec<u8> { text.to_uppercase().chars().filter_map(class).collect() };
                let (a, b) = (letters(a), letters(b));
                prop_assert_eq!(distance(&a, &b), naive(&a, &b));
            }
        }

        #[test]
        fn comparison_is_symmetric_and_total_on_any_text(a in any::<String>(), b in any::<String>()) {
            if let (Some(one), Some(other)) = (Wording::prepare(&a), Wording::prepare(&b)) {
                prop_assert_eq!(one.compare(&other), other.compare(&one));
                prop_assert_eq!(one.compare(&one), WordingLevel::Same);
            }
        }
    }
}
