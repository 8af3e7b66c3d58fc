//! FHIR REST and ingest over HTTP: requests in, responses out; no sockets.
//!
//! A [`Service`] stands in front of a [`Desk`] and turns one `http::Request` into one released `http::Response`. The order is always
//! the same: the head is read and measured, the policy decides, the body is read, and one handler runs behind the gate, which is called
//! once around it. Point reads run where they are asked; everything longer waits for a thread of a [`Crew`].
//!
//! This crate alone knows what HTTP means to FHIR: the URL grammar (`route.rs`, one `match`), status codes (`status.rs`, one table from
//! issue to status), negotiation, Bundles and page links. It refuses to know sockets, TLS, files and the database.
//!
//! Start with `service.rs`.
//!
//! ```
//! // Every address of the service is a line of the route table.
//! assert!(dukou_api::ROUTES.iter().any(|route| route.name == "read" && route.pattern == "[type]/[id]"));
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

mod ask;
mod bundle;
mod capability;
mod capture;
mod card;
mod crew;
mod crossref;
mod cursor;
mod desk;
mod document;
mod entries;
mod etag;
mod fault;
mod finish;
mod gzip;
mod link;
mod matching;
mod merge;
mod message;
mod misses;
mod negotiate;
mod operation;
mod params;
mod percent;
mod read;
mod reply;
mod review;
mod route;
mod search;
mod service;
mod shape;
mod status;
mod telemetry;
#[cfg(test)]
mod tests;
mod write;

pub use crew::{Busy, Crew, Place};
pub use cursor::CursorKey;
pub use desk::{ClientCertificate, Connection, Desk, Limits, Links, Runtime};
pub use route::{ROUTES, RouteLine};
pub use service::Service;
