//! The ledger: opened once, completed from the store, served, stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cbor::Cbor;
use crate::clock::{Clock, Random};
use crate::epochs::Epochs;
use crate::frame;
use crate::gate::{Gate, StoreSeal};
use crate::keeper::Keeper;
use crate::keys::Keys;
use crate::options::Options;
use crate::origin::Origin;
use crate::queue::{Drive, Entry, Noted, Shared, Standing};
use crate::record::{self, RecordBytes};
use crate::recovery::{self, OpenError, io_error};
use crate::sealing::Sealing;
use crate::segment::{self, Segment};
use crate::storage::Files;
use crate::supply::Supply;
use crate::ticket::Slot;
use crate::tree::Tree;
use crate::writer::{Progress, Turning, Writer, lock, settle_standing};

/// An open ledger. Dropping it without [`Ledger::stop`] is a crash, and the next start says so.
pub struct Ledger {
    shared: Arc<Shared>,
    files: Arc<dyn Files>,
    supply: Arc<Supply>,
    writer: Arc<Turning>,
    keeper: Arc<Mutex<Keeper>>,
    progress: Arc<Mutex<Progress>>,
    /// Told by the first records of this run: whether the run before stopped, and what it left torn.
    before: Before,
    threads: Vec<JoinHandle<()>>,
}

struct Before {
    stopped: bool,
    torn: Vec<(String, usize)>,
}

/// What opening gives.
pub struct Opened {
    /// The ledger itself: kept by the program's main function.
    pub ledger: Ledger,
    /// The gate for the doors.
    pub gate: Gate,
    /// The proof of being the store, for the store's opening.
    pub seal: StoreSeal,
    /// Highest `jseq` in the ledger; 0 if none.
    pub last_jseq: u64,
    /// Leaves of INTENT records without an OUTCOME: ask the receivers, do not resend blindly.
    pub unknown_outcomes: Vec<u64>,
    /// Whether the run before stopped in good order.
    pub stopped_cleanly: bool,
}

impl Ledger {
    /// Makes a new ledger in an empty folder. `origin` is the name of the log (`hospital.example/dukou`).
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn create(
        files: &dyn Files,
        keys: &Keys,
        origin: &str,
        options: &Options,
        clock: &dyn Clock,
    ) -> Result<(), OpenError> {
        if !recovery::read_or_empty(files, segment::ORIGIN)?.is_empty() {
            return Err(OpenError::AlreadyExists);
        }
        let wall_ns = clock.wall_ns();
        let text = Origin::print(origin, &keys.public(), wall_ns).ok_or(OpenError::BadName)?;
        for dir in ["", segment::SEGMENTS, segment::KEYS] {
            files.create_dir(dir).map_err(io_error("make the ledger's folders"))?;
        }
        let mut record = (text.len() as u32 + 1).to_le_bytes().to_vec();
        record.push(record::ORIGIN);
        record.extend_from_slice(text.as_bytes());
        let about = frame::Head { flags: frame::FRONTIER, wall_ns, mono_ns: clock.mono_ns(), boot: &[0; 16] };
        let (mut bytes, mut hashes) = (Vec::new(), Vec::new());
        frame::encode(&about, &mut Tree::default(), std::iter::once(&record[..]), &mut bytes, &mut hashes);
        let write = || {
            segment::prepare(files, segment::SEGMENTS, segment::NEXT, options.first_segment_bytes)?;
            let mut first = Segment::place(files, segment::NEXT, 0)?;
            first.append(&bytes)?;
            first.cut()?;
            // The ledger exists once this file does.
            segment::write_file(files, "", segment::ORIGIN, text.as_bytes())
        };
        write().map_err(io_error("write the first segment"))
    }

