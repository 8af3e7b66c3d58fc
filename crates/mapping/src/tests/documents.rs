//! XML, JSON and rows: read by maps as messages are.

use dukou_fhir::Value;
use dukou_wire::{Limits, Message};

use super::{SITE, program_of};
use crate::Program;

pub(super) const REGISTRATION: &str = r#"map: his-registration
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

pub(super) fn row(number: u32, more: &str) -> String {
    format!(
        "<row><patientid>00{number}</patientid><zjlx>01</zjlx><sfzh>86010119901231019x</sfzh><xm>彭䶮 </xm><xb>男 </xb>\
         <csrq>19901231</csrq><nl>35岁</nl><fb>01</fb><ghlsh>GH{number}</ghlsh><ghlb>2</ghlb>\
         <yysd>2026-11-21 09:15~09:30</yysd><zt>1</zt>{more}</row>"
    )
}

pub(super) fn registration(rows: &[String]) -> String {
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

pub(super) const REPORT: &str = r#"map: lis-report
source: {format: xml, root: Request, record: Report}
when: /Request/TradeCode = LIS_REPORT_PUSH
mode: action
emit:
  patient: {fhir: Patient, id: {key: [PatientID, /Request/HospCode], weak: error}}
  report: {fhir: DiagnosticReport, id: {key: [ReportNo, /Request/HospCode], weak: error}}
  obs: {fhir: Observation, per: Items/Item, under: report, link: "report.result[*]", id: {key: [Items/Item/ItemCode, nth], weak: flag}}
rules:
  env:    /Request/HospCode -> keep "part of every id"
  trade:  /Request/TradeCode -> keep "names the map"
  r.no:   ReportNo <-> report.identifier[first].value
  r.code: ReportTitle <-> report.code.text
  r.stat: ReportStatus <-> report.status table status
  r.time: ReportTime <-> report.issued via time zone +08:00
  r.pat:  record -> report.subject, obs.subject ref patient
  p.name: PatientName <-> patient.name[first] via cn/name
  o.seq:  Items/Item/Seq -> order
  o.code: Items/Item/ItemCode <-> obs.code.coding[first].code
  o.name: Items/Item/ItemName <-> obs.code.text via after(*) if Items/Item/ItemName begins "*"
  o.bare: Items/Item/ItemName <-> obs.code.text else
  o.num:  Items/Item/Result, Items/Item/Unit <-> obs.valueQuantity via SN if Items/Item/Unit valued
  o.text: Items/Item/Result <-> obs.valueString else
  o.unit: Items/Item/Unit -> keep "carried with the number" if Items/Item/Unit valued
  o.ref:  Items/Item/RefRange, Items/Item/Unit <-> obs.referenceRange[first] via range
  o.stat: =final -> obs.status
  o.when: SampleTime <-> obs.effectiveDateTime via time zone +08:00
tables:
  status: [1 <-> registered, 2 <-> preliminary, 3 <-> final, 9 <-> cancelled, else -> unknown]
"#;

pub(super) const ITEMS: &str = "<Item><Seq>1</Seq><ItemCode>ALT</ItemCode><ItemName>*丙氨酸</ItemName><Result>45.20</Result>\
    <Unit>U/L</Unit><RefRange>7 ~ 40</RefRange></Item><Item><Seq>2</Seq><ItemCode>CRP</ItemCode><ItemName>C反应蛋白</ItemName>\
    <Result>&lt;0.5</Result><Unit>mg/L</Unit><RefRange>13～35</RefRange></Item><Item><Seq>3</Seq><ItemCode>PLT</ItemCode>\
    <ItemName>血小板</ItemName><Result>1,25</Result><Unit>10^9/L</Unit><RefRange>41--81</RefRange></Item><Item><Seq>4</Seq>\
    <ItemCode>HBsAg</ItemCode><ItemName>表面抗原</ItemName><Result>阴性(-)</Result><Unit/><RefRange>阴性</RefRange></Item>";

pub(super) fn report(items: &str) -> String {
    format!(
        "<Request><TradeCode>LIS_REPORT_PUSH</TradeCode><HospCode>99000101</HospCode><Report><ReportNo>GM-42</ReportNo>\
         <ReportTitle>生化</ReportTitle><ReportStatus>3</ReportStatus><PatientID>GM1</PatientID><PatientName>李样例</PatientName>\
         <SampleTime>2026/11/11 8:30</SampleTime><ReportTime>20261111104107</ReportTime><Items>{items}</Items></Report></Request>"
    )
}

#[test]
fn repeated_elements_below_a_record_have_resources_of_their_own() {
    let program = program_of(REPORT);
    let text = report(ITEMS);
    let message = open(&program, &text);
    let made = resources(&program, &message);
    let of = |kind: &str| made.iter().filter(|one| one.resource_type() == Some(kind)).collect::<Vec<_>>();
    let (reports, observations) = (of("DiagnosticReport"), of("Observation"));
    assert_eq!((reports.len(), observations.len()), (1, 4));
    assert_eq!(reports[0].list_at("result").len(), 4);
    assert_eq!(reports[0].text_at("issued"), Some("2026-11-11T10:41:07+08:00"));
    let patient = format!("Patient/{}", of("Patient")[0].text_at("id").unwrap());
    assert!(observations.iter().all(|one| one.text_at("subject.reference") == Some(patient.as_str())));
    assert!(observations.iter().all(|one| one.text_at("effectiveDateTime") == Some("2026-11-11T08:30:00+08:00")));
    assert_eq!(observations[0].text_at("code.text"), Some("丙氨酸"));
    assert_eq!(observations[1].text_at("code.text"), Some("C反应蛋白"));
    assert_eq!(observations[0].get("valueQuantity.value").and_then(Value::as_number), Some("45.20"));
    assert_eq!(observations[1].text_at("valueQuantity.comparator"), Some("<"));
    assert_eq!(observations[2].text_at("valueString"), Some("1,25"), "a decimal comma is no number");
    assert_eq!(observations[3].text_at("valueString"), Some("阴性(-)"));
    let low = |at: usize| observations[at].get("referenceRange[0].low.value").and_then(Value::as_number);
    assert_eq!((low(0), low(1), low(2), low(3)), (Some("7"), Some("13"), Some("41"), None));
    let issues = program.to_fhir(&message, &SITE).issues;
    let told: Vec<(&str, &str)> = issues.iter().map(|issue| (issue.code, issue.expression[0].as_str())).collect();
    assert_eq!(told, [("not-a-number", "/Request/Report/Items/Item[3]/Result")]);
    let reported: Vec<String> =
        account(&program, &message).into_iter().filter(|line| line.1 == "reported").map(|line| line.0).collect();
    // What is only a part of an id is in no resource.
    assert_eq!(reported, ["/Request/Report/PatientID"]);
}

#[test]
fn a_map_is_meant_for_documents_whose_constants_fit() {
    let program = program_of(REPORT);
    let text = report(ITEMS).replace("LIS_REPORT_PUSH", "OTHER");
    let message = open(&program, &text);
    let mapped = program.to_fhir(&message, &SITE);
    assert!(mapped.changes.is_empty());
    assert_eq!(mapped.accounts.reported as usize, message.leaf_count());
}

pub(super) const BOOKING: &str = r##"map: exam-booking
source: {format: delimited, field: "|", component: "^", repeat: "~", head: "#YY|version|org|date|条数=count", columns: [action, book, order, certno, name, sex, modality, item, start, minutes, room, seq, prep, status]}
mode: action
fhir: Appointment
id: {key: [book, head.org], weak: error}
rules:
  head: head      -> keep "the frame of the file"
  act:  action    -> keep "A, U and D are implied by status"
  book: book      <-> identifier[first].value
  ord:  order     <-> basedOn[first].identifier.value
  who:  certno    <-> participant[first].actor.identifier.value via cn/id
  nam:  name      <-> participant[first].actor.display trim
  acc:  =accepted -> participant[*].status
  item: item[*].1 <-> serviceType[*].coding[first].code
  text: item[*].2 <-> serviceType[*].text
  slot: start, minutes <-> start, end via slot(yyyyMMdd HHmm + minutes) zone +08:00 if start valued
  prep: prep      <-> patientInstruction
  stat: status    <-> status table booking-status required
tables:
  booking-status: [0 <-> pending, 1 <-> booked, 2 <-> checked-in, 3 <-> arrived, 4 <-> fulfilled, 5 -> fulfilled, 8 <-> noshow, 9 <-> cancelled, else -> error]
"##;

pub(super) const BOOKINGS: &str = "#YY|V1.2|99000001|20261120|条数=3\r\n\
    A|YY1|JC1|860101194508150107|周老人|女|US|US0101^上腹部彩超~US0105^膀胱彩超|20261121 2350|15|超声三诊室|12|空腹8h;憋尿|1\r\n\
    A|YY2|JC2|860101194508150107|周老人|女|US|US0101^上腹部彩超|2026x121 1400|15|超声三诊室|12||7\r\n\
    D|YY3|JC3||无名氏|未知|CT|CT0101^头颅CT平扫||||||9\r\n";

#[test]
fn each_row_of_a_batch_is_a_record() {
    let program = program_of(BOOKING);
    let message = open(&program, BOOKINGS);
    let made = resources(&program, &message);
    assert_eq!(made.len(), 2, "a row with an unknown status is held");
    assert_eq!(made[0].list_at("serviceType").len(), 2);
    assert_eq!(made[0].text_at("serviceType[1].coding[0].code"), Some("US0105"));
    assert_eq!(made[0].text_at("serviceType[1].text"), Some("膀胱彩超"));
    assert_eq!(made[0].text_at("start"), Some("2026-11-21T23:50:00+08:00"));
    assert_eq!(made[0].text_at("end"), Some("2026-11-22T00:05:00+08:00"));
    assert_eq!(made[0].text_at("participant[0].status"), Some("accepted"));
    assert_eq!(made[1].text_at("status"), Some("cancelled"));
    assert!(made[1].get("start").is_none());
    let mut records = program.records(&message, &SITE);
    let told: Vec<(String, Vec<(&str, String)>)> = records
        .by_ref()
        .map(|record| {
            let issues = record.mapped.issues;
            (record.path, issues.into_iter().map(|issue| (issue.code, issue.expression[0].clone())).collect())
        })
        .collect();
    assert_eq!(told[0], ("row[1]".to_owned(), Vec::new()));
    let second: Vec<(&str, &str)> = told[1].1.iter().map(|(code, path)| (*code, path.as_str())).collect();
    assert_eq!(
        second,
        [("slot-invalid", "row[2]/start"), ("code-unknown", "row[2]/status"), ("required-missing", "row[2]")]
    );
    let reported: Vec<String> = account(&program, &message)
        .into_iter()
        .filter(|line| line.1 == "reported" && line.0.starts_with("row[1]"))
        .map(|line| line.0)
        .collect();
    assert_eq!(reported, ["row[1]/sex", "row[1]/modality", "row[1]/room", "row[1]/seq"]);
}

#[test]
fn columns_are_found_by_their_names_wherever_they_stand() {
    let map = "map: results\nsource: {format: delimited, quote: '\"', header: true, columns: [姓名=name, 证件号码=id, 备注=note]}\n\
               mode: snapshot\nfhir: Patient\nid: {key: id, weak: error}\nrules:\n  id: id <-> identifier[first].value via cn/id\n  \
               name: name <-> name[first] via cn/name\n  note: note -> keep \"remarks\"\n";
    let program = program_of(map);
    let text = "备注,证件号码,别的,姓名\n\"a,\"\"b\",'86010119880808009X,1,陈𬱖\n,8.60101E+17,2,彭䶮\n";
    let message = open(&program, text);
    let made = resources(&program, &message);
    assert_eq!(made.len(), 2);
    assert_eq!(made[0].text_at("name[0].text"), Some("陈𬱖"));
    assert_eq!(made[0].text_at("identifier[0].value"), Some("86010119880808009X"));
    assert!(made[1].get("identifier").is_none(), "a number that a spreadsheet has rounded is none");
    let lines = account(&program, &message);
    assert_eq!(lines[0], ("row[1]/备注".to_owned(), "complement", "note".to_owned()));
    assert_eq!((lines[2].0.as_str(), lines[2].1), ("row[1]/别的", "reported"));
}

#[test]
fn what_a_soap_envelope_carries_is_the_document() {
    let program = program_of(REGISTRATION);
    let inner = registration(&[row(1, "")]);
    let inner = inner.split_once("?>").unwrap().1;
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{inner}</s:Body></s:Envelope>"
    );
    let message = open(&program, &envelope);
    assert_eq!(resources(&program, &message).len(), 2);
    let wrapped = format!("<Save><p>{}</p></Save>", dukou_wire::xml::escape(inner, false));
    let (outer, limits, site) = (open(&program, &wrapped), Limits::default(), dukou_wire::Site::default());
    let parameter = dukou_wire::xml::wrapped(&outer).next().unwrap();
    let (message, _) = dukou_wire::xml::inner(parameter, &limits, &site).unwrap();
    assert_eq!(resources(&program, &message).len(), 2);
}

