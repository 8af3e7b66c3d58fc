//! What an example leaves out of its input is put around it: a header, the elements around a record, the row of names.

use crate::file::MapFile;
use crate::source_head::{RowsHead, SourceHead, TreeHead};

/// The input as a whole message or document of the map's source.
pub(super) fn document(input: &str, map: &MapFile) -> String {
    match &map.source {
        SourceHead::Segments => message(input, map),
        SourceHead::Tree(head) if head.json => input.to_owned(),
        SourceHead::Tree(head) => elements(input, head),
        SourceHead::Rows(head) => rows(input, head),
    }
}

/// A v2 message with a header in front where it has none.
fn message(input: &str, map: &MapFile) -> String {
    let body = input.trim_end().replace('\n', "\r");
    if body.starts_with("MSH") {
        return body;
    }
    let stated = map.applies.messages.first().map_or("ADT_A01", |word| word.value.as_str());
    let (code, rest) = stated.split_once('_').unwrap_or((stated, ""));
    let event = map.applies.events.first().map_or(rest, |word| word.value.as_str());
    let structure = if stated.contains('_') { stated.to_owned() } else { String::new() };
    let version = map.applies.range().map_or("2.5", |(_, high)| if high.starts_with("2.4") { "2.4" } else { "2.5" });
    format!("MSH|^~\\&|HIS|H|DUKOU|D|20240102030405+0800||{code}^{event}^{structure}|1|P|{version}\r{body}")
}

/// A record, or several, in the elements that the head of the map names.
fn elements(input: &str, head: &TreeHead) -> String {
    let record = head.record.last().map(|record| format!("<{record}"));
    let starts = |tag: &String| {
        let rest = input.trim_start().strip_prefix(tag.as_str());
        rest.is_some_and(|rest| rest.starts_with(['>', ' ', '/']))
    };
    if !record.as_ref().is_some_and(starts) {
        return input.to_owned();
    }
    let root = head.roots.first().map(Vec::as_slice).unwrap_or_default();
    let around = root.iter().chain(&head.record[..head.record.len() - 1]);
    around.rev().fold(input.trim_end().to_owned(), |inner, name| format!("<{name}>{inner}</{name}>"))
}

/// Rows with the row of names in front, and a head row where one is declared, unless the input has them.
fn rows(input: &str, head: &RowsHead) -> String {
    let mut text = input.trim_end_matches('\n').to_owned();
    let field = head.field.to_string();
    let names: Vec<&str> = head.columns.iter().map(|column| column.label.as_str()).collect();
    let names = names.join(&field);
    if head.header && !text.lines().take(2).any(|line| line == names) {
        text = format!("{names}\n{text}");
    }
    if let Some(frame) = head.head.as_ref().filter(|frame| !text.starts_with(&frame.mark)) {
        let count = text.lines().count() - usize::from(head.header);
        let stated = frame.pattern.replace("{rows}", &count.to_string());
        text = format!("{stated}\n{text}");
    }
    text + "\n"
}
