//! Epoch keys on disk: each wrapped under the wrapping key, in a file named by its number.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::clock::Random;
use crate::recovery::{OpenError, io_error};
use crate::sealing::Epoch;
use crate::segment;
use crate::storage::{Files, read_all};

/// All epoch keys of a ledger by number. Numbers are `yyyymmss`: year, month, serial within the month.
pub(crate) struct Epochs {
    wrapping: LessSafeKey,
    known: BTreeMap<u64, Arc<Epoch>>,
}

impl Epochs {
    pub(crate) fn load(files: &dyn Files, wrapping: &[u8; 32]) -> Result<Self, OpenError> {
        let wrapping = UnboundKey::new(&AES_256_GCM, wrapping).map_err(|_| OpenError::Crypto)?;
        let mut epochs = Self { wrapping: LessSafeKey::new(wrapping), known: BTreeMap::new() };
        for name in files.list(segment::KEYS).map_err(io_error("list the epoch keys"))? {
            let number = name.strip_suffix(".key").and_then(|stem| stem.parse().ok());
            if let Some(number) = number {
                epochs.load_one(files, number)?;
            }
        }
        Ok(epochs)
    }

    fn load_one(&mut self, files: &dyn Files, number: u64) -> Result<(), OpenError> {
        let bytes = read_all(files, &path(number)).map_err(io_error("read an epoch key"))?;
        let epoch = self.unwrap(number, bytes).ok_or(OpenError::BadEpochKey { epoch: number })?;
        self.known.insert(number, Arc::new(epoch));
        Ok(())
    }

    fn unwrap(&self, number: u64, mut bytes: Vec<u8>) -> Option<Epoch> {
        let (nonce, cipher) = bytes.split_first_chunk_mut::<12>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let secret = self.wrapping.open_in_place(nonce, Aad::from(number.to_be_bytes()), cipher).ok()?;
        Epoch::new(number, (&*secret).try_into().ok()?)
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Arc<Epoch>> {
        self.known.get(&number)
    }

    /// Whether this epoch belongs to the month of this time.
    pub(crate) fn covers(&self, number: u64, wall_ns: i64) -> bool {
        self.known.contains_key(&number) && number / 100 == month(wall_ns)
    }

    /// The epoch to seal with at this time, made and kept durably if it does not exist or is worn.
    pub(crate) fn at(&mut self, files: &dyn Files, random: &dyn Random, wall_ns: i64) -> Result<Arc<Epoch>, OpenError> {
        let month = month(wall_ns);
        let newest = self.known.range(month * 100..=month * 100 + 99).next_back();
        let number = match newest {
            Some((_, epoch)) if !epoch.worn() => return Ok(Arc::clone(epoch)),
            Some((number, epoch)) if *number == month * 100 + 99 => return Ok(Arc::clone(epoch)),
            Some((number, _)) => number + 1,
            None => month * 100,
        };
        self.make(files, random, number)
    }

    fn make(&mut self, files: &dyn Files, random: &dyn Random, number: u64) -> Result<Arc<Epoch>, OpenError> {
        let (mut secret, mut nonce) = ([0; 32], [0; 12]);
        random.fill(&mut secret);
        random.fill(&mut nonce);
        let epoch = Arc::new(Epoch::new(number, &secret).ok_or(OpenError::Crypto)?);
        let mut wrapped = secret.to_vec();
        let aad = Aad::from(number.to_be_bytes());
        self.wrapping
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut wrapped)
            .map_err(|_| OpenError::Crypto)?;
        let bytes = [&nonce[..], &wrapped].concat();
        files.create_dir(segment::KEYS).map_err(io_error("make the folder of epoch keys"))?;
        segment::write_file(files, segment::KEYS, &path(number), &bytes).map_err(io_error("write an epoch key"))?;
        files.sync_dir("").map_err(io_error("sync the ledger's folder"))?;
        self.known.insert(number, Arc::clone(&epoch));
        Ok(epoch)
    }
}

fn path(number: u64) -> String {
    format!("{}/{number}.key", segment::KEYS)
}

/// `yyyymm` of a time, by the civil calendar (days since 1970 counted in eras of 400 years).
fn month(wall_ns: i64) -> u64 {
    let days = wall_ns.div_euclid(86_400_000_000_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    u64::try_from(year * 100 + month).unwrap_or(0)
}
