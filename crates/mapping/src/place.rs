//! Places in map files, and the files themselves.

/// A map file as handed in: how errors call it, and its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as shown in errors; overlays are told by their folder in it.
    pub name: String,
    /// The text, UTF-8.
    pub text: String,
}

/// Where something stands: file (by position in the list given), line and column from 1 (characters), length in
/// characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) file: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) len: u32,
}

impl Place {
    /// A part of this place: `at` characters in, `len` long.
    pub(crate) fn part(self, at: u32, len: u32) -> Place {
        Place { column: self.column + at, len, ..self }
    }
}

/// Something and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl<T> Placed<T> {
    pub(crate) fn new(value: T, place: Place) -> Self {
        Placed { value, place }
    }
}

/// Text at a place.
pub(crate) type Word = Placed<String>;
