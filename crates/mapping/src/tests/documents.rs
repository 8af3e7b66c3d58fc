//! XML, JSON and rows: read by maps as messages are.

use dukou_fhir::Value;
use dukou_wire::{Limits, Message};

use super::{SITE, program_of};
use crate::Program;

const REGISTRATION: &str = r#"map: his-registration
source: {format: xml, root: message, record: body/row, encoding: gb18030}
mode: snapshot
event: /message/head/fssj
emit:
  patient: {fhir: Patient, per: record, id: {key: [patientid, /message/head/yybm], weak: error}}
  visit: {fhir: Encounter, per: record, id: {key: [ghlsh, /message/head/yybm], weak: error}}
systems: {ACT: "http://terminology.hl7.org/CodeSystem/v3-ActCode"}
rules:
  head:   /message/head -> keep "the envelope of the sender"
  p.mrn:  patientid <-> patient.identifier[type=MR].value
  p.id:   sfzh      <-> patient.identifier[type=NNCHN].value via cn/id if zjlx = 01
  p.idx:  sfzh      -> keep "certificate type not in this hospital's table" else
  p.name: xm        <-> patient.name[first] via cn/name trim
  p.sex:  xb        <-> patient.gender table sex-his trim
  p.born: csrq      <-> patient.birthDate via time(yyyyMMdd)
  p.age:  nl        -> drop "derived from birth date"
  p.tel:  lxdh      <-> patient.telecom[use=mobile].value
  v.no:   ghlsh     <-> visit.identifier[type=VN].value
  v.cls:  ghlb      <-> visit.class.code table visit-class
  v.act:  =ACT      -> visit.class.system
  v.stat: zt        <-> visit.status table visit-status
  v.when: yysd      <-> visit.period.start, visit.period.end via slot(yyyy-MM-dd HH:mm~HH:mm) zone +08:00
  v.pat:  record    -> visit.subject ref Patient
tables:
  sex-his: [男 <-> male, 女 <-> female, 未知 <-> unknown, 1 -> male, 2 -> female, else -> unknown]
  visit-class: [1 <-> EMER, 2 <-> AMB, 3 -> AMB, else -> error]
  visit-status: [1 <-> planned, 9 <-> cancelled, else -> unknown]
"#;

fn row(number: u32, more: &str) -> String {
    format!(
        "<row><patientid>00{number}</patientid><zjlx>01</zjlx><sfzh>86010119901231019x</sfzh><xm>彭䶮 </xm><xb>男 </xb>\
         <csrq>19901231</csrq><nl>35岁</nl><fb>01</fb><ghlsh>GH{number}</ghlsh><ghlb>2</ghlb>\
         <yysd>2026-11-21 09:15~09:30</yysd><zt>1</zt>{more}</row>"
    )
}

fn registration(rows: &[String]) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"gb2312\"?><message v=\"1\"><head><yybm>99000001</yybm>\
         <fssj>2026-11-21 08:30:15</fssj></head><body>{}</body></message>",
        rows.concat()
    )
}

fn open<'a>(program: &Program, text: &'a str) -> Message<'a> {
    program.open(text.as_bytes(), &Limits::default(), &dukou_wire::Site::default()).unwrap().0
}

/// What becomes of each leaf: path, class and rule.
fn account(program: &Program, message: &Message<'_>) -> Vec<(String, &'static str, String)> {
    let mapped = program.to_fhir(message, &SITE);
    let sums = &mapped.accounts;
    assert_eq!(sums.leaves as usize, message.leaf_count());
    assert_eq!(sums.leaves, sums.emitted + sums.complement + sums.dropped + sums.reported);
    let rule = |rule: Option<(&str, &str)>| rule.map_or(String::new(), |(_, rule)| rule.to_owned());
    let lines = sums.lines(program, message);
    lines.map(|line| (line.path.to_string(), line.class.as_str(), rule(line.rule))).collect()
}

