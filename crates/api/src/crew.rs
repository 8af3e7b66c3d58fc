//! A fixed number of named threads behind a queue of fixed length.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

/// Threads for everything that blocks. A full queue refuses at once, it never grows.
pub struct Crew {
    shared: Arc<Shared>,
    hands: Mutex<Vec<JoinHandle<()>>>,
}

/// A place in the queue of a crew.
pub struct Place<'a> {
    shared: &'a Shared,
}

impl Place<'_> {
    /// Hands a job over. Its result arrives at the receiver; a job that panics drops it.
    pub fn hand<T: Send + 'static>(self, job: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            // The asker may have gone; the job is done all the same.
            drop(sender.send(job()));
        });
        self.shared.lock().jobs.push_back(job);
        self.shared.bell.notify_one();
        receiver
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.lock().places -= 1;
    }
}

/// The queue was full, or the crew was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no thread is free and the queue is full")]
pub struct Busy;

struct Shared {
    queue: Mutex<Queue>,
    /// Rung when a job was put in, or when the crew stops.
    bell: Condvar,
    queue_max: usize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Places kept and not yet used.
    places: usize,
    stopped: bool,
}

type Job = Box<dyn FnOnce() + Send>;

impl Crew {
    /// Starts `threads` threads named `name-1`, `name-2` and on, and a queue of `queue_max` jobs beside those being worked on.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(name: &str, threads: usize, queue_max: usize) -> std::io::Result<Crew> {
        let shared = Arc::new(Shared { queue: Mutex::default(), bell: Condvar::new(), queue_max });
        let mut hands = Vec::with_capacity(threads);
        for number in 1..=threads.max(1) {
            let shared = Arc::clone(&shared);
            hands.push(Builder::new().name(format!("{name}-{number}")).spawn(move || shared.work())?);
        }
        Ok(Crew { shared, hands: Mutex::new(hands) })
    }

    /// Keeps a place in the queue, so that what the job needs can be given away for good.
    ///
    /// # Errors
    /// [`Busy`] when the queue is full or the crew was stopped.
    pub fn place(&self) -> Result<Place<'_>, Busy> {
        let mut queue = self.shared.lock();
        if queue.stopped || queue.jobs.len() + queue.places >= self.shared.queue_max {
            return Err(Busy);
        }
        queue.places += 1;
        Ok(Place { shared: &self.shared })
    }

    /// Hands a job over. Its result arrives at the receiver; a job that panics drops it.
    ///
    /// # Errors
    /// [`Busy`] when there is no place; the job did not and will not run.
    pub fn hand<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, Busy> {
        Ok(self.place()?.hand(job))
    }

    /// The number of jobs that wait for a thread.
    pub fn waiting(&self) -> usize {
        self.shared.lock().jobs.len()
    }

    /// Takes no more jobs, finishes those that were taken, and joins the threads.
    pub fn stop(&self) {
        self.shared.lock().stopped = true;
        self.shared.bell.notify_all();
        let hands = std::mem::take(&mut *self.hands.lock().unwrap_or_else(PoisonError::into_inner));
        for hand in hands {
            // A hand cannot panic: each job is caught.
            drop(hand.join());
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // The panic ends the job, not the thread; the asker sees that its answer will not come.
            drop(catch_unwind(AssertUnwindSafe(job)));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.stopped {
                return None;
            }
            queue = self.bell.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::{Busy, Crew};

    #[test]
    fn a_full_queue_refuses_and_what_was_taken_is_done() {
        let crew = Crew::start("test", 1, 2).unwrap();
        let gate = Arc::new(Barrier::new(2));
        let held = {
            let gate = Arc::clone(&gate);
            crew.hand(move || {
                gate.wait();
                gate.wait();
                0
            })
            .unwrap()
        };
        gate.wait();
        let first = crew.hand(|| 1).unwrap();
        let second = crew.hand(|| 2).unwrap();
        assert_eq!(crew.waiting(), 2);
        assert!(crew.place().is_err());
        assert_eq!(crew.hand(|| 3).err(), Some(Busy));
        gate.wait();
        let answers = [held, first, second].map(|answer| answer.blocking_recv().unwrap());
        assert_eq!(answers, [0, 1, 2]);
        crew.stop();
        assert_eq!(crew.hand(|| 4).err(), Some(Busy));
    }

    #[test]
    fn a_place_counts_until_it_is_given_up() {
        let crew = Crew::start("test", 1, 1).unwrap();
        let place = crew.place().unwrap();
        assert!(crew.place().is_err());
        drop(place);
        let answer = crew.place().unwrap().hand(|| 5);
        assert_eq!(answer.blocking_recv(), Ok(5));
    }

    #[test]
    fn a_panic_ends_its_job_and_no_thread() {
        let crew = Crew::start("test", 1, 4).unwrap();
        let lost = crew.hand(|| panic!("meant to")).unwrap();
        let kept = crew.hand(|| 7).unwrap();
        assert!(lost.blocking_recv().is_err());
        assert_eq!(kept.blocking_recv(), Ok(7));
    }
}
