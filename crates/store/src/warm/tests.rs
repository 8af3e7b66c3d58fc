//! The warm tier gives back what was put, or nothing: whatever happened to its files.

use std::fs;
use std::path::{Path, PathBuf};

use dukou_audit::SeededRandom;
use zeroize::Zeroizing;

use super::{Fresh, Warm, WarmOptions};

fn options() -> WarmOptions {
    WarmOptions { cache_bytes: 1 << 20, ..WarmOptions::default() }
}

fn open(folder: &Path, head: u64) -> Warm {
    Warm::open(folder, &SECRET, head, &SeededRandom::new(head), options()).unwrap()
}

fn plain(n: u64) -> Vec<u8> {
    format!("860101199012{n:06} 彭䶮 {n}").repeat(4).into_bytes()
}

/// A tier with entries, closed in good order.
fn filled(folder: &Path, entries: u64) {
    let warm = open(folder, 1_000);
    for n in 0..entries {
        warm.put(u128::from(n), n, Zeroizing::new(plain(n)));
    }
    warm.settle();
    assert_eq!((warm.len() as u64, warm.left_out()), (entries, 0));
    warm.close();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn copied(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, target).unwrap();
    }
}

#[test]
fn a_start_goes_on_with_what_the_run_before_closed() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 100);
    let warm = open(folder.path(), 1_000);
    assert_eq!(warm.fresh(), None);
    for n in 0..100 {
        assert_eq!(*warm.read(u128::from(n)).unwrap(), plain(n));
    }
    assert!(warm.read(100).is_none());
    warm.forget(7);
    warm.put(8, 900, Zeroizing::new(b"newer".to_vec()));
    warm.settle();
    drop(warm);
    let warm = open(folder.path(), 1_000);
    assert_eq!((warm.fresh(), warm.read(7).is_none()), (None, true));
    assert_eq!(*warm.read(8).unwrap(), b"newer");
}

#[test]
fn no_byte_of_any_file_can_be_changed_and_no_file_cut_or_added_without_a_start_from_nothing() {
    let (good, bad) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(good.path(), 200);
    let names: Vec<PathBuf> =
        files(good.path()).iter().map(|file| file.strip_prefix(good.path()).unwrap().to_owned()).collect();
    assert!(names.len() >= 3, "{names:?}");
    let mut tried = 0;
    let mut hurt = |name: &Path, harm: &dyn Fn(&Path)| {
        let folder = bad.path().join(tried.to_string());
        copied(good.path(), &folder);
        harm(&folder.join(name));
        let warm = open(&folder, 1_000);
        assert!(
            matches!(warm.fresh(), Some(Fresh::Altered | Fresh::NotClosed)),
            "{}: {:?}",
            name.display(),
            warm.fresh()
        );
        assert!((0..200).all(|n| warm.read(n).is_none()) && warm.is_empty());
        // It works again at once.
        warm.put(1, 1, Zeroizing::new(plain(1)));
        warm.settle();
        assert_eq!(*warm.read(1).unwrap(), plain(1));
        drop(warm);
        fs::remove_dir_all(&folder).unwrap();
        tried += 1;
    };
    for name in &names {
        let length = fs::metadata(good.path().join(name)).unwrap().len();
        for part in 0..REGIONS {
            let place = (length.saturating_sub(1)) * part / (REGIONS - 1);
            hurt(name, &|path| {
                let mut bytes = fs::read(path).unwrap();
                match bytes.get_mut(usize::try_from(place).unwrap()) {
                    Some(byte) => *byte ^= 1,
                    None => bytes.push(0),
                }
                fs::write(path, bytes).unwrap();
            });
            if place < length {
                hurt(name, &|path| fs::File::options().write(true).open(path).unwrap().set_len(place).unwrap());
            }
        }
        hurt(name, &|path| fs::remove_file(path).unwrap());
        hurt(name, &|path| fs::write(path.with_extension("more"), b"x").unwrap());
    }
    assert!(tried > names.len() * 10);
}

#[test]
fn a_run_that_did_not_close_leaves_nothing_that_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    let warm = open(folder.path(), 1_000);
    warm.put(1, 1, Zeroizing::new(plain(1)));
    warm.settle();
    // The files as a kill would leave them.
    copied(folder.path(), killed.path());
    assert_eq!(open(killed.path(), 1_000).fresh(), Some(Fresh::NotClosed));
}

#[test]
fn a_tier_that_knows_more_than_the_store_begins_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 100);
    let warm = open(folder.path(), 98);
    assert_eq!(warm.fresh(), Some(Fresh::Ahead));
    assert!(warm.is_empty());
}

#[test]
fn under_another_key_of_the_site_the_tier_begins_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 10);
    let warm = Warm::open(folder.path(), &[9; 32], 1_000, &SeededRandom::new(1), options()).unwrap();
    assert_eq!(warm.fresh(), Some(Fresh::NotClosed));
    assert!(warm.read(1).is_none());
}

#[test]
fn nothing_of_a_person_can_be_read_in_the_folder_open_or_closed() {
    let folder = tempfile::tempdir().unwrap();
    let words = [b"860101199012".as_slice(), "彭䶮".as_bytes()];
    let search = |when: &str| {
        for file in files(folder.path()) {
            let bytes = fs::read(&file).unwrap();
            for word in words {
                let found = bytes.windows(word.len()).any(|window| window == word);
                assert!(!found, "{when}: {} holds it", file.display());
            }
        }
    };
    let warm = open(folder.path(), 1_000);
    for n in 0..500 {
        warm.put(u128::from(n), n, Zeroizing::new(plain(n)));
    }
    warm.settle();
    search("open");
    warm.close();
    search("closed");
    assert!(files(folder.path()).iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>() > 30_000);
}

#[test]
fn an_entry_under_the_key_of_another_does_not_open() {
    let sealing = super::Sealing::new(&SECRET, &SeededRandom::new(1)).unwrap();
    let sealed = sealing.seal(1, b"card").unwrap();
    assert_eq!(*sealing.open(1, &sealed).unwrap(), b"card");
    assert!(sealing.open(2, &sealed).is_none());
    assert_ne!(sealing.seal(1, b"card").unwrap(), sealed, "no nonce is used twice");
    for place in 0..sealed.len() {
        let mut other = sealed.clone();
        other[place] ^= 1;
        assert!(sealing.open(1, &other).is_none());
    }
}

#[test]
fn a_folder_that_has_grown_over_its_size_is_emptied_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let tight = WarmOptions { bytes_max: 1 << 20, cache_bytes: 1 << 20, queue_max: 4_096 };
    let warm = Warm::open(folder.path(), &SECRET, 1_000_000, &SeededRandom::new(1), tight).unwrap();
    for n in 0..40_000_u64 {
        warm.put(u128::from(n) << 90, n, Zeroizing::new(plain(n)));
        if n % 100 == 0 {
            warm.settle();
        }
    }
    warm.settle();
    assert!(warm.len() < 40_000, "{} entries", warm.len());
    // The size is looked at behind a group of writes, so the first entry may still fall to an emptying; an empty folder keeps the next.
    let stands = (0..3).any(|_| {
        warm.put(5, 5, Zeroizing::new(plain(5)));
        warm.settle();
        warm.read(5).is_some_and(|entry| *entry == plain(5))
    });
    assert!(stands, "nothing is kept any more");
}

const SECRET: [u8; 32] = [3; 32];
/// Places in each file at which a byte is turned and the file is cut.
const REGIONS: u64 = 12;
