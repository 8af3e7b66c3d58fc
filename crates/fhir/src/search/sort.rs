//! The order of matches: `_sort` (search, 3.1.1.6.1).

use super::parameters::Parameter;
use super::posting::{Form, KeyRange, PostingKey};
use super::values::{Postings, post};
use super::{Kind, Site, token};
use crate::{Offset, ResourceType, Value};

/// One key to sort by. Resources without a value come last, whichever way the order goes.
#[derive(Clone, Debug)]
pub struct Sort {
    kind: ResourceType,
    parameter: &'static Parameter,
    descending: bool,
    zone: Offset,
    base: Option<Box<str>>,
}

impl Sort {
    /// Nothing for a composite, which has no order.
    pub(crate) fn new(
        kind: ResourceType,
        parameter: &'static Parameter,
        descending: bool,
        site: Site<'_>,
    ) -> Option<Sort> {
        let ordered = parameter.kind() != Kind::Composite && parameter.program().is_some();
        ordered.then(|| Sort { kind, parameter, descending, zone: site.zone, base: site.base.map(Box::from) })
    }

    /// The parameter.
    pub fn parameter(&self) -> &'static Parameter {
        self.parameter
    }

    /// Whether the order goes from the highest value to the lowest.
    pub fn descending(&self) -> bool {
        self.descending
    }

    /// The bytes that a resource sorts by: those of its lowest value, or of its highest in descending order. Where
    /// [`Sort::walk`] gives keys, these are the bytes behind type, parameter and form.
    pub fn key(&self, resource: &Value<'_>) -> Option<Vec<u8>> {
        let mut best: Option<Vec<u8>> = None;
        let mut offer = |bytes: &[u8]| {
            let better = best.as_deref().is_none_or(|best| if self.descending { bytes > best } else { bytes < best });
            if better {
                best = Some(bytes.to_vec());
            }
        };
        let program = self.parameter.program()?;
        match self.parameter.kind() {
            Kind::Token => program.each(resource, |item| token::sort_texts(&item, &mut |text| offer(text.as_bytes()))),
            Kind::Uri => program.each(resource, |item| {
                item.value.as_str().into_iter().for_each(|uri| offer(uri.as_bytes()));
            }),
            kind => {
                let site = Site { zone: self.zone, base: self.base.as_deref() };
                let mut keys = Vec::new();
                let mut postings =
                    Postings { kind: self.kind, parameter: self.parameter.number(), site, keys: &mut keys };
                program.each(resource, |item| post(kind, &item, &mut postings));
                let forms = self.forms();
                let counts = |key: &&PostingKey| forms.iter().any(|form| key.is(*form));
                keys.iter().filter(counts).for_each(|key| offer(key.value()));
            }
        }
        best
    }

    /// The keys to walk for resources in this order (from the end if descending), where the index has them in order:
    /// a resource stands where it is met first. Resources without a value are not among them.
    pub fn walk(&self) -> Option<KeyRange> {
        match (self.parameter.kind(), self.forms()) {
            (Kind::Token | Kind::Uri, _) => None,
            (_, [form]) => Some(PostingKey::start(self.kind, self.parameter.number(), *form).range()),
            _ => None,
        }
    }

    /// The forms of key that hold the end of a value that counts.
    fn forms(&self) -> &'static [Form] {
        match (self.parameter.kind(), self.descending) {
            (Kind::String, _) => &[Form::String],
            (Kind::Reference, _) => &[Form::Reference],
            (Kind::Date, true) if !self.parameter.is_last_updated() => &[Form::DateHigh],
            (Kind::Date, _) => &[Form::DateLow],
            (_, false) => &[Form::Point, Form::Low],
            (_, true) => &[Form::Point, Form::High],
        }
    }
}
