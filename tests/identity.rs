//! Scenes of patient identity, played against a real node over real sockets: `fixtures/identity/<scene>/scene.json`.

mod elsewhere;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::doors::trail::Trail;
use crate::ledger;
use crate::node::{Answer, Node, Sender, http_typed};
use elsewhere::Elsewhere;

/// One scene while it is played: its folder, the node, and what earlier steps kept.
struct Play {
    folder: PathBuf,
    home: tempfile::TempDir,
    node: Option<Node>,
    kept: BTreeMap<String, String>,
}

/// Plays a scene to its end; the ledger is sound afterwards.
fn play(scene: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/identity").join(scene);
    let text = fs::read_to_string(folder.join("scene.json")).unwrap();
    let script: Value = serde_json::from_str(&text).unwrap();
    let home = tempfile::tempdir().unwrap();
    let scenes = script["elsewhere"].as_array().cloned().unwrap_or_default();
    let elsewhere: Vec<Elsewhere> = scenes.iter().map(|scene| Elsewhere::start(&folder, scene)).collect();
    let mut node = Node::start(home.path());
    if !elsewhere.is_empty() {
        assert_eq!(node.stop(), Some(0));
        let sections = elsewhere.iter().zip(&scenes).map(|(one, scene)| one.section(&home.path().join("site"), scene));
        configure(&home.path().join("site/dukou.toml"), &script["history_ms_max"], &sections.collect::<String>());
        node = Node::start(home.path());
    }
    let mut play = Play { folder, home, node: Some(node), kept: BTreeMap::new() };
    for (n, step) in script["steps"].as_array().unwrap().iter().enumerate() {
        play.step(&format!("{scene}, step {}: {}", n + 1, step["say"].as_str().unwrap()), step);
    }
    play.node.take().unwrap().stop();
    let audit = Node::audit_folder(play.home.path());
    ledger::assert_sound(&audit);
    if elsewhere.is_empty() {
        return;
    }
    let trail = Trail::of(&audit);
    let questions = trail.questions();
    for (one, scene) in elsewhere.into_iter().zip(&scenes) {
        one.judge(scene, &questions);
    }
    let questions: Vec<String> = questions.iter().map(|(source, end)| format!("{source}: {end}")).collect();
    assert_eq!(serde_json::json!(questions), script["questions"], "{scene}: questions in the ledger");
    for (interaction, kinds) in script["shown"].as_object().into_iter().flatten() {
        assert_eq!(serde_json::json!(trail.shown(interaction)), *kinds, "{scene}: shown by {interaction}");
    }
}

/// Writes the other servers, and how long they are waited for, into the configuration of a stopped node.
fn configure(file: &Path, history_ms_max: &Value, sections: &str) {
    let text = fs::read_to_string(file).unwrap();
    let timed = text.replacen("[identity]\n", &format!("[identity]\nhistory_ms_max = {history_ms_max}\n"), 1);
    assert_ne!(timed, text, "the configuration has a section for identity");
    fs::write(file, timed + sections).unwrap();
}

/// A file as its system would send it to a node over HTTP.
fn ingest(node: &Node, folder: &Path, file: &str) -> Answer {
    let body = fs::read(folder.join(file)).unwrap();
    let kind = match Path::new(file).extension().unwrap().to_str().unwrap() {
        "hl7" => "x-application/hl7-v2+er7",
        "csv" => "text/csv",
        "xml" => "application/xml",
        _ => "application/json",
    };
    let root = node.fhir.rsplit_once('/').map(|(root, _)| format!("{root}/")).unwrap();
    http_typed(&root, &node.token, kind, "POST", "ingest", &body).unwrap()
}

/// The metrics of a node that runs over a folder.
fn metrics(home: &Path) -> String {
    let info: Value = serde_json::from_str(&fs::read_to_string(home.join("info.json")).unwrap()).unwrap();
    let base = format!("{}/", info["admin"].as_str().unwrap());
    String::from_utf8(http_typed(&base, "", "text/plain", "GET", "metrics", b"").unwrap().body).unwrap()
}

