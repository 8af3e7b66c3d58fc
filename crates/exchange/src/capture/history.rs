//! The history page of a desk: reports, imaging, medication, allergies, visits and bookings of one person, as far as they come in time.

use std::time::Duration;

use dukou_audit::{Permit, Right, Unreleased};
use dukou_fhir::search::{self, Options, Query};
use dukou_fhir::{Issue, IssueType, LogicalId, ResourceType, Text, Value};
use dukou_store::{SearchLimits, Version};

use crate::{Error, Exchange};

/// What was found of a person's history, newest first within each kind, and what was not.
#[derive(Clone, Debug, Default)]
pub struct HistoryView {
    /// The resources.
    pub found: Vec<Version>,
    /// What other systems know, as they sent it.
    pub outside: Vec<Outside>,
    /// What is missing, and why; a warning each.
    pub missing: Vec<Issue>,
}

/// A resource of another system.
#[derive(Clone, Debug)]
pub struct Outside {
    /// The base of that system's addresses, without a slash at the end.
    pub base: String,
    /// As it was sent.
    pub resource: Value<'static>,
}

impl Exchange {
    /// The history page of a record's person.
    pub(super) fn history_view(
        &self,
        permit: &Permit<'_>,
        record: &LogicalId,
    ) -> Result<Unreleased<HistoryView>, Error> {
        let site = self.capture_site()?;
        let begun = self.surroundings.clock.mono_ns();
        let passed_ms = || self.surroundings.clock.mono_ns().saturating_sub(begun) / 1_000_000;
        let mut view = permit.without_patient_data(HistoryView::default());
        for (name, en, zh) in KINDS {
            let Some(kind) = ResourceType::parse(name) else { continue };
            let found = match permit.allows(name, Right::Search) {
                false => Err(missing(
                    IssueType::Suppressed,
                    "not-allowed",
                    en,
                    zh,
                    "this client may not search it",
                    "该客户端无检索权限",
                )),
                true if passed_ms() >= site.history_ms_max => {
                    Err(missing(IssueType::Timeout, "out-of-time", en, zh, "the time was over", "已超时"))
                }
                true => self.newest(permit, kind, record).map_err(|_| {
                    missing(IssueType::Incomplete, "source-failed", en, zh, "its search failed", "检索失败")
                }),
            };
            view = match found {
                Ok(page) => view.and(page).map(|(mut view, page)| {
                    view.found.extend(page);
                    view
                }),
                Err(issue) => view.map(|mut view| {
                    view.missing.push(issue);
                    view
                }),
            };
        }
        let left_ms = site.history_ms_max.saturating_sub(passed_ms());
        Ok(self.with_sources(permit, site, record, view, Duration::from_millis(left_ms)))
    }

    /// The newest resources of a kind in the compartment of a patient.
    fn newest(
        &self,
        permit: &Permit<'_>,
        kind: ResourceType,
        record: &LogicalId,
    ) -> Result<Unreleased<Vec<Version>>, Error> {
        let pairs = [("_sort".to_owned(), "-_lastUpdated".to_owned())];
        let options = Options { site: self.search_site(), ..Options::default() };
        let mut query = Query::parse(kind, &pairs, &options).map_err(Error::Invalid)?;
        query.narrow(search::in_compartment(kind, record.clone(), options.site));
        // The page is of the person, not of the one record that the token names.
        let query = self.about_people(permit, query, true)?.swap_remove(0);
        let limits = SearchLimits { count: KIND_MAX, ..SearchLimits::default() };
        Ok(self.search(permit, &query, &limits, None)?.map(|page| page.matches))
    }
}

fn missing(kind: IssueType, code: &'static str, en: &str, zh: &str, why_en: &str, why_zh: &str) -> Issue {
    Issue::warning(kind, code, Text::new(format!("{en}: {why_en}"), format!("{zh}：{why_zh}")))
}

/// What a desk looks at, in the order of the page.
pub(super) const KINDS: [(&str, &str, &str); 7] = [
    ("AllergyIntolerance", "allergies", "过敏"),
    ("DiagnosticReport", "reports", "报告"),
    ("ImagingStudy", "imaging", "影像"),
    ("MedicationRequest", "prescriptions", "处方"),
    ("MedicationStatement", "medication", "用药"),
    ("Encounter", "visits", "就诊"),
    ("Appointment", "bookings", "预约"),
];

/// Resources of one kind on a page, at most: a desk wants the newest; the rest is a search away.
const KIND_MAX: usize = 50;
