//! Lenses written in files: what their rules make of a datatype, and the small resources that such lenses make.

use dukou_fhir::{NodeId, ResourceKey};
use dukou_wire::Node;

use crate::finish::lacks;
use crate::identify;
use crate::reading::At;
use crate::refusal::Refusal;
use crate::run::{Mention, Run, Standing};
use crate::sheet::{Sheet, align};
use crate::tally::Claim;
use crate::write::{Grown, Growth};

impl<'m> Run<'m> {
    /// Runs the rules of a lens file over a datatype.
    pub(crate) fn compose(
        &mut self,
        lens: usize,
        inner: At<'_, 'm>,
        claim: Claim,
        standing: Standing,
    ) -> Result<Option<(NodeId, Sheet<'m>)>, Refusal> {
        let plan = &self.program.lenses[lens];
        let point = self.tally.point();
        let mut sheet = Sheet::new(&mut self.forest);
        let root = sheet.root;
        let inside = Standing { own: None, inside: true, ..standing };
        let mut cells = self.cells.pop().unwrap_or_default();
        cells.extend(inner.part.iter().flat_map(Node::children));
        self.body(&plan.body, At { cells: &cells, ..inner }, &mut sheet, inside);
        cells.clear();
        self.cells.push(cells);
        align(&mut self.forest, root);
        for required in plan.body.required.iter().rev() {
            if lacks(&mut self.forest, root, required) && required.parent.is_empty() && !self.forest.is_empty(root) {
                return Err(Refusal("part-missing"));
            }
        }
        if self.forest.is_empty(root) {
            return Ok(None);
        }
        self.tally.regions(point, claim);
        if plan.primitive {
            return Ok(self.forest.remove(root, Sheet::WHOLE).map(|value| (value, sheet)));
        }
        Ok(Some((root, sheet)))
    }

    /// Makes a small resource and gives the Reference to it.
    pub(crate) fn mention(&mut self, lens: usize, inner: At<'_, 'm>, claim: Claim, standing: Standing) -> Growth<'m> {
        let plan = &self.program.lenses[lens];
        let (Some(kind), Some(id)) = (plan.resource, &plan.id) else { return Ok(None) };
        let Some((value, sheet)) = self.compose(lens, inner, claim, standing)? else { return Ok(None) };
        let identifier = self.forest.member(value, "identifier");
        let identifier = identifier.map(|found| self.forest.first(found).unwrap_or(found));
        let identifier = identifier.map(|found| self.forest.copy(found));
        let display = crate::display::of(&mut self.forest, value);
        let cells: Vec<Node<'m>> = inner.part.iter().flat_map(Node::children).collect();
        let inner = At { cells: &cells, ..inner };
        let keyed = identify::key(self.maker(), id, kind, None, inner, None);
        let reference = self.forest.object();
        if let Some(keyed) = keyed
            && self.forest.is_object(value)
        {
            let key = ResourceKey::new(kind, keyed.id(1));
            let text = self.forest.joined(&[kind.as_str(), "/", key.id.as_str()]);
            self.forest.append(reference, "reference", text);
            let owner = self.owner();
            self.mentions.push(Mention { key, sheet, lists: &plan.body, owner, again: None });
        }
        for (name, said) in [("identifier", identifier), ("display", display)] {
            if let Some(said) = said {
                self.forest.append(reference, name, said);
            }
        }
        Ok((!self.forest.is_empty(reference)).then(|| Grown::new(reference)))
    }
}
