//! From FHIR to messages: the same rules, read from right to left.
//!
//! A view of resources becomes a message by a [`profile`]: resources take their [`seat`]s at segments, the rules of each
//! seat are [`run`] backward, and what stands in the [`draft`] in the end is [`print`]ed. With the message of which the
//! view was made, only the difference between the view as it was and as it is now is written into that message.

mod align;
mod change;
mod concept;
mod document;
mod draft;
mod elements;
mod fit;
mod guard;
mod hints;
mod moment;
mod new_document;
mod outbound;
mod places;
mod plain;
mod print;
pub(crate) mod profile;
mod put;
mod receiver;
mod record;
mod run;
mod seat;
mod tally;
mod template;
mod tree;
pub(crate) mod value;
mod view;

pub use outbound::{FromFhirError, Outbound, ViewAccounts, Written};

use crate::plan::{ActionPlan, BackList, BackStep, Body, Constant, ItemPlace, LensUse, Operation, Turn, Write};
use crate::rule::Direction;

/// The operations of a body that count on the way back, in the order of their turns.
pub(crate) fn steps(body: &Body) -> Vec<BackStep> {
    let lists =
        [(BackList::Operations, &body.operations), (BackList::Late, &body.late), (BackList::BackOnly, &body.back_only)];
    let mut steps: Vec<BackStep> = Vec::new();
    for (list, operations) in lists {
        for (at, operation) in (0u32..).zip(operations) {
            steps.extend(turns(operation).into_iter().flatten().map(|turn| BackStep { list, at, turn }));
        }
    }
    steps.sort_by_key(|step| (step.turn, rule_of(body, *step)));
    steps
}

fn rule_of(body: &Body, step: BackStep) -> u32 {
    operation_of(body, step).rule
}

/// The operation of a step.
pub(crate) fn operation_of(body: &Body, step: BackStep) -> &Operation {
    let at = step.at as usize;
    match step.list {
        BackList::Operations => &body.operations[at],
        BackList::Late => &body.late[at],
        BackList::BackOnly => &body.back_only[at],
    }
}

/// When an operation has its turn; what a rule with defaults makes is looked at before the rest.
fn turns(operation: &Operation) -> [Option<Turn>; 2] {
    let ActionPlan::Write(write) = &operation.action else { return [None, None] };
    match &write.lens {
        LensUse::Constant(Constant::Fixed(_)) if operation.way == Direction::Forward && !operation.guard.is_empty() => {
            return [Some(Turn::Fallback), None];
        }
        LensUse::Constant(_) => return [Some(Turn::Constant), None],
        LensUse::Segment(_) | LensUse::Emit(_) | LensUse::Everything => return [Some(Turn::Derived), None],
        LensUse::Builtin(_) | LensUse::Composite(_) | LensUse::Resource(_) => {}
    }
    if operation.way == Direction::Forward {
        // What a table made of another field is known by that field.
        return [write.table.is_some().then_some(Turn::Constant), Some(Turn::Derived)];
    }
    let turn = turn(write);
    let alike = turn >= Turn::Outside && !write.fill.is_empty();
    [alike.then_some(Turn::Alike), Some(turn)]
}

fn turn(write: &Write) -> Turn {
    let lists = write.targets.iter().flat_map(|target| &target.steps).filter_map(|step| step.list.as_ref());
    let one = |list: &crate::plan::ListStep| match (&list.filter, list.place) {
        _ if list.hinted => Turn::Hinted,
        (Some(filter), _) if filter.negate => Turn::Outside,
        (Some(_), _) => Turn::Slice,
        (None, ItemPlace::Nth(_) | ItemPlace::One) => Turn::Slice,
        (None, _) => Turn::Any,
    };
    lists.map(one).max().unwrap_or(Turn::Slice)
}
