//! Groups, facts and escapes.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::escape::{self, Run};
use dukou_wire::{Charset, Delimiters, Issue, IssueCode, Limits, Message, Path, Site, er7, facts, groups};

/// The groups of a message as text: each segment behind the path of its group.
fn arranged(kind: &str, segments: &str) -> (String, Vec<IssueCode>) {
    let bytes = format!("MSH|^~\\&|A|B|C|D|T||{kind}|1|P|2.5\r{}\r", segments.replace(' ', "\r")).into_bytes();
    let (message, _) = er7::parse(&bytes, &Limits::default(), &Site::default()).unwrap();
    let mut issues = Vec::new();
    let groups = groups::arrange(&message, &mut issues);
    let place = |at: usize| {
        let group = groups.group(groups.group_of(at));
        let around = group.parent.map_or(String::new(), |_| format!("{}{}/", group.name, group.ordinal));
        around + message.segment(at).id()
    };
    let places: Vec<_> = (1..message.segment_count()).map(place).collect();
    (places.join(" "), issues.iter().map(|issue: &Issue| issue.code).collect())
}

#[test]
fn observations_and_notes_belong_to_the_order_around_them() {
    let (places, issues) =
        arranged("ORU^R01", "PID|1 PV1|1 ORC|1 OBR|1 NTE|1 OBX|1 NTE|2 OBX|2 ORC|2 OBR|2 OBX|3 SPM|1 OBX|4");
    assert_eq!(
        places,
        "PATIENT1/PID VISIT1/PV1 ORDER_OBSERVATION1/ORC ORDER_OBSERVATION1/OBR ORDER_OBSERVATION1/NTE OBSERVATION1/OBX \
         OBSERVATION1/NTE OBSERVATION2/OBX ORDER_OBSERVATION2/ORC ORDER_OBSERVATION2/OBR OBSERVATION3/OBX SPECIMEN1/SPM SPECIMEN1/OBX"
    );
    assert!(issues.is_empty());
}

#[test]
fn a_second_patient_opens_a_result_of_its_own() {
    let (places, issues) = arranged("ORU^R01^ORU_R01", "PID|1 OBR|1 OBX|1 PID|2 OBR|2 OBX|2");
    assert!(places.ends_with("PATIENT2/PID ORDER_OBSERVATION2/OBR OBSERVATION2/OBX"), "{places}");
    assert!(issues.is_empty());
}

#[test]
fn a_second_order_detail_opens_an_order_of_its_own() {
    let (places, issues) = arranged("ORM^O01", "PID|1 ORC|1 OBR|1 OBX|1 OBR|2 OBX|2 NTE|2");
    assert!(places.ends_with("ORDER_DETAIL2/OBR OBSERVATION2/OBX OBSERVATION2/NTE"), "{places}");
    assert_eq!(issues, [IssueCode::SegmentOutOfOrder]);
}

#[test]
fn an_order_after_an_order_is_no_prior_result() {
    let (places, issues) = arranged("OML^O21", "PID|1 ORC|1 OBR|1 ORC|2 OBR|2 PID|2 OBR|3");
    let expected = "PATIENT1/PID ORDER1/ORC OBSERVATION_REQUEST1/OBR ORDER2/ORC OBSERVATION_REQUEST2/OBR PATIENT_PRIOR1/PID ORDER_PRIOR1/OBR";
    assert_eq!((places.as_str(), issues.as_slice()), (expected, &[][..]));
}

#[test]
fn unknown_segments_stay_with_the_segment_before_them() {
    let (places, issues) = arranged("ORU^R01", "PID|1 ZPI|1 OBR|1 OBX|1 PRT|1 ZZ1|1 OBX|2");
    let expected = "PATIENT1/PID PATIENT1/ZPI ORDER_OBSERVATION1/OBR OBSERVATION1/OBX OBSERVATION1/PRT OBSERVATION1/ZZ1 OBSERVATION2/OBX";
    assert_eq!(places, expected);
    assert_eq!(issues, [IssueCode::SegmentUnexpected], "a segment that senders define themselves is no finding");
}

