//! What the XML parser promises.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::charset::Reason;
use dukou_wire::{Charset, Issue, IssueCode, Limits, Message, NotAMessage, Path, Presence, SetError, Site, xml};

fn parse(bytes: &[u8]) -> (Message<'_>, Vec<Issue>) {
    xml::parse(bytes, &Limits::default(), &Site::default()).unwrap()
}

fn inner<'m>(message: &'m Message<'_>) -> (Message<'m>, Vec<Issue>) {
    let element = xml::wrapped(message).next().unwrap();
    xml::inner(element, &Limits::default(), &Site::default()).unwrap()
}

fn text(message: &Message<'_>, path: &str) -> String {
    message.get(&Path::parse(path).unwrap()).unwrap().text().into_owned()
}

fn codes(issues: &[Issue]) -> Vec<&str> {
    issues.iter().map(|issue| issue.code.as_str()).collect()
}

fn leaves(message: &Message<'_>) -> Vec<String> {
    message.leaves().map(|leaf| format!("{}={}", leaf.path(message), leaf.node.text())).collect()
}

#[test]
fn elements_attributes_and_runs_of_text_are_leaves_in_the_order_of_the_document() {
    let bytes =
        b"<?xml version='1.0'?><!-- c --><a xmlns:x='urn:x' k='1'>t1<b>u</b><b x:k='2' k='3'/> t2 <c><d/> </c></a>\n";
    let (message, issues) = parse(bytes);
    assert!(issues.is_empty(), "{issues:?}");
    assert_eq!(
        leaves(&message),
        ["/a/@k=1", "/a/text()[1]=t1", "/a/b[1]=u", "/a/b[2]/@k=2", "/a/b[2]/@k=3", "/a/text()[2]= t2 "]
    );
    let root = message.root().unwrap();
    assert_eq!(root.value().text(), "t1u t2  ");
    assert_eq!(root.child("c").unwrap().value().presence(), Presence::Empty);
    let b = root.children_named("b").nth(1).unwrap();
    assert_eq!((b.attribute("x:k").text(), b.attribute("k").text()), ("2".into(), "2".into()));
    assert_eq!(xml::print(&message), bytes);
}

#[test]
fn absent_empty_and_nil_are_told_apart() {
    let bytes = b"<a xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'><b/><c></c><d xsi:nil='true'/>t<e xsi:nil='false'/></a>";
    let (message, _) = parse(bytes);
    let presence = |path: &str| message.get(&Path::parse(path).unwrap()).unwrap().presence();
    assert_eq!(
        [presence("/a/b"), presence("/a/c"), presence("/a/d"), presence("/a/e")],
        [Presence::Empty, Presence::Empty, Presence::Null, Presence::Empty]
    );
    assert_eq!([presence("/a/z"), presence("/z"), presence("/a/b/@q")], [Presence::Absent; 3]);
    assert_eq!(leaves(&message), ["/a/d=", "/a/text()[1]=t", "/a/e/@nil=false"]);
}

#[test]
fn namespaces_are_kept_and_may_be_ignored() {
    let bytes =
        b"<s:Envelope xmlns:s='urn:soap' xmlns='urn:d'><s:Body><q/><n:q xmlns:n='urn:n'/></s:Body></s:Envelope>";
    let (message, _) = parse(bytes);
    let body = xml::body(&message).unwrap();
    assert_eq!((body.qualified_name(), body.namespace().as_deref()), ("q", Some("urn:d")));
    let second = message.find_element(&Path::parse("/Envelope/Body/q[2]").unwrap()).unwrap();
    assert_eq!((second.qualified_name(), second.namespace().as_deref()), ("n:q", Some("urn:n")));
    assert_eq!(message.root().unwrap().namespace().as_deref(), Some("urn:soap"));
    assert_eq!(second.path().to_string(), "/Envelope/Body/q[2]");
}

#[test]
fn entities_sections_comments_and_line_ends_are_read_as_text() {
    let bytes = "<a k='1&#10;2\n3&quot;'>x&lt;&#x674E;<![CDATA[<&amp;>]]><!-- no -->&nbsp;\r\nz\r</a>".as_bytes();
    let (message, issues) = parse(bytes);
    assert_eq!(text(&message, "/a"), "x<李<&amp;>&nbsp;\nz\n");
    assert_eq!(text(&message, "/a/@k"), "1\n2 3\"");
    assert_eq!(codes(&issues), ["entity-unknown"]);
    assert_eq!(bytes[issues[0].raw_offset as usize], b'&');
    let (message, _) = parse(b"<a><![CDATA[one]]></a>");
    let node = message.root().unwrap().value();
    assert!(matches!(node.text(), std::borrow::Cow::Borrowed("one")), "a single section is not copied");
}