fn resources(program: &Program, message: &Message<'_>) -> Vec<Value<'static>> {
    let mapped = program.to_fhir(message, &SITE);
    mapped.changes.iter().map(|change| change.apply(None).into_static()).collect()
}

#[test]
fn a_registration_becomes_a_patient_and_a_visit() {
    let program = program_of(REGISTRATION);
    let text = registration(&[row(1, "")]);
    let message = open(&program, &text);
    let made = resources(&program, &message);
    assert_eq!(made.len(), 2);
    let (patient, visit) = (&made[0], &made[1]);
    assert_eq!(patient.text_at("identifier[0].value"), Some("001"));
    assert_eq!(patient.text_at("identifier[1].value"), Some("86010119901231019X"));
    assert_eq!(patient.text_at("name[0].text"), Some("彭䶮"));
    assert_eq!(patient.text_at("gender"), Some("male"));
    assert_eq!(patient.text_at("birthDate"), Some("1990-12-31"));
    assert_eq!(visit.text_at("period.start"), Some("2026-11-21T09:15:00+08:00"));
    assert_eq!(visit.text_at("period.end"), Some("2026-11-21T09:30:00+08:00"));
    assert_eq!(visit.text_at("class.code"), Some("AMB"));
    let patient_key = format!("Patient/{}", patient.text_at("id").unwrap());
    assert_eq!(visit.text_at("subject.reference"), Some(patient_key.as_str()));
    let facts = program.to_fhir(&message, &SITE).facts;
    assert_eq!(facts.event_time.as_deref(), Some("2026-11-21T08:30:15+08:00"));
    assert_eq!(facts.patients.len(), 1);
}

#[test]
fn every_leaf_of_a_document_is_in_one_class() {
    let program = program_of(REGISTRATION);
    let text = registration(&[row(1, ""), row(2, "<zjlx2/>")]);
    let message = open(&program, &text);
    let lines = account(&program, &message);
    let of = |path: &str| lines.iter().find(|line| line.0 == path).map(|line| (line.1, line.2.as_str()));
    assert_eq!(of("/message/@v"), Some(("reported", "")));
    assert_eq!(of("/message/head/yybm"), Some(("complement", "head")));
    assert_eq!(of("/message/body/row[2]/xm"), Some(("emitted", "p.name")));
    assert_eq!(of("/message/body/row[2]/nl"), Some(("dropped", "p.age")));
    assert_eq!(of("/message/body/row[1]/fb"), Some(("reported", "")));
    // What a guard alone reads is in no resource.
    assert_eq!(of("/message/body/row[1]/zjlx"), Some(("reported", "")));
}

#[test]
fn a_bad_record_is_told_apart_and_spoils_no_other() {
    let program = program_of(REGISTRATION);
    let bad = row(2, "").replace("<patientid>002</patientid>", "").replace("19901231</csrq>", "19901331</csrq>");
    let text = registration(&[row(1, ""), bad, row(3, "")]);
    let message = open(&program, &text);
    let mut records = program.records(&message, &SITE);
    assert_eq!(records.len(), 3);
    let found: Vec<_> = records.by_ref().collect();
    let paths: Vec<&str> = found.iter().map(|record| record.path.as_str()).collect();
    assert_eq!(paths, ["/message/body/row[1]", "/message/body/row[2]", "/message/body/row[3]"]);
    let made: Vec<usize> = found.iter().map(|record| record.mapped.changes.len()).collect();
    assert_eq!(made, [2, 1, 2]);
    assert!(found[0].mapped.issues.is_empty() && found[2].mapped.issues.is_empty());
    let told: Vec<(&str, &str)> =
        found[1].mapped.issues.iter().map(|issue| (issue.code, issue.expression[0].as_str())).collect();
    assert_eq!(told, [("id-missing", "/message/body/row[2]"), ("date-invalid", "/message/body/row[2]/csrq")]);
    let own: u32 = found.iter().map(|record| record.mapped.accounts.leaves).sum();
    let whole = records.accounts();
    // The envelope has an attribute and two elements.
    assert_eq!((whole.leaves, whole.leaves - own), (message.leaf_count() as u32, 3));
    let lines: Vec<_> = found[1].mapped.accounts.lines(&program, &message).collect();
    assert_eq!(lines[0].path.to_string(), "/message/body/row[2]/zjlx");
}
