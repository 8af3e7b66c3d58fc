//! The walk over a resource beside the table.

use crate::schema::{Element, Form, Member, TypeId};
use crate::{Issue, Object, ResourceType, Severity, Value};

use super::finding::{self, Found};
use super::invariant::{self, Check};
use super::link::{Container, Links};
use super::{coded, link, narrative, primitive};

/// The state of a walk: where it stands, what it found, and what references may resolve to.
pub(super) struct Walk<'v> {
    steps: Vec<Step<'v>>,
    issues: Vec<Issue>,
    issues_max: usize,
    /// Faults beyond the limit, counted and not named, and the worst of them.
    more: usize,
    worst: Severity,
    pub(super) known: Known,
    /// Resources that stand for themselves, the innermost last.
    pub(super) containers: Vec<Container<'v>>,
    /// Full urls of the Bundles around, the innermost last.
    pub(super) bundles: Vec<Links<'v>>,
}

/// One step of the expression: `contact[0]`.
struct Step<'v> {
    name: &'v str,
    index: Option<u32>,
}

/// Types that have rules of their own.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) element: Option<TypeId>,
    pub(super) reference: Option<TypeId>,
    pub(super) coding: Option<TypeId>,
    pub(super) codeable_concept: Option<TypeId>,
    pub(super) quantity: Option<TypeId>,
}

impl<'v> Walk<'v> {
    pub(super) fn new(issues_max: usize) -> Self {
        let known = Known {
            element: TypeId::parse("Element"),
            reference: TypeId::parse("Reference"),
            coding: TypeId::parse("Coding"),
            codeable_concept: TypeId::parse("CodeableConcept"),
            quantity: TypeId::parse("Quantity"),
        };
        Walk {
            steps: Vec::with_capacity(16),
            issues: Vec::new(),
            issues_max,
            more: 0,
            worst: Severity::Information,
            known,
            containers: Vec::new(),
            bundles: Vec::new(),
        }
    }

    /// Checks the outermost resource.
    pub(super) fn top(&mut self, value: &'v Value<'v>) {
        if let Some(name) = value.resource_type().filter(|name| finding::is_name(name)) {
            self.steps.push(Step { name, index: None });
        }
        self.resource(value, false);
    }

    pub(super) fn finish(mut self) -> Vec<Issue> {
        if self.more > 0 {
            self.issues.push(finding::more(self.more, self.worst));
        }
        self.issues
    }

    /// Reports a fault at the current place.
    pub(super) fn fault(&mut self, issue: impl FnOnce() -> Issue) {
        let issue = issue();
        if self.issues.len() < self.issues_max {
            let place = self.expression();
            self.issues.push(if place.is_empty() { issue } else { issue.at(place) });
        } else {
            self.more += 1;
            self.worst = self.worst.min(issue.severity);
        }
    }

    /// Reports a fault at a member of the current place.
    pub(super) fn fault_at(&mut self, name: &'v str, issue: impl FnOnce() -> Issue) {
        self.steps.push(Step { name, index: None });
        self.fault(issue);
        self.steps.pop();
    }

