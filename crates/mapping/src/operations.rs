//! From a rule as written to the operations that run.

use dukou_fhir::ResourceType;
use dukou_fhir::schema::TypeId;
use dukou_wire::facts;

use crate::compiler::{Compiler, Context, EmitHead};
use crate::diagnostic::nearest;
use crate::place::Word;
use crate::plan::{
    ActionPlan, ItemPlace, LensUse, Operation, Options, PathPlan, RestPlan, Root, Takes, TextForm, Write, ZonePlan,
};
use crate::rule::{
    Action, Alternative, Direction, Locus, NullPolicy, Path, Rest, RowKind, Rule, SelectorKind, Source, Step, StepKind,
    Target,
};
use crate::sources::{TypedPath, Use};
use crate::targets::{Groups, Repeats, TypedTarget};
use crate::tree_sources::{SourceShape, runs_through};

/// An operation and where it runs.
pub(crate) struct Placed {
    /// The emit in whose instances it runs; nothing where it runs once for the message.
    pub(crate) emit: Option<usize>,
    pub(crate) late: bool,
    pub(crate) operation: Operation,
    /// What the checks across rules need of each target.
    pub(crate) writes: Vec<WriteFacts>,
}

/// What the checks across rules need of one target.
pub(crate) struct WriteFacts {
    /// The emit whose object is written.
    pub(crate) emit: usize,
    pub(crate) typed: TypedTarget,
    pub(crate) composite: bool,
    pub(crate) fills: Vec<String>,
}

impl Compiler<'_, '_> {
    /// Checks a rule and makes its operations.
    pub(crate) fn operations(
        &mut self,
        rule: &Rule,
        number: u32,
        chain: u32,
        context: &Context<'_>,
        groups: &mut [Groups],
    ) -> Vec<Placed> {
        match &rule.action {
            Action::Write(targets) => self.writes(rule, targets, number, chain, context, groups),
            Action::Drop(_) => self.leaves(rule, ActionPlan::Drop, number, chain, context),
            Action::Keep(_) | Action::Order => self.leaves(rule, ActionPlan::Keep, number, chain, context),
        }
        .unwrap_or_default()
    }

    fn leaves(
        &mut self,
        rule: &Rule,
        action: ActionPlan,
        number: u32,
        chain: u32,
        context: &Context<'_>,
    ) -> Option<Vec<Placed>> {
        let emit = if context.lens.is_some() { Some(0) } else { self.home.or_else(|| own_emit(rule, context)) };
        let per = emit.and_then(|at| context.emits.get(at)).map_or("", |emit| emit.per.as_str());
        let sources = self.sources(&rule.sources, context, per, Use::Leaves)?;
        let guard = self.tests(&rule.clauses.guard, context, per)?;
        let sources = sources.into_iter().map(|(paths, _)| paths.into_iter().map(|path| path.plan).collect()).collect();
        let operation = Operation { rule: number, way: rule.direction, chain, guard, sources, action };
        Some(vec![Placed { emit, late: false, operation, writes: Vec::new() }])
    }

    /// The alternatives of each source, and a constant where one stands last.
    fn sources(
        &mut self,
        sources: &[Source],
        context: &Context<'_>,
        per: &str,
        usage: Use,
    ) -> Option<Vec<(Vec<TypedPath>, Option<Word>)>> {
        let mut all = Vec::new();
        for source in sources {
            let mut paths = Vec::new();
            let mut constant = None;
            for alternative in &source.alternatives {
                match alternative {
                    Alternative::Path(path) => paths.push(self.path(path, context, per, usage)?),
                    Alternative::Constant(word) => constant = Some(word.clone()),
                }
            }
            all.push((paths, constant));
        }
        Some(all)
    }

