//! Guards of a body as sets of bits: each place that guards look at is read once, and one look-up of its value answers
//! all tests of it, however many rules of a chain ask (`if OBX-2 = NM`, `if OBX-2 in ST,TX`, ...).

use std::ops::ControlFlow;

use dukou_wire::{Node, Presence};

use crate::plan::{Body, Operation, PathPlan, Root, TestPlan};
use crate::reading::{At, Reading, first_leaf, valued};
use crate::rule::TestKind;

/// The tests of a body, one bit for each, by the places that they look at.
#[derive(Debug, Default)]
pub(crate) struct Guards {
    subjects: Vec<Subject>,
    /// What each operation asks for, then what each late one does.
    needs: Vec<Need>,
}

/// A place and all tests of it.
#[derive(Debug)]
struct Subject {
    path: PathPlan,
    /// Tests that a value makes true, and those of them that a null does.
    valued: u128,
    null: u128,
    /// Tests that name a literal, by that literal, sorted.
    literals: Vec<(String, u128)>,
    /// Tests that hold where nothing made them true: `empty` and `not in`.
    negative: u128,
    all: u128,
}

#[derive(Clone, Copy, Debug, Default)]
struct Need {
    tests: u128,
    subjects: u64,
    /// The tests are asked one by one: they are of another kind, or too many for the bits.
    beyond: bool,
}

/// What is known of the tests at one place of the message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Answers {
    asked: u64,
    held: u128,
}

impl Guards {
    /// The guards of the operations of a body.
    pub(crate) fn of(body: &Body) -> Guards {
        let mut guards = Guards::default();
        let mut tests: Vec<&TestPlan> = Vec::new();
        for operation in body.operations.iter().chain(&body.late) {
            let need = guards.need(&operation.guard, &mut tests);
            guards.needs.push(need);
        }
        for subject in &mut guards.subjects {
            subject.literals.sort();
        }
        guards
    }

    fn need<'p>(&mut self, guard: &'p [TestPlan], tests: &mut Vec<&'p TestPlan>) -> Need {
        let mut need = Need::default();
        for test in guard {
            // A walk through a tree, and the start of a text, are asked each by itself.
            if matches!(test.path.root, Root::Tree(_)) || matches!(test.kind, TestKind::Begins(_)) {
                return Need { beyond: true, ..need };
            }
            let number = tests.iter().position(|known| *known == test).unwrap_or(tests.len());
            if number == tests.len() {
                tests.push(test);
            }
            let subject = self.subjects.iter().position(|subject| subject.path == test.path);
            let subject = subject.unwrap_or(self.subjects.len());
            if number >= TESTS_MAX || subject >= SUBJECTS_MAX {
                return Need { beyond: true, ..need };
            }
            if subject == self.subjects.len() {
                self.subjects.push(Subject::of(&test.path));
            }
            self.subjects[subject].add(&test.kind, 1 << number);
            need.tests |= 1 << number;
            need.subjects |= 1 << subject;
        }
        need
    }

    /// Whether the guard of the operation with that number holds; late operations are numbered behind the others.
    #[inline]
    pub(crate) fn hold<'m>(
        &self,
        number: usize,
        operation: &Operation,
        answers: &mut Answers,
        reading: &Reading<'m>,
        at: At<'_, 'm>,
    ) -> bool {
        let need = self.needs[number];
        if need.beyond {
            return reading.holds(&operation.guard, at);
        }
        let mut open = need.subjects & !answers.asked;
        answers.asked |= open;
        while open != 0 {
            answers.held |= self.subjects[open.trailing_zeros() as usize].ask(reading, at);
            open &= open - 1;
        }
        answers.held & need.tests == need.tests
    }
}

impl Subject {
    fn of(path: &PathPlan) -> Subject {
        Subject { path: path.clone(), valued: 0, null: 0, literals: Vec::new(), negative: 0, all: 0 }
    }

    fn add(&mut self, kind: &TestKind, bit: u128) {
        self.all |= bit;
        match kind {
            TestKind::Valued => self.valued |= bit,
            TestKind::Null => self.null |= bit,
            TestKind::Empty => {
                self.valued |= bit;
                self.negative |= bit;
            }
            TestKind::Begins(_) => {}
            TestKind::In(values) => self.add_literals(values, bit),
            TestKind::NotIn(values) => {
                self.add_literals(values, bit);
                self.negative |= bit;
            }
        }
    }

    fn add_literals(&mut self, values: &[String], bit: u128) {
        for value in values {
            match self.literals.iter_mut().find(|(known, _)| known == value) {
                Some((_, bits)) => *bits |= bit,
                None => self.literals.push((value.clone(), bit)),
            }
        }
    }

    /// The tests of this place that hold.
    fn ask<'m>(&self, reading: &Reading<'m>, at: At<'_, 'm>) -> u128 {
        let mut found = 0;
        if self.path.is_segment() {
            // Of a whole segment it counts whether it is there.
            found = if reading.segments(&self.path, at).is_empty() { 0 } else { self.valued };
        } else if let Some(only) = reading.only(&self.path, at) {
            found = only.map_or(0, |node| self.judge(node));
        } else {
            reading.visit(&self.path, at, &mut |seen| {
                found |= self.judge(seen.node);
                ControlFlow::Continue(())
            });
        }
        (found ^ self.negative) & self.all
    }

    /// The tests that a node makes true; of the negative ones those that it makes false.
    fn judge(&self, node: Node<'_>) -> u128 {
        let mut found = 0;
        if self.valued != 0 && valued(node) {
            found |= self.valued;
        }
        if self.null != 0 && node.presence() == Presence::Null {
            found |= self.null;
        }
        if !self.literals.is_empty() {
            let leaf = first_leaf(node);
            if leaf.presence() == Presence::Value {
                let text = leaf.text();
                let known = self.literals.binary_search_by(|(literal, _)| literal.as_str().cmp(&text));
                found |= known.map_or(0, |at| self.literals[at].1);
            }
        }
        found
    }
}

/// One bit for each test and each place.
const TESTS_MAX: usize = u128::BITS as usize;
const SUBJECTS_MAX: usize = u64::BITS as usize;
