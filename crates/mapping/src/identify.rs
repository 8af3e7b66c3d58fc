//! Logical ids: a hash over site, type and the business key, so that the same thing has the same id for ever.

use std::borrow::Cow;
use std::ops::ControlFlow;

use dukou_fhir::{LogicalId, ResourceType};
use dukou_terminology::Table;
use dukou_wire::Node;
use sha2::{Digest, Sha256};

use crate::lens::{authority, parted_authority};
use crate::plan::{Canon, IdPlan, KeyAlternative, KeyPlan, PathPlan, Root};
use crate::reading::{At, Reading, first_leaf, part, valued};

/// A field read in place of that of the id key: MRG-1 for PID-3.
#[derive(Clone, Copy)]
pub(crate) struct Instead<'p> {
    pub(crate) segment: usize,
    pub(crate) field: u16,
    /// The field of the key that it stands for.
    pub(crate) of: &'p PathPlan,
}

/// What ids are made with.
#[derive(Clone, Copy)]
pub(crate) struct Maker<'r, 'm> {
    pub(crate) site: &'r str,
    pub(crate) reading: &'r Reading<'m>,
    pub(crate) systems: Option<&'r Table>,
}

/// The hash of a key before `nth` and before it becomes text.
pub(crate) struct Keyed {
    digest: Sha256,
    /// Whether the plan numbers equal keys.
    pub(crate) nth: bool,
}

impl Keyed {
    /// The bytes that tell equal keys.
    pub(crate) fn bytes(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }

    pub(crate) fn id(mut self, nth: u32) -> LogicalId {
        if self.nth {
            let mut part = Vec::new();
            add(&mut part, &nth.to_le_bytes());
            self.digest.update(&part);
        }
        logical_id(self.digest)
    }
}

/// The key of an instance; nothing where no alternative of the first key is valued.
pub(crate) fn key<'m>(
    maker: Maker<'_, 'm>,
    plan: &IdPlan,
    kind: ResourceType,
    parent: Option<&LogicalId>,
    at: At<'_, 'm>,
    instead: Option<Instead<'_>>,
) -> Option<Keyed> {
    let mut parts = start(maker.site, kind);
    if let Some(parent) = parent {
        add(&mut parts, parent.as_str().as_bytes());
    }
    // Entities and quotation marks are spellings of the same value.
    let decoded = maker.reading.message.format() != dukou_wire::Format::Er7;
    let mut nth = false;
    for (number, key) in plan.keys.iter().enumerate() {
        let KeyPlan::Source(alternatives) = key else {
            nth = true;
            continue;
        };
        let mut found = false;
        for alternative in alternatives {
            found = match alternative {
                KeyAlternative::Constant(text) => {
                    add(&mut parts, text.as_bytes());
                    true
                }
                KeyAlternative::Path(path, canon) => {
                    let canonical = |parts: &mut Vec<u8>| match node(path, at, maker.reading, instead) {
                        Some(node) => add_canonical(parts, node, *canon, maker.systems, decoded),
                        None => false,
                    };
                    match (&path.root, instead) {
                        // Many instances name the same patient and the same order.
                        (Root::Nearest(name), None) => {
                            let place = maker.reading.nearest(name, at);
                            let mut known = maker.reading.keys.borrow_mut();
                            let known = known.entry((std::ptr::from_ref(path) as usize, place)).or_insert_with(|| {
                                let mut parts = Vec::new();
                                canonical(&mut parts);
                                parts
                            });
                            parts.extend_from_slice(known);
                            !known.is_empty()
                        }
                        _ => canonical(&mut parts),
                    }
                }
            };
            if found {
                break;
            }
        }
        if !found && number == 0 {
            return None;
        }
        if !found {
            add(&mut parts, b"");
        }
    }
    Some(Keyed { digest: Sha256::new_with_prefix(&parts), nth })
}

/// The id of a resource whose key is not valued: message and ordinal, of a row or an element its own text.
pub(crate) fn weak<'m>(
    site: &str,
    kind: ResourceType,
    reading: &Reading<'m>,
    at: At<'_, 'm>,
    ordinal: u32,
) -> LogicalId {
    if let Some(text) = reading.own_text(at) {
        // A document has no header that all senders fill; the record itself tells it from others.
        let mut parts = start(site, kind);
        add(&mut parts, text.as_bytes());
        return logical_id(Sha256::new_with_prefix(&parts));
    }
    let header = reading.message.header();
    let mut parts = start(site, kind);
    for text in [header.sending_application(), header.sending_facility(), header.control_id()] {
        add(&mut parts, text.as_bytes());
    }
    add(&mut parts, &ordinal.to_le_bytes());
    logical_id(Sha256::new_with_prefix(&parts))
}

