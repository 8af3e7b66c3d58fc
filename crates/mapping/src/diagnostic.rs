//! What is wrong with a map file, and where.

use std::fmt;

use crate::place::{Place, SourceFile};

/// Whether a finding stops the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiagnosticSeverity {
    /// Nothing starts with it.
    Error,
    /// Worth a look.
    Warning,
}

/// One finding in a map file. Displays as code, `file:line:column`, the fact, the line, a caret and a hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code, `E-TARGET`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: DiagnosticSeverity,
    /// The file as named in [`SourceFile`].
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// How many characters are meant.
    pub length: u32,
    /// The fact.
    pub text: String,
    /// The line of the file.
    pub source: String,
    /// What to write instead, or empty.
    pub hint: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}:{}: {}", self.code, self.file, self.line, self.column, self.text)?;
        if self.source.is_empty() {
            return Ok(());
        }
        let number = format!(" {} ", self.line);
        let before = self.column.saturating_sub(1) as usize;
        let meant = self.source.chars().skip(before).take(self.length as usize);
        let carets = "^".repeat(meant.map(width).sum::<usize>().max(1));
        let blanks = " ".repeat(self.source.chars().take(before).map(width).sum());
        write!(f, "\n{number}| {}\n{:width$}| {blanks}{carets}", self.source, "", width = number.len())?;
        if !self.hint.is_empty() {
            write!(f, " {}", self.hint)?;
        }
        Ok(())
    }
}

/// How many columns of a terminal a character takes: two for Chinese (East Asian wide and fullwidth, Unicode annex 11).
fn width(c: char) -> usize {
    let wide = matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}'
        | '\u{20000}'..='\u{3fffd}');
    1 + usize::from(wide)
}

/// The character of the language for which an input method writes a full-width one.
pub(crate) fn plain_twin(c: char) -> Option<char> {
    Some(match c {
        '：' => ':',
        '，' | '、' => ',',
        '“' | '”' => '"',
        '‘' | '’' => '\'',
        '（' => '(',
        '）' => ')',
        '［' | '【' => '[',
        '］' | '】' => ']',
        '．' => '.',
        '－' => '-',
        '＝' => '=',
        '\u{3000}' => ' ',
        _ => return None,
    })
}

/// The findings of one run over all files.
pub(crate) struct Findings<'f> {
    files: &'f [SourceFile],
    found: Vec<Diagnostic>,
}

impl<'f> Findings<'f> {
    /// Findings in these files, beside what was found already.
    pub(crate) fn new(files: &'f [SourceFile], found: Vec<Diagnostic>) -> Self {
        Findings { files, found }
    }

    pub(crate) fn error(&mut self, code: &'static str, place: Place, text: impl Into<String>, hint: impl Into<String>) {
        self.add(DiagnosticSeverity::Error, code, place, text.into(), hint.into());
    }

    pub(crate) fn warn(&mut self, code: &'static str, place: Place, text: impl Into<String>) {
        self.add(DiagnosticSeverity::Warning, code, place, text.into(), String::new());
    }

    fn add(&mut self, severity: DiagnosticSeverity, code: &'static str, place: Place, text: String, hint: String) {
        let file = &self.files[place.file as usize];
        let source = match severity {
            DiagnosticSeverity::Error => file.text.lines().nth(place.line.saturating_sub(1) as usize).unwrap_or(""),
            DiagnosticSeverity::Warning => "",
        };
        let (line, column, length) = (place.line, place.column, place.len);
        let source = source.to_owned();
        let meant = source.chars().skip(column.saturating_sub(1) as usize).take(length.max(1) as usize);
        let hint = match meant.into_iter().find_map(|c| Some((c, plain_twin(c)?))) {
            // What an input method writes looks like the character that is meant.
            Some((wide, plain)) if severity == DiagnosticSeverity::Error => {
                format!("'{wide}' is a full-width character; write '{plain}'")
            }
            _ => hint,
        };
        self.found.push(Diagnostic {
            code,
            severity,
            file: file.name.clone(),
            line,
            column,
            length,
            text,
            source,
            hint,
        });
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|found| found.severity == DiagnosticSeverity::Error)
    }

    /// All findings in the order of files, lines and columns; the same finding once.
    pub(crate) fn sorted(mut self) -> Vec<Diagnostic> {
        self.found.sort_by(|a, b| {
            let key = |found: &Diagnostic| (found.file.clone(), found.line, found.column, found.code);
            key(a).cmp(&key(b))
        });
        self.found.dedup();
        self.found
    }

    /// The name of a file.
    pub(crate) fn file_name(&self, file: u32) -> String {
        self.files[file as usize].name.clone()
    }

    /// `file:line` of a place, for texts that point elsewhere.
    pub(crate) fn name_of(&self, place: Place) -> String {
        format!("{}:{}", self.files[place.file as usize].name, place.line)
    }
}

