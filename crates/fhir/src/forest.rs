//! Many trees in one block of memory: what is made of a message before anything of it is stored.
//!
//! A [`Value`] gives every object and every list a block of its own, which suits a resource that lives and changes by
//! itself. A message makes hundreds of resources at once, prints them and forgets them. A [`Forest`] keeps the nodes of
//! all its trees in one list, each linked to its neighbours, and all short texts that it owns in one buffer: a node costs
//! no allocation, and all go at once. A tree that is said in many places is kept once and named by the others, see
//! [`Forest::share`]; whoever changes such a place gets a copy first, so that nobody sees a change that is not his own.

use std::borrow::Cow;

pub use branch::Branch;
pub use print::Printer;

use crate::Value;
#[cfg(test)]
use crate::json;

mod branch;
mod print;

/// A node of a [`Forest`]; means nothing in another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeId(u32);

/// Trees that are made together. Texts are borrowed for `'a` where they can be.
#[derive(Debug)]
pub struct Forest<'a> {
    cells: Vec<Cell<'a>>,
    /// Short texts that nobody else owns, one after the other.
    texts: String,
    /// Long ones.
    long: Vec<String>,
    /// How many nodes others say the same of.
    shared: u32,
}

/// A node between its neighbours.
#[derive(Clone, Copy, Debug)]
struct Cell<'a> {
    /// The name of a member; empty for the items of a list and for roots.
    name: Text<'a>,
    content: Content<'a>,
    previous: NodeId,
    next: NodeId,
}

#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Null,
    Bool(bool),
    Number(Text<'a>),
    String(Text<'a>),
    List(Children),
    Object(Children),
    /// Whatever that node is, which never changes; all that say the same have the same number.
    Same(NodeId, u32),
}

/// First and last child; `NONE` where there is none.
#[derive(Clone, Copy, Debug, Default)]
struct Children {
    first: NodeId,
    last: NodeId,
}

/// A text of somebody else, a part of the forest's buffer, or one of its long texts.
#[derive(Clone, Copy, Debug)]
enum Text<'a> {
    Borrowed(&'a str),
    Part(u32, u32),
    Long(u32),
}

/// The first cell is nobody's, so its number stands for none.
const NONE: NodeId = NodeId(0);
const UNNAMED: Text<'static> = Text::Borrowed("");

impl Default for Forest<'_> {
    fn default() -> Self {
        Forest::with_capacity(0, 0)
    }
}

impl<'a> Forest<'a> {
    /// An empty forest with room for so many nodes and bytes of text.
    pub fn with_capacity(nodes: usize, text_bytes: usize) -> Self {
        let mut cells = Vec::with_capacity(nodes + 1);
        cells.push(Cell { name: UNNAMED, content: Content::Null, previous: NONE, next: NONE });
        Forest { cells, texts: String::with_capacity(text_bytes), long: Vec::new(), shared: 0 }
    }

    /// A new object without members.
    pub fn object(&mut self) -> NodeId {
        self.add(Content::Object(Children::default()))
    }

    /// A new list without items.
    pub fn list(&mut self) -> NodeId {
        self.add(Content::List(Children::default()))
    }

    /// A new string.
    pub fn string(&mut self, text: impl Into<Cow<'a, str>>) -> NodeId {
        let text = self.keep(text.into());
        self.add(Content::String(text))
    }

    /// A new string put together from parts.
    pub fn joined(&mut self, parts: &[&str]) -> NodeId {
        let start = self.texts.len();
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if !fits(start, length) {
            return self.string(parts.concat());
        }
        for part in parts {
            self.texts.push_str(part);
        }
        self.add(Content::String(Text::Part(start as u32, length as u32)))
    }

    /// The nodes of a value.
    pub fn plant(&mut self, value: Value<'a>) -> NodeId {
        match value {
            Value::Null => self.add(Content::Null),
            Value::Bool(flag) => self.add(Content::Bool(flag)),
            Value::Number(text) => {
                let text = self.keep(text);
                self.add(Content::Number(text))
            }
            Value::String(text) => self.string(text),
            Value::Array(values) => {
                let list = self.list();
                for value in values {
                    let item = self.plant(value);
                    self.push(list, item);
                }
                list
            }
            Value::Object(members) => {
                let object = self.object();
                for (name, value) in members {
                    let member = self.plant(value);
                    let name = self.keep(name);
                    self.link(object, name, member);
                }
                object
            }
        }
    }

