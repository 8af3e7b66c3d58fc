//! What the ledger says about every caller, read from its bytes as `crates/audit/FORMAT.md` lays them out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dukou_audit::storage::Disk;
use minicbor::Decoder;
use minicbor::data::Type;
use serde_json::{Map, Value};

use crate::ledger;

/// All records of a ledger.
pub(crate) struct Trail {
    records: Vec<(u8, Value)>,
}

/// One primary record of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Primary {
    pub(crate) request: String,
    pub(crate) client: String,
    pub(crate) address: String,
    pub(crate) interaction: String,
    pub(crate) route: u64,
    pub(crate) status: u64,
    pub(crate) ack: String,
}

impl Trail {
    /// Reads a ledger that was stopped in good order.
    pub(crate) fn of(folder: &Path) -> Trail {
        ledger::assert_sound(folder);
        let report = dukou_audit::verify(&Disk::new(folder), false, None).unwrap();
        assert_eq!(report.crashes, 0, "every run ended with STOP");
        let trail = Trail::read(folder);
        assert_eq!(trail.records.last().map(|(kind, _)| *kind), Some(STOP));
        trail
    }

    /// Reads a ledger as it lies there.
    pub(crate) fn read(folder: &Path) -> Trail {
        let mut segments: Vec<_> =
            fs::read_dir(folder.join("seg")).unwrap().map(|entry| entry.unwrap().path()).collect();
        segments.sort();
        let mut records = Vec::new();
        for segment in segments.iter().filter(|path| path.file_stem().unwrap().to_string_lossy().parse::<u64>().is_ok())
        {
            let bytes = fs::read(segment).unwrap();
            let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
            let mut at = 0;
            while bytes.get(at..at + 4) == Some(b"DKL1") {
                let body = at + usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
                let end = body + number(at + 8);
                let mut record = body;
                while record < end {
                    let length = number(record);
                    let content = &bytes[record + 5..record + 4 + length];
                    let kind = bytes[record + 4];
                    let value = if kind == ORIGIN { Value::Null } else { tree(&mut Decoder::new(content)) };
                    records.push((kind, value));
                    record += 4 + length;
                }
                at = (end + 44).next_multiple_of(8);
            }
        }
        Trail { records }
    }

    /// How many records tell of an act of administration.
    pub(crate) fn acts(&self, act: &str) -> usize {
        let quoted = format!("\"{act}\"");
        self.records.iter().filter(|(_, record)| record.to_string().contains(&quoted)).count()
    }

    /// The primary records of the requests of registered clients.
    pub(crate) fn primaries(&self) -> Vec<Primary> {
        let requests = self.records.iter().filter(|(kind, _)| [ACCESS, DENY, WRITE].contains(kind));
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let primary = |(_, record): &(u8, Value)| Primary {
            request: hyphenated(record["3"].as_str().unwrap()),
            client: text(&record["7"]["0"]),
            address: text(&record["8"]["0"]),
            interaction: text(&record["5"]),
            route: record["6"].as_u64().unwrap_or(0),
            status: record["17"]["0"].as_u64().unwrap_or(0),
            ack: text(&record["17"]["1"]),
        };
        requests.map(primary).filter(|primary| primary.client != "dukou").collect()
    }

    /// The questions that were sent to other systems: whom, and how each ended (`answered` or the code of the fault), sorted. Each has
    /// its end, and the end stands after the question.
    pub(crate) fn questions(&self) -> Vec<(String, String)> {
        let asked = self.records.iter().enumerate();
        let asked = asked.filter(|(_, (kind, record))| *kind == INTENT && record["5"] == "upstream");
        let ended = asked.map(|(leaf, (_, question))| {
            let end = self.records[leaf..].iter().find(|(kind, record)| *kind == OUTCOME && record["24"] == leaf);
            let (_, end) = end.unwrap_or_else(|| panic!("leaf {leaf} has no end"));
            let code = end["17"]["2"].as_str().unwrap_or("answered");
            (question["21"][0].as_str().unwrap().to_owned(), code.to_owned())
        });
        let mut ended: Vec<(String, String)> = ended.collect();
        ended.sort();
        ended
    }

    /// How many resources of each type the answers of an interaction showed, by the records of them.
    pub(crate) fn shown(&self, interaction: &str) -> BTreeMap<String, u64> {
        let records = self.records.iter().map(|(_, record)| record);
        let records = records.filter(|record| record["5"] == interaction && record["3"].is_string());
        let resources = records.filter_map(|record| record["14"].as_array()).flatten();
        let mut shown = BTreeMap::new();
        for resource in resources {
            *shown.entry(resource[0].as_str().unwrap().to_owned()).or_default() += 1;
        }
        shown
    }

    /// What was counted of each address: `what` and status, so many times.
    pub(crate) fn counts(&self) -> BTreeMap<(String, String, u64), u64> {
        let mut counts = BTreeMap::new();
        for (_, record) in self.records.iter().filter(|(kind, _)| *kind == AUTHN) {
            for line in record["29"]["counts"].as_array().unwrap() {
                let key = (
                    line[1].as_str().unwrap().to_owned(),
                    line[2].as_str().unwrap().to_owned(),
                    line[3].as_u64().unwrap(),
                );
                *counts.entry(key).or_default() += line[5].as_u64().unwrap();
            }
        }
        counts
    }

    /// Everything about one address in words: `record 200`, `record AA`, `bad-http 400`, sorted.
    pub(crate) fn about(&self, address: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for primary in self.primaries().iter().filter(|primary| primary.address == address) {
            let answer = if primary.ack.is_empty() { primary.status.to_string() } else { primary.ack.clone() };
            found.push(format!("record {answer}"));
        }
        for ((_, what, status), count) in self.counts().iter().filter(|((of, ..), _)| of == address) {
            found.extend((0..*count).map(|_| format!("{what} {status}")));
        }
        found.sort();
        found
    }
}

fn hyphenated(hex: &str) -> String {
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// CBOR as JSON: byte strings in hexadecimal digits, keys as text.
fn tree(decoder: &mut Decoder<'_>) -> Value {
    match decoder.datatype().unwrap() {
        Type::Map => {
            let pairs = decoder.map().unwrap().unwrap();
            let mut map = Map::new();
            for _ in 0..pairs {
                let key = tree(decoder);
                map.insert(key.as_str().map_or_else(|| key.to_string(), str::to_owned), tree(decoder));
            }
            Value::Object(map)
        }
        Type::Array => {
            let items = decoder.array().unwrap().unwrap();
            Value::Array((0..items).map(|_| tree(decoder)).collect())
        }
        Type::Bytes => decoder.bytes().unwrap().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
        Type::String => decoder.str().unwrap().into(),
        Type::Bool => decoder.bool().unwrap().into(),
        Type::Null => {
            decoder.null().unwrap();
            Value::Null
        }
        _ => {
            let n = decoder.int().unwrap();
            i64::try_from(n).map_or_else(|_| u64::try_from(n).unwrap().into(), Value::from)
        }
    }
}

const ORIGIN: u8 = 0;
const ACCESS: u8 = 1;
const DENY: u8 = 2;
const WRITE: u8 = 3;
const INTENT: u8 = 4;
const OUTCOME: u8 = 5;
const AUTHN: u8 = 7;
const STOP: u8 = 11;
