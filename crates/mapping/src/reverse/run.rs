//! The operations of one object, backward: each element goes to the rule that takes it first, and what guards refuse
//! in the end is taken back.

use std::ops::Range;

use dukou_fhir::{Issue, Object, Value};
use dukou_terminology::Table;
use dukou_wire::facts;

use super::draft::{Draft, Spot, Written};
use super::elements::{Element, elements};
use super::hints::Hints;
use super::tree::SharedPlaces;
use super::value::{self, BackHand, Form};
use super::view::View;
use super::{concept, fit, operation_of};
use crate::plan::{ActionPlan, BackList, BackStep, Body, LensUse, Operation, Program, Turn, Write};
use crate::rule::Direction;

/// The state of one way back.
pub(crate) struct Back<'v> {
    pub(crate) program: &'v Program,
    pub(crate) view: View<'v>,
    pub(crate) draft: Draft<'v>,
    /// MSH-12 of the message that is written.
    pub(crate) version: &'v str,
    /// What a complement tells; empty without one.
    pub(crate) hints: Hints<'v>,
    /// Of a document the numbers of its paths.
    pub(crate) places: SharedPlaces,
    /// The resource at work.
    pub(crate) resource: Option<&'v Object<'v>>,
    /// Addresses of the values that were carried, and whether they were only explained.
    pub(crate) marks: Vec<(usize, bool)>,
    pub(crate) issues: Vec<Issue>,
}

/// One object at work.
pub(crate) struct Scope<'t, 'v> {
    /// The segment that the operations are about.
    pub(crate) own: u32,
    /// The place that a lens fills; nothing for the operations of a resource.
    pub(crate) spot: Option<Spot>,
    pub(crate) object: &'t Object<'v>,
    pub(crate) code_table: Option<&'v str>,
    pub(crate) seat: u32,
    /// Whether hints are about this object.
    pub(crate) top: bool,
    /// List items that belong to a rule or a group of rules.
    pub(crate) claims: Vec<(usize, Owner)>,
    /// Elements that a rule took.
    pub(crate) taken: Vec<usize>,
    /// List items and the repetition or segment that stands for them.
    pub(crate) items: Vec<(usize, Spot)>,
    fired: Vec<Firing>,
}

/// To whom a list item belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Rules that share items.
    Group(u16),
    Rule(u32),
    /// Several rules of a slice, each with its own element of the item.
    Slice,
}

/// One use of an operation.
struct Firing {
    step: BackStep,
    journal: Range<usize>,
    marks: Range<usize>,
    element: usize,
    item: Option<usize>,
    refused: bool,
}

impl<'t, 'v> Scope<'t, 'v> {
    pub(crate) fn new(own: u32, object: &'t Object<'v>, seat: u32) -> Scope<'t, 'v> {
        Scope {
            own,
            spot: None,
            object,
            code_table: None,
            seat,
            top: true,
            claims: Vec::new(),
            taken: Vec::new(),
            items: Vec::new(),
            fired: Vec::new(),
        }
    }
}

