use super::ElementDraft;
use crate::draft::PrintError;
use crate::xml::{escape, is_name, is_writable};
use crate::{Path, Step, Target};

/// The bytes of a whole document.
pub(super) fn print(root: &ElementDraft, target: &Target, indent: Option<usize>) -> Result<Vec<u8>, PrintError> {
    let name = match target.charset() {
        crate::Charset::Gb18030 => "GB18030".to_owned(),
        charset => charset.to_string().replace("8859/", "ISO-8859-"),
    };
    let mut printer = Printer { target, indent, steps: Vec::new(), bytes: Vec::new() };
    printer.markup(&format!("<?xml version=\"1.0\" encoding=\"{name}\"?>\n"))?;
    printer.element(root, 1)?;
    if indent.is_some() {
        printer.markup("\n")?;
    }
    Ok(printer.bytes)
}

/// The text of one element for a place within a document, without line ends.
pub(crate) fn fragment(element: &ElementDraft) -> Result<String, PrintError> {
    let target = Target::of(crate::Charset::Utf8);
    let mut printer = Printer { target: &target, indent: None, steps: Vec::new(), bytes: Vec::new() };
    printer.element(element, 0)?;
    Ok(String::from_utf8(printer.bytes).unwrap_or_default())
}

struct Printer<'p> {
    target: &'p Target,
    indent: Option<usize>,
    /// The way to the current place.
    steps: Vec<Step>,
    bytes: Vec<u8>,
}

impl Printer<'_> {
    /// The depth of a draft is bounded by the steps of the paths that made it.
    fn element(&mut self, element: &ElementDraft, ordinal: u32) -> Result<(), PrintError> {
        self.steps.push(Step::Element { name: element.name.clone(), ordinal: if ordinal > 1 { ordinal } else { 0 } });
        self.name("<", &element.name)?;
        for (name, value) in &element.attributes {
            self.name(" ", name)?;
            self.markup("=\"")?;
            self.value(value, true)?;
            self.markup("\"")?;
        }
        if element.null {
            self.markup(NIL)?;
        }
        if element.text.is_empty() && element.children.is_empty() {
            self.markup("/>")?;
        } else {
            self.markup(">")?;
            self.value(&element.text, false)?;
            self.children(element)?;
            self.name("</", &element.name)?;
            self.markup(">")?;
        }
        self.steps.pop();
        Ok(())
    }

    fn children(&mut self, element: &ElementDraft) -> Result<(), PrintError> {
        // Line ends between elements would be part of a text beside them.
        let indent = self.indent.filter(|_| element.text.is_empty() && !element.children.is_empty());
        let depth = self.steps.len();
        let line = |blanks: usize, depth: usize| format!("\n{}", " ".repeat(blanks * depth));
        let mut before: Option<(&str, u32)> = None;
        for child in &element.children {
            let ordinal = before.filter(|(name, _)| *name == child.name).map_or(1, |(_, number)| number + 1);
            before = Some((&child.name, ordinal));
            if let Some(blanks) = indent {
                self.markup(&line(blanks, depth))?;
            }
            self.element(child, ordinal)?;
        }
        if let Some(blanks) = indent {
            self.markup(&line(blanks, depth - 1))?;
        }
        Ok(())
    }

    fn name(&mut self, before: &str, name: &str) -> Result<(), PrintError> {
        if !is_name(name) {
            return Err(PrintError::NotAField { path: Path::in_tree(self.steps.clone()) });
        }
        self.markup(before)?;
        self.markup(name)
    }

    fn value(&mut self, text: &str, attribute: bool) -> Result<(), PrintError> {
        if let Some(at) = text.chars().position(|character| !is_writable(character)) {
            return Err(self.unencodable(at + 1));
        }
        let mut written = escape(text, attribute);
        if self.target.writes_references() {
            written = self.target.referenced(&written).into();
        }
        self.target.encode_into(&written, &mut self.bytes).map_err(|at| {
            // Entities before the place count as the characters that they stand for.
            let before = crate::xml::decode(&written[..at], attribute).chars().count();
            self.unencodable(before + 1)
        })
    }

    fn unencodable(&self, character: usize) -> PrintError {
        let path = Path::in_tree(self.steps.clone());
        PrintError::Unencodable { path, character, charset: self.target.name().to_owned() }
    }

    fn markup(&mut self, text: &str) -> Result<(), PrintError> {
        self.target.encode_into(text, &mut self.bytes).map_err(|at| self.unencodable(text[..at].chars().count() + 1))
    }
}

/// XML Schema part 1, section 2.6.2.
const NIL: &str = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"";
