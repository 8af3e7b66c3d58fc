//! The same promises in memory: the engine of tests and simulation. It does everything on the caller's thread, one commit after another,
//! and fails where it is told to.

mod tables;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dukou_audit::{Clock, StoreSeal};
use dukou_fhir::Instant;
use dukou_fhir::search::Site;

use self::tables::State;
use crate::doors::{Engine, Frame};
use crate::error::Error;
use crate::group::{self, Job, refuse};
use crate::home::Home;
use crate::tables::{Counters, Tables, Transaction, View};

/// What a crash leaves behind: the committed rows. Clones are the same disk; open it again after a crash.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

/// Where the next commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No space: the commit is refused, later ones may succeed.
    Full,
    /// The sync fails and the rows are lost: the store is poisoned.
    LostCommit,
    /// The sync fails though the rows reached the disk: the store is poisoned, and a restart finds them.
    LateFailure,
}

/// The store in memory.
pub struct Model {
    disk: Disk,
    work: Mutex<Standing>,
    frame: Frame,
}

struct Standing {
    counters: Counters,
    /// Commits still to succeed before the fault strikes.
    fault: Option<(u64, Fault)>,
    poisoned: bool,
}

impl Model {
    /// The store on a disk, which may hold what an earlier one committed.
    ///
    /// # Errors
    /// When a stored body cannot be read while the index is made anew.
    pub fn open(disk: Disk, site: Site<'_>, seal: StoreSeal, clock: Arc<dyn Clock>) -> Result<Model, Error> {
        let counters = lock(&disk.0).counters()?;
        let frame = Frame { seal: Arc::new(seal), clock, home: Home::of(site) };
        let work = Mutex::new(Standing { counters, fault: None, poisoned: false });
        let model = Model { disk, work, frame };
        model.renew_postings()?;
        Ok(model)
    }

    /// Lets `commits` more commits succeed, and the one after them fail.
    pub fn fail_after(&self, commits: u64, fault: Fault) {
        lock(&self.work).fault = Some((commits, fault));
    }

    /// Takes a fault back: space is there again.
    pub fn mend(&self) {
        lock(&self.work).fault = None;
    }
}

impl Engine for Model {
    fn view<T>(&self, _steady: bool, read: impl FnOnce(&dyn View) -> Result<T, Error>) -> Result<T, Error> {
        read(&*lock(&self.disk.0))
    }

    fn submit(&self, job: Job) -> Result<(), Error> {
        let mut standing = lock(&self.work);
        if standing.poisoned {
            refuse([job], &Error::Poisoned);
            return Ok(());
        }
        let now = Instant::from_nanos(self.frame.clock.wall_ns());
        let fault = match &mut standing.fault {
            Some((0, fault)) => Some(*fault),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        let mut turn = Turn::new(&self.disk, fault);
        let mut counters = standing.counters;
        let result = group::run(&mut turn, &mut counters, now, vec![job], &self.frame.seal);
        standing.counters = counters;
        standing.poisoned = matches!(result, Err(Error::Poisoned));
        Ok(())
    }

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn is_poisoned(&self) -> bool {
        lock(&self.work).poisoned
    }
}

/// One transaction over the rows.
struct Turn<'a> {
    state: MutexGuard<'a, State>,
    savepoint: usize,
    open: bool,
    fault: Option<Fault>,
}

impl Turn<'_> {
    fn new(disk: &Disk, fault: Option<Fault>) -> Turn<'_> {
        Turn { state: lock(&disk.0), savepoint: 0, open: false, fault }
    }
}

/// The writer's side alone, for tests of whole groups.
#[cfg(test)]
pub(crate) fn with_writer<R>(disk: &Disk, fault: Option<Fault>, run: impl FnOnce(&mut dyn Transaction) -> R) -> R {
    run(&mut Turn::new(disk, fault))
}

impl Transaction for Turn<'_> {
    fn tables(&mut self) -> &mut dyn Tables {
        &mut *self.state
    }

    fn begin(&mut self) -> Result<(), Error> {
        self.open = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        match self.fault {
            None => {
                self.state.undo.clear();
                self.open = false;
                Ok(())
            }
            Some(Fault::Full) => Err(Error::Full),
            Some(Fault::LostCommit) => Err(Error::Poisoned),
            Some(Fault::LateFailure) => {
                self.state.undo.clear();
                Err(Error::Poisoned)
            }
        }
    }

    fn rollback(&mut self) -> Result<(), Error> {
        self.state.undo_to(0);
        self.open = false;
        Ok(())
    }

    fn savepoint(&mut self) -> Result<(), Error> {
        self.savepoint = self.state.undo.len();
        Ok(())
    }

    fn release(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn rollback_to_savepoint(&mut self) -> Result<(), Error> {
        let length = self.savepoint;
        self.state.undo_to(length);
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.open
    }
}

/// A panic of another thread leaves rows as they were: changes are undone from their log.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
