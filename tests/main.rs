//! What the house promises as a whole: tests that need more than one crate, in one binary.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "tests wait and measure by the real clock")]

mod corpus;
mod coverage;
mod crossing;
mod decisions;
mod documents;
mod doors;
mod febrl;
mod fuzz;
mod golden;
mod identity;
mod ledger;
mod maps;
mod node;
mod populations;
mod samples;
mod simulation;
mod tidy;
mod tour;
