//! Where sources stand: the place of a path for one list item.

use dukou_fhir::{Object, Value};

use super::draft::Spot;
use super::run::{Back, Scope};
use super::value::{Form, text_of};
use super::view::kind_of;
use crate::plan::{ActionPlan, Body, LensUse, PathPlan, Position, RestPlan, Root, TargetPlan, Write};

impl<'v> Back<'v> {
    /// The place of the first alternative that can be written, or of the one that the complement names.
    pub(crate) fn spot(
        &mut self,
        paths: &'v [PathPlan],
        rule: u32,
        item: Option<usize>,
        scope: &mut Scope<'_, 'v>,
    ) -> Option<Spot> {
        if scope.top
            && let Some(path) = self.hints.alternative(scope.seat, rule).and_then(|number| paths.get(number))
            && !self.is_shared(path, scope)
            && let Some(spot) = self.place(path, rule, item, scope)
        {
            return Some(spot);
        }
        paths.iter().find_map(|path| self.place(path, rule, item, scope))
    }

    /// Whether the place belongs to others of the same kind as well: what one of them says does not change it.
    fn is_shared(&self, path: &PathPlan, scope: &Scope<'_, 'v>) -> bool {
        let Root::Nearest(name) = &path.root else { return false };
        let here = self.known_nearest(name, scope.own);
        let mut others = self.hints.siblings(scope.seat).iter().filter(|other| **other != scope.own);
        others.any(|other| self.known_nearest(name, *other) == here)
    }

    fn place(&mut self, path: &'v PathPlan, rule: u32, item: Option<usize>, scope: &mut Scope<'_, 'v>) -> Option<Spot> {
        let ordinal = item.filter(|_| scope.top).and_then(|item| self.hints.ordinal(item, scope.seat, rule));
        let segment = match &path.root {
            Root::Part => return scope.spot?.part(path.component)?.part(path.subcomponent),
            Root::Own => scope.own,
            Root::Nearest(name) => self.draft.nearest(name, scope.own)?,
            Root::Beside(name, position) => {
                let known: Vec<u32> = self.beside(name, scope.own).collect();
                let nth = segment_number(*position, ordinal);
                self.segment_for(item, known, nth, scope, |back, own| back.draft.open_beside(name, own))?
            }
            Root::Group(groups, name, position) => {
                let known = self.grouped(groups, name, scope.own);
                let nth = segment_number(*position, ordinal);
                self.segment_for(item, known, nth, scope, |back, own| back.draft.open_in(groups, name, own))?
            }
            Root::Tree(tree) => {
                let spot = self.places.spot(tree, scope.own)?;
                return Some(self.tree_item(spot, rule, item, scope));
            }
            Root::Row(kind) => self.places.frame(*kind)?,
        };
        let spot = Spot { segment, field: 0, repetition: 0, component: 0, subcomponent: 0 };
        if path.is_segment() {
            return Some(spot);
        }
        let repetition = self.repetition(segment, path, rule, item, ordinal, scope);
        let spot = Spot { field: path.field, repetition, ..spot };
        spot.part(path.component)?.part(path.subcomponent)
    }

    /// The place with the item of its path that stands for a list item.
    fn tree_item(&mut self, spot: Spot, rule: u32, item: Option<usize>, scope: &mut Scope<'_, 'v>) -> Spot {
        if spot.repetition != 0 {
            return spot;
        }
        let ordinal = item.filter(|_| scope.top).and_then(|item| self.hints.ordinal(item, scope.seat, rule));
        if let Some(ordinal) = ordinal {
            return Spot { repetition: (ordinal & 0xffff) as u16 + 1, ..spot };
        }
        let here = |known: &Spot| known.segment == spot.segment && known.field == spot.field;
        if let Some(item) = item
            && let Some((_, known)) = scope.items.iter().find(|(at, known)| *at == item && here(known))
        {
            return Spot { repetition: known.repetition, ..spot };
        }
        let sent = self.hints.repetitions(spot.segment, spot.field);
        let taken = scope.items.iter().filter(|(_, known)| here(known)).map(|(_, known)| known.repetition).max();
        let sent = sent.max(taken.unwrap_or(0));
        let spot = Spot { repetition: self.draft.repetition(spot.segment, spot.field, Position::All, sent), ..spot };
        if let Some(item) = item {
            scope.items.push((item, spot));
        }
        spot
    }

