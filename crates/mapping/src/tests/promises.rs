use dukou_fhir::json;

use super::{SITE, header, of_type, program, program_of, read, resources};
use crate::{LeafClass, Told};

const PATIENT: &str = "PID|1||86001^^^GMSQ^MR~510105198001310016^^^2.16.156.10011.2.3.1.1&2.16.156.10011.2.3.1.1&ISO^NI||张^伟^^^^^L\
                       ||19800131083000|M|||人民南路1号^^成都市^四川省^610000~北京路2号||19900000001~19900000002|02882000000||M\r";

fn patient(body: &str) -> dukou_fhir::Value<'static> {
    let text = header("ADT^A08^ADT_A01") + body;
    resources(&program(), &text).into_iter().next().unwrap()
}

#[test]
fn the_examples_in_the_maps_hold() {
    let failures = program().run_tests();
    assert!(failures.is_empty(), "{}", failures[0]);
}

#[test]
fn a_patient_is_carried_with_all_that_was_said() {
    let patient = patient(PATIENT);
    let mut out = Vec::new();
    json::print(&patient, &mut out);
    let shown = String::from_utf8(out).unwrap();
    assert_eq!(patient.text_at("identifier[0].value"), Some("86001"));
    assert_eq!(patient.text_at("identifier[0].system"), Some("urn:id:GMSQ"));
    assert_eq!(patient.text_at("identifier[1].system"), Some("https://example.cn/certificates"));
    assert_eq!(patient.text_at("name[0].family"), Some("张"));
    assert_eq!(patient.text_at("name[0].use"), Some("official"));
    assert_eq!(patient.text_at("birthDate"), Some("1980-01-31"));
    assert_eq!(patient.text_at("_birthDate.extension[0].valueDateTime"), Some("1980-01-31T08:30:00+08:00"));
    assert_eq!(patient.text_at("address[1].line[0]"), Some("北京路2号"));
    assert_eq!(patient.list_at("telecom").len(), 3);
    assert_eq!(patient.text_at("telecom[1].use"), Some("home"));
    assert_eq!(patient.text_at("telecom[2].use"), Some("work"));
    assert_eq!(patient.text_at("maritalStatus.coding[0].display"), Some("Married"), "{shown}");
    assert_eq!(patient.list_at("maritalStatus.coding").len(), 1, "the same code is not said twice");
}

#[test]
fn an_id_depends_on_site_authority_and_value_and_on_nothing_else() {
    let id = |body: &str| patient(body).text_at("id").unwrap().to_owned();
    let one = id("PID|1||86001^^^GMSQ^MR||张^伟\r");
    assert_eq!(one, id("PID|1||9^^^X^NI~86001^^^GMSQ^MR||李^四||19700101\r"));
    assert_ne!(one, id("PID|1||86001^^^OTHER^MR\r"), "the assigner is part of the key");
    assert_eq!(one.len(), 26);
}

#[test]
fn without_a_key_there_is_no_patient_but_an_error() {
    let text = header("ADT^A08^ADT_A01") + "PID|1||||张^伟\r";
    let message = read(&text);
    let program = program();
    let mapped = program.to_fhir(&message, &SITE);
    assert!(mapped.changes.is_empty());
    assert!(mapped.issues[0].severity.is_error());
    assert_eq!((mapped.issues[0].code, mapped.issues[0].expression[0].as_str()), ("id-missing", "PID"));
    assert_eq!(mapped.accounts.emitted, 0);
}

#[test]
fn a_null_clears_and_an_empty_field_says_nothing() {
    let stored = patient(PATIENT);
    let text = header("ADT^A08^ADT_A01") + "PID|1||86001^^^GMSQ^MR||\"\"|||\"\"||||||\"\"\r";
    let (message, program) = (read(&text), program());
    let mapped = program.to_fhir(&message, &SITE);
    let cleared: Vec<String> = mapped.changes[0].clear.iter().map(ToString::to_string).collect();
    assert_eq!(cleared, ["Patient.name", "Patient.gender", "Patient.telecom[use=work]"]);
    let after = mapped.changes[0].apply(Some(&stored));
    assert!(after.get("gender").is_none() && after.get("name").is_none());
    assert_eq!(after.text_at("birthDate"), Some("1980-01-31"), "an empty field says nothing");
    assert_eq!(after.list_at("telecom").len(), 2, "only the slice of the null goes");
    assert_eq!(after.list_at("identifier").len(), 1, "a list that was said replaces the list");
}

