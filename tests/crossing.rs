//! The whole road with real processes: what was acknowledged survives, once, with its record, whatever is pulled out from under it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::ledger;
use crate::node::{Node, Sender, http, msa};

/// A laboratory report with a control id, a filler number and a value of its own.
fn report(id: &str) -> Vec<u8> {
    let patient = id.bytes().map(usize::from).sum::<usize>() % 20;
    format!(
        "MSH|^~\\&|LIS|H1|DUKOU|H1|20261120081500+0800||ORU^R01^ORU_R01|{id}|P|2.5.1||||||UNICODE UTF-8\r\
         PID|1||2000{patient:04}^^^H1^MR||王{patient}||19580312|M\r\
         OBR|1||{id}^LIS|CHEM^生化全套^L|||20261120080000+0800|||||||||||||||20261120081400+0800||CH|F\r\
         OBX|1|NM|2345-7^葡萄糖^LN||5.10|mmol/L^mmol/L^UCUM|3.9-6.1|N|||F|||20261120080000+0800\r"
    )
    .into_bytes()
}

/// What the outside world saw before the lights went out.
#[derive(Default)]
struct Seen {
    acknowledged: Mutex<Vec<(String, String)>>,
    receipts: Mutex<Vec<String>>,
}

/// Sends reports until the node is gone; each AA is remembered with its bytes.
fn load(address: String, name: String, seen: Arc<Seen>, stop: Arc<AtomicBool>) {
    let mut sender = None;
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        if sender.is_none() {
            sender = Sender::connect(&address).ok();
        }
        let Some(connection) = &mut sender else { break };
        let id = format!("{name}-{n}");
        n += 1;
        match connection.send(&report(&id)) {
            Err(_) => sender = None,
            Ok(ack) => {
                assert_eq!(msa(&ack), ("AA".to_owned(), id.clone()), "{ack}");
                seen.acknowledged.lock().unwrap().push((id, ack));
            }
        }
    }
}

/// Reads until the node is gone; each receipt is remembered.
fn look(base: String, token: String, seen: Arc<Seen>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(answer) = http(&base, &token, "GET", "/Patient?_count=3", b"") else { break };
        assert_eq!(answer.status, 200);
        seen.receipts.lock().unwrap().push(answer.header("x-audit-receipt").unwrap().to_owned());
    }
}

/// How many live reports have this filler number, and how many versions the first one has.
fn found(node: &Node, id: &str) -> (usize, u64) {
    let bundle = node.get(&format!("/DiagnosticReport?identifier={id}")).json();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let Some(first) = entries.first() else { return (0, 0) };
    let key = format!("/DiagnosticReport/{}/_history", first["resource"]["id"].as_str().unwrap());
    (entries.len(), node.get(&key).json()["total"].as_u64().unwrap())
}

fn rounds(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

#[test]
fn a_kill_loses_nothing_acknowledged_applies_nothing_twice_and_leaves_no_answer_without_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let seen = Arc::new(Seen::default());
    let mut checked = 0;
    for round in 0..rounds("DUKOU_KILL_ROUNDS", 20) {
        let node = Node::start(folder.path());
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for thread in 0..4 {
            let (address, seen, stop) = (node.mllp.clone(), Arc::clone(&seen), Arc::clone(&stop));
            threads.push(std::thread::spawn(move || load(address, format!("K{round}T{thread}"), seen, stop)));
        }
        let (base, token) = (node.fhir.clone(), node.token.clone());
        let (reader_seen, reader_stop) = (Arc::clone(&seen), Arc::clone(&stop));
        threads.push(std::thread::spawn(move || look(base, token, reader_seen, reader_stop)));
        std::thread::sleep(Duration::from_millis(80 + (round as u64 * 37) % 170));
        node.kill();
        stop.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());

        let node = Node::start(folder.path());
        let acknowledged = seen.acknowledged.lock().unwrap().clone();
        let mut sender = Sender::connect(&node.mllp).unwrap();
        for (id, ack) in &acknowledged[checked..] {
            assert_eq!(&sender.send(&report(id)).unwrap(), ack, "a resend gets the stored answer");
            assert_eq!(found(&node, id), (1, 1), "{id} is there once, in one version");
        }
        checked = acknowledged.len();
        assert_eq!(node.stop(), Some(0));
    }
    assert!(checked > 0, "the load was acknowledged at all");
    ledger::assert_sound(&Node::audit_folder(folder.path()));
    ledger::assert_holds(&Node::audit_folder(folder.path()), &seen.receipts.lock().unwrap());
    println!("{checked} messages acknowledged, {} answers seen", seen.receipts.lock().unwrap().len());
}

