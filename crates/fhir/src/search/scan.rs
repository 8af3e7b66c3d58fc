//! The answer to a query without any index: every resource is looked at. What an index must agree with.

use std::cmp::Ordering;

use super::condition::{Condition, Join};
use super::{Query, Sort};
use crate::{LogicalId, ResourceKey, ResourceType, Value};

/// The places of the resources that match, in the order asked for; ties stay in the order of the list.
///
/// Joins look at the other resources of the list. Includes and page sizes are not regarded.
pub fn scan(query: &Query, resources: &[Value<'_>]) -> Vec<usize> {
    let matches = |resource: &Value<'_>| {
        resource.resource_type() == Some(query.kind().as_str())
            && query.conditions().iter().all(|condition| meets(condition, resource, resources))
    };
    let mut found: Vec<usize> = (0..resources.len()).filter(|at| matches(&resources[*at])).collect();
    found.sort_by(|a, b| in_order(query.sort(), &resources[*a], &resources[*b]));
    found
}

fn in_order(keys: &[Sort], one: &Value<'_>, other: &Value<'_>) -> Ordering {
    let by_key = |sort: &Sort| match (sort.key(one), sort.key(other)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(one), Some(other)) if sort.descending() => other.cmp(&one),
        (Some(one), Some(other)) => one.cmp(&other),
    };
    keys.iter().map(by_key).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn meets(condition: &Condition, resource: &Value<'_>, resources: &[Value<'_>]) -> bool {
    match condition.join() {
        None => condition.matches(resource),
        Some(join) => joined(join, resource, resources),
    }
}

fn joined(join: &Join, resource: &Value<'_>, resources: &[Value<'_>]) -> bool {
    let Some(own) = key_of(resource) else { return false };
    let others = resources.iter().filter_map(|other| Some((key_of(other)?, other)));
    others.filter(|(key, _)| join.branches().iter().any(|branch| branch.kind == key.kind)).any(|(key, other)| {
        let linked = match join.is_reverse() {
            true => join.targets(other).contains(&own),
            false => join.targets(resource).contains(&key),
        };
        linked
            && join
                .branches()
                .iter()
                .any(|branch| branch.kind == key.kind && meets(&branch.condition, other, resources))
    })
}

fn key_of(resource: &Value<'_>) -> Option<ResourceKey> {
    let kind = ResourceType::parse(resource.resource_type()?)?;
    Some(ResourceKey::new(kind, LogicalId::parse(resource.text_at("id")?)?))
}
