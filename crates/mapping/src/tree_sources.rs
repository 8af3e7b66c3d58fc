//! Checks source paths over trees and rows against what the head of a map declares.

use crate::compiler::{Compiler, Context};
use crate::diagnostic::nearest;
use crate::place::Word;
use crate::plan::{PathPlan, Position, Root, TreeFilter, TreePlan, TreeStart, TreeStepPlan};
use crate::rule::{ColumnName, ColumnPath, Locus, Path, RowKind, Selector, SelectorKind, StepKind, TreePath, TreeStep};
use crate::source_head::{FrameRow, RowsHead, SourceHead, TreeHead};
use crate::sources::{TypedPath, Use, position_of};

/// How the paths of a file are resolved.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum SourceShape<'x> {
    #[default]
    Segments,
    Tree {
        /// Nothing for a lens, which reads whatever it is given.
        head: Option<&'x TreeHead>,
        /// Names that the template knows; empty where none is declared.
        names: &'x [String],
    },
    Rows(&'x RowsHead),
}

impl<'x> SourceShape<'x> {
    pub(crate) fn of(source: &'x SourceHead, names: &'x [String]) -> Self {
        match source {
            SourceHead::Segments => SourceShape::Segments,
            SourceHead::Tree(head) => SourceShape::Tree { head: Some(head), names },
            SourceHead::Rows(head) => SourceShape::Rows(head),
        }
    }

    /// What an emit is made per where its head does not say.
    pub(crate) fn default_per(self) -> Option<&'static str> {
        match self {
            SourceShape::Segments => None,
            SourceShape::Tree { .. } => Some(""),
            SourceShape::Rows(_) => Some(ROW),
        }
    }

    /// `per:` as written in a form that can be compared: no word for the record itself.
    pub(crate) fn per(self, written: &str) -> String {
        match (self, written) {
            (SourceShape::Tree { .. }, "record") => String::new(),
            (SourceShape::Rows(_), "record") => ROW.to_owned(),
            _ => written.to_owned(),
        }
    }

    /// The place of an emit from the document on, by which resources of several maps find each other.
    pub(crate) fn whole(self, per: &str) -> String {
        match self {
            SourceShape::Tree { head: Some(head), .. } => absolute(head, per),
            _ => per.to_owned(),
        }
    }
}

impl Compiler<'_, '_> {
    /// Checks a path through a tree; `per` is the path of the instance below the record.
    pub(crate) fn tree_path(
        &mut self,
        path: &Path,
        tree: &TreePath,
        context: &Context<'_>,
        per: &str,
        usage: Use,
    ) -> Option<TypedPath> {
        let SourceShape::Tree { head, names } = context.source else {
            self.findings.error("E-SOURCE", path.place, format!("'{}' is no path here", path.text), "write SEG-n");
            return None;
        };
        if tree.absolute && head.is_none() {
            let hint = "paths of a lens begin at its element";
            self.findings.error("E-SOURCE", path.place, "a lens does not know the document", hint);
            return None;
        }
        let (start, rest) = start(tree, per, head.is_none());
        let mut steps = Vec::with_capacity(rest.len());
        let mut multiple = false;
        for step in rest {
            let named = matches!(step.kind, StepKind::Child | StepKind::Any);
            let known = names.is_empty() || !named || names.contains(&step.name.value);
            if !known {
                let hint = nearest(&step.name.value, names.iter().map(String::as_str));
                let text = format!("the template has no '{}'", step.name.value);
                self.findings.error("E-SOURCE", step.name.place, text, hint);
                return None;
            }
            let plan = self.tree_step(step, usage)?;
            multiple |= many(&plan);
            steps.push(plan);
        }
        let attribute = tree.attribute.as_ref().map(|name| name.value.clone());
        let types = vec!["ST".to_owned()];
        let plan = TreePlan { start, steps, attribute, whole: whole_text(path, tree, head) };
        let plan = PathPlan {
            root: Root::Tree(Box::new(plan)),
            field: 0,
            filter: None,
            position: Position::All,
            component: 0,
            subcomponent: 0,
        };
        Some(TypedPath { plan, types, multiple: multiple && usage != Use::Leaves, table: None })
    }

