//! What the compiler says of faulty files, and what the engine promises of every message.

mod container;
mod corpus;
mod document_properties;
mod documents;
mod documents_back;
mod examples;
mod faults;
mod laws;
mod linear;
mod partners;
mod promises;
mod properties;

use std::fs;
use std::path::{Path, PathBuf};

use dukou_fhir::Value;
use dukou_terminology::Tables;
use dukou_wire::{Limits, Message, er7};

use crate::{Program, Site, SourceFile, compile};

const SITE: Site<'static> = Site { id: "test", zone: "+08:00" };

/// The files of a folder and below, in order.
fn paths_below(folder: &Path) -> Vec<PathBuf> {
    fn walk(path: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
        }
    }
    let mut paths = Vec::new();
    walk(folder, &mut paths);
    paths.sort();
    paths
}

/// The files of a folder and below with their texts, names relative to it, in order.
fn files_below(folder: &Path) -> Vec<(String, String)> {
    let name = |path: &Path| path.strip_prefix(folder).unwrap().display().to_string();
    paths_below(folder).iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

/// Maps and tables of a folder.
fn sources(folder: &Path) -> (Vec<SourceFile>, Tables) {
    let files = files_below(folder);
    let ending = |ending: &'static str| files.iter().filter(move |(name, _)| name.ends_with(ending));
    let maps = ending(".fmap.yaml").map(|(name, text)| SourceFile { name: name.clone(), text: text.clone() }).collect();
    (maps, Tables::load(ending(".csv").filter(|(name, _)| !name.contains("/ig-")).cloned().collect()).unwrap())
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The maps that the promises are tested with.
fn program() -> Program {
    let (maps, tables) = sources(&fixtures().join("maps"));
    compile(&maps, &tables).unwrap_or_else(|found| {
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{}", found.join("\n"))
    })
}

/// A program of one map.
fn program_of(map: &str) -> Program {
    let (mut maps, tables) = sources(&fixtures().join("maps"));
    maps.retain(|file| file.text.starts_with("lens:"));
    maps.push(SourceFile { name: "map.fmap.yaml".into(), text: map.into() });
    compile(&maps, &tables).unwrap_or_else(|found| panic!("{}", found[0]))
}

fn read(text: &str) -> Message<'_> {
    er7::parse(text.as_bytes(), &Limits::default(), &dukou_wire::Site::default()).unwrap().0
}

/// The resources of a message, in order.
fn resources(program: &Program, text: &str) -> Vec<Value<'static>> {
    let message = read(text);
    let mapped = program.to_fhir(&message, &SITE);
    mapped.changes.iter().map(|change| change.apply(None).into_static()).collect()
}

fn of_type<'r>(resources: &'r [Value<'static>], kind: &str) -> Vec<&'r Value<'static>> {
    resources.iter().filter(|resource| resource.resource_type() == Some(kind)).collect()
}

fn header(kind: &str) -> String {
    format!("MSH|^~\\&|LIS|GMSQ|DUKOU|D|20240102030405+0800||{kind}|1|P|2.5.1\r")
}
