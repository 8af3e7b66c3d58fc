//! Trees of a forest to bytes.

use std::ops::Range;

use super::{Cell, Children, Content, Forest, NONE, NodeId};
use crate::json::print_text;

/// Prints trees of one forest one after the other. What is said in many places is printed once and then copied.
pub struct Printer<'p, 'a> {
    forest: &'p Forest<'a>,
    /// What is printed so far; others may add to it between two trees, but take nothing away.
    pub out: &'p mut Vec<u8>,
    /// Where the shared nodes were printed first, by their numbers.
    printed: Vec<Range<usize>>,
}

impl<'p, 'a> Printer<'p, 'a> {
    /// Appends to what is there already.
    pub fn new(forest: &'p Forest<'a>, out: &'p mut Vec<u8>) -> Self {
        Printer { forest, out, printed: vec![0..0; forest.shared as usize] }
    }

    /// Appends the canonical form of a tree of that forest.
    pub fn print(&mut self, tree: NodeId) {
        self.node(tree);
    }

    /// Appends the members of an object apart from some, each with a comma in front.
    pub fn print_others(&mut self, object: NodeId, apart_from: &[&str]) {
        for member in self.forest.children(object) {
            let name = self.forest.name(member);
            if !apart_from.contains(&name) {
                self.out.push(b',');
                print_text(name, self.out);
                self.out.push(b':');
                self.node(member);
            }
        }
    }

    fn node(&mut self, node: NodeId) {
        let forest = self.forest;
        match forest.cell(node).content {
            Content::Null => self.out.extend_from_slice(b"null"),
            Content::Bool(true) => self.out.extend_from_slice(b"true"),
            Content::Bool(false) => self.out.extend_from_slice(b"false"),
            Content::Number(text) => self.out.extend_from_slice(forest.text(text).as_bytes()),
            Content::String(text) => print_text(forest.text(text), self.out),
            Content::List(items) => {
                self.children(b'[', items, |_, _| {});
                self.out.push(b']');
            }
            Content::Object(members) => {
                self.children(b'{', members, |printer, member| {
                    print_text(forest.text(member.name), printer.out);
                    printer.out.push(b':');
                });
                self.out.push(b'}');
            }
            Content::Same(meant, number) => self.same(meant, number as usize),
        }
    }

    /// Children behind an opening, with commas between them.
    fn children(&mut self, opening: u8, children: Children, before: impl Fn(&mut Self, &Cell<'_>)) {
        let (mut next, mut mark) = (children.first, opening);
        if next == NONE {
            self.out.push(opening);
        }
        while next != NONE {
            self.out.push(mark);
            mark = b',';
            let cell = self.forest.cell(next);
            before(self, cell);
            self.node(next);
            next = cell.next;
        }
    }

    fn same(&mut self, meant: NodeId, number: usize) {
        let known = self.printed[number].clone();
        if !known.is_empty() {
            self.out.extend_from_within(known);
            return;
        }
        let start = self.out.len();
        self.node(meant);
        self.printed[number] = start..self.out.len();
    }
}
