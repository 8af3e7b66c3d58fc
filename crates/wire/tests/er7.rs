//! What the ER7 parser promises.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::charset::Reason;
use dukou_wire::{Charset, Issue, IssueCode, Limits, Message, NotAMessage, Path, Presence, SetError, Site, er7};

fn parse(bytes: &[u8]) -> (Message<'_>, Vec<Issue>) {
    er7::parse(bytes, &Limits::default(), &Site::default()).unwrap()
}

fn text(message: &Message<'_>, path: &str) -> String {
    message.get(&Path::parse(path).unwrap()).unwrap().text().into_owned()
}

fn codes(issues: &[Issue]) -> Vec<IssueCode> {
    issues.iter().map(|issue| issue.code).collect()
}

/// A header whose encoding characters are the usual ones.
fn with_header(rest: &str) -> Vec<u8> {
    format!("MSH|^~\\&|LIS|GMSQ|EAI|SFSYY|20261111||ORU^R01|7|P|2.4\r{rest}").into_bytes()
}

#[test]
fn the_first_header_field_is_the_separator_and_the_second_the_encoding_characters() {
    let bytes = with_header("");
    let (message, issues) = parse(&bytes);
    assert!(issues.is_empty());
    let header = message.segment(0);
    assert_eq!((header.field(1).raw(), header.field(2).raw(), header.field(3).raw()), ("|", "^~\\&", "LIS"));
    assert_eq!(header.field_count(), 12);
    let header = message.header();
    assert_eq!((header.message_code(), header.trigger()), ("ORU".into(), "R01".into()));
    assert_eq!(message.leaves().next().map(|leaf| leaf.field), Some(3));
}

#[test]
fn cr_lf_crlf_and_blank_lines_all_end_segments() {
    let bytes = b"MSH|^~\\&|A\nPID|1\r\n\r\nPV1|1\rOBX|1\n\r \n";
    let (message, issues) = parse(bytes);
    let ids: Vec<_> = message.segments().map(|segment| segment.id()).collect();
    assert_eq!(ids, ["MSH", "PID", "PV1", "OBX"]);
    assert!(issues.is_empty());
    assert_eq!(er7::print(&message), bytes);
}

#[test]
fn a_byte_order_mark_and_blanks_before_the_header_are_kept_and_reported() {
    let bytes = b"\xEF\xBB\xBF \r\nMSH|^~\\&|A\r";
    let (message, issues) = parse(bytes);
    assert_eq!(message.charset_reason(), Reason::ByteOrderMark);
    assert_eq!(codes(&issues), [IssueCode::LeadingBytes]);
    assert_eq!(er7::print(&message), bytes);
    assert_eq!(message.raw_offset(message.segment(0).span().start), 6);
}

#[test]
fn the_second_byte_of_a_chinese_character_is_no_delimiter() {
    let mut bytes = b"MSH|^~\\&|LIS|||||".to_vec();
    bytes.extend_from_slice(b"|ADT^A08|1|P|2.4||||||GBK\rPID|1||1||\xC0\xEE\xAB\x7C^\xD5\x5C||19770707\r");
    let (message, issues) = parse(&bytes);
    assert_eq!((message.charset(), message.charset_reason()), (Charset::Gb18030, Reason::Declared));
    assert_eq!((text(&message, "PID-5.1"), text(&message, "PID-5.2")), ("李珅".into(), "誠".into()));
    assert_eq!(text(&message, "PID-7"), "19770707");
    assert!(issues.is_empty(), "{issues:?}");
    let birth = message.segment(1).field(7).span().start;
    assert_eq!(&bytes[message.raw_offset(birth) as usize..][..8], b"19770707");
}

#[test]
fn a_chinese_facility_before_the_declaration_does_not_hide_it() {
    // The second byte of the facility's name is a field separator to a scan of the raw bytes.
    let bytes = b"MSH|^~\\&|LIS|\xAB\x7C|||||ADT^A08|1|P|2.4||||||GB18030\rPID|1\r";
    let (message, _) = parse(bytes);
    assert_eq!(message.charset_reason(), Reason::Declared);
    assert_eq!(message.header().sending_facility(), "珅");
}

