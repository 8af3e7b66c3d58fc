//! Commits on their way: stored, perhaps, and not yet known to what is derived from the store.
//!
//! A request that is repeated finds in the store that it was done, and might be answered while the first one is still telling the index of
//! people. It waits for those before it, so that no acknowledgement is earlier than what it acknowledges can be seen.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// The commits under way, in the order of their beginning.
#[derive(Default)]
pub(crate) struct InFlight {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    begun: u64,
    under_way: BTreeMap<u64, ThreadId>,
}

/// A commit under way; dropped, it has ended.
pub(crate) struct Passage<'a> {
    flight: &'a InFlight,
    number: u64,
}

impl InFlight {
    /// A commit begins.
    pub(crate) fn enter(&self) -> Passage<'_> {
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        state.under_way.insert(number, thread::current().id());
        Passage { flight: self, number }
    }

    /// Waits until everything that has begun before on other threads has ended. False: one of them takes longer than a commit can take.
    #[must_use]
    pub(crate) fn wait(&self) -> bool {
        let state = self.state();
        let (begun, own) = (state.begun, thread::current().id());
        let before = |state: &mut State| state.under_way.range(..=begun).any(|(_, thread)| *thread != own);
        let waited = self.ended.wait_timeout_while(state, WAIT_MAX, before);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        self.flight.state().under_way.remove(&self.number);
        self.flight.ended.notify_all();
    }
}

/// Longer than the store's writer takes for a group, unless its disk hangs.
const WAIT_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::InFlight;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn one_waits_for_those_that_have_begun_before_and_for_no_other() {
        let flight = InFlight::default();
        assert!(flight.wait(), "nothing is under way");
        let first = flight.enter();
        std::thread::scope(|scope| {
            let (tell, told) = channel();
            let flight = &flight;
            scope.spawn(move || tell.send(flight.wait()).unwrap());
            assert!(told.recv_timeout(Duration::from_millis(50)).is_err(), "the first is still under way");
            let _second = flight.enter();
            drop(first);
            assert!(told.recv_timeout(Duration::from_secs(5)).unwrap(), "the second began later");
        });
    }
}
