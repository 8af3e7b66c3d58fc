//! Says which rule is behind a field or an element.

use std::fmt;

use crate::compile::History;
use crate::compiler::{Compiler, Context};
use crate::operations::Placed;
use crate::plan::{ActionPlan, LensUse, Program, RuleFacts};
use crate::rule::{Action, Alternative, Direction, Locus, Path, Rest, RowKind, Rule};

/// One rule that touches a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation<'p> {
    /// The map or lens.
    pub map: &'p str,
    /// The rule id.
    pub rule: &'p str,
    /// The file as named at compilation.
    pub file: &'p str,
    /// The line, from 1.
    pub line: u32,
    /// The rule as written.
    pub text: &'p str,
    /// The places it writes, `Patient.gender`.
    pub targets: &'p [String],
    /// The lens, or empty.
    pub lens: &'p str,
    /// iso, lens, prism, traversal, keep, drop, constant or reference.
    pub class: &'p str,
    /// The table it translates with.
    pub table: Option<&'p str>,
    /// What overlays did to it, each with file and line and what stood before; the last one wins.
    pub overlays: &'p [String],
}

impl fmt::Display for Explanation<'_> {
    /// Map, rule, file and line; the rule as written; class, lens, table and overlays.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({}:{})\n    {}\n    {}", self.map, self.rule, self.file, self.line, self.text, self.class)?;
        if !self.lens.is_empty() {
            write!(f, ", lens {}", self.lens)?;
        }
        if let Some(table) = self.table {
            write!(f, ", table {table}")?;
        }
        for overlay in self.overlays {
            write!(f, "\n    {overlay}")?;
        }
        Ok(())
    }
}

impl Program {
    /// The rules behind a source path (`PID-8`, `PID-8.1`, `PID-5.2`) or a target (`Patient.gender`, `Patient.name.family`),
    /// in file order; what stands inside a lens comes with the rules of the lens.
    pub fn explain(&self, path: &str) -> Vec<Explanation<'_>> {
        let wanted = crate::path_text::tidy(path).unwrap_or_else(|| bare(path));
        let mut found: Vec<&RuleFacts> = Vec::new();
        for rule in &self.rules {
            let known = || rule.sources.iter().chain(&rule.targets);
            if known().any(|known| below(&bare(known), &wanted) || fits(known, &wanted)) {
                found.push(rule);
                found.extend(self.inside(rule, &wanted));
            }
        }
        if found.is_empty() {
            found.extend(self.rules.iter().filter(|rule| loosely(rule, &wanted)));
        }
        found.dedup_by(|a, b| std::ptr::eq(*a, *b));
        found.into_iter().map(explanation).collect()
    }

    /// Paths that rules speak of and that are near to one that no rule speaks of.
    pub fn near(&self, path: &str) -> Vec<&str> {
        let wanted = bare(path);
        let known = self.rules.iter().flat_map(|rule| rule.sources.iter().chain(&rule.targets)).map(String::as_str);
        let mut known: Vec<&str> = known.collect();
        known.sort_unstable();
        known.dedup();
        let near = crate::diagnostic::nearest_name(&wanted, known.iter().copied());
        let below = known.iter().copied().filter(|known| {
            !wanted.is_empty() && known.to_lowercase().contains(&wanted.to_lowercase()) && Some(*known) != near
        });
        near.into_iter().chain(below.take(5)).collect()
    }

    /// The rules of the lens of a rule for the part that is asked for.
    fn inside(&self, rule: &RuleFacts, wanted: &str) -> impl Iterator<Item = &RuleFacts> {
        let rest =
            |known: &String| wanted.strip_prefix(&bare(known)).map(|rest| rest.trim_start_matches('.').to_owned());
        let parts: Vec<String> = rule.sources.iter().filter_map(rest).filter(|rest| !rest.is_empty()).collect();
        let elements: Vec<String> = rule.targets.iter().filter_map(rest).filter(|rest| !rest.is_empty()).collect();
        let lens = rule.lens.clone();
        self.rules.iter().filter(move |inner| {
            let own = || inner.targets.iter().filter_map(|target| target.split_once('.').map(|(_, below)| bare(below)));
            !lens.is_empty()
                && inner.map == lens
                && (inner
                    .sources
                    .iter()
                    .any(|source| parts.iter().any(|part| fits(source, part) || below(source, part)))
                    || own().any(|own| elements.iter().any(|element| own == *element || below(&own, element))))
        })
    }

    /// Every rule: maps by name, lenses before them, each in file order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = Explanation<'_>> {
        self.rules.iter().map(explanation)
    }

    /// What identifies this program: files, tables and version of the engine.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// Warnings of the compilation.
    pub fn warnings(&self) -> &[crate::Diagnostic] {
        &self.warnings
    }
}

