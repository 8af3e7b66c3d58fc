//! Frames, as section 2 of the format page lays them out.

use crate::tree::{Hash, Tree};

/// A frame whose lengths, checksum, trailer and padding agree.
pub(crate) struct Frame<'a> {
    pub(crate) first_leaf: u64,
    pub(crate) leaves: u32,
    pub(crate) wall_ns: i64,
    pub(crate) mono_ns: u64,
    pub(crate) run: [u8; 16],
    pub(crate) last: bool,
    pub(crate) root_before: Hash,
    pub(crate) root_after: Hash,
    pub(crate) subtrees: Option<Vec<Hash>>,
    body: &'a [u8],
    /// Bytes with padding.
    pub(crate) bytes: usize,
}

impl<'a> Frame<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(b"DKL1\x01") {
            return None;
        }
        let flags = *bytes.get(5)?;
        let header = usize::from(u16::from_le_bytes(take(bytes, 6)?));
        let body = u32::from_le_bytes(take(bytes, 8)?) as usize;
        let checked = header.checked_add(body)?.checked_add(32)?;
        let len = checked.checked_add(12)?.checked_next_multiple_of(8)?;
        let whole = bytes.get(..len)?;
        let first_leaf = u64::from_le_bytes(take(whole, 16)?);
        // Leaf numbers must not run out inside the frame.
        first_leaf.checked_add(body as u64)?.checked_add(u64::from(u32::MAX))?;
        let agrees = crc32c::crc32c(&whole[..checked]) == u32::from_le_bytes(take(whole, checked)?)
            && u64::from_le_bytes(take(whole, checked + 4)?) == first_leaf ^ 0x444b_4c31_5f45_4e44
            && whole[checked + 12..].iter().all(|byte| *byte == 0);
        if !agrees {
            return None;
        }
        let frontier = whole.get(88..header)?;
        let subtrees = match (flags & 16 != 0, frontier) {
            (false, []) => None,
            (true, [count, hashes @ ..]) if hashes.len() == usize::from(*count) * 32 => {
                Some(hashes.chunks_exact(32).filter_map(|hash| take(hash, 0)).collect())
            }
            _ => return None,
        };
        Some(Self {
            first_leaf,
            leaves: u32::from_le_bytes(take(whole, 12)?),
            wall_ns: i64::from_le_bytes(take(whole, 24)?),
            mono_ns: u64::from_le_bytes(take(whole, 32)?),
            run: take(whole, 40)?,
            last: flags & 1 != 0,
            root_before: take(whole, 56)?,
            root_after: take(whole, checked - 32)?,
            subtrees,
            body: whole.get(header..header + body)?,
            bytes: len,
        })
    }

    /// The next frame at or behind this offset.
    pub(crate) fn search(bytes: &[u8], from: usize) -> Option<usize> {
        let places = (from.next_multiple_of(8)..bytes.len()).step_by(8);
        places.into_iter().find(|at| bytes[*at..].starts_with(b"DKL1") && Frame::read(&bytes[*at..]).is_some())
    }

    /// The tree before the frame, if the frontier folds to the root before.
    pub(crate) fn tree_before(&self) -> Option<Tree> {
        let tree = Tree::from_subtrees(self.first_leaf, self.subtrees.clone()?)?;
        (tree.root() == self.root_before).then_some(tree)
    }

    /// The number behind the last leaf.
    pub(crate) fn end(&self) -> u64 {
        self.first_leaf + u64::from(self.leaves)
    }

    /// The records as `type | content`; `None` where the lengths break.
    pub(crate) fn records(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let mut rest = self.body;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let len = take(rest, 0).map(u32::from_le_bytes).filter(|len| (1..=65_535).contains(len));
            let record = len.and_then(|len| rest.get(4..4 + len as usize));
            rest = record.map_or(&[], |record| &rest[4 + record.len()..]);
            Some(record)
        })
    }
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
