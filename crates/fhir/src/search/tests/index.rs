//! A small posting index, to be held against the scan.

use std::collections::{BTreeSet, HashSet};

use crate::search::{Condition, Direction, Join, KeyRange, Lookup, PostingKey, Query, Site, keys, last_updated_keys};
use crate::{Instant, LogicalId, ResourceKey, ResourceType, Value};

pub(super) struct Index<'i, 'v> {
    resources: &'i [Value<'v>],
    postings: BTreeSet<(PostingKey, usize)>,
}

impl<'i, 'v> Index<'i, 'v> {
    pub(super) fn new(resources: &'i [Value<'v>], site: Site<'_>) -> Index<'i, 'v> {
        let mut postings = BTreeSet::new();
        for (at, resource) in resources.iter().enumerate() {
            let kind = kind_of(resource);
            let updated = resource.text_at("meta.lastUpdated").and_then(Instant::parse);
            let times = updated.map(|updated| last_updated_keys(kind, updated)).unwrap_or_default();
            postings.extend(keys(resource, kind, site).into_iter().chain(times).map(|key| (key, at)));
        }
        Index { resources, postings }
    }

    /// The resources that a query finds, in its order.
    pub(super) fn search(&self, query: &Query) -> Vec<usize> {
        let all = self.with(&[PostingKey::of_type(query.kind())]);
        let met = |at: &usize| query.conditions().iter().all(|condition| self.meet(condition).contains(at));
        let found: Vec<usize> = all.into_iter().filter(met).collect();
        match query.sort() {
            [] => found,
            [only] => match only.walk() {
                Some(range) => self.walked(&range, only.descending(), found),
                None => by_keys(query, self.resources, found),
            },
            _ => by_keys(query, self.resources, found),
        }
    }

    fn meet(&self, condition: &Condition) -> BTreeSet<usize> {
        if let Some(join) = condition.join() {
            return self.joined(condition.kind(), join);
        }
        let all = self.with(&[PostingKey::of_type(condition.kind())]);
        let (lookup, check) = condition.plan();
        let checked = |at: &usize| !check || condition.matches(&self.resources[*at]);
        match lookup {
            Lookup::Keys(keys) => self.with(&keys).into_iter().filter(checked).collect(),
            Lookup::Ranges(ranges) => self.within(&ranges).into_iter().filter(checked).collect(),
            Lookup::Ids(ids) => {
                let named = |at: &usize| ids.contains(&key_of(&self.resources[*at]).id);
                all.into_iter().filter(named).filter(checked).collect()
            }
            Lookup::Not(keys) => {
                let with = self.with(&keys);
                let stays = |at: &usize| !with.contains(at) || (check && condition.matches(&self.resources[*at]));
                all.into_iter().filter(stays).collect()
            }
            Lookup::All => all.into_iter().filter(checked).collect(),
        }
    }

    fn joined(&self, kind: ResourceType, join: &Join) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for branch in join.branches() {
            for other in self.meet(&branch.condition) {
                let other = &self.resources[other];
                if join.is_reverse() {
                    let ids: HashSet<LogicalId> = join.referred(kind, other).into_iter().collect();
                    let all = self.with(&[PostingKey::of_type(kind)]);
                    found.extend(all.into_iter().filter(|at| ids.contains(&key_of(&self.resources[*at]).id)));
                } else {
                    found.extend(self.with(&[join.referrers(kind, &key_of(other))]));
                }
            }
        }
        found
    }

    /// What comes along with one resource.
    pub(super) fn included(&self, query: &Query, matched: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        for include in query.includes() {
            match include.direction() {
                Direction::Forward => {
                    let targets = include.targets(&self.resources[matched]);
                    found
                        .extend((0..self.resources.len()).filter(|at| targets.contains(&key_of(&self.resources[*at]))));
                }
                Direction::Reverse => found.extend(self.with(&include.referrers(&key_of(&self.resources[matched])))),
            }
        }
        found
    }

    fn with(&self, keys: &[PostingKey]) -> BTreeSet<usize> {
        let of = |key: &PostingKey| self.postings.range((key.clone(), 0)..=(key.clone(), usize::MAX));
        keys.iter().flat_map(of).map(|(_, at)| *at).collect()
    }

    fn within(&self, ranges: &[KeyRange]) -> BTreeSet<usize> {
        // A range that ends before it starts is empty; a tree does not take it.
        let some = ranges.iter().filter(|range| range.start < range.end);
        some.flat_map(|range| self.postings.range((range.start.clone(), 0)..(range.end.clone(), 0)))
            .map(|(_, at)| *at)
            .collect()
    }

    /// The found in the order in which the keys name them first, those without a key behind.
    fn walked(&self, range: &KeyRange, descending: bool, found: Vec<usize>) -> Vec<usize> {
        let mut entries: Vec<&(PostingKey, usize)> =
            self.postings.range((range.start.clone(), 0)..(range.end.clone(), 0)).collect();
        if descending {
            entries.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        }
        let mut order = Vec::new();
        for at in entries.into_iter().map(|(_, at)| *at).chain(found.iter().copied()) {
            if found.contains(&at) && !order.contains(&at) {
                order.push(at);
            }
        }
        order
    }
}

fn by_keys(query: &Query, resources: &[Value<'_>], mut found: Vec<usize>) -> Vec<usize> {
    for sort in query.sort().iter().rev() {
        let key = |at: &usize| sort.key(&resources[*at]);
        let (mut some, none): (Vec<usize>, Vec<usize>) = found.into_iter().partition(|at| key(at).is_some());
        some.sort_by(|a, b| if sort.descending() { key(b).cmp(&key(a)) } else { key(a).cmp(&key(b)) });
        found = some.into_iter().chain(none).collect();
    }
    found
}

fn kind_of(resource: &Value<'_>) -> ResourceType {
    ResourceType::parse(resource.resource_type().unwrap()).unwrap()
}

fn key_of(resource: &Value<'_>) -> ResourceKey {
    ResourceKey::new(kind_of(resource), LogicalId::parse(resource.text_at("id").unwrap()).unwrap())
}
