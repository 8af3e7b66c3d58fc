//! Received messages, and the lanes they wait in.

use bytes::Bytes;
use dukou_fhir::Instant;

/// What makes a message the same message again. The payload hash stands beside it, not in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboxKey {
    /// The authenticated client.
    pub client: String,
    /// MSH-3 sending application.
    pub application: String,
    /// MSH-4 sending facility.
    pub facility: String,
    /// MSH-10 message control id; where it is empty, the payload hash in hexadecimal stands for it. Other formats: the row key.
    pub control_id: String,
    /// The date of MSH-7, where the site uses control ids again each day; else empty.
    pub day: String,
}

/// What a batch does to the inbox.
#[allow(clippy::large_enum_variant, reason = "one a batch, and the large variant is the usual one")]
pub enum InboxWrite {
    /// Keeps a new message. A key that is there already fails the batch with [`Error::Duplicate`](crate::Error::Duplicate).
    Receive(Received),
    /// Carries an earlier message on: the step that applies it, parks it or stores its answer.
    Advance {
        /// The number of its row.
        number: u64,
        /// The states it may be in; any other fails the batch with [`Error::InboxState`](crate::Error::InboxState), so that no step is done
        /// twice.
        from: Vec<InboxState>,
        /// The state it takes.
        state: InboxState,
        /// Why, where it is parked or in error.
        reason: Option<String>,
        /// Answers to keep; what is absent stays as it was.
        answers: Answers,
    },
}

impl InboxWrite {
    pub(crate) fn weight(&self) -> usize {
        match self {
            InboxWrite::Receive(received) => received.raw.len() + 256,
            InboxWrite::Advance { .. } => 256,
        }
    }
}

/// A message to keep.
pub struct Received {
    /// Its key.
    pub key: InboxKey,
    /// The bytes as received.
    pub raw: Bytes,
    /// SHA-256 of those bytes.
    pub sha256: [u8; 32],
    /// The state it begins in.
    pub state: InboxState,
    /// Why, where it is parked or in error.
    pub reason: Option<String>,
    /// The link or channel it came over.
    pub link: String,
    /// The ordering key of its lane.
    pub lane: String,
    /// The answers given so far.
    pub answers: Answers,
}

/// The acknowledgements stored with a message, as exact bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The accept acknowledgement (CA, CE, CR) of enhanced mode.
    pub accept: Option<Bytes>,
    /// The application acknowledgement (AA, AE, AR).
    pub application: Option<Bytes>,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxState {
    /// Its bytes are durable; nothing else is done.
    Received,
    /// It waits in its lane.
    Queued,
    /// It is applied; its resources stand.
    Transformed,
    /// A filter held it back; nothing is to be applied.
    Filtered,
    /// It could not be applied and is given up.
    Error,
    /// It waits for a person or a rule.
    Parked,
    /// A person decided that it needs nothing more.
    Dismissed,
}

impl InboxState {
    /// States below 10 are unfinished: a start takes them up again.
    pub(crate) fn code(self) -> i64 {
        match self {
            InboxState::Received => 0,
            InboxState::Queued => 1,
            InboxState::Transformed => 10,
            InboxState::Filtered => 11,
            InboxState::Error => 12,
            InboxState::Parked => 13,
            InboxState::Dismissed => 14,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<InboxState> {
        ALL_STATES.into_iter().find(|state| state.code() == code)
    }

    /// Whether a start takes the message up again.
    pub fn is_unfinished(self) -> bool {
        self.code() < 10
    }
}

/// A stored message without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// Its number, rising in order of arrival.
    pub number: u64,
    /// Its key.
    pub key: InboxKey,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// When it was stored.
    pub received: Instant,
    /// Where it stands.
    pub state: InboxState,
    /// Why, where it is parked or in error.
    pub reason: Option<String>,
    /// The link or channel it came over.
    pub link: String,
    /// The ordering key of its lane.
    pub lane: String,
    /// Its stored answers.
    pub answers: Answers,
}

/// A change of a lane. Its token must not be lower than the stored one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneWrite {
    /// The ordering key.
    pub lane: String,
    /// Who works on it.
    pub owner: String,
    /// The fencing token of that owner; a take-over comes with a higher one.
    pub token: u64,
    /// The state it takes.
    pub state: LaneState,
    /// The reason class, where it is parked.
    pub reason: Option<String>,
}

/// Whether a lane moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneState {
    /// It takes the next message.
    Running,
    /// A message stopped it.
    Parked,
}

impl LaneState {
    pub(crate) fn code(self) -> i64 {
        match self {
            LaneState::Running => 0,
            LaneState::Parked => 1,
        }
    }

    pub(crate) fn from_code(code: i64) -> Option<LaneState> {
        match code {
            0 => Some(LaneState::Running),
            1 => Some(LaneState::Parked),
            _ => None,
        }
    }
}

/// A lane as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneRow {
    /// What was last written.
    pub write: LaneWrite,
    /// The last message that moved it.
    pub message: Option<u64>,
}

const ALL_STATES: [InboxState; 7] = [
    InboxState::Received,
    InboxState::Queued,
    InboxState::Transformed,
    InboxState::Filtered,
    InboxState::Error,
    InboxState::Parked,
    InboxState::Dismissed,
];
