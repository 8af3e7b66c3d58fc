//! Takes values out of a message before anything of it is kept: what must not be stored, such as one-time tokens of
//! insurance cards, is gone from the bytes, and every other byte stays. It is the one exception to keeping bytes whole.

use std::borrow::Cow;
use std::ops::Range;

use crate::message::Shape;
use crate::refusal::SetError;
use crate::{Element, Format, Message, Path, Presence, Step};

/// A message without the values that were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stripped {
    /// The bytes that are left; of a message that stands in another one those of the outermost.
    pub bytes: Vec<u8>,
    /// The places from which something was cut, in the order of the message.
    pub cut: Vec<Path>,
}

/// What is cut, what is written in its place so that the format stays whole, and where it was.
type Cut = (Range<u32>, &'static str, Path);

impl Message<'_> {
    /// Cuts out the values at these places and leaves every other byte alone. A place that is not there, or says nothing,
    /// is passed over. Of a tree, a step without an ordinal means all elements of that name; an element is cut with
    /// everything in it, its tags or its name stay. A segment or a row loses all its fields.
    ///
    /// ```
    /// use dukou_wire::{Limits, Path, json};
    ///
    /// let bytes = br#"{"cards":[{"no":"C1","balance":10.5},{"no":"C2","balance":0}]}"#;
    /// let (message, _) = json::parse(bytes, &Limits::default())?;
    /// let stripped = message.strip(&[Path::parse("/cards/balance")?, Path::parse("/token")?])?;
    /// assert_eq!(stripped.bytes, br#"{"cards":[{"no":"C1","balance":null},{"no":"C2","balance":null}]}"#);
    /// let cut: Vec<String> = stripped.cut.iter().map(Path::to_string).collect();
    /// assert_eq!(cut, ["/cards[1]/balance", "/cards[2]/balance"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When a path names the delimiters of the message, or a value cannot be cut out of the message around it. Nothing of
    /// the message may be kept then.
    pub fn strip(&self, paths: &[Path]) -> Result<Stripped, SetError> {
        let mut cuts: Vec<Cut> = Vec::new();
        for path in paths {
            match (&self.shape, path.steps()) {
                (Shape::Xml(_) | Shape::Json(_), Some(steps)) => self.cuts_of_tree(steps, &mut cuts),
                (Shape::Segments | Shape::Rows(_), None) => cuts.extend(self.cut_of_segment(path)?),
                _ => {}
            }
        }
        // An outer cut takes the ones inside along.
        cuts.sort_by_key(|(span, ..)| (span.start, std::cmp::Reverse(span.end)));
        let mut end = 0;
        cuts.retain(|(span, ..)| {
            let inside = span.end <= end;
            end = end.max(span.end);
            !inside
        });
        let replacements: Vec<_> = cuts.iter().map(|(span, left, _)| (span.clone(), Cow::Borrowed(*left))).collect();
        let bytes = self.rewritten(&replacements)?;
        Ok(Stripped { bytes, cut: cuts.into_iter().map(|(.., path)| path).collect() })
    }

    fn cuts_of_tree(&self, steps: &[Step], cuts: &mut Vec<Cut>) {
        let Some(root) = self.root() else { return };
        let mut elements = vec![root];
        let mut steps = steps;
        if self.format() == Format::Xml {
            match steps.split_first() {
                Some((Step::Element { name, ordinal: 0 | 1 }, rest)) if name == root.name() => steps = rest,
                _ => return,
            }
        }
        let (last, inner) = match steps.split_last() {
            Some((last @ (Step::Attribute { .. } | Step::Text { .. }), inner)) => (Some(last), inner),
            _ => (None, steps),
        };
        for step in inner {
            elements = elements.into_iter().flat_map(|element| reached(element, step)).collect();
        }
        for element in elements {
            match last {
                Some(Step::Attribute { name }) => cut_attributes(element, name, cuts),
                Some(Step::Text { ordinal }) => cut_runs(element, *ordinal, cuts),
                _ => cuts.extend(cut_of_element(element)),
            }
        }
    }

    fn cut_of_segment(&self, path: &Path) -> Result<Option<Cut>, SetError> {
        let Some(segment) = self.find(path) else { return Ok(None) };
        let field = self.rows().map_or(Some(path.field()), |rows| rows.field(path)).unwrap_or(0);
        if segment.is_header() && field <= 2 {
            return Err(SetError::NotAField);
        }
        let span = match (field, path.column()) {
            // A column that the file does not have.
            (0, Some(_)) => return Ok(None),
            (0, None) if segment.is_row() || segment.is_raw() => segment.span(),
            (0, None) => segment.span().start + 3..segment.span().end,
            _ => segment.node_at(field, path).span(),
        };
        // A row of one cell stays a row, where the format has a way to write an empty one.
        let left = if segment.is_row() && field > 0 && span == segment.span() && self.delimiters().escape == b'"' {
            "\"\""
        } else {
            ""
        };
        Ok((!span.is_empty() && self.text()[span.start as usize..span.end as usize] != *left)
            .then(|| (span, left, path.clone())))
    }
}

/// The elements that a step leads to; all of that name when it has no ordinal.
fn reached<'m>(element: Element<'m>, step: &Step) -> Vec<Element<'m>> {
    match step {
        Step::Element { name, ordinal: 0 } => element.children_named(name).collect(),
        Step::Array { ordinal: 0 } => element.children().collect(),
        _ => element.step_to(step).into_iter().collect(),
    }
}

/// XML keeps the tags, JSON a value of its kind that says nothing.
fn cut_of_element(element: Element<'_>) -> Option<Cut> {
    if element.message().format() == Format::Xml {
        let span = element.content().span();
        return (!span.is_empty()).then(|| (span, "", element.path()));
    }
    let span = element.span();
    let text = &element.message().text()[span.start as usize..span.end as usize];
    let left = match text.as_bytes().first() {
        Some(b'"') => "\"\"",
        Some(b'{') => "{}",
        Some(b'[') => "[]",
        _ => "null",
    };
    (text != left).then(|| (span, left, element.path()))
}

fn cut_attributes(element: Element<'_>, name: &str, cuts: &mut Vec<Cut>) {
    for attribute in element.attributes().filter(|a| a.name() == name || a.qualified_name() == name) {
        if attribute.value().presence() == Presence::Value {
            let mut steps = element.steps();
            steps.push(Step::Attribute { name: name.to_owned() });
            cuts.push((attribute.value().span(), "", Path::in_tree(steps)));
        }
    }
}

fn cut_runs(element: Element<'_>, ordinal: u32, cuts: &mut Vec<Cut>) {
    for (number, run) in (1..).zip(element.runs()) {
        if ordinal == 0 || ordinal == number {
            let mut steps = element.steps();
            steps.push(Step::Text { ordinal: number });
            cuts.push((run.span(), "", Path::in_tree(steps)));
        }
    }
}
