//! Leaves that no rule speaks of: what a site wants done about them, and how many there are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use dukou_fhir::{Issue, IssueType, Severity, Text};
use dukou_mapping::{Accounts, LeafClass, Program};
use dukou_wire::Message;
use metrics::{Counter, counter};

/// What happens to a message with a leaf that no rule speaks of. Unless a site says otherwise the leaf is counted, and kept with
/// the message like every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReported {
    /// Nothing: it is known and does not matter.
    Ignore,
    /// It is counted and named in the answer.
    Warn,
    /// The message is answered with AE and not applied.
    Refuse,
}

/// What a site wants by place. `ZXX` speaks of a segment with all its fields, `PID-10` of a field with all its parts, `*` of what
/// no other line names.
#[derive(Clone, Debug, Default)]
pub struct ReportedPolicy {
    lines: BTreeMap<String, OnReported>,
}

impl ReportedPolicy {
    /// A policy of these lines.
    pub fn new(lines: impl IntoIterator<Item = (String, OnReported)>) -> ReportedPolicy {
        ReportedPolicy { lines: lines.into_iter().collect() }
    }

    /// The line for a place such as `PID-10.2`: the nearest above it wins.
    fn of(&self, place: &str) -> Option<OnReported> {
        if self.lines.is_empty() {
            return None;
        }
        let ends = place.char_indices().filter(|(_, c)| matches!(c, '.' | '-' | '/')).map(|(at, _)| at);
        let above = ends.collect::<Vec<_>>().into_iter().rev().map(|end| &place[..end]);
        std::iter::once(place).chain(above).chain(["*"]).find_map(|name| self.lines.get(name)).copied()
    }
}

/// The places of one message that no rule speaks of and that the site does not ignore, with how often each occurs.
pub(crate) struct Reported {
    counts: BTreeMap<String, u64>,
    /// What the answer says about them.
    pub issues: Vec<Issue>,
}

impl Reported {
    pub(crate) fn of(
        policy: &ReportedPolicy,
        accounts: &Accounts,
        program: &Program,
        message: &Message<'_>,
    ) -> Reported {
        let mut reported = Reported { counts: BTreeMap::new(), issues: Vec::new() };
        if accounts.reported == 0 {
            return reported;
        }
        for line in accounts.lines(program, message).filter(|line| line.class == LeafClass::Reported) {
            let place = line.path.general();
            let wanted = policy.of(&place);
            if wanted == Some(OnReported::Ignore) {
                continue;
            }
            let severity = match wanted {
                Some(OnReported::Refuse) => Some(Severity::Error),
                Some(OnReported::Warn) => Some(Severity::Warning),
                _ => None,
            };
            let count = reported.counts.entry(place).or_insert(0);
            *count += 1;
            if let Some(severity) = severity.filter(|_| *count == 1) {
                reported.issues.push(issue(severity, &line.path.to_string()));
            }
        }
        reported
    }
}

fn issue(severity: Severity, path: &str) -> Issue {
    let en = "no rule of the maps carries this value; it is kept with the message";
    let zh = "映射中没有规则处理该值；该值随原消息保留";
    Issue::new(severity, IssueType::NotSupported, "leaf-reported", Text::new(en, zh)).at(path)
}

/// Counts `dukou_reported_leaves_total{site,path}`. What a path may be is decided outside, so their number is bounded.
#[derive(Default)]
pub(crate) struct ReportedCounters {
    handles: Mutex<BTreeMap<String, Counter>>,
}

impl ReportedCounters {
    pub(crate) fn add(&self, site: &str, reported: &Reported) {
        if reported.counts.is_empty() {
            return;
        }
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, count) in &reported.counts {
            let known = handles.contains_key(place) || handles.len() < PATHS_MAX;
            // Names in documents are words of the sender; only places of segments are labels.
            let label = if known && !place.contains('/') { place.as_str() } else { OTHER };
            if let Some(handle) = handles.get(label) {
                handle.increment(*count);
                continue;
            }
            let handle = counter!("dukou_reported_leaves_total", "site" => site.to_owned(), "path" => label.to_owned());
            handle.increment(*count);
            handles.insert(label.to_owned(), handle);
        }
    }
}

/// So many paths are counted one by one; all others together.
const PATHS_MAX: usize = 200;
const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_line_above_a_place_decides() {
        let lines = [
            ("ZXX", OnReported::Ignore),
            ("PID", OnReported::Warn),
            ("PID-10", OnReported::Refuse),
            ("*", OnReported::Ignore),
        ];
        let policy = ReportedPolicy::new(lines.map(|(place, wanted)| (place.to_owned(), wanted)));
        assert_eq!(policy.of("ZXX-3.1"), Some(OnReported::Ignore));
        assert_eq!(policy.of("PID-3.4.2"), Some(OnReported::Warn));
        assert_eq!(policy.of("PID-10"), Some(OnReported::Refuse));
        assert_eq!(policy.of("PID-10.2"), Some(OnReported::Refuse));
        assert_eq!(policy.of("PID-101"), Some(OnReported::Warn));
        assert_eq!(policy.of("OBX-5"), Some(OnReported::Ignore));
        assert_eq!(ReportedPolicy::default().of("OBX-5"), None);
    }

    #[test]
    fn a_place_is_named_once_and_one_that_is_refused_is_an_error() {
        let tables = dukou_terminology::Tables::load(Vec::new()).unwrap_or_else(|_| panic!("no tables, no fault"));
        let program = dukou_mapping::compile(&[], &tables).unwrap_or_else(|_| panic!("no maps, no fault"));
        let raw = b"MSH|^~\\&|A|B|C|D|20260105||ADT^A01|1|P|2.5\rZXX|a~b|c|d\r";
        let (message, _) = dukou_wire::er7::parse(raw, &Default::default(), &Default::default()).unwrap();
        let mapped = program.to_fhir(&message, &dukou_mapping::Site { id: "a", zone: "+08:00" });
        let lines = [("*", OnReported::Ignore), ("ZXX-1", OnReported::Refuse), ("ZXX-2", OnReported::Warn)];
        let policy = ReportedPolicy::new(lines.map(|(place, wanted)| (place.to_owned(), wanted)));
        let reported = Reported::of(&policy, &mapped.accounts, &program, &message);
        let severities: Vec<Severity> = reported.issues.iter().map(|issue| issue.severity).collect();
        assert_eq!(severities, [Severity::Error, Severity::Warning]);
        assert_eq!(reported.counts.values().copied().collect::<Vec<_>>(), [2, 1]);
        let all = Reported::of(&ReportedPolicy::default(), &mapped.accounts, &program, &message);
        assert!(all.issues.is_empty());
        assert_eq!(all.counts.values().sum::<u64>(), u64::from(mapped.accounts.reported));
    }

    #[test]
    fn the_number_of_paths_is_bounded() {
        let counters = ReportedCounters::default();
        let counts = (0..1000).map(|n| (format!("ZXX-{n}"), 1)).chain([("/row/name".to_owned(), 1)]).collect();
        counters.add("a", &Reported { counts, issues: Vec::new() });
        let handles = counters.handles.lock().unwrap();
        assert!(handles.len() <= PATHS_MAX + 1);
        assert!(handles.contains_key(OTHER) && handles.keys().all(|path| !path.contains('/')));
    }
}
