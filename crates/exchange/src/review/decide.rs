//! What a person does about a finding: journal entry, Task and record in one commit.

use bytes::Bytes;
use dukou_audit::{self as audit, Permit, Settled};
use dukou_fhir::{Issue, IssueType, LogicalId, ResourceKey, Text, Value};
use dukou_identity::{Decided as Journalled, Entry, ReviewKind};
use dukou_store::{self as store, Batch, JournalRow, Version};

use super::{Members, ReviewAction, task, task_type};
use crate::{Error, Exchange, MergeAsked, Party};

/// What became of an action.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The Task as it stands now, where there is one.
    pub task: Option<Version>,
    /// Number of the journal entry, where the action made one.
    pub entry: Option<u64>,
    /// The same person must be confirmed by somebody else before it counts.
    pub awaits_second: bool,
}

/// An action on a finding, understood but not yet written.
struct Step {
    content: Value<'static>,
    journal: Option<Journalled>,
    awaits_second: bool,
}

impl Exchange {
    /// Carries out an action on a finding. Where something forbids to join the two, `same` counts when a second person says it, too.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a Task that is not there, is no finding, or is out of reach; [`Error::Invalid`] without a reason, or
    /// where the action does not fit the state of the Task.
    pub fn decide(
        &self,
        permit: &Permit<'_>,
        task: &LogicalId,
        action: ReviewAction,
        reason: &str,
    ) -> Result<Settled<Decided>, Error> {
        let key = ResourceKey::new(task_type(), task.clone());
        let reason = said(reason)?;
        let actor = actor(permit);
        for _ in 0..self.surroundings.limits.prepare_attempts_max {
            let found = self.store.basis(permit, std::slice::from_ref(&key))?.versions.pop().flatten();
            let Some(version) = found.filter(|version| !version.is_deleted() && reaches(permit, version)) else {
                return Err(Error::NotFound { key });
            };
            if let Some(asked) = merge_request(&version, action, reason)? {
                // The second word for a merge is the merge.
                return Ok(self.merge(permit, &asked)?.map(|merged| Decided {
                    task: None,
                    entry: merged.entry,
                    awaits_second: merged.waits.is_some(),
                }));
            }
            let step = self.step(&version, action, &actor, reason)?;
            let journal = step.journal.as_ref().map(|decided| self.row(decided, &key.to_string(), &actor, reason));
            let status = Box::new(|_: &store::Outcome| (audit::Outcome::http(200), Vec::new()));
            let batch = Batch {
                puts: self.task_put(key.clone(), Some(&version), &step.content, false).into_iter().collect(),
                journal: journal.into_iter().collect(),
                ..Batch::new(permit.draft(), status)
            };
            match self.commit(permit, batch) {
                Err(store::Error::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(settled) => {
                    let awaits_second = step.awaits_second;
                    return Ok(settled.map(|outcome| Decided {
                        entry: outcome.journal.first().copied(),
                        task: outcome.puts.into_iter().find_map(|put| put.version).or(Some(version)),
                        awaits_second,
                    }));
                }
            }
        }
        Err(Error::Contended { attempts: self.surroundings.limits.prepare_attempts_max })
    }

    /// What the action means for a Task in this state.
    fn step(&self, version: &Version, action: ReviewAction, actor: &str, reason: &str) -> Result<Step, Error> {
        let stored = Exchange::tree(version)?.into_static();
        let kind = task::kind(&stored).ok_or_else(|| Error::NotFound { key: version.key.clone() })?;
        let is_settled = stored.text_at("status") == Some("completed");
        let last = task::last_action(&stored);
        let pair = match task::records(&stored) {
            (Some(record), Some(other)) => Some((record.id, other.id)),
            _ => None,
        };
        let fits = match action {
            ReviewAction::Undo => last.is_some_and(|last| last != ReviewAction::Undo),
            _ => !is_settled,
        };
        if !fits {
            return Err(conflict(is_settled));
        }
        let (now, mut content) = (self.review_now(), stored);
        let confirmed = task::last_actor(&content).is_some_and(|first| first != actor);
        let forbidden = |(a, b): &(LogicalId, LogicalId)| !self.people().read().objections(a, b).is_empty();
        let takes_two = needs_two(kind) || pair.as_ref().is_some_and(forbidden);
        if let (ReviewAction::NotSame, Some((a, b))) = (action, &pair) {
            self.may_hold_apart(a, b)?;
        }
        let first_word = action == ReviewAction::Same && takes_two && !(last == Some(action) && confirmed);
        let journal = match (action, pair) {
            (ReviewAction::Same, Some(_)) if first_word => None,
            (ReviewAction::Same, Some((a, b))) => Some(Journalled::AssertLink { a, b }),
            (ReviewAction::NotSame, Some((a, b))) => Some(Journalled::AssertNotSame { a, b }),
            (ReviewAction::Same | ReviewAction::NotSame, None) => return Err(about_one()),
            (ReviewAction::Undo, Some(pair)) if is_settled => self.taken_back(&pair),
            _ => None,
        };
        if let Some(task) = content.as_object_mut() {
            task::acted(task, action, actor, reason, now);
            if first_word {
                wait_for_second(task);
            }
        }
        Ok(Step { content, journal, awaits_second: first_word })
    }

    /// The decision about a pair that stands now, as something to take back.
    fn taken_back(&self, (a, b): &(LogicalId, LogicalId)) -> Option<Journalled> {
        self.people().read().decision(a, b).map(|entry| Journalled::Unmerge { merge: entry.seq })
    }

    /// The journal's row of a decision: who, why, and what it rests on.
    pub(super) fn row(&self, decided: &Journalled, evidence: &str, actor: &str, reason: &str) -> JournalRow {
        let entry = Entry {
            seq: 0,
            time_ms: 0,
            decided: decided.clone(),
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            evidence: evidence.to_owned(),
            model: String::new(),
        };
        JournalRow { kind: entry.kind().to_owned(), body: Bytes::from(entry.to_bytes()) }
    }
}

/// The merge that a Task waits for, where `same` is said to it.
fn merge_request(version: &Version, action: ReviewAction, reason: &str) -> Result<Option<MergeAsked>, Error> {
    let task = Exchange::tree(version)?;
    let (Some(source), Some(target)) = task::records(&task) else { return Ok(None) };
    let is_open = task.text_at("status") != Some("completed");
    let party = |key: ResourceKey| Party { id: Some(key.id), identifiers: Vec::new() };
    Ok((action == ReviewAction::Same && is_open && task::is_merge_request(&task)).then(|| MergeAsked {
        source: party(source),
        target: party(target),
        result: None,
        preview: false,
        reason: reason.to_owned(),
    }))
}

/// Joining two whom a rule keeps apart takes two people (four eyes). What stands in the Task is not enough to tell: the index is asked, too.
fn needs_two(kind: ReviewKind) -> bool {
    matches!(
        kind,
        ReviewKind::VetoConflict | ReviewKind::RefusedUnion | ReviewKind::RelativesNumber | ReviewKind::BorrowedNumber
    )
}

pub(super) fn wait_for_second(task: &mut Members) {
    task.insert("status", "in-progress");
}

/// Who acts: the person whom the caller names, else the system that calls.
pub(super) fn actor(permit: &Permit<'_>) -> String {
    let access = permit.access();
    match &access.user {
        Some(user) if !user.subject.is_empty() => format!("{}/{}", access.client.id, user.subject),
        _ => access.client.id.to_string(),
    }
}

/// Whether the caller may change it; what it may not know of answers like what is not there.
pub(super) fn reaches(permit: &Permit<'_>, version: &Version) -> bool {
    let patients: Vec<&str> = version.patients.iter().map(LogicalId::as_str).collect();
    permit.allows_for(version.key.kind.as_str(), audit::Right::Update, &patients)
}

pub(super) fn said(reason: &str) -> Result<&str, Error> {
    let reason = reason.trim();
    let fits = (1..=REASON_CHARS_MAX).contains(&reason.chars().count());
    let text = Text::new("say why, in 1 to 500 characters", "请写明理由（1 到 500 字）");
    let issue =
        Issue::error(IssueType::Required, "reason-missing", text).at("Parameters.parameter.where(name='reason')");
    if fits { Ok(reason) } else { Err(Error::Invalid(vec![issue])) }
}

fn conflict(is_settled: bool) -> Error {
    let text = if is_settled {
        Text::new("this is decided already; take that back first (undo)", "已有结论；如需更改请先撤销（undo）")
    } else {
        Text::new("there is nothing to take back", "没有可撤销的操作")
    };
    Error::Invalid(vec![Issue::error(IssueType::Conflict, "review-state", text)])
}

fn about_one() -> Error {
    let text = Text::new(
        "this finding is about one record: correct it at its source, then postpone or ask the source",
        "该问题只涉及一份记录：请在来源系统更正，再选择暂缓或请来源核实",
    );
    Error::Invalid(vec![Issue::error(IssueType::BusinessRule, "review-of-one", text)])
}

const REASON_CHARS_MAX: usize = 500;
