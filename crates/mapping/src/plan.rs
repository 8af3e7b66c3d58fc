//! The compiled form of maps: names resolved, types checked, tables bound. Immutable, shared by threads.

use dukou_fhir::schema::{TypeId, ValueSet};
use dukou_fhir::{ResourceType, Value};
use dukou_terminology::Table;

use crate::builtin::Builtin;
use crate::decisions::DecisionPlan;
use crate::diagnostic::Diagnostic;
use crate::file::Weak;
use crate::gate::Gates;
use crate::guard::Guards;
use crate::rule::{Direction, NullPolicy, Precision, RowKind, StepKind, TestKind};
use crate::source_plan::Documents;

/// Compiled maps, lenses and tables: what turns a message into changes. Made by [`crate::compile`].
#[derive(Debug)]
pub struct Program {
    pub(crate) maps: Vec<MapPlan>,
    pub(crate) lenses: Vec<LensPlan>,
    pub(crate) tables: Vec<Table>,
    /// How many rules remember what they have read.
    pub(crate) memories: u32,
    /// The map or lens in which each table stands; empty for shared ones.
    pub(crate) table_owners: Vec<String>,
    /// The table that the lens `system` reads.
    pub(crate) systems: Option<usize>,
    pub(crate) profiles: Vec<crate::reverse::profile::Profile>,
    /// Fields that only tell a position, by segment: set ids.
    pub(crate) ordinals: Vec<(String, u16)>,
    pub(crate) rules: Vec<RuleFacts>,
    pub(crate) hash: [u8; 32],
    pub(crate) hash_text: String,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) tests: Vec<crate::example::Example>,
}

/// What is told of a rule to people.
#[derive(Clone, Debug)]
pub(crate) struct RuleFacts {
    pub(crate) map: String,
    pub(crate) id: String,
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) text: String,
    /// Source paths as written, without selectors: `PID-8.1`.
    pub(crate) sources: Vec<String>,
    /// Target paths with the resource or type in front: `Patient.gender`.
    pub(crate) targets: Vec<String>,
    /// The same without selectors, extensions by the end of their URL; of a lens, below its type.
    pub(crate) elements: Vec<String>,
    /// The paths that the guard reads.
    pub(crate) guards: Vec<String>,
    /// The datatypes or segments that a lens takes; none for a map.
    pub(crate) reads: Vec<String>,
    /// The type that a lens gives; empty for a map.
    pub(crate) root: String,
    pub(crate) lens: String,
    pub(crate) class: &'static str,
    pub(crate) table: Option<String>,
    /// The reason of `drop` or `keep`.
    pub(crate) reason: Option<String>,
    /// What overlays did to the rule, the last one wins.
    pub(crate) history: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct MapPlan {
    pub(crate) name: String,
    pub(crate) versions: Option<(Version, Version)>,
    pub(crate) messages: Vec<String>,
    pub(crate) events: Vec<String>,
    /// The documents that the map reads, where they are no HL7 v2.
    pub(crate) documents: Documents,
    pub(crate) snapshot: bool,
    pub(crate) emits: Vec<EmitPlan>,
    /// Which events decide about identity.
    pub(crate) decisions: Vec<DecisionPlan>,
    /// What receivers can take; overlays say so.
    pub(crate) limits: Vec<LimitPlan>,
    /// Operations that run once for the message.
    pub(crate) once: Vec<Operation>,
}

/// The longest text that a receiver takes in a place.
#[derive(Debug)]
pub(crate) struct LimitPlan {
    pub(crate) path: PathPlan,
    pub(crate) characters_max: u32,
    /// A longer text is cut and reported; else it is refused.
    pub(crate) cut: bool,
}

/// Numbers of a version: `2.5.1` is (2, 5, 1).
pub(crate) type Version = (u16, u16, u16);

#[derive(Debug)]
pub(crate) struct EmitPlan {
    pub(crate) kind: ResourceType,
    pub(crate) per: String,
    /// Steps from the record of a tree to the instances.
    pub(crate) per_steps: Vec<TreeStepPlan>,
    pub(crate) scopes: Vec<Vec<String>>,
    pub(crate) guard: Vec<TestPlan>,
    pub(crate) under: Vec<usize>,
    pub(crate) link: Option<TargetPlan>,
    pub(crate) mention: Option<Vec<TestPlan>>,
    pub(crate) whole: bool,
    pub(crate) id: IdPlan,
    pub(crate) body: Body,
}

