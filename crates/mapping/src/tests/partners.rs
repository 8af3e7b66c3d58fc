//! The maps for partners' documents, over the documents of the fixtures: what is not changed comes back byte for byte, and
//! a changed view is the view of the changed document.

use std::fs;
use std::path::{Path, PathBuf};

use dukou_fhir::{Value, json};
use dukou_wire::{Format, Limits, Message, xml};

use super::{SITE, sources};
use crate::{Outbound, Program, compile};

const PUT: Outbound<'static> = Outbound { profile: "", control_id: "", time: "", charset: "" };

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The base maps of the project.
pub(super) fn program() -> Program {
    let (mut maps, tables) = sources(&root().join("mappings"));
    maps.retain(|file| !file.name.starts_with("overlay/"));
    compile(&maps, &tables).unwrap_or_else(|found| panic!("{}", found[0]))
}

fn inputs() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["cn-xml", "cn-json", "delimited"] {
        for case in fs::read_dir(root().join("fixtures").join(folder)).unwrap() {
            let files = fs::read_dir(case.unwrap().path()).into_iter().flatten().flatten();
            found.extend(
                files.map(|file| file.path()).filter(|file| file.file_stem().is_some_and(|name| name == "input")),
            );
        }
    }
    found.sort();
    found
}

/// Does something with each document of a file: with those that stand as text in it, else with itself.
fn each_document(program: &Program, bytes: &[u8], act: &mut dyn FnMut(&Message<'_>)) {
    let (limits, site) = (Limits::default(), dukou_wire::Site::default());
    let Ok((message, _)) = program.open(bytes, &limits, &site) else { return };
    let wrapped: Vec<_> = match message.format() {
        Format::Xml => xml::wrapped(&message).filter_map(|one| xml::inner(one, &limits, &site).ok()).collect(),
        _ => Vec::new(),
    };
    if wrapped.is_empty() {
        act(&message);
    }
    for (inner, _) in &wrapped {
        act(inner);
    }
}

fn bundle(program: &Program, message: &Message<'_>) -> String {
    let mut out = Vec::new();
    json::print(&program.to_fhir(message, &SITE).to_bundle(), &mut out);
    String::from_utf8(out).unwrap()
}

fn parsed(text: &str) -> Value<'static> {
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap().into_static()
}

#[test]
fn an_unchanged_view_of_a_document_gives_the_same_bytes() {
    let program = program();
    let mut seen = 0;
    for file in inputs() {
        let bytes = fs::read(&file).unwrap();
        each_document(&program, &bytes, &mut |message| {
            let text = bundle(&program, message);
            let view = parsed(&text);
            if view.list_at("entry").is_empty() {
                return;
            }
            let written = program.from_fhir(&view, &PUT, Some(message), &SITE).unwrap();
            assert_eq!(String::from_utf8_lossy(&written.bytes), String::from_utf8_lossy(&bytes), "{}", file.display());
            seen += 1;
        });
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn a_changed_view_is_the_view_of_the_changed_document() {
    let program = program();
    for file in inputs() {
        let bytes = fs::read(&file).unwrap();
        each_document(&program, &bytes, &mut |message| {
            let text = bundle(&program, message);
            for (from, to) in
                [("\"male\"", "\"female\""), ("19900000017", "19900000099"), ("彭䶮", "陈𬱖"), ("45.2", "46.3")]
            {
                if !text.contains(from) {
                    continue;
                }
                let changed = text.replace(from, to);
                let written = program.from_fhir(&parsed(&changed), &PUT, Some(message), &SITE).unwrap();
                let mut again = String::new();
                each_document(&program, &written.bytes, &mut |message| {
                    let own = bundle(&program, message);
                    if own.len() > again.len() {
                        again = own;
                    }
                });
                let ids = |text: &str| parsed(text).list_at("entry").len();
                assert_eq!(ids(&again), ids(&changed), "{} {from}", file.display());
                // Ids may depend on what was changed; nothing else may.
                assert_eq!(again.matches(from).count(), 0, "{} {from}", file.display());
                assert_eq!(again.matches(to).count(), changed.matches(to).count(), "{} {from}", file.display());
            }
        });
    }
}

/// The resources of a type in a bundle, in its order.
fn of_type<'v>(view: &'v Value<'static>, kind: &str) -> Vec<&'v Value<'static>> {
    let all = view.list_at("entry").iter().filter_map(|entry| entry.get("resource"));
    all.filter(|one| one.resource_type() == Some(kind)).collect()
}

#[test]
fn a_new_document_of_a_view_is_read_as_that_view() {
    let program = program();
    // Ids are made of the sender's spelling, and codes may have been spelt in another way: these are what was said.
    for (case, map, kinds) in [
        (
            "cn-xml/his-registration-gb18030-says-gb2312",
            "his-registration",
            &[("Patient", "name birthDate gender"), ("Encounter", "period status"), ("Practitioner", "name")][..],
        ),
        (
            "cn-xml/lis-report-gb18030",
            "lis-report",
            &[("Patient", "name gender"), ("Observation", "code valueQuantity valueString referenceRange")],
        ),
        (
            "cn-xml/ris-booking-two-exams",
            "ris-booking",
            &[("Appointment", "start end status"), ("ServiceRequest", "code"), ("Location", "name")],
        ),
        ("delimited/exam-booking", "exam-booking", &[("Appointment", "start end status")]),
        ("delimited/clinic-results", "clinic-results", &[("Observation", "code valueQuantity"), ("Patient", "name")]),
    ] {
        let prefix = root().join("fixtures").join(case);
        let file = inputs().into_iter().find(|file| file.starts_with(&prefix)).unwrap();
        each_document(&program, &fs::read(&file).unwrap(), &mut |message| {
            let view = parsed(&bundle(&program, message));
            let outbound = Outbound { profile: map, charset: "utf-8", ..PUT };
            let written = program.from_fhir(&view, &outbound, None, &SITE).unwrap();
            let mut again = Value::Null;
            each_document(&program, &written.bytes, &mut |message| again = parsed(&bundle(&program, message)));
            for (kind, members) in kinds {
                let (before, after) = (of_type(&view, kind), of_type(&again, kind));
                assert!(!before.is_empty() && before.len() == after.len(), "{case} {kind}");
                for (one, two) in before.iter().zip(&after) {
                    for member in members.split(' ') {
                        assert_eq!(one.get(member), two.get(member), "{case} {kind}.{member}");
                    }
                }
            }
        });
    }
}

#[test]
fn records_of_a_new_document_keep_to_themselves() {
    let program = program();
    let file = root().join("fixtures/cn-xml/his-registration-two-rows");
    let file = inputs().into_iter().find(|input| input.starts_with(&file)).unwrap();
    each_document(&program, &fs::read(&file).unwrap(), &mut |message| {
        let view = parsed(&bundle(&program, message));
        let outbound = Outbound { profile: "his-registration", charset: "utf-8", ..PUT };
        let written = program.from_fhir(&view, &outbound, None, &SITE).unwrap();
        let made = String::from_utf8(written.bytes).unwrap();
        let original = message.text();
        for tag in ["<row>", "<lxr>", "<ksdm>", "<ysgh>", "<xm>", "<ghlsh>"] {
            assert!(made.matches(tag).count() <= original.matches(tag).count(), "{tag}\n{made}");
        }
    });
}
