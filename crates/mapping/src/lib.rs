//! Compiles declarative maps between HL7 v2 and FHIR R4 and applies them as a total function.
//!
//! A map says once how a message and resources correspond, one rule a line. [`compile`] reads maps, lenses and overlays,
//! checks every name and type against the R4 schema table and the v2 dictionary, and gives a [`Program`]; all errors of
//! all files come in one run, with file, line, column and a hint. [`Program::to_fhir`] never fails: what cannot be
//! mapped is refused with an issue, and [`Accounts`] says of every leaf of the message what became of it.
//!
//! This crate refuses to know clocks, files, sockets, and what is stored already: a [`Change`] is applied to the stored
//! version by the caller. It never guesses a value and keeps none silently.
//!
//! Start with [`compile`] and [`Program::to_fhir`]; the language is told in `mappings/README.md`.
//!
//! ```
//! use dukou_mapping::{Site, SourceFile, compile};
//! use dukou_terminology::Tables;
//! use dukou_wire::{Limits, er7};
//!
//! let map = "map: patient\nv2: {versions: 2.1-2.8}\nmode: snapshot\nfhir: Patient\n\
//!            id: {key: \"PID-3[first]\", weak: error}\nrules:\n  born: PID-7 <-> birthDate\n  sex: PID-8.1 <-> gender table sex\n\
//!            tables:\n  sex: [M <-> male, F <-> female, else -> unknown]\n";
//! let files = [SourceFile { name: "patient.fmap.yaml".into(), text: map.into() }];
//! let program = compile(&files, &Tables::default()).map_err(|found| found[0].to_string())?;
//!
//! let bytes = b"MSH|^~\\&|HIS|H|||20240102||ADT^A08|1|P|2.4\rPID|1||86001^^^H||\xE5\xBC\xA0^\xE4\xBC\x9F||19800131|M\r";
//! let (message, _) = er7::parse(bytes, &Limits::default(), &dukou_wire::Site::default())?;
//! let site = Site { id: "demo", zone: "+08:00" };
//! let mapped = program.to_fhir(&message, &site);
//! let patient = mapped.changes[0].apply(None);
//! assert_eq!(patient.text_at("birthDate"), Some("1980-01-31"));
//! let sums = &mapped.accounts;
//! assert_eq!(sums.leaves, sums.emitted + sums.complement + sums.dropped + sums.reported);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

mod attachment;
mod builtin;
mod change;
mod checks;
mod clauses;
mod compile;
mod compiler;
mod compose;
mod concept;
mod constants;
mod container;
mod decisions;
mod diagnostic;
mod display;
mod example;
mod exclusive;
mod explain;
mod export;
mod facts;
mod file;
mod finish;
mod gate;
mod grammar;
mod guard;
mod guide;
mod heads;
mod identify;
mod instances;
mod lens;
mod lens_choice;
mod limit;
mod load;
mod mapped;
mod memory;
mod moment;
mod number;
mod open;
mod operations;
mod overlay;
mod path_text;
mod path_tree;
mod place;
mod plan;
mod quick;
mod reading;
mod records;
mod refusal;
mod remainder;
mod reverse;
mod rule;
mod run;
mod section;
mod sheet;
mod slice;
mod slot;
mod source_head;
mod source_plan;
mod sources;
mod spelling;
mod table_text;
mod tally;
mod targets;
#[cfg(test)]
mod tests;
mod trace;
mod tree_sources;
mod unified;
mod unused;
mod write;
mod yaml;

pub use change::{Change, Clear};
pub use compile::compile;
pub use container::container_schema;
pub use diagnostic::{Diagnostic, DiagnosticSeverity};
pub use example::{Cause, Example, ExampleFailure};
pub use explain::{Explanation, covers};
pub use guide::{Guide, GuideRow, GuideStatus};
pub use load::load;
pub use mapped::{Facts, Mapped, Named, Told};
pub use place::SourceFile;
pub use plan::Program;
pub use records::{Record, Records};
pub use reverse::{FromFhirError, Outbound, ViewAccounts, Written};
pub use run::Site;
pub use tally::{AccountLine, Accounts, LeafClass};
pub use trace::{Trace, TraceLine};
pub use unified::unified_diff;
