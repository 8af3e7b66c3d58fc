mod place;

use std::fmt;

pub use place::{Column, RowKind, Step};

/// A place in a message. All numbers are 1-based.
///
/// - ER7: `PID-5[2].1.1`, `OBX[3]-5`, `ORDER_OBSERVATION[2]/OBX-5`, `PID`. The segment's occurrence and a repetition
///   before a component are 1 when they are not written; `PID-5[1]` is the first repetition, `PID-5` the whole field. A
///   line that is no segment is named `?`, and `?` alone is its whole text.
/// - Delimited: `row[4]/name`, `row[4]/col 5`, with sub-delimiters `row[4]/col 7[2].1`; `head/col 3`, `trailer/col 2`.
///   Rows of data are counted without the head and the row of column names. A name that holds `/ [ ] . @` or a quotation
///   mark is written in quotation marks.
/// - XML and JSON: `/message/body/row[2]/xm`, `/a/@code`, `/a/text()[2]`, `/payload/cards[1]/no`, `/[3]/no`. Names are
///   local names; an ordinal counts the siblings of that name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    groups: Vec<GroupStep>,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    Segment { id: [u8; 3], occurrence: u16, parts: Parts<u16> },
    Row { kind: RowKind, number: u32, parts: Parts<Column> },
    Tree(Vec<Step>),
}

/// A field, or the column of a row, and what is named of it; 0 leaves a level open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts<F> {
    field: F,
    repetition: u16,
    component: u16,
    subcomponent: u16,
}

impl<F> Parts<F> {
    /// A component without a repetition is of the first.
    fn of(field: F, repetition: u16, component: u16, subcomponent: u16) -> Self {
        let component = component.max(u16::from(subcomponent > 0));
        Self { field, repetition: repetition.max(u16::from(component > 0)), component, subcomponent }
    }
}

/// One group of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupStep {
    /// The name of the group in its message structure.
    pub name: String,
    /// Which of the groups of that name, 1-based.
    pub ordinal: u16,
}