/// A small file system of its own, or the reason why there is none here.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(megabytes: u32) -> Result<Tmpfs, &'static str> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).status();
        match mounted {
            Ok(status) if status.success() => Ok(Tmpfs(folder)),
            _ => Err("a small tmpfs cannot be mounted here"),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_full_disk_gives_no_data_leaves_mllp_unanswered_and_heals_when_space_returns() {
    let disk = match Tmpfs::mount(24) {
        Ok(disk) => disk,
        Err(why) => return println!("skipped: {why}"),
    };
    let node = Node::start(disk.path());
    let mut sender = Sender::connect(&node.mllp).unwrap();
    sender.send(&report("FULL-0")).unwrap();
    let (ballast, mut acknowledged) = (disk.path().join("ballast"), 0);
    fill(&ballast);
    let refused = (1..100_000).find(|n| match sender.send(&report(&format!("FULL-{n}"))) {
        Ok(ack) => {
            assert_eq!(msa(&ack).0, "AA");
            acknowledged = *n;
            false
        }
        Err(_) => true,
    });
    assert!(refused.is_some(), "a full disk takes no message");
    // What the ledger has set aside beforehand is used up first; until then reads go on, each with its record.
    let closed = (0..20_000).find(|_| {
        let answer = node.get("/Patient?_count=1");
        match answer.status {
            200 => assert!(answer.header("x-audit-receipt").is_some(), "data only with its record"),
            503 => {
                assert!(answer.header("retry-after").is_some() && !String::from_utf8_lossy(&answer.body).contains('王'))
            }
            other => panic!("status {other} on a full disk"),
        }
        answer.status == 503
    });
    assert!(closed.is_some(), "a full ledger closes the gate");
    std::fs::remove_file(&ballast).unwrap();
    assert!(heals(&node), "the node takes messages again without a restart");
    for n in 0..=acknowledged {
        assert_eq!(found(&node, &format!("FULL-{n}")), (1, 1));
    }
    assert_eq!(node.stop(), Some(0));
    ledger::assert_sound(&Node::audit_folder(disk.path()));
}

/// Takes all space that is left, down to the last block.
fn fill(ballast: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast).unwrap();
    for block in [1 << 20, 4096, 1] {
        while file.write_all(&vec![0_u8; block]).is_ok() {}
    }
}

fn heals(node: &Node) -> bool {
    for n in 0..100 {
        std::thread::sleep(Duration::from_millis(100));
        let answer = Sender::connect(&node.mllp).and_then(|mut sender| sender.send(&report(&format!("HEALED-{n}"))));
        if answer.is_ok_and(|ack| msa(&ack).0 == "AA") && node.get("/Patient?_count=1").status == 200 {
            return true;
        }
    }
    false
}

#[test]
fn a_failed_sync_ends_the_process_and_is_never_tried_again() {
    if Command::new("strace").arg("-V").output().is_err() {
        return println!("skipped: strace is not installed");
    }
    for nth in [3, 9, 20] {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("trace");
        Node::start(folder.path()).kill();
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-e",
            "trace=fsync,fdatasync",
            "-e",
            &format!("inject=fdatasync:error=EIO:when={nth}+"),
            "-o",
        ]);
        command.arg(&trace).arg(env!("CARGO_BIN_EXE_dukou-node"));
        let Some(node) = Node::try_start(folder.path(), command) else { continue };
        let mut acknowledged = Vec::new();
        if let Ok(mut sender) = Sender::connect(&node.mllp) {
            for n in 0..200 {
                let id = format!("EIO{nth}-{n}");
                match sender.send(&report(&id)) {
                    Ok(ack) if msa(&ack).0 == "AA" => acknowledged.push(id),
                    _ => break,
                }
            }
        }
        assert_eq!(node.ended(), Some(75), "the process ends by itself after a failed sync");
        let node = Node::start(folder.path());
        for id in &acknowledged {
            assert_eq!(found(&node, id), (1, 1), "{id} was acknowledged before the disk failed");
        }
        assert_eq!(node.stop(), Some(0));
        ledger::assert_sound(&Node::audit_folder(folder.path()));
    }
}

#[test]
fn a_second_process_does_not_open_the_same_data() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let mut second = Command::new(env!("CARGO_BIN_EXE_dukou-node"));
    let told = second.args(["serve", "--config"]).arg(folder.path().join("site/dukou.toml")).output().unwrap();
    assert_eq!(told.status.code(), Some(75), "{}", String::from_utf8_lossy(&told.stderr));
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn a_batch_in_one_frame_is_answered_by_one_batch_and_applied_once() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path());
    let mut sender = Sender::connect(&node.mllp).unwrap();
    let batch = [b"BHS|^~\\&|LIS|H1\r".to_vec(), report("BATCH-1"), report("BATCH-2"), b"BTS|2\r".to_vec()].concat();
    let answer = sender.send(&batch).unwrap();
    assert!(answer.starts_with("BHS|") && answer.ends_with("BTS|2\r"), "{answer}");
    assert_eq!(answer.matches("MSA|AA|BATCH-").count(), 2, "{answer}");
    assert_eq!(sender.send(&batch).unwrap(), answer, "a batch sent again gets the stored answers");
    assert_eq!((found(&node, "BATCH-1"), found(&node, "BATCH-2")), ((1, 1), (1, 1)));
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn no_answer_leaves_before_a_sync_that_ended_after_its_request() {
    if Command::new("strace").arg("-V").output().is_err() {
        return println!("skipped: strace is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-s", "16", "-e", "trace=fdatasync,sendto,write,writev,sendmsg", "-o"]).arg(&trace);
    command.arg(env!("CARGO_BIN_EXE_dukou-node"));
    let node = Node::try_start(folder.path(), command).unwrap();
    for _ in 0..200 {
        assert_eq!(node.get("/Patient?_count=1").status, 200);
    }
    node.kill();
    let (mut synced, mut answers) = (false, 0);
    for line in std::fs::read_to_string(&trace).unwrap().lines() {
        if line.contains("fdatasync") && line.ends_with("= 0") {
            synced = true;
        } else if line.contains("\"HTTP/1.1 200") {
            assert!(synced, "answer {answers} left before its record was durable: {line}");
            (synced, answers) = (false, answers + 1);
        }
    }
    assert_eq!(answers, 200);
}
