//! From files to a program: read, apply overlays, check, plan. All findings of all files in one run.

use std::collections::HashMap;

use dukou_fhir::ResourceType;
use dukou_fhir::schema::TypeId;
use dukou_terminology::Tables;
use sha2::{Digest, Sha256};

use crate::compiler::{Compiler, Context, EmitHead, LensHead, Maker};
use crate::decisions;
use crate::diagnostic::{Diagnostic, Findings, nearest};
use crate::file::{self, File, Id, Key, LensFile, MapFile, Words};
use crate::operations::Placed;
use crate::place::SourceFile;
use crate::plan::{
    ActionPlan, Body, Canon, EmitPlan, IdPlan, KeyAlternative, KeyPlan, LensPlan, LensUse, LimitPlan, MapPlan, Program,
    RuleFacts, TargetPlan, Version,
};
use crate::reverse::profile::{self, ProfileFile};
use crate::rule::{Action, Alternative, Dialect, Direction, Rule, Target};
use crate::sources::Use;
use crate::targets::{Groups, Repeats};
use crate::tree_sources::{ROW, SourceShape};
use crate::{checks, example, heads, overlay, unused, yaml};

/// Compiles maps, lenses and overlays. Overlays are told by `overlay/cn/`, `overlay/vendor/` and `overlay/site/` in the
/// names of their files; hand in those that are meant for the site.
///
/// # Errors
/// Every error (and warning) of every file, in the order of files and lines, when at least one is an error.
pub fn compile(files: &[SourceFile], codes: &Tables) -> Result<Program, Vec<Diagnostic>> {
    compile_with(files, codes, Faulty::default())
}

/// What was found before the maps were read.
#[derive(Default)]
pub(crate) struct Faulty {
    pub(crate) found: Vec<Diagnostic>,
    /// Tables of files with a fault: they are told already, so that rules may name them.
    pub(crate) tables: Vec<String>,
}

/// The same beside what was found in other files.
pub(crate) fn compile_with(files: &[SourceFile], codes: &Tables, faulty: Faulty) -> Result<Program, Vec<Diagnostic>> {
    let mut findings = Findings::new(files, faulty.found);
    let (mut maps, mut lenses, overlays, profiles) = read(files, &mut findings);
    overlay::apply(&mut maps, &mut lenses, overlays, &mut findings);
    maps.sort_by(|a, b| a.0.name.value.cmp(&b.0.name.value));
    let names = files.iter().map(|file| file.name.clone()).collect();
    let mut compiler = Compiler::new(findings, codes, faulty.tables, names);
    unique(&maps, &lenses, &mut compiler);
    let lenses = heads(lenses, &mut compiler);
    makers(&maps, &mut compiler);
    let mut lens_plans: Vec<LensPlan> = lenses.iter().filter_map(|lens| lens_plan(lens, &mut compiler)).collect();
    no_cycles(&lenses, &lens_plans, &mut compiler);
    let mut plans = Vec::new();
    let mut examples = Vec::new();
    for (map, history) in &maps {
        plans.extend(map_plan(map, history, &mut compiler));
        examples.extend(example::read(map, &mut compiler));
    }
    for (map, _) in &maps {
        checks::rules_of_columns(map, &mut compiler.findings);
    }
    checks::rules_of_segments(&maps, &mut compiler.findings);
    unused::check(&maps, &lenses, checks::chains, &mut compiler.findings);
    let systems = compiler.shared_table("systems");
    let profiles = profiles.iter().flat_map(|file| profile::plans(file, &mut compiler)).collect();
    if compiler.findings.has_errors() {
        return Err(compiler.findings.sorted());
    }
    crate::memory::find_local(&mut lens_plans);
    let memories = crate::memory::number(&mut plans, &mut lens_plans);
    let hash = hash(files, codes);
    Ok(Program {
        maps: plans,
        lenses: lens_plans,
        tables: compiler.tables,
        memories,
        table_owners: compiler.owners,
        systems,
        profiles,
        ordinals: ordinals(&maps, &lenses),
        rules: compiler.rules,
        hash,
        hash_text: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        warnings: compiler.findings.sorted(),
        tests: examples,
    })
}

