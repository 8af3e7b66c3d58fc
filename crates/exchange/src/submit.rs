//! Writing resources: single interactions, transactions and batches go through one door.
//!
//! Everything is prepared outside the store's writer (ids, conditions, references, validation, postings). The writer only looks again
//! whether the versions and matches that this was prepared on still stand; if not, it is prepared again.

use std::collections::{BTreeMap, BTreeSet};

use dukou_audit::{self as audit, Permit, Settled, SubEntry};
use dukou_fhir::search::Query;
use dukou_fhir::{ResourceKey, ResourceType, Value, VersionId};
use dukou_store::{self as store, Batch, Page, Version};

use crate::patch::Patch;
use crate::prepare::{Plan, Prepared, Step};
use crate::{Error, Exchange};

/// How several entries hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One interaction.
    Single,
    /// All or nothing.
    Transaction,
    /// Each entry for itself.
    Batch,
}

/// One interaction, alone or in a Bundle.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `Bundle.entry.fullUrl`: by this name other entries refer to what this one writes.
    pub full_url: Option<String>,
    /// What to do.
    pub operation: Operation,
}

/// An interaction in the words of the FHIR REST chapter.
#[derive(Clone, Debug)]
pub enum Operation {
    /// POST of a new resource; with `if_none_exist` only where nothing matches.
    Create {
        /// Its type.
        kind: ResourceType,
        /// What was sent.
        content: Value<'static>,
        /// If-None-Exist.
        if_none_exist: Option<Query>,
    },
    /// PUT.
    Update {
        /// Which resource.
        key: ResourceKey,
        /// What was sent.
        content: Value<'static>,
        /// If-Match.
        if_match: Option<VersionId>,
        /// Whether the client may create under an id of its own.
        create_allowed: bool,
    },
    /// PUT by condition.
    UpdateWhere {
        /// Type of the resource.
        kind: ResourceType,
        /// The condition.
        query: Query,
        /// What was sent.
        content: Value<'static>,
    },
    /// PATCH.
    Patch {
        /// Which resource.
        key: ResourceKey,
        /// The change.
        patch: Patch,
        /// If-Match.
        if_match: Option<VersionId>,
    },
    /// PATCH by condition.
    PatchWhere {
        /// The condition.
        query: Query,
        /// The change.
        patch: Patch,
    },
    /// DELETE.
    Delete {
        /// Which resource.
        key: ResourceKey,
        /// If-Match.
        if_match: Option<VersionId>,
    },
    /// DELETE by condition.
    DeleteWhere {
        /// The condition.
        query: Query,
    },
    /// GET of one resource inside a Bundle.
    Read {
        /// Which resource.
        key: ResourceKey,
        /// Which version; none: the current one.
        version: Option<VersionId>,
    },
    /// GET of a search inside a Bundle. It sees the state before the Bundle's own writes.
    Search {
        /// The query.
        query: Query,
        /// Matches wanted, at most.
        count: usize,
    },
}

/// What an entry came to.
#[derive(Clone, Debug)]
pub enum Done {
    /// A new resource.
    Created(Version),
    /// A new version.
    Updated(Version),
    /// The content was there already: no new version.
    Unchanged(Version),
    /// If-None-Exist found this one.
    Found(Version),
    /// Deleted; none: there was nothing live.
    Deleted(Option<Version>),
    /// Read.
    Read(Version),
    /// Searched.
    Searched(Page),
}

/// What kind of success an entry was: the door says which status that is in its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Something new is there.
    Created,
    /// Something changed, or was there already.
    Ok,
    /// Nothing is left to show.
    Deleted,
}

impl Done {
    /// The kind of success.
    pub fn effect(&self) -> Effect {
        match self {
            Done::Created(_) => Effect::Created,
            Done::Deleted(_) => Effect::Deleted,
            _ => Effect::Ok,
        }
    }

    /// The version that stands now.
    pub fn version(&self) -> Option<&Version> {
        match self {
            Done::Created(v) | Done::Updated(v) | Done::Unchanged(v) | Done::Found(v) | Done::Read(v) => Some(v),
            Done::Deleted(v) => v.as_ref(),
            Done::Searched(_) => None,
        }
    }
}

/// One result an entry, in the order asked.
pub type EntryResult = Result<Done, Error>;

/// The door's own numbers: which status an effect, or a refusal, has in its protocol.
#[derive(Clone, Copy)]
pub struct Statuses {
    /// Of a success.
    pub effect: fn(Effect) -> u16,
    /// Of a refusal.
    pub refusal: fn(&Error) -> u16,
}

