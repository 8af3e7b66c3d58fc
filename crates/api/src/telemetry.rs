//! Numbers and traces for operators: routes, statuses and durations, never data.

use dukou_audit::RequestId;
use metrics::{Counter, Histogram, counter, histogram};

use crate::route::{self, ROUTES, RouteLine};

/// Handles of all metrics, made once: looking one up costs ten times its use.
pub(crate) struct Telemetry {
    routes: Vec<Numbers>,
}

struct Numbers {
    /// By class of status: 1xx to 5xx.
    answers: [Counter; 5],
    seconds: Histogram,
}

impl Telemetry {
    /// Registers the metrics of every route.
    pub(crate) fn new() -> Telemetry {
        let numbers = |line: &RouteLine| Numbers {
            answers: ["1xx", "2xx", "3xx", "4xx", "5xx"]
                .map(|class| counter!("dukou_http_answers_total", "route" => line.name, "status" => class)),
            seconds: histogram!("dukou_http_seconds", "route" => line.name),
        };
        Telemetry { routes: ROUTES.iter().map(numbers).collect() }
    }

    /// Notes one answer.
    pub(crate) fn note(&self, id: RequestId, line: &RouteLine, status: u16, passed_ns: u64) {
        let numbers = &self.routes[route::place(line.number)];
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        numbers.answers[class].increment(1);
        numbers.seconds.record(passed_ns as f64 / 1e9);
        tracing::debug!(request = %id, route = line.name, status, micros = passed_ns / 1_000, "answered");
    }
}
