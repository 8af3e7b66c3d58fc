//! Which operations of a body have something to read: a look at two words instead of a walk over every rule.

use dukou_wire::Level;

use crate::plan::{ActionPlan, Body, Operation, PathPlan, Root};
use crate::reading::At;

/// The fields and parts that the source of an operation names, one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    /// Fields of the own segment.
    fields: u64,
    /// Parts of what a lens reads.
    parts: u64,
}

impl Gate {
    /// A gate that is never shut.
    const OPEN: Gate = Gate { fields: OTHERS, parts: OTHERS };

    /// The gate of an operation: open where it may act though its source says nothing.
    fn of(operation: &Operation) -> Gate {
        let [source] = operation.sources.as_slice() else { return Gate::OPEN };
        match &operation.action {
            ActionPlan::Write(write) if write.speaks_unasked || write.whole_segment => Gate::OPEN,
            _ => source.iter().fold(Gate::default(), |gate, path| gate.with(path)),
        }
    }

    fn with(self, path: &PathPlan) -> Gate {
        match path.root {
            Root::Own => Gate { fields: self.fields | bit(path.field), ..self },
            Root::Part => Gate { parts: self.parts | bit(path.component), ..self },
            _ => Gate::OPEN,
        }
    }

    /// What is there at a place.
    pub(crate) fn there(fields: u64, at: At<'_, '_>) -> Gate {
        let parts = match at.part {
            Some(part) if part.level() == Level::Subcomponent => OTHERS | u64::from(!part.raw().is_empty()) << 1,
            _ => bits(at.cells.iter().map(|cell| !cell.raw().is_empty())),
        };
        Gate { fields, parts }
    }

    /// Whether the gate says all there is to say: it stands open only where something is there to be read.
    #[inline]
    pub(crate) fn is_exact(self) -> bool {
        (self.fields | self.parts) & OTHERS == 0
    }
}

/// The bits of fields or parts, from the first on, by whether they are filled.
pub(crate) fn bits(filled: impl Iterator<Item = bool>) -> u64 {
    let known = (1u16..).zip(filled).take_while(|(number, _)| *number <= LAST);
    known.fold(OTHERS, |all, (number, filled)| all | u64::from(filled) << number)
}

/// The gates of a body's operations, turned round: for each field and part the operations that it lets through.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    /// Words of 64 operations each.
    words: usize,
    fields: Vec<u64>,
    parts: Vec<u64>,
    /// Operations whose gate says all there is to say.
    exact: Vec<u64>,
}

impl Gates {
    /// The gates of the operations of a body.
    pub(crate) fn of(body: &Body) -> Gates {
        let words = body.operations.len().div_ceil(WORD);
        let room = || vec![0; words * WORD];
        let mut gates = Gates { words, fields: room(), parts: room(), exact: vec![0; words] };
        for (number, gate) in body.operations.iter().map(Gate::of).enumerate() {
            let (word, bit) = (number / WORD, 1 << (number % WORD));
            for place in 0..WORD {
                let at = place * words + word;
                gates.fields[at] |= if gate.fields >> place & 1 == 1 { bit } else { 0 };
                gates.parts[at] |= if gate.parts >> place & 1 == 1 { bit } else { 0 };
            }
            gates.exact[word] |= if gate.is_exact() { bit } else { 0 };
        }
        gates
    }

    /// Shows the numbers of the operations that may find something in what is there, in their order.
    #[inline]
    pub(crate) fn each_open(&self, there: Gate, mut see: impl FnMut(usize)) {
        for word in 0..self.words {
            let mut open = self.let_through(&self.fields, there.fields, word);
            open |= self.let_through(&self.parts, there.parts, word);
            while open != 0 {
                see(word * WORD + open.trailing_zeros() as usize);
                open &= open - 1;
            }
        }
    }

    fn let_through(&self, by_place: &[u64], mut places: u64, word: usize) -> u64 {
        let mut open = 0;
        while places != 0 {
            open |= by_place[places.trailing_zeros() as usize * self.words + word];
            places &= places - 1;
        }
        open
    }

    /// Whether the gate of an operation stands open only where something is there to be read.
    #[inline]
    pub(crate) fn is_exact(&self, number: usize) -> bool {
        self.exact[number / WORD] >> (number % WORD) & 1 == 1
    }
}

fn bit(number: u16) -> u64 {
    if (1..=LAST).contains(&number) { 1 << number } else { OTHERS }
}

/// The last field or part with a bit of its own.
const LAST: u16 = 62;
/// The whole, and all places beyond the last: these are looked up one by one.
const OTHERS: u64 = 1 << 63;
/// Operations of a word.
const WORD: usize = u64::BITS as usize;
