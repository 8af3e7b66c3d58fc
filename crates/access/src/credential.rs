//! What a caller shows to say who it is. Only hashes are kept, and they are compared in constant time.

use sha2::{Digest, Sha256};

/// What the application layer of a request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// `Authorization: Bearer <token>` (RFC 6750).
    Bearer(&'a str),
    /// `Authorization: Basic`: the client id and its token as password (RFC 7617), for clients that know no other scheme.
    Basic {
        /// The client id.
        client: &'a str,
        /// The token.
        token: &'a str,
    },
    /// The listener itself belongs to one client: an MLLP port of a named peer.
    Listener(&'a str),
    /// Something that is none of the above: another scheme, two headers, a token in the URL.
    Unusable,
    /// Nothing. A client certificate of the connection may still name the client.
    None,
}

/// The client certificate of the connection, already verified against the listener's authorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// SHA-256 over the DER form.
    pub sha256: [u8; 32],
    /// The subject as text, for the record.
    pub subject_dn: &'a str,
}

/// How the bytes arrived. Static tokens are accepted where nobody can overhear or re-use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A loopback address or a Unix socket.
    Loopback,
    /// TLS with a client certificate.
    MutualTls,
    /// TLS without a client certificate.
    Tls,
    /// A plain connection from elsewhere: an MLLP peer of a named address list, or a named front.
    Plain,
}

/// The SHA-256 of a token, all that is kept of it.
#[derive(Clone, Copy)]
pub(crate) struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token.
    pub(crate) fn of(token: &[u8]) -> TokenHash {
        TokenHash(Sha256::digest(token).into())
    }

    /// A hash written in the file.
    pub(crate) fn from_bytes(hash: [u8; 32]) -> TokenHash {
        TokenHash(hash)
    }

    /// Compares without stopping at the first difference.
    pub(crate) fn same(&self, other: &TokenHash) -> bool {
        self.0.iter().zip(other.0).fold(0_u8, |unlike, (left, right)| unlike | (left ^ right)) == 0
    }
}

/// Reads 64 hexadecimal digits, with or without colons.
pub(crate) fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    if digits.len() != 64 {
        return None;
    }
    let mut hash = [0_u8; 32];
    for (place, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *place = u8::try_from(high * 16 + low).ok()?;
    }
    Some(hash)
}
