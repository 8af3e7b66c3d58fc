//! A document made of a view alone: its resources take places in records, the rules of a map run backward, and what they
//! say is written in the order of the template, or in that of the rules.

use std::borrow::Cow;

use dukou_fhir::Value;
use dukou_wire::document::Document;
use dukou_wire::{Charset, Element, Path, RowKind as Kind, Step, Target, delimited};

use super::draft::Draft;
use super::hints::Hints;
use super::outbound::{FromFhirError, Outbound, Written};
use super::print::{leaves, says};
use super::record::{NewPlace, Seating};
use super::run::Back;
use super::tally::tally;
use super::template;
use super::tree::{Places, SharedPlaces};
use super::view::View;
use crate::plan::{MapPlan, Program, TreeStart, TreeStepPlan};
use crate::source_head::parse_template;
use crate::source_plan::{RowsSource, SourcePlan, TreeSource};

impl Program {
    pub(crate) fn create_document(
        &self,
        map: &MapPlan,
        view: &Value<'_>,
        outbound: &Outbound<'_>,
    ) -> Result<Written, FromFhirError> {
        let name = if outbound.charset.is_empty() { map.documents.encoding.as_deref() } else { Some(outbound.charset) };
        let target = match name {
            None => Target::of(Charset::Utf8),
            Some(name) => Target::named(name).ok_or_else(|| FromFhirError::Charset(name.to_owned()))?,
        };
        let shown = View::new(view);
        if shown.resources.is_empty() {
            return Err(FromFhirError::Empty);
        }
        let mut seating = Seating::new(map);
        seating.records(&shown);
        let Seating { seats, places_of, records, .. } = seating;
        let mut places = Places::of(self, None);
        places.record_of = records;
        let mut back = Back {
            program: self,
            view: shown,
            draft: draft(places_of.len()),
            version: "",
            hints: Hints::default(),
            places: SharedPlaces::new(places),
            resource: None,
            marks: Vec::new(),
            issues: Vec::new(),
        };
        back.run(&seats);
        back.explain_links(&seats);
        let bytes = match &map.documents.source {
            SourcePlan::Rows(rows) => print_rows(&back, rows, &places_of, &target),
            SourcePlan::Tree(tree) => print_tree(&back, map, tree, &places_of, &target),
            SourcePlan::Segments => Ok(Vec::new()),
        }
        .map_err(FromFhirError::New)?;
        back.unseated(&seats);
        let accounts = tally(&back.view, &mut back.marks);
        Ok(Written { bytes, accounts, issues: back.issues })
    }
}

/// An empty draft with so many places; the first is the document itself.
fn draft<'v>(count: usize) -> Draft<'v> {
    let mut draft = Draft::flat(std::iter::once(Cow::Borrowed("document")));
    for _ in 1..count {
        draft.add_flat(Cow::Borrowed("place"));
    }
    draft
}

fn print_rows(
    back: &Back<'_>,
    rows: &RowsSource,
    places: &[NewPlace],
    target: &Target,
) -> Result<Vec<u8>, dukou_wire::draft::PrintError> {
    let mut draft = delimited::Draft::new(&rows.layout);
    for (segment, place) in (0u32..).zip(places).skip(1) {
        let written = leaves(&back.draft, segment);
        if !says(&written) {
            continue;
        }
        for one in &written {
            let spot = one.spot;
            let alone = written.iter().filter(|other| other.spot.field == spot.field).count() == 1;
            let parts = (spot.repetition, spot.component, if spot.subcomponent == 1 { 0 } else { spot.subcomponent });
            let (repetition, component, subcomponent) = if alone && parts == (1, 1, 0) { (0, 0, 0) } else { parts };
            let path = Path::of_row(Kind::Row, place.row).at(spot.field, repetition, component, subcomponent);
            // A column that the layout does not have is none that a rule could name.
            let _set = draft.set(&path, &one.text);
        }
    }
    draft.print(target)
}

/// One value of the new document: its steps and its text; a weak one gives way to any other.
struct Line {
    steps: Vec<(String, u32)>,
    attribute: Option<String>,
    text: String,
    weak: bool,
}

