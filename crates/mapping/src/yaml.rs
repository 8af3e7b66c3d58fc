//! The strict part of YAML in which maps are written: every scalar is text, and nothing acts at a distance.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use crate::diagnostic::Findings;
use crate::place::{Place, Placed, Word};

/// A node of a map file.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    /// Text, whatever it looks like.
    Text(Word),
    /// A sequence.
    List(Placed<Vec<Tree>>),
    /// A mapping in the order of the file.
    Map(Placed<Vec<(Word, Tree)>>),
}

impl Tree {
    pub(crate) fn place(&self) -> Place {
        match self {
            Tree::Text(word) => word.place,
            Tree::List(list) => list.place,
            Tree::Map(map) => map.place,
        }
    }
}

/// Reads one file. Every fault is a finding; a file with a fault gives no tree.
pub(crate) fn load(file: u32, text: &str, findings: &mut Findings<'_>) -> Option<Tree> {
    let tabs = tab_faults(file, text, findings);
    let mut loader = Loader { parser: Parser::new_from_str(text), file, text, findings, faulty: tabs };
    let tree = match loader.document() {
        Ok(tree) => tree,
        Err(error) => {
            if !tabs {
                loader.scan_fault(&error);
            }
            return None;
        }
    };
    if loader.faulty { None } else { tree }
}

fn tab_faults(file: u32, text: &str, findings: &mut Findings<'_>) -> bool {
    let mut found = false;
    for (line, content) in (1u32..).zip(text.lines()) {
        if content.trim_start_matches(' ').starts_with('\u{3000}') {
            let column = content.chars().take_while(|c| *c == ' ').count() as u32 + 1;
            let place = Place { file, line, column, len: 1 };
            findings.error("E-YAML-TAB", place, "a full-width blank stands in front of the line", "write blanks");
            found = true;
        }
        if let Some(at) = content.chars().position(|c| c == '\t') {
            let place = Place { file, line, column: at as u32 + 1, len: 1 };
            findings.error("E-YAML-TAB", place, "a tab stands in the file", "write blanks");
            found = true;
        }
    }
    found
}

struct Loader<'t, 'f, 'd> {
    parser: Parser<'t, StrInput<'t>>,
    file: u32,
    text: &'t str,
    findings: &'d mut Findings<'f>,
    faulty: bool,
}

type Step<'t> = (Event<'t>, Span);

