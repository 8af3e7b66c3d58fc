//! Parsing XML, JSON and rows: against readers that build nothing. A tree costs more than a stream of events, and it is asked for less
//! often; the ratios say how much more. Beside the times stand the allocations that one call makes.

mod rows;

use dukou_benches::machine;
use dukou_wire::delimited::{self, Layout};
use dukou_wire::{Charset, Limits, Site, json, xml};

use crate::rows::{Row, row, table};

fn main() {
    println!("{}", machine());
    let report = report(100);
    println!(
        "\na laboratory report of 100 items in XML, {} bytes; microseconds of CPU, best of 9 rounds",
        report.len()
    );
    let rows = of_xml(&report);
    table(&rows);
    println!("tree / events of quick-xml: {:.2}", rows[1].us / rows[0].us);

    println!("\nthe same in GB18030");
    table(&in_gb18030(&report));

    println!("\nthe same in a string parameter of SOAP");
    table(&in_soap(&report));

    let batch = batch(200);
    println!("\na batch of 200 rows of 22 cells, {} bytes", batch.len());
    let rows = of_rows(&batch);
    table(&rows);
    println!("rows with every check / records of csv: {:.2}", rows[1].us / rows[0].us);

    let cards = cards(200);
    println!("\na list of 200 cards in JSON, {} bytes", cards.len());
    let rows = of_json(&cards);
    table(&rows);
    println!("tree / value of serde_json: {:.2}", rows[1].us / rows[0].us);
}

fn of_xml(text: &str) -> Vec<Row> {
    let (limits, site, bytes) = (Limits::default(), Site::default(), text.as_bytes());
    let tree = || xml::parse(bytes, &limits, &site);
    let every_leaf = || tree().map(|(message, _)| message.leaves().map(|leaf| leaf.node.text().len()).sum::<usize>());
    vec![
        row("quick-xml: events", bytes.len(), || events(text)),
        row("dukou: tree", bytes.len(), || tree().map(|(message, _)| message.raw().len())),
        row("dukou: tree and every leaf", bytes.len(), every_leaf),
    ]
}

/// All events of the reader, its own checks on, and all attributes.
fn events(text: &str) -> usize {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(text);
    let mut count = 0;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) | Err(_) => return count,
            Ok(Event::Start(tag) | Event::Empty(tag)) => count += 1 + tag.attributes().count(),
            Ok(Event::Text(text)) => count += text.len(),
            Ok(_) => count += 1,
        }
    }
}

fn in_gb18030(text: &str) -> Vec<Row> {
    let (limits, site) = (Limits::default(), Site::default());
    let bytes = Charset::Gb18030.encode(text).map(|bytes| bytes.into_owned()).unwrap_or_default();
    vec![
        row("decode alone", bytes.len(), || Charset::Gb18030.decode(&bytes).map(|text| text.len())),
        row("dukou: decode and tree", bytes.len(), || xml::parse(&bytes, &limits, &site).map(|(m, _)| m.text().len())),
    ]
}

fn in_soap(text: &str) -> Vec<Row> {
    let (limits, site) = (Limits::default(), Site::default());
    let envelope = format!(
        "<s:Envelope xmlns:s=\"urn:s\"><s:Body><Send><p>{}</p></Send></s:Body></s:Envelope>",
        xml::escape(text, false)
    );
    let unwrapped = || {
        let (outer, _) = xml::parse(envelope.as_bytes(), &limits, &site).ok()?;
        let (inner, _) = xml::inner(xml::wrapped(&outer).next()?, &limits, &site).ok()?;
        Some(inner.leaf_count())
    };
    vec![row("dukou: envelope, inner tree, leaves", envelope.len(), unwrapped)]
}

fn of_rows(text: &str) -> Vec<Row> {
    let (limits, site, bytes, layout) = (Limits::default(), Site::default(), text.as_bytes(), Layout::csv());
    let read = || delimited::parse(bytes, &layout, &limits, &site);
    let every_cell = || read().map(|(message, _)| message.leaves().map(|leaf| leaf.node.text().len()).sum::<usize>());
    vec![
        row("csv: records", bytes.len(), || records(bytes)),
        row("dukou: rows", bytes.len(), || read().map(|(message, _)| message.segment_count())),
        row("dukou: rows and every cell", bytes.len(), every_cell),
    ]
}

fn records(bytes: &[u8]) -> usize {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut cells = 0;
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        cells += record.len();
    }
    cells
}

fn of_json(text: &str) -> Vec<Row> {
    let (limits, bytes) = (Limits::default(), text.as_bytes());
    let read = || json::parse(bytes, &limits);
    let every_leaf = || read().map(|(message, _)| message.leaves().map(|leaf| leaf.node.text().len()).sum::<usize>());
    vec![
        row("serde_json: value", bytes.len(), || serde_json::from_slice::<serde_json::Value>(bytes).is_ok()),
        row("dukou: tree", bytes.len(), || read().map(|(message, _)| message.raw().len())),
        row("dukou: tree and every leaf", bytes.len(), every_leaf),
    ]
}

/// A report as laboratories push them. The patient is invented.
fn report(items: usize) -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"GBK\"?>\n<Request>\n  <TradeCode>LIS_REPORT_PUSH</TradeCode>\n  <Report status=\"3\">\n    <PatientName>王建国</PatientName>\n    <IDCard>860101195803128019</IDCard>\n    <Items>\n",
    );
    for n in 1..=items {
        text.push_str(&format!(
            "      <Item seq=\"{n}\"><ItemCode>A{n:04}</ItemCode><ItemName>*丙氨酸氨基转移酶测定</ItemName><Result>{}.{:02}</Result><Unit>U/L</Unit><RefRange>7 ~ 40</RefRange><Flag>{}</Flag><Method>速率法</Method><HR>1</HR></Item>\n",
            n % 9,
            n % 100,
            if n % 7 == 0 { "&gt;" } else { "" },
        ));
    }
    text.push_str("    </Items>\n  </Report>\n</Request>\n");
    text
}

/// A day of a community clinic. The patients are invented.
fn batch(rows: usize) -> String {
    let mut text = String::from(
        "机构代码,机构名称,居民姓名,证件类型,证件号码,性别,出生日期,联系电话,健康档案号,项目代码,项目名称,结果,单位,参考范围,异常标志,标本,采样时间,报告时间,检验者,审核者,互认标识,备注\n",
    );
    for n in 0..rows {
        let name = if n % 9 == 0 { "\"溶血,请重抽\"" } else { "7.86" };
        text.push_str(&format!("99000101,光明社区卫生服务中心,李样例,居民身份证,860101196507160062,女,1965-07-16,199000000{:02},8601010010010{n:04},250302001,*葡萄糖,{name},mmol/L,3.9-6.1,,血清,2026-11-11 07:52,2026-11-11 10:41,钱检验,孙审核,示范市HR,\n", n % 100));
    }
    text
}

/// Payloads of insurance cards. The holders are invented.
fn cards(count: usize) -> String {
    let one = |n: usize| {
        format!(
            "{{\"psn_no\":\"990100000000000000{n:06}\",\"psn_name\":\"彭䶮\",\"gend\":\"1\",\"brdy\":\"1990-12-31\",\"age\":35.9,\"insuinfo\":[{{\"insutype\":\"310\",\"balc\":1024.50,\"paus\":null}}]}}"
        )
    };
    format!("{{\"output\":[{}]}}", (0..count).map(one).collect::<Vec<_>>().join(","))
}