    /// The segment that stands for an item: the one it has, the one of its number, or a new one.
    fn segment_for(
        &mut self,
        item: Option<usize>,
        known: Vec<u32>,
        nth: Option<usize>,
        scope: &mut Scope<'_, 'v>,
        open: impl FnOnce(&mut Back<'v>, u32) -> Option<u32>,
    ) -> Option<u32> {
        let own = |spot: &Spot| spot.field == 0 && known.contains(&spot.segment);
        if let Some(item) = item
            && let Some((_, spot)) = scope.items.iter().find(|(at, spot)| *at == item && own(spot))
        {
            return Some(spot.segment);
        }
        if let Some(segment) = nth.and_then(|nth| known.get(nth)) {
            return Some(*segment);
        }
        let segment = open(self, scope.own)?;
        if let Some(item) = item {
            let spot = Spot { segment, field: 0, repetition: 0, component: 0, subcomponent: 0 };
            scope.items.push((item, spot));
        }
        Some(segment)
    }

    fn repetition(
        &mut self,
        segment: u32,
        path: &'v PathPlan,
        rule: u32,
        item: Option<usize>,
        ordinal: Option<u32>,
        scope: &mut Scope<'_, 'v>,
    ) -> u16 {
        if let Some(ordinal) = ordinal {
            return (ordinal & 0xffff) as u16 + 1;
        }
        let here = |spot: &Spot| spot.segment == segment && spot.field == path.field;
        if let Some(item) = item
            && let Some((_, spot)) = scope.items.iter().find(|(at, spot)| *at == item && here(spot))
        {
            return spot.repetition;
        }
        let open = match path.filter {
            Some(_) => Position::All,
            None => path.position,
        };
        let sent = self.hints.repetitions(segment, path.field);
        let filtered = path.filter.as_ref().filter(|_| matches!(path.position, Position::Nth(_)));
        let known = filtered.and_then(|filter| self.draft.filtered(segment, path.field, filter));
        // What belongs to no item fills the field from its first repetition on.
        let known = known.or((item.is_none() && matches!(open, Position::All)).then_some(1));
        let repetition = known.unwrap_or_else(|| self.draft.repetition(segment, path.field, open, sent));
        let spot = Spot { segment, field: path.field, repetition, component: 0, subcomponent: 0 };
        if let Some(filter) = path.filter.as_ref().filter(|filter| !filter.negate) {
            let leaf = Spot { component: filter.component, subcomponent: filter.subcomponent, ..spot };
            self.write(leaf, Form::Equation, rule, filter.value.as_str().into(), scope);
        }
        if let Some(item) = item {
            scope.items.push((item, spot));
        }
        repetition
    }

    /// Segments of an id beside the own one, up to the next of its kind.
    pub(crate) fn beside<'s>(&'s self, id: &'s str, own: u32) -> impl Iterator<Item = u32> + 's {
        let segment = &self.draft.segments[own as usize];
        let children = &self.draft.groups[segment.group as usize].children;
        let at = children.iter().position(|child| *child == super::draft::Child::Segment(own)).unwrap_or(0);
        let behind = children[at + 1..].iter().filter_map(|child| match child {
            super::draft::Child::Segment(at) => Some(*at),
            super::draft::Child::Group(_) => None,
        });
        let window = behind.take_while(move |at| self.draft.segments[*at as usize].id != segment.id);
        window.filter(move |at| self.draft.segments[*at as usize].id == id)
    }

    /// Segments of an id in groups of a name around or below the own segment.
    fn grouped(&self, names: &[String], id: &str, own: u32) -> Vec<u32> {
        let Some(wanted) = names.last() else { return Vec::new() };
        let mut group = self.draft.segments[own as usize].group;
        let mut from = "";
        loop {
            let mut found = Vec::new();
            if self.draft.groups[group as usize].name == wanted {
                found.extend(self.draft.direct(group, id));
            } else {
                self.draft.named_below(group, from, wanted, id, &mut found);
            }
            from = self.draft.groups[group as usize].name;
            match self.draft.groups[group as usize].parent {
                Some(parent) if found.is_empty() => group = parent,
                _ => return found,
            }
        }
    }

    /// The nearest segment of an id that is there.
    pub(crate) fn known_nearest(&self, id: &str, own: u32) -> Option<u32> {
        self.draft.known_nearest(id, own)
    }

    /// Whether a reference points to what a rule beside this one makes of a field of its own: a laboratory among the
    /// performers is no bare code of a producer.
    pub(crate) fn is_anothers(&self, body: &Body, target: &TargetPlan, value: &Value<'v>) -> bool {
        let Some(resource) = self.resource else { return false };
        let found = value.text_at("reference").and_then(|text| self.view.resolve(text, resource));
        let Some(kind) = found.and_then(kind_of) else { return false };
        let names = |target: &TargetPlan| target.steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>();
        let own = names(target);
        body.operations.iter().filter(|other| other.equates()).any(|other| match &other.action {
            ActionPlan::Write(write) => match write.lens {
                LensUse::Resource(lens) if self.program.lenses[lens].resource == Some(kind) => {
                    write.targets.iter().any(|other| other.parent.is_none() && names(other) == own)
                }
                _ => false,
            },
            ActionPlan::Drop | ActionPlan::Keep => false,
        })
    }

    /// A small resource behind a Reference, printed by the lens that would have made it.
    pub(crate) fn referred(
        &mut self,
        lens: usize,
        write: &'v Write,
        value: &Value<'v>,
        spot: Spot,
        strict: bool,
        scope: &Scope<'_, 'v>,
    ) -> bool {
        let program = self.program;
        let plan = &program.lenses[lens];
        let Some(kind) = plan.resource else { return false };
        let reference = value.text_at("reference");
        let found = reference.and_then(|text| self.view.resolve(text, self.resource?));
        let target = found.and_then(|object| match kind_of(object) {
            Some(known) if known == kind => Some(object),
            // A role names the person and the organisation that it joins (R4, PractitionerRole).
            Some(known) if known.as_str() == "PractitionerRole" => {
                let member = if kind.as_str() == "Practitioner" { "practitioner" } else { "organization" };
                let inner = object.get(member)?.text_at("reference")?;
                self.view.resolve(inner, object).filter(|inner| kind_of(inner) == Some(kind))
            }
            _ => None,
        });
        let said = match (target, found) {
            (Some(object), _) if super::fit::fit(&plan.body, object, strict).is_none() => false,
            (Some(object), _) => self.inner(&plan.body, object, write, spot, scope),
            (None, Some(_)) => false,
            (None, None) => match logical(value, kind.as_str()) {
                Some(object) => self.inner(&plan.body, &object, write, spot, scope),
                None => false,
            },
        };
        if said {
            self.carry(value, &[]);
        }
        said
    }

    /// A Reference that only points, with the identifier and the name of what it points to.
    pub(crate) fn filled_reference(&self, reference: &Object<'v>) -> Option<Object<'v>> {
        let text = reference.get("reference").and_then(Value::as_str)?;
        if reference.contains("identifier") || reference.contains("display") {
            return None;
        }
        let object = self.view.resolve(text, self.resource?)?;
        let mut filled = Object::new();
        let identifier = object.get("identifier").and_then(|found| found.as_array().map_or(Some(found), <[_]>::first));
        if let Some(identifier) = identifier {
            filled.insert("identifier", identifier.clone());
        }
        if let Some(name) = object.get("name").filter(|name| name.as_str().is_some()) {
            filled.insert("display", name.clone());
        }
        (!filled.is_empty()).then_some(filled)
    }

    /// What a lens left over stands in extensions by its component number.
    pub(crate) fn left_over(&mut self, write: &'v Write, object: &Object<'v>, spot: Spot, scope: &Scope<'_, 'v>) {
        let RestPlan::Extension(url) = &write.rest else { return };
        let extensions = object.get("extension").and_then(Value::as_array).unwrap_or_default();
        for extension in extensions.iter().filter(|extension| extension.text_at("url") == Some(url)) {
            for part in extension.list_at("extension") {
                let mut numbers = part.text_at("url").unwrap_or("").split('.').filter_map(|number| number.parse().ok());
                let place = numbers.try_fold(spot, Spot::part);
                if let (Some(place), Some(text)) = (place, part.get("valueString").and_then(text_of)) {
                    self.write(place, Form::Plain, u32::MAX, text, scope);
                }
            }
            self.carry(extension, &[]);
        }
    }
}

fn segment_number(position: Position, ordinal: Option<u32>) -> Option<usize> {
    match (ordinal, position) {
        (Some(ordinal), _) => Some((ordinal >> 16) as usize),
        (None, Position::Nth(number)) => Some(usize::from(number) - 1),
        (None, _) => None,
    }
}

/// What a Reference says by itself of a resource that is not here: identifier and display.
fn logical<'v>(value: &Value<'v>, kind: &str) -> Option<Object<'v>> {
    let stated = value.text_at("type").or_else(|| value.text_at("reference").and_then(|text| text.split('/').next()));
    if stated.is_some_and(|stated| stated != kind && dukou_fhir::ResourceType::parse(stated).is_some()) {
        return None;
    }
    let mut object = Object::new().with("resourceType", kind.to_owned());
    if let Some(identifier) = value.get("identifier") {
        object.insert("identifier", Value::Array(vec![identifier.clone()]));
    }
    if let Some(display) = value.get("display") {
        match kind {
            "Practitioner" | "Patient" | "RelatedPerson" => {
                let name = Object::new().with("text", display.clone());
                object.insert("name", Value::Array(vec![Value::Object(name)]));
            }
            _ => {
                object.insert("name", display.clone());
            }
        }
    }
    (object.len() > 1).then_some(object)
}