#[test]
fn a_slice_that_was_said_replaces_only_itself() {
    let stored = patient(PATIENT);
    let text = header("ADT^A08^ADT_A01") + "PID|1||86001^^^GMSQ^MR||||||||||19900000009\r";
    let (message, program) = (read(&text), program());
    let mapped = program.to_fhir(&message, &SITE);
    let after = mapped.changes[0].apply(Some(&stored));
    let numbers: Vec<&str> = after.list_at("telecom").iter().filter_map(|one| one.text_at("value")).collect();
    assert_eq!(numbers, ["02882000000", "19900000009"]);
    assert_eq!(mapped.changes[0].apply(Some(&after)), after, "a second time changes nothing");
}

#[test]
fn the_same_message_twice_changes_not_a_byte() {
    let body = PATIENT.replace("~510105198001310016", "~77^^^X^SS~510105198001310016");
    let text = header("ADT^A08^ADT_A01") + &body;
    let (message, program) = (read(&text), program());
    for change in &program.to_fhir(&message, &SITE).changes {
        let once = change.apply(None);
        assert_eq!(change.apply(Some(&once)), once);
    }
}

#[test]
fn what_is_no_date_is_refused_and_told_without_its_value() {
    let text = header("ADT^A08^ADT_A01") + "PID|1||86001^^^GMSQ^MR||||19801331|Q\r";
    let (message, program) = (read(&text), program());
    let mapped = program.to_fhir(&message, &SITE);
    let patient = mapped.changes[0].apply(None);
    assert!(patient.get("birthDate").is_none());
    assert_eq!(patient.text_at("gender"), Some("unknown"));
    let issue = &mapped.issues[0];
    assert_eq!((issue.code, issue.expression[0].as_str()), ("date-invalid", "PID-7.1.1"));
    let lines: Vec<_> = mapped.accounts.lines(&program, &message).collect();
    let line = lines.iter().find(|line| line.path.to_string() == "PID-7.1.1").unwrap();
    assert_eq!((line.class, line.rule, line.reason), (LeafClass::Reported, Some(("patient", "pid7")), "refused"));
    let sex = lines.iter().find(|line| line.path.to_string() == "PID-8.1.1").unwrap();
    assert!(sex.lossy, "a code that cannot lead back is marked");
}

#[test]
fn facts_tell_event_time_patients_and_merges() {
    let text = header("ADT^A40^ADT_A39")
        + "EVN||20240102030000\rPID|1||86001^^^GMSQ^MR\rMRG|86002^^^GMSQ^MR\rPID|2||86003^^^GMSQ^MR\rMRG|86004^^^GMSQ^MR\r";
    let (message, program) = (read(&text), program());
    let facts = program.to_fhir(&message, &SITE).facts;
    let id = |value: &str| patient(&format!("PID|1||{value}^^^GMSQ^MR\r")).text_at("id").unwrap().to_owned();
    assert_eq!(facts.event_time.as_deref(), Some("2024-01-02T03:00:00+08:00"));
    let pair = |told: &Told| match told {
        Told::Merge { survivor, retired } => (survivor.id.to_string(), retired.key.id.to_string()),
        other => panic!("{other:?}"),
    };
    let merges: Vec<(String, String)> = facts.told.iter().map(pair).collect();
    assert_eq!(merges, [(id("86001"), id("86002")), (id("86003"), id("86004"))]);
    assert_eq!(facts.patients.len(), 2);
}

