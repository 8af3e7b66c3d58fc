//! Notes: signed statements "so many leaves, this root", as C2SP signed notes with a checkpoint as text.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::keys::Keys;
use crate::record::sha256;
use crate::tree::Hash;

/// What a note says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

impl Note {
    /// The signed text, with the empty line that ends it in the notes file.
    pub(crate) fn sign(&self, origin: &str, keys: &Keys) -> String {
        let text = self.text(origin);
        let mut signature = key_hash(origin, &keys.public()).to_vec();
        signature.extend_from_slice(&keys.sign(text.as_bytes()));
        format!("{text}\n\u{2014} {origin} {}\n\n", STANDARD.encode(signature))
    }

    fn text(&self, origin: &str) -> String {
        format!("{origin}\n{}\n{}\n", self.size, STANDARD.encode(self.root))
    }

    /// Reads the note at the start of the bytes and checks its signature; the second value is its length.
    pub(crate) fn parse(bytes: &[u8], origin: &str, public: &[u8; 32]) -> Option<(Self, usize)> {
        let end = bytes.windows(2).position(|two| two == b"\n\n")?;
        let close = bytes[end + 2..].windows(2).position(|two| two == b"\n\n")?;
        let len = end + 2 + close + 2;
        let text = std::str::from_utf8(&bytes[..len]).ok()?;
        let mut lines = text.split('\n');
        if lines.next()? != origin {
            return None;
        }
        let size = lines.next()?.parse().ok()?;
        let root = STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
        let note = Self { size, root };
        let signature = lines.nth(1)?.strip_prefix("\u{2014} ")?.strip_prefix(origin)?.strip_prefix(' ')?;
        let signature = STANDARD.decode(signature).ok()?;
        let (hash, signature) = signature.split_first_chunk::<4>()?;
        // The text is made again, so that a note has one spelling only.
        let text = note.text(origin);
        let exact = bytes.starts_with(text.as_bytes()) && *hash == key_hash(origin, public);
        let key = UnparsedPublicKey::new(&ED25519, public);
        (exact && key.verify(text.as_bytes(), signature).is_ok()).then_some((note, len))
    }
}

/// Every note of a notes file in order, and the offset at which the first unreadable one starts (or the end).
pub(crate) fn parse_all(bytes: &[u8], origin: &str, public: &[u8; 32]) -> (Vec<Note>, usize) {
    let mut notes = Vec::new();
    let mut at = 0;
    while let Some((note, len)) = Note::parse(&bytes[at..], origin, public) {
        notes.push(note);
        at += len;
    }
    (notes, at)
}

/// First four bytes of SHA-256 over name, line feed, algorithm 1 and public key.
fn key_hash(origin: &str, public: &[u8; 32]) -> [u8; 4] {
    let mut bytes = origin.as_bytes().to_vec();
    bytes.extend_from_slice(&[b'\n', ED25519_ALGORITHM]);
    bytes.extend_from_slice(public);
    let mut hash = [0; 4];
    hash.copy_from_slice(&sha256(&bytes)[..4]);
    hash
}

/// The verifier key line: name, key hash in hexadecimal, base64 of algorithm and public key.
pub(crate) fn verifier_key(origin: &str, public: &[u8; 32]) -> String {
    let hash = u32::from_be_bytes(key_hash(origin, public));
    let mut bytes = vec![ED25519_ALGORITHM];
    bytes.extend_from_slice(public);
    format!("{origin}+{hash:08x}+{}", STANDARD.encode(bytes))
}

/// The public key of a verifier key line of this origin.
pub(crate) fn public_key(origin: &str, line: &str) -> Option<[u8; 32]> {
    let (hash, key) = line.strip_prefix(origin)?.strip_prefix('+')?.split_once('+')?;
    let key = STANDARD.decode(key).ok()?;
    let public: [u8; 32] = key.strip_prefix(&[ED25519_ALGORITHM])?.try_into().ok()?;
    let expected = u32::from_be_bytes(key_hash(origin, &public));
    (u32::from_str_radix(hash, 16).ok()? == expected).then_some(public)
}

const ED25519_ALGORITHM: u8 = 1;
