use std::borrow::Cow;
use std::ops::Range;

use crate::node::State;
use crate::tree::{
    AttributeEntry, CONTAINER, EMPTY_TAG, ElementEntry, ITEM, NIL, NONE, Ordinal, STRING, TEXT, Tree, UNCLOSED,
};
use crate::{Format, Message, Node, Path, Step};

/// A view of one element of an XML document, or of one value of a JSON document.
///
/// The members of a JSON object are its elements; an array is its values, each an element under the name of the member.
/// Values of an array within an array, or of an array that is the whole document, have no name.
#[derive(Debug, Clone, Copy)]
pub struct Element<'m> {
    message: &'m Message<'m>,
    tree: &'m Tree,
    index: u32,
}

impl PartialEq for Element<'_> {
    /// The same element of the same message.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.tree, other.tree) && self.index == other.index
    }
}

impl Eq for Element<'_> {}

/// A view of one attribute.
#[derive(Debug, Clone, Copy)]
pub struct Attribute<'m> {
    message: &'m Message<'m>,
    entry: &'m AttributeEntry,
}

impl<'m> Element<'m> {
    pub(crate) fn new(message: &'m Message<'m>, tree: &'m Tree, index: u32) -> Self {
        Self { message, tree, index }
    }

    fn entry(&self) -> &'m ElementEntry {
        &self.tree.elements[self.index as usize]
    }

    fn is_xml(&self) -> bool {
        self.message.format() == Format::Xml
    }

    pub(crate) fn message(&self) -> &'m Message<'m> {
        self.message
    }

    /// The 0-based number of the element in the order in which elements open; the root is 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index as usize
    }

    /// The local name, without a namespace prefix; of a JSON member its name; empty for the root of a JSON document and
    /// for a value without name.
    #[must_use]
    pub fn name(&self) -> &'m str {
        self.tree.name(self.index, self.message.text())
    }

    /// The name with its prefix, as written.
    #[must_use]
    pub fn qualified_name(&self) -> &'m str {
        let entry = self.entry();
        if entry.prefix == 0 {
            return self.name();
        }
        let start = entry.name as usize - usize::from(entry.prefix);
        &self.message.text()[start..entry.name as usize + usize::from(entry.name_length)]
    }

    /// The namespace that its prefix, or the lack of one, stands for; `None` when none is declared.
    #[must_use]
    pub fn namespace(&self) -> Option<Cow<'m, str>> {
        let prefix = self.qualified_name().strip_suffix(self.name())?.trim_end_matches(':');
        self.ancestors().find_map(|element| element.declared(prefix)).map(|node| node.text())
    }

    /// The value of the declaration of this prefix on this very element.
    fn declared(&self, prefix: &str) -> Option<Node<'m>> {
        let declares = |attribute: &Attribute<'m>| match (attribute.entry.prefix, prefix) {
            (0, "") => true,
            (0, _) | (_, "") => false,
            _ => attribute.name() == prefix,
        };
        self.all_attributes().filter(|a| a.entry.declares).find(declares).map(|attribute| attribute.value())
    }

    /// Where the name in the start tag ends.
    pub(crate) fn tag_name_end(&self) -> u32 {
        self.entry().name + u32::from(self.entry().name_length)
    }

    /// Where the attribute stands that marks the element as nil, its quotation marks included.
    pub(crate) fn nil_mark(&self) -> Option<Range<u32>> {
        let marks = |attribute: &Attribute<'_>| attribute.entry.prefix > 0 && attribute.name() == "nil";
        let mark = self.attributes().find(marks).filter(|_| self.entry().has(NIL))?.entry;
        let quoted = self.message.text().as_bytes().get(mark.end as usize).is_some_and(|b| matches!(b, b'"' | b'\''));
        Some(mark.name - u32::from(mark.prefix)..mark.end + u32::from(quoted))
    }

    /// It is a value of an array of JSON.
    pub(crate) fn is_listed(&self) -> bool {
        self.entry().has(ITEM)
    }

    /// `</a>` stands behind the content.
    pub(crate) fn has_end_tag(&self) -> bool {
        !self.entry().has(EMPTY_TAG | UNCLOSED)
    }

    /// The element itself, its parent, and so on to the root.
    pub fn ancestors(&self) -> impl Iterator<Item = Element<'m>> + use<'m> {
        std::iter::successors(Some(*self), Element::parent)
    }

    /// The [index](Self::index) of the first element behind this one and all that is in it.
    #[must_use]
    pub fn subtree_end(&self) -> usize {
        self.entry().next as usize
    }

    /// The element around this one.
    #[must_use]
    pub fn parent(&self) -> Option<Element<'m>> {
        let parent = self.entry().parent;
        (parent != NONE).then_some(Self { index: parent, ..*self })
    }

    /// The elements directly inside, in order.
    pub fn children(&self) -> impl Iterator<Item = Element<'m>> + use<'m> {
        let (parent, end) = (*self, self.entry().next);
        let mut at = self.index + 1;
        std::iter::from_fn(move || {
            let child = (at < end).then_some(Self { index: at, ..parent })?;
            at = child.entry().next;
            Some(child)
        })
    }

    /// The elements directly inside of this local name.
    pub fn children_named<'n>(&self, name: &'n str) -> impl Iterator<Item = Element<'m>> + use<'m, 'n> {
        self.children().filter(move |child| child.name() == name)
    }

    /// The first element directly inside of this local name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<Element<'m>> {
        self.children().find(|child| child.name() == name)
    }

    /// The value of the first element inside of this local name; absent when there is none.
    #[must_use]
    pub fn child_value(&self, name: &str) -> Node<'m> {
        self.child(name).map_or_else(|| self.absent(), |child| child.value())
    }

    /// Every element inside, at any depth, in the order of the document.
    pub fn descendants(&self) -> impl Iterator<Item = Element<'m>> + use<'m> {
        let element = *self;
        (self.index + 1..self.entry().next).map(move |index| Self { index, ..element })
    }

    /// No element is inside.
    #[must_use]
    pub fn is_leaf(&self) -> bool {
        self.entry().next == self.index + 1 && !self.entry().has(CONTAINER)
    }

    /// The attributes in their order, without declarations of namespaces.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'m>> + use<'m> {
        self.all_attributes().filter(|attribute| !attribute.entry.declares)
    }

    pub(crate) fn all_attributes(&self) -> impl Iterator<Item = Attribute<'m>> + use<'m> {
        let range = self.tree.attributes_of(self.index);
        let message = self.message;
        self.tree.attributes[range.start as usize..range.end as usize]
            .iter()
            .map(move |entry| Attribute { message, entry })
    }

    /// The value of the attribute of this local name, or of this name with its prefix; absent when there is none.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Node<'m> {
        let named = |attribute: &Attribute<'_>| attribute.name() == name || attribute.qualified_name() == name;
        self.attributes().find(named).map_or_else(|| self.absent(), |attribute| attribute.value())
    }

    /// The character data. Of an element that holds elements and text, as narrative does, all text inside, theirs
    /// included; of one that holds elements alone it is empty. Null for `xsi:nil` and for a JSON null.
    #[must_use]
    pub fn value(&self) -> Node<'m> {
        let entry = self.entry();
        if entry.has(NIL) && self.is_leaf() {
            // Of XML the end of the start tag, where no other leaf begins.
            let at = entry.start - u32::from(self.is_xml());
            return Node::of_tree(self.message, at..at, State::Null);
        }
        let mixed = self.is_xml() && entry.has(TEXT);
        if !self.is_leaf() && !mixed {
            return Node::of_tree(self.message, entry.start..entry.start, State::Plain);
        }
        self.content()
    }

    /// Everything between the tags of an XML element: its text is all character data inside, at any depth. Of a JSON
    /// value the value as written, without the quotation marks of a string.
    #[must_use]
    pub fn content(&self) -> Node<'m> {
        let entry = self.entry();
        let state = if self.is_xml() || entry.has(STRING) { State::Plain } else { State::Literal };
        Node::of_tree(self.message, entry.start..entry.end, state)
    }

    /// The runs of character data between the elements inside that hold more than blanks; of an element without
    /// elements inside its value, if it has one.
    pub fn runs(&self) -> impl Iterator<Item = Node<'m>> + use<'m> {
        let element = *self;
        let mut children = self.children();
        let mut at = (self.is_xml() && !self.is_leaf()).then_some(self.entry().start);
        let between = std::iter::from_fn(move || {
            let from = at?;
            let child = children.next();
            at = child.map(|child| child.span().end);
            let to = child.map_or(element.entry().end, |child| child.entry().open());
            Some(Node::of_tree(element.message, from..to, State::Plain))
        });
        self.is_leaf().then(|| self.value()).into_iter().chain(between).filter(|run| !run.says_nothing())
    }

    /// Where it stands in the text, tags or quotation marks included.
    #[must_use]
    pub fn span(&self) -> Range<u32> {
        let entry = self.entry();
        let start = if self.is_xml() { entry.open() } else { entry.start - u32::from(entry.has(STRING)) };
        start..self.tree.end_of(self.index, self.message.text().as_bytes(), self.is_xml())
    }

    /// Its path from the root. The ordinal is written where there are siblings of that name, and for every value of a
    /// JSON array.
    #[must_use]
    pub fn path(&self) -> Path {
        Path::in_tree(self.steps())
    }

    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self.ancestors().filter_map(|element| element.step()).collect();
        steps.reverse();
        steps
    }

    /// The step from the parent; the root of a JSON document has none.
    fn step(&self) -> Option<Step> {
        let Ordinal { number, alone } = self.tree.ordinal(self.index, self.message.text());
        let (entry, name) = (self.entry(), self.name());
        if entry.has(ITEM) && entry.name == NONE {
            return Some(Step::Array { ordinal: number });
        }
        if !self.is_xml() && entry.parent == NONE {
            return None;
        }
        let ordinal = if alone && !entry.has(ITEM) { 0 } else { number };
        Some(Step::Element { name: name.to_owned(), ordinal })
    }

    /// The element that a step leads to.
    pub(crate) fn step_to(&self, step: &Step) -> Option<Element<'m>> {
        let nth = |ordinal: u32| ordinal.max(1) as usize - 1;
        match step {
            Step::Element { name, ordinal } => {
                self.children().filter(|child| child.name() == name && child.entry().name != NONE).nth(nth(*ordinal))
            }
            Step::Array { ordinal } => self.children().filter(|child| child.entry().name == NONE).nth(nth(*ordinal)),
            Step::Attribute { .. } | Step::Text { .. } => None,
        }
    }

    /// The innermost element around an offset in the text.
    pub(crate) fn around(&self, offset: u32) -> Option<Element<'m>> {
        let start = |entry: &ElementEntry| if self.is_xml() { entry.open() } else { entry.start };
        let behind = self.tree.elements.partition_point(|entry| start(entry) <= offset);
        let last = Self { index: u32::try_from(behind.checked_sub(1)?).ok()?, ..*self };
        last.ancestors().find(|element| element.span().end > offset)
    }

    /// The innermost element on the way that is there, and the steps from it that lead to nothing.
    pub(crate) fn walk_far<'s>(&self, steps: &'s [Step]) -> Option<(Element<'m>, &'s [Step])> {
        let mut rest = steps;
        if self.is_xml() {
            let (Step::Element { name, ordinal: 0 | 1 }, after) = steps.split_first()? else { return None };
            if name != self.name() {
                return None;
            }
            rest = after;
        }
        let mut element = *self;
        while let Some((step, after)) = rest.split_first() {
            let Some(next) = element.step_to(step) else { break };
            (element, rest) = (next, after);
        }
        Some((element, rest))
    }

    /// The element that the steps lead to; a step to an attribute or a run of text stays where it is.
    pub(crate) fn walk_to(&self, steps: &[Step]) -> Option<Element<'m>> {
        let (element, rest) = self.walk_far(steps)?;
        let found = rest.iter().all(|step| matches!(step, Step::Attribute { .. } | Step::Text { .. }));
        found.then_some(element)
    }

    /// The node that the steps lead to; absent when there is none.
    pub(crate) fn walk(&self, steps: &[Step]) -> Node<'m> {
        let Some(element) = self.walk_to(steps) else { return self.absent() };
        match steps.last() {
            Some(Step::Attribute { name }) => element.attribute(name),
            Some(Step::Text { ordinal }) => {
                element.runs().nth((*ordinal).max(1) as usize - 1).unwrap_or_else(|| element.absent())
            }
            _ => element.value(),
        }
    }

    pub(crate) fn absent(&self) -> Node<'m> {
        let end = self.entry().end;
        Node::of_tree(self.message, end..end, State::Absent)
    }
}

impl<'m> Attribute<'m> {
    pub(crate) fn new(message: &'m Message<'m>, entry: &'m AttributeEntry) -> Self {
        Self { message, entry }
    }

    /// The local name, without a namespace prefix.
    #[must_use]
    pub fn name(&self) -> &'m str {
        &self.message.text()[self.entry.name as usize..][..usize::from(self.entry.name_length)]
    }

    /// The name with its prefix, as written.
    #[must_use]
    pub fn qualified_name(&self) -> &'m str {
        let end = self.entry.name as usize + usize::from(self.entry.name_length);
        &self.message.text()[self.entry.name as usize - usize::from(self.entry.prefix)..end]
    }

    /// The value, without its quotation marks.
    #[must_use]
    pub fn value(&self) -> Node<'m> {
        Node::of_tree(self.message, self.entry.start..self.entry.end, State::Attribute)
    }
}
