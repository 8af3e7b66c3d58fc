use std::sync::LazyLock;

use dukou_fhir::{json, validate};
use proptest::prelude::*;

use super::{SITE, program};
use crate::Program;

pub(super) static PROGRAM: LazyLock<Program> = LazyLock::new(program);

const MESSAGE: &str = "MSH|^~\\&|LIS|GMSQ|D|D|20240102030405||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||86001^^^GMSQ^MR~7^^^H^NI||张^伟^^^^^L||19800131|M|||路^^市||199~198|028||M\r\
    PV1|1|I\rORC|RE|P1|F1\rOBR|1|P1|F1|CBC^全血^L|||20240101101010|||||||||||||||||F\rNTE|1||note\rOBX|1|NM|718-7^Hb^LN||135.0|g/L^^UCUM|115-150|N|||F|||20240101||1001^李^四\rNTE|1||n~m\r\
    OBX|2|SN|6690-2^WBC^LN||<^0.50|x|<3|L|||F\rOBX|3|CWE|B^b^L||A^A^L~O^O^L||||||F\rOBX|4|ED|PDF^r^L||^application^pdf^Base64^JVBERg==||||||F\rZZZ|1|x\r";

/// One change to a message: at a place, a piece is taken out and another put in.
pub(super) fn changes() -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    let piece = prop_oneof![
        Just("|".to_owned()),
        Just("^".to_owned()),
        Just("~".to_owned()),
        Just("&".to_owned()),
        Just("\"\"".to_owned()),
        Just("\r".to_owned()),
        Just("\\T\\".to_owned()),
        Just("OBX|".to_owned()),
        Just("PID|1||9^^^H^MR\r".to_owned()),
        Just("20240231".to_owned()),
        "[a-zA-Z0-9 .<-]{0,6}",
        "\\PC{0,4}",
    ];
    prop::collection::vec((0usize..MESSAGE.len(), 0usize..12, piece), 0..12)
}

pub(super) fn changed(changes: Vec<(usize, usize, String)>) -> String {
    let mut chars: Vec<char> = MESSAGE.chars().collect();
    for (at, out, piece) in changes {
        // The header stays readable: a message that cannot be read is not mapped.
        let from = at.clamp(30, chars.len());
        let to = (from + out).min(chars.len());
        chars.splice(from..to, piece.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn every_message_is_mapped_accounted_for_and_gives_valid_resources(changes in changes()) {
        let text = changed(changes);
        let parsed = dukou_wire::er7::parse(text.as_bytes(), &dukou_wire::Limits::default(), &dukou_wire::Site::default());
        let Ok((message, _)) = parsed else { return Ok(()) };
        let mapped = PROGRAM.to_fhir(&message, &SITE);
        let sums = &mapped.accounts;
        prop_assert_eq!(sums.leaves as usize, message.leaf_count());
        prop_assert_eq!(sums.leaves, sums.emitted + sums.complement + sums.dropped + sums.reported);
        prop_assert_eq!(sums.lines(&PROGRAM, &message).count(), message.leaf_count());
        for change in &mapped.changes {
            let resource = change.apply(None);
            let faults = validate::validate(&resource, &validate::Options::default());
            let faults: Vec<String> = faults
                .iter()
                .filter(|fault| matches!(fault.kind.as_str(), "structure" | "required" | "value" | "code-invalid"))
                .map(|fault| format!("{} {:?} {}", fault.code, fault.expression, fault.text.en))
                .collect();
            prop_assert!(faults.is_empty(), "{:?} {:?}", faults, resource);
            let again = change.apply(Some(&resource));
            prop_assert_eq!(again, resource.clone());
        }
        let print = |mapped: &crate::Mapped<'_>| {
            let mut out = Vec::new();
            json::print(&mapped.to_bundle(), &mut out);
            out
        };
        prop_assert_eq!(print(&mapped), print(&PROGRAM.to_fhir(&message, &SITE)));
    }
}
