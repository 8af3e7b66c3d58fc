//! Frames: the records made durable by one sync. The layout stands in `FORMAT.md`.

use crate::record::records;
use crate::tree::{Hash, Tree, leaf_hash};

/// Last frame of its segment.
pub(crate) const LAST: u8 = 1;
/// Written into a segment that came from the reserve.
pub(crate) const RESERVE: u8 = 2;
/// Completed from the store by recovery.
pub(crate) const COMPLETED: u8 = 8;
/// Carries the roots of the full subtrees before it.
pub(crate) const FRONTIER: u8 = 16;

/// What the writer says about a frame before its records.
pub(crate) struct Head<'a> {
    pub(crate) flags: u8,
    pub(crate) wall_ns: i64,
    pub(crate) mono_ns: u64,
    pub(crate) boot: &'a [u8; 16],
}

/// Encodes a frame over the tree before it, and grows the tree. `out` is replaced; `hashes` gets the leaf hashes.
pub(crate) fn encode<'a>(
    head: &Head<'_>,
    tree: &mut Tree,
    parts: impl Iterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
    hashes: &mut Vec<Hash>,
) {
    let first_leaf = tree.size();
    out.clear();
    hashes.clear();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&[VERSION, head.flags]);
    out.extend_from_slice(&[0; 10]); // lengths and count follow below
    out.extend_from_slice(&first_leaf.to_le_bytes());
    out.extend_from_slice(&head.wall_ns.to_le_bytes());
    out.extend_from_slice(&head.mono_ns.to_le_bytes());
    out.extend_from_slice(head.boot);
    out.extend_from_slice(&tree.root());
    if head.flags & FRONTIER != 0 {
        out.push(low_u8(tree.frontier().len()));
        tree.frontier().iter().for_each(|hash| out.extend_from_slice(hash));
    }
    let header_len = out.len();
    let mut buffer = Vec::new();
    for part in parts {
        out.extend_from_slice(part);
        for record in records(part).flatten() {
            let hash = leaf_hash(record, &mut buffer);
            tree.append(hash);
            hashes.push(hash);
        }
    }
    let body_len = out.len() - header_len;
    out[6..8].copy_from_slice(&low_u16(header_len).to_le_bytes());
    out[8..12].copy_from_slice(&low_u32(body_len).to_le_bytes());
    out[12..16].copy_from_slice(&low_u32(hashes.len()).to_le_bytes());
    out.extend_from_slice(&tree.root());
    let crc = crc32c::crc32c(out);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&(first_leaf ^ TRAILER).to_le_bytes());
    out.resize(out.len().next_multiple_of(ALIGN), 0);
}

/// A frame whose checksum, trailer and lengths agree. Its hashes are not checked yet.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) flags: u8,
    pub(crate) count: u32,
    pub(crate) first_leaf: u64,
    pub(crate) wall_ns: i64,
    pub(crate) mono_ns: u64,
    pub(crate) boot: [u8; 16],
    pub(crate) prev_root: Hash,
    pub(crate) frontier: Option<Vec<Hash>>,
    pub(crate) body: &'a [u8],
    pub(crate) root_after: Hash,
    /// Length with padding.
    pub(crate) len: usize,
}

impl<'a> Frame<'a> {
    /// Reads the frame at the start of the bytes; `None` for anything that is not a whole, unbroken frame.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let head = bytes.get(..HEADER_LEN)?;
        if !head.starts_with(MAGIC) || head[4] != VERSION {
            return None;
        }
        let header_len = usize::from(u16::from_le_bytes(array(head, 6)?));
        let body_len = u32::from_le_bytes(array(head, 8)?) as usize;
        let checked_len = header_len.checked_add(body_len)?.checked_add(32)?;
        let end = checked_len.checked_add(12)?;
        let len = end.checked_next_multiple_of(ALIGN)?;
        let checked = bytes.get(..checked_len)?;
        let crc = u32::from_le_bytes(array(bytes, checked_len)?);
        let first_leaf = u64::from_le_bytes(array(head, 16)?);
        let trailer = u64::from_le_bytes(array(bytes, checked_len + 4)?);
        let padding = bytes.get(end..len)?;
        // Leaf numbers must not run out inside the frame.
        first_leaf.checked_add(body_len as u64)?.checked_add(u64::from(u32::MAX))?;
        if crc32c::crc32c(checked) != crc || trailer != first_leaf ^ TRAILER || padding.iter().any(|b| *b != 0) {
            return None;
        }
        let flags = head[5];
        let frontier = checked.get(HEADER_LEN..header_len)?;
        let frontier = match (flags & FRONTIER != 0, frontier) {
            (false, []) => None,
            (true, [count, hashes @ ..]) if hashes.len() == usize::from(*count) * 32 => {
                Some(hashes.chunks_exact(32).filter_map(|hash| array(hash, 0)).collect())
            }
            _ => return None,
        };
        Some(Self {
            flags,
            count: u32::from_le_bytes(array(head, 12)?),
            first_leaf,
            wall_ns: i64::from_le_bytes(array(head, 24)?),
            mono_ns: u64::from_le_bytes(array(head, 32)?),
            boot: array(head, 40)?,
            prev_root: array(head, 56)?,
            frontier,
            body: checked.get(header_len..header_len + body_len)?,
            root_after: array(checked, checked_len - 32)?,
            len,
        })
    }

    /// The tree before the frame, if it carries its frontier and that folds to the root it names.
    pub(crate) fn tree_before(&self) -> Option<Tree> {
        let tree = Tree::from_frontier(self.first_leaf, self.frontier.clone()?)?;
        (tree.root() == self.prev_root).then_some(tree)
    }

    /// Grows the tree by the frame. `false` if numbers, roots or the records' lengths do not agree; the tree is then spoilt.
    pub(crate) fn extend(&self, tree: &mut Tree, buffer: &mut Vec<u8>) -> bool {
        if tree.size() != self.first_leaf || tree.root() != self.prev_root {
            return false;
        }
        for record in records(self.body) {
            let Some(record) = record else {
                return false;
            };
            tree.append(leaf_hash(record, buffer));
        }
        tree.size() - self.first_leaf == u64::from(self.count) && tree.root() == self.root_after
    }

    /// The records as `type | content`, with their leaf numbers.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = (u64, &'a [u8])> + use<'a> {
        (self.first_leaf..).zip(records(self.body).flatten())
    }
}

/// Offset of the next whole frame at or after this one, in steps of the alignment.
pub(crate) fn find(bytes: &[u8], from: usize) -> Option<usize> {
    let starts = (from.next_multiple_of(ALIGN)..bytes.len()).step_by(ALIGN);
    let mut marked = starts.filter(|at| bytes[*at..].starts_with(MAGIC));
    marked.find(|at| Frame::parse(&bytes[*at..]).is_some())
}

/// Bytes of a frame around its records, with the longest frontier and padding.
pub(crate) const OVERHEAD_MAX: usize = HEADER_LEN + 1 + 64 * 32 + 32 + 12 + ALIGN;

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn low_u8(n: usize) -> u8 {
    u8::try_from(n).unwrap_or(u8::MAX)
}

fn low_u16(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

fn low_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

const MAGIC: &[u8; 4] = b"DKL1";
const VERSION: u8 = 1;
const HEADER_LEN: usize = 88;
const ALIGN: usize = 8;
const TRAILER: u64 = 0x444b_4c31_5f45_4e44;
