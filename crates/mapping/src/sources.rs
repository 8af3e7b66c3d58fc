//! Checks source paths against the v2 dictionary.

use dukou_wire::facts;

use crate::compiler::{Compiler, Context};
use crate::place::Word;
use crate::plan::{PathPlan, Position, RepetitionFilter, Root, TestPlan};
use crate::rule::{Locus, Path, Selector, SelectorKind, Test};

/// A source path with its types.
#[derive(Clone, Debug)]
pub(crate) struct TypedPath {
    pub(crate) plan: PathPlan,
    /// The datatype and earlier ones; empty where nothing is known (Z segments, OBX-5).
    pub(crate) types: Vec<String>,
    /// Whether it may give several values.
    pub(crate) multiple: bool,
    /// The number of its HL7 table.
    pub(crate) table: Option<u16>,
}

/// For what a path is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Value,
    Guard,
    /// All leaves below, for `keep`, `drop` and `order`.
    Leaves,
}

impl Compiler<'_, '_> {
    /// Checks a path; `per` is the segment of the instance.
    pub(crate) fn path(&mut self, path: &Path, context: &Context<'_>, per: &str, usage: Use) -> Option<TypedPath> {
        match &path.locus {
            Locus::Tree(tree) => return self.tree_path(path, tree, context, per, usage),
            Locus::Column(column) => return self.column(path, column, context, usage),
            Locus::Segment => {}
        }
        let Some(segment) = &path.segment else { return self.part(path, context, usage) };
        let name = segment.value.as_str();
        let root = self.root(path, name, per, usage);
        let mut multiple = matches!(
            root,
            Root::Beside(_, Position::All | Position::From(_)) | Root::Group(_, _, Position::All | Position::From(_))
        );
        let known = facts::field_count(name) > 0;
        if !known && !name.starts_with('Z') {
            self.findings.error(
                "E-SOURCE",
                segment.place,
                format!("v2 {} has no segment {name}", context.versions),
                crate::heads::near_segments(name),
            );
            return None;
        }
        let mut plan = PathPlan {
            root,
            field: path.field,
            filter: None,
            position: Position::All,
            component: path.component,
            subcomponent: path.subcomponent,
        };
        if path.field == 0 {
            return Some(TypedPath { plan, types: vec![name.to_owned()], multiple, table: None });
        }
        let field = facts::field(name, path.field);
        if known && field.is_none() {
            let text = format!("{name} has no field {} in v2 {}", path.field, context.versions);
            let hint = format!("no such field; {name} has {}", facts::field_count(name));
            self.findings.error("E-SOURCE", path.place, text, hint);
            return None;
        }
        self.too_new(path, name, context);
        let (position, filter, selected) = self.repetition(&path.selectors, usage)?;
        multiple |= matches!(position, Position::All | Position::From(_)) && (selected || usage != Use::Value);
        (plan.position, plan.filter) = (position, filter);
        if field.is_some_and(|field| field.repeats) && !selected && usage != Use::Guard {
            let hint = format!("write {name}-{}[first] or {name}-{}[*]", path.field, path.field);
            self.findings.error(
                "E-CARD",
                path.place,
                format!("{name}-{} repeats and has no selector", path.field),
                hint,
            );
            return None;
        }
        let types = field.map_or_else(Vec::new, |field| all_types(field.datatype, field.earlier));
        let numbers = [path.component, path.subcomponent];
        let table = field.and_then(|field| field.table);
        let (types, table) = self.below(path, types, table, numbers, context)?;
        Some(TypedPath { plan, types, multiple, table })
    }

    /// A field that is younger than every version the map is meant for is a slip of the pen.
    fn too_new(&mut self, path: &Path, name: &str, context: &Context<'_>) {
        let last = context.versions.rsplit('-').next().unwrap_or("").trim();
        let since = facts::field(name, path.field).map_or("", |field| field.since);
        if facts::is_version(last) && facts::is_version(since) && !facts::at_least(last, since) {
            let text = format!("{name}-{} is new in v2 {since}, and the map is for {}", path.field, context.versions);
            self.findings.error(
                "E-SOURCE",
                path.place,
                text,
                format!("write versions up to {since}, or another field"),
            );
        }
    }

    /// A path inside a datatype.
    fn part(&mut self, path: &Path, context: &Context<'_>, usage: Use) -> Option<TypedPath> {
        let Some((datatypes, _)) = context.lens else {
            let text = format!("'{}' names no segment", path.text);
            self.findings.error("E-SOURCE", path.place, text, "write SEG-n; bare components stand in lens files");
            return None;
        };
        if let [segment] = datatypes
            && reads_segment(segment)
        {
            return self.part_of_segment(path, segment, context, usage);
        }
        if path.third > 0 || !path.selectors.is_empty() {
            let hint = "a component path is n or n.n";
            self.findings.error("E-SOURCE", path.place, format!("'{}' is no part of a datatype", path.text), hint);
            return None;
        }
        let numbers = [path.component, path.subcomponent];
        let (types, table) = self.below(path, datatypes.to_vec(), None, numbers, context)?;
        let plan = PathPlan {
            root: Root::Part,
            field: 0,
            filter: None,
            position: Position::All,
            component: path.component,
            subcomponent: path.subcomponent,
        };
        Some(TypedPath { plan, types, multiple: false, table })
    }

    /// The path `n[sel].n.n` of a lens that reads a whole segment.
    fn part_of_segment(&mut self, path: &Path, segment: &str, context: &Context<'_>, usage: Use) -> Option<TypedPath> {
        let path = Path {
            segment: Some(Word::new(segment.to_owned(), path.place)),
            field: path.component,
            component: path.subcomponent,
            subcomponent: path.third,
            third: 0,
            ..path.clone()
        };
        self.path(&path, context, segment, usage)
    }

