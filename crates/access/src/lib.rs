//! Decides who may ask what, for which purpose, and says why.
//!
//! A [`Policy`] is loaded from partner files and token files that the caller has already read; [`Policy::decide`] runs the checks
//! in one fixed order (rate, authentication, purpose, partner, scope, compartment) and ends at the first refusal. Nothing is
//! allowed by absence: without a partner file there is no client, without a scope there is no right.
//!
//! It refuses to know sockets, HTTP, files, the clock and the store. Time is a field of the [`Request`]; tokens are hashed when the
//! policy is loaded and only their hashes are kept.
//!
//! Start reading at `policy.rs`. A policy that lets one client read:
//!
//! ```
//! use dukou_access::{PartnerFile, Policy, PolicyFiles};
//!
//! let text = r#"
//! [partner]
//! id = "east-campus"
//! name = "East campus laboratory"
//! contact = "duty desk 199000000xx"
//! purposes = ["TREAT"]
//! resources = ["Observation"]
//! interactions = ["read", "search"]
//! addresses = ["127.0.0.0/8"]
//!
//! [[client]]
//! id = "viewer"
//! certificate_sha256 = ["0000000000000000000000000000000000000000000000000000000000000001"]
//! scopes = "system/Observation.rs"
//! default_purpose = "TREAT"
//!
//! [[allow]]
//! client = "viewer"
//! interaction = "read"
//! resource = "Observation"
//!
//! [[deny]]
//! client = "viewer"
//! interaction = "delete"
//! resource = "Observation"
//! step = "partner"
//! "#;
//! let files = PolicyFiles {
//!     partners: vec![PartnerFile { name: "east-campus.toml".into(), text: text.into() }],
//!     tokens: Vec::new(),
//! };
//! let policy = Policy::load(files).expect("the examples in the file hold");
//! assert_eq!(policy.client_count(), 1);
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

mod address;
mod credential;
mod decide;
mod example;
mod fault;
mod load;
mod partner;
mod policy;
mod rate;
mod refusal;
mod request;
mod scope;
#[cfg(test)]
mod tests;

pub use credential::{Certificate, Channel, Credential};
pub use fault::LoadError;
pub use partner::{PartnerFile, PolicyFiles, TokenFile};
pub use policy::{ClientSettings, Policy, Role};
pub use rate::{Meter, Rate};
pub use refusal::{Code, Refusal, Step};
pub use request::Request;
pub use scope::{Context, Scope, ScopeError};
