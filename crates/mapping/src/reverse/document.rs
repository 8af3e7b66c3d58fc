//! The difference of two drafts over one document, written into it: what does not differ stays byte for byte, blanks
//! around a value among it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use dukou_fhir::{Issue, IssueType, Severity, Text};
use dukou_wire::document::ElementDraft;
use dukou_wire::{Element, Format, Message, Node, Path, Presence, SetError, Step, xml};

use super::change::preferred;
use super::draft::{Spot, Written};
use super::print::leaves;
use super::run::Back;
use super::tree::{Leaf, Places};
use crate::plan::{Program, TreeStepPlan};
use crate::rule::StepKind;

/// A document after a change.
pub(crate) struct Changed {
    pub(crate) bytes: Vec<u8>,
    /// What could not be written, by its place.
    pub(crate) issues: Vec<Issue>,
}

/// Writes into a document what one draft says otherwise than the other.
pub(crate) fn changes(
    program: &Program,
    message: &Message<'_>,
    was: &Back<'_>,
    is: &Back<'_>,
) -> Result<Changed, SetError> {
    let mut edits =
        Edits { program, message, places: &is.places, spans: Vec::new(), added: BTreeMap::new(), issues: Vec::new() };
    for segment in 0..is.draft.segments.len() as u32 {
        let before: BTreeMap<Spot, &Written<'_>> =
            leaves(&was.draft, segment).into_iter().map(|one| (one.spot, one)).collect();
        let after = preferred(&was.draft, &is.draft, segment);
        let spots: BTreeSet<Spot> = before.keys().chain(after.keys()).copied().collect();
        let differing = spots.into_iter().filter_map(|spot| {
            let (old, new) =
                (before.get(&spot).map(|one| one.text.as_ref()), after.get(&spot).map(|one| one.text.as_ref()));
            (old != new).then_some(Difference { spot, old, new })
        });
        let differing: Vec<Difference<'_>> = differing.collect();
        match message.format() {
            Format::Delimited => edits.row(segment, &differing)?,
            _ => differing.iter().try_for_each(|one| edits.tree(one))?,
        }
    }
    edits.finish()
}

/// A place whose text changes; nothing where it has none.
struct Difference<'d> {
    spot: Spot,
    old: Option<&'d str>,
    new: Option<&'d str>,
}

/// Where new elements go: the number of the element around them, and that of the one before which they stand.
type Gap = (usize, Option<usize>);

/// A new element by its name and repetition.
type Added = ((String, u16), ElementDraft);

struct Edits<'e> {
    program: &'e Program,
    message: &'e Message<'e>,
    places: &'e Places,
    spans: Vec<(Range<u32>, String)>,
    /// New elements by their gap, each with its name and repetition.
    added: BTreeMap<Gap, Vec<Added>>,
    issues: Vec<Issue>,
}

impl<'e> Edits<'e> {
    fn tree(&mut self, one: &Difference<'_>) -> Result<(), SetError> {
        // Text of a document has no parts.
        if one.spot.subcomponent > 1 {
            self.unplaced(one.spot);
            return Ok(());
        }
        match self.places.leaf(self.message, one.spot) {
            Some(Leaf::There(node)) => {
                let text = with_blanks(node, one);
                let path = self.path_of(node);
                let edit = match path {
                    Some(path) => self.message.replacement(&path, &text)?,
                    None => (node.span(), xml::escape(&text, false).into_owned()),
                };
                self.spans.push(edit);
            }
            Some(Leaf::Missing(parent, steps, attribute)) => {
                if let Some(text) = one.new {
                    self.add(parent, &steps, attribute.as_deref(), text, one.spot)?;
                }
            }
            None => self.unplaced(one.spot),
        }
        Ok(())
    }

    /// The path of a leaf of the document.
    fn path_of(&self, node: Node<'e>) -> Option<Path> {
        let at = node.span().start;
        let opens = |number: usize| self.message.element(number).is_some_and(|element| element.span().start <= at);
        let (mut low, mut high) = (0, self.message.root()?.subtree_end());
        while low < high {
            let middle = low + (high - low) / 2;
            if opens(middle) { low = middle + 1 } else { high = middle }
        }
        let element = self.message.element(low.checked_sub(1)?)?;
        let element = element.ancestors().find(|element| element.span().end >= at)?;
        let path = element.path();
        let attribute = element.attributes().find(|attribute| attribute.value().span().start == at);
        let Some(attribute) = attribute else { return Some(path) };
        let mut steps = path.steps()?.to_vec();
        steps.push(Step::Attribute { name: attribute.name().to_owned() });
        Some(Path::in_tree(steps))
    }

