//! CPU time of a thread: other work on the machine does not count.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::time::Duration;

/// CPU time that this thread has used.
pub(crate) fn thread_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// What one run takes: the best of several rounds, each long enough for the scheduler's clock.
pub(crate) fn time(mut run: impl FnMut()) -> Option<Duration> {
    let mut round = || {
        let begun = thread_cpu()?;
        for runs in 1.. {
            run();
            let spent = thread_cpu()? - begun;
            if spent >= Duration::from_millis(40) {
                return Some(spent / runs);
            }
        }
        None
    };
    round()?.min(round()?).into()
}
