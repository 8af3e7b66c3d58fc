//! The ledger with its own threads: many callers, futures, a slow disk.
#![allow(clippy::disallowed_methods, reason = "threads are tested against the clock of the machine")]

use std::future::Future;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::*;
use crate::storage::{File, Mode};

/// The clock of the machine.
struct Machine(Instant);

impl Clock for Machine {
    fn wall_ns(&self) -> i64 {
        WALL_NS + i64::try_from(self.mono_ns()).unwrap()
    }

    fn mono_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap() + 1
    }
}

/// A disk whose syncs take their time.
struct Slow {
    disk: Faulty,
    sync_ms: Arc<AtomicU64>,
}

struct SlowFile(Box<dyn File>, Arc<AtomicU64>);

impl Files for Slow {
    fn create_dir(&self, dir: &str) -> std::io::Result<()> {
        self.disk.create_dir(dir)
    }
    fn list(&self, dir: &str) -> std::io::Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn open(&self, path: &str, mode: Mode) -> std::io::Result<Box<dyn File>> {
        Ok(Box::new(SlowFile(self.disk.open(path, mode)?, Arc::clone(&self.sync_ms))))
    }
    fn rename(&self, from: &str, to: &str) -> std::io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &str) -> std::io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &str) -> std::io::Result<()> {
        self.disk.sync_dir(dir)
    }
}

impl File for SlowFile {
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.0.read_at(bytes, offset)
    }
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> std::io::Result<usize> {
        self.0.write_at(bytes, offset)
    }
    fn sync_data(&mut self) -> std::io::Result<()> {
        std::thread::sleep(Duration::from_millis(self.1.load(Ordering::Relaxed)));
        self.0.sync_data()
    }
    fn set_len(&mut self, len: u64) -> std::io::Result<()> {
        self.0.set_len(len)
    }
}

fn open(bench: &Bench, sync_ms: &Arc<AtomicU64>, options: Options) -> Opened {
    let files = Arc::new(Slow { disk: bench.disk.clone(), sync_ms: Arc::clone(sync_ms) });
    let clock = Arc::new(Machine(Instant::now()));
    let random = Arc::new(SeededRandom::new(1));
    let mut opened = Ledger::open(files, bench.keys(), options, clock, random).unwrap();
    opened.ledger.complete(opened.last_jseq, Vec::new()).unwrap();
    opened
}

fn threaded() -> Options {
    Options { threads: true, segment_bytes: 1 << 20, first_segment_bytes: 1 << 20, reserve_bytes: 1 << 20, ..options() }
}

#[test]
fn many_callers_share_one_sync() {
    let bench = Bench::new(1);
    let sync_ms = Arc::new(AtomicU64::new(2));
    let opened = open(&bench, &sync_ms, threaded());
    let before = bench.disk.syncs();
    let barrier = Barrier::new(32);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..20 {
                    read(&opened).unwrap();
                }
            });
        }
    });
    let syncs = bench.disk.syncs() - before;
    assert!(syncs < 200, "{syncs} syncs for 640 records");
    opened.ledger.stop().unwrap();
    assert_eq!(verify(&bench.disk, false, None).unwrap().findings, []);
    assert_eq!(verify(&bench.disk, false, None).unwrap().leaves, 640 + 4);
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_waiting_answer_holds_no_thread() {
    let bench = Bench::new(1);
    let sync_ms = Arc::new(AtomicU64::new(0));
    let opened = open(&bench, &sync_ms, threaded());
    sync_ms.store(30, Ordering::Relaxed);
    let seal = &opened.seal;
    let mut pending = opened
        .gate
        .read(who(Interaction::Read), |_| Ok::<_, Refusal>(Unreleased::new(seal, Text("{}"), shown(&["p1"]))));
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    assert!(std::pin::Pin::new(&mut pending).poll(&mut context).is_pending());
    let start = Instant::now();
    while !woken.0.load(Ordering::SeqCst) {
        assert!(start.elapsed() < Duration::from_secs(5), "the waker was never called");
        std::thread::yield_now();
    }
    match std::pin::Pin::new(&mut pending).poll(&mut context) {
        Poll::Ready(answer) => assert_eq!(answer.unwrap().receipt().unwrap().leaf(), 3),
        Poll::Pending => panic!("woken without an end"),
    }
}

