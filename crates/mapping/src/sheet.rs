//! A resource or datatype while rules fill it.

use std::collections::HashSet;

use dukou_fhir::{Branch, FhirDateTime, Forest, NodeId, Offset, Value};

use crate::plan::{Filter, ItemPlace, ListStep, StepPlan, TargetPlan};
use crate::quick::{QuickHash, QuickMap};

/// An object being filled, and which list items belong to which source repeats.
#[derive(Debug, Default)]
pub(crate) struct Sheet<'m> {
    pub(crate) root: NodeId,
    /// List items that rules share, by group and repeat.
    items: Items,
    /// Lists and filters that were written, by their numbers in the plan.
    pub(crate) claims: Vec<(u16, u16)>,
    /// Targets whose source was null.
    pub(crate) clears: Vec<&'m TargetPlan>,
    /// Elements that are written only where none is stored.
    pub(crate) once: Vec<&'m str>,
}

/// Items by the group of rules that share them and the repeat of the source that they were made for. A resource may have as
/// many as a message has segments.
type Items = QuickMap<(u16, u32), NodeId>;

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It stands.
    Done,
    /// Another value stood there already and stays.
    Taken,
    /// There was no item to write into.
    Nowhere,
}

impl<'m> Sheet<'m> {
    /// The member that stands for the whole of a primitive.
    pub(crate) const WHOLE: &'static str = "self";

    /// An empty one.
    pub(crate) fn new(forest: &mut Forest<'m>) -> Self {
        Sheet { root: forest.object(), ..Sheet::default() }
    }

    /// Writes a value that stands nowhere else; `name` overrides the last step's member name.
    pub(crate) fn put(
        &mut self,
        forest: &mut Forest<'m>,
        target: &'m TargetPlan,
        name: Option<&'m str>,
        ordinal: u32,
        value: NodeId,
    ) -> Put {
        if target.steps.is_empty() {
            return set(forest, self.root, Self::WHOLE, value);
        }
        let mut writing = Writing { forest, items: &mut self.items, name, ordinal };
        let put = writing.write(self.root, &target.steps, value);
        if put == Put::Done {
            self.claim(target);
        }
        put
    }

    /// Where the value that a target was given last now stands, with list numbers from 0.
    pub(crate) fn path_of(&self, forest: &Forest<'m>, target: &TargetPlan, name: Option<&str>, ordinal: u32) -> String {
        let mut path = String::new();
        let mut at = Some(self.root);
        for (number, step) in target.steps.iter().enumerate() {
            let member = match name {
                Some(name) if number + 1 == target.steps.len() => name,
                _ => &step.name,
            };
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(member);
            let found = at.and_then(|object| forest.member(object, member));
            let Some(list) = &step.list else {
                at = found;
                continue;
            };
            at = found.and_then(|array| {
                let item = self.item_of(forest, list, array, ordinal)?;
                let index = forest.children(array).position(|known| known == item)?;
                path.push_str(&format!("[{index}]"));
                Some(item)
            });
        }
        path
    }

    fn item_of(&self, forest: &Forest<'m>, list: &ListStep, array: NodeId, ordinal: u32) -> Option<NodeId> {
        match list.place {
            ItemPlace::Append => forest.children(array).next_back(),
            _ => found(forest, &self.items, list, array, ordinal),
        }
    }

    /// Notes that the source of a target was null.
    pub(crate) fn clear(&mut self, target: &'m TargetPlan) {
        self.claim(target);
        self.clears.push(target);
    }

    fn claim(&mut self, target: &TargetPlan) {
        if target.claim.0 != 0 && !self.claims.contains(&target.claim) {
            self.claims.push(target.claim);
        }
    }
}

/// One value on its way to its place.
struct Writing<'w, 'm> {
    forest: &'w mut Forest<'m>,
    items: &'w mut Items,
    name: Option<&'m str>,
    ordinal: u32,
}

