//! The live index of people: built at the start from what is stored, and told of every commit before its answer leaves.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;

use dukou_audit::Permit;
use dukou_fhir::{Instant, LogicalId, Offset, ResourceType, json};
use dukou_identity::patient::{Origin, stated};
use dukou_identity::{Entry, Index, Loading, Model, Record, Systems};
use dukou_store::{self as store, Batch, JournalRow, Outcome, Put, Version};

use crate::{Error, Exchange, Surroundings};

/// The index of people behind its lock, with what is needed to read a Patient.
pub struct People {
    index: RwLock<Index>,
    model: Arc<Model>,
    systems: Arc<Systems>,
    zone: Offset,
}

/// What a batch is about to decide, checked before it is stored.
pub(crate) struct Deciding(Vec<Entry>);

impl People {
    pub(crate) fn new(surroundings: &Surroundings) -> People {
        People {
            index: RwLock::new(Index::new(Arc::clone(&surroundings.model))),
            model: Arc::clone(&surroundings.model),
            systems: Arc::clone(&surroundings.systems),
            zone: surroundings.zone,
        }
    }

    /// The index as it stands. Hold it shortly: every write waits for it.
    pub fn read(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model by which records are compared.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Whether a change broke off half way: what the index says can no longer be relied on, the process must end and build it anew.
    pub fn is_broken(&self) -> bool {
        self.index.is_poisoned()
    }

    /// A version of a Patient as a record; none for a deletion.
    pub fn record(&self, version: &Version, born: Instant) -> Option<Record> {
        if version.is_deleted() {
            return None;
        }
        let patient = json::parse(&version.body, &json::Limits::default()).ok()?;
        let day = self.day(version.last_updated);
        let origin = Origin { record: &version.key.id, source: "", born: born.as_millis(), day: &day };
        let (stated, _) = stated(&patient, &self.systems, &origin);
        Some(Record::prepare(&self.model, &stated))
    }

    /// A Patient that is about to be written as a record, stored or not; none for a deletion.
    pub(crate) fn upcoming(&self, put: &Put, now: Instant) -> Option<Record> {
        let content = put.content()?;
        let born = self.read().born(&put.key.id).unwrap_or(now.as_millis());
        let day = self.day(now);
        let origin = Origin { record: &put.key.id, source: "", born, day: &day };
        let (stated, _) = stated(&content, &self.systems, &origin);
        Some(Record::prepare(&self.model, &stated))
    }

    /// Reads the journal rows of a batch before it is stored: what cannot be read again may not be written.
    pub(crate) fn deciding(&self, batch: &Batch) -> Result<Deciding, store::Error> {
        let entry = |row: &JournalRow| Entry::parse(0, 0, &row.kind, &row.body);
        let read: Result<Vec<Entry>, _> = batch.journal.iter().map(entry).collect();
        read.map(Deciding).map_err(|_| store::Error::Corrupt { what: "a row for the identity journal" })
    }

    /// Whether a batch may change who is who.
    pub(crate) fn concerns(&self, batch: &Batch) -> bool {
        !batch.journal.is_empty() || batch.puts.iter().any(|put| put.key.kind == ResourceType::PATIENT)
    }

    /// Tells the index what a commit has changed. Commits may come here in another order than they were numbered.
    pub(crate) fn follow(&self, outcome: &Outcome, deciding: Deciding) {
        let versions = outcome.puts.iter().filter(|put| put.changed).filter_map(|put| put.version.as_ref());
        let patients: Vec<&Version> = versions.filter(|version| version.key.kind == ResourceType::PATIENT).collect();
        // Questions get in between the parts of a large document; its answer waits for the last.
        for part in patients.chunks(PART) {
            let births: Vec<Instant> = {
                let index = self.read();
                part.iter().map(|version| born(&index, version)).collect()
            };
            let records = part.iter().zip(&births).map(|(version, born)| self.record(version, *born));
            let records: Vec<Option<Record>> = records.collect();
            let mut index = self.write();
            for ((version, born), record) in part.iter().zip(births).zip(records) {
                match record {
                    Some(record) => index.put(version.seq, record),
                    None => index.remove(version.seq, &version.key.id, born.as_millis()),
                }
            }
        }
        if !deciding.0.is_empty() {
            let time_ms = outcome.time.map_or(0, Instant::as_millis);
            let mut index = self.write();
            for (seq, entry) in outcome.journal.iter().zip(deciding.0) {
                index.decide(Entry { seq: *seq, time_ms, ..entry });
            }
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calendar day of an instant here, `yyyy-MM-dd`.
    pub(crate) fn day(&self, instant: Instant) -> String {
        let local = Instant::from_millis(instant.as_millis() + i64::from(self.zone.minutes()) * 60_000);
        let (year, month, day, _) = local.calendar();
        format!("{year:04}-{month:02}-{day:02}")
    }
}

impl Exchange {
    /// The people of this store.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// Builds the index of people from all Patients and the whole journal, on so many threads; called once, before any door opens.
    /// Returns the number of records.
    pub fn load_people(&self, permit: &Permit<'_>, threads: usize) -> Result<usize, Error> {
        let mut loading = Loading::new(Arc::clone(&self.people.model));
        let mut after: Option<LogicalId> = None;
        loop {
            let page = self.store.standing(permit, ResourceType::PATIENT, after.as_ref(), PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.version.key.id.clone());
            for (store::Standing { version, born }, record) in page.iter().zip(self.records(&page, threads)) {
                match record {
                    Some(record) => loading.put(version.seq, record),
                    None => loading.remove(version.seq, &version.key.id, born.as_millis()),
                }
            }
        }
        self.load_journal(permit, &mut loading)?;
        let index = loading.finish(threads);
        let records = index.len();
        *self.people.write() = index;
        Ok(records)
    }

    /// The records of a page, in its order, read on so many threads.
    fn records(&self, page: &[store::Standing], threads: usize) -> Vec<Option<Record>> {
        let read = |part: &[store::Standing]| -> Vec<Option<Record>> {
            part.iter().map(|standing| self.people.record(&standing.version, standing.born)).collect()
        };
        thread::scope(|scope| {
            let parts = page.chunks(page.len().div_ceil(threads.max(1)).max(PART));
            let running: Vec<_> = parts.map(|part| scope.spawn(move || read(part))).collect();
            // A fault of ours on one of the threads goes on here.
            let join = |thread: thread::ScopedJoinHandle<'_, Vec<Option<Record>>>| {
                thread.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault))
            };
            running.into_iter().flat_map(join).collect()
        })
    }

    fn load_journal(&self, permit: &Permit<'_>, loading: &mut Loading) -> Result<(), Error> {
        let mut after = 0;
        loop {
            let page = self.store.journal(permit, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.seq;
            for row in &page {
                let entry = Entry::parse(row.seq, row.time.as_millis(), &row.kind, &row.body);
                // A decision that cannot be read must not be passed over: it may have held two people apart.
                loading.decide(entry.map_err(Error::Journal)?);
            }
        }
    }
}

/// When the record of a version began.
fn born(index: &Index, version: &Version) -> Instant {
    index.born(&version.key.id).map_or(version.last_updated, Instant::from_millis)
}

/// Rows read at a time.
const PAGE: usize = 4_000;

/// Records that are put into the index while nobody can ask, and those for which a thread is worth its start.
const PART: usize = 256;
