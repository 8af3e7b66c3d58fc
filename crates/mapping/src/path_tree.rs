//! Reads the text of source paths over trees (`/message/body/row[1]/xm`, `IdList/Item[Type=No]/@id`) and rows
//! (`name[*].2`, `col 5`, `head.org`).

use crate::grammar::Fault;
use crate::path_text::Cursor;
use crate::place::{Placed, Word};
use crate::rule::{ColumnName, ColumnPath, Locus, Path, RowKind, Selector, SelectorKind, StepKind, TreePath, TreeStep};

/// Reads a path through a tree: `[/]step/step[/@name]`; `record` and `self` are the place where it begins.
pub(crate) fn tree_path(word: &Word) -> Result<Path, Fault> {
    let mut cursor = Cursor::new(word);
    let mut tree = TreePath { absolute: cursor.eat('/'), steps: Vec::new(), attribute: None };
    loop {
        if cursor.eat('@') {
            let name = cursor.word_of(in_name);
            if name.value.is_empty() {
                return Err(unnamed(word));
            }
            tree.attribute = Some(name);
            break;
        }
        let first = tree.steps.is_empty() && !tree.absolute;
        tree.steps.extend(step(&mut cursor, word, first)?);
        if !cursor.eat('/') {
            break;
        }
    }
    cursor.end("write a/b[selector]/@attribute")?;
    if tree.absolute && tree.steps.is_empty() {
        return Err(unnamed(word));
    }
    Ok(Path { locus: Locus::Tree(Box::new(tree)), ..Path::empty(word) })
}

/// One step; nothing for the word that stands for the place where the path begins.
fn step(cursor: &mut Cursor<'_>, word: &Word, first: bool) -> Result<Option<TreeStep>, Fault> {
    let name = cursor.word_of(in_name);
    if name.value == ".." {
        return Ok(Some(TreeStep { kind: StepKind::Up, name, selectors: Vec::new() }));
    }
    if first && matches!(name.value.as_str(), "record" | "self") {
        return Ok(None);
    }
    if name.value.is_empty() || name.value.starts_with(['.', '-']) {
        return Err(unnamed(word));
    }
    let kind = match name.value.as_str() {
        "any" if cursor.peek() == Some('(') => StepKind::Any,
        "section" if cursor.peek() == Some('(') => StepKind::Section,
        "entry" if cursor.peek() == Some('(') => StepKind::Entry,
        _ => StepKind::Child,
    };
    let name = if kind == StepKind::Child { name } else { argument(cursor, word)? };
    let selectors = cursor.selectors()?.into_iter().map(of_attribute).collect();
    Ok(Some(TreeStep { kind, name, selectors }))
}

/// The code in `section(8648-8)`.
fn argument(cursor: &mut Cursor<'_>, word: &Word) -> Result<Word, Fault> {
    cursor.eat('(');
    let code = cursor.word_of(|c| c != ')');
    if code.value.is_empty() || !cursor.eat(')') {
        return Err(Fault::new(word.place, format!("'{}' lacks a code", word.value), "write section(8648-8)"));
    }
    Ok(code)
}

/// `[@root=1.2.3]` compares an attribute; the sign means something else in a target.
fn of_attribute(selector: Selector) -> Selector {
    let SelectorKind::Origin(text) = &selector.kind else { return selector };
    let kind = match (text.split_once("!="), text.split_once('=')) {
        (Some((name, value)), _) => SelectorKind::Differs(format!("@{name}"), value.to_owned()),
        (None, Some((name, value))) => SelectorKind::Equals(format!("@{name}"), value.to_owned()),
        (None, None) => return selector,
    };
    Selector { kind, ..selector }
}

