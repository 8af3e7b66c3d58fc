//! What stops a policy from being loaded, with file and line.

use std::fmt;

/// One fault of a partner file. A policy with a fault is not loaded at all; the old one stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file as named by the caller.
    pub file: String,
    /// The line, counted from 1; 0 when the fault lies in no single line.
    pub line: usize,
    /// What is wrong, without secrets.
    pub reason: String,
    /// The known key nearest to an unknown one.
    pub nearest: Option<String>,
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.file, self.line, self.reason)?;
        match &self.nearest {
            Some(nearest) => write!(out, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for LoadError {}

impl LoadError {
    /// A fault at a byte offset of the file's text.
    pub(crate) fn at(file: &str, text: &str, offset: usize, reason: impl Into<String>) -> LoadError {
        LoadError { file: file.to_owned(), line: line_of(text, offset), reason: reason.into(), nearest: None }
    }

    /// A fault reported by the TOML reader.
    pub(crate) fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> LoadError {
        let message = error.message();
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        LoadError { file: file.to_owned(), line, reason: message.replace('\n', " "), nearest: nearest_key(message) }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// The reader words it "unknown field `a`, expected one of `b`, `c`": the first name in ticks is the unknown one.
fn nearest_key(message: &str) -> Option<String> {
    let mut names = message.strip_prefix("unknown ")?.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    names.min_by_key(|known| distance(unknown, known)).map(str::to_owned)
}

/// Levenshtein distance in characters.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (above, one) in left.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, other) in right.iter().enumerate() {
            let change = diagonal + usize::from(one != *other);
            diagonal = row[column + 1];
            row[column + 1] = change.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{LoadError, nearest_key};

    #[test]
    fn the_nearest_known_key_is_named() {
        let message = "unknown field `purpose`, expected one of `id`, `name`, `purposes`, `resources`";
        assert_eq!(nearest_key(message).as_deref(), Some("purposes"));
        assert_eq!(nearest_key("missing field `id`"), None);
    }

    #[test]
    fn a_fault_shows_file_and_line() {
        let fault = LoadError::at("a.toml", "one\ntwo\nthree", 5, "wrong");
        assert_eq!(fault.to_string(), "a.toml:2: wrong");
    }
}
