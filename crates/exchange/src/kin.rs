//! Who is who, as the use cases ask the live index: survivors, records of one person, what forbids to join two.

use std::collections::BTreeSet;

use dukou_audit::{Permit, Right};
use dukou_fhir::search::{Options, Query};
use dukou_fhir::{LogicalId, ResourceType, Text};
use dukou_identity::{Decided, Veto};
use dukou_store::SearchLimits;

use crate::{Error, Exchange};

impl Exchange {
    /// What speaks against joining the persons of two records, in words; nothing where one of them is not known.
    pub(crate) fn objections(&self, survivor: &LogicalId, retired: &LogicalId) -> Vec<Text> {
        let index = self.people.read();
        let nameless = index.record(retired).is_some_and(dukou_identity::Record::is_anonymous);
        let vetoes = index.objections(survivor, retired);
        // Somebody without a name is identified by exactly such a merge.
        vetoes.iter().filter(|veto| !(nameless && *veto == Veto::NoName)).map(Veto::text).collect()
    }

    /// The word of people that two records are two human beings.
    pub(crate) fn held_apart(&self, a: &LogicalId, b: &LogicalId) -> Vec<Text> {
        let index = self.people.read();
        let said = index.decision(a, b).map(|entry| &entry.decided);
        match said {
            Some(Decided::AssertNotSame { .. }) => vec![Veto::NotSame.text()],
            _ => Vec::new(),
        }
    }

    /// The record that goes on for a retired one, at the end of its chain of merges.
    pub fn survivor_of(&self, record: &LogicalId) -> Option<LogicalId> {
        self.people.read().survivor(record)
    }

    /// The other records that merges have made one with this record. A permission that names one of them reaches all: a merge is decided
    /// by a person or by the source itself. What a machine has linked is not among them.
    pub fn merged_with(&self, record: &LogicalId) -> Vec<LogicalId> {
        let mut merged = self.people.read().merged(record);
        merged.retain(|other| other != record);
        merged
    }

    /// Whether a person may say that two records are two people: of merged ones only `$unmerge` says so, since what was filed since has to
    /// find its chart.
    pub(crate) fn may_hold_apart(&self, a: &LogicalId, b: &LogicalId) -> Result<(), Error> {
        match self.merged_with(a).contains(b) {
            false => Ok(()),
            true => Err(crate::merge::refusal(
                "merged-use-unmerge",
                "these records are merged: take the merge back with Patient/$unmerge",
                "这些记录已合并，请用 Patient/$unmerge 撤销合并",
            )),
        }
    }

    /// All records of the same person, itself among them, whoever has joined them.
    pub(crate) fn one_person(&self, record: &LogicalId) -> Vec<LogicalId> {
        let index = self.people.read();
        let mut all: BTreeSet<LogicalId> = index.records(record).into_iter().collect();
        all.extend(index.merged(record));
        all.insert(record.clone());
        all.into_iter().collect()
    }

    /// The standing merge that retired a record.
    pub(crate) fn merge_of(&self, retired: &LogicalId) -> Option<u64> {
        self.people.read().merge_of(retired)
    }

    /// Survivor and retired record of a merge by its number, if it stands.
    pub(crate) fn standing_merge(&self, seq: u64) -> Option<(LogicalId, LogicalId)> {
        let index = self.people.read();
        match &index.entry(seq)?.decided {
            Decided::Merge { survivor, retired } if index.merge_of(retired) == Some(seq) => {
                Some((survivor.clone(), retired.clone()))
            }
            _ => None,
        }
    }

    /// When an entry was stored, in milliseconds since 1970.
    pub(crate) fn decided_at(&self, seq: u64) -> Option<i64> {
        self.people.read().entry(seq).map(|entry| entry.time_ms)
    }

