//! One value of a search parameter, of whatever kind: parsed, compared with an element, turned to keys.

use super::parameters::{self, Parameter};
use super::posting::{Form, KeyRange, PostingKey};
use super::{Kind, Lookup, Site, date, number, reference, string, token, uri};
use crate::path::Item;
use crate::{ResourceType, Value};

/// One of the values of which any may match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Token(token::Wanted),
    /// The folded text asked for by `:text`.
    TokenText(String),
    TokenOfType(token::WantedOfType),
    /// An identifier of which the type is one of these, as system and code.
    TokenOfTypes(token::Wanted, Vec<(String, String)>),
    String(string::Wanted),
    Date(date::Wanted),
    Number(number::Wanted),
    Reference(reference::Wanted),
    /// The identifier beside a reference.
    ReferenceIdentifier(token::Wanted),
    Uri(uri::Wanted),
    /// One value for each component, to be met within one element.
    Composite(Vec<Wanted>),
}

impl Wanted {
    /// Whether an element that the parameter finds in the resource meets this value.
    pub(crate) fn matches<'v>(&self, parameter: &Parameter, resource: &'v Value<'v>, item: &Item<'v>) -> bool {
        match self {
            Wanted::Token(wanted) => wanted.matches(item),
            Wanted::TokenText(folded) => token::matches_text(item, folded),
            Wanted::TokenOfType(wanted) => wanted.matches(item),
            Wanted::TokenOfTypes(wanted, types) => wanted.matches(item) && token::is_of_type(item, types),
            Wanted::String(wanted) => wanted.matches(item),
            Wanted::Date(wanted) => wanted.matches(item),
            Wanted::Number(wanted) => wanted.matches(item),
            Wanted::Reference(wanted) => wanted.matches(item),
            Wanted::ReferenceIdentifier(wanted) => reference::identifier(item).is_some_and(|own| wanted.matches(&own)),
            Wanted::Uri(wanted) => wanted.matches(item),
            Wanted::Composite(parts) => parts.iter().zip(parameter.components()).all(|(part, component)| {
                let program = component.program(item.datatype);
                program.is_some_and(|program| {
                    program.any_from(resource, item.value, |found| part.matches(parameter, resource, &found))
                })
            }),
        }
    }

    /// Adds the keys of the resources that may match to a union.
    pub(crate) fn look_up(&self, union: &mut Union<'_>) {
        match self {
            Wanted::Token(wanted) | Wanted::ReferenceIdentifier(wanted) | Wanted::TokenOfTypes(wanted, _) => {
                wanted.look_up(union);
            }
            Wanted::TokenText(_) => {
                union.check_bodies();
                union.presence();
            }
            Wanted::TokenOfType(wanted) => wanted.look_up(union),
            Wanted::String(wanted) => wanted.look_up(union),
            Wanted::Date(wanted) => wanted.look_up(union),
            Wanted::Number(wanted) => wanted.look_up(union),
            Wanted::Reference(wanted) => wanted.look_up(union),
            Wanted::Uri(wanted) => wanted.look_up(union),
            Wanted::Composite(parts) => {
                union.check_bodies();
                let components = union.parameter.components();
                let first = parts.first().zip(components.first());
                match first.and_then(|(part, component)| Some((part, parameters::find(union.kind, component.code)?))) {
                    Some((part, parameter)) => union.of(parameter, |inner| part.look_up(inner)),
                    None => union.everything(),
                }
            }
        }
    }
}

/// Collects keys and ranges of which a resource must have one to match.
pub(crate) struct Union<'p> {
    kind: ResourceType,
    parameter: &'p Parameter,
    keys: Vec<PostingKey>,
    ranges: Vec<KeyRange>,
    everything: bool,
    check_bodies: bool,
}

impl<'p> Union<'p> {
    pub(crate) fn new(kind: ResourceType, parameter: &'p Parameter) -> Union<'p> {
        Union { kind, parameter, keys: Vec::new(), ranges: Vec::new(), everything: false, check_bodies: false }
    }

    pub(crate) fn parameter(&self) -> &Parameter {
        self.parameter
    }

    /// Says that not every resource with the keys matches.
    pub(crate) fn check_bodies(&mut self) {
        self.check_bodies = true;
    }

    pub(crate) fn key(&mut self, form: Form, value: &[u8]) {
        self.keys.push(self.start(form).with(value));
    }

    /// From a value to a value, those that begin with the last one included.
    pub(crate) fn range(&mut self, form: Form, from: &[u8], to: &[u8]) {
        let end = self.start(form).with(to).successor();
        self.ranges.push(KeyRange { start: self.start(form).with(from), end });
    }

    /// All resources that have a value at all.
    pub(crate) fn presence(&mut self) {
        self.keys.push(self.start(Form::Presence));
    }

    fn everything(&mut self) {
        self.everything = true;
    }

    /// Adds what a search by another parameter of the same type would look up.
    fn of<'q>(&mut self, parameter: &'q Parameter, add: impl FnOnce(&mut Union<'q>)) {
        let mut inner = Union::new(self.kind, parameter);
        add(&mut inner);
        self.keys.append(&mut inner.keys);
        self.ranges.append(&mut inner.ranges);
        self.everything |= inner.everything;
    }

    /// The look-up, and whether the bodies of its resources must be checked.
    pub(crate) fn finish(mut self) -> (Lookup, bool) {
        if self.everything {
            return (Lookup::All, true);
        }
        if self.ranges.is_empty() {
            self.keys.sort_unstable();
            self.keys.dedup();
            return (Lookup::Keys(self.keys), self.check_bodies);
        }
        self.ranges.extend(self.keys.into_iter().map(|key| KeyRange { end: key.clone().with(&[0]), start: key }));
        (Lookup::Ranges(self.ranges), self.check_bodies)
    }

    fn start(&self, form: Form) -> PostingKey {
        PostingKey::start(self.kind, self.parameter.number(), form)
    }
}

/// Collects the posting keys of a resource under one parameter.
pub(crate) struct Postings<'k> {
    pub(crate) kind: ResourceType,
    pub(crate) parameter: u16,
    pub(crate) site: Site<'k>,
    pub(crate) keys: &'k mut Vec<PostingKey>,
}

impl Postings<'_> {
    pub(crate) fn add(&mut self, form: Form, value: &[u8]) {
        self.keys.push(PostingKey::start(self.kind, self.parameter, form).with(value));
    }
}

/// The posting keys of an element under a parameter of that kind.
pub(crate) fn post(kind: Kind, item: &Item<'_>, postings: &mut Postings<'_>) {
    match kind {
        Kind::Token => token::post(item, postings),
        Kind::String => string::post(item, postings),
        Kind::Date => date::post(item, postings),
        Kind::Reference => reference::post(item, postings),
        Kind::Number | Kind::Quantity => number::post(item, postings),
        Kind::Uri => uri::post(item, postings),
        // A composite is looked up by its parts.
        Kind::Composite | Kind::Special => {}
    }
}
