//! Where and how a value is written into a message that has no ER7 segments.

use std::ops::Range;

use crate::message::{SetError, Shape};
use crate::{Element, Message, Path, Presence, Step, json, xml};

/// The span of the text that a value replaces, and what is written there.
pub(crate) fn place(message: &Message<'_>, path: &Path, value: &str) -> Result<(Range<u32>, String), SetError> {
    match (&message.shape, path.steps()) {
        (Shape::Rows(_), None) => cell(message, path, value),
        (Shape::Xml(_), Some(steps)) => in_xml(message, path, steps, value),
        (Shape::Json(_), Some(_)) => in_json(message, path, value),
        _ => Err(SetError::NoSegment),
    }
}

fn in_xml(message: &Message<'_>, path: &Path, steps: &[Step], value: &str) -> Result<(Range<u32>, String), SetError> {
    let element = message.find_element(path).ok_or(SetError::NoSegment)?;
    match steps.last() {
        Some(Step::Attribute { name }) => Ok(attribute(message, element, name, value)),
        Some(Step::Text { .. }) => {
            let node = message.get(path).filter(|node| node.presence() == Presence::Value);
            let node = node.ok_or(SetError::NoSegment)?;
            Ok((node.span(), xml::escape(value, false).into_owned()))
        }
        _ if !element.is_leaf() => Err(SetError::NotAField),
        _ => Ok(content(message, element, value)),
    }
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

/// The character data of an element without elements inside. `<a/>` is opened.
fn content(message: &Message<'_>, element: Element<'_>, value: &str) -> (Range<u32>, String) {
    let span = element.content().span();
    let written = xml::escape(value, false);
    let tag = &message.text()[..span.start as usize];
    if element.has_end_tag() || value.is_empty() || !tag.ends_with("/>") {
        return (span, written.into_owned());
    }
    (span.start - 2..span.start, format!(">{written}</{}>", element.qualified_name()))
}

/// A scalar stays what it is where the new text can be one of its kind: a number stays a number.
fn in_json(message: &Message<'_>, path: &Path, value: &str) -> Result<(Range<u32>, String), SetError> {
    let element = message.find_element(path).ok_or(SetError::NoSegment)?;
    if !element.is_leaf() {
        return Err(SetError::NotAField);
    }
    let span = element.span();
    let was = &message.text()[span.start as usize..span.end as usize];
    let stays = json::stays_literal(was, value);
    Ok((span, if stays { value.to_owned() } else { format!("\"{}\"", json::escape(value)) }))
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
    if !value.bytes().any(special) {
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
