//! Messages written from nothing and messages changed in many places.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::draft::{Draft, PrintError, SegmentDraft};
use dukou_wire::{Charset, Delimiters, Limits, Message, Path, Place, Site, Target, er7, groups};
use proptest::prelude::*;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn parsed(bytes: &[u8]) -> Message<'_> {
    er7::parse(bytes, &Limits::default(), &Site::default()).unwrap().0
}

fn draft(structure: &str, target: &str, values: &[(&str, &str)]) -> Draft {
    let mut draft = Draft::new(structure, Delimiters::default(), Target::named(target).unwrap());
    for (place, value) in values {
        draft.set(&path(place), value);
    }
    draft
}

#[test]
fn values_set_in_any_order_are_printed_in_the_order_of_the_structure_and_read_back() {
    let values = [
        ("ORDER_OBSERVATION[2]/OBX-5[2].3.2", "d&e^f"),
        ("ORDER_OBSERVATION[2]/OBR-4.1", "CRP"),
        ("ORDER_OBSERVATION/OBSERVATION[2]/OBX-5", "5\\6"),
        ("ORDER_OBSERVATION/OBSERVATION[2]/NTE-3", "line\rbreak"),
        ("ORDER_OBSERVATION/OBSERVATION/OBX-5", "a~b"),
        ("ORDER_OBSERVATION/OBR-4.1", "GLU"),
        ("PID-5[2].1", "李珅"),
        ("PID-3.1", "86001"),
        ("MSH-9.1", "ORU"),
        ("MSH-9.2", "R01"),
    ];
    let bytes = draft("ORU_R01", "GB18030", &values).print().unwrap();
    let message = parsed(&bytes);
    assert_eq!(message.charset(), Charset::Gb18030);
    for (place, value) in values {
        assert_eq!(message.get(&path(place)).unwrap().first_leaf().text(), value, "{place} is read back");
    }
    let ids: Vec<_> = message.segments().map(|segment| segment.id()).collect();
    assert_eq!(ids, ["MSH", "PID", "OBR", "OBX", "OBX", "NTE", "OBR", "OBX"]);
    assert_eq!(groups::arrange(&message, &mut Vec::new()).structure(), "ORU_R01");
}

#[test]
fn what_a_receiver_cannot_read_is_an_error_with_its_path() {
    let refused = draft("ADT_A01", "GB2312", &[("PID-5.1", "李珅")]).print().unwrap_err();
    let PrintError::Unencodable { path: at, character, charset } = &refused else { panic!("{refused}") };
    assert_eq!((at.to_string().as_str(), *character, charset.as_str()), ("PID-5.1.1", 2, "GB2312"));
    assert!(!refused.to_string().contains('珅'), "an error never holds a value");
    assert!(draft("ADT_A01", "GBK", &[("PID-5.1", "李珅䶮")]).print().is_ok());
    let private = draft("ADT_A01", "GB18030", &[("PID-11.1", "\u{E5E5}")]).print();
    assert!(private.is_err(), "no numeric reference stands for what a character set lacks");
}

#[test]
fn references_stand_in_free_text_alone_and_only_where_a_site_asks_for_them() {
    let target = Target::named("8859/1").unwrap().with_references();
    let mut note = Draft::new("ORU_R01", Delimiters::default(), target.clone());
    note.set(&path("NTE-3"), "温 é");
    note.set(&path("OBR-4.2"), "温");
    let bytes = note.print().unwrap();
    assert_eq!(parsed(&bytes).get(&path("NTE-3")).unwrap().text(), "&#28201; é");
    for place in ["PID-3.1", "PID-5.1", "OBR-4.1", "PID-2.1", "PV1-7.2", "OBX-5.1"] {
        let mut draft = Draft::new("ORU_R01", Delimiters::default(), target.clone());
        draft.set(&path(place), "温");
        assert!(draft.print().is_err(), "{place} names or identifies, or may");
    }
}

#[test]
fn a_level_or_an_escape_that_the_message_lacks_is_an_error() {
    let bare = Delimiters { escape: 0, subcomponent: 0, ..Delimiters::default() };
    let mut draft = Draft::new("ADT_A01", bare, Target::of(Charset::Utf8));
    draft.set(&path("PID-3.4.2"), "x");
    assert!(matches!(draft.print(), Err(PrintError::LevelOff { .. })));
    draft.set(&path("PID-3.4.2"), "");
    draft.set(&path("PID-3.4"), "a^b");
    assert!(matches!(draft.print(), Err(PrintError::Unescapable { .. })));
    draft.set(&path("PID-3.4"), "ab");
    let wanted = format!("MSH|^~{}UNICODE UTF-8\rPID|||^^^ab\r", "|".repeat(16));
    assert_eq!(draft.print().unwrap(), wanted.as_bytes());
}

#[test]
fn a_level_that_is_off_is_declared_so_that_it_is_read_as_off() {
    for header in ["MSH|~~\\&|A", "MSH|^~~&|A", "MSH|^~\\~#|A", "MSH|^|A", "MSH||A", "MSH|^~|A"] {
        let bytes = format!("{header}\rZZ1|a^b&c\r");
        let delimiters = parsed(bytes.as_bytes()).delimiters();
        let mut draft = Draft::new("UNKNOWN", delimiters, Target::of(Charset::Utf8));
        draft.set(&path("ZZ1-1"), "1");
        let written = draft.print().unwrap();
        assert_eq!(parsed(&written).delimiters(), delimiters, "{header}");
    }
}

