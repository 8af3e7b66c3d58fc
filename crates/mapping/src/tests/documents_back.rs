//! Views written back into the documents of which they were made.

use dukou_fhir::{Value, json};
use dukou_wire::{Limits, Message};

use super::documents::{BOOKING, BOOKINGS, ITEMS, REGISTRATION, REPORT, registration, report, row};
use super::{SITE, program_of};
use crate::{Outbound, Program};

const PUT: Outbound<'static> = Outbound { profile: "", control_id: "", time: "", charset: "" };

fn open<'a>(program: &Program, bytes: &'a [u8]) -> Message<'a> {
    program.open(bytes, &Limits::default(), &dukou_wire::Site::default()).unwrap().0
}

/// The view of a document as JSON, with pieces replaced.
fn view(program: &Program, message: &Message<'_>, changes: &[(&str, &str)]) -> Value<'static> {
    let mut out = Vec::new();
    json::print(&program.to_fhir(message, &SITE).to_bundle(), &mut out);
    let mut text = String::from_utf8(out).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} in {text}");
        text = text.replace(from, to);
    }
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap().into_static()
}

/// The document after a change of its view.
fn put(program: &Program, bytes: &[u8], changes: &[(&str, &str)]) -> Vec<u8> {
    let message = open(program, bytes);
    let view = view(program, &message, changes);
    let written = program.from_fhir(&view, &PUT, Some(&message), &SITE).unwrap();
    let accounts = &written.accounts;
    assert_eq!(accounts.leaves, accounts.written + accounts.explained + accounts.reported);
    written.bytes
}

#[test]
fn an_unchanged_view_gives_the_same_bytes() {
    let rows = registration(&[row(1, ""), row(2, "<!-- x --><bz/>")]);
    let gb = dukou_wire::Charset::Gb18030.encode(&rows).unwrap().into_owned();
    for (map, bytes) in [
        (REGISTRATION, rows.as_bytes()),
        (REGISTRATION, &gb),
        (REPORT, report(ITEMS).as_bytes()),
        (BOOKING, BOOKINGS.as_bytes()),
    ] {
        let program = program_of(map);
        assert_eq!(String::from_utf8_lossy(&put(&program, bytes, &[])), String::from_utf8_lossy(bytes));
    }
}

#[test]
fn only_what_changed_changes_and_blanks_stay() {
    let program = program_of(REGISTRATION);
    let text = registration(&[row(1, ""), row(2, "")]);
    let gb = dukou_wire::Charset::Gb18030.encode(&text).unwrap().into_owned();
    let changes = [("\"birthDate\":\"1990-12-31\"", "\"birthDate\":\"1991-01-02\""), ("彭䶮", "陈𬱖")];
    let written = put(&program, &gb, &changes);
    let expected = text.replace("19901231", "19910102").replace("86010119910102019x", "86010119901231019x");
    let expected = expected.replace("彭䶮 ", "陈𬱖 ");
    assert_eq!(written, dukou_wire::Charset::Gb18030.encode(&expected).unwrap().into_owned());
}

#[test]
fn codes_slots_and_guards_lead_back() {
    let program = program_of(REGISTRATION);
    let text = registration(&[row(1, "")]);
    let changes = [
        ("\"gender\":\"male\"", "\"gender\":\"female\""),
        ("2026-11-21T09:30:00+08:00", "2026-11-21T01:45:00Z"),
        ("\"code\":\"AMB\"", "\"code\":\"EMER\""),
    ];
    let written = String::from_utf8(put(&program, text.as_bytes(), &changes)).unwrap();
    let expected = text
        .replace("<xb>男 </xb>", "<xb>女 </xb>")
        .replace("09:15~09:30", "09:15~09:45")
        .replace("<ghlb>2</ghlb>", "<ghlb>1</ghlb>");
    assert_eq!(written, expected);
}

#[test]
fn what_the_view_adds_is_made_in_its_place_and_what_it_takes_away_is_emptied() {
    let program = program_of(REGISTRATION);
    let text = registration(&[row(1, "")]);
    let changes = [
        (
            "\"gender\":\"male\"",
            "\"gender\":\"male\",\"telecom\":[{\"system\":\"phone\",\"use\":\"mobile\",\"value\":\"19900000017\"}]",
        ),
        (",\"birthDate\":\"1990-12-31\"", ""),
    ];
    let written = String::from_utf8(put(&program, text.as_bytes(), &changes)).unwrap();
    // The rules name the telephone between the age and the number of the visit.
    let expected = text
        .replace("<csrq>19901231</csrq>", "<csrq></csrq>")
        .replace("<fb>01</fb><ghlsh>", "<fb>01</fb><lxdh>19900000017</lxdh><ghlsh>");
    assert_eq!(written, expected);
}

#[test]
fn a_result_is_changed_in_its_own_element() {
    let program = program_of(REPORT);
    let text = report(ITEMS);
    let changes = [
        ("45.20", "46.1"),
        ("\"value\":0.5,\"comparator\":\"<\"", "\"value\":0.7,\"comparator\":\"<\""),
        ("2026-11-11T08:30:00+08:00", "2026-11-12T09:05:00+08:00"),
    ];
    let written = String::from_utf8(put(&program, text.as_bytes(), &changes)).unwrap();
    let expected =
        text.replace("45.20", "46.1").replace("&lt;0.5", "&lt;0.7").replace("2026/11/11 8:30", "2026/11/12 9:05");
    assert_eq!(written, expected);
}

