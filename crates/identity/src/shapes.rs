//! Characters that stand for one another in names: look-alikes, and simpler characters in the place of rare ones.

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
