//! Places in messages that have no segments: rows of a delimited file, and elements of a tree.

use std::fmt;

use super::{PathError, number_of};

/// The kinds of rows in a delimited file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// The row before all others that states what the file holds.
    Head,
    /// A row of data.
    Row,
    /// The row after all others that states how much the file held.
    Trailer,
}

impl RowKind {
    /// The word that stands for the segment id: `head`, `row` or `trailer`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Row => "row",
            Self::Trailer => "trailer",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Head, Self::Row, Self::Trailer].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A column by its name or its 1-based number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// The name in the row of column names, or the one that the layout declares.
    Name(String),
    /// The number; 0 stands for the whole row.
    Number(u16),
}

impl Column {
    /// Reads `name`, `"odd.name"` or `col 5`.
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let (column, rest) = Self::leading(text)?;
        if rest.is_empty() { Ok(column) } else { Err(PathError::Trailing) }
    }

    /// The column at the start of a text, and what follows it.
    pub(super) fn leading(text: &str) -> Result<(Self, &str), PathError> {
        let (name, quoted, rest) = leading_name(text, &['[', '.'])?;
        match name.strip_prefix("col ") {
            Some(number) if !quoted => Ok((Self::Number(number_of(number)?), rest)),
            _ if name.is_empty() && !quoted => Err(PathError::Name),
            _ => Ok((Self::Name(name), rest)),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) if name.starts_with("col ") => write_quoted(name, f),
            Self::Name(name) => write_name(name, f),
            Self::Number(number) => write!(f, "col {number}"),
        }
    }
}

/// One step from an element of a tree to what is in it. Ordinals count among the siblings of the same local name, from
/// 1; 0 means that none is written and the first is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// `/name` or `/name[2]`.
    Element {
        /// The local name.
        name: String,
        /// Which of the elements of that name.
        ordinal: u32,
    },
    /// `/[2]`: an array within an array of JSON, or within the document itself.
    Array {
        /// Which of the values.
        ordinal: u32,
    },
    /// `/@name`, always the last step.
    Attribute {
        /// The local name.
        name: String,
    },
    /// `/text()[2]`: a run of character data between child elements; always the last step.
    Text {
        /// Which of the runs that hold more than blanks.
        ordinal: u32,
    },
}

impl Step {
    /// The steps of `/a/b[2]/@c`; `/` alone has none.
    pub(super) fn parse_all(text: &str) -> Result<Vec<Self>, PathError> {
        let mut steps = Vec::new();
        let mut rest = text;
        while let Some(after) = rest.strip_prefix('/') {
            if after.is_empty() && steps.is_empty() {
                return Ok(steps);
            }
            if matches!(steps.last(), Some(Self::Attribute { .. } | Self::Text { .. })) {
                return Err(PathError::Trailing);
            }
            let (step, after) = Self::leading(after)?;
            steps.push(step);
            rest = after;
        }
        if rest.is_empty() && !steps.is_empty() { Ok(steps) } else { Err(PathError::Trailing) }
    }

    fn leading(text: &str) -> Result<(Self, &str), PathError> {
        if let Some(text) = text.strip_prefix('@') {
            let (name, quoted, rest) = leading_name(text, &['/', '['])?;
            if name.is_empty() && !quoted {
                return Err(PathError::Name);
            }
            return Ok((Self::Attribute { name }, rest));
        }
        if text.starts_with('[') {
            let (ordinal, rest) = leading_ordinal(text)?;
            return Ok((Self::Array { ordinal }, rest));
        }
        let (name, quoted, rest) = leading_name(text, &['/', '['])?;
        let (ordinal, rest) = leading_ordinal(rest)?;
        match (name.as_str(), quoted) {
            ("", false) => Err(PathError::Name),
            ("text()", false) => Ok((Self::Text { ordinal }, rest)),
            _ => Ok((Self::Element { name, ordinal }, rest)),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        let ordinal = match self {
            Self::Attribute { name } => {
                f.write_str("@")?;
                return write_name(name, f);
            }
            Self::Element { name, ordinal } => {
                write_name(name, f)?;
                *ordinal
            }
            Self::Array { ordinal } => *ordinal,
            Self::Text { ordinal } => {
                f.write_str("text()")?;
                *ordinal
            }
        };
        if ordinal > 0 { write!(f, "[{ordinal}]") } else { Ok(()) }
    }
}

/// A name at the start of a text, whether it was quoted, and what follows it.
fn leading_name<'t>(text: &'t str, ends: &[char]) -> Result<(String, bool, &'t str), PathError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(ends).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), false, &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('"').ok_or(PathError::Name)?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Ok((name, true, after)),
        }
    }
}

fn leading_ordinal(text: &str) -> Result<(u32, &str), PathError> {
    let Some(rest) = text.strip_prefix('[') else { return Ok((0, text)) };
    let (digits, rest) = rest.split_once(']').ok_or(PathError::Number)?;
    Ok((large_number_of(digits)?, rest))
}

/// A 1-based number of rows or siblings.
pub(super) fn large_number_of(text: &str) -> Result<u32, PathError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if digits { text.parse().map_err(|_| PathError::Number) } else { Err(PathError::Number) }
}

/// A name as it is, or in quotation marks when it could be read as something else.
fn write_name(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let odd = |c: char| matches!(c, '/' | '[' | ']' | '"' | '@' | '.') || c.is_control();
    let plain = !name.is_empty() && name != "text()" && !name.contains(odd);
    if plain { f.write_str(name) } else { write_quoted(name, f) }
}

fn write_quoted(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "\"{}\"", name.replace('"', "\"\""))
}
