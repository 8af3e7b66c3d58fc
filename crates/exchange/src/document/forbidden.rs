//! What a card payload says and nobody may keep: tokens that serve once, balances, employers, PINs, signatures.

use bytes::Bytes;
use dukou_identity::forbidden::{TOKENS, is_forbidden, speaks_of};
use dukou_mapping::Program;
use dukou_wire::{Message, Path, Presence, xml};

use crate::Link;

/// The bytes of a document as they may be kept, and what was cut out of them. Where it cannot be opened and speaks of something
/// forbidden, nothing of it is kept.
pub(super) fn cut(raw: &Bytes, link: &Link, program: &Program) -> (Bytes, Vec<String>) {
    let (mut kept, mut paths) = (raw.clone(), Vec::new());
    for _ in 0..PASSES_MAX {
        let opened = program.open(&kept, &link.limits, &link.site);
        match opened.ok().map(|(message, _)| look(&message, link)) {
            Some(Found::Nothing) => return (kept, paths),
            Some(Found::Cut(bytes, found)) => {
                kept = Bytes::from(bytes);
                paths.extend(found);
            }
            None if !speaks_of(&kept) => return (kept, paths),
            Some(Found::Stuck) | None => break,
        }
    }
    paths.push("/".to_owned());
    (Bytes::new(), paths)
}

/// What one look at a document found.
enum Found {
    Nothing,
    /// The whole bytes without it, and where it was.
    Cut(Vec<u8>, Vec<String>),
    /// Something that cannot be cut out.
    Stuck,
}

/// Looks at a document, then at the documents that stand in it as text.
fn look(message: &Message<'_>, link: &Link) -> Found {
    let paths = leaves(message);
    if !paths.is_empty() {
        return match message.strip(&paths) {
            Ok(stripped) if stripped.cut.is_empty() => Found::Stuck,
            Ok(stripped) => Found::Cut(stripped.bytes, stripped.cut.iter().map(ToString::to_string).collect()),
            Err(_) => Found::Stuck,
        };
    }
    for element in xml::wrapped(message) {
        let inner = xml::inner(element, &link.limits, &link.site);
        match inner.map(|(inner, _)| look(&inner, link)) {
            Ok(Found::Nothing) | Err(_) => {}
            Ok(found) => return found,
        }
    }
    Found::Nothing
}

/// The leaves of a document that say something and may not be kept: by name, wherever they stand.
fn leaves(message: &Message<'_>) -> Vec<Path> {
    let said = message.leaves().filter(|leaf| leaf.node.presence() == Presence::Value);
    let paths = said.map(|leaf| leaf.path(message));
    let named = paths.filter(|path| name_of(path).is_some_and(|name| is_forbidden(&name)));
    named.chain(tokens(message)).collect()
}

/// A number beside a kind that makes it a token.
fn tokens<'m>(message: &'m Message<'_>) -> impl Iterator<Item = Path> + use<'m> {
    let elements = message.root().into_iter().flat_map(|root| root.descendants());
    elements.filter_map(|element| {
        let (kind, values) = TOKENS.iter().find(|token| token.0 == element.name()).map(|token| (token.1, token.2))?;
        let beside = element.parent()?.child_value(kind);
        let says = !element.value().trimmed().is_empty();
        (says && values.contains(&beside.text().trim())).then(|| element.path())
    })
}

/// The last name of a path: of an element, a member, an attribute or a column.
fn name_of(path: &Path) -> Option<String> {
    let text = path.to_string();
    let last = text.rsplit(['/', '@']).next()?;
    Some(last.split('[').next().unwrap_or(last).trim_matches('"').to_owned())
}

/// Looks at one document: one for itself and one for each document within it that says something forbidden. More than these is an
/// attack, and nothing is kept.
const PASSES_MAX: usize = 32;
