//! The store's methods over any engine: each checks the permit, asks the engine, and says what the result shows.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use bytes::Bytes;
use dukou_audit::{
    self as audit, Clock, Interaction, Permit, RecordBytes, Right, Settled, Shown, ShownResource, StoreSeal, Unreleased,
};
use dukou_fhir::search::Query;
use dukou_fhir::{Instant, LogicalId, ResourceKey, ResourceType, VersionId};

use crate::apply::{Work, show};
use crate::batch::{Batch, How, TokenKind, TokenRow};
use crate::error::Error;
use crate::group::{Chore, Chored, Job};
use crate::history;
use crate::home::Home;
use crate::inbox::{InboxKey, InboxRow, LaneRow};
use crate::outbox::{Claim, OutboxRow, OutboxState, Settlement};
use crate::prepare::{Ready, prepare};
use crate::rebuild;
use crate::search;
use crate::tables::{Stored, View};
use crate::version::{
    Basis, Cursor, HistoryPage, HistoryQuery, JournalEntry, Outcome, Page, Recalled, SearchLimits, Standing, Version,
};
use crate::{Store, deliver, referrers};

/// What an engine offers to the methods of the store.
pub(crate) trait Engine: Send + Sync {
    /// Reads; with `steady`, everything read is of one moment.
    fn view<T>(&self, steady: bool, read: impl FnOnce(&dyn View) -> Result<T, Error>) -> Result<T, Error>;
    /// Hands a job to the writer.
    fn submit(&self, job: Job) -> Result<(), Error>;
    fn frame(&self) -> &Frame;
    fn is_poisoned(&self) -> bool;

    /// Runs a chore and waits for its commit.
    fn chore(&self, chore: Chore) -> Result<Chored, Error> {
        let (reply, answer) = sync_channel(1);
        self.submit(Job::Chore(chore, reply))?;
        answer.recv().unwrap_or(Err(Error::Poisoned))
    }

    /// Computes the postings again if they were made under other rules.
    fn renew_postings(&self) -> Result<(), Error> {
        let home = self.frame().home.clone();
        if self.view(false, |view| rebuild::is_current(view, home.site()))? {
            return Ok(());
        }
        self.chore(Box::new(move |tables| rebuild::rebuild(tables, home.site()).map(Chored::Count))).map(drop)
    }
}

/// What every engine is given at its opening.
pub(crate) struct Frame {
    pub(crate) seal: Arc<StoreSeal>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) home: Home,
}

impl<E: Engine> Store for E {
    fn commit(&self, permit: &Permit<'_>, batch: Batch) -> Result<Settled<Outcome>, Error> {
        may_write(permit)?;
        let home = &self.frame().home;
        let work = Work::new(batch, home.clone(), |puts| {
            let ready = self.view(false, |view| prepare(view, puts, home.site()))?;
            ready.iter().try_for_each(|ready| may_put(permit, ready))?;
            Ok(ready)
        })?;
        let (reply, answer) = sync_channel(1);
        self.submit(Job::Batch(Box::new(work), reply))?;
        answer.recv().unwrap_or(Err(Error::Poisoned))
    }

    fn read(&self, permit: &Permit<'_>, key: &ResourceKey) -> Result<Unreleased<Option<Version>>, Error> {
        may_read(permit, key.kind)?;
        let found = self.view(false, |view| view.load_key(key))?;
        Ok(self.frame().one(permit, found))
    }

    fn vread(
        &self,
        permit: &Permit<'_>,
        key: &ResourceKey,
        version: VersionId,
    ) -> Result<Unreleased<Option<Version>>, Error> {
        may_read(permit, key.kind)?;
        let found = self.view(false, |view| view.version(key, version))?;
        Ok(self.frame().one(permit, found))
    }

    fn history(&self, permit: &Permit<'_>, query: &HistoryQuery) -> Result<Unreleased<HistoryPage>, Error> {
        let page = self.view(true, |view| history::page(view, permit, query))?;
        let mut shown = Shown { matched: Some(page.total), ..Shown::default() };
        page.entries.iter().for_each(|version| show(&mut shown, version, audit::How::Match));
        Ok(Unreleased::new(&self.frame().seal, page, shown))
    }

    fn search(
        &self,
        permit: &Permit<'_>,
        query: &Query,
        limits: &SearchLimits,
        from: Option<&Cursor>,
    ) -> Result<Unreleased<Page>, Error> {
        let page = self.view(true, |view| search::page(view, permit, query, limits, from))?;
        let mut shown = Shown { matched: page.total, ..Shown::default() };
        page.matches.iter().for_each(|version| show(&mut shown, version, audit::How::Match));
        page.includes.iter().for_each(|version| show(&mut shown, version, audit::How::Include));
        Ok(Unreleased::new(&self.frame().seal, page, shown))
    }