#[test]
fn a_cell_is_changed_in_its_own_row() {
    let program = program_of(BOOKING);
    let changes =
        [("US0105", "US0109"), ("空腹8h;憋尿", "空腹"), ("2026-11-22T00:05:00+08:00", "2026-11-22T00:20:00+08:00")];
    let written = String::from_utf8(put(&program, BOOKINGS.as_bytes(), &changes)).unwrap();
    let expected = BOOKINGS.replace("US0105", "US0109").replace("空腹8h;憋尿", "空腹").replacen("|15|", "|30|", 1);
    assert_eq!(written, expected);
}

/// A document made of the view of another one.
fn create(map: &str, profile: &str, bytes: &[u8]) -> String {
    let program = program_of(map);
    let message = open(&program, bytes);
    let view = view(&program, &message, &[]);
    let outbound = Outbound { profile, ..PUT };
    let written = program.from_fhir(&view, &outbound, None, &SITE).unwrap();
    // What comes of the new document is the view again, on what both directions have.
    let made = open(&program, &written.bytes);
    let again = program.to_fhir(&made, &SITE);
    assert_eq!(again.changes.len(), view.list_at("entry").len(), "{}", made.text());
    made.text().to_owned()
}

#[test]
fn a_registration_is_made_of_its_resources() {
    let template = "template: |\n  <message>\n    <head><jydm>MZGH01</jydm><yybm/></head>\n    <body>\n      <row><ghlsh/><patientid/><mz>?</mz><xm/><bz/>\
                    <xb/><zjlx/><sfzh/><csrq/><yysd/><ghlb/><zt/><lxdh/></row>\n    </body>\n  </message>\n";
    let map = REGISTRATION.replace("rules:\n  head:", &format!("{template}rules:\n  head:"));
    let map = map
        .replace(", /message/head/yybm]", "]")
        .replace("nl        ->", "bz        ->")
        .replace("event: /message/head/fssj\n", "");
    let text = registration(&[row(1, ""), row(2, "").replace("<xb>男 </xb>", "<xb>女</xb>")]);
    let made = create(&map, "his-registration", text.as_bytes());
    let expected = "<?xml version=\"1.0\" encoding=\"GB18030\"?>\n<message>\n  <head>\n    <jydm>MZGH01</jydm>\n    <yybm/>\n  </head>\n  <body>\n";
    assert!(made.starts_with(expected), "{made}");
    let row = "    <row>\n      <ghlsh>GH2</ghlsh>\n      <patientid>002</patientid>\n      <xm>彭䶮</xm>\n      <bz/>\n      <xb>女</xb>\n      \
               <zjlx>01</zjlx>\n      <sfzh>86010119901231019X</sfzh>\n      <csrq>19901231</csrq>\n      \
               <yysd>2026-11-21 09:15~09:30</yysd>\n      <ghlb>2</ghlb>\n      <zt>1</zt>\n      <lxdh/>\n    </row>\n";
    assert!(made.contains(row), "{made}");
}

#[test]
fn a_report_is_made_with_its_results_in_their_order() {
    let map = REPORT.replace(", /Request/HospCode]", "]").replace("when: /Request/TradeCode = LIS_REPORT_PUSH\n", "");
    let map = map.replace("id: {key: [PatientID]", "id: {key: [PatientID or PatientName]");
    let made = create(&map, "lis-report", report(ITEMS).as_bytes());
    let one = "<Item><ItemCode>ALT</ItemCode><ItemName>*丙氨酸</ItemName><Result>45.20</Result><Unit>U/L</Unit><RefRange>7 ~ 40</RefRange></Item>";
    let flat: String = made.lines().map(str::trim).collect();
    assert!(flat.contains(one), "{flat}");
    assert!(flat.contains("<Result>&lt;0.5</Result><Unit>mg/L</Unit>"), "{flat}");
    assert!(flat.contains("<Result>阴性(-)</Result>"), "{flat}");
}

#[test]
fn rows_are_made_with_head_and_count() {
    let map = BOOKING.replace("id: {key: [book, head.org]", "id: {key: [book]");
    let made = create(&map, "exam-booking", BOOKINGS.as_bytes());
    let lines: Vec<&str> = made.lines().collect();
    assert_eq!(lines.len(), 3, "{made}");
    assert!(lines[0].starts_with("#YY|") && lines[0].ends_with("条数=2"), "{made}");
    assert_eq!(
        lines[1],
        "|YY1|JC1|860101194508150107|周老人|||US0101^上腹部彩超~US0105^膀胱彩超|20261121 2350|15|||空腹8h;憋尿|1"
    );
    assert_eq!(lines[2], "|YY3|JC3||无名氏|||CT0101^头颅CT平扫||||||9");
}

#[test]
fn json_is_made_with_its_arrays() {
    let map = "map: orders\nsource: {format: json, record: order}\nmode: snapshot\nfhir: ServiceRequest\nid: {key: no, weak: error}\nrules:\n  \
               no: no <-> identifier[first].value\n  pat: patient/name <-> subject.display\n  stat: =active -> status\n  int: =order -> intent\n  \
               why: reasons[*]/code <-> reasonCode[*].coding[first].code\n  txt: reasons[*]/text <-> reasonCode[*].text\n";
    let text = r#"{"order":[{"no":"1","patient":{"name":"李样例"},"reasons":[{"code":"K29","text":"胃炎"},{"code":"I10","text":"高血压"}]},{"no":"2","patient":{"name":"周老人"},"reasons":[{"code":"E11","text":"糖尿病"}]}]}"#;
    let made = create(map, "orders", text.as_bytes());
    assert_eq!(made, text);
}
