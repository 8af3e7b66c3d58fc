//! The one module that knows sled.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::WarmOptions;

/// sled, open.
pub(super) struct Tree {
    db: sled::Db,
    failed: AtomicBool,
}

impl Tree {
    /// Opens what is in a folder; none where sled will not.
    pub(super) fn open(folder: &Path, options: &WarmOptions) -> Option<Tree> {
        let config = sled::Config::default()
            .path(folder)
            .cache_capacity(options.cache_bytes)
            .mode(sled::Mode::HighThroughput)
            .flush_every_ms(Some(FLUSH_MS));
        let db = guarded(|| config.open().ok())??;
        Some(Tree { db, failed: AtomicBool::new(false) })
    }

    pub(super) fn read(&self, key: &[u8]) -> Option<Vec<u8>> {
        match self.db.get(key) {
            Ok(found) => found.map(|bytes| bytes.to_vec()),
            Err(_) => self.fail(),
        }
    }

    /// Writes bytes under keys; without bytes the key is removed.
    pub(super) fn write(&self, changes: &[([u8; 16], Option<Vec<u8>>)]) -> Option<()> {
        let mut batch = sled::Batch::default();
        for (key, bytes) in changes {
            match bytes {
                Some(bytes) => batch.insert(&key[..], bytes.as_slice()),
                None => batch.remove(&key[..]),
            }
        }
        match self.db.apply_batch(batch) {
            Ok(()) => Some(()),
            Err(_) => self.fail(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.db.len()
    }

    /// Bytes on disk; as large as can be where sled cannot say.
    pub(super) fn size(&self) -> u64 {
        self.db.size_on_disk().unwrap_or(u64::MAX)
    }

    /// Writes everything out and lets go of the files; false where that failed.
    pub(super) fn close(self) -> bool {
        let Tree { db, failed } = self;
        let flushed = guarded(|| db.flush().is_ok()).unwrap_or(false);
        let dropped = guarded(|| drop(db)).is_some();
        flushed && dropped && !failed.into_inner()
    }

    /// Whether an error came up that makes the rest doubtful.
    pub(super) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn fail<T>(&self) -> Option<T> {
        self.failed.store(true, Ordering::Relaxed);
        None
    }
}

/// Runs sled's code: where it panics there is no result.
pub(super) fn guarded<T>(act: impl FnOnce() -> T) -> Option<T> {
    // Nothing of ours is left half changed, and after a panic the tree is not used again.
    catch_unwind(AssertUnwindSafe(act)).ok()
}

/// This build has a warm tier.
pub(super) const LEFT_OUT: bool = false;
/// How often sled writes out what it holds.
const FLUSH_MS: u64 = 1_000;
