//! Look-ups of people that find nobody, counted for each caller: whoever tries numbers one after another is noticed.
//!
//! The count is by client and terminal (the address where no terminal is named). Nothing of what was asked is kept, logged or counted
//! apart: what is unknown and what is out of reach look alike here as they do in the answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use metrics::{Counter, counter};

/// Counts of the present windows.
pub(crate) struct Misses {
    callers: Mutex<HashMap<(String, String), Window>>,
    alerts: Counter,
}

/// One caller's misses since the window began.
struct Window {
    begun_ns: u64,
    misses: u32,
}

impl Misses {
    /// Nobody has missed yet.
    pub(crate) fn new() -> Misses {
        let alerts = counter!("dukou_identity_enumeration_alerts_total");
        // The series is there from the start, so that a rule can rise from zero.
        alerts.increment(0);
        Misses { callers: Mutex::new(HashMap::new()), alerts }
    }

    /// Notes one miss. True with the one that is too many: the alert is raised once a window.
    pub(crate) fn note(&self, client: &str, terminal: &str, now_ns: u64, limit: u32, window_ms: u64) -> bool {
        let window_ns = window_ms.saturating_mul(1_000_000);
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS_MAX {
            callers.retain(|_, window| now_ns.saturating_sub(window.begun_ns) < window_ns);
        }
        if callers.len() >= CALLERS_MAX {
            // So many callers at once are an attack of another kind, for the limits on requests to stop.
            callers.clear();
        }
        let window =
            callers.entry((client.to_owned(), terminal.to_owned())).or_insert(Window { begun_ns: now_ns, misses: 0 });
        if now_ns.saturating_sub(window.begun_ns) >= window_ns {
            *window = Window { begun_ns: now_ns, misses: 0 };
        }
        window.misses = window.misses.saturating_add(1);
        let is_too_many = window.misses == limit.saturating_add(1);
        drop(callers);
        if is_too_many {
            self.alerts.increment(1);
            tracing::warn!(client, terminal, limit, "look-ups of people that find nobody come one after another");
        }
        is_too_many
    }
}

/// Callers that are counted at once.
const CALLERS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::{CALLERS_MAX, Misses};

    const MINUTE_NS: u64 = 60_000_000_000;

    #[test]
    fn an_alert_is_raised_once_a_window_for_each_caller() {
        let misses = Misses::new();
        let note = |client: &str, at| misses.note(client, "T1", at, 3, 60_000);
        let raised: Vec<bool> = (0..6).map(|at| note("kiosk", at)).collect();
        assert_eq!(raised, [false, false, false, true, false, false]);
        assert!(!note("clerk", 7), "another caller has a count of its own");
        let again: Vec<bool> = (0..4).map(|at| note("kiosk", MINUTE_NS + at)).collect();
        assert_eq!(again, [false, false, false, true], "a new window counts anew");
    }

    #[test]
    fn slow_misses_of_a_busy_desk_raise_nothing() {
        let misses = Misses::new();
        assert!((0..100).all(|n| !misses.note("clerk", "T1", n * MINUTE_NS / 3, 3, 60_000)));
    }

    #[test]
    fn the_number_of_callers_is_bounded() {
        let misses = Misses::new();
        for n in 0..CALLERS_MAX * 2 {
            misses.note("kiosk", &n.to_string(), 0, 3, 60_000);
        }
        assert!(misses.callers.lock().unwrap().len() <= CALLERS_MAX);
    }
}
