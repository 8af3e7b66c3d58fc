use std::sync::LazyLock;

use dukou_fhir::{json, validate};
use dukou_wire::Limits;
use proptest::prelude::*;

use super::documents::{BOOKING, BOOKINGS, ITEMS, REGISTRATION, REPORT, registration, report, row};
use super::{SITE, program_of};
use crate::Program;

static PROGRAMS: LazyLock<[Program; 3]> = LazyLock::new(|| [REGISTRATION, REPORT, BOOKING].map(program_of));

fn documents() -> [String; 3] {
    [registration(&[row(1, ""), row(2, "<fb>02</fb>")]), report(ITEMS), BOOKINGS.to_owned()]
}

/// One change to a document: at a place, a piece is taken out and another put in.
fn changes() -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    let piece = prop_oneof![
        Just("<row>".to_owned()),
        Just("</row>".to_owned()),
        Just("<Item/>".to_owned()),
        Just("&lt;".to_owned()),
        Just("<![CDATA[<x>]]>".to_owned()),
        Just("|".to_owned()),
        Just("~".to_owned()),
        Just("^".to_owned()),
        Just("\r\n".to_owned()),
        Just(" ".to_owned()),
        Just("20260231".to_owned()),
        "[a-zA-Z0-9 .<>/-]{0,6}",
        "\\PC{0,4}",
    ];
    prop::collection::vec((0usize..2000, 0usize..12, piece), 0..8)
}

fn changed(text: &str, changes: &[(usize, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, out, piece) in changes {
        let from = (*at).min(chars.len());
        let to = (from + out).min(chars.len());
        chars.splice(from..to, piece.chars());
    }
    chars.into_iter().collect()
}

fn check(program: &Program, text: &str) -> Result<(), TestCaseError> {
    let opened = program.open(text.as_bytes(), &Limits::default(), &dukou_wire::Site::default());
    let Ok((message, _)) = opened else { return Ok(()) };
    let mapped = program.to_fhir(&message, &SITE);
    let sums = &mapped.accounts;
    prop_assert_eq!(sums.leaves as usize, message.leaf_count());
    prop_assert_eq!(sums.leaves, sums.emitted + sums.complement + sums.dropped + sums.reported);
    prop_assert_eq!(sums.lines(program, &message).count(), message.leaf_count());
    let mut records = program.records(&message, &SITE);
    let mut own = 0;
    for record in records.by_ref() {
        let sums = &record.mapped.accounts;
        prop_assert_eq!(sums.leaves, sums.emitted + sums.complement + sums.dropped + sums.reported);
        prop_assert!(record.mapped.issues.iter().all(|issue| !issue.expression.is_empty()), "an issue has its place");
        own += sums.leaves;
    }
    prop_assert!(own <= sums.leaves);
    prop_assert_eq!(records.accounts().emitted, sums.emitted);
    for change in &mapped.changes {
        let resource = change.apply(None);
        let faults = validate::validate(&resource, &validate::Options::default());
        let faults: Vec<String> = faults
            .iter()
            .filter(|fault| matches!(fault.kind.as_str(), "structure" | "required" | "value" | "code-invalid"))
            .map(|fault| format!("{} {:?} {}", fault.code, fault.expression, fault.text.en))
            .collect();
        prop_assert!(faults.is_empty(), "{:?} {:?}", faults, resource);
    }
    let print = |mapped: &crate::Mapped<'_>| {
        let mut out = Vec::new();
        json::print(&mapped.to_bundle(), &mut out);
        out
    };
    prop_assert_eq!(print(&mapped), print(&program.to_fhir(&message, &SITE)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_document_is_mapped_accounted_for_and_gives_valid_resources(changes in changes()) {
        for (program, text) in PROGRAMS.iter().zip(documents()) {
            check(program, &changed(&text, &changes))?;
        }
    }
}