    fn writes(
        &mut self,
        rule: &Rule,
        targets: &[Target],
        number: u32,
        chain: u32,
        context: &Context<'_>,
        groups: &mut [Groups],
    ) -> Option<Vec<Placed>> {
        let mut placed: Vec<Placed> = Vec::new();
        for (part, target) in (0u16..).zip(targets) {
            let (written, steps) = self.written_emit(target, context)?;
            let running = if context.lens.is_some() { 0 } else { running_emit(rule, written, context) };
            let per = context.emits.get(running).map_or("", |emit| emit.per.as_str());
            let sources = self.sources(&rule.sources, context, per, Use::Value)?;
            let guard = self.tests(&rule.clauses.guard, context, per)?;
            let root = match context.lens {
                Some((_, kind)) => kind,
                None => TypeId::of(context.emits[written].kind),
            };
            let repeats = repeats(rule, &sources);
            let mut typed = self.target(target, steps, root, &repeats, context, groups.get_mut(written)?)?;
            typed.plan.parent = parent_number(context, running, written);
            let (mut write, fact) = self.write(rule, &sources, typed, context)?;
            write.options.part = part;
            let broadcast = fact
                .typed
                .plan
                .steps
                .iter()
                .any(|step| matches!(step.list.as_ref().map(|list| list.place), Some(ItemPlace::Each(_))));
            let plans: Vec<Vec<PathPlan>> =
                sources.into_iter().map(|(paths, _)| paths.into_iter().map(|path| path.plan).collect()).collect();
            let sources = if plans.iter().all(Vec::is_empty) { Vec::new() } else { plans };
            let mut writes = vec![WriteFacts { emit: written, ..fact }];
            if rule.direction == Direction::Back {
                // What only leads from FHIR fills nothing there, so no check across rules looks at it.
                write.targets.extend(writes.drain(..).map(|fact| fact.typed.plan));
            }
            let action = ActionPlan::Write(Box::new(write));
            let operation = Operation { rule: number, way: rule.direction, chain, guard, sources, action };
            placed.push(Placed { emit: Some(running), late: broadcast && chain == 0, operation, writes });
        }
        Some(placed)
    }

