//! What only an operator may decide: to go on after a gap, or with a store that is behind.

use crate::carry::Carry;
use crate::cbor::Cbor;
use crate::clock::{Clock, Random};
use crate::decode;
use crate::epochs::Epochs;
use crate::frame::{self, Frame};
use crate::keys::Keys;
use crate::note::Note;
use crate::options::Options;
use crate::queue::Shared;
use crate::record;
use crate::recovery::{self, OpenError, io_error};
use crate::sealing::Sealing;
use crate::segment::{self, Segment};
use crate::storage::{Files, Mode, read_all};
use crate::tree::Tree;

use std::sync::Arc;

/// Who decides, and why. Both are written into the record.
#[derive(Debug, Clone, Copy)]
pub struct Decree<'a> {
    /// The reason, in the operator's words.
    pub reason: &'a str,
    /// The operator's name.
    pub by: &'a str,
}

/// Why a gap or rollback cannot be accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The ledger opens without it.
    #[error("there is nothing to accept: the ledger is whole")]
    NothingToAccept,
    /// The tree cannot be continued without contradicting a signed note.
    #[error("the last note covers {noted} leaves, and nothing on disk can continue it: restore the ledger from a copy")]
    CannotContinue {
        /// Leaves under the last note.
        noted: u64,
    },
    /// Something else is wrong.
    #[error("the ledger cannot be opened")]
    Open(#[from] OpenError),
}

/// The place where the log goes on.
struct Resume {
    tree: Tree,
    carry: Carry,
    /// First leaf that cannot be read, and the leaf behind the last one concerned.
    gap: (u64, u64),
}

/// Goes on after altered or lost records. The damaged bytes stay where they are as evidence, except those behind the
/// last note, which are set aside; a signed GAP record names the leaves, the reason and the operator.
///
/// # Errors
/// [`AcceptError`]; the ledger is then as it was.
pub fn accept_gap(
    files: &dyn Files,
    keys: &Keys,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    decree: Decree<'_>,
) -> Result<(), AcceptError> {
    let origin = recovery::read_origin(files)?;
    let (first_bad, cause) = match recovery::scan(files) {
        Ok(_) => return Err(AcceptError::NothingToAccept),
        Err(OpenError::Corrupt { leaf }) => (leaf, "altered"),
        Err(OpenError::RolledBack { size, .. }) => (size, "rolled-back"),
        Err(error) => return Err(error.into()),
    };
    let notes = recovery::read_or_empty(files, segment::NOTES)?;
    let note = recovery::last_note(&notes, &origin).0;
    let resume = resume(files, first_bad, note)?;
    let mut detail = Cbor::default();
    detail.map(6).text("by").text(decree.by).text("to").uint(resume.gap.1);
    detail.text("from").uint(resume.gap.0).text("kind").text("accepted");
    detail.text("cause").text(cause).text("reason").text(decree.reason);
    set_aside(files, &*clock, &resume)?;
    append(files, keys, clock, random, &origin.name, resume, record::GAP, detail)
}

/// Goes on with a store that ends at `store_jseq`, below the last row the ledger names. A signed ADMIN record names the
/// leaves whose effects are lost, the reason and the operator.
///
/// # Errors
/// [`AcceptError`]; the ledger is then as it was.
pub fn accept_rollback(
    files: &dyn Files,
    keys: &Keys,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    store_jseq: u64,
    decree: Decree<'_>,
) -> Result<(), AcceptError> {
    let found = recovery::scan(files)?;
    let ledger_jseq = found.carry.jseq;
    if store_jseq >= ledger_jseq {
        return Err(AcceptError::NothingToAccept);
    }
    found.repair(files, &*clock)?;
    let leaves = rows_above(files, store_jseq)?;
    let mut detail = Cbor::default();
    detail.map(6).text("by").text(decree.by).text("act").text("accept-rollback");
    detail.text("jseq").uint(store_jseq).text("leaves").array(leaves.len());
    for leaf in &leaves {
        detail.uint(*leaf);
    }
    detail.text("ledger").uint(ledger_jseq).text("reason").text(decree.reason);
    let size = found.tree.size();
    let resume = Resume { tree: found.tree, carry: found.carry, gap: (size, size) };
    append(files, keys, clock, random, &found.origin.name, resume, record::ADMIN, detail)
}

/// The newest leaves of rows above this one; bounded, since older ones follow from the row numbers.
fn rows_above(files: &dyn Files, store_jseq: u64) -> Result<Vec<u64>, OpenError> {
    let mut leaves = Vec::new();
    for first_leaf in segment::list(files).map_err(io_error("list the segments"))? {
        let bytes = read_all(files, &segment::path(first_leaf)).map_err(io_error("read a segment"))?;
        let mut at = 0;
        while let Some(frame) = Frame::parse(&bytes[at..]) {
            for (leaf, record) in frame.leaves().filter(|(_, record)| record.first() == Some(&record::WRITE)) {
                let row = decode::Cbor::parse(&record[1..]);
                let row = row.as_ref().and_then(|row| row.key(23)?.at(0)?.uint());
                if row.is_some_and(|row| row > store_jseq) {
                    leaves.push(leaf);
                }
            }
            at += frame.len;
        }
    }
    let surplus = leaves.len().saturating_sub(LEAVES_NAMED_MAX);
    leaves.drain(..surplus);
    Ok(leaves)
}

