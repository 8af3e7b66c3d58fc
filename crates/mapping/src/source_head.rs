//! The head `source:` of a map over XML, JSON, clinical documents or rows.

use crate::diagnostic::{Findings, nearest};
use crate::grammar;
use crate::place::{Place, Placed, Word};
use crate::rule::{Dialect, Test};
use crate::section::Section;

/// What a map reads.
#[derive(Debug, Default)]
pub(crate) enum SourceHead {
    /// HL7 v2; its conditions stand in `v2:`.
    #[default]
    Segments,
    Tree(TreeHead),
    Rows(Box<RowsHead>),
}

/// A document of elements or members.
#[derive(Debug, Default)]
pub(crate) struct TreeHead {
    pub(crate) json: bool,
    /// Names from the document down to the element that must be there; of several the first that is there counts.
    pub(crate) roots: Vec<Vec<String>>,
    /// Names below it down to the records; empty where it is the only record itself.
    pub(crate) record: Vec<String>,
    /// The type of a clinical document, `C0053`.
    pub(crate) document: Option<String>,
    /// The character set that the partner reads.
    pub(crate) encoding: Option<Word>,
    /// A sample of the partner's document: it tells names and their order.
    pub(crate) template: Option<Word>,
}

/// Rows of delimited text.
#[derive(Debug, Default)]
pub(crate) struct RowsHead {
    pub(crate) field: char,
    pub(crate) component: Option<char>,
    pub(crate) repeat: Option<char>,
    pub(crate) quote: Option<char>,
    /// The first row names the columns.
    pub(crate) header: bool,
    /// The row before all others, its parts as declared.
    pub(crate) head: Option<FrameRow>,
    pub(crate) trailer: Option<FrameRow>,
    pub(crate) columns: Vec<Column>,
    /// Columns that tell a row from all others.
    pub(crate) keys: Vec<Word>,
    /// The character set that the partner reads.
    pub(crate) encoding: Option<Word>,
    /// Columns of identifiers, which a spreadsheet may have taken for numbers.
    pub(crate) identifiers: Vec<Word>,
    pub(crate) place: Place,
}

/// A column by the label that a header row gives it and the name that rules call it.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) label: String,
    pub(crate) name: Word,
}

/// A head or trailer row as declared: `#YY|version|org|date|条数=count`.
#[derive(Clone, Debug)]
pub(crate) struct FrameRow {
    /// With names in braces.
    pub(crate) pattern: String,
    /// The first part, by which the row is known.
    pub(crate) mark: String,
    /// Names of the parts, that of the mark among them.
    pub(crate) names: Vec<String>,
    pub(crate) place: Place,
}

impl TreeHead {
    /// The names that the template knows, elements and members alike; a fault where it is no document. Empty where none
    /// is declared.
    pub(crate) fn template_names(&self) -> Result<Vec<String>, dukou_wire::NotAMessage> {
        let Some(template) = &self.template else { return Ok(Vec::new()) };
        let (message, _) = parse_template(&template.value, self.json)?;
        let mut names: Vec<String> = Vec::new();
        for element in message.root().into_iter().flat_map(|root| std::iter::once(root).chain(root.descendants())) {
            if !names.iter().any(|name| name == element.name()) {
                names.push(element.name().to_owned());
            }
        }
        Ok(names)
    }
}

/// Reads the sample of a partner's document.
pub(crate) fn parse_template(
    text: &str,
    json: bool,
) -> Result<(dukou_wire::Message<'_>, Vec<dukou_wire::Issue>), dukou_wire::NotAMessage> {
    let limits = dukou_wire::Limits::default();
    if json {
        return dukou_wire::json::parse(text.as_bytes(), &limits);
    }
    // The map is UTF-8, whatever the sample says of the documents.
    dukou_wire::xml::parse_as(text.as_bytes(), Some(dukou_wire::Charset::Utf8), &limits, &dukou_wire::Site::default())
}

impl SourceHead {
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            SourceHead::Segments => Dialect::Segments,
            SourceHead::Tree(_) => Dialect::Tree,
            SourceHead::Rows(_) => Dialect::Rows,
        }
    }
}

