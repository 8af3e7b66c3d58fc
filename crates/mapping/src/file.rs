//! A file as written: heads, rules, tables and tests, before anything is checked against schema and dictionary.

use crate::compile::History;
use crate::decisions::{self, Decision};
use crate::diagnostic::{Findings, nearest};
use crate::grammar;
use crate::limit::{self, Limit};
use crate::overlay;
use crate::place::{Placed, Word};
use crate::reverse::profile::ProfileFile;
use crate::rule::{Dialect, NullPolicy, Rule, Source, Target, Test};
use crate::section::Section;
use crate::source_head::{self, SourceHead};
use crate::table_text::{InlineTable, inline_tables};
use crate::yaml::Tree;

/// One file.
#[derive(Debug)]
pub(crate) enum File {
    Map(Box<MapFile>),
    Lens(LensFile),
    Overlay(OverlayFile),
    /// Words that all files share.
    Names(Words),
    Profile(ProfileFile),
}

#[derive(Debug)]
pub(crate) struct MapFile {
    pub(crate) name: Word,
    pub(crate) applies: Applies,
    pub(crate) source: SourceHead,
    /// What must hold of a document for which the map is meant.
    pub(crate) when: Vec<Test>,
    /// Where a document tells when the event happened.
    pub(crate) event: Option<Source>,
    pub(crate) snapshot: bool,
    pub(crate) emits: Vec<Emit>,
    /// Whether targets begin with the name of an emit.
    pub(crate) several: bool,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) words: Words,
    pub(crate) rules: Vec<Rule>,
    pub(crate) tables: Vec<InlineTable>,
    pub(crate) tests: Vec<Tree>,
    /// Limits that overlays put on what goes out.
    pub(crate) limits: Vec<Limit>,
}

/// For which messages a map is meant; an empty list is no condition.
#[derive(Debug, Default)]
pub(crate) struct Applies {
    /// One version, or a range `2.3-2.8`.
    pub(crate) versions: Option<Word>,
    pub(crate) messages: Vec<Word>,
    pub(crate) events: Vec<Word>,
    pub(crate) segments: Vec<Word>,
    pub(crate) scopes: Vec<Vec<String>>,
}

impl Applies {
    /// The first and the last version.
    pub(crate) fn range(&self) -> Option<(&str, &str)> {
        let word = &self.versions.as_ref()?.value;
        let (low, high) = word.split_once('-').unwrap_or((word, word));
        Some((low.trim(), high.trim()))
    }
}

#[derive(Debug)]
pub(crate) struct Emit {
    pub(crate) name: Word,
    pub(crate) fhir: Word,
    pub(crate) per: Option<Word>,
    pub(crate) guard: Vec<Test>,
    pub(crate) under: Vec<Word>,
    pub(crate) link: Option<Target>,
    /// Where it holds, the message only mentions the resource.
    pub(crate) mention: Option<Vec<Test>>,
    /// The message says all there is to say of the resource.
    pub(crate) whole: bool,
    pub(crate) id: Option<Id>,
}

#[derive(Debug)]
pub(crate) struct Id {
    pub(crate) keys: Vec<Key>,
    pub(crate) weak: Weak,
}

#[derive(Debug)]
pub(crate) enum Key {
    Source(Source),
    /// Numbers equal keys inside one parent.
    Nth,
}

/// What happens where no key alternative is valued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weak {
    Error,
    Flag,
    Skip,
}

/// Words that a file declares for URIs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    pub(crate) systems: Vec<(Word, String)>,
    pub(crate) extensions: Vec<(Word, String)>,
}

impl Words {
    pub(crate) fn system(&self, name: &str) -> Option<&str> {
        self.systems.iter().find(|(word, _)| word.value == name).map(|(_, uri)| uri.as_str())
    }

