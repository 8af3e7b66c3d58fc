//! Names in Chinese characters: surname and given name, or the parts of a name of another language.

use super::foreign::Foreign;
use super::level::{Level, NameLevel, NamePattern};
use super::{Hash64, skeleton};
use crate::readings::{self, Readings, Syllable};
use crate::shapes;
use crate::text::{is_blank, is_dot, is_hole, is_script, simplify};

/// One character of a name, with what a comparison asks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glyph {
    written: char,
    /// The simplified form.
    pub(super) folded: char,
    pub(super) readings: Readings,
    /// The usual reading.
    first: Option<Syllable>,
    /// Whether there are others.
    several: bool,
    /// The characters that may stand for this one, as a set that sometimes holds one too many.
    partners: u16,
}

impl Glyph {
    fn of(written: char) -> Glyph {
        let folded = simplify(written);
        Glyph { partners: shapes::partners(folded), ..Glyph::read(written, folded, Readings::of(folded)) }
    }

    fn read(written: char, folded: char, readings: Readings) -> Glyph {
        let several = readings.list().len() > 1;
        Glyph { written, folded, readings, first: readings.first(), several, partners: 0 }
    }

    /// A syllable in letters in the place of a character: 付yan.
    fn spelled(readings: Readings) -> Glyph {
        Glyph::read(SPELLED, SPELLED, readings)
    }

    /// A mark in the place of a character.
    fn hole() -> Glyph {
        Glyph::read(HOLE, HOLE, Readings::NONE)
    }

    /// The same character with other readings.
    fn with(self, readings: Readings) -> Glyph {
        Glyph { partners: self.partners, ..Glyph::read(self.written, self.folded, readings) }
    }

    pub(super) fn is_hole(self) -> bool {
        self.folded == HOLE
    }

    pub(super) fn is(self, other: Glyph) -> bool {
        self.folded == other.folded && self.folded != HOLE && self.folded != SPELLED
    }

    fn sounds_like(self, other: Glyph) -> bool {
        if self.first == other.first {
            return self.first.is_some();
        }
        (self.several || other.several) && self.readings.meet(other.readings)
    }

    pub(super) fn level(self, other: Glyph) -> Level {
        if self.is(other) {
            return if self.written == other.written { Level::Same } else { Level::Variant };
        }
        if self.is_hole() || other.is_hole() {
            return Level::Rare;
        }
        let partners = self.partners & other.partners != 0;
        if partners && shapes::twins(self.folded, other.folded) {
            return Level::Rare;
        }
        if self.sounds_like(other) {
            let letters = self.folded == SPELLED || other.folded == SPELLED;
            return if letters { Level::Rare } else { Level::Homophone };
        }
        if partners && shapes::look_alike(self.folded, other.folded) { Level::LookAlike } else { Level::Different }
    }
}

/// A mark that no character could be written.
const HOLE: char = '?';
/// Stands for a syllable that is written in letters.
const SPELLED: char = 'A';

/// A name in characters, divided into two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) glyphs: Box<[Glyph]>,
    /// How many characters the first part has: the surname, or the own name of another language; all where no division is known.
    pub(super) split: u8,
    /// What is known of a name of another language.
    pub(super) foreign: Option<Foreign>,
}

/// The most characters of a name that are compared; what stands behind them is left out.
pub(super) const GLYPHS_MAX: usize = 32;

impl Written {
    /// Reads a cleaned name; nothing where no Chinese character and no letter of a script other than Latin is in it.
    pub(super) fn parse(cleaned: &str) -> Option<Written> {
        if !cleaned.chars().any(is_script) {
            return None;
        }
        let (glyphs, parted) = glyphs(cleaned);
        let foreign = is_foreign(&glyphs, parted).then(|| Foreign::of(&glyphs, parted.map(|(at, _)| at)));
        let mut written = Written { split: 0, foreign, glyphs: glyphs.into_boxed_slice() };
        written.split = foreign.map_or_else(|| written.divide(), |foreign| foreign.split);
        Some(written)
    }

