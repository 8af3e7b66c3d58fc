//! Hostile trees and rows.

use dukou_wire::delimited::{self, Layout, RowPattern};
use dukou_wire::{Column, Issue, Limits, Message, NotAMessage, Site, invariants as wire, json, xml};

use super::{fuzz, seeds};

/// Documents of the fixtures and samples with one of these endings, and those below.
fn documents(endings: &[&str]) -> Vec<Vec<u8>> {
    let folders = ["../fixtures", "../../shared/samples/cn"];
    let files = folders.into_iter().flat_map(|folder| seeds::files(folder, endings, 60));
    let own = DOCUMENTS.iter().map(|text| text.as_bytes().to_vec());
    own.chain(files.map(|(_, bytes)| bytes)).collect()
}

fn trees() -> Vec<Vec<u8>> {
    documents(&["input.xml", ".utf8.xml", ".gb18030.xml"])
}

#[test]
fn no_bytes_make_the_xml_parser_panic_and_printing_gives_them_back() {
    fuzz("xml-parse-print", &trees(), XML_TOKENS, |mutator| wire::xml_parse_print(&mutator.input()));
}

#[test]
fn no_bytes_make_the_parser_of_other_json_panic_and_printing_gives_them_back() {
    let seeds = documents(&["input.json", ".utf8.json"]);
    fuzz("json-parse-print", &seeds, seeds::JSON_TOKENS, |mutator| wire::json_parse_print(&mutator.input()));
}

#[test]
fn setting_a_value_in_any_document_changes_no_other() {
    let seeds = documents(&["input.xml", ".utf8.xml", ".gb18030.xml", ".utf8.json", ".csv", "input.csv"]);
    let values = ["1", "王<建>&国", "]]>", "a\r\nb\t\"", "\\", "\u{1f600}'", " x,y "];
    fuzz("document-set", &seeds, XML_TOKENS, |mutator| {
        wire::document_set(&mutator.input(), mutator.pick(1 << 20), values[mutator.pick(values.len())]);
    });
}

#[test]
fn any_rows_are_cut_into_cells_that_cover_them() {
    let seeds = documents(&["input.csv", "input.txt", ".gb18030.csv", ".gb18030.txt"]);
    fuzz("delimited-rows", &seeds, ROW_TOKENS, |mutator| wire::delimited_rows(&mutator.input()));
}

#[test]
fn documents_within_documents_are_read_and_written_in_their_place() {
    fuzz("soap-inner", &trees(), XML_TOKENS, |mutator| wire::soap_inner(&mutator.input()));
}

#[test]
fn any_document_has_sections_and_entries_or_none() {
    fuzz("cda-helpers", &trees(), XML_TOKENS, |mutator| wire::cda_helpers(&mutator.input()));
}

#[test]
fn what_is_stripped_from_any_message_is_gone() {
    let seeds = documents(&["input.xml", ".utf8.xml", ".gb18030.xml", ".utf8.json", ".csv", ".hl7"]);
    fuzz("strip", &seeds, XML_TOKENS, |mutator| wire::strip(&mutator.input(), mutator.pick(1 << 20)));
}

/// Some of each format, so that there are seeds where nothing else lies.
const DOCUMENTS: [&str; 8] = [
    "<?xml version=\"1.0\" encoding=\"gb2312\"?>\n<r xmlns:xsi='u'>\r\n <a k='1&amp;'>李 </a><b/><a xsi:nil='true'/>t<!-- c --><![CDATA[<d>]]>\n</r>",
    "<s:Envelope xmlns:s='u'><s:Body><S><p>&lt;r&gt;&lt;x&gt;A&amp;amp;B&lt;/x&gt;&lt;/r&gt;</p><q><![CDATA[<r><x k='2'>3</x></r>]]></q></S></s:Body></s:Envelope>",
    "<m><v2>MSH|^~\\&amp;|LIS|H|||||ADT^A08|1|P|2.4\nPID|1||1||A&lt;B\n</v2><j>{&quot;a&quot;:[&quot;{\\&quot;b\\&quot;:1}&quot;]}</j></m>",
    "<ClinicalDocument><templateId root='2.16.156.10011.2.1.1.27'/><code code='C0007'/><component><section><code code='11502-2'/><text>x<paragraph>y</paragraph></text><entry><observation><code code='DE04.30.019.00'/><value code='A'/></observation></entry></section></component></ClinicalDocument>",
    "{\"a\":[1,{\"b\":\"x\\u674e\"},[2,[3]]],\"c\":null,\"\":{},\"d\":\"{\\\"e\\\":\\\"<f>1</f>\\\"}\"}",
    "姓名,证件号码,结果\n王建国,8.6E+17,\"1,25\"\n'李,=x,\"a\"\"b\nc\"\n合计,2人,2项\n",
    "#YY|V1|条数=2\r\nA|x^y~z|1\r\nU||\"\r\n",
    "MSH|^~\\&|A|B\rPID|1||2^3~4\r",
];

