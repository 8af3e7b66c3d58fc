//! Logical ids: a hash over site, type and the business key, so that the same thing has the same id for ever.

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
            add(&mut self.digest, &nth.to_le_bytes());
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
    let mut digest = start(maker.site, kind);
    if let Some(parent) = parent {
        add(&mut digest, parent.as_str().as_bytes());
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
                    add(&mut digest, text.as_bytes());
                    true
                }
                KeyAlternative::Path(path, canon) => match node(path, at, maker.reading, instead) {
                    Some(node) => add_canonical(&mut digest, node, *canon, maker.systems, decoded),
                    None => false,
                },
            };
            if found {
                break;
            }
        }
        if !found && number == 0 {
            return None;
        }
        if !found {
            add(&mut digest, b"");
        }
    }
    Some(Keyed { digest, nth })
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
        let mut digest = start(site, kind);
        add(&mut digest, text.as_bytes());
        return logical_id(digest);
    }
    let header = reading.message.header();
    let mut digest = start(site, kind);
    for text in [header.sending_application(), header.sending_facility(), header.control_id()] {
        add(&mut digest, text.as_bytes());
    }
    add(&mut digest, &ordinal.to_le_bytes());
    logical_id(digest)
}

fn start(site: &str, kind: ResourceType) -> Sha256 {
    let mut digest = Sha256::new();
    add(&mut digest, site.as_bytes());
    add(&mut digest, kind.as_str().as_bytes());
    digest
}

/// Each part with its length in front, so that no two lists of parts run together.
fn add(digest: &mut Sha256, part: &[u8]) {
    digest.update((part.len() as u32).to_le_bytes());
    digest.update(part);
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
        _ => reading.visit(path, at, &mut |seen| take(seen.node)),
    }
    found
}

/// Documents and rows fill a place that must not be empty with dashes. As a key they would make one of many.
fn is_placeholder(node: Node<'_>, reading: &Reading<'_>) -> bool {
    let text = node.raw().trim();
    !text.is_empty()
        && text.chars().all(|c| matches!(c, '-' | '－' | '—' | '/'))
        && reading.message.format() != dukou_wire::Format::Er7
}

/// Adds system and value; false where there is no value.
fn add_canonical(digest: &mut Sha256, node: Node<'_>, canon: Canon, systems: Option<&Table>, decoded: bool) -> bool {
    let Canon::Parts { value, value_else, authority: at, spread } = canon else {
        return add_whole(digest, node, decoded);
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
    add(digest, system.map_or(String::new(), |(uri, _)| uri.into_owned()).as_bytes());
    add(digest, value.trim().as_bytes());
    true
}

fn add_whole(digest: &mut Sha256, node: Node<'_>, decoded: bool) -> bool {
    add(digest, b"");
    if decoded {
        add(digest, node.trimmed().as_bytes());
    } else {
        add(digest, node.raw().trim().as_bytes());
    }
    true
}

fn logical_id(digest: Sha256) -> LogicalId {
    let bytes: [u8; 32] = digest.finalize().into();
    let mut text = String::with_capacity(26);
    let (mut bits, mut held) = (0u32, 0);
    for byte in &bytes[..16] {
        bits = bits << 8 | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(char::from(BASE32[(bits >> held & 31) as usize]));
        }
    }
    text.push(char::from(BASE32[(bits << (5 - held) & 31) as usize]));
    LogicalId::parse(&text).expect("26 letters and digits are an id")
}

const BASE32: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