impl<'t> Loader<'t, '_, '_> {
    fn next(&mut self) -> Result<Option<Step<'t>>, ScanError> {
        self.parser.next_event().transpose()
    }

    fn document(&mut self) -> Result<Option<Tree>, ScanError> {
        let mut tree = None;
        let mut documents = 0;
        while let Some((event, span)) = self.next()? {
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents == 2 {
                        self.fault(
                            "E-YAML-DOCUMENTS",
                            self.place(span),
                            "a second document begins",
                            "one file, one document",
                        );
                    }
                }
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Nothing => {}
                event => {
                    let node = self.node(event, span)?;
                    tree.get_or_insert(node);
                }
            }
        }
        Ok(tree)
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Tree, ScanError> {
        let place = self.place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.decorations(place, anchor, tag.is_some());
                Ok(Tree::Text(self.scalar(&text, style, span)))
            }
            Event::Alias(_) => {
                self.fault("E-YAML-ALIAS", place, "an alias stands here", "write the value again");
                Ok(Tree::Text(Placed::new(String::new(), place)))
            }
            Event::SequenceStart(anchor, tag) => {
                self.decorations(place, anchor, tag.is_some());
                self.list(place)
            }
            Event::MappingStart(anchor, tag) => {
                self.decorations(place, anchor, tag.is_some());
                self.map(place)
            }
            _ => Ok(Tree::Text(Placed::new(String::new(), place))),
        }
    }

    fn list(&mut self, place: Place) -> Result<Tree, ScanError> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                self.one_line(place, span);
                break;
            }
            items.push(self.node(event, span)?);
        }
        Ok(Tree::List(Placed::new(items, place)))
    }

    fn map(&mut self, place: Place) -> Result<Tree, ScanError> {
        let mut members: Vec<(Word, Tree)> = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::MappingEnd) {
                self.one_line(place, span);
                break;
            }
            let key = match self.node(event, span)? {
                Tree::Text(word) => word,
                other => {
                    self.fault("E-YAML", other.place(), "a key must be text", "");
                    Placed::new(String::new(), other.place())
                }
            };
            if key.value == "<<" {
                self.fault("E-YAML-MERGE", key.place, "a merge key stands here", "write the members again");
            }
            if let Some((first, _)) = members.iter().find(|(known, _)| known.value == key.value) {
                let text = format!("the key '{}' stands twice", key.value);
                let hint = format!("first on line {}", first.place.line);
                self.fault("E-YAML-DUPLICATE", key.place, text, hint);
            }
            let Some((event, span)) = self.next()? else { break };
            let value = self.node(event, span)?;
            members.push((key, value));
        }
        Ok(Tree::Map(Placed::new(members, place)))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Word {
        let mut place = self.place(span);
        match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                place = Place { column: place.column + 1, len: place.len.saturating_sub(2), ..place };
            }
            ScalarStyle::Folded => {
                self.fault("E-YAML", place, "a folded text stands here", "write | instead of >");
            }
            ScalarStyle::Plain | ScalarStyle::Literal => {}
        }
        if span.start.line() != span.end.line() && style == ScalarStyle::Plain && span.end.col() > 0 {
            self.fault("E-YAML", place, "a value runs over several lines", "one rule, one line");
        }
        Placed::new(text.to_owned(), place)
    }

    fn decorations(&mut self, place: Place, anchor: usize, tag: bool) {
        if anchor != 0 {
            self.fault("E-YAML-ANCHOR", place, "an anchor stands here", "write the value where it is used");
        }
        if tag {
            self.fault("E-YAML-TAG", place, "a tag stands here", "every value is text");
        }
    }

    /// A flow collection must end on the line on which it began.
    fn one_line(&mut self, start: Place, end: Span) {
        let line = self.text.lines().nth(start.line as usize - 1).unwrap_or("");
        let flow = matches!(line.chars().nth(start.column as usize - 1), Some('[' | '{'));
        if flow && end.end.line() as u32 != start.line {
            self.fault("E-YAML-FLOW", start, "a flow collection runs over several lines", "use a block");
        }
    }

    fn scan_fault(&mut self, error: &ScanError) {
        let line = error.marker().line();
        // A second ": " on the line or the one before is the usual cause; the scanner sees it late.
        for number in [line, line.saturating_sub(1)] {
            let content = self.text.lines().nth(number.saturating_sub(1)).unwrap_or("");
            if let Some(at) = second_colon(content) {
                let place = Place { file: self.file, line: number as u32, column: at, len: 1 };
                self.fault("E-YAML-COLON", place, "\": \" inside a rule ends the YAML value", "write: via");
                return;
            }
        }
        let column = error.marker().col() as u32 + 1;
        let place = Place { file: self.file, line: line.max(1) as u32, column, len: 1 };
        self.fault("E-YAML", place, error.info().to_owned(), "");
    }

    fn place(&self, span: Span) -> Place {
        let len = if span.start.line() == span.end.line() { span.len() as u32 } else { 1 };
        Place { file: self.file, line: span.start.line() as u32, column: span.start.col() as u32 + 1, len }
    }

    fn fault(&mut self, code: &'static str, place: Place, text: impl Into<String>, hint: impl Into<String>) {
        self.faulty = true;
        self.findings.error(code, place, text, hint);
    }
}

/// The column (from 1) of the second ": " outside quotes on a block mapping line.
fn second_colon(line: &str) -> Option<u32> {
    let chars: Vec<char> = line.chars().collect();
    let mut seen = 0;
    let mut quoted = false;
    for (at, c) in chars.iter().enumerate() {
        match c {
            '"' => quoted = !quoted,
            '{' | '[' if !quoted && seen == 1 && chars[..at].iter().rev().find(|c| **c != ' ') == Some(&':') => {
                return None;
            }
            ':' if !quoted && chars.get(at + 1).is_none_or(|next| *next == ' ') => {
                seen += 1;
                if seen == 2 {
                    return Some(at as u32 + 1);
                }
            }
            _ => {}
        }
    }
    None
}
