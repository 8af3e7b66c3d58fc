//! When two messages are the same message: HL7 v2 chapter 2, message control id.

use crate::Header;

/// What makes a message the same message: who sent it and what the sender calls it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The authenticated client.
    pub client: String,
    /// MSH-3 as written.
    pub application: String,
    /// MSH-4 as written.
    pub facility: String,
    /// MSH-10; where it is empty, the payload's hash in hexadecimal digits.
    pub control_id: String,
    /// The date of MSH-7, eight digits, where the site uses its control ids anew every day.
    pub date: Option<String>,
}

impl Key {
    /// The key of a message from `client` whose payload has this SHA-256.
    #[must_use]
    pub fn of(header: &Header<'_>, client: &str, sha256: &[u8; 32], ids_daily: bool) -> Self {
        let field = |number| header.segment().field(number).raw().to_owned();
        let stated = header.control_id();
        let control_id = if stated.trim().is_empty() {
            sha256.iter().map(|b| format!("{b:02x}")).collect()
        } else {
            stated.into_owned()
        };
        let date = ids_daily.then(|| header.date_time().chars().take(8).collect());
        Self { client: client.to_owned(), application: field(3), facility: field(4), control_id, date }
    }
}

/// How a message stands to what was received under its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing was received under this key.
    New,
    /// The same payload was received: the stored answer is sent again.
    Replay,
    /// Another payload was received under this key.
    Conflict,
}

/// Compares the SHA-256 of a payload with that of what was received under the same key.
#[must_use]
pub fn classify(received: Option<&[u8; 32]>, sha256: &[u8; 32]) -> Class {
    match received {
        None => Class::New,
        Some(known) if known == sha256 => Class::Replay,
        Some(_) => Class::Conflict,
    }
}