    fn written_emit<'t>(&mut self, target: &'t Target, context: &Context<'_>) -> Option<(usize, &'t [Step])> {
        if !context.several {
            return Some((0, &target.steps));
        }
        let first = &target.steps[0];
        match context.emits.iter().position(|emit| emit.name == first.name.value) {
            Some(at) if target.steps.len() > 1 => Some((at, &target.steps[1..])),
            _ => {
                let names = context.emits.iter().map(|emit| emit.name.as_str());
                let text = format!("'{}' is no emit of this map", first.name.value);
                self.findings.error("E-TARGET", first.name.place, text, nearest(&first.name.value, names));
                None
            }
        }
    }

    fn write(
        &mut self,
        rule: &Rule,
        sources: &[(Vec<TypedPath>, Option<Word>)],
        typed: TypedTarget,
        context: &Context<'_>,
    ) -> Option<(Write, WriteFacts)> {
        let (paths, constant) = sources.first()?;
        let lens = if let Some(reference) = &rule.clauses.reference {
            self.reference(rule, reference, paths, &typed, context)?
        } else if paths.is_empty() {
            LensUse::Constant(self.constant(constant.as_ref()?, &typed, context)?)
        } else {
            let lens = self.lens(rule, &paths[0].types, &typed, context)?;
            self.no_whole_segment(rule, paths, &lens)?;
            self.no_element(rule, paths, &lens)?;
            lens
        };
        self.cardinality(rule, paths, &lens, &typed)?;
        self.clauses(rule, &lens, &typed);
        let default = rule.clauses.defaults.iter().find(|(key, _)| key.is_none()).map(|(_, word)| word);
        let default = default.or(constant.as_ref().filter(|_| !paths.is_empty()));
        let default = match default {
            Some(word) => Some(self.constant(word, &typed, context)?),
            None => None,
        };
        let default_given = default.is_some();
        let fill = self.fills(&rule.clauses.defaults, typed.plan.kind, context)?;
        let table = match &rule.clauses.table {
            Some(name) => Some(self.checked_table(name, &typed, context)?),
            None => None,
        };
        let rest = self.rest(rule, context)?;
        let options = self.options(rule, &typed, &lens, context)?;
        let fills = fill.iter().map(|(name, _)| name.clone()).collect();
        let composite = matches!(lens, LensUse::Composite(_) | LensUse::Constant(_))
            || matches!(typed.plan.kind.name(), "Reference");
        let whole_segment = paths.first().is_some_and(|path| path.plan.is_segment()) || self.reads_element(&lens);
        let write = Write {
            takes: takes(&lens),
            memory: None,
            plain: plain(&lens, &options) && table.is_none() && fill.is_empty() && matches!(rest, RestPlan::Unsaid),
            speaks_unasked: default_given
                || rule.clauses.required
                || matches!(lens, LensUse::Segment(_) | LensUse::Emit(_) | LensUse::Everything | LensUse::Constant(_)),
            targets: Vec::new(),
            lens,
            table,
            default,
            fill,
            null: rule.clauses.null.unwrap_or_else(|| unsaid_null(context)),
            rest,
            required: rule.clauses.required,
            once: rule.clauses.once,
            trim: rule.clauses.trim,
            parted: paths.first().is_some_and(|path| path.types.iter().any(|name| facts::component_count(name) > 0)),
            whole_segment,
            code_table: paths.first().and_then(|path| path.table).map(code_table),
            options,
        };
        Some((write, WriteFacts { emit: 0, typed, composite, fills }))
    }

    fn no_whole_segment(&mut self, rule: &Rule, paths: &[TypedPath], lens: &LensUse) -> Option<()> {
        let whole = paths.iter().any(|path| path.plan.is_segment());
        let reads = |at: &usize| self.lenses[*at].v2.iter().any(|name| crate::sources::reads_segment(name));
        let fits = matches!(lens, LensUse::Composite(at) | LensUse::Resource(at) if reads(at));
        if whole && !fits {
            let place = rule.sources[0].place;
            self.findings.error("E-SOURCE", place, "a whole segment is no value", "name a field, or add: ref TYPE");
            return None;
        }
        Some(())
    }

    /// Whether a lens reads an element with all that is in it.
    fn reads_element(&self, lens: &LensUse) -> bool {
        matches!(lens, LensUse::Composite(at) | LensUse::Resource(at) if self.lenses[*at].reads_element)
    }

    /// A lens over an element reads one element, without attribute.
    fn no_element(&mut self, rule: &Rule, paths: &[TypedPath], lens: &LensUse) -> Option<()> {
        let element = |path: &TypedPath| matches!(&path.plan.root, Root::Tree(tree) if tree.attribute.is_none());
        if self.reads_element(lens) && !paths.iter().all(element) {
            let place = rule.sources[0].place;
            self.findings.error("E-SOURCE", place, "the lens reads an element", "name an element of the document");
            return None;
        }
        Some(())
    }

    fn cardinality(&mut self, rule: &Rule, paths: &[TypedPath], lens: &LensUse, typed: &TypedTarget) -> Option<()> {
        let multiple = cuts(rule) || paths.iter().any(|path| path.multiple);
        let all = matches!(lens, LensUse::Builtin(lens) if lens.facts().all) || matches!(lens, LensUse::Everything);
        let room = typed.plan.steps.iter().any(|step| {
            step.list.as_ref().is_some_and(|list| matches!(list.place, ItemPlace::Zip(_) | ItemPlace::Append))
        });
        if multiple && !all && !room {
            let source = &rule.sources[0];
            let text = if typed.list { "list 0..* into one item" } else { "list 0..* into single 0..1" };
            let first = source.alternatives.iter().find_map(|alternative| match alternative {
                Alternative::Path(path) => Some(path.text.replacen("[*]", "[first]", 1)),
                Alternative::Constant(_) => None,
            });
            let hint = format!("write {} and add: rest complement", first.as_deref().unwrap_or("[first]"));
            self.findings.error("E-CARD", source.place, text, hint);
            return None;
        }
        Some(())
    }

    fn reference(
        &mut self,
        rule: &Rule,
        kind: &Word,
        paths: &[TypedPath],
        typed: &TypedTarget,
        context: &Context<'_>,
    ) -> Option<LensUse> {
        if kind.value == "all" {
            return Some(LensUse::Everything);
        }
        let emit = context.emits.iter().position(|emit| context.several && emit.name == kind.value);
        let named = emit.map(|emit| context.emits[emit].kind);
        let Some(resource) = named.or_else(|| ResourceType::parse(&kind.value)) else {
            let mut names: Vec<&str> = context.emits.iter().map(|emit| emit.name.as_str()).collect();
            names.extend(ResourceType::all().map(|kind| kind.as_str()));
            let text = format!("no resource '{}'", kind.value);
            self.findings.error("E-REF", kind.place, text, nearest(&kind.value, names));
            return None;
        };
        let accepts = typed.kinds.iter().any(|content| {
            content.kind.name() == "Reference" && (content.targets.is_empty() || content.targets.contains(&resource))
        });
        if !accepts {
            let text = format!("{} is no reference to {resource}", typed.plan.text);
            let targets = typed.kinds.iter().flat_map(|content| content.targets.iter());
            let targets: Vec<&str> = targets.map(|target| target.as_str()).collect();
            self.findings.error("E-TYPE", kind.place, text, targets.join(" | "));
            return None;
        }
        let path = paths.first()?;
        if let Some(emit) = emit {
            return self.made_by(kind, emit, path, context);
        }
        let place = match &path.plan.root {
            Root::Tree(tree) if tree.attribute.is_none() => Some(tree.whole.as_str()),
            // The type of a whole segment is its own name.
            _ if path.plan.is_segment() => path.types.first().map(String::as_str),
            _ => None,
        };
        if let (Some(place), None) = (place, &rule.via) {
            // A lens is called at many places, and `any(name)` means many: there the name of the element has to tell.
            let lens = context.lens.is_some();
            let wide = |per: &str| lens || per.ends_with(')');
            let named =
                |per: &str| element_name(per) == element_name(place) || element_name(place).starts_with("entry(");
            let same = |per: &str| per == place || (wide(per) && named(per));
            let made = self.makers.iter().any(|maker| maker.kind == resource && same(&maker.per));
            if made {
                return Some(LensUse::Segment(resource));
            }
            if path.plan.is_segment() {
                let text = format!("no map makes a {resource} per {place}");
                let others: Vec<&str> =
                    self.makers.iter().filter(|maker| maker.kind == resource).map(|maker| maker.per.as_str()).collect();
                let hint = match others.as_slice() {
                    [] => format!("a map with  fhir: {resource}  and  per: {place}  would"),
                    others => format!("one is made per {}", others.join(", ")),
                };
                self.findings.error("E-REF", kind.place, text, hint);
                return None;
            }
        }
        self.small_resource(rule, kind, resource, &path.types)
    }

    /// A reference to what an emit of the same map makes of the place.
    fn made_by(&mut self, kind: &Word, emit: usize, path: &TypedPath, context: &Context<'_>) -> Option<LensUse> {
        let per = context.source.whole(&context.emits[emit].per);
        let place = match &path.plan.root {
            Root::Tree(tree) => tree.whole.clone(),
            _ => path.types.first().cloned().unwrap_or_default(),
        };
        if place != per {
            let text = format!("{} is made per {per}, not per {place}", kind.value);
            self.findings.error("E-REF", kind.place, text, "");
            return None;
        }
        Some(LensUse::Emit(emit))
    }

    fn small_resource(
        &mut self,
        rule: &Rule,
        kind: &Word,
        resource: ResourceType,
        types: &[String],
    ) -> Option<LensUse> {
        let named = rule.via.as_ref().map(|call| call.name.value.as_str());
        let fits = |(_, head): &(usize, &crate::compiler::LensHead)| {
            let reads = types.is_empty() || types.iter().any(|datatype| head.v2.contains(datatype));
            head.resource == Some(resource) && named.is_none_or(|name| head.name == name) && reads
        };
        let mut fitting = self.lenses.iter().enumerate().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some((at, _)), None) => Some(LensUse::Resource(at)),
            (Some(_), Some(_)) => {
                let text = format!("several lenses make a {resource} of this");
                self.findings.error("E-LENS", kind.place, text, "name one: via NAME");
                None
            }
            _ => {
                let from = types.first().map_or("this", String::as_str);
                let text = format!("no lens makes a {resource} of {from}");
                let makers = self.lenses.iter().filter(|head| head.resource == Some(resource));
                let makers: Vec<String> =
                    makers.map(|head| format!("{} (of {})", head.name, head.v2.join(", "))).take(4).collect();
                let hint = if makers.is_empty() { String::new() } else { format!("lenses: {}", makers.join("; ")) };
                self.findings.error("E-REF", kind.place, text, hint);
                None
            }
        }
    }

    fn rest(&mut self, rule: &Rule, context: &Context<'_>) -> Option<RestPlan> {
        Some(match &rule.clauses.rest {
            Rest::Unsaid => RestPlan::Unsaid,
            Rest::Complement => RestPlan::Complement,
            Rest::Extension(word) => match context.words.extension(&word.value) {
                Some(url) => RestPlan::Extension(url),
                None => {
                    let words = context.words.extensions.iter().map(|(word, _)| word.value.as_str());
                    let text = format!("no extension '{}' is declared", word.value);
                    self.findings.error("E-TARGET", word.place, text, nearest(&word.value, words));
                    return None;
                }
            },
        })
    }

    fn options(&mut self, rule: &Rule, typed: &TypedTarget, lens: &LensUse, context: &Context<'_>) -> Option<Options> {
        let zone = match &rule.clauses.zone {
            None => ZonePlan::Unsaid,
            Some(word) if word.value == "site" => ZonePlan::Site,
            Some(word) if dukou_fhir::Offset::parse(&word.value).is_some() => ZonePlan::Offset(word.value.clone()),
            Some(word) => {
                self.findings.error("E-RULE", word.place, format!("'{}' is no zone", word.value), "site | +08:00");
                return None;
            }
        };
        let argument = rule.via.as_ref().and_then(|call| call.argument.clone());
        let mut table = None;
        if let (LensUse::Builtin(crate::builtin::Builtin::System), Some(name)) = (lens, &argument) {
            let place = rule.via.as_ref().map_or(rule.text.place, |call| call.name.place);
            table = Some(self.table(&Word::new(name.clone(), place), context.tables)?);
        }
        Some(Options {
            precision: rule.clauses.precision,
            zone,
            argument,
            part: 0,
            table,
            binding: typed.binding,
            kind: typed.plan.kind.name(),
            form: TextForm::of(typed.plan.kind.name()),
        })
    }

    /// A table whose codes must be in the binding of the target.
    fn checked_table(&mut self, name: &Word, typed: &TypedTarget, context: &Context<'_>) -> Option<usize> {
        let at = self.table(name, context.tables)?;
        let Some(set) = typed.binding else { return Some(at) };
        let primitive = matches!(typed.plan.kind.form(), dukou_fhir::schema::Form::Primitive(_));
        let mut wrong = Vec::new();
        for (number, (system, code)) in self.tables[at].targets().enumerate() {
            let system = if primitive { None } else { system };
            if set.holds(system, code) == Some(false) {
                wrong.push((number, code.to_owned()));
            }
        }
        let forward: Vec<usize> = self.tables[at]
            .rows()
            .iter()
            .enumerate()
            .filter(|(_, row)| row.direction != dukou_terminology::Direction::Back)
            .map(|(number, _)| number)
            .collect();
        for (number, code) in &wrong {
            let row = forward.get(*number).and_then(|row| self.rows[at].get(*row));
            let place =
                row.map_or(name.place, |row| crate::place::Place { len: code.chars().count() as u32, ..row.target });
            let text = format!("'{code}' is not in {} (required)", crate::targets::short(set));
            self.findings.error("E-BINDING", place, text, set.codes().join(" | "));
        }
        wrong.is_empty().then_some(at)
    }
}