impl Play {
    fn step(&mut self, at: &str, step: &Value) {
        if let Some(file) = step["ingest"].as_str() {
            let answer = ingest(self.node(), &self.folder, file);
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            self.judge(at, step, &answer, &text);
        } else if let Some(file) = step["batch"].as_str() {
            let mut sender = Sender::connect(&self.node().mllp).unwrap();
            let answer = sender.send(&fs::read(self.folder.join(file)).unwrap()).unwrap();
            assert_eq!(answer.matches("MSA|AA|").count() as u64, step["answers"].as_u64().unwrap(), "{at}\n{answer}");
        } else if let Some(line) = step["ask"].as_str() {
            let begun = Instant::now();
            let answer = self.ask(line, step);
            if let Some(within) = step["within_ms"].as_u64() {
                assert!(begun.elapsed().as_millis() < u128::from(within), "{at}: took {:?}", begun.elapsed());
            }
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            self.judge(at, step, &answer, &text);
        } else if let Some(arguments) = step["command"].as_array() {
            let printed = self.command(arguments, step["stopped"] == true);
            self.texts(at, step, &printed);
        } else if step["metrics"] == true {
            self.texts(at, step, &metrics(self.home.path()));
        } else {
            panic!("{at}: a step has ingest, batch, ask, command or metrics");
        }
    }

    fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    /// `METHOD path`, with the body of the step, as the client that it names.
    fn ask(&self, line: &str, step: &Value) -> Answer {
        let line = self.filled(line);
        let (method, path) = line.split_once(' ').unwrap();
        let body = if step["body"].is_null() { String::new() } else { self.filled(&step["body"].to_string()) };
        let client = step["as"].as_str().unwrap_or("system");
        let token = fs::read_to_string(self.home.path().join("site/tokens").join(client)).unwrap();
        let root = self.node().fhir.rsplit_once('/').map(|(root, _)| root.to_owned()).unwrap();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/fhir/{path}") };
        let (form, fhir) = ("application/x-www-form-urlencoded", "application/fhir+json");
        let (kind, body) = match step["form"].as_str() {
            Some(form_text) => (form, self.filled(form_text)),
            None => (fhir, body),
        };
        http_typed(&format!("{root}/"), token.trim(), kind, method, path.trim_start_matches('/'), body.as_bytes())
            .unwrap()
    }

