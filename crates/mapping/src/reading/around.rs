//! Finds the segments around an instance: the nearest of an id, those beside it, those in groups of a name.

use std::rc::Rc;

use dukou_wire::groups::GroupId;

use super::{At, NONE, Reading};

impl<'m> Reading<'m> {
    /// The nearest segment of an id: in the own group, then outwards; never in a sibling of a group on the way. Of
    /// several it is the last one before the own segment, else the first.
    pub(crate) fn nearest(&self, name: &str, at: At<'_, 'm>) -> Option<usize> {
        let Some(own) = at.segment else { return self.message.first(name).map(|segment| segment.index()) };
        if name == "MSH" {
            return Some(0);
        }
        let pick = |seen: &[u32]| {
            let before = seen.partition_point(|index| *index as usize <= own.index());
            seen.get(before.saturating_sub(1)).map(|index| *index as usize)
        };
        let group = self.groups.group_of(own.index());
        let here = self.groups.group(group);
        if here.segments.len() > 1 || self.first_child[group as usize] != NONE {
            let seen = self.seen_from(group, "", name);
            if !seen.is_empty() {
                return pick(&seen);
            }
        }
        pick(&self.seen_from(here.parent?, here.name, name))
    }

    /// Segments of an id in a group, else below it (leaving out groups of the name from which we come), else outside.
    fn seen_from(&self, group: GroupId, from: &'static str, name: &str) -> Rc<[u32]> {
        let id = name.as_bytes().first_chunk::<3>().copied().unwrap_or_default();
        let key = (group, from, id);
        if let Some(known) = self.seen.borrow().get(&key) {
            return Rc::clone(known);
        }
        let here = self.groups.group(group);
        let mut found: Vec<u32> = self.direct(group, name).collect();
        if found.is_empty() {
            self.below(group, from, name, &mut found);
            found.sort_unstable();
        }
        let seen: Rc<[u32]> = match here.parent {
            // The own group alone is asked first, without its surroundings.
            Some(parent) if found.is_empty() && !from.is_empty() => self.seen_from(parent, here.name, name),
            _ => found.into(),
        };
        self.seen.borrow_mut().insert(key, Rc::clone(&seen));
        seen
    }

    fn below(&self, group: GroupId, from: &str, name: &str, found: &mut Vec<u32>) {
        let mut child = self.first_child[group as usize];
        while child != NONE {
            if self.groups.group(child).name != from {
                found.extend(self.direct(child, name));
                self.below(child, "", name, found);
            }
            child = self.next_sibling[child as usize];
        }
    }

    /// Segments in the own group, after the own segment and before the next one of its id.
    pub(super) fn beside_indexes(&self, name: &str, at: At<'_, 'm>) -> Vec<u32> {
        let Some(own) = at.segment else { return Vec::new() };
        let here = self.groups.group(self.groups.group_of(own.index()));
        let id = own.id();
        let start = here.segments.partition_point(|index| *index as usize <= own.index());
        let window =
            here.segments[start..].iter().take_while(|index| self.message.segment(**index as usize).id() != id);
        window.copied().filter(|index| self.message.segment(*index as usize).id() == name).collect()
    }

    /// Segments of an id in groups of a name, nearest first; without a name in the whole message.
    pub(super) fn group_indexes(&self, group: &[String], name: &str, at: At<'_, 'm>) -> Vec<u32> {
        let all = || (0u32..).zip(self.message.segments());
        let Some(wanted) = group.last() else {
            return all().filter(|(_, segment)| segment.id() == name).map(|(index, _)| index).collect();
        };
        let mut around = at.segment.map(|own| self.groups.group_of(own.index()));
        let mut from = "";
        loop {
            let scope = around.unwrap_or(NONE);
            let here = self.groups.group(scope);
            let mut found = Vec::new();
            if here.name == wanted {
                found.extend(self.direct(scope, name));
            } else {
                self.named_below(scope, from, wanted, name, &mut found);
            }
            if !found.is_empty() || around.is_none() {
                return found;
            }
            from = here.name;
            around = here.parent;
        }
    }

    fn direct(&self, group: GroupId, name: &str) -> impl Iterator<Item = u32> {
        let segments = self.groups.group(group).segments.iter().copied();
        segments.filter(move |index| self.message.segment(*index as usize).id() == name)
    }

    /// Looks below a group, leaving out groups of the name from which we come: they belong to others.
    fn named_below(&self, group: GroupId, from: &str, wanted: &str, name: &str, found: &mut Vec<u32>) {
        let mut child = self.first_child[group as usize];
        while child != NONE {
            let here = self.groups.group(child).name;
            if here != from {
                if here == wanted {
                    found.extend(self.direct(child, name));
                }
                self.named_below(child, "", wanted, name, found);
            }
            child = self.next_sibling[child as usize];
        }
    }

    /// Whether the segment stands in one of the scopes, each a path of group names from outside in.
    pub(crate) fn in_scope(&self, scopes: &[Vec<String>], segment: usize) -> bool {
        scopes.is_empty()
            || scopes.iter().any(|scope| {
                let mut group = Some(self.groups.group_of(segment));
                let mut names = scope.iter().rev();
                let Some(inner) = names.next() else { return true };
                while let Some(id) = group {
                    let here = self.groups.group(id);
                    if here.name == inner {
                        let mut outer = here.parent;
                        return names.all(|name| {
                            let found = outer.map(|id| self.groups.group(id));
                            outer = found.and_then(|group| group.parent);
                            found.is_some_and(|group| group.name == name)
                        });
                    }
                    group = here.parent;
                }
                false
            })
    }
}