fn takes(lens: &LensUse) -> Takes {
    match lens {
        LensUse::Builtin(crate::builtin::Builtin::Pieces) => Takes::Pieces,
        LensUse::Builtin(lens) if lens.facts().all => Takes::All,
        _ => Takes::Each,
    }
}

/// Whether the lens gives the text as it is or refuses it.
fn plain(lens: &LensUse, options: &Options) -> bool {
    match lens {
        LensUse::Builtin(crate::builtin::Builtin::Text) => true,
        LensUse::Builtin(crate::builtin::Builtin::Code) => options.form == TextForm::Code,
        _ => false,
    }
}

/// What a null does where the rule does not say: in HL7 v2 and XML it deletes (`""`, `xsi:nil`); in JSON it mostly means
/// that nothing is known, so it changes nothing.
fn unsaid_null(context: &Context<'_>) -> NullPolicy {
    match context.source {
        SourceShape::Tree { head: Some(head), .. } if head.json => NullPolicy::Keep,
        _ => NullPolicy::Delete,
    }
}

/// The canonical URI of an HL7 table.
fn code_table(number: u16) -> String {
    format!("http://terminology.hl7.org/CodeSystem/v2-{number:04}")
}

/// The emit whose `per` segment the rule reads; `keep` and `drop` of other segments run once for the message.
fn own_emit(rule: &Rule, context: &Context<'_>) -> Option<usize> {
    match context.source {
        SourceShape::Segments => {}
        // The first emit stands for the row; what is in head and trailer belongs to no row.
        SourceShape::Rows(_) => return first_path(rule).filter(|path| in_own_row(path)).map(|_| 0),
        SourceShape::Tree { .. } => return first_path(rule).and_then(|path| emit_through(path, context)),
    }
    let segment = first_segment(rule)?;
    let selected = rule.sources.iter().flat_map(|source| &source.alternatives).any(|alternative| match alternative {
        Alternative::Path(path) => !path.segment_selectors.is_empty() || path.group.is_some(),
        Alternative::Constant(_) => false,
    });
    let own = context.emits.iter().position(|emit| emit.per == segment);
    own.or((selected && !context.emits.is_empty()).then_some(0))
}

