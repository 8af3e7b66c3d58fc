//! The value sets of required bindings, expanded where they can be listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::elements::VALUE_SETS;
use super::{Fault, list, resources, text};

/// One line a set and system: url, system, codes parted by `|`. A set that cannot be listed (a filter, a system that is
/// not published here) has one line without system and codes.
pub(crate) fn table(definitions: &Path, bound: &BTreeSet<String>) -> Result<String, Fault> {
    let mut source = Source::default();
    for file in ["valuesets.json", "v3-codesystems.json", "v2-tables.json"] {
        source.read(definitions, file)?;
    }
    let mut table = String::from(LEGEND);
    for url in bound {
        let short = url.trim_start_matches(VALUE_SETS);
        match source.expand(url) {
            Some(systems) => {
                for (system, codes) in systems {
                    let codes: Vec<String> = codes.into_iter().collect();
                    if codes.iter().any(|code| code.contains(['|', '\t', '\n'])) {
                        return Err(format!("a code of {url} holds a separator").into());
                    }
                    writeln!(table, "{short}\t{system}\t{}", codes.join("|"))?;
                }
            }
            None => writeln!(table, "{short}")?,
        }
    }
    Ok(table)
}

#[derive(Default)]
struct Source {
    sets: BTreeMap<String, Value>,
    systems: BTreeMap<String, Value>,
}

impl Source {
    fn read(&mut self, definitions: &Path, file: &str) -> Result<(), Fault> {
        for set in resources(definitions, file, "ValueSet")? {
            self.sets.insert(text(&set, "url").to_owned(), set);
        }
        for system in resources(definitions, file, "CodeSystem")? {
            self.systems.insert(text(&system, "url").to_owned(), system);
        }
        Ok(())
    }

    /// The codes of a set by system, or nothing where it cannot be listed.
    fn expand(&self, url: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
        let compose = &self.sets.get(url)?["compose"];
        let mut codes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for include in list(compose, "include") {
            for (system, more) in self.included(include)? {
                codes.entry(system).or_default().extend(more);
            }
        }
        for exclude in list(compose, "exclude") {
            for (system, fewer) in self.included(exclude)? {
                let of_system = codes.entry(system).or_default();
                of_system.retain(|code| !fewer.contains(code));
            }
        }
        codes.retain(|_, of_system| !of_system.is_empty());
        (!codes.is_empty()).then_some(codes)
    }

    fn included(&self, include: &Value) -> Option<BTreeMap<String, BTreeSet<String>>> {
        if !list(include, "filter").is_empty() {
            return None;
        }
        let system = text(include, "system");
        let mut codes = BTreeSet::new();
        if system.is_empty() {
            let mut sets = list(include, "valueSet").iter().filter_map(Value::as_str);
            let only = sets.next()?;
            return if sets.next().is_none() { self.expand(only.split('|').next()?) } else { None };
        }
        if list(include, "concept").is_empty() {
            let published = self.systems.get(system)?;
            if text(published, "content") != "complete" {
                return None;
            }
            collect(list(published, "concept"), &mut codes);
        } else {
            codes.extend(list(include, "concept").iter().map(|concept| text(concept, "code").to_owned()));
        }
        Some(BTreeMap::from([(system.to_owned(), codes)]))
    }
}

/// The codes of concepts and of those below them.
fn collect(concepts: &[Value], codes: &mut BTreeSet<String>) {
    for concept in concepts {
        codes.insert(text(concept, "code").to_owned());
        collect(list(concept, "concept"), codes);
    }
}

const LEGEND: &str = "# value set, system, codes; a set that cannot be listed stands alone.\n";
