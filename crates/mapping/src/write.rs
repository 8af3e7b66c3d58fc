//! Runs one writing operation: finds its sources, applies its lens, places what comes out.

use std::ops::ControlFlow;

use dukou_fhir::{IssueType, NodeId, Severity, Text, Value};
use dukou_wire::{Node, Presence};

use crate::lens::{self, Hand, choice_name};
use crate::memory::Recall;
use crate::plan::{Constant, ItemPlace, LensUse, Operation, PathPlan, Takes, TargetPlan, Write, borrowed};
use crate::reading::{At, Found, first_leaf, valued};
use crate::refusal::Refusal;
use crate::rule::NullPolicy;
use crate::run::{Run, Standing};
use crate::sheet::{Put, Sheet};
use crate::tally::{Claim, LeafClass};

impl<'m> Run<'m> {
    /// False where the lens refused everything, so that the next rule of a chain may try.
    pub(crate) fn write(
        &mut self,
        operation: &'m Operation,
        write: &'m Write,
        at: At<'_, 'm>,
        sheet: &mut Sheet<'m>,
        standing: Standing,
    ) -> bool {
        let claim = self.claim(operation, write, standing);
        if self.recorder.is_some() && !standing.inside {
            self.note(operation, at);
        }
        match &write.lens {
            LensUse::Constant(constant) => {
                let Some(value) = self.constant(constant, at) else { return true };
                self.place(write, None, 0, value, sheet, standing);
                return true;
            }
            LensUse::Segment(_) | LensUse::Emit(_) => {
                self.refer(operation, write, at, sheet, standing);
                return true;
            }
            LensUse::Everything => return true,
            LensUse::Builtin(_) | LensUse::Composite(_) | LensUse::Resource(_) => {}
        }
        let first = operation.sources.first().map_or(&[][..], Vec::as_slice);
        if write.whole_segment {
            return self.write_segments(operation, write, first, claim, at, sheet, standing);
        }
        if let Some(fired) = self.write_only(operation, write, claim, at, sheet, standing) {
            return fired;
        }
        let mut nodes = self.spare.pop().unwrap_or_default();
        self.found(first, at, &mut nodes);
        let fired = self.write_nodes(operation, write, &nodes, claim, at, sheet, standing);
        nodes.clear();
        self.spare.push(nodes);
        fired
    }

    /// Writes where each source names one place at most, as nearly all do; no answer where one may name several.
    fn write_only(
        &mut self,
        operation: &'m Operation,
        write: &'m Write,
        claim: Claim,
        at: At<'_, 'm>,
        sheet: &mut Sheet<'m>,
        standing: Standing,
    ) -> Option<bool> {
        let mut nodes = [None; SOURCES_HELD];
        if operation.sources.len() > SOURCES_HELD || write.takes == Takes::Pieces {
            return None;
        }
        let mut says = false;
        for (node, alternatives) in nodes.iter_mut().zip(&operation.sources) {
            *node = self.reading.only_of(alternatives, at)?;
            says |= node.is_some_and(valued);
        }
        let first = nodes[0];
        let inner = At { part: first.or(at.part), code_table: write.code_table.as_deref(), ..at };
        let given = match write.takes {
            Takes::All => Given { nodes: &nodes[..usize::from(first.is_some())], inner },
            _ => Given { nodes: &nodes[..operation.sources.len()], inner },
        };
        // What stands beside a value (a unit) says nothing of its own when the value is deleted.
        if !says || first.is_some_and(|node| node.presence() == Presence::Null) {
            let found = first.map(|node| Found { node, ordinal: 0 });
            self.unsaid(operation, write, found.as_slice(), claim, sheet, standing, at);
            return Some(true);
        }
        Some(self.one(operation, write, given, 0, claim, sheet, standing))
    }

