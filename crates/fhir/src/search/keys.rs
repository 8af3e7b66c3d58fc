//! All posting keys of a resource.

use super::posting::{Form, PostingKey};
use super::values::{Postings, post};
use super::{Site, compartment, date, parameters, persons, reference};
use crate::{Instant, ResourceKey, ResourceType, Value};

/// The posting keys of a resource of that type, sorted, each once; `site` says which zone dates without one have and
/// which absolute URLs are this server's own.
///
/// Keys of `_id` are not made, since a store finds ids without them; those of `_lastUpdated` are made when the time is
/// known, by [`last_updated_keys`].
pub fn keys(resource: &Value<'_>, kind: ResourceType, site: Site<'_>) -> Vec<PostingKey> {
    let mut keys = Vec::with_capacity(64);
    keys.push(PostingKey::of_type(kind));
    let other = persons::other_in_doubt(resource);
    for parameter in parameters::of(kind) {
        if parameter.is_id() || parameter.is_last_updated() || !parameter.components().is_empty() {
            continue;
        }
        let Some(program) = parameter.program() else { continue };
        let before = keys.len();
        let mut postings = Postings { kind, parameter: parameter.number(), site, keys: &mut keys };
        let mut present = false;
        let mut names_a_patient = false;
        program.each(resource, |item| {
            present = true;
            names_a_patient |= other.is_some() && persons::names_a_patient(&item, site.base);
            post(parameter.kind(), &item, &mut postings);
        });
        if let Some(other) = other.as_ref().filter(|_| names_a_patient && persons::is_membership(kind, parameter)) {
            let other = ResourceKey::new(ResourceType::PATIENT, other.clone());
            keys.push(reference::key_of_referrers(kind, parameter.number(), &other));
        }
        if present {
            keys.insert(before, PostingKey::start(kind, parameter.number(), Form::Presence));
        }
    }
    keys.extend(
        compartment::patients(resource, site.base).iter().map(|id| PostingKey::in_compartment(kind, id.as_str())),
    );
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The posting keys of `_lastUpdated`, known only when a version is written.
pub fn last_updated_keys(kind: ResourceType, at: Instant) -> Vec<PostingKey> {
    let Some(parameter) = parameters::find(kind, "_lastUpdated") else { return Vec::new() };
    let start = |form| PostingKey::start(kind, parameter.number(), form);
    vec![start(Form::Presence), start(Form::DateLow).with(&date::sorting(at.as_millis()))]
}