    fn tree_step(&mut self, step: &TreeStep, usage: Use) -> Option<TreeStepPlan> {
        let mut filters = Vec::new();
        for selector in &step.selectors {
            let (key, value, negate) = match &selector.kind {
                SelectorKind::Equals(key, value) => (key, value, false),
                SelectorKind::Differs(key, value) => (key, value, true),
                SelectorKind::All | SelectorKind::First | SelectorKind::Nth(_) | SelectorKind::From(_) => continue,
                _ => {
                    self.bad_selector(selector, "write [*], [first], [n], [n..], [name=value] or [@name=value]");
                    return None;
                }
            };
            let (names, attribute) = match key.split_once('@') {
                Some((names, attribute)) => (names.trim_end_matches('/'), Some(attribute.to_owned())),
                None => (key.as_str(), None),
            };
            let path: Vec<String> = names.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
            if path.is_empty() && attribute.as_ref().is_none_or(String::is_empty) {
                self.bad_selector(selector, "write [name=value] or [@name=value]");
                return None;
            }
            filters.push(TreeFilter { path, attribute, value: value.clone(), negate });
        }
        let position = match position_of(&step.selectors) {
            Some(position) => position,
            None if usage == Use::Value => Position::Nth(1),
            None => Position::All,
        };
        // A filter for keep, drop or a guard means all that fit.
        let open = usage != Use::Value && !step.selectors.iter().any(counts);
        let position = if open { Position::All } else { position };
        Some(TreeStepPlan { kind: step.kind, name: step.name.value.clone(), filters, position })
    }

    fn bad_selector(&mut self, selector: &Selector, hint: &str) {
        self.findings.error("E-RULE", selector.place, "this selector selects no element", hint);
    }

    /// The steps from the record to the instances of an emit.
    pub(crate) fn per_plan(&mut self, per: &Word, shape: SourceShape<'_>) -> Option<Vec<TreeStepPlan>> {
        if !matches!(shape, SourceShape::Tree { .. }) || per.value.is_empty() {
            return Some(Vec::new());
        }
        let path = match crate::path_tree::tree_path(per) {
            Ok(path) => path,
            Err(fault) => {
                self.findings.error("E-RULE", fault.place, fault.text, fault.hint);
                return None;
            }
        };
        let Locus::Tree(tree) = &path.locus else { return None };
        let plain =
            !tree.absolute && tree.attribute.is_none() && tree.steps.iter().all(|step| plain_text(step).is_some());
        if !plain {
            let hint = "write names below the record, without selectors; a condition stands in: if";
            self.findings.error("E-HEAD", per.place, format!("'{}' is no place of an emit", per.value), hint);
            return None;
        }
        tree.steps.iter().map(|step| self.tree_step(step, Use::Leaves)).collect()
    }

    /// Checks a path in a row.
    pub(crate) fn column(
        &mut self,
        path: &Path,
        column: &ColumnPath,
        context: &Context<'_>,
        usage: Use,
    ) -> Option<TypedPath> {
        let SourceShape::Rows(head) = context.source else {
            self.findings.error("E-SOURCE", path.place, format!("'{}' is no path here", path.text), "write SEG-n");
            return None;
        };
        let root = if column.row == RowKind::Own { Root::Own } else { Root::Row(column.row) };
        let field = match &column.column {
            None => 0,
            Some(ColumnName::Number(number)) => *number,
            Some(ColumnName::Name(name)) => self.column_number(column.row, name, head)?,
        };
        if column.row == RowKind::Own && usize::from(field) > head.columns.len() {
            let text = format!("the source declares {} columns", head.columns.len());
            self.findings.error("E-SOURCE", path.place, text, "no such column");
            return None;
        }
        let mut plan = PathPlan {
            root,
            field,
            filter: None,
            position: Position::All,
            component: path.component,
            subcomponent: path.subcomponent,
        };
        if field == 0 {
            return Some(TypedPath { plan, types: vec![ROW.to_owned()], multiple: false, table: None });
        }
        let (position, filter, selected) = self.repetition(&path.selectors, usage)?;
        (plan.position, plan.filter) = (position, filter);
        let repeats = matches!(position, Position::All | Position::From(_)) && selected;
        if repeats && head.repeat.is_none() {
            let hint = "declare in the source: repeat: \"~\"";
            self.findings.error("E-SOURCE", path.place, "cells of this source do not repeat", hint);
            return None;
        }
        if path.component > 0 && head.component.is_none() {
            let hint = "declare in the source: component: \"^\"";
            self.findings.error("E-SOURCE", path.place, "cells of this source have no components", hint);
            return None;
        }
        // A cell with components may be of any datatype that has them.
        let composite = head.component.is_some() && path.component == 0;
        let types = if composite { Vec::new() } else { vec!["ST".to_owned()] };
        Some(TypedPath { plan, types, multiple: repeats, table: None })
    }

