//! Reads the text of source paths (`PID-3[5=MR].4.2`) and targets (`telecom[use=work][*].value`).

use crate::grammar::Fault;
use crate::place::{Placed, Word};
use crate::rule::{Locus, Path, Selector, SelectorKind, Step, Target};

/// The text of a literal: quotes taken off.
pub(crate) fn literal(text: &str) -> String {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.to_owned(),
        None => text.to_owned(),
    }
}

/// Reads a source path: `GROUP/SEG[sel]-n[sel].n.n`, or `n.n` and `self` below what a lens reads.
pub(crate) fn source_path(word: &Word) -> Result<Path, Fault> {
    let mut cursor = Cursor::new(word);
    let mut path = Path::empty(word);
    if word.value == "self" {
        return Ok(path);
    }
    if cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
        path.component = cursor.number()?;
        path.selectors = cursor.selectors()?;
        if cursor.eat('.') {
            path.subcomponent = cursor.number()?;
        }
        if cursor.eat('.') {
            path.third = cursor.number()?;
        }
        cursor.end("write n or n.n, or n[sel].n.n below a segment")?;
        return Ok(path);
    }
    let mut name = cursor.name();
    if cursor.eat('/') {
        path.group = Some(name);
        name = cursor.name();
    }
    let known = name.value.len() == 3 && name.value.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if !known {
        let hint = match tidy(&word.value) {
            Some(meant) => format!("did you mean {meant}?"),
            None => "write SEG-n, SEG-n.n or n.n".to_owned(),
        };
        return Err(Fault::new(word.place, format!("'{}' is no source path", word.value), hint));
    }
    path.segment = Some(name);
    path.segment_selectors = cursor.selectors()?;
    if cursor.eat('-') {
        path.field = cursor.number()?;
        path.selectors = cursor.selectors()?;
        if cursor.eat('.') {
            path.component = cursor.number()?;
        }
        if cursor.eat('.') {
            path.subcomponent = cursor.number()?;
        }
    }
    let meant = tidy(&word.value).filter(|meant| *meant != word.value);
    cursor.end(&meant.map_or_else(|| "write SEG-n[sel].n.n".to_owned(), |meant| format!("did you mean {meant}?")))?;
    Ok(path)
}

/// `pid8`, `PID.8`, `PID-8-1` and `PID8.1` as `PID-8` and `PID-8.1`; nothing where it is no field of a segment.
pub(crate) fn tidy(text: &str) -> Option<String> {
    let segment = text.get(..3)?.to_ascii_uppercase();
    let known = segment.starts_with('Z') || dukou_wire::facts::field_count(&segment) > 0;
    let mut numbers = text.get(3..)?.trim_start_matches(['-', '.', '_']).split(['-', '.']);
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let field = numbers.next().filter(digits)?;
    let below: Vec<&str> = numbers.collect();
    (known && segment.bytes().all(|byte| byte.is_ascii_alphanumeric()) && below.iter().all(digits))
        .then(|| [&[format!("{segment}-{field}").as_str()][..], &below].concat().join("."))
}

/// Reads a target: elements with selectors, joined by dots.
pub(crate) fn target_path(word: &Word) -> Result<Target, Fault> {
    let mut cursor = Cursor::new(word);
    let mut steps = Vec::new();
    loop {
        let name = cursor.name();
        if name.value.is_empty() {
            return Err(Fault::new(
                word.place,
                format!("'{}' is no target", word.value),
                "write element.element[selector]",
            ));
        }
        steps.push(Step { name, selectors: cursor.selectors()? });
        if !cursor.eat('.') {
            break;
        }
    }
    cursor.end("write element.element[selector]")?;
    Ok(Target { steps, place: word.place })
}

impl Path {
    /// A path that names nothing yet.
    pub(crate) fn empty(word: &Word) -> Path {
        Path {
            locus: Locus::Segment,
            group: None,
            segment: None,
            segment_selectors: Vec::new(),
            field: 0,
            selectors: Vec::new(),
            component: 0,
            subcomponent: 0,
            third: 0,
            place: word.place,
            text: word.value.clone(),
        }
    }
}

pub(crate) struct Cursor<'w> {
    word: &'w Word,
    chars: Vec<char>,
    at: usize,
}

impl<'w> Cursor<'w> {
    pub(crate) fn new(word: &'w Word) -> Self {
        Cursor { word, chars: word.value.chars().collect(), at: 0 }
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(crate) fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn span(&self, from: usize) -> crate::place::Place {
        self.word.place.part(from as u32, (self.at - from) as u32)
    }

    fn name(&mut self) -> Word {
        self.word_of(|c| c.is_alphanumeric() || c == '_')
    }

    /// The characters from here on that belong to a word.
    pub(crate) fn word_of(&mut self, belongs: impl Fn(char) -> bool) -> Word {
        let from = self.at;
        while self.peek().is_some_and(&belongs) {
            self.at += 1;
        }
        Placed::new(self.chars[from..self.at].iter().collect(), self.span(from))
    }

    pub(crate) fn number(&mut self) -> Result<u16, Fault> {
        let from = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let text: String = self.chars[from..self.at].iter().collect();
        match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => {
                Err(Fault::new(self.word.place, format!("'{}' lacks a number", self.word.value), "numbers begin at 1"))
            }
        }
    }

    pub(crate) fn selectors(&mut self) -> Result<Vec<Selector>, Fault> {
        let mut found = Vec::new();
        while self.peek() == Some('[') {
            let from = self.at;
            let mut depth = 0;
            while let Some(c) = self.peek() {
                self.at += 1;
                match c {
                    '[' => depth += 1,
                    ']' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            let inner: String = self.chars[from + 1..self.at - 1].iter().collect();
            let place = self.span(from);
            found.push(Selector { kind: selector(inner.trim()), place });
        }
        Ok(found)
    }

    pub(crate) fn end(&self, hint: &str) -> Result<(), Fault> {
        if self.at == self.chars.len() {
            return Ok(());
        }
        let place = self.word.place.part(self.at as u32, (self.chars.len() - self.at) as u32);
        Err(Fault::new(place, format!("'{}' is not understood", self.word.value), hint))
    }
}

fn selector(inner: &str) -> SelectorKind {
    match inner {
        "*" => return SelectorKind::All,
        "+" => return SelectorKind::Append,
        "first" => return SelectorKind::First,
        "x" => return SelectorKind::Choice,
        _ => {}
    }
    if let Some(origin) = inner.strip_prefix('@') {
        return SelectorKind::Origin(origin.to_owned());
    }
    if let Some(number) = inner.strip_suffix("..").and_then(|number| number.parse().ok()) {
        return SelectorKind::From(number);
    }
    if let Ok(number) = inner.parse() {
        return SelectorKind::Nth(number);
    }
    if let Some((key, value)) = inner.split_once("!=") {
        return SelectorKind::Differs(key.trim().to_owned(), literal(value.trim()));
    }
    match inner.split_once('=') {
        Some((key, value)) => SelectorKind::Equals(key.trim().to_owned(), literal(value.trim())),
        None => SelectorKind::Named(inner.to_owned()),
    }
}
