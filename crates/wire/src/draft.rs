//! Messages written from nothing: values are set by path, and the segments are printed in the order of the structure.

mod segment;

use std::collections::BTreeMap;

use crate::groups::Position;
use crate::{Delimiters, GroupStep, Path, Place, Target, groups};

pub use segment::SegmentDraft;

/// A message that is being written.
///
/// ```
/// use dukou_wire::{Charset, Delimiters, Path, Target, draft::Draft};
///
/// let mut draft = Draft::new("ORU_R01", Delimiters::default(), Target::of(Charset::Utf8));
/// draft.set(&Path::parse("OBX[2]-5")?, "5.1");
/// draft.set(&Path::parse("OBR-4.1")?, "GLU");
/// draft.set(&Path::parse("PID-3[2].1")?, "a|b");
/// draft.set(&Path::parse("MSH-9.1")?, "ORU");
/// assert_eq!(
///     draft.print()?,
///     b"MSH|^~\\&|||||||ORU|||||||||UNICODE UTF-8\rPID|||~a\\F\\b\rOBR||||GLU\rOBX|||||5.1\r"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Draft {
    structure: &'static str,
    delimiters: Delimiters,
    target: Target,
    segments: BTreeMap<Position, Written>,
}

/// A segment and the path it was asked for by, which an error names.
#[derive(Debug, Clone)]
struct Written {
    path: Path,
    segment: SegmentDraft,
}

impl Draft {
    /// An empty message of this structure, such as `ORU_R01`; any other name gives the flat structure that messages
    /// without one have. MSH-1, MSH-2 and MSH-18 are those of the delimiters and the receiver; MSH-18 may be set
    /// otherwise. Levels that MSH-2 cannot declare are off.
    #[must_use]
    pub fn new(structure: &str, delimiters: Delimiters, target: Target) -> Self {
        let structure = groups::structure_named(structure);
        let delimiters = delimiters.declarable();
        let mut draft = Self { structure, delimiters, target, segments: BTreeMap::new() };
        let name = draft.target.name().to_owned();
        draft.header().set(Place::field(18), &name);
        draft
    }

    /// The structure that gives the order.
    #[must_use]
    pub fn structure(&self) -> &'static str {
        self.structure
    }

    /// MSH.
    pub fn header(&mut self) -> &mut SegmentDraft {
        self.segment(&[], "MSH", 1)
    }

    /// The segment at this place; it is made when it is not there. A group that is left out of the steps is the first of
    /// its kind, except the innermost one around the segment: its ordinal is the occurrence, so that
    /// `ORDER_OBSERVATION[2]` and OBX 3 name the OBX of its third observation.
    pub fn segment(&mut self, groups: &[GroupStep], id: &str, occurrence: u16) -> &mut SegmentDraft {
        let position = groups::position(self.structure, groups, id, u32::from(occurrence.max(1)));
        let written = self.segments.entry(position).or_insert_with(|| {
            let path = Path::of_segment(id, occurrence.max(1)).unwrap_or_else(|| Path::raw_line(occurrence.max(1)));
            Written { path: path.within(groups.to_vec()), segment: SegmentDraft::new(id) }
        });
        &mut written.segment
    }

    /// Writes a value; the segment is made when it is not there. An empty value takes away what stood there.
    pub fn set(&mut self, path: &Path, text: &str) {
        self.segment(path.groups(), path.segment(), path.occurrence()).set(Place::from(path), text);
    }

    /// The bytes of the message. Segments without a value are left out, apart from the header.
    ///
    /// # Errors
    /// When a value cannot be written for this receiver.
    pub fn print(&self) -> Result<Vec<u8>, PrintError> {
        let mut bytes = Vec::with_capacity(1024);
        let printer = Printer { delimiters: self.delimiters, target: &self.target };
        for Written { path, segment } in self.segments.values() {
            if segment.is_empty() && segment.id() != "MSH" {
                continue;
            }
            segment.print(printer, path, &mut bytes)?;
            bytes.push(b'\r');
        }
        Ok(bytes)
    }
}

/// How values become bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer<'p> {
    pub(crate) delimiters: Delimiters,
    pub(crate) target: &'p Target,
}

/// Why a value cannot be printed. It names the place and never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrintError {
    /// The value holds a character that the receiver's character set lacks.
    #[error("{path} holds a character, number {character}, that {charset} lacks")]
    Unencodable {
        /// Where.
        path: Path,
        /// Which of the characters of the value it is, 1-based.
        character: usize,
        /// What the receiver calls its character set.
        charset: String,
    },
    /// The value holds a delimiter and the message has no escape character.
    #[error("{path} needs an escape character and the message has none")]
    Unescapable {
        /// Where.
        path: Path,
    },
    /// The message has no delimiter for a level of the path.
    #[error("{path} needs a delimiter that the message does not have")]
    LevelOff {
        /// Where.
        path: Path,
    },
    /// The path names a segment, a raw line, or the delimiters.
    #[error("{path} is no field that can be set")]
    NotAField {
        /// Where.
        path: Path,
    },
}

impl PrintError {
    /// Where the value stands.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Unencodable { path, .. }
            | Self::Unescapable { path }
            | Self::LevelOff { path }
            | Self::NotAField { path } => path,
        }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unencodable { .. } => "unencodable",
            Self::Unescapable { .. } => "unescapable",
            Self::LevelOff { .. } => "level-off",
            Self::NotAField { .. } => "not-a-field",
        }
    }
}
