//! The promises of the crate over generated input.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::{Charset, Delimiters, Path, invariants};
use proptest::prelude::*;

/// Bytes that look like messages more often than not.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"MSH|^~\\&|"[..],
        b"MSH|^~\\&|LIS|A|B|C|2026||ORU^R01|1|P|2.4\r",
        b"PID|",
        b"OBX|1|FT|",
        b"OBR|",
        b"ORC|",
        b"NTE|",
        b"Zxx|",
        b"ZPI|",
        b"|",
        b"^",
        b"~",
        b"\\",
        b"&",
        b"\r",
        b"\n",
        b"\r\n",
        b"\"\"",
        b" ",
        b"\\F\\",
        b"\\X0D\\",
        b"\\.br\\",
        b"GBK",
        b"\xAB\x7C",
        b"\xC0\xEE",
        "李".as_bytes(),
        b"\xEF\xBB\xBF",
        b"x",
        b"1",
        b"\x80",
        b"\x0B",
        b"\x1C",
        b"BTS|1\r",
        b"BHS|^~\\&\r",
        b"FHS|^~\\&\r",
        b"FTS|1",
    ]);
    (any::<bool>(), prop::collection::vec(piece, 0..60)).prop_map(|(header, pieces)| {
        let start: &[u8] = if header { b"MSH|^~\\&|LIS|A|B|C|2026||ORU^R01|1|P|2.4\r" } else { b"" };
        start.iter().copied().chain(pieces.concat()).collect()
    })
}

fn delimiters() -> impl Strategy<Value = Delimiters> {
    let punctuation = "|^~\\&#$*?!%@,;:./+-".as_bytes().to_vec();
    Just(punctuation).prop_shuffle().prop_map(|set| Delimiters {
        field: set[0],
        component: set[1],
        repetition: set[2],
        escape: set[3],
        subcomponent: set[4],
        truncation: set[5],
    })
}

fn paths() -> impl Strategy<Value = Path> {
    let id = prop::sample::select(vec!["PID", "OBX", "ZPI", "NTE"]);
    (id, 1..4_u16, 1..9_u16, 0..3_u16, 0..3_u16, 0..3_u16)
        .prop_map(|(id, occurrence, field, r, c, s)| Path::of_segment(id, occurrence).unwrap().at(field, r, c, s))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_parses_is_printed_byte_for_byte(data in messages()) {
        invariants::er7_parse_print(&data);
        invariants::er7_leaf_walk(&data);
    }

    #[test]
    fn any_bytes_are_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..200)) {
        invariants::er7_parse_print(&data);
        invariants::charset_gate(&data);
        invariants::batch_stream(&data);
        invariants::ack_build_parse(&data);
    }

    #[test]
    fn every_segment_is_in_one_group(data in messages()) {
        invariants::groups_total(&data);
        invariants::batch_stream(&data);
        invariants::ack_build_parse(&data);
    }

    #[test]
    fn a_set_value_is_read_back_and_nothing_else_changes(data in messages(), path in paths(), value in "[a-z|^~\\\\&\"李\r ]{0,6}") {
        invariants::er7_set(&data, &path, &value);
    }

    #[test]
    fn frames_do_not_depend_on_cuts(
        pieces in prop::collection::vec(prop::sample::select(vec![&b"\x0B"[..], b"\x1C\r", b"\x1C", b"\r", b"\n", b"MSH|^~\\&|A\r", b"FHS", b"x", b"\0", b"0123456789012345678901234567890123456789"]), 0..40),
        cuts in prop::collection::vec(0..20_usize, 0..20),
    ) {
        invariants::mllp_any_split(&pieces.concat(), &cuts);
    }

    #[test]
    fn text_survives_escaping(text in any::<String>(), tricky in "[|^~\\\\&#XFSTRE0D\r\n\"]{0,12}", delimiters in delimiters()) {
        invariants::escape_roundtrip(&text, delimiters);
        invariants::escape_roundtrip(&tricky, delimiters);
        invariants::escape_roundtrip(&tricky, Delimiters::default());
    }

    #[test]
    fn paths_are_read_back(path in paths(), groups in prop::collection::vec(("[A-Z][A-Z_]{0,8}", 1..9_u16), 0..3)) {
        let groups = groups.into_iter().map(|(name, ordinal)| dukou_wire::GroupStep { name, ordinal }).collect();
        let path = path.within(groups);
        prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
    }

    #[test]
    fn no_text_makes_the_path_reader_fail(text in "[A-Z0-9\\[\\]./?-]{0,16}") {
        if let Ok(path) = Path::parse(&text) {
            prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }
    }

    #[test]
    fn what_decodes_is_encoded_again(data in prop::collection::vec(any::<u8>(), 0..60)) {
        for charset in [Charset::Utf8, Charset::Gb18030, Charset::Big5, Charset::Iso8859(1), Charset::Iso8859(5), Charset::Iso8859(15)] {
            invariants::charset_roundtrip(&data, charset);
        }
    }
}

#[test]
fn every_pair_of_gb18030_is_decoded_and_encoded() {
    for lead in 0x81..=0xFE_u8 {
        for second in (0x40..=0xFE_u8).filter(|&b| b != 0x7F) {
            invariants::charset_roundtrip(&[lead, second, b'|'], Charset::Gb18030);
            invariants::charset_roundtrip(&[lead, second, b'|'], Charset::Big5);
        }
        for second in 0x30..=0x39 {
            invariants::charset_roundtrip(&[lead, second, 0x81, 0x30, b'|'], Charset::Gb18030);
        }
    }
    assert_eq!(Charset::Gb18030.decode(b"\xFE\x9F").as_deref(), Ok("\u{4DAE}"));
    assert_eq!(Charset::Gb18030.encode("\u{E863}").as_deref(), Ok(&b"\x83\x36\xCF\x39"[..]));
}