    /// Whether this is a name of another language.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign.is_some()
    }

    /// Finds the surname and gives its characters the readings that they have in surnames.
    fn divide(&mut self) -> u8 {
        if let [first, second, _, ..] = &mut *self.glyphs
            && let Some(own) = readings::compound_readings(first.folded, second.folded)
        {
            *first = first.with(own[0]);
            *second = second.with(own[1]);
            return 2;
        }
        if let Some(first) = self.glyphs.first_mut()
            && first.folded != SPELLED
        {
            *first = first.with(Readings::of_surname(first.folded));
        }
        1
    }

    /// Surname or own name.
    pub(super) fn first(&self) -> &[Glyph] {
        &self.glyphs[..usize::from(self.split).min(self.glyphs.len())]
    }

    /// Given name or father's name.
    pub(super) fn rest(&self) -> &[Glyph] {
        &self.glyphs[usize::from(self.split).min(self.glyphs.len())..]
    }

    pub(super) fn folded_hash(&self) -> u64 {
        self.glyphs.iter().fold(Hash64::default(), |hash, glyph| hash.add(u32::from(glyph.folded))).finish()
    }

    /// The key of the sound by first readings; nothing where a character has none.
    pub(super) fn sound_hash(&self) -> Option<u64> {
        let mut hash = Hash64::default();
        for glyph in &self.glyphs {
            hash = hash.letters(glyph.readings.first()?.letters());
        }
        Some(hash.finish())
    }

    /// The keys of the sound by every reading of the first character and the first readings of the others, then by the usual reading of the
    /// first and every other reading of one of the others.
    pub(super) fn sound_hashes(&self, give: &mut impl FnMut(u64)) {
        if let Some(foreign) = self.foreign {
            give(skeleton::key(foreign.skeleton));
            return;
        }
        for (at, glyph) in self.glyphs.iter().enumerate() {
            for syllable in glyph.readings.list() {
                let mut hash = Hash64::default();
                for (other_at, other) in self.glyphs.iter().enumerate() {
                    let read = if other_at == at { Some(*syllable) } else { other.readings.first() };
                    hash = hash.letters(read.map_or(&[], |syllable| syllable.letters()));
                }
                give(hash.finish());
            }
        }
    }
}

/// The characters, and how many stand before the first mark that parts them, with whether it was a dot.
fn glyphs(cleaned: &str) -> (Vec<Glyph>, Option<(usize, bool)>) {
    let mut glyphs = Vec::new();
    let mut parted: Option<(usize, bool)> = None;
    let mut letters = String::new();
    for c in cleaned.chars().chain([' ']) {
        if c.is_ascii_uppercase() {
            letters.push(c);
            continue;
        }
        if !letters.is_empty() {
            glyphs.extend(spelled_glyphs(&letters));
            letters.clear();
        }
        if is_hole(c) {
            glyphs.push(Glyph::hole());
        } else if is_script(c) || c.is_numeric() {
            // A digit behind a name tells namesakes apart.
            glyphs.push(Glyph::of(c));
        } else if !glyphs.is_empty() && (is_dot(c) || is_blank(c)) && parted.is_none_or(|(_, dot)| !dot && is_dot(c)) {
            parted = Some((glyphs.len(), is_dot(c)));
        }
    }
    glyphs.truncate(GLYPHS_MAX);
    let parted = parted.filter(|(at, _)| *at < glyphs.len());
    (glyphs, parted)
}

/// Letters among characters: a syllable stands for a character, crosses for hidden ones, anything else says nothing.
fn spelled_glyphs(letters: &str) -> Vec<Glyph> {
    if letters.bytes().all(|byte| byte == b'X') {
        return vec![Glyph::hole(); letters.len()];
    }
    Readings::spelled(letters).map(Glyph::spelled).into_iter().collect()
}

/// A name of another language has a dot between its parts, or more characters than surname and given name have.
fn is_foreign(glyphs: &[Glyph], parted: Option<(usize, bool)>) -> bool {
    let dotted = parted.is_some_and(|(at, dot)| dot && at >= 2 && at < glyphs.len());
    let compound = matches!(glyphs, [a, b, ..] if readings::is_compound_surname(a.folded, b.folded));
    dotted || glyphs.len() > if compound { 5 } else { 4 }
}

/// Compares surname and given name.
pub(super) fn compare(a: &Written, b: &Written) -> NameLevel {
    let (a_all, b_all) = (&*a.glyphs, &*b.glyphs);
    let split = usize::from(a.split.max(b.split));
    if a_all.len() == b_all.len() {
        let split = split.min(a_all.len());
        let surname = part(&a_all[..split], &b_all[..split]);
        let given = if split == a_all.len() { surname } else { part(&a_all[split..], &b_all[split..]) };
        if surname == Level::Different && is_moved(a_all, b_all, a.split, b.split) {
            return NameLevel::new(NamePattern::SurnameMoved, Level::Swapped, Level::Swapped);
        }
        return joined(surname, given);
    }
    let (short, long) = if a_all.len() < b_all.len() { (a, b) } else { (b, a) };
    if is_equal(&short.glyphs, long.first()) {
        return joined(Level::Same, Level::Dropped);
    }
    if long.glyphs.len() == short.glyphs.len() + 1
        && long.split > short.split
        && is_dropped(short.first(), long.first())
    {
        return joined(Level::Dropped, part(short.rest(), long.rest()));
    }
    if is_equal(&short.glyphs, long.rest()) {
        return NameLevel::new(NamePattern::SurnameMoved, Level::Missing, Level::Same);
    }
    let surname = part(short.first(), long.first());
    joined(surname, part(short.rest(), long.rest()))
}

