//! Translated codes beside the codes that were sent.

use dukou_fhir::{Forest, NodeId};

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
