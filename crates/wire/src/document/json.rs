use super::ElementDraft;
use crate::json::escape;

/// Appends the value of an element. The depth of a draft is bounded by the steps of the paths that made it.
pub(crate) fn write(element: &ElementDraft, text: &mut String) {
    if element.null {
        text.push_str("null");
    } else if element.children.iter().any(|child| child.name.is_empty() && child.listed) {
        list(element.children.iter(), text);
    } else if !element.children.is_empty() {
        members(&element.children, text);
    } else {
        text.push('"');
        text.push_str(&escape(&element.text));
        text.push('"');
    }
}

fn members(children: &[ElementDraft], text: &mut String) {
    text.push('{');
    let same = children.chunk_by(|a, b| a.name == b.name);
    for (at, values) in same.enumerate() {
        if at > 0 {
            text.push(',');
        }
        member(values, text);
    }
    text.push('}');
}

/// Appends one member; `listed`: its value stands in an array.
pub(crate) fn write_member(mut element: ElementDraft, listed: bool, text: &mut String) {
    element.listed |= listed;
    member(&[element], text);
}

/// One member: `"name":value`, or with an array of the values.
fn member(values: &[ElementDraft], text: &mut String) {
    let Some(first) = values.first() else { return };
    text.push('"');
    text.push_str(&escape(&first.name));
    text.push_str("\":");
    if values.len() > 1 || first.listed {
        list(values.iter(), text);
    } else {
        write(first, text);
    }
}

fn list<'d>(values: impl Iterator<Item = &'d ElementDraft>, text: &mut String) {
    text.push('[');
    for (at, value) in values.enumerate() {
        if at > 0 {
            text.push(',');
        }
        write(value, text);
    }
    text.push(']');
}
