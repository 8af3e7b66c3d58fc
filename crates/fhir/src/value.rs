//! The lossless tree: what was sent, in the order in which it was sent.

use std::borrow::Cow;

/// A JSON value that gives back what was read: numbers are their text, objects keep the order of their members.
///
/// Strings and numbers borrow from the input where it needed no decoding; [`Value::into_static`] cuts that tie.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value<'a> {
    /// `null`; in FHIR only a place holder in a list of primitives.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// The text of a number as sent: `5.10` and `1e2` stay so (FHIR decimal keeps its precision).
    Number(Cow<'a, str>),
    /// A string, escapes resolved.
    String(Cow<'a, str>),
    /// A list.
    Array(Vec<Value<'a>>),
    /// Members in the order sent.
    Object(Object<'a>),
}

impl<'a> Value<'a> {
    /// The value at a path of member names and indexes, `name[0].family`; a plain member name is the usual case.
    ///
    /// FHIR element names hold neither dots nor brackets, so the path needs no escapes.
    pub fn get(&self, path: &str) -> Option<&Value<'a>> {
        if !path.contains(['.', '[']) {
            return self.as_object()?.get(path);
        }
        let mut at = self;
        for step in path.split('.') {
            let (name, indexes) = step.split_at(step.find('[').unwrap_or(step.len()));
            if !name.is_empty() {
                at = at.as_object()?.get(name)?;
            }
            for index in indexes.split_terminator(']') {
                let index: usize = index.strip_prefix('[')?.parse().ok()?;
                at = at.as_array()?.get(index)?;
            }
        }
        Some(at)
    }

    /// The member of this object with that exact name, to be changed in place.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value<'a>> {
        self.as_object_mut()?.get_mut(name)
    }

    /// The text at a path, see [`Value::get`].
    pub fn text_at(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// The members of the list at a path, or nothing.
    pub fn list_at(&self, path: &str) -> &[Value<'a>] {
        self.get(path).and_then(Value::as_array).unwrap_or_default()
    }

    /// The name in `resourceType`, where this is an object that has one.
    pub fn resource_type(&self) -> Option<&str> {
        self.as_object()?.get("resourceType")?.as_str()
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a number.
    pub fn as_number(&self) -> Option<&str> {
        match self {
            Value::Number(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The members of a list.
    pub fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Value::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The members of a list, to be changed in place.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Value<'a>>> {
        match self {
            Value::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The object.
    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The object, to be changed in place.
    pub fn as_object_mut(&mut self) -> Option<&mut Object<'a>> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The same tree without copies of its texts.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(flag) => Value::Bool(*flag),
            Value::Number(text) => Value::Number(Cow::Borrowed(text)),
            Value::String(text) => Value::String(Cow::Borrowed(text)),
            Value::Array(values) => Value::Array(values.iter().map(Value::borrowed).collect()),
            Value::Object(object) => Value::Object(object.borrowed()),
        }
    }

    /// The same tree owning its text.
    pub fn into_static(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Bool(flag) => Value::Bool(flag),
            Value::Number(text) => Value::Number(Cow::Owned(text.into_owned())),
            Value::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Value::Array(values) => Value::Array(values.into_iter().map(Value::into_static).collect()),
            Value::Object(object) => Value::Object(object.into_static()),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::String(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::String(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Value::String(text)
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Bool(flag)
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Number(Cow::Owned(number.to_string()))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Number(Cow::Owned(number.to_string()))
    }
}

impl<'a> From<Vec<Value<'a>>> for Value<'a> {
    fn from(values: Vec<Value<'a>>) -> Self {
        Value::Array(values)
    }
}

impl<'a> From<Object<'a>> for Value<'a> {
    fn from(object: Object<'a>) -> Self {
        Value::Object(object)
    }
}

/// The members of a JSON object in the order sent; a name stands once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// An object without members.
    pub fn new() -> Self {
        Object(Vec::new())
    }

    /// An object without members that has room for so many.
    pub fn with_capacity(members: usize) -> Self {
        Object(Vec::with_capacity(members))
    }

    /// The same object without copies of its texts.
    pub fn borrowed(&self) -> Object<'_> {
        Object(self.0.iter().map(|(name, value)| (Cow::Borrowed(name.as_ref()), value.borrowed())).collect())
    }

    /// These members, and behind them those of another object; a name that stands already takes the other's value.
    #[must_use]
    pub fn followed_by(mut self, other: Object<'a>) -> Self {
        let own = self.0.len();
        self.0.reserve(other.0.len());
        for (name, value) in other.0 {
            match self.0[..own].iter_mut().find(|(known, _)| *known == name) {
                Some(slot) => slot.1 = value,
                None => self.0.push((name, value)),
            }
        }
        self
    }

    /// The caller has checked that no name stands twice.
    pub(crate) fn from_members(members: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        Object(members)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The member with that exact name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// The member with that exact name, to be changed in place.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value<'a>> {
        self.0.iter_mut().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// Whether there is a member with that exact name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a member: in its place where it is known, else as the last one. Gives back what stood there.
    pub fn insert(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) -> Option<Value<'a>> {
        let (name, value) = (name.into(), value.into());
        if let Some(slot) = self.get_mut(&name) {
            return Some(std::mem::replace(slot, value));
        }
        self.0.push((name, value));
        None
    }

    /// The same object with one more member, for building a tree in one expression.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Value<'a>>) -> Self {
        self.insert(name, value);
        self
    }

    /// Takes a member out; the order of the others is kept.
    pub fn remove(&mut self, name: &str) -> Option<Value<'a>> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.remove(at).1)
    }

    /// Keeps only the members for which the test holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Value<'a>) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// The members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> + '_ {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The members in order, their values to be changed in place.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value<'a>)> + '_ {
        self.0.iter_mut().map(|(name, value)| (&**name, value))
    }

    /// The same object owning its text.
    pub fn into_static(self) -> Object<'static> {
        Object(self.0.into_iter().map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_static())).collect())
    }
}

impl<'a> IntoIterator for Object<'a> {
    type Item = (Cow<'a, str>, Value<'a>);
    type IntoIter = std::vec::IntoIter<(Cow<'a, str>, Value<'a>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> FromIterator<(Cow<'a, str>, Value<'a>)> for Object<'a> {
    /// Later members replace earlier ones of the same name.
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Value<'a>)>>(members: I) -> Self {
        let mut object = Object::new();
        for (name, value) in members {
            object.insert(name, value);
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Value<'static> {
        let name = Object::new().with("family", "王").with("given", vec![Value::from("小明")]);
        Object::new().with("resourceType", "Patient").with("name", vec![name.into()]).into()
    }

    #[test]
    fn a_path_walks_members_and_indexes() {
        let tree = tree();
        assert_eq!(tree.text_at("name[0].given[0]"), Some("小明"));
        assert_eq!(tree.resource_type(), Some("Patient"));
        for absent in ["name[1]", "name.family", "name[0].given[x]", "name[", "a.b", "", "name[0]x"] {
            assert_eq!(tree.get(absent), None, "{absent}");
        }
        assert_eq!(tree.list_at("name").len(), 1);
        assert!(tree.list_at("absent").is_empty());
    }

    #[test]
    fn a_member_set_again_keeps_its_place() {
        let mut object = Object::new().with("a", 1u64).with("b", true);
        assert_eq!(object.insert("a", "x"), Some(Value::from(1u64)));
        object.insert("c", Value::Null);
        let names: Vec<&str> = object.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(object.remove("b"), Some(Value::Bool(true)));
        assert_eq!(object.remove("b"), None);
        assert_eq!(object.len(), 2);
    }
}
