//! The Merkle tree of RFC 6962, section 2.1, as the roots of its full subtrees.

use sha2::{Digest, Sha256};

pub(crate) type Hash = [u8; 32];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) size: u64,
    subtrees: Vec<Hash>,
}

impl Tree {
    /// A tree from the roots of its full subtrees, largest first; there is one for each one in the size.
    pub(crate) fn from_subtrees(size: u64, subtrees: Vec<Hash>) -> Option<Self> {
        (size.count_ones() as usize == subtrees.len()).then_some(Self { size, subtrees })
    }

    /// Adds the leaf of one record (`type | content`).
    pub(crate) fn append(&mut self, record: &[u8]) {
        let mut node: Hash = Sha256::new().chain_update([0]).chain_update(record).finalize().into();
        for level in 0..u64::BITS {
            if self.size >> level & 1 == 0 {
                break;
            }
            if let Some(left) = self.subtrees.pop() {
                node = pair(&left, &node);
            }
        }
        self.subtrees.push(node);
        self.size += 1;
    }

    pub(crate) fn root(&self) -> Hash {
        let folded = self.subtrees.iter().rev().copied().reduce(|right, left| pair(&left, &right));
        folded.unwrap_or_else(|| Sha256::digest([]).into())
    }
}

fn pair(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of the standard, by recursion over the list of leaves.
    fn standard(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => Sha256::new().chain_update([0]).chain_update(one).finalize().into(),
            many => {
                let split = many.len().next_power_of_two() / 2;
                pair(&standard(&many[..split]), &standard(&many[split..]))
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_standard_for_every_size() {
        let mut tree = Tree::default();
        let mut leaves = Vec::new();
        for n in 0..130_u8 {
            assert_eq!(tree.root(), standard(&leaves), "{n} leaves");
            let leaf = vec![n; usize::from(n % 7)];
            tree.append(&leaf);
            leaves.push(leaf);
        }
    }
}