/// A rule over the segment of a child emit runs there and writes into the parent.
pub(crate) fn running_emit(rule: &Rule, written: usize, context: &Context<'_>) -> usize {
    if let (SourceShape::Tree { .. }, Some(path)) = (context.source, first_path(rule)) {
        let through = emit_through(path, context).filter(|emit| context.emits[*emit].under.contains(&written));
        return through.unwrap_or(written);
    }
    let Some(segment) = first_segment(rule) else { return written };
    if context.emits[written].per == segment {
        return written;
    }
    let child = |emit: &EmitHead| emit.under.contains(&written) && emit.per == segment;
    context.emits.iter().position(child).unwrap_or(written)
}

/// The emit with the longest `per` below the record through which a path runs.
fn emit_through(path: &Path, context: &Context<'_>) -> Option<usize> {
    let through = (0..context.emits.len()).filter(|emit| runs_through(path, &context.emits[*emit].per));
    // Of several with the same `per` the first one counts.
    through.rev().max_by_key(|emit| context.emits[*emit].per.len())
}

fn in_own_row(path: &Path) -> bool {
    matches!(&path.locus, Locus::Column(column) if column.row == RowKind::Own)
}

fn first_path(rule: &Rule) -> Option<&Path> {
    rule.sources.first()?.alternatives.iter().find_map(|alternative| match alternative {
        Alternative::Path(path) => Some(path),
        Alternative::Constant(_) => None,
    })
}

