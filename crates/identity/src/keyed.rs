//! Numbers as keys that tell nothing: keyed hashes under the secret of one site.
//!
//! Identity numbers are few enough to be tried one by one, so a plain hash of one is no secret. Everything here is HMAC-SHA-256
//! (RFC 2104, FIPS 180-4) under a key of the site, with a key of its own for each use: who learns a look-up key learns no token.

use std::fmt;
use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The secret of a site, ready for use. `Debug` shows its number only.
#[derive(Clone)]
pub struct SiteKey {
    key_id: u32,
    numbers: Hmac,
    tokens: Hmac,
    lookups: Hmac,
    warm: [u8; 32],
}

impl SiteKey {
    /// A key from 32 secret random bytes. `key_id` tells it from the keys before and after it.
    pub fn new(secret: [u8; 32], key_id: u32) -> SiteKey {
        let root = Hmac::new(&secret);
        let derived = |purpose: &str| Hmac::new(&root.of(&[purpose.as_bytes()]));
        SiteKey {
            key_id,
            numbers: derived("dukou identifier key v1"),
            tokens: derived("dukou capture token v1"),
            lookups: derived("dukou capture look-up v1"),
            warm: root.of(&[b"dukou warm tier v1"]),
        }
    }

    /// Which key this is.
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// The key of a number: 128 bits over its canonical system and its normalised value.
    pub fn key128(&self, system: &str, value: &str) -> u128 {
        // The length in front keeps (`ab`, `c`) and (`a`, `bc`) apart.
        let length = (system.len() as u64).to_le_bytes();
        let hash = self.numbers.of(&[&length, system.as_bytes(), value.as_bytes()]);
        let mut half = [0_u8; 16];
        half.copy_from_slice(&hash[..16]);
        u128::from_le_bytes(half)
    }

    /// The secret under which cards are sealed between two runs.
    pub fn warm_secret(&self) -> [u8; 32] {
        self.warm
    }

    /// The token that belongs to a nonce. The same nonce gives the same token, so the token itself is never kept.
    pub fn token(&self, nonce: &[u8; 16]) -> Token {
        Token(self.tokens.of(&[nonce]))
    }

    /// Under what a token is looked up: a keyed hash of it.
    pub fn lookup(&self, token: &Token) -> [u8; 32] {
        self.lookups.of(&[&token.0])
    }
}

impl fmt::Debug for SiteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// What a desk shows instead of a card: 32 bytes that say nothing about the person. It has no `Display`, `Debug` hides it, and two are
/// compared in constant time.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// Reads the 43 characters of [`Token::to_text`]; anything else is no token.
    pub fn parse(text: &str) -> Option<Token> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok()?;
        bytes.try_into().ok().map(Token)
    }

    /// The token as a desk carries it: base64url without padding (RFC 4648, section 5), fit for a QR code on a slip.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Token) -> bool {
        // Every byte is looked at, whatever the first ones say.
        let differing = self.0.iter().zip(&other.0).fold(0_u8, |bits, (a, b)| black_box(bits | (a ^ b)));
        black_box(differing) == 0
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// HMAC-SHA-256 whose two padded key blocks are hashed once, so that a short text costs two blocks.
#[derive(Clone)]
struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    /// A key of at most one block.
    fn new(key: &[u8; 32]) -> Hmac {
        let padded = |pad: u8| {
            let mut block = [pad; BLOCK_BYTES];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Sha256::new().chain_update(block)
        };
        Hmac { inner: padded(0x36), outer: padded(0x5c) }
    }

    fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        parts.iter().for_each(|part| inner.update(part));
        self.outer.clone().chain_update(inner.finalize()).finalize().into()
    }
}

/// The block of SHA-256.
const BLOCK_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Hmac, SiteKey, Token};

    fn hexadecimal(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Vectors of RFC 4231, sections 4.3 and 4.5; their keys are shorter than 32 bytes, and zeros behind a key do not change it.
    #[test]
    fn the_keyed_hash_is_that_of_the_published_vectors() {
        let key = |bytes: &[u8]| {
            let mut key = [0_u8; 32];
            key[..bytes.len()].copy_from_slice(bytes);
            Hmac::new(&key)
        };
        assert_eq!(
            hexadecimal(&key(b"Jefe").of(&[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let counting: Vec<u8> = (1..=25).collect();
        assert_eq!(
            hexadecimal(&key(&counting).of(&[&[0xcd; 50]])),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        );
    }

    #[test]
    fn a_number_has_another_key_in_each_system_and_at_each_site() {
        let (site, other) = (SiteKey::new([1; 32], 1), SiteKey::new([2; 32], 1));
        let key = site.key128("urn:a", "860101199012310192");
        assert_eq!(key, site.key128("urn:a", "860101199012310192"));
        assert_ne!(key, site.key128("urn:b", "860101199012310192"));
        assert_ne!(key, other.key128("urn:a", "860101199012310192"));
        assert_ne!(site.key128("ab", "c"), site.key128("a", "bc"));
    }

    #[test]
    fn a_token_follows_from_its_nonce_and_its_look_up_key_from_the_token() {
        let (site, other) = (SiteKey::new([1; 32], 1), SiteKey::new([2; 32], 1));
        let token = site.token(&[7; 16]);
        assert_eq!(token, site.token(&[7; 16]));
        assert_ne!(token, site.token(&[8; 16]));
        assert_ne!(token, other.token(&[7; 16]));
        assert_eq!(Token::parse(&token.to_text()), Some(token.clone()));
        assert_ne!(site.lookup(&token), token.0, "what is stored is not the token");
        assert_ne!(site.lookup(&token), other.lookup(&token));
    }

    #[test]
    fn neither_key_nor_token_shows_itself() {
        let site = SiteKey::new([0x41; 32], 3);
        assert_eq!(format!("{site:?}"), "SiteKey { key_id: 3, .. }");
        assert_eq!(format!("{:?}", site.token(&[1; 16])), "Token(..)");
    }

    #[test]
    fn what_is_no_token_is_refused_whatever_it_is() {
        let good = SiteKey::new([1; 32], 1).token(&[1; 16]).to_text();
        assert!(Token::parse(&format!(" {good}\n")).is_some());
        for bad in ["", "x", "彭䶮", &good[1..], &format!("{good}A"), &good.replace(&good[..1], "=")] {
            assert!(Token::parse(bad).is_none(), "{bad}");
        }
    }
}
