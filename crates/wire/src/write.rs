//! Where and how a value is written into a message that has no ER7 segments.

use std::ops::Range;

use crate::document::{self, ElementDraft};
use crate::message::Shape;
use crate::refusal::SetError;
use crate::{Element, Message, Path, Presence, Step, json, xml};

/// The span of the text that a value replaces, and what is written there.
pub(crate) fn place(message: &Message<'_>, path: &Path, value: &str) -> Result<(Range<u32>, String), SetError> {
    match (&message.shape, path.steps()) {
        (Shape::Rows(_), None) => cell(message, path, value),
        (Shape::Xml(_), Some(steps)) => in_xml(message, path, steps, value),
        (Shape::Json(_), Some(steps)) => in_json(message, steps, value),
        _ => Err(SetError::NoSegment),
    }
}

fn in_xml(message: &Message<'_>, path: &Path, steps: &[Step], value: &str) -> Result<(Range<u32>, String), SetError> {
    if !value.chars().all(xml::is_writable) {
        return Err(SetError::Unencodable);
    }
    let (element, missing) = message.root().and_then(|root| root.walk_far(steps)).ok_or(SetError::NoSegment)?;
    match missing {
        [] if element.is_leaf() => Ok(content(message, element, value)),
        [] => Err(SetError::NotAField),
        [Step::Attribute { name }] if xml::is_name(name) => Ok(attribute(message, element, name, value)),
        [Step::Text { .. }] => {
            let node = message.get(path).filter(|node| node.presence() == Presence::Value);
            let node = node.ok_or(SetError::NoSegment)?;
            Ok((node.span(), xml::escape(value, false).into_owned()))
        }
        _ => insertion(element, None, &[draft(element, missing, value)?]),
    }
}

/// What is missing below an element, as a draft. An ordinal beyond the next one would leave a gap.
fn draft(element: Element<'_>, missing: &[Step], value: &str) -> Result<ElementDraft, SetError> {
    let (name, ordinal) = match missing.first() {
        Some(Step::Element { name, ordinal }) => (name.as_str(), *ordinal),
        Some(Step::Array { ordinal }) => ("", *ordinal),
        _ => return Err(SetError::NoSegment),
    };
    if ordinal.max(1) as usize > element.children_named(name).count() + 1 {
        return Err(SetError::NoSegment);
    }
    let mut draft = ElementDraft::new(name);
    draft.set(&missing[1..], value)?;
    Ok(draft)
}

/// Where new elements go within an element, and their text: before one of its elements, or behind all. Elements that
/// stand each on its own line are followed by others that do.
pub(crate) fn insertion(
    parent: Element<'_>,
    before: Option<Element<'_>>,
    drafts: &[ElementDraft],
) -> Result<(Range<u32>, String), SetError> {
    let text = parent.message().text();
    let mut fragments = Vec::with_capacity(drafts.len());
    for draft in drafts {
        fragments.push(document::fragment(draft).map_err(|_| SetError::NotAField)?);
    }
    if let Some(sibling) = before.or_else(|| parent.children().last()) {
        let span = sibling.span();
        let blanks = blanks_before(text, span.start);
        let at = if before.is_some() { span.start } else { span.end };
        let pieces = fragments.iter().map(|fragment| match before {
            Some(_) => format!("{fragment}{blanks}"),
            None => format!("{blanks}{fragment}"),
        });
        return Ok((at..at, pieces.collect()));
    }
    let written = fragments.concat();
    let span = parent.content().span();
    if !parent.value().says_nothing() {
        return Err(SetError::NotAField);
    }
    if !parent.has_end_tag() && text[..span.start as usize].ends_with("/>") {
        return Ok((span.start - 2..span.start, format!(">{written}</{}>", parent.qualified_name())));
    }
    Ok((span, written))
}

/// The blanks before a place, when they begin a new line there.
fn blanks_before(text: &str, at: u32) -> &str {
    let before = &text[..at as usize];
    let blanks = &before[before.trim_end_matches([' ', '\t', '\r', '\n']).len()..];
    let line = blanks.rfind('\n').map_or(0, |at| at - usize::from(blanks[..at].ends_with('\r')));
    if blanks.contains('\n') { &blanks[line..] } else { "" }
}

/// The value of an attribute, which is added behind the last one when the element has none of that name.
fn attribute(message: &Message<'_>, element: Element<'_>, name: &str, value: &str) -> (Range<u32>, String) {
    let node = element.attribute(name);
    let span = node.span();
    let written = xml::escape(value, true);
    if node.presence() == Presence::Absent {
        let at = element.tag_name_end();
        return (at..at, format!(" {name}=\"{written}\""));
    }
    let before = message.text().as_bytes().get((span.start as usize).wrapping_sub(1));
    match before {
        Some(b'"') => (span, written.into_owned()),
        Some(b'\'') => (span, written.replace('\'', "&apos;")),
        Some(b'=' | b' ') => (span, format!("\"{written}\"")),
        _ => (span, format!("=\"{written}\"")),
    }
}