    /// A question as it is asked of the store: each patient in it stands for all records of the person, also on the way of a chain. Where
    /// it asks for Patients, records that others replace are left out and those that replace them come in their place, in a second query;
    /// with `inactive` all records are shown as they are.
    ///
    /// # Errors
    /// What the store refuses.
    pub fn about_people(&self, permit: &Permit<'_>, mut query: Query, inactive: bool) -> Result<Vec<Query>, Error> {
        query.settle_patients(&mut |chained| self.chained(permit, &chained))?;
        query.widen_patients(&|id| self.one_person(id));
        let asks_activity = query.asks("active") || query.is_in_compartment();
        if query.kind() != ResourceType::PATIENT || inactive || asks_activity {
            return Ok(vec![query]);
        }
        let retired: Vec<(LogicalId, LogicalId)> = {
            let pairs = [("active".to_owned(), "false".to_owned())];
            let options = Options { site: self.search_site(), ..Options::default() };
            let idle = Query::parse(ResourceType::PATIENT, &pairs, &options).map_err(Error::Invalid)?;
            let mut idle_too = query.clone();
            idle.conditions().iter().for_each(|condition| idle_too.narrow(condition.clone()));
            let found = self.ids(permit, &idle_too)?.unwrap_or_default();
            let index = self.people.read();
            found.into_iter().filter_map(|id| Some((id.clone(), index.survivor(&id)?))).collect()
        };
        if retired.is_empty() {
            return Ok(vec![query]);
        }
        let survivors: BTreeSet<LogicalId> = retired.iter().map(|(_, survivor)| survivor.clone()).collect();
        let mut met = query.clone();
        met.narrow_to_ids(survivors.iter().cloned().collect(), false);
        let met: BTreeSet<LogicalId> = self.ids(permit, &met)?.unwrap_or_default().into_iter().collect();
        let further: Vec<LogicalId> = survivors.difference(&met).cloned().collect();
        let site = self.search_site();
        let mut others = Query::parse(ResourceType::PATIENT, &[], &Options { site, ..Options::default() })
            .map_err(Error::Invalid)?;
        others.narrow_to_ids(further.clone(), false);
        query.narrow_to_ids(retired.into_iter().map(|(id, _)| id).collect(), true);
        let others = others.shaped_like(&query);
        Ok(std::iter::once(query).chain(Some(others).filter(|_| !further.is_empty())).collect())
    }

    /// The records of the persons who answer a chain, where any of them has more records than those found.
    fn chained(&self, permit: &Permit<'_>, query: &Query) -> Result<Option<Vec<LogicalId>>, Error> {
        let Some(found) = self.ids(permit, query)? else { return Ok(None) };
        let all: BTreeSet<LogicalId> = found.iter().flat_map(|id| self.one_person(id)).collect();
        Ok((all.len() > found.len()).then(|| all.into_iter().collect()))
    }

    /// The ids of what a query finds; none where it finds too much to be named.
    fn ids(&self, permit: &Permit<'_>, query: &Query) -> Result<Option<Vec<LogicalId>>, Error> {
        if query.is_costly_to_name() || !permit.allows(query.kind().as_str(), Right::Search) {
            return Ok(None);
        }
        let limits = SearchLimits { count: NAMED_MAX, includes_max: 0, ..SearchLimits::default() };
        let mut named = Some(Vec::new());
        // Only names are taken from the page, and only to ask further; nothing of it is shown.
        drop(self.store.search(permit, query, &limits, None)?.map(|page| {
            let ids = page.matches.iter().map(|version| version.key.id.clone());
            named = page.next.is_none().then(|| ids.collect());
        }));
        Ok(named)
    }

    /// The records that hold a number.
    pub(crate) fn number_query(&self, kind: ResourceType, system: &str, value: &str) -> Result<Query, Error> {
        let options = Options { site: self.search_site(), ..Options::default() };
        self.query(kind, &[("identifier".to_owned(), token(system, value))], &options)
    }
}

/// An identifier as a search asks for it, what has a meaning there escaped (FHIR R4, search, 3.1.1.4.2).
pub(crate) fn token(system: &str, value: &str) -> String {
    let mut out = String::with_capacity(system.len() + value.len() + 2);
    for (place, text) in [system, value].into_iter().enumerate() {
        if place == 1 {
            out.push('|');
        }
        for c in text.chars() {
            if matches!(c, '\\' | ',' | '|' | '$') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// Patients that a question may name on its way to an answer.
const NAMED_MAX: usize = 1_000;