    /// The command line, on the running node or on its folder while it is stopped.
    fn command(&mut self, arguments: &[Value], stopped: bool) -> String {
        let site = self.home.path().join("site");
        let mut command = Command::new(env!("CARGO_BIN_EXE_dukou-node"));
        command.arg("identity").args(arguments.iter().map(|one| self.filled(one.as_str().unwrap())));
        command.arg("--config").arg(site.join("dukou.toml"));
        if stopped {
            self.node.take().unwrap().stop();
        } else {
            command.arg("--url").arg(&self.node().fhir);
        }
        let output = command.output().unwrap();
        if stopped {
            self.node = Some(Node::start(self.home.path()));
        }
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    fn judge(&mut self, at: &str, step: &Value, answer: &Answer, text: &str) {
        let status = step["status"].as_u64().unwrap_or(200);
        assert_eq!(u64::from(answer.status), status, "{at}\n{text}");
        self.texts(at, step, text);
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        for (pointer, expected) in step["expect"].as_object().into_iter().flatten() {
            let expected: Value = serde_json::from_str(&self.filled(&expected.to_string())).unwrap();
            let found = json.pointer(pointer).unwrap_or(&Value::Null);
            assert!(fits(&expected, found), "{at}\n{pointer} is {found}, expected {expected}\n{text}");
        }
        for (name, pointer) in step["keep"].as_object().into_iter().flatten() {
            let found = json.pointer(pointer.as_str().unwrap());
            let found = found.and_then(Value::as_str).unwrap_or_else(|| panic!("{at}: nothing at {pointer}\n{text}"));
            self.kept.insert(name.clone(), found.to_owned());
        }
    }

    fn texts(&self, at: &str, step: &Value, text: &str) {
        let list = |name: &str| step[name].as_array().cloned().unwrap_or_default();
        for part in list("holds") {
            assert!(text.contains(&self.filled(part.as_str().unwrap())), "{at}: lacks {part}\n{text}");
        }
        for part in list("lacks") {
            assert!(!text.contains(&self.filled(part.as_str().unwrap())), "{at}: holds {part}\n{text}");
        }
    }

    /// A text with `${name}` replaced by what was kept under the name.
    fn filled(&self, text: &str) -> String {
        self.kept.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }
}

/// Whether a value is as expected. `{"$size": n}` counts a list, `{"$any": x}` wants one that fits, `{"$none": x}` wants none,
/// `{"$all": [x, y]}` is what fits each of them; an object fits one that has at least its members.
fn fits(expected: &Value, found: &Value) -> bool {
    match expected {
        Value::Object(members) if members.len() == 1 && members.keys().all(|key| key.starts_with('$')) => {
            let (word, wanted) = members.iter().next().unwrap();
            let list = found.as_array().map(Vec::as_slice).unwrap_or_default();
            match word.as_str() {
                "$size" => wanted.as_u64() == Some(list.len() as u64),
                "$any" => list.iter().any(|one| fits(wanted, one)),
                "$none" => !list.iter().any(|one| fits(wanted, one)),
                "$all" => wanted.as_array().unwrap().iter().all(|one| fits(one, found)),
                "$not" => !fits(wanted, found),
                other => panic!("{other} is no test of a scene"),
            }
        }
        Value::Object(members) => members.iter().all(|(name, wanted)| fits(wanted, &found[name])),
        Value::Array(wanted) => found.as_array().is_some_and(|list| {
            list.len() == wanted.len() && wanted.iter().zip(list).all(|(wanted, found)| fits(wanted, found))
        }),
        other => other == found,
    }
}

#[test]
fn the_same_digits_under_two_tables_are_two_identifiers_and_join_nobody() {
    play("same-code-two-tables");
}

#[test]
fn registrations_keyed_after_an_outage_make_no_second_person_and_no_second_visit() {
    play("manual-fallback");
}

#[test]
fn a_finding_is_opened_once_and_settled_by_people() {
    play("review-queue");
}

#[test]
fn numbers_of_a_clinics_spreadsheet_are_linked_held_left_aside_or_asked_about() {
    play("clinic-rows");
}

#[test]
fn look_ups_that_find_nobody_one_after_another_raise_an_alert_without_data() {
    let home = tempfile::tempdir().unwrap();
    let node = Node::start(home.path());
    for n in 0..40 {
        assert_eq!(node.get(&format!("/Patient/nobody-{n}")).status, 404);
    }
    let metrics = metrics(home.path());
    assert!(metrics.contains("dukou_identity_enumeration_alerts_total 1"), "{metrics}");
    assert_eq!(node.stop(), Some(0));
    let log = fs::read_to_string(home.path().join("node.log")).unwrap();
    assert!(log.contains("find nobody") && !log.contains("nobody-"), "{log}");
}

#[test]
fn a_patient_without_a_name_is_identified_merged_and_told_apart_again() {
    play("unknown-patient");
}

#[test]
fn a_newborn_is_never_the_mother_and_stays_the_same_person_with_a_number_of_its_own() {
    play("newborn");
}

#[test]
fn an_old_patient_shows_a_card_once_and_every_later_desk_knows_who_it_is() {
    play("three-trips");
}

#[test]
fn the_feeds_and_queries_of_pixm_pdqm_and_pmir_speak_about_the_same_people() {
    play("patient-feed");
}

#[test]
fn a_rare_name_in_two_spellings_is_one_person_and_a_damaged_one_waits_for_a_person() {
    play("rare-name");
}
