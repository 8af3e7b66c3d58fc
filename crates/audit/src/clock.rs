//! Time and randomness as arguments, with the two doubles that make a run repeatable.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Two clocks: the wall for people, the monotonic one for waiting.
pub trait Clock: Send + Sync {
    /// Nanoseconds since 1970 UTC.
    fn wall_ns(&self) -> i64;
    /// Nanoseconds since some fixed moment of this boot; never falls.
    fn mono_ns(&self) -> u64;
}

/// A source of random bytes fit for keys and nonces.
pub trait Random: Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, bytes: &mut [u8]);
}

/// A clock that stands still until it is moved. For tests and simulation.
#[derive(Debug)]
pub struct ManualClock {
    wall_ns: AtomicI64,
    mono_ns: AtomicU64,
}

impl ManualClock {
    /// Starts at this wall time, with the monotonic clock at one second.
    #[must_use]
    pub fn new(wall_ns: i64) -> Self {
        Self { wall_ns: AtomicI64::new(wall_ns), mono_ns: AtomicU64::new(1_000_000_000) }
    }

    /// Lets time pass on both clocks.
    pub fn pass(&self, ns: u64) {
        self.mono_ns.fetch_add(ns, Ordering::SeqCst);
        self.jump(i64::try_from(ns).unwrap_or(i64::MAX));
    }

    /// Moves the wall clock alone, as a wrong time server does.
    pub fn jump(&self, ns: i64) {
        self.wall_ns.fetch_add(ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall_ns(&self) -> i64 {
        self.wall_ns.load(Ordering::SeqCst)
    }

    fn mono_ns(&self) -> u64 {
        self.mono_ns.load(Ordering::SeqCst)
    }
}

/// Repeatable bytes from a seed (SplitMix64). For tests and simulation, never for keys that matter.
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// The same seed gives the same bytes.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// The next number of the sequence.
    pub fn number(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.number().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}
