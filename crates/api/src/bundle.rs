//! Bundles as bytes: the stored bodies are copied into place, not parsed and printed again.

use bytes::Bytes;
use dukou_exchange::{Done, EntryResult, HistoryPage, How, Version};
use dukou_fhir::{Issue, Language, OperationOutcome, json};

use crate::etag;
use crate::link::PageLinks;
use crate::negotiate::Return;
use crate::reply;
use crate::shape::Shape;
use crate::status;

/// What a searchset holds.
pub(crate) struct Searchset {
    pub(crate) matches: Vec<Version>,
    pub(crate) includes: Vec<Version>,
    /// What was left out or cut, told in an outcome entry.
    pub(crate) notes: Vec<Issue>,
    pub(crate) total: Option<u64>,
    pub(crate) links: PageLinks,
}

/// How Bundles are to be written.
pub(crate) struct Writer<'a> {
    pub(crate) base: &'a str,
    pub(crate) shape: &'a Shape,
    pub(crate) language: Language,
}

impl Writer<'_> {
    /// A Bundle of type searchset.
    pub(crate) fn searchset(&self, set: &Searchset) -> Bytes {
        let mut out = head("searchset", set.total);
        links(&mut out, &set.links);
        let mut list = List::new(&mut out);
        for (versions, mode) in [(&set.matches, "match"), (&set.includes, "include")] {
            for version in versions {
                let entry = list.entry();
                self.full_url(entry, version);
                member(entry, "resource");
                entry.extend_from_slice(&self.shape.apply(&version.body));
                text(entry, ",\"search\":{\"mode\":\"");
                text(entry, mode);
                text(entry, "\"}");
            }
        }
        if !set.notes.is_empty() {
            let entry = list.entry();
            member(entry, "resource");
            json::print(&OperationOutcome::from(set.notes.clone()).to_value(self.language), entry);
            text(entry, ",\"search\":{\"mode\":\"outcome\"}");
        }
        list.end();
        Bytes::from(out)
    }

    /// A Bundle of type history.
    pub(crate) fn history(&self, page: &HistoryPage, page_links: &PageLinks) -> Bytes {
        let mut out = head("history", Some(page.total));
        links(&mut out, page_links);
        let mut list = List::new(&mut out);
        for version in &page.entries {
            let entry = list.entry();
            self.full_url(entry, version);
            if !version.is_deleted() {
                member(entry, "resource");
                entry.extend_from_slice(&self.shape.apply(&version.body));
                text(entry, ",");
            }
            let (method, url, code) = match version.how {
                How::Create => ("POST", version.key.kind.to_string(), 201),
                How::Update => ("PUT", version.key.to_string(), 200),
                How::UpdateAsCreate => ("PUT", version.key.to_string(), 201),
                How::Delete => ("DELETE", version.key.to_string(), 204),
            };
            text(entry, "\"request\":{\"method\":\"");
            text(entry, method);
            text(entry, "\",\"url\":\"");
            text(entry, &url);
            text(entry, "\"},\"response\":{");
            response(entry, code, Some(version), false);
            text(entry, "}");
        }
        list.end();
        Bytes::from(out)
    }

    /// A Bundle of type transaction-response or batch-response.
    pub(crate) fn responses(&self, kind: &str, results: &[EntryResult], body: Return) -> Bytes {
        let mut out = head(kind, None);
        let mut list = List::new(&mut out);
        for result in results {
            let entry = list.entry();
            match result {
                Ok(done) => self.done(entry, done, body),
                Err(error) => {
                    text(entry, "\"response\":{");
                    let code = status::of_error(error);
                    response(entry, code, None, false);
                    text(entry, ",");
                    member(entry, "outcome");
                    json::print(&OperationOutcome::from(error.issues()).to_value(self.language), entry);
                    text(entry, "}");
                }
            }
        }
        list.end();
        Bytes::from(out)
    }

    fn done(&self, entry: &mut Vec<u8>, done: &Done, body: Return) {
        let code = status::of_effect(done.effect());
        if let Done::Searched(page) = done {
            let (matches, includes) = (page.matches.clone(), page.includes.clone());
            let set = Searchset { matches, includes, notes: Vec::new(), total: page.total, links: Vec::new() };
            member(entry, "resource");
            entry.extend_from_slice(&self.searchset(&set));
            text(entry, ",\"response\":{\"status\":\"200 OK\"}");
            return;
        }
        let version = done.version();
        let shown = version.filter(|version| !version.is_deleted());
        if let Some(version) = shown {
            self.full_url(entry, version);
            // What If-None-Exist found is named, not shown: reading it is a right of its own.
            let written = body == Return::Representation && !matches!(done, Done::Found(_));
            if written || matches!(done, Done::Read(_)) {
                member(entry, "resource");
                entry.extend_from_slice(&self.shape.apply(&version.body));
                text(entry, ",");
            }
        }
        text(entry, "\"response\":{");
        response(entry, code, version, !matches!(done, Done::Read(_) | Done::Deleted(_)));
        if body == Return::OperationOutcome && !matches!(done, Done::Read(_)) {
            text(entry, ",");
            member(entry, "outcome");
            entry.extend_from_slice(&reply::Reply::note(code, self.language).body);
        }
        text(entry, "}");
    }

    fn full_url(&self, entry: &mut Vec<u8>, version: &Version) {
        member(entry, "fullUrl");
        json::print_text(&format!("{}/{}", self.base, version.key), entry);
        text(entry, ",");
    }
}

/// Entries with commas between them; an empty list is not written at all.
struct List<'a> {
    out: &'a mut Vec<u8>,
    open: bool,
}

impl<'a> List<'a> {
    fn new(out: &'a mut Vec<u8>) -> List<'a> {
        List { out, open: false }
    }

    fn entry(&mut self) -> &mut Vec<u8> {
        text(self.out, if self.open { "},{" } else { ",\"entry\":[{" });
        self.open = true;
        self.out
    }

    fn end(self) {
        text(self.out, if self.open { "}]}" } else { "}" });
    }
}

fn head(kind: &str, total: Option<u64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(4_096);
    text(&mut out, "{\"resourceType\":\"Bundle\",\"type\":\"");
    text(&mut out, kind);
    text(&mut out, "\"");
    if let Some(total) = total {
        text(&mut out, &format!(",\"total\":{total}"));
    }
    out
}

fn links(out: &mut Vec<u8>, links: &PageLinks) {
    if links.is_empty() {
        return;
    }
    text(out, ",\"link\":[");
    for (place, (relation, url)) in links.iter().enumerate() {
        text(out, if place == 0 { "{\"relation\":\"" } else { ",{\"relation\":\"" });
        text(out, relation);
        text(out, "\",\"url\":");
        json::print_text(url, out);
        text(out, "}");
    }
    text(out, "]");
}

/// The members of `entry.response`.
fn response(out: &mut Vec<u8>, code: u16, version: Option<&Version>, located: bool) {
    text(out, &format!("\"status\":\"{code} {}\"", status::phrase(code)));
    let Some(version) = version else { return };
    if located {
        text(out, &format!(",\"location\":\"{}/_history/{}\"", version.key, version.version));
    }
    text(out, ",");
    member(out, "etag");
    json::print_text(&etag::print(version.version), out);
    text(out, &format!(",\"lastModified\":\"{}\"", version.last_updated));
}

fn member(out: &mut Vec<u8>, name: &str) {
    text(out, "\"");
    text(out, name);
    text(out, "\":");
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