    /// Writes what the first source gives.
    #[allow(clippy::too_many_arguments, reason = "one step of a rule whose state is these")]
    fn write_nodes(
        &mut self,
        operation: &'m Operation,
        write: &'m Write,
        nodes: &[Found<'m>],
        claim: Claim,
        at: At<'_, 'm>,
        sheet: &mut Sheet<'m>,
        standing: Standing,
    ) -> bool {
        let others: Vec<Vec<Found<'m>>> = operation.sources[1..]
            .iter()
            .map(|paths| {
                let mut nodes = Vec::new();
                self.found(paths, at, &mut nodes);
                nodes
            })
            .collect();
        let says = nodes.iter().chain(others.iter().flatten()).any(|found| valued(found.node));
        // What stands beside a value (a unit) says nothing of its own when the value is deleted.
        let deleted = matches!(nodes, [found] if found.node.presence() == Presence::Null);
        if !says || deleted {
            self.unsaid(operation, write, nodes, claim, sheet, standing, at);
            return true;
        }
        if write.takes == Takes::All {
            let arguments: Vec<Option<Node<'m>>> = nodes.iter().map(|found| Some(found.node)).collect();
            let given = Given { nodes: &arguments, inner: at };
            return self.one(operation, write, given, 0, claim, sheet, standing);
        }
        if write.takes == Takes::Pieces {
            self.write_pieces(write, nodes, claim, sheet, standing);
            return true;
        }
        let mut refused = true;
        let mut arguments = self.arguments.pop().unwrap_or_default();
        for number in 0..nodes.len().max(1) {
            let found = nodes.get(number);
            arguments.clear();
            arguments.push(found.map(|found| found.node));
            for other in &others {
                let beside = if other.len() > 1 { other.get(number) } else { other.first() };
                arguments.push(beside.map(|found| found.node));
            }
            if let Some(null) = found.filter(|found| found.node.presence() == Presence::Null) {
                self.tally.all(null.node, claim, LeafClass::Emitted);
                continue;
            }
            let ordinal = found.map_or(0, |found| found.ordinal);
            let part = found.map(|found| found.node);
            let inner = At { part: part.or(at.part), code_table: write.code_table.as_deref(), ..at };
            let given = Given { nodes: &arguments, inner };
            refused &= !self.one(operation, write, given, ordinal, claim, sheet, standing);
        }
        arguments.clear();
        self.arguments.push(arguments);
        !refused
    }

    /// Each piece of a text for itself.
    fn write_pieces(
        &mut self,
        write: &'m Write,
        nodes: &[Found<'m>],
        claim: Claim,
        sheet: &mut Sheet<'m>,
        standing: Standing,
    ) {
        let marks = write.options.argument.as_deref().unwrap_or(PIECE_MARKS);
        let mut number = 0;
        for node in nodes.iter().map(|found| first_leaf(found.node)).filter(|node| valued(*node)) {
            let (point, mut placed) = (self.tally.point(), false);
            self.tally.emit(node, claim, false);
            let text = node.text();
            for piece in text.split(|c| marks.contains(c)).map(str::trim).filter(|piece| !piece.is_empty()) {
                let value = self.forest.string(piece.to_owned());
                placed |= self.place(write, None, number, value, sheet, standing) == Put::Done;
                number += 1;
            }
            if !placed {
                self.tally.back(point);
            }
        }
    }

    /// Whole segments, each read by a lens.
    #[allow(clippy::too_many_arguments, reason = "one step of a rule whose state is these")]
    fn write_segments(
        &mut self,
        operation: &'m Operation,
        write: &'m Write,
        paths: &'m [PathPlan],
        claim: Claim,
        at: At<'_, 'm>,
        sheet: &mut Sheet<'m>,
        standing: Standing,
    ) -> bool {
        let mut refused = false;
        for path in paths {
            let places = self.reading.places(path, at);
            for (ordinal, place) in (0u32..).zip(&places) {
                let inner = self.reading.at(*place);
                let given = Given { nodes: &[], inner };
                refused = !self.one(operation, write, given, ordinal << 16, claim, sheet, standing);
            }
            if !places.is_empty() {
                break;
            }
        }
        !refused
    }

    fn claim(&self, operation: &Operation, write: &Write, standing: Standing) -> Claim {
        let target = write.targets.first();
        let parent = target.and_then(|target| target.parent).and_then(|number| self.parent_of(standing, number));
        let owner = parent.map_or(standing.owner, |parent| parent as u32);
        Claim { rule: operation.rule, owner, region: target.map_or(0, |target| target.region) }
    }

    /// The nodes of the first alternative that says something.
    fn found(&self, alternatives: &'m [PathPlan], at: At<'_, 'm>, nodes: &mut Vec<Found<'m>>) {
        for path in alternatives {
            nodes.clear();
            self.reading.visit(path, at, &mut |found| {
                nodes.push(found);
                ControlFlow::Continue(())
            });
            let says = |found: &Found<'m>| valued(found.node) || found.node.presence() == Presence::Null;
            if nodes.iter().any(says) {
                break;
            }
        }
    }

    /// The source is missing or null.
    #[allow(clippy::too_many_arguments, reason = "one step of a rule whose state is these")]
    fn unsaid(
        &mut self,
        operation: &Operation,
        write: &'m Write,
        nodes: &[Found<'m>],
        claim: Claim,
        sheet: &mut Sheet<'m>,
        standing: Standing,
        at: At<'_, 'm>,
    ) {
        if let Some(null) = nodes.iter().find(|found| found.node.presence() == Presence::Null) {
            match write.null {
                NullPolicy::Delete => {
                    self.tally.all(null.node, claim, LeafClass::Emitted);
                    // Inside a datatype the element is simply absent from the object that is made.
                    if !standing.inside {
                        for target in &write.targets {
                            self.sheet(target, sheet, standing).clear(target);
                        }
                    }
                }
                NullPolicy::Keep => self.tally.all(null.node, claim, LeafClass::Complement),
                NullPolicy::Error => {
                    self.tally.refuse_range(null.node.span(), operation.rule);
                    let path = self.path_at(null.node.span().start);
                    let text = Text::new("this value may not be deleted", "该值不允许删除");
                    self.issue(Severity::Error, IssueType::BusinessRule, "null-refused", text, path);
                }
            }
            return;
        }
        if let Some(constant) = &write.default {
            let Some(value) = self.constant(constant, at) else { return };
            self.place(write, None, 0, value, sheet, standing);
        } else if write.required {
            let target = write.targets.first().map_or("", |target| target.text.as_str());
            let text = Text::new(
                format!("the source of {target} is required and has no value"),
                format!("{target} 的来源字段为必填，但没有值"),
            );
            let path = self.reading.place_path(at);
            self.issue(Severity::Error, IssueType::Required, "source-required", text, path);
        }
    }

    fn constant(&mut self, constant: &'m Constant, at: At<'_, 'm>) -> Option<NodeId> {
        match constant {
            Constant::Fixed(value) if value.as_object().is_some() => {
                let planted = || {
                    let planted = self.forest.plant(borrowed(value));
                    self.forest.share(planted)
                };
                let known = *self.constants.entry(std::ptr::from_ref(value) as usize).or_insert_with(planted);
                Some(self.forest.share(known))
            }
            Constant::Fixed(value) => Some(self.forest.plant(borrowed(value))),
            Constant::Plan => Some(self.forest.string(self.program.hash_text.as_str())),
            Constant::Site => Some(self.forest.string(self.site.id)),
            Constant::Document => Some(self.forest.string(crate::attachment::encoded(self.reading.message.raw()))),
            Constant::CodeTable => at.code_table.map(|uri| self.forest.string(uri)),
        }
    }

    /// One value: made, translated, filled and placed. False where it was refused.
    #[allow(clippy::too_many_arguments, reason = "one step of a rule whose state is these")]
    fn one(
        &mut self,
        operation: &'m Operation,
        write: &'m Write,
        given: Given<'_, 'm>,
        ordinal: u32,
        claim: Claim,
        sheet: &mut Sheet<'m>,
        standing: Standing,
    ) -> bool {
        if let (Some(recorder), false) = (&mut self.recorder, standing.inside) {
            recorder.given(given.nodes.iter().flatten().map(Node::span));
        }
        if !self.has_room(write, sheet) {
            return true;
        }
        let (point, mentions) = (self.tally.point(), self.mentions.len());
        let put = match self.remembered(write, given, claim, standing) {
            Ok(Some(Grown { node, kind, rest })) => {
                self.rest(write, given, rest, point, claim, node, sheet, standing);
                self.place(write, kind, ordinal, node, sheet, standing)
            }
            Ok(None) => return true,
            Err(refusal) => {
                self.refused(operation, given, point, mentions, refusal);
                return false;
            }
        };
        match put {
            Put::Done => true,
            Put::Nowhere => {
                self.tally.back(point);
                true
            }
            Put::Taken => {
                self.refused(operation, given, point, mentions, Refusal("value-conflict"));
                false
            }
        }
    }

    /// The value, from memory where the rule has read the same text before.
    fn remembered(&mut self, write: &'m Write, given: Given<'_, 'm>, claim: Claim, standing: Standing) -> Growth<'m> {
        let (node, before) = (given.first(), self.before());
        match (self.recall(write, node), node) {
            (Recall::Known(number), Some(node)) => Ok(Some(self.known(number, node, claim))),
            (Recall::Again(place), Some(node)) => {
                let made = self.finished(write, given, claim, standing)?;
                Ok(made.map(|made| self.keep(place, node, made, before)))
            }
            _ => self.finished(write, given, claim, standing),
        }
    }

    /// The value, translated and filled.
    fn finished(&mut self, write: &'m Write, given: Given<'_, 'm>, claim: Claim, standing: Standing) -> Growth<'m> {
        let point = self.tally.point();
        let made = match (write.plain, given.first()) {
            (true, Some(node)) => self.text(write, node, claim)?,
            _ => self.make(write, given, claim, standing)?,
        };
        let made = match write.table {
            Some(table) => self.translate(write, table, made, given, point)?,
            None => made,
        };
        let Some(made) = made else { return Ok(None) };
        for (name, fill) in &write.fill {
            if self.forest.is_object(made.node) && self.forest.member(made.node, name).is_none() {
                let fill = self.forest.plant(borrowed(fill));
                self.forest.append(made.node, name.as_str(), fill);
            }
        }
        Ok(Some(made))
    }

    /// A text as it is.
    fn text(&mut self, write: &Write, node: Node<'m>, claim: Claim) -> Growth<'m> {
        let Some(text) = lens::carried(node, write.trim, claim, &mut self.tally) else { return Ok(None) };
        lens::acceptable(&text, &write.options)?;
        Ok(Some(Grown::new(self.forest.string(text))))
    }

    fn refused(
        &mut self,
        operation: &Operation,
        given: Given<'_, 'm>,
        point: usize,
        mentions: usize,
        refusal: Refusal,
    ) {
        self.tally.back(point);
        if self.mentions.len() > mentions {
            self.mentions.truncate(mentions);
            self.memory.clear();
        }
        let span = given.span();
        self.tally.refuse_range(span.clone(), operation.rule);
        // The same place may be read for many resources; it is told once.
        if !self.told.insert((refusal.0, span.start)) {
            return;
        }
        let path = self.path_at(span.start);
        self.issue(Severity::Warning, IssueType::Value, refusal.0, refusal.text(), path);
        let damaged = given.first().is_some_and(|node| refusal.tells_damage(&node.text()));
        if !damaged && self.passing.end + 1 == self.issues.len() {
            self.passing.end += 1;
        }
    }

    fn make(&mut self, write: &'m Write, given: Given<'_, 'm>, claim: Claim, standing: Standing) -> Growth<'m> {
        match &write.lens {
            LensUse::Builtin(lens) => {
                let systems = self.systems();
                let table = write.table.or(write.options.table).map(|at| &self.program.tables[at]);
                let mut hand = Hand {
                    tally: &mut self.tally,
                    claim,
                    zone: self.zone.as_deref(),
                    systems,
                    options: &write.options,
                    table,
                    trim: write.trim,
                    note: None,
                };
                let made = lens::apply(*lens, given.nodes, &mut hand);
                let note = hand.note;
                if let Some(note) = note.filter(|note| self.told.insert((note, given.span().start))) {
                    let path = self.path_at(given.span().start);
                    self.issue(Severity::Warning, IssueType::Value, note, Refusal(note).text(), path);
                }
                let Some(made) = made? else { return Ok(None) };
                if !made.kind.is_none_or(|kind| write.targets.iter().all(|target| target.takes(kind))) {
                    return Err(Refusal("type-unfit"));
                }
                Ok(Some(Grown { node: self.forest.plant(made.value), kind: made.kind, rest: made.rest }))
            }
            LensUse::Composite(lens) => {
                let composed = self.compose(*lens, given.inner, claim, standing)?;
                Ok(composed.map(|(node, _)| Grown::new(node)))
            }
            LensUse::Resource(lens) => self.mention(*lens, given.inner, claim, standing),
            LensUse::Constant(_) | LensUse::Segment(_) | LensUse::Emit(_) | LensUse::Everything => Ok(None),
        }
    }

    /// Places a value at every target of the rule.
    pub(crate) fn place(
        &mut self,
        write: &'m Write,
        kind: Option<&'static str>,
        ordinal: u32,
        value: NodeId,
        sheet: &mut Sheet<'m>,
        standing: Standing,
    ) -> Put {
        let mut put = Put::Nowhere;
        let Some((last, others)) = write.targets.split_last() else { return put };
        for target in others {
            let name = kind.and_then(|kind| choice_name(&target.choices, kind));
            let value = self.forest.share(value);
            put = self.put(write, target, name, ordinal, value, sheet, standing);
        }
        let name = kind.and_then(|kind| choice_name(&last.choices, kind));
        // What others share must not change with the last one.
        let value = if others.is_empty() { value } else { self.forest.share(value) };
        match self.put(write, last, name, ordinal, value, sheet, standing) {
            Put::Nowhere => put,
            other => other,
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one step of a rule whose state is these")]
    fn put(
        &mut self,
        write: &Write,
        target: &'m TargetPlan,
        name: Option<&'m str>,
        ordinal: u32,
        value: NodeId,
        sheet: &mut Sheet<'m>,
        standing: Standing,
    ) -> Put {
        let put = self.put_on(target, name, ordinal, value, sheet, standing);
        if let (true, Put::Done, Some(step)) = (write.once, put, target.steps.first()) {
            self.sheet(target, sheet, standing).once.push(name.unwrap_or(&step.name));
        }
        if put == Put::Done && self.recorder.is_some() && !standing.inside {
            let path = match target.parent.map(|number| self.parent_of(standing, number)) {
                Some(Some(parent)) => self.sheets[parent].path_of(&self.forest, target, name, ordinal),
                Some(None) => return put,
                None => sheet.path_of(&self.forest, target, name, ordinal),
            };
            self.wrote(target, ordinal, path, standing);
        }
        put
    }

    /// Puts a value on the sheet of its target.
    pub(crate) fn put_on(
        &mut self,
        target: &'m TargetPlan,
        name: Option<&'m str>,
        ordinal: u32,
        value: NodeId,
        own: &mut Sheet<'m>,
        standing: Standing,
    ) -> Put {
        let sheet = match target.parent.map(|number| self.parent_of(standing, number)) {
            Some(Some(parent)) => &mut self.sheets[parent],
            // What is written for a parent that is not there goes nowhere.
            Some(None) => &mut self.nobody,
            None => own,
        };
        sheet.put(&mut self.forest, target, name, ordinal, value)
    }

    /// Whether there is anything to write into: a rule over the items of a list makes none itself.
    fn has_room(&self, write: &Write, own: &Sheet<'m>) -> bool {
        let room = |target: &TargetPlan| {
            let first = target
                .steps
                .first()
                .filter(|step| matches!(&step.list, Some(list) if matches!(list.place, ItemPlace::Each(_))));
            target.parent.is_some() || first.is_none_or(|step| self.forest.member(own.root, &step.name).is_some())
        };
        write.targets.iter().any(room)
    }

    /// The sheet that a target belongs to: the own one or that of the parent.
    fn sheet<'s>(&'s mut self, target: &TargetPlan, own: &'s mut Sheet<'m>, standing: Standing) -> &'s mut Sheet<'m> {
        match target.parent.map(|number| self.parent_of(standing, number)) {
            Some(Some(parent)) => &mut self.sheets[parent],
            Some(None) => &mut self.nobody,
            None => own,
        }
    }
}

/// What a lens made, as it stands in the forest; `kind` and `rest` as [`lens::Made`] has them.
pub(crate) struct Grown<'m> {
    pub(crate) node: NodeId,
    pub(crate) kind: Option<&'static str>,
    pub(crate) rest: Option<Box<(&'static str, Value<'m>)>>,
}

impl Grown<'_> {
    pub(crate) fn new(node: NodeId) -> Self {
        Grown { node, kind: None, rest: None }
    }
}

/// What a lens made of its sources; nothing where they hold no value.
pub(crate) type Growth<'m> = Result<Option<Grown<'m>>, Refusal>;

/// What a rule gives its lens.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a, 'm> {
    /// One node for each source; all repeats of the first for a lens that takes all; none for a whole segment.
    nodes: &'a [Option<Node<'m>>],
    inner: At<'a, 'm>,
}

impl<'m> Given<'_, 'm> {
    /// The first source, where it says something.
    pub(crate) fn first(&self) -> Option<Node<'m>> {
        self.nodes.first().copied().flatten()
    }

    /// Where the first source stands in the text.
    pub(crate) fn span(&self) -> std::ops::Range<u32> {
        match (self.nodes.iter().flatten().next(), self.inner.element, self.inner.segment) {
            (Some(node), ..) => node.span(),
            (None, Some(element), _) => element.span(),
            (None, None, Some(segment)) => segment.span(),
            (None, None, None) => 0..0,
        }
    }
}

/// Where a text is cut into pieces when its rule does not say.
const PIECE_MARKS: &str = ";；";

/// Sources that are looked up without a list.
const SOURCES_HELD: usize = 4;
