//! Counts every leaf of a message once, in the first class that fits.

use dukou_wire::{Message, Node, Path};

use crate::plan::Program;

/// What became of a leaf; later classes are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeafClass {
    /// No rule, or refused by a lens or guard.
    Reported,
    /// Left out on purpose.
    Dropped,
    /// Kept in the complement on purpose.
    Complement,
    /// Its value is in the FHIR view.
    Emitted,
}

impl LeafClass {
    /// The name, as reports show it.
    pub fn as_str(self) -> &'static str {
        match self {
            LeafClass::Reported => "reported",
            LeafClass::Dropped => "dropped",
            LeafClass::Complement => "complement",
            LeafClass::Emitted => "emitted",
        }
    }
}

/// The sums over the leaves of one message: `leaves` is always the sum of the four classes.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// How many values and nulls the message has.
    pub leaves: u32,
    /// Those whose value is in the FHIR view.
    pub emitted: u32,
    /// Those of `emitted` of which a table or lens lost something.
    pub lossy: u32,
    /// Those kept in the complement on purpose.
    pub complement: u32,
    /// Those dropped with a reason.
    pub dropped: u32,
    /// Those without rule, or refused by a lens or guard.
    pub reported: u32,
    marks: Vec<Mark>,
    /// The number of the first leaf in the message.
    first: usize,
}

/// One leaf of an account, for people. Holds no value.
#[derive(Clone, Debug)]
pub struct AccountLine<'p> {
    /// The place, `OBX[3]-5`.
    pub path: Path,
    /// What became of it.
    pub class: LeafClass,
    /// Whether something was lost on the way.
    pub lossy: bool,
    /// The map and the rule that decided, where one did.
    pub rule: Option<(&'p str, &'p str)>,
    /// The reason of a `drop` or `keep`, or why it is reported.
    pub reason: &'p str,
}

impl Accounts {
    /// Every leaf in the order of the message. The account of one record of many walks over the leaves before it.
    pub fn lines<'p>(
        &'p self,
        program: &'p Program,
        message: &'p Message<'p>,
    ) -> impl Iterator<Item = AccountLine<'p>> {
        self.marks.iter().zip(message.leaves().skip(self.first)).map(move |(mark, leaf)| {
            let rule = (mark.rule != Mark::NO_RULE).then(|| &program.rules[mark.rule as usize]);
            let reason = match (mark.class, rule) {
                (LeafClass::Reported, _) => mark.why.as_str(),
                (_, Some(rule)) => rule.reason.as_deref().unwrap_or(""),
                (_, None) => "",
            };
            AccountLine {
                path: leaf.path(message),
                class: mark.class,
                lossy: mark.lossy,
                rule: rule.map(|rule| (rule.map.as_str(), rule.id.as_str())),
                reason,
            }
        })
    }
}

/// Why a leaf is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    NoRule,
    Refused,
    NotMade,
}

impl Why {
    fn as_str(self) -> &'static str {
        match self {
            Why::NoRule => "no rule",
            Why::Refused => "refused",
            Why::NotMade => "its resource was not made",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    class: LeafClass,
    lossy: bool,
    why: Why,
    rule: u32,
}

impl Mark {
    const NO_RULE: u32 = u32::MAX;
    const NONE: Mark = Mark { class: LeafClass::Reported, lossy: false, why: Why::NoRule, rule: Mark::NO_RULE };
}

/// A mark that counts once its owner is known to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    leaf: u32,
    rule: u32,
    owner: u32,
    region: u16,
    class: LeafClass,
    lossy: bool,
}

/// The account while a message is mapped.
pub(crate) struct Tally {
    /// Where each leaf starts in the text, in order.
    starts: Vec<u32>,
    pending: Vec<Pending>,
    refused: Vec<(u32, u32)>,
    /// What has become of each leaf, once it is settled; empty before.
    marks: Vec<Mark>,
    /// Where the last leaf was found: neighbours are asked for one after the other.
    hint: usize,
}

