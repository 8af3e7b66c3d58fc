//! Token buckets: how often a peer or a client may ask.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many requests a bucket refills in a second and how many it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second in the long run, at least 1.
    pub per_second: u32,
    /// Requests at once after a pause, at least 1.
    pub burst: u32,
}

impl Default for Rate {
    /// 50,000 requests a second, 100,000 at once: a stop for a client that runs wild. A partner's file says what is agreed.
    fn default() -> Rate {
        Rate { per_second: 50_000, burst: 100_000 }
    }
}

/// The buckets of all peers and clients. It outlives a policy, so that a reload does not refill them.
pub struct Meter {
    buckets: Mutex<HashMap<String, Bucket>>,
    peer: Rate,
    buckets_max: usize,
}

struct Bucket {
    /// Thousandths of a request.
    level: u64,
    seen_ns: i64,
}

impl Meter {
    /// A meter with the rate of each peer address and the largest number of buckets held at once. Beyond that number, buckets
    /// that are full again are forgotten; if none is, a new peer is refused for a second.
    pub fn new(peer: Rate, buckets_max: usize) -> Meter {
        Meter { buckets: Mutex::new(HashMap::new()), peer, buckets_max }
    }

    /// Takes one request from the bucket of a peer address.
    ///
    /// # Errors
    /// The number of seconds after which asking again may succeed.
    pub fn take_peer(&self, address: &str, now_ns: i64) -> Result<(), u32> {
        self.take(format!("peer {address}"), self.peer, now_ns)
    }

    /// Takes one request from the bucket of a client.
    ///
    /// # Errors
    /// The number of seconds after which asking again may succeed.
    pub fn take_client(&self, client: &str, rate: Rate, now_ns: i64) -> Result<(), u32> {
        self.take(format!("client {client}"), rate, now_ns)
    }

    fn take(&self, key: String, rate: Rate, now_ns: i64) -> Result<(), u32> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.contains_key(&key) && buckets.len() >= self.buckets_max {
            buckets.retain(|_, bucket| now_ns.saturating_sub(bucket.seen_ns) < FORGET_NS);
            if buckets.len() >= self.buckets_max {
                return Err(1);
            }
        }
        let full = u64::from(rate.burst) * WHOLE;
        let bucket = buckets.entry(key).or_insert(Bucket { level: full, seen_ns: now_ns });
        let passed_ns = u64::try_from(now_ns.saturating_sub(bucket.seen_ns)).unwrap_or(0);
        let per_second = u64::from(rate.per_second.max(1));
        let refill = passed_ns.saturating_mul(per_second) / PART_NS;
        if bucket.level.saturating_add(refill) >= full {
            (bucket.level, bucket.seen_ns) = (full, now_ns.max(bucket.seen_ns));
        } else {
            // Only the time that was paid out is taken from the clock: frequent asking must not eat the fractions.
            bucket.level += refill;
            bucket.seen_ns =
                bucket.seen_ns.saturating_add(i64::try_from(refill * PART_NS / per_second).unwrap_or(i64::MAX));
        }
        if bucket.level < WHOLE {
            let missing = WHOLE - bucket.level;
            return Err(u32::try_from(missing.div_ceil(per_second * WHOLE)).unwrap_or(u32::MAX).max(1));
        }
        bucket.level -= WHOLE;
        Ok(())
    }
}

const WHOLE: u64 = 1_000;
/// Nanoseconds in which a rate of one a second earns one thousandth.
const PART_NS: u64 = 1_000_000_000 / WHOLE;
/// A bucket not touched for this long is full at any rate that can be configured in earnest.
const FORGET_NS: i64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use super::{Meter, Rate};

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let meter = Meter::new(Rate { per_second: 2, burst: 3 }, 10);
        for _ in 0..3 {
            assert_eq!(meter.take_peer("192.0.2.1", 0), Ok(()));
        }
        assert_eq!(meter.take_peer("192.0.2.1", 0), Err(1));
        assert_eq!(meter.take_peer("192.0.2.2", 0), Ok(()), "another peer has a bucket of its own");
        assert_eq!(meter.take_peer("192.0.2.1", SECOND), Ok(()));
        assert_eq!(meter.take_peer("192.0.2.1", SECOND), Ok(()));
        assert_eq!(meter.take_peer("192.0.2.1", SECOND), Err(1));
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing() {
        let meter = Meter::new(Rate { per_second: 1, burst: 1 }, 10);
        assert_eq!(meter.take_peer("192.0.2.1", 10 * SECOND), Ok(()));
        assert_eq!(meter.take_peer("192.0.2.1", 0), Err(1));
    }

    #[test]
    fn frequent_asking_does_not_stop_the_refill() {
        let meter = Meter::new(Rate { per_second: 1, burst: 1 }, 10);
        let step = SECOND / 10_000;
        let granted = (0..30_000).filter(|turn| meter.take_peer("192.0.2.1", turn * step).is_ok()).count();
        assert_eq!(granted, 3);
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let meter = Meter::new(Rate { per_second: 1, burst: 1 }, 2);
        assert!(meter.take_peer("192.0.2.1", 0).is_ok());
        assert!(meter.take_peer("192.0.2.2", 0).is_ok());
        assert_eq!(meter.take_peer("192.0.2.3", 0), Err(1));
        assert!(meter.take_peer("192.0.2.3", 61 * SECOND).is_ok(), "idle buckets are forgotten");
    }
}