/// The character data of an element without elements inside. `<a/>` is opened, and a mark that the element is nil is
/// taken away.
fn content(message: &Message<'_>, element: Element<'_>, value: &str) -> (Range<u32>, String) {
    let span = element.content().span();
    let written = xml::escape(value, false);
    let text = message.text();
    let opens = !element.has_end_tag() && text[..span.start as usize].ends_with("/>");
    let (tag_end, written) = match opens && !value.is_empty() {
        true => (span.start - 2, format!(">{written}</{}>", element.qualified_name())),
        false => (span.start, written.into_owned()),
    };
    let Some(mark) = element.nil_mark().filter(|_| !value.is_empty()) else { return (tag_end..span.end, written) };
    let before = &text[..mark.start as usize];
    let start = before.trim_end_matches([' ', '\t', '\r', '\n']).len();
    (start as u32..span.end, format!("{}{written}", &text[mark.end as usize..tag_end as usize]))
}

/// A scalar stays what it is where the new text can be one of its kind: a number stays a number.
fn in_json(message: &Message<'_>, steps: &[Step], value: &str) -> Result<(Range<u32>, String), SetError> {
    let (element, missing) = message.root().and_then(|root| root.walk_far(steps)).ok_or(SetError::NoSegment)?;
    if !missing.is_empty() {
        return member(element, missing, value);
    }
    if !element.is_leaf() {
        return Err(SetError::NotAField);
    }
    let span = element.span();
    let was = &message.text()[span.start as usize..span.end as usize];
    let stays = json::stays_literal(was, value);
    Ok((span, if stays { value.to_owned() } else { format!("\"{}\"", json::escape(value)) }))
}

/// A member that is missing is added behind the others, a value of an array behind those that are there.
fn member(parent: Element<'_>, missing: &[Step], value: &str) -> Result<(Range<u32>, String), SetError> {
    let text = parent.message().text();
    let draft = draft(parent, missing, value)?;
    let mut written = String::new();
    if let Some(last) = listed(parent, &missing[0]) {
        written.push(',');
        document::write_json(&draft, &mut written);
        return Ok((last..last, written));
    }
    let span = parent.span();
    let whole = &text[span.start as usize..span.end as usize];
    if let Step::Element { name, .. } = &missing[0]
        && let Some(at) = json::empty_array(whole, name)
    {
        document::write_json(&draft, &mut written);
        return Ok((span.start + at..span.start + at, written));
    }
    let is_list = matches!(missing[0], Step::Array { .. });
    if !whole.starts_with(if is_list { '[' } else { '{' }) {
        return Err(SetError::NotAField);
    }
    let inside = whole[..whole.len() - 1].trim_end_matches([' ', '\t', '\r', '\n']);
    if inside.len() > 1 {
        written.push(',');
    }
    match &missing[0] {
        Step::Element { ordinal, .. } => document::write_member(draft, *ordinal > 0, &mut written),
        _ => document::write_json(&draft, &mut written),
    }
    let at = span.start + inside.len() as u32;
    Ok((at..at, written))
}

/// The end of the last value of the array that a step names, when there is one already.
fn listed(parent: Element<'_>, step: &Step) -> Option<u32> {
    let Step::Element { name, .. } = step else { return None };
    let last = parent.children_named(name).last()?;
    last.is_listed().then(|| last.span().end)
}

/// A cell or a part of one. Quotation marks are added where the value needs them, and stay where they are.
fn cell(message: &Message<'_>, path: &Path, value: &str) -> Result<(Range<u32>, String), SetError> {
    let (Some(rows), Some(row)) = (message.rows(), message.find(path)) else { return Err(SetError::NoSegment) };
    let number = rows.field(path).filter(|&number| number > 0).ok_or(SetError::NotAField)?;
    let delimiters = message.delimiters();
    let sub = [delimiters.repetition, delimiters.component, delimiters.subcomponent];
    if value.bytes().any(|b| b != 0 && sub.contains(&b)) {
        return Err(SetError::Unescapable);
    }
    let place = row.path().at(number, path.repetition(), path.component(), path.subcomponent());
    let (span, fill) = row.place(&place, delimiters).ok_or(SetError::LevelOff)?;
    let quote = char::from(delimiters.escape);
    let doubled = |text: &str| text.replace(quote, &format!("{quote}{quote}"));
    let cell = row.field(number).span();
    let text = message.text();
    if cell.start > row.span().start && text[..cell.start as usize].ends_with(quote) && row.entry().has_escapes() {
        return Ok((span, fill + &doubled(value)));
    }
    let special = |b: u8| b == delimiters.field || matches!(b, b'\r' | b'\n') || (b != 0 && b == delimiters.escape);
    // A line of blanks alone would be no row.
    let whole = row.span();
    let rest = [&text[whole.start as usize..span.start as usize], &text[span.end as usize..whole.end as usize]];
    let blank = [rest[0], &fill, value, rest[1]].iter().all(|part| part.bytes().all(|b| b <= b' '));
    if !blank && !value.bytes().any(special) {
        return Ok((span, fill + value));
    }
    if delimiters.escape == 0 {
        return Err(SetError::Unescapable);
    }
    if number > row.field_count() {
        return Ok((span, format!("{fill}{quote}{}{quote}", doubled(value))));
    }
    // Quotation marks stand around the whole cell, so all of it is written anew.
    let (before, after) =
        (&text[cell.start as usize..span.start as usize], &text[span.end as usize..cell.end as usize]);
    Ok((cell, format!("{quote}{}{fill}{}{}{quote}", doubled(before), doubled(value), doubled(after))))
}