/// The level of one part.
fn part(a: &[Glyph], b: &[Glyph]) -> Level {
    if a.len() != b.len() {
        let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
        return match (short.len(), long.len() - short.len()) {
            (0, _) => Level::Missing,
            _ if is_split(short, long) => Level::Rare,
            (_, 1) if is_dropped(short, long) => Level::Dropped,
            _ if short.iter().any(|glyph| long.iter().any(|other| glyph.is(*other))) => Level::Partial,
            _ => Level::Different,
        };
    }
    if a.is_empty() {
        return Level::Missing;
    }
    let mut worst = Level::Same;
    let mut slips = [0_u8; 3];
    for level in a.iter().zip(b).map(|(one, other)| one.level(*other)) {
        match level {
            Level::Same | Level::Variant => slips[0] += 1,
            Level::Different => slips[2] += 1,
            _ => slips[1] += 1,
        }
        worst = worst.max(level);
    }
    match slips {
        [_, _, 0] => worst,
        _ if is_swapped(a, b) => Level::Swapped,
        [0, ..] => Level::Different,
        _ => Level::Partial,
    }
}

/// Whether two neighbours have changed places and nothing else differs.
fn is_swapped(a: &[Glyph], b: &[Glyph]) -> bool {
    let Some(at) = a.iter().zip(b).position(|(one, other)| !one.is(*other)) else { return false };
    at + 1 < a.len() && a[at].is(b[at + 1]) && a[at + 1].is(b[at]) && is_equal(&a[at + 2..], &b[at + 2..])
}

pub(super) fn is_equal(a: &[Glyph], b: &[Glyph]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(one, other)| one.is(*other))
}

/// Whether the short part is the long one without one character.
fn is_dropped(short: &[Glyph], long: &[Glyph]) -> bool {
    let same = short.iter().zip(long).take_while(|(one, other)| one.is(**other)).count();
    !short.is_empty() && is_equal(&short[same..], &long[same + 1..])
}

/// Whether a rare character of the short part stands as its parts in the long one: 王頔 as 王由页.
fn is_split(short: &[Glyph], long: &[Glyph]) -> bool {
    let same = short.iter().zip(long).take_while(|(one, other)| one.is(**other)).count();
    let Some(rare) = short.get(same) else { return false };
    shapes::parts(rare.folded).is_some_and(|parts| {
        let end = same + parts.len();
        end <= long.len()
            && long[same..end].iter().zip(parts).all(|(glyph, part)| glyph.folded == *part)
            && is_equal(&short[same + 1..], &long[end..])
    })
}

/// Whether the surname of one stands behind its given name in the other.
fn is_moved(a: &[Glyph], b: &[Glyph], a_split: u8, b_split: u8) -> bool {
    let turned = |split: u8| {
        let split = usize::from(split).min(a.len());
        (is_equal(&a[..split], &b[b.len() - split..]) && is_equal(&a[split..], &b[..b.len() - split]))
            || (is_equal(&b[..split], &a[a.len() - split..]) && is_equal(&b[split..], &a[..a.len() - split]))
    };
    a.len() > 1 && (turned(a_split) || turned(b_split))
}

fn joined(surname: Level, given: Level) -> NameLevel {
    use Level as L;
    let pattern = match (surname, given) {
        (L::Same, L::Same) => NamePattern::Same,
        (L::Same | L::Variant, L::Same | L::Variant) => NamePattern::Variant,
        (L::Same | L::Variant, L::Homophone) => NamePattern::GivenHomophone,
        (L::Same | L::Variant, L::LookAlike) => NamePattern::GivenLookAlike,
        (L::Same | L::Variant, L::Rare) => NamePattern::GivenRare,
        (L::Same | L::Variant, L::Swapped) => NamePattern::GivenSwapped,
        (L::Same | L::Variant, L::Dropped) => NamePattern::GivenDropped,
        (L::Same | L::Variant, L::Partial) => NamePattern::GivenPartial,
        (L::Same | L::Variant, _) => NamePattern::GivenDifferent,
        (L::Different | L::Partial | L::Missing, L::Same | L::Variant) => NamePattern::SurnameDifferent,
        (L::Different | L::Partial | L::Missing, L::Different | L::Partial | L::Missing) => NamePattern::Different,
        (L::Different | L::Partial | L::Missing, _) => NamePattern::GivenNearOnly,
        (L::Homophone, L::Same | L::Variant) => NamePattern::SurnameHomophone,
        (L::LookAlike, L::Same | L::Variant) => NamePattern::SurnameLookAlike,
        (_, L::Same | L::Variant) => NamePattern::SurnameRare,
        (_, L::Different | L::Partial | L::Missing) => NamePattern::SurnameNearOnly,
        _ => NamePattern::BothNear,
    };
    NameLevel::new(pattern, surname, given)
}