    /// Makes what is missing below an element. Elements stand where the template, or the order of the rules, puts them.
    fn add(
        &mut self,
        parent: Element<'e>,
        steps: &[TreeStepPlan],
        attribute: Option<&str>,
        text: &str,
        spot: Spot,
    ) -> Result<(), SetError> {
        let Some((first, rest)) = steps.split_first() else {
            let Some(name) = attribute else { return Ok(()) };
            let mut path = parent.path().steps().unwrap_or_default().to_vec();
            path.push(Step::Attribute { name: name.to_owned() });
            self.spans.push(self.message.replacement(&Path::in_tree(path), text)?);
            return Ok(());
        };
        if steps.iter().any(|step| step.kind != StepKind::Child) {
            self.unplaced(spot);
            return Ok(());
        }
        if self.message.format() == Format::Json {
            let mut path = parent.path().steps().unwrap_or_default().to_vec();
            path.extend(steps.iter().map(|step| Step::Element { name: step.name.clone(), ordinal: 0 }));
            match self.message.replacement(&Path::in_tree(path), text) {
                Ok(edit) => self.spans.push(edit),
                Err(_) => self.unplaced(spot),
            }
            return Ok(());
        }
        let order = super::template::order(self.program, self.message, parent);
        let rank = |name: &str| order.iter().position(|known| known == name);
        let own = rank(&first.name);
        let before =
            own.and_then(|own| parent.children().find(|child| rank(child.name()).is_some_and(|other| other > own)));
        let drafts = self.added.entry((parent.index(), before.map(|element| element.index()))).or_default();
        let key = (first.name.clone(), spot.repetition);
        let at = drafts.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            drafts.push((key, made(first)));
            drafts.len() - 1
        });
        let mut below: Vec<Step> =
            rest.iter().map(|step| Step::Element { name: step.name.clone(), ordinal: 0 }).collect();
        below.extend(attribute.map(|name| Step::Attribute { name: name.to_owned() }));
        drafts[at].1.set(&below, text)
    }

    /// The cells of a row that differ; a cell with parts is put together anew.
    fn row(&mut self, segment: u32, differing: &[Difference<'_>]) -> Result<(), SetError> {
        let Some(row) = self.places.row(self.message, segment) else { return Ok(()) };
        let mut cells: BTreeMap<u16, Vec<&Difference<'_>>> = BTreeMap::new();
        for one in differing {
            cells.entry(self.places.column(row, one.spot.field)).or_default().push(one);
        }
        for (number, differences) in cells {
            let cell = row.field(number);
            let path = row.path().at(number, 0, 0, 0);
            let plain = |one: &&Difference<'_>| {
                (one.spot.repetition, one.spot.component, one.spot.subcomponent) == (1, 1, 1) && cell.is_plain()
            };
            if let [one] = differences.as_slice()
                && plain(one)
            {
                let text = with_blanks(cell.first_leaf(), one);
                self.spans.push(self.message.replacement(&path, &text)?);
                continue;
            }
            let mut parts: BTreeMap<(u16, u16, u16), String> = BTreeMap::new();
            for (repetition, one) in (1u16..).zip(cell.children()) {
                for (component, part) in (1u16..).zip(one.children()) {
                    for (subcomponent, leaf) in (1u16..).zip(part.children()) {
                        parts.insert((repetition, component, subcomponent), leaf.text().into_owned());
                    }
                }
            }
            for one in differences {
                let place = (one.spot.repetition, one.spot.component, one.spot.subcomponent);
                parts.insert(place, one.new.unwrap_or_default().to_owned());
            }
            let span = cell.span();
            self.spans.push((span.clone(), self.quoted(&self.joined(&parts)?, span)?));
        }
        Ok(())
    }

    /// The parts of a cell between their delimiters.
    fn joined(&self, parts: &BTreeMap<(u16, u16, u16), String>) -> Result<String, SetError> {
        let delimiters = self.message.delimiters();
        let (mut text, mut at) = (String::new(), (1, 1, 1));
        for ((repetition, component, subcomponent), part) in parts.iter().filter(|(_, part)| !part.is_empty()) {
            let mut step = |to: u16, from: &mut u16, delimiter: u8| {
                let count = usize::from(to.saturating_sub(*from));
                if count > 0 && delimiter == 0 {
                    return Err(SetError::LevelOff);
                }
                text.extend(std::iter::repeat_n(char::from(delimiter), count));
                *from = to;
                Ok(count > 0)
            };
            if step(*repetition, &mut at.0, delimiters.repetition)? {
                (at.1, at.2) = (1, 1);
            }
            if step(*component, &mut at.1, delimiters.component)? {
                at.2 = 1;
            }
            step(*subcomponent, &mut at.2, delimiters.subcomponent)?;
            let splits = [delimiters.repetition, delimiters.component, delimiters.subcomponent];
            if part.bytes().any(|byte| byte != 0 && splits.contains(&byte)) {
                return Err(SetError::Unescapable);
            }
            text.push_str(part);
        }
        Ok(text)
    }

    /// The text of a cell with quotation marks where it needs them and has none.
    fn quoted(&self, text: &str, span: Range<u32>) -> Result<String, SetError> {
        let delimiters = self.message.delimiters();
        let quote = char::from(delimiters.escape);
        let marked = delimiters.escape != 0 && self.message.text()[..span.start as usize].ends_with(quote);
        let special = text.bytes().any(|byte| byte == delimiters.field || matches!(byte, b'\r' | b'\n'))
            || (delimiters.escape != 0 && text.contains(quote));
        match (special, marked) {
            (false, _) => Ok(text.to_owned()),
            (true, _) if delimiters.escape == 0 => Err(SetError::Unescapable),
            (true, true) => Ok(text.replace(quote, &format!("{quote}{quote}"))),
            (true, false) => Ok(format!("{quote}{}{quote}", text.replace(quote, &format!("{quote}{quote}")))),
        }
    }

    fn unplaced(&mut self, spot: Spot) {
        let text = Text::new("the document has no room for a value of the view", "该文档没有存放此值的位置");
        let issue = Issue::new(Severity::Warning, IssueType::NotSupported, "no-place", text);
        let element = self.message.element(spot.segment as usize).map(|element| element.path().to_string());
        self.issues.push(issue.at(element.unwrap_or_default()));
    }

    fn finish(mut self) -> Result<Changed, SetError> {
        for ((parent, before), drafts) in std::mem::take(&mut self.added) {
            let Some(parent) = self.message.element(parent) else { continue };
            let order = super::template::order(self.program, self.message, parent);
            let rank = |name: &str| order.iter().position(|known| known == name).unwrap_or(usize::MAX);
            let mut drafts = drafts;
            drafts.sort_by_key(|((name, repetition), _)| (rank(name), *repetition));
            let drafts: Vec<ElementDraft> = drafts.into_iter().map(|(_, draft)| draft).collect();
            let before = before.and_then(|at| self.message.element(at));
            self.spans.push(xml::insertion(parent, before, &drafts)?);
        }
        if self.spans.is_empty() {
            return Ok(Changed { bytes: self.message.raw().to_vec(), issues: self.issues });
        }
        self.spans.sort_by_key(|(span, _)| (span.start, span.end));
        // Two rules for one place say the same, or the first one counts.
        self.spans.dedup_by(|next, kept| next.0 == kept.0 && !next.0.is_empty());
        Ok(Changed { bytes: self.message.rewrite(&self.spans)?, issues: self.issues })
    }
}

/// The new text with the blanks that stand around the old one, where the rule took the value without them.
fn with_blanks(node: Node<'_>, one: &Difference<'_>) -> String {
    let new = one.new.unwrap_or_default();
    if node.presence() != Presence::Value || new.is_empty() {
        return new.to_owned();
    }
    let text = node.text();
    let trimmed = text.trim();
    if one.old != Some(trimmed) || trimmed.len() == text.len() {
        return new.to_owned();
    }
    let lead = text.len() - text.trim_start().len();
    let trail = text.trim_end().len();
    format!("{}{new}{}", &text[..lead], &text[trail..])
}

/// A new element with what its selector asks for.
fn made(step: &TreeStepPlan) -> ElementDraft {
    let mut draft = ElementDraft::new(&step.name);
    for filter in step.filters.iter().filter(|filter| !filter.negate) {
        let mut steps: Vec<Step> =
            filter.path.iter().map(|name| Step::Element { name: name.clone(), ordinal: 0 }).collect();
        steps.extend(filter.attribute.iter().map(|name| Step::Attribute { name: name.clone() }));
        // A selector of more than 64 steps selects nothing either.
        let _made = draft.set(&steps, &filter.value);
    }
    draft
}
