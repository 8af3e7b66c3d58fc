//! Time and memory of trees and rows grow with the input and no faster, whatever the input is made of.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod measured;

use std::time::Duration;

use dukou_wire::delimited::{self, Layout};
use dukou_wire::{Format, Issue, Limits, Message, NotAMessage, Site, cda, json, sniff, xml};
use measured::{thread_cpu, time};

/// An input of so many repeats of something.
type Make = fn(usize) -> Vec<u8>;

fn around(before: &str, repeated: &str, n: usize, after: &str) -> Vec<u8> {
    [before, &repeated.repeat(n), after].concat().into_bytes()
}

fn numbered(before: &str, n: usize, one: impl Fn(usize) -> String, after: &str) -> Vec<u8> {
    [before, &(0..n).map(one).collect::<String>(), after].concat().into_bytes()
}

/// What senders and attackers make documents of.
const CASES: &[(&str, Make)] = &[
    ("empty elements", |n| around("<a>", "<b/>", 4 * n, "</a>")),
    ("elements with text", |n| around("<a>", "<b>x</b>\n", 2 * n, "</a>")),
    ("elements of different names", |n| numbered("<a>", n, |i| format!("<b{i}>x</b{i}>"), "</a>")),
    ("two names by turns", |n| around("<a>", "<b>1</b><c>2</c>", n, "</a>")),
    ("deep elements", |n| around("<a>", &["<b>".repeat(60), "</b>".repeat(60)].concat(), n / 30, "</a>")),
    ("text between elements", |n| around("<a>", "t<b/>", 3 * n, "</a>")),
    ("attributes", |n| {
        around("<a>", &format!("<b{}/>", (0..200).map(|i| format!(" a{i}=''")).collect::<String>()), n / 80, "</a>")
    }),
    ("namespaces", |n| around("<a xmlns:p='u'>", "<p:b p:k='1'/>", n, "</a>")),
    ("entities", |n| around("<a>", "&amp;&#x674E;", n, "</a>")),
    ("entities that are none", |n| around("<a>", "&x;&& ", 2 * n, "</a>")),
    ("entities in an attribute", |n| around("<a k='", "&lt;\n", 2 * n, "'/>")),
    ("sections", |n| around("<a>", "<![CDATA[x]]>", n, "</a>")),
    ("comments", |n| around("<a>", "<!-- x -->", n, "</a>")),
    ("comments that never end", |n| around("<a>", "<b><!-- </b>", n, "</a>")),
    ("sections that never end", |n| around("<a>", "<![CDATA[ ", n, "</a>")),
    ("instructions that never end", |n| around("<a>", "<?x ", 2 * n, "</a>")),
    ("signs that are no tags", |n| around("<a>", "< <<", 3 * n, "</a>")),
    ("end tags without start", |n| around("<a>", "</b>", 3 * n, "</a>")),
    ("elements without end", |n| around("<a>", "<b><c></b>", n, "</a>")),
    ("values without their quotation mark", |n| around("<a>", "<b k=\"x></b>", n, "</a>")),
    ("tags that never end", |n| around("<a>", "<b k</b>", n, "</a>")),
    ("line ends", |n| around("<a>", "\r\n\r", 4 * n, "</a>")),
    ("one long value", |n| around("<a><b>", "QUJD", 3 * n, "</b></a>")),
    ("documents within a document", |n| around("<a>", "<p>&lt;r&gt;&lt;x k='1'/&gt;&lt;/r&gt;</p>", n / 3, "</a>")),
    ("a clinical document", |n| {
        around(
            "<ClinicalDocument><templateId root='2.16.156.10011.2.1.1.27'/>",
            "<section><text>x<tr><td>y</td></tr></text><entry><observation><code code='DE04.30.019.00' displayName=' x'/><vlaue/></observation></entry></section>",
            n / 10,
            "</ClinicalDocument>",
        )
    }),
    ("JSON values", |n| around("[1", ",1", 4 * n, "]")),
    ("JSON arrays", |n| around("[[]", ",[]", 3 * n, "]")),
    ("JSON members", |n| numbered("{\"a\":0", n, |i| format!(",\"b{i}\":{i}"), "}")),
    ("JSON members of one name", |n| around("{\"a\":0", ",\"a\":1", n, "}")),
    ("JSON names with escapes", |n| around("{\"a\":0", ",\"\\u0061\":1", n, "}")),
    ("JSON strings", |n| around("[\"", "\\n\\u674e\\\"", n, "\"]")),
    ("cells", |n| around("a", ",", 400, &"\n1,2,3".repeat(n))),
    ("rows", |n| around("a,b\n", "1,2\n", 3 * n, "")),
    ("quoted cells", |n| around("a,b\n", "\"1,\"\"\",\"\n\"\n", n, "")),
    ("quotation marks", |n| around("a,b\n", "\"", 10 * n, "")),
    ("quotation marks by turns", |n| around("a,b\n", "\"x\n", 4 * n, "\"")),
    ("quotation marks astray", |n| around("a,b\n", "x\"y,\"z\"w\n", n, "")),
    ("cells for a spreadsheet", |n| around("id,b\n", "8E+17,\"1,25\"\n'1,=x\n１,1\n", n / 2, "")),
];

fn read(bytes: &[u8]) -> Result<(Message<'_>, Vec<Issue>), NotAMessage> {
    let (limits, site) = (Limits::default(), Site::default());
    match sniff(bytes) {
        Format::Xml => xml::parse(bytes, &limits, &site),
        Format::Json => json::parse(bytes, &limits),
        _ => delimited::parse(bytes, &Layout::csv(), &limits, &site),
    }
}