/// Why a text is no path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The group name is not made of upper-case letters, digits and `_`.
    #[error("a group name is made of upper-case letters, digits and '_'")]
    Group,
    /// The segment id is not three upper-case letters or digits, a letter first.
    #[error("a segment id is an upper-case letter and two upper-case letters or digits")]
    Segment,
    /// A number is missing, zero, or above 65535.
    #[error("a number from 1 to 65535 is expected")]
    Number,
    /// A name of a column, an element or an attribute is missing, or its quotation mark is not closed.
    #[error("a name is expected; quotation marks around it are doubled inside")]
    Name,
    /// Something follows the path.
    #[error("the path has a part too many")]
    Trailing,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// When the text is not of one of the forms above.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.starts_with('/') {
            return Ok(Self::in_tree(Step::parse_all(text)?));
        }
        if let Some(path) = Self::parse_row(text) {
            return path;
        }
        let mut groups = Vec::new();
        let mut rest = text;
        while let Some((step, after)) = rest.split_once('/') {
            groups.push(GroupStep::parse(step)?);
            rest = after;
        }
        let (place, field) = rest.split_once('-').map_or((rest, None), |(place, field)| (place, Some(field)));
        let (id, occurrence) = bracketed(place)?;
        let mut path = Self::of_segment(id, occurrence.unwrap_or(1)).ok_or(PathError::Segment)?;
        path.groups = groups;
        let Some(field) = field else { return Ok(path) };
        if id == RAW_ID {
            return Err(PathError::Trailing);
        }
        let (field, parts) = field.split_at(field.find(['[', '.']).unwrap_or(field.len()));
        let (repetition, component, subcomponent) = inner_parts(parts)?;
        Ok(path.at(number_of(field)?, repetition, component, subcomponent))
    }

    /// The path of a row, if the text begins like one.
    fn parse_row(text: &str) -> Option<Result<Self, PathError>> {
        let (row, column) = text.split_once('/').map_or((text, None), |(row, column)| (row, Some(column)));
        let (word, number) = row.split_once('[').map_or((row, None), |(word, number)| (word, Some(number)));
        let kind = RowKind::parse(word)?;
        let read = || {
            let number = match number {
                Some(number) => place::large_number_of(number.strip_suffix(']').ok_or(PathError::Number)?)?,
                None => 1,
            };
            let Some(column) = column else { return Ok(Self::of_row(kind, number)) };
            let (column, parts) = Column::leading(column)?;
            let (repetition, component, subcomponent) = inner_parts(parts)?;
            let parts = Parts::of(column, repetition, component, subcomponent);
            Ok(Self { groups: Vec::new(), place: Place::Row { kind, number, parts } })
        };
        Some(read())
    }

    /// The path of a whole segment; `None` when `id` is no segment id (or `?`, for a raw line) or the occurrence is 0.
    #[must_use]
    pub fn of_segment(id: &str, occurrence: u16) -> Option<Self> {
        let segment = if id == RAW_ID { *b"?  " } else { *id.as_bytes().first_chunk().filter(|_| id.len() == 3)? };
        let named = segment[0].is_ascii_uppercase()
            && segment[1..].iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if occurrence == 0 || !(named || id == RAW_ID) {
            return None;
        }
        Some(Self::whole(segment, occurrence))
    }

    /// The path of a line that is no segment.
    pub(crate) fn raw_line(occurrence: u16) -> Self {
        Self::whole(*b"?  ", occurrence)
    }

    fn whole(id: [u8; 3], occurrence: u16) -> Self {
        Self { groups: Vec::new(), place: Place::Segment { id, occurrence, parts: Parts::of(0, 0, 0, 0) } }
    }

    /// The path of a whole row.
    #[must_use]
    pub fn of_row(kind: RowKind, number: u32) -> Self {
        let parts = Parts::of(Column::Number(0), 0, 0, 0);
        Self { groups: Vec::new(), place: Place::Row { kind, number, parts } }
    }

    /// A path through a tree, from its root; without a step it is the whole document.
    #[must_use]
    pub fn in_tree(steps: Vec<Step>) -> Self {
        Self { groups: Vec::new(), place: Place::Tree(steps) }
    }

    /// The path of a place in this segment or row; 0 leaves a level open. A component without a repetition is of the
    /// first. A path through a tree has no such places and stays as it is.
    #[must_use]
    pub fn at(mut self, field: u16, repetition: u16, component: u16, subcomponent: u16) -> Self {
        if field == 0 {
            return self;
        }
        match &mut self.place {
            Place::Segment { parts, .. } => *parts = Parts::of(field, repetition, component, subcomponent),
            Place::Row { parts, .. } => {
                *parts = Parts::of(Column::Number(field), repetition, component, subcomponent);
            }
            Place::Tree(_) => {}
        }
        self
    }

    /// The same place of a row with its column called by name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        if let Place::Row { parts, .. } = &mut self.place {
            parts.field = Column::Name(name.to_owned());
        }
        self
    }

    /// The kind and the number of the row, when the path is one of a delimited file.
    #[must_use]
    pub fn row(&self) -> Option<(RowKind, u32)> {
        match self.place {
            Place::Row { kind, number, .. } => Some((kind, number)),
            _ => None,
        }
    }

    /// The column, when the path names one of a delimited file.
    #[must_use]
    pub fn column(&self) -> Option<&Column> {
        match &self.place {
            Place::Row { parts, .. } if parts.field != Column::Number(0) => Some(&parts.field),
            _ => None,
        }
    }

    /// The steps from the root, when the path is one through a tree.
    #[must_use]
    pub fn steps(&self) -> Option<&[Step]> {
        match &self.place {
            Place::Tree(steps) => Some(steps),
            _ => None,
        }
    }

    /// The same place of every message, without groups and numbers of repeats: `PID-3.4`, `/message/row/xm`.
    #[must_use]
    pub fn general(&self) -> String {
        let whole = self.to_string();
        let is_segment = matches!(self.place, Place::Segment { .. });
        let text = if is_segment { whole.rsplit('/').next().unwrap_or(&whole) } else { &whole };
        let mut depth = 0;
        let mut general = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ if depth == 0 => general.push(c),
                _ => {}
            }
        }
        general
    }

    /// The groups the segment is looked for in, outermost first; empty for the whole message.
    #[must_use]
    pub fn groups(&self) -> &[GroupStep] {
        &self.groups
    }

    /// The same path inside a group.
    #[must_use]
    pub fn within(mut self, groups: Vec<GroupStep>) -> Self {
        self.groups = groups;
        self
    }

    /// The segment id, `?` for a raw line, `row` and its like for a row; empty for a path through a tree.
    #[must_use]
    pub fn segment(&self) -> &str {
        match &self.place {
            Place::Segment { id, .. } => {
                let id = if id[0] == b'?' { &id[..1] } else { &id[..] };
                std::str::from_utf8(id).unwrap_or(RAW_ID)
            }
            Place::Row { kind, .. } => kind.as_str(),
            Place::Tree(_) => "",
        }
    }

    /// Which of the segments of this id, 1-based; [`Self::row`] has the number of a row.
    #[must_use]
    pub fn occurrence(&self) -> u16 {
        match self.place {
            Place::Segment { occurrence, .. } => occurrence,
            Place::Row { number, .. } => u16::try_from(number).unwrap_or(u16::MAX),
            Place::Tree(_) => 1,
        }
    }

    /// The field, 0 for the whole segment and for a column by name.
    #[must_use]
    pub fn field(&self) -> u16 {
        match self.place {
            Place::Segment { parts: Parts { field, .. }, .. } => field,
            Place::Row { parts: Parts { field: Column::Number(number), .. }, .. } => number,
            _ => 0,
        }
    }

    /// The repetition, 0 for the whole field.
    #[must_use]
    pub fn repetition(&self) -> u16 {
        self.inner().0
    }

    /// The component, 0 for the whole repetition.
    #[must_use]
    pub fn component(&self) -> u16 {
        self.inner().1
    }

    /// The subcomponent, 0 for the whole component.
    #[must_use]
    pub fn subcomponent(&self) -> u16 {
        self.inner().2
    }

    fn inner(&self) -> (u16, u16, u16) {
        match &self.place {
            Place::Segment { parts, .. } => (parts.repetition, parts.component, parts.subcomponent),
            Place::Row { parts, .. } => (parts.repetition, parts.component, parts.subcomponent),
            Place::Tree(_) => (0, 0, 0),
        }
    }
}