    /// Opens a ledger, recovers what a crash left, and makes durable again what recovery found. The gate stays closed
    /// until [`Ledger::complete`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(
        files: Arc<dyn Files>,
        keys: Keys,
        options: Options,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Opened, OpenError> {
        let found = recovery::scan(&*files)?;
        if found.origin.public != keys.public() {
            return Err(OpenError::OtherKey);
        }
        found.repair(&*files, &*clock)?;
        let mut epochs = Epochs::load(&*files, &keys.wrapping)?;
        let epoch = epochs.at(&*files, &*random, clock.wall_ns())?;
        let sealing = Sealing::new(&keys.index, epoch);
        let supply = Supply::new(options.segment_bytes, options.reserve_bytes, options.first_segment_bytes);
        let supply = Arc::new(supply);
        supply.take_stock(&*files);
        let mut boot = [0; 16];
        random.fill(&mut boot);
        let by_hand = !options.threads;
        let origin = Arc::from(found.origin.name.as_str());
        let shared = Arc::new(Shared::new(clock, random, origin, options, sealing));
        let (last_jseq, stopped) = (found.carry.jseq, found.carry.stopped);
        let unknown_outcomes = found.carry.intents.iter().copied().collect();
        let before =
            Before { stopped, torn: found.torn.iter().map(|(name, bytes)| (name.clone(), bytes.len())).collect() };
        let size = found.note.map_or(0, |note| note.size);
        let noted = Noted { size, jseq: found.noted_jseq, at_ns: shared.clock.mono_ns() };
        *lock(&shared.noted) = noted;
        let writer =
            Writer::new(Arc::clone(&shared), Arc::clone(&files), Arc::clone(&supply), boot, found.tree, found.carry);
        let progress = Arc::clone(&writer.progress);
        let writer = Arc::new(Turning(Mutex::new(writer)));
        let keeper = Keeper::new(
            Arc::clone(&shared),
            Arc::clone(&files),
            keys,
            epochs,
            Arc::clone(&progress),
            noted,
            found.notes_len,
        );
        if by_hand {
            let weak = Arc::downgrade(&writer);
            let weak: Weak<dyn Drive> = weak;
            // The cell is new, so nothing stands in it yet.
            drop(shared.by_hand.set(weak));
        }
        let gate = Gate { shared: Arc::clone(&shared) };
        let seal = StoreSeal { shared: Arc::clone(&shared) };
        let keeper = Arc::new(Mutex::new(keeper));
        let threads = Vec::new();
        let ledger = Self { shared, files, supply, writer, keeper, progress, before, threads };
        Ok(Opened { ledger, gate, seal, last_jseq, unknown_outcomes, stopped_cleanly: stopped })
    }

    /// Completes the ledger from the store and opens the gate. `store_jseq` is the highest `jseq` the store ever gave;
    /// `rows` are its pending rows above [`Opened::last_jseq`], in order.
    ///
    /// # Errors
    /// [`CompleteError`]; the gate then stays closed.
    pub fn complete(&mut self, store_jseq: u64, rows: Vec<(u64, RecordBytes)>) -> Result<(), CompleteError> {
        let last = lock(&self.progress).jseq;
        if store_jseq < last {
            return Err(CompleteError::StoreBehind { store: store_jseq, ledger: last });
        }
        let unbroken = rows.iter().map(|(jseq, _)| *jseq).eq(last + 1..=store_jseq);
        if !unbroken {
            return Err(CompleteError::RowsMissing { from: last + 1, to: store_jseq });
        }
        self.place_first_segment()?;
        self.begin(rows)?;
        self.shared.set_next_jseq(store_jseq + 1);
        self.shared.queue().standing = Standing::Serving;
        self.settle();
        if self.shared.options.threads {
            self.start_threads();
        }
        Ok(())
    }

    /// The first segment of a run: one left prepared, else a small new one, else the reserve.
    fn place_first_segment(&self) -> Result<(), CompleteError> {
        let mut writer = self.writer.lock();
        let (next, reserve) = self.supply.stock();
        if next != crate::supply::Stock::Ready {
            let bytes = self.shared.options.first_segment_bytes;
            match segment::prepare(&*self.files, segment::SEGMENTS, segment::NEXT, bytes) {
                Ok(()) => self.supply.take_stock(&*self.files),
                Err(error) if segment::no_space(&error) && reserve == crate::supply::Stock::Ready => {
                    let first = Segment::place(&*self.files, segment::RESERVE, writer.tree.size());
                    writer.segment = Some(first.map_err(CompleteError::Io)?);
                    self.supply.took_reserve();
                    return Ok(());
                }
                Err(error) => return Err(CompleteError::Io(error)),
            }
        }
        if let Some(taken) = self.supply.successor() {
            let first = Segment::place(&*self.files, segment::NEXT, writer.tree.size());
            writer.segment = Some(first.map_err(CompleteError::Io)?);
            self.supply.placed(taken);
        }
        Ok(())
    }