/// Fields whose rule is `order`.
fn ordinals(maps: &[(MapFile, History)], lenses: &[LensFile]) -> Vec<(String, u16)> {
    let of_maps = maps.iter().flat_map(|(map, _)| &map.rules).map(|rule| (rule, None));
    // Of a lens that reads a whole segment the first number is that of the field.
    let of_lenses = lenses.iter().flat_map(|lens| lens.rules.iter().map(move |rule| (rule, lens.v2.first())));
    let rules = of_maps.chain(of_lenses).filter(|(rule, _)| matches!(rule.action, Action::Order));
    let mut all = Vec::new();
    for (rule, own) in rules {
        for alternative in rule.sources.iter().flat_map(|source| &source.alternatives) {
            let Alternative::Path(path) = alternative else { continue };
            match (&path.segment, own) {
                (Some(segment), _) => all.push((segment.value.clone(), path.field)),
                (None, Some(segment)) => all.push((segment.value.clone(), path.component)),
                (None, None) => {}
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

/// What overlays did to the rules of a map or lens.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Rule id, and what happened where.
    pub(crate) changes: Vec<(String, String)>,
    /// Rules that are no more.
    pub(crate) dropped: Vec<Rule>,
}

type Read = (Vec<(MapFile, History)>, Vec<LensFile>, Vec<(u32, file::OverlayFile)>, Vec<ProfileFile>);

fn read(files: &[SourceFile], findings: &mut Findings<'_>) -> Read {
    let (mut maps, mut lenses, mut overlays) = (Vec::new(), Vec::new(), Vec::new());
    let (mut shared, mut profiles) = (Words::default(), Vec::new());
    for (number, source) in (0u32..).zip(files) {
        let Some(tree) = yaml::load(number, &source.text, findings) else { continue };
        let file = file::read(&tree, findings);
        match &file {
            Some(File::Names(words)) => heads::words(words, findings),
            Some(File::Map(map)) => heads::words(&map.words, findings),
            Some(File::Lens(lens)) => heads::words(&lens.words, findings),
            Some(File::Overlay(overlay)) => heads::words(&overlay.words, findings),
            Some(File::Profile(_)) | None => {}
        }
        match file {
            Some(File::Names(words)) => shared.share(&words),
            Some(File::Map(map)) => maps.push((*map, History::default())),
            Some(File::Profile(profile)) => profiles.push(profile),
            Some(File::Lens(lens)) => lenses.push(lens),
            Some(File::Overlay(overlay)) => overlays.push((number, overlay)),
            None => {}
        }
    }
    for (map, _) in &mut maps {
        map.words.share(&shared);
    }
    for lens in &mut lenses {
        lens.words.share(&shared);
    }
    profiles.sort_by(|a, b| a.name.value.cmp(&b.name.value));
    (maps, lenses, overlays, profiles)
}

fn unique(maps: &[(MapFile, History)], lenses: &[LensFile], compiler: &mut Compiler<'_, '_>) {
    for (at, (map, _)) in maps.iter().enumerate() {
        if let Some((first, _)) = maps[..at].iter().find(|(other, _)| other.name.value == map.name.value) {
            let hint = format!("first in {}", compiler.findings.name_of(first.name.place));
            let text = format!("a second map '{}'", map.name.value);
            compiler.findings.error("E-HEAD", map.name.place, text, hint);
        }
    }
    for (at, lens) in lenses.iter().enumerate() {
        let same = |other: &&LensFile| other.name.value == lens.name.value && other.fhir.value == lens.fhir.value;
        if let Some(first) = lenses[..at].iter().find(same) {
            let hint = format!("first in {}", compiler.findings.name_of(first.name.place));
            let text = format!("a second lens '{}' to {}", lens.name.value, lens.fhir.value);
            compiler.findings.error("E-HEAD", lens.name.place, text, hint);
        }
    }
}

/// Registers lenses, so that rules can name them; those without a known type fall out.
fn heads(mut lenses: Vec<LensFile>, compiler: &mut Compiler<'_, '_>) -> Vec<LensFile> {
    lenses.sort_by(|a, b| (&a.name.value, &a.fhir.value).cmp(&(&b.name.value, &b.fhir.value)));
    lenses.retain(|lens| {
        let Some(kind) = TypeId::parse(&lens.fhir.value) else {
            let text = format!("R4 has no type '{}'", lens.fhir.value);
            let hint = nearest(&lens.fhir.value, TypeId::all().map(TypeId::name));
            compiler.findings.error("E-TARGET", lens.fhir.place, text, hint);
            return false;
        };
        let resource = ResourceType::parse(&lens.fhir.value);
        if resource.is_some() && lens.id.is_none() {
            let hint = "write: id: {key: PATH, weak: skip}";
            compiler.findings.error("E-HEAD", lens.fhir.place, "a lens to a resource needs an id", hint);
        }
        let v2 = lens.v2.iter().map(|word| word.value.clone()).collect();
        let inverse = lens.rules.iter().any(|rule| rule.direction != Direction::Forward);
        let reads_element = lens.dialect == Dialect::Tree;
        let name = lens.name.value.clone();
        compiler.lenses.push(LensHead { name, v2, reads_element, kind, resource, inverse });
        true
    });
    lenses
}

fn makers(maps: &[(MapFile, History)], compiler: &mut Compiler<'_, '_>) {
    for (map, _) in maps {
        let shape = SourceShape::of(&map.source, &[]);
        for emit in &map.emits {
            if let (Some(kind), Some(per)) = (ResourceType::parse(&emit.fhir.value), per_of(emit, shape)) {
                compiler.makers.push(Maker { kind, per: shape.whole(&per) });
            }
        }
    }
}

/// The `per` segment: stated, or that of the first id key.
fn per_of(emit: &file::Emit, shape: SourceShape<'_>) -> Option<String> {
    if let Some(per) = &emit.per {
        return Some(shape.per(&per.value));
    }
    if let Some(record) = shape.default_per() {
        return Some(record.to_owned());
    }
    emit.id.as_ref()?.keys.iter().find_map(|key| match key {
        Key::Source(source) => source.alternatives.iter().find_map(|alternative| match alternative {
            Alternative::Path(path) => path.segment.as_ref().map(|word| word.value.clone()),
            Alternative::Constant(_) => None,
        }),
        Key::Nth => None,
    })
}

fn lens_plan(lens: &LensFile, compiler: &mut Compiler<'_, '_>) -> Option<LensPlan> {
    let tables = compiler.local_tables(&lens.name.value, &lens.tables, &lens.words);
    let kind = TypeId::parse(&lens.fhir.value)?;
    let v2: Vec<String> = lens.v2.iter().map(|word| word.value.clone()).collect();
    let context = Context {
        owner: &lens.name.value,
        words: &lens.words,
        tables: &tables,
        versions: "2.1-2.9",
        emits: &[],
        several: false,
        source: match lens.dialect {
            Dialect::Tree => SourceShape::Tree { head: None, names: &[] },
            Dialect::Segments | Dialect::Rows => SourceShape::Segments,
        },
        lens: Some((&v2, kind)),
    };
    let id = lens.id.as_ref().and_then(|id| id_plan(id, &context, "", compiler));
    let mut groups = [Groups::default()];
    let placed = rules(&lens.rules, &lens.history, &context, &mut groups, compiler);
    let mut bodies = checks::bodies(&[(kind, lens.fhir.place, &[][..])], placed, &lens.rules, &mut compiler.findings);
    let primitive = matches!(kind.form(), dukou_fhir::schema::Form::Primitive(_));
    let resource = ResourceType::parse(&lens.fhir.value);
    let body = bodies.emits.pop().unwrap_or_default();
    let backbone = lens.fhir.value.contains('.');
    Some(LensPlan { resource, backbone, id, primitive, local: true, body })
}

/// A lens that reaches itself would never come to an end.
fn no_cycles(files: &[LensFile], plans: &[LensPlan], compiler: &mut Compiler<'_, '_>) {
    let uses = |plan: &LensPlan| -> Vec<usize> {
        let operations = plan.body.operations.iter().chain(&plan.body.late);
        operations
            .filter_map(|operation| match &operation.action {
                ActionPlan::Write(write) => match write.lens {
                    LensUse::Composite(at) | LensUse::Resource(at) => Some(at),
                    _ => None,
                },
                ActionPlan::Drop | ActionPlan::Keep => None,
            })
            .collect()
    };
    let edges: Vec<Vec<usize>> = plans.iter().map(uses).collect();
    for (start, file) in files.iter().enumerate() {
        let mut seen = vec![false; edges.len()];
        let mut ahead = edges.get(start).cloned().unwrap_or_default();
        while let Some(at) = ahead.pop() {
            if at == start {
                let text = format!("lens {} to {} reaches itself", file.name.value, file.fhir.value);
                compiler.findings.error("E-LENS-CYCLE", file.name.place, text, "");
                break;
            }
            if at < seen.len() && !std::mem::replace(&mut seen[at], true) {
                ahead.extend(&edges[at]);
            }
        }
    }
}

fn map_plan(map: &MapFile, history: &History, compiler: &mut Compiler<'_, '_>) -> Option<MapPlan> {
    let tables = compiler.local_tables(&map.name.value, &map.tables, &map.words);
    heads::check(map, &mut compiler.findings);
    let versions = map.applies.versions.as_ref().map_or("2.1-2.9", |word| word.value.as_str());
    let emits = emit_heads(map, compiler);
    if emits.is_empty() && map.emits.is_empty() && map.several {
        compiler.findings.error(
            "E-HEAD",
            map.name.place,
            "the map makes no resource",
            "write: emit: {NAME: {fhir: TYPE, ..}}",
        );
    }
    if emits.is_empty() || emits.len() != map.emits.len() {
        return None;
    }
    let names = compiler.template_names(map);
    let context = Context {
        owner: &map.name.value,
        words: &map.words,
        tables: &tables,
        versions,
        emits: &emits,
        several: map.several,
        source: SourceShape::of(&map.source, &names),
        lens: None,
    };
    let mut groups: Vec<Groups> = emits.iter().map(|_| Groups::default()).collect();
    let placed = rules(&map.rules, history, &context, &mut groups, compiler);
    let linked: Vec<Vec<&str>> = emits
        .iter()
        .map(|parent| {
            let into = map.emits.iter().filter_map(|emit| emit.link.as_ref());
            let into = into.filter(|link| link.steps[0].name.value == parent.name && link.steps.len() > 1);
            into.map(|link| link.steps[1].name.value.as_str()).collect()
        })
        .collect();
    let roots: Vec<_> = map
        .emits
        .iter()
        .zip(&emits)
        .zip(&linked)
        .map(|((emit, head), linked)| (TypeId::of(head.kind), emit.fhir.place, linked.as_slice()))
        .collect();
    let bodies = checks::bodies(&roots, placed, &map.rules, &mut compiler.findings);
    let mut plans = Vec::new();
    for ((emit, head), body) in map.emits.iter().zip(&emits).zip(bodies.emits) {
        plans.extend(emit_plan(emit, head, body, map, &context, &mut groups, compiler));
    }
    Some(MapPlan {
        versions: map.applies.range().and_then(|(low, high)| Some((version(low)?, version(high)?))),
        messages: texts(&map.applies.messages),
        events: texts(&map.applies.events),
        name: map.name.value.clone(),
        documents: compiler.documents(map, &context)?,
        snapshot: map.snapshot,
        emits: plans,
        decisions: decisions::plans(&map.decisions),
        limits: limit_plans(map, &context, compiler),
        once: bodies.once,
    })
}

fn texts(words: &[crate::place::Word]) -> Vec<String> {
    words.iter().map(|word| word.value.clone()).collect()
}

fn emit_heads(map: &MapFile, compiler: &mut Compiler<'_, '_>) -> Vec<EmitHead> {
    let shape = SourceShape::of(&map.source, &[]);
    let mut heads: Vec<EmitHead> = Vec::new();
    for emit in &map.emits {
        let Some(kind) = ResourceType::parse(&emit.fhir.value) else {
            let names: Vec<&str> = ResourceType::all().map(ResourceType::as_str).collect();
            let text = format!("R4 has no resource '{}'", emit.fhir.value);
            compiler.findings.error("E-TARGET", emit.fhir.place, text, nearest(&emit.fhir.value, names));
            continue;
        };
        let Some(per) = per_of(emit, shape) else {
            let text = format!("'{}' names no segment to be made for", emit.name.value);
            compiler.findings.error("E-HEAD", emit.name.place, text, "write: per: SEG");
            continue;
        };
        let under = emit
            .under
            .iter()
            .filter_map(|under| {
                let found = map
                    .emits
                    .iter()
                    .position(|other| other.name.value == under.value && other.name.value != emit.name.value);
                if found.is_none() {
                    let names = map.emits.iter().map(|emit| emit.name.value.as_str());
                    let text = format!("'{}' is no emit of this map", under.value);
                    compiler.findings.error("E-HEAD", under.place, text, nearest(&under.value, names));
                }
                found
            })
            .collect();
        if let (SourceShape::Rows(_), Some(word), true) = (shape, &emit.per, per != ROW) {
            let text = format!("'{}' is no place of a row", word.value);
            compiler.findings.error("E-HEAD", word.place, text, "leave it out: an emit is made per record");
        }
        heads.push(EmitHead { name: emit.name.value.clone(), kind, per, under });
    }
    heads
}

fn emit_plan(
    emit: &file::Emit,
    head: &EmitHead,
    body: Body,
    map: &MapFile,
    context: &Context<'_>,
    groups: &mut [Groups],
    compiler: &mut Compiler<'_, '_>,
) -> Option<EmitPlan> {
    let Some(id) = &emit.id else {
        let text = format!("'{}' has no id", emit.name.value);
        compiler.findings.error("E-HEAD", emit.name.place, text, "write: id: {key: PATH, weak: error}");
        return None;
    };
    let id = id_plan(id, context, &head.per, compiler)?;
    let guard = compiler.tests(&emit.guard, context, &head.per)?;
    let mention = match &emit.mention {
        Some(tests) => Some(compiler.tests(tests, context, &head.per)?),
        None => None,
    };
    let link = match &emit.link {
        Some(link) => Some(link_plan(link, head, context, groups, compiler)?),
        None => None,
    };
    let place = emit.per.as_ref().map_or(emit.name.place, |word| word.place);
    let per_steps = compiler.per_plan(&crate::place::Placed::new(head.per.clone(), place), context.source)?;
    Some(EmitPlan {
        kind: head.kind,
        per: head.per.clone(),
        per_steps,
        scopes: map.applies.scopes.clone(),
        guard,
        under: head.under.clone(),
        link,
        mention,
        whole: emit.whole,
        id,
        body,
    })
}

/// The list of a parent into which the references to its children go.
fn link_plan(
    link: &Target,
    head: &EmitHead,
    context: &Context<'_>,
    groups: &mut [Groups],
    compiler: &mut Compiler<'_, '_>,
) -> Option<TargetPlan> {
    let parent = head.under.iter().position(|under| context.emits[*under].name == link.steps[0].name.value);
    let Some(parent) = parent.filter(|_| link.steps.len() > 1) else {
        compiler.findings.error(
            "E-TARGET",
            link.place,
            "a link leads from a parent",
            "write: under: PARENT, link: PARENT.element[*]",
        );
        return None;
    };
    let under = head.under[parent];
    let repeats = Repeats { multiple: true, constant: false, field: format!("link-{}", head.name) };
    let root = TypeId::of(context.emits[under].kind);
    let mut typed = compiler.target(link, &link.steps[1..], root, &repeats, context, &mut groups[under])?;
    if let Some(step) = typed.plan.steps.last_mut().and_then(|step| step.list.as_mut()) {
        step.place = crate::plan::ItemPlace::Append;
    }
    let accepts = typed.kinds.iter().any(|content| {
        content.kind.name() == "Reference" && (content.targets.is_empty() || content.targets.contains(&head.kind))
    });
    if !accepts {
        let text = format!("{} is no reference to {}", typed.plan.text, head.kind);
        compiler.findings.error("E-TYPE", link.place, text, "");
        return None;
    }
    typed.plan.parent = Some(parent as u16);
    Some(typed.plan)
}

fn id_plan(id: &Id, context: &Context<'_>, per: &str, compiler: &mut Compiler<'_, '_>) -> Option<IdPlan> {
    let mut keys = Vec::new();
    for key in &id.keys {
        let Key::Source(source) = key else {
            keys.push(KeyPlan::Nth);
            continue;
        };
        let mut alternatives = Vec::new();
        for alternative in &source.alternatives {
            match alternative {
                Alternative::Path(path) => {
                    let typed = compiler.path(path, context, per, Use::Value)?;
                    alternatives.push(KeyAlternative::Path(typed.plan, canon(&typed.types)));
                }
                Alternative::Constant(word) => alternatives.push(KeyAlternative::Constant(word.value.clone())),
            }
        }
        keys.push(KeyPlan::Source(alternatives));
    }
    Some(IdPlan { keys, weak: id.weak })
}

fn canon(types: &[String]) -> Canon {
    let parts = |value, value_else, authority| Canon::Parts { value, value_else, authority, spread: false };
    match types.first().map_or("", String::as_str) {
        "CX" => parts(1, 1, 4),
        "EI" => Canon::Parts { value: 1, value_else: 1, authority: 2, spread: true },
        "XCN" | "PPN" => parts(1, 1, 9),
        "CNN" | "CN" => Canon::Parts { value: 1, value_else: 1, authority: 9, spread: true },
        "XON" => parts(10, 3, 6),
        "CWE" | "CE" | "CNE" | "CF" => parts(1, 1, 3),
        _ => Canon::Whole,
    }
}

fn limit_plans(map: &MapFile, context: &Context<'_>, compiler: &mut Compiler<'_, '_>) -> Vec<LimitPlan> {
    let mut plans = Vec::new();
    for limit in &map.limits {
        // What does not read as a path is told already.
        let Ok(path) = crate::path_text::source_path(&limit.path) else { continue };
        let Some(typed) = compiler.path(&path, context, "", Use::Guard) else { continue };
        plans.push(LimitPlan { path: typed.plan, characters_max: limit.characters_max, cut: limit.cut });
    }
    plans
}

/// Compiles the rules of a file, chains numbered.
fn rules(
    rules: &[Rule],
    history: &History,
    context: &Context<'_>,
    groups: &mut [Groups],
    compiler: &mut Compiler<'_, '_>,
) -> Vec<(usize, Placed)> {
    let chains = checks::chains(rules);
    checks::open_chains(rules, &chains, &mut compiler.findings);
    let mut all = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let number = compiler.rules.len() as u32;
        compiler.home = chain_home(rules, &chains, at, context);
        let placed = compiler.operations(rule, number, chains[at], context, groups);
        let facts = crate::explain::rule_facts(rule, context, &placed, history, compiler);
        compiler.rules.push(facts);
        all.extend(placed.into_iter().map(|placed| (at, placed)));
    }
    for rule in &history.dropped {
        let facts = crate::explain::rule_facts(rule, context, &[], history, compiler);
        compiler.rules.push(RuleFacts { class: "dropped by an overlay", ..facts });
    }
    all
}

/// Where the writing rules of a chain over a tree run; its `keep` and `drop` must stand beside them.
fn chain_home(rules: &[Rule], chains: &[u32], at: usize, context: &Context<'_>) -> Option<usize> {
    if chains[at] == 0 || context.lens.is_some() || matches!(context.source, SourceShape::Segments) {
        return None;
    }
    let chain = rules.iter().zip(chains).filter(|(_, number)| **number == chains[at]);
    chain.map(|(rule, _)| rule).find_map(|rule| {
        let Action::Write(targets) = &rule.action else { return None };
        let name = &targets.first()?.steps.first()?.name.value;
        let written = context.emits.iter().position(|emit| context.several && emit.name == *name).unwrap_or(0);
        Some(crate::operations::running_emit(rule, written, context))
    })
}

/// `2.5.1` as numbers.
pub(crate) fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.').map(|part| part.trim().parse::<u16>().ok());
    Some((numbers.next()??, numbers.next().unwrap_or(Some(0))?, numbers.next().unwrap_or(Some(0))?))
}

/// The hash of everything that decides a translation, whatever the order of the files.
fn hash(files: &[SourceFile], codes: &Tables) -> [u8; 32] {
    let mut texts: HashMap<&str, Vec<&str>> = HashMap::new();
    for file in files {
        texts.entry(&file.name).or_default().push(&file.text);
    }
    let mut names: Vec<&&str> = texts.keys().collect();
    names.sort();
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    for name in names {
        for text in &texts[*name] {
            digest.update((name.len() as u64).to_le_bytes());
            digest.update(name);
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
    }
    for name in codes.names() {
        if let Some(table) = codes.table(name) {
            digest.update(format!("{table:?}"));
        }
    }
    digest.finalize().into()
}
