//! Which records belong to one human being, and why we think so.
//!
//! A *record* is one Patient as one source knows it, named by its logical id. A *person* is a set of records that are believed to be one
//! human being, named by the record that leads it. Nothing here is written anywhere: the answers follow from the records and from what
//! people and feeds have decided, whatever the order in which they came.
//!
//! The crate is pure: no clock, randomness, files or sockets. When in doubt between joining two people and asking, it asks.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

mod address;
pub mod batch;
mod birth;
mod block;
mod blocks;
pub mod capture;
mod cluster;
mod decide;
mod evidence;
mod explain;
mod fold;
pub mod forbidden;
mod form;
#[cfg(test)]
mod histories;
mod index;
mod journal;
mod keyed;
mod load;
pub mod mask;
mod measure;
mod model;
mod name;
pub mod number;
pub mod patient;
mod person;
mod phone;
mod place;
mod readings;
mod record;
mod regroup;
mod resolve;
mod review;
mod score;
mod shapes;
mod stated;
pub mod systems;
pub mod text;
mod train;
mod wording;

pub use block::{BlockKey, BlockKind};
pub use cluster::{Clusters, Constraints, Pair, Refused, cluster};
pub use decide::{Candidate, Decision, Found, Unproven, decide};
pub use explain::{Explanation, Line, explain};
pub use fold::{Fold, Ruling};
pub use index::Index;
pub use journal::{Decided, Entry, EntryError};
pub use keyed::{SiteKey, Token};
pub use load::Loading;
pub use model::{Model, ModelError};
pub use name::{FrequencyKeys, Level, NAME_KEYS_MAX, Name, NameLevel, NamePattern, compare as compare_names};
pub use person::{Bits, Grade, PersonId};
pub use record::Record;
pub use resolve::ResolveLimits;
pub use review::{Review, ReviewKind};
pub use score::{Scored, Veto, Vetoes, compare};
pub use stated::{Class, Marks, Obtained, Stated, StatedIdentifier, StatedName};
pub use systems::Systems;
pub use train::{TrainLimits, train};
pub use wording::{WORDING_LETTERS_MAX, Wording, WordingLevel};