    /// Writes START, what recovery set aside, and the rows the store has and the ledger has not.
    fn begin(&self, rows: Vec<(u64, RecordBytes)>) -> Result<(), CompleteError> {
        let mut writer = self.writer.lock();
        let mut first = vec![self.own(record::START, self.start_detail(&writer))?];
        for (name, bytes) in &self.before.torn {
            let mut detail = Cbor::default();
            detail.map(3).text("file").text(name).text("kind").text("torn");
            detail.text("bytes").uint(*bytes as u64);
            first.push(self.own(record::GAP, detail)?);
        }
        writer.write(first, 0);
        let max = self.shared.options.chain_bytes_max();
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (jseq, record) in rows {
            if bytes + record.bytes.len() > max {
                writer.write(std::mem::take(&mut batch), frame::COMPLETED);
                bytes = 0;
            }
            bytes += record.bytes.len();
            batch.push(Entry { record, jseq: Some(jseq), settles: None, slot: Slot::new(0) });
        }
        if !batch.is_empty() {
            writer.write(batch, frame::COMPLETED);
        }
        match self.shared.standing() {
            Standing::Poisoned => Err(CompleteError::Poisoned),
            Standing::Full => Err(CompleteError::NoSpace),
            _ => Ok(()),
        }
    }

    fn start_detail(&self, writer: &Writer) -> Cbor {
        let options = &self.shared.options;
        let mut detail = Cbor::default();
        detail.map(6).text("boot").bytes(&writer.boot).text("clean").bool(self.before.stopped);
        detail.text("config").bytes(&options.config_sha256).text("policy").bytes(&options.policy_sha256);
        detail.text("program").bytes(&options.program_sha256);
        detail.text("last_leaf").uint(writer.tree.size().saturating_sub(1));
        detail
    }

    fn own(&self, kind: u8, detail: Cbor) -> Result<Entry, CompleteError> {
        let record = record::own(&self.shared, kind, detail).map_err(|_| CompleteError::Poisoned)?;
        Ok(Entry { record, jseq: None, settles: None, slot: Slot::new(self.shared.clock.mono_ns()) })
    }

    fn settle(&self) {
        let nearly_full = lock(&self.progress).nearly_full;
        settle_standing(&self.shared, &self.supply, nearly_full);
    }

    /// Highest `jseq` covered by a signed note: rows up to it may be trimmed from the store.
    #[must_use]
    pub fn noted_jseq(&self) -> u64 {
        lock(&self.shared.noted).jseq
    }

    /// Whether a write or sync has failed.
    #[must_use]
    pub fn poisoned(&self) -> bool {
        self.shared.standing() == Standing::Poisoned
    }

    /// Figures for operators; no patient data.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let now = self.shared.clock.mono_ns();
        let (queue_depth, oldest) = {
            let queue = self.shared.queue();
            (queue.depth(), queue.oldest_ns())
        };
        let noted = *lock(&self.shared.noted);
        let progress = lock(&self.progress);
        let mut syncs = progress.syncs_ns.clone();
        syncs.sort_unstable();
        let at = |share: usize| syncs.get(syncs.len() * share / 100).copied().unwrap_or(0);
        Metrics {
            queue_depth,
            oldest_wait_ns: oldest.map_or(0, |since| now.saturating_sub(since)),
            sync_ns: (at(50), at(99)),
            frame_records: progress.frame_records,
            leaves: progress.size,
            noted_leaves: noted.size,
            note_age_ns: now.saturating_sub(noted.at_ns),
            segment_bytes_left: progress.segment_left,
        }
    }

    /// The keeper's work of this moment: notes, heartbeat, clock, summaries, next segment. Only without threads.
    pub fn tick(&self) {
        self.keeper().look();
        restock(&self.shared, &self.supply, &*self.files, &self.progress);
        self.drain();
        sign(&self.shared, &self.keeper, false);
    }

    fn drain(&self) {
        loop {
            let before = self.shared.queue().waiting.len();
            self.writer.turn();
            let after = self.shared.queue().waiting.len();
            if after == 0 || after == before {
                return;
            }
        }
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        lock(&self.keeper)
    }

    /// Stops in good order: what is queued becomes durable, then STOP and a last note.
    ///
    /// # Errors
    /// [`StopError`] if the ledger is poisoned or has no room.
    pub fn stop(mut self) -> Result<(), StopError> {
        if self.shared.standing() == Standing::Recovering {
            return Ok(());
        }
        self.shared.queue().stopping = true;
        self.keeper().flush_summaries(i64::MAX);
        let record = record::own(&self.shared, record::STOP, Cbor(vec![0xa0]));
        let ticket = record.ok().map(|record| self.shared.push_own(record)).ok_or(StopError::Poisoned)?;
        if !self.shared.options.threads {
            self.drain();
        }
        let ended = ticket.0.wait();
        self.end_threads();
        if ended.is_err() {
            return Err(StopError::Poisoned);
        }
        let signed = self.keeper().sign_due(true);
        let cut = self.writer.lock().segment.as_mut().map_or(Ok(()), Segment::cut);
        signed.and(cut).map_err(|_| StopError::Poisoned)
    }

    fn start_threads(&mut self) {
        let (writer, shared) = (Arc::clone(&self.writer), Arc::clone(&self.shared));
        let write = move || {
            while shared.wait_for_records() {
                // Nobody may wait for a writer that is gone.
                if catch_unwind(AssertUnwindSafe(|| writer.turn())).is_err() {
                    shared.poison("the writer of the ledger panicked");
                }
            }
        };
        let (keeper, shared) = (Arc::clone(&self.keeper), Arc::clone(&self.shared));
        let keep = move || {
            while !shared.ended() {
                lock(&keeper).look();
                sign(&shared, &keeper, false);
                let pause_ms = if shared.has_parked() { PARKED_MS } else { KEEPER_MS };
                shared.pause(Duration::from_millis(pause_ms));
            }
        };
        let (supply, shared, files) = (Arc::clone(&self.supply), Arc::clone(&self.shared), Arc::clone(&self.files));
        let progress = Arc::clone(&self.progress);
        let prepare = move || {
            while supply.wait_for_work() {
                restock(&shared, &supply, &*files, &progress);
            }
        };
        self.threads.extend(spawn("audit-writer", write));
        self.threads.extend(spawn("audit-keeper", keep));
        self.threads.extend(spawn("audit-supply", prepare));
    }

    fn end_threads(&mut self) {
        self.shared.close(Standing::Stopped, crate::ClosedReason::Stopped);
        self.supply.end();
        for thread in self.threads.drain(..) {
            // A thread that panicked has poisoned the ledger before.
            drop(thread.join());
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.end_threads();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).ok()
}

