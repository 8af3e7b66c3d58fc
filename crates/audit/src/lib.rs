//! The tamper-evident ledger and the only gate through which an answer leaves.
//!
//! No byte about a patient leaves, and no change to a patient stays, without a durable record that someone outside can
//! check. The store hands out [`Unreleased`] and [`Committed`] values, the doors write only [`Released`] ones, and the one
//! way between them is the [`Gate`], after the record is durable.
//!
//! This crate refuses to know FHIR, HTTP, sockets and runtimes. Clock, random bytes and storage are arguments. The format
//! on disk is written down byte by byte in `FORMAT.md` beside the sources. Start reading at [`Gate::read`].
//!
//! ```
//! use std::sync::Arc;
//! use dukou_audit::*;
//!
//! let disk = storage::Faulty::new(); // `storage::Disk::new(folder)` in earnest
//! let clock = Arc::new(ManualClock::new(1_772_323_200_000_000_000));
//! let random = Arc::new(SeededRandom::new(1));
//! let options = || Options { threads: false, ..Options::default() };
//! Ledger::create(&disk, &Keys::generate(&*random).unwrap(), "ward.example/log", &options(), &*clock).unwrap();
//! # let random = Arc::new(SeededRandom::new(1));
//! let keys = Keys::generate(&*random).unwrap();
//! let mut opened = Ledger::open(Arc::new(disk), keys, options(), clock, random).unwrap();
//! opened.ledger.complete(0, Vec::new()).unwrap();
//!
//! let act = Admin { access: None, act: "policy-load", detail: Vec::new(), outcome: Outcome::default() };
//! let released = opened.gate.admin(&act).wait().unwrap();
//! assert!(released.receipt().unwrap().to_string().starts_with("ward.example/log 3 "));
//! opened.ledger.stop().unwrap();
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

mod accept;
mod access;
mod carry;
mod cbor;
mod clock;
mod decode;
mod epochs;
mod frame;
mod gate;
mod keeper;
mod kept;
mod keys;
mod ledger;
mod note;
mod options;
mod origin;
mod outcome;
mod queue;
mod reader;
mod record;
mod recovery;
mod release;
mod sealing;
mod segment;
pub mod storage;
mod summary;
mod supply;
mod ticket;
mod tree;
mod verify;
mod writer;

pub use accept::{AcceptError, Decree, accept_gap, accept_rollback};
pub use access::{
    Access, Client, ClientId, Decision, Grant, Interaction, MessageRef, Peer, Purpose, Reach, RequestId, Right, Rights,
    User,
};
pub use clock::{Clock, ManualClock, Random, SeededRandom};
pub use gate::{Admin, Failure, Gate, Intent, Permit, RecordDraft, StoreSeal, Summary};
pub use kept::Kept;
pub use keys::{Keys, KeysError};
pub use ledger::{CompleteError, Ledger, Metrics, Opened, StopError};
pub use options::{Options, PoisonSignal};
pub use outcome::{How, Labels, Outcome, Recorded, Shown, ShownResource, Stamps, SubEntry, Written};
pub use queue::Standing;
pub use reader::{Entry, EntryResource, Question, Reader, Viewer, leaf_hashes, viewers};
pub use record::{NotARecord, RecordBytes};
pub use recovery::OpenError;
pub use release::{Carried, Closed, ClosedReason, Committed, Receipt, Released, Settled, Unreleased};
pub use ticket::{Answer, Pending, Ticket};
pub use verify::{Finding, Report, Verdict, verify};

#[cfg(test)]
mod tests;
