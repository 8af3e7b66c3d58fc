use proptest::prelude::*;

use super::*;
use crate::{Position, Value};

fn read(text: &str) -> Result<Value<'_>, ParseError> {
    parse(text.as_bytes(), &Limits::default())
}

fn printed(value: &Value<'_>) -> String {
    let mut out = Vec::new();
    print(value, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn number_text_and_member_order_are_kept() {
    let text = r#"{"z":1.10,"a":[1e2,-0.0,0E+1,12345678901234567890.00],"m":null,"k":true}"#;
    assert_eq!(printed(&read(text).unwrap()), text);
}

#[test]
fn canonical_text_has_the_fewest_escapes() {
    let sent = r#" { "a" : "\u0041\/\u00e9\ud83d\ude00\n\u0001\u007f" , "b" : [ ] } "#;
    assert_eq!(printed(&read(sent).unwrap()), "{\"a\":\"A/é😀\\n\\u0001\u{7f}\",\"b\":[]}");
}

#[test]
fn strings_borrow_from_the_input_where_nothing_was_escaped() {
    let value = read(r#"{"plain":"王小明","escaped":"a\nb"}"#).unwrap();
    let borrowed = |name: &str| matches!(value.get(name), Some(Value::String(std::borrow::Cow::Borrowed(_))));
    assert!(borrowed("plain") && !borrowed("escaped"));
}

#[test]
fn what_readers_disagree_on_is_refused_with_its_place() {
    use ParseErrorKind::*;
    for (text, kind, line, column) in [
        ("", UnexpectedEnd, 1, 1),
        ("{\"a\":1,\n \"a\":2}", DuplicateName, 2, 2),
        ("{\"a\":1,\"\\u0061\":2}", DuplicateName, 1, 8),
        ("\"\\ud800\"", LoneSurrogate, 1, 2),
        ("\"\\ud800\\u0041\"", LoneSurrogate, 1, 2),
        ("\"\\udc00\"", LoneSurrogate, 1, 2),
        ("\"王\u{1}\"", ControlCharacter, 1, 3),
        ("\"\\x\"", MalformedEscape, 1, 2),
        ("\"\\u12g4\"", MalformedEscape, 1, 2),
        ("\"a", UnexpectedEnd, 1, 3),
        ("01", MalformedNumber, 1, 2),
        ("-", MalformedNumber, 1, 2),
        ("1.", MalformedNumber, 1, 3),
        ("1e", MalformedNumber, 1, 3),
        ("+1", UnexpectedCharacter, 1, 1),
        (".5", UnexpectedCharacter, 1, 1),
        ("NaN", UnexpectedCharacter, 1, 1),
        ("{} {}", TrailingBytes, 1, 4),
        ("[1,]", UnexpectedCharacter, 1, 4),
        ("{\"a\":1,}", UnexpectedCharacter, 1, 8),
        ("{a:1}", UnexpectedCharacter, 1, 2),
        ("[1", UnexpectedEnd, 1, 3),
        ("tru", UnexpectedEnd, 1, 4),
        ("\u{feff}{}", UnexpectedCharacter, 1, 1),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!((error.kind, error.line, error.column), (kind, line, column), "{text:?}");
    }
    let error = parse(b"{\"a\":\"\xff\"}", &Limits::default()).unwrap_err();
    assert_eq!((error.kind, error.offset), (InvalidUtf8, 6));
}

#[test]
fn a_late_duplicate_among_many_names_is_found_at_its_place() {
    let mut text = String::from("{");
    for at in 0..100 {
        text.push_str(&format!("\"n{at}\":{at},"));
    }
    let place = text.len();
    text.push_str("\"n37\":0,\"n1\":0}");
    let error = read(&text).unwrap_err();
    assert_eq!((error.kind, error.offset), (ParseErrorKind::DuplicateName, place));
}

#[test]
fn depth_and_number_of_values_are_bounded() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(&nested(64)).is_ok());
    assert_eq!(read(&nested(65)).unwrap_err().kind, ParseErrorKind::TooDeep);
    assert_eq!(read(&"[".repeat(1_000_000)).unwrap_err().kind, ParseErrorKind::TooDeep);
    let few = Limits { values_max: 3, ..Limits::default() };
    assert!(parse(b"[1,2]", &few).is_ok());
    assert_eq!(parse(b"[1,2,3]", &few).unwrap_err().kind, ParseErrorKind::TooManyValues);
}

#[test]
fn a_pretty_print_reads_back_to_the_same_tree() {
    let value = read(r#"{"a":[1,{"b":[]}],"c":{},"d":"x"}"#).unwrap();
    let mut pretty = Vec::new();
    print_pretty(&value, &mut pretty);
    assert_eq!(parse(&pretty, &Limits::default()), Ok(value));
}

#[test]
fn an_expression_leads_back_to_line_and_column() {
    let text = "{\n \"resourceType\":\"Patient\",\n \"contact\": [ {\"a\":\"}\\\"]\"},\n  {\"name\": {\"family\": 5}, \"valueString\":1, \"_use\":{}}]}";
    let at = |line, column| Some(Position { line, column });
    assert_eq!(locate(text.as_bytes(), "Patient.contact[1].name.family"), at(4, 13));
    assert_eq!(locate(text.as_bytes(), "Patient.contact[0]"), at(3, 15));
    assert_eq!(locate(text.as_bytes(), "Patient.contact[1].value"), at(4, 27));
    assert_eq!(locate(text.as_bytes(), "Patient.contact[1].use"), at(4, 44));
    assert_eq!(locate(text.as_bytes(), "Patient.contact[1].missing"), at(4, 3));
    assert_eq!(locate(text.as_bytes(), "Patient"), at(1, 1));
    assert_eq!(locate(b"[]", "Patient"), None);
}

/// Trees of any shape, with the texts that break readers.
fn trees() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"
            .prop_map(|text| { serde_json::from_str(&text).expect("the pattern is the grammar of numbers") }),
        any::<String>().prop_map(serde_json::Value::from),
        "[\"\\\\/\u{0}-\u{20}a王\u{1f600}]{0,8}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 60, 40, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::vec((any::<String>(), inner), 0..40)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_bytes_survive_reading_and_printing(tree in trees()) {
        let canonical = serde_json::to_string(&tree).unwrap();
        prop_assert_eq!(printed(&read(&canonical).unwrap()), canonical.clone());
        prop_assert_eq!(printed(&read(&canonical).unwrap().into_static()), canonical);
    }

    #[test]
    fn a_tree_does_not_depend_on_blanks_or_escapes(tree in trees()) {
        let pretty = serde_json::to_string_pretty(&tree).unwrap();
        prop_assert_eq!(printed(&read(&pretty).unwrap()), serde_json::to_string(&tree).unwrap());
    }

    #[test]
    fn any_bytes_are_read_or_refused_as_another_reader_does(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        agree(&bytes);
    }

    #[test]
    fn nearly_json_is_read_or_refused_as_another_reader_does(text in "[\\[\\]{}:,\"\\\\u0-9a-eE.+\\- ntrfls]{0,30}") {
        agree(text.as_bytes());
    }
}

/// Both readers agree on whether bytes are JSON, and on the tree; only duplicate names are ours to refuse.
fn agree(bytes: &[u8]) {
    let (own, other) = (parse(bytes, &Limits::default()), serde_json::from_slice::<serde_json::Value>(bytes));
    match (own, other) {
        (Ok(own), Ok(other)) => assert_eq!(printed(&own), serde_json::to_string(&other).unwrap()),
        (Err(_), Err(_)) => {}
        (Err(error), Ok(_)) => assert_eq!(error.kind, ParseErrorKind::DuplicateName, "{bytes:?}"),
        (Ok(own), Err(error)) => {
            panic!("{bytes:?} was read as {own:?}, the other reader says {error}")
        }
    }
}
