//! A query: conditions that must all hold, and how the result is to look.

mod parse;

use super::condition::Condition;
use super::{Include, Site, Sort, Summary, Total};
use crate::{Issue, ResourceType};

/// What to do with a parameter that is not known or not supported (header `Prefer: handling=`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handling {
    /// Refuse the query.
    #[default]
    Strict,
    /// Leave the parameter out and say so.
    Lenient,
}

/// How to read a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'o> {
    /// What to do with unknown parameters.
    pub handling: Handling,
    /// The server's zone and public base.
    pub site: Site<'o>,
    /// Matches on a page where the query does not say.
    pub count_default: u32,
    /// The largest page; larger wishes are lowered.
    pub count_max: u32,
    /// How many conditions a query may have.
    pub conditions_max: usize,
    /// How many values one condition may have, joined by commas.
    pub values_max: usize,
}

impl Default for Options<'_> {
    /// Strict, no site, pages of 20 and 1,000 at most, 50 conditions, 1,000 values.
    fn default() -> Self {
        Options {
            handling: Handling::Strict,
            site: Site::default(),
            count_default: 20,
            count_max: 1000,
            conditions_max: 50,
            values_max: 1000,
        }
    }
}

/// A search of one resource type.
#[derive(Clone, Debug)]
pub struct Query {
    kind: ResourceType,
    conditions: Vec<Condition>,
    sort: Vec<Sort>,
    includes: Vec<Include>,
    count: u32,
    total: Option<Total>,
    summary: Option<Summary>,
    elements: Vec<String>,
    used: Vec<(String, String)>,
    ignored: Vec<Ignored>,
    /// What was added by [`Query::narrow`], and the site: part of the query's identity.
    surroundings: Vec<String>,
}

/// A pair that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The name as sent.
    pub name: String,
    /// A warning that says why.
    pub note: Issue,
}

impl Query {
    /// Reads the pairs of a URL's query or a form, percent-decoded. `_format` and `_pretty` are passed over: they are
    /// not about the search.
    ///
    /// # Errors
    /// One issue for each pair that is wrong or, in strict handling, not known.
    pub fn parse(kind: ResourceType, pairs: &[(String, String)], options: &Options<'_>) -> Result<Query, Vec<Issue>> {
        parse::parse(kind, pairs, options)
    }

    /// The type searched.
    pub fn kind(&self) -> ResourceType {
        self.kind
    }

    /// The conditions, all of which must hold.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The keys to sort by, the first one first.
    pub fn sort(&self) -> &[Sort] {
        &self.sort
    }

    /// What comes along with the matches.
    pub fn includes(&self) -> &[Include] {
        &self.includes
    }

    /// Matches on a page; 0 asks only for the number of matches.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether only the number of matches is asked for: `_summary=count` or `_count=0`.
    pub fn counts_only(&self) -> bool {
        self.count == 0 || self.summary == Some(Summary::Count)
    }

    /// How the number of matches is asked for, where the query says.
    pub fn total(&self) -> Option<Total> {
        self.total
    }

    /// Which part of the resources is asked for, where the query says.
    pub fn summary(&self) -> Option<Summary> {
        self.summary
    }

    /// The elements asked for by `_elements`, as top-level names; empty for all.
    pub fn elements(&self) -> &[String] {
        &self.elements
    }

    /// The pairs that were used, in the order sent and as used (a lowered `_count`): those of the link `self`.
    pub fn self_pairs(&self) -> &[(String, String)] {
        &self.used
    }

    /// The pairs that were left out, each with a note for the client.
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// All that meets one condition, asked by the house itself.
    pub(crate) fn of_condition(condition: Condition) -> Query {
        Query {
            kind: condition.kind,
            conditions: vec![condition],
            sort: Vec::new(),
            includes: Vec::new(),
            count: u32::MAX,
            total: None,
            summary: None,
            elements: Vec::new(),
            used: Vec::new(),
            ignored: Vec::new(),
            surroundings: Vec::new(),
        }
    }

    pub(crate) fn take_shape(&mut self, other: &Query) {
        self.sort.clone_from(&other.sort);
        self.includes.clone_from(&other.includes);
        self.count = other.count;
        self.total = other.total;
        self.summary = other.summary;
        self.elements.clone_from(&other.elements);
        self.used.clone_from(&other.used);
    }

    pub(crate) fn conditions_mut(&mut self) -> &mut [Condition] {
        &mut self.conditions
    }

    /// Adds a condition that the client did not write: a compartment, the limit of its rights.
    pub fn narrow(&mut self, condition: Condition) {
        self.surroundings.push(condition.identity());
        self.conditions.push(condition);
    }

    /// Lets every identifier be found under each name of its system: see [`Condition::widen`]. What the client asked stays what it
    /// asked: the pairs of the link `self` and the query's identity are as before.
    pub fn widen(&mut self, names: &dyn Fn(&str, &str) -> Vec<super::Alias>) {
        self.conditions.iter_mut().for_each(|condition| condition.widen(names));
    }

    /// Bytes that are equal for equal queries and, but for the order of conditions, only for them. To bind the links of
    /// a result to its query.
    pub fn canonical(&self) -> Vec<u8> {
        let mut pairs: Vec<(&str, &str)> =
            self.used.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        pairs.sort_unstable();
        let mut bytes = Vec::new();
        let mut add = |part: &str| {
            bytes.extend((part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        };
        add(self.kind.as_str());
        self.surroundings.iter().for_each(|part| add(part));
        add("");
        for (name, value) in pairs {
            add(name);
            add(value);
        }
        bytes
    }
}