fn explanation(rule: &RuleFacts) -> Explanation<'_> {
    Explanation {
        map: &rule.map,
        rule: &rule.id,
        file: &rule.file,
        line: rule.line,
        text: &rule.text,
        targets: &rule.targets,
        lens: &rule.lens,
        class: rule.class,
        table: rule.table.as_deref(),
        overlays: &rule.history,
    }
}

/// Whether a path lies below another one, or is it.
fn below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '/']))
}

/// Whether what is asked for is a place that is known, or a part of one: `PID-8` holds `PID-8.1`. A whole segment or
/// resource is not meant by each of its parts.
pub(crate) fn fits(known: &str, wanted: &str) -> bool {
    let (known, wanted) = (bare(known), bare(wanted));
    below(&wanted, &known) && (known == wanted || known.contains(['-', '.', '/']))
}

/// Whether a rule is what somebody may mean who asks for a map or lens by its name, an element without its resource, or a
/// resource in small letters.
fn loosely(rule: &RuleFacts, wanted: &str) -> bool {
    let tail = |target: &String| target.split_once('.').is_some_and(|(_, below_it)| below(&bare(below_it), wanted));
    let small = |target: &String| below(&bare(target).to_lowercase(), &wanted.to_lowercase());
    rule.map == wanted || rule.targets.iter().any(|target| tail(target) || small(target))
}

/// Whether a path that somebody asks for means a place: `PID-5` means `PID-5[2].1`, `Patient.name` means
/// `Patient.name[0].family`, and `PID` all of the segment.
#[must_use]
pub fn covers(asked: &str, place: &str) -> bool {
    below(&bare(place), &bare(asked))
}

/// Selectors fall away, so that `telecom` finds `telecom[use=work][*]`.
pub(crate) fn bare(path: &str) -> String {
    let mut depth = 0;
    let mut text = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ if depth == 0 => text.push(c),
            _ => {}
        }
    }
    text
}

/// A target without selectors, extensions by the end of their URL; below the type where a lens writes it.
pub(crate) fn element(target: &str, context: &Context<'_>) -> String {
    let root = context.lens.map_or(String::new(), |(_, kind)| format!("{}.", kind.name()));
    let mut text = String::with_capacity(target.len());
    let mut rest = target.strip_prefix(&root).unwrap_or(target);
    while let Some((before, after)) = rest.split_once('[') {
        let (selector, behind) = after.split_once(']').unwrap_or((after, ""));
        text.push_str(before);
        match selector {
            "x" => text.push_str("[x]"),
            _ if before.ends_with("xtension") => text.push_str(&format!("[{}]", extension(selector, context))),
            _ => {}
        }
        rest = behind;
    }
    text.push_str(rest);
    text
}

