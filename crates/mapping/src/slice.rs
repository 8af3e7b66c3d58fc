//! Slices: which items of a list belong to a rule, in a resource as it is stored and in one that is being made.

use dukou_fhir::{Branch, Object, Value};

use crate::plan::{Filter, FilterForm};

/// What a filter reads of an item.
pub(crate) trait Tree<'t>: Copy {
    /// The member with that exact name.
    fn member(self, name: &str) -> Option<Self>;
    /// The text of a string.
    fn text(self) -> Option<&'t str>;
    /// The text of a number.
    fn number(self) -> Option<&'t str>;
    /// The boolean.
    fn flag(self) -> Option<bool>;
    /// The items of a list.
    fn items(self) -> impl Iterator<Item = Self>;
}

impl<'t> Tree<'t> for &'t Value<'_> {
    fn member(self, name: &str) -> Option<Self> {
        self.as_object()?.get(name)
    }

    fn text(self) -> Option<&'t str> {
        self.as_str()
    }

    fn number(self) -> Option<&'t str> {
        self.as_number()
    }

    fn flag(self) -> Option<bool> {
        self.as_bool()
    }

    fn items(self) -> impl Iterator<Item = Self> {
        self.as_array().unwrap_or_default().iter()
    }
}

impl<'t> Tree<'t> for Branch<'t, '_> {
    fn member(self, name: &str) -> Option<Self> {
        self.get(name)
    }

    fn text(self) -> Option<&'t str> {
        self.as_str()
    }

    fn number(self) -> Option<&'t str> {
        self.as_number()
    }

    fn flag(self) -> Option<bool> {
        self.as_bool()
    }

    fn items(self) -> impl Iterator<Item = Self> {
        Branch::items(self)
    }
}

impl Filter {
    /// Whether the item is in the slice.
    pub(crate) fn holds<'t>(&self, item: impl Tree<'t>) -> bool {
        let is = item.member(&self.member).is_some_and(|value| match self.form {
            FilterForm::Text => value.text() == Some(self.value.as_str()),
            FilterForm::Number => value.number() == Some(self.value.as_str()),
            FilterForm::Bool => value.flag() == Some(self.value == "true"),
            FilterForm::Coding => self.coding_is(value),
            FilterForm::Concept => self.concept_is(value),
            FilterForm::Concepts => value.items().any(|one| self.concept_is(one)),
        });
        is != self.negate
    }

    fn coding_is<'t>(&self, coding: impl Tree<'t>) -> bool {
        let same = |name: &str, wanted: &str| coding.member(name).and_then(Tree::text) == Some(wanted);
        same("code", &self.value) && self.system.as_deref().is_none_or(|system| same("system", system))
    }

    fn concept_is<'t>(&self, concept: impl Tree<'t>) -> bool {
        concept.member("coding").is_some_and(|codings| codings.items().any(|coding| self.coding_is(coding)))
    }

    /// The element that makes an item belong to the slice.
    pub(crate) fn made(&self) -> Option<(&str, Value<'_>)> {
        if self.negate {
            return None;
        }
        let coding = || {
            let coding = Object::new();
            let coding = match &self.system {
                Some(system) => coding.with("system", system.as_str()),
                None => coding,
            };
            Value::Object(coding.with("code", self.value.as_str()))
        };
        let concept = || Value::Object(Object::new().with("coding", Value::Array(vec![coding()])));
        let value = match self.form {
            FilterForm::Text => Value::from(self.value.as_str()),
            FilterForm::Number => Value::Number(self.value.as_str().into()),
            FilterForm::Bool => Value::Bool(self.value == "true"),
            FilterForm::Coding => coding(),
            FilterForm::Concept => concept(),
            FilterForm::Concepts => Value::Array(vec![concept()]),
        };
        Some((self.member.as_str(), value))
    }
}
