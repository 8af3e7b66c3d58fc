//! Reads the members of a mapping by name.

use crate::diagnostic::Findings;
use crate::file::key_hint;
use crate::place::{Place, Placed, Word};
use crate::yaml::Tree;

/// A mapping whose keys are known.
pub(crate) struct Section<'t> {
    members: &'t Placed<Vec<(Word, Tree)>>,
}

impl<'t> Section<'t> {
    pub(crate) fn new(tree: &'t Tree, what: &str, findings: &mut Findings<'_>) -> Option<Section<'t>> {
        match tree {
            Tree::Map(members) => Some(Section { members }),
            other => {
                findings.error("E-HEAD", other.place(), format!("{what} must be a mapping"), "write: key: value");
                None
            }
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.members.place
    }

    pub(crate) fn members(&self) -> &'t [(Word, Tree)] {
        &self.members.value
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'t Tree> {
        self.members.value.iter().find(|(word, _)| word.value == key).map(|(_, tree)| tree)
    }

    /// Every key must be one of the known ones.
    pub(crate) fn only(&self, known: &[&str], findings: &mut Findings<'_>) {
        for (key, _) in &self.members.value {
            if !known.contains(&key.value.as_str()) {
                findings.error(
                    "E-HEAD",
                    key.place,
                    format!("unknown key '{}'", key.value),
                    key_hint(&key.value, known),
                );
            }
        }
    }

    pub(crate) fn text(&self, key: &str, findings: &mut Findings<'_>) -> Option<Word> {
        match self.get(key)? {
            Tree::Text(word) => Some(word.clone()),
            other => {
                findings.error("E-HEAD", other.place(), format!("'{key}' must be text"), "");
                None
            }
        }
    }

    pub(crate) fn section(&self, key: &str, findings: &mut Findings<'_>) -> Option<Section<'t>> {
        Section::new(self.get(key)?, &format!("'{key}'"), findings)
    }

    pub(crate) fn list(&self, key: &str, findings: &mut Findings<'_>) -> &'t [Tree] {
        match self.get(key) {
            None => &[],
            Some(Tree::List(items)) => &items.value,
            Some(other) => {
                let hint = "write lines that begin with '- '";
                findings.error("E-HEAD", other.place(), format!("'{key}' must be a list"), hint);
                &[]
            }
        }
    }

    /// One word or a list of words.
    pub(crate) fn words(&self, key: &str, findings: &mut Findings<'_>) -> Vec<Word> {
        match self.get(key) {
            Some(Tree::Text(word)) => vec![word.clone()],
            Some(Tree::List(items)) => items
                .value
                .iter()
                .filter_map(|item| match item {
                    Tree::Text(word) => Some(word.clone()),
                    other => {
                        findings.error("E-HEAD", other.place(), format!("'{key}' must be a list of words"), "");
                        None
                    }
                })
                .collect(),
            Some(other) => {
                findings.error("E-HEAD", other.place(), format!("'{key}' must be a word or a list"), "");
                Vec::new()
            }
            None => Vec::new(),
        }
    }
}
