//! Loads in flight: equal misses wait for one load, and a load that a change has overtaken is not kept.
//!
//! A change of a key and the end of a load of the same key meet under one lock. Whichever comes first, nothing older than an acknowledged
//! change stays: the change closes the flight, so that later misses begin a load of their own, and what the closed flight brings is given
//! to those who joined before the change, and kept by nobody. Comparing sequences at the end would not do: a closed flight does not see the
//! change after next.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// All loads in flight, by what is loaded.
pub(crate) struct Flights<K, V> {
    shards: Box<[Mutex<Board<K, V>>]>,
    hashes: RandomState,
}

/// The open flights of one shard.
type Board<K, V> = HashMap<K, Arc<Flight<K, V>>>;

/// What a miss does.
pub(crate) enum Turn<K, V> {
    /// It loads, for itself and for those who join.
    Lead(Arc<Flight<K, V>>),
    /// It waits for a load that began before.
    Join(Arc<Flight<K, V>>),
}

/// One load.
pub(crate) struct Flight<K, V> {
    key: K,
    state: Mutex<State<V>>,
    landed: Condvar,
}

struct State<V> {
    /// Whether a change came while loading.
    overtaken: bool,
    end: End<V>,
}

enum End<V> {
    Open,
    Loaded(V),
    /// Nothing to give to others: an error, or nothing that this caller may see.
    Nothing,
}

impl<K: Hash + Eq + Clone, V: Clone> Flights<K, V> {
    pub(crate) fn new() -> Flights<K, V> {
        Flights { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hashes: RandomState::new() }
    }

    /// Begins a load, or joins one that no change has overtaken.
    pub(crate) fn begin(&self, key: &K) -> Turn<K, V> {
        let mut shard = self.shard(key);
        if let Some(flight) = shard.get(key) {
            return Turn::Join(Arc::clone(flight));
        }
        let state = State { overtaken: false, end: End::Open };
        let flight = Arc::new(Flight { key: key.clone(), state: Mutex::new(state), landed: Condvar::new() });
        shard.insert(key.clone(), Arc::clone(&flight));
        Turn::Lead(flight)
    }

    /// Ends a load that gave a value. `keep` runs only if no change was seen since the load began; says whether it did.
    pub(crate) fn settle(&self, flight: &Arc<Flight<K, V>>, value: V, keep: impl FnOnce()) -> bool {
        let mut shard = self.shard(&flight.key);
        let fresh = !flight.lock().overtaken;
        if fresh {
            keep();
        }
        remove(&mut shard, flight);
        drop(shard);
        flight.land(End::Loaded(value));
        fresh
    }

    /// Ends a load that gave nothing to keep or to share. After [`Flights::settle`] it does nothing.
    pub(crate) fn abandon(&self, flight: &Arc<Flight<K, V>>) {
        remove(&mut self.shard(&flight.key), flight);
        flight.land(End::Nothing);
    }

    /// A change of this key: closes the flight to later misses and lets `forget` drop what is kept.
    pub(crate) fn fence(&self, key: &K, forget: impl FnOnce()) {
        let mut shard = self.shard(key);
        if let Some(flight) = shard.remove(key) {
            flight.lock().overtaken = true;
        }
        forget();
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Board<K, V>> {
        let place = self.hashes.hash_one(key) as usize % SHARDS;
        self.shards[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V: Clone> Flight<K, V> {
    /// The value of the load, where one came in time.
    pub(crate) fn wait(&self, limit: Duration) -> Option<V> {
        let open = |state: &mut State<V>| matches!(state.end, End::Open);
        let waited = self.landed.wait_timeout_while(self.lock(), limit, open);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.end {
            End::Loaded(value) => Some(value.clone()),
            End::Open | End::Nothing => None,
        }
    }

    fn land(&self, end: End<V>) {
        let mut state = self.lock();
        if matches!(state.end, End::Open) {
            state.end = end;
            self.landed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the board, unless a change closed it and another has begun since.
fn remove<K: Hash + Eq, V>(shard: &mut Board<K, V>, flight: &Arc<Flight<K, V>>) {
    if shard.get(&flight.key).is_some_and(|standing| Arc::ptr_eq(standing, flight)) {
        shard.remove(&flight.key);
    }
}

/// Locks over which the keys are spread.
const SHARDS: usize = 64;
