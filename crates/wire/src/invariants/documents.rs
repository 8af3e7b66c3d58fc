//! Promises of trees and rows over any bytes.

use crate::delimited::{self, Layout, RowPattern};
use crate::{
    Column, Element, Format, IssueCode, Leaf, Limits, Message, NotAMessage, Path, Presence, RowKind, Severity, Site,
    cda, er7, json, sniff, xml,
};

/// What parses is printed byte for byte, elements lie within each other, and every leaf is found by its path.
pub fn xml_parse_print(data: &[u8]) {
    let (limits, site) = (Limits::default(), Site::default());
    let Ok((message, issues)) = xml::parse(data, &limits, &site) else { return };
    assert_eq!(xml::print(&message), data, "printing gives back the bytes");
    assert!(issues.iter().all(|issue| issue.raw_offset as usize <= data.len()));
    elements_are_nested(&message);
    leaves_are_found(&message);
}

/// What parses is printed byte for byte, and every leaf is found by its path.
pub fn json_parse_print(data: &[u8]) {
    let Ok((message, _)) = json::parse(data, &Limits::default()) else { return };
    assert_eq!(json::print(&message), data, "printing gives back the bytes");
    elements_are_nested(&message);
    leaves_are_found(&message);
}

fn elements_are_nested(message: &Message<'_>) {
    let Some(root) = message.root() else { return };
    for element in std::iter::once(root).chain(root.descendants()) {
        let (span, content) = (element.span(), element.content().span());
        assert!(span.start <= content.start && content.start <= content.end && content.end <= span.end);
        let mut at = span.start;
        for child in element.children() {
            assert_eq!(child.parent(), Some(element));
            assert!(child.span().start >= at && child.span().end <= span.end, "children lie in order in their parent");
            at = child.span().end;
        }
        assert!(element.content().text().len() <= 3 * element.content().raw().len());
    }
}

/// Leaves stand in the order of the text, say something, and are found by their paths.
fn leaves_are_found(message: &Message<'_>) {
    let many = message.leaf_count() > 500;
    let mut before = None;
    for (at, leaf) in message.leaves().enumerate() {
        let span = leaf.node.span();
        assert!(before < Some(span.start), "leaves stand in the order of the text");
        before = Some(span.start);
        assert!(leaf.is_null() || leaf.node.presence() == Presence::Value);
        assert!(leaf.node.text().len() <= 3 * leaf.node.raw().len());
        let path = leaf.path(message);
        assert_eq!(Path::parse(&path.to_string()), Ok(path.clone()), "a path is read back");
        if (!many || at % 197 == 0) && !is_repeated_attribute(&leaf, message) {
            let found = message.get(&path).map(|node| (node.span(), node.presence()));
            assert_eq!(found, Some((span, leaf.node.presence())), "the path of a leaf finds it: {path}");
        }
    }
}

/// Of attributes of the same name only the first is found.
fn is_repeated_attribute(leaf: &Leaf<'_>, message: &Message<'_>) -> bool {
    let Some(element) = leaf.element(message).filter(|_| leaf.field > 0) else { return false };
    let names: Vec<&str> = element.attributes().map(|attribute| attribute.qualified_name()).collect();
    (1..names.len()).any(|at| names[..at].contains(&names[at]))
}

/// Setting one value of a document that is well formed changes that value and no other.
pub fn document_set(data: &[u8], pick: usize, value: &str) {
    let Ok((message, issues)) = read(data) else { return };
    if message.format() == Format::Er7 || !is_sound(&issues) {
        return;
    }
    let count = message.leaf_count();
    let Some(leaf) = message.leaves().nth(pick % count.max(1)) else { return };
    let path = leaf.path(&message);
    // An attribute that says whether its element is nil makes the element a leaf or none.
    if path.to_string().ends_with("/@nil") {
        return;
    }
    let Ok(written) = message.set(&path, value) else { return };
    let Ok((changed, _)) = read_as(&written, &message) else { return };
    let node = changed.get(&path).map(|node| node.text().into_owned());
    assert_eq!(node.as_deref(), Some(value), "the value is read back: {path}");
    let others = |message: &Message<'_>| -> Vec<String> {
        let leaves = message.leaves().map(|leaf| (leaf.path(message), leaf.node.text()));
        leaves.filter(|(other, _)| *other != path).map(|(path, text)| format!("{path} {text}")).collect()
    };
    assert_eq!(others(&changed), others(&message), "the other leaves stay as they were");
}