/// Operations that fill one object.
#[derive(Debug, Default)]
pub(crate) struct Body {
    pub(crate) operations: Vec<Operation>,
    /// What each of the operations reads.
    pub(crate) gates: Gates,
    /// What each of them asks before it runs.
    pub(crate) guards: Guards,
    /// Operations over items that exist, run after all others.
    pub(crate) late: Vec<Operation>,
    /// Operations that only lead from FHIR.
    pub(crate) back_only: Vec<Operation>,
    /// All that counts on the way from FHIR, in the order of its turns.
    pub(crate) back: Vec<BackStep>,
    pub(crate) required: Vec<Required>,
    /// Lists at the top of a resource that rules write, with their slices.
    pub(crate) lists: Vec<ListPlan>,
    /// Members at the top that rules can write.
    pub(crate) writes: Vec<String>,
    /// Lists of references to children; they only grow.
    pub(crate) links: Vec<String>,
}

/// An operation on the way from FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackStep {
    pub(crate) list: BackList,
    /// Its number in that list.
    pub(crate) at: u32,
    pub(crate) turn: Turn,
}

/// In which list of a body an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackList {
    Operations,
    Late,
    BackOnly,
}

/// When an operation takes its elements: the most specific first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    /// Constants say what needs no source.
    Constant,
    /// Single elements, and items of a slice.
    Slice,
    /// Items that look as the defaults of the rule make them.
    Alike,
    /// Items outside of a slice.
    Outside,
    /// Any item.
    Any,
    /// Items that only a complement could tell apart.
    Hinted,
    /// Constants that stand only where a source is empty: a rule with a source comes before them.
    Fallback,
    /// References to other resources and values that were derived: they are explained, nothing is written.
    Derived,
}

/// An element that R4 requires wherever its parent is made.
#[derive(Debug)]
pub(crate) struct Required {
    /// Members from the top down to the parent.
    pub(crate) parent: Vec<String>,
    /// One of these members must stand; several for a choice.
    pub(crate) any: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct ListPlan {
    pub(crate) element: String,
    pub(crate) filters: Vec<Filter>,
    pub(crate) keys: Vec<String>,
    /// Whether a rule writes items outside of all slices.
    pub(crate) unsliced: bool,
}

#[derive(Debug)]
pub(crate) struct LensPlan {
    /// For lenses that make a small resource.
    pub(crate) resource: Option<ResourceType>,
    pub(crate) id: Option<IdPlan>,
    /// It makes a part of a resource, such as `Appointment.participant`.
    pub(crate) backbone: bool,
    /// The target `self` of a lens to a primitive.
    pub(crate) primitive: bool,
    /// It reads nothing but the part that it is given, so equal texts give equal values.
    pub(crate) local: bool,
    pub(crate) body: Body,
}

#[derive(Debug)]
pub(crate) struct IdPlan {
    pub(crate) keys: Vec<KeyPlan>,
    pub(crate) weak: Weak,
}

#[derive(Debug)]
pub(crate) enum KeyPlan {
    Source(Vec<KeyAlternative>),
    Nth,
}

#[derive(Debug)]
pub(crate) enum KeyAlternative {
    Path(PathPlan, Canon),
    Constant(String),
}

/// How a datatype tells its value and the authority behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Canon {
    /// Value in one component, authority in another; spread where namespace, universal id and its type are components of
    /// their own.
    Parts { value: u16, value_else: u16, authority: u16, spread: bool },
    /// The whole text.
    Whole,
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) rule: u32,
    pub(crate) way: Direction,
    /// 0 is no chain; neighbours with the same number are one.
    pub(crate) chain: u32,
    pub(crate) guard: Vec<TestPlan>,
    /// The first valued alternative of each counts.
    pub(crate) sources: Vec<Vec<PathPlan>>,
    pub(crate) action: ActionPlan,
}

#[derive(Debug)]
pub(crate) enum ActionPlan {
    Write(Box<Write>),
    Drop,
    Keep,
}

