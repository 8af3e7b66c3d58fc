//! The subset of FHIRPath that the search parameters of R4 use, compiled once and walked without allocation.
//!
//! Understood are member names (choice elements by their stem), `|`, `as(T)`, `(X as T)`, `ofType(T)`, `[n]`,
//! `where(member = 'text')`, `where(resolve() is T)`, `extension('url')`, `%resource`, and as a whole expression
//! `X.exists()`, `X != literal`, `X = literal` joined by `and`. Types are settled while compiling, from the schema, so
//! that a walk is nothing but member look-ups. Everything else is a [`PathError`], never a silent empty result.
//!
//! ```
//! use dukou_fhir::{json, path::Program};
//!
//! let patient = json::parse(br#"{"resourceType":"Patient","telecom":[
//!     {"system":"phone","value":"19900000001"},{"system":"email","value":"li@example.org"}]}"#, &json::Limits::default())?;
//! let program = Program::compile("Patient.telecom.where(system='email').value", "Patient")?;
//! let mut found = Vec::new();
//! program.each(&patient, |item| found.push(item.value.as_str()));
//! assert_eq!(found, [Some("li@example.org")]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compile;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use crate::{ResourceType, Value};

pub use compile::{PathError, PathErrorKind};

/// An expression compiled for one type.
#[derive(Clone, Debug)]
pub struct Program(Body);

/// One element found, with its type (`HumanName`, `dateTime`, `Resource` for a resource that stands inline).
#[derive(Clone, Copy, Debug)]
pub struct Item<'v> {
    /// The element.
    pub value: &'v Value<'v>,
    /// Its R4 type; elements without a type of their own (backbone elements) carry their path, `Observation.component`.
    pub datatype: &'static str,
}

#[derive(Clone, Debug)]
enum Body {
    /// The union of the elements that each branch finds.
    Elements(Vec<Branch>),
    /// One boolean: whether all of these hold.
    Holds(Vec<Assertion>),
}

/// One chain of steps whose result has one type.
#[derive(Clone, Debug)]
struct Branch {
    /// Whether the chain starts at the whole resource (`%resource`) instead of the focus.
    from_resource: bool,
    steps: Vec<Step>,
    datatype: &'static str,
}

#[derive(Clone, Debug)]
enum Step {
    /// To each value of a member, by its JSON name (`valueQuantity`).
    Member(Box<str>),
    /// To one value of a member that is a list.
    MemberAt(Box<str>, usize),
    /// On, if the member of that name is that text.
    WhereText(Box<str>, Box<str>),
    /// On, if this reference points to that type.
    WhereResolves(ResourceType),
}

/// A condition over branches.
#[derive(Clone, Debug)]
enum Assertion {
    Exists(Vec<Branch>),
    Equal(Vec<Branch>, Literal),
    NotEqual(Vec<Branch>, Literal),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Literal {
    Bool(bool),
    Text(Box<str>),
}

impl Program {
    /// Compiles an expression for a type: a resource (`Patient`), or the path of a backbone element for expressions
    /// that are relative to it (`Observation.component`). Parts of a union that speak of another resource type fall
    /// away.
    pub fn compile(expression: &str, datatype: &str) -> Result<Program, PathError> {
        compile::compile(expression, datatype).map(Program)
    }

    /// Whether nothing can ever be found, because every part of the expression speaks of other types.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Body::Elements(branches) if branches.is_empty())
    }

    /// The types that found elements can have, each once.
    pub fn datatypes(&self) -> Vec<&'static str> {
        let mut datatypes = match &self.0 {
            Body::Elements(branches) => branches.iter().map(|branch| branch.datatype).collect(),
            Body::Holds(_) => vec!["boolean"],
        };
        datatypes.sort_unstable();
        datatypes.dedup();
        datatypes
    }

    /// Hands over each element that the expression finds in a resource, in document order within a branch.
    pub fn each<'v>(&self, resource: &'v Value<'v>, mut found: impl FnMut(Item<'v>)) {
        let go_on = self.walk(resource, resource, &mut |item| {
            found(item);
            ControlFlow::Continue(())
        });
        debug_assert!(go_on.is_continue(), "the visitor above never stops");
    }

    /// Whether the expression finds anything for which the test holds.
    pub fn any<'v>(&self, resource: &'v Value<'v>, test: impl FnMut(Item<'v>) -> bool) -> bool {
        self.any_from(resource, resource, test)
    }

    /// As [`Program::any`], starting at an element within the resource.
    pub fn any_from<'v>(
        &self,
        resource: &'v Value<'v>,
        focus: &'v Value<'v>,
        mut test: impl FnMut(Item<'v>) -> bool,
    ) -> bool {
        let stopped = self.walk(resource, focus, &mut |item| match test(item) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        stopped.is_break()
    }

    fn walk<'v>(&self, resource: &'v Value<'v>, focus: &'v Value<'v>, found: Visitor<'_, 'v>) -> ControlFlow<()> {
        match &self.0 {
            Body::Elements(branches) => branches.iter().try_for_each(|branch| branch.walk(resource, focus, found)),
            Body::Holds(assertions) => {
                let holds = assertions.iter().all(|assertion| assertion.holds(resource, focus));
                found(Item { value: if holds { &TRUE } else { &FALSE }, datatype: "boolean" })
            }
        }
    }
}

