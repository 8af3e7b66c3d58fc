//! Checks across rules, and the bodies that come out of them.

use std::collections::HashMap;

use dukou_fhir::schema::{Element, TypeId};
use dukou_wire::facts;

use crate::compile::History;
use crate::diagnostic::Findings;
use crate::exclusive::exclusive;
use crate::explain::plain;
use crate::file::MapFile;
use crate::grammar::same_field;
use crate::operations::{Placed, WriteFacts};
use crate::place::Place;
use crate::plan::{ActionPlan, Body, ItemPlace, ListPlan, Operation, Required};
use crate::rule::{Action, Alternative, ColumnName, Direction, Locus, Path, RowKind, Rule, TestKind};
use crate::source_head::{Column, SourceHead};

/// What comes out of the rules of one file.
pub(crate) struct Bodies {
    pub(crate) emits: Vec<Body>,
    /// Operations that run once for the message.
    pub(crate) once: Vec<Operation>,
}

/// The chain number of each rule; 0 is none.
pub(crate) fn chains(rules: &[Rule]) -> Vec<u32> {
    let mut numbers = vec![0; rules.len()];
    let mut current: Option<(u32, &Path)> = None;
    let mut next = 1;
    for (at, rule) in rules.iter().enumerate() {
        let guarded = !rule.clauses.guard.is_empty() || rule.clauses.otherwise;
        let Some(path) = first_path(rule).filter(|_| guarded && rule.direction != Direction::Back) else {
            current = None;
            continue;
        };
        let number = match current {
            Some((number, head)) if same_field(head, path) => number,
            _ => {
                next += 1;
                next - 1
            }
        };
        numbers[at] = number;
        current = (!rule.clauses.otherwise).then_some((number, path));
    }
    numbers
}

/// A chain of several rules ends in `else`, unless its guards leave nothing over.
pub(crate) fn open_chains(rules: &[Rule], chains: &[u32], findings: &mut Findings<'_>) {
    let mut start = 0;
    while start < rules.len() {
        let number = chains[start];
        let end =
            (start..rules.len()).find(|at| chains[*at] != number || number == 0).unwrap_or(rules.len()).max(start + 1);
        let chain = &rules[start..end];
        let closed = chain.iter().any(|rule| rule.clauses.otherwise) || exhaustive(chain);
        if chain.len() > 1 && !closed {
            let first = &chain[0];
            let name = first_path(first).map_or_else(String::new, plain);
            let hint = match left_over(chain) {
                Some(left) => format!("{left}; add a rule with: else"),
                None => "add a rule with: else".to_owned(),
            };
            findings.error("E-NO-ELSE", first.id.place, format!("chain on {name} has no else"), hint);
        }
        start = end;
    }
}

/// The value types that no guard of a chain on OBX-2 names (HL7 table 0125).
fn left_over(chain: &[Rule]) -> Option<String> {
    let mut named: Vec<&str> = Vec::new();
    for rule in chain {
        let [test] = rule.clauses.guard.as_slice() else { return None };
        let TestKind::In(values) = &test.kind else { return None };
        if plain(&test.path) != "OBX-2" {
            return None;
        }
        named.extend(values.iter().map(String::as_str));
    }
    let left: Vec<&str> = VALUE_TYPES.iter().copied().filter(|known| !named.contains(known)).collect();
    let shown = left.iter().take(6).copied().collect::<Vec<_>>().join(", ");
    (!left.is_empty()).then(|| format!("OBX-2 values left: {shown}{}", if left.len() > 6 { " ..." } else { "" }))
}

/// How two rules for one place may be told apart: a slice by `use` or `type` where the items have one, else a guard.
fn apart_hint(write: &WriteFacts, first: &Rule) -> String {
    let at = write.typed.plan.steps.iter().position(|step| step.list.is_some());
    let slice = at.and_then(|at| {
        let kind = write.typed.parents.get(at + 1).copied().unwrap_or(write.typed.plan.kind);
        let key = ["use", "type"].into_iter().find(|key| kind.member(key).is_some())?;
        let value = if key == "use" { "work" } else { "..." };
        Some(format!("give one of them a slice, for example {}[{key}={value}]", write.typed.plan.steps[at].name))
    });
    let empty = first_path(first).map(|path| format!("a guard: if {} empty", plain(path)));
    match (slice, empty) {
        (Some(slice), _) => slice,
        (None, Some(guard)) => format!("give one of them {guard}"),
        (None, None) => "give one of them a guard: if".to_owned(),
    }
}

