//! Notes and verifier keys, as C2SP signed notes write them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::tree::Hash;

/// The name of a log and the key its notes are signed with.
pub(crate) struct Origin {
    pub(crate) name: String,
    pub(crate) line: String,
    key: VerifyingKey,
    key_hash: [u8; 4],
}

/// A note whose signature is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

impl Origin {
    /// Reads `origin.json` in its one spelling.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("{\"origin\":\"")?;
        let (name, rest) = rest.split_once("\",\"hash\":\"sha256\",\"keys\":[\"")?;
        let (line, rest) = rest.split_once("\"],\"created_ns\":")?;
        let created: i64 = rest.strip_suffix("}\n")?.parse().ok()?;
        let spelt =
            format!("{{\"origin\":\"{name}\",\"hash\":\"sha256\",\"keys\":[\"{line}\"],\"created_ns\":{created}}}\n");
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_/:".contains(c);
        let fits = (1..=120).contains(&name.len()) && name.chars().all(plain) && spelt == text;
        if fits { Self::from_key_line(name, line) } else { None }
    }

    /// From a verifier key line `name+hash+key`.
    fn from_key_line(name: &str, line: &str) -> Option<Self> {
        let (hash, key) = line.strip_prefix(name)?.strip_prefix('+')?.split_once('+')?;
        let key = STANDARD.decode(key).ok()?;
        let digest = Sha256::new().chain_update(name).chain_update(b"\n").chain_update(&key).finalize();
        let key_hash: [u8; 4] = digest.first_chunk().copied()?;
        let public: [u8; 32] = key.strip_prefix(&[1])?.try_into().ok()?;
        let hash_fits = hash == format!("{:08x}", u32::from_be_bytes(key_hash));
        let key = VerifyingKey::from_bytes(&public).ok()?;
        hash_fits.then(|| Self { name: name.to_owned(), line: line.to_owned(), key, key_hash })
    }

    /// Reads and checks the note at the start of the bytes; the second value is its length with the empty line.
    pub(crate) fn note<'a>(&self, bytes: &'a [u8]) -> Option<(Note, usize)> {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let mut line = || lines.next().and_then(|line: &'a [u8]| std::str::from_utf8(line).ok());
        let (name, size, root) = (line()?, line()?, line()?);
        let (gap, signature, end) = (line()?, line()?, line()?);
        // A last line feed must follow the empty line.
        line()?;
        let number: u64 = size.parse().ok().filter(|n: &u64| n.to_string() == size)?;
        let root_hash: Hash = STANDARD.decode(root).ok()?.try_into().ok()?;
        let code = signature.strip_prefix("\u{2014} ")?.strip_prefix(self.name.as_str())?.strip_prefix(' ')?;
        let code = STANDARD.decode(code).ok()?;
        let (hash, code) = code.split_first_chunk::<4>()?;
        let code = Signature::from_slice(code).ok()?;
        let text = format!("{name}\n{size}\n{root}\n");
        let right = name == self.name
            && gap.is_empty()
            && end.is_empty()
            && *hash == self.key_hash
            && self.key.verify_strict(text.as_bytes(), &code).is_ok();
        right.then(|| (Note { size: number, root: root_hash }, text.len() + 1 + signature.len() + 2))
    }

    /// All notes of a file, and where there are unreadable bytes: the size noted before them, and whether they are only
    /// the torn end of the file.
    pub(crate) fn notes(&self, bytes: &[u8]) -> (Vec<Note>, Vec<(u64, bool)>) {
        let (mut notes, mut broken): (Vec<Note>, _) = (Vec::new(), Vec::new());
        let start = format!("\n\n{}\n", self.name);
        let mut at = 0;
        while at < bytes.len() {
            if let Some((note, len)) = self.note(&bytes[at..]) {
                notes.push(note);
                at += len;
                continue;
            }
            let torn = bytes[at..].windows(2).filter(|two| two == b"\n\n").count() < 2;
            broken.push((notes.last().map_or(0, |note| note.size), torn));
            let next = bytes[at..].windows(start.len()).position(|window| window == start.as_bytes());
            at = next.map_or(bytes.len(), |next| at + next + 2);
        }
        (notes, broken)
    }
}
