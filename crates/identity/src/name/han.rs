//! Names in Chinese characters: surname and given name, or the parts of a name of another language.

use super::level::{Level, NameLevel, NamePattern};
use super::{Hash64, skeleton};
use crate::readings::{self, Readings};
use crate::shapes;
use crate::text::{is_blank, is_dot, is_han, is_hole, simplify};

/// One character of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glyph {
    written: char,
    /// The simplified form.
    folded: char,
    pub(super) readings: Readings,
}

impl Glyph {
    fn of(written: char) -> Glyph {
        let folded = simplify(written);
        Glyph { written, folded, readings: Readings::of(folded) }
    }

    /// A syllable in letters in the place of a character: 付yan.
    fn spelled(readings: Readings) -> Glyph {
        Glyph { written: SPELLED, folded: SPELLED, readings }
    }

    fn is_hole(self) -> bool {
        self.folded == HOLE
    }

    fn is(self, other: Glyph) -> bool {
        self.folded == other.folded && self.folded != HOLE && self.folded != SPELLED
    }

    fn level(self, other: Glyph) -> Level {
        if self.is(other) {
            return if self.written == other.written { Level::Same } else { Level::Variant };
        }
        let replaced = self.is_hole() || other.is_hole() || shapes::twins(self.folded, other.folded);
        let sounds = self.readings.meet(other.readings);
        let letters = self.folded == SPELLED || other.folded == SPELLED;
        if replaced || (sounds && letters) {
            Level::Rare
        } else if sounds {
            Level::Homophone
        } else if shapes::look_alike(self.folded, other.folded) {
            Level::LookAlike
        } else {
            Level::Different
        }
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
    foreign: bool,
    /// The consonants, for names of other languages.
    pub(super) skeleton: u64,
}

/// The most characters of a name that are compared; what stands behind them is left out.
pub(super) const GLYPHS_MAX: usize = 32;

impl Written {
    /// Reads a cleaned name; nothing where no Chinese character is in it.
    pub(super) fn parse(cleaned: &str) -> Option<Written> {
        if !cleaned.chars().any(is_han) {
            return None;
        }
        let (glyphs, parted) = glyphs(cleaned);
        let foreign = is_foreign(&glyphs, parted);
        let mut written = Written { split: 0, foreign, skeleton: 0, glyphs: glyphs.into_boxed_slice() };
        if foreign {
            written.split = u8::try_from(parted.map_or(written.glyphs.len(), |parted| parted.0)).unwrap_or(u8::MAX);
            written.skeleton = skeleton::of_glyphs(&written.glyphs);
        } else {
            written.split = written.divide();
        }
        Some(written)
    }

    /// Whether this is a name of another language.
    pub(super) fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Finds the surname and gives its characters the readings that they have in surnames.
    fn divide(&mut self) -> u8 {
        if let [first, second, _, ..] = &mut *self.glyphs
            && let Some(own) = readings::compound_readings(first.folded, second.folded)
        {
            first.readings = own[0];
            second.readings = own[1];
            return 2;
        }
        if let Some(first) = self.glyphs.first_mut()
            && first.folded != SPELLED
        {
            first.readings = Readings::of_surname(first.folded);
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
        if self.foreign {
            give(skeleton::key(self.skeleton));
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
            glyphs.push(Glyph { written: HOLE, folded: HOLE, readings: Readings::NONE });
        } else if is_han(c) {
            glyphs.push(Glyph::of(c));
        } else if !glyphs.is_empty() && parted.is_none_or(|(_, dot)| !dot) && (is_dot(c) || is_blank(c)) {
            parted = Some((glyphs.len(), is_dot(c)));
        }
    }
    glyphs.truncate(GLYPHS_MAX);
    (glyphs, parted.filter(|(at, _)| *at < GLYPHS_MAX))
}

/// Letters among characters: a syllable stands for a character, crosses for hidden ones, anything else says nothing.
fn spelled_glyphs(letters: &str) -> Vec<Glyph> {
    if letters.bytes().all(|byte| byte == b'X') {
        return vec![Glyph { written: HOLE, folded: HOLE, readings: Readings::NONE }; letters.len()];
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
        let given = part(&a_all[split..], &b_all[split..]);
        if surname == Level::Different && is_moved(a_all, b_all, a.split, b.split) {
            return NameLevel::new(NamePattern::SurnameMoved, Level::Swapped, Level::Swapped);
        }
        return joined(surname, given);
    }
    let (short, long) = if a_all.len() < b_all.len() { (a, b) } else { (b, a) };
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

fn is_equal(a: &[Glyph], b: &[Glyph]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(one, other)| one.is(*other))
}

/// Whether the short part is the long one without one character.
fn is_dropped(short: &[Glyph], long: &[Glyph]) -> bool {
    let same = short.iter().zip(long).take_while(|(one, other)| one.is(**other)).count();
    !short.is_empty() && is_equal(&short[same..], &long[same + 1..])
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

/// Compares names of other languages: own name with own name, father's name with father's name.
pub(super) fn compare_foreign(a: &Written, b: &Written) -> NameLevel {
    let (own_a, father_a, own_b, father_b) = (own(a), father(a), own(b), father(b));
    if father_a.is_empty() != father_b.is_empty() || (father_a.is_empty() && father_b.is_empty()) {
        return one_parted(a, b);
    }
    let (own, father) = (foreign_part(own_a, own_b), foreign_part(father_a, father_b));
    if own == Level::Different || father == Level::Different {
        let turned = foreign_part(own_a, father_b).max(foreign_part(father_a, own_b));
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

fn own(written: &Written) -> &[Glyph] {
    if written.foreign { written.first() } else { &written.glyphs }
}

fn father(written: &Written) -> &[Glyph] {
    if written.foreign { written.rest() } else { &[] }
}

/// Where one side is not divided, its characters are those of the other without the dot, or its own name alone.
fn one_parted(a: &Written, b: &Written) -> NameLevel {
    let whole = foreign_part(&a.glyphs, &b.glyphs);
    let (short, long) = if father(a).is_empty() { (a, b) } else { (b, a) };
    let pattern = match whole {
        Level::Same => NamePattern::Same,
        Level::Variant => NamePattern::Variant,
        Level::Homophone => NamePattern::Transliterated,
        Level::Near if short.glyphs.len() > long.first().len() + 1 => NamePattern::PartNear,
        _ => {
            let own = foreign_part(&short.glyphs, long.first());
            if own <= Level::Homophone && !father(long).is_empty() {
                return NameLevel::new(NamePattern::Cut, Level::Cut, own);
            }
            if whole == Level::Near { NamePattern::PartNear } else { NamePattern::Different }
        }
    };
    NameLevel::new(pattern, whole, whole)
}

/// The level of one part of a name of another language: characters of the same sound are another transliteration, one syllable more, less
/// or other in three is near.
fn foreign_part(a: &[Glyph], b: &[Glyph]) -> Level {
    if a.len() == b.len() {
        let worst = a.iter().zip(b).map(|(one, other)| one.level(*other)).max().unwrap_or(Level::Missing);
        if worst <= Level::Homophone {
            return worst;
        }
    }
    let longer = a.len().max(b.len());
    let steps = steps(a, b);
    if longer >= 3 && steps * 3 <= longer + 1 && steps <= 3 { Level::Near } else { Level::Different }
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