/// The number of the written emit among those under which the running one stands.
fn parent_number(context: &Context<'_>, running: usize, written: usize) -> Option<u16> {
    let under = &context.emits.get(running).filter(|_| running != written)?.under;
    under.iter().position(|emit| *emit == written).map(|at| at as u16)
}

fn first_segment(rule: &Rule) -> Option<&str> {
    first_path(rule)?.segment.as_ref().map(|word| word.value.as_str())
}

/// The source without what stands behind its last repeat: rules with the same one share the items that they write.
fn shared_source(path: &Path) -> String {
    match &path.locus {
        Locus::Segment => {
            let segment = path.segment.as_ref().map_or("", |word| word.value.as_str());
            format!("{segment}-{}", path.field)
        }
        Locus::Column(_) => {
            let name = crate::explain::plain(path);
            name.split_once('.').map_or(name.clone(), |(column, _)| column.to_owned())
        }
        Locus::Tree(tree) => {
            let repeats = |kind: &SelectorKind| matches!(kind, SelectorKind::All | SelectorKind::From(_));
            let last = tree.steps.iter().rposition(|step| step.selectors.iter().any(|one| repeats(&one.kind)));
            let shared = tree.steps.iter().take(last.map_or(0, |at| at + 1)).map(|step| {
                let kinds: Vec<&SelectorKind> = step.selectors.iter().map(|selector| &selector.kind).collect();
                // Entries of one section belong together by their order (WS/T 500): code, value and unit make one item.
                let name = if step.kind == StepKind::Entry { "entry" } else { step.name.value.as_str() };
                format!("{name}{kinds:?}")
            });
            shared.collect::<Vec<_>>().join("/")
        }
    }
}

/// Whether the lens makes several values of one text.
fn cuts(rule: &Rule) -> bool {
    rule.via.as_ref().is_some_and(|call| call.name.value == "each")
}

fn repeats(rule: &Rule, sources: &[(Vec<TypedPath>, Option<Word>)]) -> Repeats {
    let paths = sources.first().map_or(&[][..], |(paths, _)| paths);
    let field = rule.sources.first().and_then(|source| match source.alternatives.first() {
        Some(Alternative::Path(path)) => Some(shared_source(path)),
        _ => None,
    });
    let everything = rule.clauses.reference.as_ref().is_some_and(|word| word.value == "all");
    Repeats {
        multiple: everything || cuts(rule) || paths.iter().any(|path| path.multiple),
        constant: paths.is_empty(),
        field: field.unwrap_or_default(),
    }
}

/// The name of the element at which a path through a tree ends: `observation` of `/ClinicalDocument/any(observation)`.
fn element_name(path: &str) -> &str {
    let last = path.rsplit('/').next().unwrap_or(path);
    last.strip_prefix("any(").and_then(|name| name.strip_suffix(')')).unwrap_or(last)
}
