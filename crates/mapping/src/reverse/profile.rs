//! Profiles: how one kind of outbound message is put together.

use dukou_fhir::ResourceType;
use dukou_wire::groups::{Shape, structure_of};

use crate::compiler::Compiler;
use crate::diagnostic::nearest;
use crate::place::Word;

/// A profile for one event.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    /// `oru-r01`.
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) event: String,
    pub(crate) structure: &'static str,
    pub(crate) version: String,
    /// Values for places that nothing else fills: segment, field, component, text.
    pub(crate) constants: Vec<(String, u16, u16, String)>,
    /// Which resources open which segments, in this order.
    pub(crate) fill: Vec<(String, ResourceType)>,
}

/// A profile as written.
#[derive(Debug)]
pub(crate) struct ProfileFile {
    pub(crate) name: Word,
    /// MSH-9.1.
    pub(crate) message: Word,
    pub(crate) events: Vec<Word>,
    pub(crate) hl7: Word,
    pub(crate) constants: Vec<(Word, Word)>,
    /// `PID Patient`.
    pub(crate) fill: Vec<Word>,
}

/// Checks a profile against structures and maps; one for each of its events.
pub(crate) fn plans(file: &ProfileFile, compiler: &mut Compiler<'_, '_>) -> Vec<Profile> {
    let code = file.message.value.as_str();
    let mut profiles = Vec::new();
    for event in &file.events {
        let structure = structure_of(code, &event.value, "");
        if structure == "UNKNOWN" {
            let text = format!("no structure is known for {code}^{}", event.value);
            compiler.findings.error("E-PROFILE", event.place, text, "write an event of HL7 table 0003");
            continue;
        }
        profiles.push(Profile {
            name: format!("{}-{}", file.name.value, event.value.to_ascii_lowercase()),
            code: code.to_owned(),
            event: event.value.clone(),
            structure,
            version: file.hl7.value.clone(),
            constants: file.constants.iter().filter_map(|(path, text)| constant(path, text, compiler)).collect(),
            fill: file.fill.iter().filter_map(|word| fill(word, structure, compiler)).collect(),
        });
    }
    profiles
}

fn constant(path: &Word, text: &Word, compiler: &mut Compiler<'_, '_>) -> Option<(String, u16, u16, String)> {
    let parsed = path.value.split_once('-').and_then(|(segment, place)| {
        let (field, component) = place.split_once('.').unwrap_or((place, "1"));
        Some((segment.to_owned(), field.parse().ok()?, component.parse().ok()?))
    });
    let Some((segment, field, component)) = parsed else {
        compiler.findings.error("E-PROFILE", path.place, format!("'{}' is no field", path.value), "write: MSH-11");
        return None;
    };
    Some((segment, field, component, text.value.clone()))
}

fn fill(word: &Word, structure: &str, compiler: &mut Compiler<'_, '_>) -> Option<(String, ResourceType)> {
    let Some((segment, kind)) = word.value.split_once(' ') else {
        let text = format!("'{}' does not say which resource fills which segment", word.value);
        compiler.findings.error("E-PROFILE", word.place, text, "write: PID Patient");
        return None;
    };
    let kind = kind.trim();
    let Some(resource) = ResourceType::parse(kind) else {
        let names: Vec<&str> = ResourceType::all().map(ResourceType::as_str).collect();
        compiler.findings.error("E-PROFILE", word.place, format!("R4 has no resource '{kind}'"), nearest(kind, names));
        return None;
    };
    if !compiler.makers.iter().any(|maker| maker.kind == resource && maker.per == segment) {
        let text = format!("no map makes a {kind} per {segment}");
        compiler.findings.error("E-PROFILE", word.place, text, "");
        return None;
    }
    // One profile serves several events; where a structure has no such segment the line says nothing.
    Shape::of(structure).holds(segment).then(|| (segment.to_owned(), resource))
}
