//! Parsing ER7 and cutting frames: against the scan that no parser can beat, and against the parsers that others wrote. Beside the
//! times stand the allocations that one call makes when the buffers have been used once.

mod rows;

use dukou_benches::{machine, report};
use dukou_wire::er7::Parser;
use dukou_wire::mllp::{self, Decoder, Event};
use dukou_wire::{Charset, Limits, Site};

use crate::rows::{Row, row, table};

fn main() {
    println!("{}", machine());
    let report = report(100);
    let er7 = er7(&report);
    let [scan, index, every_leaf, nearest, most_used] = &er7;
    println!("\nORU^R01, 100 OBX, {} bytes; microseconds of CPU, best of 9 rounds", report.len());
    table(&er7);
    println!("index / memchr scan: {:.1} (limit 10)", index.us / scan.us);
    println!("faster peer / index and every leaf: {:.1} (wanted 20)", nearest.us.min(most_used.us) / every_leaf.us);

    let (text, rows) = chinese(&report);
    println!("\nthe same report in Chinese, {text} bytes of UTF-8");
    table(&rows);

    let frames = frames(&report);
    println!("\n200 frames of it in reads of 64 KiB");
    table(&[frames]);
}

fn er7(bytes: &[u8]) -> [Row; 5] {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (limits, site, length) = (Limits::default(), Site::default(), bytes.len());
    let mut parser = Parser::default();
    let scan = row("memchr scan for CR", length, || memchr::memchr_iter(b'\r', bytes).count());
    let index = row("dukou: index", length, || parse(&mut parser, bytes, &limits, &site));
    let every_leaf = row("dukou: index and every leaf", length, || match parser.parse(bytes, &limits, &site) {
        Ok((message, _)) => {
            let sum: usize = message.leaves().map(|leaf| leaf.node.text().len()).sum();
            parser.recycle(message);
            sum
        }
        Err(_) => 0,
    });
    let nearest = row("hl7-parser 0.3: parse alone", length, || {
        hl7_parser::Message::parse(&text).map(|message| message.segments().count()).unwrap_or(0)
    });
    let most_used = row("rust-hl7 0.5: parse alone", length, || {
        rusthl7::message::Message::try_from(text.as_str()).map(|message| message.segments.len()).unwrap_or(0)
    });
    [scan, index, every_leaf, nearest, most_used]
}

fn parse(parser: &mut Parser, bytes: &[u8], limits: &Limits, site: &Site) -> usize {
    match parser.parse(bytes, limits, site) {
        Ok((message, _)) => {
            let segments = message.segment_count();
            parser.recycle(message);
            segments
        }
        Err(_) => 0,
    }
}

/// The report with Chinese names of analytes, laboratory and staff, as GB18030: decoding and indexing apart and together.
fn chinese(report: &[u8]) -> (usize, Vec<Row>) {
    let text = String::from_utf8_lossy(report)
        .replace("UNICODE UTF-8", "GB 18030-2000")
        .replace("Analyte number", "血清或血浆葡萄糖测定(己糖激酶法)")
        .replace("in serum or plasma", "参考区间见备注,空腹采血")
        .replace("Central laboratory", "检验科中心实验室")
        .replace("Li^Si", "李^四")
        .replace("Wang^Jianguo", "王^建国");
    let encoded = Charset::Gb18030.encode(&text).map(|bytes| bytes.into_owned()).unwrap_or_default();
    let (limits, site) = (Limits::default(), Site::default());
    let mut parser = Parser::default();
    let mut rows =
        vec![row("decode alone", encoded.len(), || Charset::Gb18030.decode(&encoded).map(|text| text.len()))];
    let as_utf8 = text.replace("GB 18030-2000", "UNICODE UTF-8");
    rows.push(row("index alone (of the UTF-8)", encoded.len(), || {
        parse(&mut parser, as_utf8.as_bytes(), &limits, &site)
    }));
    rows.push(row("decode and index", encoded.len(), || parse(&mut parser, &encoded, &limits, &site)));
    (text.len(), rows)
}

fn frames(report: &[u8]) -> Row {
    let mut stream = Vec::new();
    for _ in 0..200 {
        mllp::encode(report, &mut stream).unwrap_or_default();
    }
    let mut decoder = Decoder::new(&Limits::default(), &Site::default());
    row("mllp decode", stream.len(), || {
        let mut bytes = 0;
        for read in stream.chunks(64 << 10) {
            decoder.feed(read);
            while let Ok(Some(event)) = decoder.next_frame() {
                if let Event::Frame(frame) = event {
                    bytes += frame.payload.len();
                    decoder.recycle(frame.payload);
                }
            }
        }
        bytes
    })
}
