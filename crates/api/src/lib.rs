//! FHIR REST and ingest over HTTP: requests in, responses out; no sockets.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

mod crew;

pub use crew::{Busy, Crew, Place};