#[test]
fn a_segment_out_of_order_opens_the_nearest_group_that_holds_it() {
    let (places, issues) = arranged("SIU^S12", "SCH|1 AIS|1 AIL|1 NTE|1");
    assert_eq!(places, "SCH SERVICE1/AIS LOCATION_RESOURCE1/AIL LOCATION_RESOURCE1/NTE");
    assert_eq!(issues, [IssueCode::SegmentOutOfOrder]);
    let (places, _) = arranged("ADT^A08", "EVN|1 PID|1 PV1|1 NK1|1 PD1|1");
    assert_eq!(places, "EVN PID PV1 NK1 PD1");
}

#[test]
fn a_message_of_unknown_structure_is_grouped_by_habit() {
    let (places, issues) =
        arranged("ZZZ^Z01", "EVN|1 PID|1 PV1|1 ORC|1 OBR|1 NTE|1 OBX|1 NTE|2 OBR|2 OBX|2 SPM|1 PID|2 OBR|3 OBX|3");
    assert_eq!(
        places,
        "EVN PATIENT1/PID VISIT1/PV1 ORDER1/ORC ORDER1/OBR ORDER1/NTE OBSERVATION1/OBX OBSERVATION1/NTE ORDER2/OBR \
         OBSERVATION2/OBX SPECIMEN1/SPM PATIENT2/PID ORDER3/OBR OBSERVATION3/OBX"
    );
    assert_eq!(issues, [IssueCode::StructureUnknown]);
}

#[test]
fn the_structure_follows_from_the_event_where_it_is_not_stated() {
    let of = groups::structure_of;
    assert_eq!(
        (of("ADT", "A04", ""), of("ADT", "A08", "ADT_A08"), of("ADT", "A40", "")),
        ("ADT_A01", "ADT_A01", "ADT_A39")
    );
    assert_eq!((of("ORU", "R01", ""), of("ORU", "", ""), of("ACK", "R01", "ACK")), ("ORU_R01", "ORU_R01", "ACK"));
    assert_eq!((of("SIU", "S15", ""), of("ZZZ", "Z01", "")), ("SIU_S12", "UNKNOWN"));
}

#[test]
fn a_path_with_groups_counts_inside_them() {
    let bytes = b"MSH|^~\\&|A|B|C|D|T||ORU^R01|1|P|2.5\rOBR|1\rOBX|1\rOBX|2\rOBR|2\rOBX|3\rOBX|4\r";
    let (message, _) = er7::parse(bytes, &Limits::default(), &Site::default()).unwrap();
    let get = |path: &str| message.get(&Path::parse(path).unwrap()).map(|node| node.raw());
    assert_eq!(get("ORDER_OBSERVATION[2]/OBX[2]-1"), Some("4"));
    assert_eq!(get("ORDER_OBSERVATION[2]/OBSERVATION/OBX-1"), Some("3"));
    assert_eq!(get("ORDER_OBSERVATION[3]/OBX-1"), None);
    assert_eq!(get("OBX[3]-1"), Some("3"));
}

#[test]
fn the_dictionary_knows_new_and_withdrawn_positions() {
    let birth = facts::field("PID", 7).unwrap();
    assert_eq!((birth.datatype, birth.datatype_in("2.4"), birth.datatype_in("2.1")), ("DTM", "TS", "DT"));
    let identifiers = facts::field("PID", 3).unwrap();
    assert_eq!((identifiers.datatype, identifiers.repeats, identifiers.name), ("CX", true, "Patient Identifier List"));
    assert_eq!(facts::field("PID", 19).unwrap().until, "2.6");
    assert_eq!(facts::field("PID", 8).unwrap().table, Some(1));
    assert_eq!(facts::field("OBX", 5).unwrap().datatype, "varies");
    assert_eq!(facts::component("CE", 3).unwrap().name, "Name Of Coding System");
    assert_eq!(facts::component("XPN", 1).unwrap().datatype, "FN");
    for withdrawn in ["CE", "TS", "CQ", "TQ", "CM_PAT_ID", "PN", "ELD"] {
        assert!(facts::component_count(withdrawn) > 0, "{withdrawn} is read in old messages");
    }
    assert!(facts::field("ZPI", 1).is_none() && facts::field("PID", 0).is_none() && facts::field("PID", 999).is_none());
}

