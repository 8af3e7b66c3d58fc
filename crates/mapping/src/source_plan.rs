//! What a map reads, compiled: for which documents it is meant, and where their records stand.

use dukou_wire::delimited::{Layout, RowPattern};
use dukou_wire::{Element, Format, Message};

use crate::compiler::{Compiler, Context};
use crate::file::MapFile;
use crate::place::Word;
use crate::plan::{PathPlan, TestPlan, TreeStepPlan};
use crate::reading::{At, Reading, elements};
use crate::rule::Alternative;
use crate::source_head::{FrameRow, RowsHead, SourceHead, TreeHead};
use crate::sources::Use;

/// What a map reads.
#[derive(Debug)]
pub(crate) enum SourcePlan {
    Segments,
    Tree(TreeSource),
    Rows(Box<RowsSource>),
}

/// A document of elements or members.
#[derive(Debug)]
pub(crate) struct TreeSource {
    pub(crate) json: bool,
    /// Names from the document down to the element that must be there; the first that is there counts.
    pub(crate) roots: Vec<Vec<String>>,
    /// Steps below it to the records.
    pub(crate) record: Vec<TreeStepPlan>,
    /// The type of a clinical document, `C0053`.
    pub(crate) document: Option<String>,
    /// A sample of the partner's document, whose layout new ones take.
    pub(crate) template: Option<String>,
}

/// Rows of delimited text.
#[derive(Debug)]
pub(crate) struct RowsSource {
    pub(crate) layout: Layout,
    /// What a header row calls the columns that the map declares.
    pub(crate) labels: Vec<String>,
    /// The head row with the names of its parts.
    pub(crate) head: Option<FrameRow>,
}

/// What stands in the head of a map about its documents.
#[derive(Debug)]
pub(crate) struct Documents {
    pub(crate) source: SourcePlan,
    /// The character set that the partner reads.
    pub(crate) encoding: Option<String>,
    /// What must hold of a document for which the map is meant.
    pub(crate) when: Vec<TestPlan>,
    /// Where a document tells when the event happened; the first valued one counts.
    pub(crate) event: Vec<PathPlan>,
}

impl Documents {
    /// Whether the map is meant for a document; what the map calls root becomes the record at hand.
    pub(crate) fn apply<'m>(&self, reading: &Reading<'m>) -> bool {
        let message = reading.message;
        let fits = match &self.source {
            SourcePlan::Segments => return message.format() == Format::Er7,
            SourcePlan::Tree(tree) => tree.root_of(message).is_some_and(|root| {
                reading.enter_record(root);
                tree.document.as_ref().is_none_or(|kind| is_document(root, kind))
            }),
            SourcePlan::Rows(rows) => rows.fits(message),
        };
        fits && reading.holds(&self.when, At::default())
    }
}

impl TreeSource {
    /// The element that the head calls root.
    pub(crate) fn root_of<'m>(&self, message: &'m Message<'m>) -> Option<Element<'m>> {
        let format = if self.json { Format::Json } else { Format::Xml };
        let root = message.root().filter(|_| message.format() == format)?;
        // What a SOAP envelope carries may stand for the document.
        let body = dukou_wire::xml::body(message).filter(|body| *body != root);
        self.roots.iter().find_map(|names| {
            [Some(root), body].into_iter().flatten().find_map(|root| {
                let mut names = names.iter();
                if !self.json && names.next().is_some_and(|name| name != root.name()) {
                    return None;
                }
                names.try_fold(root, |element, name| element.child(name))
            })
        })
    }

    /// The records in the order of the document.
    pub(crate) fn records<'m>(&self, message: &'m Message<'m>) -> Vec<Element<'m>> {
        self.root_of(message).map_or_else(Vec::new, |root| elements(root, &self.record))
    }
}

impl RowsSource {
    /// Whether rows that were read with some layout are those of this source.
    pub(crate) fn fits(&self, message: &Message<'_>) -> bool {
        let Some(names) = message.column_names() else { return false };
        let head = message.segments().next().filter(|row| row.id() == dukou_wire::RowKind::Head.as_str());
        let same_head = match (&self.head, head) {
            (Some(frame), Some(row)) => row.field(1).first_leaf().trimmed() == frame.mark,
            (None, None) => true,
            _ => false,
        };
        // Without a row of names the number of columns tells; a row or two may be broken.
        let rows = message.segments().filter(|row| row.id() == dukou_wire::RowKind::Row.as_str()).take(ROWS_LOOKED_AT);
        let mut counts = rows.map(|row| usize::from(row.field_count())).peekable();
        let counted = self.layout.header || counts.peek().is_none() || counts.any(|count| count == self.labels.len());
        same_head && counted && self.labels.iter().all(|label| names.contains(label))
    }

    /// The number in the file of each declared column, 0 for one that the file lacks.
    pub(crate) fn numbers(&self, message: &Message<'_>) -> Vec<u16> {
        let names = message.column_names().unwrap_or_default();
        let number = |label: &String| names.iter().position(|name| name == label).map_or(0, |at| at as u16 + 1);
        self.labels.iter().map(number).collect()
    }
}

