//! Characters that stand for one another in names: look-alikes, and simpler characters in the place of rare ones.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::readings::rows;
use crate::text::simplify;

/// Whether one character is taken for the other by its shape.
pub(crate) fn look_alike(a: char, b: char) -> bool {
    holds(&LOOK_ALIKES, a, b)
}

/// Whether one is a rare character and the other a simpler one written in its place.
pub(crate) fn twins(a: char, b: char) -> bool {
    holds(&TWINS, a, b)
}

/// The pairs that a character is in, as a set of sixteen: two characters of one pair have a member in common.
pub(crate) fn partners(character: char) -> u16 {
    let at = PARTNERS.binary_search_by_key(&character, |(known, _)| *known);
    at.map_or(0, |at| PARTNERS[at].1)
}

/// The parts that stand for a rare character where it cannot be written.
pub(crate) fn parts(rare: char) -> Option<&'static [char]> {
    let at = SPLITS.binary_search_by_key(&rare, |(known, _)| *known).ok()?;
    Some(&SPLITS[at].1)
}

fn holds(pairs: &[(char, char)], a: char, b: char) -> bool {
    pairs.binary_search(&if a < b { (a, b) } else { (b, a) }).is_ok()
}

/// The pairs of a table in simplified characters, the smaller character first, in order.
fn pairs(table: &'static str) -> Vec<(char, char)> {
    let mut pairs: Vec<(char, char)> = rows(table)
        .flat_map(|(of, others)| of.chars().flat_map(move |a| others.chars().map(move |b| (simplify(a), simplify(b)))))
        .map(|(a, b)| if a < b { (a, b) } else { (b, a) })
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

static LOOK_ALIKES: LazyLock<Vec<(char, char)>> = LazyLock::new(|| pairs(include_str!("../data/look-alikes.tsv")));
static TWINS: LazyLock<Vec<(char, char)>> = LazyLock::new(|| pairs(include_str!("../data/twins.tsv")));
static PARTNERS: LazyLock<Vec<(char, u16)>> = LazyLock::new(|| {
    let mut sets: BTreeMap<char, u16> = BTreeMap::new();
    for (a, b) in LOOK_ALIKES.iter().chain(&*TWINS) {
        let member = 1 << ((u32::from(*a) ^ u32::from(*b).rotate_left(5)) % 16);
        *sets.entry(*a).or_default() |= member;
        *sets.entry(*b).or_default() |= member;
    }
    sets.into_iter().collect()
});
static SPLITS: LazyLock<Vec<(char, Box<[char]>)>> = LazyLock::new(|| {
    let rare = |(rare, parts): (&'static str, &'static str)| {
        Some((simplify(rare.chars().next()?), parts.chars().map(simplify).collect()))
    };
    let mut splits: Vec<(char, Box<[char]>)> = rows(include_str!("../data/splits.tsv")).filter_map(rare).collect();
    splits.sort_unstable();
    splits
});
