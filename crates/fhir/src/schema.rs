//! What R4 says about each type: a table made from the published StructureDefinitions.
//!
//! The data files are committed; this module reads them once into arrays. Types are small numbers, and a type is a
//! resource, a datatype, or a part of one that has elements of its own (`Patient.contact`).

use crate::ResourceType;

/// A type of R4, or a part of one with elements of its own (`Patient.contact`); a small number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(u16);

/// What kind of type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A primitive: one JSON string, number or boolean, with extensions in a `_` member.
    Primitive,
    /// A datatype or a part with elements of its own.
    Complex,
    /// A resource, abstract ones included.
    Resource,
}

impl TypeId {
    /// The type of that name: `Patient`, `HumanName`, `dateTime`, `Patient.contact`.
    pub fn parse(name: &str) -> Option<TypeId> {
        let _ = name;
        None
    }

    /// The table's type of a resource.
    pub fn of(kind: ResourceType) -> TypeId {
        TypeId(kind.index())
    }

    /// The name of the type.
    pub fn name(self) -> &'static str {
        ""
    }

    /// What kind of type this is.
    pub fn form(self) -> Form {
        Form::Complex
    }

    /// The elements in the order of the definition, inherited ones included.
    pub fn elements(self) -> &'static [Element] {
        &[]
    }

    /// The element that a JSON member name stands for, `valueQuantity` or `status`; not the `_` names.
    pub fn member(self, name: &str) -> Option<Member> {
        let _ = name;
        None
    }
}

/// A JSON member name resolved: the element, and for a choice which of its types was said.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The element; for `valueQuantity` that of `value[x]`.
    pub element: &'static Element,
    /// The type of the content.
    pub kind: TypeId,
}

/// One element of a type.
#[derive(Debug)]
pub struct Element {
    /// The name in FHIRPath: `value` for `value[x]`.
    pub name: &'static str,
    /// The types that the content may have; more than one only for a choice.
    pub types: Vec<TypeRef>,
    /// How many must be there.
    pub min: u32,
    /// How many may be there; `u32::MAX` for any number. JSON uses a list where this is not 1.
    pub max: u32,
    /// Whether the JSON name carries the type: `value[x]`.
    pub choice: bool,
    /// Whether the element changes the meaning of others.
    pub modifier: bool,
    /// Whether the element belongs to the summary form.
    pub summary: bool,
    /// The value set its code must come from, where the binding is required.
    pub binding: Option<&'static ValueSet>,
}

/// A type that an element may have.
#[derive(Debug)]
pub struct TypeRef {
    /// The type.
    pub kind: TypeId,
    /// For Reference and canonical: the resource types it may point to; empty for any.
    pub targets: Vec<ResourceType>,
}

/// A value set of a required binding.
#[derive(Debug)]
pub struct ValueSet {
    /// Its canonical url, without version.
    pub url: &'static str,
}

impl ValueSet {
    /// Whether the set holds the code; nothing where the set cannot be listed here.
    pub fn holds(&self, system: Option<&str>, code: &str) -> Option<bool> {
        let _ = (system, code);
        None
    }
}

/// The search parameters that put a resource of this type into the compartment of a patient.
pub fn patient_compartment(kind: ResourceType) -> &'static [&'static str] {
    let _ = kind;
    &[]
}