#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) targets: Vec<TargetPlan>,
    pub(crate) lens: LensUse,
    pub(crate) table: Option<usize>,
    /// For the missing side.
    pub(crate) default: Option<Constant>,
    /// For elements missing in the object made.
    pub(crate) fill: Vec<(String, Value<'static>)>,
    pub(crate) null: NullPolicy,
    pub(crate) rest: RestPlan,
    pub(crate) required: bool,
    /// Written only where nothing is stored.
    pub(crate) once: bool,
    pub(crate) trim: bool,
    pub(crate) takes: Takes,
    /// The number under which texts are remembered that it has read.
    pub(crate) memory: Option<u32>,
    /// The text stands as it is: no table, no parts, nothing beside it.
    pub(crate) plain: bool,
    /// The rule does something though its source is empty: a default, a missing value that is told, a reference.
    pub(crate) speaks_unasked: bool,
    /// The source is a segment that the lens reads as a whole.
    pub(crate) whole_segment: bool,
    /// The source has components of its own.
    pub(crate) parted: bool,
    /// The URI of the HL7 table of the source.
    pub(crate) code_table: Option<String>,
    pub(crate) options: Options,
}

/// How a lens takes the repeats of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// One after the other.
    Each,
    /// All of them at once.
    All,
    /// One after the other, and each piece of a text for itself.
    Pieces,
}

/// What lenses need to know of the rule that calls them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) precision: Precision,
    pub(crate) zone: ZonePlan,
    pub(crate) argument: Option<String>,
    /// Which target of its rule the lens fills, from 0.
    pub(crate) part: u16,
    /// The table of `system(table)`.
    pub(crate) table: Option<usize>,
    /// The required binding of a code.
    pub(crate) binding: Option<&'static ValueSet>,
    /// The type of the target by name.
    pub(crate) kind: &'static str,
    /// What that type asks of a text.
    pub(crate) form: TextForm,
}

/// What the primitives ask of a text (FHIR R4, datatypes.html).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TextForm {
    #[default]
    Free,
    /// No blanks around it, and none but single ones inside.
    Code,
    /// No blanks at all.
    Uri,
    Id,
}

impl TextForm {
    /// The form of a type by its name.
    pub(crate) fn of(kind: &str) -> TextForm {
        match kind {
            "code" => TextForm::Code,
            "uri" | "url" | "canonical" | "oid" | "uuid" => TextForm::Uri,
            "id" => TextForm::Id,
            _ => TextForm::Free,
        }
    }

