//! The review queue: what no machine settles waits for a person, as a FHIR Task.
//!
//! A finding goes in with the write that raised it, in one commit, under an id that is made of the finding: the same finding never opens
//! twice. What a person has decided is not asked again, unless a number that decides changes on one of the two records.

mod decide;
mod pair;
mod task;

use std::collections::BTreeMap;
use std::sync::Arc;

use dukou_audit::Permit;
use dukou_fhir::search::{Options, Query};
use dukou_fhir::{Draft, Instant, LogicalId, Object, ResourceKey, ResourceType, Text, Value, json};
use dukou_identity::{Decided as Decision, Entry, Index, Record, Review};
use dukou_store::{self as store, Batch, Expect, How, Put, Version};
use sha2::{Digest, Sha256};

use crate::Exchange;
use crate::ingest::hexadecimal;

pub use decide::Decided;
pub use pair::Pair;

/// What a person does about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewAction {
    /// The two records are one person.
    Same,
    /// They are two people.
    NotSame,
    /// The system that sent the record is asked.
    AskSource,
    /// Not now.
    Postpone,
    /// The last action is taken back.
    Undo,
}

impl ReviewAction {
    /// All of them.
    pub const ALL: [ReviewAction; 5] = [
        ReviewAction::Same,
        ReviewAction::NotSame,
        ReviewAction::AskSource,
        ReviewAction::Postpone,
        ReviewAction::Undo,
    ];

    /// The word on the command line, in requests and in the Task.
    pub fn code(self) -> &'static str {
        match self {
            ReviewAction::Same => "same",
            ReviewAction::NotSame => "not-same",
            ReviewAction::AskSource => "ask-source",
            ReviewAction::Postpone => "postpone",
            ReviewAction::Undo => "undo",
        }
    }

    /// Reads the word.
    pub fn parse(code: &str) -> Option<ReviewAction> {
        ReviewAction::ALL.into_iter().find(|action| action.code() == code)
    }

    fn text(self) -> Text {
        match self {
            ReviewAction::Same => Text::new("same person", "同一人"),
            ReviewAction::NotSame => Text::new("not the same person", "不是同一人"),
            ReviewAction::AskSource => Text::new("the source is asked", "已请来源系统核实"),
            ReviewAction::Postpone => Text::new("postponed", "暂缓处理"),
            ReviewAction::Undo => Text::new("taken back", "已撤销"),
        }
    }

    /// `Task.status` after the action.
    fn status(self) -> &'static str {
        match self {
            ReviewAction::Same | ReviewAction::NotSame => "completed",
            ReviewAction::AskSource | ReviewAction::Postpone => "on-hold",
            ReviewAction::Undo => "requested",
        }
    }
}

impl Exchange {
    /// The Tasks of everything that the Patients of a batch raise: against the people who are known, and among themselves.
    pub(crate) fn raised(&self, permit: &Permit<'_>, batch: &Batch) -> Result<Vec<Put>, store::Error> {
        let patients = batch.puts.iter().filter(|put| put.key.kind == ResourceType::PATIENT);
        let now = self.review_now();
        let records: Vec<Record> = patients.filter_map(|put| self.people().upcoming(put, now)).collect();
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut reviews: Vec<Review> = {
            let index = self.people().read();
            records.iter().flat_map(|record| index.findings(record)).collect()
        };
        if (2..=TOGETHER_MAX).contains(&records.len()) {
            let mut together = Index::new(Arc::clone(self.people().model()));
            for (seq, record) in (1..).zip(records) {
                reviews.extend(together.findings(&record));
                together.put(seq, record);
            }
        }
        // Of two about whom the batch itself decides nobody is asked.
        let entries = batch.journal.iter().filter_map(|row| Entry::parse(0, 0, &row.kind, &row.body).ok());
        let decided: Vec<Decision> = entries.map(|entry| entry.decided).collect();
        let settles = |review: &Review| {
            let other = review.other.as_ref();
            let pair =
                other.map(|other| (review.record.clone().min(other.clone()), review.record.clone().max(other.clone())));
            pair.is_some_and(|(a, b)| decided.iter().any(|decided| decided.pair() == Some((&a, &b))))
        };
        reviews.retain(|review| !settles(review));
        self.review_puts(permit, &reviews)
    }