const REPORT: &str = "PID|1||86001^^^GMSQ^MR\rOBR|1|P1|F1|CBC^血常规^L|||20240101101010||||||||||||||||||P\rNTE|1||note of the order\r\
    OBX|1|NM|718-7^Hb^LN||135.0|g/L^^UCUM|115--150|N|||F|||||1001^李^四^^^^^^GMSQ\rNTE|1||first note~second line\r\
    OBX|2|SN|6690-2^WBC^LN||<^0.50|10*9/L^^UCUM|<3|L|||F\r\
    OBX|3|NM|X^Odd^L||positive||||||F\r\
    OBX|4|ED|PDF^Report^L||^application^pdf^Base64^JVBERg==||||||F\r\
    OBX|5|CWE|B^Blood group^L||A^A^L~O^O^L||||||F\r\
    OBX|6|ST|T^Text^L||a line\\T\\more~and another||||||F\r\
    OBR|2|P2|F2|U^尿常规^L|||20240101||||||||||||||||||F\rOBX|1|NM|718-7^Hb^LN||5.10||||||F\r";

fn report() -> Vec<dukou_fhir::Value<'static>> {
    resources(&program(), &(header("ORU^R01^ORU_R01") + REPORT))
}

#[test]
fn observations_stand_under_their_report() {
    let all = report();
    let (reports, observations) = (of_type(&all, "DiagnosticReport"), of_type(&all, "Observation"));
    assert_eq!((reports.len(), observations.len()), (2, 7));
    assert_eq!((reports[0].list_at("result").len(), reports[1].list_at("result").len()), (6, 1));
    assert_eq!(reports[0].text_at("status"), Some("preliminary"));
    assert_eq!(reports[0].text_at("presentedForm[0].contentType"), Some("application/pdf"));
    assert_eq!(reports[0].text_at("subject.reference"), observations[6].text_at("subject.reference"));
    assert_ne!(observations[0].text_at("id"), observations[6].text_at("id"), "the report is part of the key");
    assert_eq!(observations[6].get("valueQuantity.value").and_then(|value| value.as_number()), Some("5.10"));
    assert_eq!(observations[6].text_at("effectiveDateTime"), Some("2024-01-01"));
}

#[test]
fn values_go_where_their_type_says() {
    let all = report();
    let observations = of_type(&all, "Observation");
    let first = observations[0];
    assert_eq!(first.get("valueQuantity.value").and_then(|value| value.as_number()), Some("135.0"));
    assert_eq!(first.text_at("valueQuantity.system"), Some("http://unitsofmeasure.org"));
    assert_eq!(first.text_at("referenceRange[0].text"), Some("115--150"));
    assert_eq!(first.get("referenceRange[0].high.value").and_then(|value| value.as_number()), Some("150"));
    assert_eq!(first.text_at("interpretation[0].coding[0].code"), Some("N"));
    assert_eq!(first.list_at("note").len(), 2, "the notes of the result, not of the order");
    assert_eq!(observations[1].text_at("valueQuantity.comparator"), Some("<"));
    assert!(observations[2].get("valueQuantity").is_none(), "a number that is none is refused");
    assert_eq!(observations[4].text_at("valueCodeableConcept.coding[0].code"), Some("A"));
    assert_eq!(observations[4].text_at("component[0].valueCodeableConcept.coding[0].code"), Some("O"));
    assert_eq!(observations[4].text_at("component[0].code.coding[0].code"), Some("B"));
    assert_eq!(observations[5].text_at("valueString"), Some("a line&more\nand another"));
}

#[test]
fn a_mentioned_practitioner_is_made_once_and_referred_to() {
    let all = report();
    let practitioners = of_type(&all, "Practitioner");
    assert_eq!(practitioners.len(), 1);
    let performer = of_type(&all, "Observation")[0].get("performer[0]").unwrap();
    let id = practitioners[0].text_at("id").unwrap();
    assert_eq!(performer.text_at("reference"), Some(format!("Practitioner/{id}").as_str()));
    assert_eq!((performer.text_at("display"), performer.text_at("identifier.value")), (Some("李四"), Some("1001")));
}

