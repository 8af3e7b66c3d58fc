//! Names of other languages in Chinese characters, such as 迪丽努尔·玉素甫: the own name, then the father's.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::han::{GLYPHS_MAX, Glyph, Written};
use super::level::{Level, NameLevel, NamePattern};
use super::skeleton;
use crate::readings::rows;

/// What is known of a name of another language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    /// How many characters the own name has; all where no division is known.
    pub(super) split: u8,
    /// The own name and the father's, where they are names that are written in several ways.
    known: [Option<u16>; 2],
    /// The consonants.
    pub(super) skeleton: u64,
}

impl Foreign {
    /// The parts of a name that a dot or blank divides at a place; where none does, known names are looked for.
    pub(super) fn of(glyphs: &[Glyph], parted: Option<usize>) -> Foreign {
        let whole: String = glyphs.iter().map(|glyph| glyph.folded).collect();
        let starts: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
        let both_known = |at: &usize| {
            let (own, father) = whole.split_at(starts[*at]);
            known(own).is_some() && known(father).is_some()
        };
        let at = parted.or_else(|| (2..starts.len().saturating_sub(1)).find(both_known));
        let (own, father) = whole.split_at(at.and_then(|at| starts.get(at)).copied().unwrap_or(whole.len()));
        let split = at.unwrap_or(glyphs.len()).min(glyphs.len());
        Foreign {
            split: u8::try_from(split).unwrap_or(u8::MAX),
            known: [known(own), known(father)],
            skeleton: skeleton::of_glyphs(&glyphs[..split], &glyphs[split..]),
        }
    }
}

/// The number of a name that is written in several ways.
fn known(name: &str) -> Option<u16> {
    WRITINGS.get(name).copied()
}

/// Compares own name with own name, father's name with father's name.
pub(super) fn compare(a: &Written, b: &Written) -> NameLevel {
    let ([own_a, father_a], [own_b, father_b]) = (parts(a), parts(b));
    if father_a.glyphs.is_empty() || father_b.glyphs.is_empty() {
        return undivided(a, b);
    }
    let (own, father) = (own_a.level(own_b), father_a.level(father_b));
    if own == Level::Different || father == Level::Different {
        let turned = own_a.level(father_b).max(father_a.level(own_b));
        if turned <= Level::Homophone {
            return NameLevel::new(NamePattern::Turned, Level::Swapped, Level::Swapped);
        }
    }
    let pattern = match (own, father) {
        (Level::Same, Level::Same) => NamePattern::Same,
        (Level::Same | Level::Variant, Level::Same | Level::Variant) => NamePattern::Variant,
        (Level::Different, Level::Different) => NamePattern::Different,
        (_, Level::Different) => NamePattern::SurnameDifferent,
        (Level::Different, _) => NamePattern::GivenDifferent,
        (Level::Near, Level::Near) => NamePattern::BothNear,
        (Level::Near, _) | (_, Level::Near) => NamePattern::PartNear,
        _ => NamePattern::Transliterated,
    };
    NameLevel::new(pattern, father, own)
}

/// Where one side is not divided, its characters are those of the other without the dot, or its own name alone.
fn undivided(a: &Written, b: &Written) -> NameLevel {
    let whole = Part::whole(a).level(Part::whole(b));
    let (short, long) = if parts(a)[1].glyphs.is_empty() { (a, b) } else { (b, a) };
    let [long_own, long_father] = parts(long);
    let pattern = match whole {
        Level::Same => NamePattern::Same,
        Level::Variant => NamePattern::Variant,
        Level::Homophone => NamePattern::Transliterated,
        Level::Near if short.glyphs.len() > long_own.glyphs.len() + 1 => NamePattern::PartNear,
        _ => {
            let own = parts(short)[0].level(long_own);
            if own <= Level::Homophone && !long_father.glyphs.is_empty() {
                return NameLevel::new(NamePattern::Cut, Level::Cut, own);
            }
            if whole == Level::Near { NamePattern::PartNear } else { NamePattern::Different }
        }
    };
    NameLevel::new(pattern, whole, whole)
}

/// Own name and father's name. A name that is not seen to be of another language may be an own name alone.
fn parts(written: &Written) -> [Part<'_>; 2] {
    match written.foreign {
        Some(foreign) => [
            Part { glyphs: written.first(), known: foreign.known[0] },
            Part { glyphs: written.rest(), known: foreign.known[1] },
        ],
        None => [Part::whole(written), Part { glyphs: &[], known: None }],
    }
}

/// One part of a name.
#[derive(Clone, Copy)]
struct Part<'n> {
    glyphs: &'n [Glyph],
    known: Option<u16>,
}

impl<'n> Part<'n> {
    fn whole(written: &'n Written) -> Part<'n> {
        Part { glyphs: &written.glyphs, known: None }
    }

    /// The level of one part: characters of the same sound and known other writings are another transliteration, one syllable more, less or
    /// other in three is near.
    fn level(self, other: Part<'_>) -> Level {
        let (a, b) = (self.glyphs, other.glyphs);
        if a.len() == b.len() {
            let worst = a.iter().zip(b).map(|(one, other)| one.level(*other)).max().unwrap_or(Level::Missing);
            if worst <= Level::Rare {
                return if worst <= Level::Homophone { worst } else { Level::Near };
            }
        }
        if self.known.is_some() && self.known == other.known {
            return Level::Homophone;
        }
        let (longer, shorter) = (a.len().max(b.len()), a.len().min(b.len()));
        let near = |steps: usize| longer >= 3 && steps * 3 <= longer + 1 && steps <= 3;
        // There are at least as many steps as one part is longer.
        if near(longer - shorter) && near(steps(a, b)) { Level::Near } else { Level::Different }
    }
}

/// The edit distance of two parts, characters of one sound being one; parts are at most [`GLYPHS_MAX`] long.
fn steps(a: &[Glyph], b: &[Glyph]) -> usize {
    let mut row = [0_usize; GLYPHS_MAX + 1];
    for (at, cell) in row.iter_mut().enumerate() {
        *cell = at;
    }
    for (i, one) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let differs = usize::from(one.level(*other) > Level::Homophone);
            let best = (corner + differs).min(row[j] + 1).min(row[j + 1] + 1);
            corner = row[j + 1];
            row[j + 1] = best;
        }
    }
    row[b.len()]
}

/// The writings of names, each with the number of its name.
static WRITINGS: LazyLock<HashMap<&'static str, u16>> = LazyLock::new(|| {
    let names = rows(include_str!("../../data/transliterations.tsv")).zip(0_u16..);
    names
        .flat_map(|((usual, others), number)| others.split(' ').chain([usual]).map(move |name| (name, number)))
        .collect()
});