#[test]
fn a_message_is_printed_in_the_character_set_of_its_receiver() {
    let bytes = b"\xEF\xBB\xBFMSH|^~\\&|LIS|\xE7\x8F\x85|||||ADT^A08|1|P|2.4||||||UTF-8|x\nPID|1||\\XE79E85\\\\Q\\||\xE6\x9D\x8E^a&b~\n\n junk\n";
    let message = parsed(bytes);
    let chinese = message.print_for(&Target::named("GBK").unwrap()).unwrap();
    let wanted =
        b"MSH|^~\\&|LIS|\xAB\x7C|||||ADT^A08|1|P|2.4||||||GBK|x\nPID|1||\\XB3F2\\\\Q\\||\xC0\xEE^a&b~\n\n junk\n";
    assert_eq!(chinese, wanted, "{}", String::from_utf8_lossy(&chinese));
    let back = parsed(&chinese).print_for(&Target::named("UTF-8").unwrap()).unwrap();
    assert_eq!(back, bytes[3..]);
    let refused = message.print_for(&Target::named("GB2312").unwrap()).unwrap_err();
    assert_eq!(refused.path().to_string(), "MSH-4.1.1");
    let short = parsed(b"MSH|^~\\&|A\rPID|1\r").print_for(&Target::of(Charset::Gb18030)).unwrap();
    assert_eq!(short, b"MSH|^~\\&|A|||||||||||||||GB 18030-2000\rPID|1\r");
}

#[test]
fn edits_leave_every_other_byte_as_it_was() {
    let bytes = b"MSH|^~\\&|LIS|H|||||ADT^A08|1|P|2.4||||||GBK\n\nPID|1||A^^^H&&~B|\xC0\xEE^\xAB\x7C\\Q\\|x||\n broken\nPV1|1|I";
    let message = parsed(bytes);
    let mut edits = message.edit();
    edits.set(1, Place::at(3, 2, 0, 0), "C|D").set_null(1, Place::field(5)).set(1, Place::at(9, 1, 2, 1), "誠");
    edits.set(3, Place::field(2), "").set_raw(3, Place::field(3), "a^b&c~d");
    let mut inserted = SegmentDraft::new("ZZ1");
    inserted.set(Place::field(1), "é");
    edits.insert_after(3, SegmentDraft::new("ZZ0")).insert_after(3, inserted).remove_segment(2);
    let wanted = b"MSH|^~\\&|LIS|H|||||ADT^A08|1|P|2.4||||||GBK\n\nPID|1||A^^^H&&~C\\F\\D|\xC0\xEE^\xAB\x7C\\Q\\|\"\"||||^\xD5\x5C\nPV1|1||a^b&c~d\rZZ1|\xA8\xA6";
    assert_eq!(edits.finish().unwrap(), wanted);
    assert_eq!(message.edit().finish().unwrap(), bytes);
}

#[test]
fn edits_that_name_no_field_are_refused() {
    let message = parsed(b"MSH|^~\\&|A\rPID|1\r broken\r");
    for (segment, place) in [(0, Place::field(2)), (1, Place::field(0)), (2, Place::field(1)), (9, Place::field(1))] {
        let refused = message.edit().set(segment, place, "x").finish();
        assert!(matches!(refused, Err(PrintError::NotAField { .. })), "{segment} {place:?}");
    }
}

fn places() -> impl Strategy<Value = Place> {
    (3..7_u16, 0..4_u16, 0..4_u16, 0..4_u16).prop_map(|(f, r, c, s)| Place::at(f, r, c, s))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_edit_does_what_setting_a_value_does(place in places(), value in "[a-z|^~\\\\&\"李]{0,5}") {
        let bytes = "MSH|^~\\&|A\rPID|1||a^b&c~d^^e&&f||~|x\r".as_bytes();
        let message = parsed(bytes);
        let path = place.in_segment(path("PID"));
        let set = message.set(&path, &value).unwrap();
        let edited = message.edit().set(1, place, &value).finish().unwrap();
        let (set, edited) = (parsed(&set), parsed(&edited));
        let leaves = |message: &Message<'_>| -> Vec<(String, String)> {
            message.leaves().map(|leaf| (leaf.path(message).to_string(), leaf.node.raw().to_owned())).collect()
        };
        prop_assert_eq!(leaves(&set), leaves(&edited));
    }

    #[test]
    fn a_draft_holds_what_was_set(values in prop::collection::btree_map(places(), "[a-z|^~\\\\&\"李珅\r]{1,5}", 1..9)) {
        let mut draft = Draft::new("ADT_A01", Delimiters::default(), Target::named("GBK").unwrap());
        let positions: std::collections::BTreeMap<Place, String> =
            values.into_iter().map(|(p, v)| (Place::at(p.field, p.repetition.max(1), p.component.max(1), p.subcomponent.max(1)), v)).collect();
        for (place, value) in &positions {
            draft.set(&place.in_segment(path("PID")), value);
        }
        let bytes = draft.print().unwrap();
        let message = parsed(&bytes);
        let read: std::collections::BTreeMap<Place, String> = message
            .leaves()
            .filter(|leaf| leaf.segment == 1)
            .map(|leaf| (Place::from(&leaf.path(&message)), leaf.node.text().into_owned()))
            .collect();
        prop_assert_eq!(read, positions);
    }
}
