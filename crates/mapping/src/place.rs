//! Places in map files, and the files themselves.

use crate::diagnostic::{Diagnostic, DiagnosticSeverity};

/// A map file as handed in: how errors call it, and its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path as shown in errors; overlays are told by their folder in it.
    pub name: String,
    /// The text, UTF-8.
    pub text: String,
}

impl SourceFile {
    /// A file from its bytes. A mark at the front (BOM) is no part of the text.
    ///
    /// # Errors
    /// The bytes are no UTF-8: the finding names the line.
    pub fn read(name: &str, bytes: &[u8]) -> Result<SourceFile, Diagnostic> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(SourceFile { name: name.to_owned(), text: text.to_owned() }),
            Err(fault) => {
                let before = &bytes[..fault.valid_up_to()];
                let begin = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let column = String::from_utf8_lossy(&before[begin..]).chars().count() + 1;
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                let end = bytes[begin..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                let source = &bytes[begin..end.map_or(bytes.len(), |end| begin + end)];
                Err(Diagnostic {
                    code: "E-FILE",
                    severity: DiagnosticSeverity::Error,
                    file: name.to_owned(),
                    line: line as u32,
                    column: column as u32,
                    length: 1,
                    text: "the file is not written in UTF-8".to_owned(),
                    source: String::from_utf8_lossy(source).into_owned(),
                    hint: "save it as UTF-8 (an editor may call the present encoding GB18030, GBK or ANSI)".to_owned(),
                })
            }
        }
    }
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