    fn basis(&self, permit: &Permit<'_>, keys: &[ResourceKey]) -> Result<Basis, Error> {
        may_write(permit)?;
        let load = |view: &dyn View| keys.iter().map(|key| view.load_key(key)).collect::<Result<Vec<_>, _>>();
        let found = self.view(keys.len() > 1, load)?;
        Ok(Basis { versions: found.into_iter().map(|stored| stored.map(|stored| stored.version)).collect() })
    }

    fn recall(&self, permit: &Permit<'_>, recalled: &Recalled<'_>) -> Result<Option<Unreleased<()>>, Error> {
        let Recalled { patient, version, seq, stored } = *recalled;
        let kind = ResourceType::PATIENT;
        may_read(permit, kind)?;
        let key = ResourceKey::new(kind, patient.clone());
        let stands = self.view(false, |view| {
            let current = view.current(&key)?.is_some_and(|row| row.live && row.seq == seq);
            // After a store was put back to an earlier state its numbers come again; their times do not.
            Ok(current && view.time_at(seq)? == Some(stored))
        })?;
        if !stands || !allows_for(permit, kind, Right::Read, std::slice::from_ref(patient)) {
            return Ok(None);
        }
        let mut shown = Shown::default();
        let place = shown.patient(patient.as_str());
        shown.resources.push(ShownResource {
            kind: kind.as_str().to_owned(),
            id: patient.to_string(),
            version: version.number(),
            patient: Some(place),
            how: audit::How::Match,
        });
        Ok(Some(Unreleased::new(&self.frame().seal, (), shown)))
    }

    fn head(&self) -> Result<u64, Error> {
        self.view(false, |view| Ok(view.counters()?.seq))
    }

    fn standing(
        &self,
        permit: &Permit<'_>,
        kind: ResourceType,
        after: Option<&LogicalId>,
        count: usize,
    ) -> Result<Vec<Standing>, Error> {
        may_write(permit)?;
        let found = self.view(false, |view| view.standing(kind, after, count))?;
        Ok(found.into_iter().map(|(stored, born)| Standing { version: stored.version, born }).collect())
    }

    fn referrers(&self, permit: &Permit<'_>, target: &ResourceKey, count: usize) -> Result<Vec<Version>, Error> {
        may_write(permit)?;
        self.view(true, |view| referrers::all(view, target, count))
    }

    fn resolve(&self, permit: &Permit<'_>, query: &Query) -> Result<Vec<ResourceKey>, Error> {
        may_write(permit)?;
        self.view(true, |view| search::first_matches(view, query, 2))
    }

    fn inbox(&self, permit: &Permit<'_>, key: &InboxKey) -> Result<Option<InboxRow>, Error> {
        may_write(permit)?;
        self.view(false, |view| view.inbox_by_key(key))
    }

    fn inbox_raw(&self, permit: &Permit<'_>, number: u64) -> Result<Option<Bytes>, Error> {
        may_write(permit)?;
        self.view(false, |view| view.inbox_raw(number))
    }

    fn inbox_unfinished(&self, permit: &Permit<'_>, after: u64, count: usize) -> Result<Vec<InboxRow>, Error> {
        may_write(permit)?;
        self.view(false, |view| view.inbox_unfinished(after, count))
    }

    fn inbox_parked(&self, permit: &Permit<'_>, after: u64, count: usize) -> Result<Vec<InboxRow>, Error> {
        may_write(permit)?;
        self.view(false, |view| view.inbox_parked(after, count))
    }

    fn lane(&self, permit: &Permit<'_>, lane: &str) -> Result<Option<LaneRow>, Error> {
        may_write(permit)?;
        self.view(false, |view| view.lane(lane))
    }

    fn lanes(&self, permit: &Permit<'_>, after: &str, count: usize) -> Result<Vec<LaneRow>, Error> {
        may_write(permit)?;
        self.view(false, |view| view.lanes(after, count))
    }

    fn token(
        &self,
        permit: &Permit<'_>,
        kind: TokenKind,
        source: &str,
        key: &[u8],
        now: Instant,
    ) -> Result<Option<TokenRow>, Error> {
        may_write(permit)?;
        let found = self.view(false, |view| view.token(kind, source, key))?;
        let row = |(expires, answer)| {
            let (source, key) = (source.to_owned(), key.to_vec());
            TokenRow { kind, source, key, expires, answer, replaces: false }
        };
        Ok(found.filter(|(expires, _)| *expires > now).map(row))
    }

    fn journal(&self, permit: &Permit<'_>, after: u64, count: usize) -> Result<Vec<JournalEntry>, Error> {
        may_write(permit)?;
        self.view(false, |view| view.journal(after, count))
    }

    fn claim_outbox(&self, permit: &Permit<'_>, claim: &Claim) -> Result<Vec<OutboxRow>, Error> {
        may_write(permit)?;
        let claim = claim.clone();
        match self.chore(Box::new(move |tables| deliver::claim(tables, &claim).map(Chored::Claimed)))? {
            Chored::Claimed(rows) => Ok(rows),
            Chored::Nothing | Chored::Count(_) => Ok(Vec::new()),
        }
    }

