//! Deliveries to be made, each written in the commit that causes it.

use dukou_fhir::Instant;

/// A delivery to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxWrite {
    /// The destination.
    pub target: String,
    /// The ordering key, usually the patient: rows of one target and lane are delivered in order.
    pub lane: String,
    /// What is delivered.
    pub what: Payload,
    /// Not before this instant.
    pub due: Instant,
}

/// What a delivery carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The version that this put of the same batch writes.
    Put(usize),
    /// An earlier version, by its `seq`.
    Version(u64),
}

/// A delivery as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number, rising in the order of the commits.
    pub number: u64,
    /// The destination.
    pub target: String,
    /// The ordering key.
    pub lane: String,
    /// The `seq` of the version it carries.
    pub what: u64,
    /// Not before this instant.
    pub due: Instant,
    /// Claimed until this instant.
    pub lease: Instant,
    /// Attempts begun.
    pub attempts: u32,
    /// The ledger leaf of the last INTENT: an attempt whose end is unknown asks with it, it does not resend blindly.
    pub intent: Option<u64>,
    /// Where it stands.
    pub state: OutboxState,
    /// Why it is dead.
    pub reason: Option<String>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboxState {
    /// It is to be made, or tried again.
    Waiting,
    /// The receiver has it.
    Delivered,
    /// It is given up until a person sends it again.
    Dead,
}

impl OutboxState {
    pub(crate) fn code(self) -> i64 {
        match self {
            OutboxState::Waiting => 0,
            OutboxState::Delivered => 1,
            OutboxState::Dead => 2,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<OutboxState> {
        match code {
            0 => Some(OutboxState::Waiting),
            1 => Some(OutboxState::Delivered),
            2 => Some(OutboxState::Dead),
            _ => None,
        }
    }
}

/// Which deliveries to claim.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The destination.
    pub target: String,
    /// The present time: rows due by then, and not leased beyond it, are ready.
    pub now: Instant,
    /// The claim ends by itself at this instant.
    pub lease: Instant,
    /// Rows to claim, at most.
    pub count: usize,
}

/// What became of a claimed delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The INTENT of an attempt is durable in the ledger at this leaf; the claim goes on.
    Intent(u64),
    /// The receiver has it.
    Delivered,
    /// To be tried again, not before this instant.
    Retry(Instant),
    /// Given up, for this reason class.
    Dead(String),
    /// A person sends a dead delivery again.
    Again(Instant),
}
