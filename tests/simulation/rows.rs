//! The store's side of a crash: rows in memory, or files of which a copy is what a killed process leaves.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use dukou_audit::{ManualClock, StoreSeal};
use dukou_fhir::search::Site;
use dukou_store::Store;
use dukou_store::model::{Disk, Model};
use dukou_store::sqlite::{self, Sqlite};
use tempfile::TempDir;

use super::node::east;

/// Where the store's rows lie.
pub(crate) enum Rows {
    /// In memory; what is committed stays.
    Model(Disk),
    /// In files.
    Sqlite(TempDir),
}

impl Rows {
    pub(crate) fn in_memory() -> Rows {
        Rows::Model(Disk::default())
    }

    pub(crate) fn on_disk() -> Rows {
        Rows::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) fn open(&self, seal: StoreSeal, clock: Arc<ManualClock>) -> (Arc<dyn Store>, Option<Arc<Model>>) {
        let site = Site { zone: east(), base: None };
        match self {
            Rows::Model(disk) => {
                let model = Arc::new(Model::open(disk.clone(), site, seal, clock).unwrap());
                (model.clone(), Some(model))
            }
            Rows::Sqlite(folder) => {
                let path = folder.path().join("store.sqlite");
                let store = Sqlite::open(&path, &sqlite::Options::default(), site, seal, clock);
                (Arc::new(store.unwrap()), None)
            }
        }
    }

    /// What is left when the process dies now. With `torn`, the log ends in a commit that was never finished.
    pub(crate) fn left(&self, torn: &[u8]) -> Rows {
        match self {
            Rows::Model(disk) => Rows::Model(disk.clone()),
            Rows::Sqlite(folder) => {
                let copy = tempfile::tempdir().unwrap();
                for name in ["store.sqlite", "store.sqlite-wal"] {
                    copy_file(
                        &folder.path().join(name),
                        &copy.path().join(name),
                        if name.ends_with("wal") { torn } else { &[] },
                    );
                }
                Rows::Sqlite(copy)
            }
        }
    }
}

fn copy_file(from: &Path, to: &Path, behind: &[u8]) {
    if let Ok(mut bytes) = fs::read(from) {
        if !bytes.is_empty() {
            bytes.extend_from_slice(behind);
        }
        fs::write(to, bytes).unwrap();
    }
}
