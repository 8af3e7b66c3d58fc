//! Reading a tree of a forest.

use std::borrow::Cow;

use super::{Content, Forest, NodeId, Printer};
use crate::{Object, Value};

/// A tree of a [`Forest`] as a reader sees it.
#[derive(Clone, Copy, Debug)]
pub struct Branch<'f, 'a> {
    pub(super) forest: &'f Forest<'a>,
    /// Never one that only names another.
    pub(super) node: NodeId,
}

impl<'f, 'a> Branch<'f, 'a> {
    /// The node itself; where it is said in several places, the one that all of them mean.
    pub fn node(self) -> NodeId {
        self.node
    }

    /// The member with that exact name.
    pub fn get(self, name: &str) -> Option<Branch<'f, 'a>> {
        self.forest.member(self.node, name).map(|member| self.forest.branch(member))
    }

    /// The text of the member with that exact name.
    pub fn text_at(self, name: &str) -> Option<&'f str> {
        self.get(name)?.as_str()
    }

    /// The text of a string.
    pub fn as_str(self) -> Option<&'f str> {
        match self.forest.cell(self.node).content {
            Content::String(text) => Some(self.forest.text(text)),
            _ => None,
        }
    }

    /// The text of a number.
    pub fn as_number(self) -> Option<&'f str> {
        match self.forest.cell(self.node).content {
            Content::Number(text) => Some(self.forest.text(text)),
            _ => None,
        }
    }

    /// The boolean.
    pub fn as_bool(self) -> Option<bool> {
        match self.forest.cell(self.node).content {
            Content::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// Whether this is an object.
    pub fn is_object(self) -> bool {
        self.forest.is_object(self.node)
    }

    /// Whether this is a list.
    pub fn is_list(self) -> bool {
        self.forest.is_list(self.node)
    }

    /// Whether another tree of the forest says the same, order of members included.
    pub fn same(self, other: Branch<'_, '_>) -> bool {
        self.forest.same(self.node, other.node)
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        matches!(self.forest.cell(self.node).content, Content::Null)
    }

    /// The items of a list; nothing of what is no list.
    pub fn items(self) -> impl Iterator<Item = Branch<'f, 'a>> {
        let list = self.forest.is_list(self.node).then(|| self.forest.children(self.node));
        list.into_iter().flatten().map(move |item| self.forest.branch(item))
    }

    /// The members of an object in order; nothing of what is no object.
    pub fn members(self) -> impl Iterator<Item = (&'f str, Branch<'f, 'a>)> {
        let object = self.forest.is_object(self.node).then(|| self.forest.children(self.node));
        object.into_iter().flatten().map(move |member| (self.forest.name(member), self.forest.branch(member)))
    }

    /// The members as an object of its own, without copies of the texts.
    pub fn to_object(self) -> Object<'f> {
        let members = self.members().map(|(name, value)| (Cow::Borrowed(name), value.to_value()));
        Object::from_members(members.collect())
    }

    /// The same as a value, without copies of the texts.
    pub fn to_value(self) -> Value<'f> {
        match self.forest.cell(self.node).content {
            Content::Null | Content::Same(..) => Value::Null,
            Content::Bool(flag) => Value::Bool(flag),
            Content::Number(text) => Value::Number(Cow::Borrowed(self.forest.text(text))),
            Content::String(text) => Value::String(Cow::Borrowed(self.forest.text(text))),
            Content::List(_) => Value::Array(self.items().map(Branch::to_value).collect()),
            Content::Object(_) => Value::Object(self.to_object()),
        }
    }

    /// Appends the canonical form, as [`crate::json::print`] does for a value.
    pub fn print(self, out: &mut Vec<u8>) {
        Printer::new(self.forest, out).print(self.node);
    }
}