/// Reads `source:`; nothing stands for HL7 v2.
pub(crate) fn read(section: &Section<'_>, findings: &mut Findings<'_>) -> SourceHead {
    if !section.has("source") {
        return SourceHead::Segments;
    }
    let Some(inner) = section.section("source", findings) else { return SourceHead::Segments };
    let Some(format) = inner.text("format", findings) else {
        // The conditions of a v2 map may stand under either name.
        if !V2_KEYS.iter().any(|key| inner.has(key)) {
            findings.error("E-HEAD", inner.place(), "the source names no format", FORMATS);
        }
        return SourceHead::Segments;
    };
    match format.value.as_str() {
        "xml" | "json" => SourceHead::Tree(tree(&inner, section, format.value == "json", findings)),
        "cda" => SourceHead::Tree(clinical_document(&inner, section, findings)),
        "delimited" => SourceHead::Rows(Box::new(rows(&inner, findings))),
        "v2" => SourceHead::Segments,
        other => {
            let near = nearest(other, ["xml", "json", "cda", "delimited", "v2"]);
            let hint = if near.is_empty() { FORMATS.to_owned() } else { near };
            findings.error("E-HEAD", format.place, format!("no format '{other}'"), hint);
            // The rest of the file is read as what it most likely is, so that one fault is told once.
            SourceHead::Tree(TreeHead { roots: vec![Vec::new()], ..TreeHead::default() })
        }
    }
}

/// Reads `when:`, the guard over constants of the document.
pub(crate) fn when(section: &Section<'_>, dialect: Dialect, findings: &mut Findings<'_>) -> Vec<Test> {
    let Some(text) = section.text("when", findings) else { return Vec::new() };
    match grammar::guard(&text, dialect) {
        Ok(tests) => tests,
        Err(fault) => {
            findings.error("E-RULE", fault.place, fault.text, fault.hint);
            Vec::new()
        }
    }
}

fn tree(inner: &Section<'_>, map: &Section<'_>, json: bool, findings: &mut Findings<'_>) -> TreeHead {
    inner.only(&["format", "root", "record", "encoding"], findings);
    TreeHead {
        json,
        roots: roots(inner, findings),
        record: steps(inner.text("record", findings), findings),
        document: None,
        encoding: inner.text("encoding", findings),
        template: map.text("template", findings),
    }
}

fn clinical_document(inner: &Section<'_>, map: &Section<'_>, findings: &mut Findings<'_>) -> TreeHead {
    inner.only(&["format", "type", "encoding"], findings);
    let kind = inner.text("type", findings);
    let fits = |text: &str| text.len() == 5 && text.starts_with('C') && text[1..].bytes().all(|b| b.is_ascii_digit());
    if let Some(kind) = kind.as_ref().filter(|kind| !fits(&kind.value)) {
        findings.error("E-HEAD", kind.place, format!("'{}' is no type of document", kind.value), "write: type: C0053");
    }
    TreeHead {
        json: false,
        roots: vec![vec!["ClinicalDocument".to_owned()]],
        record: Vec::new(),
        document: kind.map(|kind| kind.value),
        encoding: inner.text("encoding", findings),
        template: map.text("template", findings),
    }
}

/// `root:`, alternatives joined by `or`.
fn roots(section: &Section<'_>, findings: &mut Findings<'_>) -> Vec<Vec<String>> {
    let Some(word) = section.text("root", findings) else { return vec![Vec::new()] };
    let alternatives = word.value.split(" or ").map(|one| Placed::new(one.trim().to_owned(), word.place));
    alternatives.map(|one| steps(Some(one), findings)).collect()
}

/// Names joined by `/`, without selectors.
fn steps(word: Option<Word>, findings: &mut Findings<'_>) -> Vec<String> {
    let Some(word) = word else { return Vec::new() };
    let text = word.value.trim_matches('/');
    if text.is_empty() {
        return Vec::new();
    }
    let plain = |name: &str| !name.is_empty() && !name.contains(['[', ']', '(', ')', '@', ' ']);
    if !text.split('/').all(plain) {
        let text = format!("'{}' is no plain path", word.value);
        findings.error("E-HEAD", word.place, text, "write names joined by /, without selectors");
        return Vec::new();
    }
    text.split('/').map(str::to_owned).collect()
}

