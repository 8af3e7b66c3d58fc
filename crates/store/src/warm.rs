//! The warm tier: what was derived in an earlier run and need not be derived again, in sled, encrypted.
//!
//! It never holds the only copy of anything, and nothing in it is believed for its own sake: whoever takes something out asks the store
//! whether the version that it was made of still stands ([`Store::recall`](crate::Store::recall)). sled does not sync what it
//! acknowledges and has no tool for repair, so its files are used again only if they are, byte for byte, those that the run before closed in
//! good order; after anything else they are deleted and the tier begins empty. Each entry is sealed with AES-256-GCM (NIST SP 800-38D) under
//! a key of the site, and stands under a keyed hash.
//!
//! Writing never waits: entries go through a bounded queue to a thread of their own, and what finds the queue full is left out.

mod files;
mod sealing;
#[cfg(all(test, feature = "sled"))]
mod tests;
#[cfg(feature = "sled")]
mod tree;
#[cfg(not(feature = "sled"))]
#[path = "warm/without.rs"]
mod tree;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use dukou_audit::Random;
use zeroize::Zeroizing;

use files::Manifest;
use sealing::Sealing;
use tree::Tree;

/// The warm tier, open.
pub struct Warm {
    inner: Arc<Inner>,
    jobs: SyncSender<Job>,
    writer: Mutex<Option<JoinHandle<()>>>,
    fresh: Option<Fresh>,
}

/// Numbers on what can grow.
#[derive(Clone, Copy, Debug)]
pub struct WarmOptions {
    /// Size of the folder from which it is emptied: sled's files do not shrink.
    pub bytes_max: u64,
    /// Memory for pages.
    pub cache_bytes: u64,
    /// Entries that may wait to be written; further ones are left out.
    pub queue_max: usize,
}

impl Default for WarmOptions {
    fn default() -> WarmOptions {
        WarmOptions { bytes_max: 4 << 30, cache_bytes: 32 << 20, queue_max: 8_192 }
    }
}

/// Why the tier began empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fresh {
    /// There was nothing.
    New,
    /// The run before did not close it, or it is of another layout or under another key.
    NotClosed,
    /// A file is not what the run before left.
    Altered,
    /// It reflects more than the store has: the store was put back to an earlier state.
    Ahead,
    /// sled would not open it.
    NotOpened,
    /// This build has no warm tier.
    LeftOut,
}

impl Fresh {
    /// A short name for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Fresh::New => "new",
            Fresh::NotClosed => "not-closed",
            Fresh::Altered => "altered",
            Fresh::Ahead => "ahead-of-the-store",
            Fresh::NotOpened => "not-opened",
            Fresh::LeftOut => "left-out",
        }
    }
}

