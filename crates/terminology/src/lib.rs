//! Code tables: a code of a sender in, a code of FHIR out, or a named gap.
//!
//! A [`Table`] is rows with a direction each and one rule for codes that no row names. Tables come from CSV files with a
//! head that states source, target, version and date ([`Tables::load`]), or from rows that stand in a map
//! ([`Table::build`]); both are checked the same way: what leads both ways must be one to one.
//!
//! This crate opens no file and knows neither messages nor resources. It refuses to guess: a code without a row is
//! answered by the table's own `else`, never by a likeness.
//!
//! Start with [`Tables::load`] and [`Table::translate`].
//!
//! ```
//! use dukou_terminology::{Tables, Translation};
//!
//! let file = "table,sex\nsource,\ntarget,http://hl7.org/fhir/administrative-gender\nversion,1\ndate,2024-01-01\n\
//!             code,op,target,display\nM,<->,male,Male\nelse,->,unknown,\n";
//! let tables = Tables::load(vec![("sex.csv".to_owned(), file.to_owned())]).map_err(|faults| faults[0].to_string())?;
//! let sex = tables.table("sex").ok_or("no table")?;
//! let Translation::Coded(found) = sex.translate("M") else { return Err("no row".into()) };
//! assert_eq!((found.code.as_ref(), found.lossy), ("male", false));
//! assert_eq!(sex.reverse("male"), Some("M"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may fail loudly"))]

mod codes;
mod concept_map;
mod csv;
pub mod gb11643;
mod table;

pub use concept_map::ImportError;
pub use csv::{LoadError, Tables};
pub use table::{Coded, Direction, Fault, FaultKind, Head, Otherwise, Row, Table, Translation};
