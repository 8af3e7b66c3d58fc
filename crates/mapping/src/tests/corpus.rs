use std::fs;
use std::path::{Path, PathBuf};

use super::{SITE, program};

/// A corpus of messages beside the project; it is not part of it.
const CORPUS: &str = "/../../../shared/corpus/hl7v2";

fn messages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            messages(&entry.path(), found);
        } else if entry.path().extension().is_some_and(|ending| ending == "hl7") {
            found.push(entry.path());
        }
    }
}

#[test]
fn the_corpus_is_mapped_and_accounted_for() {
    let folder = PathBuf::from(format!("{}{CORPUS}", env!("CARGO_MANIFEST_DIR")));
    let mut files = Vec::new();
    messages(&folder, &mut files);
    if files.is_empty() {
        println!("skipped: no corpus at {}", folder.display());
        return;
    }
    let program = program();
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let site = dukou_wire::Site::default();
        let Ok((message, _)) = dukou_wire::er7::parse(&bytes, &dukou_wire::Limits::default(), &site) else { continue };
        let sums = program.to_fhir(&message, &SITE).accounts;
        assert_eq!(sums.leaves as usize, message.leaf_count(), "{}", file.display());
        let classes = sums.emitted + sums.complement + sums.dropped + sums.reported;
        assert_eq!(sums.leaves, classes, "{}", file.display());
    }
}