/// Everything that is done with a document by this crate.
fn work(bytes: &[u8]) {
    let (message, issues) = read(bytes).unwrap();
    assert!(issues.len() <= Limits::default().issues_max);
    let mut paths = 0;
    let decoded: usize = message.leaves().map(|leaf| leaf.node.text().len()).sum();
    for leaf in message.leaves() {
        paths += leaf.path(&message).to_string().len();
    }
    assert!(decoded <= 3 * message.text().len() && paths < usize::MAX);
    for element in xml::wrapped(&message) {
        if let Ok((inner, _)) = xml::inner(element, &Limits::default(), &Site::default()) {
            assert_eq!(inner.raw().len(), bytes.len());
        }
    }
    let narrative: usize =
        cda::sections(&message).map(|section| section.narrative().len() + section.entries().count()).sum();
    assert!(narrative <= 3 * bytes.len() && cda::check(&message, &Limits::default()).len() <= 1_000);
    let cut: Vec<_> = message.leaves().step_by(50).take(200).map(|leaf| leaf.path(&message)).collect();
    assert!(message.strip(&cut[..cut.len().min(8)]).is_ok());
}

#[test]
fn four_times_the_document_takes_about_four_times_as_long() {
    let mut slow = Vec::new();
    for (name, make) in CASES {
        let (small, large) = (make(1_200), make(4_800));
        let (Some(one), Some(four)) = (time(|| work(&small)), time(|| work(&large))) else {
            println!("skipped: the scheduler's clock is not there");
            return;
        };
        let ratio = four.as_secs_f64() / one.as_secs_f64() * 4.0 * small.len() as f64 / large.len() as f64;
        println!("{name}: {} bytes in {one:?}, four times as many in {four:?}, {ratio:.1} times", small.len());
        // A square would give sixteen.
        if ratio > 8.0 {
            slow.push(format!("{name}: {ratio:.1}"));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

#[test]
fn memory_stays_below_a_multiple_of_the_document() {
    let mut greedy = Vec::new();
    for (name, make) in CASES {
        let bytes = make(40_000);
        let multiple = match sniff(&bytes) {
            Format::Xml => 12,
            Format::Json => 20,
            _ => 9,
        };
        let used = allocation_counter::measure(|| {
            let (message, _) = read(&bytes).unwrap();
            assert!(!message.raw().is_empty());
        });
        println!(
            "{name}: {} bytes, at most {:.1} times as many held",
            bytes.len(),
            used.bytes_max as f64 / bytes.len() as f64
        );
        // Up to a thousand findings with their paths are told of any document.
        if used.bytes_max > multiple * bytes.len() as u64 + (512 << 10) {
            greedy.push(format!("{name}: {:.1} times", used.bytes_max as f64 / bytes.len() as f64));
        }
    }
    assert!(greedy.is_empty(), "{greedy:?}");
}

#[test]
fn a_document_of_fifty_megabytes_in_one_value_is_read_or_refused_at_once() {
    let limits = Limits::default();
    let large = |size: usize| around("<a><b>", "QUJD", size / 4, "</b></a>");
    let refused = large(limits.leaf_bytes_max + 4);
    assert!(matches!(read(&refused), Err(NotAMessage::LeafTooLarge { .. })));
    let texts: [Vec<u8>; 4] = [
        large(48_000_000),
        around("<a>", "&lt;", 6_000_000, "</a>"),
        around("[\"", "\\u674e", 4_000_000, "\"]"),
        around("a\n", "12345\n", 900_000, ""),
    ];
    for bytes in texts {
        let begun = thread_cpu();
        let (message, _) = read(&bytes).unwrap();
        assert!(message.leaves().map(|leaf| leaf.node.raw().len()).sum::<usize>() > 4_000_000);
        let spent = thread_cpu().zip(begun).map(|(now, begun)| now - begun);
        assert!(spent < Some(Duration::from_secs(20)), "{spent:?}");
    }
}

#[test]
fn a_million_nodes_are_read_and_one_more_is_refused_before_memory_grows() {
    let (limits, n) = (Limits::default(), Limits::default().xml_nodes_max);
    let whole = around("<a>", "<b/>", n - 1, "</a>");
    assert_eq!(read(&whole).unwrap().0.root().unwrap().children().count(), n - 1);
    let cases = [
        (around("<a>", "<b/>", 3 * n, "</a>"), "too-many-nodes"),
        (around("<a>", "<b c=''/>", n, "</a>"), "too-many-nodes"),
        (around("[1", ",1", 3 * n, "]"), "too-many-nodes"),
        (b"<a>".repeat(100_000), "too-deep"),
        (b"[".repeat(100_000), "too-deep"),
        (b"{\"a\":".repeat(100_000), "too-deep"),
    ];
    for (bytes, code) in cases {
        let used = allocation_counter::measure(|| assert_eq!(read(&bytes).unwrap_err().code(), code));
        let most = 12 * bytes.len() as u64 + (64 << 20);
        assert!(used.bytes_max <= most, "{code}: {} of {} bytes", used.bytes_max, bytes.len());
    }
    let rows = around("a\n", "1\n", limits.rows_max + 10, "");
    let (message, issues) = read(&rows).unwrap();
    assert_eq!((message.segment_count(), issues[0].code.as_str()), (limits.rows_max, "rows-stopped"));
}