fn decoded(raw: &str) -> String {
    escape::decode(raw, Delimiters::default(), Charset::Gb18030).into_owned()
}

#[test]
fn escapes_stand_for_the_delimiters_of_the_message() {
    assert_eq!(decoded("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f"), "a|b^c&d~e\\f");
    let other = Delimiters { component: b'*', ..Delimiters::default() };
    assert_eq!(escape::decode("\\S\\", other, Charset::Utf8), "*");
}

#[test]
fn hexadecimal_runs_are_joined_before_they_are_decoded() {
    assert_eq!(decoded("\\XC4\\\\XE3\\"), "你");
    assert_eq!(decoded("x\\X0D0A\\y"), "x\r\ny");
    assert_eq!(decoded("\\X4\\ \\XC4\\ \\X\\"), "\\X4\\ \\XC4\\ \\X\\");
}

#[test]
fn what_is_no_escape_stays_as_it_was_sent() {
    for raw in ["C:\\Users\\x", "\\H\\bold\\N\\", "\\Zx\\", "\\M2444\\", "\\C2D41\\", "a\\", "\\.br\\", "1\\ 2\\"] {
        assert_eq!(decoded(raw), raw);
    }
    assert_eq!(decoded("5\\6 mg \\T\\ x"), "5\\6 mg & x", "a lone escape character takes nothing with it");
}

#[test]
fn escapes_to_other_repertoires_are_decoded_where_the_repertoire_is_known() {
    assert_eq!(decoded("a \\M2442\\;3ED\\C2842\\ b"), "a 山田 b");
    assert_eq!(decoded("\\M242844\\0!\\C2842\\"), "丂");
    assert_eq!(decoded("\\M2441\\@n\\C2842\\^"), "李^", "the switch back ends the run");
    assert_eq!(decoded("\\M242843\\1h\\C284A\\\\E\\1"), "김¥1");
    assert_eq!(decoded("\\C2849\\6@\\.br\\x"), "ｶﾀ\\.br\\x", "a command ends the run");
    // A delimiter that is a byte of a character is escaped, or written in hexadecimal digits.
    assert_eq!(decoded("\\M2442\\E\\R\\;\\X33\\\\C2842\\"), "到山");
    for odd in ["\\M2442\\;3E\\C2842\\", "\\M2442\\李\\C2842\\", "\\M2441\\~~"] {
        assert_eq!(decoded(odd), odd.strip_suffix("\\C2842\\").unwrap_or(odd), "what is no character stays");
    }
}

#[test]
fn formatted_text_is_runs_and_commands() {
    let text = |text: &str| Run::Text(text.to_owned().into());
    assert_eq!(
        escape::formatted("l1\\.br\\l2\\T\\\\.sp3\\\\.in+2\\", Delimiters::default(), Charset::Utf8),
        [text("l1"), Run::Command("br"), text("l2&"), Run::Command("sp3"), Run::Command("in+2")]
    );
}

#[test]
fn odd_escapes_are_reported_with_their_place() {
    let bytes =
        b"MSH|^~\\&|A\rOBX|1|FT|X||l1\\.br\\l2\rOBX|2|TX|X||l1\\.br\\l2\rOBX|3|ST|X||a\\Q\\ \\X4\\ \\C2D41\\ \\\r";
    let (message, issues): (Message<'_>, _) = er7::parse(bytes, &Limits::default(), &Site::default()).unwrap();
    let found: Vec<_> = issues.iter().map(|issue| (issue.code, issue.path.as_ref().unwrap().to_string())).collect();
    let at = |code, path: &str| (code, path.to_owned());
    assert_eq!(
        found,
        [
            at(IssueCode::EscapeFormatting, "OBX[2]-5"),
            at(IssueCode::EscapeUnknown, "OBX[3]-5"),
            at(IssueCode::EscapeHex, "OBX[3]-5"),
            at(IssueCode::EscapeCharset, "OBX[3]-5"),
            at(IssueCode::EscapeUnterminated, "OBX[3]-5"),
        ]
    );
    assert!(issues.iter().all(|issue| message.text().as_bytes()[issue.text_offset as usize] == b'\\'));
}