#[test]
fn a_refused_value_goes_on_to_the_rest_of_its_chain() {
    let text = header("ORU^R01^ORU_R01") + REPORT;
    let (message, program) = (read(&text), program());
    let mapped = program.to_fhir(&message, &SITE);
    let line = mapped.accounts.lines(&program, &message).find(|line| line.path.to_string() == "OBX[3]-5.1.1").unwrap();
    assert_eq!((line.class, line.reason), (LeafClass::Complement, "value type has no R4 home"));
    assert!(mapped.issues.iter().any(|issue| issue.code == "not-a-number" && issue.expression[0] == "OBX[3]-5.1.1"));
}

#[test]
fn a_resource_without_a_required_element_is_not_made_and_nothing_points_to_it() {
    let text = header("ORU^R01^ORU_R01") + "PID|1||86001^^^GMSQ^MR\rOBR|1|P1|F1|CBC^x^L\rOBX|1|NM|||5||||||F\r";
    let (message, program) = (read(&text), program());
    let mapped = program.to_fhir(&message, &SITE);
    let kinds: Vec<&str> = mapped.changes.iter().map(|change| change.key.kind.as_str()).collect();
    assert_eq!(kinds, ["Patient", "DiagnosticReport"]);
    assert!(mapped.changes[1].set().get("result").is_none());
    assert!(mapped.issues.iter().any(|issue| issue.code == "required-missing"));
    let line = mapped.accounts.lines(&program, &message).find(|line| line.path.to_string() == "OBX-5.1.1").unwrap();
    assert_eq!((line.class, line.reason), (LeafClass::Reported, "its resource was not made"));
}

#[test]
fn two_contents_for_one_id_never_overwrite_each_other() {
    let map = "map: m\nmode: snapshot\nfhir: Observation\nper: OBX\nid: {key: OBX-3.1, weak: error}\nrules:\n\
               \x20 code: OBX-3.2 -> code.text\n  status: =final -> status\n  value: OBX-5[first] -> valueString\n";
    let program = program_of(map);
    let text = header("ORU^R01^ORU_R01") + "OBX|1|ST|A^a||one\rOBX|2|ST|A^a||two\rOBX|3|ST|A^a||one\r";
    let message = read(&text);
    let mapped = program.to_fhir(&message, &SITE);
    assert_eq!(mapped.changes.len(), 1);
    assert_eq!(mapped.changes[0].apply(None).text_at("valueString"), Some("one"));
    assert_eq!(mapped.issues.iter().filter(|issue| issue.code == "E-ID-CLASH").count(), 1);
    let line = mapped.accounts.lines(&program, &message).find(|line| line.path.to_string() == "OBX[2]-5.1.1").unwrap();
    assert_eq!(line.class, LeafClass::Reported);
}

#[test]
fn everything_made_can_be_referred_to() {
    let map = "map: m\nmode: snapshot\nfhir: Provenance\nper: MSH\nid: {key: MSH-10, weak: error}\nrules:\n\
               \x20 all: MSH -> target[*] ref all\n  when: MSH-7 -> recorded via DTM/instant prec second zone site\n\
               \x20 who: MSH-4.1 -> agent[first].who.display\n  plan: =$plan -> policy[first]\n";
    let mut files = super::sources(&super::fixtures().join("maps"));
    files.0.push(crate::SourceFile { name: "m".into(), text: map.into() });
    let program = crate::compile(&files.0, &files.1).unwrap();
    let all = resources(&program, &(header("ORU^R01^ORU_R01") + REPORT));
    let provenance = of_type(&all, "Provenance")[0];
    assert_eq!(provenance.list_at("target").len(), all.len() - 1);
    assert_eq!(provenance.text_at("recorded"), Some("2024-01-02T03:04:05+08:00"));
    assert_eq!(provenance.text_at("policy[0]").map(str::len), Some(64));
}

#[test]
fn explain_names_the_rules_behind_a_field_and_an_element() {
    let program = program();
    let rules = |path: &str| program.explain(path).iter().map(|found| found.rule.to_owned()).collect::<Vec<_>>();
    assert_eq!(rules("PID-8"), ["pid8"]);
    assert_eq!(rules("Patient.telecom"), ["pid13", "pid14"]);
    let found = &program.explain("Patient.gender")[0];
    assert_eq!((found.class, found.table, found.file), ("iso", Some("sex"), "patient.fmap.yaml"));
}