#[test]
fn narrative_counts_as_carried_and_marks_alone_say_nothing() {
    let map = "map: note\nsource: {format: xml, root: doc}\nmode: snapshot\nfhir: Patient\nid: {key: no, weak: error}\nrules:\n  \
               no: no <-> identifier[first].value\n  name: name <-> name[first] via cn/name\n  text: text -> contact[first].name.text\n";
    let program = program_of(map);
    let text = "<doc><no>1</no><name><!-- none --> <x/></name><text>既往 <b>体健</b>。</text></doc>";
    let message = open(&program, text);
    let made = resources(&program, &message);
    assert!(made[0].get("name").is_none());
    assert_eq!(made[0].text_at("contact[0].name.text"), Some("既往 体健。"));
    let lines = account(&program, &message);
    assert!(lines.iter().all(|line| line.1 == "emitted"), "{lines:?}");
}

#[test]
fn pieces_of_a_text_stand_in_a_list_one_by_one() {
    let map = "map: order\nsource: {format: xml, root: doc}\nmode: snapshot\nfhir: ServiceRequest\nid: {key: no, weak: error}\nrules:\n  \
               no: no <-> identifier[first].value\n  s: =active -> status\n  i: =order -> intent\n  who: who -> subject.display\n  \
               why: why -> reasonCode[*].text via each(;)\n";
    let program = program_of(map);
    let text = "<doc><no>1</no><who>x</who><why>高血压;2型糖尿病待排; </why></doc>";
    let made = resources(&program, &open(&program, text));
    let texts: Vec<_> = made[0].list_at("reasonCode").iter().filter_map(|one| one.text_at("text")).collect();
    assert_eq!(texts, ["高血压", "2型糖尿病待排"]);
}

