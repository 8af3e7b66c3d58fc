//! Which messages must not overtake each other: those of one patient, where a message says whose it is.

use crate::{Message, Path};

/// What a link orders its messages by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneKey {
    /// Places that are looked at before all, the first valued one counts.
    pub paths: Vec<Path>,
    /// The authority (PID-3.4.1) whose identifier of the patient counts; without one the first identifier does.
    pub authority: Option<String>,
}

/// Messages of one link with equal keys keep their order; others may be worked on at the same time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderingKey {
    /// The value of a configured place.
    Configured(String),
    /// PID-3.1 of the configured authority.
    Patient(String),
    /// PV1-19.1, where the patient has no such identifier.
    Visit(String),
    /// The message names neither: it keeps its place among all messages of the link.
    Link,
}

/// The key of a message.
#[must_use]
pub fn ordering_key(message: &Message<'_>, lane: &LaneKey) -> OrderingKey {
    let configured = lane.paths.iter().filter_map(|path| message.get(path)).map(|node| node.first_leaf().text());
    if let Some(value) = configured.into_iter().find(|value| !value.trim().is_empty()) {
        return OrderingKey::Configured(value.trim().to_owned());
    }
    if let Some(identifier) = patient_identifier(message, lane.authority.as_deref()) {
        return OrderingKey::Patient(identifier);
    }
    let visit = message.first("PV1").map(|visit| visit.field(19).first_leaf().text().trim().to_owned());
    visit.filter(|number| !number.is_empty()).map_or(OrderingKey::Link, OrderingKey::Visit)
}

fn patient_identifier(message: &Message<'_>, authority: Option<&str>) -> Option<String> {
    let identifiers = message.first("PID")?.field(3);
    let of_authority = identifiers
        .children()
        .filter(|identifier| authority.is_none_or(|wanted| identifier.child(4).first_leaf().text() == wanted));
    let mut values = of_authority.map(|identifier| identifier.child(1).first_leaf().text().trim().to_owned());
    values.find(|value| !value.is_empty() && value != "\"\"")
}
