//! HL7 FHIR R4 (4.0.1) resources as lossless trees beside a table of the published definitions.
//!
//! A gateway carries what it does not understand, so a resource here is a [`Value`]: member order and number text are
//! kept, nothing passes through a binary float or a generated struct. What R4 says about a resource (its elements,
//! types, cardinalities, required codes) stands in [`schema`], a table read once from committed data files, and
//! [`validate`] compares the two and names every fault with its place.
//!
//! This crate knows no HTTP, no storage, no clock, no randomness and no other crate of the house.
//!
//! Start with [`json::parse`] and [`json::print`], then [`validate::validate`] and [`Draft`].
//!
//! ```
//! use dukou_fhir::{Instant, ResourceKey, VersionId, Draft, json, validate};
//!
//! let body = br#"{"resourceType":"Patient","birthDate":"1980-02-30"}"#;
//! let patient = json::parse(body, &json::Limits::default())?;
//! let issues = validate::validate(&patient, &validate::Options::default());
//! assert_eq!(issues[0].expression, ["Patient.birthDate"]);
//!
//! let key = ResourceKey::parse("Patient/p1").ok_or("not a key")?;
//! let draft = Draft::new(&patient, key)?;
//! let bytes = draft.stamp(VersionId::FIRST, Instant::from_millis(0));
//! assert!(bytes.starts_with(br#"{"resourceType":"Patient","id":"p1","meta":{"versionId":"1","#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

#[cfg(test)]
mod corpus;
mod date_time;
mod draft;
mod forest;
pub mod invariants;
mod issue;
pub mod json;
mod key;
mod outcome;
pub mod path;
pub mod reference;
mod resource_type;
pub mod schema;
pub mod search;
pub mod validate;
mod value;

pub use date_time::{FhirDateTime, Instant, Offset, Precision, Time};
pub use draft::{Draft, DraftError};
pub use forest::{Branch, Forest, NodeId, Printer};
pub use issue::{Issue, IssueType, Position, Severity, Text};
pub use key::{LogicalId, ResourceKey, VersionId};
pub use outcome::{Language, OperationOutcome};
pub use reference::{Identifier, Reference};
pub use resource_type::ResourceType;
pub use value::{Object, Value};
