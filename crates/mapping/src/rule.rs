//! A rule as written: the tree that the parser makes and the compiler checks.

use crate::place::{Place, Word};

/// The direction of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Both,
    Forward,
    Back,
}

/// One rule line.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) id: Word,
    /// The whole line, as written.
    pub(crate) text: Word,
    pub(crate) sources: Vec<Source>,
    pub(crate) direction: Direction,
    pub(crate) action: Action,
    pub(crate) via: Option<Call>,
    pub(crate) clauses: Clauses,
}

/// What a rule does with what it finds.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    Write(Vec<Target>),
    Drop(String),
    Keep(String),
    /// Position only; rebuilt when the message is printed.
    Order,
}

/// Alternatives of which the first valued one counts.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) alternatives: Vec<Alternative>,
    pub(crate) place: Place,
}

#[derive(Clone, Debug)]
pub(crate) enum Alternative {
    Path(Path),
    Constant(Word),
}

/// A place of a message, or of a datatype where no segment stands.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    /// Where the path begins and what its names mean.
    pub(crate) locus: Locus,
    pub(crate) group: Option<Word>,
    pub(crate) segment: Option<Word>,
    pub(crate) segment_selectors: Vec<Selector>,
    /// 0 for the whole segment or the whole of a datatype.
    pub(crate) field: u16,
    pub(crate) selectors: Vec<Selector>,
    pub(crate) component: u16,
    pub(crate) subcomponent: u16,
    /// Without a segment the numbers are those below the lens's own source; this is the third of them.
    pub(crate) third: u16,
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// What the names of a path are.
#[derive(Clone, Debug, Default)]
pub(crate) enum Locus {
    /// Segments, fields and components of HL7 v2.
    #[default]
    Segment,
    /// Elements of an XML document, members of a JSON value.
    Tree(Box<TreePath>),
    /// Columns of a row; `selectors`, `component` and `subcomponent` of the path count inside the cell.
    Column(ColumnPath),
}

/// A walk through a tree.
#[derive(Clone, Debug)]
pub(crate) struct TreePath {
    /// From the document instead of the record.
    pub(crate) absolute: bool,
    pub(crate) steps: Vec<TreeStep>,
    /// The attribute of what the steps lead to.
    pub(crate) attribute: Option<Word>,
}

#[derive(Clone, Debug)]
pub(crate) struct TreeStep {
    pub(crate) kind: StepKind,
    pub(crate) name: Word,
    pub(crate) selectors: Vec<Selector>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepKind {
    /// Children of that name.
    Child,
    /// `..`, the parent.
    Up,
    /// `any(name)`, elements of that name at any depth.
    Any,
    /// `section(LOINC)`, sections of a clinical document by their code.
    Section,
    /// `entry(DE..)`, entries of a clinical document by the code of their data element.
    Entry,
}

/// A column of the own row, or a value of the row before or after all others.
#[derive(Clone, Debug)]
pub(crate) struct ColumnPath {
    pub(crate) row: RowKind,
    /// Its name, or its number from 1; nothing for the whole row.
    pub(crate) column: Option<ColumnName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RowKind {
    Own,
    Head,
    Trailer,
}

#[derive(Clone, Debug)]
pub(crate) enum ColumnName {
    Name(Word),
    Number(u16),
}

/// What kind of source the paths of a file speak of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[default]
    Segments,
    Tree,
    Rows,
}

/// A selector with its place.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    pub(crate) kind: SelectorKind,
    pub(crate) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SelectorKind {
    All,
    Append,
    First,
    Nth(u16),
    From(u16),
    Equals(String, String),
    Differs(String, String),
    Origin(String),
    Named(String),
    Choice,
}

/// A place of a resource or datatype.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) steps: Vec<Step>,
    pub(crate) place: Place,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) name: Word,
    pub(crate) selectors: Vec<Selector>,
}

/// A lens by name, with its arguments as written.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: Word,
    pub(crate) argument: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Clauses {
    pub(crate) guard: Vec<Test>,
    pub(crate) otherwise: bool,
    pub(crate) key: Vec<Word>,
    pub(crate) table: Option<Word>,
    pub(crate) defaults: Vec<(Option<Word>, Word)>,
    /// Nothing where the rule does not say.
    pub(crate) null: Option<NullPolicy>,
    pub(crate) rest: Rest,
    pub(crate) reference: Option<Word>,
    pub(crate) required: bool,
    pub(crate) once: bool,
    pub(crate) precision: Precision,
    pub(crate) zone: Option<Word>,
    pub(crate) trim: bool,
}

/// What `""` does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NullPolicy {
    #[default]
    Delete,
    Keep,
    Error,
}

/// Where the part goes that a lens cannot carry.
#[derive(Clone, Debug, Default)]
pub(crate) enum Rest {
    #[default]
    Unsaid,
    Complement,
    Extension(Word),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Precision {
    #[default]
    Keep,
    Day,
    Second,
}

/// One test of a guard.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) path: Path,
    pub(crate) kind: TestKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TestKind {
    Valued,
    Empty,
    Null,
    In(Vec<String>),
    NotIn(Vec<String>),
    /// The text begins with this.
    Begins(String),
}