/// What the tier could not do at all. Everything less is mended by beginning empty.
#[derive(Debug, thiserror::Error)]
pub enum WarmError {
    /// The folder cannot be emptied or made.
    #[error("preparing the folder of the warm tier")]
    Folder(#[source] std::io::Error),
    /// sled does not open an empty folder.
    #[error("opening the warm tier")]
    Tree,
    /// The key is refused.
    #[error("preparing the key of the warm tier")]
    Key,
    /// No thread could be started.
    #[error("starting the thread of the warm tier")]
    Thread(#[source] std::io::Error),
}

struct Inner {
    folder: PathBuf,
    options: WarmOptions,
    sealing: Sealing,
    tree: RwLock<Option<Tree>>,
    /// The highest sequence that an entry was made of.
    reflects: AtomicU64,
    /// An error inside: nothing is read or written until the next start, which begins empty.
    broken: AtomicBool,
    left_out: AtomicU64,
}

enum Job {
    Put {
        key: u128,
        seq: u64,
        plain: Zeroizing<Vec<u8>>,
    },
    Forget {
        key: u128,
    },
    /// Says when everything before it is done.
    Done(SyncSender<()>),
    Stop,
}

impl Warm {
    /// Opens the tier in a folder of its own. `secret` is a key of the site for this use alone; `head` is the highest sequence of the store.
    ///
    /// # Errors
    /// [`WarmError`]; a tier that is damaged is none, it begins empty.
    pub fn open(
        folder: &Path,
        secret: &[u8; 32],
        head: u64,
        random: &dyn Random,
        options: WarmOptions,
    ) -> Result<Warm, WarmError> {
        let sealing = Sealing::new(secret, random).ok_or(WarmError::Key)?;
        let mut fresh = if tree::LEFT_OUT { Some(Fresh::LeftOut) } else { files::judge(folder, &sealing, head).err() };
        let mut reflects = 0;
        let mut opened = None;
        if fresh.is_none() {
            reflects = Manifest::take(folder, &sealing).map_or(0, |manifest| manifest.reflects);
            opened = Tree::open(folder, &options);
            fresh = opened.is_none().then_some(Fresh::NotOpened);
        }
        if opened.is_none() {
            files::empty(folder).map_err(WarmError::Folder)?;
            opened = Some(Tree::open(folder, &options).ok_or(WarmError::Tree)?);
            reflects = 0;
        }
        let inner = Arc::new(Inner {
            folder: folder.to_owned(),
            options,
            sealing,
            tree: RwLock::new(opened),
            reflects: AtomicU64::new(reflects),
            broken: AtomicBool::new(false),
            left_out: AtomicU64::new(0),
        });
        let (jobs, queue) = sync_channel(options.queue_max.max(1));
        let worker = Arc::clone(&inner);
        let writer = std::thread::Builder::new().name("warm-tier".to_owned()).spawn(move || worker.write(&queue));
        let writer = Mutex::new(Some(writer.map_err(WarmError::Thread)?));
        Ok(Warm { inner, jobs, writer, fresh })
    }

    /// Why the tier began empty; none where it goes on with what the run before left.
    pub fn fresh(&self) -> Option<Fresh> {
        self.fresh
    }

    /// The plain bytes under a key. None where there is nothing, or nothing that opens under the site's key.
    pub fn read(&self, key: u128) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = self.inner.with(|tree| tree.read(&key.to_be_bytes()))??;
        self.inner.sealing.open(key, &sealed)
    }

    /// Puts bytes made of the version `seq` under a key, later. Never waits.
    pub fn put(&self, key: u128, seq: u64, plain: Zeroizing<Vec<u8>>) {
        self.hand_over(Job::Put { key, seq, plain });
    }

    /// Drops what stands under a key, later. Never waits, and nothing depends on its being done.
    pub fn forget(&self, key: u128) {
        self.hand_over(Job::Forget { key });
    }

    /// Waits until everything handed over so far is written or left out.
    pub fn settle(&self) {
        let (done, settled) = sync_channel(1);
        if self.jobs.send(Job::Done(done)).is_ok() {
            // A writer that has ended has nothing left to do.
            let _ended = settled.recv();
        }
    }

    /// Entries that found the queue full since the start.
    pub fn left_out(&self) -> u64 {
        self.inner.left_out.load(Ordering::Relaxed)
    }

    /// Entries held. Counts them one by one.
    pub fn len(&self) -> usize {
        self.inner.with(|tree| Some(tree.len())).flatten().unwrap_or(0)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes what is queued and closes the tier so that the next start goes on with it. Without this the next start begins empty.
    pub fn close(&self) {
        // A full queue is emptied by the writer; one that has ended takes nothing.
        let _ended = self.jobs.send(Job::Stop);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            self.inner.broken.store(true, Ordering::Relaxed);
        }
        let tree = self.inner.tree.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(tree) = tree else { return };
        if tree.close() && !self.inner.broken.load(Ordering::Relaxed) {
            let reflects = self.inner.reflects.load(Ordering::Relaxed);
            // Without a manifest the next start begins empty, which is as good an answer to a full disk as any.
            let _unwritten = Manifest::write(&self.inner.folder, &self.inner.sealing, reflects);
        }
    }

    fn hand_over(&self, job: Job) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.jobs.try_send(job) {
            self.inner.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inner {
    /// Runs something on the tree. An error in it ends the use of the tree until the next start.
    fn with<T>(&self, act: impl FnOnce(&Tree) -> Option<T>) -> Option<Option<T>> {
        if self.broken.load(Ordering::Relaxed) {
            return None;
        }
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let tree = tree.as_ref()?;
        let done = tree::guarded(|| act(tree));
        if done.is_none() || tree.failed() {
            self.broken.store(true, Ordering::Relaxed);
            return None;
        }
        done
    }

    /// The writer: takes what is queued in groups, writes each group at once, and looks at the size now and then.
    fn write(&self, queue: &Receiver<Job>) {
        let mut groups = 0_u32;
        while let Ok(first) = queue.recv() {
            let mut group = vec![first];
            group.extend(queue.try_iter().take(GROUP_MAX));
            let mut changes = Vec::with_capacity(group.len());
            let mut ends = Vec::new();
            let mut stop = false;
            for job in group {
                match job {
                    Job::Put { key, seq, plain } => {
                        self.reflects.fetch_max(seq, Ordering::Relaxed);
                        changes.push((key.to_be_bytes(), self.sealing.seal(key, &plain)));
                    }
                    Job::Forget { key } => changes.push((key.to_be_bytes(), None)),
                    Job::Done(done) => ends.push(done),
                    Job::Stop => stop = true,
                }
            }
            // What is not written is not there at the next look-up; nothing else follows from it.
            let _written = self.with(|tree| tree.write(&changes));
            groups += 1;
            if groups.is_multiple_of(GROUPS_BETWEEN_SIZES) {
                self.keep_size();
            }
            for done in ends {
                // Whoever waited may have gone.
                let _gone = done.try_send(());
            }
            if stop {
                return;
            }
        }
    }

    /// Begins empty where the folder has grown over its size.
    fn keep_size(&self) {
        let size = self.with(|tree| Some(tree.size())).flatten().unwrap_or(0);
        if size <= self.options.bytes_max {
            return;
        }
        let mut place = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = place.take() {
            tree.close();
        }
        *place = files::empty(&self.folder).ok().and_then(|()| Tree::open(&self.folder, &self.options));
    }
}

/// Jobs written at once, at most.
const GROUP_MAX: usize = 256;
/// The size is looked at after so many groups.
const GROUPS_BETWEEN_SIZES: u32 = 64;
