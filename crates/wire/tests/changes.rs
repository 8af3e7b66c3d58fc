//! Changing trees and rows: what is added, what is cut, and that all else stays.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::delimited::{self, Layout};
use dukou_wire::document::Document;
use dukou_wire::draft::PrintError;
use dukou_wire::{Charset, Limits, Message, Path, SetError, Site, Target, er7, json, xml};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn set_in(message: &Message<'_>, place: &str, value: &str) -> Result<String, SetError> {
    message.set(&path(place), value).map(|bytes| String::from_utf8(bytes).unwrap())
}

fn read_xml(text: &str) -> Message<'_> {
    xml::parse(text.as_bytes(), &Limits::default(), &Site::default()).unwrap().0
}

fn read_json(text: &str) -> Message<'_> {
    json::parse(text.as_bytes(), &Limits::default()).unwrap().0
}

fn read_rows<'a>(text: &'a str, layout: &Layout) -> Message<'a> {
    delimited::parse(text.as_bytes(), layout, &Limits::default(), &Site::default()).unwrap().0
}

#[test]
fn missing_elements_are_added_behind_the_others_in_their_manner() {
    let text = "<a>\r\n  <b>1</b>\r\n  <b/>\r\n</a>";
    let message = read_xml(text);
    assert_eq!(set_in(&message, "/a/c", "2").unwrap(), "<a>\r\n  <b>1</b>\r\n  <b/>\r\n  <c>2</c>\r\n</a>");
    assert_eq!(
        set_in(&message, "/a/b[3]/d/@e", "2").unwrap(),
        "<a>\r\n  <b>1</b>\r\n  <b/>\r\n  <b><d e=\"2\"/></b>\r\n</a>"
    );
    assert_eq!(set_in(&message, "/a/b[2]/x", "2").unwrap(), "<a>\r\n  <b>1</b>\r\n  <b><x>2</x></b>\r\n</a>");
    assert_eq!(set_in(&message, "/a/b[4]", "2"), Err(SetError::NoSegment));
    assert_eq!(set_in(&message, "/a/b[1]/x", "2"), Err(SetError::NotAField), "an element with text gets none inside");
    assert_eq!(set_in(&message, "/a/b", "\u{1}"), Err(SetError::Unencodable));
    assert_eq!(set_in(&read_xml("<a></a>"), "/a/c", "<").unwrap(), "<a><c>&lt;</c></a>");
    assert_eq!(set_in(&read_xml("<x:a />"), "/a/c", "1").unwrap(), "<x:a ><c>1</c></x:a>");
}

