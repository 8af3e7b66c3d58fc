//! Applies a program to a message.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use dukou_fhir::{Forest, Issue, IssueType, LogicalId, NodeId, ResourceKey, ResourceType, Severity, Text};
use dukou_terminology::Table;
use dukou_wire::{Format, Message, Node};

use crate::change::{Change, Clear, ListChange, Said};
use crate::guard::Answers;
use crate::identify;
use crate::mapped::{Facts, Mapped};
use crate::memory::Memory;
use crate::moment::Moment;
use crate::plan::{ActionPlan, Body, EmitPlan, LensUse, MapPlan, Operation, Program, Root, Write};
use crate::quick::{QuickHash, QuickMap};
use crate::reading::{At, Found, Reading};
use crate::sheet::Sheet;
use crate::tally::{Claim, LeafClass, Tally};
use crate::trace::{Recorder, Seat, Trace};

/// The site for which a message is mapped.
#[derive(Clone, Copy, Debug)]
pub struct Site<'s> {
    /// The name of the site: part of every id.
    pub id: &'s str,
    /// The offset that stands in where a time has none, such as `+08:00`.
    pub zone: &'s str,
}

impl Program {
    /// Maps a message: always to an end, always with a full account, in time linear in its size.
    pub fn to_fhir<'m>(&'m self, message: &'m Message<'m>, site: &'m Site<'m>) -> Mapped<'m> {
        if message.format() != Format::Er7 {
            return self.all_records(message, site);
        }
        let mut run = Run::new(self, message, site);
        run.all();
        run.finish()
    }

    /// The same, with a note of every value that a rule wrote.
    pub fn trace<'m>(&'m self, message: &'m Message<'m>, site: &'m Site<'m>) -> (Mapped<'m>, Trace) {
        if message.format() != Format::Er7 {
            return self.trace_records(message, site);
        }
        let mut run = Run::new(self, message, site);
        run.recorder = Some(Box::default());
        run.all();
        let trace = run.traced();
        (run.finish(), trace)
    }
}

/// One resource in the making.
pub(crate) struct Instance<'m> {
    pub(crate) map: &'m MapPlan,
    pub(crate) emit: &'m EmitPlan,
    /// The segment or element for which it is made, by its number.
    pub(crate) place: usize,
    /// The instances of the emits it stands under, in the order of `under`.
    pub(crate) parents: Vec<Option<usize>>,
    /// Nothing where the resource is not made: its operations may still write into its parent.
    pub(crate) id: Option<LogicalId>,
    pub(crate) weak: bool,
    pub(crate) mention: bool,
    /// The Reference to it, once somebody has asked for it.
    pub(crate) reference: Option<NodeId>,
}

/// A small resource made from a mention.
pub(crate) struct Mention<'m> {
    pub(crate) key: ResourceKey,
    pub(crate) sheet: Sheet<'m>,
    pub(crate) lists: &'m Body,
    pub(crate) owner: u32,
    /// The earlier mention of which this is a repeat.
    pub(crate) again: Option<usize>,
}

/// The state of one mapping.
pub(crate) struct Run<'m> {
    pub(crate) program: &'m Program,
    pub(crate) reading: Reading<'m>,
    pub(crate) site: &'m Site<'m>,
    pub(crate) zone: Option<String>,
    pub(crate) tally: Tally,
    pub(crate) issues: Vec<Issue>,
    /// The trees of all resources.
    pub(crate) forest: Forest<'m>,
    pub(crate) instances: Vec<Instance<'m>>,
    pub(crate) sheets: Vec<Sheet<'m>>,
    pub(crate) mentions: Vec<Mention<'m>>,
    pub(crate) memory: Memory<'m>,
    /// Constants that are more than one text, by their places in the program.
    pub(crate) constants: QuickMap<usize, NodeId>,
    /// References to everything, written when it is known what is made.
    everything: Vec<(usize, &'m Write)>,
    /// Takes what is written for a parent that is not there.
    pub(crate) nobody: Sheet<'m>,
    /// Buffers that are used again and again.
    pub(crate) spare: Vec<Vec<Found<'m>>>,
    pub(crate) cells: Vec<Vec<Node<'m>>>,
    pub(crate) arguments: Vec<Vec<Option<Node<'m>>>>,
    /// Refusals told already: code and place.
    pub(crate) told: HashSet<(&'static str, u32)>,
    /// The last issues that fall if a later rule of the chain takes what was refused.
    pub(crate) passing: Range<usize>,
    /// Takes notes where a trace is wanted.
    pub(crate) recorder: Option<Box<Recorder>>,
    pub(crate) made: QuickMap<(ResourceType, usize), usize>,
    /// Instances by the address of their emit and their place.
    pub(crate) of_emit: QuickMap<(usize, usize), usize>,
    pub(crate) keys_seen: QuickMap<(usize, [u8; 32]), u32>,
}

/// For whom operations run.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) owner: u32,
    /// The own instance; nothing inside lenses.
    pub(crate) own: Option<usize>,
    /// Inside a lens: what is null there is simply absent from the object made.
    pub(crate) inside: bool,
}

