//! What rules made of texts that a message repeats: one device stands in every result of a report, one day in every
//! order.
//!
//! Each rule whose work depends on one text alone keeps the last few texts that it has read. A text that comes again is
//! made once more and kept with its marks; from then on the value is shared, see [`dukou_fhir::Forest::share`].

use dukou_fhir::NodeId;
use dukou_wire::{Format, Level, Node};

use crate::plan::{
    ActionPlan, Body, IdPlan, KeyAlternative, KeyPlan, LensPlan, LensUse, MapPlan, Operation, PathPlan, RestPlan, Root,
    Takes, Write,
};
use crate::run::{Mention, Run};
use crate::tally::{Claim, Pending};
use crate::write::Grown;

/// What a rule made, and what it left behind on the way.
struct Known {
    /// It stands in no tree itself.
    value: NodeId,
    kind: Option<&'static str>,
    /// Marks, their leaves counted from the first one of the part.
    marks: Vec<Pending>,
    mentions: std::ops::Range<usize>,
}

/// A text that a rule has read.
#[derive(Clone, Copy)]
struct Read<'m> {
    text: &'m str,
    level: Level,
    /// The number of what was made of it plus 1; 0 for a text that was read once: most never come again.
    known: u32,
}

/// The last texts of a rule.
#[derive(Default)]
struct Last<'m> {
    texts: [Option<Read<'m>>; TEXTS_KEPT],
    next: usize,
}

/// The texts that rules have read in this message.
#[derive(Default)]
pub(crate) struct Memory<'m> {
    /// Where the texts of a rule are, by its number, plus 1; 0 for none.
    places: Vec<u32>,
    last: Vec<Last<'m>>,
    known: Vec<Known>,
}

/// What memory says of a text.
#[derive(Clone, Copy)]
pub(crate) enum Recall {
    /// Nothing: make the value.
    Nothing,
    /// The text was read before: make the value and keep it in this place.
    Again(Place),
    /// The value has this number.
    Known(u32),
}

/// Among the texts of a rule.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    rule: u32,
    way: usize,
}

/// How far a run was before a value was made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Before {
    told: (usize, usize, usize),
    point: usize,
    mentions: usize,
}

impl<'m> Memory<'m> {
    /// A memory for so many rules.
    pub(crate) fn of(rules: u32) -> Self {
        Memory { places: vec![0; rules as usize], ..Memory::default() }
    }

    /// Forgets everything, as mentions that it names have been taken back.
    pub(crate) fn clear(&mut self) {
        if !self.last.is_empty() {
            self.places.fill(0);
            self.last.clear();
            self.known.clear();
        }
    }

    fn recall(&mut self, rule: u32, text: &'m str, level: Level) -> Recall {
        let place = &mut self.places[rule as usize];
        if *place == 0 {
            self.last.push(Last::default());
            *place = self.last.len() as u32;
        }
        let last = &mut self.last[*place as usize - 1];
        let same = |read: &Option<Read<'m>>| read.is_some_and(|read| read.text == text && read.level == level);
        if let Some(way) = last.texts.iter().position(same) {
            let known = last.texts[way].map_or(0, |read| read.known);
            return if known == 0 { Recall::Again(Place { rule, way }) } else { Recall::Known(known - 1) };
        }
        last.texts[last.next] = Some(Read { text, level, known: 0 });
        last.next = (last.next + 1) % TEXTS_KEPT;
        Recall::Nothing
    }
}

impl<'m> Run<'m> {
    /// What is remembered of the text that a rule is given.
    pub(crate) fn recall(&mut self, write: &Write, node: Option<Node<'m>>) -> Recall {
        match (write.memory, node) {
            // In other formats the same characters may be spelled out or not.
            (Some(rule), Some(node)) if self.reading.message.format() == Format::Er7 => {
                self.memory.recall(rule, node.raw(), node.level())
            }
            _ => Recall::Nothing,
        }
    }

    /// How far the run is.
    pub(crate) fn before(&self) -> Before {
        let told = (self.issues.len(), self.told.len(), self.tally.refusals());
        Before { told, point: self.tally.point(), mentions: self.mentions.len() }
    }