    fn column_number(&mut self, row: RowKind, name: &Word, head: &RowsHead) -> Option<u16> {
        let names: Vec<&str> = match row {
            RowKind::Own => head.columns.iter().map(|column| column.name.value.as_str()).collect(),
            RowKind::Head => frame_names(head.head.as_ref()),
            RowKind::Trailer => frame_names(head.trailer.as_ref()),
        };
        if let Some(at) = names.iter().position(|known| *known == name.value) {
            return u16::try_from(at + 1).ok();
        }
        let what = match row {
            RowKind::Own => "no column",
            RowKind::Head => "no part of the head row",
            RowKind::Trailer => "no part of the trailer row",
        };
        let hint = nearest(&name.value, names.iter().copied());
        self.findings.error("E-SOURCE", name.place, format!("{what} '{}' is declared", name.value), hint);
        None
    }
}

fn frame_names(row: Option<&FrameRow>) -> Vec<&str> {
    row.map_or_else(Vec::new, |row| row.names.iter().map(String::as_str).collect())
}

/// Where a path begins, and the steps from there: leading steps that are those of `per` are the instance's own.
fn start<'t>(tree: &'t TreePath, per: &str, lens: bool) -> (TreeStart, &'t [TreeStep]) {
    if tree.absolute {
        return (TreeStart::Document, &tree.steps);
    }
    let ups = tree.steps.iter().take_while(|step| step.kind == StepKind::Up).count();
    if lens {
        return (TreeStart::Own(ups as u16), &tree.steps[ups..]);
    }
    let per = per_steps(per);
    let own = tree.steps.iter().zip(&per).take_while(|(step, name)| plain_text(step).as_deref() == Some(name)).count();
    // Only steps to children lead back by parents.
    if own > 0 && per[own..].iter().all(|name| !name.contains('(')) {
        return (TreeStart::Own((per.len() - own) as u16), &tree.steps[own..]);
    }
    (TreeStart::Record(ups as u16), &tree.steps[ups..])
}

fn per_steps(per: &str) -> Vec<&str> {
    per.split('/').filter(|name| !name.is_empty()).collect()
}

/// A step without selectors, as it is written.
fn plain_text(step: &TreeStep) -> Option<String> {
    if !step.selectors.is_empty() {
        return None;
    }
    match step.kind {
        StepKind::Child => Some(step.name.value.clone()),
        StepKind::Any => Some(format!("any({})", step.name.value)),
        StepKind::Section => Some(format!("section({})", step.name.value)),
        StepKind::Entry => Some(format!("entry({})", step.name.value)),
        StepKind::Up => None,
    }
}

/// Whether the leading steps of a path are those of a `per` below the record.
pub(crate) fn runs_through(path: &Path, per: &str) -> bool {
    let Locus::Tree(tree) = &path.locus else { return false };
    let per = per_steps(per);
    !per.is_empty()
        && !tree.absolute
        && tree.steps.len() >= per.len()
        && tree.steps.iter().zip(&per).all(|(step, name)| plain_text(step).as_deref() == Some(name))
}

/// The names from the document to what the path leads to, where they are plain.
fn whole_text(path: &Path, tree: &TreePath, head: Option<&TreeHead>) -> String {
    let plain = crate::explain::plain(path);
    match head {
        Some(head) if !tree.absolute => absolute(head, if plain == "record" { "" } else { &plain }),
        _ => plain,
    }
}

/// `/message/body/row/xm`.
fn absolute(head: &TreeHead, below: &str) -> String {
    let mut text = String::new();
    let root = head.roots.first().map(Vec::as_slice).unwrap_or_default();
    for name in root.iter().chain(&head.record).map(String::as_str).chain(below.split('/')) {
        match name {
            "" => {}
            ".." => text.truncate(text.rfind('/').unwrap_or(0)),
            name => {
                text.push('/');
                text.push_str(name);
            }
        }
    }
    text
}

fn many(step: &TreeStepPlan) -> bool {
    matches!(step.position, Position::All | Position::From(_)) && step.kind != StepKind::Up
}

fn counts(selector: &Selector) -> bool {
    matches!(selector.kind, SelectorKind::First | SelectorKind::Nth(_) | SelectorKind::From(_))
}

/// What a row of data is called.
pub(crate) const ROW: &str = "row";