impl<'m> Run<'m> {
    pub(crate) fn new(program: &'m Program, message: &'m Message<'m>, site: &'m Site<'m>) -> Self {
        let zone = Moment::parse(&message.header().date_time()).and_then(|moment| moment.zone());
        let site_zone = dukou_fhir::Offset::parse(site.zone).map(|_| site.zone.to_owned());
        let tally = Tally::new(message);
        let mut forest = Forest::with_capacity(NODES_A_LEAF * tally.leaf_count(), message.text().len());
        let nobody = Sheet::new(&mut forest);
        Run {
            program,
            reading: Reading::new(message),
            site,
            zone: zone.or(site_zone),
            tally,
            issues: Vec::new(),
            forest,
            instances: Vec::new(),
            sheets: Vec::new(),
            mentions: Vec::new(),
            memory: Memory::of(program.memories),
            constants: QuickMap::default(),
            everything: Vec::new(),
            nobody,
            spare: Vec::new(),
            cells: Vec::new(),
            arguments: Vec::new(),
            told: HashSet::new(),
            passing: 0..0,
            recorder: None,
            made: QuickMap::default(),
            of_emit: QuickMap::default(),
            keys_seen: QuickMap::default(),
        }
    }

    /// Makes and fills what every map that is meant for the message makes.
    pub(crate) fn all(&mut self) {
        let (program, message) = (self.program, self.reading.message);
        let header = message.header();
        let kind = MessageKind {
            version: &header.version(),
            trigger: &header.trigger(),
            code: &header.message_code(),
            structure: dukou_wire::groups::structure(&header),
            stated: &header.structure(),
        };
        for map in &program.maps {
            if map.documents.apply(&self.reading) && map.is_for(&kind) {
                self.enter(map);
            }
        }
        for at in 0..self.instances.len() {
            self.fill(at);
        }
    }

    /// Forgets what belongs to the record before.
    pub(crate) fn begin(&mut self, leaves: usize) {
        self.forest = Forest::with_capacity(NODES_A_LEAF * leaves, 0);
        self.nobody = Sheet::new(&mut self.forest);
        self.instances.clear();
        self.sheets.clear();
        self.mentions.clear();
        self.memory.clear();
        self.constants.clear();
        self.everything.clear();
        self.told.clear();
        self.made.clear();
        self.of_emit.clear();
        self.keys_seen.clear();
    }

    /// Which resource stands for which segment.
    pub(crate) fn seat(&self, at: usize) -> Seat {
        let instance = &self.instances[at];
        let place = |map: &&MapPlan| self.program.maps.iter().position(|known| std::ptr::eq(known, *map)).unwrap_or(0);
        let emit = instance.map.emits.iter().position(|known| std::ptr::eq(known, instance.emit)).unwrap_or(0);
        Seat {
            map: place(&instance.map) as u32,
            emit: emit as u32,
            segment: instance.place as u32,
            key: self.key(at),
            parents: instance.parents.iter().map(|parent| parent.map(|at| at as u32)).collect(),
        }
    }

    /// The key of the resource of an instance, where it is made.
    pub(crate) fn key(&self, at: usize) -> Option<ResourceKey> {
        let instance = &self.instances[at];
        Some(ResourceKey::new(instance.emit.kind, instance.id.clone()?))
    }

