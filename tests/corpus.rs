//! Messages that others wrote, where they lie beside the checkout: read or refused with a reason, printed back, accounted for to the last leaf.

use std::fs;
use std::path::{Path, PathBuf};

use dukou_wire::{Limits, Site, batch, er7};

/// The messages beside the checkout, or none.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/hl7v2");
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "hl7") {
                found.push(path);
            }
        }
    }
    found.sort();
    if found.is_empty() {
        println!("skipped: no corpus beside the checkout");
    }
    found
}

#[test]
fn every_leaf_of_every_message_is_accounted_for_and_every_resource_is_valid() {
    let program = dukou_gateway::built_in_program(&[]).unwrap();
    let (mut messages, mut refused, mut sums) = (0, 0, [0_u64; 5]);
    for file in files() {
        let raw = fs::read(&file).unwrap();
        for part in batch::Reader::new(&raw, &Limits::default()).map(|part| part.bytes) {
            let Ok((message, _)) = er7::parse(part, &Limits::default(), &Site::default()) else {
                refused += 1;
                continue;
            };
            messages += 1;
            assert_eq!(er7::print(&message), part, "{}", file.display());
            let mapped = program.to_fhir(&message, &dukou_mapping::Site { id: "corpus", zone: "+00:00" });
            let a = &mapped.accounts;
            assert_eq!(a.leaves as usize, message.leaf_count(), "{}", file.display());
            assert_eq!(a.leaves, a.emitted + a.complement + a.dropped + a.reported, "{}", file.display());
            for (sum, n) in sums.iter_mut().zip([a.leaves, a.emitted, a.complement, a.dropped, a.reported]) {
                *sum += u64::from(n);
            }
            for change in &mapped.changes {
                let faults: Vec<_> =
                    dukou_fhir::validate::validate(&change.apply(None), &dukou_fhir::validate::Options::default())
                        .into_iter()
                        .filter(|issue| issue.severity.is_error())
                        .map(|issue| (issue.code, issue.expression))
                        .collect();
                assert!(faults.is_empty(), "{}: {}: {faults:?}", file.display(), change.key);
            }
        }
    }
    println!("{messages} messages, {refused} refused; leaves {sums:?} = emitted + complement + dropped + reported");
}