impl<'m> Writing<'_, 'm> {
    /// Whether an item of the list says all that a value says.
    fn says(&self, item: NodeId, list: &ListStep, value: NodeId) -> bool {
        let in_slice = list.filter.as_ref().is_none_or(|filter| filter.holds(self.forest.branch(item)));
        let same = |member: NodeId| {
            let own = self.forest.member(item, self.forest.name(member));
            own.is_some_and(|own| self.forest.same(own, member))
        };
        in_slice && self.forest.children(value).all(same)
    }

    fn write(&mut self, object: NodeId, steps: &'m [StepPlan], value: NodeId) -> Put {
        let Some((step, below)) = steps.split_first() else { return Put::Nowhere };
        self.forest.open(object);
        let member: &'m str = match self.name {
            Some(name) if below.is_empty() => name,
            _ => &step.name,
        };
        let Some(list) = &step.list else {
            if below.is_empty() {
                return set(self.forest, object, member, value);
            }
            let Some(inner) = self.child(object, member) else { return Put::Taken };
            let put = self.write(inner, below, value);
            if self.forest.is_empty(inner) {
                self.forest.take_out(object, inner);
            }
            return put;
        };
        if let ItemPlace::Each(group) = list.place {
            return self.each(object, member, list, group, below, value);
        }
        let Some(array) = self.array(object, member) else { return Put::Taken };
        self.forest.open(array);
        // The same thing said in two fields is appended once, also where the first says more of it.
        if below.is_empty()
            && list.place == ItemPlace::Append
            && self.forest.is_object(value)
            && self.forest.children(array).rev().take(TWINS_SOUGHT).any(|item| self.says(item, list, value))
        {
            return Put::Done;
        }
        if let (true, ItemPlace::Nth(number)) = (member.starts_with('_'), list.place) {
            return self.beside(array, usize::from(number), below, value);
        }
        if below.is_empty() {
            return self.whole(array, list, value);
        }
        let (item, new) = match found(self.forest, self.items, list, array, self.ordinal) {
            Some(item) => (item, false),
            None => (self.new_item(array, list), true),
        };
        let put = match self.forest.is_object(item) {
            true => self.write(item, below, value),
            false => Put::Taken,
        };
        // An item made for a value that found no room goes again.
        if put != Put::Done && new {
            self.forest.take_out(array, item);
            if let ItemPlace::Zip(group) = list.place {
                self.items.remove(&(group, self.ordinal));
            }
            if self.forest.is_empty(array) {
                self.forest.take_out(object, array);
            }
        }
        put
    }

    /// Writes into the list beside a list of primitives, where `null` keeps the numbers aligned.
    fn beside(&mut self, array: NodeId, number: usize, below: &'m [StepPlan], value: NodeId) -> Put {
        lengthen(self.forest, array, number);
        let Some(mut slot) = self.forest.children(array).nth(number - 1) else { return Put::Nowhere };
        if self.forest.branch(slot).is_null() {
            let object = self.forest.object();
            self.forest.replace(array, slot, object);
            slot = object;
        }
        match self.forest.is_object(slot) {
            true => self.write(slot, below, value),
            false => Put::Taken,
        }
    }

    fn each(
        &mut self,
        object: NodeId,
        member: &str,
        list: &'m ListStep,
        group: Option<u16>,
        below: &'m [StepPlan],
        value: NodeId,
    ) -> Put {
        let Some(array) = self.forest.member(object, member).filter(|array| self.forest.is_list(*array)) else {
            return Put::Nowhere;
        };
        self.forest.open(array);
        let of_group = |group| self.items.iter().filter(move |((known, _), _)| *known == group).map(|(_, node)| *node);
        let shared: HashSet<NodeId, QuickHash> = group.into_iter().flat_map(of_group).collect();
        let mut put = Put::Nowhere;
        let mut next = self.forest.first(array);
        while let Some(item) = next {
            next = self.forest.next(item);
            let chosen = match group {
                Some(_) => shared.contains(&item),
                None => list.filter.as_ref().is_none_or(|filter| filter.holds(self.forest.branch(item))),
            };
            if !chosen || !self.forest.is_object(item) {
                continue;
            }
            put = match below.is_empty() {
                true => Put::Nowhere,
                false => {
                    let value = self.forest.share(value);
                    self.write(item, below, value)
                }
            };
        }
        put
    }

    /// Writes a value that is an item itself.
    fn whole(&mut self, array: NodeId, list: &'m ListStep, value: NodeId) -> Put {
        if let Some(slot) = found(self.forest, self.items, list, array, self.ordinal) {
            return merge(self.forest, slot, value);
        }
        if list.filter.as_ref().is_some_and(|filter| !filter.negate) {
            let made = self.new_item(array, list);
            return merge(self.forest, made, value);
        }
        self.add(array, list, value);
        Put::Done
    }

    /// A new object in the list, in the slice where one is named.
    fn new_item(&mut self, array: NodeId, list: &'m ListStep) -> NodeId {
        let item = self.forest.object();
        if let Some((member, made)) = list.filter.as_ref().and_then(Filter::made) {
            let made = self.forest.plant(made);
            self.forest.append(item, member, made);
        }
        self.add(array, list, item);
        item
    }

    fn add(&mut self, array: NodeId, list: &ListStep, item: NodeId) {
        self.forest.push(array, item);
        if let ItemPlace::Zip(group) = list.place {
            self.items.insert((group, self.ordinal), item);
        }
    }

    fn child(&mut self, object: NodeId, member: &'m str) -> Option<NodeId> {
        let found = match self.forest.member(object, member) {
            Some(found) => found,
            None => {
                let made = self.forest.object();
                self.forest.append(object, member, made);
                made
            }
        };
        self.forest.is_object(found).then_some(found)
    }

    fn array(&mut self, object: NodeId, member: &'m str) -> Option<NodeId> {
        let found = match self.forest.member(object, member) {
            Some(found) => found,
            None => {
                let made = self.forest.list();
                self.forest.append(object, member, made);
                made
            }
        };
        self.forest.is_list(found).then_some(found)
    }
}

