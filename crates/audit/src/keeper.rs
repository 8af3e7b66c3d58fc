//! The keeper: what happens by time and not by request. Notes, heartbeats, clock checks, summaries, months.

use std::io;
use std::sync::{Arc, Mutex};

use crate::cbor::Cbor;
use crate::epochs::Epochs;
use crate::keys::Keys;
use crate::note::Note;
use crate::queue::{Noted, Shared, Standing};
use crate::record;
use crate::segment;
use crate::storage::{File, Files, Mode, write_all};
use crate::ticket::Ticket;
use crate::writer::{Progress, lock};

pub(crate) struct Keeper {
    shared: Arc<Shared>,
    files: Arc<dyn Files>,
    keys: Keys,
    epochs: Epochs,
    progress: Arc<Mutex<Progress>>,
    notes: Option<Box<dyn File>>,
    notes_len: u64,
    noted: Noted,
    /// Wall minus monotonic time as last agreed.
    offset_ns: i128,
    suspect_until_ns: u64,
    beat_ns: u64,
}

impl Keeper {
    pub(crate) fn new(
        shared: Arc<Shared>,
        files: Arc<dyn Files>,
        keys: Keys,
        epochs: Epochs,
        progress: Arc<Mutex<Progress>>,
        noted: Noted,
        notes_len: u64,
    ) -> Self {
        let mono_ns = shared.clock.mono_ns();
        let offset_ns = offset(&shared);
        Self {
            shared,
            files,
            keys,
            epochs,
            progress,
            notes: None,
            notes_len,
            noted,
            offset_ns,
            suspect_until_ns: 0,
            beat_ns: mono_ns,
        }
    }

    /// Queues the records that are due.
    pub(crate) fn look(&mut self) {
        self.shared.expire();
        if !matches!(self.shared.standing(), Standing::Serving | Standing::Narrow | Standing::Reserve) {
            return;
        }
        self.look_at_clock();
        self.flush_summaries(self.shared.clock.wall_ns().div_euclid(NS_PER_S));
        self.flush_closed();
        self.beat();
        self.turn_epoch();
    }

