//! The search parameters of base R4, by resource type, from the published definitions.

use std::sync::{LazyLock, OnceLock};

use super::Kind;
use crate::ResourceType;
use crate::path::Program;
use crate::schema::TypeId;

/// A search parameter as it stands for one resource type.
#[derive(Debug)]
pub struct Parameter {
    number: u16,
    code: &'static str,
    kind: Kind,
    targets: Vec<ResourceType>,
    program: Result<Program, Unsupported>,
    datatypes: Vec<&'static str>,
    components: Vec<Component>,
}

/// Why a parameter of the specification cannot be searched here; a query that names it is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// It searches the text of whole resources, which is not indexed.
    #[error("full text is not indexed")]
    FullText,
    /// It names a stored query or a special search of its own.
    #[error("this special search is not offered")]
    Special,
    /// It matches by sound.
    #[error("names are not matched by sound")]
    Phonetic,
    /// Its expression is not understood.
    #[error(transparent)]
    Expression(#[from] crate::path::PathError),
}

/// One part of a composite parameter.
#[derive(Debug)]
pub(crate) struct Component {
    /// The code of the parameter that the part is.
    pub(crate) code: &'static str,
    /// From an element that the composite finds, by that element's type.
    programs: Vec<(&'static str, Program)>,
}

impl Parameter {
    /// Its number in posting keys; holds for one release of this program.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// The name in a query, `birthdate`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// How values are compared.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For references the types that they may point to; empty for any.
    pub fn targets(&self) -> &[ResourceType] {
        &self.targets
    }

    /// Why it cannot be searched here, if so.
    pub fn unsupported(&self) -> Option<&Unsupported> {
        self.program.as_ref().err()
    }

    /// The types of the elements it looks at.
    pub(crate) fn datatypes(&self) -> &[&'static str] {
        &self.datatypes
    }

    /// Finds the elements; nothing for parameters that are not supported.
    pub(crate) fn program(&self) -> Option<&Program> {
        self.program.as_ref().ok()
    }

    pub(crate) fn components(&self) -> &[Component] {
        &self.components
    }

    /// Whether it finds references that can be followed to a resource of this server; canonicals cannot.
    pub(crate) fn is_link(&self) -> bool {
        let followed = |datatype: &&str| matches!(*datatype, "Reference" | "Resource");
        self.kind == Kind::Reference && self.datatypes.iter().any(followed)
    }

    pub(crate) fn is_id(&self) -> bool {
        self.code == "_id"
    }

    pub(crate) fn is_last_updated(&self) -> bool {
        self.code == "_lastUpdated"
    }
}

impl Component {
    /// The part's program for a composite's element of that type.
    pub(crate) fn program(&self, datatype: &str) -> Option<&Program> {
        self.programs.iter().find(|(own, _)| *own == datatype).map(|(_, program)| program)
    }
}

/// All parameters of a resource type in the order of their codes, those of every resource included.
pub fn of(kind: ResourceType) -> &'static [Parameter] {
    static TABLE: LazyLock<Vec<OnceLock<Vec<Parameter>>>> =
        LazyLock::new(|| ResourceType::all().map(|_| OnceLock::new()).collect());
    TABLE[usize::from(kind.index())].get_or_init(|| compile(kind))
}

/// The parameter of that code.
pub fn find(kind: ResourceType, code: &str) -> Option<&'static Parameter> {
    let all = of(kind);
    let at = all.binary_search_by(|parameter| parameter.code.cmp(code)).ok()?;
    Some(&all[at])
}

/// The tables that the parameters come from, as text: an index made by others is made anew.
pub fn tables() -> [&'static str; 2] {
    [TABLE_TEXT, ADDED]
}

/// One row of the published table.
struct Row {
    number: u16,
    code: &'static str,
    kind: Kind,
    bases: Vec<&'static str>,
    targets: &'static str,
    expression: &'static str,
    components: &'static str,
}

fn rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
        // What is added comes last: the numbers of the published ones stand in indexes.
        let lines = TABLE_TEXT.lines().chain(ADDED.lines()).filter(|line| !line.starts_with('#'));
        lines.zip(0..).filter_map(|(line, number)| row(line, number)).collect()
    });
    &ROWS
}

fn row(line: &'static str, number: u16) -> Option<Row> {
    let mut columns = line.split('\t');
    let code = columns.next()?;
    let kind = Kind::parse(columns.next()?)?;
    let bases = columns.next()?.split('|').collect();
    let mut next = || columns.next().unwrap_or_default();
    Some(Row { number, code, kind, bases, targets: next(), expression: next(), components: next() })
}

fn compile(kind: ResourceType) -> Vec<Parameter> {
    let name = kind.as_str();
    let is_domain_resource = !matches!(name, "Binary" | "Bundle" | "Parameters");
    let applies =
        |base: &&str| *base == name || *base == "Resource" || (*base == "DomainResource" && is_domain_resource);
    let own = rows().iter().filter(|row| row.bases.iter().any(applies));
    let mut parameters: Vec<Parameter> = own.map(|row| row.compile(name)).collect();
    parameters.sort_by_key(|parameter| parameter.code);
    parameters
}

impl Row {
    fn compile(&self, resource: &str) -> Parameter {
        let mut program = match self.unsupported() {
            Some(unsupported) => Err(unsupported),
            None => Program::compile(self.expression, resource).map_err(Unsupported::from),
        };
        let datatypes = program.as_ref().map(Program::datatypes).unwrap_or_default();
        let mut components = Vec::new();
        for part in self.components.split(';').filter(|part| !part.trim().is_empty()) {
            match component(part, &datatypes) {
                Ok(component) => components.push(component),
                Err(error) => program = Err(error),
            }
        }
        let targets = self.targets.split('|').filter_map(ResourceType::parse).collect();
        Parameter { number: self.number, code: self.code, kind: self.kind, targets, program, datatypes, components }
    }

    fn unsupported(&self) -> Option<Unsupported> {
        match (self.code, self.kind) {
            ("_text" | "_content", _) => Some(Unsupported::FullText),
            ("_query", _) | (_, Kind::Special) => Some(Unsupported::Special),
            ("phonetic", _) => Some(Unsupported::Phonetic),
            _ => None,
        }
    }
}

/// `Observation-value-quantity=value.as(Quantity)`: definition and expression. What stands before the first hyphen of a
/// definition's name is the type or group that it is defined for.
fn component(part: &'static str, datatypes: &[&'static str]) -> Result<Component, Unsupported> {
    let (definition, expression) = part.split_once('=').unwrap_or((part, ""));
    let code = definition.split_once('-').map_or(definition, |(_, code)| code).trim();
    let mut programs = Vec::new();
    for datatype in datatypes {
        debug_assert!(TypeId::parse(datatype).is_some(), "the types come from the schema");
        programs.push((*datatype, Program::compile(expression, datatype)?));
    }
    Ok(Component { code, programs })
}

/// Parameters on extensions that the profiles we serve ask for: PDQm (IHE ITI-78) the mother's maiden name.
const ADDED: &str = "mothersMaidenName\tstring\tPatient\t\t\
    Patient.extension('http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName').value.as(string)";
const TABLE_TEXT: &str = include_str!("../../data/search-parameters.tsv");
