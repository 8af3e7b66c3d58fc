//! Hostile bytes, led by the coverage they reach. Each target is one line that calls a function which states promises over any
//! bytes; `DUKOU_FUZZ_TARGET` names it. The first bytes of an input choose what a target needs beside the rest.

#![no_main]

use std::sync::LazyLock;

use dukou_fhir::invariants as fhir;
use dukou_wire::{Charset, Delimiters, Limits, Path, Site, er7, invariants as wire};
use libfuzzer_sys::fuzz_target;

const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("er7_parse_print", wire::er7_parse_print),
    ("er7_leaf_walk", wire::er7_leaf_walk),
    ("er7_set", er7_set),
    ("er7_edits", |data| with(data, |choice: [u8; 16], rest| wire::er7_edits(rest, &choice))),
    ("draft_copy", wire::draft_copy),
    ("transcode", wire::transcode),
    ("mllp_any_split", |data| with(data, |cuts: [u8; 6], rest| wire::mllp_any_split(rest, &cuts.map(usize::from)))),
    ("escape_roundtrip", escape_roundtrip),
    ("charset_gate", wire::charset_gate),
    ("charset_roundtrip", charset_roundtrip),
    ("groups", wire::groups_total),
    ("batch_stream", wire::batch_stream),
    ("batch_answers", wire::batch_answers),
    ("reassembler", |data| {
        with(data, |cuts: [u8; 4], rest| wire::reassembler(rest, &cuts.map(|n| 3 * usize::from(n))))
    }),
    ("ack_build_parse", ack_build_parse),
    ("path_parse_print", |data| wire::path_parse_print(&String::from_utf8_lossy(data))),
    ("xml_parse_print", wire::xml_parse_print),
    ("json_parse_print", wire::json_parse_print),
    ("document_set", document_set),
    ("delimited_rows", wire::delimited_rows),
    ("soap_inner", wire::soap_inner),
    ("cda_helpers", wire::cda_helpers),
    ("strip", |data| with(data, |choice: [u8; 2], rest| wire::strip(rest, number(choice)))),
    ("fhir_json", fhir::json_parse_print),
    ("fhir_resource", fhir::resource_total),
    ("fhir_scalar", |data| fhir::scalar_text(&String::from_utf8_lossy(data))),
];

fuzz_target!(|data: &[u8]| TARGET(data));

/// The target that the environment names.
static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("DUKOU_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(name, _)| *name == wanted).map(|(_, run)| *run);
    found.unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        panic!("DUKOU_FUZZ_TARGET is one of {}", names.join(" "))
    })
});

/// Splits an input into bytes that choose, zeros where it is short, and the rest.
fn with<const N: usize>(data: &[u8], run: impl Fn([u8; N], &[u8])) {
    let mut choice = [0; N];
    let taken = data.len().min(N);
    choice[..taken].copy_from_slice(&data[..taken]);
    run(choice, &data[taken..]);
}

fn number([high, low]: [u8; 2]) -> usize {
    usize::from(high) << 8 | usize::from(low)
}

fn document_set(data: &[u8]) {
    let values = ["", "王&<\"'>]]>", "\\u", "a\r\nb", ",;|\"\"", "\u{1f600}"];
    with(data, |[high, low, value], rest| {
        wire::document_set(rest, number([high, low]), values[usize::from(value) % values.len()]);
    });
}

fn er7_set(data: &[u8]) {
    let paths = ["PID-5.1", "PID-3[2].4.2", "OBX[2]-5[3]", "ZPD-1", "PV1-19.1", "MSH-10"];
    let values = ["", "王|建^国", "\\", "\"\"", "a\rb", "\u{1f600}&~"];
    with(data, |[place, value], rest| {
        let Ok(path) = Path::parse(paths[usize::from(place) % paths.len()]) else { return };
        wire::er7_set(rest, &path, values[usize::from(value) % values.len()]);
    });
}

fn escape_roundtrip(data: &[u8]) {
    with(data, |choice: [u8; 6], rest| {
        let all = choice.map(|byte| b"|^~\\&#*$!%@+-/:;<=>?"[usize::from(byte) % 20]);
        let distinct = (1..all.len()).all(|at| !all[..at].contains(&all[at]));
        let [field, component, repetition, escape, subcomponent, truncation] = all;
        let own = Delimiters { field, component, repetition, escape, subcomponent, truncation };
        wire::escape_roundtrip(&String::from_utf8_lossy(rest), if distinct { own } else { Delimiters::default() });
    });
}

fn charset_roundtrip(data: &[u8]) {
    with(data, |[choice], rest| {
        let part = Charset::Iso8859(1 + choice % 9);
        let sets = [Charset::Utf8, Charset::Gb18030, Charset::Big5, Charset::Iso8859(15), part];
        wire::charset_roundtrip(rest, sets[usize::from(choice) % sets.len()]);
    });
}

/// An answer repeats MSH-10 byte for byte; only where both are read in one character set are the texts the same.
fn ack_build_parse(data: &[u8]) {
    let read = er7::parse(data, &Limits::default(), &Site::default());
    if read.map_or(true, |(message, _)| message.charset() == Charset::Utf8) {
        wire::ack_build_parse(data);
    }
}
