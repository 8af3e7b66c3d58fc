//! What the JSON parser promises.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::{Issue, Limits, Message, Path, Presence, json};

fn parse(text: &str) -> (Message<'_>, Vec<Issue>) {
    json::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn leaves(message: &Message<'_>) -> Vec<String> {
    message.leaves().map(|leaf| format!("{}={}", leaf.path(message), leaf.node.text())).collect()
}

#[test]
fn members_are_elements_and_arrays_are_repetitions_of_their_member() {
    let text = r#"{"a":[1,[2,3],{"b":"x"}],"c":{"d":[]},"":" ","e/f":-1.50e3,"n":null,"t":true}"#;
    let (message, issues) = parse(text);
    assert!(issues.is_empty());
    assert_eq!(
        leaves(&message),
        ["/a[1]=1", "/a[2]/[1]=2", "/a[2]/[2]=3", "/a[3]/b=x", "/\"e/f\"=-1.50e3", "/n=", "/t=true"]
    );
    for leaf in message.leaves() {
        let path = Path::parse(&leaf.path(&message).to_string()).unwrap();
        assert_eq!(message.get(&path).unwrap().span(), leaf.node.span());
    }
    let presence = |path: &str| message.get(&Path::parse(path).unwrap()).unwrap().presence();
    assert_eq!(
        [presence("/n"), presence("/c"), presence("/c/d"), presence("/t")],
        [Presence::Null, Presence::Empty, Presence::Absent, Presence::Value]
    );
    let (message, _) = parse("[[1],2]");
    assert_eq!(leaves(&message), ["/[1]/[1]=1", "/[2]=2"]);
    assert_eq!(leaves(&parse("\"x\"").0), ["/=x"]);
}

#[test]
fn escapes_are_decoded_when_a_value_is_read() {
    let (message, _) = parse(r#"{"\u0061b":"\u674e\ud83d\ude00\n\/\"","h":"\ud83d"}"#);
    assert_eq!(leaves(&message), ["/ab=李😀\n/\"", "/h=\\ud83d"]);
}

#[test]
fn a_member_that_is_named_twice_is_kept_twice_and_flagged() {
    let (message, issues) = parse(r#"{"a":1,"b":[{"a":1},{"a":2}],"\u0061":2}"#);
    let found: Vec<String> = issues.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["member-repeated at / (byte 30): the object has a member of that name already; both are kept"]);
    assert_eq!(leaves(&message), ["/a[1]=1", "/b[1]/a=1", "/b[2]/a=2", "/a[2]=2"]);
}

#[test]
fn what_is_not_json_to_the_letter_is_refused_where_it_ends_to_be() {
    let refused = |text: &str| {
        let error = json::parse(text.as_bytes(), &Limits::default()).unwrap_err();
        (error.code(), error.raw_offset())
    };
    for (text, at) in [
        ("{\"a\":1,}", 7),
        ("[1,]", 3),
        ("[1 2]", 3),
        ("{a:1}", 1),
        ("{\"a\" 1}", 5),
        ("[01]", 2),
        ("[1.]", 3),
        ("[-]", 2),
        ("[1e]", 3),
        ("[tru]", 1),
        ("[\"\\x\"]", 2),
        ("[\"\\u12\"]", 2),
        ("[\"a\nb\"]", 3),
        ("[1", 2),
        ("[1}", 2),
        ("{\"a\":1]", 6),
        ("1 2", 2),
        ("[\"a", 3),
        ("'a'", 0),
        ("[,1]", 1),
    ] {
        assert_eq!(refused(text), ("not-json", at), "{text}");
    }
    assert_eq!(refused(" \n").0, "empty");
    assert_eq!(refused(&"[".repeat(65)), ("too-deep", 64));
    assert_eq!(json::parse(b"[\"\xC5\xED\"]", &Limits::default()).unwrap_err().code(), "undecodable");
    let few = Limits { json_nodes_max: 2, ..Limits::default() };
    assert_eq!(json::parse(b"[1,2]", &few).unwrap_err().code(), "too-many-nodes");
}

#[test]
fn setting_a_value_keeps_its_kind_where_it_can() {
    let (message, _) = parse(r#"{ "a" : "x", "n":1.0, "t":true, "z":null, "o":{} }"#);
    let set =
        |path: &str, value: &str| String::from_utf8(message.set(&Path::parse(path).unwrap(), value).unwrap()).unwrap();
    assert_eq!(set("/a", "\"\n"), r#"{ "a" : "\"\n", "n":1.0, "t":true, "z":null, "o":{} }"#);
    assert_eq!(set("/n", "2.50"), r#"{ "a" : "x", "n":2.50, "t":true, "z":null, "o":{} }"#);
    assert_eq!(set("/n", "<2"), r#"{ "a" : "x", "n":"<2", "t":true, "z":null, "o":{} }"#);
    assert_eq!(set("/t", "false"), r#"{ "a" : "x", "n":1.0, "t":false, "z":null, "o":{} }"#);
    assert_eq!(set("/z", "1"), r#"{ "a" : "x", "n":1.0, "t":true, "z":"1", "o":{} }"#);
    assert!(message.set(&Path::parse("/o").unwrap(), "1").is_err());
}
