//! CDA documents of Chinese hospitals: the shared documents C0001 to C0053 of WS/T 500-2016, which are XML
//! ([`crate::xml`]) with sections found by LOINC code and entries by data element code.
//!
//! They are read as they come: elements that CDA does not have, misspelt names, dashes for identifiers. [`check`] names
//! what deviates; nothing is put right, and the document stays whole.
//!
//! ```
//! use dukou_wire::{Limits, Site, cda, xml};
//!
//! let bytes = r#"<ClinicalDocument><templateId root="2.16.156.10011.2.1.1.73"/>
//!   <code code="C0053" codeSystem="2.16.156.10011.2.4"/>
//!   <component><structuredBody><component><section><code code="46241-6"/><entry><observation>
//!     <code code="DE05.01.024.00"/><value code="I20.000" displayName="不稳定性心绞痛"/>
//!   </observation></entry></section></component></structuredBody></component></ClinicalDocument>"#;
//! let (message, _) = xml::parse(bytes.as_bytes(), &Limits::default(), &Site::default())?;
//! let document_type = cda::document_type(&message).ok_or("no document type")?;
//! assert_eq!((document_type.to_string().as_str(), document_type.name_zh()), ("C0053", "出院小结"));
//! let section = cda::sections(&message).next().ok_or("no section")?;
//! let entry = section.entries().next().ok_or("no entry")?;
//! assert_eq!((section.code(), entry.code()), ("46241-6".into(), "DE05.01.024.00".into()));
//! assert_eq!(entry.value().ok_or("no value")?.attribute("code").text(), "I20.000");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod names;

use std::borrow::Cow;
use std::fmt;

use crate::{Element, Message, Node, Presence};

pub use check::check;

/// A document type of WS/T 500-2016, C0001 to C0053.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentType {
    number: u8,
}

impl DocumentType {
    /// The type of this number, 1 to 53.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        matches!(number, 1..=53).then_some(Self { number })
    }

    /// Reads `C0053`.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let digits = code.trim().strip_prefix('C').filter(|digits| digits.len() == 4)?;
        Self::new(digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??)
    }

    /// The type that a template stands for: `2.16.156.10011.2.1.1.` and its number plus 20.
    #[must_use]
    pub fn of_template(root: &str) -> Option<Self> {
        let number: u8 = root.trim().strip_prefix(TEMPLATES)?.parse().ok()?;
        Self::new(number.checked_sub(20)?)
    }

    /// The part of WS/T 500 that describes it, 1 to 53.
    #[must_use]
    pub fn number(self) -> u8 {
        self.number
    }

    /// The template identifier.
    #[must_use]
    pub fn template(self) -> String {
        format!("{TEMPLATES}{}", self.number + 20)
    }

    /// What it is called, as in WS/T 500.
    #[must_use]
    pub fn name_zh(self) -> &'static str {
        NAMES[usize::from(self.number) - 1]
    }
}

impl fmt::Display for DocumentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "C{:04}", self.number)
    }
}

/// The message is a CDA document.
#[must_use]
pub fn is_document(message: &Message<'_>) -> bool {
    message.root().is_some_and(|root| root.name() == "ClinicalDocument")
}

/// The type of a document, by its template, else by its code.
#[must_use]
pub fn document_type(message: &Message<'_>) -> Option<DocumentType> {
    let root = message.root().filter(|root| root.name() == "ClinicalDocument")?;
    by_template(root).or_else(|| by_code(root))
}

fn by_template(root: Element<'_>) -> Option<DocumentType> {
    root.children_named("templateId").find_map(|template| DocumentType::of_template(&template.attribute("root").text()))
}

fn by_code(root: Element<'_>) -> Option<DocumentType> {
    DocumentType::parse(&root.child("code")?.attribute("code").text())
}

/// The sections of a document at any depth, in its order.
pub fn sections<'m>(message: &'m Message<'_>) -> impl Iterator<Item = Section<'m>> {
    let inside = message.root().into_iter().flat_map(|root| root.descendants());
    inside.filter(|element| element.name() == "section").map(|element| Section { element })
}

/// The entries of a document, those outside of sections too, in its order.
pub fn entries<'m>(message: &'m Message<'_>) -> impl Iterator<Item = Entry<'m>> {
    message.root().into_iter().flat_map(entries_in)
}

fn entries_in(element: Element<'_>) -> impl Iterator<Item = Entry<'_>> {
    let stated = |element: &Element<'_>| STATEMENTS.contains(&element.name()) && element.child("code").is_some();
    element.descendants().filter(stated).map(|element| Entry { element })
}

/// A section of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'m> {
    element: Element<'m>,
}

impl<'m> Section<'m> {
    /// The element.
    #[must_use]
    pub fn element(&self) -> Element<'m> {
        self.element
    }

    /// The LOINC code without blanks around it; empty when there is none.
    #[must_use]
    pub fn code(&self) -> Cow<'m, str> {
        code_of(self.element)
    }

    /// The title, or else the display name of the code, without blanks around it.
    #[must_use]
    pub fn title(&self) -> Cow<'m, str> {
        match self.element.child_value("title").trimmed() {
            title if title.is_empty() => display_of(self.element),
            title => title,
        }
    }

    /// The narrative as lines: paragraphs, items of lists and rows of tables each on their own, cells apart by tabs.
    #[must_use]
    pub fn narrative(&self) -> String {
        let mut text = String::new();
        if let Some(narrative) = self.element.child("text") {
            append_narrative(narrative, &mut text);
        }
        text.trim().to_owned()
    }

    /// Its entries at any depth, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'m>> + use<'m> {
        entries_in(self.element)
    }
}