#[test]
fn a_slow_disk_means_a_bounded_wait_and_then_a_closed_gate() {
    let bench = Bench::new(1);
    let sync_ms = Arc::new(AtomicU64::new(0));
    let opened = open(&bench, &sync_ms, threaded());
    sync_ms.store(2_000, Ordering::Relaxed);
    let (gate, seal) = (&opened.gate, &opened.seal);
    let ask =
        || gate.read(who(Interaction::Read), |_| Ok::<_, Refusal>(Unreleased::new(seal, Text("{}"), shown(&["p1"]))));
    let first = ask();
    std::thread::sleep(Duration::from_millis(400));
    // The oldest record has waited for longer than the bound: a read is parked, a write is not begun.
    let start = Instant::now();
    let write = gate.write(who(Interaction::Create), |_| -> Result<Settled<Text>, Refusal> {
        panic!("the write must not begin");
    });
    assert_eq!(write.wait().err().map(|closed| closed.reason()), Some(ClosedReason::Busy));
    assert_eq!(ask().wait().err().map(|closed| closed.reason()), Some(ClosedReason::Busy));
    assert!(start.elapsed() < Duration::from_millis(1_000), "{:?}", start.elapsed());
    assert!(first.wait().is_ok());
    sync_ms.store(0, Ordering::Relaxed);
    let start = Instant::now();
    while ask().wait().is_err() {
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    opened.ledger.stop().unwrap();
}

#[test]
fn a_poisoned_ledger_says_so_once() {
    let bench = Bench::new(1);
    let told = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&told);
    let options = Options {
        on_poison: Some(Box::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        })),
        ..threaded()
    };
    let opened = open(&bench, &Arc::default(), options);
    bench.disk.plan(crate::storage::Fault::SyncFails(bench.disk.syncs() + 6));
    let start = Instant::now();
    while read(&opened).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5));
    }
    assert_eq!(read(&opened).err().map(|closed| closed.reason()), Some(ClosedReason::Poisoned));
    assert!(opened.ledger.poisoned());
    assert!(matches!(opened.ledger.stop(), Err(StopError::Poisoned)));
    assert_eq!(told.load(Ordering::SeqCst), 1);
    assert_eq!(bench.disk.syncs_after_failure(), 0);
}

#[test]
fn a_segment_that_fills_while_the_next_is_made_is_followed_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let disk = crate::storage::Disk::new(dir.path());
    let keys = || Keys::generate(&SeededRandom::new(7)).unwrap();
    let small = || Options {
        segment_bytes: 64 << 10,
        first_segment_bytes: 64 << 10,
        reserve_bytes: 64 << 10,
        ..Options::default()
    };
    Ledger::create(&disk, &keys(), ORIGIN, &small(), &ManualClock::new(WALL_NS)).unwrap();
    let clock = Arc::new(Machine(Instant::now()));
    let mut opened = Ledger::open(Arc::new(disk), keys(), small(), clock, Arc::new(SeededRandom::new(1))).unwrap();
    opened.ledger.complete(0, Vec::new()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1_500 {
                    let answer = opened.gate.read(who(Interaction::Read), |_| {
                        Ok::<_, Refusal>(Unreleased::new(&opened.seal, Text("{}"), shown(&["p1"])))
                    });
                    assert!(answer.wait().is_ok());
                }
            });
        }
    });
    assert!(!opened.ledger.poisoned());
    opened.ledger.stop().unwrap();
    assert!(
        std::fs::read_dir(dir.path().join("seg")).unwrap().count() > 10,
        "the run changed segments again and again"
    );
}
