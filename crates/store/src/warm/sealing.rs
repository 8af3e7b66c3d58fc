//! Sealing of entries and of the manifest under keys of the site.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use dukou_audit::Random;
use zeroize::Zeroizing;

/// The keys of one run.
pub(super) struct Sealing {
    entries: LessSafeKey,
    manifest: hmac::Key,
    /// Six random bytes of this run and a count: no nonce is used twice under one key, short of 2^24 runs.
    run: [u8; 6],
    count: AtomicU64,
}

impl Sealing {
    pub(super) fn new(secret: &[u8; 32], random: &dyn Random) -> Option<Sealing> {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |purpose: &[u8]| hmac::sign(&root, purpose);
        let entries = UnboundKey::new(&AES_256_GCM, derived(b"dukou warm entries v1").as_ref()).ok()?;
        let manifest = hmac::Key::new(hmac::HMAC_SHA256, derived(b"dukou warm manifest v1").as_ref());
        let mut run = [0; 6];
        random.fill(&mut run);
        Some(Sealing { entries: LessSafeKey::new(entries), manifest, run, count: AtomicU64::new(0) })
    }

    /// Nonce, ciphertext and tag; bound to the key that it stands under. None if the count of this run is used up.
    pub(super) fn seal(&self, key: u128, plain: &[u8]) -> Option<Vec<u8>> {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut nonce = [0; NONCE_BYTES];
        nonce[..6].copy_from_slice(&self.run);
        nonce[6..].copy_from_slice(&count.to_be_bytes()[2..]);
        if count >> 48 != 0 {
            return None;
        }
        let mut sealed = Zeroizing::new(plain.to_vec());
        let tag = self.entries.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(key.to_be_bytes()),
            &mut sealed,
        );
        Some([&nonce[..], &sealed, tag.ok()?.as_ref()].concat())
    }

    /// The plain bytes; none where they were not sealed under this key and place.
    pub(super) fn open(&self, key: u128, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let aad = Aad::from(key.to_be_bytes());
        let length = self.entries.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }

    /// A running code over the manifest.
    pub(super) fn code(&self) -> hmac::Context {
        hmac::Context::with_key(&self.manifest)
    }

    /// Whether the code of these bytes is this one.
    pub(super) fn confirms(&self, bytes: &[u8], code: &[u8]) -> bool {
        hmac::verify(&self.manifest, bytes, code).is_ok()
    }
}

const NONCE_BYTES: usize = 12;
