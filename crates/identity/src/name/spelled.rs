//! A name in characters beside a name in letters: every reading of every character is tried against the letters.

use super::han::{Glyph, Written};
use super::level::{Level, NameLevel, NamePattern};
use super::words::{self, LETTERS_MAX, Words};

/// Every reading is tried for names of so many characters; the tries grow with each.
const READ_MAX: usize = 6;

/// Compares characters with letters.
pub(super) fn compare(written: &Written, words: &Words) -> NameLevel {
    if written.is_foreign() {
        return foreign(written, words);
    }
    let count = words.count();
    if count == 1 {
        return whole(written, words);
    }
    let straight = parts(written, words.word(0), words.between(1, count));
    if straight.is_same_sound() {
        return straight;
    }
    // Who spells without knowing surnames divides behind the first character: `OU^YANGNA`.
    if part(&written.glyphs, words.all()) <= Level::Reading {
        return NameLevel::new(NamePattern::PinyinReading, Level::Reading, Level::Reading);
    }
    if words.is_surname_first() {
        return straight;
    }
    straight.min(parts(written, words.word(count - 1), words.between(0, count - 1)))
}

fn parts(written: &Written, surname: &[u8], given: &[u8]) -> NameLevel {
    let surname = part(written.first(), surname);
    let given = part(written.rest(), given);
    let pattern = match (surname, given) {
        (Level::Same, Level::Same) => NamePattern::PinyinSame,
        (Level::Same | Level::Reading, Level::Same | Level::Reading) => NamePattern::PinyinReading,
        (Level::Same | Level::Reading, Level::Swapped) => NamePattern::PinyinSwapped,
        (Level::Same | Level::Reading, Level::Dropped) => NamePattern::PinyinDropped,
        (Level::Same | Level::Reading, Level::Near) | (Level::Near, Level::Same | Level::Reading) => {
            NamePattern::PinyinNear
        }
        (Level::Near, Level::Near) => NamePattern::BothNear,
        (Level::Same | Level::Reading, Level::Rare) => NamePattern::GivenRare,
        (Level::Rare, Level::Same | Level::Reading) => NamePattern::SurnameRare,
        (Level::Same | Level::Reading, _) => NamePattern::PinyinGivenDifferent,
        (_, Level::Same | Level::Reading) => NamePattern::PinyinSurnameDifferent,
        _ => NamePattern::PinyinDifferent,
    };
    NameLevel::new(pattern, surname, given)
}

/// Letters that are not divided.
fn whole(written: &Written, words: &Words) -> NameLevel {
    let level = part(&written.glyphs, words.all());
    let pattern = match level {
        Level::Same => NamePattern::PinyinSame,
        Level::Reading => NamePattern::PinyinReading,
        Level::Near => NamePattern::PinyinNear,
        Level::Dropped => NamePattern::PinyinDropped,
        _ => NamePattern::PinyinDifferent,
    };
    NameLevel::new(pattern, level, level)
}

/// Names of other languages are written in letters as they sound there, not in pinyin; their consonants are alike.
fn foreign(written: &Written, words: &Words) -> NameLevel {
    let sound = whole(written, words);
    if sound.is_same_sound() {
        return sound;
    }
    let skeleton = written.foreign.map(|foreign| foreign.skeleton);
    let pattern = if skeleton == Some(words.skeleton) { NamePattern::Consonants } else { NamePattern::PinyinDifferent };
    let level = if pattern == NamePattern::Consonants { Level::Homophone } else { Level::Different };
    NameLevel::new(pattern, level, level)
}

/// The level of one part.
fn part(glyphs: &[Glyph], letters: &[u8]) -> Level {
    if glyphs.is_empty() || letters.is_empty() {
        return Level::Missing;
    }
    if is_usual(glyphs, letters) {
        return Level::Same;
    }
    if glyphs.iter().any(|glyph| glyph.is_hole()) {
        return Level::Rare;
    }
    if glyphs.len() > READ_MAX {
        return if is_near_usual(glyphs, letters) { Level::Near } else { Level::Different };
    }
    if reads(glyphs, letters) {
        return Level::Reading;
    }
    match glyphs {
        [one, other] if reads(&[*other, *one], letters) => Level::Swapped,
        [_, rest @ ..] if !rest.is_empty() && (reads(rest, letters) || reads(&glyphs[..glyphs.len() - 1], letters)) => {
            Level::Dropped
        }
        _ if letters.len() > 3 && is_near_usual(glyphs, letters) => Level::Near,
        [one] if letters.len() > 3 && is_syllable_more(*one, letters) => Level::Dropped,
        _ => Level::Different,
    }
}

/// Whether the letters are the usual readings one after another.
fn is_usual(glyphs: &[Glyph], letters: &[u8]) -> bool {
    let mut left = Some(letters);
    for glyph in glyphs {
        left = left.zip(glyph.readings.first()).and_then(|(left, syllable)| left.strip_prefix(syllable.letters()));
    }
    left.is_some_and(<[u8]>::is_empty)
}

/// Whether the letters are one letter away from the usual readings.
fn is_near_usual(glyphs: &[Glyph], letters: &[u8]) -> bool {
    let mut buffer = [0_u8; LETTERS_MAX];
    let mut end = 0;
    for glyph in glyphs {
        let syllable = glyph.readings.first().map_or(&[][..], |syllable| syllable.letters());
        let Some(room) = buffer.get_mut(end..end + syllable.len()) else { return false };
        room.copy_from_slice(syllable);
        end += syllable.len();
    }
    words::is_near(&buffer[..end], letters) && !words::are_pinyin(&buffer[..end], letters)
}

/// Whether the letters are some reading of the characters one after another.
fn reads(glyphs: &[Glyph], letters: &[u8]) -> bool {
    let [first, rest @ ..] = glyphs else { return letters.is_empty() };
    first.readings.list().iter().map(|syllable| syllable.letters()).any(|syllable| {
        let reads_rest = |spelling: &[u8]| letters.strip_prefix(spelling).is_some_and(|left| reads(rest, left));
        reads_rest(syllable) || with_u(syllable).iter().any(|spelling| reads_rest(spelling))
    })
}

/// How else a syllable with ü is spelled.
fn with_u(syllable: &[u8]) -> &'static [&'static [u8]] {
    match syllable {
        b"LV" => &[b"LYU", b"LU"],
        b"NV" => &[b"NYU", b"NU"],
        b"LVE" => &[b"LYUE", b"LUE"],
        b"NVE" => &[b"NYUE", b"NUE"],
        _ => &[],
    }
}

/// Whether the letters are a reading of the character and one syllable more, before or behind it.
fn is_syllable_more(glyph: Glyph, letters: &[u8]) -> bool {
    let is_syllable =
        |rest: &[u8]| std::str::from_utf8(rest).is_ok_and(|text| crate::readings::Readings::spelled(text).is_some());
    glyph.readings.list().iter().map(|syllable| syllable.letters()).any(|syllable| {
        letters.strip_prefix(syllable).is_some_and(is_syllable)
            || letters.strip_suffix(syllable).is_some_and(is_syllable)
    })
}