/// The item to write that is there already.
fn found(forest: &Forest<'_>, items: &Items, list: &ListStep, array: NodeId, ordinal: u32) -> Option<NodeId> {
    let holds = |item: &NodeId| list.filter.as_ref().is_none_or(|filter| filter.holds(forest.branch(*item)));
    match list.place {
        ItemPlace::Zip(group) => items.get(&(group, ordinal)).copied(),
        ItemPlace::Nth(number) => forest.children(array).filter(holds).nth(usize::from(number) - 1),
        ItemPlace::One => list.filter.as_ref().and_then(|_| forest.children(array).find(holds)),
        ItemPlace::Append | ItemPlace::Each(_) => None,
    }
}

/// Makes each list of primitives as long as the list of extensions beside it, and the other way round.
pub(crate) fn align(forest: &mut Forest<'_>, object: NodeId) {
    let beside = |member: &NodeId| forest.name(*member).starts_with('_') && forest.is_list(*member);
    let lists: Vec<NodeId> = forest.children(object).filter(beside).collect();
    for extensions in lists {
        let plain = forest.name(extensions)[1..].to_owned();
        let values = match forest.member(object, &plain) {
            Some(values) => values,
            None => {
                let values = forest.list();
                forest.append_owned(object, plain, values);
                values
            }
        };
        if forest.is_list(values) {
            let longest = forest.children(values).count().max(forest.children(extensions).count());
            lengthen(forest, values, longest);
            lengthen(forest, extensions, longest);
        }
    }
}

/// Fills a list up with `null`.
fn lengthen(forest: &mut Forest<'_>, list: NodeId, length: usize) {
    for _ in forest.children(list).count()..length {
        let null = forest.plant(Value::Null);
        forest.push(list, null);
    }
}

fn set<'m>(forest: &mut Forest<'m>, object: NodeId, member: &'m str, value: NodeId) -> Put {
    if member == "end" && ends_before_it_starts(forest.branch(object), forest.branch(value)) {
        return Put::Taken;
    }
    match forest.member(object, member) {
        None => {
            forest.append(object, member, value);
            Put::Done
        }
        Some(_) => {
            forest.open(object);
            forest.member(object, member).map_or(Put::Nowhere, |slot| merge(forest, slot, value))
        }
    }
}

/// A period that ends before it starts is no period (FHIR R4, invariant per-1): the start stays, the end is refused.
fn ends_before_it_starts(object: Branch<'_, '_>, end: Branch<'_, '_>) -> bool {
    let start = object.text_at("start").and_then(FhirDateTime::parse);
    let end = end.as_str().and_then(FhirDateTime::parse);
    matches!((start, end), (Some(start), Some(end)) if end.high(Offset::UTC) < start.low(Offset::UTC))
}

/// Adds what is missing; what stands already stays.
fn merge(forest: &mut Forest<'_>, slot: NodeId, value: NodeId) -> Put {
    if !forest.is_object(slot) || !forest.is_object(value) {
        return if forest.same(slot, value) { Put::Done } else { Put::Taken };
    }
    forest.open(slot);
    forest.open(value);
    let mut next = forest.first(value);
    while let Some(member) = next {
        next = forest.next(member);
        if forest.member(slot, forest.name(member)).is_none() {
            forest.take_out(value, member);
            forest.adopt(slot, member);
        }
    }
    Put::Done
}

/// How many of the last items of a list are compared with one to be appended.
const TWINS_SOUGHT: usize = 8;
