//! The ledger: opened once, completed from the store, served, stopped.

use std::sync::Arc;

use crate::clock::{Clock, Random};
use crate::gate::{Gate, StoreSeal};
use crate::keys::Keys;
use crate::queue::Shared;
use crate::record::RecordBytes;
use crate::storage::Files;

/// Sizes, waits and facts about the program. All sizes are bytes.
pub struct Options {
    /// Size of a segment after the first. At least 64 KiB.
    pub segment_bytes: u64,
    /// Size of the first segment of each run. At least 64 KiB.
    pub first_segment_bytes: u64,
    /// Size of the reserve. At least 64 KiB.
    pub reserve_bytes: u64,
    /// Records that may wait for the writer.
    pub queue_records_max: usize,
    /// How long a new request waits for a busy ledger, milliseconds.
    pub admission_wait_ms: u64,
    /// How long an answer waits for its queued record, milliseconds.
    pub answer_wait_ms_max: u64,
    /// A note is signed after this time if something changed, milliseconds.
    pub note_interval_ms: u64,
    /// A note is signed after this number of leaves at the latest.
    pub note_leaves: u64,
    /// A heartbeat is written after this time, milliseconds.
    pub heartbeat_ms: u64,
    /// Offset of local time from UTC, minutes.
    pub zone_minutes: i16,
    /// Number of this node in its store.
    pub node: u16,
    /// SHA-256 of the program file, for the START record.
    pub program_sha256: [u8; 32],
    /// SHA-256 of the configuration in force.
    pub config_sha256: [u8; 32],
    /// SHA-256 of the policy in force.
    pub policy_sha256: [u8; 32],
    /// Whether the ledger runs its own threads. Without them each wait on a [`crate::Pending`] turns the writer once, and
    /// [`Ledger::tick`] does the keeper's work: a run is then repeatable.
    pub threads: bool,
    /// Called once, from the failing thread, when a write or a sync has failed. The process should exit with code 75.
    pub on_poison: Option<Box<dyn Fn(&str) + Send + Sync>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            first_segment_bytes: 1 << 20,
            reserve_bytes: 32 << 20,
            queue_records_max: 4_096,
            admission_wait_ms: 250,
            answer_wait_ms_max: 5_000,
            note_interval_ms: 1_000,
            note_leaves: 65_536,
            heartbeat_ms: 30_000,
            zone_minutes: 480,
            node: 0,
            program_sha256: [0; 32],
            config_sha256: [0; 32],
            policy_sha256: [0; 32],
            threads: true,
            on_poison: None,
        }
    }
}

impl Options {
    /// Longest run of one record and its continuations: a frame must fit the smallest segment several times.
    pub(crate) fn chain_bytes_max(&self) -> usize {
        let smallest = self
            .segment_bytes
            .min(self.first_segment_bytes)
            .min(self.reserve_bytes);
        usize::try_from(smallest / 8)
            .unwrap_or(CHAIN_BYTES_MAX)
            .min(CHAIN_BYTES_MAX)
    }
}

/// An open ledger. Dropping it without [`Ledger::stop`] is a crash, and the next start says so.
pub struct Ledger {
    shared: Arc<Shared>,
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
        _files: &dyn Files,
        _keys: &Keys,
        _origin: &str,
        _options: &Options,
        _clock: &dyn Clock,
    ) -> Result<(), OpenError> {
        Err(OpenError::NotALedger)
    }

    /// Opens a ledger, recovers what a crash left, and makes durable again what recovery found. The gate stays closed
    /// until [`Ledger::complete`].
    ///
    /// # Errors
    /// [`OpenError`]; the ledger is then as it was.
    pub fn open(
        _files: Arc<dyn Files>,
        _keys: Keys,
        _options: Options,
        _clock: Arc<dyn Clock>,
        _random: Arc<dyn Random>,
    ) -> Result<Opened, OpenError> {
        Err(OpenError::NotALedger)
    }

    /// Completes the ledger from the store and opens the gate. `store_jseq` is the highest `jseq` the store ever gave;
    /// `rows` are its pending rows above [`Opened::last_jseq`], in order.
    ///
    /// # Errors
    /// [`CompleteError`]; the gate then stays closed.
    pub fn complete(
        &self,
        _store_jseq: u64,
        _rows: Vec<(u64, RecordBytes)>,
    ) -> Result<(), CompleteError> {
        Ok(())
    }

    /// Highest `jseq` covered by a signed note: rows up to it may be trimmed from the store.
    #[must_use]
    pub fn noted_jseq(&self) -> u64 {
        0
    }

    /// Whether a write or sync has failed.
    #[must_use]
    pub fn poisoned(&self) -> bool {
        self.shared.standing() == crate::Standing::Poisoned
    }

    /// Figures for operators; no patient data.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics::default()
    }

    /// The keeper's work of this moment: notes, heartbeat, clock, summaries, next segment. Only without threads.
    pub fn tick(&self) {}

    /// Stops in good order: what is queued becomes durable, then STOP and a last note.
    ///
    /// # Errors
    /// [`StopError`] if the ledger is poisoned.
    pub fn stop(self) -> Result<(), StopError> {
        Ok(())
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

/// Why a ledger does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no ledger in the folder, or its origin file is broken.
    #[error("the folder does not hold a ledger")]
    NotALedger,
}

/// Why the ledger cannot be completed from the store.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    /// The store lost commits or comes from an old backup.
    #[error(
        "the store ends at row {store}, the ledger names row {ledger}: run dukou audit accept --rollback"
    )]
    StoreBehind {
        /// Highest row of the store.
        store: u64,
        /// Highest row in the ledger.
        ledger: u64,
    },
}

/// Why a stop was not clean.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The ledger was poisoned before.
    #[error("the ledger is poisoned; its next start will recover")]
    Poisoned,
}

const CHAIN_BYTES_MAX: usize = 1 << 20;