#[test]
fn latin_1_that_is_declared_is_split_raw() {
    let bytes = b"MSH|^~\\&|Jos\xE9|X|||||ADT^A08|1|P|2.4||||||8859/1\rPID|1||||Jos\xE9|x\r";
    let (message, _) = parse(bytes);
    assert_eq!(message.charset(), Charset::Iso8859(1));
    assert_eq!((text(&message, "PID-5"), text(&message, "PID-6")), ("José".into(), "x".into()));
}

#[test]
fn bytes_that_no_character_set_explains_are_refused_with_their_offset() {
    let bytes = b"MSH|^~\\&|LIS\rPID|1||||\xFF\xFF\r";
    let error = er7::parse(bytes, &Limits::default(), &Site::default()).unwrap_err();
    assert_eq!((error.code(), error.raw_offset()), ("undecodable", 22));
    let utf16: Vec<u8> = "MSH|^~\\&|".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(er7::parse(&utf16, &Limits::default(), &Site::default()).unwrap_err(), NotAMessage::Utf16);
}

#[test]
fn a_declaration_that_the_bytes_contradict_is_flagged() {
    let suspect = "MSH|^~\\&|LIS|||||||1|P|2.4||||||8859/1\rPID|1||||李\r".as_bytes();
    assert_eq!(codes(&parse(suspect).1), [IssueCode::CharsetSuspect]);
    let unknown = b"MSH|^~\\&|LIS|||||||1|P|2.4||||||KLINGON\r";
    assert_eq!(codes(&parse(unknown).1), [IssueCode::CharsetUnknown]);
    let euro = b"MSH|^~\\&|LIS|||||||1|P|2.4||||||GBK\rPID|1||||\x80\r";
    assert_eq!(codes(&parse(euro).1), [IssueCode::CharsetNotReversible]);
    let garbled = "MSH|^~\\&|LIS|||||||1|P|2.4\rPID|1||||锟斤拷\r".as_bytes();
    assert_eq!(codes(&parse(garbled).1), [IssueCode::Mojibake]);
}

#[test]
fn short_and_odd_encoding_characters_switch_levels_off() {
    let (message, issues) = parse(b"MSH|^~|A\rZPI|a\\T\\b&c^d~e\r");
    assert_eq!(codes(&issues), [IssueCode::EncodingCharacters]);
    assert_eq!(text(&message, "ZPI-1.1"), "a\\T\\b&c");
    assert_eq!(text(&message, "ZPI-1[2]"), "e");
    let (message, _) = parse(b"MSH$*?!%$A\rZPI$a!F!b*c?d!S!\r");
    assert_eq!((text(&message, "ZPI-1.1"), text(&message, "ZPI-1[2]")), ("a$b".into(), "d*".into()));
    let (message, issues) = parse(b"MSH|^~\\\\|A\rPID|a\\E\\b\r");
    assert_eq!(codes(&issues), [IssueCode::DelimiterRepeated]);
    assert_eq!(text(&message, "PID-1"), "a\\b");
    let refused = |bytes: &[u8]| er7::parse(bytes, &Limits::default(), &Site::default()).unwrap_err().code();
    assert_eq!(refused(b"MSHA^~\\&A"), "delimiters");
    assert_eq!(refused(b"MSH|abc|A"), "delimiters");
    assert_eq!(refused(b"PID|1"), "no-header");
    assert_eq!(refused(b" \r\n"), "empty");
}

#[test]
fn a_line_without_a_segment_id_stays_as_a_raw_leaf_or_is_joined() {
    let bytes = with_header("OBX|1|TX|X||first\rsecond | line\rNTE|1\r");
    let (message, issues) = parse(&bytes);
    assert_eq!(codes(&issues), [IssueCode::RawSegment]);
    assert_eq!(issues[0].path.as_ref().map(ToString::to_string).as_deref(), Some("?"));
    let raw = message.segment(2);
    assert!(raw.is_raw() && raw.field_count() == 0);
    let leaf = message.leaves().find(|leaf| leaf.segment == 2).unwrap();
    assert_eq!((leaf.field, leaf.node.raw()), (0, "second | line"));
    let site = Site { join_broken_lines: true, ..Site::default() };
    let (message, issues) = er7::parse(&bytes, &Limits::default(), &site).unwrap();
    assert_eq!(codes(&issues), [IssueCode::JoinedLine]);
    assert_eq!(text(&message, "OBX-5"), "first\rsecond ");
    assert_eq!(message.segment_count(), 3);
}

