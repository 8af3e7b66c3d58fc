//! What lenses made of texts that a message repeats: one device stands in every result of a report.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use dukou_fhir::NodeId;
use dukou_wire::Level;

use crate::plan::{ActionPlan, IdPlan, KeyAlternative, KeyPlan, LensPlan, LensUse, Operation, PathPlan, Root};
use crate::reading::At;
use crate::run::{Mention, Run, Standing};
use crate::tally::{Claim, Pending};
use crate::write::{Grown, Growth};

/// All on which the work of a lens depends that reads nothing but its own part.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Task<'m> {
    lens: usize,
    /// Whether a Reference is made instead of the object itself.
    refers: bool,
    level: Level,
    text: &'m str,
    code_table: Option<&'m str>,
}

impl Hash for Task<'_> {
    /// Lens and text tell nearly all tasks apart.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.lens);
        state.write(self.text.as_bytes());
    }
}

/// What a lens made, and what it left behind on the way.
struct Known {
    /// It stands in no tree itself.
    value: NodeId,
    /// Marks, their leaves counted from the first one of the part.
    marks: Vec<Pending>,
    mentions: std::ops::Range<usize>,
}

/// The texts that lenses have read in this message.
#[derive(Default)]
pub(crate) struct Memory<'m> {
    /// Nothing for a text that was read once: most never come again, so nothing is kept of them.
    tasks: HashMap<Task<'m>, Option<Rc<Known>>>,
}

impl Memory<'_> {
    /// Forgets everything, as mentions that it names have been taken back.
    pub(crate) fn clear(&mut self) {
        self.tasks.clear();
    }
}

impl<'m> Run<'m> {
    /// What a lens makes of a part, by its rules or from memory.
    pub(crate) fn made_by(
        &mut self,
        lens: usize,
        refers: bool,
        inner: At<'_, 'm>,
        claim: Claim,
        standing: Standing,
    ) -> Growth<'m> {
        let part = match inner.part {
            Some(part) if self.program.lenses[lens].local => part,
            _ => return self.made_anew(lens, refers, inner, claim, standing),
        };
        let task = Task { lens, refers, level: part.level(), text: part.raw(), code_table: inner.code_table };
        match self.memory.tasks.get(&task).cloned() {
            Some(Some(known)) => Ok(Some(self.made_again(&known, part.span().start, claim))),
            Some(None) => self.made_and_kept(task, part.span().start, inner, claim, standing),
            None => {
                self.memory.tasks.insert(task, None);
                self.made_anew(lens, refers, inner, claim, standing)
            }
        }
    }

    fn made_anew(
        &mut self,
        lens: usize,
        refers: bool,
        inner: At<'_, 'm>,
        claim: Claim,
        standing: Standing,
    ) -> Growth<'m> {
        if refers {
            return self.mention(lens, inner, claim, standing);
        }
        Ok(self.compose(lens, inner, claim, standing)?.map(|(value, _)| Grown::new(value)))
    }

    /// Makes a value and keeps it, unless something was told of its place: that must be told of every place.
    fn made_and_kept(
        &mut self,
        task: Task<'m>,
        start: u32,
        inner: At<'_, 'm>,
        claim: Claim,
        standing: Standing,
    ) -> Growth<'m> {
        let told = |run: &Self| (run.issues.len(), run.told.len(), run.tally.refusals());
        let (before, point, mentions) = (told(self), self.tally.point(), self.mentions.len());
        let made = self.made_anew(task.lens, task.refers, inner, claim, standing)?;
        let (Some(Grown { node, .. }), true) = (&made, told(self) == before) else { return Ok(made) };
        let value = self.forest.share(*node);
        let known = Known { value, marks: self.tally.recorded(point, start), mentions: mentions..self.mentions.len() };
        let again = self.forest.share(value);
        self.memory.tasks.insert(task, Some(Rc::new(known)));
        Ok(Some(Grown::new(again)))
    }

    fn made_again(&mut self, known: &Known, start: u32, claim: Claim) -> Grown<'m> {
        self.tally.replay(&known.marks, start, claim);
        for at in known.mentions.clone() {
            let first = self.mentions[at].again.unwrap_or(at);
            let owner = self.owner();
            let again = self.mentions[first].repeated(first, owner);
            self.mentions.push(again);
        }
        Grown::new(self.forest.share(known.value))
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
