//! What R4 says about each type: a table made from the published StructureDefinitions.
//!
//! The data files are committed; this module reads them once into arrays. Types are small numbers, and a type is a
//! resource, a datatype, or a part of one that has elements of its own (`Patient.contact`).

mod table;
mod value_set;

use crate::ResourceType;

pub use value_set::ValueSet;

/// A type of R4, or a part of one with elements of its own (`Patient.contact`); a small number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(u16);

/// What kind of type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// One JSON string, number or boolean, with extensions in a `_` member.
    Primitive(Primitive),
    /// A datatype or a part with elements of its own.
    Complex,
    /// A resource, abstract ones included.
    Resource,
}

impl TypeId {
    /// The type of that name: `Patient`, `HumanName`, `dateTime`, `Patient.contact`.
    pub fn parse(name: &str) -> Option<TypeId> {
        table::tables().type_named(name)
    }

    /// The table's type of a resource.
    pub fn of(kind: ResourceType) -> TypeId {
        table::tables().resource(kind)
    }

    /// The name of the type.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// What kind of type this is.
    pub fn form(self) -> Form {
        self.entry().form
    }

    /// The type that this one specialises; nothing for `Element` and `Resource`.
    pub fn base(self) -> Option<TypeId> {
        self.entry().base
    }

    /// Whether this is the other type or a specialisation of it: `Age` is a `Quantity`.
    pub fn is_a(self, other: TypeId) -> bool {
        std::iter::successors(Some(self), |kind| kind.base()).any(|kind| kind == other)
    }

    /// The elements in the order of the definition, inherited ones first.
    pub fn elements(self) -> impl ExactSizeIterator<Item = &'static Element> + Clone {
        let tables = table::tables();
        self.entry().elements.iter().map(|at| &tables.elements[*at as usize])
    }

    /// The element that a JSON member name stands for, `valueQuantity` or `status`; not the `_` names.
    pub fn member(self, name: &str) -> Option<Member> {
        self.entry().member(name)
    }

    /// Which places in [`TypeId::elements`] must be filled, the first as the lowest bit.
    pub(crate) fn required(self) -> u128 {
        self.entry().required
    }

    /// A dense number below [`TypeId::count`], for tables beside this one.
    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// All types: resources, datatypes, primitives and the parts of them.
    pub fn all() -> impl Iterator<Item = TypeId> {
        (0..TypeId::count() as u16).map(TypeId)
    }

    /// How many types there are.
    pub(crate) fn count() -> usize {
        table::tables().types.len()
    }

    fn entry(self) -> &'static table::Type {
        &table::tables().types[usize::from(self.0)]
    }
}

/// A JSON member name resolved: the element, and for a choice which of its types was said.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// The element; for `valueQuantity` that of `value[x]`.
    pub element: &'static Element,
    /// The type of the content and what it may point to.
    pub content: &'static TypeRef,
    /// Where the element stands in [`TypeId::elements`].
    pub place: u8,
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

impl Element {
    /// Whether JSON writes a list.
    pub fn is_list(&self) -> bool {
        self.max != 1
    }

    /// The JSON member name for content of a type: `value` and `Quantity` give `valueQuantity`.
    pub fn json_name(&self, kind: TypeId) -> String {
        if !self.choice {
            return self.name.to_owned();
        }
        let (first, rest) = kind.name().split_at(1);
        format!("{}{}{rest}", self.name, first.to_ascii_uppercase())
    }
}

/// A type that an element may have.
#[derive(Debug)]
pub struct TypeRef {
    /// The type.
    pub kind: TypeId,
    /// For Reference and canonical: the resource types it may point to; empty for any.
    pub targets: Vec<ResourceType>,
    /// For Quantity: whether the profile SimpleQuantity holds, which knows no comparator.
    pub simple: bool,
}

macro_rules! primitives {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The primitive datatypes of R4.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Primitive {
            $($(#[$doc])* $variant,)*
        }

        impl Primitive {
            /// The primitive of that name.
            pub fn parse(name: &str) -> Option<Primitive> {
                match name {
                    $($name => Some(Primitive::$variant),)*
                    _ => None,
                }
            }

            /// The name of the datatype.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Primitive::$variant => $name,)*
                }
            }
        }
    };
}

primitives! {
    /// Bytes in base64.
    Base64Binary = "base64Binary",
    /// `true` or `false`.
    Boolean = "boolean",
    /// A url of a definition, with an optional version.
    Canonical = "canonical",
    /// A code.
    Code = "code",
    /// A year, month or day.
    Date = "date",
    /// A date, or a point in time with a zone.
    DateTime = "dateTime",
    /// A number whose precision counts.
    Decimal = "decimal",
    /// A logical id.
    Id = "id",
    /// A point in time.
    Instant = "instant",
    /// A whole number of 32 bits.
    Integer = "integer",
    /// Text with markdown.
    Markdown = "markdown",
    /// `urn:oid:..`.
    Oid = "oid",
    /// A whole number from 1.
    PositiveInt = "positiveInt",
    /// Text.
    String = "string",
    /// A time of day.
    Time = "time",
    /// A whole number from 0.
    UnsignedInt = "unsignedInt",
    /// A uri.
    Uri = "uri",
    /// A url.
    Url = "url",
    /// `urn:uuid:..`.
    Uuid = "uuid",
    /// The text of a narrative.
    Xhtml = "xhtml",
}

/// The search parameters that put a resource of this type into the compartment of a `Patient`, an `Encounter`, a
/// `Practitioner`, a `RelatedPerson` or a `Device` (CompartmentDefinition); `{def}` means the resource itself.
pub fn compartment(of: &str, kind: ResourceType) -> &'static [&'static str] {
    table::tables().compartment(of, kind)
}

#[cfg(test)]
mod tests;
