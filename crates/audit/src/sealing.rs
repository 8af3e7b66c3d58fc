//! Pseudonyms, and the encrypted part of a record under the key of its month.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hmac;

use crate::clock::Random;

/// What seals records: the index key and the current epoch key.
pub(crate) struct Sealing {
    index: hmac::Key,
    current: RwLock<Arc<Epoch>>,
}

/// One epoch: a key for at most 2^32 records of about a month.
pub(crate) struct Epoch {
    pub(crate) number: u64,
    key: LessSafeKey,
    used: AtomicU64,
}

impl Epoch {
    pub(crate) fn new(number: u64, secret: &[u8; 32]) -> Option<Self> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, secret).ok()?);
        Some(Self { number, key, used: AtomicU64::new(0) })
    }

    /// Whether a new key should be made, long before the bound is met.
    pub(crate) fn worn(&self) -> bool {
        self.used.load(Ordering::Relaxed) > RECORDS_PER_KEY_MAX / 2
    }

    /// Nonce and ciphertext with its tag.
    fn seal(&self, random: &dyn Random, aad: &[u8], plain: &mut [u8]) -> Option<Vec<u8>> {
        if self.used.fetch_add(1, Ordering::Relaxed) >= RECORDS_PER_KEY_MAX {
            return None;
        }
        let mut nonce = [0; 12];
        random.fill(&mut nonce);
        let tag =
            self.key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), plain).ok()?;
        let mut sealed = Vec::with_capacity(12 + plain.len() + 16);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plain);
        sealed.extend_from_slice(tag.as_ref());
        Some(sealed)
    }

    /// The plain text, if key and associated data are right.
    pub(crate) fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, cipher) = sealed.split_first_chunk::<12>()?;
        let mut bytes = cipher.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.key.open_in_place(nonce, Aad::from(aad), &mut bytes).ok()?.len();
        bytes.truncate(plain);
        Some(bytes)
    }
}

impl Sealing {
    pub(crate) fn new(index: &[u8; 32], epoch: Arc<Epoch>) -> Self {
        Self { index: hmac::Key::new(hmac::HMAC_SHA256, index), current: RwLock::new(epoch) }
    }

    pub(crate) fn epoch(&self) -> Arc<Epoch> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn turn_to(&self, epoch: Arc<Epoch>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = epoch;
    }

    pub(crate) fn pseudonym(&self, patient: &str) -> [u8; 16] {
        pseudonym(&self.index, patient)
    }

    /// Epoch number and sealed bytes; `None` when the key is used up.
    pub(crate) fn seal(
        &self,
        random: &dyn Random,
        kind: u8,
        request: &[u8; 16],
        plain: &mut [u8],
    ) -> Option<(u64, Vec<u8>)> {
        let epoch = self.epoch();
        let sealed = epoch.seal(random, &associated(kind, request, epoch.number), plain)?;
        Some((epoch.number, sealed))
    }
}

/// First 16 bytes of HMAC-SHA-256 over `Patient/` and the logical id.
pub(crate) fn pseudonym(index: &hmac::Key, patient: &str) -> [u8; 16] {
    let mut context = hmac::Context::with_key(index);
    context.update(b"Patient/");
    context.update(patient.as_bytes());
    let tag = context.sign();
    let mut name = [0; 16];
    name.copy_from_slice(&tag.as_ref()[..16]);
    name
}

/// What the sealed part is bound to: record type, request id, epoch (big endian).
pub(crate) fn associated(kind: u8, request: &[u8; 16], epoch: u64) -> [u8; 25] {
    let mut aad = [0; 25];
    aad[0] = kind;
    aad[1..17].copy_from_slice(request);
    aad[17..].copy_from_slice(&epoch.to_be_bytes());
    aad
}

const RECORDS_PER_KEY_MAX: u64 = 1 << 32;