/// To whom marks belong: a resource, a part of it that may fall, and the rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) rule: u32,
    pub(crate) owner: u32,
    pub(crate) region: u16,
}

impl Tally {
    pub(crate) fn new(message: &Message<'_>) -> Self {
        let mut starts: Vec<u32> = Vec::with_capacity(message.text().len() / 8);
        message.leaves().for_each(|leaf| starts.push(leaf.node.span().start));
        let pending = Vec::with_capacity(starts.len() + starts.len() / 4);
        Tally { starts, pending, refused: Vec::new(), marks: Vec::new(), hint: 0 }
    }

    /// How many leaves the message has.
    pub(crate) fn leaf_count(&self) -> usize {
        self.starts.len()
    }

    /// A place to which [`Tally::back`] returns when a lens refuses.
    pub(crate) fn point(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn back(&mut self, point: usize) {
        self.pending.truncate(point);
    }

    /// Gives the region to all marks since a point.
    pub(crate) fn regions(&mut self, point: usize, claim: Claim) {
        for mark in &mut self.pending[point..] {
            mark.region = claim.region;
            mark.owner = claim.owner;
        }
    }

    /// The marks since a point, their leaves counted from an offset in the text.
    pub(crate) fn recorded(&self, point: usize, start: u32) -> Vec<Pending> {
        let first = self.from(start);
        self.pending[point..].iter().map(|mark| Pending { leaf: mark.leaf.wrapping_sub(first), ..*mark }).collect()
    }

    /// The same marks for the same text at another offset.
    pub(crate) fn replay(&mut self, marks: &[Pending], start: u32, claim: Claim) {
        let first = self.from(start);
        let Claim { owner, region, .. } = claim;
        let marks = marks.iter().map(|mark| Pending { leaf: mark.leaf.wrapping_add(first), owner, region, ..*mark });
        self.pending.extend(marks);
    }

    /// The number of the first leaf from an offset on.
    fn from(&self, start: u32) -> u32 {
        self.starts.partition_point(|known| *known < start) as u32
    }

    /// How many leaves lenses have refused.
    pub(crate) fn refusals(&self) -> usize {
        self.refused.len()
    }

    /// Marks since a point lose something on their way.
    pub(crate) fn lossy(&mut self, point: usize) {
        for mark in &mut self.pending[point..] {
            mark.lossy = true;
        }
    }

    /// The leaf at a smallest position.
    #[inline]
    pub(crate) fn emit(&mut self, node: Node<'_>, claim: Claim, lossy: bool) {
        let span = node.span();
        match self.leaf(span.start) {
            Some(leaf) if self.starts.get(leaf + 1).is_none_or(|next| *next >= span.end) => {
                self.push(leaf, claim, LeafClass::Emitted, lossy);
            }
            _ => self.emit_runs(node, claim),
        }
    }

    /// The runs of text of an element that holds elements as well; what their tags said is lost.
    #[cold]
    fn emit_runs(&mut self, node: Node<'_>, claim: Claim) {
        for leaf in self.within(node.span()) {
            self.push(leaf, claim, LeafClass::Emitted, true);
        }
    }

    /// All leaves in a node.
    pub(crate) fn all(&mut self, node: Node<'_>, claim: Claim, class: LeafClass) {
        for leaf in self.within(node.span()) {
            self.push(leaf, claim, class, false);
        }
    }

    /// All leaves of a text range.
    pub(crate) fn range(&mut self, range: std::ops::Range<u32>, claim: Claim, class: LeafClass) {
        for leaf in self.within(range) {
            self.push(leaf, claim, class, false);
        }
    }

    /// The leaves of a node that have no mark of the owner since a point.
    pub(crate) fn unmarked(&mut self, node: Node<'_>, point: usize) -> Vec<u32> {
        let leaves = self.within(node.span());
        leaves
            .filter(|leaf| !self.pending[point..].iter().any(|mark| mark.leaf == *leaf as u32))
            .map(|leaf| leaf as u32)
            .collect()
    }

    pub(crate) fn start_of(&self, leaf: u32) -> u32 {
        self.starts[leaf as usize]
    }

    pub(crate) fn emit_leaf(&mut self, leaf: u32, claim: Claim) {
        self.push(leaf as usize, claim, LeafClass::Emitted, false);
    }

    /// Leaves that a lens refused.
    pub(crate) fn refuse_range(&mut self, span: std::ops::Range<u32>, rule: u32) {
        for leaf in self.within(span) {
            self.refused.push((leaf as u32, rule));
        }
    }

    fn within(&mut self, span: std::ops::Range<u32>) -> std::ops::Range<usize> {
        if span.is_empty() {
            // A null of JSON or XML has a place but no text.
            return self.starts.binary_search(&span.start).map_or(0..0, |at| at..at + 1);
        }
        let from = self.starts.partition_point(|start| *start < span.start);
        let to = from + self.starts[from..].partition_point(|start| *start < span.end);
        from..to
    }

    #[inline]
    fn leaf(&mut self, start: u32) -> Option<usize> {
        let near = self.hint..(self.hint + NEAR).min(self.starts.len());
        if let Some(at) = self.starts[near].iter().position(|known| *known == start) {
            self.hint += at;
            return Some(self.hint);
        }
        let found = self.starts.binary_search(&start).ok()?;
        self.hint = found;
        Some(found)
    }

    #[inline]
    fn push(&mut self, leaf: usize, claim: Claim, class: LeafClass, lossy: bool) {
        let Claim { rule, owner, region } = claim;
        self.pending.push(Pending { leaf: leaf as u32, rule, owner, region, class, lossy });
    }

    /// Settles the marks made so far and gives the account of a range of leaves; `fallen` tells whether an owner, or a
    /// region of it, was not made.
    pub(crate) fn settle(&mut self, fallen: &dyn Fn(u32, u16) -> bool, leaves: std::ops::Range<usize>) -> Accounts {
        self.marks.resize(self.starts.len(), Mark::NONE);
        for (leaf, rule) in self.refused.drain(..) {
            let mark = &mut self.marks[leaf as usize];
            if mark.class == LeafClass::Reported {
                (mark.why, mark.rule) = (Why::Refused, rule);
            }
        }
        for pending in self.pending.drain(..) {
            let mark = &mut self.marks[pending.leaf as usize];
            if fallen(pending.owner, pending.region) {
                if mark.class == LeafClass::Reported {
                    (mark.why, mark.rule) = (Why::NotMade, pending.rule);
                }
                continue;
            }
            let better = pending.class > mark.class || (pending.class == mark.class && mark.lossy && !pending.lossy);
            if better {
                *mark = Mark { class: pending.class, lossy: pending.lossy, why: Why::NoRule, rule: pending.rule };
            }
        }
        self.account(leaves)
    }

    /// The account of a range of leaves as far as they are settled.
    pub(crate) fn account(&mut self, leaves: std::ops::Range<usize>) -> Accounts {
        self.marks.resize(self.starts.len(), Mark::NONE);
        let first = leaves.start;
        let marks = self.marks[leaves].to_vec();
        let mut accounts = Accounts { leaves: marks.len() as u32, first, ..Accounts::default() };
        for mark in &marks {
            match mark.class {
                LeafClass::Emitted => accounts.emitted += 1,
                LeafClass::Complement => accounts.complement += 1,
                LeafClass::Dropped => accounts.dropped += 1,
                LeafClass::Reported => accounts.reported += 1,
            }
            accounts.lossy += u32::from(mark.class == LeafClass::Emitted && mark.lossy);
        }
        accounts.marks = marks;
        accounts
    }

    /// The leaves that start in a part of the text.
    pub(crate) fn leaves_of(&self, span: std::ops::Range<u32>) -> std::ops::Range<usize> {
        let from = self.starts.partition_point(|start| *start < span.start);
        from..from + self.starts[from..].partition_point(|start| *start < span.end)
    }
}

/// How far ahead of the last leaf the next one is looked for before the search over all.
const NEAR: usize = 6;