    /// The URL of an extension; a declared word that ends in `*` stands for all names that begin so, and `*` in its URL
    /// for the rest of the name.
    pub(crate) fn extension(&self, name: &str) -> Option<String> {
        let exact = self.extensions.iter().find(|(word, _)| word.value == name);
        exact.map(|(_, uri)| uri.clone()).or_else(|| {
            self.extensions.iter().find_map(|(word, uri)| {
                let rest = name.strip_prefix(word.value.strip_suffix('*')?)?;
                Some(uri.replace('*', rest))
            })
        })
    }

    /// Adds words that every file may use; the file's own come first.
    pub(crate) fn share(&mut self, shared: &Words) {
        self.systems.extend(shared.systems.iter().cloned());
        self.extensions.extend(shared.extensions.iter().cloned());
    }
}

#[derive(Debug)]
pub(crate) struct LensFile {
    pub(crate) name: Word,
    pub(crate) v2: Vec<Word>,
    /// Of an element instead of a datatype, where it reads a tree.
    pub(crate) dialect: Dialect,
    pub(crate) fhir: Word,
    pub(crate) id: Option<Id>,
    pub(crate) words: Words,
    pub(crate) rules: Vec<Rule>,
    pub(crate) tables: Vec<InlineTable>,
    /// What overlays did to its rules.
    pub(crate) history: History,
}

#[derive(Debug)]
pub(crate) struct OverlayFile {
    /// The map or lens that it changes.
    pub(crate) map: Word,
    pub(crate) edits: Vec<Edit>,
    pub(crate) words: Words,
    /// Tables in place of those of the map, and rows for tables of the map or of the shared ones.
    pub(crate) tables: Vec<InlineTable>,
    pub(crate) tests: Vec<Tree>,
    pub(crate) limits: Vec<Limit>,
    /// The offset that `zone site` means.
    pub(crate) zone: Option<Word>,
    /// For rules that say nothing of `""`.
    pub(crate) null: Option<NullPolicy>,
}

#[derive(Debug)]
pub(crate) enum Edit {
    /// Rule id and line; how the line is read depends on the map below.
    Add(Word, Word),
    Replace(Word, Word),
    /// With the reason.
    Drop(Word, String),
}

impl Edit {
    pub(crate) fn id(&self) -> &Word {
        match self {
            Edit::Add(id, _) | Edit::Replace(id, _) | Edit::Drop(id, _) => id,
        }
    }
}

/// Reads the tree of one file; every fault is a finding.
pub(crate) fn read(tree: &Tree, findings: &mut Findings<'_>) -> Option<File> {
    let section = Section::new(tree, "a map file", findings)?;
    if section.has("map") {
        map(&section, findings).map(|map| File::Map(Box::new(map)))
    } else if section.has("lens") {
        lens(&section, findings).map(File::Lens)
    } else if section.has("overlay") {
        changes(&section, findings).map(File::Overlay)
    } else if section.has("profile") {
        profile(&section, findings).map(File::Profile)
    } else if section.has("names") {
        section.only(&NAMES_KEYS, findings);
        Some(File::Names(words(&section, findings)))
    } else {
        findings.error(
            "E-HEAD",
            tree.place(),
            "the file has neither map, lens, names, profile nor overlay",
            "write: map: NAME",
        );
        None
    }
}

