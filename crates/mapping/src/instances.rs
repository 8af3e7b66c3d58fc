//! Makes the instances of maps: for which segments and elements, under which parents, with which ids.

use dukou_fhir::{IssueType, LogicalId, Severity, Text};

use crate::file::Weak;
use crate::identify;
use crate::plan::{EmitPlan, LensUse, MapPlan, Operation, Root, Write};
use crate::reading::At;
use crate::run::{Instance, Run, Standing};
use crate::sheet::Sheet;

impl<'m> Run<'m> {
    /// Makes the instances of a map and runs what runs once.
    pub(crate) fn enter(&mut self, map: &'m MapPlan) {
        let first = self.instances.len();
        for (number, emit) in map.emits.iter().enumerate() {
            self.enter_emit(map, number, emit);
        }
        if self.instances.len() > first {
            let at = At::default();
            self.once(map, at);
        }
    }

    /// Runs what belongs to no instance.
    pub(crate) fn once(&mut self, map: &'m MapPlan, at: At<'_, 'm>) {
        for operation in &map.once {
            if self.reading.holds(&operation.guard, at) {
                self.leaves(operation, at);
            }
        }
    }

    fn enter_emit(&mut self, map: &'m MapPlan, number: usize, emit: &'m EmitPlan) {
        let places: Vec<usize> = self.reading.named(&emit.per).collect();
        for place in places {
            if self.reading.in_scope(&emit.scopes, place) {
                self.enter_place(map, number, emit, place);
            }
        }
    }

    /// Makes the instance of an emit for a segment or element.
    pub(crate) fn enter_place(&mut self, map: &'m MapPlan, number: usize, emit: &'m EmitPlan, place: usize) {
        let at = self.reading.at(place);
        let made = self.reading.holds(&emit.guard, at);
        let parents: Vec<Option<usize>> = emit.under.iter().map(|under| self.parent(&map.emits[*under], at)).collect();
        let (id, weak) = if made { self.id(emit, number, &parents, at) } else { (None, false) };
        let own = self.instances.len();
        if id.is_some() {
            self.made.entry((emit.kind, place)).or_insert(own);
        }
        self.of_emit.insert((std::ptr::from_ref(emit) as usize, place), own);
        let mention = emit.mention.as_ref().is_some_and(|tests| self.reading.holds(tests, at));
        self.instances.push(Instance { map, emit, place, parents, id, weak, mention, reference: None });
        let sheet = Sheet::new(&mut self.forest);
        self.sheets.push(sheet);
    }

    /// The parent: the instance of the nearest segment of the parent's kind, or of the nearest element around.
    fn parent(&self, parent: &EmitPlan, at: At<'_, 'm>) -> Option<usize> {
        let of = |place: usize| self.of_emit.get(&(std::ptr::from_ref(parent) as usize, place)).copied();
        match (at.element, at.segment) {
            (Some(element), _) => element.ancestors().find_map(|around| of(around.index())),
            (None, Some(row)) if row.is_row() => of(row.index()),
            _ => of(self.reading.nearest(&parent.per, at)?),
        }
    }

    /// The instance that an emit of the map of an instance has made for a place.
    pub(crate) fn made_by_emit(&self, standing: Standing, emit: usize, place: usize) -> Option<usize> {
        let emit = self.instances[standing.own?].map.emits.get(emit)?;
        let found = self.of_emit.get(&(std::ptr::from_ref(emit) as usize, place)).copied();
        found.filter(|at| self.is_made(*at))
    }

    fn id(
        &mut self,
        emit: &'m EmitPlan,
        number: usize,
        parents: &[Option<usize>],
        at: At<'_, 'm>,
    ) -> (Option<LogicalId>, bool) {
        let parent_id = parents.iter().flatten().find_map(|parent| self.instances[*parent].id.as_ref());
        let keyed = identify::key(self.maker(), &emit.id, emit.kind, parent_id, at, None);
        if let Some(keyed) = keyed {
            let nth = if keyed.nth {
                let seen = self.keys_seen.entry((number, keyed.bytes())).or_insert(0);
                *seen += 1;
                *seen
            } else {
                0
            };
            return (Some(keyed.id(nth)), false);
        }
        match emit.id.weak {
            Weak::Skip => (None, false),
            Weak::Flag => {
                let id = identify::weak(self.site.id, emit.kind, &self.reading, at, self.instances.len() as u32);
                (Some(id), true)
            }
            Weak::Error => {
                let path = self.reading.place_path(at);
                let text = Text::new(
                    format!("no identifier for the {}: none of the fields of its key is valued", emit.kind),
                    format!("无法确定 {} 的标识：关键字段均为空", emit.kind),
                );
                self.issue(Severity::Error, IssueType::Required, "id-missing", text, path);
                (None, false)
            }
        }
    }

    /// A Reference to what a map makes of the segment.
    pub(crate) fn refer(
        &mut self,
        operation: &'m Operation,
        write: &'m Write,
        at: At<'_, 'm>,
        sheet: &mut Sheet<'m>,
        standing: Standing,
    ) {
        for path in operation.sources.first().into_iter().flatten() {
            let near = match &path.root {
                Root::Own => Some(at.place()),
                Root::Nearest(name) => Some(self.reading.nearest(name, at)),
                _ => None,
            };
            let several = if near.is_none() { self.reading.places(path, at) } else { Vec::new() };
            let mut found = false;
            for (ordinal, place) in (0u32..).zip(near.flatten().into_iter().chain(several)) {
                let made = match &write.lens {
                    LensUse::Segment(kind) => self.made_for(*kind, place),
                    LensUse::Emit(emit) => self.made_by_emit(standing, *emit, place),
                    _ => None,
                };
                let Some(made) = made else { continue };
                found = true;
                let reference = self.reference(made);
                self.place(write, None, ordinal << 16, reference, sheet, standing);
            }
            if found {
                return;
            }
        }
    }
}
