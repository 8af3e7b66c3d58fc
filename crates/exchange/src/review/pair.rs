//! Two records side by side: why they are, or are not, taken for one person, and a person's word about them.

use dukou_audit::{self as audit, Permit, Settled, Unreleased};
use dukou_fhir::{LogicalId, ResourceKey, ResourceType};
use dukou_identity::{Decided as Journalled, Explanation, Grade, PersonId, Review, ReviewKind};
use dukou_store::{self as store, Batch};

use super::decide::{Decided, actor, reaches, said, wait_for_second};
use super::{ReviewAction, task, task_id, task_type};
use crate::{Error, Exchange};

/// What is known of two records together.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Whether they are one person now.
    pub same: bool,
    /// The person of each.
    pub people: [Option<PersonId>; 2],
    /// The evidence, every value masked; none where one of them is no record of the index.
    pub explanation: Option<Explanation>,
    /// What a person or a feed has decided about exactly these two: the kind, who, why.
    pub decision: Option<(&'static str, String, String)>,
}

impl Exchange {
    /// Why two records are, or are not, one person. Both must be within the caller's reach.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a record that is not there or out of reach, both alike.
    pub fn explain(&self, permit: &Permit<'_>, a: &LogicalId, b: &LogicalId) -> Result<Unreleased<Pair>, Error> {
        let both = self.read(permit, &patient(a))?.and(self.read(permit, &patient(b))?);
        let index = self.people().read();
        let (one, other) = (index.person(a), index.person(b));
        let decision = index.decision(a, b);
        let pair = Pair {
            same: one.is_some() && one == other,
            people: [one, other],
            explanation: index.explain(a, b),
            decision: decision.map(|entry| (entry.kind(), entry.actor.clone(), entry.reason.clone())),
        };
        Ok(both.map(|_| pair))
    }

    /// A person says without being asked that two records are, or are not, one person. Where a finding about the two waits, this is the
    /// answer to it; where something forbids to join them, a finding is opened and a second person has to say the same.
    ///
    /// # Errors
    /// As [`Exchange::decide`]; [`Error::NotFound`] too for a record that is not there or out of reach.
    pub fn assert(
        &self,
        permit: &Permit<'_>,
        [a, b]: [&LogicalId; 2],
        action: ReviewAction,
        reason: &str,
    ) -> Result<Settled<Decided>, Error> {
        let reason = said(reason)?;
        let keys = [patient(a), patient(b)];
        for (key, version) in keys.iter().zip(self.store.basis(permit, &keys)?.versions) {
            let is_open = version.is_some_and(|version| !version.is_deleted() && reaches(permit, &version));
            if a == b || !is_open {
                return Err(Error::NotFound { key: key.clone() });
            }
        }
        if action == ReviewAction::NotSame {
            self.may_hold_apart(a, b)?;
        }
        let finding = self.finding(a, b);
        let key = ResourceKey::new(task_type(), task_id(&finding));
        let waiting = self.store.basis(permit, std::slice::from_ref(&key))?.versions.pop().flatten();
        let waits = waiting.is_some_and(|version| {
            let status = Exchange::tree(&version).ok().and_then(|task| task.text_at("status").map(str::to_owned));
            !version.is_deleted() && status.as_deref() != Some("completed")
        });
        if waits {
            return self.decide(permit, &key.id, action, reason);
        }
        let forbidden = action == ReviewAction::Same && !self.people().read().objections(a, b).is_empty();
        let actor = actor(permit);
        let mut batch = Batch::new(permit.draft(), Box::new(|_| (audit::Outcome::http(200), Vec::new())));
        if forbidden {
            let now = self.review_now();
            let mut content = task::open(&key, &finding, "urgent", now);
            if let Some(task) = content.as_object_mut() {
                task::acted(task, action, &actor, reason, now);
                wait_for_second(task);
            }
            batch.puts.extend(self.task_put(key, None, &content, true));
        } else {
            let (a, b) = (a.clone(), b.clone());
            let decided = match action {
                ReviewAction::Same => Journalled::AssertLink { a, b },
                _ => Journalled::AssertNotSame { a, b },
            };
            batch.journal.push(self.row(&decided, "said without being asked", &actor, reason));
        }
        let settled = self.commit(permit, batch).map_err(|error| match error {
            store::Error::Conflict { .. } => Error::Contended { attempts: 1 },
            other => other.into(),
        })?;
        Ok(settled.map(|outcome| Decided {
            entry: outcome.journal.first().copied(),
            task: outcome.puts.into_iter().find_map(|put| put.version),
            awaits_second: forbidden,
        }))
    }

    /// The finding that somebody wants to join two whom something keeps apart.
    fn finding(&self, a: &LogicalId, b: &LogicalId) -> Review {
        let index = self.people().read();
        let explanation = index.explain(a, b);
        let lines = index.objections(a, b).iter().map(|veto| veto.text()).collect();
        Review {
            kind: ReviewKind::VetoConflict,
            record: a.clone(),
            other: Some(b.clone()),
            grade: explanation.as_ref().map_or(Grade::None, |said| said.grade),
            bits: explanation.as_ref().map(|said| said.bits).unwrap_or_default(),
            lines,
            model: explanation.map(|said| said.model).unwrap_or_default(),
            again: false,
        }
    }
}

fn patient(id: &LogicalId) -> ResourceKey {
    ResourceKey::new(ResourceType::PATIENT, id.clone())
}
