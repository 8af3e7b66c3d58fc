//! The committed tables as arrays.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{Element, Form, Member, Primitive, TypeId, TypeRef, value_set};
use crate::ResourceType;

/// Everything read from the data files. Made once; the files are part of the program, so a fault in them is a fault of
/// the build and stops it in the tests.
pub(super) struct Tables {
    pub(super) types: Vec<Type>,
    pub(super) elements: Vec<Element>,
    names: HashMap<&'static str, TypeId>,
    resources: Vec<TypeId>,
    /// By resource type: the compartment and its parameters.
    compartments: HashMap<ResourceType, Vec<(&'static str, Vec<&'static str>)>>,
}

/// One type.
pub(super) struct Type {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) base: Option<TypeId>,
    /// Places in `Tables::elements`, inherited ones first.
    pub(super) elements: Vec<u16>,
    pub(super) required: u128,
    /// Sorted by JSON name: name, place among `elements`, place of the type among those of the element.
    members: Vec<(&'static str, u8, u8)>,
}

impl Type {
    pub(super) fn member(&'static self, name: &str) -> Option<Member> {
        let at = self.members.binary_search_by(|(own, _, _)| (*own).cmp(name)).ok()?;
        let (_, place, choice) = self.members[at];
        let element = &tables().elements[usize::from(self.elements[usize::from(place)])];
        Some(Member { element, content: &element.types[usize::from(choice)], place })
    }
}

impl Tables {
    pub(super) fn type_named(&self, name: &str) -> Option<TypeId> {
        self.names.get(name).copied()
    }

    pub(super) fn resource(&self, kind: ResourceType) -> TypeId {
        self.resources[usize::from(kind.index())]
    }

    pub(super) fn compartment(&self, of: &str, kind: ResourceType) -> &[&'static str] {
        let mut known = self.compartments.get(&kind).into_iter().flatten();
        known.find(|(name, _)| *name == of).map(|(_, parameters)| parameters.as_slice()).unwrap_or_default()
    }

    fn read() -> Tables {
        let mut tables = Tables {
            types: Vec::new(),
            elements: Vec::new(),
            names: HashMap::new(),
            resources: Vec::new(),
            compartments: HashMap::new(),
        };
        tables.read_types();
        tables.read_elements();
        for at in 0..tables.types.len() {
            tables.inherit(at);
        }
        for kind in ResourceType::all() {
            tables.resources.push(*tables.names.get(kind.as_str()).expect("each resource type has a definition"));
        }
        for line in lines(COMPARTMENTS) {
            let [of, kind, parameters] = columns(line);
            let kind = ResourceType::parse(kind).expect("compartments name resource types");
            tables.compartments.entry(kind).or_default().push((of, parameters.split('|').collect()));
        }
        tables
    }

    /// Numbers the types, so that elements can refer to types that come later.
    fn read_types(&mut self) {
        for line in lines(ELEMENTS) {
            let Some(head) = line.strip_prefix('@') else {
                continue;
            };
            let [name, form, _] = columns(head);
            let form = match form {
                "primitive" => Form::Primitive(Primitive::parse(name).expect("every primitive is known")),
                "resource" | "abstract" => Form::Resource,
                _ => Form::Complex,
            };
            self.names.insert(name, TypeId(self.types.len() as u16));
            self.types.push(Type { name, form, base: None, elements: Vec::new(), required: 0, members: Vec::new() });
        }
    }

    fn read_elements(&mut self) {
        let mut owner = 0;
        for line in lines(ELEMENTS) {
            if let Some(head) = line.strip_prefix('@') {
                let [name, _, base] = columns(head);
                owner = self.names[name].index();
                self.types[owner].base = self.names.get(base).copied();
                continue;
            }
            let [name, min, max, types, flags, value_set] = columns(line);
            let path = format!("{}.{name}", self.types[owner].name);
            let element = Element {
                name: name.strip_suffix("[x]").unwrap_or(name),
                types: types.split(',').map(|text| self.type_ref(&path, text)).collect(),
                min: min.parse().expect("min is a number"),
                max: if max == "*" { u32::MAX } else { max.parse().expect("max is a number") },
                choice: name.ends_with("[x]"),
                modifier: flags.contains('m'),
                summary: flags.contains('s'),
                binding: value_set::named(value_set),
            };
            self.types[owner].elements.push(self.elements.len() as u16);
            self.elements.push(element);
        }
    }

    fn type_ref(&self, path: &str, text: &'static str) -> TypeRef {
        let (name, within) = match text.split_once('(') {
            Some((name, rest)) => (name, rest.trim_end_matches(')')),
            None => (text, ""),
        };
        let name = match name {
            "@" => path,
            other => other.trim_start_matches('#'),
        };
        let kind = *self.names.get(name).expect("elements name known types");
        let targets = within.split('|').filter_map(ResourceType::parse).collect();
        TypeRef { kind, targets, simple: within == "SimpleQuantity" }
    }

    /// Sets the elements of the base before the own ones, and makes the index of member names. Bases are not always
    /// ahead in the file, so each type walks up by itself; own elements stand after the inherited count.
    fn inherit(&mut self, at: usize) {
        let mut chain = Vec::new();
        let mut base = self.types[at].base;
        while let Some(kind) = base {
            chain.push(kind.index());
            base = self.types[kind.index()].base;
        }
        let mut elements: Vec<u16> = Vec::new();
        for owner in chain.into_iter().rev().chain([at]) {
            let from = elements.len();
            let own = &self.types[owner].elements;
            let skip = if self.types[owner].members.is_empty() { 0 } else { from };
            elements.extend(own.iter().skip(skip));
        }
        let mut required = 0;
        let mut members = Vec::new();
        for (place, element) in elements.iter().map(|at| &self.elements[usize::from(*at)]).enumerate() {
            assert!(place < 128, "the places of a type fit a bit set");
            required |= u128::from(element.min > 0) << place;
            for (choice, content) in element.types.iter().enumerate() {
                let name: &'static str = if element.choice {
                    interned(json_name(element.name, self.types[content.kind.index()].name))
                } else {
                    element.name
                };
                members.push((name, place as u8, choice as u8));
            }
        }
        members.sort_unstable();
        let kind = &mut self.types[at];
        (kind.elements, kind.required, kind.members) = (elements, required, members);
    }
}

/// The tables, read at the first call.
pub(super) fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(Tables::read)
}

/// The lines of a data file without its comments.
pub(super) fn lines(file: &'static str) -> impl Iterator<Item = &'static str> {
    file.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}

/// The columns of a line; missing ones at its end are empty.
pub(super) fn columns<const N: usize>(line: &'static str) -> [&'static str; N] {
    let mut columns = [""; N];
    for (slot, column) in columns.iter_mut().zip(line.split('\t')) {
        *slot = column;
    }
    columns
}

/// `value` and `dateTime` give `valueDateTime`.
fn json_name(element: &str, kind: &str) -> String {
    let (first, rest) = kind.split_at(1);
    format!("{element}{}{rest}", first.to_ascii_uppercase())
}

/// A name that lives as long as the program; the tables are made once, so this is bounded by the data files.
fn interned(name: String) -> &'static str {
    Box::leak(name.into_boxed_str())
}

const ELEMENTS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/elements.tsv"));
const COMPARTMENTS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data/compartments.tsv"));
