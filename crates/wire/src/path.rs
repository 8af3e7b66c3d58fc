use std::fmt;

/// A place in a message: `PID-5[2].1.1`, `OBX[3]-5`, `ORDER_OBSERVATION[2]/OBX-5`, `PID`. All numbers are 1-based.
///
/// The segment's occurrence and a repetition before a component are 1 when they are not written; `PID-5[1]` is the first
/// repetition, `PID-5` the whole field. A line that is no segment is named `?`, and `?` alone is its whole text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    groups: Vec<GroupStep>,
    segment: [u8; 3],
    occurrence: u16,
    field: u16,
    repetition: u16,
    component: u16,
    subcomponent: u16,
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
    /// Something follows the path.
    #[error("the path has a part too many")]
    Trailing,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// When the text is not of the form above.
    pub fn parse(text: &str) -> Result<Self, PathError> {
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
        let mut levels = field.split('.');
        let (number, repetition) = bracketed(levels.next().unwrap_or_default())?;
        let component = levels.next().map_or(Ok(0), number_of)?;
        let subcomponent = levels.next().map_or(Ok(0), number_of)?;
        if levels.next().is_some() {
            return Err(PathError::Trailing);
        }
        Ok(path.at(number_of(number)?, repetition.unwrap_or(0), component, subcomponent))
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
        let (field, repetition, component, subcomponent) = (0, 0, 0, 0);
        Some(Self { groups: Vec::new(), segment, occurrence, field, repetition, component, subcomponent })
    }

    /// The path of a line that is no segment.
    pub(crate) fn raw_line(occurrence: u16) -> Self {
        let (field, repetition, component, subcomponent) = (0, 0, 0, 0);
        Self { groups: Vec::new(), segment: *b"?  ", occurrence, field, repetition, component, subcomponent }
    }

    /// The path of a place in this segment; 0 leaves a level open. A component without a repetition is of the first.
    #[must_use]
    pub fn at(mut self, field: u16, repetition: u16, component: u16, subcomponent: u16) -> Self {
        if field == 0 {
            return self;
        }
        self.field = field;
        self.subcomponent = subcomponent;
        self.component = component.max(u16::from(subcomponent > 0));
        self.repetition = repetition.max(u16::from(self.component > 0));
        self
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

    /// The segment id, `?` for a raw line.
    #[must_use]
    pub fn segment(&self) -> &str {
        let id = if self.segment[0] == b'?' { &self.segment[..1] } else { &self.segment[..] };
        std::str::from_utf8(id).unwrap_or(RAW_ID)
    }

    /// Which of the segments of this id, 1-based.
    #[must_use]
    pub fn occurrence(&self) -> u16 {
        self.occurrence
    }

    /// The field, 0 for the whole segment.
    #[must_use]
    pub fn field(&self) -> u16 {
        self.field
    }

    /// The repetition, 0 for the whole field.
    #[must_use]
    pub fn repetition(&self) -> u16 {
        self.repetition
    }

    /// The component, 0 for the whole repetition.
    #[must_use]
    pub fn component(&self) -> u16 {
        self.component
    }

    /// The subcomponent, 0 for the whole component.
    #[must_use]
    pub fn subcomponent(&self) -> u16 {
        self.subcomponent
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
        f.write_str(self.segment())?;
        if self.occurrence != 1 {
            write!(f, "[{}]", self.occurrence)?;
        }
        if self.field == 0 {
            return Ok(());
        }
        write!(f, "-{}", self.field)?;
        if self.repetition > 1 || (self.repetition == 1 && self.component == 0) {
            write!(f, "[{}]", self.repetition)?;
        }
        if self.component > 0 {
            write!(f, ".{}", self.component)?;
        }
        if self.subcomponent > 0 {
            write!(f, ".{}", self.subcomponent)?;
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
