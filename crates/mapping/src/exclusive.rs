//! Whether the guards of two rules can hold at the same time.

use crate::rule::{Rule, Test, TestKind};

/// Whether at most one of the two rules can fire.
pub(crate) fn exclusive(one: &Rule, two: &Rule) -> bool {
    let pairs = one.clauses.guard.iter().flat_map(|a| two.clauses.guard.iter().map(move |b| (a, b)));
    pairs.into_iter().any(|(a, b)| a.path.text == b.path.text && (apart(a, b) || apart(b, a)))
}

fn apart(one: &Test, two: &Test) -> bool {
    match (&one.kind, &two.kind) {
        (TestKind::Valued | TestKind::In(_), TestKind::Empty | TestKind::Null) => true,
        (TestKind::In(a), TestKind::In(b)) => !a.iter().any(|value| b.contains(value)),
        (TestKind::In(a), TestKind::NotIn(b)) => a.iter().all(|value| b.contains(value)),
        _ => false,
    }
}