    fn look_at_clock(&mut self) {
        let now = self.shared.clock.mono_ns();
        let offset = offset(&self.shared);
        let moved_ms = (offset - self.offset_ns) / 1_000_000;
        let suspect = &self.shared.counters.clock_suspect;
        if moved_ms.unsigned_abs() > CLOCK_MS_MAX {
            self.offset_ns = offset;
            self.suspect_until_ns = now + SUSPECT_NS;
            suspect.store(true, std::sync::atomic::Ordering::Relaxed);
            let mut detail = Cbor::default();
            let moved_ms = i64::try_from(moved_ms).unwrap_or(i64::MAX);
            detail.map(1).text("moved_ms").int(moved_ms);
            self.push(record::CLOCK, detail);
        } else if now >= self.suspect_until_ns {
            // A slow drift is followed; only jumps are told.
            self.offset_ns = offset;
            suspect.store(false, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Writes the counts of all seconds before this one.
    pub(crate) fn flush_summaries(&self, second: i64) {
        let counts: Vec<_> = self.shared.summaries().take_before(second).into_iter().collect();
        for counts in counts.chunks(SUMMARIES_PER_RECORD) {
            let mut detail = Cbor::default();
            detail.map(1).text("counts").array(counts.len());
            for ((second, address, what), count) in counts {
                detail.array(6).int(*second).text(address).text(what.what);
                detail.uint(u64::from(what.status)).uint(u64::from(what.route)).uint(*count);
            }
            self.push(record::AUTHN, detail);
        }
    }

    /// Tells how many constant answers left without a record while the gate was closed.
    fn flush_closed(&self) {
        let count = self.shared.counters.take_closed();
        if count > 0 {
            let mut detail = Cbor::default();
            detail.map(2).text("kind").text("closed").text("answers").uint(count);
            self.push(record::GAP, detail);
        }
    }

    /// Life signs at a fixed pace, with the number of health probes answered since the last one.
    fn beat(&mut self) {
        let now = self.shared.clock.mono_ns();
        if now.saturating_sub(self.beat_ns) >= self.shared.options.heartbeat_ms * NS_PER_MS {
            self.beat_ns = now;
            let mut detail = Cbor::default();
            detail.map(1).text("probes").uint(self.shared.counters.take_probes());
            self.push(record::HEARTBEAT, detail);
        }
    }

    fn turn_epoch(&mut self) {
        let current = self.shared.sealing.epoch();
        let now = self.shared.clock.wall_ns();
        if current.worn() || !self.epochs.covers(current.number, now) {
            // Without space for a new key the old one goes on; its bound is far away.
            if let Ok(epoch) = self.epochs.at(&*self.files, &*self.shared.random, now) {
                self.shared.sealing.turn_to(epoch);
            }
        }
    }

    fn push(&self, kind: u8, detail: Cbor) -> Option<Ticket> {
        record::own(&self.shared, kind, detail).ok().map(|record| self.shared.push_own(record))
    }

    /// Signs notes that are due: for each segment that ended, and for the newest state after the interval or enough
    /// leaves; `now` skips the waiting.
    pub(crate) fn sign_due(&mut self, now: bool) -> io::Result<()> {
        let mono_ns = self.shared.clock.mono_ns();
        let (closings, size, root, jseq, frontier) = {
            let mut progress = lock(&self.progress);
            let closings = std::mem::take(&mut progress.closings);
            (closings, progress.size, progress.root, progress.jseq, progress.frontier.clone())
        };
        for (note, jseq) in closings {
            self.sign(note, jseq)?;
        }
        let options = &self.shared.options;
        let waited = mono_ns.saturating_sub(self.noted.at_ns) >= options.note_interval_ms * NS_PER_MS;
        let many = size.saturating_sub(self.noted.size) >= options.note_leaves;
        if size > self.noted.size && (now || waited || many) {
            self.sign(Note { size, root }, jseq)?;
            self.keep_frontier(size, &frontier);
        }
        Ok(())
    }

    fn sign(&mut self, note: Note, jseq: u64) -> io::Result<()> {
        if note.size <= self.noted.size {
            return Ok(());
        }
        let text = note.sign(&self.shared.origin, &self.keys);
        if self.notes.is_none() {
            let opened = self.files.open(segment::NOTES, Mode::Write);
            let missing = opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            self.notes = Some(if missing {
                let file = self.files.open(segment::NOTES, Mode::Create)?;
                self.files.sync_dir("")?;
                file
            } else {
                opened?
            });
        }
        if let Some(file) = &mut self.notes {
            write_all(&mut **file, text.as_bytes(), self.notes_len)?;
            file.sync_data()?;
        }
        self.notes_len += text.len() as u64;
        self.noted = Noted { size: note.size, jseq, at_ns: self.shared.clock.mono_ns() };
        *lock(&self.shared.noted) = self.noted;
        Ok(())
    }

    /// The roots of the full subtrees under the last note: derived, never trusted, and only read when an operator accepts
    /// a gap. What goes wrong here is therefore no fault of the ledger.
    fn keep_frontier(&self, size: u64, frontier: &[[u8; 32]]) {
        let mut bytes = size.to_le_bytes().to_vec();
        frontier.iter().for_each(|hash| bytes.extend_from_slice(hash));
        let path = segment::FRONTIER;
        let file = self.files.open(path, Mode::Write).or_else(|_| self.files.open(path, Mode::Create));
        if let Ok(mut file) = file {
            drop(write_all(&mut *file, &bytes, 0));
        }
    }
}

fn offset(shared: &Shared) -> i128 {
    i128::from(shared.clock.wall_ns()) - i128::from(shared.clock.mono_ns())
}

const NS_PER_S: i64 = 1_000_000_000;
const NS_PER_MS: u64 = 1_000_000;
const CLOCK_MS_MAX: u128 = 500;
const SUSPECT_NS: u64 = 60_000_000_000;
const SUMMARIES_PER_RECORD: usize = 200;
