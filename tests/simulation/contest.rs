//! A store in which somebody else is faster: just before a commit, another request may run from its beginning to its end.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use dukou_audit::{Permit, RecordBytes, Settled, Unreleased};
use dukou_fhir::search::Query;
use dukou_fhir::{Instant, LogicalId, ResourceKey, ResourceType, VersionId};
use dukou_store::{
    Basis, Batch, Claim, Cursor, Error, HistoryPage, HistoryQuery, InboxKey, InboxRow, JournalEntry, LaneRow,
    OutboxRow, OutboxState, Outcome, Page, Recalled, SearchLimits, Settlement, Standing, Store, TokenKind, TokenRow,
    Version,
};

/// A whole request of somebody else.
pub(crate) type Rival = Box<dyn FnOnce() + Send>;

/// The store behind it, and who gets in between.
pub(crate) struct Contest {
    store: Arc<dyn Store>,
    rival: Mutex<Option<Rival>>,
    behind: Mutex<Option<Rival>>,
}

impl Contest {
    pub(crate) fn over(store: Arc<dyn Store>) -> Contest {
        Contest { store, rival: Mutex::default(), behind: Mutex::default() }
    }

    /// Lets this run just behind the next commit, before anybody hears of it; `None` takes it back.
    pub(crate) fn set_behind(&self, behind: Option<Rival>) {
        *self.behind.lock().unwrap() = behind;
    }

    /// Lets this request run just before the next commit; `None` takes it back.
    pub(crate) fn set(&self, rival: Option<Rival>) {
        *self.rival.lock().unwrap() = rival;
    }
}

impl Store for Contest {
    fn commit(&self, permit: &Permit<'_>, batch: Batch) -> Result<Settled<Outcome>, Error> {
        let rival = self.rival.lock().unwrap().take();
        if let Some(rival) = rival {
            rival();
        }
        let settled = self.store.commit(permit, batch);
        let behind = self.behind.lock().unwrap().take();
        if let Some(behind) = behind {
            behind();
        }
        settled
    }

    fn read(&self, permit: &Permit<'_>, key: &ResourceKey) -> Result<Unreleased<Option<Version>>, Error> {
        self.store.read(permit, key)
    }

    fn vread(
        &self,
        p: &Permit<'_>,
        key: &ResourceKey,
        version: VersionId,
    ) -> Result<Unreleased<Option<Version>>, Error> {
        self.store.vread(p, key, version)
    }

    fn history(&self, permit: &Permit<'_>, query: &HistoryQuery) -> Result<Unreleased<HistoryPage>, Error> {
        self.store.history(permit, query)
    }

    fn search(
        &self,
        permit: &Permit<'_>,
        query: &Query,
        limits: &SearchLimits,
        from: Option<&Cursor>,
    ) -> Result<Unreleased<Page>, Error> {
        self.store.search(permit, query, limits, from)
    }

    fn basis(&self, permit: &Permit<'_>, keys: &[ResourceKey]) -> Result<Basis, Error> {
        self.store.basis(permit, keys)
    }

    fn recall(&self, permit: &Permit<'_>, recalled: &Recalled<'_>) -> Result<Option<Unreleased<()>>, Error> {
        self.store.recall(permit, recalled)
    }

    fn head(&self) -> Result<u64, Error> {
        self.store.head()
    }

    fn standing(
        &self,
        permit: &Permit<'_>,
        kind: ResourceType,
        after: Option<&LogicalId>,
        count: usize,
    ) -> Result<Vec<Standing>, Error> {
        self.store.standing(permit, kind, after, count)
    }

    fn referrers(&self, permit: &Permit<'_>, target: &ResourceKey, count: usize) -> Result<Vec<Version>, Error> {
        self.store.referrers(permit, target, count)
    }

    fn resolve(&self, permit: &Permit<'_>, query: &Query) -> Result<Vec<ResourceKey>, Error> {
        self.store.resolve(permit, query)
    }

    fn inbox(&self, permit: &Permit<'_>, key: &InboxKey) -> Result<Option<InboxRow>, Error> {
        self.store.inbox(permit, key)
    }

    fn inbox_raw(&self, permit: &Permit<'_>, number: u64) -> Result<Option<Bytes>, Error> {
        self.store.inbox_raw(permit, number)
    }

    fn inbox_unfinished(&self, permit: &Permit<'_>, after: u64, count: usize) -> Result<Vec<InboxRow>, Error> {
        self.store.inbox_unfinished(permit, after, count)
    }

    fn inbox_parked(&self, permit: &Permit<'_>, after: u64, count: usize) -> Result<Vec<InboxRow>, Error> {
        self.store.inbox_parked(permit, after, count)
    }

    fn lane(&self, permit: &Permit<'_>, lane: &str) -> Result<Option<LaneRow>, Error> {
        self.store.lane(permit, lane)
    }

    fn lanes(&self, permit: &Permit<'_>, after: &str, count: usize) -> Result<Vec<LaneRow>, Error> {
        self.store.lanes(permit, after, count)
    }

    fn token(
        &self,
        permit: &Permit<'_>,
        kind: TokenKind,
        source: &str,
        key: &[u8],
        now: Instant,
    ) -> Result<Option<TokenRow>, Error> {
        self.store.token(permit, kind, source, key, now)
    }

    fn journal(&self, permit: &Permit<'_>, after: u64, count: usize) -> Result<Vec<JournalEntry>, Error> {
        self.store.journal(permit, after, count)
    }

    fn claim_outbox(&self, permit: &Permit<'_>, claim: &Claim) -> Result<Vec<OutboxRow>, Error> {
        self.store.claim_outbox(permit, claim)
    }

    fn settle_outbox(&self, permit: &Permit<'_>, number: u64, settlement: Settlement) -> Result<(), Error> {
        self.store.settle_outbox(permit, number, settlement)
    }

    fn outbox(&self, p: &Permit<'_>, state: OutboxState, after: u64, count: usize) -> Result<Vec<OutboxRow>, Error> {
        self.store.outbox(p, state, after, count)
    }

    fn outbox_version(&self, permit: &Permit<'_>, row: &OutboxRow) -> Result<Unreleased<Option<Version>>, Error> {
        self.store.outbox_version(permit, row)
    }

    fn pending_records(&self, after_jseq: u64, count: usize) -> Result<Vec<(u64, RecordBytes)>, Error> {
        self.store.pending_records(after_jseq, count)
    }

    fn trim_records(&self, up_to_jseq: u64) -> Result<(), Error> {
        self.store.trim_records(up_to_jseq)
    }

    fn last_jseq(&self) -> Result<u64, Error> {
        self.store.last_jseq()
    }

    fn forget_tokens(&self, now: Instant) -> Result<(), Error> {
        self.store.forget_tokens(now)
    }

    fn rebuild_postings(&self) -> Result<u64, Error> {
        self.store.rebuild_postings()
    }

    fn poisoned(&self) -> bool {
        self.store.poisoned()
    }
}