    /// Whether a text has the form.
    pub(crate) fn fits(self, text: &str) -> bool {
        match self {
            TextForm::Free => true,
            TextForm::Code => {
                let blank = |c: Option<char>| c.is_none_or(char::is_whitespace);
                let single =
                    text.as_bytes().windows(2).all(|pair| pair != b"  ") && text.bytes().all(|byte| byte >= b' ');
                single && !blank(text.chars().next()) && !blank(text.chars().next_back())
            }
            TextForm::Uri => !text.contains(char::is_whitespace),
            TextForm::Id => dukou_fhir::LogicalId::parse(text).is_some(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ZonePlan {
    #[default]
    Unsaid,
    Site,
    Offset(String),
}

#[derive(Debug)]
pub(crate) enum LensUse {
    Constant(Constant),
    Builtin(Builtin),
    Composite(usize),
    /// A Reference to the resource that a map makes of the segment.
    Segment(ResourceType),
    /// A Reference to what an emit of the same map makes of the place.
    Emit(usize),
    /// A Reference to a small resource made by a lens.
    Resource(usize),
    /// References to every other resource of the message.
    Everything,
}

#[derive(Debug)]
pub(crate) enum Constant {
    Fixed(Value<'static>),
    Plan,
    Site,
    /// The bytes of the message as they came, in base64.
    Document,
    /// The URI of the HL7 table of the field that the lens reads, where it has one.
    CodeTable,
}

#[derive(Debug)]
pub(crate) enum RestPlan {
    Unsaid,
    Complement,
    Extension(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TestPlan {
    pub(crate) path: PathPlan,
    pub(crate) kind: TestKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPlan {
    pub(crate) root: Root,
    pub(crate) field: u16,
    pub(crate) filter: Option<RepetitionFilter>,
    pub(crate) position: Position,
    pub(crate) component: u16,
    pub(crate) subcomponent: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// The `per` segment of the instance.
    Own,
    /// The nearest segment of that id.
    Nearest(String),
    /// Segments of that id beside the `per` segment.
    Beside(String, Position),
    /// Segments of that id in groups of that name.
    Group(Vec<String>, String, Position),
    /// A part of the datatype that a lens reads.
    Part,
    /// Elements or attributes of a tree.
    Tree(Box<TreePlan>),
    /// The row before or after all others.
    Row(RowKind),
}

/// A walk through a tree, from the instance or the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreePlan {
    pub(crate) start: TreeStart,
    pub(crate) steps: Vec<TreeStepPlan>,
    pub(crate) attribute: Option<String>,
    /// Names from the document on, for people and to find resources of other maps: `/message/body/row/xm`.
    pub(crate) whole: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TreeStart {
    /// So many parents above the element of the instance, or of the lens.
    Own(u16),
    /// So many parents above the record.
    Record(u16),
    /// The first step names the root element itself.
    Document,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeStepPlan {
    pub(crate) kind: StepKind,
    /// The name, or the code of a section or entry.
    pub(crate) name: String,
    pub(crate) filters: Vec<TreeFilter>,
    pub(crate) position: Position,
}

/// Tells elements apart by a value below them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeFilter {
    pub(crate) path: Vec<String>,
    pub(crate) attribute: Option<String>,
    pub(crate) value: String,
    pub(crate) negate: bool,
}

impl PathPlan {
    /// Whether the path names a segment or row instead of a place in it.
    pub(crate) fn is_segment(&self) -> bool {
        self.field == 0 && !matches!(self.root, Root::Part | Root::Tree(_))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepetitionFilter {
    pub(crate) component: u16,
    pub(crate) subcomponent: u16,
    pub(crate) value: String,
    pub(crate) negate: bool,
}

/// Which of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    All,
    /// The one with this number, from 1.
    Nth(u16),
    /// This one and all behind it, from 1.
    From(u16),
}

#[derive(Debug)]
pub(crate) struct TargetPlan {
    /// The object of a parent instead of the own one: its number in `under`.
    pub(crate) parent: Option<u16>,
    pub(crate) steps: Vec<StepPlan>,
    /// The member beside a primitive that holds its extensions.
    pub(crate) beside: String,
    /// For a choice whose type the lens decides: member names by type, in place of the last step's name.
    pub(crate) choices: Vec<(TypeId, String)>,
    pub(crate) kind: TypeId,
    /// Which of `Body::required` falls with this value; the index plus 1, 0 for none.
    pub(crate) region: u16,
    /// Which of `Body::lists` this writes, and which of its filters; the index plus 1, 0 for none.
    pub(crate) claim: (u16, u16),
    /// For people: `Patient.gender`.
    pub(crate) text: String,
}

impl TargetPlan {
    /// Whether a lens that decides the type itself may give this one.
    pub(crate) fn takes(&self, kind: &str) -> bool {
        !self.choices.is_empty() || self.kind.name() == kind
    }
}

#[derive(Debug)]
pub(crate) struct StepPlan {
    pub(crate) name: String,
    pub(crate) list: Option<ListStep>,
}

#[derive(Debug)]
pub(crate) struct ListStep {
    pub(crate) filter: Option<Filter>,
    pub(crate) place: ItemPlace,
    /// Only a complement tells which items these are.
    pub(crate) hinted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ItemPlace {
    /// The first that the filter holds, or a new one.
    One,
    /// The item of this group and source repeat, or a new one.
    Zip(u16),
    /// A new one for each value.
    Append,
    /// The one with this number, from 1.
    Nth(u16),
    /// All that exist, of the group where one is named.
    Each(Option<u16>),
}

/// Tells the items of a list apart by an element, and makes that element in a new item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    pub(crate) member: String,
    pub(crate) form: FilterForm,
    pub(crate) system: Option<String>,
    pub(crate) value: String,
    pub(crate) negate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilterForm {
    Text,
    Bool,
    Number,
    Coding,
    Concept,
    Concepts,
}

/// The same tree without copies of its texts.
pub(crate) fn borrowed<'p>(value: &'p Value<'_>) -> Value<'p> {
    value.borrowed()
}