fn profile(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<ProfileFile> {
    section.only(&PROFILE_KEYS, findings);
    let name = section.text("profile", findings)?;
    let (Some(message), Some(hl7)) = (section.text("message", findings), section.text("hl7", findings)) else {
        findings.error("E-PROFILE", name.place, "the profile lacks message or hl7", "write: message: ORU, hl7: 2.5.1");
        return None;
    };
    let constants = section.section("constants", findings).map(|constants| {
        let texts = constants.members().iter().filter_map(|(path, tree)| match tree {
            Tree::Text(text) => Some((path.clone(), text.clone())),
            _ => None,
        });
        texts.collect()
    });
    Some(ProfileFile {
        name,
        message,
        hl7,
        events: section.words("events", findings),
        constants: constants.unwrap_or_default(),
        fill: section.words("fill", findings),
    })
}

fn map(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<MapFile> {
    section.only(&MAP_KEYS, findings);
    limit::refuse(section, findings);
    let name = section.text("map", findings)?;
    let source = source_head::read(section, findings);
    let dialect = source.dialect();
    let emits: Vec<Emit> = match section.section("emit", findings) {
        Some(list) => {
            if section.has("fhir") {
                findings.error("E-HEAD", name.place, "the map has fhir and emit", "write one of them");
            }
            list.members()
                .iter()
                .filter_map(|(name, tree)| {
                    let section = Section::new(tree, "an emit", findings)?;
                    section.only(&EMIT_KEYS, findings);
                    emit(name.clone(), &section, dialect, findings)
                })
                .collect()
        }
        None => emit(name.clone(), section, dialect, findings).into_iter().collect(),
    };
    let mode = section.text("mode", findings);
    let snapshot = match mode.as_ref().map(|word| word.value.as_str()) {
        Some("snapshot") => true,
        Some("action") => false,
        _ => {
            let place = mode.as_ref().map_or(name.place, |word| word.place);
            findings.error("E-HEAD", place, "the map states no mode", "write: mode: snapshot  or  mode: action");
            true
        }
    };
    let event = section.text("event", findings).map(|text| grammar::source(&text, dialect));
    Some(MapFile {
        applies: if dialect == Dialect::Segments { applies(section, findings) } else { Applies::default() },
        when: source_head::when(section, dialect, findings),
        event: taken(event, findings),
        source,
        snapshot,
        emits,
        several: section.has("emit"),
        decisions: decisions::read(section, findings),
        words: words(section, findings),
        rules: rules(section, dialect, findings),
        tables: inline_tables("tables", section, findings),
        tests: section.list("tests", findings).to_vec(),
        limits: Vec::new(),
        name,
    })
}

fn emit(name: Word, section: &Section<'_>, dialect: Dialect, findings: &mut Findings<'_>) -> Option<Emit> {
    let Some(fhir) = section.text("fhir", findings) else {
        findings.error("E-HEAD", name.place, format!("'{}' names no resource", name.value), "write: fhir: TYPE");
        return None;
    };
    let guard = section.text("if", findings).map(|text| grammar::guard(&text, dialect));
    let mention = section.text("mention", findings).map(|text| grammar::guard(&text, dialect));
    let link = section.text("link", findings).map(|text| grammar::target(&text));
    Some(Emit {
        fhir,
        per: section.text("per", findings),
        guard: taken(guard, findings).unwrap_or_default(),
        under: section.words("under", findings),
        link: taken(link, findings),
        mention: taken(mention, findings),
        whole: flag("whole", section, findings),
        id: id(section, dialect, findings),
        name,
    })
}

/// `true` or `false`; false where nothing is said.
fn flag(key: &str, section: &Section<'_>, findings: &mut Findings<'_>) -> bool {
    let Some(word) = section.text(key, findings) else { return false };
    if !matches!(word.value.as_str(), "true" | "false") {
        findings.error("E-HEAD", word.place, format!("'{}' stands where true or false should", word.value), "");
    }
    word.value == "true"
}

fn id(section: &Section<'_>, dialect: Dialect, findings: &mut Findings<'_>) -> Option<Id> {
    let inner = section.section("id", findings)?;
    inner.only(&["key", "weak"], findings);
    let mut keys = Vec::new();
    for word in inner.words("key", findings) {
        if word.value == "nth" {
            keys.push(Key::Nth);
            continue;
        }
        match grammar::source(&word, dialect) {
            Ok(source) => keys.push(Key::Source(source)),
            Err(fault) => findings.error("E-RULE", fault.place, fault.text, fault.hint),
        }
    }
    let weak = inner.text("weak", findings);
    let weak = match weak.as_ref().map_or("error", |word| word.value.as_str()) {
        "error" => Weak::Error,
        "flag" => Weak::Flag,
        "skip" => Weak::Skip,
        other => {
            let place = weak.as_ref().map_or(inner.place(), |word| word.place);
            findings.error("E-HEAD", place, format!("'{other}' is no policy for weak ids"), "error | flag | skip");
            Weak::Error
        }
    };
    if keys.is_empty() {
        findings.error("E-HEAD", inner.place(), "the id has no key", "write: id: {key: PATH, weak: error}");
        return None;
    }
    Some(Id { keys, weak })
}

fn applies(section: &Section<'_>, findings: &mut Findings<'_>) -> Applies {
    let Some(inner) = section.section("v2", findings).or_else(|| section.section("source", findings)) else {
        return Applies::default();
    };
    inner.only(&["versions", "message", "events", "segments", "scope"], findings);
    let scopes = inner.words("scope", findings).into_iter();
    Applies {
        versions: inner.text("versions", findings),
        messages: inner.words("message", findings),
        events: inner.words("events", findings),
        segments: inner.words("segments", findings),
        scopes: scopes.map(|word| word.value.split('/').map(str::to_owned).collect()).collect(),
    }
}

fn words(section: &Section<'_>, findings: &mut Findings<'_>) -> Words {
    let mut pairs = |key: &str| {
        let inner = section.section(key, findings);
        let members = inner.iter().flat_map(|inner| inner.members().iter());
        let mut pairs = Vec::new();
        for (word, tree) in members {
            match tree {
                Tree::Text(uri) => pairs.push((word.clone(), uri.value.clone())),
                other => {
                    findings.error("E-HEAD", other.place(), "a word stands for one URI", "write: NAME: \"https://...\"")
                }
            }
        }
        pairs
    };
    Words { systems: pairs("systems"), extensions: pairs("extensions") }
}

fn rules(section: &Section<'_>, dialect: Dialect, findings: &mut Findings<'_>) -> Vec<Rule> {
    let Some(inner) = section.section("rules", findings) else { return Vec::new() };
    let mut rules = Vec::new();
    for (id, tree) in inner.members() {
        let Tree::Text(text) = tree else {
            findings.error("E-RULE", tree.place(), "a rule is one line of text", "write: id: SOURCE -> TARGET");
            continue;
        };
        rules.extend(taken(Some(grammar::rule(id, text, dialect)), findings));
    }
    rules
}

fn lens(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<LensFile> {
    section.only(&LENS_KEYS, findings);
    let name = section.text("lens", findings)?;
    let Some(fhir) = section.text("fhir", findings) else {
        findings.error("E-HEAD", name.place, "the lens names no FHIR type", "write: fhir: TYPE");
        return None;
    };
    let v2 = section.words("v2", findings);
    let mut dialect = source_head::read(section, findings).dialect();
    if dialect == Dialect::Rows {
        dialect = Dialect::Tree;
        let hint = "name each element of the target in the rules of the map";
        findings.error("E-HEAD", name.place, "a lens reads no rows", hint);
    }
    if v2.is_empty() && dialect == Dialect::Segments {
        findings.error("E-HEAD", name.place, "the lens names no v2 datatype", "write: v2: [CX]");
    }
    Some(LensFile {
        name,
        v2,
        dialect,
        fhir,
        id: id(section, dialect, findings),
        words: words(section, findings),
        rules: rules(section, dialect, findings),
        tables: inline_tables("tables", section, findings),
        history: History::default(),
    })
}

fn changes(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<OverlayFile> {
    section.only(&OVERLAY_KEYS, findings);
    let map = section.text("overlay", findings)?;
    let mut edits = Vec::new();
    for tree in section.list("rules", findings) {
        edits.extend(edit(tree, findings));
    }
    let mut tables = inline_tables("tables", section, findings);
    tables.extend(inline_tables("rows", section, findings));
    let zone = section.text("zone", findings);
    if let Some(zone) = zone.as_ref().filter(|zone| dukou_fhir::Offset::parse(&zone.value).is_none()) {
        findings.error(
            "E-HEAD",
            zone.place,
            format!("'{}' is no offset", zone.value),
            "write an offset such as +08:00",
        );
    }
    let null = section.text("null", findings).and_then(|word| {
        let policy = overlay::null_policy(&word.value);
        if policy.is_none() {
            findings.error(
                "E-HEAD",
                word.place,
                format!("'{}' is no null policy", word.value),
                "delete | keep | error",
            );
        }
        policy
    });
    let (words, tests) = (words(section, findings), section.list("tests", findings).to_vec());
    Some(OverlayFile { map, edits, words, tables, tests, limits: limit::read(section, findings), zone, null })
}

/// `add id: rule`, `replace id: rule` (a mapping of one member) or `drop id "reason"`.
fn edit(tree: &Tree, findings: &mut Findings<'_>) -> Option<Edit> {
    if let Tree::Map(members) = tree
        && let [(key, Tree::Text(text))] = members.value.as_slice()
        && let Some((verb, id)) = key.value.split_once(' ')
        && matches!(verb, "add" | "replace")
    {
        let at = verb.chars().count() as u32 + 1;
        let id = Placed::new(id.trim().to_owned(), key.place.part(at, id.chars().count() as u32));
        let text = text.clone();
        return Some(if verb == "add" { Edit::Add(id, text) } else { Edit::Replace(id, text) });
    }
    if let Tree::Text(word) = tree
        && let Some((id, reason)) = word.value.strip_prefix("drop ").and_then(|rest| rest.split_once(' '))
        && let Some(reason) = reason.trim().strip_prefix('"').and_then(|reason| reason.strip_suffix('"'))
        && !reason.trim().is_empty()
    {
        let id = Placed::new(id.to_owned(), word.place.part(5, id.chars().count() as u32));
        return Some(Edit::Drop(id, reason.to_owned()));
    }
    let hint = "write: add ID: RULE, replace ID: RULE or drop ID \"reason\"";
    findings.error("E-RULE", tree.place(), "this is no line of an overlay", hint);
    None
}

/// The value, or its fault as a finding.
pub(crate) fn taken<T>(result: Option<Result<T, grammar::Fault>>, findings: &mut Findings<'_>) -> Option<T> {
    match result? {
        Ok(value) => Some(value),
        Err(fault) => {
            findings.error("E-RULE", fault.place, fault.text, fault.hint);
            None
        }
    }
}

/// A hint for an unknown head key.
pub(crate) fn key_hint(key: &str, known: &[&str]) -> String {
    let near = nearest(key, known.iter().copied());
    if near.is_empty() { format!("known: {}", known.join(", ")) } else { near }
}

pub(crate) const MAP_KEYS: [&str; 23] = [
    "when",
    "event",
    "template",
    "mention",
    "whole",
    "map",
    "version",
    "v2",
    "source",
    "fhir",
    "emit",
    "per",
    "if",
    "mode",
    "id",
    "identity",
    "systems",
    "extensions",
    "rules",
    "tables",
    "tests",
    "note",
    // Known, so that it is told where they belong.
    "limits",
];
pub(crate) const OVERLAY_KEYS: [&str; 11] =
    ["overlay", "rules", "tables", "rows", "systems", "extensions", "limits", "zone", "null", "tests", "note"];
pub(crate) const EMIT_KEYS: [&str; 8] = ["fhir", "per", "if", "under", "link", "id", "mention", "whole"];
pub(crate) const LENS_KEYS: [&str; 11] =
    ["lens", "version", "v2", "source", "fhir", "id", "systems", "extensions", "rules", "tables", "note"];
pub(crate) const NAMES_KEYS: [&str; 3] = ["names", "systems", "extensions"];
pub(crate) const PROFILE_KEYS: [&str; 6] = ["profile", "message", "events", "hl7", "constants", "fill"];
