//! Checks of what the head of a map states: versions, structures, events, segments and words.

use dukou_wire::{facts, groups};

use crate::diagnostic::Findings;
use crate::file::{Applies, MapFile, Words};
use crate::place::Word;

/// Checks the head of a map.
pub(crate) fn check(map: &MapFile, findings: &mut Findings<'_>) {
    applies(&map.applies, findings);
    for emit in &map.emits {
        if let Some(per) = &emit.per {
            segment(per, findings);
        }
    }
}

fn applies(applies: &Applies, findings: &mut Findings<'_>) {
    if let Some(word) = &applies.versions {
        versions(word, findings);
    }
    for word in &applies.messages {
        structure(word, findings);
    }
    for word in &applies.events {
        let mut letters = word.value.chars();
        let fits = letters.next().is_some_and(|c| c.is_ascii_uppercase())
            && letters.all(|c| c.is_ascii_alphanumeric())
            && word.value.len() == 3;
        if !fits {
            let text = format!("'{}' is no trigger event", word.value);
            findings.error("E-HEAD", word.place, text, "write the event of MSH-9.2, such as A01");
        }
    }
    for word in &applies.segments {
        segment(word, findings);
    }
}

/// `2.3-2.8`, or one version, each of them known and in order.
fn versions(word: &Word, findings: &mut Findings<'_>) {
    let (low, high) = word.value.split_once('-').unwrap_or((&word.value, &word.value));
    let (low, high) = (low.trim(), high.trim());
    if let Some(unknown) = [low, high].into_iter().find(|version| !facts::is_version(version)) {
        let text = format!("there is no version '{unknown}' of HL7 v2");
        findings.error("E-HEAD", word.place, text, "write 2.1 to 2.9, such as versions: 2.3-2.8");
    } else if !facts::at_least(high, low) {
        findings.error("E-HEAD", word.place, format!("{high} is earlier than {low}"), format!("write: {high}-{low}"));
    }
}

/// `ORU_R01` or `ADT`.
fn structure(word: &Word, findings: &mut Findings<'_>) {
    let part = |part: &str| part.len() == 3 && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let fits = match word.value.split_once('_') {
        Some((code, event)) => part(code) && part(event),
        None => part(&word.value) || word.value == "ACK",
    };
    if !fits {
        let text = format!("'{}' is no message structure", word.value);
        findings.error("E-HEAD", word.place, text, "write a structure of MSH-9.3 (ADT_A01) or a code of MSH-9.1 (ADT)");
        return;
    }
    let unknown = word.value.contains('_')
        && !word.value.starts_with('Z')
        && groups::structure_of("", "", &word.value) != word.value;
    if unknown {
        let text = format!("v2 defines no structure {}; such a message has no groups here", word.value);
        findings.warn("W-STRUCTURE", word.place, text);
    }
}

fn segment(word: &Word, findings: &mut Findings<'_>) {
    let name = word.value.as_str();
    let is_segment = name.len() == 3 && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    // What is no segment id may be an element or a row of another format.
    if is_segment && facts::field_count(name) == 0 && !name.starts_with('Z') {
        let text = format!("v2 has no segment {name}");
        findings.error("E-SOURCE", word.place, text, near_segments(name));
    }
}

/// Segments whose name is near.
pub(crate) fn near_segments(name: &str) -> String {
    crate::diagnostic::nearest(name, facts::segments())
}

/// The systems of a file are URIs; an extension inside another one may have a plain name (FHIR R4, extensibility).
pub(crate) fn words(words: &Words, findings: &mut Findings<'_>) {
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let extensions = words.extensions.iter().filter(|(_, url)| !plain(url));
    for (word, uri) in words.systems.iter().chain(extensions) {
        let scheme = uri.split_once(':').is_some_and(|(scheme, rest)| {
            !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+') && !rest.is_empty()
        });
        if !scheme || uri.contains(char::is_whitespace) {
            let text = format!("'{uri}' is no URI");
            findings.error("E-HEAD", word.place, text, "write https://... or urn:...");
        }
    }
}
