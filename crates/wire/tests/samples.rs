//! The Chinese samples that lie beside the repository, where they are present.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::PathBuf;

use dukou_wire::delimited::{self, Layout, RowPattern};
use dukou_wire::{Charset, Column, Format, Issue, Limits, Message, Path, Presence, Site, cda, er7, json, sniff, xml};

/// The bytes of a sample; says so when the samples are not there.
fn sample(name: &str) -> Option<Vec<u8>> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/cn").join(name);
    let bytes = std::fs::read(&file).ok();
    if bytes.is_none() {
        eprintln!("skipped: {} is not here", file.display());
    }
    bytes
}

/// How the batch of bookings is written.
fn bookings() -> Layout {
    Layout {
        repetition: Some(b'~'),
        component: Some(b'^'),
        head: Some(RowPattern::parse("#YY|{version}|{institution}|{date}|条数={rows}", b'|').unwrap()),
        ..Layout::separated(b'|')
    }
}

/// How the batch of the community clinic is written.
fn results() -> Layout {
    let trailer = "合计,{distinct:居民姓名}人,,,,,,,,,,{rows}项";
    Layout {
        trailer: Some(RowPattern::parse(trailer, b',').unwrap()),
        identifiers: vec![Column::Name("证件号码".to_owned())],
        ..Layout::csv()
    }
}

fn open<'a>(name: &str, bytes: &'a [u8]) -> (Message<'a>, Vec<Issue>) {
    let (limits, site) = (Limits::default(), Site::default());
    match sniff(bytes) {
        Format::Er7 => er7::parse(bytes, &limits, &site).unwrap(),
        Format::Xml => xml::parse(bytes, &limits, &site).unwrap(),
        Format::Json => json::parse(bytes, &limits).unwrap(),
        Format::Delimited => {
            let layout = if name.ends_with(".csv") { results() } else { bookings() };
            delimited::parse(bytes, &layout, &limits, &site).unwrap()
        }
    }
}

fn text(message: &Message<'_>, path: &str) -> String {
    message.get(&Path::parse(path).unwrap()).unwrap().text().into_owned()
}

#[test]
fn every_sample_is_read_and_printed_byte_for_byte() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/samples/cn");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not here", folder.display());
        return;
    };
    for file in entries.map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        let (message, issues) = open(&name, &bytes);
        assert_eq!(message.raw(), bytes, "{name}");
        let charset = if name.contains(".gb") { Charset::Gb18030 } else { Charset::Utf8 };
        assert_eq!(message.charset(), charset, "{name}");
        let encoded = charset.encode(message.text()).unwrap();
        assert!(bytes.ends_with(&encoded) && bytes.len() - encoded.len() <= 3, "{name} is encoded as it came");
        let mut before = None;
        for leaf in message.leaves() {
            let path = leaf.path(&message);
            assert_eq!(Path::parse(&path.to_string()).unwrap(), path);
            if message.format() != Format::Er7 {
                let found = message.get(&path).unwrap();
                assert_eq!((found.span(), found.text()), (leaf.node.span(), leaf.node.text()), "{name} {path}");
            }
            assert!(before < Some(leaf.node.span().start), "{name}: the leaves stand in order");
            before = Some(leaf.node.span().start);
        }
        println!("{name}: {} leaves, {} issues", message.leaf_count(), issues.len());
        issues.iter().for_each(|issue| println!("  {issue}"));
    }
}

#[test]
fn a_registration_is_read_by_its_pinyin_tags_whatever_it_declares() {
    let Some(bytes) = sample("01b_his_registration_inner.gb18030.xml") else { return };
    let (message, _) = open("", &bytes);
    assert_eq!(text(&message, "/message/body/row[1]/xm"), "彭䶮 ");
    let row = message.find_element(&Path::parse("/message/body/row").unwrap()).unwrap();
    assert_eq!((row.child_value("xb").trimmed(), row.child_value("bz").presence()), ("男".into(), Presence::Empty));
    let written = message.set(&Path::parse("/message/body/row/bz").unwrap(), "加号").unwrap();
    let (changed, _) = open("", &written);
    assert_eq!(text(&changed, "/message/body/row/bz"), "加号");
    let closed = b"<bz/>";
    let at = bytes.windows(closed.len()).position(|window| window == closed).unwrap();
    assert_eq!((&written[..at], &written[written.len() - 20..]), (&bytes[..at], &bytes[bytes.len() - 20..]));
}

