//! Whether the guards of two rules can hold at the same time.

use crate::rule::{Alternative, Rule, Test, TestKind};

/// Whether at most one of the two rules can fire.
pub(crate) fn exclusive(one: &Rule, two: &Rule) -> bool {
    if absent(one, two) || absent(two, one) {
        return true;
    }
    let pairs = one.clauses.guard.iter().flat_map(|a| two.clauses.guard.iter().map(move |b| (a, b)));
    pairs.into_iter().any(|(a, b)| a.path.text == b.path.text && (apart(a, b) || apart(b, a)))
}

/// Whether the guard of one rule says that the only source of the other is empty: then the other has nothing to write.
fn absent(one: &Rule, two: &Rule) -> bool {
    let [source] = two.sources.as_slice() else { return false };
    let [Alternative::Path(path)] = source.alternatives.as_slice() else { return false };
    let plain = two.clauses.defaults.iter().all(|(key, _)| key.is_some());
    let empty = |test: &Test| {
        test.kind == TestKind::Empty && (test.path.text == path.text || test.path.text == crate::explain::plain(path))
    };
    plain && one.clauses.guard.iter().any(empty)
}

/// Whether one of two tests of the same path holds only where the other does not.
pub(crate) fn apart(one: &Test, two: &Test) -> bool {
    match (&one.kind, &two.kind) {
        (TestKind::Valued | TestKind::In(_), TestKind::Empty | TestKind::Null) => true,
        (TestKind::In(a), TestKind::In(b)) => !a.iter().any(|value| b.contains(value)),
        (TestKind::In(a), TestKind::NotIn(b)) => a.iter().all(|value| b.contains(value)),
        _ => false,
    }
}