impl Compiler<'_, '_> {
    /// Checks what the head of a map says of its documents.
    pub(crate) fn documents(&mut self, map: &MapFile, context: &Context<'_>) -> Option<Documents> {
        let source = match &map.source {
            SourceHead::Segments => SourcePlan::Segments,
            SourceHead::Tree(head) => SourcePlan::Tree(self.tree_source(head)?),
            SourceHead::Rows(head) => SourcePlan::Rows(Box::new(self.rows_source(head)?)),
        };
        let when = self.tests(&map.when, context, "")?;
        let mut event = Vec::new();
        for alternative in map.event.iter().flat_map(|source| &source.alternatives) {
            if let Alternative::Path(path) = alternative {
                event.push(self.path(path, context, "", Use::Value)?.plan);
            }
        }
        let encoding = self.encoding(&map.source)?;
        Some(Documents { source, encoding, when, event })
    }

    /// The character set named in the head; the outer option is the fault.
    fn encoding(&mut self, source: &SourceHead) -> Option<Option<String>> {
        let word = match source {
            SourceHead::Segments => None,
            SourceHead::Tree(head) => head.encoding.as_ref(),
            SourceHead::Rows(head) => head.encoding.as_ref(),
        };
        let Some(word) = word else { return Some(None) };
        if dukou_wire::Target::named(&word.value).is_none() {
            let text = format!("no character set '{}'", word.value);
            self.findings.error("E-HEAD", word.place, text, "write: utf-8 or gb18030");
            return None;
        }
        Some(Some(word.value.clone()))
    }

    /// The names that the template of a map knows.
    pub(crate) fn template_names(&mut self, map: &MapFile) -> Vec<String> {
        let SourceHead::Tree(head) = &map.source else { return Vec::new() };
        head.template_names().unwrap_or_else(|error| {
            let place = head.template.as_ref().map_or(map.name.place, |word| word.place);
            self.findings.error("E-HEAD", place, format!("the template is no document: {error}"), "");
            Vec::new()
        })
    }

    fn tree_source(&mut self, head: &TreeHead) -> Option<TreeSource> {
        let step = |name: &String| TreeStepPlan {
            kind: crate::rule::StepKind::Child,
            name: name.clone(),
            filters: Vec::new(),
            position: crate::plan::Position::All,
        };
        Some(TreeSource {
            json: head.json,
            roots: head.roots.clone(),
            record: head.record.iter().map(step).collect(),
            document: head.document.clone(),
            template: head.template.as_ref().map(|word| word.value.clone()),
        })
    }

    fn rows_source(&mut self, head: &RowsHead) -> Option<RowsSource> {
        let byte = |c: Option<char>| c.and_then(|c| u8::try_from(c).ok());
        let labels: Vec<String> = head.columns.iter().map(|column| column.label.clone()).collect();
        let name = |word: &Word| {
            let column = head.columns.iter().find(|column| column.name.value == word.value);
            column.map(|column| dukou_wire::Column::Name(column.label.clone()))
        };
        let layout = Layout {
            quote: byte(head.quote),
            repetition: byte(head.repeat),
            component: byte(head.component),
            header: head.header,
            head: self.row_pattern(head.head.as_ref(), head)?,
            trailer: self.row_pattern(head.trailer.as_ref(), head)?,
            columns: labels.clone(),
            keys: head.keys.iter().filter_map(name).collect(),
            identifiers: head.identifiers.iter().filter_map(name).collect(),
            ..Layout::separated(byte(Some(head.field)).unwrap_or(b','))
        };
        if let Err(error) = layout.check() {
            self.findings.error("E-HEAD", head.place, error.to_string(), "give each delimiter a character of its own");
            return None;
        }
        Some(RowsSource { layout, labels, head: head.head.clone() })
    }

    /// The pattern of a head or trailer row; the outer option is the fault.
    fn row_pattern(&mut self, row: Option<&FrameRow>, head: &RowsHead) -> Option<Option<RowPattern>> {
        let Some(row) = row else { return Some(None) };
        match RowPattern::parse(&row.pattern, head.field as u8) {
            Ok(pattern) => Some(Some(pattern)),
            Err(error) => {
                let hint = "write the row with names in braces, such as #YY|{org}|{rows}";
                self.findings.error("E-HEAD", row.place, error.to_string(), hint);
                None
            }
        }
    }
}

/// Whether a clinical document is of a type of the series WS/T 500, by its template or its code.
fn is_document(root: Element<'_>, kind: &str) -> bool {
    let number = kind.trim_start_matches('C').parse::<u32>().unwrap_or(0);
    let template = format!("2.16.156.10011.2.1.1.{}", number + 20);
    let by_template = root.children_named("templateId").any(|id| id.attribute("root").trimmed() == template);
    by_template || root.child("code").is_some_and(|code| code.attribute("code").trimmed() == kind)
}

/// So many rows are looked at to tell whether the number of columns is the declared one.
const ROWS_LOOKED_AT: usize = 16;
