//! From the text of an expression to typed branches: a hand-written descent, one token ahead.

use std::fmt;

use super::{Assertion, Body, Branch, Literal, Step};
use crate::ResourceType;
use crate::schema::TypeId;

/// Why an expression is not understood, and where: a byte offset into its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset} of the expression")]
pub struct PathError {
    /// What was wrong.
    pub kind: PathErrorKind,
    /// Where, as a byte offset into the expression.
    pub offset: usize,
}

/// What was wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathErrorKind {
    /// The text goes on or stops where it should not.
    Syntax,
    /// No type in reach has an element of that name.
    UnknownElement(String),
    /// R4 has no type of that name.
    UnknownType(String),
    /// FHIRPath knows it, this subset does not.
    Unsupported(String),
}

impl fmt::Display for PathErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PathErrorKind::Syntax => f.write_str("unexpected text"),
            PathErrorKind::UnknownElement(name) => write!(f, "unknown element {name}"),
            PathErrorKind::UnknownType(name) => write!(f, "unknown type {name}"),
            PathErrorKind::Unsupported(what) => write!(f, "unsupported {what}"),
        }
    }
}

pub(super) fn compile(expression: &str, datatype: &str) -> Result<Body, PathError> {
    let mut parser = Parser { text: expression, at: 0, root: datatype, root_name: "" };
    match TypeId::parse(datatype) {
        Some(kind) => parser.root_name = kind.name(),
        None => return Err(parser.error(PathErrorKind::UnknownType(datatype.to_owned()))),
    }
    let body = parser.whole()?;
    match parser.rest().is_empty() {
        true => Ok(body),
        false => Err(parser.error(PathErrorKind::Syntax)),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    root: &'t str,
    root_name: &'static str,
}

/// What a part of an expression stands for: branches, or nothing because it speaks of another resource type.
type Branches = Vec<Branch>;

impl<'t> Parser<'t> {
    /// One union, or assertions joined by `and`.
    fn whole(&mut self) -> Result<Body, PathError> {
        let mut assertions = Vec::new();
        loop {
            let branches = self.union()?;
            let assertion = if self.take(".exists()") {
                Assertion::Exists(branches)
            } else if self.take("!=") {
                Assertion::NotEqual(branches, self.literal()?)
            } else if self.take("=") {
                Assertion::Equal(branches, self.literal()?)
            } else if assertions.is_empty() {
                return Ok(Body::Elements(branches));
            } else {
                return Err(self.error(PathErrorKind::Syntax));
            };
            assertions.push(assertion);
            if !self.take_word("and") {
                return Ok(Body::Holds(assertions));
            }
        }
    }

    fn union(&mut self) -> Result<Branches, PathError> {
        let mut branches = self.typed()?;
        while self.take("|") {
            branches.extend(self.typed()?);
        }
        Ok(branches)
    }

    /// A chain, with `as T` behind it or not.
    fn typed(&mut self) -> Result<Branches, PathError> {
        let branches = self.chain()?;
        match self.take_word("as") {
            true => self.narrowed(branches),
            false => Ok(branches),
        }
    }

    fn chain(&mut self) -> Result<Branches, PathError> {
        let mut branches = self.start()?;
        loop {
            if self.take("[") {
                let index = self.number()?;
                self.expect("]")?;
                self.index(&mut branches, index)?;
                continue;
            }
            if self.rest().starts_with(".exists()") || !self.take(".") {
                return Ok(branches);
            }
            let offset = self.at;
            let name = self.name()?;
            branches = match (name, self.take("(")) {
                ("as" | "ofType", true) => self.narrowed(branches)?,
                ("where", true) => self.filtered(branches)?,
                ("extension", true) => self.extension(branches, offset)?,
                (name, true) => return Err(self.error_at(offset, PathErrorKind::Unsupported(format!("{name}()")))),
                (name, false) => self.member(branches, name, offset)?,
            };
            if matches!(name, "as" | "ofType" | "where" | "extension") {
                self.expect(")")?;
            }
        }
    }

    fn start(&mut self) -> Result<Branches, PathError> {
        if self.take("(") {
            let branches = self.union()?;
            self.expect(")")?;
            return Ok(branches);
        }
        let root = |from_resource, datatype| vec![Branch { from_resource, steps: Vec::new(), datatype }];
        if self.take("%resource") {
            let resource = self.root.split('.').next().unwrap_or(self.root);
            let datatype = TypeId::parse(resource).map_or(self.root_name, TypeId::name);
            return Ok(root(true, datatype));
        }
        let offset = self.at;
        let name = self.name()?;
        if name == self.root || matches!(name, "Resource" | "DomainResource") {
            return Ok(root(false, self.root_name));
        }
        if name.starts_with(|first: char| first.is_ascii_uppercase()) {
            return match ResourceType::parse(name) {
                Some(_) => Ok(Vec::new()),
                None => Err(self.error_at(offset, PathErrorKind::UnknownType(name.to_owned()))),
            };
        }
        self.member(root(false, self.root_name), name, offset)
    }

    /// Each branch goes on to an element; a choice becomes one branch for each type. Branches of a type that lacks the
    /// element end, as long as another goes on.
    fn member(&self, branches: Branches, name: &str, offset: usize) -> Result<Branches, PathError> {
        let dead = branches.is_empty();
        let mut onward = Vec::new();
        for branch in branches {
            for (member, datatype) in members(branch.datatype, name) {
                let mut steps = branch.steps.clone();
                steps.push(Step::Member(member.into_boxed_str()));
                onward.push(Branch { steps, datatype, ..branch });
            }
        }
        match onward.is_empty() && !dead {
            true => Err(self.error_at(offset, PathErrorKind::UnknownElement(name.to_owned()))),
            false => Ok(onward),
        }
    }

    /// The branches whose type is the one named next. The definitions write `DateTime` for `dateTime` here and there.
    fn narrowed(&mut self, mut branches: Branches) -> Result<Branches, PathError> {
        let offset = self.at;
        let name = self.name()?;
        let known = TypeId::parse(name).is_some() || TypeId::parse(&lower_first(name)).is_some();
        if !known {
            return Err(self.error_at(offset, PathErrorKind::UnknownType(name.to_owned())));
        }
        branches.retain(|branch| branch.datatype.eq_ignore_ascii_case(name));
        Ok(branches)
    }

    /// `where(member = 'text')` and `where(resolve() is T)`, behind the opening bracket.
    fn filtered(&mut self, branches: Branches) -> Result<Branches, PathError> {
        let offset = self.at;
        if self.take("resolve()") {
            if !self.take_word("is") {
                return Err(self.error(PathErrorKind::Syntax));
            }
            let offset = self.at;
            let name = self.name()?;
            let kind = ResourceType::parse(name)
                .ok_or_else(|| self.error_at(offset, PathErrorKind::UnknownType(name.to_owned())))?;
            return Ok(with_step(branches, |_| Some(Step::WhereResolves(kind))));
        }
        let name = self.name()?;
        if !self.take("=") {
            return Err(self.error_at(offset, PathErrorKind::Unsupported("condition in where()".to_owned())));
        }
        let Literal::Text(text) = self.literal()? else {
            return Err(self.error_at(offset, PathErrorKind::Unsupported("condition in where()".to_owned())));
        };
        let dead = branches.is_empty();
        let kept = with_step(branches, |datatype| {
            let (member, _) = members(datatype, name).into_iter().next()?;
            Some(Step::WhereText(member.into_boxed_str(), text.clone()))
        });
        match kept.is_empty() && !dead {
            true => Err(self.error_at(offset, PathErrorKind::UnknownElement(name.to_owned()))),
            false => Ok(kept),
        }
    }

    /// `extension('url')`, behind the opening bracket.
    fn extension(&mut self, branches: Branches, offset: usize) -> Result<Branches, PathError> {
        let Literal::Text(url) = self.literal()? else {
            return Err(self.error_at(offset, PathErrorKind::Syntax));
        };
        let extensions = self.member(branches, "extension", offset)?;
        Ok(with_step(extensions, |_| Some(Step::WhereText("url".into(), url.clone()))))
    }

    /// The last member step takes one value only.
    fn index(&self, branches: &mut Branches, index: usize) -> Result<(), PathError> {
        for branch in branches {
            match branch.steps.pop() {
                Some(Step::Member(name)) => branch.steps.push(Step::MemberAt(name, index)),
                _ => return Err(self.error(PathErrorKind::Unsupported("index".to_owned()))),
            }
        }
        Ok(())
    }

    fn literal(&mut self) -> Result<Literal, PathError> {
        if self.take_word("true") {
            return Ok(Literal::Bool(true));
        }
        if self.take_word("false") {
            return Ok(Literal::Bool(false));
        }
        self.expect("'")?;
        let end = self.text[self.at..].find('\'').ok_or_else(|| self.error(PathErrorKind::Syntax))?;
        let text = &self.text[self.at..self.at + end];
        self.at += end + 1;
        match text.contains('\\') {
            true => Err(self.error(PathErrorKind::Unsupported("escape".to_owned()))),
            false => Ok(Literal::Text(text.into())),
        }
    }

    fn number(&mut self) -> Result<usize, PathError> {
        let rest = self.rest();
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..length].parse().map_err(|_| self.error(PathErrorKind::Syntax))?;
        self.at += length;
        Ok(number)
    }

    fn name(&mut self) -> Result<&'t str, PathError> {
        let rest = self.rest();
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if length == 0 {
            return Err(self.error(PathErrorKind::Syntax));
        }
        self.at += length;
        Ok(&rest[..length])
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes a word that does not go on as a longer name.
    fn take_word(&mut self, word: &str) -> bool {
        let follows = self.rest().strip_prefix(word);
        follows.is_some_and(|follows| !follows.starts_with(|c: char| c.is_ascii_alphanumeric())) && self.take(word)
    }

    fn expect(&mut self, token: &str) -> Result<(), PathError> {
        match self.take(token) {
            true => Ok(()),
            false => Err(self.error(PathErrorKind::Syntax)),
        }
    }

    /// What is still to be read, white space before it passed over.
    fn rest(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        &self.text[self.at..]
    }

    fn error(&self, kind: PathErrorKind) -> PathError {
        self.error_at(self.at, kind)
    }

    fn error_at(&self, offset: usize, kind: PathErrorKind) -> PathError {
        PathError { kind, offset }
    }
}

/// The branches with one more step each; those for which there is none end.
fn with_step(branches: Branches, step: impl Fn(&'static str) -> Option<Step>) -> Branches {
    let grown = branches.into_iter().filter_map(|mut branch| {
        branch.steps.push(step(branch.datatype)?);
        Some(branch)
    });
    grown.collect()
}

/// The JSON members that an element name stands for in a type, with the type of their content.
fn members(datatype: &str, name: &str) -> Vec<(String, &'static str)> {
    let Some(owner) = TypeId::parse(datatype) else { return Vec::new() };
    let Some(element) = owner.elements().find(|element| element.name == name) else { return Vec::new() };
    element.types.iter().map(|of| (element.json_name(of.kind), of.kind.name())).collect()
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