#[test]
fn absent_empty_null_and_value_are_told_apart() {
    let bytes = with_header("PID|1||\"\"|\"\"^\"\" \"~x|");
    let (message, issues) = parse(&bytes);
    let presence = |path: &str| message.get(&Path::parse(path).unwrap()).unwrap().presence();
    assert_eq!(presence("PID-2"), Presence::Empty);
    assert_eq!(presence("PID-3"), Presence::Null);
    assert_eq!(presence("PID-4.1"), Presence::Null);
    assert_eq!(presence("PID-4.2"), Presence::Value);
    assert_eq!(presence("PID-4[2]"), Presence::Value);
    assert_eq!((presence("PID-5"), presence("PID-6")), (Presence::Empty, Presence::Absent));
    assert_eq!(presence("PID-1.2.3"), Presence::Absent);
    assert!(issues.is_empty(), "PID-4 repeats: {issues:?}");
}

#[test]
fn empty_subcomponents_keep_their_places() {
    let bytes = with_header("OBX|1|X|a&&b^^c~~d&e|\r");
    let (message, _) = parse(&bytes);
    let places: Vec<_> = message
        .leaves()
        .filter(|leaf| leaf.segment == 1 && leaf.field == 3)
        .map(|leaf| (leaf.repetition, leaf.component, leaf.subcomponent, leaf.node.raw()))
        .collect();
    assert_eq!(places, [(1, 1, 1, "a"), (1, 1, 3, "b"), (1, 3, 1, "c"), (3, 1, 1, "d"), (3, 1, 2, "e")]);
}

#[test]
fn a_walk_by_next_and_a_walk_by_fold_give_the_same_leaves() {
    let bytes = with_header("PID|1||a^b~c\rnot a segment\rPV1\rOBX|1||||x&y|\r");
    let (message, _) = parse(&bytes);
    let place = |leaf: dukou_wire::Leaf<'_>| {
        (leaf.segment, leaf.field, leaf.repetition, leaf.component, leaf.subcomponent, leaf.node.raw().to_owned())
    };
    let mut by_next = Vec::new();
    for leaf in message.leaves() {
        by_next.push(place(leaf));
    }
    let mut by_fold = Vec::new();
    message.leaves().for_each(|leaf| by_fold.push(place(leaf)));
    assert_eq!(by_next, by_fold);
    let mut leaves = message.leaves();
    leaves.next();
    assert_eq!(leaves.count(), by_next.len() - 1);
}

#[test]
fn setting_a_value_touches_no_other_byte() {
    let bytes = with_header("PID|1||a^b~c|\r\n\r\nOBX|1\r");
    let (message, _) = parse(&bytes);
    let set = |path: &str, value: &str| {
        let written = message.set(&Path::parse(path).unwrap(), value).unwrap();
        String::from_utf8(written).unwrap().split_once("\rPID").unwrap().1.to_owned()
    };
    assert_eq!(set("PID-3.2", "x|y"), "|1||a^x\\F\\y~c|\r\n\r\nOBX|1\r");
    assert_eq!(set("PID-3[2].1.2", "z"), "|1||a^b~c&z|\r\n\r\nOBX|1\r");
    assert_eq!(set("PID-3[4].2", "z"), "|1||a^b~c~~^z|\r\n\r\nOBX|1\r");
    assert_eq!(set("PID-7.2", "z"), "|1||a^b~c||||^z\r\n\r\nOBX|1\r");
    assert_eq!(set("OBX-5", ""), "|1||a^b~c|\r\n\r\nOBX|1||||\r");
    let fails = |path: &str| message.set(&Path::parse(path).unwrap(), "x").unwrap_err();
    assert_eq!(
        (fails("ZZZ-1"), fails("MSH-2"), fails("PID")),
        (SetError::NoSegment, SetError::NotAField, SetError::NotAField)
    );
}

