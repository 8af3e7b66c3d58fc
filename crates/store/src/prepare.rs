//! What is done before the writer: the batch is compared with what stands in the store, and the change of the index is computed.
//! The writer only looks whether the same version still stands there.

use std::collections::HashSet;

use dukou_fhir::search::Site;
use dukou_fhir::{LogicalId, ResourceKey, json};

use crate::batch::{Put, index};
use crate::error::Error;
use crate::tables::{Stored, View};

/// A put, compared with the version that stood there.
pub(crate) struct Ready {
    pub(crate) put: Put,
    /// The newest version when this was computed; it may be a deletion.
    pub(crate) before: Option<Stored>,
    /// Whether nothing is to be written.
    pub(crate) unchanged: bool,
    /// Keys to add to the index and to take from it, each list sorted.
    pub(crate) add: Vec<Vec<u8>>,
    pub(crate) remove: Vec<Vec<u8>>,
}

impl Ready {
    pub(crate) fn before_seq(&self) -> Option<u64> {
        self.before.as_ref().map(|stored| stored.version.seq)
    }

    pub(crate) fn was_live(&self) -> bool {
        self.before.as_ref().is_some_and(|stored| !stored.version.is_deleted())
    }

    /// The patients of the new version; a deletion keeps those of the version before.
    pub(crate) fn patients(&self) -> &[LogicalId] {
        match (&self.put.draft, &self.before) {
            (None, Some(before)) => &before.version.patients,
            _ => &self.put.patients,
        }
    }

    /// Whether the put leaves a live resource.
    pub(crate) fn leaves_live(&self) -> bool {
        self.put.draft.is_some()
    }
}

/// Compares each put with what stands in the store.
pub(crate) fn prepare(view: &dyn View, puts: Vec<Put>, site: Site<'_>) -> Result<Vec<Ready>, Error> {
    let mut seen = HashSet::with_capacity(puts.len());
    for (place, put) in puts.iter().enumerate() {
        if !seen.insert(&put.key) {
            return Err(Error::Twice { put: place });
        }
    }
    drop(seen);
    puts.into_iter().map(|put| compare(view, put, site)).collect()
}

/// Compares one put with what stands in the store now.
pub(crate) fn compare(view: &dyn View, put: Put, site: Site<'_>) -> Result<Ready, Error> {
    let before = view.load_key(&put.key)?;
    let live = before.as_ref().filter(|stored| !stored.version.is_deleted());
    let unchanged = match (&put.draft, live) {
        (Some(draft), Some(stored)) => draft.same_content(&stored.version.body),
        (Some(_), None) => false,
        (None, live) => live.is_none(),
    };
    if unchanged {
        return Ok(Ready { put, before, unchanged, add: Vec::new(), remove: Vec::new() });
    }
    let old = match live {
        Some(stored) => stored_keys(&stored.version.key, &stored.version.body, site)?,
        None => Vec::new(),
    };
    let (add, remove) = difference(&old, &put.postings);
    Ok(Ready { put, before, unchanged, add, remove })
}

/// All posting keys of a stored body, sorted: what a rebuild of the index gives.
pub(crate) fn stored_keys(key: &ResourceKey, body: &[u8], site: Site<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let content = json::parse(body, &STORED_LIMITS).map_err(|_| Error::Corrupt { what: "versions.body" })?;
    Ok(index(&content, key, site).0)
}

/// What is in `new` alone, and what is in `old` alone. Both are sorted and without repeats.
fn difference(old: &[Vec<u8>], new: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut add = Vec::with_capacity(new.len());
    let mut remove = Vec::new();
    let mut rest = old.iter().peekable();
    for key in new {
        while let Some(gone) = rest.next_if(|old| *old < key) {
            remove.push(gone.clone());
        }
        if rest.next_if(|old| *old == key).is_none() {
            add.push(key.clone());
        }
    }
    remove.extend(rest.cloned());
    (add, remove)
}

/// What was stored was within limits when it came; it is read whatever they are now.
pub(crate) const STORED_LIMITS: json::Limits = json::Limits { depth_max: u32::MAX, values_max: u32::MAX };
