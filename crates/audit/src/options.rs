//! Sizes, waits and facts that the program hands to its ledger.

/// Told why the ledger was poisoned.
pub type PoisonSignal = Box<dyn Fn(&str) + Send + Sync>;

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
    /// A heartbeat is written at this pace, milliseconds; at most 60,000.
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
    /// [`crate::Ledger::tick`] does the keeper's work: a run is then repeatable.
    pub threads: bool,
    /// Called once, from the failing thread, when a write or a sync has failed. The process should exit with code 75.
    pub on_poison: Option<PoisonSignal>,
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
        let smallest = self.segment_bytes.min(self.first_segment_bytes).min(self.reserve_bytes);
        usize::try_from(smallest / 4).unwrap_or(CHAIN_BYTES_MAX).min(CHAIN_BYTES_MAX)
    }
}

const CHAIN_BYTES_MAX: usize = 1 << 20;
