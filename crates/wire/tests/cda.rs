//! What is read of CDA documents.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::{Limits, Message, Path, Presence, Site, cda, xml};

fn parse(text: &str) -> Message<'_> {
    xml::parse(text.as_bytes(), &Limits::default(), &Site::default()).unwrap().0
}

fn found(message: &Message<'_>) -> Vec<String> {
    let told = |issue: dukou_wire::Issue| format!("{} {}", issue.code.as_str(), issue.path.unwrap());
    cda::check(message, &Limits::default()).into_iter().map(told).collect()
}

/// A document of this type and content that deviates nowhere else.
fn document(number: u8, content: &str) -> String {
    let wanted = cda::DocumentType::new(number).unwrap();
    format!(
        "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><templateId root=\"{}\"/><id root=\"2.16.156.10011.1.1\" extension=\"D1\"/>\
         <code code=\"{wanted}\" codeSystem=\"2.16.156.10011.2.4\"/><setId extension=\"S1\"/>{content}</ClinicalDocument>",
        wanted.template()
    )
}

#[test]
fn a_document_has_its_type_by_template_or_by_code() {
    let typed = |text: &str| cda::document_type(&parse(text)).map(|known| known.to_string());
    for (number, template) in [(6, 26), (7, 27), (49, 69), (53, 73)] {
        let root = format!("<ClinicalDocument><templateId root='2.16.156.10011.2.1.1.{template}'/></ClinicalDocument>");
        assert_eq!(typed(&root), Some(format!("C{number:04}")));
    }
    assert_eq!(
        typed("<ClinicalDocument><templateId root='1.2'/><code code='C0049'/></ClinicalDocument>").as_deref(),
        Some("C0049")
    );
    assert_eq!(typed("<ClinicalDocument><code code='C0054'/></ClinicalDocument>"), None);
    assert_eq!(typed("<a><code code='C0049'/></a>"), None);
    assert_eq!(found(&parse("<a/>")), [""; 0]);
    let text = document(53, "").replace("C0053", "C0049");
    assert_eq!(found(&parse(&text)), ["cda-type-doubtful /ClinicalDocument/templateId"]);
}

#[test]
fn what_deviates_is_told_and_stays() {
    let text = document(
        53,
        "<recordTarget><patientRole><id root='2.16.156.10011.1.19' extension='-'/><id root='2.16.156.10011.1.12'/>\
         <addr><houserNumber>1</houserNumber></addr><patient><age value='74'/></patient></patientRole></recordTarget>\
         <component><section><code code='11535-2' codeSystem='1.2' codeSystemName='A'/><text/><entry><observation>\
         <code code='DE05.01.024.00' displayName=' x' codeSystem='1.2' codeSystemName='B'/></observation></entry></section></component>",
    );
    let text = text.replace("<setId extension=\"S1\"/>", "<setId/>");
    let message = parse(&text);
    let role = "/ClinicalDocument/recordTarget/patientRole";
    let section = "/ClinicalDocument/component/section";
    let expected = [
        "cda-set-id-missing /ClinicalDocument/setId".to_owned(),
        format!("cda-id-empty {role}/id[1]/@extension"),
        format!("cda-id-empty {role}/id[2]"),
        format!("cda-element-misspelt {role}/addr/houserNumber"),
        format!("cda-element-foreign {role}/patient/age"),
        format!("cda-code-system {section}/code/@codeSystem"),
        format!("cda-text-empty {section}/text"),
        format!("cda-display-blanks {section}/entry/observation/code/@displayName"),
        format!("cda-code-system {section}/entry/observation/code/@codeSystem"),
        format!("cda-code-system-reused {section}/entry/observation/code/@codeSystemName"),
    ];
    assert_eq!(found(&message), expected);
    let plain = document(53, "");
    assert_eq!(found(&parse(&plain)), [""; 0]);
    let dash = message.get(&Path::parse(&format!("{role}/id[1]/@extension")).unwrap()).unwrap();
    assert_eq!((dash.presence(), cda::presence(&dash)), (Presence::Value, Presence::Empty));
}

#[test]
fn results_that_are_told_apart_by_their_order_are_paired_and_gaps_are_told() {
    let entry = |code: &str, value: &str| {
        format!("<entry><observation><code code='{code}'/><value value='{value}'/></observation></entry>")
    };
    let (item, value, unit) = ("DE04.30.019.00", "DE04.30.015.00", "DE04.30.016.00");
    let all =
        [entry(item, "ALT"), entry(value, "45"), entry(unit, "U/L"), entry(item, "GLU"), entry(value, "7.8")].concat();
    let more = [entry(item, "K"), entry(value, "6.6"), entry(unit, "mmol/L")].concat();
    let text = document(7, &format!("<component><section><text>x</text>{all}{more}</section></component>"));
    let message = parse(&text);
    let rows = cda::paired(cda::entries(&message), &[item, value, unit]);
    let shown: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row
                .iter()
                .map(|cell| cell.and_then(|entry| entry.value()).map_or("?".into(), |v| v.attribute("value").text()));
            cells.collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(shown, ["ALT 45 U/L", "GLU 7.8 mmol/L", "K 6.6 ?"]);
    let issues = cda::check(&message, &Limits::default());
    let counts: Vec<_> =
        issues.iter().map(|issue| (issue.code.as_str(), issue.numbers.map(|n| (n.declared, n.found)))).collect();
    assert_eq!(counts, [("cda-counts-unequal", Some((3, 2)))]);
}

#[test]
fn narrative_is_read_as_lines() {
    let text = document(
        53,
        "<component><section><title> A </title><text>x <content>y</content><paragraph>p</paragraph>\
         <list><item>i1</item><item>i2</item></list><table><tbody><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></tbody></table>z\
         </text></section></component>",
    );
    let message = parse(&text);
    let section = cda::sections(&message).next().unwrap();
    assert_eq!(section.title(), "A");
    assert_eq!(section.narrative(), "x y\np\ni1\ni2\na\tb\t\nc\t\nz");
}