#[test]
fn an_overlay_wins_and_is_named() {
    let (mut maps, tables) = super::sources(&super::fixtures().join("maps"));
    let text = "overlay: patient\nrules:\n  - replace pid8: PID-8.1 -> gender table other\n  - drop pid16 \"not needed\"\n\
                tables:\n  other: [M -> female, else -> unknown]\n";
    maps.push(crate::SourceFile { name: "overlay/site/a01/patient.fmap.yaml".into(), text: text.into() });
    let program = crate::compile(&maps, &tables).unwrap();
    let all = resources(&program, &(header("ADT^A08^ADT_A01") + PATIENT));
    assert_eq!(all[0].text_at("gender"), Some("female"));
    assert!(all[0].get("maritalStatus").is_none());
    assert_eq!(
        program.explain("Patient.gender")[0].overlays,
        [
            "replaced in overlay/site/a01/patient.fmap.yaml:3; before, in patient.fmap.yaml:17: PID-8.1 <-> gender table sex"
        ]
    );
    let dropped = &program.explain("PID-16")[0];
    assert_eq!(dropped.overlays, ["dropped in overlay/site/a01/patient.fmap.yaml:4: not needed"]);
}

const RESULT: &str = "map: m\nmode: snapshot\nemit:\n\
    \x20 report: {fhir: DiagnosticReport, per: OBR, id: {key: OBR-3, weak: error}}\n\
    \x20 obs: {fhir: Observation, per: OBX, whole: true, mention: OBX-11 = X, under: report, link: \"report.result[*]\", id: {key: OBX-3.1, weak: error}}\nrules:\n\
    \x20 code: OBR-4 -> report.code via CWE\n  status: OBR-25 -> report.status table s\n  none: =registered -> report.status once if OBR-25 empty\n\
    \x20 o-code: OBX-3 -> obs.code via CWE\n  o-status: =final -> obs.status\n  o-value: OBX-5[first] -> obs.valueString\n\
    \x20 o-flag: OBX-8[*] -> obs.interpretation[*].text\ntables:\n  s: [F <-> final, P <-> preliminary]\n";

/// Applies messages one after the other to an empty store and gives the stored resources of a type.
fn stored(messages: &[&str], kind: &str) -> Vec<dukou_fhir::Value<'static>> {
    let program = program_of(RESULT);
    let mut stored: Vec<(String, dukou_fhir::Value<'static>)> = Vec::new();
    for body in messages {
        let text = header("ORU^R01^ORU_R01") + body;
        let message = read(&text);
        for change in &program.to_fhir(&message, &SITE).changes {
            let key = change.key.to_string();
            let at = stored.iter().position(|(known, _)| *known == key);
            let current = at.map(|at| stored[at].1.clone());
            if change.mention && current.is_some() {
                continue;
            }
            let after = change.apply(current.as_ref()).into_static();
            match at {
                Some(at) => stored[at].1 = after,
                None => stored.push((key, after)),
            }
        }
    }
    stored.into_iter().filter(|(key, _)| key.starts_with(kind)).map(|(_, resource)| resource).collect()
}

const FIRST: &str = "OBR|1||F1|C^c|||||||||||||||||||||P\rOBX|1|ST|A^a||11.8|||H|||F\rOBX|2|ST|B^b||7|||N|||F\r";

#[test]
fn a_correction_takes_away_what_it_no_longer_says() {
    let after = stored(&[FIRST, "OBR|1||F1|C^c|||||||||||||||||||||F\rOBX|1|ST|A^a||8.0|||||||F\r"], "Observation");
    assert_eq!(after[0].text_at("valueString"), Some("8.0"));
    assert!(after[0].get("interpretation").is_none());
    assert_eq!(after[1].text_at("interpretation[0].text"), Some("N"), "another result is not touched");
}

#[test]
fn a_single_corrected_result_leaves_the_others_in_the_report() {
    let after = stored(&[FIRST, "OBR|1||F1|C^c\rOBX|1|ST|B^b||8|||||||F\r"], "DiagnosticReport");
    assert_eq!(after[0].list_at("result").len(), 2);
    assert_eq!(after[0].text_at("status"), Some("preliminary"), "a default gives way to what is stored");
    assert_eq!(stored(&["OBR|1||F1|C^c\r"], "DiagnosticReport")[0].text_at("status"), Some("registered"));
}

