//! Reads rule lines, paths, keys and guards.

use crate::path_text::{literal, source_path, target_path};
use crate::path_tree::{column_path, tree_path};
use crate::place::{Place, Placed, Word};
use crate::rule::{
    Action, Alternative, Call, Clauses, Dialect, Direction, Locus, NullPolicy, Path, Precision, Rest, Rule, Source,
    Target, Test, TestKind,
};

/// A fault of a rule line: what is wrong, where, what to write.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) place: Place,
    pub(crate) text: String,
    pub(crate) hint: String,
}

impl Fault {
    pub(crate) fn new(place: Place, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Fault { place, text: text.into(), hint: hint.into() }
    }
}

/// Reads a rule line.
pub(crate) fn rule(id: &Word, text: &Word, dialect: Dialect) -> Result<Rule, Fault> {
    let mut reader = Reader::new(text, dialect)?;
    let sources = reader.sources()?;
    let direction = reader.direction()?;
    let action = reader.action(direction)?;
    let mut rule =
        Rule { id: id.clone(), text: text.clone(), sources, direction, action, via: None, clauses: Clauses::default() };
    let mut seen: Vec<String> = Vec::new();
    while let Some(word) = reader.take() {
        if seen.contains(&word.value) && word.value != "default" {
            let hint = if word.value == "if" { "join the tests with: and" } else { "write it once" };
            return Err(Fault::new(word.place, format!("the clause '{}' stands twice", word.value), hint));
        }
        reader.clause(&word, &mut rule)?;
        seen.push(word.value);
    }
    one_sided(&rule)?;
    Ok(rule)
}

/// A constant exists on one side, so nothing leads back to it, unless a guard says what it stands for: `=mobile <-> use if
/// 3 = CP` makes component 3 what it must be.
fn one_sided(rule: &Rule) -> Result<(), Fault> {
    let equation = rule.clauses.guard.iter().any(|test| matches!(test.kind, crate::rule::TestKind::In(_)));
    if rule.direction == Direction::Forward || equation {
        return Ok(());
    }
    let path = |alternative: &Alternative| matches!(alternative, Alternative::Path(_));
    match rule.sources.iter().find(|source| !source.alternatives.iter().any(path)) {
        Some(source) => Err(Fault::new(source.place, "a constant cannot be filled from FHIR", "write: ->")),
        None => Ok(()),
    }
}

/// Reads the alternatives of an id key: `PID-3[5=MR] or PID-3[first]`.
pub(crate) fn source(text: &Word, dialect: Dialect) -> Result<Source, Fault> {
    let mut reader = Reader::new(text, dialect)?;
    let source = reader.source()?;
    reader.end()?;
    Ok(source)
}

/// Reads a guard that stands alone: `PID-3 valued and PV1-2 = I`.
pub(crate) fn guard(text: &Word, dialect: Dialect) -> Result<Vec<Test>, Fault> {
    let mut reader = Reader::new(text, dialect)?;
    let tests = reader.guard()?;
    reader.end()?;
    Ok(tests)
}

/// Reads a target that stands alone: `report.result[*]`.
pub(crate) fn target(text: &Word) -> Result<Target, Fault> {
    let mut reader = Reader::new(text, Dialect::Segments)?;
    let target = reader.target()?;
    reader.end()?;
    Ok(target)
}

/// The words of a line; blanks inside brackets, parentheses and quotes do not split, a comma is a word of its own.
struct Reader {
    words: Vec<Word>,
    next: usize,
    end: Place,
    dialect: Dialect,
}

impl Reader {
    fn new(text: &Word, dialect: Dialect) -> Result<Reader, Fault> {
        let mut words: Vec<Word> = Vec::new();
        let mut depth = 0u32;
        let mut quote_at = None;
        let mut open = false;
        for (at, c) in (0u32..).zip(text.value.chars()) {
            let free = depth == 0 && quote_at.is_none();
            match c {
                '"' => quote_at = if quote_at.is_none() { Some(at) } else { None },
                '[' | '(' if quote_at.is_none() => depth += 1,
                ']' | ')' if quote_at.is_none() => depth = depth.saturating_sub(1),
                _ => {}
            }
            if free && c == ' ' {
                open = false;
                continue;
            }
            if free && c == ',' {
                words.push(Placed::new(",".to_owned(), text.place.part(at, 1)));
                open = false;
                continue;
            }
            match words.last_mut().filter(|_| open) {
                Some(word) => {
                    word.value.push(c);
                    word.place.len += 1;
                }
                None => words.push(Placed::new(c.to_string(), text.place.part(at, 1))),
            }
            open = true;
        }
        if let Some(at) = quote_at {
            return Err(Fault::new(text.place.part(at, 1), "a quote is not closed", ""));
        }
        if depth > 0 {
            return Err(Fault::new(text.place, "a bracket is not closed", ""));
        }
        let end = text.place.part(text.value.chars().count() as u32, 1);
        Ok(Reader { words, next: 0, end, dialect })
    }

    fn peek(&self) -> Option<&Word> {
        self.words.get(self.next)
    }

