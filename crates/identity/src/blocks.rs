//! Blocks: under which keys records meet. Ten million people have some seventy million keys, so a list of one or two records takes the
//! place of its own address.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The records under each key, by their places in the index.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocks {
    lists: HashMap<u64, Few, BuildHasherDefault<AsIs>>,
    long: Vec<Vec<u32>>,
    free: Vec<u32>,
}

/// Up to two places, or where a longer list stands: `(LONG, place of the list)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Few(u32, u32);

impl Blocks {
    /// Adds a record under a key. Twice is once.
    pub(crate) fn add(&mut self, key: u64, record: u32) {
        let few = self.lists.entry(key).or_insert(Few(record, NONE));
        match *few {
            Few(LONG, list) => {
                let list = &mut self.long[list as usize];
                if let Err(place) = list.binary_search(&record) {
                    list.insert(place, record);
                }
            }
            Few(one, other) if one == record || other == record => {}
            Few(one, NONE) => *few = Few(one.min(record), one.max(record)),
            Few(one, other) => {
                let mut list = vec![one, other, record];
                list.sort_unstable();
                *few = match self.free.pop() {
                    Some(place) => {
                        self.long[place as usize] = list;
                        Few(LONG, place)
                    }
                    None => {
                        self.long.push(list);
                        Few(LONG, u32::try_from(self.long.len() - 1).unwrap_or(NONE))
                    }
                };
            }
        }
    }

    /// Takes a record from under a key.
    pub(crate) fn remove(&mut self, key: u64, record: u32) {
        let Some(few) = self.lists.get_mut(&key) else { return };
        let left = match *few {
            Few(LONG, place) => {
                let list = &mut self.long[place as usize];
                if let Ok(at) = list.binary_search(&record) {
                    list.remove(at);
                }
                let Ok([one, other]) = <[u32; 2]>::try_from(list.as_slice()) else { return };
                *list = Vec::new();
                self.free.push(place);
                Few(one, other)
            }
            Few(one, other) if one == record => Few(other, NONE),
            Few(one, other) if other == record => Few(one, NONE),
            _ => return,
        };
        if left.0 == NONE {
            self.lists.remove(&key);
        } else {
            *few = left;
        }
    }

    /// How many records stand under a key.
    pub(crate) fn len(&self, key: u64) -> usize {
        match self.lists.get(&key) {
            None => 0,
            Some(Few(LONG, list)) => self.long[*list as usize].len(),
            Some(Few(_, NONE)) => 1,
            Some(_) => 2,
        }
    }

    /// The records under a key, in the order of their places.
    pub(crate) fn each(&self, key: u64, mut each: impl FnMut(u32)) {
        match self.lists.get(&key) {
            None => {}
            Some(Few(LONG, list)) => self.long[*list as usize].iter().for_each(|record| each(*record)),
            Some(Few(one, other)) => {
                each(*one);
                if *other != NONE {
                    each(*other);
                }
            }
        }
    }
}

/// Keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// No record.
const NONE: u32 = u32::MAX;

/// Not a record: the list stands elsewhere.
const LONG: u32 = u32::MAX - 1;

/// Records at most, so that no place is one of the two marks.
pub(crate) const RECORDS_MAX: u32 = LONG;

#[cfg(test)]
mod tests {
    use super::Blocks;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn under(blocks: &Blocks, key: u64) -> Vec<u32> {
        let mut found = Vec::new();
        blocks.each(key, |record| found.push(record));
        found
    }

    proptest! {
        #[test]
        fn a_block_holds_what_was_added_and_not_taken_away(steps in proptest::collection::vec((any::<bool>(), 0_u64..3, 0_u32..6), 0..80)) {
            let mut blocks = Blocks::default();
            let mut truth: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
            for (adds, key, record) in steps {
                if adds {
                    blocks.add(key, record);
                    truth.entry(key).or_default().insert(record);
                } else {
                    blocks.remove(key, record);
                    truth.entry(key).or_default().remove(&record);
                }
                for key in 0..3 {
                    let expected: Vec<u32> = truth.get(&key).into_iter().flatten().copied().collect();
                    prop_assert_eq!(blocks.len(key), expected.len());
                    prop_assert_eq!(under(&blocks, key), expected);
                }
            }
        }
    }
}
