//! URIs: equal or not, case and all (search, 3.1.1.5.13).

use super::posting::{Form, digest};
use super::reference::split_version;
use super::values::{Postings, Union};
use crate::path::Item;

/// A URI as a client asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted(pub(crate) String);

impl Wanted {
    /// A canonical that names a version is also found without it.
    pub(crate) fn matches(&self, item: &Item<'_>) -> bool {
        item.value
            .as_str()
            .is_some_and(|uri| uri == self.0 || (item.datatype == "canonical" && split_version(uri).0 == self.0))
    }

    pub(crate) fn look_up(&self, union: &mut Union<'_>) {
        union.check_bodies();
        union.key(Form::Uri, &hash(&self.0));
    }
}

/// The key of a URI; of a canonical with a version also that without.
pub(crate) fn post(item: &Item<'_>, postings: &mut Postings<'_>) {
    let Some(uri) = item.value.as_str() else { return };
    postings.add(Form::Uri, &hash(uri));
    let (plain, version) = split_version(uri);
    if version.is_some() && item.datatype == "canonical" {
        postings.add(Form::Uri, &hash(plain));
    }
}

fn hash(uri: &str) -> [u8; 8] {
    digest(&[uri.as_bytes()])
}
