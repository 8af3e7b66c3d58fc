//! Real messages, where a corpus lies beside the repository.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::{Path, PathBuf};

use dukou_wire::{Charset, Limits, Site, batch, er7, groups, invariants};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "hl7") {
            found.push(path);
        }
    }
}

/// The files of a folder beside the repository; empty, with a word, where it is not there.
fn corpus(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(folder);
    let mut found = Vec::new();
    if root.is_dir() {
        files(&root, &mut found);
    } else {
        println!("skipped: {} is not there", root.display());
    }
    found.sort();
    found
}

#[test]
fn every_real_message_is_read_and_printed_byte_for_byte_or_refused_with_a_reason() {
    let (mut read, mut refused, mut leaves) = (0, 0, 0);
    for file in corpus("corpus/hl7v2") {
        let bytes = std::fs::read(&file).unwrap();
        invariants::er7_parse_print(&bytes);
        invariants::er7_leaf_walk(&bytes);
        invariants::groups_total(&bytes);
        invariants::batch_stream(&bytes);
        invariants::ack_build_parse(&bytes);
        match er7::parse(&bytes, &Limits::default(), &Site::default()) {
            Ok((message, issues)) => {
                read += 1;
                leaves += message.leaf_count();
                let mut found = Vec::new();
                let groups = groups::arrange(&message, &mut found);
                for issue in issues.iter().chain(&found) {
                    println!("{}: {} {issue}", file.file_name().unwrap().display(), groups.structure());
                }
            }
            Err(error) => {
                refused += 1;
                println!("{}: {}: {error}", file.display(), error.code());
            }
        }
    }
    println!("read {read}, refused {refused}, leaves {leaves}");
}

#[test]
fn every_batch_of_the_corpus_gives_its_messages() {
    for file in corpus("corpus/hl7v2") {
        let bytes = std::fs::read(&file).unwrap();
        let mut reader = batch::Reader::new(&bytes, &Limits::default());
        let messages = reader.by_ref().count();
        let issues = reader.finish();
        if messages != 1 || !issues.is_empty() {
            println!("{}: {messages} messages, {issues:?}", file.file_name().unwrap().display());
        }
    }
}

#[test]
fn a_chinese_laboratory_report_is_read_whole() {
    for file in corpus("samples/cn") {
        let bytes = std::fs::read(&file).unwrap();
        invariants::er7_parse_print(&bytes);
        invariants::er7_leaf_walk(&bytes);
        let (message, _) = er7::parse(&bytes, &Limits::default(), &Site::default()).unwrap();
        assert_eq!(message.charset(), Charset::Gb18030);
        let patient = message.first("PID").unwrap();
        assert_eq!((patient.field(5).text(), patient.field(8).text()), ("李珅".into(), "M".into()));
        let mut issues = Vec::new();
        assert_eq!(groups::arrange(&message, &mut issues).structure(), "ORU_R01");
        println!("{}: {issues:?}", file.display());
    }
}