#[test]
fn missing_members_and_values_are_added_behind_the_others() {
    let text = r#"{"a":{"b":1 },"l":[{"n":"1"}],"e":[ ],"o":{}}"#;
    let message = read_json(text);
    assert_eq!(set_in(&message, "/a/c", "x\"").unwrap(), text.replace("1 }", r#"1,"c":"x\"" }"#));
    assert_eq!(set_in(&message, "/l[2]/n", "2").unwrap(), text.replace("}],\"e", r#"},{"n":"2"}],"e"#));
    assert_eq!(set_in(&message, "/e[1]/n", "2").unwrap(), text.replace("[ ]", r#"[{"n":"2"} ]"#));
    assert_eq!(set_in(&message, "/o/p/q[1]", "2").unwrap(), text.replace("\"o\":{}", r#""o":{"p":{"q":["2"]}}"#));
    assert_eq!(set_in(&message, "/z", "2").unwrap(), text.replace("{}}", r#"{},"z":"2"}"#));
    assert_eq!(set_in(&message, "/l[3]/n", "2"), Err(SetError::NoSegment));
    assert_eq!(set_in(&message, "/a/b/c", "2"), Err(SetError::NotAField));
    assert_eq!(set_in(&read_json("[1]"), "/[2]", "x").unwrap(), r#"[1,"x"]"#);
    assert_eq!(set_in(&read_json("[]"), "/[1]/a", "x").unwrap(), r#"[{"a":"x"}]"#);
    for changed in [set_in(&message, "/e[1]/n", "2"), set_in(&message, "/o/p/q[1]", "2")] {
        assert!(json::parse(changed.unwrap().as_bytes(), &Limits::default()).is_ok());
    }
}

#[test]
fn a_cell_gets_quotation_marks_where_it_needs_them() {
    let text = "a,b,c\n1,\"x,\"\"y\"\"\",\n2\n";
    let message = read_rows(text, &Layout::csv());
    assert_eq!(set_in(&message, "row[1]/a", "3").unwrap(), text.replace("1,\"", "3,\""));
    assert_eq!(set_in(&message, "row[1]/a", "3,\"4").unwrap(), text.replace("1,\"x", "\"3,\"\"4\",\"x"));
    assert_eq!(set_in(&message, "row[1]/b", "z\"").unwrap(), text.replace("x,\"\"y\"\"", "z\"\""));
    assert_eq!(set_in(&message, "row[1]/c", "3\n").unwrap(), text.replace("\",\n", "\",\"3\n\"\n"));
    assert_eq!(set_in(&message, "row[2]/c", "3").unwrap(), text.replace("2\n", "2,,3\n"));
    assert_eq!(set_in(&message, "row[2]/d", "3"), Err(SetError::NotAField));
    assert_eq!(set_in(&message, "row[3]/a", "3"), Err(SetError::NoSegment));
    let single = read_rows("a\n1\n2\n", &Layout::csv());
    assert_eq!(set_in(&single, "row[1]/a", "").unwrap(), "a\n\"\"\n2\n", "the row stays a row");
    assert_eq!(String::from_utf8(single.strip(&[path("row[1]/a")]).unwrap().bytes).unwrap(), "a\n\"\"\n2\n");
    let single = Layout::separated(b'|');
    assert_eq!(set_in(&read_rows("1\n2\n", &single), "row[1]/col 1", " "), Err(SetError::Unescapable));
    let parts = Layout { component: Some(b'^'), repetition: Some(b'~'), ..Layout::separated(b'|') };
    let text = "A|x^y~z|1\r\n";
    let message = read_rows(text, &parts);
    assert_eq!(set_in(&message, "row[1]/col 2[2].2", "w").unwrap(), "A|x^y~z^w|1\r\n");
    assert_eq!(set_in(&message, "row[1]/col 2.1", "w").unwrap(), "A|w^y~z|1\r\n");
    assert_eq!(set_in(&message, "row[1]/col 5", "w").unwrap(), "A|x^y~z|1||w\r\n");
    assert_eq!(set_in(&message, "row[1]/col 1", "w|"), Err(SetError::Unescapable));
    assert_eq!(set_in(&message, "row[1]/col 1", "w^"), Err(SetError::Unescapable));
}

#[test]
fn many_spans_are_rewritten_in_one_pass_and_what_overlaps_is_refused() {
    let bytes = Charset::Gb18030.encode("<a><b>李</b><c>王</c></a>").unwrap().into_owned();
    let (message, _) = xml::parse(&bytes, &Limits::default(), &Site::default()).unwrap();
    let change = |place: &str, value: &str| message.replacement(&path(place), value).unwrap();
    let written = message.rewrite(&[change("/a/b", "张"), change("/a/c", "䶮"), change("/a/d", "1")]).unwrap();
    assert_eq!(Charset::Gb18030.decode(&written).unwrap(), "<a><b>张</b><c>䶮</c><d>1</d></a>");
    assert_eq!(message.rewrite(&[change("/a/c", "1"), change("/a/b", "2")]), Err(SetError::Span));
    assert_eq!(message.rewrite(&[(7..8, String::new())]), Err(SetError::Span));
    assert_eq!(message.rewrite(&[]).unwrap(), bytes);
}

#[test]
fn a_document_is_built_in_the_character_set_of_its_receiver() {
    let mut document = Document::new("r");
    document.set(&path("/r/a/b"), "䶮&").unwrap();
    document.set(&path("/r/a[2]/b/@c"), "\"\n").unwrap();
    document.set(&path("/r/a[1]/d"), "").unwrap();
    let gb18030 = document.print_xml(&Target::of(Charset::Gb18030), Some(1)).unwrap();
    let text = "<?xml version=\"1.0\" encoding=\"GB18030\"?>\n<r>\n <a>\n  <b>䶮&amp;</b>\n  <d/>\n </a>\n <a>\n  <b c=\"&quot;&#10;\"/>\n </a>\n</r>\n";
    assert_eq!(Charset::Gb18030.decode(&gb18030).unwrap(), text);
    let refused = document.print_xml(&Target::named("GB2312").unwrap(), None).unwrap_err();
    let PrintError::Unencodable { path: place, character, .. } = refused else { panic!("{refused}") };
    assert_eq!((place.to_string().as_str(), character), ("/r/a/b", 1));
    assert_eq!(document.print_json(), r#"{"a":[{"b":"䶮&","d":""},{"b":""}]}"#.as_bytes());
    let mut odd = Document::new("r");
    odd.root().child("a b", 1);
    assert!(matches!(odd.print_xml(&Target::of(Charset::Utf8), None), Err(PrintError::NotAField { .. })));
    assert_eq!(odd.set(&path("/q/a"), "1"), Err(SetError::NoSegment));
    let deep = path(&"/r".repeat(100));
    assert_eq!(odd.set(&deep, "1"), Err(SetError::NotAField));
}

#[test]
fn what_is_stripped_is_gone_from_the_bytes_and_nothing_else_is() {
    let strip = |message: &Message<'_>, places: &[&str]| {
        let paths: Vec<Path> = places.iter().map(|place| path(place)).collect();
        let stripped = message.strip(&paths).unwrap();
        let cut: Vec<String> = stripped.cut.iter().map(ToString::to_string).collect();
        (String::from_utf8(stripped.bytes).unwrap(), cut.join(" "))
    };
    let gives = |bytes: &str, cut: &str| (bytes.to_owned(), cut.to_owned());
    let message = read_xml("<a k='1'><b>x<c>y</c></b><b c='2'>z</b><d/></a>");
    assert_eq!(
        strip(&message, &["/a/b/c", "/a/@k", "/a/b[2]/@c", "/a/d", "/q"]),
        gives("<a k=''><b>x<c></c></b><b c=''>z</b><d/></a>", "/a/@k /a/b[1]/c /a/b[2]/@c")
    );
    assert_eq!(strip(&message, &["/a/b/c", "/a/b"]), gives("<a k='1'><b></b><b c='2'></b><d/></a>", "/a/b[1] /a/b[2]"));
    let message = read_json(r#"{"t":"x","n":1,"o":{"t":"y"},"l":[1,2],"e":""}"#);
    assert_eq!(
        strip(&message, &["/t", "/n", "/o", "/l", "/e"]),
        gives(r#"{"t":"","n":null,"o":{},"l":[null,null],"e":""}"#, "/t /n /o /l[1] /l[2]")
    );
    let message = read_rows("a,b\n1,\"x,y\"\n", &Layout::csv());
    assert_eq!(strip(&message, &["row[1]/b", "row[1]/c", "row[2]"]), gives("a,b\n1,\"\"\n", "row[1]/b"));
    let (message, _) = er7::parse(b"MSH|^~\\&|A\rPID|1||2^3\rZPI|1|2\r", &Limits::default(), &Site::default()).unwrap();
    assert_eq!(strip(&message, &["PID-3.2", "ZPI", "PID-9"]), gives("MSH|^~\\&|A\rPID|1||2^\rZPI\r", "PID-3.2 ZPI"));
    assert_eq!(message.strip(&[path("MSH-2")]), Err(SetError::NotAField));
    let wrapped = read_xml("<s><p>&lt;r&gt;&lt;token&gt;T&amp;amp;&lt;/token&gt;&lt;/r&gt;</p></s>");
    let (inner, _) =
        xml::inner(wrapped.root().unwrap().child("p").unwrap(), &Limits::default(), &Site::default()).unwrap();
    assert_eq!(strip(&inner, &["/r/token"]).0, "<s><p>&lt;r&gt;&lt;token&gt;&lt;/token&gt;&lt;/r&gt;</p></s>");
}