/// Finds the largest tree that contains the last note and can be continued: whole frames behind the damage, the kept
/// frontier of the last note, or, if no note reaches that far, the last whole frame before the damage.
fn resume(files: &dyn Files, first_bad: u64, note: Option<Note>) -> Result<Resume, AcceptError> {
    let noted = note.map_or(0, |note| note.size);
    let mut start = None;
    if noted > first_bad {
        let kept = kept_frontier(files)
            .filter(|tree| note.is_some_and(|note| tree.size() == note.size && tree.root() == note.root));
        start = Some(kept.ok_or(AcceptError::CannotContinue { noted })?);
    }
    let mut tree = start.unwrap_or_default();
    let mut carry = Carry::default();
    let mut seen = first_bad;
    let mut buffer = Vec::new();
    for first_leaf in segment::list(files).map_err(io_error("list the segments"))? {
        let bytes = read_all(files, &segment::path(first_leaf)).map_err(io_error("read a segment"))?;
        let mut at = 0;
        while let Some(next) = frame::find(&bytes, at) {
            let Some(frame) = Frame::parse(&bytes[next..]) else {
                break;
            };
            // Before the last note the tree is known already; from there on each frame must extend it.
            let mut grown = tree.clone();
            if frame.extend(&mut grown, &mut buffer) {
                tree = grown;
            }
            if frame.first_leaf < tree.size() {
                frame.leaves().for_each(|(leaf, record)| carry.take(leaf, record));
            }
            seen = seen.max(frame.first_leaf + u64::from(frame.count));
            at = next + frame.len;
        }
    }
    let to = tree.size().max(seen);
    if tree.size() < noted {
        return Err(AcceptError::CannotContinue { noted });
    }
    Ok(Resume { gap: (first_bad.min(to), to), tree, carry })
}

fn kept_frontier(files: &dyn Files) -> Option<Tree> {
    let bytes = read_all(files, segment::FRONTIER).ok()?;
    let (size, hashes) = bytes.split_first_chunk::<8>()?;
    let size = u64::from_le_bytes(*size);
    let hashes = hashes.get(..size.count_ones() as usize * 32)?;
    let hashes = hashes.chunks_exact(32).filter_map(|hash| hash.try_into().ok()).collect();
    Tree::from_frontier(size, hashes)
}

/// Copies what lies behind the resuming point into the folder of torn tails and cuts it off, so that leaf numbers stay
/// unique. Damage under a note stays in place.
fn set_aside(files: &dyn Files, clock: &dyn Clock, resume: &Resume) -> Result<(), AcceptError> {
    let size = resume.tree.size();
    files.create_dir(segment::TORN).map_err(io_error("make the folder torn"))?;
    for first_leaf in segment::list(files).map_err(io_error("list the segments"))? {
        let path = segment::path(first_leaf);
        let bytes = read_all(files, &path).map_err(io_error("read a segment"))?;
        let mut keep = 0;
        let mut at = 0;
        while let Some(next) = frame::find(&bytes, at) {
            let Some(frame) = Frame::parse(&bytes[next..]).filter(|frame| frame.first_leaf < size) else {
                break;
            };
            at = next + frame.len;
            keep = at;
        }
        let tail = &bytes[keep..];
        let last = tail.iter().rposition(|byte| *byte != 0);
        if let Some(last) = last {
            let to = format!("{}/{first_leaf:020}-{keep}-{}", segment::TORN, clock.wall_ns());
            segment::write_file(files, segment::TORN, &to, &tail[..=last]).map_err(io_error("set bytes aside"))?;
        }
        if keep == 0 && size <= first_leaf {
            files.remove(&path).map_err(io_error("remove a segment set aside"))?;
        } else if last.is_some() {
            let mut file = files.open(&path, Mode::Write).map_err(io_error("open a segment"))?;
            file.set_len(keep as u64).map_err(io_error("cut a segment"))?;
        }
    }
    files.sync_dir(segment::SEGMENTS).map_err(io_error("sync the folder of segments"))?;
    Ok(())
}

/// Writes the operator's record as the first frame of a new segment.
#[expect(clippy::too_many_arguments, reason = "one call gathers what a run would hold in its ledger")]
fn append(
    files: &dyn Files,
    keys: &Keys,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    origin: &str,
    mut resume: Resume,
    kind: u8,
    detail: Cbor,
) -> Result<(), AcceptError> {
    let mut epochs = Epochs::load(files, &keys.wrapping)?;
    let epoch = epochs.at(files, &*random, clock.wall_ns())?;
    let sealing = Sealing::new(&keys.index, epoch);
    let mut boot = [0; 16];
    random.fill(&mut boot);
    let shared = Shared::new(clock, random, Arc::from(origin), Options::default(), sealing);
    let head = record::own(&shared, record::HEARTBEAT, resume.carry.detail()).map_err(|_| OpenError::Crypto)?;
    let decree = record::own(&shared, kind, detail).map_err(|_| OpenError::Crypto)?;
    let about = frame::Head {
        flags: frame::FRONTIER | frame::LAST,
        wall_ns: shared.clock.wall_ns(),
        mono_ns: shared.clock.mono_ns(),
        boot: &boot,
    };
    let first_leaf = resume.tree.size();
    let (mut bytes, mut hashes) = (Vec::new(), Vec::new());
    let parts = [&head.bytes[..], &decree.bytes[..]].into_iter();
    frame::encode(&about, &mut resume.tree, parts, &mut bytes, &mut hashes);
    let write = || {
        let len = bytes.len() as u64 + (8 << 10);
        segment::prepare(files, segment::SEGMENTS, ACCEPTED, len)?;
        let mut segment = Segment::place(files, ACCEPTED, first_leaf)?;
        segment.append(&bytes)?;
        segment.cut()
    };
    write().map_err(io_error("write the operator's record"))?;
    Ok(())
}

const ACCEPTED: &str = "seg/accepted.seg";
const LEAVES_NAMED_MAX: usize = 4_096;