    /// Keeps a value, unless something was told of its place: that must be told of every place.
    pub(crate) fn keep(&mut self, place: Place, node: Node<'m>, made: Grown<'m>, before: Before) -> Grown<'m> {
        if self.before().told != before.told || made.rest.is_some() {
            return made;
        }
        let value = self.forest.share(made.node);
        let marks = self.tally.recorded(before.point, node.span().start);
        let mentions = before.mentions..self.mentions.len();
        self.memory.known.push(Known { value, kind: made.kind, marks, mentions });
        // The place may have been given to another text, or all be forgotten, while the value was made.
        let at = self.memory.places[place.rule as usize] as usize;
        let last = at.checked_sub(1).map(|at| &mut self.memory.last[at].texts[place.way]);
        if let Some(Some(read)) = last
            && read.text == node.raw()
            && read.level == node.level()
        {
            read.known = self.memory.known.len() as u32;
        }
        Grown { node: self.forest.share(value), ..made }
    }

    /// The value of a number once more, for the same text at another place.
    pub(crate) fn known(&mut self, number: u32, node: Node<'m>, claim: Claim) -> Grown<'m> {
        let known = &self.memory.known[number as usize];
        self.tally.replay(&known.marks, node.span().start, claim);
        for at in known.mentions.clone() {
            let first = self.mentions[at].again.unwrap_or(at);
            let owner = (self.instances.len() + self.mentions.len()) as u32;
            let again = self.mentions[first].repeated(first, owner);
            self.mentions.push(again);
        }
        Grown { node: self.forest.share(known.value), kind: known.kind, rest: None }
    }
}

impl<'m> Mention<'m> {
    /// The same mention at another place.
    fn repeated(&self, first: usize, owner: u32) -> Mention<'m> {
        Mention { key: self.key.clone(), sheet: Default::default(), lists: self.lists, owner, again: Some(first) }
    }
}

/// Notes which lenses read nothing but the part that they are given.
pub(crate) fn find_local(lenses: &mut [LensPlan]) {
    // A lens is local as long as no rule of it, nor a lens that it calls, says otherwise.
    loop {
        let strays =
            |lens: &LensPlan| !lens.body.operations.iter().chain(&lens.body.late).all(|one| stays(one, lenses));
        let found =
            lenses.iter().position(|lens| lens.local && (strays(lens) || !lens.id.as_ref().is_none_or(id_stays)));
        match found {
            Some(at) => lenses[at].local = false,
            None => return,
        }
    }
}

fn stays(operation: &Operation, lenses: &[LensPlan]) -> bool {
    let guards = operation.guard.iter().map(|test| &test.path);
    let calls = match &operation.action {
        ActionPlan::Write(write) => match write.lens {
            LensUse::Composite(at) | LensUse::Resource(at) => lenses[at].local && !write.whole_segment,
            LensUse::Segment(_) | LensUse::Emit(_) | LensUse::Everything => false,
            LensUse::Constant(_) | LensUse::Builtin(_) => !write.whole_segment,
        },
        ActionPlan::Drop | ActionPlan::Keep => true,
    };
    calls && operation.sources.iter().flatten().chain(guards).all(path_stays)
}

fn id_stays(id: &IdPlan) -> bool {
    id.keys.iter().all(|key| match key {
        KeyPlan::Source(alternatives) => alternatives.iter().all(|alternative| match alternative {
            KeyAlternative::Path(path, _) => path_stays(path),
            KeyAlternative::Constant(_) => true,
        }),
        KeyPlan::Nth => false,
    })
}

fn path_stays(path: &PathPlan) -> bool {
    matches!(path.root, Root::Part)
}

/// Gives a number to each rule whose work depends on one text alone; gives back how many there are.
pub(crate) fn number(maps: &mut [MapPlan], lenses: &mut [LensPlan]) -> u32 {
    let local: Vec<bool> = lenses.iter().map(|lens| lens.local).collect();
    let emits = maps.iter_mut().flat_map(|map| &mut map.emits).map(|emit| &mut emit.body);
    let bodies = emits.chain(lenses.iter_mut().map(|lens| &mut lens.body));
    let operations = bodies.flat_map(|Body { operations, late, .. }| operations.iter_mut().chain(late));
    let mut count = 0;
    for operation in operations {
        let sources = operation.sources.len();
        if let ActionPlan::Write(write) = &mut operation.action
            && sources == 1
            && depends_on_text(write, &local)
        {
            write.memory = Some(count);
            count += 1;
        }
    }
    count
}

/// Whether equal texts give equal values that cost more to make than to remember.
fn depends_on_text(write: &Write, local: &[bool]) -> bool {
    let works = match &write.lens {
        LensUse::Builtin(_) => !write.plain,
        LensUse::Composite(at) | LensUse::Resource(at) => local[*at],
        LensUse::Constant(_) | LensUse::Segment(_) | LensUse::Emit(_) | LensUse::Everything => false,
    };
    works && write.takes == Takes::Each && !write.whole_segment && matches!(write.rest, RestPlan::Unsaid)
}

/// Texts that a rule keeps: a report has few devices, observers and flags.
const TEXTS_KEPT: usize = 4;
