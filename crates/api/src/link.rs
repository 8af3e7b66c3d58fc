//! Links of a page: self, first, previous, next (FHIR R4, 3.1.1.4).

use crate::ask::Ask;
use crate::cursor::{Bound, CursorKey, Trail};
use crate::params::CURSOR;
use crate::percent;

/// The links of one page, as (relation, address).
pub(crate) type PageLinks = Vec<(&'static str, String)>;

/// What a page link is made of.
pub(crate) struct Pager<'a> {
    pub(crate) key: &'a CursorKey,
    pub(crate) client: &'a str,
    pub(crate) policy: &'a [u8; 32],
    /// Base and path: `https://host/fhir/Patient`.
    pub(crate) address: String,
    /// The parameters really used, without the cursor.
    pub(crate) query: String,
}

impl<'a> Pager<'a> {
    /// The pager of a request, over the criteria that were really used.
    pub(crate) fn new(
        ask: &Ask,
        key: &'a CursorKey,
        client: &'a str,
        policy: &'a [u8; 32],
        applied: &[(String, String)],
        count: Option<usize>,
    ) -> Pager<'a> {
        let count = count.map(|count| count.to_string());
        let pairs = applied.iter().chain(&ask.params.repeated).map(|(name, value)| (name.as_str(), value.as_str()));
        let query = percent::query(pairs.chain(count.as_deref().map(|count| ("_count", count))));
        let path = ask.search_path();
        let address = if path.is_empty() { ask.base.clone() } else { format!("{}/{path}", ask.base) };
        Pager { key, client, policy, address, query }
    }

    /// The way that the request's cursor stands for; none if the cursor is not ours for this use.
    pub(crate) fn open(&self, cursor: Option<&str>) -> Option<Trail> {
        match cursor {
            None => Some(Trail::default()),
            Some(text) => self.key.open(text, self.bound()),
        }
    }

    /// The links of the page at `trail`, whose next page begins at `next`.
    pub(crate) fn links(&self, trail: &Trail, next: Option<Vec<u8>>) -> PageLinks {
        let mut links = vec![("self", self.link(trail)), ("first", self.link(&Trail::default()))];
        links.extend(trail.back().map(|back| ("previous", self.link(&back))));
        links.extend(next.map(|start| ("next", self.link(&trail.onward(start)))));
        links
    }

    fn link(&self, trail: &Trail) -> String {
        let cursor = trail.here().map(|_| self.key.sign(trail, self.bound()));
        let mut link = self.address.clone();
        let mut mark = '?';
        if !self.query.is_empty() {
            link.push(mark);
            link.push_str(&self.query);
            mark = '&';
        }
        if let Some(cursor) = cursor {
            link.push(mark);
            link.push_str(CURSOR);
            link.push('=');
            link.push_str(&cursor);
        }
        link
    }

    fn bound(&self) -> Bound<'_> {
        // The path is bound without the base: a partner may reach us under two names.
        let path = self.address.rsplit("://").next().and_then(|rest| rest.split_once('/')).map_or("", |(_, path)| path);
        Bound { client: self.client, policy: self.policy, path, query: &self.query }
    }
}
