//! Reading: one resource, one version, a history, a search, everything about one patient.

use dukou_audit::{Permit, Unreleased};
use dukou_fhir::search::Query;
use dukou_fhir::{Issue, ResourceKey, Value, VersionId, validate};
use dukou_store::{Cursor, HistoryPage, HistoryQuery, Page, SearchLimits, Version};

use crate::{Error, Exchange};

impl Exchange {
    /// The current version of a resource. Deleted: [`Error::Gone`]; unknown, or outside the caller's reach: [`Error::NotFound`],
    /// both worded alike.
    pub fn read(&self, permit: &Permit<'_>, key: &ResourceKey) -> Result<Unreleased<Version>, Error> {
        live(self.store.read(permit, key)?, key)
    }

    /// One version of a resource, by its number.
    pub fn vread(
        &self,
        permit: &Permit<'_>,
        key: &ResourceKey,
        version: VersionId,
    ) -> Result<Unreleased<Version>, Error> {
        live(self.store.vread(permit, key, version)?, key)
    }

    /// A page of history, newest first. The history of an instance that never was is [`Error::NotFound`].
    pub fn history(&self, permit: &Permit<'_>, query: &HistoryQuery) -> Result<Unreleased<HistoryPage>, Error> {
        Ok(self.store.history(permit, query)?)
    }

    /// A page of a search. What the caller may not see is never counted.
    pub fn search(
        &self,
        permit: &Permit<'_>,
        query: &Query,
        limits: &SearchLimits,
        cursor: Option<&Cursor>,
    ) -> Result<Unreleased<Page>, Error> {
        Ok(self.store.search(permit, query, limits, cursor)?)
    }

    /// The first page of a search as it stands in a Bundle: what it asks of people is widened first.
    pub(crate) fn search_people(
        &self,
        permit: &Permit<'_>,
        query: &Query,
        limits: &SearchLimits,
    ) -> Result<Unreleased<Page>, Error> {
        let mut pages = permit.without_patient_data(Page::default());
        for query in self.about_people(permit, query.clone(), false)? {
            let page = self.search(permit, &query, limits, None)?;
            pages = pages.and(page).map(|(mut all, page)| {
                let is_first = all.matches.is_empty() && all.total.is_none();
                all.total = if is_first { page.total } else { all.total.zip(page.total).map(|(a, b)| a + b) };
                all.next = all.next.or(page.next);
                all.includes.extend(page.includes);
                all.includes_cut |= page.includes_cut;
                all.matches.extend(page.matches);
                all.matches.truncate(limits.count.max(1));
                all
            });
        }
        Ok(pages)
    }

    /// Every fault of a resource, as `$validate` answers it. Shows nothing that is stored.
    pub fn validate(&self, permit: &Permit<'_>, content: &Value<'_>) -> Unreleased<Vec<Issue>> {
        permit.without_patient_data(validate::validate(content, &validate::Options::default()))
    }
}

/// A version that can be shown: there, and not the mark of a deletion.
fn live(found: Unreleased<Option<Version>>, key: &ResourceKey) -> Result<Unreleased<Version>, Error> {
    let found = found.some().ok_or_else(|| Error::NotFound { key: key.clone() })?;
    let mut deleted = None;
    let found = found.map(|version| {
        deleted = version.is_deleted().then_some(version.version);
        version
    });
    match deleted {
        Some(version) => Err(Error::Gone { key: key.clone(), version }),
        None => Ok(found),
    }
}