fn print_tree(
    back: &Back<'_>,
    map: &MapPlan,
    tree: &TreeSource,
    places: &[NewPlace],
    target: &Target,
) -> Result<Vec<u8>, dukou_wire::draft::PrintError> {
    let mut lines = Vec::new();
    for (segment, place) in (0u32..).zip(places) {
        for one in leaves(&back.draft, segment) {
            said(back, place, one, &mut lines);
        }
    }
    let template = tree.template.as_ref().and_then(|text| parse_template(text, tree.json).ok());
    let shown = template.as_ref().and_then(|(message, _)| message.root());
    if let Some(root) = shown {
        samples(root, tree, places, &mut lines);
    }
    let order = template::Order::new(map, shown);
    // What rules say stands before what the template shows at the same place.
    lines.sort_by_cached_key(|line| (order.rank(&line.steps, line.attribute.as_deref()), line.weak));
    lines.dedup_by(|next, kept| next.weak && same_steps(&next.steps, &kept.steps) && next.attribute == kept.attribute);
    let root = tree.roots.first().and_then(|names| names.first()).map_or("document", String::as_str);
    let mut document = Document::new(if tree.json { "" } else { root });
    if let Some(namespace) = shown.and_then(|root| root.namespace()) {
        document.root().attribute("xmlns", &namespace);
    }
    for line in lines {
        let names = if tree.json { line.steps.as_slice() } else { line.steps.get(1..).unwrap_or_default() };
        let step = |(name, ordinal): &(String, u32)| Step::Element { name: name.clone(), ordinal: *ordinal };
        let mut steps: Vec<Step> = names.iter().map(step).collect();
        steps.extend(line.attribute.iter().map(|name| Step::Attribute { name: name.clone() }));
        // Deeper than a document may be is nothing that a rule could name.
        let _set = document.root().set(&steps, &line.text);
    }
    if tree.json {
        return Ok(document.print_json());
    }
    let indented = tree.template.as_ref().is_none_or(|text| text.trim().contains("\n  <") || text.contains("\n\t<"));
    document.print_xml(target, indented.then_some(2))
}

/// Whether two ways lead to the same element: a name without a number is the first.
fn same_steps(one: &[(String, u32)], two: &[(String, u32)]) -> bool {
    let same = |(one, two): (&(String, u32), &(String, u32))| one.0 == two.0 && one.1.max(1) == two.1.max(1);
    one.len() == two.len() && one.iter().zip(two).all(same)
}

/// What a rule says, with what its selectors ask for.
fn said(back: &Back<'_>, place: &NewPlace, one: &super::draft::Written<'_>, lines: &mut Vec<Line>) {
    let spot = one.spot;
    // Text of a document has no parts.
    if spot.subcomponent > 1 {
        return;
    }
    let prefix = usize::from(spot.field).checked_sub(1).and_then(|at| back.places.prefixes.get(at));
    let suffix = usize::from(spot.component).checked_sub(1).and_then(|at| back.places.suffixes.get(at));
    let (Some((start, prefix)), Some(suffix)) = (prefix, suffix) else { return };
    let ups = match start {
        TreeStart::Own(ups) | TreeStart::Record(ups) => usize::from(*ups),
        TreeStart::Document => 0,
    };
    let Some(kept) = place.steps.len().checked_sub(ups) else { return };
    let mut steps = place.steps[..kept].to_vec();
    let last = prefix.len().saturating_sub(1);
    for (at, step) in prefix.iter().enumerate() {
        steps.push((step.name.clone(), if at == last { u32::from(spot.repetition) } else { 0 }));
        demanded(step, &steps, lines);
    }
    for step in &suffix.steps {
        let ordinal = match step.position {
            crate::plan::Position::Nth(number) if step.filters.is_empty() && number > 1 => u32::from(number),
            _ => 0,
        };
        steps.push((step.name.clone(), ordinal));
        demanded(step, &steps, lines);
    }
    lines.push(Line { steps, attribute: suffix.attribute.clone(), text: one.text.clone().into_owned(), weak: false });
}

fn demanded(step: &TreeStepPlan, around: &[(String, u32)], lines: &mut Vec<Line>) {
    for filter in step.filters.iter().filter(|filter| !filter.negate) {
        let below = filter.path.iter().map(|name| (name.clone(), 0));
        let steps: Vec<(String, u32)> = around.iter().cloned().chain(below).collect();
        lines.push(Line { steps, attribute: filter.attribute.clone(), text: filter.value.clone(), weak: false });
    }
}

/// What the template shows: constants and empty elements, once for each place in which they stand. What it leaves open
/// gives names and their order alone.
fn samples(root: Element<'_>, tree: &TreeSource, places: &[NewPlace], lines: &mut Vec<Line>) {
    for element in std::iter::once(root).chain(root.descendants()) {
        let mut names: Vec<String> = element.ancestors().map(|one| one.name().to_owned()).collect();
        names.reverse();
        if tree.json {
            names.remove(0);
        }
        let leads = |place: &&NewPlace| {
            place.steps.len() <= names.len() && place.steps.iter().zip(&names).all(|((one, _), two)| one == two)
        };
        let depth = places.iter().filter(leads).map(|place| place.steps.len()).max().unwrap_or(0);
        // What stands in a place that no resource has is left out.
        for place in places.iter().filter(leads).filter(|place| place.steps.len() == depth) {
            let below = names[depth..].iter().map(|name| (name.clone(), 0));
            let steps: Vec<(String, u32)> = place.steps.iter().cloned().chain(below).collect();
            for attribute in element.attributes() {
                let text = attribute.value().text().into_owned();
                if text == OPEN {
                    continue;
                }
                let attribute = Some(attribute.name().to_owned());
                lines.push(Line { steps: steps.clone(), attribute, text, weak: true });
            }
            let text = element.value().text();
            if element.is_leaf() && !steps.is_empty() && text != OPEN {
                lines.push(Line { steps, attribute: None, text: text.into_owned(), weak: true });
            }
        }
    }
}

/// What stands in a template for a value that only resources have.
const OPEN: &str = "?";