    fn take(&mut self) -> Option<Word> {
        let word = self.words.get(self.next).cloned();
        self.next += 1;
        word
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.value == text);
        self.next += usize::from(found);
        found
    }

    fn need(&mut self, what: &str) -> Result<Word, Fault> {
        let end = self.end;
        self.take().ok_or_else(|| Fault::new(end, format!("the rule ends where {what} should stand"), ""))
    }

    fn end(&mut self) -> Result<(), Fault> {
        match self.take() {
            Some(word) => Err(Fault::new(word.place, format!("'{}' is not expected here", word.value), "")),
            None => Ok(()),
        }
    }

    fn sources(&mut self) -> Result<Vec<Source>, Fault> {
        let mut sources = vec![self.source()?];
        while self.eat(",") {
            sources.push(self.source()?);
        }
        Ok(sources)
    }

    fn source(&mut self) -> Result<Source, Fault> {
        let mut alternatives = vec![self.alternative()?];
        while self.eat("or") {
            alternatives.push(self.alternative()?);
        }
        let place = match &alternatives[0] {
            Alternative::Path(path) => path.place,
            Alternative::Constant(word) => word.place,
        };
        Ok(Source { alternatives, place })
    }

    fn alternative(&mut self) -> Result<Alternative, Fault> {
        let word = self.need("a source")?;
        match word.value.strip_prefix('=') {
            Some(constant) => {
                Ok(Alternative::Constant(Placed::new(literal(constant), word.place.part(1, word.place.len - 1))))
            }
            None => Ok(Alternative::Path(self.path(word)?)),
        }
    }

    fn path(&mut self, word: Word) -> Result<Path, Fault> {
        match self.dialect {
            Dialect::Segments => source_path(&word),
            Dialect::Tree => tree_path(&word),
            Dialect::Rows => {
                // `col 5` is one name in two words.
                let number = self.peek().filter(|next| word.value == "col" && begins_with_digit(next)).cloned();
                let Some(number) = number else { return column_path(&word) };
                self.next += 1;
                let len = number.place.column + number.place.len - word.place.column;
                column_path(&Placed::new(format!("col {}", number.value), Place { len, ..word.place }))
            }
        }
    }

    fn direction(&mut self) -> Result<Direction, Fault> {
        let word = self.need("<->, -> or <-")?;
        match word.value.as_str() {
            "<->" => Ok(Direction::Both),
            "->" => Ok(Direction::Forward),
            "<-" => Ok(Direction::Back),
            other => {
                let hint = match other {
                    "→" | "=>" | "⇒" | "-->" | "—>" | ">" => "write: ->",
                    "←" | "<=" | "<--" => "write: <-",
                    "↔" | "<=>" | "⇔" | "<-->" | "<>" => "write: <->",
                    "=" | ":" | ":=" => "write: <->   or to FHIR only: ->",
                    _ => "",
                };
                Err(Fault::new(word.place, format!("'{other}' stands where <->, -> or <- should"), hint))
            }
        }
    }

    fn action(&mut self, direction: Direction) -> Result<Action, Fault> {
        let second = self.words.get(self.next + 1);
        let reason = second.filter(|word| word.value.starts_with('"')).map(|word| literal(&word.value));
        let first = self.peek().map(|word| (word.value.clone(), word.place));
        let disposition = match (first, reason) {
            (Some((word, place)), reason) if word == "drop" || word == "keep" => {
                if direction != Direction::Forward {
                    return Err(Fault::new(place, format!("{word} goes with -> only"), "write: ->"));
                }
                let Some(reason) = reason.filter(|reason| !reason.is_empty()) else {
                    return Err(Fault::new(place, format!("{word} needs a reason"), format!("write: {word} \"why\"")));
                };
                self.next += 2;
                if word == "drop" { Action::Drop(reason) } else { Action::Keep(reason) }
            }
            (Some((word, place)), _) if word == "order" => {
                if direction != Direction::Forward {
                    return Err(Fault::new(place, "order goes with -> only", "write: ->"));
                }
                self.next += 1;
                Action::Order
            }
            _ => {
                let mut targets = vec![self.target()?];
                while self.eat(",") {
                    targets.push(self.target()?);
                }
                Action::Write(targets)
            }
        };
        Ok(disposition)
    }

    fn target(&mut self) -> Result<Target, Fault> {
        let word = self.need("a target")?;
        target_path(&word)
    }

    fn clause(&mut self, word: &Word, rule: &mut Rule) -> Result<(), Fault> {
        let clauses = &mut rule.clauses;
        match word.value.as_str() {
            "via" => rule.via = Some(call(&self.need("a lens")?)),
            "if" => clauses.guard = self.guard()?,
            "else" => clauses.otherwise = true,
            "key" => {
                clauses.key.push(self.need("an element")?);
                while self.eat(",") {
                    clauses.key.push(self.need("an element")?);
                }
            }
            "table" => clauses.table = Some(self.need("a table")?),
            "default" => {
                let given = self.need("a default")?;
                clauses.defaults.push(default_of(&given));
            }
            "null" => clauses.null = Some(self.null()?),
            "rest" => clauses.rest = self.rest()?,
            "ref" => clauses.reference = Some(self.need("a resource type")?),
            "required" => clauses.required = true,
            "once" => clauses.once = true,
            "prec" => clauses.precision = self.precision()?,
            "zone" => clauses.zone = Some(self.need("site or an offset")?),
            "trim" => clauses.trim = true,
            other => {
                let hint = crate::diagnostic::nearest(other, CLAUSES);
                return Err(Fault::new(word.place, format!("'{other}' is no clause"), hint));
            }
        }
        Ok(())
    }

    fn null(&mut self) -> Result<NullPolicy, Fault> {
        let word = self.need("delete, keep or error")?;
        let text = || format!("'{}' is no null policy", word.value);
        crate::overlay::null_policy(&word.value).ok_or_else(|| Fault::new(word.place, text(), "delete | keep | error"))
    }

    fn rest(&mut self) -> Result<Rest, Fault> {
        let word = self.need("complement or ext")?;
        match word.value.as_str() {
            "complement" => Ok(Rest::Complement),
            "ext" => Ok(Rest::Extension(self.need("an extension")?)),
            other => {
                Err(Fault::new(word.place, format!("'{other}' is no place for the rest"), "complement | ext NAME"))
            }
        }
    }

    fn precision(&mut self) -> Result<Precision, Fault> {
        let word = self.need("keep, day or second")?;
        match word.value.as_str() {
            "keep" => Ok(Precision::Keep),
            "day" => Ok(Precision::Day),
            "second" => Ok(Precision::Second),
            other => Err(Fault::new(word.place, format!("'{other}' is no precision"), "keep | day | second")),
        }
    }

    fn guard(&mut self) -> Result<Vec<Test>, Fault> {
        let mut tests = vec![self.test()?];
        while self.eat("and") {
            tests.push(self.test()?);
        }
        Ok(tests)
    }

    fn test(&mut self) -> Result<Test, Fault> {
        let word = self.need("a path")?;
        let path = self.path(word)?;
        let word = self.need("a test")?;
        let kind = match word.value.as_str() {
            "valued" => TestKind::Valued,
            "empty" => TestKind::Empty,
            "null" => TestKind::Null,
            "=" => TestKind::In(vec![literal(&self.need("a value")?.value)]),
            "!=" => TestKind::NotIn(vec![literal(&self.need("a value")?.value)]),
            "begins" => TestKind::Begins(literal(&self.need("a text")?.value)),
            "in" => TestKind::In(self.values()?),
            "not" if self.eat("in") => TestKind::NotIn(self.values()?),
            other => {
                let hint = "valued | empty | null | = | != | in | not in | begins";
                return Err(Fault::new(word.place, format!("'{other}' is no test"), hint));
            }
        };
        Ok(Test { path, kind })
    }

    fn values(&mut self) -> Result<Vec<String>, Fault> {
        let mut values = vec![literal(&self.need("a value")?.value)];
        while self.eat(",") {
            values.push(literal(&self.need("a value")?.value));
        }
        Ok(values)
    }
}

