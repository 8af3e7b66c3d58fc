use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Layout, RowPattern, pattern::Slot};
use crate::draft::PrintError;
use crate::refusal::SetError;
use crate::{Column, Path, RowKind, Target};

/// Rows that are being written. Values are plain text; quoting happens when they are printed. The head, the row of column
/// names and the trailer are those of the layout, and their counts are those of the rows.
///
/// ```
/// use dukou_wire::delimited::{Draft, Layout, RowPattern};
/// use dukou_wire::{Charset, Path, Target};
///
/// let layout = Layout {
///     columns: vec!["姓名".to_owned(), "结果".to_owned()],
///     trailer: Some(RowPattern::parse("合计,{rows}项", b',')?),
///     ..Layout::csv()
/// };
/// let mut draft = Draft::new(&layout);
/// draft.set(&Path::parse("row[1]/姓名")?, "王建国")?;
/// draft.set(&Path::parse("row[1]/结果")?, "溶血,请重抽")?;
/// let bytes = draft.print(&Target::of(Charset::Utf8))?;
/// assert_eq!(String::from_utf8(bytes)?, "姓名,结果\r\n王建国,\"溶血,请重抽\"\r\n合计,1项\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Draft<'l> {
    layout: &'l Layout,
    line_end: &'static str,
    formulas: Formulas,
    /// What the placeholders of head and trailer stand for.
    stated: BTreeMap<String, String>,
    rows: Vec<RowDraft>,
}

/// What is done with a cell that a spreadsheet would take for a formula: one that begins with `=`, `+`, `-` or `@` and is
/// no number. The receiver's rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Formulas {
    /// It is written as it is.
    #[default]
    AsTheyAre,
    /// It is put in quotation marks.
    Quoted,
    /// It gets an apostrophe in front, and quotation marks where the layout has them.
    Apostrophe,
}

/// The parts of the cells of one row, by column, repetition, component and subcomponent.
type RowDraft = BTreeMap<(u16, u16, u16, u16), String>;

impl<'l> Draft<'l> {
    /// No rows yet.
    #[must_use]
    pub fn new(layout: &'l Layout) -> Self {
        let formulas = Formulas::default();
        Self { layout, line_end: "\r\n", formulas, stated: BTreeMap::new(), rows: Vec::new() }
    }

    /// Ends lines with LF alone.
    #[must_use]
    pub fn with_line_feeds(self) -> Self {
        Self { line_end: "\n", ..self }
    }

    /// What is done with cells that look like formulas.
    #[must_use]
    pub fn with_formulas(self, formulas: Formulas) -> Self {
        Self { formulas, ..self }
    }

    /// What a placeholder of the head or the trailer stands for, by the name in its braces. Counts are filled in.
    pub fn state(&mut self, placeholder: &str, text: &str) -> &mut Self {
        self.stated.insert(placeholder.to_owned(), text.to_owned());
        self
    }

    /// Writes a cell or a part of one. Rows before it are made when they are missing.
    ///
    /// # Errors
    /// When the path names no cell of a row of data, a column that the layout does not know, or a row far behind the last.
    pub fn set(&mut self, path: &Path, text: &str) -> Result<(), SetError> {
        let (Some((RowKind::Row, number)), Some(column)) = (path.row(), path.column()) else {
            return Err(SetError::NotAField);
        };
        let number = number as usize;
        if number == 0 || number > self.rows.len() + ROWS_AHEAD_MAX {
            return Err(SetError::NoSegment);
        }
        let column = match column {
            Column::Number(number) => *number,
            Column::Name(name) => self.number(name).ok_or(SetError::NotAField)?,
        };
        self.rows.resize_with(self.rows.len().max(number), RowDraft::new);
        let part = |number: u16| number.max(1);
        let place = (column, part(path.repetition()), part(path.component()), part(path.subcomponent()));
        self.rows[number - 1].insert(place, text.to_owned());
        Ok(())
    }

    fn number(&self, name: &str) -> Option<u16> {
        let at = self.layout.columns.iter().position(|known| known == name)?;
        u16::try_from(at + 1).ok()
    }

    /// The bytes in the receiver's character set.
    ///
    /// # Errors
    /// When a value holds a sub-delimiter, needs quotation marks that the layout does not have, or a character that the
    /// receiver lacks.
    pub fn print(&self, target: &Target) -> Result<Vec<u8>, PrintError> {
        let mut bytes = Vec::new();
        if let Some(head) = &self.layout.head {
            self.framing(RowKind::Head, head, target, &mut bytes)?;
        }
        if self.layout.header {
            let names = self.layout.columns.iter().map(|name| Ok(self.quoted(name.into(), false)));
            self.line(names, &Path::of_row(RowKind::Row, 1), target, &mut bytes)?;
        }
        for (number, row) in (1..).zip(&self.rows) {
            let path = Path::of_row(RowKind::Row, number);
            let last = row.keys().next_back().map_or(0, |place| place.0);
            let width = usize::from(last).max(self.layout.columns.len()).max(1) as u16;
            let cells = (1..=width).map(|column| self.cell(row, column, &path));
            self.line(cells, &path, target, &mut bytes)?;
        }
        if let Some(trailer) = &self.layout.trailer {
            self.framing(RowKind::Trailer, trailer, target, &mut bytes)?;
        }
        Ok(bytes)
    }