#[test]
fn the_declaration_is_only_a_hint_of_the_character_set() {
    let declared = |name: &str, body: &[u8]| {
        [format!("<?xml version=\"1.0\" encoding=\"{name}\"?><a>").as_bytes(), body, b"</a>"].concat()
    };
    let charset = |bytes: &[u8]| {
        let (message, issues) = parse(bytes);
        (message.charset(), message.charset_reason(), text(&message, "/a"), codes(&issues).concat())
    };
    // U+4DAE is not in GB2312.
    let rare = b"\xC5\xED\xFE\x9F";
    let gb18030 = |reason, issue: &str| (Charset::Gb18030, reason, "彭䶮".to_owned(), issue.to_owned());
    assert_eq!(charset(&declared("gb2312", rare)), gb18030(Reason::Declared, ""));
    assert_eq!(charset(&declared("utf-8", rare)), gb18030(Reason::Default, "charset-suspect"));
    assert_eq!(charset(&declared("x-none", rare)), gb18030(Reason::Default, "charset-unknown"));
    assert_eq!(
        charset(&declared("gb2312", "李".as_bytes())),
        (Charset::Utf8, Reason::StrictUtf8, "李".into(), String::new())
    );
    let ascii = declared("GBK", b"x");
    let (message, _) = parse(&ascii);
    assert_eq!((message.charset(), message.charset_reason()), (Charset::Gb18030, Reason::Declared));
    assert_eq!(message.set(&Path::parse("/a").unwrap(), "彭䶮").unwrap(), declared("GBK", rare));
    let bytes = declared("gb2312", rare);
    let transport = |charset| {
        let (message, issues) = xml::parse_as(&bytes, Some(charset), &Limits::default(), &Site::default()).unwrap();
        (message.charset_reason(), codes(&issues).concat())
    };
    assert_eq!(transport(Charset::Gb18030), (Reason::Transport, String::new()));
    assert_eq!(transport(Charset::Utf8), (Reason::Declared, "charset-suspect".to_owned()));
}