/// `name` or `name(argument)`.
fn call(word: &Word) -> Call {
    match word.value.split_once('(') {
        Some((name, rest)) => {
            let place = Place { len: name.chars().count() as u32, ..word.place };
            let argument = rest.strip_suffix(')').unwrap_or(rest).to_owned();
            Call { name: Placed::new(name.to_owned(), place), argument: Some(argument) }
        }
        None => Call { name: word.clone(), argument: None },
    }
}

/// `literal` or `element=literal`.
fn default_of(word: &Word) -> (Option<Word>, Word) {
    match word.value.split_once('=') {
        Some((key, value)) if !key.is_empty() && !key.starts_with('"') => {
            let width = key.chars().count() as u32;
            let key = Placed::new(key.to_owned(), word.place.part(0, width));
            let len = word.place.len.saturating_sub(width + 1);
            (Some(key), Placed::new(literal(value), word.place.part(width + 1, len)))
        }
        _ => (None, Placed::new(literal(&word.value), word.place)),
    }
}

fn begins_with_digit(word: &Word) -> bool {
    word.value.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether two paths name the same position, whatever repetition of it.
pub(crate) fn same_field(left: &Path, right: &Path) -> bool {
    if !matches!((&left.locus, &right.locus), (Locus::Segment, Locus::Segment)) {
        return crate::explain::plain(left) == crate::explain::plain(right);
    }
    let name = |path: &Path| path.segment.as_ref().map(|word| word.value.clone());
    let group = |path: &Path| path.group.as_ref().map(|word| word.value.clone());
    let own = |path: &Path| (path.field, path.component, path.subcomponent, path.third);
    name(left) == name(right) && group(left) == group(right) && own(left) == own(right)
}

const CLAUSES: [&str; 14] =
    ["once", "via", "if", "else", "key", "table", "default", "null", "rest", "ref", "required", "prec", "zone", "trim"];