/// The end of the URL for which a word stands.
pub(crate) fn extension(word: &str, context: &Context<'_>) -> String {
    let url = context.words.extension(word).unwrap_or_else(|| word.to_owned());
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

/// How people may ask for a source: as the rule names it, and of a document as its leaves are named.
fn source_names(path: &Path, context: &Context<'_>) -> Vec<String> {
    let own = plain(path);
    let whole = match &path.locus {
        Locus::Segment => None,
        Locus::Tree(tree) if tree.absolute || own == "record" => None,
        Locus::Tree(_) => Some(context.source.whole(&own)),
        Locus::Column(column) if column.row == RowKind::Own => Some(format!("row/{own}")),
        Locus::Column(_) => Some(own.replacen('.', "/", 1)),
    };
    let whole = whole.filter(|whole| *whole != own);
    std::iter::once(own).chain(whole).collect()
}

/// A source path without selectors.
pub(crate) fn plain(path: &Path) -> String {
    match &path.locus {
        Locus::Segment => {}
        Locus::Tree(_) | Locus::Column(_) => return bare(&path.text),
    }
    let mut text = String::new();
    if let Some(segment) = &path.segment {
        text.push_str(&segment.value);
        if path.field > 0 {
            text.push_str(&format!("-{}", path.field));
        }
    }
    for number in [path.component, path.subcomponent] {
        if number > 0 {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(&number.to_string());
        }
    }
    if text.is_empty() { "self".to_owned() } else { text }
}

/// What is told of a rule to people.
pub(crate) fn rule_facts(
    rule: &Rule,
    context: &Context<'_>,
    placed: &[Placed],
    history: &History,
    compiler: &Compiler<'_, '_>,
) -> RuleFacts {
    let paths = rule.sources.iter().flat_map(|source| &source.alternatives);
    let sources = paths.flat_map(|alternative| match alternative {
        Alternative::Path(path) => source_names(path, context),
        Alternative::Constant(_) => Vec::new(),
    });
    let targets = placed.iter().flat_map(|placed| &placed.writes);
    let (lens, class) = lens_of(placed, compiler);
    let reason = match &rule.action {
        Action::Drop(reason) | Action::Keep(reason) => Some(reason.clone()),
        Action::Order => Some("position only".to_owned()),
        Action::Write(_) => None,
    };
    let overlays = history.changes.iter().filter(|(id, _)| *id == rule.id.value).map(|(_, change)| change.clone());
    RuleFacts {
        map: context.owner.to_owned(),
        id: rule.id.value.clone(),
        file: compiler.names[rule.id.place.file as usize].clone(),
        line: rule.id.place.line,
        text: rule.text.value.clone(),
        sources: sources.collect(),
        targets: targets.clone().map(|write| write.typed.plan.text.clone()).collect(),
        elements: elements(targets.map(|write| write.typed.plan.text.as_str()), rule, context),
        guards: rule.clauses.guard.iter().map(|test| plain(&test.path)).collect(),
        reads: context.lens.map(|(types, _)| types.to_vec()).unwrap_or_default(),
        root: context.lens.map(|(_, kind)| kind.name().to_owned()).unwrap_or_default(),
        lens,
        class: if rule.direction == Direction::Back { "from FHIR" } else { class },
        table: rule.clauses.table.as_ref().map(|word| word.value.clone()),
        reason,
        history: overlays.collect(),
    }
}

/// The elements that a rule writes; `rest ext` writes an extension beside each.
fn elements<'t>(targets: impl Iterator<Item = &'t str>, rule: &Rule, context: &Context<'_>) -> Vec<String> {
    let mut elements: Vec<String> = targets.map(|target| element(target, context)).collect();
    if let Rest::Extension(word) = &rule.clauses.rest {
        let url = extension(&word.value, context);
        let beside: Vec<String> = elements.iter().map(|element| format!("{element}.extension[{url}]")).collect();
        elements.extend(beside);
    }
    elements
}

/// Name and class of the lens that a rule uses.
pub(crate) fn lens_of(placed: &[Placed], compiler: &Compiler<'_, '_>) -> (String, &'static str) {
    match placed.first().map(|placed| &placed.operation.action) {
        Some(ActionPlan::Write(write)) => match &write.lens {
            LensUse::Constant(_) => (String::new(), "constant"),
            LensUse::Builtin(lens) => (lens.facts().name.to_owned(), lens.facts().class),
            LensUse::Composite(at) => (compiler.lenses[*at].name.clone(), "lens"),
            LensUse::Resource(at) => (compiler.lenses[*at].name.clone(), "reference"),
            LensUse::Segment(_) | LensUse::Emit(_) | LensUse::Everything => (String::new(), "reference"),
        },
        Some(ActionPlan::Drop) => (String::new(), "drop"),
        Some(ActionPlan::Keep) => (String::new(), "keep"),
        None => (String::new(), ""),
    }
}