/// The nearest of the known names, else what people who know the hospital's word may look for, else what there is.
pub(crate) fn nearest_or_all(name: &str, known: &[&str]) -> String {
    let near = nearest(name, known.iter().copied());
    if !near.is_empty() {
        return near;
    }
    let lower = name.to_ascii_lowercase();
    let other = OTHER_WORDS.iter().find(|(word, element)| *word == lower && known.contains(element));
    match other {
        Some((_, element)) => format!("did you mean {element}?"),
        None if known.len() <= SHOWN_MAX => format!("there are: {}", known.join(", ")),
        None => {
            let own: Vec<&str> = known.iter().copied().filter(|name| !EVERYWHERE.contains(name)).collect();
            let more = if own.len() > SHOWN_MAX { ", ..." } else { "" };
            format!("there are: {}{more}", own[..own.len().min(SHOWN_MAX)].join(", "))
        }
    }
}

/// "did you mean x?" for the nearest of the known names, or nothing when none is near.
pub(crate) fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    match nearest_name(name, known) {
        Some(found) => format!("did you mean {found}?"),
        None => String::new(),
    }
}

/// The nearest of the known names by edit distance, when it is near enough to help.
pub(crate) fn nearest_name<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let best = known.into_iter().map(|known| (distance(name, known), known)).min()?;
    (best.0 <= (name.chars().count() / 3).max(1)).then_some(best.1)
}

/// How many letters must be changed, added, left out or swapped with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().map(|c| c.to_ascii_lowercase()).collect();
    let right: Vec<char> = right.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            rows[i][j] = match (i, j) {
                (0, n) | (n, 0) => n,
                _ => {
                    let same = usize::from(left[i - 1] != right[j - 1]);
                    let swapped = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
                    let swap = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                    (rows[i - 1][j - 1] + same).min(rows[i][j - 1] + 1).min(rows[i - 1][j] + 1).min(swap)
                }
            };
        }
    }
    rows[left.len()][right.len()]
}

/// Elements of every resource; few look for them.
const EVERYWHERE: [&str; 8] =
    ["id", "meta", "implicitRules", "language", "text", "contained", "extension", "modifierExtension"];

/// Names of a hint.
const SHOWN_MAX: usize = 12;

/// Words of hospitals for elements of FHIR, in small letters.
const OTHER_WORDS: [(&str, &str); 18] = [
    ("sex", "gender"),
    ("dob", "birthDate"),
    ("birthday", "birthDate"),
    ("phone", "telecom"),
    ("mobile", "telecom"),
    ("email", "telecom"),
    ("surname", "family"),
    ("lastname", "family"),
    ("firstname", "given"),
    ("mrn", "identifier"),
    ("id", "identifier"),
    ("zip", "postalCode"),
    ("province", "state"),
    ("street", "line"),
    ("doctor", "performer"),
    ("kin", "contact"),
    ("flag", "interpretation"),
    ("unit", "valueQuantity"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_shows_line_caret_and_hint() {
        let files = [SourceFile { name: "a.fmap.yaml".into(), text: "map: a\n  pid8: PID-8 <-> sex\n".into() }];
        let mut findings = Findings::new(&files, Vec::new());
        let place = Place { file: 0, line: 2, column: 19, len: 3 };
        findings.error("E-TARGET", place, "Patient has no element 'sex'", nearest("gendr", ["name", "gender"]));
        let shown = findings.sorted()[0].to_string();
        let expected = "E-TARGET a.fmap.yaml:2:19: Patient has no element 'sex'\n 2 |   pid8: PID-8 <-> sex\n   |                   ^^^ did you mean gender?";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_far_name_is_no_help() {
        assert_eq!(nearest("zz", ["identifier"]), "");
    }
}
