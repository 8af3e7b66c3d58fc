//! What a lens could not carry: kept in the complement, or beside its value in an extension.

use dukou_fhir::{NodeId, Value};
use dukou_wire::Node;

use crate::plan::{RestPlan, Write};
use crate::reading::locate;
use crate::run::{Run, Standing};
use crate::sheet::Sheet;
use crate::tally::{Claim, LeafClass};
use crate::write::Given;

impl<'m> Run<'m> {
    /// What the lens could not carry.
    #[allow(clippy::too_many_arguments, reason = "one step of a rule whose state is these")]
    pub(crate) fn rest(
        &mut self,
        write: &'m Write,
        given: Given<'_, 'm>,
        rest: Option<Box<(&'static str, Value<'m>)>>,
        point: usize,
        claim: Claim,
        value: NodeId,
        sheet: &mut Sheet<'m>,
        standing: Standing,
    ) {
        let extension = match &write.rest {
            RestPlan::Unsaid => return,
            RestPlan::Complement => {
                self.tally.range(given.span(), claim, LeafClass::Complement);
                return;
            }
            RestPlan::Extension(url) => {
                let (name, left) = match rest {
                    Some(rest) => (rest.0, self.forest.plant(rest.1)),
                    None => match given.first().and_then(|node| self.left_over(node, point, claim)) {
                        Some(parts) => ("extension", parts),
                        None => return,
                    },
                };
                let (extension, url) = (self.forest.object(), self.forest.string(url.as_str()));
                self.forest.append(extension, "url", url);
                self.forest.append(extension, name, left);
                extension
            }
        };
        if self.forest.is_object(value) {
            self.forest.open(value);
            let known = self.forest.member(value, "extension").filter(|known| self.forest.is_list(*known));
            let list = known.unwrap_or_else(|| {
                let list = self.forest.list();
                self.forest.insert(value, "extension", list);
                list
            });
            self.forest.push(list, extension);
            return;
        }
        for target in &write.targets {
            let (beside, list) = (self.forest.object(), self.forest.list());
            let extension = self.forest.share(extension);
            self.forest.push(list, extension);
            self.forest.append(beside, "extension", list);
            self.put_on(target, Some(&target.beside), 0, beside, sheet, standing);
        }
    }

    /// One nested extension for each leaf that the lens did not place: its component number and its text.
    fn left_over(&mut self, node: Node<'m>, point: usize, claim: Claim) -> Option<NodeId> {
        let leaves = self.tally.unmarked(node, point);
        let parts = self.forest.list();
        for leaf in leaves {
            let start = self.tally.start_of(leaf);
            let Some((number, text)) = locate(node, start) else { continue };
            let part = self.forest.object();
            for (name, node) in [("url", self.forest.string(number)), ("valueString", self.forest.string(text))] {
                self.forest.append(part, name, node);
            }
            self.forest.push(parts, part);
            self.tally.emit_leaf(leaf, claim);
        }
        (!self.forest.is_empty(parts)).then_some(parts)
    }
}
