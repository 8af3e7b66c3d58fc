use super::LayoutError;
use crate::Column;

/// What a head or trailer row looks like, declared as such a row with placeholders, one a cell: `{rows}` for the number
/// of rows of data, `{distinct:column}` for the number of different values in a column, and any other name in braces for
/// any text. The row is recognised by the text in its first cell.
///
/// ```
/// use dukou_wire::delimited::RowPattern;
/// let head = RowPattern::parse("#YY|{version}|{institution}|{date}|条数={rows}", b'|')?;
/// let trailer = RowPattern::parse("合计,{distinct:居民姓名}人,,,{rows}项", b',')?;
/// assert!(RowPattern::parse("{rows},total", b',').is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPattern {
    cells: Vec<CellPattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct CellPattern {
    before: String,
    slot: Option<Slot>,
    after: String,
}

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    Rows,
    Distinct(Column),
    /// Any text, by its name.
    Any(String),
}

impl RowPattern {
    /// Reads a pattern whose cells stand between these separators.
    ///
    /// # Errors
    /// When a placeholder is not understood or the first cell holds no text of its own.
    pub fn parse(text: &str, separator: u8) -> Result<Self, LayoutError> {
        let cells = text.split(char::from(separator)).map(CellPattern::parse).collect::<Result<Vec<_>, _>>()?;
        match cells.first() {
            Some(first) if !(first.before.is_empty() && first.after.is_empty()) => Ok(Self { cells }),
            _ => Err(LayoutError::Unrecognisable),
        }
    }

    /// The first cell is one of such a row.
    pub(super) fn recognises(&self, first_cell: &str) -> bool {
        self.cells.first().is_some_and(|cell| cell.matched(first_cell.trim()).is_some())
    }

    /// The counts that the pattern declares: the number of the cell, what is counted, and how it is read.
    pub(super) fn counts(&self) -> impl Iterator<Item = (u16, &Slot)> {
        let counted = |cell: &CellPattern| cell.slot.as_ref().is_some_and(|slot| !matches!(slot, Slot::Any(_)));
        (1..)
            .zip(&self.cells)
            .filter(move |(_, cell)| counted(cell))
            .filter_map(|(number, cell)| Some((number, cell.slot.as_ref()?)))
    }

    /// The cells: the text before the placeholder, the placeholder, and the text behind it.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&str, Option<&Slot>, &str)> {
        self.cells.iter().map(|cell| (cell.before.as_str(), cell.slot.as_ref(), cell.after.as_str()))
    }

    /// The number that a cell states.
    pub(super) fn count(&self, number: u16, cell: &str) -> Option<u64> {
        self.cells.get(usize::from(number) - 1)?.matched(cell.trim())?.trim().parse().ok()
    }
}

impl CellPattern {
    fn parse(text: &str) -> Result<Self, LayoutError> {
        let Some((before, rest)) = text.split_once('{') else {
            return Ok(Self { before: text.trim().to_owned(), slot: None, after: String::new() });
        };
        let (name, after) = rest.split_once('}').ok_or(LayoutError::Placeholder)?;
        let slot = match (name, name.strip_prefix("distinct:")) {
            (_, Some(column)) => Slot::Distinct(Column::parse(column).map_err(|_| LayoutError::Placeholder)?),
            ("rows", _) => Slot::Rows,
            ("", _) => return Err(LayoutError::Placeholder),
            _ => Slot::Any(name.to_owned()),
        };
        if after.contains('{') || name.contains('{') {
            return Err(LayoutError::Placeholder);
        }
        Ok(Self { before: before.trim_start().to_owned(), slot: Some(slot), after: after.trim_end().to_owned() })
    }

    /// What stands in the place of the placeholder; `None` when the text around it differs.
    fn matched<'t>(&self, cell: &'t str) -> Option<&'t str> {
        let inner = cell.strip_prefix(self.before.as_str())?.strip_suffix(self.after.as_str())?;
        (self.slot.is_some() || inner.is_empty()).then_some(inner)
    }
}