    /// The head or the trailer.
    fn framing(
        &self,
        kind: RowKind,
        pattern: &RowPattern,
        target: &Target,
        bytes: &mut Vec<u8>,
    ) -> Result<(), PrintError> {
        let filled = pattern.cells().map(|(before, slot, after)| {
            let text = match slot {
                None => String::new(),
                Some(Slot::Rows) => self.rows.len().to_string(),
                Some(Slot::Distinct(column)) => self.distinct(column).to_string(),
                Some(Slot::Any(name)) => self.stated.get(name).cloned().unwrap_or_default(),
            };
            Ok(self.quoted(format!("{before}{text}{after}").into(), false))
        });
        self.line(filled, &Path::of_row(kind, 1), target, bytes)
    }

    fn distinct(&self, column: &Column) -> usize {
        let number = match column {
            Column::Number(number) => *number,
            Column::Name(name) => self.number(name).unwrap_or(0),
        };
        let values = self.rows.iter().filter_map(|row| row.get(&(number, 1, 1, 1)));
        values.map(|value| value.trim()).filter(|value| !value.is_empty()).collect::<BTreeSet<_>>().len()
    }

    /// One cell as it is written, its parts between the sub-delimiters.
    fn cell(&self, row: &RowDraft, column: u16, path: &Path) -> Result<String, PrintError> {
        let [separator, repetition, component, subcomponent] = {
            let delimiters = self.layout.delimiters();
            [delimiters.field, delimiters.repetition, delimiters.component, delimiters.subcomponent]
        };
        let mut written = String::new();
        let mut at = (1, 1, 1);
        let parts = row.range((column, 0, 0, 0)..=(column, u16::MAX, u16::MAX, u16::MAX));
        for (&(_, wanted_repetition, wanted_component, wanted_subcomponent), text) in parts {
            let place = || path.clone().at(column, wanted_repetition, wanted_component, wanted_subcomponent);
            let sub = [repetition, component, subcomponent];
            if text.bytes().any(|b| b != 0 && sub.contains(&b)) {
                return Err(PrintError::Unescapable { path: place() });
            }
            let steps = match (wanted_repetition - at.0, wanted_component, wanted_subcomponent) {
                (0, _, _) if wanted_component > at.1 => [0, wanted_component - at.1, wanted_subcomponent - 1],
                (0, _, _) => [0, 0, wanted_subcomponent - at.2],
                (more, _, _) => [more, wanted_component - 1, wanted_subcomponent - 1],
            };
            for (count, delimiter) in steps.into_iter().zip(sub) {
                if count > 0 && delimiter == 0 {
                    return Err(PrintError::LevelOff { path: place() });
                }
                written.extend(std::iter::repeat_n(char::from(delimiter), usize::from(count)));
            }
            at = (wanted_repetition, wanted_component, wanted_subcomponent);
            written.push_str(text);
        }
        let special = |b: u8| b == separator || matches!(b, b'\r' | b'\n');
        if self.layout.quote.is_none() && written.bytes().any(special) {
            return Err(PrintError::Unescapable { path: path.clone().at(column, 0, 0, 0) });
        }
        Ok(self.quoted(written.into(), true))
    }

    /// A cell in quotation marks where it needs them.
    fn quoted(&self, text: Cow<'_, str>, data: bool) -> String {
        let formula = data && self.formulas != Formulas::AsTheyAre && is_formula(&text);
        let text = match self.formulas {
            Formulas::Apostrophe if formula => format!("'{text}"),
            _ => text.into_owned(),
        };
        let Some(quote) = self.layout.quote else { return text };
        let special = |b: u8| b == self.layout.separator || b == quote || matches!(b, b'\r' | b'\n');
        if !formula && !text.bytes().any(special) {
            return text;
        }
        let quote = char::from(quote);
        format!("{quote}{}{quote}", text.replace(quote, &format!("{quote}{quote}")))
    }

    fn line(
        &self,
        cells: impl Iterator<Item = Result<String, PrintError>>,
        path: &Path,
        target: &Target,
        bytes: &mut Vec<u8>,
    ) -> Result<(), PrintError> {
        for (number, cell) in (1..).zip(cells) {
            if number > 1 {
                bytes.push(self.layout.separator);
            }
            let cell = cell?;
            target.encode_into(&cell, bytes).map_err(|at| PrintError::Unencodable {
                path: path.clone().at(number, 0, 0, 0),
                character: cell[..at].chars().count() + 1,
                charset: target.name().to_owned(),
            })?;
        }
        bytes.extend_from_slice(self.line_end.as_bytes());
        Ok(())
    }
}

/// It begins like a formula and is no number.
fn is_formula(text: &str) -> bool {
    let signed = |text: &str| text.trim_start_matches(['+', '-']).parse::<f64>().is_err();
    text.starts_with(['=', '@', '\t', '\r']) || (text.starts_with(['+', '-']) && signed(text))
}

/// How far behind the last row one may be written.
const ROWS_AHEAD_MAX: usize = 1_000;
