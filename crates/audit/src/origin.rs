//! The birth certificate of a log: `origin.json`, whose bytes are its first leaf.

use crate::note;

/// What `origin.json` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) name: String,
    pub(crate) public: [u8; 32],
}

impl Origin {
    /// The one spelling of the file. `None` for a name that a note could not carry.
    pub(crate) fn print(name: &str, public: &[u8; 32], created_ns: i64) -> Option<String> {
        let fits = (1..=NAME_BYTES_MAX).contains(&name.len());
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_/:".contains(&b);
        if !fits || !name.bytes().all(plain) {
            return None;
        }
        let key = note::verifier_key(name, public);
        Some(format!(
            "{{\"origin\":\"{name}\",\"hash\":\"sha256\",\"keys\":[\"{key}\"],\"created_ns\":{created_ns}}}\n"
        ))
    }

    /// Reads the file; any other spelling is refused, since the bytes are a leaf.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("{\"origin\":\"")?;
        let (name, rest) = rest.split_once("\",\"hash\":\"sha256\",\"keys\":[\"")?;
        let (key, rest) = rest.split_once("\"],\"created_ns\":")?;
        let created_ns = rest.strip_suffix("}\n")?.parse().ok()?;
        let public = note::public_key(name, key)?;
        (Self::print(name, &public, created_ns)? == text).then(|| Self { name: name.to_owned(), public })
    }
}

const NAME_BYTES_MAX: usize = 120;