    /// A node that says the same as another one, which from now on must not be changed itself.
    pub fn share(&mut self, node: NodeId) -> NodeId {
        match self.cell(node).content {
            Content::List(_) | Content::Object(_) => {
                self.shared += 1;
                self.add(Content::Same(node, self.shared - 1))
            }
            same => self.add(same),
        }
    }

    /// A tree of its own that says the same.
    pub fn copy(&mut self, node: NodeId) -> NodeId {
        let node = self.meant(node);
        match self.cell(node).content {
            Content::List(children) => {
                let list = self.list();
                self.copy_children(children, list);
                list
            }
            Content::Object(children) => {
                let object = self.object();
                self.copy_children(children, object);
                object
            }
            plain => self.add(plain),
        }
    }

    fn copy_children(&mut self, children: Children, parent: NodeId) {
        let mut child = children.first;
        while child != NONE {
            let Cell { name, next, .. } = *self.cell(child);
            let copy = self.copy(child);
            self.link(parent, name, copy);
            child = next;
        }
    }

    /// The member with that exact name.
    pub fn member(&self, object: NodeId, name: &str) -> Option<NodeId> {
        let mut child = match self.cell(self.meant(object)).content {
            Content::Object(children) => children.first,
            _ => NONE,
        };
        while child != NONE {
            let cell = self.cell(child);
            let known = match cell.name {
                Text::Borrowed(known) => known,
                own => self.text(own),
            };
            if known == name {
                return Some(child);
            }
            child = cell.next;
        }
        None
    }

    /// Sets a member: in its place where it is known, else as the last one. Gives back what stood there.
    pub fn insert(&mut self, object: NodeId, name: &'a str, node: NodeId) -> Option<NodeId> {
        self.open(object);
        match self.member(object, name) {
            Some(known) => {
                self.replace(object, known, node);
                Some(known)
            }
            None => {
                self.append(object, name, node);
                None
            }
        }
    }

    /// Adds an item to a list.
    pub fn push(&mut self, list: NodeId, node: NodeId) {
        self.open(list);
        self.link(list, UNNAMED, node);
    }

    /// Adds a member that is not there yet.
    #[inline]
    pub fn append(&mut self, object: NodeId, name: &'a str, node: NodeId) {
        self.open(object);
        self.link(object, Text::Borrowed(name), node);
    }

    /// The same under a name of its own.
    pub fn append_owned(&mut self, object: NodeId, name: String, node: NodeId) {
        self.open(object);
        let name = self.keep(Cow::Owned(name));
        self.link(object, name, node);
    }

    /// Adds a node that was taken out of another parent, under the name that it had there.
    pub fn adopt(&mut self, parent: NodeId, node: NodeId) {
        self.open(parent);
        let name = self.cell(node).name;
        self.link(parent, name, node);
    }

    fn link(&mut self, parent: NodeId, name: Text<'a>, node: NodeId) {
        let Some(mut children) = self.children_of(parent) else { return };
        let cell = self.cell_mut(node);
        (cell.name, cell.previous, cell.next) = (name, children.last, NONE);
        match children.last {
            NONE => children.first = node,
            last => self.cell_mut(last).next = node,
        }
        children.last = node;
        self.set_children(parent, children);
    }

    /// Puts a node where another one stands in a parent.
    pub fn replace(&mut self, parent: NodeId, old: NodeId, node: NodeId) {
        let Some(mut children) = self.children_of(parent) else { return };
        let Cell { name, previous, next, .. } = *self.cell(old);
        let cell = self.cell_mut(node);
        (cell.name, cell.previous, cell.next) = (name, previous, next);
        match previous {
            NONE => children.first = node,
            previous => self.cell_mut(previous).next = node,
        }
        match next {
            NONE => children.last = node,
            next => self.cell_mut(next).previous = node,
        }
        self.set_children(parent, children);
    }

    /// Takes the member of that name out.
    pub fn remove(&mut self, object: NodeId, name: &str) -> Option<NodeId> {
        self.open(object);
        let member = self.member(object, name)?;
        self.take_out(object, member);
        Some(member)
    }

    /// Takes a child out of its parent, which [`Forest::open`] has made its own.
    pub fn take_out(&mut self, parent: NodeId, child: NodeId) {
        let Some(mut children) = self.children_of(parent) else { return };
        let Cell { previous, next, .. } = *self.cell(child);
        match previous {
            NONE => children.first = next,
            previous => self.cell_mut(previous).next = next,
        }
        match next {
            NONE => children.last = previous,
            next => self.cell_mut(next).previous = previous,
        }
        self.set_children(parent, children);
        let cell = self.cell_mut(child);
        (cell.previous, cell.next) = (NONE, NONE);
    }

