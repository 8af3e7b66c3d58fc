//! Messages of a file, in whatever format.

use dukou_mapping::Program;
use dukou_wire::{Format, Issue, Limits, Message, NotAMessage, Site, batch, sniff};

/// Opens every message of a file: a v2 batch holds several, another document is one.
pub(crate) fn each(
    program: &Program,
    raw: &[u8],
    site: &Site,
    mut body: impl FnMut(Result<(Message<'_>, Vec<Issue>), NotAMessage>),
) {
    let limits = Limits::default();
    let mut parts: Vec<&[u8]> = match sniff(raw) {
        Format::Er7 => batch::Reader::new(raw, &limits).map(|part| part.bytes).collect(),
        _ => Vec::new(),
    };
    if parts.is_empty() {
        // Nothing in it begins like a v2 message: the parser says why, or it is another document.
        parts.push(raw);
    }
    for part in parts {
        match program.open(part, &limits, site) {
            // An envelope stands around the document that the maps speak of.
            Ok((envelope, issues)) => match program.wrapped(&envelope, &limits, site) {
                Some((inner, more)) => body(Ok((inner, issues.into_iter().chain(more).collect()))),
                None => body(Ok((envelope, issues))),
            },
            refused @ Err(_) => body(refused),
        }
    }
}
