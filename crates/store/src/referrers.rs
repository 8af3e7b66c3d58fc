//! Who refers to a resource: a posting list of our own beside those of the search parameters, since references without a search parameter
//! count as well.

use std::collections::HashMap;

use dukou_fhir::ResourceKey;

use crate::error::Error;
use crate::prepare::Ready;
use crate::tables::View;
use crate::version::Version;

/// The posting key under which every referrer of a resource stands.
pub(crate) fn key(target: &ResourceKey) -> Vec<u8> {
    let (kind, id) = (target.kind.as_str(), target.id.as_str());
    let mut key = Vec::with_capacity(PREFIX.len() + kind.len() + 1 + id.len());
    key.extend_from_slice(&PREFIX);
    key.extend_from_slice(kind.as_bytes());
    key.push(b'/');
    key.extend_from_slice(id.as_bytes());
    key
}

/// Some of the live resources that will still refer to `target` after the batch.
pub(crate) fn of(
    view: &dyn View,
    target: &ResourceKey,
    batch: &HashMap<&ResourceKey, &Ready>,
) -> Result<Vec<ResourceKey>, Error> {
    let key = key(target);
    let mut found = Vec::new();
    let mut from = 0;
    loop {
        let mut numbers = Vec::with_capacity(BLOCK);
        view.seek(&key, from, BLOCK, &mut numbers)?;
        for res in &numbers {
            let Some(stored) = view.load(*res)? else { continue };
            let referrer = stored.version.key;
            let stays = match batch.get(&referrer) {
                // What the batch writes is held against the batch when its own references are checked.
                Some(ready) => ready.unchanged,
                None => true,
            };
            if stays && referrer != *target {
                found.push(referrer);
            }
            if found.len() >= NAMED_MAX {
                return Ok(found);
            }
        }
        match numbers.last() {
            Some(last) if numbers.len() == BLOCK => from = last + 1,
            _ => return Ok(found),
        }
    }
}

/// Live resources that refer to `target`, in the order of their numbers, at most `count`.
pub(crate) fn all(view: &dyn View, target: &ResourceKey, count: usize) -> Result<Vec<Version>, Error> {
    let key = key(target);
    let mut found = Vec::new();
    let mut from = 0;
    while found.len() < count {
        let mut numbers = Vec::with_capacity(BLOCK);
        view.seek(&key, from, BLOCK.min(count - found.len()), &mut numbers)?;
        let Some(last) = numbers.last() else { break };
        from = last + 1;
        for res in &numbers {
            found.extend(view.load(*res)?.map(|stored| stored.version).filter(|version| !version.is_deleted()));
        }
    }
    Ok(found)
}

/// No resource type has this number, so no search parameter's key begins with it.
const PREFIX: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x01];
const BLOCK: usize = 32;
/// A refused deletion names at most this many referrers.
const NAMED_MAX: usize = 10;