#[test]
fn a_mention_gives_way_to_what_is_stored() {
    let after = stored(&[FIRST, "OBR|1||F1|C^c\rOBX|1|ST|A^a||0||||||X\r"], "Observation");
    assert_eq!(after[0].text_at("valueString"), Some("11.8"));
}

#[test]
fn a_lens_over_a_segment_refers_to_what_is_made_of_it() {
    let maps = [
        "map: e\nmode: snapshot\nfhir: Encounter\nper: PV1\nid: {key: PV1-19, weak: error}\nrules:\n\
        \x20 status: =finished -> status\n  class: =AMB -> class.code\n  diagnosis: DG1[*] -> diagnosis[*] via DG1\n",
        "map: c\nmode: snapshot\nfhir: Condition\nper: DG1\nid: {key: DG1-3.1, weak: error}\nrules:\n  who: PID -> subject ref Patient\n  code: DG1-3.2 -> code.text\n",
        "lens: DG1\nv2: [DG1]\nfhir: Encounter.diagnosis\nrules:\n  what: self -> condition ref Condition\n  rank: 15 -> rank via NM/integer\n",
    ];
    let (mut files, tables) = super::sources(&super::fixtures().join("maps"));
    for (name, text) in ["e", "c", "l"].into_iter().zip(maps) {
        files.push(crate::SourceFile { name: name.into(), text: text.into() });
    }
    let program = crate::compile(&files, &tables).unwrap_or_else(|found| panic!("{}", found[0]));
    let text = header("ADT^A03^ADT_A03")
        + "PID|1||86001^^^GMSQ^MR\rPV1|1|O|||||||||||||||||V1\rDG1|1||J45^哮喘||||||||||||2\r";
    let all = resources(&program, &text);
    let encounter = of_type(&all, "Encounter")[0];
    let condition = of_type(&all, "Condition")[0];
    let expected = format!("Condition/{}", condition.text_at("id").unwrap());
    assert_eq!(encounter.text_at("diagnosis[0].condition.reference"), Some(expected.as_str()));
    assert_eq!(encounter.get("diagnosis[0].rank").and_then(|rank| rank.as_number()), Some("2"));
}

#[test]
fn a_trace_names_rule_source_and_place_of_every_value() {
    let text = header("ADT^A08^ADT_A01") + PATIENT;
    let (message, program) = (read(&text), program());
    let (mapped, trace) = program.trace(&message, &SITE);
    let patient = mapped.changes[0].apply(None);
    let name = trace.lines().iter().find(|line| line.path == "name[0]").unwrap();
    assert_eq!(name.rule(&program), ("patient", "pid5"));
    assert_eq!(name.resource, mapped.changes[0].key);
    let span = name.sources[0].clone();
    assert_eq!(&message.text()[span.start as usize..span.end as usize], "张^伟^^^^^L");
    for line in trace.lines().iter().filter(|line| line.resource == mapped.changes[0].key) {
        assert!(patient.get(&line.path).is_some(), "{} is not there", line.path);
    }
}

#[test]
fn a_deleted_value_is_deleted_although_its_unit_is_said() {
    let map = "map: m\nmode: action\nfhir: Observation\nper: OBX\nid: {key: OBX-3.1, weak: error}\nrules:\n\
               \x20 code: OBX-3 -> code.text via text\n  status: =final -> status\n\
               \x20 value: OBX-5[first], OBX-6 -> valueQuantity via NM/quantity\n";
    let program = super::program_of(map);
    let text = header("ORU^R01^ORU_R01") + "OBX|1|NM|14792-7||\"\"|mmol/L^mmol/L^UCUM";
    let message = super::read(&text);
    let mapped = program.to_fhir(&message, &super::SITE);
    let cleared: Vec<String> = mapped.changes[0].clear.iter().map(ToString::to_string).collect();
    assert_eq!(cleared, ["Observation.valueQuantity"]);
}