    pub(crate) fn systems(&self) -> Option<&'m Table> {
        self.program.systems.map(|at| &self.program.tables[at])
    }

    pub(crate) fn maker(&self) -> identify::Maker<'_, 'm> {
        identify::Maker { site: self.site.id, reading: &self.reading, systems: self.systems() }
    }

    /// Runs the operations of an instance.
    pub(crate) fn fill(&mut self, at: usize) {
        let Instance { emit, place, .. } = self.instances[at];
        let place = self.reading.at(place);
        let standing = Standing { owner: at as u32, own: Some(at), inside: false };
        let mut sheet = std::mem::take(&mut self.sheets[at]);
        self.body(&emit.body, place, &mut sheet, standing);
        crate::sheet::align(&mut self.forest, sheet.root);
        self.sheets[at] = sheet;
        let parent = emit.link.as_ref().and_then(|link| self.parent_of(standing, link.parent?));
        if let (Some(link), Some(parent), true) = (&emit.link, parent, self.is_made(at)) {
            let reference = self.reference(at);
            self.sheets[parent].put(&mut self.forest, link, None, 0, reference);
        }
    }

    pub(crate) fn body(&mut self, body: &'m Body, at: At<'_, 'm>, sheet: &mut Sheet<'m>, standing: Standing) {
        let mut answers = Answers::default();
        self.chains(body, at, sheet, standing, &mut answers);
        for (number, operation) in (body.operations.len()..).zip(&body.late) {
            if body.guards.hold(number, operation, &mut answers, &self.reading, at) {
                self.operate(operation, at, sheet, standing);
            }
        }
    }

    fn chains(
        &mut self,
        body: &'m Body,
        at: At<'_, 'm>,
        sheet: &mut Sheet<'m>,
        standing: Standing,
        answers: &mut Answers,
    ) {
        let (there, sure) = (self.reading.there(at), self.reading.tells_fields(at));
        // The chain in which a rule has fired, and the rule: it goes on with its other targets, the rest gives way.
        let (mut over, mut fired) = (0, 0);
        let mut chain = 0;
        body.gates.each_open(there, |number| {
            let operation = &body.operations[number];
            if operation.chain != 0 && operation.chain == over && operation.rule != fired {
                return;
            }
            if !(sure && body.gates.is_exact(number)) && self.idle(operation, at) {
                return;
            }
            let holds = body.guards.hold(number, operation, answers, &self.reading, at);
            // The first rule whose guard holds and whose lens does not refuse fires, with all its targets.
            if operation.chain != chain {
                (chain, self.passing) = (operation.chain, self.issues.len()..self.issues.len());
            }
            let refusals = self.passing.clone();
            if holds && self.operate(operation, at, sheet, standing) {
                // What an earlier rule of the chain refused and this one writes is no loss, so nobody need hear of it.
                if operation.chain != 0 && operation.chain != over && matches!(operation.action, ActionPlan::Write(_)) {
                    self.issues.drain(refusals);
                    self.passing = self.issues.len()..self.issues.len();
                }
                (over, fired) = (operation.chain, operation.rule);
            }
        });
    }

    /// Whether the operation has nothing to do, whatever its guard says.
    #[inline]
    fn idle(&self, operation: &Operation, at: At<'_, 'm>) -> bool {
        let [source] = operation.sources.as_slice() else { return false };
        match &operation.action {
            ActionPlan::Write(write) if write.speaks_unasked || write.whole_segment => false,
            _ => source.iter().all(|path| self.reading.surely_empty(path, at)),
        }
    }

    /// Runs one operation; false where its lens refused everything.
    fn operate(&mut self, operation: &'m Operation, at: At<'_, 'm>, sheet: &mut Sheet<'m>, standing: Standing) -> bool {
        match &operation.action {
            ActionPlan::Write(write) => {
                if matches!(write.lens, LensUse::Everything) {
                    if let Some(own) = standing.own {
                        self.everything.push((own, write));
                    }
                    return true;
                }
                self.write(operation, write, at, sheet, standing)
            }
            ActionPlan::Drop | ActionPlan::Keep => {
                self.leaves(operation, at);
                true
            }
        }
    }

    pub(crate) fn leaves(&mut self, operation: &'m Operation, at: At<'_, 'm>) {
        let class = match operation.action {
            ActionPlan::Drop => LeafClass::Dropped,
            _ => LeafClass::Complement,
        };
        let claim = Claim { rule: operation.rule, owner: Self::NOBODY, region: 0 };
        for path in operation.sources.iter().flatten() {
            if let Root::Tree(tree) = &path.root {
                self.tree_leaves(tree, at, claim, class);
                continue;
            }
            if path.is_segment() {
                for segment in self.reading.segments(path, at) {
                    self.tally.range(segment.span(), claim, class);
                }
                continue;
            }
            if let Some(node) = self.reading.only(path, at) {
                if let Some(node) = node {
                    self.tally.all(node, claim, class);
                }
                continue;
            }
            let tally = &mut self.tally;
            self.reading.visit(path, at, &mut |found| {
                tally.all(found.node, claim, class);
                std::ops::ControlFlow::Continue(())
            });
        }
    }

    /// A Reference to an instance.
    pub(crate) fn reference(&mut self, at: usize) -> NodeId {
        let instance = &mut self.instances[at];
        let known = *instance.reference.get_or_insert_with(|| {
            let id = instance.id.as_ref().map_or("", LogicalId::as_str);
            let text = self.forest.joined(&[instance.emit.kind.as_str(), "/", id]);
            let reference = self.forest.object();
            self.forest.append(reference, "reference", text);
            self.forest.share(reference)
        });
        self.forest.share(known)
    }

    /// All leaves below the places of a path through a tree.
    fn tree_leaves(&mut self, path: &crate::plan::TreePlan, at: At<'_, 'm>, claim: Claim, class: LeafClass) {
        let tally = &mut self.tally;
        self.reading.visit_tree(path, at, &mut |spot| {
            let span = if path.attribute.is_some() { spot.node.span() } else { spot.element.span() };
            tally.range(span, claim, class);
            std::ops::ControlFlow::Continue(())
        });
    }

    /// The instance of a type made for a segment.
    pub(crate) fn made_for(&self, kind: ResourceType, segment: usize) -> Option<usize> {
        self.made.get(&(kind, segment)).copied()
    }

    /// The instance of one of the emits under which the own instance stands.
    pub(crate) fn parent_of(&self, standing: Standing, number: u16) -> Option<usize> {
        *self.instances[standing.own?].parents.get(usize::from(number))?
    }

    pub(crate) fn owner(&mut self) -> u32 {
        // Instances take the first numbers; all are there before anything is mentioned.
        let owner = self.instances.len() + self.mentions.len();
        owner as u32
    }

    pub(crate) fn issue(&mut self, severity: Severity, kind: IssueType, code: &'static str, text: Text, path: String) {
        if self.issues.len() >= ISSUES_MAX {
            return;
        }
        let issue = Issue::new(severity, kind, code, text);
        self.issues.push(if path.is_empty() { issue } else { issue.at(path) });
    }

    /// The path of the first leaf from an offset on.
    pub(crate) fn path_at(&self, start: u32) -> String {
        if self.issues.len() >= ISSUES_MAX {
            return String::new();
        }
        if let Some(path) = self.reading.path_of(start) {
            return path;
        }
        let message = self.reading.message;
        let leaf = message.leaves().find(|leaf| leaf.node.span().start >= start);
        leaf.map_or_else(String::new, |leaf| leaf.path(message).to_string())
    }

    /// Marks that belong to no resource.
    pub(crate) const NOBODY: u32 = u32::MAX;

    fn finish(mut self) -> Mapped<'m> {
        let facts = self.facts();
        let leaves = 0..self.tally.leaf_count();
        self.settle(facts, leaves)
    }

    /// What has been made so far; the account is that of a range of leaves.
    pub(crate) fn settle(&mut self, facts: Facts, leaves: std::ops::Range<usize>) -> Mapped<'m> {
        let mut fallen = crate::finish::Fallen::default();
        let said = self.changes(&mut fallen);
        let accounts = self.tally.settle(&|owner, region| fallen.has(owner, region), leaves);
        let forest = Arc::new(std::mem::take(&mut self.forest));
        let changes = said.into_iter().map(|said| Change::new(said, Arc::clone(&forest))).collect();
        Mapped { changes, facts, accounts, issues: std::mem::take(&mut self.issues) }
    }

    /// The changes of what was made; what was not is noted as fallen.
    fn changes(&mut self, fallen: &mut crate::finish::Fallen) -> Vec<Said<'m>> {
        let everything = std::mem::take(&mut self.everything);
        self.complete(fallen, &everything);
        self.refer_to_everything(&everything, fallen);
        let mut changes: Vec<Said<'m>> = Vec::with_capacity(self.instances.len() + self.mentions.len());
        let mut known: QuickMap<ResourceKey, usize> = QuickMap::default();
        for at in 0..self.instances.len() {
            if fallen.has(at as u32, 0) {
                continue;
            }
            let instance = &self.instances[at];
            let Some(id) = instance.id.clone() else { continue };
            let change = change(
                ResourceKey::new(instance.emit.kind, id),
                &instance.emit.body,
                std::mem::take(&mut self.sheets[at]),
            );
            let mention = instance.mention;
            let whole = instance.emit.whole && !mention;
            let whole = if whole { vec![&instance.emit.body] } else { Vec::new() };
            let change = Said { snapshot: instance.map.snapshot, weak: instance.weak, mention, whole, ..change };
            self.unite(&mut changes, &mut known, change, at as u32, fallen);
        }
        self.unite_mentions(&mut changes, &mut known, fallen);
        changes
    }

    fn refer_to_everything(&mut self, everything: &[(usize, &'m Write)], fallen: &mut crate::finish::Fallen) {
        for (own, write) in everything {
            let own_key = self.key(*own);
            let mut seen: HashSet<ResourceKey, QuickHash> = own_key.into_iter().collect();
            let mut references = Vec::new();
            for at in (0..self.instances.len()).filter(|at| at != own && !fallen.has(*at as u32, 0)) {
                if self.key(at).is_some_and(|key| seen.insert(key)) {
                    references.push(self.reference(at));
                }
            }
            for mention in self.mentions.iter().filter(|mention| mention.again.is_none()) {
                if seen.insert(mention.key.clone()) {
                    let text = self.forest.joined(&[mention.key.kind.as_str(), "/", mention.key.id.as_str()]);
                    let reference = self.forest.object();
                    self.forest.append(reference, "reference", text);
                    references.push(reference);
                }
            }
            for (ordinal, reference) in (0u32..).zip(references) {
                for target in &write.targets {
                    let reference = self.forest.share(reference);
                    self.sheets[*own].put(&mut self.forest, target, None, ordinal, reference);
                }
            }
            self.complete_one(*own, fallen);
        }
    }

    pub(crate) fn emit_of(&self, at: usize) -> &'m EmitPlan {
        self.instances[at].emit
    }

    pub(crate) fn is_made(&self, at: usize) -> bool {
        self.instances[at].id.is_some()
    }

    pub(crate) fn key_text(&self, at: usize) -> String {
        let id = self.instances[at].id.as_ref().map_or("", LogicalId::as_str);
        format!("{}/{id}", self.instances[at].emit.kind)
    }

    pub(crate) fn segment_path(&self, at: usize) -> String {
        self.reading.place_path(self.reading.at(self.instances[at].place))
    }
}

