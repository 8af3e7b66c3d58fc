//! Changes of a country, vendor or site to base maps, by rule id.

use crate::compile::History;
use crate::diagnostic::{Findings, nearest_name};
use crate::file::{Edit, LensFile, MapFile, OverlayFile, Words};
use crate::rule::Rule;
use crate::table_text::InlineTable;

/// Applies overlays in the order base, country, vendor, site.
pub(crate) fn apply(
    maps: &mut [(MapFile, History)],
    lenses: &mut [LensFile],
    overlays: Vec<(u32, OverlayFile)>,
    findings: &mut Findings<'_>,
) {
    let mut leveled: Vec<(u8, OverlayFile)> =
        overlays.into_iter().map(|(file, overlay)| (level(&findings.file_name(file)), overlay)).collect();
    leveled.sort_by(|a, b| (a.0, &a.1.map.value).cmp(&(b.0, &b.1.map.value)));
    twice(&leveled, findings);
    for (_, overlay) in leveled {
        let name = overlay.map.value.clone();
        if let Some((map, history)) = maps.iter_mut().find(|(map, _)| map.name.value == name) {
            let base = Base { rules: &mut map.rules, tables: &mut map.tables, words: &mut map.words };
            change(base, history, overlay, findings);
        } else if let Some(lens) = lenses.iter_mut().find(|lens| lens.name.value == name) {
            let base = Base { rules: &mut lens.rules, tables: &mut lens.tables, words: &mut lens.words };
            change(base, &mut Vec::new(), overlay, findings);
        } else {
            let names = maps.iter().map(|(map, _)| &map.name).chain(lenses.iter().map(|lens| &lens.name));
            let near = nearest_name(&name, names.map(|name| name.value.as_str()));
            let hint = near.map_or_else(String::new, |near| format!("nearest: {near}"));
            let text = format!("no map or lens '{name}' below this overlay");
            findings.error("E-OVERLAY-RULE", overlay.map.place, text, hint);
        }
    }
}

/// What an overlay may change.
struct Base<'b> {
    rules: &'b mut Vec<Rule>,
    tables: &'b mut Vec<InlineTable>,
    words: &'b mut Words,
}

/// 1 country, 2 vendor, 3 site; another folder counts as the country's.
fn level(file: &str) -> u8 {
    if file.contains("overlay/site/") {
        3
    } else if file.contains("overlay/vendor/") {
        2
    } else {
        1
    }
}

fn twice(overlays: &[(u8, OverlayFile)], findings: &mut Findings<'_>) {
    for (at, (level, overlay)) in overlays.iter().enumerate() {
        for edit in &overlay.edits {
            let same = |other: &&(u8, OverlayFile)| {
                other.0 == *level
                    && other.1.map.value == overlay.map.value
                    && other.1.edits.iter().any(|known| known.id().value == edit.id().value)
            };
            if let Some((_, first)) = overlays[..at].iter().find(same) {
                let hint = format!("also in {}", findings.name_of(first.map.place));
                let text = format!("two overlays of one level change the rule '{}'", edit.id().value);
                findings.error("E-OVERLAY-RULE", edit.id().place, text, hint);
            }
        }
    }
}

fn change(base: Base<'_>, history: &mut History, overlay: OverlayFile, findings: &mut Findings<'_>) {
    for edit in overlay.edits {
        let id = edit.id().clone();
        let at = base.rules.iter().position(|rule| rule.id.value == id.value);
        match (edit, at) {
            (Edit::Add(rule), None) => base.rules.push(rule),
            (Edit::Add(_), Some(at)) => {
                let hint = format!("first in {}; write: replace", findings.name_of(base.rules[at].id.place));
                findings.error("E-OVERLAY-RULE", id.place, format!("the rule '{}' is there already", id.value), hint);
                continue;
            }
            (Edit::Replace(rule), Some(at)) => base.rules[at] = rule,
            (Edit::Drop(_), Some(at)) => {
                base.rules.remove(at);
            }
            (Edit::Replace(_) | Edit::Drop(_), None) => {
                let near = nearest_name(&id.value, base.rules.iter().map(|rule| rule.id.value.as_str()));
                let hint = near.map_or_else(String::new, |near| format!("nearest: {near}"));
                findings.error("E-OVERLAY-RULE", id.place, format!("no rule '{}' in the maps below", id.value), hint);
                continue;
            }
        }
        history.push((id.value, findings.name_of(id.place)));
    }
    for table in overlay.tables {
        base.tables.retain(|known| known.name.value != table.name.value);
        base.tables.push(table);
    }
    // What is declared last is found first.
    base.words.systems.splice(..0, overlay.words.systems);
    base.words.extensions.splice(..0, overlay.words.extensions);
}