    fn settle_outbox(&self, permit: &Permit<'_>, number: u64, settlement: Settlement) -> Result<(), Error> {
        may_write(permit)?;
        self.chore(Box::new(move |tables| deliver::settle(tables, number, settlement).map(|()| Chored::Nothing)))
            .map(drop)
    }

    fn outbox(
        &self,
        permit: &Permit<'_>,
        state: OutboxState,
        after: u64,
        count: usize,
    ) -> Result<Vec<OutboxRow>, Error> {
        may_write(permit)?;
        self.view(false, |view| view.outbox(state, after, count))
    }

    fn outbox_version(&self, permit: &Permit<'_>, row: &OutboxRow) -> Result<Unreleased<Option<Version>>, Error> {
        may_write(permit)?;
        let found = self.view(false, |view| view.version_at(row.what))?;
        Ok(self.frame().release(found))
    }

    fn pending_records(&self, after_jseq: u64, count: usize) -> Result<Vec<(u64, RecordBytes)>, Error> {
        let rows = self.view(false, |view| view.records(after_jseq, count))?;
        let read = |(jseq, bytes)| {
            let record = RecordBytes::from_row(bytes).map_err(|_| Error::Corrupt { what: "audit_pending.record" })?;
            Ok((jseq, record))
        };
        rows.into_iter().map(read).collect()
    }

    fn trim_records(&self, up_to_jseq: u64) -> Result<(), Error> {
        let trim = move |tables: &mut dyn crate::tables::Tables| {
            // The last number must outlive its row, else numbering would begin again.
            let up_to = up_to_jseq.min(tables.counters()?.jseq);
            tables.trim_records(up_to).map(|()| Chored::Nothing)
        };
        self.chore(Box::new(trim)).map(drop)
    }

    fn last_jseq(&self) -> Result<u64, Error> {
        self.view(false, |view| Ok(view.counters()?.jseq))
    }

    fn forget_tokens(&self, now: Instant) -> Result<(), Error> {
        self.chore(Box::new(move |tables| tables.forget_tokens(now).map(|()| Chored::Nothing))).map(drop)
    }

    fn rebuild_postings(&self) -> Result<u64, Error> {
        let home = self.frame().home.clone();
        match self.chore(Box::new(move |tables| rebuild::rebuild(tables, home.site()).map(Chored::Count)))? {
            Chored::Count(count) => Ok(count),
            Chored::Nothing | Chored::Claimed(_) => Ok(0),
        }
    }

    fn poisoned(&self) -> bool {
        self.is_poisoned()
    }
}

impl Frame {
    /// A version for an answer. What lies outside the permit's reach looks like what never was.
    fn one(&self, permit: &Permit<'_>, found: Option<Stored>) -> Unreleased<Option<Version>> {
        self.release(found.filter(|stored| reaches(permit, Right::Read, &stored.version)))
    }

    fn release(&self, found: Option<Stored>) -> Unreleased<Option<Version>> {
        let mut shown = Shown::default();
        let version = found.map(|stored| stored.version);
        if let Some(version) = &version {
            show(&mut shown, version, audit::How::Match);
        }
        Unreleased::new(&self.seal, version, shown)
    }
}

/// Whether the permit reaches a version with this right.
pub(crate) fn reaches(permit: &Permit<'_>, right: Right, version: &Version) -> bool {
    allows_for(permit, version.key.kind, right, &version.patients)
}

fn allows_for(permit: &Permit<'_>, kind: ResourceType, right: Right, patients: &[LogicalId]) -> bool {
    match patients {
        [one] => permit.allows_for(kind.as_str(), right, &[one.as_str()]),
        many => permit.allows_for(kind.as_str(), right, &many.iter().map(LogicalId::as_str).collect::<Vec<_>>()),
    }
}

fn may_write(permit: &Permit<'_>) -> Result<(), Error> {
    let reading = matches!(
        permit.access().interaction,
        Interaction::Read | Interaction::Vread | Interaction::Search | Interaction::History | Interaction::Capabilities
    );
    if permit.writes() && permit.access().decision.permit && !reading { Ok(()) } else { Err(Error::NotPermitted) }
}

fn may_read(permit: &Permit<'_>, kind: ResourceType) -> Result<(), Error> {
    if permit.allows(kind.as_str(), Right::Read) { Ok(()) } else { Err(Error::NotPermitted) }
}

/// The permit covers what is written, and what it takes the place of.
fn may_put(permit: &Permit<'_>, ready: &Ready) -> Result<(), Error> {
    let kind = ready.put.key.kind;
    if ready.put.of_the_node && kind.as_str() == "Task" {
        return Ok(());
    }
    let right = match ready.put.how {
        How::Create => Right::Create,
        How::Update | How::UpdateAsCreate => Right::Update,
        How::Delete => Right::Delete,
    };
    let before = ready.before.as_ref().is_none_or(|stored| reaches(permit, right, &stored.version));
    let after = ready.put.draft.is_none() || allows_for(permit, kind, right, ready.patients());
    if permit.allows(kind.as_str(), right) && before && after { Ok(()) } else { Err(Error::NotPermitted) }
}
