//! Changes of a country, vendor or site to base maps, by rule id.

use crate::compile::History;
use crate::diagnostic::{Findings, nearest_name};
use crate::file::{Edit, LensFile, MapFile, OverlayFile, Words, taken};
use crate::grammar;
use crate::place::{Place, Word};
use crate::rule::{Dialect, NullPolicy, Rule};
use crate::table_text::InlineTable;

/// Applies overlays in the order base, country, vendor, site.
pub(crate) fn apply(
    maps: &mut [(MapFile, History)],
    lenses: &mut [LensFile],
    overlays: Vec<(u32, OverlayFile)>,
    findings: &mut Findings<'_>,
) {
    let mut leveled: Vec<(u8, OverlayFile)> = Vec::new();
    for (file, overlay) in overlays {
        leveled.push((level(&findings.file_name(file), overlay.map.place, findings), overlay));
    }
    leveled.sort_by(|a, b| (a.0, &a.1.map.value).cmp(&(b.0, &b.1.map.value)));
    twice(&leveled, findings);
    for (_, overlay) in leveled {
        let name = overlay.map.value.clone();
        if let Some((map, history)) = maps.iter_mut().find(|(map, _)| map.name.value == name) {
            map.tests.extend(overlay.tests.iter().cloned());
            map.limits.extend(overlay.limits.iter().cloned());
            let dialect = map.source.dialect();
            let base = Base { rules: &mut map.rules, tables: &mut map.tables, words: &mut map.words, dialect };
            change(base, history, overlay, findings);
        } else if let Some(lens) = lenses.iter_mut().find(|lens| lens.name.value == name) {
            for (key, what) in [
                (overlay.tests.first().map(crate::yaml::Tree::place), "tests"),
                (overlay.limits.first().map(|limit| limit.path.place), "limits"),
            ] {
                if let Some(place) = key {
                    findings.error("E-HEAD", place, format!("{what} belong to a map, and '{name}' is a lens"), "");
                }
            }
            let dialect = lens.dialect;
            let base = Base { rules: &mut lens.rules, tables: &mut lens.tables, words: &mut lens.words, dialect };
            change(base, &mut lens.history, overlay, findings);
        } else {
            let names = maps.iter().map(|(map, _)| &map.name).chain(lenses.iter().map(|lens| &lens.name));
            let names: Vec<&str> = names.map(|name| name.value.as_str()).collect();
            let near = nearest_name(&name, names.iter().copied());
            let like: Vec<&str> = names.iter().copied().filter(|known| known.contains(name.as_str())).take(6).collect();
            let hint = match near {
                Some(near) => format!("nearest: {near}"),
                None if like.is_empty() => String::new(),
                None => format!("there are: {}", like.join(", ")),
            };
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
    dialect: Dialect,
}

/// 1 country, 2 vendor, 3 site.
fn level(file: &str, place: Place, findings: &mut Findings<'_>) -> u8 {
    let below = file.split_once("overlay/").map_or("", |(_, below)| below);
    let folders: Vec<&str> = below.split('/').collect();
    match folders.as_slice() {
        ["site", _, _, ..] => 3,
        ["vendor", _, _, ..] => 2,
        [country, _, ..] if country.len() == 2 => 1,
        _ => {
            let hint = "put it below overlay/cn/, overlay/vendor/NAME/ or overlay/site/ID/";
            findings.error("E-OVERLAY-PLACE", place, "an overlay lies outside of the overlay folders", hint);
            1
        }
    }
}

/// What overlays of one level may not touch together: rules, tables and limits of one map.
fn twice(overlays: &[(u8, OverlayFile)], findings: &mut Findings<'_>) {
    let mut seen: Vec<(u8, &str, &str, &Word)> = Vec::new();
    for (level, overlay) in overlays {
        let map = overlay.map.value.as_str();
        let edits = overlay.edits.iter().map(|edit| ("rule", edit.id()));
        let tables = overlay.tables.iter().filter(|table| !table.adds).map(|table| ("table", &table.name));
        let limits = overlay.limits.iter().map(|limit| ("limit of", &limit.path));
        for (what, name) in edits.chain(tables).chain(limits) {
            let same = seen.iter().find(|(l, m, w, n)| (*l, *m, *w, &n.value) == (*level, map, what, &name.value));
            if let Some((_, _, _, first)) = same {
                let text = match first.place.file == name.place.file {
                    true => format!("this overlay changes the {what} '{}' twice", name.value),
                    false => format!("two overlays of one level change the {what} '{}'", name.value),
                };
                findings.error(
                    "E-OVERLAY-RULE",
                    name.place,
                    text,
                    format!("also in {}", findings.name_of(first.place)),
                );
            } else {
                seen.push((*level, map, what, name));
            }
        }
    }
}

/// A line as the map below reads its own.
fn read(id: &Word, text: &Word, dialect: Dialect, findings: &mut Findings<'_>) -> Option<Rule> {
    taken(Some(grammar::rule(id, text, dialect)), findings)
}

fn change(base: Base<'_>, history: &mut History, overlay: OverlayFile, findings: &mut Findings<'_>) {
    for edit in overlay.edits {
        let id = edit.id().clone();
        let here = findings.name_of(id.place);
        let at = base.rules.iter().position(|rule| rule.id.value == id.value);
        match (edit, at) {
            (Edit::Add(id, text), None) => {
                let Some(rule) = read(&id, &text, base.dialect, findings) else { continue };
                history.changes.push((id.value, format!("added in {here}")));
                base.rules.push(rule);
            }
            (Edit::Add(..), Some(at)) => {
                let hint = format!("first in {}; write: replace", findings.name_of(base.rules[at].id.place));
                findings.error("E-OVERLAY-RULE", id.place, format!("the rule '{}' is there already", id.value), hint);
            }
            (Edit::Replace(id, text), Some(at)) => {
                let Some(rule) = read(&id, &text, base.dialect, findings) else { continue };
                let before = std::mem::replace(&mut base.rules[at], rule);
                let text = format!(
                    "replaced in {here}; before, in {}: {}",
                    findings.name_of(before.id.place),
                    before.text.value
                );
                history.changes.push((id.value, text));
            }
            (Edit::Drop(_, reason), Some(at)) => {
                let text = format!("dropped in {here}: {reason}");
                history.changes.push((id.value, text));
                history.dropped.push(base.rules.remove(at));
            }
            (Edit::Replace(..) | Edit::Drop(..), None) => {
                let near = nearest_name(&id.value, base.rules.iter().map(|rule| rule.id.value.as_str()));
                let hint = near.map_or_else(String::new, |near| format!("nearest: {near}"));
                findings.error("E-OVERLAY-RULE", id.place, format!("no rule '{}' in the maps below", id.value), hint);
            }
        }
    }
    for rule in base.rules.iter_mut() {
        if let (Some(zone), Some(said)) = (&overlay.zone, &mut rule.clauses.zone)
            && said.value == "site"
        {
            *said = zone.clone();
        }
        if rule.clauses.null.is_none() {
            rule.clauses.null = overlay.null;
        }
    }
    for table in overlay.tables {
        if !table.adds {
            base.tables.retain(|known| known.name.value != table.name.value);
        }
        base.tables.push(table);
    }
    // What is declared last is found first.
    base.words.systems.splice(..0, overlay.words.systems);
    base.words.extensions.splice(..0, overlay.words.extensions);
}

/// `delete`, `keep` or `error`.
pub(crate) fn null_policy(text: &str) -> Option<NullPolicy> {
    match text {
        "delete" => Some(NullPolicy::Delete),
        "keep" => Some(NullPolicy::Keep),
        "error" => Some(NullPolicy::Error),
        _ => None,
    }
}