/// Every row lies in the file in its order, its cells cover it, and every cell is found by its path.
pub fn delimited_rows(data: &[u8]) {
    let (limits, site) = (Limits { cell_bytes_max: 400, columns_max: 40, ..Limits::default() }, Site::default());
    for layout in layouts() {
        let Ok((message, issues)) = delimited::parse(data, &layout, &limits, &site) else { continue };
        assert_eq!(delimited::print(&message), data, "printing gives back the bytes");
        assert!(issues.iter().all(|issue| issue.raw_offset as usize <= data.len()));
        let (mut at, mut number) = (0, 0);
        for row in message.segments() {
            assert!(row.span().start >= at && row.span().end <= message.text().len() as u32);
            at = row.span().end;
            number += usize::from(row.row_kind() == Some(RowKind::Row));
            assert!(row.row_kind() != Some(RowKind::Row) || row.occurrence() == number, "rows are counted");
            let cells: usize = row.fields().map(|(_, cell)| cell.raw().len()).sum();
            let quotes = row.raw().bytes().filter(|b| Some(*b) == layout.quote).count();
            let separators = usize::from(row.field_count()) - 1;
            assert!(cells + separators <= row.raw().len() && row.raw().len() <= cells + separators + quotes);
        }
        leaves_are_found(&message);
    }
}

fn layouts() -> [Layout; 4] {
    let pipes = Layout::separated(b'|');
    let head = RowPattern::parse("#YY|{any}|条数={rows}", b'|').ok();
    let trailer = RowPattern::parse("合计,{distinct:col 1}人,{rows}项", b',').ok();
    let parts = Layout { component: Some(b'^'), repetition: Some(b'~'), head, ..pipes };
    let quoted = Layout { trailer, identifiers: vec![Column::Number(1)], ..Layout::csv() };
    let quoted_parts = Layout { subcomponent: Some(b'&'), component: Some(b'^'), quote: Some(b'\''), ..Layout::csv() };
    [Layout::separated(b'\t'), parts, quoted, quoted_parts]
}

/// Documents that stand as text in others have the bytes of the outermost one, and a value that is set in one of them is
/// read back through all the others.
pub fn soap_inner(data: &[u8]) {
    let Ok((message, issues)) = read(data) else { return };
    inner_of(&message, is_sound(&issues), data);
}

/// Nothing stands where it could be read otherwise once something beside it has changed.
fn is_sound(issues: &[crate::Issue]) -> bool {
    issues.iter().all(|issue| issue.code.severity() == Severity::Information && issue.code != IssueCode::LeadingBytes)
}

fn inner_of(message: &Message<'_>, sound: bool, data: &[u8]) {
    let (limits, site) = (Limits::default(), Site::default());
    for (number, element) in xml::wrapped(message).take(4).enumerate() {
        let Ok((inner, issues)) = xml::inner(element, &limits, &site) else { continue };
        assert_eq!(inner.raw(), data, "an inner document has the bytes of the outermost");
        assert!(issues.iter().all(|issue| issue.raw_offset as usize <= data.len()));
        let offsets: Vec<u32> = inner.leaves().map(|leaf| inner.raw_offset(leaf.node.span().start)).take(50).collect();
        assert!(offsets.is_sorted() && offsets.last().is_none_or(|&last| last as usize <= data.len()));
        let sound = sound && is_sound(&issues);
        if sound {
            inner_set(message, &inner, number);
        }
        inner_of(&inner, sound, data);
    }
}