type Visitor<'f, 'v> = &'f mut dyn FnMut(Item<'v>) -> ControlFlow<()>;

impl Branch {
    fn walk<'v>(&self, resource: &'v Value<'v>, focus: &'v Value<'v>, found: Visitor<'_, 'v>) -> ControlFlow<()> {
        let start = if self.from_resource { resource } else { focus };
        step(&self.steps, resource, start, &mut |value| found(Item { value, datatype: self.datatype }))
    }
}

fn step<'v>(
    steps: &[Step],
    resource: &'v Value<'v>,
    value: &'v Value<'v>,
    found: &mut dyn FnMut(&'v Value<'v>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let Some((first, rest)) = steps.split_first() else {
        return if value.is_null() { ControlFlow::Continue(()) } else { found(value) };
    };
    let Some(object) = value.as_object() else { return ControlFlow::Continue(()) };
    match first {
        Step::Member(name) => match object.get(name) {
            None => ControlFlow::Continue(()),
            Some(Value::Array(values)) => values.iter().try_for_each(|value| step(rest, resource, value, found)),
            Some(value) => step(rest, resource, value, found),
        },
        Step::MemberAt(name, index) => match object.get(name).and_then(|list| list.as_array()?.get(*index)) {
            Some(value) => step(rest, resource, value, found),
            None => ControlFlow::Continue(()),
        },
        Step::WhereText(name, text) => match object.get(name).and_then(Value::as_str) == Some(text) {
            true => step(rest, resource, value, found),
            false => ControlFlow::Continue(()),
        },
        Step::WhereResolves(kind) => match resolved_type(resource, value) == Some(*kind) {
            true => step(rest, resource, value, found),
            false => ControlFlow::Continue(()),
        },
    }
}

impl Assertion {
    fn holds<'v>(&self, resource: &'v Value<'v>, focus: &'v Value<'v>) -> bool {
        let any = |branches: &[Branch], test: &dyn Fn(&Value<'_>) -> bool| {
            branches.iter().any(|branch| {
                let visit = &mut |item: Item<'v>| match test(item.value) {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                };
                branch.walk(resource, focus, visit).is_break()
            })
        };
        match self {
            Assertion::Exists(branches) => any(branches, &|_| true),
            Assertion::Equal(branches, literal) => any(branches, &|value| literal.equals(value)),
            Assertion::NotEqual(branches, literal) => any(branches, &|value| !literal.equals(value)),
        }
    }
}

impl Literal {
    fn equals(&self, value: &Value<'_>) -> bool {
        match self {
            Literal::Bool(flag) => value.as_bool() == Some(*flag),
            Literal::Text(text) => value.as_str() == Some(text),
        }
    }
}

/// The type that a Reference points to as far as the reference itself tells: by its `type`, its URL, or the contained
/// resource that it names. Nothing is fetched.
pub(crate) fn resolved_type(resource: &Value<'_>, reference: &Value<'_>) -> Option<ResourceType> {
    let text = reference.text_at("reference");
    if let Some(id) = text.and_then(|text| text.strip_prefix('#')) {
        let contained = resource.list_at("contained").iter().find(|inner| inner.text_at("id") == Some(id))?;
        return contained.resource_type().and_then(ResourceType::parse);
    }
    let by_url = text.and_then(|text| {
        let unversioned = text.split_once("/_history/").map_or(text, |(before, _)| before);
        let (before, _id) = unversioned.rsplit_once('/')?;
        ResourceType::parse(before.rsplit('/').next()?)
    });
    by_url.or_else(|| ResourceType::parse(reference.text_at("type")?))
}

static TRUE: Value<'static> = Value::Bool(true);
static FALSE: Value<'static> = Value::Bool(false);