impl<'v> Back<'v> {
    /// Runs a body; true where something was said.
    pub(crate) fn body<'t>(&mut self, body: &'v Body, scope: &mut Scope<'t, 'v>) -> bool {
        let before = self.draft.journal.len();
        let hinted = scope.top && !self.hints.is_empty();
        for preferred in [true, false] {
            if !preferred && !hinted {
                continue;
            }
            for step in &body.back {
                let fired = hinted && self.hints.fired(scope.seat, operation_of(body, *step).rule);
                if !hinted || fired == preferred {
                    self.step(body, *step, scope);
                }
            }
        }
        self.settle(body, scope);
        self.draft.journal[before..].iter().any(|written| !written.dead) || !scope.fired.iter().all(|one| one.refused)
    }

    /// Takes back what guards refuse, and gives the elements to the next rule, until nothing changes.
    fn settle<'t>(&mut self, body: &'v Body, scope: &mut Scope<'t, 'v>) {
        for _ in 0..ROUNDS_MAX {
            let mut changed = false;
            for at in 0..scope.fired.len() {
                let operation = operation_of(body, scope.fired[at].step);
                if scope.fired[at].refused || operation.guard.is_empty() || self.guards_hold(operation, scope) {
                    continue;
                }
                self.withdraw(scope, at);
                changed = true;
            }
            if !changed {
                return;
            }
            for step in &body.back {
                self.step(body, *step, scope);
            }
        }
    }

    fn withdraw(&mut self, scope: &mut Scope<'_, 'v>, at: usize) {
        let firing = &mut scope.fired[at];
        firing.refused = true;
        let (element, item) = (firing.element, firing.item);
        self.draft.take_back(firing.journal.clone());
        for mark in &mut self.marks[firing.marks.clone()] {
            mark.0 = 0;
        }
        scope.taken.retain(|taken| *taken != element);
        if let Some(item) = item
            && !scope.fired.iter().any(|other| !other.refused && other.item == Some(item))
        {
            scope.claims.retain(|(claimed, _)| *claimed != item);
            scope.items.retain(|(known, _)| *known != item);
        }
    }

    /// Gives an operation the elements that are its own.
    fn step<'t>(&mut self, body: &'v Body, step: BackStep, scope: &mut Scope<'t, 'v>) {
        let operation = operation_of(body, step);
        let ActionPlan::Write(write) = &operation.action else { return };
        let Some(target) = write.targets.first().filter(|target| target.parent.is_none()) else { return };
        if target.steps.first().is_some_and(|first| first.list.is_some() || target.choices.is_empty())
            && target.steps.first().is_some_and(|first| !scope.object.contains(&first.name))
        {
            return;
        }
        let other_of_chain = |firing: &Firing| {
            let other = operation_of(body, firing.step);
            !firing.refused && other.chain == operation.chain && other.rule != operation.rule
        };
        if operation.chain != 0 && write.fires() && scope.fired.iter().any(other_of_chain) {
            return;
        }
        if !operation.guard.is_empty() && self.message_refuses(operation) {
            return;
        }
        for element in elements(target, step.turn, write, operation.rule, scope, &self.hints) {
            if matches!(write.lens, LensUse::Composite(_)) && self.is_anothers(body, target, element.value) {
                continue;
            }
            self.try_one(operation, write, step, &element, scope);
        }
    }

    fn try_one<'t>(
        &mut self,
        operation: &'v Operation,
        write: &'v Write,
        step: BackStep,
        element: &Element<'t, 'v>,
        scope: &mut Scope<'t, 'v>,
    ) {
        let address = address(element.value);
        let tried = |one: &Firing| one.step.list == step.list && one.step.at == step.at && one.element == address;
        let extra = step.list == BackList::BackOnly;
        if (scope.taken.contains(&address) && !extra) || scope.fired.iter().any(tried) {
            return;
        }
        if step.turn == Turn::Alike {
            scope.claims.extend(element.item);
            return;
        }
        if step.turn == Turn::Derived {
            self.explain(element.value);
            self.explain_referred(write, element.value);
            return;
        }
        if step.turn == Turn::Constant && !matches!(write.lens, LensUse::Constant(_)) {
            if self.said_elsewhere(operation, write, element.value, scope) {
                self.explain(element.value);
                scope.claims.extend(element.item);
                scope.taken.push(address);
            }
            return;
        }
        let (journal, marks) = (self.draft.journal.len(), self.marks.len());
        let fired = self.fire(operation, write, element, scope)
            && (operation.guard.is_empty() || self.equate(operation, scope));
        if !fired {
            let end = self.draft.journal.len();
            self.draft.take_back(journal..end);
            self.marks.truncate(marks);
            return;
        }
        for slice in &element.slices {
            self.explain(slice);
        }
        for (name, fill) in &write.fill {
            element.value.get(name).filter(|value| *value == fill).into_iter().for_each(|value| self.explain(value));
        }
        if let Some((item, owner)) = element.item
            && !scope.claims.iter().any(|(claimed, _)| *claimed == item)
        {
            scope.claims.push((item, owner));
        }
        if !extra {
            scope.taken.push(address);
        }
        scope.fired.push(Firing {
            step,
            journal: journal..self.draft.journal.len(),
            marks: marks..self.marks.len(),
            element: address,
            item: element.item.map(|(item, _)| item),
            refused: false,
        });
    }

    /// Writes what the lens prints of the element; false where it refuses.
    fn fire<'t>(
        &mut self,
        operation: &'v Operation,
        write: &'v Write,
        element: &Element<'t, 'v>,
        scope: &mut Scope<'t, 'v>,
    ) -> bool {
        if let LensUse::Constant(constant) = &write.lens {
            let same = fit::is_constant(constant, element.value, scope, self.program);
            if same {
                self.carry(element.value, &[]);
            }
            return same;
        }
        if let Some(default) = &write.default
            && fit::is_constant(default, element.value, scope, self.program)
        {
            self.carry(element.value, &[]);
            return true;
        }
        let Some(first) = operation.sources.first() else { return false };
        let Some(spot) = self.spot(first, operation.rule, element.item.map(|(item, _)| item), scope) else {
            return false;
        };
        match &write.lens {
            LensUse::Builtin(_) => self.plain(operation, write, element, spot, scope),
            LensUse::Composite(lens) => self.composite(*lens, write, element, spot, scope),
            LensUse::Resource(lens) => {
                let strict = operation.chain != 0 && !operation.guard.is_empty();
                self.referred(*lens, write, element.value, spot, strict, scope)
            }
            LensUse::Constant(_) | LensUse::Segment(_) | LensUse::Emit(_) | LensUse::Everything => false,
        }
    }

    pub(crate) fn systems(&self) -> Option<&'v Table> {
        self.program.systems.map(|at| &self.program.tables[at])
    }

    fn plain<'t>(
        &mut self,
        operation: &'v Operation,
        write: &'v Write,
        element: &Element<'t, 'v>,
        spot: Spot,
        scope: &mut Scope<'t, 'v>,
    ) -> bool {
        let LensUse::Builtin(lens) = &write.lens else { return false };
        let program = self.program;
        let table = write.table.or(write.options.table).map(|at| &program.tables[at]);
        let hand = BackHand {
            options: &write.options,
            table,
            systems: self.systems(),
            parted: write.parted,
            sources: operation.sources.len(),
            flat: self.places.document,
            sent: self.sent(operation, spot, element, scope),
            around: Some(element.parent),
        };
        if *lens == crate::builtin::Builtin::Join && hand.options.argument.is_none() && hand.sources > 1 {
            return self.joins(operation, element, scope);
        }
        let fuller = concept::fuller(write, element);
        let Some(mut texts) = value::print(*lens, fuller.unwrap_or(element.value), &hand) else { return false };
        if *lens == crate::builtin::Builtin::StructuredNumeric && operation.sources.len() > 1 && !hand.flat {
            value::structured_unit(element.value, &hand, &mut texts);
        }
        if let (Some(table), Some(known)) = (table.filter(|_| write.table.is_some()), self.draft.best(spot.leaf()))
            && concept::translates(table, &known.text, element.value)
        {
            // Another rule has written a code that says the same.
            self.carry(element.value, &[]);
            return true;
        }
        for text in texts {
            let place = match (text.source, text.repeat) {
                (0, 0) => Some(spot),
                (0, repeat) => Some(Spot { repetition: spot.repetition.max(1) + repeat, ..spot }),
                (source, _) => {
                    let paths = operation.sources.get(usize::from(source));
                    let item = element.item.map(|(item, _)| item);
                    paths.and_then(|paths| self.spot(paths, operation.rule, item, scope))
                }
            };
            let Some(place) = place.and_then(|place| place.part(text.part)) else { continue };
            self.write(place, text.form, operation.rule, text.text, scope);
        }
        self.carry(element.value, value::carried(*lens));
        if let Some(fuller) = fuller {
            self.carry(fuller, &[]);
        }
        true
    }

    /// What a document says in each source of a rule.
    fn sent<'t>(
        &mut self,
        operation: &'v Operation,
        first: Spot,
        element: &Element<'t, 'v>,
        scope: &mut Scope<'t, 'v>,
    ) -> Vec<Option<std::borrow::Cow<'v, str>>> {
        if !self.places.document || self.hints.is_empty() {
            return Vec::new();
        }
        let item = element.item.map(|(item, _)| item);
        let mut spots = vec![Some(first)];
        for paths in &operation.sources[1..] {
            spots.push(self.spot(paths, operation.rule, item, scope));
        }
        spots.into_iter().map(|spot| spot.and_then(|spot| self.hints.original(spot))).collect()
    }

    /// Whether the source of a rule to FHIR holds a code already of which its table makes the value.
    pub(super) fn said_elsewhere(
        &self,
        operation: &Operation,
        write: &Write,
        value: &Value<'_>,
        scope: &Scope<'_, 'v>,
    ) -> bool {
        let Some(table) = write.table.map(|at| &self.program.tables[at]) else { return false };
        let coded = value.get("coding[0].code").or_else(|| value.get("code")).unwrap_or(value);
        let known = operation.sources.iter().flatten().find_map(|path| self.stands_at(path, scope));
        known.is_some_and(|known| concept::translates(table, &known, coded))
    }

    /// Whether what other rules wrote into the sources joins to the value.
    fn joins<'t>(&mut self, operation: &'v Operation, element: &Element<'t, 'v>, scope: &mut Scope<'t, 'v>) -> bool {
        let mut texts = Vec::new();
        for paths in &operation.sources {
            let Some(spot) = self.spot(paths, operation.rule, None, scope) else { return false };
            texts.extend(self.draft.best(spot.leaf()).map(|written| written.text.clone()));
        }
        let joined = crate::lens::join_texts(texts.into_iter(), None);
        let same = joined.is_some() && joined.as_deref() == element.value.as_str();
        if same {
            self.carry(element.value, &[]);
        }
        same
    }

    pub(crate) fn write(
        &mut self,
        spot: Spot,
        form: Form,
        rule: u32,
        text: std::borrow::Cow<'v, str>,
        scope: &Scope<'_, 'v>,
    ) {
        if !text.is_empty() {
            self.draft.write(Written { spot, form, rule, seat: scope.seat, text, dead: false });
        }
    }

    fn composite<'t>(
        &mut self,
        lens: usize,
        write: &'v Write,
        element: &Element<'t, 'v>,
        spot: Spot,
        scope: &Scope<'t, 'v>,
    ) -> bool {
        let program = self.program;
        let plan = &program.lenses[lens];
        if plan.primitive {
            let around = Object::new().with(crate::sheet::Sheet::WHOLE, element.value.clone());
            let said = self.inner(&plan.body, &around, write, spot, scope);
            if said {
                self.carry(element.value, &[]);
            }
            return said;
        }
        let table = write.table.map(|at| &program.tables[at]);
        if let Some(table) = table {
            let Some(sent) = concept::untranslated(element.value, table) else { return false };
            let Some(object) = sent.as_object() else { return false };
            let said = self.inner(&plan.body, object, write, spot, scope);
            if said {
                self.carry(element.value, &[]);
            }
            return said;
        }
        let Some(object) = element.value.as_object() else { return false };
        let filled = self.filled_reference(object);
        let object = filled.as_ref().unwrap_or(object);
        let said = match plan.backbone {
            true => self.part(&plan.body, object, write, spot, scope),
            false => self.inner(&plan.body, object, write, spot, scope),
        };
        if said {
            if filled.is_some() {
                self.carry(element.value, &[]);
            }
            self.left_over(write, object, spot, scope);
        }
        said
    }

    /// Runs the rules of a lens over an object.
    pub(crate) fn inner(
        &mut self,
        body: &'v Body,
        object: &Object<'v>,
        write: &'v Write,
        spot: Spot,
        scope: &Scope<'_, 'v>,
    ) -> bool {
        let mut inner = Scope::new(spot.segment, object, scope.seat);
        inner.top = false;
        // A coded element names its table itself; a plain code has no room for it.
        inner.code_table = match self.is_parted(spot, write) {
            true => None,
            false => write.code_table.as_deref().or(scope.code_table),
        };
        inner.spot = (spot.field != 0).then_some(spot);
        self.body(body, &mut inner)
    }

    /// The same for a part of a resource: who takes part decides which lens it is that made it, so a lens whose rules
    /// cannot carry a reference refuses the whole.
    fn part(
        &mut self,
        body: &'v Body,
        object: &Object<'v>,
        write: &'v Write,
        spot: Spot,
        scope: &Scope<'_, 'v>,
    ) -> bool {
        let (journal, marks) = (self.draft.journal.len(), self.marks.len());
        let said = self.inner(body, object, write, spot, scope);
        let refers = |operation: &&Operation| match &operation.action {
            ActionPlan::Write(write) => matches!(write.lens, LensUse::Resource(_)) && operation.equates(),
            ActionPlan::Drop | ActionPlan::Keep => false,
        };
        let named = body.operations.iter().filter(refers).filter_map(|operation| match &operation.action {
            ActionPlan::Write(write) => write.targets.first()?.steps.first(),
            ActionPlan::Drop | ActionPlan::Keep => None,
        });
        let carried = |value: &Value<'_>| {
            let mut leaves = Vec::new();
            mark(value, &[], true, &mut leaves, false);
            leaves.iter().any(|(leaf, _)| self.marks[marks..].iter().any(|(known, _)| known == leaf))
        };
        let refused = named.filter_map(|step| object.get(&step.name)).any(|value| !carried(value));
        if refused {
            let end = self.draft.journal.len();
            self.draft.take_back(journal..end);
            self.marks.truncate(marks);
        }
        said && !refused
    }

    /// A small resource that a rule to FHIR makes of a field which another rule carries.
    fn explain_referred(&mut self, write: &Write, value: &Value<'v>) {
        let LensUse::Resource(lens) = write.lens else { return };
        let found = value.text_at("reference").and_then(|text| self.view.resolve(text, self.resource?));
        let kind = self.program.lenses[lens].resource;
        if let Some(object) = found.filter(|object| super::view::kind_of(object) == kind) {
            for (_, value) in object.iter() {
                self.explain(value);
            }
        }
    }

    /// Whether the place has components in the version that is written.
    fn is_parted(&self, spot: Spot, write: &Write) -> bool {
        let id = self.draft.segments[spot.segment as usize].id.as_ref();
        let field = facts::field(id, spot.field).map(|field| field.datatype_in(self.version));
        let place = match spot.component {
            0 => field,
            number => field
                .and_then(|field| facts::component(field, number))
                .map(|component| component.datatype_in(self.version)),
        };
        place.filter(|_| spot.subcomponent == 0).map_or(write.parted, |datatype| facts::component_count(datatype) > 0)
    }

    /// The leaves under a value are in the message; only members of these names where some are given.
    pub(crate) fn carry(&mut self, value: &Value<'_>, names: &[&str]) {
        mark(value, names, true, &mut self.marks, false);
    }

    /// References from parents to children that have places under them are said by the places.
    pub(crate) fn explain_links(&mut self, seats: &[super::seat::BackSeat<'v>]) {
        let mut seen: Vec<(u32, &str)> = Vec::new();
        for child in seats {
            let Some(link) = &child.emit.link else { continue };
            let under = link.parent.and_then(|parent| child.emit.under.get(usize::from(parent)));
            let (Some(under), Some(step)) = (under, link.steps.first()) else { continue };
            let parent = (*under as u32, step.name.as_str());
            if seen.contains(&parent) {
                continue;
            }
            seen.push(parent);
            for seat in seats.iter().filter(|seat| seat.place.1 == parent.0) {
                let object = self.view.resources[seat.resource].object;
                if let Some(value) = object.get(&step.name) {
                    self.explain(value);
                }
            }
        }
    }

    /// The leaves under a value need no place in the message: it says them by its form.
    pub(crate) fn explain(&mut self, value: &Value<'_>) {
        mark(value, &[], true, &mut self.marks, true);
    }
}

impl Write {
    /// Whether the operation takes part in the choice of its chain.
    fn fires(&self) -> bool {
        !matches!(self.lens, LensUse::Constant(_) | LensUse::Segment(_) | LensUse::Emit(_) | LensUse::Everything)
    }
}

/// What tells two values of one tree apart.
pub(crate) fn address<T>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}

fn mark(value: &Value<'_>, names: &[&str], named: bool, marks: &mut Vec<(usize, bool)>, explained: bool) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| mark(item, names, named, marks, explained)),
        Value::Object(object) => {
            for (name, value) in object.iter() {
                mark(value, names, names.is_empty() || names.contains(&name), marks, explained);
            }
        }
        _ if named => marks.push((address(value), explained)),
        _ => {}
    }
}

impl Operation {
    /// Whether guards with a list of values are made true on the way back.
    pub(crate) fn equates(&self) -> bool {
        self.way != Direction::Forward
    }
}

/// Each round takes at least one rule out; nearly always the first changes nothing.
const ROUNDS_MAX: usize = 8;