fn restock(shared: &Shared, supply: &Supply, files: &dyn Files, progress: &Mutex<Progress>) {
    if supply.restock(files).is_err() {
        shared.poison("a write or sync of a prepared segment failed");
        supply.end();
        return;
    }
    let nearly_full = lock(progress).nearly_full;
    settle_standing(shared, supply, nearly_full);
}

fn sign(shared: &Shared, keeper: &Mutex<Keeper>, now: bool) {
    if matches!(shared.standing(), Standing::Poisoned | Standing::Stopped) {
        return;
    }
    match lock(keeper).sign_due(now) {
        // Without space the notes wait; the records do not.
        Err(error) if !segment::no_space(&error) => shared.poison("a write or sync of the notes failed"),
        _ => {}
    }
}

/// Figures for operators.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Records waiting or in flight.
    pub queue_depth: usize,
    /// Age of the oldest of them, nanoseconds.
    pub oldest_wait_ns: u64,
    /// Median and 99th percentile of the last syncs, nanoseconds.
    pub sync_ns: (u64, u64),
    /// Records in the last frame.
    pub frame_records: u32,
    /// Leaves durable.
    pub leaves: u64,
    /// Leaves under the last note.
    pub noted_leaves: u64,
    /// Age of the last note, nanoseconds.
    pub note_age_ns: u64,
    /// Bytes left in the current segment.
    pub segment_bytes_left: u64,
}

/// Why the ledger cannot be completed from the store.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// The store lost commits or comes from an old backup.
    #[error(
        "the store ends at row {store}, but the ledger names row {ledger}: the store lost commits or is an old copy; \
         restore it, or run dukou audit accept --rollback DIR --reason TEXT --by NAME"
    )]
    StoreBehind {
        /// Highest row of the store.
        store: u64,
        /// Highest row in the ledger.
        ledger: u64,
    },
    /// The store did not hand over all rows.
    #[error("the store must hand over its rows {from} to {to} in order")]
    RowsMissing {
        /// First row wanted.
        from: u64,
        /// Last row wanted.
        to: u64,
    },
    /// No room to go on.
    #[error("there is no disk space for the audit ledger")]
    NoSpace,
    /// A write or sync failed.
    #[error("a write or sync of the ledger failed")]
    Poisoned,
    /// A file operation failed.
    #[error("cannot prepare the first segment of this run")]
    Io(#[source] std::io::Error),
}

/// Why a stop was not clean.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The ledger was poisoned or full.
    #[error("the STOP record could not be written; the next start will recover")]
    Poisoned,
}

const KEEPER_MS: u64 = 200;
const PARKED_MS: u64 = 20;
