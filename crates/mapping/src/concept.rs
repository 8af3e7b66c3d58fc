//! Translated codes beside the codes that were sent.

use dukou_fhir::{Forest, NodeId};
use dukou_terminology::{Table, Translation};

use crate::plan::Write;
use crate::reading::{first_leaf, part, valued};
use crate::refusal::Refusal;
use crate::run::Run;
use crate::write::{Given, Grown, Growth};

impl<'m> Run<'m> {
    /// Puts the translation of the sender's code in front of a concept, or in place of a coding's code.
    pub(crate) fn translate(
        &mut self,
        write: &Write,
        table: usize,
        made: Option<Grown<'m>>,
        given: Given<'_, 'm>,
        point: usize,
    ) -> Growth<'m> {
        let Some(made) = made else { return Ok(None) };
        let table: &'m Table = &self.program.tables[table];
        let target = write.targets.first().map_or("", |target| target.kind.name());
        let (concept, coding) = (target == "CodeableConcept", target == "Coding");
        let leaf = given.first().map(|node| first_leaf(part(node, 1))).filter(|leaf| valued(*leaf));
        let (true, Some(leaf)) = (self.forest.is_object(made.node) && (concept || coding), leaf) else {
            return Ok(Some(made));
        };
        let text = leaf.text();
        let mut source = None;
        let translated = match table.translate(text.trim()) {
            Translation::Coded(found) => {
                source = (!found.lossy).then_some(table.head().source.as_str());
                if found.lossy {
                    self.tally.lossy(point);
                }
                let coding = self.forest.object();
                let parts = [("system", found.system), ("code", Some(&*found.code)), ("display", found.display)];
                for (name, text) in parts {
                    let Some(text) = text else { continue };
                    let text = self.forest.joined(&[text]);
                    self.forest.append(coding, name, text);
                }
                Some(coding)
            }
            Translation::Text => None,
            Translation::Refused => return Err(Refusal("code-unknown")),
        };
        let node = match (translated, coding) {
            (Some(translated), true) => translated,
            (None, true) => return Err(Refusal("code-unknown")),
            (translated, false) => concept_with(&mut self.forest, made.node, translated, source, &text),
        };
        Ok(Some(Grown { node, ..made }))
    }
}

/// The translated coding stands first; the sender's own stays behind it unless the two say the same: same code and
/// system, no system, or the system of a table (`source`) that leads back from the translation.
pub(crate) fn concept_with(
    forest: &mut Forest<'_>,
    concept: NodeId,
    translated: Option<NodeId>,
    source: Option<&str>,
    text: &str,
) -> NodeId {
    forest.open(concept);
    // A bare code comes as a coding without a concept around it.
    let bare = forest.member(concept, "code").is_some() && forest.member(concept, "coding").is_none();
    let (concept, own) = match forest.remove(concept, "coding") {
        _ if bare => (forest.object(), vec![concept]),
        Some(list) if forest.is_list(list) => (concept, taken(forest, list)),
        _ => (concept, Vec::new()),
    };
    let Some(translated) = translated else {
        if forest.member(concept, "text").is_none() {
            let text = forest.joined(&[text]);
            forest.append(concept, "text", text);
        }
        return concept;
    };
    let list = forest.list();
    forest.push(list, translated);
    for coding in own {
        if !is_twin(forest, coding, translated, source, text) {
            forest.push(list, coding);
        } else if let Some(display) = forest.member(coding, "display") {
            let display = forest.copy(display);
            forest.insert(translated, "display", display);
        }
    }
    forest.append(concept, "coding", list);
    concept
}

/// All items of a list, taken out of it.
fn taken(forest: &mut Forest<'_>, list: NodeId) -> Vec<NodeId> {
    forest.open(list);
    let items: Vec<NodeId> = forest.children(list).collect();
    for item in &items {
        forest.take_out(list, *item);
    }
    items
}

fn is_twin(forest: &Forest<'_>, coding: NodeId, translated: NodeId, source: Option<&str>, text: &str) -> bool {
    let (coding, translated) = (forest.branch(coding), forest.branch(translated));
    let equal = |name: &str| coding.text_at(name) == translated.text_at(name);
    let own = coding.text_at("system");
    let leads_back = source.is_some_and(|source| own == Some(source) && coding.text_at("code") == Some(text));
    leads_back || (equal("code") && (equal("system") || own.is_none()))
}