const XML_TOKENS: &[&[u8]] = &[
    b"<",
    b">",
    b"</",
    b"/>",
    b"<a>",
    b"</a>",
    b"<b ",
    b" k=\"",
    b" k='",
    b"=",
    b"\"",
    b"'",
    b"&",
    b"&amp;",
    b"&lt;",
    b"&#x674e;",
    b"&#0;",
    b"&#13;",
    b"&x;",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"-->",
    b"<?",
    b"?>",
    b"<!DOCTYPE",
    b"<!",
    b"\r",
    b"\r\n",
    b"\t",
    b" xmlns=''",
    b" xmlns:x='y'",
    b" xsi:nil='true'",
    b"x:y",
    b":",
    b"<?xml version='1.0' encoding='GBK'?>",
    b"\xef\xbb\xbf",
    b"\xfe\x9f",
    b"\xe6\x9d\x8e",
    b"{\"a\":",
    b"[",
    b"]",
    b"}",
    b"\\",
    b",",
    b"\n",
    b"<section>",
    b"<observation><code code='DE04.30.019.00'/>",
    b"<text>",
    b"<td>",
    b"<id extension='-' root='1'/>",
    b"MSH|^~\\&amp;|",
    b"\\\"",
];

const ROW_TOKENS: &[&[u8]] = &[
    b",",
    b";",
    b"|",
    b"\t",
    b"\"",
    b"\"\"",
    b"\"\"\"",
    b"'",
    b"\r",
    b"\n",
    b"\r\n",
    b"^",
    b"~",
    b"&",
    b"#YY|",
    b"\xe5\x90\x88\xe8\xae\xa1,",
    b"1,25",
    b"8.6E+17",
    b"=x",
    b"+A(",
    b"\xef\xbc\x91",
    b"\xfe\x9f",
    b" ",
    b"\0",
    b"\xef\xbb\xbf",
    b",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,",
];

/// What is refused, with the refusal, and what is taken, with what was found: `input.*` beside `expected.txt`. `BLESS=1` rewrites what is
/// expected.
#[test]
fn hostile_documents_are_refused_or_flagged_as_their_folder_says() {
    let folders = ["../fixtures/hostile/xml", "../fixtures/hostile/partner-json", "../fixtures/hostile/delimited"];
    let cases: Vec<_> = folders.into_iter().flat_map(|folder| seeds::files(folder, INPUTS, usize::MAX)).collect();
    assert!(cases.len() > 50, "the cases are found");
    let mut wrong = String::new();
    for (name, bytes) in cases {
        let found = match read(&name, &bytes) {
            Ok((message, issues)) => taken(&message, &issues, 0),
            Err(reason) => format!("refused: {} at byte {}\n", reason.code(), reason.raw_offset()),
        };
        let expected = std::path::Path::new(&name).with_file_name("expected.txt");
        if std::env::var("BLESS").is_ok() {
            std::fs::write(&expected, &found).unwrap();
        } else if std::fs::read_to_string(&expected).ok().as_ref() != Some(&found) {
            wrong.push_str(&format!("{name}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn read<'a>(name: &str, bytes: &'a [u8]) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
    let (limits, site) = (Limits::default(), Site::default());
    let pattern = |text: &str, separator| RowPattern::parse(text, separator).ok();
    if name.ends_with(".xml") {
        xml::parse(bytes, &limits, &site)
    } else if name.ends_with(".json") {
        json::parse(bytes, &limits)
    } else if name.ends_with(".txt") {
        let head = pattern("#YY|{version}|{institution}|{date}|条数={rows}", b'|');
        let layout = Layout { head, component: Some(b'^'), repetition: Some(b'~'), ..Layout::separated(b'|') };
        delimited::parse(bytes, &layout, &limits, &site)
    } else {
        let trailer = Some("合计,{rows}项").filter(|_| name.contains("trailer")).and_then(|text| pattern(text, b','));
        let layout = Layout { trailer, identifiers: vec![Column::Number(1)], ..Layout::csv() };
        delimited::parse(bytes, &layout, &limits, &site)
    }
}

/// The issues and leaves of a message, and those of the documents within it.
fn taken(message: &Message<'_>, issues: &[Issue], depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let mut text = format!("{indent}taken as {} by {:?}\n", message.charset(), message.charset_reason());
    for issue in issues.iter().take(20) {
        text.push_str(&format!("{indent}  {issue}\n"));
    }
    for leaf in message.leaves().take(20) {
        text.push_str(&format!("{indent}  {} = {:?}\n", leaf.path(message), leaf.node.text()));
    }
    for element in xml::wrapped(message) {
        text.push_str(&match xml::inner(element, &Limits::default(), &Site::default()) {
            Ok((inner, issues)) => taken(&inner, &issues, depth + 1),
            Err(reason) => format!("{indent}  refused: {} at byte {}\n", reason.code(), reason.raw_offset()),
        });
    }
    text
}

const INPUTS: &[&str] = &["input.xml", "input.json", "input.csv", "input.txt"];
