//! Maps that change while messages come in: a set is taken whole or not at all, and no message is lost over it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::house::{Doors, House};
use crate::node::{Sender, http, msa};

/// A house whose maps lie in a folder of its own.
fn house() -> House {
    let mut house = House::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../mappings"), &house.path("mappings"));
    house.listen.push_str("[maps]\nfolder = \"mappings\"\noverlays = [\"cn\"]\n");
    house
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// The site's own overlay: the ward book's number goes to an extension whose address tells the turn.
fn write_overlay(house: &House, turn: usize, target: &str) {
    let folder = house.path("mappings/overlay/site/t01");
    fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "overlay: adt-patient\nextensions: {{book: \"https://t01.example.cn/book-{turn}\"}}\nrules:\n  - add zpi3: ZPI-3 -> extension[book].{target}\n"
    );
    fs::write(folder.join("patient.fmap.yaml"), text).unwrap();
}

fn message(sender: usize, number: usize) -> String {
    format!(
        "MSH|^~\\&|HIS|T01|DUKOU|D|20260312101500+0800||ADT^A08^ADT_A01|S{sender}N{number}|P|2.5.1\rEVN|A08|20260312101500+0800\r\
         PID|1||R{sender}{number:05}^^^T01^MR||王^某||19620318|F\rZPI|1||B{number}\r"
    )
}

/// Sends until told to stop; how many messages were accepted.
fn send(doors: &Doors, sender: usize, stop: &AtomicBool, count: &AtomicUsize) -> usize {
    let mut connection = Sender::connect(&doors.mllp[0]).unwrap();
    let mut accepted = 0;
    while !stop.load(Ordering::Relaxed) {
        let answer = connection.send(message(sender, accepted).as_bytes()).unwrap();
        assert_eq!(msa(&answer), ("AA".to_owned(), format!("S{sender}N{accepted}")), "{answer}");
        accepted += 1;
        count.fetch_add(1, Ordering::Relaxed);
    }
    accepted
}

/// Tells the senders to stop, however a test ends.
struct Ended<'s>(&'s AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn reload(doors: &Doors) -> (u16, String) {
    let answer = http(&format!("http://{}/maps/reload", doors.admin), "", "POST", "", b"").unwrap();
    (answer.status, String::from_utf8(answer.body).unwrap())
}

/// The Provenances that name a plan.
fn plans(doors: &Doors) -> BTreeSet<String> {
    let bundle = doors.ask("GET", "/Provenance?_count=1000", "").json();
    let entries = bundle["entry"].as_array().unwrap();
    let plan = |entry: &serde_json::Value| {
        let extensions = entry["resource"]["extension"].as_array()?.clone();
        let plan = extensions.iter().find(|one| one["url"] == "https://dukou.dev/fhir/StructureDefinition/plan")?;
        Some(plan["valueString"].as_str()?.to_owned())
    };
    entries.iter().filter_map(plan).collect()
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn maps_are_taken_whole_while_messages_come_in_and_none_is_lost() {
    let house = house();
    let doors = house.open();
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut taken = BTreeSet::new();
    let accepted: Vec<usize> = thread::scope(|scope| {
        let senders: Vec<_> = (0..3)
            .map(|n| {
                scope.spawn({
                    let (doors, stop, count) = (&doors, &stop, &count);
                    move || send(doors, n, stop, count)
                })
            })
            .collect();
        // A promise that breaks ends the senders, too.
        let _ended = Ended(&stop);
        let until = |more: usize| {
            let at = count.load(Ordering::Relaxed) + more;
            wait_for("messages are accepted", || count.load(Ordering::Relaxed) >= at);
        };
        until(5);
        for turn in 0..4 {
            write_overlay(&house, turn, "valueString");
            let (status, said) = reload(&doors);
            assert_eq!(status, 200, "{said}");
            taken.insert(said.trim().strip_prefix("taken ").unwrap().to_owned());
            until(5);
        }
        write_overlay(&house, 9, "valueStrin");
        let (status, said) = reload(&doors);
        assert_eq!(status, 422);
        assert!(
            said.contains("E-TARGET overlay/site/t01/patient.fmap.yaml:4:40: Extension has no element 'valueStrin'"),
            "{said}"
        );
        until(5);
        let health = http(&format!("http://{}/health", doors.admin), "", "GET", "", b"").unwrap();
        let health = String::from_utf8(health.body).unwrap();
        assert!(
            health.starts_with("alive\nthe last reload of the maps was refused;")
                && health.contains("patient.fmap.yaml:4:40"),
            "{health}"
        );
        // The signal does the same; what is wrong stands in the log.
        doors.tell("-HUP");
        wait_for("the signal is heard", || doors.metrics().contains("dukou_map_reloads_total{outcome=\"refused\"} 2"));
        write_overlay(&house, 5, "valueString");
        doors.tell("-HUP");
        wait_for("the mended set is taken", || {
            doors.metrics().contains("dukou_map_reloads_total{outcome=\"taken\"} 5")
        });
        until(5);
        stop.store(true, Ordering::Relaxed);
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    for (sender, accepted) in accepted.iter().enumerate() {
        for number in [0, accepted / 2, accepted - 1] {
            let found = doors.ask("GET", &format!("/Patient?identifier=R{sender}{number:05}"), "").json();
            assert_eq!(found["total"], 1, "message {number} of sender {sender}");
        }
    }
    let total = doors.ask("GET", "/Patient?_summary=count", "").json()["total"].as_u64().unwrap();
    assert_eq!(total, accepted.iter().sum::<usize>() as u64, "every accepted message made its patient");
    let used = plans(&doors);
    assert!(taken.is_subset(&used) && used.len() >= 5, "{} plans in Provenance", used.len());
    let books = doors.ask("GET", "/Patient?_count=1000", "").json().to_string();
    assert!((0..4).all(|turn| books.contains(&format!("book-{turn}"))) && !books.contains("book-9"));
    let printed = house.printed();
    assert!(printed.contains("overlay/site/t01/patient.fmap.yaml:4:40"), "{printed}");
    assert_eq!(doors.stop(), Some(0));
    // The ledger knows each plan: that of the start and those taken.
    let loaded = house.trail().acts("config-load");
    assert_eq!(loaded, 6);
}

#[test]
fn maps_that_say_the_same_are_not_taken_again() {
    let house = house();
    let doors = house.open();
    let (status, said) = reload(&doors);
    assert!(status == 200 && said.starts_with("same "), "{said}");
    fs::remove_dir_all(house.path("mappings")).unwrap();
    let (status, said) = reload(&doors);
    assert!(status == 422 && said.starts_with("refused\n"), "{said}");
    let answer = Sender::connect(&doors.mllp[0]).unwrap().send(message(1, 1).as_bytes()).unwrap();
    assert_eq!(msa(&answer).0, "AA");
}
