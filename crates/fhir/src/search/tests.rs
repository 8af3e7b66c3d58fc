mod agreement;
mod compartments;
mod dates;
mod index;
mod names;
mod quantities;
mod queries;
mod references;
mod table;
mod tokens;

use super::{Options, Query, Site, scan};
use crate::{Issue, Offset, ResourceType, Value, json};
use index::Index;

/// The site of these tests: China, with a public base.
fn site() -> Site<'static> {
    Site { zone: Offset::from_minutes(480).unwrap(), base: Some("https://dukou.example/fhir") }
}

fn options() -> Options<'static> {
    Options { site: site(), ..Options::default() }
}

fn resource(text: &str) -> Value<'_> {
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
}

/// The query of `Patient?name=..` as a URL writes it.
fn query(url: &str) -> Result<Query, Vec<Issue>> {
    let (kind, pairs) = url.split_once('?').unwrap();
    Query::parse(ResourceType::parse(kind).unwrap(), &super::pairs(pairs), &options())
}

/// The ids of the resources that a query finds, by the scan; the index must find the same.
fn found(url: &str, texts: &[&str]) -> Vec<String> {
    let query = query(url).unwrap();
    let resources: Vec<Value<'_>> = texts.iter().map(|text| resource(text)).collect();
    let scanned = scan(&query, &resources);
    assert_eq!(Index::new(&resources, site()).search(&query), scanned, "{url}");
    scanned.into_iter().map(|at| resources[at].text_at("id").unwrap().to_owned()).collect()
}

/// Whether a query finds one resource.
fn finds(url: &str, text: &str) -> bool {
    !found(url, &[text]).is_empty()
}

/// The code and place of the first issue of a refused query.
fn refused(url: &str) -> (String, String) {
    let issues = query(url).unwrap_err();
    (issues[0].code.to_owned(), issues[0].expression.first().cloned().unwrap_or_default())
}
