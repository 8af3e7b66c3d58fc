//! Checks targets against the R4 schema table.

use std::collections::HashMap;

use dukou_fhir::schema::{Element, Form, TypeId, TypeRef, ValueSet};

use crate::compiler::{Compiler, Context};
use crate::diagnostic::{nearest, nearest_or_all};
use crate::plan::{Filter, FilterForm, ItemPlace, ListStep, StepPlan, TargetPlan};
use crate::rule::{SelectorKind, Step, Target};

/// A target with its type.
#[derive(Debug)]
pub(crate) struct TypedTarget {
    pub(crate) plan: TargetPlan,
    /// Types the value may have; more than one only where the lens decides.
    pub(crate) kinds: Vec<&'static TypeRef>,
    pub(crate) element: Option<&'static Element>,
    pub(crate) binding: Option<&'static ValueSet>,
    /// Whether several values find room.
    pub(crate) list: bool,
    /// The types on the way, one for each step's parent.
    pub(crate) parents: Vec<TypeId>,
    /// Elements and selectors as text, for comparisons.
    pub(crate) slot: String,
}

/// Numbers the groups of items that rules share.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    numbers: HashMap<String, u16>,
}

impl Groups {
    fn number(&mut self, name: String) -> u16 {
        let next = self.numbers.len() as u16;
        *self.numbers.entry(name).or_insert(next)
    }
}

/// How the source of a rule repeats.
#[derive(Clone, Debug)]
pub(crate) struct Repeats {
    pub(crate) multiple: bool,
    /// A constant, or a source without value of its own.
    pub(crate) constant: bool,
    /// The source field without selectors: rules with the same one share items.
    pub(crate) field: String,
}

impl Compiler<'_, '_> {
    /// Checks a target below a type.
    pub(crate) fn target(
        &mut self,
        target: &Target,
        steps: &[Step],
        root: TypeId,
        repeats: &Repeats,
        context: &Context<'_>,
        groups: &mut Groups,
    ) -> Option<TypedTarget> {
        let mut typed = TypedTarget {
            plan: TargetPlan {
                parent: None,
                steps: Vec::new(),
                beside: String::new(),
                choices: Vec::new(),
                kind: root,
                region: 0,
                claim: (0, 0),
                text: format!("{}.{}", root.name(), texts(steps)),
            },
            kinds: Vec::new(),
            element: None,
            binding: None,
            list: false,
            parents: Vec::new(),
            slot: String::new(),
        };
        if let [step] = steps
            && step.name.value == "self"
            && matches!(root.form(), Form::Primitive(_))
        {
            return Some(typed);
        }
        for step in steps {
            self.step(target, step, &mut typed, repeats, context, groups)?;
        }
        Some(typed)
    }

    fn step(
        &mut self,
        target: &Target,
        step: &Step,
        typed: &mut TypedTarget,
        repeats: &Repeats,
        context: &Context<'_>,
        groups: &mut Groups,
    ) -> Option<()> {
        let parent = typed.plan.kind;
        if !typed.kinds.is_empty() && typed.kinds.len() > 1 {
            self.findings.error("E-TARGET", step.name.place, "a choice ends the path", "name the type: valueQuantity");
            return None;
        }
        let parent = self.extended(step, typed, parent)?;
        let name = step.name.value.as_str();
        let choice = step.selectors.iter().any(|selector| selector.kind == SelectorKind::Choice);
        let found = if choice {
            parent.elements().find(|element| element.choice && element.name == name).map(|element| (element, None))
        } else {
            parent.member(name).map(|member| (member.element, Some(member.content)))
        };
        let Some((element, content)) = found else {
            let names: Vec<String> = member_names(parent);
            let choice = parent.elements().find(|element| element.choice && element.name == name);
            let hint = match choice {
                Some(element) => {
                    let typed: Vec<String> = element.types.iter().map(|one| element.json_name(one.kind)).collect();
                    format!("name the type: {}", typed.join(" | "))
                }
                None if name == parent.name() => format!("leave it out: the map makes one {name}"),
                None => nearest_or_all(name, &names.iter().map(String::as_str).collect::<Vec<_>>()),
            };
            let text = format!("{} has no element '{name}'", parent.name());
            self.findings.error("E-TARGET", step.name.place, text, hint);
            return None;
        };
        typed.parents.push(parent);
        typed.kinds = match content {
            Some(content) => vec![content],
            None => element.types.iter().collect(),
        };
        typed.plan.choices = if choice {
            element.types.iter().map(|kind| (kind.kind, element.json_name(kind.kind))).collect()
        } else {
            Vec::new()
        };
        typed.plan.kind = typed.kinds.first().map_or(parent, |content| content.kind);
        typed.element = Some(element);
        typed.binding = element.binding;
        let prefix = std::mem::take(&mut typed.slot);
        let list = if element.is_list() {
            typed.list = true;
            Some(self.list_step(target, step, typed, repeats, context, groups, &prefix)?)
        } else {
            if let Some(wrong) = step.selectors.iter().find(|selector| selector.kind != SelectorKind::Choice) {
                let text = format!("{}.{name} is no list", parent.name());
                self.findings.error("E-CARD", wrong.place, text, "leave the selector out");
                return None;
            }
            None
        };
        typed.slot = format!("{prefix}/{name}{}", selector_text(step));
        typed.plan.beside = format!("_{name}");
        typed.plan.steps.push(StepPlan { name: name.to_owned(), list });
        Some(())
    }