fn rows(inner: &Section<'_>, findings: &mut Findings<'_>) -> RowsHead {
    inner.only(&ROW_KEYS, findings);
    let field = character(inner, "field", findings).unwrap_or(',');
    let columns: Vec<Column> = inner.words("columns", findings).iter().map(column).collect();
    for (at, column) in columns.iter().enumerate() {
        if columns[..at].iter().any(|known| known.name.value == column.name.value) {
            let text = format!("a second column '{}'", column.name.value);
            findings.error("E-HEAD", column.name.place, text, "give it another name: LABEL=name");
        }
        if matches!(column.name.value.as_str(), "record" | "head" | "trailer" | "col") {
            let text = format!("no column may be called '{}'", column.name.value);
            findings.error("E-HEAD", column.name.place, text, "give it another name: LABEL=name");
        }
    }
    if columns.is_empty() {
        findings.error("E-HEAD", inner.place(), "the source declares no columns", "write: columns: [name, ..]");
    }
    let (keys, identifiers) = (inner.words("keys", findings), inner.words("identifiers", findings));
    for key in keys.iter().chain(&identifiers) {
        if !columns.iter().any(|column| column.name.value == key.value) {
            let hint = nearest(&key.value, columns.iter().map(|column| column.name.value.as_str()));
            findings.error("E-SOURCE", key.place, format!("no column '{}' is declared", key.value), hint);
        }
    }
    let mut frame = |key| inner.text(key, findings).map(|word| frame_row(&word, field));
    let (head, trailer) = (frame("head"), frame("trailer"));
    RowsHead {
        field,
        component: character(inner, "component", findings),
        repeat: character(inner, "repeat", findings),
        quote: character(inner, "quote", findings),
        header: inner.text("header", findings).is_some_and(|word| matches!(word.value.as_str(), "true" | "yes" | "1")),
        head,
        trailer,
        columns,
        keys,
        encoding: inner.text("encoding", findings),
        identifiers,
        place: inner.place(),
    }
}

/// `name` or `label=name`.
fn column(word: &Word) -> Column {
    match word.value.rsplit_once('=') {
        Some((label, name)) if !name.is_empty() => {
            let at = word.place.len.saturating_sub(name.chars().count() as u32);
            let place = word.place.part(at, name.chars().count() as u32);
            Column { label: label.to_owned(), name: Placed::new(name.to_owned(), place) }
        }
        _ => Column { label: word.value.clone(), name: word.clone() },
    }
}

/// A row as declared, `#YY|{org}|条数={rows}`; where nothing stands in braces, every part behind the first is a name.
fn frame_row(word: &Word, field: char) -> FrameRow {
    let mut names = Vec::new();
    let mut parts = Vec::new();
    for (at, part) in word.value.split(field).enumerate() {
        let braced = part.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
        let (name, pattern) = match (braced, part.rsplit_once('=')) {
            (Some((_, (name, _))), _) => (name, part.to_owned()),
            (None, _) if at == 0 || word.value.contains('{') || part.is_empty() => (part, part.to_owned()),
            (None, Some((label, name))) => (name, format!("{label}={{{}}}", counted(name))),
            (None, None) => (part, format!("{{{}}}", counted(part))),
        };
        names.push(name.to_owned());
        parts.push(pattern);
    }
    let mark = parts.first().map_or("", String::as_str);
    FrameRow {
        mark: mark.split('{').next().unwrap_or(mark).to_owned(),
        pattern: parts.join(field.encode_utf8(&mut [0; 4])),
        names,
        place: word.place,
    }
}

/// The number of rows has a name of its own.
fn counted(name: &str) -> &str {
    if name == "count" { "rows" } else { name }
}

/// One character, or the word `tab`.
fn character(section: &Section<'_>, key: &str, findings: &mut Findings<'_>) -> Option<char> {
    let word = section.text(key, findings)?;
    let mut characters = word.value.chars();
    match (word.value.as_str(), characters.next(), characters.next()) {
        ("tab", ..) => Some('\t'),
        ("none" | "", ..) => None,
        (_, Some(one), None) if one.is_ascii() && !one.is_ascii_alphanumeric() => Some(one),
        _ => {
            let text = format!("'{}' is no delimiter", word.value);
            findings.error("E-HEAD", word.place, text, "write one ASCII character that is no letter, or tab");
            None
        }
    }
}

const FORMATS: &str = "write: format: xml | json | cda | delimited";
const V2_KEYS: [&str; 5] = ["versions", "message", "events", "segments", "scope"];
const ROW_KEYS: [&str; 12] = [
    "identifiers",
    "format",
    "field",
    "component",
    "repeat",
    "quote",
    "header",
    "head",
    "trailer",
    "columns",
    "keys",
    "encoding",
];