fn start(site: &str, kind: ResourceType) -> Vec<u8> {
    let mut parts = Vec::with_capacity(KEY_BYTES);
    add(&mut parts, site.as_bytes());
    add(&mut parts, kind.as_str().as_bytes());
    parts
}

/// Each part with its length in front, so that no two lists of parts run together.
fn add(parts: &mut Vec<u8>, part: &[u8]) {
    parts.extend_from_slice(&(part.len() as u32).to_le_bytes());
    parts.extend_from_slice(part);
}

fn node<'m>(path: &PathPlan, at: At<'_, 'm>, reading: &Reading<'m>, instead: Option<Instead<'_>>) -> Option<Node<'m>> {
    let mut found = None;
    let mut take = |node: Node<'m>| {
        if valued(node) && !is_placeholder(node, reading) {
            found = Some(node);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    match instead {
        Some(instead) if path.field == instead.of.field && matches!(path.root, Root::Own) => {
            let path = PathPlan { root: Root::Own, field: instead.field, ..path.clone() };
            let at = At::of(reading.message.segment(instead.segment));
            reading.visit(&path, at, &mut |seen| take(seen.node));
        }
        // Another field of the resource's own segment says nothing about the other one.
        Some(_) if matches!(path.root, Root::Own) => {}
        _ => reading.visit(path, at, &mut |seen| take(seen.node)),
    }
    found
}

/// The identifier behind a key that is read from other fields: authority, value, type code of table 0203.
pub(crate) fn identifier<'m>(
    maker: Maker<'_, 'm>,
    plan: &IdPlan,
    at: At<'_, 'm>,
    instead: Instead<'_>,
) -> Option<(String, String, Option<String>)> {
    let paths = plan.keys.iter().flat_map(|key| match key {
        KeyPlan::Source(alternatives) => alternatives.as_slice(),
        KeyPlan::Nth => &[],
    });
    let (found, canon) = paths.into_iter().find_map(|alternative| match alternative {
        KeyAlternative::Path(path, canon) => Some((node(path, at, maker.reading, Some(instead))?, *canon)),
        KeyAlternative::Constant(_) => None,
    })?;
    let text = |number| {
        let leaf = first_leaf(part(found, number));
        valued(leaf).then(|| leaf.text().trim().to_owned())
    };
    let Canon::Parts { value, value_else, authority: place, .. } = canon else {
        return Some((String::new(), first_leaf(found).text().trim().to_owned(), None));
    };
    let value = text(value).or_else(|| text(value_else))?;
    let system = authority(part(found, place), maker.systems).map(|(uri, _)| uri.into_owned());
    Some((system.unwrap_or_default(), value, text(5)))
}

/// Documents and rows fill a place that must not be empty with dashes. As a key they would make one of many.
fn is_placeholder(node: Node<'_>, reading: &Reading<'_>) -> bool {
    let text = node.raw().trim();
    !text.is_empty()
        && text.chars().all(|c| matches!(c, '-' | '－' | '—' | '/'))
        && reading.message.format() != dukou_wire::Format::Er7
}

/// Adds system and value; false where there is no value.
fn add_canonical(parts: &mut Vec<u8>, node: Node<'_>, canon: Canon, systems: Option<&Table>, decoded: bool) -> bool {
    let Canon::Parts { value, value_else, authority: at, spread } = canon else {
        return add_whole(parts, node, decoded);
    };
    let text = |number| {
        let leaf = first_leaf(part(node, number));
        valued(leaf).then(|| leaf.text())
    };
    let Some(value) = text(value).or_else(|| text(value_else)) else { return false };
    let system = if spread {
        parted_authority(text(at), text(at + 1), text(at + 2), systems)
    } else {
        authority(part(node, at), systems)
    };
    add(parts, system.map_or(Cow::Borrowed(""), |(uri, _)| uri).as_bytes());
    add(parts, value.trim().as_bytes());
    true
}

fn add_whole(parts: &mut Vec<u8>, node: Node<'_>, decoded: bool) -> bool {
    add(parts, b"");
    if decoded {
        add(parts, node.trimmed().as_bytes());
    } else {
        add(parts, node.raw().trim().as_bytes());
    }
    true
}

/// The first 128 bits of the hash as 26 letters and digits.
fn logical_id(digest: Sha256) -> LogicalId {
    let bytes: [u8; 32] = digest.finalize().into();
    let bits = bytes[..16].iter().fold(0, |bits: u128, byte| bits << 8 | u128::from(*byte));
    let letter = |at: u32| {
        let five = if at < 25 { bits >> (123 - 5 * at) } else { bits << 2 };
        char::from(BASE32[(five & 31) as usize])
    };
    let text: String = (0..26).map(letter).collect();
    LogicalId::parse(&text).expect("26 letters and digits are an id")
}

/// Room for the parts of most keys.
const KEY_BYTES: usize = 256;
const BASE32: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