impl Exchange {
    /// Carries out one interaction, or the entries of a Bundle, as one commit and one record. In a transaction the first refusal ends
    /// it and nothing is written; in a batch each entry has its own result.
    pub fn submit(
        &self,
        permit: &Permit<'_>,
        mode: Mode,
        entries: &[Entry],
        statuses: Statuses,
    ) -> Result<Settled<Vec<EntryResult>>, Error> {
        let attempts = self.surroundings.limits.prepare_attempts_max;
        let mut left = attempts;
        // Entries of a batch that the writer refused: the others go on without them.
        let mut refused: BTreeMap<usize, Error> = BTreeMap::new();
        while left > 0 {
            let Prepared { mut steps, puts, conditions, journal, reads } =
                Prepared::of(self, permit, mode, entries, &refused)?;
            let alone: BTreeSet<usize> = refused.keys().copied().collect();
            refused.into_iter().for_each(|(index, error)| steps[index].plan = Plan::Failed(error));
            let mut record = permit.draft();
            let reads = record.carry(reads);
            let lines = lines(&steps, statuses);
            let verdict = Box::new(move |outcome: &store::Outcome| verdict(lines, mode, statuses, outcome));
            let batch = Batch {
                puts,
                conditions,
                journal,
                integrity: self.surroundings.integrity,
                ..Batch::new(record, verdict)
            };
            let found = match self.commit(permit, batch) {
                Ok(settled) => return Ok(settled.with(reads).map(|(outcome, reads)| results(steps, &outcome, &reads))),
                Err(store::Error::Conflict { .. } | store::Error::ConditionFailed { .. }) => None,
                Err(other) => match located(other, &steps, mode) {
                    Error::Entry { index, source } if mode == Mode::Batch => Some((index, *source)),
                    other => return Err(other),
                },
            };
            left -= u32::from(found.is_none());
            refused =
                steps.into_iter().enumerate().filter_map(|(at, step)| step.refused(at, &alone)).chain(found).collect();
        }
        Err(Error::Contended { attempts })
    }
}

/// Says of each entry what became of it, now that the writer has done its part.
fn results(steps: Vec<Step>, outcome: &store::Outcome, reads: &[Done]) -> Vec<EntryResult> {
    let result = |step: Step| match step.plan {
        Plan::Put(n) => Ok(written(&outcome.puts[n], step.deletes)),
        Plan::Shown(n) => Ok(reads[n].clone()),
        Plan::Nothing => Ok(Done::Deleted(None)),
        Plan::Failed(error) => Err(error),
    };
    steps.into_iter().map(result).collect()
}

fn written(put: &store::PutOutcome, deletes: bool) -> Done {
    match (&put.version, deletes) {
        (version, true) => Done::Deleted(version.clone().filter(|_| put.changed)),
        (Some(version), false) if !put.changed => Done::Unchanged(version.clone()),
        (Some(version), false) if put.created => Done::Created(version.clone()),
        (Some(version), false) => Done::Updated(version.clone()),
        (None, false) => Done::Deleted(None),
    }
}

/// One line of the record about one entry, as far as it is known before the commit.
struct Line {
    interaction: &'static str,
    put: Option<usize>,
    deletes: bool,
    status: u16,
    key: Option<ResourceKey>,
}

fn lines(steps: &[Step], statuses: Statuses) -> Vec<Line> {
    let line = |step: &Step| Line {
        interaction: step.interaction,
        put: step.put(),
        deletes: step.deletes,
        status: match &step.plan {
            Plan::Failed(error) => (statuses.refusal)(error),
            Plan::Nothing => (statuses.effect)(Effect::Deleted),
            Plan::Put(_) | Plan::Shown(_) => (statuses.effect)(Effect::Ok),
        },
        key: step.key.clone(),
    };
    steps.iter().map(line).collect()
}

/// What the record says: the status of the whole, and one line an entry of a Bundle.
fn verdict(
    lines: Vec<Line>,
    mode: Mode,
    statuses: Statuses,
    outcome: &store::Outcome,
) -> (audit::Outcome, Vec<SubEntry>) {
    let entries: Vec<SubEntry> = lines.into_iter().map(|line| sub_entry(line, statuses, outcome)).collect();
    match (mode, entries.first()) {
        (Mode::Single, Some(only)) => (audit::Outcome::http(only.status), Vec::new()),
        _ => (audit::Outcome::http((statuses.effect)(Effect::Ok)), entries),
    }
}

fn sub_entry(line: Line, statuses: Statuses, outcome: &store::Outcome) -> SubEntry {
    let put = line.put.and_then(|n| outcome.puts.get(n));
    let version = put.and_then(|put| put.version.as_ref());
    SubEntry {
        interaction: line.interaction,
        status: put.map_or(line.status, |put| (statuses.effect)(written(put, line.deletes).effect())),
        kind: line.key.as_ref().map(|key| key.kind.to_string()),
        id: line.key.as_ref().map(|key| key.id.to_string()),
        version: version.map(|version| version.version.number()),
        patient: version.and_then(|version| version.patients.first()).map(ToString::to_string),
    }
}

/// A refusal by the writer, with the entry it belongs to.
fn located(error: store::Error, steps: &[Step], mode: Mode) -> Error {
    let put = match &error {
        store::Error::MissingReference { put, .. }
        | store::Error::Referenced { put, .. }
        | store::Error::Twice { put } => Some(*put),
        _ => None,
    };
    let index = put.and_then(|put| steps.iter().position(|step| step.put() == Some(put)));
    let key = index.and_then(|index| steps[index].key.clone());
    let source = match (error, key) {
        (store::Error::Referenced { by, .. }, Some(key)) => Error::Referenced { key, by },
        (store::Error::Twice { .. }, Some(key)) => Error::Twice { key },
        (other, _) => Error::from(other),
    };
    match (mode, index) {
        (Mode::Single, _) | (_, None) => source,
        (_, Some(index)) => Error::Entry { index, source: Box::new(source) },
    }
}
