//! One turn of the writer: a group of jobs in one transaction, each in its own savepoint, and the answers after the commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;

use dukou_audit::{Committed, RecordBytes, Settled, StoreSeal, Unreleased};
use dukou_fhir::Instant;

use crate::apply::{Done, End, Work, apply};
use crate::error::Error;
use crate::outbox::OutboxRow;
use crate::tables::{Counters, Tables, Transaction};
use crate::version::Outcome;

/// Something for the writer to do, with the place its answer goes to.
pub(crate) enum Job {
    /// A batch with an audit row.
    Batch(Box<Work>, SyncSender<Result<Settled<Outcome>, Error>>),
    /// A change of the store's own books, which shows and writes nothing about a patient.
    Chore(Chore, SyncSender<Result<Chored, Error>>),
}

pub(crate) type Chore = Box<dyn FnOnce(&mut dyn Tables) -> Result<Chored, Error> + Send>;

/// What a chore answers.
pub(crate) enum Chored {
    Nothing,
    Claimed(Vec<OutboxRow>),
    Count(u64),
}

impl Job {
    pub(crate) fn weight(&self) -> usize {
        match self {
            Job::Batch(work, _) => work.weight,
            Job::Chore(..) => 512,
        }
    }

    /// How much it adds to a log of whole pages, at most: each posting may touch a page of its own.
    pub(crate) fn log_bytes_max(&self) -> u64 {
        let pages = match self {
            Job::Batch(work, _) => {
                work.puts.iter().map(|ready| 8 + ready.add.len() + ready.remove.len()).sum::<usize>() + 8
            }
            Job::Chore(..) => 16,
        };
        (self.weight() + pages * PAGE_BYTES) as u64
    }
}

/// A job that was done, or failed, and waits for the commit of its group.
enum Ended {
    Written(Outcome, SyncSender<Result<Settled<Outcome>, Error>>),
    Unchanged(Unreleased<Outcome>, SyncSender<Result<Settled<Outcome>, Error>>),
    Failed(Error, SyncSender<Result<Settled<Outcome>, Error>>),
    Chored(Result<Chored, Error>, SyncSender<Result<Chored, Error>>),
}

/// Does a group of jobs. Nobody is answered before the commit, not even those that failed or changed nothing: what they saw may be a
/// neighbour's work. An error is the engine's: it concerns every job of the group.
pub(crate) fn run(
    engine: &mut dyn Transaction,
    counters: &mut Counters,
    now: Instant,
    jobs: Vec<Job>,
    seal: &StoreSeal,
) -> Result<(), Error> {
    let before = *counters;
    let mut group =
        Group { ended: Vec::with_capacity(jobs.len()), rows: Vec::with_capacity(jobs.len()), alone: jobs.len() == 1 };
    let mut jobs = jobs.into_iter();
    let result = group.fill(engine, counters, now, &mut jobs, seal);
    match result {
        Ok(()) => {
            group.answer(seal);
            Ok(())
        }
        Err(error) => {
            *counters = before;
            // The rollback of a failed engine may fail too; the error to tell is the first one.
            drop(engine.rollback());
            group.fail(&error, jobs);
            Err(error)
        }
    }
}

struct Group {
    ended: Vec<Ended>,
    rows: Vec<(u64, RecordBytes)>,
    alone: bool,
}

impl Group {
    fn fill(
        &mut self,
        engine: &mut dyn Transaction,
        counters: &mut Counters,
        now: Instant,
        jobs: &mut std::vec::IntoIter<Job>,
        seal: &StoreSeal,
    ) -> Result<(), Error> {
        engine.begin()?;
        for job in jobs {
            if !self.alone {
                engine.savepoint()?;
            }
            let before = *counters;
            let good = self.one(engine, counters, now, job, seal);
            match good {
                Ok(true) if self.alone => {}
                Ok(true) => engine.release()?,
                Ok(false) => {
                    *counters = before;
                    if !engine.is_open() {
                        return Err(Error::Full);
                    }
                    if self.alone {
                        return engine.rollback();
                    }
                    engine.rollback_to_savepoint()?;
                }
                Err(error) => return Err(error),
            }
        }
        engine.commit()
    }