/// A clinical statement that has a code: an observation, a procedure and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'m> {
    element: Element<'m>,
}

impl<'m> Entry<'m> {
    /// The element of the statement, such as `observation`.
    #[must_use]
    pub fn element(&self) -> Element<'m> {
        self.element
    }

    /// The data element code such as `DE05.01.024.00`, or the code of another system, without blanks around it.
    #[must_use]
    pub fn code(&self) -> Cow<'m, str> {
        code_of(self.element)
    }

    /// The display name of the code, without blanks around it.
    #[must_use]
    pub fn display(&self) -> Cow<'m, str> {
        display_of(self.element)
    }

    /// The element of the value, whose type `xsi:type` tells.
    #[must_use]
    pub fn value(&self) -> Option<Element<'m>> {
        self.element.child("value")
    }
}

/// Entries that are told apart only by their order, as in C0007, where the code, the value and the unit of one result are
/// entries of their own: one row for each, with the n-th entry of every data element code. A row is as long as `codes`;
/// where the counts differ, the last rows have gaps, and [`check`] says so.
#[must_use]
pub fn paired<'m>(entries: impl Iterator<Item = Entry<'m>>, codes: &[&str]) -> Vec<Vec<Option<Entry<'m>>>> {
    let mut rows: Vec<Vec<Option<Entry<'m>>>> = Vec::new();
    let mut counts = vec![0; codes.len()];
    for entry in entries {
        let code = entry.code();
        let Some(column) = codes.iter().position(|wanted| *wanted == code) else { continue };
        let row = counts[column];
        counts[column] += 1;
        if rows.len() <= row {
            rows.push(vec![None; codes.len()]);
        }
        rows[row][column] = Some(entry);
    }
    rows
}

/// What a value of a document says: a dash, blanks, and nothing are all no statement, because senders write a dash where
/// the standard asks for an identifier that they do not have.
#[must_use]
pub fn presence(node: &Node<'_>) -> Presence {
    match node.presence() {
        Presence::Value if matches!(&*node.trimmed(), "" | "-" | "－" | "—") => Presence::Empty,
        other => other,
    }
}

fn code_of(element: Element<'_>) -> Cow<'_, str> {
    element.child("code").map_or(Cow::Borrowed(""), |code| code.attribute("code").trimmed())
}

fn display_of(element: Element<'_>) -> Cow<'_, str> {
    element.child("code").map_or(Cow::Borrowed(""), |code| code.attribute("displayName").trimmed())
}

/// Appends what a reader sees of a narrative. The depth of elements is limited where they are parsed.
fn append_narrative(element: Element<'_>, text: &mut String) {
    let mut pieces: Vec<(u32, Result<Node<'_>, Element<'_>>)> = Vec::new();
    pieces.extend(element.runs().map(|run| (run.span().start, Ok(run))));
    if !element.is_leaf() {
        pieces.extend(element.children().map(|child| (child.span().start, Err(child))));
        pieces.sort_by_key(|(start, _)| *start);
    }
    for (_, piece) in pieces {
        match piece {
            Ok(run) => text.push_str(&run.text()),
            Err(child) => {
                let end = match child.name() {
                    "paragraph" | "br" | "tr" | "item" | "list" | "table" | "caption" => "\n",
                    "td" | "th" => "\t",
                    _ => "",
                };
                if end == "\n" && !text.is_empty() && !text.ends_with('\n') {
                    text.truncate(text.trim_end_matches('\t').len());
                    text.push('\n');
                }
                append_narrative(child, text);
                if !text.ends_with('\n') {
                    text.push_str(end);
                }
            }
        }
    }
}

const TEMPLATES: &str = "2.16.156.10011.2.1.1.";
/// The clinical statements of the CDA R2 model.
const STATEMENTS: &[&str] = &[
    "observation",
    "procedure",
    "act",
    "encounter",
    "substanceAdministration",
    "supply",
    "organizer",
    "observationMedia",
    "regionOfInterest",
];
/// The titles of WS/T 500.1 to 500.53.
const NAMES: [&str; 53] = [
    "病历概要",
    "门(急)诊病历",
    "急诊留观病历",
    "西药处方",
    "中药处方",
    "检查报告",
    "检验报告",
    "治疗记录",
    "一般手术记录",
    "麻醉术前访视记录",
    "麻醉记录",
    "麻醉术后访视记录",
    "输血记录",
    "待产记录",
    "阴道分娩记录",
    "剖宫产记录",
    "一般护理记录",
    "病重(病危)护理记录",
    "手术护理记录",
    "生命体征测量记录",
    "出入量记录",
    "高值耗材使用记录",
    "入院评估",
    "护理计划",
    "出院评估与指导",
    "手术知情同意书",
    "麻醉知情同意书",
    "输血治疗同意书",
    "特殊检查及特殊治疗同意书",
    "病危(重)通知书",
    "其他知情告知同意书",
    "住院病案首页",
    "中医住院病案首页",
    "入院记录",
    "24h内入出院记录",
    "24h内入院死亡记录",
    "首次病程记录",
    "日常病程记录",
    "上级医师查房记录",
    "疑难病例讨论记录",
    "交接班记录",
    "转科记录",
    "阶段小结",
    "抢救记录",
    "会诊记录",
    "术前小结",
    "术前讨论",
    "术后首次病程记录",
    "出院记录",
    "死亡记录",
    "死亡病例讨论记录",
    "住院医嘱",
    "出院小结",
];