impl GroupStep {
    fn parse(text: &str) -> Result<Self, PathError> {
        let (name, ordinal) = bracketed(text)?;
        let named = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if !named {
            return Err(PathError::Group);
        }
        Ok(Self { name: name.to_owned(), ordinal: ordinal.unwrap_or(1) })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for GroupStep { name, ordinal } in &self.groups {
            f.write_str(name)?;
            if *ordinal != 1 {
                write!(f, "[{ordinal}]")?;
            }
            f.write_str("/")?;
        }
        match &self.place {
            Place::Tree(steps) if steps.is_empty() => return f.write_str("/"),
            Place::Tree(steps) => return steps.iter().try_for_each(|step| step.fmt(f)),
            Place::Row { kind, number, parts } => {
                f.write_str(kind.as_str())?;
                if *kind == RowKind::Row || *number != 1 {
                    write!(f, "[{number}]")?;
                }
                if parts.field == Column::Number(0) {
                    return Ok(());
                }
                write!(f, "/{}", parts.field)?;
            }
            Place::Segment { occurrence, parts, .. } => {
                f.write_str(self.segment())?;
                if *occurrence != 1 {
                    write!(f, "[{occurrence}]")?;
                }
                if parts.field == 0 {
                    return Ok(());
                }
                write!(f, "-{}", parts.field)?;
            }
        }
        let (repetition, component, subcomponent) = self.inner();
        if repetition > 1 || (repetition == 1 && component == 0) {
            write!(f, "[{repetition}]")?;
        }
        if component > 0 {
            write!(f, ".{component}")?;
        }
        if subcomponent > 0 {
            write!(f, ".{subcomponent}")?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

/// Reads `[2].1.1`: repetition, component and subcomponent, 0 for what is not written.
fn inner_parts(text: &str) -> Result<(u16, u16, u16), PathError> {
    let mut levels = text.split('.');
    let (before, repetition) = bracketed(levels.next().unwrap_or_default())?;
    if !before.is_empty() {
        return Err(PathError::Number);
    }
    let component = levels.next().map_or(Ok(0), number_of)?;
    let subcomponent = levels.next().map_or(Ok(0), number_of)?;
    if levels.next().is_some() {
        return Err(PathError::Trailing);
    }
    Ok((repetition.unwrap_or(0), component, subcomponent))
}

/// Splits `OBX[3]` into `OBX` and 3.
fn bracketed(text: &str) -> Result<(&str, Option<u16>), PathError> {
    match text.split_once('[') {
        None => Ok((text, None)),
        Some((name, rest)) => {
            let number = rest.strip_suffix(']').ok_or(PathError::Number)?;
            Ok((name, Some(number_of(number)?)))
        }
    }
}

fn number_of(text: &str) -> Result<u16, PathError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if !digits {
        return Err(PathError::Number);
    }
    text.parse().map_err(|_| PathError::Number)
}

/// How a line that is no segment is named.
pub(crate) const RAW_ID: &str = "?";
