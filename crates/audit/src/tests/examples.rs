//! The example logs beside the format page: made again byte for byte, and read.

use std::path::{Path, PathBuf};

use super::*;
use crate::storage::{Disk, read_all};

/// Paths below a log that belong to it; prepared files do not.
fn paths(files: &dyn Files) -> Vec<String> {
    let mut paths = vec!["origin.json".to_owned(), "notes".to_owned()];
    for dir in ["seg", "keys", "torn"] {
        let names = files.list(dir).unwrap().into_iter().filter(|name| name != "next.seg");
        paths.extend(names.map(|name| format!("{dir}/{name}")));
    }
    paths
}

fn whole() -> Bench {
    let bench = Bench::new(11);
    let opened = bench.serve();
    read(&opened).unwrap();
    write(&opened, 1).0.unwrap();
    opened.gate.refuse(who(Interaction::Search), Refusal::Forbidden).wait().unwrap();
    let intent = Intent {
        access: who(Interaction::Deliver),
        organisation: Some("86H02".to_owned()),
        endpoint: Some("mllp://lis.example:2575".to_owned()),
        patients: vec!["p1".to_owned()],
        resources: Vec::new(),
        previous: None,
    };
    let sent: Answer<(), Refusal> = opened.gate.send(intent, |_| Ok(()));
    sent.unwrap();
    let peer = Peer { address: "198.51.100.9".to_owned(), port: 1, terminal: None };
    drop(opened.gate.summarise(&peer, Summary { what: "no-credential", status: 401, route: 0 }, ()));
    bench.clock.pass(1_000_000_000);
    opened.ledger.tick();
    let detail = vec![("file", "partners.toml".to_owned())];
    let act = Admin { access: None, act: "policy-load", detail, outcome: Outcome::default() };
    opened.gate.admin(&act).wait().unwrap();
    bench.clock.jump(7_000_000_000);
    opened.ledger.tick();
    opened.ledger.stop().unwrap();
    bench
}

/// A run that ends in a power cut inside a frame, and the start after it.
fn crashed() -> Bench {
    let bench = Bench::new(12);
    let opened = bench.serve();
    write(&opened, 1).0.unwrap();
    bench.disk.plan(crate::storage::Fault::DiesAtWrite(bench.disk.writes() + 1));
    let (answer, row) = write(&opened, 2);
    assert!(answer.is_err());
    let bench = bench.after(bench.disk.killed());
    let mut opened = bench.open().unwrap();
    let row = RecordBytes::from_row(row).unwrap();
    opened.ledger.complete(2, vec![(2, row)]).unwrap();
    read(&opened).unwrap();
    opened.ledger.stop().unwrap();
    bench
}

fn altered() -> Bench {
    let bench = whole();
    let last = crate::segment::path(*crate::segment::list(&bench.disk).unwrap().last().unwrap());
    assert!(bench.disk.tamper(&last, |bytes| bytes[1_000] ^= 1));
    bench
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("logs").join(name)
}

#[test]
fn the_example_logs_are_made_again_byte_for_byte() {
    for (name, bench) in [("whole", whole()), ("crashed", crashed()), ("altered", altered())] {
        let dir = folder(name);
        for path in paths(&bench.disk) {
            let bytes = read_all(&bench.disk, &path).unwrap();
            let file = dir.join(&path);
            if std::env::var_os("BLESS").is_some() {
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(&file, &bytes).unwrap();
            }
            assert_eq!(std::fs::read(&file).unwrap(), bytes, "{name}/{path}; BLESS=1 writes it anew");
        }
    }
}

#[test]
fn the_example_logs_read_as_their_page_says() {
    let verdict = |name| verify(&Disk::new(folder(name)), false, None).unwrap();
    assert_eq!(verdict("whole").findings, []);
    let crashed = verdict("crashed");
    assert_eq!((crashed.verdict(), crashed.crashes), (Verdict::Ok, 1));
    assert_eq!(verdict("altered").verdict(), Verdict::Altered);

    let reader = Reader::open(Arc::new(Disk::new(folder("whole"))), &Bench::new(11).keys()).unwrap();
    let mut kinds = Vec::new();
    reader.search(&Question::default(), |entry| kinds.push(entry.kind)).unwrap();
    use crate::record::*;
    assert_eq!(kinds, [HEARTBEAT, START, ACCESS, WRITE, DENY, INTENT, OUTCOME, AUTHN, ADMIN, CLOCK, STOP]);
}