#[test]
fn a_batch_of_bookings_keeps_its_sub_delimiters_and_its_head() {
    let Some(bytes) = sample("03b_ris_booking_batch.gb18030.txt") else { return };
    let (message, issues) = open(".txt", &bytes);
    assert_eq!(text(&message, "row[1]/col 8[2].2"), "膀胱彩超");
    assert_eq!(text(&message, "head/col 3"), "99000001");
    assert_eq!(text(&message, "row[4]/col 1"), "D");
    assert!(issues.is_empty(), "{issues:?}");
}

#[test]
fn a_batch_of_results_is_flagged_cell_by_cell_and_delivered_whole() {
    let Some(bytes) = sample("05_community_clinic_batch.gb18030.csv") else { return };
    let (message, issues) = open(".csv", &bytes);
    let found: Vec<String> =
        issues.iter().map(|issue| format!("{} {}", issue.code.as_str(), issue.path.as_ref().unwrap())).collect();
    let expected = [
        "cell-scientific row[3]/证件号码",
        "cell-apostrophe row[4]/证件号码",
        "cell-decimal-comma row[4]/结果",
        "cell-formula row[10]/居民姓名",
        "quote-stray row[10]",
        "quote-stray row[10]",
        "row-count trailer/col 12",
    ];
    assert_eq!(found, expected);
    assert_eq!(issues[6].numbers.map(|numbers| (numbers.declared, numbers.found)), Some((11, 10)));
    assert_eq!(text(&message, "row[4]/居民姓名"), "陈𬱖");
    assert_eq!(text(&message, "row[8]/结果"), "双肺纹理增多,右肺上叶见小结节,约5mm");
}

#[test]
fn a_discharge_summary_is_read_by_its_sections_and_its_deviations_are_told() {
    let Some(bytes) = sample("04_emr_discharge_summary_C0053.utf8.xml") else { return };
    let (message, issues) = open("", &bytes);
    assert!(issues.is_empty(), "{issues:?}");
    assert_eq!(cda::document_type(&message).map(cda::DocumentType::name_zh), Some("出院小结"));
    let diagnoses = cda::sections(&message).find(|section| section.code() == "11535-2").unwrap();
    let coded = diagnoses.entries().filter(|entry| entry.code() == "DE05.01.024.00");
    let codes: Vec<_> = coded.map(|entry| entry.value().unwrap().attribute("code").text().into_owned()).collect();
    assert_eq!(codes, ["I25.103", "I10.x05"]);
    let found = cda::check(&message, &Limits::default());
    let has = |code: &str, end: &str| {
        let ends = |path: &Path| path.to_string().ends_with(end);
        found.iter().any(|issue| issue.code.as_str() == code && issue.path.as_ref().is_some_and(ends))
    };
    assert!(has("cda-element-foreign", "/patient/age") && has("cda-element-foreign", "/patient/occupation"));
    assert!(
        has("cda-id-empty", "/patientRole/id[1]/@extension") && has("cda-set-id-missing", "/ClinicalDocument/setId")
    );
    assert!(has("cda-display-blanks", "/code/@displayName") && has("cda-text-empty", "/text"));
    assert!(!found.iter().any(|issue| issue.code.as_str() == "cda-element-misspelt"), "{found:?}");
    found.iter().for_each(|issue| println!("{issue}"));
}

#[test]
fn a_registration_in_a_string_parameter_is_read_and_written_in_its_envelope() {
    let Some(bytes) = sample("01a_his_registration_soap_envelope.utf8.xml") else { return };
    let (envelope, _) = open("", &bytes);
    assert_eq!(xml::body(&envelope).unwrap().name(), "CallInterface");
    let parameters: Vec<_> = xml::wrapped(&envelope).map(|element| element.name()).collect();
    assert_eq!(parameters, ["msgHeader", "msgBody"]);
    let parameter = xml::wrapped(&envelope).nth(1).unwrap();
    let (message, issues) = xml::inner(parameter, &Limits::default(), &Site::default()).unwrap();
    assert!(issues.is_empty(), "{issues:?}");
    assert_eq!(text(&message, "/message/body/row/xm"), "彭䶮 ");
    let written = message.set(&Path::parse("/message/body/row/zt").unwrap(), "9").unwrap();
    let changed: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at] != written[at]).collect();
    assert_eq!((changed.len(), written.len()), (1, bytes.len()));
    if let Some(bare) = sample("01b_his_registration_inner.gb18030.xml") {
        let (bare, _) = open("", &bare);
        let leaves = |message: &Message<'_>| -> Vec<(String, String)> {
            message.leaves().map(|leaf| (leaf.path(message).to_string(), leaf.node.text().into_owned())).collect()
        };
        assert_eq!(leaves(&bare), leaves(&message), "the file and the parameter say the same");
    }
}