#[test]
fn a_null_of_json_changes_nothing_unless_a_rule_says_so() {
    let map = |clause: &str| {
        format!(
            "map: card\nsource: {{format: json}}\nmode: snapshot\nfhir: Patient\nid: {{key: no, weak: error}}\nrules:\n  \
             no: no <-> identifier[first].value\n  born: born <-> birthDate via time{clause}\n"
        )
    };
    let text = "{\"no\":\"1\",\"born\":null}";
    let (silent, telling) = (program_of(&map("")), program_of(&map(" null delete")));
    let clears = |program: &Program| program.to_fhir(&open(program, text), &SITE).changes[0].clear.len();
    assert_eq!((clears(&silent), clears(&telling)), (0, 1));
    assert_eq!(account(&silent, &open(&silent, text))[1], ("/born".to_owned(), "complement", "born".to_owned()));
}

#[test]
fn a_leaf_is_explained_by_the_rules_that_read_it() {
    let program = program_of(REPORT);
    let rules = |path: &str| program.explain(path).iter().map(|found| found.rule.to_owned()).collect::<Vec<_>>();
    assert_eq!(rules("/Request/Report/Items/Item[2]/ItemCode"), ["o.code"]);
    assert_eq!(rules("ReportTime"), ["r.time"]);
    let program = program_of(BOOKING);
    let rules = |path: &str| program.explain(path).iter().map(|found| found.rule.to_owned()).collect::<Vec<_>>();
    assert_eq!(rules("row[4]/certno"), ["who"]);
    assert_eq!(rules("item"), ["item", "text"]);
}