#[test]
fn what_could_grow_or_read_elsewhere_is_refused() {
    let refused = |text: &str| {
        let error = xml::parse(text.as_bytes(), &Limits::default(), &Site::default()).unwrap_err();
        (error.code(), error.raw_offset())
    };
    assert_eq!(refused("<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), ("doctype", 21));
    assert_eq!(refused("<!doctype html><a/>"), ("doctype", 0));
    assert_eq!(refused("<a><!DOCTYPE b></a>"), ("doctype", 3));
    assert_eq!(refused("  text"), ("no-root", 2));
    assert_eq!(refused(&"<a>".repeat(65)), ("too-deep", 64 * 3));
    let attributes: String = (0..257).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(refused(&format!("<a{attributes}/>")), ("too-many-attributes", 0));
    assert_eq!(refused(&format!("<{}/>", "a".repeat(70_000))), ("name-too-long", 1));
    let small = Limits { xml_nodes_max: 3, ..Limits::default() };
    let error = xml::parse(b"<a><b/><c/><d/></a>", &small, &Site::default()).unwrap_err();
    assert_eq!(error, NotAMessage::TooManyNodes { limit: 3 });
    let (message, _) =
        parse(b"<a xmlns:xi='http://www.w3.org/2001/XInclude'><xi:include href='file:///etc/passwd'/></a>");
    assert_eq!(leaves(&message), ["/a/include/@href=file:///etc/passwd"]);
}

#[test]
fn what_is_not_quite_xml_is_flagged_and_read() {
    let read = |text: &str| {
        let (message, issues) = parse(text.as_bytes());
        assert_eq!(xml::print(&message), text.as_bytes());
        (leaves(&message).join(" "), codes(&issues).join(" "))
    };
    let gives = |leaves: &str, issues: &str| (leaves.to_owned(), issues.to_owned());
    assert_eq!(read("<r><v><0.5</v><w>3</w></r>"), gives("/r/v=<0.5 /r/w=3", "markup-stray"));
    assert_eq!(read("<r><v>1</w><w>2</w></r>"), gives("/r/v/text()[1]=1 /r/v/w=2", "element-unclosed end-tag-stray"));
    assert_eq!(read("<r><v>1<w>2</r>"), gives("/r/v/text()[1]=1 /r/v/w=2", "element-unclosed"));
    assert_eq!(read("<r><v>1"), gives("/r/v=1", "element-unclosed"));
    assert_eq!(
        read("<r a=1 b><v c='x'y>1</v></r>"),
        gives("/r/@a=1 /r/v/@c=x /r/v=1", "attribute-unquoted attribute-unquoted attribute-unquoted")
    );
    assert_eq!(read("<r/><s>1</s>"), gives("", "trailing-content"));
    assert_eq!(read("x<r>1</r>y"), gives("/r=1", "leading-bytes trailing-content"));
    assert_eq!(read("<r>1<!-- 2"), gives("/r=1", "element-unclosed markup-unclosed"));
    assert_eq!(read("<r a='1' a='2'/>"), gives("/r/@a=1 /r/@a=2", "attribute-repeated"));
}

#[test]
fn setting_a_value_touches_no_other_byte() {
    let bytes = b"<a k = '1'><b/><c>x<!-- y --></c><d e=\"2\"/><f>1<g/>2</f></a>";
    let (message, _) = parse(bytes);
    let set = |path: &str, value: &str| {
        message.set(&Path::parse(path).unwrap(), value).map(|bytes| String::from_utf8(bytes).unwrap())
    };
    assert_eq!(
        set("/a/b", "<&").unwrap(),
        "<a k = '1'><b>&lt;&amp;</b><c>x<!-- y --></c><d e=\"2\"/><f>1<g/>2</f></a>"
    );
    assert_eq!(set("/a/c", "z").unwrap(), "<a k = '1'><b/><c>z</c><d e=\"2\"/><f>1<g/>2</f></a>");
    assert_eq!(
        set("/a/@k", "'\"").unwrap(),
        "<a k = '&apos;&quot;'><b/><c>x<!-- y --></c><d e=\"2\"/><f>1<g/>2</f></a>"
    );
    assert_eq!(set("/a/d/@e", "\n").unwrap(), "<a k = '1'><b/><c>x<!-- y --></c><d e=\"&#10;\"/><f>1<g/>2</f></a>");
    assert_eq!(set("/a/b/@n", "3").unwrap(), "<a k = '1'><b n=\"3\"/><c>x<!-- y --></c><d e=\"2\"/><f>1<g/>2</f></a>");
    assert_eq!(set("/a/f/text()[2]", "3").unwrap(), "<a k = '1'><b/><c>x<!-- y --></c><d e=\"2\"/><f>1<g/>3</f></a>");
    let nil = parse(b"<a><b xsi:nil='true' k='1' /><c k='1'  xsi:nil=\"1\"></c></a>").0;
    let set_nil = |path: &str| String::from_utf8(nil.set(&Path::parse(path).unwrap(), "2").unwrap()).unwrap();
    assert_eq!(set_nil("/a/b"), "<a><b k='1' >2</b><c k='1'  xsi:nil=\"1\"></c></a>");
    assert_eq!(set_nil("/a/c"), "<a><b xsi:nil='true' k='1' /><c k='1'>2</c></a>");
    assert_eq!(set("/a", "3"), Err(SetError::NotAField));
    assert_eq!(set("/q/r", "3"), Err(SetError::NoSegment));
    assert_eq!(set("PID-3", "3"), Err(SetError::NoSegment));
}

#[test]
fn a_document_that_stands_as_text_in_another_is_read_and_written_in_its_place() {
    let document = "<?xml version=\"1.0\" encoding=\"gb2312\"?><row><xm>彭䶮</xm><bz/></row>";
    let escaped = document.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    for content in [
        escaped.clone(),
        format!("<![CDATA[{document}]]>"),
        format!("\n <![CDATA[{document}]]> "),
        format!("<!-- c -->{escaped}"),
    ] {
        let envelope = format!("<s:Envelope xmlns:s='urn:s'><s:Body><Save><p>{content}</p></s:Body></s:Envelope>")
            .replace("</p>", "</p></Save>");
        let (outer, _) = parse(envelope.as_bytes());
        let (message, issues) = inner(&outer);
        assert!(issues.is_empty(), "{issues:?}");
        assert_eq!((message.charset(), message.charset_reason()), (Charset::Utf8, Reason::Envelope));
        assert_eq!(text(&message, "/row/xm"), "彭䶮");
        assert_eq!((message.raw(), xml::print(&message).as_slice()), (envelope.as_bytes(), envelope.as_bytes()));
        let name = message.get(&Path::parse("/row/xm").unwrap()).unwrap();
        assert!(envelope[message.raw_offset(name.span().start) as usize..].starts_with("彭䶮"));
        let written = message.set(&Path::parse("/row/xm").unwrap(), "A<B").unwrap();
        let section = content.contains("CDATA");
        let value = if section { "A&lt;B" } else { "A&amp;lt;B" };
        assert_eq!(String::from_utf8(written.clone()).unwrap(), envelope.replace("彭䶮", value));
        let (outer, _) = parse(&written);
        assert_eq!(text(&inner(&outer).0, "/row/xm"), "A<B");
        let opened = message.set(&Path::parse("/row/bz").unwrap(), "加号").unwrap();
        let (outer, _) = parse(&opened);
        assert_eq!(text(&inner(&outer).0, "/row/bz"), "加号");
    }
}

#[test]
fn other_formats_may_stand_as_text_in_xml_too() {
    let er7 = b"<m><v2>MSH|^~\\&amp;|LIS|H|||||ADT^A08|1|P|2.4\nPID|1||1&amp;2||A&lt;B\n</v2></m>";
    let (outer, _) = parse(er7);
    let (message, issues) = inner(&outer);
    assert!(issues.is_empty(), "{issues:?}");
    assert_eq!(text(&message, "PID-5"), "A<B");
    let mut edits = message.edit();
    edits.set(1, dukou_wire::Place::field(5), "C&D");
    assert!(edits.finish().is_err(), "the bytes are those of the document around");
    let written = message.set(&Path::parse("PID-5").unwrap(), "C&D").unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8_lossy(er7).replace("A&lt;B", "C\\T\\D"));
    let json = br#"<m><j>{&quot;a&quot;:"{\"b\":\"\\u674e&lt;\"}"}</j></m>"#;
    let (outer, _) = parse(json);
    let (message, _) = inner(&outer);
    let wrapped = xml::wrapped(&message).next().unwrap();
    let (innermost, _) = xml::inner(wrapped, &Limits::default(), &Site::default()).unwrap();
    assert_eq!(text(&innermost, "/b"), "李<");
    let written = innermost.set(&Path::parse("/b").unwrap(), "\"<").unwrap();
    let expected = String::from_utf8_lossy(json).replace(r"\\u674e&lt;", r#"\\\"&lt;"#);
    assert_eq!(String::from_utf8(written).unwrap(), expected);
}

#[test]
fn what_begins_and_ends_like_a_document_is_taken_for_one() {
    let taken = |content: &str| {
        let text = format!("<a><b>{content}</b></a>");
        xml::wrapped(&parse(text.as_bytes()).0).count() == 1
    };
    for document in [
        "\n                  &lt;r/&gt; ",
        "&#32;&#32;&#32;&#32;&#32;&#32;&#32;&#32;&#32;&lt;r/&gt;",
        "<![CDATA[\n                <?xml version='1.0'?><r/>\n]]>",
        "{&quot;a&quot;:1}",
        "MSH|^~\\&amp;|A",
    ] {
        assert!(taken(document), "{document}");
    }
    for text in ["&lt;0.5", "&lt;r", "x", "&amp;", "MSH", "[", "[未见异常]", "<c/>", "", "<!-- c -->"] {
        assert!(!taken(text), "{text}");
    }
}

#[test]
fn documents_are_unwrapped_only_so_deep_and_share_one_budget() {
    let wrap = |document: &str| format!("<a>{}</a>", document.replace('&', "&amp;").replace('<', "&lt;"));
    let document = wrap(&wrap(&wrap(&wrap("<b/>"))));
    let (limits, site) = (Limits::default(), Site::default());
    let (outer, _) = parse(document.as_bytes());
    let (first, _) = inner(&outer);
    let (second, _) = inner(&first);
    let (third, _) = inner(&second);
    let error = xml::inner(third.root().unwrap(), &limits, &site).unwrap_err();
    assert_eq!(error, NotAMessage::InnerTooDeep { limit: 3, raw_offset: 33 });
    let few = Limits { xml_nodes_max: 1, ..limits };
    let error = xml::inner(outer.root().unwrap(), &few, &site).unwrap_err();
    assert_eq!(error, NotAMessage::TooManyNodes { limit: 1 });
    let hostile = wrap("<!DOCTYPE x><b/>");
    let (outer, _) = parse(hostile.as_bytes());
    let error = xml::inner(outer.root().unwrap(), &Limits::default(), &site).unwrap_err();
    assert_eq!((error.code(), error.raw_offset()), ("doctype", 3));
}

#[test]
fn issues_of_an_inner_document_point_into_the_bytes_that_came() {
    let body = "&lt;r&gt;李&amp;nbsp;&lt;/r&gt;";
    let text = format!("<a>{body}</a>");
    let bytes = Charset::Gb18030.encode(&text).unwrap().into_owned();
    let (outer, _) = parse(&bytes);
    assert_eq!(outer.charset(), Charset::Gb18030);
    let (_, issues) = inner(&outer);
    assert_eq!(issues[0].code, IssueCode::EntityUnknown);
    assert!(bytes[issues[0].raw_offset as usize..].starts_with(b"&amp;nbsp;"));
    assert_eq!(issues[0].path.as_ref().map(ToString::to_string).as_deref(), Some("/r"));
}
