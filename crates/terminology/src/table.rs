//! One table: rows, their directions and what happens to the rest.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use crate::codes::Codes;

/// What the head of a table states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The name by which maps call the table.
    pub name: String,
    /// The system of the codes on the left, as a URI; empty where none is stated.
    pub source: String,
    /// The system of the codes on the right, as a URI; empty where none is stated.
    pub target: String,
    /// The version of the value domain.
    pub version: String,
    /// The date of that version.
    pub date: String,
}

/// The direction in which a row may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `<->`: one to one.
    Both,
    /// `->`: to FHIR only; several codes may share a target.
    Forward,
    /// `<-`: from FHIR only.
    Back,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The code of the sender.
    pub code: String,
    /// The direction.
    pub direction: Direction,
    /// The code of FHIR.
    pub target: String,
    /// What the target code means, for readers.
    pub display: Option<String>,
    /// The row's own target system, where it differs from that of the head.
    pub system: Option<String>,
}

/// What becomes of a code that no row names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Otherwise {
    /// It is refused; also where no `else` row stands.
    #[default]
    Refuse,
    /// It becomes this code.
    Code(String),
    /// It is kept as text, without coding.
    Text,
    /// It is kept as it is.
    Keep,
    /// It is set between two texts, characters outside of URIs percent-encoded.
    Pattern {
        /// What stands before the code.
        before: String,
        /// What stands behind the code.
        after: String,
    },
}

impl Otherwise {
    /// Reads the right side of an `else` row: `text`, `error`, `keep`, a pattern with `{}`, or a code.
    pub fn parse(text: &str) -> Otherwise {
        match text {
            "text" => Otherwise::Text,
            "error" => Otherwise::Refuse,
            "keep" => Otherwise::Keep,
            _ => match text.split_once("{}") {
                Some((before, after)) => Otherwise::Pattern { before: before.to_owned(), after: after.to_owned() },
                None => Otherwise::Code(text.to_owned()),
            },
        }
    }
}

/// What a table says about a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Translation<'t> {
    /// The code has a counterpart.
    Coded(Coded<'t>),
    /// The code stays text, without coding.
    Text,
    /// The table refuses the code.
    Refused,
}

/// The counterpart of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded<'t> {
    /// The code.
    pub code: Cow<'t, str>,
    /// Its system, where table or row state one.
    pub system: Option<&'t str>,
    /// What it means.
    pub display: Option<&'t str>,
    /// Whether the sender's code cannot be told from this one.
    pub lossy: bool,
}

/// A fault of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The row, from 0.
    pub row: usize,
    /// What is wrong.
    pub kind: FaultKind,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// An earlier row already leads back from this target.
    TargetTwice {
        /// The earlier row, from 0.
        other: usize,
    },
    /// An earlier row already translates this code.
    CodeTwice {
        /// The earlier row, from 0.
        other: usize,
    },
    /// Code or target is empty.
    Empty,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultKind::TargetTwice { .. } => f.write_str("two rows lead back from the same target"),
            FaultKind::CodeTwice { .. } => f.write_str("two rows translate the same code"),
            FaultKind::Empty => f.write_str("code or target is empty"),
        }
    }
}

/// A table: immutable, checked, both directions indexed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    head: Head,
    rows: Vec<Row>,
    otherwise: Otherwise,
    /// Rows that lead to FHIR, by their codes.
    forward: Codes,
    /// Row numbers in the order of their targets; rows that lead back.
    back: Vec<u32>,
}