#[test]
fn setting_a_chinese_value_writes_the_character_set_of_the_message() {
    let bytes = b"MSH|^~\\&|LIS|\xAB\x7C|||||ADT^A08|1|P|2.4||||||GB18030\rPID|1||||\xC0\xEE|x\r";
    let (message, _) = parse(bytes);
    let written = message.set(&Path::parse("PID-5").unwrap(), "珅").unwrap();
    assert!(written.ends_with(b"PID|1||||\xAB\x7C|x\r"));
    assert_eq!(&written[..50], &bytes[..50]);
}

#[test]
fn a_value_that_was_cut_is_known_from_version_2_7_on() {
    let at = |version: &str| {
        let bytes = format!("MSH|^~\\&#|A||||||ADT^A08|1|P|{version}\rPID|1||bed#\r").into_bytes();
        let (message, _) = parse(&bytes);
        (message.segment(1).field(3).truncated(), text(&message, "PID-3"))
    };
    assert_eq!(at("2.7"), (true, "bed#".to_owned()));
    assert_eq!(at("2.6"), (false, "bed#".to_owned()));
}

#[test]
fn repetitions_of_a_single_field_are_kept_and_flagged() {
    let bytes = with_header("PID|1~2||a~b\rOBX|1|ST|X||v~w\r");
    let (message, issues) = parse(&bytes);
    assert_eq!(issues.iter().map(ToString::to_string).filter(|text| text.contains("PID-1")).count(), 1);
    assert_eq!(issues.len(), 1);
    assert_eq!(message.segment(1).field(1).child_count(), 2);
}

#[test]
fn every_limit_refuses_by_its_own_code() {
    let bytes = with_header("PID|1|2|3\rPV1|1\r");
    let refused = |limits: Limits| er7::parse(&bytes, &limits, &Site::default()).unwrap_err().code();
    assert_eq!(refused(Limits { frame_bytes_max: 20, ..Limits::default() }), "too-large");
    assert_eq!(refused(Limits { segments_max: 2, ..Limits::default() }), "too-many-segments");
    assert_eq!(refused(Limits { leaves_max: 4, ..Limits::default() }), "too-many-leaves");
    assert_eq!(refused(Limits { leaf_bytes_max: 4, ..Limits::default() }), "leaf-too-large");
    let broken = with_header(&"x\r".repeat(50));
    let limits = Limits { issues_max: 10, ..Limits::default() };
    let (_, issues) = er7::parse(&broken, &limits, &Site::default()).unwrap();
    assert_eq!(issues.len(), 10);
    let last = issues.last().unwrap();
    assert_eq!((last.code, last.numbers.unwrap().found), (IssueCode::MoreIssues, 41));
}

#[test]
fn an_issue_never_shows_a_value() {
    let bytes = with_header("secret line\rPID|1~2||||secret\\Qsecret\\\r");
    for issue in parse(&bytes).1 {
        assert!(!issue.to_string().contains("secret"), "{issue}");
    }
}

#[test]
fn a_million_empty_fields_and_a_large_value_are_read() {
    let mut bytes = with_header("OBX");
    bytes.extend(std::iter::repeat_n(b'|', 1_000_000));
    let (message, issues) = parse(&bytes);
    assert_eq!(codes(&issues), [IssueCode::PositionOverflow]);
    assert_eq!((message.segment(1).field_count(), message.segment(1).field(u16::MAX).raw()), (u16::MAX, ""));
    let mut bytes = with_header("OBX|1|ED|X||");
    bytes.extend(std::iter::repeat_n(b'Q', 20 << 20));
    assert_eq!(parse(&bytes).0.segment(1).field(5).raw().len(), 20 << 20);
}

#[test]
fn a_parser_gives_the_same_for_every_message_it_reads() {
    let mut parser = er7::Parser::default();
    let long = with_header(&"OBX|1|ST|a^b||c\\F\\d\r".repeat(50));
    let short = with_header("PID|1\r");
    for bytes in [&long, &short, &long] {
        let (message, issues) = parser.parse(bytes, &Limits::default(), &Site::default()).unwrap();
        let (fresh, same) = parse(bytes);
        assert_eq!(message.leaf_count(), fresh.leaf_count());
        assert_eq!(issues, same);
        parser.recycle(message);
    }
}
