//! XML and JSON from nothing: elements in the order in which they are given.

mod json;
mod xml;

use crate::draft::PrintError;
use crate::refusal::SetError;
use crate::{Path, Step, Target};

pub(crate) use json::{write as write_json, write_member};
pub(crate) use xml::fragment;

/// A document that is being written. Values are plain text; escaping happens when it is printed.
///
/// ```
/// use dukou_wire::document::Document;
/// use dukou_wire::{Charset, Path, Target};
///
/// let mut document = Document::new("message");
/// document.set(&Path::parse("/message/head/jydm")?, "MZGH01")?;
/// document.set(&Path::parse("/message/body/row[1]/xm")?, "彭<䶮")?;
/// document.set(&Path::parse("/message/body/row[1]/@xh")?, "1")?;
/// document.set(&Path::parse("/message/body/row[2]/xm")?, "")?;
/// let bytes = document.print_xml(&Target::of(Charset::Utf8), None)?;
/// let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<message><head><jydm>MZGH01</jydm></head>\
///     <body><row xh=\"1\"><xm>彭&lt;䶮</xm></row><row><xm/></row></body></message>";
/// assert_eq!(String::from_utf8(bytes)?, expected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    root: ElementDraft,
}

/// An element that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElementDraft {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    /// The value is to be deleted: `xsi:nil` or a JSON null.
    null: bool,
    children: Vec<ElementDraft>,
    /// In JSON it is a value of an array even when it is the only one.
    listed: bool,
    /// Elements of one name may stand apart.
    scattered: bool,
}

impl Document {
    /// A document with this root element; of JSON the name does not count.
    #[must_use]
    pub fn new(root: &str) -> Self {
        Self { root: ElementDraft::new(root) }
    }

    /// The root element.
    pub fn root(&mut self) -> &mut ElementDraft {
        &mut self.root
    }

    /// Writes a value at a path that begins with the name of the root; what is missing on the way is made, in this order.
    ///
    /// # Errors
    /// When the path is not one through a tree, begins with another root, or is deeper than 64 steps.
    pub fn set(&mut self, path: &Path, text: &str) -> Result<(), SetError> {
        match path.steps().and_then(|steps| steps.split_first()) {
            Some((Step::Element { name, ordinal: 0 | 1 }, rest)) if *name == self.root.name => {
                self.root.set(rest, text)
            }
            _ => Err(SetError::NoSegment),
        }
    }

    /// The bytes as XML, with a declaration. `indent`: blanks a level, each element on its own line; `None` for one line.
    ///
    /// # Errors
    /// When a value cannot be written in XML or in the character set of the receiver.
    pub fn print_xml(&self, target: &Target, indent: Option<usize>) -> Result<Vec<u8>, PrintError> {
        xml::print(&self.root, target, indent)
    }

    /// The bytes as JSON in UTF-8: the content of the root. Attributes are not written. Elements of one name that stand
    /// side by side, or were set with an ordinal, are an array.
    #[must_use]
    pub fn print_json(&self) -> Vec<u8> {
        let mut text = String::new();
        json::write(&self.root, &mut text);
        text.into_bytes()
    }
}

impl ElementDraft {
    /// An element without anything in it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let (attributes, text, children) = (Vec::new(), String::new(), Vec::new());
        Self { name: name.to_owned(), attributes, text, null: false, children, listed: false, scattered: false }
    }

    /// Writes an attribute; one that is there already gets the new value.
    pub fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        match self.attributes.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.attributes.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Writes the character data, which stands before the elements inside.
    pub fn text(&mut self, text: &str) -> &mut Self {
        text.clone_into(&mut self.text);
        self
    }

    /// Says that the value is to be deleted.
    pub fn null(&mut self) -> &mut Self {
        self.null = true;
        self
    }

    /// Adds an element behind the others.
    pub fn push(&mut self, child: ElementDraft) -> &mut Self {
        self.scattered |= self.children.last().is_some_and(|last| last.name != child.name);
        self.children.push(child);
        self
    }

    /// The element inside of this name and 1-based ordinal; it and those before it are made when they are missing.
    pub fn child(&mut self, name: &str, ordinal: u32) -> &mut ElementDraft {
        let wanted = ordinal.max(1) as usize;
        let first = self.children.iter().position(|child| child.name == name).unwrap_or(self.children.len());
        // Elements of one name stand together, unless they were pushed one by one.
        let is_named = |at: usize| self.children.get(at).is_some_and(|child| child.name == name);
        if !self.scattered && is_named(first + wanted - 1) {
            return &mut self.children[first + wanted - 1];
        }
        let mut places: Vec<usize> = (first..self.children.len()).filter(|&at| is_named(at)).take(wanted).collect();
        while places.len() < wanted {
            let at = places.last().map_or(self.children.len(), |last| last + 1);
            self.children.insert(at, ElementDraft::new(name));
            places.push(at);
        }
        &mut self.children[places[wanted - 1]]
    }

    /// Writes a value at the end of these steps.
    ///
    /// # Errors
    /// When a step cannot be made, or there are more than 64.
    pub fn set(&mut self, steps: &[Step], text: &str) -> Result<(), SetError> {
        if steps.len() > STEPS_MAX {
            return Err(SetError::NotAField);
        }
        let mut element = self;
        for step in steps {
            element = match step {
                Step::Element { ordinal, .. } | Step::Array { ordinal } if *ordinal > CHILDREN_MAX => {
                    return Err(SetError::NotAField);
                }
                Step::Element { name, ordinal } => {
                    let child = element.child(name, *ordinal);
                    child.listed |= *ordinal > 0;
                    child
                }
                Step::Array { ordinal } => {
                    let child = element.child("", *ordinal);
                    child.listed = true;
                    child
                }
                Step::Attribute { name } => {
                    element.attribute(name, text);
                    return Ok(());
                }
                Step::Text { .. } => break,
            };
        }
        element.text(text);
        Ok(())
    }
}

const STEPS_MAX: usize = 64;
/// No one writes more elements of one name by their number.
const CHILDREN_MAX: u32 = 100_000;
