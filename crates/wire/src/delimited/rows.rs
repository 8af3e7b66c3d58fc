//! Which of the lines are data, and what their columns are called.

use super::scan::{Line, Lines};
use super::{Layout, RowPattern, decode};
use crate::index::{Entry, Index};
use crate::issue::{Issue, IssueCode, IssueList};
use crate::{Column, Delimiters, Leaf, Message, Path, RowKind, Segment};

/// What is known of the rows beside the index.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The names of the columns, in order; empty when there are none.
    names: Vec<String>,
    /// How many rows of data there are.
    count: u32,
}

/// Tells the rows of data from those around them.
pub(super) fn arrange(text: &str, layout: &Layout, lines: Lines, issues: &mut IssueList) -> (Rows, Index) {
    let Lines { mut lines, mut offsets } = lines;
    let head = layout.head.as_ref().is_some_and(|pattern| recognises(pattern, text, layout, lines[0], &offsets));
    if layout.head.is_some() && !head {
        issues.push(|| Issue::new(IssueCode::HeadMissing, lines[0].start));
    }
    let mut names = layout.columns.clone();
    if layout.header && usize::from(head) < lines.len() {
        names = take_names(text, layout, &mut lines, usize::from(head), &mut offsets);
        check_names(&names, layout, text, issues);
    }
    let (mut count, mut trailers, mut heads) = (0, 0, u32::from(head));
    // Lines and entries are of one size: the room of the lines becomes that of the entries.
    let entries = lines.into_iter().map(|line| {
        if std::mem::take(&mut heads) > 0 {
            return entry(line, RowKind::Head, 1);
        }
        if layout.trailer.as_ref().is_some_and(|pattern| recognises(pattern, text, layout, line, &offsets)) {
            trailers += 1;
            return entry(line, RowKind::Trailer, trailers);
        }
        if trailers > 0 {
            issues.push(|| Issue::new(IssueCode::TrailerEarly, line.start));
        }
        count += 1;
        entry(line, RowKind::Row, count)
    });
    let entries = entries.collect();
    if layout.trailer.is_some() && trailers == 0 {
        issues.push(|| Issue::new(IssueCode::TrailerMissing, text.len() as u32));
    }
    (Rows { names, count }, Index::of_rows(offsets, entries))
}

fn entry(line: Line, kind: RowKind, number: u32) -> Entry {
    Entry::of_row(line.start..line.end, line.low, number, kind, line.quoted)
}

/// The first cell of a line is one of such a row.
fn recognises(pattern: &RowPattern, text: &str, layout: &Layout, line: Line, offsets: &[u32]) -> bool {
    pattern.recognises(&cells(text, layout, line, offsets).next().unwrap_or_default())
}

/// The cells of a line as text.
fn cells<'t>(text: &'t str, layout: &Layout, line: Line, offsets: &'t [u32]) -> impl Iterator<Item = String> + 't {
    let (quote, separator) = (layout.quote.unwrap_or(0), layout.separator);
    let from = offsets[line.low as usize..].iter().copied();
    let ends = from.take_while(move |&at| at < line.end).filter(move |&at| text.as_bytes()[at as usize] == separator);
    let mut start = line.start;
    ends.chain([line.end]).map(move |end| {
        let cell = &text[start as usize..end as usize];
        start = end + 1;
        let mark = char::from(quote);
        match cell.strip_prefix(mark).and_then(|cell| cell.strip_suffix(mark)).filter(|_| line.quoted) {
            Some(inner) => decode(inner, quote).into_owned(),
            None => cell.to_owned(),
        }
    })
}

/// Takes the line of column names out of the lines.
fn take_names(text: &str, layout: &Layout, lines: &mut Vec<Line>, at: usize, offsets: &mut Vec<u32>) -> Vec<String> {
    let line = lines[at];
    let names = cells(text, layout, line, offsets).map(|name| name.trim().to_owned()).collect();
    let (low, high) = (line.low as usize, lines.get(at + 1).map_or(offsets.len(), |next| next.low as usize));
    offsets.drain(low..high);
    lines.remove(at);
    for line in &mut lines[at..] {
        line.low -= (high - low) as u32;
    }
    names
}

fn check_names(names: &[String], layout: &Layout, text: &str, issues: &mut IssueList) {
    let start = text.find(|c: char| c > ' ').unwrap_or(0) as u32;
    for missing in layout.columns.iter().filter(|column| !names.contains(column)) {
        let path = || Path::of_row(RowKind::Row, 1).named(missing);
        issues.push(|| Issue::new(IssueCode::ColumnMissing, start).with_path(path()));
    }
    let repeated = |(at, name): &(usize, &String)| !name.is_empty() && names[..*at].contains(name);
    for (_, name) in names.iter().enumerate().filter(repeated) {
        let path = || Path::of_row(RowKind::Row, 1).named(name);
        issues.push(|| Issue::new(IssueCode::ColumnRepeated, start).with_path(path()));
    }
}

impl Rows {
    /// The row of this kind and number.
    pub(crate) fn find<'m>(&self, message: &'m Message<'m>, kind: RowKind, number: u32) -> Option<Segment<'m>> {
        let segments = message.segments();
        let is = |row: &Segment<'_>| row.id() == kind.as_str() && row.occurrence() == number as usize;
        if kind != RowKind::Row {
            return segments.into_iter().find(is);
        }
        // A row stands at its number or, behind a head and trailers, a little later.
        (number > 0 && number <= self.count).then(|| segments.skip(number as usize - 1).find(is)).flatten()
    }

    /// The 1-based number of the column that a path names; 0 when it names none that is known.
    pub(crate) fn field(&self, path: &Path) -> Option<u16> {
        path.column().map(|column| self.number(column))
    }

    /// The 1-based number of a column; 0 when there is none of that name.
    pub(crate) fn number(&self, column: &Column) -> u16 {
        match column {
            Column::Number(number) => *number,
            Column::Name(name) => self.names.iter().position(|known| known == name).map_or(0, |at| at as u16 + 1),
        }
    }

    /// The path of a leaf; its column by name where it has one of its own.
    pub(crate) fn path(&self, message: &Message<'_>, row: Path, leaf: &Leaf<'_>) -> Path {
        let Delimiters { repetition, component, subcomponent, .. } = message.delimiters();
        let behind = message.text().as_bytes().get(leaf.node.span().end as usize).copied().unwrap_or(0);
        let goes_on = behind != 0 && [repetition, component, subcomponent].contains(&behind);
        let first = (leaf.repetition, leaf.component, leaf.subcomponent) == (1, 1, 1);
        self.named(if first && !goes_on {
            row.at(leaf.field, 0, 0, 0)
        } else {
            row.at(leaf.field, leaf.repetition, leaf.component, leaf.subcomponent)
        })
    }

    /// The same path with its column by name, where the name stands for that column alone.
    pub(crate) fn named(&self, path: Path) -> Path {
        let number = path.field();
        let is_data = path.row().is_some_and(|(kind, _)| kind == RowKind::Row);
        match self.names.get(usize::from(number).wrapping_sub(1)) {
            Some(name) if is_data && !name.is_empty() && self.number(&Column::Name(name.clone())) == number => {
                path.named(name)
            }
            _ => path,
        }
    }

    /// The names of the columns.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// How many rows of data there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }
}

/// The row around an offset in the text.
pub(super) fn row_at<'m>(message: &'m Message<'m>, offset: u32) -> Option<Segment<'m>> {
    let behind = message.index.segments().partition_point(|entry| entry.start <= offset);
    let row = message.segment(behind.checked_sub(1)?);
    (offset <= row.span().end).then_some(row)
}
