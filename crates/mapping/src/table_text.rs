//! Tables that stand in a map.

use dukou_terminology::{Direction, FaultKind, Head, Otherwise, Row, Table};

use crate::diagnostic::Findings;
use crate::file::Words;
use crate::path_text::literal;
use crate::place::{Place, Placed, Word};
use crate::section::Section;
use crate::yaml::Tree;

/// A table as written.
#[derive(Debug)]
pub(crate) struct InlineTable {
    pub(crate) name: Word,
    /// The rows go into the table of that name instead of being one.
    pub(crate) adds: bool,
    source: String,
    target: String,
    rows: Vec<Word>,
}

/// Where the parts of a row stand.
pub(crate) struct RowPlace {
    pub(crate) code: Place,
    pub(crate) target: Place,
}

/// The tables under `tables:`, or rows for tables under `rows:`.
pub(crate) fn inline_tables(key: &str, section: &Section<'_>, findings: &mut Findings<'_>) -> Vec<InlineTable> {
    let Some(inner) = section.section(key, findings) else { return Vec::new() };
    let mut tables = Vec::new();
    for (name, tree) in inner.members() {
        let (source, target, rows) = match tree {
            Tree::Map(_) => {
                let Some(head) = Section::new(tree, "a table", findings) else { continue };
                head.only(&["source", "target", "rows"], findings);
                let mut uri = |key| head.text(key, findings).map_or_else(String::new, |word| word.value);
                let (source, target) = (uri("source"), uri("target"));
                (source, target, head.list("rows", findings))
            }
            _ => (String::new(), String::new(), inner.list(&name.value, findings)),
        };
        let rows = rows.iter().filter_map(|row| match row {
            Tree::Text(word) => Some(word.clone()),
            other => {
                findings.error("E-TABLE", other.place(), "a row is one line of text", "write: CODE <-> code");
                None
            }
        });
        tables.push(InlineTable { name: name.clone(), adds: key == "rows", source, target, rows: rows.collect() });
    }
    tables
}

impl InlineTable {
    /// Builds the table, on top of another one where rows are added; rows that are no rows, and rows that contradict each
    /// other, are findings.
    pub(crate) fn build(
        &self,
        words: &Words,
        below: Option<&Table>,
        findings: &mut Findings<'_>,
    ) -> Option<(Table, Vec<RowPlace>)> {
        let mut rows = Vec::new();
        let mut places = Vec::new();
        let mut otherwise = below.map_or(Otherwise::Refuse, |table| table.otherwise().clone());
        for word in &self.rows {
            let Some((code, direction, target)) = split(word) else {
                let hint = "write: CODE <-> code, CODE -> code, CODE <- code or else -> code";
                findings.error("E-TABLE", word.place, format!("'{}' is no row", word.value), hint);
                continue;
            };
            if code.value == "else" && direction == Direction::Forward {
                otherwise = Otherwise::parse(&literal(&target.value));
                continue;
            }
            places.push(RowPlace { code: code.place, target: target.place });
            rows.push(row(&code, direction, &target, words));
        }
        // A row of the overlay takes the place of the one with its code.
        for row in below.map_or(&[][..], Table::rows).iter().rev() {
            if !rows.iter().any(|known: &Row| known.code == row.code) {
                rows.insert(0, row.clone());
                places.insert(0, RowPlace { code: self.name.place, target: self.name.place });
            }
        }
        let head = below.map(|table| table.head().clone()).unwrap_or_else(|| Head {
            name: self.name.value.clone(),
            source: words.system(&self.source).unwrap_or(&self.source).to_owned(),
            target: words.system(&self.target).unwrap_or(&self.target).to_owned(),
            ..Head::default()
        });
        let targets: Vec<String> = rows.iter().map(|row: &Row| row.target.clone()).collect();
        let codes: Vec<String> = rows.iter().map(|row| row.code.clone()).collect();
        match Table::build(head, rows, otherwise) {
            Ok(table) => Some((table, places)),
            Err(faults) => {
                for fault in faults {
                    let place = places[fault.row].code;
                    match fault.kind {
                        FaultKind::TargetTwice { other } => {
                            let text = format!("two <-> rows lead to '{}'", targets[fault.row]);
                            let line = places[other].code.line;
                            let hint = format!(
                                "row '{}' (line {line}) has it; write: {} -> {}",
                                codes[other], codes[fault.row], targets[fault.row]
                            );
                            findings.error("E-TABLE-INVERSE", place, text, hint);
                        }
                        kind => findings.error("E-TABLE", place, kind.to_string(), ""),
                    }
                }
                None
            }
        }
    }
}

/// Code, direction and target of a row.
fn split(word: &Word) -> Option<(Word, Direction, Word)> {
    let operators = [("<->", Direction::Both), ("->", Direction::Forward), ("<-", Direction::Back)];
    let found = operators.iter().find_map(|(operator, direction)| {
        let at = word.value.find(&format!(" {operator} "))?;
        Some((at, operator.len() + 2, *direction))
    });
    let (at, width, direction) = found?;
    // A second arrow is a second row that nobody parted from the first.
    let rest = word.value[at + width..].split('"').next().unwrap_or("");
    if operators.iter().any(|(operator, _)| rest.contains(&format!(" {operator} "))) {
        return None;
    }
    let part = |from: usize, to: usize| {
        let text = &word.value[from..to];
        let lead = text.len() - text.trim_start().len();
        let chars = word.value[..from + lead].chars().count() as u32;
        let text = text.trim();
        Placed::new(text.to_owned(), word.place.part(chars, text.chars().count() as u32))
    };
    Some((part(0, at), direction, part(at + width, word.value.len())))
}

/// The right side is a code, or `SYSTEM|code`, with an optional display in quotes behind it.
fn row(code: &Word, direction: Direction, target: &Word, words: &Words) -> Row {
    let text = target.value.as_str();
    let (text, display) = match text.split_once(" \"") {
        Some((text, display)) => (text.trim(), Some(display.trim_end_matches('"').to_owned())),
        None => (text, None),
    };
    let text = literal(text);
    let (system, text) = match text.split_once('|') {
        Some((system, text)) => (Some(words.system(system).unwrap_or(system).to_owned()), text.to_owned()),
        None => (None, text),
    };
    Row { code: literal(&code.value), direction, target: text, display, system }
}
