//! The consonants of a name of another language, alike whether it is written in Chinese characters or in letters: 吐尔逊 and TURSUN.

use super::Hash64;
use super::han::Glyph;

/// Classes of consonants, four bits each, the first the lowest; sixteen at most. Glides and vowels are left out, doubled ones are one;
/// anything but a letter parts words.
pub(super) fn of_letters(letters: impl Iterator<Item = u8>) -> u64 {
    let (mut packed, mut count, mut last) = (0_u64, 0, 0_u8);
    for letter in letters {
        // The end of 买买提江 is one sound.
        if last == b'N' && letter == b'G' {
            continue;
        }
        let class: u8 = match letter {
            b'B' | b'P' | b'F' | b'V' => 1,
            b'M' | b'N' => 2,
            b'D' | b'T' => 3,
            b'L' | b'R' => 4,
            b'G' | b'K' | b'Q' => 5,
            b'S' | b'X' | b'Z' | b'C' | b'J' => 6,
            _ => 0,
        };
        if class != 0 && letter != last && count < 16 {
            packed |= u64::from(class) << (4 * count);
            count += 1;
        }
        last = letter;
    }
    packed
}

/// The consonants of characters by their usual readings, the own name parted from the father's.
pub(super) fn of_glyphs(own: &[Glyph], father: &[Glyph]) -> u64 {
    of_letters(letters(own).chain([b' ']).chain(letters(father)))
}

fn letters(glyphs: &[Glyph]) -> impl Iterator<Item = u8> + '_ {
    glyphs.iter().filter_map(|glyph| glyph.readings.first()).flat_map(|syllable| syllable.letters().iter().copied())
}

/// The blocking key of the consonants.
pub(super) fn key(skeleton: u64) -> u64 {
    let halves = [skeleton >> 32, skeleton & 0xffff_ffff].map(|half| u32::try_from(half).unwrap_or(u32::MAX));
    Hash64::default().letters(b"consonants").add(halves[0]).add(halves[1]).finish()
}
