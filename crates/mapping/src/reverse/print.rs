//! A draft as bytes (HL7 v2 chapter 2, message construction rules).

use dukou_wire::{Delimiters, Path, Target, escape};

use super::draft::{Draft, Written};
use super::value::Form;

/// A character that the receiver lacks, and where it stands.
#[derive(Debug)]
pub(crate) struct PrintFault {
    pub(crate) path: String,
    pub(crate) charset: String,
}

/// The whole message; segments that say nothing are left out.
pub(crate) fn print(draft: &Draft<'_>, target: &Target) -> Result<Vec<u8>, PrintFault> {
    let mut text = String::with_capacity(draft.journal.len() * 12);
    let delimiters = Delimiters::default();
    for segment in draft.in_order() {
        let leaves = leaves(draft, segment);
        let id = draft.segments[segment as usize].id.as_ref();
        if id == "MSH" || says(&leaves) {
            print_segment(id, &leaves, delimiters, &mut text);
            text.push('\r');
        }
    }
    if !text.is_ascii() || target.charset() != dukou_wire::Charset::Utf8 {
        text = with_charset(&text, target.name());
    }
    let mut bytes = Vec::with_capacity(text.len());
    match target.encode_into(&text, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(at) => Err(PrintFault { path: path_at(&text, at), charset: target.name().to_owned() }),
    }
}

/// Whether a segment holds more than what guards and profiles ask for.
pub(crate) fn says(leaves: &[&Written<'_>]) -> bool {
    leaves.iter().any(|written| !matches!(written.form, Form::Equation | Form::Given))
}

/// The texts of a segment that stand, by place; of two for one place the one that wins.
pub(crate) fn leaves<'d, 'v>(draft: &'d Draft<'v>, segment: u32) -> Vec<&'d Written<'v>> {
    let mut leaves: Vec<&Written<'v>> = draft.alive(segment).collect();
    leaves.sort_by_key(|written| (written.spot, std::cmp::Reverse(written.form)));
    leaves.dedup_by_key(|written| written.spot);
    leaves
}

/// One segment without its line end.
pub(crate) fn print_segment(id: &str, leaves: &[&Written<'_>], delimiters: Delimiters, out: &mut String) {
    out.push_str(id);
    let [field, component, repetition, subcomponent, escape] =
        [delimiters.field, delimiters.component, delimiters.repetition, delimiters.subcomponent, delimiters.escape]
            .map(char::from);
    let mut at = (0u16, 1u16, 1u16, 1u16);
    if id == "MSH" {
        out.extend([field, component, repetition, escape, subcomponent]);
        at.0 = 2;
    }
    for written in leaves {
        let spot = written.spot;
        if spot.field <= at.0 && at.0 == 2 && id == "MSH" {
            continue;
        }
        let mut step = |to: u16, from: &mut u16, delimiter: char| {
            let count = usize::from(to.saturating_sub(*from));
            out.extend(std::iter::repeat_n(delimiter, count));
            *from = to;
            count > 0
        };
        if step(spot.field, &mut at.0, field) {
            (at.1, at.2, at.3) = (1, 1, 1);
        }
        if step(spot.repetition, &mut at.1, repetition) {
            (at.2, at.3) = (1, 1);
        }
        if step(spot.component, &mut at.2, component) {
            at.3 = 1;
        }
        step(spot.subcomponent, &mut at.3, subcomponent);
        push(written, delimiters, out);
    }
}

/// A text with its escapes.
pub(crate) fn push(written: &Written<'_>, delimiters: Delimiters, out: &mut String) {
    if written.form != Form::Formatted || delimiters.escape == 0 || !written.text.contains('\n') {
        if let Some(escaped) = escape::encode(&written.text, delimiters) {
            out.push_str(&escaped);
        }
        return;
    }
    let lines: Vec<&str> = written.text.split('\n').collect();
    let escape = char::from(delimiters.escape);
    for (number, line) in lines.into_iter().enumerate() {
        if number > 0 {
            out.extend([escape, '.', 'b', 'r', escape]);
        }
        if let Some(escaped) = escape::encode(line.trim_end_matches('\r'), delimiters) {
            out.push_str(&escaped);
        }
    }
}

/// MSH-18 names the character set where the message needs one and does not name it itself.
fn with_charset(text: &str, name: &str) -> String {
    let end = text.find('\r').unwrap_or(text.len());
    let mut fields: Vec<&str> = text[..end].split('|').collect();
    while fields.len() < 18 {
        fields.push("");
    }
    fields[17] = name;
    format!("{}{}", fields.join("|"), &text[end..])
}

fn path_at(text: &str, at: usize) -> String {
    let start = text[..at].rfind('\r').map_or(0, |end| end + 1);
    let id = text.get(start..start + 3).unwrap_or("MSH");
    let occurrence = text[..start].split('\r').filter(|line| line.starts_with(id)).count() + 1;
    let field = text[start..at].matches('|').count() + usize::from(id == "MSH");
    match Path::of_segment(id, u16::try_from(occurrence).unwrap_or(u16::MAX)) {
        Some(path) => path.at(u16::try_from(field).unwrap_or(u16::MAX), 0, 0, 0).to_string(),
        None => id.to_owned(),
    }
}
