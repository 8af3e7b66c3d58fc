//! The index made anew from the versions. It is derived: dropping it changes no answer.

use dukou_fhir::ResourceType;
use dukou_fhir::search::{PostingKey, Site, last_updated_keys, parameters};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::prepare::stored_keys;
use crate::tables::{Tables, View};

/// Whether the postings were made by the rules of this release and for this site.
pub(crate) fn is_current(view: &dyn View, site: Site<'_>) -> Result<bool, Error> {
    let mut found = Vec::with_capacity(1);
    view.seek(&mark(site), 0, 1, &mut found)?;
    Ok(!found.is_empty())
}

/// Drops all postings and makes them again; gives the number of live resources.
pub(crate) fn rebuild(tables: &mut dyn Tables, site: Site<'_>) -> Result<u64, Error> {
    tables.clear_postings()?;
    let last = tables.counters()?.res;
    let mut live = 0;
    for res in 1..=last {
        let Some(stored) = tables.load(res)? else { continue };
        if stored.version.is_deleted() {
            continue;
        }
        live += 1;
        let mut keys = stored_keys(&stored.version.key, &stored.version.body, site)?;
        let time = last_updated_keys(stored.version.key.kind, stored.version.last_updated);
        keys.extend(time.into_iter().map(PostingKey::into_bytes));
        tables.post(&keys, res)?;
    }
    tables.post(&[mark(site)], 0)?;
    Ok(live)
}

/// The posting that says by which rules the others were made. No resource has the number 0.
fn mark(site: Site<'_>) -> Vec<u8> {
    let mut rules = Sha256::new();
    rules.update(env!("CARGO_PKG_VERSION"));
    rules.update(format!("{site:?}"));
    for kind in ResourceType::all() {
        rules.update(kind.as_str());
    }
    parameters::tables().into_iter().for_each(|table| rules.update(table));
    let mut key = PREFIX.to_vec();
    key.extend_from_slice(&rules.finalize()[..16]);
    key
}

/// Behind all keys of search parameters, and beside those of referrers.
const PREFIX: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x02];