/// Sets the first leaf of an inner document of a message that came by itself, and reads it back.
fn inner_set(message: &Message<'_>, inner: &Message<'_>, number: usize) {
    let Some(path) = inner.leaves().next().map(|leaf| leaf.path(inner)) else { return };
    let Ok(written) = inner.set(&path, "x<&]]>") else { return };
    if message.outer().is_some() || inner.format() == Format::Er7 {
        return;
    }
    let Ok((changed, _)) = read_as(&written, message) else { return };
    let before: Vec<String> =
        xml::wrapped(message).take(number + 1).map(|element| element.path().to_string()).collect();
    let after: Vec<String> =
        xml::wrapped(&changed).take(number + 1).map(|element| element.path().to_string()).collect();
    assert_eq!(before, after, "what stands around stays as it was");
}

/// The helpers answer for any document.
pub fn cda_helpers(data: &[u8]) {
    let Ok((message, _)) = xml::parse(data, &Limits::default(), &Site::default()) else { return };
    let _known = cda::document_type(&message).map(|known| (known.to_string(), known.name_zh()));
    for section in cda::sections(&message).take(50) {
        let narrative = section.narrative();
        assert!(narrative.len() <= 2 * section.element().content().raw().len());
        assert!(section.entries().all(|entry| is_inside(entry.element(), section.element())));
    }
    let rows = cda::paired(cda::entries(&message), &["DE04.30.019.00", "DE04.30.015.00"]);
    assert!(rows.iter().all(|row| row.iter().any(Option::is_some)), "no row is empty");
    for issue in cda::check(&message, &Limits::default()) {
        let more = issue.code == IssueCode::MoreIssues;
        assert!(more || issue.path.is_some_and(|path| message.find_element(&path).is_some()));
    }
}

fn is_inside(element: Element<'_>, around: Element<'_>) -> bool {
    element.ancestors().any(|ancestor| ancestor == around)
}

/// Of what is stripped nothing is left, and everything else is.
pub fn strip(data: &[u8], pick: usize) {
    let Ok((message, issues)) = read(data) else { return };
    let every = 2 + pick % 5;
    let leaves: Vec<Path> = message.leaves().take(400).map(|leaf| leaf.path(&message)).collect();
    let paths: Vec<Path> = leaves.iter().skip(pick % every).step_by(every).cloned().collect();
    let Ok(stripped) = message.strip(&paths) else { return };
    let mut rest = data;
    // What is left is a part of what was, but for the signs that keep the format whole.
    for &b in stripped.bytes.iter().filter(|b| !b"nul{}[]\"".contains(b)) {
        let Some(at) = memchr::memchr(b, rest) else { panic!("a byte was added") };
        rest = &rest[at + 1..];
    }
    let Ok((left, _)) = read_as(&stripped.bytes, &message) else { return };
    // A row of which nothing is left is no row.
    if !is_sound(&issues) || left.segment_count() != message.segment_count() {
        return;
    }
    // Of runs of text between elements the next one gets the number of the one that was cut.
    let is_run = |path: &Path| path.to_string().contains("/text()");
    for path in stripped.cut.iter().filter(|path| !is_run(path)) {
        let said = left.get(path).map(|node| node.presence());
        assert!(said != Some(Presence::Value), "{path} was stripped and is still there");
    }
}

fn read(data: &[u8]) -> Result<(Message<'_>, Vec<crate::Issue>), NotAMessage> {
    read_with(data, sniff(data), &Site::default())
}

/// Reads changed bytes as the message was read that they come from.
fn read_as<'a>(data: &'a [u8], before: &Message<'_>) -> Result<(Message<'a>, Vec<crate::Issue>), NotAMessage> {
    read_with(data, before.format(), &Site { charset_forced: Some(before.charset()), ..Site::default() })
}

fn read_with<'a>(data: &'a [u8], format: Format, site: &Site) -> Result<(Message<'a>, Vec<crate::Issue>), NotAMessage> {
    let limits = Limits::default();
    match format {
        Format::Er7 => er7::parse(data, &limits, site),
        Format::Xml => xml::parse(data, &limits, site),
        Format::Json => json::parse(data, &limits),
        Format::Delimited => delimited::parse(data, &Layout::csv(), &limits, site),
    }
}
