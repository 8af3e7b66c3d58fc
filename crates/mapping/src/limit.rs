//! Limits of a receiver: how many characters a field may have on the way out. They stand in overlays, never in base maps.

use crate::diagnostic::Findings;
use crate::path_text::source_path;
use crate::place::Word;
use crate::section::Section;
use crate::yaml::Tree;

/// `PID-5.1: 48 cut`.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    /// The field, component or subcomponent.
    pub(crate) path: Word,
    /// Characters.
    pub(crate) characters_max: u32,
    /// A longer value is cut and reported; else it is refused.
    pub(crate) cut: bool,
}

/// The limits of an overlay.
pub(crate) fn read(section: &Section<'_>, findings: &mut Findings<'_>) -> Vec<Limit> {
    let mut limits = Vec::new();
    let Some(inner) = section.section("limits", findings) else { return limits };
    for (path, tree) in inner.members() {
        let Tree::Text(text) = tree else {
            findings.error("E-LIMIT", tree.place(), "a limit is a number of characters", HINT);
            continue;
        };
        match source_path(path) {
            Ok(parsed) if parsed.field > 0 => {}
            Ok(_) => findings.error("E-LIMIT", path.place, format!("'{}' names no field", path.value), HINT),
            Err(fault) => findings.error("E-LIMIT", fault.place, fault.text, fault.hint),
        }
        let (number, cut) = match text.value.split_once(' ') {
            Some((number, "cut")) => (number, true),
            _ => (text.value.as_str(), false),
        };
        match number.parse() {
            Ok(characters_max) if characters_max > 0 => limits.push(Limit { path: path.clone(), characters_max, cut }),
            _ => findings.error("E-LIMIT", text.place, format!("'{}' is no limit", text.value), HINT),
        }
    }
    limits
}

/// A map that carries limits itself.
pub(crate) fn refuse(section: &Section<'_>, findings: &mut Findings<'_>) {
    if let Some((key, _)) = section.members().iter().find(|(key, _)| key.value == "limits") {
        let text = "limits are a receiver's, so they stand in no base map";
        findings.error("E-LIMIT", key.place, text, "put them into an overlay: overlay/site/ID/NAME.fmap.yaml");
    }
}

const HINT: &str = "write: limits: {PID-5.1: 48 cut}";