/// Reads a path in a row: `name[sel].n.n`, `col n[sel].n.n`, `head.name`, `trailer.name`, `record` for the whole row.
pub(crate) fn column_path(word: &Word) -> Result<Path, Fault> {
    let mut cursor = Cursor::new(word);
    let mut path = Path::empty(word);
    let name = cursor.word_of(in_column);
    let mut column = ColumnPath { row: RowKind::Own, column: None };
    match name.value.as_str() {
        "" => return Err(unnamed(word)),
        "col" if cursor.eat(' ') => column.column = Some(ColumnName::Number(cursor.number()?)),
        "record" => {}
        "head" | "trailer" => {
            column.row = if name.value == "head" { RowKind::Head } else { RowKind::Trailer };
            if cursor.eat('.') {
                column.column = Some(match cursor.peek() {
                    Some(c) if c.is_ascii_digit() => ColumnName::Number(cursor.number()?),
                    _ => ColumnName::Name(cursor.word_of(in_column)),
                });
            }
        }
        _ => column.column = Some(ColumnName::Name(Placed::new(name.value.clone(), name.place))),
    }
    path.selectors = cursor.selectors()?;
    if cursor.eat('.') {
        path.component = cursor.number()?;
    }
    if cursor.eat('.') {
        path.subcomponent = cursor.number()?;
    }
    cursor.end("write name[selector].n.n, col n or head.name")?;
    path.locus = Locus::Column(column);
    Ok(path)
}

fn unnamed(word: &Word) -> Fault {
    Fault::new(word.place, format!("'{}' is no source path", word.value), "write a/b, /a/b, ../a or a/@b")
}

/// The characters of names in XML and JSON, prefixes left aside (XML 1.0, 2.3).
fn in_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn in_column(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Place;

    fn tree(text: &str) -> Result<String, String> {
        let path = tree_path(&Placed::new(text.to_owned(), Place::default())).map_err(|fault| fault.text)?;
        let Locus::Tree(tree) = path.locus else { return Err("no tree".to_owned()) };
        let steps: Vec<String> = tree
            .steps
            .iter()
            .map(|step| format!("{:?} {} {}", step.kind, step.name.value, step.selectors.len()))
            .collect();
        let attribute = tree.attribute.map_or_else(String::new, |name| format!("@{}", name.value));
        Ok(format!("{}{}{attribute}", if tree.absolute { "/" } else { "" }, steps.join(", ")))
    }

    #[test]
    fn steps_attributes_and_selectors_are_told_apart() {
        assert_eq!(tree("xm").as_deref(), Ok("Child xm 0"));
        assert_eq!(tree("/message/head/yybm").as_deref(), Ok("/Child message 0, Child head 0, Child yybm 0"));
        assert_eq!(tree("../a[*]/b[@root=1.2][first]/@x-y").as_deref(), Ok("Up .. 0, Child a 1, Child b 2@x-y"));
        assert_eq!(tree("record/@id").as_deref(), Ok("@id"));
        assert_eq!(
            tree("section(8648-8)/entry(DE05.01.024.00)[*]/value/@value").as_deref(),
            Ok("Section 8648-8 0, Entry DE05.01.024.00 1, Child value 0@value")
        );
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "/", "a//b", "a/", "a/@", "section()", "a b", "@"] {
            assert!(tree(text).is_err(), "{text}");
        }
    }

    #[test]
    fn columns_have_names_or_numbers() {
        let column = |text: &str| {
            let path = column_path(&Placed::new(text.to_owned(), Place::default())).map_err(|fault| fault.text)?;
            let Locus::Column(column) = &path.locus else { return Err("no column".to_owned()) };
            let name = match &column.column {
                Some(ColumnName::Name(name)) => name.value.clone(),
                Some(ColumnName::Number(number)) => format!("#{number}"),
                None => String::new(),
            };
            Ok(format!("{:?} {name} {} {}.{}", column.row, path.selectors.len(), path.component, path.subcomponent))
        };
        assert_eq!(column("姓名.2").as_deref(), Ok("Own 姓名 0 2.0"));
        assert_eq!(column("col 12[*].1.3").as_deref(), Ok("Own #12 1 1.3"));
        assert_eq!(column("head.org").as_deref(), Ok("Head org 0 0.0"));
        assert_eq!(column("trailer.2").as_deref(), Ok("Trailer #2 0 0.0"));
        assert_eq!(column("record").as_deref(), Ok("Own  0 0.0"));
        assert!(column("a/b").is_err() && column("").is_err() && column("col x").is_err());
    }
}