impl Table {
    /// Checks the rows and indexes them.
    ///
    /// # Errors
    /// Every row that is empty or makes a direction ambiguous, in the order of the rows.
    pub fn build(head: Head, rows: Vec<Row>, otherwise: Otherwise) -> Result<Table, Vec<Fault>> {
        let mut faults = Vec::new();
        let (mut codes, mut targets) = (HashMap::new(), HashMap::new());
        for (number, row) in rows.iter().enumerate() {
            if row.code.is_empty() || row.target.is_empty() {
                faults.push(Fault { row: number, kind: FaultKind::Empty });
            }
            let same_code = row.forward().then(|| first(&mut codes, row.code.as_str(), number)).flatten();
            let same_target = row.back().then(|| first(&mut targets, (&row.target, &row.system), number)).flatten();
            if let Some(other) = same_code {
                faults.push(Fault { row: number, kind: FaultKind::CodeTwice { other } });
            } else if let Some(other) = same_target {
                faults.push(Fault { row: number, kind: FaultKind::TargetTwice { other } });
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let numbers = |keep: fn(&Row) -> bool| (0u32..).zip(&rows).filter(move |(_, row)| keep(row)).map(|(n, _)| n);
        let forward = Codes::of(&rows, numbers(Row::forward));
        let mut back: Vec<u32> = numbers(Row::back).collect();
        back.sort_by(|a, b| rows[*a as usize].target.cmp(&rows[*b as usize].target));
        Ok(Table { head, rows, otherwise, forward, back })
    }

    /// What the head states.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The rows in the order of the file.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What becomes of codes without a row.
    pub fn otherwise(&self) -> &Otherwise {
        &self.otherwise
    }

    /// The counterpart of a code that has a row of its own.
    pub fn find(&self, code: &str) -> Option<Coded<'_>> {
        let row = self.forward.find(&self.rows, code)?;
        Some(Coded {
            code: Cow::Borrowed(&row.target),
            system: row.system.as_deref().or(self.target_system()),
            display: row.display.as_deref(),
            lossy: row.direction == Direction::Forward,
        })
    }

    /// The counterpart of a sender's code: its row, else what the table says of codes without one.
    pub fn translate<'t>(&'t self, code: &'t str) -> Translation<'t> {
        if let Some(found) = self.find(code) {
            return Translation::Coded(found);
        }
        let (code, system, lossy) = match &self.otherwise {
            Otherwise::Refuse => return Translation::Refused,
            Otherwise::Text => return Translation::Text,
            Otherwise::Code(code) => (Cow::Borrowed(code.as_str()), self.target_system(), true),
            Otherwise::Keep => (Cow::Borrowed(code), self.source_system(), false),
            Otherwise::Pattern { before, after } => {
                (Cow::Owned(filled(before, code, after)), self.target_system(), false)
            }
        };
        Translation::Coded(Coded { code, system, display: None, lossy })
    }

    /// The sender's code for a code of FHIR, by the rows that lead back.
    pub fn reverse(&self, target: &str) -> Option<&str> {
        let found = self.back.binary_search_by(|row| self.rows[*row as usize].target.as_str().cmp(target)).ok()?;
        Some(&self.rows[self.back[found] as usize].code)
    }

    /// Every code that a translation can give, each with its system; patterns and kept codes aside.
    pub fn targets(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let rows = self.rows.iter().filter(|row| row.forward());
        let rows = rows.map(|row| (row.system.as_deref().or(self.target_system()), row.target.as_str()));
        let rest = match &self.otherwise {
            Otherwise::Code(code) => Some((self.target_system(), code.as_str())),
            _ => None,
        };
        rows.chain(rest)
    }

    fn target_system(&self) -> Option<&str> {
        (!self.head.target.is_empty()).then_some(self.head.target.as_str())
    }

    fn source_system(&self) -> Option<&str> {
        (!self.head.source.is_empty()).then_some(self.head.source.as_str())
    }
}

impl Row {
    fn forward(&self) -> bool {
        self.direction != Direction::Back
    }

    fn back(&self) -> bool {
        self.direction != Direction::Forward
    }
}

/// The earlier row with the same key, or nothing after noting this one.
fn first<K: Hash + Eq>(seen: &mut HashMap<K, usize>, key: K, number: usize) -> Option<usize> {
    let earlier = *seen.entry(key).or_insert(number);
    (earlier != number).then_some(earlier)
}

/// A URI may hold only some characters; the others are percent-encoded so that two names never give one URI.
fn filled(before: &str, code: &str, after: &str) -> String {
    let mut text = String::with_capacity(before.len() + code.len() + after.len());
    text.push_str(before);
    for byte in code.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    text.push_str(after);
    text
}

const HEX: [u8; 16] = *b"0123456789ABCDEF";
