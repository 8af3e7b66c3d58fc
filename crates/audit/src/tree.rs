//! The Merkle tree of RFC 6962, kept as the roots of its full subtrees.

use aws_lc_rs::digest::{SHA256, digest};

pub(crate) type Hash = [u8; 32];

/// A tree that only grows. The full subtrees stand largest first; their number is the number of ones in the size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    size: u64,
    frontier: Vec<Hash>,
}

impl Tree {
    /// A tree of known size from its full subtrees; `None` if their number does not fit the size.
    pub(crate) fn from_frontier(size: u64, frontier: Vec<Hash>) -> Option<Self> {
        (size.count_ones() as usize == frontier.len()).then_some(Self { size, frontier })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn frontier(&self) -> &[Hash] {
        &self.frontier
    }

    pub(crate) fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            // The number of subtrees equals the number of ones, so there is one to join.
            if let Some(left) = self.frontier.pop() {
                node = join(&left, &node);
            }
            size >>= 1;
        }
        self.frontier.push(node);
        self.size += 1;
    }

    pub(crate) fn root(&self) -> Hash {
        let mut hashes = self.frontier.iter().rev();
        match hashes.next() {
            None => hash(&[]),
            Some(last) => hashes.fold(*last, |right, left| join(left, &right)),
        }
    }
}

/// Leaf hash of `type | content`; the buffer is working space.
pub(crate) fn leaf_hash(record: &[u8], buffer: &mut Vec<u8>) -> Hash {
    buffer.clear();
    buffer.push(0);
    buffer.extend_from_slice(record);
    hash(buffer)
}

fn join(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    hash(&bytes)
}

fn hash(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}