    /// Below a primitive only id and extension may stand; JSON keeps them in a member with `_` before its name.
    fn extended(&mut self, step: &Step, typed: &mut TypedTarget, parent: TypeId) -> Option<TypeId> {
        let primitive = matches!(parent.form(), Form::Primitive(_)) && !typed.plan.steps.is_empty();
        if !primitive {
            return Some(parent);
        }
        let fits = matches!(step.name.value.as_str(), "extension" | "id");
        match (typed.plan.steps.last_mut(), TypeId::parse("Element")) {
            (Some(last), Some(element)) if fits && last.list.as_ref().is_none_or(numbered) => {
                last.name.insert(0, '_');
                Some(element)
            }
            _ => {
                let text = format!("{} has no element '{}'", parent.name(), step.name.value);
                self.findings.error("E-TARGET", step.name.place, text, "a primitive has extension and id only");
                None
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one step of a walk whose state is these")]
    fn list_step(
        &mut self,
        target: &Target,
        step: &Step,
        typed: &TypedTarget,
        repeats: &Repeats,
        context: &Context<'_>,
        groups: &mut Groups,
        prefix: &str,
    ) -> Option<ListStep> {
        let name = step.name.value.as_str();
        let mut filter = None;
        let mut origin = None;
        let mut place = None;
        for selector in &step.selectors {
            match &selector.kind {
                SelectorKind::Equals(key, value) => {
                    filter = Some(self.filter(typed, selector.place, key, value, false, context)?)
                }
                SelectorKind::Differs(key, value) => {
                    filter = Some(self.filter(typed, selector.place, key, value, true, context)?)
                }
                SelectorKind::Named(word) => filter = Some(self.extension(selector.place, name, word, context)?),
                SelectorKind::Origin(path) => origin = Some(path.clone()),
                SelectorKind::First => place = Some(ItemPlace::Nth(1)),
                SelectorKind::Nth(number) => place = Some(ItemPlace::Nth(*number)),
                SelectorKind::Append => place = Some(ItemPlace::Append),
                SelectorKind::All => place = Some(ItemPlace::Each(None)),
                SelectorKind::From(_) | SelectorKind::Choice => {
                    self.findings.error(
                        "E-TARGET",
                        selector.place,
                        "this selector selects no item",
                        "write [*], [+], [n] or [k=v]",
                    );
                    return None;
                }
            }
        }
        let slice = format!("{prefix}/{name}{}", slice_text(step));
        let place = match (place, &origin) {
            (Some(ItemPlace::Each(_)) | None, Some(tag)) => {
                let number = groups.number(format!("{prefix}/{name}@{tag}"));
                if repeats.constant { ItemPlace::Each(Some(number)) } else { ItemPlace::Zip(number) }
            }
            (Some(ItemPlace::Each(_)), None) if repeats.multiple => {
                ItemPlace::Zip(groups.number(format!("{slice}<{}", repeats.field)))
            }
            (Some(place), _) => place,
            (None, _) if filter.as_ref().is_some_and(|filter: &Filter| !filter.negate) => ItemPlace::One,
            (None, _) => {
                let text = format!(
                    "{}.{name} is a list and has no selector",
                    typed.parents.last().map_or("", |kind| kind.name())
                );
                let hint = format!("write {name}[first], {name}[*], {name}[+] or a slice");
                self.findings.error(
                    "E-CARD",
                    step.name.place.part(0, target.place.len.min(step.name.place.len)),
                    text,
                    hint,
                );
                return None;
            }
        };
        Some(ListStep { filter, place, hinted: origin.is_some() })
    }

    fn extension(
        &mut self,
        place: crate::place::Place,
        name: &str,
        word: &str,
        context: &Context<'_>,
    ) -> Option<Filter> {
        let url = context.words.extension(word);
        let known = matches!(name, "extension" | "modifierExtension");
        let Some(url) = url.filter(|_| known) else {
            let words = context.words.extensions.iter().map(|(word, _)| word.value.as_str());
            let near = nearest(word, words);
            let declare = format!("declare it: extensions: {{{word}: \"https://...\"}}");
            let hint = if near.is_empty() { declare } else { near };
            self.findings.error("E-TARGET", place, format!("no extension '{word}' is declared"), hint);
            return None;
        };
        Some(Filter { member: "url".to_owned(), form: FilterForm::Text, system: None, value: url, negate: false })
    }

    fn filter(
        &mut self,
        typed: &TypedTarget,
        place: crate::place::Place,
        key: &str,
        value: &str,
        negate: bool,
        context: &Context<'_>,
    ) -> Option<Filter> {
        let kind = typed.kinds.first()?.kind;
        let Some(member) = kind.member(key) else {
            let names = member_names(kind);
            let hint = nearest_or_all(key, &names.iter().map(String::as_str).collect::<Vec<_>>());
            self.findings.error("E-TARGET", place, format!("{} has no element '{key}'", kind.name()), hint);
            return None;
        };
        let list = member.element.is_list();
        let form = match member.content.kind.name() {
            "Coding" if !list => FilterForm::Coding,
            "CodeableConcept" if list => FilterForm::Concepts,
            "CodeableConcept" => FilterForm::Concept,
            "boolean" => FilterForm::Bool,
            "decimal" | "integer" | "positiveInt" | "unsignedInt" => FilterForm::Number,
            _ if matches!(member.content.kind.form(), Form::Primitive(_)) && !list => FilterForm::Text,
            other => {
                self.findings.error("E-TARGET", place, format!("a slice cannot compare a {other}"), "");
                return None;
            }
        };
        let (system, value) = match value.split_once('|') {
            Some((system, code)) => (Some(context.words.system(system).unwrap_or(system).to_owned()), code.to_owned()),
            None if kind.name() == "Identifier" && key == "type" => {
                (Some(IDENTIFIER_TYPES.to_owned()), value.to_owned())
            }
            None if form == FilterForm::Text => (None, context.words.system(value).unwrap_or(value).to_owned()),
            None => (None, value.to_owned()),
        };
        if let (Some(binding), FilterForm::Text) = (member.element.binding, form)
            && binding.holds(None, &value) == Some(false)
        {
            let text = format!("'{value}' is not in {} (required)", short(binding));
            self.findings.error("E-BINDING", place, text, binding.codes().join(" | "));
            return None;
        }
        Some(Filter { member: key.to_owned(), form, system, value, negate })
    }
}

/// Extensions of a primitive in a list stand in a second list at the same number.
fn numbered(list: &ListStep) -> bool {
    matches!(list.place, ItemPlace::Nth(_)) && list.filter.is_none()
}

/// The last part of a value set's url.
pub(crate) fn short(binding: &ValueSet) -> String {
    let url = binding.url();
    url.rsplit('/').next().unwrap_or(&url).to_owned()
}

/// All JSON member names of a type.
pub(crate) fn member_names(kind: TypeId) -> Vec<String> {
    let names =
        |element: &'static Element| element.types.iter().map(|content| element.json_name(content.kind)).collect();
    let mut all: Vec<String> = kind.elements().flat_map(|element| -> Vec<String> { names(element) }).collect();
    all.dedup();
    all
}

fn texts(steps: &[Step]) -> String {
    let texts: Vec<String> = steps.iter().map(|step| format!("{}{}", step.name.value, selector_text(step))).collect();
    texts.join(".")
}

fn selector_text(step: &Step) -> String {
    step.selectors.iter().map(|selector| one_text(&selector.kind)).collect()
}

/// The selectors that choose a slice, positions aside.
fn slice_text(step: &Step) -> String {
    let slices = step.selectors.iter().filter(|selector| {
        matches!(
            selector.kind,
            SelectorKind::Equals(..) | SelectorKind::Differs(..) | SelectorKind::Named(_) | SelectorKind::Origin(_)
        )
    });
    slices.map(|selector| one_text(&selector.kind)).collect()
}

fn one_text(kind: &SelectorKind) -> String {
    match kind {
        SelectorKind::All => "[*]".to_owned(),
        SelectorKind::Append => "[+]".to_owned(),
        SelectorKind::First => "[first]".to_owned(),
        SelectorKind::Nth(number) => format!("[{number}]"),
        SelectorKind::From(number) => format!("[{number}..]"),
        SelectorKind::Equals(key, value) => format!("[{key}={value}]"),
        SelectorKind::Differs(key, value) => format!("[{key}!={value}]"),
        SelectorKind::Origin(path) => format!("[@{path}]"),
        SelectorKind::Named(name) => format!("[{name}]"),
        SelectorKind::Choice => "[x]".to_owned(),
    }
}

const IDENTIFIER_TYPES: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";
