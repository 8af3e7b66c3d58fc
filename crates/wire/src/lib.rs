//! Turns hostile bytes into message trees and message trees back into bytes.
//!
//! The road is the same for every input: bytes, a frame ([`mllp`]), the character set gate ([`charset`]), an index over
//! the decoded text, and leaves that are decoded only when they are read ([`Node::text`]). Whatever the format, it ends
//! at one [`Message`]: [`er7`] and [`delimited`] messages have segments, [`xml`] (with [`cda`]) and [`json`] have a tree,
//! all have leaves with paths. [`sniff`] guesses the format.
//!
//! This crate refuses to know sockets, clocks, random numbers, FHIR, and what a value means to a clinician. Times, new
//! control ids and limits are arguments, so that the same bytes give the same tree on every machine.
//!
//! Start with [`er7::parse`]:
//!
//! ```
//! use dukou_wire::{Limits, Path, Site, er7};
//!
//! let bytes = b"MSH|^~\\&|LIS|GMSQ|||20261111||ORU^R01|1|P|2.4\rPID|1||86001^^^GMSQ^PI\r";
//! let (message, issues) = er7::parse(bytes, &Limits::default(), &Site::default())?;
//! let path = Path::parse("PID-3.4")?;
//! assert_eq!(message.get(&path).map(|node| node.text().into_owned()).as_deref(), Some("GMSQ"));
//! assert!(issues.is_empty());
//! assert_eq!(er7::print(&message), bytes);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

pub mod ack;
pub mod batch;
pub mod cda;
pub mod charset;
pub mod continuation;
pub mod delimited;
pub mod document;
pub mod draft;
pub mod duplicate;
pub mod edit;
mod element;
pub mod er7;
pub mod escape;
pub mod facts;
mod format;
pub mod groups;
mod header;
mod index;
mod inner;
mod inspect;
pub mod invariants;
mod issue;
pub mod json;
mod leaf;
mod limits;
mod message;
pub mod mllp;
mod node;
pub mod ordering;
mod path;
mod pieces;
mod place;
mod refusal;
mod segment;
pub mod sequence;
mod strip;
mod target;
mod transcode;
mod tree;
mod write;
pub mod xml;

pub use ack::Ack;
pub use charset::Charset;
pub use element::{Attribute, Element};
pub use format::{Format, sniff};
pub use header::Header;
pub use index::Delimiters;
pub use issue::{Issue, IssueCode, Numbers, Severity};
pub use leaf::{Leaf, Leaves};
pub use limits::{Limits, Site};
pub use message::Message;
pub use node::{Level, Node, Presence};
pub use path::{Column, GroupStep, Path, PathError, RowKind, Step};
pub use place::Place;
pub use refusal::{NotAMessage, SetError};
pub use segment::Segment;
pub use strip::Stripped;
pub use target::Target;
