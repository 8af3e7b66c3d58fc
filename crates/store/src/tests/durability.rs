//! What was acknowledged is there after a crash, and what failed is not half there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dukou_audit::{Interaction, ManualClock, Pending, SeededRandom};

use super::house::{House, NOON_NS, Place, Refused, SITE, Shell, all, batch, gate_and_seal, promises, put};
use crate::model::{Disk, Fault, Model};
use crate::sqlite::{Options, Sqlite};
use crate::{Batch, Error, Expect, OpenError, Store};

promises!(what_was_answered_is_there_after_a_crash);

fn text(n: u64) -> String {
    format!(r#"{{"resourceType":"Patient","id":"p{}","multipleBirthInteger":{n}}}"#, n % 7)
}

fn what_was_answered_is_there_after_a_crash(mut house: House) {
    for n in 0..30 {
        let version = house.put(&text(n));
        if n % 5 == 0 {
            house = house.restart();
        }
        assert_eq!(house.read(&version.key.to_string()).unwrap(), version);
        assert_eq!(house.store.last_jseq().unwrap(), n + 1);
    }
}

/// Both files as they were at one moment, though they are copied one after the other: nothing else touched the first meanwhile.
fn copy_moment(from: &Path, to: &Path) -> bool {
    let log = |path: &Path| path.with_extension("db-wal");
    let read = |path: &Path| std::fs::read(path).unwrap_or_default();
    let (before, head) = (read(from), read(&log(from)).get(..32).map(<[u8]>::to_vec));
    let written = read(&log(from));
    if read(from) != before || written.get(..32).map(<[u8]>::to_vec) != head {
        return false;
    }
    std::fs::write(to, before).unwrap();
    std::fs::write(log(to), written).unwrap();
    true
}

#[test]
fn a_copy_of_any_moment_opens_and_holds_every_answer() {
    let (gate, seal) = gate_and_seal();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let clock = Arc::new(ManualClock::new(NOON_NS));
    let options = Options { checkpoint_bytes: 40_000, ..Options::default() };
    let store = Sqlite::open(&path, &options, SITE, seal, clock).unwrap();
    let (answered, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=400 {
                let pending: Pending<_, Refused> = gate.write(all(Interaction::Update), |permit| {
                    let put = put(&text(n), Expect::Any);
                    let settled =
                        store.commit(permit, batch(permit, vec![put])).map_err(|error| Refused(Some(error)))?;
                    Ok(settled.map(Shell))
                });
                assert!(pending.wait().is_ok_and(|answer| answer.into_inner().is_ok()));
                answered.store(n, Ordering::SeqCst);
            }
            ended.store(1, Ordering::SeqCst);
        });
        let random = SeededRandom::new(11);
        let mut moments = 0;
        while ended.load(Ordering::SeqCst) == 0 || moments == 0 {
            std::thread::sleep(Duration::from_micros(random.number() % 20_000));
            let place = Place::sqlite();
            let known = answered.load(Ordering::SeqCst);
            if !copy_moment(&path, &place.file()) {
                continue;
            }
            moments += 1;
            let house = House::new(place);
            let found = house.store.last_jseq().unwrap();
            assert!(found >= known, "{known} answered, {found} found");
            assert_eq!(Sqlite::check(&house.place.file()).unwrap(), [""; 0]);
            for n in found.saturating_sub(6).max(1)..=found {
                let version = house.read(&format!("Patient/p{}", n % 7)).unwrap();
                assert_eq!((version.seq, version.version.number()), (n, n.div_ceil(7)));
            }
        }
    });
}

fn model(fault: Fault) -> (Disk, Result<(), Error>, u64) {
    let (gate, seal) = gate_and_seal();
    let disk = Disk::default();
    let clock = Arc::new(ManualClock::new(NOON_NS));
    let store = Model::open(disk.clone(), SITE, seal, clock).unwrap();
    let commit = |n: u64| {
        let mut result = Ok(());
        let pending = gate.write(all(Interaction::Update), |permit| {
            let made = store.commit(permit, Batch { ..batch(permit, vec![put(&text(n), Expect::Any)]) });
            match made {
                Ok(settled) => Ok(settled.map(Shell)),
                Err(error) => {
                    result = Err(error);
                    Err(Refused(None))
                }
            }
        });
        assert!(pending.wait().is_ok());
        result
    };
    store.fail_after(1, fault);
    commit(1).unwrap();
    let failed = commit(2);
    if fault == Fault::Full {
        assert!(!store.poisoned());
        store.mend();
        commit(3).unwrap();
    } else {
        assert!(store.poisoned());
        assert!(matches!(commit(3), Err(Error::Poisoned)));
    }
    let last = store.last_jseq().unwrap();
    (disk, failed, last)
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    let (_, failed, last) = model(Fault::Full);
    assert!(matches!(failed, Err(Error::Full)));
    assert_eq!(last, 2, "numbers go on without a gap");
}

#[test]
fn a_failed_sync_poisons_and_a_restart_tells_what_is_true() {
    for (fault, found) in [(Fault::LostCommit, 1), (Fault::LateFailure, 2)] {
        let (disk, failed, _) = model(fault);
        assert!(matches!(failed, Err(Error::Poisoned)));
        let house = House::new(Place::Model(disk));
        assert_eq!(house.store.last_jseq().unwrap(), found);
        assert_eq!(house.read("Patient/p2").is_some(), found == 2);
        assert!(!house.store.poisoned());
    }
}

#[test]
fn a_store_of_a_newer_build_is_not_opened() {
    let place = Place::sqlite();
    let house = House::new(place);
    house.put(&text(1));
    let House { store, place, .. } = house;
    drop(store);
    let connection = rusqlite::Connection::open(place.file()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let (_, seal) = gate_and_seal();
    let clock = Arc::new(ManualClock::new(NOON_NS));
    let refused = Sqlite::open(&place.file(), &Options::default(), SITE, seal, clock);
    assert!(matches!(refused, Err(OpenError::Newer { found: 99, known: 2 })));
}

#[test]
fn a_reader_elsewhere_that_holds_the_log_stops_the_opening() {
    let house = House::new(Place::sqlite());
    house.put(&text(1));
    let other = rusqlite::Connection::open(house.place.file()).unwrap();
    let open = other.unchecked_transaction().unwrap();
    let seen: i64 = open.pragma_query_value(None, "data_version", |row| row.get(0)).unwrap();
    assert!(seen > 0);
    open.pragma_query(None, "page_count", |_| Ok(())).unwrap();
    house.put(&text(2));
    let (_, seal) = gate_and_seal();
    let clock = Arc::new(ManualClock::new(NOON_NS));
    let options = Options { wait: Duration::from_millis(20), ..Options::default() };
    let refused = Sqlite::open(&house.place.file(), &options, SITE, seal, clock);
    assert!(matches!(refused, Err(OpenError::Held)));
}