pub(crate) fn change<'m>(key: ResourceKey, body: &'m Body, sheet: Sheet<'m>) -> Said<'m> {
    let mut lists: Vec<ListChange<'m>> = Vec::new();
    for (list, filter) in sheet.claims {
        let plan = &body.lists[usize::from(list) - 1];
        match lists.iter_mut().find(|known| std::ptr::eq(known.plan, plan)) {
            Some(known) => known.claimed.push(filter),
            None => lists.push(ListChange { plan, claimed: vec![filter] }),
        }
    }
    let clear = sheet.clears.into_iter().map(|target| Clear { target }).collect();
    Said {
        key,
        root: sheet.root,
        clear,
        lists,
        bodies: vec![body],
        whole: Vec::new(),
        once: sheet.once,
        snapshot: true,
        weak: false,
        mention: false,
    }
}

impl MapPlan {
    /// Whether the map is meant for messages of this kind.
    pub(crate) fn is_for(&self, kind: &MessageKind<'_>) -> bool {
        if let (Some((low, high)), Some(version)) = (self.versions, crate::compile::version(kind.version)) {
            // 2.8 in a map means every 2.8.x.
            let top = if high.2 == 0 { (high.0, high.1, u16::MAX) } else { high };
            if version < low || version > top {
                return false;
            }
        }
        if !self.events.is_empty() && !self.events.iter().any(|event| event == kind.trigger) {
            return false;
        }
        if self.messages.is_empty() {
            return true;
        }
        self.messages.iter().any(|name| name == kind.structure || name == kind.stated || name == kind.code)
    }
}

/// What the header says of the kind of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageKind<'k> {
    /// MSH-12.
    pub(crate) version: &'k str,
    /// MSH-9.2.
    pub(crate) trigger: &'k str,
    /// MSH-9.1.
    pub(crate) code: &'k str,
    /// The structure that is known for it.
    pub(crate) structure: &'k str,
    /// MSH-9.3.
    pub(crate) stated: &'k str,
}

/// Room in the forest, by the leaves of the message: a leaf makes a node for itself and one for what is around it.
const NODES_A_LEAF: usize = 3;
/// Issues of one message beyond this number are not kept.
const ISSUES_MAX: usize = 1_000;
