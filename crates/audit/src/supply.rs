//! The next segment and the reserve, made ahead of need: shortness of space is met here and never on the commit path.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::segment::{self, NEXT, RESERVE, SEGMENTS};
use crate::storage::{Files, Mode};

/// Whether a prepared file is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stock {
    Wanted,
    Ready,
    /// The writer is moving the file into place; a new one made now would take its name away.
    Moving,
    NoSpace,
}

impl Stock {
    fn is_missing(self) -> bool {
        matches!(self, Self::Wanted | Self::NoSpace)
    }
}

/// Which prepared file a rotation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Successor {
    Next,
    Reserve,
}

pub(crate) struct Supply {
    state: Mutex<State>,
    changed: Condvar,
    segment_bytes: u64,
    reserve_bytes: u64,
}

struct State {
    next: Stock,
    reserve: Stock,
    /// Size of the next file: it grows fourfold up to the configured size, so that the first ones are ready at once.
    next_bytes: u64,
    ended: bool,
}

impl Supply {
    pub(crate) fn new(segment_bytes: u64, reserve_bytes: u64, first_bytes: u64) -> Self {
        let state = State {
            next: Stock::Wanted,
            reserve: Stock::Wanted,
            next_bytes: (first_bytes * GROWTH).min(segment_bytes),
            ended: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), segment_bytes, reserve_bytes }
    }

    /// Counts files that an earlier run left prepared.
    pub(crate) fn take_stock(&self, files: &dyn Files) {
        let usable = |path: &str| files.open(path, Mode::Read).and_then(|file| file.len()).is_ok_and(|len| len >= MIN);
        let mut state = self.state();
        if usable(NEXT) {
            state.next = Stock::Ready;
        }
        if usable(RESERVE) {
            state.reserve = Stock::Ready;
        }
    }

    /// Makes what is missing. Shortness of space is remembered, any other error is the caller's to judge.
    pub(crate) fn restock(&self, files: &dyn Files) -> io::Result<()> {
        let (next, reserve, bytes) = {
            let state = self.state();
            (state.next, state.reserve, state.next_bytes)
        };
        if next.is_missing() {
            let made = settle(segment::prepare(files, SEGMENTS, NEXT, bytes))?;
            let mut state = self.state();
            state.next = made;
            if made == Stock::Ready {
                state.next_bytes = (bytes * GROWTH).min(self.segment_bytes);
            }
        }
        self.changed.notify_all();
        if reserve.is_missing() {
            let made = settle(segment::prepare(files, "", RESERVE, self.reserve_bytes))?;
            self.state().reserve = made;
        }
        self.changed.notify_all();
        Ok(())
    }

    pub(crate) fn stock(&self) -> (Stock, Stock) {
        let state = self.state();
        (state.next, state.reserve)
    }

    /// Takes the next file, or the reserve where the next one cannot be made. Waits while it is being made. A new one is made only
    /// after [`Supply::placed`].
    pub(crate) fn successor(&self) -> Option<Successor> {
        let mut state = self.state();
        while state.next == Stock::Wanted && !state.ended {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let taken = match (state.next, state.reserve) {
            (Stock::Ready, _) => {
                state.next = Stock::Moving;
                Successor::Next
            }
            (_, Stock::Ready) => {
                state.reserve = Stock::Moving;
                Successor::Reserve
            }
            _ => return None,
        };
        Some(taken)
    }

    /// The file taken has its own name now.
    pub(crate) fn placed(&self, taken: Successor) {
        let mut state = self.state();
        match taken {
            Successor::Next => state.next = Stock::Wanted,
            Successor::Reserve => state.reserve = Stock::Wanted,
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The reserve became the first segment of a run.
    pub(crate) fn took_reserve(&self) {
        let mut state = self.state();
        state.reserve = Stock::Wanted;
        state.next = Stock::NoSpace;
    }

    /// Waits until something is missing; shortness of space is tried again after a second. `false` at the end.
    pub(crate) fn wait_for_work(&self) -> bool {
        let mut state = self.state();
        loop {
            if state.ended {
                return false;
            }
            if state.next == Stock::Wanted || state.reserve == Stock::Wanted {
                return true;
            }
            let short = state.next == Stock::NoSpace || state.reserve == Stock::NoSpace;
            if short {
                let (next, timeout) = self.changed.wait_timeout(state, RETRY).unwrap_or_else(PoisonError::into_inner);
                state = next;
                if timeout.timed_out() {
                    return !state.ended;
                }
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    pub(crate) fn end(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settle(made: io::Result<()>) -> io::Result<Stock> {
    match made {
        Ok(()) => Ok(Stock::Ready),
        Err(error) if segment::no_space(&error) => Ok(Stock::NoSpace),
        Err(error) => Err(error),
    }
}

const GROWTH: u64 = 4;
const MIN: u64 = 64 << 10;
const RETRY: Duration = Duration::from_secs(1);
