//! Guards on the way back: equations that are made true, and conditions that are looked at in the end.

use std::borrow::Cow;

use super::draft::Spot;
use super::run::{Back, Scope};
use super::value::Form;
use crate::plan::{Operation, PathPlan, Position, Root, TestPlan};
use crate::rule::TestKind;

impl<'v> Back<'v> {
    /// Whether the kind of message already says that the operation has no part in it.
    pub(crate) fn message_refuses(&self, operation: &Operation) -> bool {
        self.message_denies(&operation.guard)
    }

    /// Whether the header makes a guard false.
    pub(crate) fn message_denies(&self, guard: &[TestPlan]) -> bool {
        let of_message = |test: &&TestPlan| {
            matches!(&test.path.root, Root::Nearest(name) if name == "MSH") && matches!(test.path.field, 9 | 12)
        };
        guard.iter().filter(of_message).any(|test| {
            let leaf = Spot {
                segment: 0,
                field: test.path.field,
                repetition: 1,
                component: test.path.component,
                subcomponent: test.path.subcomponent,
            };
            !self.test(&test.kind, leaf)
        })
    }

    /// Makes the lists of values true that the guard names; false where a guard on the own source fails already.
    pub(crate) fn equate(&mut self, operation: &'v Operation, scope: &mut Scope<'_, 'v>) -> bool {
        for test in &operation.guard {
            let own = operation.sources.iter().flatten().any(|path| same_place(path, &test.path));
            let Some(leaf) = self.guarded(&test.path, scope) else { continue };
            if own {
                if !self.test(&test.kind, leaf) {
                    return false;
                }
                continue;
            }
            let TestKind::In(values) = &test.kind else { continue };
            if self.test(&test.kind, leaf) || !operation.equates() || leaf.segment == 0 {
                continue;
            }
            let sent = self.hints.original(leaf).filter(|sent| values.iter().any(|value| value == sent.as_ref()));
            let text = sent.unwrap_or_else(|| Cow::Borrowed(values.first().map_or("", String::as_str)));
            self.write(leaf, Form::Equation, operation.rule, text, scope);
        }
        true
    }

    /// Whether all conditions hold as things stand.
    pub(crate) fn guards_hold(&self, operation: &Operation, scope: &Scope<'_, 'v>) -> bool {
        operation.guard.iter().all(|test| match self.guarded(&test.path, scope) {
            Some(spot) => self.test(&test.kind, spot),
            None => matches!(test.kind, TestKind::Empty | TestKind::NotIn(_)),
        })
    }

    /// What stands at a place now.
    pub(crate) fn stands_at(&self, path: &PathPlan, scope: &Scope<'_, 'v>) -> Option<Cow<'v, str>> {
        self.text_at(self.guarded(path, scope)?)
    }

    /// The place that a test looks at; nothing where it is not there.
    fn guarded(&self, path: &PathPlan, scope: &Scope<'_, 'v>) -> Option<Spot> {
        let segment = match &path.root {
            Root::Part => return scope.spot?.part(path.component)?.part(path.subcomponent),
            Root::Own => scope.own,
            Root::Nearest(name) => self.known_nearest(name, scope.own)?,
            Root::Beside(name, _) => self.beside(name, scope.own).next()?,
            Root::Group(_, name, _) => self.known_nearest(name, scope.own)?,
            Root::Tree(tree) => return self.places.spot(tree, scope.own).map(|spot| Spot { repetition: 1, ..spot }),
            Root::Row(kind) => self.places.frame(*kind)?,
        };
        let repetition = match path.position {
            Position::Nth(number) | Position::From(number) => number,
            Position::All => 0,
        };
        Some(Spot {
            segment,
            field: path.field,
            repetition,
            component: path.component,
            subcomponent: path.subcomponent,
        })
    }

    /// A test as things stand: what was written counts, else what was sent.
    fn test(&self, kind: &TestKind, spot: Spot) -> bool {
        let valued = || self.is_valued(spot);
        match kind {
            TestKind::Valued => valued(),
            TestKind::Empty => !valued(),
            TestKind::Null => false,
            TestKind::Begins(start) => self.text_at(spot).is_some_and(|text| text.starts_with(start.as_str())),
            TestKind::In(values) => self.text_at(spot).is_some_and(|text| values.contains(&text.into_owned())),
            TestKind::NotIn(values) => !self.text_at(spot).is_some_and(|text| values.contains(&text.into_owned())),
        }
    }

    fn is_valued(&self, spot: Spot) -> bool {
        if spot.field == 0 {
            return self.draft.alive(spot.segment).next().is_some()
                || self.draft.segments[spot.segment as usize].original.is_some();
        }
        self.draft.alive(spot.segment).any(|written| spot.holds(written.spot)) || self.hints.is_valued(spot)
    }

    fn text_at(&self, spot: Spot) -> Option<Cow<'v, str>> {
        let leaf = spot.leaf();
        self.draft.best(leaf).map(|written| written.text.clone()).or_else(|| self.hints.sent(leaf))
    }
}

/// Whether a test looks at what the rule itself writes.
fn same_place(source: &PathPlan, test: &PathPlan) -> bool {
    let open = |own: u16, other: u16| own == 0 || own == other || (own == 1 && other == 0);
    source.root == test.root
        && source.field == test.field
        && open(source.component, test.component)
        && open(source.subcomponent, test.subcomponent)
}