    fn root(&mut self, path: &Path, name: &str, per: &str, usage: Use) -> Root {
        let position = position_of(&path.segment_selectors);
        if let Some(group) = &path.group {
            return Root::Group(vec![group.value.clone()], name.to_owned(), position.unwrap_or(Position::Nth(1)));
        }
        match position {
            Some(position) => Root::Beside(name.to_owned(), position),
            None if name == per => Root::Own,
            None if usage == Use::Leaves => Root::Group(Vec::new(), name.to_owned(), Position::All),
            None => Root::Nearest(name.to_owned()),
        }
    }

    pub(crate) fn repetition(
        &mut self,
        selectors: &[Selector],
        usage: Use,
    ) -> Option<(Position, Option<RepetitionFilter>, bool)> {
        let mut filter = None;
        for selector in selectors {
            let (key, value, negate) = match &selector.kind {
                SelectorKind::Equals(key, value) => (key, value, false),
                SelectorKind::Differs(key, value) => (key, value, true),
                SelectorKind::All | SelectorKind::First | SelectorKind::Nth(_) | SelectorKind::From(_) => continue,
                _ => {
                    let hint = "write [*], [first], [n], [n..], [n=value] or [n!=value]";
                    self.findings.error("E-RULE", selector.place, "this selector selects no repetition", hint);
                    return None;
                }
            };
            let mut numbers = key.split('.').map(|number| number.parse::<u16>().ok());
            let (component, subcomponent) = (numbers.next().flatten(), numbers.next().flatten().unwrap_or(0));
            let Some(component) = component else {
                self.findings.error("E-RULE", selector.place, format!("'{key}' is no component"), "write [n=value]");
                return None;
            };
            filter = Some(RepetitionFilter { component, subcomponent, value: value.clone(), negate });
        }
        let position = match (position_of(selectors), usage) {
            (Some(position), _) => position,
            (None, Use::Value) => Position::Nth(1),
            (None, _) => Position::All,
        };
        Some((position, filter, !selectors.is_empty()))
    }

    /// The types of the component or subcomponent that the path names.
    fn below(
        &mut self,
        path: &Path,
        types: Vec<String>,
        table: Option<u16>,
        numbers: [u16; 2],
        context: &Context<'_>,
    ) -> Option<(Vec<String>, Option<u16>)> {
        let mut types = types;
        let mut table = table;
        for number in numbers {
            if number == 0 {
                break;
            }
            if types.is_empty() || varies(&types) {
                return Some((Vec::new(), None));
            }
            // The first component of a coded type carries the table of the whole.
            let own = types.iter().find_map(|datatype| facts::component(datatype, number)).and_then(|part| part.table);
            table = own.or(table.filter(|_| number == 1));
            let parts = part_types(&types, number);
            if parts.is_empty() {
                let text = format!("{} has no component {number} in v2 {}", types[0], context.versions);
                let hint = match facts::component_count(&types[0]) {
                    0 => "no such component; it has none".to_owned(),
                    count => format!("no such component; {} has {count}", types[0]),
                };
                self.findings.error("E-SOURCE", path.place, text, hint);
                return None;
            }
            types = parts;
        }
        if varies(&types) {
            types.clear();
        }
        Some((types, table))
    }

    pub(crate) fn tests(&mut self, tests: &[Test], context: &Context<'_>, per: &str) -> Option<Vec<TestPlan>> {
        let mut plans = Vec::with_capacity(tests.len());
        for test in tests {
            let path = self.path(&test.path, context, per, Use::Guard)?;
            plans.push(TestPlan { path: path.plan, kind: test.kind.clone() });
        }
        Some(plans)
    }
}

pub(crate) fn position_of(selectors: &[Selector]) -> Option<Position> {
    let positions = selectors.iter().find_map(|selector| match selector.kind {
        SelectorKind::All => Some(Position::All),
        SelectorKind::First => Some(Position::Nth(1)),
        SelectorKind::Nth(number) => Some(Position::Nth(number)),
        SelectorKind::From(number) => Some(Position::From(number)),
        _ => None,
    });
    positions.or_else(|| (!selectors.is_empty()).then_some(Position::Nth(1)))
}

/// Whether a lens of that source reads a whole segment.
pub(crate) fn reads_segment(name: &str) -> bool {
    name.len() == 3 && (facts::field_count(name) > 0 || name.starts_with('Z')) && facts::component_count(name) == 0
}

fn varies(types: &[String]) -> bool {
    types.iter().any(|datatype| datatype == "varies")
}

fn all_types(datatype: &str, earlier: &str) -> Vec<String> {
    let earlier = earlier.split(',').filter_map(|pair| pair.split_once(':')).map(|(datatype, _)| datatype);
    let mut types = vec![datatype.to_owned()];
    for datatype in earlier {
        if !types.iter().any(|known| known == datatype) {
            types.push(datatype.to_owned());
        }
    }
    types
}

/// The types of component `number`: of a type without components the first one is the type itself.
fn part_types(types: &[String], number: u16) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for datatype in types {
        let parts = match facts::component(datatype, number) {
            Some(part) => all_types(part.datatype, part.earlier),
            None if number == 1 => vec![datatype.clone()],
            None => Vec::new(),
        };
        for part in parts {
            if !found.contains(&part) {
                found.push(part);
            }
        }
    }
    found
}
