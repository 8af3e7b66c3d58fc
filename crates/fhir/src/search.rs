//! Search (R4, 3.1.1): parameters, queries, posting keys.
//!
//! A store keeps the [`keys()`] of each current resource, sorted. A [`Query`] is parsed from the pairs of a URL; each
//! of its [`Condition`]s names the keys or key ranges whose resources may match ([`Condition::lookup`]) and says
//! whether the body must be asked as well ([`Condition::matches`], the full truth). [`scan()`] answers the same query
//! without any index; both ways give the same resources.
//!
//! What is not understood is refused by name. Nothing is left out in silence.
//!
//! ```
//! use dukou_fhir::{ResourceType, json, search};
//!
//! let pairs = [("family".to_owned(), "muller".to_owned()), ("birthdate".to_owned(), "ge1980".to_owned())];
//! let query = search::Query::parse(ResourceType::PATIENT, &pairs, &search::Options::default()).map_err(|_| "refused")?;
//! let patient = json::parse("{\"resourceType\":\"Patient\",\"id\":\"1\",\"birthDate\":\"1980-05-01\",
//!     \"name\":[{\"family\":\"Müller\"}]}".as_bytes(), &json::Limits::default())?;
//! assert!(query.conditions().iter().all(|condition| condition.matches(&patient)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alias;
mod comparator;
mod compartment;
mod condition;
mod date;
mod decimal;
mod fold;
mod grammar;
mod include;
mod keys;
mod number;
mod pairs;
pub mod parameters;
mod persons;
mod posting;
mod query;
mod reference;
mod refusal;
mod result;
mod scan;
mod sort;
mod string;
mod token;
mod uri;
mod values;

#[cfg(test)]
mod tests;

pub use alias::Alias;
pub use compartment::{in_compartment, patients};
pub use condition::{Condition, Join, JoinBranch, Lookup};
pub use include::{Direction, Include, includes, reverse_includes};
pub use keys::{keys, last_updated_keys};
pub use pairs::{pairs, types};
pub use parameters::{Parameter, Unsupported};
pub use persons::{IN_DOUBT, SamePerson, other_in_doubt};
pub use posting::{KeyRange, PostingKey};
pub use query::{Handling, Ignored, Options, Query};
pub use result::{Summary, Total};
pub use scan::scan;
pub use sort::Sort;

use crate::Offset;

/// What a server says about itself where resources leave it open. An index is rebuilt when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site<'s> {
    /// The zone of dates and times that say none.
    pub zone: Offset,
    /// The public base of the server without a slash at its end; absolute URLs below it are its own resources.
    pub base: Option<&'s str>,
}

impl Default for Site<'_> {
    /// UTC, and no URL is our own.
    fn default() -> Self {
        Site { zone: Offset::UTC, base: None }
    }
}

/// How the values of a parameter are compared (value set search-param-type).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Codes and identifiers.
    Token,
    /// Text, folded.
    String,
    /// Ranges of time.
    Date,
    /// Other resources.
    Reference,
    /// Exact numbers.
    Number,
    /// Exact numbers with a unit.
    Quantity,
    /// URIs.
    Uri,
    /// Several values within one element.
    Composite,
    /// A search of its own; none is offered.
    Special,
}

impl Kind {
    /// The code of the value set.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Token => "token",
            Kind::String => "string",
            Kind::Date => "date",
            Kind::Reference => "reference",
            Kind::Number => "number",
            Kind::Quantity => "quantity",
            Kind::Uri => "uri",
            Kind::Composite => "composite",
            Kind::Special => "special",
        }
    }

    /// The kind with that code.
    pub fn parse(code: &str) -> Option<Kind> {
        let all = [
            Kind::Token,
            Kind::String,
            Kind::Date,
            Kind::Reference,
            Kind::Number,
            Kind::Quantity,
            Kind::Uri,
            Kind::Composite,
            Kind::Special,
        ];
        all.into_iter().find(|kind| kind.as_str() == code)
    }
}