#[test]
fn members_of_json_are_elements() {
    let map = "map: card\nsource: {format: json, root: \"response/output or output\", record: baseinfo}\nmode: snapshot\nfhir: Patient\n\
               id: {key: psn_no, weak: error}\nrules:\n  no: psn_no <-> identifier[first].value\n  id: certno <-> identifier[2].value via cn/id\n  \
               name: psn_name <-> name[first] via cn/name\n  born: brdy <-> birthDate via time\n  \
               more: ../insuinfo[*]/insutype <-> extension[insurance][*].valueString\nextensions: {insurance: \"https://example.cn/insurance\"}\n";
    let program = program_of(map);
    let body = r#"{"baseinfo":{"psn_no":"9901","certno":"86010119901231019X","psn_name":"彭䶮","brdy":"1990-12-31","age":35.9},"insuinfo":[{"insutype":"310"},{"insutype":"390"}]}"#;
    for text in [format!("{{\"output\":{body}}}"), format!("{{\"response\":{{\"code\":0,\"output\":{body}}}}}")] {
        let message = open(&program, &text);
        let made = resources(&program, &message);
        assert_eq!(made[0].text_at("birthDate"), Some("1990-12-31"));
        assert_eq!(made[0].list_at("extension").len(), 2);
        let lines = account(&program, &message);
        let age = lines.iter().find(|line| line.0.ends_with("/age")).unwrap();
        assert_eq!(age.1, "reported");
    }
}
