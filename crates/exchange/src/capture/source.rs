//! Other systems that are asked for a person's history, all at once, for as long as the page has time.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dukou_audit::{Access, How, Permit, Shown, ShownResource, Unreleased};
use dukou_fhir::{Issue, IssueType, LogicalId, Text, Value};
use metrics::{counter, histogram};

use super::CaptureSite;
use super::history::{HistoryView, KINDS, Outside};
use crate::Exchange;

/// A system beside this one that knows something of the same people. It is asked by numbers; the asking is recorded before anything leaves.
pub trait HistorySource: Send + Sync {
    /// Its name in answers, metrics and records.
    fn name(&self) -> &str;

    /// The base of its addresses, without a slash at the end: what it sends is named by it, and references in it lead there.
    fn base(&self) -> &str;

    /// Canonical systems of the numbers that it may be told.
    fn systems(&self) -> &[String];

    /// The resources of these types about whoever has one of these numbers (`system`, `value`). Comes back within the time given.
    ///
    /// # Errors
    /// Why nothing came.
    fn ask(&self, question: &SourceQuestion<'_>) -> Result<Vec<Value<'static>>, SourceFault>;
}

/// What a source is asked, and for whom.
pub struct SourceQuestion<'a> {
    /// The request that wants it.
    pub access: &'a Access,
    /// The record, for the ledger.
    pub patient: &'a LogicalId,
    /// Numbers of the person.
    pub numbers: &'a [(String, String)],
    /// Types of the resources wanted.
    pub kinds: &'a [&'static str],
    /// How long an answer is waited for.
    pub within: Duration,
}

/// Why nothing came of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceFault {
    /// Not in time.
    #[error("no answer in time")]
    TimedOut,
    /// No connection, or it broke.
    #[error("not reached")]
    Unreachable,
    /// It answered that it will not, or cannot.
    #[error("refused the question")]
    Refused,
    /// What it answered cannot be read.
    #[error("gave an answer that cannot be read")]
    Malformed,
    /// The ledger could not take the record of the question, so it was not asked.
    #[error("was not asked: the record of it could not be kept")]
    Unrecorded,
}

impl SourceFault {
    fn zh(self) -> &'static str {
        match self {
            SourceFault::TimedOut => "未按时应答",
            SourceFault::Unreachable => "无法连接",
            SourceFault::Refused => "拒绝应答",
            SourceFault::Malformed => "应答无法解析",
            SourceFault::Unrecorded => "未查询：审计记录无法写入",
        }
    }
}

/// What one source came to.
type Heard = (Arc<dyn HistorySource>, Result<Vec<Value<'static>>, SourceFault>);

impl Exchange {
    /// Adds to a history page what the other systems know. What a source says is shown as of this person, and each that says nothing is
    /// named.
    pub(super) fn with_sources(
        &self,
        permit: &Permit<'_>,
        site: &CaptureSite,
        record: &LogicalId,
        view: Unreleased<HistoryView>,
        within: Duration,
    ) -> Unreleased<HistoryView> {
        if site.sources.is_empty() {
            return view;
        }
        let heard = self.hear(permit, site, record, within);
        let mut shown = Shown::default();
        let place = shown.patient(record.as_str());
        let found = heard.iter().filter_map(|(_, answer)| answer.as_ref().ok()).flatten();
        shown.resources.extend(found.filter_map(|resource| {
            Some(ShownResource {
                kind: resource.resource_type()?.to_owned(),
                id: resource.text_at("id")?.to_owned(),
                version: 1,
                patient: Some(place),
                how: How::Include,
            })
        }));
        view.with_shown(shown).map(|mut view| {
            for (source, answer) in heard {
                match answer {
                    Ok(resources) => {
                        let from = |resource| Outside { base: source.base().to_owned(), resource };
                        view.outside.extend(resources.into_iter().map(from));
                    }
                    Err(fault) => view.missing.push(missing(source.name(), fault)),
                }
            }
            view
        })
    }

    /// Asks all sources at the same time.
    fn hear(&self, permit: &Permit<'_>, site: &CaptureSite, record: &LogicalId, within: Duration) -> Vec<Heard> {
        let numbers = self.numbers_told(permit, record);
        let kinds: Vec<&'static str> = KINDS.iter().map(|kind| kind.0).collect();
        let clock = &self.surroundings.clock;
        thread::scope(|scope| {
            let asked: Vec<_> = site
                .sources
                .iter()
                .map(|source| {
                    let told = |(system, _): &&(String, String)| source.systems().contains(system);
                    let numbers: Vec<(String, String)> = numbers.iter().filter(told).cloned().collect();
                    let kinds = &kinds;
                    scope.spawn(move || {
                        let access = permit.access();
                        let question = SourceQuestion { access, patient: record, numbers: &numbers, kinds, within };
                        let begun = clock.mono_ns();
                        let answer = if numbers.is_empty() { Ok(Vec::new()) } else { source.ask(&question) };
                        let seconds = clock.mono_ns().saturating_sub(begun) as f64 / 1e9;
                        histogram!("dukou_history_source_seconds", "source" => source.name().to_owned())
                            .record(seconds);
                        (Arc::clone(source), answer)
                    })
                })
                .collect();
            asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
        })
    }

    /// The numbers of a person, of all records, each once.
    fn numbers_told(&self, permit: &Permit<'_>, record: &LogicalId) -> Vec<(String, String)> {
        let records = {
            let index = self.people().read();
            let records = index.records(record);
            if records.is_empty() { vec![record.clone()] } else { records }
        };
        let mut numbers = Vec::new();
        for record in records {
            let key = dukou_fhir::ResourceKey::new(dukou_fhir::ResourceType::PATIENT, record);
            let Ok(Some(version)) = self.current(permit, &key) else { continue };
            let Ok(patient) = Exchange::tree(&version) else { continue };
            for identifier in patient.list_at("identifier") {
                let pair = identifier.text_at("system").zip(identifier.text_at("value"));
                let pair = pair.map(|(system, value)| (system.to_owned(), value.to_owned()));
                numbers.extend(pair.filter(|pair| !numbers.contains(pair)));
            }
        }
        numbers
    }
}

fn missing(source: &str, fault: SourceFault) -> Issue {
    counter!("dukou_history_source_failures_total", "source" => source.to_owned()).increment(1);
    let kind = if fault == SourceFault::TimedOut { IssueType::Timeout } else { IssueType::Incomplete };
    let text = Text::new(format!("source {source}: {fault}"), format!("来源 {source}：{}", fault.zh()));
    Issue::warning(kind, "source-missing", text)
}
