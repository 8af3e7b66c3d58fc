//! Rows by their codes: one look for a code, however long the table is.

use crate::Row;

/// Row numbers at places that the codes give, with free places between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Codes {
    places: Vec<u32>,
}

impl Codes {
    /// The rows of these numbers; their codes differ.
    pub(crate) fn of(rows: &[Row], numbers: impl Iterator<Item = u32>) -> Self {
        // At least half of the places stay free, so a search ends soon.
        let mut places = vec![FREE; (rows.len() * 2).next_power_of_two()];
        let last = places.len() - 1;
        for number in numbers {
            let mut place = hash(&rows[number as usize].code) & last;
            while places[place] != FREE {
                place = (place + 1) & last;
            }
            places[place] = number;
        }
        Self { places }
    }

    /// The row of a code.
    pub(crate) fn find<'r>(&self, rows: &'r [Row], code: &str) -> Option<&'r Row> {
        let last = self.places.len() - 1;
        let mut place = hash(code) & last;
        loop {
            let row = match self.places[place] {
                FREE => return None,
                number => &rows[number as usize],
            };
            if row.code == code {
                return Some(row);
            }
            place = (place + 1) & last;
        }
    }
}

/// Multiplies and rotates. What stands in a table is chosen by its author, so nobody else can make its search long.
fn hash(code: &str) -> usize {
    let step = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = code.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(0, |hash, word| step(hash, u64::from_le_bytes(*word)));
    let hash = rest.iter().fold(hash, |hash, byte| step(hash, u64::from(*byte)));
    // The high bits are the best mixed ones.
    (hash >> 32) as usize
}

const FREE: u32 = u32::MAX;
const FACTOR: u64 = 0x51_7c_c1_b7_27_22_0a_95;