    fn expression(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(step.name);
            if let Some(index) = step.index {
                text.push_str(&format!("[{index}]"));
            }
        }
        text
    }

    /// Checks a resource at the current place; `contained` resources share the references of their container.
    fn resource(&mut self, value: &'v Value<'v>, contained: bool) {
        let Some(object) = value.as_object() else {
            return self.fault(|| finding::wrong_json(Found::of(value), "a resource", "一个资源"));
        };
        let kind = match object.get("resourceType") {
            Some(Value::String(name)) => match ResourceType::parse(name) {
                Some(kind) => kind,
                None => return self.fault(finding::unknown_resource_type),
            },
            _ => return self.fault(finding::no_resource_type),
        };
        if contained {
            link::check_contained(self, object);
        } else {
            self.containers.push(Container::of(object));
        }
        if kind == ResourceType::BUNDLE {
            self.bundles.push(Links::of(object));
        }
        self.object(TypeId::of(kind), object);
        if kind == ResourceType::BUNDLE {
            self.bundles.pop();
        }
        if !contained {
            link::leave_container(self);
        }
    }

    /// Checks the members of an object of a type.
    fn object(&mut self, kind: TypeId, object: &'v Object<'v>) {
        let is_resource = kind.form() == Form::Resource;
        if object.is_empty() || (!is_resource && object.len() == 1 && object.contains("id")) {
            return self.fault(finding::empty_element);
        }
        if self.steps.len() > LEVELS_MAX {
            return self.fault(finding::too_deep);
        }
        let mut present = 0u128;
        for (name, value) in object.iter() {
            if is_resource && name == "resourceType" {
                continue;
            }
            let (base, is_side) = name.strip_prefix('_').map_or((name, false), |base| (base, true));
            let Some(member) = kind.member(base) else {
                self.unknown(kind, name);
                continue;
            };
            let bit = 1 << member.place;
            if member.element.choice && present & bit != 0 && is_second_choice(kind, object, name) {
                self.fault_at(member.element.name, || finding::choice_repeated(member.element.name));
                continue;
            }
            present |= bit;
            if is_side {
                self.side(member, base, value, object);
            } else {
                self.member(member, name, value, object);
            }
        }
        let mut missing = kind.required() & !present;
        while missing != 0 {
            let place = missing.trailing_zeros() as usize;
            missing &= missing - 1;
            if let Some(element) = kind.elements().nth(place) {
                self.fault_at(element.name, || finding::missing(element));
            }
        }
        self.invariants(kind, object);
    }

    fn invariants(&mut self, kind: TypeId, object: &'v Object<'v>) {
        for rule in invariant::of(kind) {
            match rule.check {
                Check::Object(holds) => {
                    if !holds(object) {
                        self.fault(|| finding::invariant(rule));
                    }
                }
                Check::Each(list, holds) => {
                    let items = object.get(list).and_then(Value::as_array).unwrap_or_default();
                    for (index, item) in items.iter().enumerate() {
                        if item.as_object().is_some_and(|item| !holds(object, item)) {
                            self.within(list, Some(index), |walk| walk.fault(|| finding::invariant(rule)));
                        }
                    }
                }
            }
        }
    }

    fn unknown(&mut self, kind: TypeId, name: &'v str) {
        let base = name.strip_prefix('_').unwrap_or(name);
        let choice = kind.elements().find(|element| element.choice && base.starts_with(element.name));
        match choice {
            _ if !finding::is_name(base) => self.fault(|| finding::unknown_element_unnamed(kind)),
            Some(element) => self.fault_at(base, || finding::wrong_choice(base, element)),
            None => self.fault_at(base, || finding::unknown_element(base, kind)),
        }
    }

    /// Checks the value or the list of values of an element.
    fn member(&mut self, member: Member, name: &str, value: &'v Value<'v>, object: &'v Object<'v>) {
        let element = member.element;
        if !element.is_list() {
            self.steps.push(Step { name: element.name, index: None });
            match value {
                Value::Array(items) => self.fault(|| finding::is_a_list(element, items.len())),
                _ => self.content(member, value),
            }
            self.steps.pop();
            return;
        }
        let Value::Array(items) = value else {
            return self.fault_at(element.name, || finding::not_a_list(element, Found::of(value)));
        };
        if items.is_empty() {
            return self.fault_at(element.name, finding::empty_list);
        }
        if items.len() > element.max as usize {
            self.fault_at(element.name, || finding::too_many(element, items.len()));
        }
        for (index, item) in items.iter().enumerate() {
            self.steps.push(Step { name: element.name, index: u32::try_from(index).ok() });
            if item.is_null() && has_side(member, object, name, index) {
                self.steps.pop();
                continue;
            }
            self.content(member, item);
            self.steps.pop();
        }
    }

    fn content(&mut self, member: Member, value: &'v Value<'v>) {
        let kind = member.content.kind;
        match kind.form() {
            Form::Primitive(primitive) => self.primitive(primitive, member.element, value),
            Form::Complex => match value {
                Value::Object(object) => {
                    self.object(kind, object);
                    self.datatype(member, object);
                }
                _ => self.fault(|| finding::wrong_json(Found::of(value), "an object", "一个对象")),
            },
            Form::Resource => self.resource(value, member.element.name == "contained"),
        }
    }

    fn primitive(&mut self, primitive: crate::schema::Primitive, element: &'static Element, value: &'v Value<'v>) {
        if primitive == crate::schema::Primitive::Xhtml {
            if let Err(fault) = narrative::check(value) {
                self.fault(|| finding::narrative(fault));
            }
            return;
        }
        if let Err(misfit) = primitive::check(primitive, value) {
            return self.fault(|| finding::misfit(primitive, misfit, Found::of(value)));
        }
        if let Value::String(text) = value {
            if let Some(set) = element.binding {
                coded::check_code(self, set, text);
            }
            if text.starts_with('#') {
                link::mark_used(self, text);
            }
        }
    }

    /// Rules of single datatypes that need more than the object itself.
    fn datatype(&mut self, member: Member, object: &'v Object<'v>) {
        let kind = Some(member.content.kind);
        if kind == self.known.reference {
            link::check_reference(self, member.content, object);
        } else if member.content.simple && object.contains("comparator") {
            self.fault_at("comparator", finding::comparator);
        } else if let Some(set) = member.element.binding {
            if kind == self.known.codeable_concept {
                coded::check_concept(self, set, object);
            } else if kind == self.known.coding || kind == self.known.quantity {
                coded::check_coding(self, set, object);
            }
        }
    }

    /// Checks a `_` member: id and extensions of a primitive, or a list of these beside a list of primitives.
    fn side(&mut self, member: Member, base: &'v str, value: &'v Value<'v>, object: &'v Object<'v>) {
        let element = member.element;
        if !matches!(member.content.kind.form(), Form::Primitive(_)) {
            return self.fault_at(element.name, || finding::side_of_complex(base));
        }
        if !element.is_list() {
            self.steps.push(Step { name: element.name, index: None });
            self.side_content(value, object.contains(base));
            self.steps.pop();
            return;
        }
        let Value::Array(items) = value else {
            return self.fault_at(element.name, || finding::not_a_list(element, Found::of(value)));
        };
        let values = object.get(base).and_then(Value::as_array);
        if values.is_some_and(|values| values.len() != items.len()) || items.is_empty() {
            self.fault_at(element.name, || finding::sides_uneven(base));
        }
        for (index, item) in items.iter().enumerate() {
            let value = values.and_then(|values| values.get(index));
            if item.is_null() && values.is_some() {
                // The value stands alone; a null beside a null is reported there.
                continue;
            }
            self.steps.push(Step { name: element.name, index: u32::try_from(index).ok() });
            self.side_content(item, value.is_some_and(|value| !value.is_null()));
            self.steps.pop();
        }
    }

    /// Checks what stands beside one primitive; an id alone is enough only beside a value.
    fn side_content(&mut self, value: &'v Value<'v>, beside_value: bool) {
        let (Value::Object(object), Some(element)) = (value, self.known.element) else {
            return self.fault(|| {
                finding::wrong_json(Found::of(value), "an object with id or extension", "含 id 或 extension 的对象")
            });
        };
        match (object.len(), object.get("id"), element.member("id")) {
            (1, Some(id), Some(member)) if beside_value => self.member(member, "id", id, object),
            _ => self.object(element, object),
        }
    }

    /// The index of the current place in its list; 0 where it is in none.
    pub(super) fn index(&self) -> usize {
        self.steps.last().and_then(|step| step.index).map_or(0, |index| index as usize)
    }

    /// Steps into a member by hand, for rules that look ahead.
    pub(super) fn within(&mut self, name: &'v str, index: Option<usize>, then: impl FnOnce(&mut Self)) {
        self.steps.push(Step { name, index: index.and_then(|index| u32::try_from(index).ok()) });
        then(self);
        self.steps.pop();
    }
}

/// Whether a choice was said before under another type; the same type with its `_` member is one choice.
fn is_second_choice(kind: TypeId, object: &Object<'_>, name: &str) -> bool {
    let base = name.strip_prefix('_').unwrap_or(name);
    let Some(own) = kind.member(base) else {
        return false;
    };
    let earlier = object.iter().map(|(other, _)| other).take_while(|other| *other != name);
    let mut bases = earlier.map(|other| other.strip_prefix('_').unwrap_or(other)).filter(|other| *other != base);
    bases.any(|other| kind.member(other).is_some_and(|member| member.place == own.place))
}

/// Whether the `_` member has content for a null in a list of primitives.
fn has_side(member: Member, object: &Object<'_>, name: &str, index: usize) -> bool {
    if !matches!(member.content.kind.form(), Form::Primitive(_)) {
        return false;
    }
    let side = object.iter().find(|(other, _)| other.strip_prefix('_') == Some(name));
    side.and_then(|(_, value)| value.as_array()?.get(index)).is_some_and(|value| !value.is_null())
}

/// Levels of elements; trees from the JSON reader stay well below.
const LEVELS_MAX: usize = 200;