    /// Does one job; says whether its changes stay. An error concerns the whole group.
    fn one(
        &mut self,
        engine: &mut dyn Transaction,
        counters: &mut Counters,
        now: Instant,
        job: Job,
        seal: &StoreSeal,
    ) -> Result<bool, Error> {
        match job {
            Job::Batch(work, reply) => {
                // A panic of the verdict or of our own rules rolls this batch back; nothing else of it is kept.
                let done = catch_unwind(AssertUnwindSafe(|| apply(engine.tables(), counters, now, *work)));
                let (good, ended) = match done.unwrap_or(Err(Error::Panicked)) {
                    Ok(Done { outcome, end: End::Written(jseq, bytes) }) => {
                        self.rows.push((jseq, bytes));
                        (true, Ended::Written(outcome, reply))
                    }
                    Ok(Done { outcome, end: End::Unchanged(shown) }) => {
                        (true, Ended::Unchanged(Unreleased::new(seal, outcome, shown), reply))
                    }
                    Err(error) => (false, Ended::Failed(error, reply)),
                };
                self.ended.push(ended);
                self.sort_out(good)
            }
            Job::Chore(chore, reply) => {
                let done = catch_unwind(AssertUnwindSafe(|| chore(engine.tables()))).unwrap_or(Err(Error::Panicked));
                let good = done.is_ok();
                self.ended.push(Ended::Chored(done, reply));
                self.sort_out(good)
            }
        }
    }

    /// A failure of the engine ends the group; a refusal of one job does not.
    fn sort_out(&self, good: bool) -> Result<bool, Error> {
        let error = match self.ended.last() {
            Some(Ended::Failed(error, _) | Ended::Chored(Err(error), _)) => error,
            _ => return Ok(good),
        };
        match error {
            Error::Poisoned => Err(Error::Poisoned),
            Error::Full => Err(Error::Full),
            _ => Ok(good),
        }
    }

    fn answer(self, seal: &StoreSeal) {
        let mut tickets = seal.committed(self.rows).into_iter();
        for ended in self.ended {
            // Who no longer waits has gone away; the commit stands all the same.
            match ended {
                Ended::Written(outcome, reply) => {
                    let ticket = tickets.next();
                    let answer = ticket.map(|ticket| Settled::Committed(Committed::new(seal, outcome, ticket)));
                    drop(reply.send(answer.ok_or(Error::Panicked)));
                }
                Ended::Unchanged(outcome, reply) => drop(reply.send(Ok(Settled::Unchanged(outcome)))),
                Ended::Failed(error, reply) => drop(reply.send(Err(error))),
                Ended::Chored(answer, reply) => drop(reply.send(answer)),
            }
        }
    }

    fn fail(self, error: &Error, rest: std::vec::IntoIter<Job>) {
        for ended in self.ended {
            match ended {
                Ended::Written(_, reply) | Ended::Unchanged(_, reply) | Ended::Failed(_, reply) => {
                    drop(reply.send(Err(same(error))));
                }
                Ended::Chored(_, reply) => drop(reply.send(Err(same(error)))),
            }
        }
        refuse(rest, error);
    }
}

/// Answers jobs that will not be done.
pub(crate) fn refuse(jobs: impl IntoIterator<Item = Job>, error: &Error) {
    for job in jobs {
        match job {
            Job::Batch(_, reply) => drop(reply.send(Err(same(error)))),
            Job::Chore(_, reply) => drop(reply.send(Err(same(error)))),
        }
    }
}

/// The errors that concern a whole group, said once more.
fn same(error: &Error) -> Error {
    match error {
        Error::Full => Error::Full,
        _ => Error::Poisoned,
    }
}

const PAGE_BYTES: usize = 4_096;
