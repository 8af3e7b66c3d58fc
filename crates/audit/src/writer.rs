//! The one writer: what arrived during the last sync becomes the next frame.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::carry::Carry;
use crate::frame;
use crate::note::Note;
use crate::queue::{Drive, Entry, Shared, Standing};
use crate::record::{self, RecordBytes};
use crate::release::ClosedReason;
use crate::segment::{self, Segment};
use crate::storage::Files;
use crate::supply::{Stock, Successor, Supply};
use crate::ticket::Slot;
use crate::tree::{Hash, Tree};

/// The state of the log after its last durable frame, for the keeper and for figures.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) frontier: Vec<Hash>,
    pub(crate) jseq: u64,
    pub(crate) frame_records: u32,
    pub(crate) segment_left: u64,
    pub(crate) nearly_full: bool,
    pub(crate) syncs_ns: Vec<u64>,
    /// States at which a segment ended and no note was signed yet.
    pub(crate) closings: Vec<(Note, u64)>,
}

pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) supply: Arc<Supply>,
    pub(crate) progress: Arc<Mutex<Progress>>,
    pub(crate) boot: [u8; 16],
    pub(crate) tree: Tree,
    pub(crate) carry: Carry,
    pub(crate) segment: Option<Segment>,
    frame: Vec<u8>,
    hashes: Vec<Hash>,
}

/// Why a frame was not written.
enum Refused {
    NoRoom,
    Failed(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// The writer behind a lock, so that a thread or a waiting caller can turn it.
pub(crate) struct Turning(pub(crate) Mutex<Writer>);

impl Drive for Turning {
    fn turn(&self) {
        self.lock().turn();
    }
}

impl Turning {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Writer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        files: Arc<dyn Files>,
        supply: Arc<Supply>,
        boot: [u8; 16],
        tree: Tree,
        carry: Carry,
    ) -> Self {
        let progress = Progress {
            size: tree.size(),
            root: tree.root(),
            frontier: tree.frontier().to_vec(),
            jseq: carry.jseq,
            ..Progress::default()
        };
        Self {
            shared,
            files,
            supply,
            progress: Arc::new(Mutex::new(progress)),
            boot,
            tree,
            carry,
            segment: None,
            frame: Vec::new(),
            hashes: Vec::new(),
        }
    }

    /// Writes one frame of what waits. Nothing waiting is fine.
    pub(crate) fn turn(&mut self) {
        let batch = self.take_batch();
        if !batch.is_empty() {
            self.write(batch, 0);
        }
    }

    /// Moves the oldest records that fit one frame out of the queue.
    fn take_batch(&self) -> Vec<Entry> {
        let mut queue = self.shared.queue();
        if queue.standing == Standing::Full {
            return Vec::new();
        }
        let max = self.shared.options.chain_bytes_max();
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            bytes += entry.record.bytes.len();
            bytes <= max
        };
        let n = queue.waiting.iter().take_while(fits).count().max(1).min(queue.waiting.len());
        let batch: Vec<Entry> = queue.waiting.drain(..n).collect();
        queue.in_flight.clear();
        queue.in_flight.extend(batch.iter().map(|entry| Arc::clone(&entry.slot)));
        batch
    }

    /// Writes these records as one frame and ends their tickets.
    pub(crate) fn write(&mut self, batch: Vec<Entry>, flags: u8) {
        // The tree holds the frame that failed, and the file perhaps half of it: nothing may be written over that.
        if self.shared.standing() == Standing::Poisoned {
            batch.iter().for_each(|entry| entry.slot.failed(ClosedReason::Poisoned));
            return;
        }
        let started = self.shared.clock.mono_ns();
        match self.write_frame(&batch, flags) {
            Ok(skipped) => {
                self.report(started);
                self.end(batch, skipped);
                self.settle_standing();
                self.shared.made_room();
            }
            Err(Refused::NoRoom) => self.fill_up(batch),
            Err(Refused::Failed(error)) => {
                self.shared.poison(&format!("a write or sync of the ledger failed: {error}"))
            }
        }
    }

    /// The number of leaves before the first record of the batch.
    fn write_frame(&mut self, batch: &[Entry], flags: u8) -> Result<usize, Refused> {
        let bytes: usize = batch.iter().map(|entry| entry.record.bytes.len()).sum();
        let head_bytes = HEARTBEAT_BYTES + 9 * self.carry.intents.len();
        let needed = bytes + head_bytes + frame::OVERHEAD_MAX;
        if !self.segment.as_ref().is_some_and(|segment| segment.fits(needed)) {
            self.rotate()?;
        }
        let Some(segment) = self.segment.as_mut() else {
            return Err(Refused::NoRoom);
        };
        let first = segment.offset == 0;
        let head = if first { Some(heartbeat(&self.shared, &self.carry)?) } else { None };
        let closing = batch.iter().any(|entry| entry.record.kind() == record::STOP);
        let reserve = if segment.reserve { frame::RESERVE } else { 0 };
        let frontier = if first { frame::FRONTIER } else { 0 };
        let last = if closing { frame::LAST } else { 0 };
        let about = frame::Head {
            flags: flags | reserve | frontier | last,
            wall_ns: self.shared.clock.wall_ns(),
            mono_ns: self.shared.clock.mono_ns(),
            boot: &self.boot,
        };
        let parts = head.iter().map(|record| &record.bytes[..]);
        let parts = parts.chain(batch.iter().map(|entry| &entry.record.bytes[..]));
        frame::encode(&about, &mut self.tree, parts, &mut self.frame, &mut self.hashes);
        segment.append(&self.frame)?;
        Ok(usize::from(first))
    }