/// How a required element is filled.
fn fill_hint(element: &Element) -> String {
    let codes = element.binding.map(|set| set.codes()).filter(|codes| (1..=12).contains(&codes.len()));
    let name = element.types.first().map_or_else(String::new, |content| element.json_name(content.kind));
    match codes {
        Some(codes) => format!("write: ID: =CODE -> {name}, with one of {}", codes.join(" | ")),
        None => format!("write: ID: SOURCE -> {name}"),
    }
}

/// Two rules with one test each, valued and empty of the same path.
fn exhaustive(chain: &[Rule]) -> bool {
    let single = |kind: &TestKind| {
        chain
            .iter()
            .filter_map(|rule| match rule.clauses.guard.as_slice() {
                [test] if test.kind == *kind => Some(test.path.text.clone()),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let empty = single(&TestKind::Empty);
    single(&TestKind::Valued).iter().any(|path| empty.contains(path))
}

fn first_path(rule: &Rule) -> Option<&Path> {
    rule.sources.first()?.alternatives.iter().find_map(|alternative| match alternative {
        Alternative::Path(path) => Some(path),
        Alternative::Constant(_) => None,
    })
}

/// Sorts operations into the bodies of emits and checks what they fill together.
pub(crate) fn bodies(
    roots: &[(TypeId, Place, &[&str])],
    placed: Vec<(usize, Placed)>,
    rules: &[Rule],
    findings: &mut Findings<'_>,
) -> Bodies {
    let mut bodies = Bodies { emits: roots.iter().map(|_| Body::default()).collect(), once: Vec::new() };
    for (emit, (root, place, linked)) in roots.iter().enumerate() {
        let writes: Vec<(usize, u32, &WriteFacts)> = placed
            .iter()
            .flat_map(|(rule, placed)| placed.writes.iter().map(|write| (*rule, placed.operation.chain, write)))
            .filter(|(_, _, write)| write.emit == emit)
            .collect();
        same_slot(&writes, rules, findings);
        let body = &mut bodies.emits[emit];
        body.required = required(*root, *place, linked, &writes, rules, findings);
        body.lists = lists(&writes, rules);
        body.writes = written(&writes);
        body.links = linked.iter().map(|name| (*name).to_owned()).collect();
    }
    for (_, mut placed) in placed {
        for mut write in placed.writes.drain(..) {
            let body = &bodies.emits[write.emit];
            write.typed.plan.region = region(&write, body);
            write.typed.plan.claim = claim(&write, body);
            if let ActionPlan::Write(action) = &mut placed.operation.action {
                action.targets.push(write.typed.plan);
            }
        }
        match placed.emit {
            Some(emit) if placed.operation.way == Direction::Back => {
                bodies.emits[emit].back_only.push(placed.operation);
            }
            None => bodies.once.push(placed.operation),
            Some(emit) if placed.late => bodies.emits[emit].late.push(placed.operation),
            Some(emit) => bodies.emits[emit].operations.push(placed.operation),
        }
    }
    for body in &mut bodies.emits {
        body.gates = crate::gate::Gates::of(body);
        body.guards = crate::guard::Guards::of(body);
        body.back = crate::reverse::steps(body);
    }
    bodies
}

/// Two rules may not write the same slice, nor two types of one choice, unless their guards exclude each other.
fn same_slot(writes: &[(usize, u32, &WriteFacts)], rules: &[Rule], findings: &mut Findings<'_>) {
    for (at, (second_rule, second_chain, second)) in writes.iter().enumerate() {
        for (first_rule, first_chain, first) in &writes[..at] {
            if first_rule == second_rule {
                continue;
            }
            let (one, two) = (&rules[*first_rule], &rules[*second_rule]);
            // A rule whose chain ends in else gives way when the element is taken.
            let yields = *second_chain != 0 && falls_through(rules, *second_rule);
            let apart = yields || exclusive(one, two) || (*first_chain != 0 && first_chain == second_chain);
            let place = target_place(two);
            if first.typed.slot == second.typed.slot && !shared(first) && !shared(second) {
                if !apart {
                    let (name, line) = (&one.id.value, one.id.place.line);
                    let text = format!(
                        "{} and {name} (line {line}) write the same slice {}",
                        two.id.value, second.typed.plan.text
                    );
                    findings.error("E-OVERLAP", place, text, apart_hint(first, one));
                } else {
                    reverse_order(one, two, (first, second), findings);
                }
            } else if same_choice(first, second) {
                if !apart {
                    let element = second.typed.element.map_or("", |element| element.name);
                    let text = format!("{element}[x] can be filled by two rules at once");
                    let empty =
                        first_path(one).map_or_else(String::new, |path| format!("; add: if {} empty", plain(path)));
                    let hint = format!(
                        "guards of {} (line {}) and {} are not disjoint{empty}",
                        one.id.value, one.id.place.line, two.id.value
                    );
                    findings.error("E-CHOICE", two.id.place, text, hint);
                } else if same_kind(first, second) {
                    reverse_order(one, two, (first, second), findings);
                }
            }
        }
    }
}

/// Whether an else rule stands behind the rule in its chain.
fn falls_through(rules: &[Rule], at: usize) -> bool {
    let chains = chains(rules);
    (at + 1..rules.len()).take_while(|next| chains[*next] == chains[at]).any(|next| rules[next].clauses.otherwise)
}

fn reverse_order(one: &Rule, two: &Rule, writes: (&WriteFacts, &WriteFacts), findings: &mut Findings<'_>) {
    if one.direction == Direction::Both && two.direction == Direction::Both {
        let (first, second) = (&writes.0.typed.kinds, &writes.1.typed.kinds);
        let same = first.iter().find(|kind| second.iter().any(|other| other.kind == kind.kind));
        let what = same.map_or("value", |content| content.kind.name());
        let article = if what.starts_with(['A', 'E', 'I', 'O', 'U', 'i', 'a']) { "an" } else { "a" };
        let (one, other) = (&one.id.value, &two.id.value);
        let text = format!("{other} and {one} both accept {article} {what} from FHIR; file order decides");
        findings.warn("W-REVERSE-ORDER", two.id.place, text);
    }
}

/// Items that are appended, or named by an origin, are never the same slot.
fn shared(write: &WriteFacts) -> bool {
    write
        .typed
        .plan
        .steps
        .iter()
        .any(|step| matches!(step.list.as_ref().map(|list| list.place), Some(ItemPlace::Append)))
}

fn same_choice(first: &WriteFacts, second: &WriteFacts) -> bool {
    let (Some(one), Some(two)) = (first.typed.element, second.typed.element) else { return false };
    let prefix = |write: &WriteFacts| write.typed.slot.rsplit_once('/').map(|(prefix, _)| prefix.to_owned());
    one.choice && std::ptr::eq(one, two) && prefix(first) == prefix(second) && !shared(first) && !shared(second)
}

fn same_kind(first: &WriteFacts, second: &WriteFacts) -> bool {
    first.typed.kinds.iter().any(|one| second.typed.kinds.iter().any(|two| one.kind == two.kind))
}

fn target_place(rule: &Rule) -> Place {
    match &rule.action {
        Action::Write(targets) => targets.first().map_or(rule.id.place, |target| target.place),
        _ => rule.id.place,
    }
}

/// Elements that R4 requires at the top and below every part that rules make.
fn required(
    root: TypeId,
    place: Place,
    linked: &[&str],
    writes: &[(usize, u32, &WriteFacts)],
    rules: &[Rule],
    findings: &mut Findings<'_>,
) -> Vec<Required> {
    let mut all = Vec::new();
    for element in root.elements().filter(|element| element.min > 0) {
        let any = names(element);
        let filled = writes
            .iter()
            .any(|(_, _, write)| write.typed.plan.steps.first().is_some_and(|step| fills(&any, write, step)));
        let linked = linked.iter().any(|name| any.iter().any(|known| known == name));
        // A lens to a part of a resource may leave elements to the rules of the map that calls it.
        let partial = root.name().contains('.');
        if partial {
            continue;
        }
        if !filled && !linked {
            let text =
                format!("{}.{} is {}..{} and no rule fills it", root.name(), element.name, element.min, max(element));
            findings.error("E-REQUIRED", place, text, fill_hint(element));
        }
        all.push(Required { parent: Vec::new(), any });
    }
    let mut parents: HashMap<Vec<String>, (TypeId, usize)> = HashMap::new();
    for (rule, _, write) in writes {
        let steps = write.typed.plan.steps.len();
        if write.composite && steps > 0 && write.typed.plan.kind.name().contains('.') {
            let path: Vec<String> = write.typed.plan.steps.iter().map(|step| step.name.clone()).collect();
            parents.entry(path).or_insert((write.typed.plan.kind, *rule));
        }
        for depth in 1..steps {
            let path: Vec<String> = write.typed.plan.steps[..depth].iter().map(|step| step.name.clone()).collect();
            parents.entry(path).or_insert((write.typed.parents[depth], *rule));
        }
    }
    let mut parents: Vec<_> = parents.into_iter().collect();
    parents.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, (kind, rule)) in parents {
        for element in kind.elements().filter(|element| element.min > 0) {
            let any = names(element);
            let below = |write: &&WriteFacts| below(write, &path);
            if !writes.iter().map(|(_, _, write)| *write).filter(below).any(|write| nested_fills(&any, write, &path)) {
                let text = format!(
                    "{}.{} is {}..{} and no rule fills it",
                    kind.name(),
                    element.name,
                    element.min,
                    max(element)
                );
                findings.error("E-REQUIRED", rules[rule].id.place, text, fill_hint(element));
            }
            all.push(Required { parent: path.clone(), any });
        }
    }
    all
}

fn below(write: &WriteFacts, path: &[String]) -> bool {
    let steps = &write.typed.plan.steps;
    steps.len() >= path.len() && steps.iter().zip(path).all(|(step, name)| step.name == *name)
}

fn nested_fills(any: &[String], write: &WriteFacts, path: &[String]) -> bool {
    let steps = &write.typed.plan.steps;
    let made = steps[path.len() - 1].list.as_ref().and_then(|list| list.filter.as_ref());
    if made.is_some_and(|filter| !filter.negate && any.contains(&filter.member)) {
        return true;
    }
    match steps.get(path.len()) {
        Some(step) => fills(any, write, step),
        None => write.composite || write.fills.iter().any(|fill| any.contains(fill)),
    }
}

fn fills(any: &[String], write: &WriteFacts, step: &crate::plan::StepPlan) -> bool {
    any.iter().any(|name| *name == step.name.trim_start_matches('_'))
        || write.typed.plan.choices.iter().any(|(_, name)| any.contains(name))
}

fn names(element: &'static Element) -> Vec<String> {
    element.types.iter().map(|content| element.json_name(content.kind)).collect()
}

fn max(element: &Element) -> String {
    if element.is_list() { "*".to_owned() } else { element.max.to_string() }
}

/// The outermost part with required elements through which the target goes.
fn region(write: &WriteFacts, body: &Body) -> u16 {
    let found = body.required.iter().position(|required| !required.parent.is_empty() && below(write, &required.parent));
    found.map_or(0, |at| at as u16 + 1)
}

fn claim(write: &WriteFacts, body: &Body) -> (u16, u16) {
    let Some(step) = write.typed.plan.steps.first() else { return (0, 0) };
    let Some(list) = &step.list else { return (0, 0) };
    let Some(at) = body.lists.iter().position(|known| known.element == step.name) else { return (0, 0) };
    let filter =
        list.filter.as_ref().and_then(|filter| body.lists[at].filters.iter().position(|known| known == filter));
    (at as u16 + 1, filter.map_or(0, |filter| filter as u16 + 1))
}

/// Members at the top, each with the one that holds its extensions.
fn written(writes: &[(usize, u32, &WriteFacts)]) -> Vec<String> {
    let mut names = Vec::new();
    for (_, _, write) in writes {
        let plan = &write.typed.plan;
        let Some(step) = plan.steps.first() else { continue };
        let choices = plan.choices.iter().filter(|_| plan.steps.len() == 1).map(|(_, name)| name.clone());
        for name in choices.chain([step.name.clone(), format!("_{}", step.name)]) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

fn lists(writes: &[(usize, u32, &WriteFacts)], rules: &[Rule]) -> Vec<ListPlan> {
    let mut lists: Vec<ListPlan> = Vec::new();
    for (rule, _, write) in writes {
        let Some(step) = write.typed.plan.steps.first() else { continue };
        let Some(list) = &step.list else { continue };
        let at = match lists.iter().position(|known| known.element == step.name) {
            Some(at) => at,
            None => {
                lists.push(ListPlan {
                    element: step.name.clone(),
                    filters: Vec::new(),
                    keys: Vec::new(),
                    unsliced: false,
                });
                lists.len() - 1
            }
        };
        lists[at].unsliced |= list.filter.is_none();
        if let Some(filter) = &list.filter
            && !lists[at].filters.contains(filter)
        {
            lists[at].filters.push(filter.clone());
        }
        for key in &rules[*rule].clauses.key {
            if !lists[at].keys.contains(&key.value) {
                lists[at].keys.push(key.value.clone());
            }
        }
    }
    lists
}

/// Columns that a source declares and no rule of its map names.
pub(crate) fn rules_of_columns(map: &MapFile, findings: &mut Findings<'_>) {
    let SourceHead::Rows(head) = &map.source else { return };
    let paths = map.rules.iter().flat_map(|rule| &rule.sources).flat_map(|source| &source.alternatives);
    let named: Vec<&ColumnName> = paths
        .filter_map(|alternative| match alternative {
            Alternative::Path(path) => Some(&path.locus),
            Alternative::Constant(_) => None,
        })
        .filter_map(|locus| match locus {
            Locus::Column(column) if column.row == RowKind::Own => column.column.as_ref(),
            _ => None,
        })
        .collect();
    let is_named = |(at, column): &(usize, &Column)| {
        named.iter().any(|name| match name {
            ColumnName::Name(name) => name.value == column.name.value,
            ColumnName::Number(number) => usize::from(*number) == at + 1,
        })
    };
    let missing = head.columns.iter().enumerate().filter(|column| !is_named(column));
    let missing: Vec<&str> = missing.map(|(_, column)| column.name.value.as_str()).collect();
    if !missing.is_empty() {
        let text = format!("{} of this source have neither rule, drop nor keep", missing.join(", "));
        findings.warn("W-NO-RULE", head.place, text);
    }
}

/// The rules that read a field, by segment and field.
type Seen<'s> = HashMap<(String, u16), Vec<(&'s MapFile, &'s Rule, &'s Path)>>;

/// Fields of declared segments that no map names, and fields that one map drops and another carries.
pub(crate) fn rules_of_segments(maps: &[(MapFile, History)], findings: &mut Findings<'_>) {
    let mut seen = Seen::new();
    for (map, _) in maps {
        for rule in &map.rules {
            for alternative in rule.sources.iter().flat_map(|source| &source.alternatives) {
                if let Alternative::Path(path) = alternative
                    && let Some(segment) = &path.segment
                {
                    seen.entry((segment.value.clone(), path.field)).or_default().push((map, rule, path));
                }
            }
        }
    }
    for (map, _) in maps {
        for segment in &map.applies.segments {
            let name = &segment.value;
            if seen.contains_key(&(name.clone(), 0)) && name != "MSH" && whole_kept(&seen, name) {
                continue;
            }
            let first = if name == "MSH" { 3 } else { 1 };
            let missing: Vec<String> = (first..=facts::field_count(name))
                .filter(|field| facts::field(name, *field).is_some() && !seen.contains_key(&(name.clone(), *field)))
                .map(|field| format!("{name}-{field}"))
                .collect();
            if !missing.is_empty() {
                let text = format!("{} of this profile have neither rule, drop nor keep", missing.join(", "));
                findings.warn("W-NO-RULE", segment.place, text);
            }
        }
    }
    dropped_and_carried(&seen, findings);
}

fn whole_kept(seen: &Seen<'_>, name: &str) -> bool {
    let rules = seen.get(&(name.to_owned(), 0)).into_iter().flatten();
    rules.into_iter().any(|(_, rule, _)| matches!(rule.action, Action::Keep(_) | Action::Drop(_)))
}

fn dropped_and_carried(seen: &Seen<'_>, findings: &mut Findings<'_>) {
    for rules in seen.values() {
        let dropped =
            rules.iter().filter(|(_, rule, _)| matches!(rule.action, Action::Drop(_)) && rule.clauses.guard.is_empty());
        for (map, rule, path) in dropped {
            let carried = rules.iter().find(|(_, other, other_path)| {
                matches!(other.action, Action::Write(_))
                    && other.clauses.guard.is_empty()
                    && other_path.text == path.text
            });
            if let Some((other, carrier, _)) = carried {
                let text = format!(
                    "{} of {} drops {}, which {} of {} carries",
                    rule.id.value, map.name.value, path.text, carrier.id.value, other.name.value
                );
                findings.warn("W-DROP-EMIT", rule.id.place, text);
            }
        }
    }
}

/// Value types of OBX-2 (HL7 table 0125).
const VALUE_TYPES: [&str; 30] = [
    "AD", "CE", "CF", "CNE", "CP", "CWE", "CX", "DR", "DT", "DTM", "ED", "FT", "ID", "IS", "MA", "MO", "NA", "NM",
    "PN", "RP", "SN", "ST", "TM", "TS", "TX", "XAD", "XCN", "XON", "XPN", "XTN",
];