    /// Makes the children of a node its own, so that they can be changed; call it on the way down to a change.
    #[inline]
    pub fn open(&mut self, node: NodeId) {
        if let Content::Same(meant, _) = self.cell(node).content {
            self.open_shared(node, meant);
        }
    }

    fn open_shared(&mut self, node: NodeId, meant: NodeId) {
        let (content, children) = match self.cell(meant).content {
            Content::List(children) => (Content::List(Children::default()), children),
            Content::Object(children) => (Content::Object(Children::default()), children),
            _ => return,
        };
        self.cell_mut(node).content = content;
        let mut child = children.first;
        while child != NONE {
            let Cell { name, next, .. } = *self.cell(child);
            let own = self.share(child);
            self.link(node, name, own);
            child = next;
        }
    }

    /// The children of an object or list.
    pub fn children(&self, node: NodeId) -> impl DoubleEndedIterator<Item = NodeId> + use<'_, 'a> {
        Siblings { forest: self, ahead: self.children_of(self.meant(node)).unwrap_or_default() }
    }

    /// The first child.
    pub fn first(&self, node: NodeId) -> Option<NodeId> {
        self.children_of(self.meant(node)).map(|children| children.first).filter(|first| *first != NONE)
    }

    /// The sibling behind a node.
    pub fn next(&self, node: NodeId) -> Option<NodeId> {
        Some(self.cell(node).next).filter(|next| *next != NONE)
    }

    /// Whether an object has no members, or a list no items.
    pub fn is_empty(&self, node: NodeId) -> bool {
        self.first(node).is_none()
    }

    /// Whether the node is an object.
    pub fn is_object(&self, node: NodeId) -> bool {
        matches!(self.cell(self.meant(node)).content, Content::Object(_))
    }

    /// Whether the node is a list.
    pub fn is_list(&self, node: NodeId) -> bool {
        matches!(self.cell(self.meant(node)).content, Content::List(_))
    }

    /// The name under which a node stands in its object.
    pub fn name(&self, node: NodeId) -> &str {
        self.text(self.cell(node).name)
    }

    /// Whether two nodes say the same, order of members included.
    pub fn same(&self, one: NodeId, two: NodeId) -> bool {
        let (one, two) = (self.meant(one), self.meant(two));
        if one == two {
            return true;
        }
        match (&self.cell(one).content, &self.cell(two).content) {
            (Content::Null, Content::Null) => true,
            (Content::Bool(one), Content::Bool(two)) => one == two,
            (Content::Number(one), Content::Number(two)) | (Content::String(one), Content::String(two)) => {
                self.text(*one) == self.text(*two)
            }
            (Content::List(_), Content::List(_)) | (Content::Object(_), Content::Object(_)) => {
                let equal = |(one, two)| self.name(one) == self.name(two) && self.same(one, two);
                let (mut ones, mut twos) = (self.children(one), self.children(two));
                loop {
                    match (ones.next(), twos.next()) {
                        (None, None) => return true,
                        (Some(one), Some(two)) if equal((one, two)) => {}
                        _ => return false,
                    }
                }
            }
            _ => false,
        }
    }

    /// A node to be read.
    pub fn branch(&self, node: NodeId) -> Branch<'_, 'a> {
        Branch { forest: self, node: self.meant(node) }
    }

    fn add(&mut self, content: Content<'a>) -> NodeId {
        let node = NodeId(self.cells.len() as u32);
        self.cells.push(Cell { name: UNNAMED, content, previous: NONE, next: NONE });
        node
    }

    #[inline]
    fn cell(&self, node: NodeId) -> &Cell<'a> {
        &self.cells[node.0 as usize]
    }

    #[inline]
    fn cell_mut(&mut self, node: NodeId) -> &mut Cell<'a> {
        &mut self.cells[node.0 as usize]
    }

    /// The node itself, or the one that it names.
    #[inline]
    fn meant(&self, node: NodeId) -> NodeId {
        match self.cell(node).content {
            Content::Same(other, _) => other,
            _ => node,
        }
    }

    #[inline]
    fn children_of(&self, node: NodeId) -> Option<Children> {
        match self.cell(node).content {
            Content::List(children) | Content::Object(children) => Some(children),
            _ => None,
        }
    }

    fn set_children(&mut self, node: NodeId, new: Children) {
        if let Content::List(children) | Content::Object(children) = &mut self.cell_mut(node).content {
            *children = new;
        }
    }

    fn keep(&mut self, text: Cow<'a, str>) -> Text<'a> {
        match text {
            Cow::Borrowed(text) => Text::Borrowed(text),
            Cow::Owned(text) if text.len() <= SHORT_MAX && fits(self.texts.len(), text.len()) => {
                let start = self.texts.len() as u32;
                self.texts.push_str(&text);
                Text::Part(start, text.len() as u32)
            }
            Cow::Owned(text) => {
                self.long.push(text);
                Text::Long(self.long.len() as u32 - 1)
            }
        }
    }

    #[inline]
    fn text(&self, text: Text<'a>) -> &str {
        match text {
            Text::Borrowed(text) => text,
            Text::Part(start, length) => &self.texts[start as usize..(start + length) as usize],
            Text::Long(number) => &self.long[number as usize],
        }
    }
}

