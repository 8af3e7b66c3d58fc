//! The only place that reads time and random bytes; everything below gets them as arguments.

#![allow(clippy::disallowed_methods, reason = "this is the clock that everyone else is given")]

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use dukou_audit::{Clock, Random};

/// The clock of this machine.
#[derive(Debug, Default)]
pub(crate) struct SystemClock {
    start: OnceLock<Instant>,
}

impl Clock for SystemClock {
    fn wall_ns(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        i64::try_from(since).unwrap_or(i64::MAX)
    }

    fn mono_ns(&self) -> u64 {
        let start = self.start.get_or_init(Instant::now);
        u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Random bytes of the crypto library.
#[derive(Debug, Default)]
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // The library seeds itself from the system and fails only where that cannot be had; then nothing can be sealed either.
        assert!(aws_lc_rs::rand::fill(bytes).is_ok(), "the system gives no random bytes");
    }
}

#[cfg(test)]
mod tests {
    use dukou_audit::RequestId;

    use super::*;

    #[test]
    fn request_ids_are_version_seven_and_rise_with_time() {
        let (clock, random) = (SystemClock::default(), SystemRandom);
        let first = RequestId::new(&clock, &random);
        std::thread::sleep(std::time::Duration::from_millis(2));
        let second = RequestId::new(&clock, &random);
        assert_eq!(first.0[6] >> 4, 7);
        assert!(first < second);
    }
}
