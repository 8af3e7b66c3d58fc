//! The head `identity` of a map: which events decide about the identity of what the map makes, and in which fields the other identifiers
//! stand (HL7 v2, chapter 3, merging, moving and changing identifiers).

use crate::diagnostic::Findings;
use crate::file::taken;
use crate::grammar;
use crate::rule::{Alternative, Dialect, Source};
use crate::section::Section;

/// One line of the head as it is written.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) is: Is,
    pub(crate) events: Vec<String>,
    /// The identifier that was used until now.
    pub(crate) prior: Option<Source>,
    /// The identifier in its place, where it is not that of the resource.
    pub(crate) now: Option<Source>,
    /// Whose it was, and whose it is, where a message names both.
    pub(crate) from: Option<Source>,
    pub(crate) to: Option<Source>,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Is {
    Merge,
    Link,
    Unlink,
    Move,
    Change,
    Delete,
}

/// The same, compiled.
#[derive(Debug)]
pub(crate) struct DecisionPlan {
    pub(crate) is: Is,
    pub(crate) events: Vec<String>,
    pub(crate) prior: Vec<Place>,
    pub(crate) now: Vec<Place>,
    pub(crate) from: Vec<Place>,
    pub(crate) to: Vec<Place>,
}

/// A field in which an identifier stands in place of that of the id key.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) segment: String,
    pub(crate) field: u16,
}

/// Reads the head.
pub(crate) fn read(section: &Section<'_>, findings: &mut Findings<'_>) -> Vec<Decision> {
    let lines = section.list("identity", findings);
    lines.iter().filter_map(|line| decision(&Section::new(line, "a line of 'identity'", findings)?, findings)).collect()
}

fn decision(line: &Section<'_>, findings: &mut Findings<'_>) -> Option<Decision> {
    line.only(&["is", "on", "prior", "now", "from", "to"], findings);
    let word = line.text("is", findings)?;
    let Some(is) = Is::parse(&word.value) else {
        let text = format!("'{}' is no decision about identity", word.value);
        findings.error("E-HEAD", word.place, text, "write merge, link, unlink, move, change or delete");
        return None;
    };
    let events: Vec<String> = line.words("on", findings).into_iter().map(|word| word.value).collect();
    let mut field = |key: &str| {
        let text = line.text(key, findings)?;
        taken(Some(grammar::source(&text, Dialect::Segments)), findings)
    };
    let (prior, now, from, to) = (field("prior"), field("now"), field("from"), field("to"));
    let needs_prior = matches!(is, Is::Merge | Is::Move | Is::Change);
    if events.is_empty() || (needs_prior && prior.is_none()) {
        let hint = "write: {is: merge, on: [A40], prior: MRG-1}";
        findings.error("E-HEAD", line.place(), "the line lacks its events or the prior identifier", hint);
        return None;
    }
    Some(Decision { is, events, prior, now, from, to })
}

impl Is {
    fn parse(text: &str) -> Option<Is> {
        Some(match text {
            "merge" => Is::Merge,
            "link" => Is::Link,
            "unlink" => Is::Unlink,
            "move" => Is::Move,
            "change" => Is::Change,
            "delete" => Is::Delete,
            _ => return None,
        })
    }
}

/// Compiles the head.
pub(crate) fn plans(decisions: &[Decision]) -> Vec<DecisionPlan> {
    let plan = |decision: &Decision| DecisionPlan {
        is: decision.is,
        events: decision.events.clone(),
        prior: places(decision.prior.as_ref()),
        now: places(decision.now.as_ref()),
        from: places(decision.from.as_ref()),
        to: places(decision.to.as_ref()),
    };
    decisions.iter().map(plan).collect()
}

fn places(source: Option<&Source>) -> Vec<Place> {
    let place = |alternative: &Alternative| match alternative {
        Alternative::Path(path) => Some(Place { segment: path.segment.as_ref()?.value.clone(), field: path.field }),
        Alternative::Constant(_) => None,
    };
    source.into_iter().flat_map(|source| &source.alternatives).filter_map(place).collect()
}