/// A walk over children, from both ends.
struct Siblings<'f, 'a> {
    forest: &'f Forest<'a>,
    ahead: Children,
}

impl Iterator for Siblings<'_, '_> {
    type Item = NodeId;

    #[inline]
    fn next(&mut self) -> Option<NodeId> {
        let Children { first, last } = self.ahead;
        if first == NONE {
            return None;
        }
        self.ahead =
            if first == last { Children::default() } else { Children { first: self.forest.cell(first).next, last } };
        Some(first)
    }
}

impl DoubleEndedIterator for Siblings<'_, '_> {
    fn next_back(&mut self) -> Option<NodeId> {
        let Children { first, last } = self.ahead;
        if first == NONE {
            return None;
        }
        self.ahead =
            if first == last { Children::default() } else { Children { first, last: self.forest.cell(last).previous } };
        Some(last)
    }
}

/// Whether a text of this length behind the others can be named by two short numbers.
fn fits(start: usize, length: usize) -> bool {
    start + length <= u32::MAX as usize
}

/// Longer texts of their own are not copied into the buffer, in bytes.
const SHORT_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(forest: &mut Forest<'static>, text: &str) -> NodeId {
        let value = json::parse(text.as_bytes(), &json::Limits::default()).unwrap().into_static();
        forest.plant(value)
    }

    fn printed(forest: &Forest<'_>, node: NodeId) -> String {
        let mut out = Vec::new();
        forest.branch(node).print(&mut out);
        let mut value = Vec::new();
        json::print(&forest.branch(node).to_value(), &mut value);
        assert_eq!(out, value, "both ways out give the same bytes");
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_tree_comes_out_as_it_was_planted() {
        let long = "x".repeat(SHORT_MAX + 1);
        let text = format!(r#"{{"a":[1.50,null,true,{{"b":"王"}}],"c":{{}},"d":"{long}","e":[]}}"#);
        let mut forest = Forest::default();
        let tree = planted(&mut forest, &text);
        assert_eq!(printed(&forest, tree), text);
        let copy = forest.copy(tree);
        assert!(forest.same(tree, copy));
        assert_eq!(printed(&forest, copy), text);
    }

    #[test]
    fn members_keep_their_places() {
        let mut forest = Forest::default();
        let tree = planted(&mut forest, r#"{"a":1,"b":2,"c":3}"#);
        let (four, five) = (forest.string("4"), forest.joined(&["5", "6"]));
        assert!(forest.insert(tree, "b", four).is_some());
        assert!(forest.insert(tree, "d", five).is_none());
        assert_eq!(printed(&forest, tree), r#"{"a":1,"b":"4","c":3,"d":"56"}"#);
        for (name, left) in [("a", r#"{"b":"4","c":3,"d":"56"}"#), ("d", r#"{"b":"4","c":3}"#), ("c", r#"{"b":"4"}"#)] {
            assert!(forest.remove(tree, name).is_some());
            assert_eq!(printed(&forest, tree), left);
        }
        assert!(forest.remove(tree, "a").is_none());
        let backwards: Vec<NodeId> = forest.children(tree).rev().collect();
        assert_eq!(backwards, [four]);
    }

    #[test]
    fn a_change_of_one_place_is_not_seen_in_the_others() {
        let mut forest = Forest::default();
        let shared = planted(&mut forest, r#"{"a":{"b":[1]}}"#);
        let (one, two) = (forest.share(shared), forest.share(shared));
        assert!(forest.same(one, two));
        forest.open(one);
        let inner = forest.member(one, "a").unwrap();
        let more = forest.string("more");
        forest.insert(inner, "c", more);
        assert_eq!(printed(&forest, one), r#"{"a":{"b":[1],"c":"more"}}"#);
        assert_eq!(printed(&forest, two), r#"{"a":{"b":[1]}}"#);
        assert_eq!(printed(&forest, shared), r#"{"a":{"b":[1]}}"#);
        assert!(!forest.same(one, two));
    }
}