    /// The Tasks that these findings open, to be committed with what raised them. A finding that waits already, or that a person has
    /// decided, opens none.
    pub(crate) fn review_puts(&self, permit: &Permit<'_>, reviews: &[Review]) -> Result<Vec<Put>, store::Error> {
        let mut findings: BTreeMap<LogicalId, &Review> = BTreeMap::new();
        for review in reviews.iter().take(FINDINGS_MAX) {
            findings.entry(task_id(review)).or_insert(review);
        }
        if findings.is_empty() {
            return Ok(Vec::new());
        }
        let kind = task_type();
        let keys: Vec<ResourceKey> = findings.keys().map(|id| ResourceKey::new(kind, id.clone())).collect();
        let basis = self.store.basis(permit, &keys)?;
        let mut puts = Vec::new();
        for ((key, review), current) in keys.into_iter().zip(findings.into_values()).zip(basis.versions) {
            let live = current.filter(|version| !version.is_deleted());
            if let Some(content) = self.review_task(permit, &key, review, live.as_ref())? {
                puts.extend(self.task_put(key, live.as_ref(), &content, true));
            }
        }
        Ok(puts)
    }

    /// What the Task of a finding must say now; none if it says it already or the matter is settled.
    fn review_task(
        &self,
        permit: &Permit<'_>,
        key: &ResourceKey,
        review: &Review,
        live: Option<&Version>,
    ) -> Result<Option<Value<'static>>, store::Error> {
        let Some(version) = live else {
            let priority = self.review_priority(permit, review)?;
            return Ok(Some(task::open(key, review, priority, self.review_now())));
        };
        let corrupt = |_| store::Error::Corrupt { what: "versions.body" };
        let stored = json::parse(&version.body, &json::Limits::default()).map_err(corrupt)?;
        let is_settled = stored.text_at("status") == Some("completed");
        let says_it = task::kind(&stored) == Some(review.kind);
        if (is_settled && !review.again) || (!is_settled && says_it) {
            return Ok(None);
        }
        let mut content = stored.into_static();
        if let Some(task) = content.as_object_mut() {
            task::finding(task, review);
            if is_settled {
                task.insert("status", "requested");
            }
        }
        Ok(Some(content))
    }

    /// The more open encounters the records have, the sooner somebody should look.
    fn review_priority(&self, permit: &Permit<'_>, review: &Review) -> Result<&'static str, store::Error> {
        let mut open = 0;
        for record in std::iter::once(&review.record).chain(&review.other) {
            open += self.open_encounters(permit, record)?;
        }
        Ok(match open {
            0 => "routine",
            1 => "urgent",
            _ => "asap",
        })
    }

    /// Encounters of a record that have begun and not ended: none, one, or two for more.
    fn open_encounters(&self, permit: &Permit<'_>, record: &LogicalId) -> Result<usize, store::Error> {
        let Some(kind) = ResourceType::parse("Encounter") else { return Ok(0) };
        let pairs = [("subject", format!("Patient/{record}")), ("status", OPEN.to_owned())];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
        let options = Options { site: self.search_site(), ..Options::default() };
        let Ok(query) = Query::parse(kind, &pairs, &options) else { return Ok(0) };
        Ok(self.store.resolve(permit, &query)?.len())
    }

    fn task_put(
        &self,
        key: ResourceKey,
        live: Option<&Version>,
        content: &Value<'_>,
        of_the_node: bool,
    ) -> Option<Put> {
        let expect = live.map_or(Expect::Absent, |version| Expect::Version(version.version));
        let draft = Draft::new(content, key.clone()).ok()?;
        let mut put = Put::write(key, How::Update, expect, content, draft, self.search_site());
        put.of_the_node = of_the_node;
        Some(put)
    }

    fn review_now(&self) -> Instant {
        Instant::from_nanos(self.surroundings.clock.wall_ns())
    }
}

/// 128 bits of SHA-256 over the finding.
fn task_id(review: &Review) -> LogicalId {
    let text = hexadecimal(&Sha256::digest(review.finding().as_bytes())[..16]);
    LogicalId::parse(&text).unwrap_or_else(|| unreachable!("32 hexadecimal digits are an id"))
}

fn task_type() -> ResourceType {
    ResourceType::parse("Task").unwrap_or_else(|| unreachable!("R4 has the type Task"))
}

/// A member of a Task or a Parameters that holds an object.
type Members = Object<'static>;

/// Statuses of an encounter that has begun and not ended (FHIR R4, encounter-status).
const OPEN: &str = "arrived,triaged,in-progress,onleave";

/// Patients of one commit that are compared among themselves.
const TOGETHER_MAX: usize = 500;

/// Findings of one commit that open Tasks; a batch that raises more is a matter for the batch tools.
const FINDINGS_MAX: usize = 1_000;
