//! Where inputs begin: the fixtures, and messages of others where they lie beside the checkout.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder beside the manifest with one of these endings, however deep, each with its name.
pub(crate) fn files(folder: &str, endings: &[&str], count: usize) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found: Vec<PathBuf> = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    let step = (found.len() / count).max(1);
    found.into_iter().step_by(step).map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

/// HL7 v2 messages of the house and of others.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    let own = files("../fixtures/hl7v2", &[".hl7"], usize::MAX);
    let others = files("../../shared/corpus/hl7v2", &[".hl7"], 200);
    let hostile = files("../fixtures/hostile", &[".hl7"], usize::MAX);
    own.into_iter().chain(others).chain(hostile).map(|(_, bytes)| bytes).collect()
}

/// Resources: those that the golden messages become.
pub(crate) fn resources() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = RESOURCES.iter().map(|text| text.as_bytes().to_vec()).collect();
    for (_, bundle) in files("../fixtures/hl7v2", &["expected.bundle.json"], 12) {
        let bundle: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            all.push(serde_json::to_vec(&entry["resource"]).unwrap());
        }
    }
    all.extend(files("../fixtures/hostile", &["input.json"], usize::MAX).into_iter().map(|(_, bytes)| bytes));
    all
}

const RESOURCES: [&str; 4] = [
    r##"{"resourceType":"Patient","id":"a","meta":{"versionId":"3","profile":["http://x"]},"identifier":[{"system":"urn:s","value":"86001"}],
    "name":[{"family":"王","given":["建国"]}],"birthDate":"1958-03-12","_birthDate":{"extension":[{"url":"u","valueDecimal":1.50}]},
    "gender":"male","link":[{"other":{"reference":"Patient/b"},"type":"replaces"}],"contained":[{"resourceType":"Organization","id":"o"}],
    "managingOrganization":{"reference":"#o"},"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a</p></div>"}}"##,
    r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2345-7"}]},
    "subject":{"reference":"Patient/a"},"effectiveDateTime":"2026-11-20T08:15:00+08:00",
    "valueQuantity":{"value":5.10,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}"#,
    r#"{"a":[1,2.50,-0.0e+10,true,null,"\u00e9\ud83d\ude00\n"],"b":{}}"#,
    r#"[{"op":"add","path":"/name/-","value":{}},{"op":"test","path":"/a~1b","value":1},{"op":"move","from":"/x","path":"/y/0"}]"#,
];

pub(crate) const ER7_TOKENS: &[&[u8]] = &[
    b"|",
    b"^",
    b"~",
    b"&",
    b"\r",
    b"\n",
    b"\\",
    b"\\F\\",
    b"\\X0D\\",
    b"\\.br\\",
    b"\\C2842\\",
    b"\\M2442\\",
    b"\"\"",
    b"MSH|^~\\&|",
    b"MSH^",
    b"PID|",
    b"OBX|1|NM|",
    b"OBX|2|ED|",
    b"ADD|",
    b"DSC|1|I",
    b"FHS|^~\\&|",
    b"BHS|^~\\&|",
    b"BTS|1",
    b"FTS|1",
    b"ZPD|1|",
    b"\x0b",
    b"\x1c",
    b"\x1c\r",
    b"UNICODE UTF-8",
    b"GB 18030-2000",
    b"8859/1",
    b"20260230",
    b"20261120081500+0800",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x81\x30\x81\x30",
    b"\xab\x7c",
    b"PRT|",
    b"ORC|RE|",
    b"OBR|1||",
    b"MRG|",
    b"ADT^A40^ADT_A39",
    b"ORU^R01",
];

pub(crate) const JSON_TOKENS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00",
    b"1e999",
    b"-0",
    b"0.10",
    b"1E400",
    b"true",
    b"null",
    b"\"resourceType\":\"Patient\",",
    b"\"resourceType\":\"Observation\",",
    b"\"contained\":[",
    b"\"extension\":[{\"url\":\"u\",",
    b"\"reference\":\"Patient/a\"",
    b"\"reference\":\"urn:uuid:\"",
    b"\"_id\":null",
    b"\"value\":1.0,",
    b"<div xmlns=",
    b"&#x0;",
    b"\"valueQuantity\":{\"value\":1e-400}",
    b"\"birthDate\":\"9999-12-31\"",
    b"\"0001-01-01T00:00:00+14:00\"",
    b"\xef\xbb\xbf",
];

pub(crate) const QUERY_TOKENS: &[&[u8]] = &[
    b"&",
    b"=",
    b",",
    b"|",
    b"$",
    b"\\",
    b"\\,",
    b"%2C",
    b"%00",
    b"%FF",
    b"%E7%8E%8B",
    b":",
    b":missing=true",
    b":not=",
    b":exact=",
    b":contains=",
    b":text=",
    b":above=",
    b":below=",
    b":of-type=",
    b":identifier=",
    b"_sort=-",
    b"_include=",
    b"_revinclude:iterate=",
    b"_has:Observation:subject:code=",
    b"subject:Patient.name=",
    b"_id=",
    b"_lastUpdated=ge2026",
    b"_total=accurate",
    b"_count=0",
    b"value-quantity=5.1|http://unitsofmeasure.org|mmol/L",
    b"ge",
    b"ap",
    b"sa",
    b"ne",
    b"2026-02-30",
    b"9999",
    b"0001-01-01",
    b"1e9999",
    b"code-value-quantity=a$1",
    b"_elements=",
    b"_summary=data",
    b"family=",
    b"birthdate=",
    b"date=",
    b"identifier=urn:s|86001",
];

pub(crate) const QUERIES: [&str; 8] = [
    "family=wang&birthdate=ge1958&_sort=-birthdate&_count=3",
    "identifier=urn:s|86001,|86002&gender:not=female",
    "code=http://loinc.org|2345-7&subject=Patient/a&date=ge2026-11-20T00:00&date=lt2027",
    "value-quantity=gt5.05|http://unitsofmeasure.org|mmol/L&status=final,amended",
    "subject:Patient.family=wang&_include=Observation:subject",
    "_has:Observation:subject:code=2345-7&organization:missing=true",
    "name:contains=%E5%BB%BA&address-city:exact=x&link=Patient/b",
    "code-value-quantity=2345-7$5.10&component-code=a&_id=a,b&_total=none",
];
