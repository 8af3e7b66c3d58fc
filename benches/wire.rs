//! Parsing ER7: against the scan that no parser can beat, and against the parsers that others wrote.

use dukou_benches::{machine, micros, report};
use dukou_wire::er7::Parser;
use dukou_wire::{Limits, Site};

fn main() {
    let bytes = report(100);
    let text = String::from_utf8(bytes.clone()).unwrap_or_default();
    let (limits, site) = (Limits::default(), Site::default());
    let mut parser = Parser::default();

    let scan = micros(|| memchr::memchr_iter(b'\r', &bytes).count());
    let index = micros(|| match parser.parse(&bytes, &limits, &site) {
        Ok((message, _)) => {
            let segments = message.segment_count();
            parser.recycle(message);
            segments
        }
        Err(_) => 0,
    });
    let every_leaf = micros(|| match parser.parse(&bytes, &limits, &site) {
        Ok((message, _)) => {
            let sum: usize = message.leaves().map(|leaf| leaf.node.text().len()).sum();
            parser.recycle(message);
            sum
        }
        Err(_) => 0,
    });
    let nearest = micros(|| hl7_parser::Message::parse(&text).map(|message| message.segments().count()).unwrap_or(0));
    let most_used = micros(|| {
        rusthl7::message::Message::try_from(text.as_str()).map(|message| message.segments.len()).unwrap_or(0)
    });
    let chinese = dukou_wire::Charset::Gb18030
        .encode(&text.replace("Analyte number", "血清或血浆葡萄糖测定"))
        .map(|b| b.into_owned());
    let chinese = chinese.unwrap_or_default();
    let gb18030 = micros(|| match parser.parse(&chinese, &limits, &site) {
        Ok((message, _)) => {
            let segments = message.segment_count();
            parser.recycle(message);
            segments
        }
        Err(_) => 0,
    });

    let rate = |us: f64, len: usize| len as f64 / us;
    println!("{}", machine());
    println!("ORU^R01, 100 OBX, {} bytes; microseconds of CPU, best of 9 rounds", bytes.len());
    println!("{:<34} {:>9} {:>9}", "", "us", "MB/s");
    let rows = [
        ("memchr scan for CR", scan, bytes.len()),
        ("dukou: index", index, bytes.len()),
        ("dukou: index and every leaf", every_leaf, bytes.len()),
        ("dukou: GB18030 decode and index", gb18030, chinese.len()),
        ("hl7-parser 0.3: parse alone", nearest, bytes.len()),
        ("rust-hl7 0.5: parse alone", most_used, bytes.len()),
    ];
    for (name, us, len) in rows {
        println!("{name:<34} {us:>9.2} {:>9.0}", rate(us, len));
    }
    println!("index / memchr scan: {:.1} (limit 10)", index / scan);
    println!("faster peer / index and every leaf: {:.1} (wanted 20)", nearest.min(most_used) / every_leaf);
}