    /// Goes on in a new segment. The old one is closed with a frame of its own.
    fn rotate(&mut self) -> Result<(), Refused> {
        if self.shared.by_hand.get().is_some() {
            self.supply.restock(&*self.files)?;
        }
        let successor = self.supply.successor().ok_or(Refused::NoRoom)?;
        if let Some(mut old) = self.segment.take() {
            self.close_segment(&mut old)?;
        }
        let from = match successor {
            Successor::Next => segment::NEXT,
            Successor::Reserve => segment::RESERVE,
        };
        self.segment = Some(Segment::place(&*self.files, from, self.tree.size())?);
        self.supply.placed(successor);
        Ok(())
    }

    fn close_segment(&mut self, old: &mut Segment) -> io::Result<()> {
        if old.offset == 0 {
            return Ok(());
        }
        let mut detail = crate::cbor::Cbor::default();
        detail.map(1).text("closes").uint(old.first_leaf);
        let beat = record::own(&self.shared, record::HEARTBEAT, detail).map_err(|_| too_long())?;
        let reserve = if old.reserve { frame::RESERVE } else { 0 };
        let about = frame::Head {
            flags: frame::LAST | reserve,
            wall_ns: self.shared.clock.wall_ns(),
            mono_ns: self.shared.clock.mono_ns(),
            boot: &self.boot,
        };
        let parts = std::iter::once(&beat.bytes[..]);
        frame::encode(&about, &mut self.tree, parts, &mut self.frame, &mut self.hashes);
        old.append(&self.frame)?;
        old.cut()?;
        let note = Note { size: self.tree.size(), root: self.tree.root() };
        let mut progress = lock(&self.progress);
        if progress.closings.len() < CLOSINGS_MAX {
            let jseq = self.carry.jseq;
            progress.closings.push((note, jseq));
        }
        Ok(())
    }

    fn report(&self, started: u64) {
        let now = self.shared.clock.mono_ns();
        let mut progress = lock(&self.progress);
        progress.size = self.tree.size();
        progress.root = self.tree.root();
        progress.frontier.clear();
        progress.frontier.extend_from_slice(self.tree.frontier());
        progress.frame_records = u32::try_from(self.hashes.len()).unwrap_or(u32::MAX);
        if progress.syncs_ns.len() == SYNCS_KEPT {
            progress.syncs_ns.remove(0);
        }
        progress.syncs_ns.push(now.saturating_sub(started));
        if let Some(segment) = &self.segment {
            progress.segment_left = segment.left();
            progress.nearly_full = segment.left() < segment.len / 8 || segment.reserve;
        }
    }

    fn end(&mut self, batch: Vec<Entry>, skipped: usize) {
        let first_leaf = self.tree.size() - self.hashes.len() as u64;
        let mut at = skipped;
        for entry in &batch {
            let leaf = first_leaf + at as u64;
            self.carry.jseq = entry.jseq.unwrap_or(self.carry.jseq);
            if entry.record.kind() == record::INTENT {
                self.carry.intents.insert(leaf);
            }
            if let Some(intent) = entry.settles {
                self.carry.intents.remove(&intent);
            }
            at += entry.record.leaves as usize;
        }
        lock(&self.progress).jseq = self.carry.jseq;
        {
            let mut queue = self.shared.queue();
            queue.in_flight.clear();
            queue.open_intents = self.carry.intents.len();
        }
        at = skipped;
        for entry in batch {
            let hash = self.hashes.get(at).copied().unwrap_or_default();
            entry.slot.durable(first_leaf + at as u64, hash);
            at += entry.record.leaves as usize;
        }
    }

    /// No room at all. What the store has committed or what has left already is kept until there is room; the rest was
    /// never answered and needs no record.
    fn fill_up(&self, batch: Vec<Entry>) {
        let mut slots: Vec<Arc<Slot>> = Vec::new();
        let mut queue = self.shared.queue();
        queue.standing = Standing::Full;
        queue.in_flight.clear();
        let later = std::mem::take(&mut queue.waiting);
        for entry in batch.into_iter().chain(later) {
            slots.push(Arc::clone(&entry.slot));
            if entry.jseq.is_some() || entry.settles.is_some() {
                queue.waiting.push(entry);
            }
        }
        drop(queue);
        slots.iter().for_each(|slot| slot.failed(ClosedReason::NoSpace));
        self.shared.made_room();
    }

    /// The step of the ladder that fits the stock of prepared files.
    fn settle_standing(&self) {
        let nearly_full = lock(&self.progress).nearly_full;
        settle_standing(&self.shared, &self.supply, nearly_full);
    }
}

/// Called after each frame and after each attempt to prepare files.
pub(crate) fn settle_standing(shared: &Shared, supply: &Supply, nearly_full: bool) {
    let (next, reserve) = supply.stock();
    let mut queue = shared.queue();
    let fitting = match (next, reserve) {
        (Stock::NoSpace, _) if nearly_full => Standing::Reserve,
        (Stock::NoSpace, _) | (_, Stock::NoSpace) => Standing::Narrow,
        _ => Standing::Serving,
    };
    let settled = match queue.standing {
        Standing::Serving | Standing::Narrow | Standing::Reserve => fitting,
        Standing::Full if next == Stock::Ready => fitting,
        other => other,
    };
    let relieved = queue.standing == Standing::Full && settled != Standing::Full;
    queue.standing = settled;
    drop(queue);
    if relieved {
        shared.made_room();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn heartbeat(shared: &Shared, carry: &Carry) -> io::Result<RecordBytes> {
    record::own(shared, record::HEARTBEAT, carry.detail()).map_err(|_| too_long())
}

fn too_long() -> io::Error {
    io::Error::other("a record of the ledger's own is too long")
}

const HEARTBEAT_BYTES: usize = 256;
const CLOSINGS_MAX: usize = 64;
const SYNCS_KEPT: usize = 256;
