//! The one writer: a named thread behind a bounded queue. A group is what arrived during the commit before.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use dukou_audit::{Clock, StoreSeal};
use dukou_fhir::Instant;

use super::statements as sql;
use super::view::Books;
use crate::error::Error;
use crate::group::{self, Job, refuse};
use crate::tables::Counters;

/// Bounds of the queue and of a group.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) queue_jobs_max: usize,
    pub(super) group_bytes_max: usize,
    pub(super) wait: Duration,
    pub(super) checkpoint_bytes: u64,
    pub(super) log_bytes_max: u64,
}

pub(super) struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

struct Queue {
    jobs: Mutex<Waiting>,
    arrived: Condvar,
    taken: Condvar,
    poisoned: AtomicBool,
    bounds: Bounds,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Writer {
    pub(super) fn start(
        books: Books,
        log: PathBuf,
        counters: Counters,
        seal: Arc<StoreSeal>,
        clock: Arc<dyn Clock>,
        bounds: Bounds,
    ) -> std::io::Result<Writer> {
        let queue = Arc::new(Queue {
            jobs: Mutex::default(),
            arrived: Condvar::new(),
            taken: Condvar::new(),
            poisoned: AtomicBool::new(false),
            bounds,
        });
        let turn = Turn { queue: Arc::clone(&queue), books, log, counters, seal, clock, log_bytes: 0 };
        let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || turn.run())?;
        Ok(Writer { queue, thread: Some(thread) })
    }

    /// Queues a job; waits while the queue is full, but not for ever.
    pub(super) fn submit(&self, job: Job) -> Result<(), Error> {
        if self.poisoned() {
            return Err(Error::Poisoned);
        }
        let full = |waiting: &mut Waiting| !waiting.closed && waiting.jobs.len() >= self.queue.bounds.queue_jobs_max;
        let waiting = self.queue.lock();
        let (mut waiting, _) = self
            .queue
            .taken
            .wait_timeout_while(waiting, self.queue.bounds.wait, full)
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return Err(Error::Poisoned);
        }
        if waiting.jobs.len() >= self.queue.bounds.queue_jobs_max {
            return Err(Error::Busy);
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.queue.arrived.notify_one();
        Ok(())
    }

    pub(super) fn poisoned(&self) -> bool {
        self.queue.poisoned.load(Ordering::Acquire)
    }
}

impl Drop for Writer {
    /// What is queued is still done; then the thread ends and is joined.
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.arrived.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the writer was told to everyone who waited.
            drop(thread.join());
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that waits, up to the size of a group; a job above that size goes alone. Empty when the queue is closed and done.
    fn next_group(&self) -> Vec<Job> {
        let waiting = self.lock();
        let idle = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.closed;
        let mut waiting = self.arrived.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
        let mut group = Vec::with_capacity(waiting.jobs.len());
        let mut bytes = 0;
        while let Some(job) = waiting.jobs.pop_front() {
            bytes += job.weight();
            if bytes > self.bounds.group_bytes_max && !group.is_empty() {
                waiting.jobs.push_front(job);
                break;
            }
            group.push(job);
        }
        drop(waiting);
        self.taken.notify_all();
        group
    }

    fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
        let mut waiting = self.lock();
        waiting.closed = true;
        let left = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        self.taken.notify_all();
        refuse(left, &Error::Poisoned);
    }
}

/// What the thread owns.
struct Turn {
    queue: Arc<Queue>,
    books: Books,
    log: PathBuf,
    counters: Counters,
    seal: Arc<StoreSeal>,
    clock: Arc<dyn Clock>,
    /// About how much of the log is not in the database; rather too much.
    log_bytes: u64,
}

impl Turn {
    fn run(mut self) {
        // If this thread ever panics, whoever waits or comes later must learn of it.
        let queue = Arc::clone(&self.queue);
        let _last_words = LastWords(&queue);
        loop {
            let group = queue.next_group();
            if group.is_empty() {
                // In good order nothing is left in the log; if that fails, the next opening does it.
                drop(self.books.checkpoint(sql::CHECKPOINT_TRUNCATE));
                return;
            }
            self.log_bytes += group.iter().map(Job::log_bytes_max).sum::<u64>();
            let now = Instant::from_nanos(self.clock.wall_ns());
            let result = group::run(&mut self.books, &mut self.counters, now, group, &self.seal);
            let result = match result {
                Ok(()) => self.checkpoint(),
                Err(error) => Err(error),
            };
            if matches!(result, Err(Error::Poisoned)) {
                queue.poison();
                // The file is not synced again through this connection: whatever a second sync said would be worth nothing.
                std::mem::forget(self.books);
                return;
            }
        }
    }

    /// Moves the log into the database once enough has gathered. Readers go on meanwhile; the next group waits.
    fn checkpoint(&mut self) -> Result<(), Error> {
        let bytes_max = self.queue.bounds.checkpoint_bytes;
        if self.log_bytes < bytes_max {
            return Ok(());
        }
        let (_, pages) = self.books.checkpoint(sql::CHECKPOINT_NOOP)?;
        self.log_bytes = pages * PAGE_BYTES;
        if self.log_bytes < bytes_max {
            return Ok(());
        }
        let size = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        let text =
            if size > self.queue.bounds.log_bytes_max { sql::CHECKPOINT_TRUNCATE } else { sql::CHECKPOINT_PASSIVE };
        match self.books.checkpoint(text) {
            // Readers may hold a part of the log; it goes with a later checkpoint.
            Ok((_, pages)) => {
                self.log_bytes = pages * PAGE_BYTES;
                Ok(())
            }
            // No room to grow the database: the log keeps everything until there is.
            Err(Error::Full) => {
                self.log_bytes = 0;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

struct LastWords<'a>(&'a Queue);

impl Drop for LastWords<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison();
        }
    }
}

/// SQLite's page size where nothing else is asked for.
const PAGE_BYTES: u64 = 4_096;
