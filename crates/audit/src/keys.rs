//! The three keys of a ledger, each in a file of its own that nobody but its owner may read.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::clock::Random;

/// Signing key (Ed25519), index key (HMAC-SHA-256) and wrapping key (AES-256-GCM).
pub struct Keys {
    signing: Ed25519KeyPair,
    pub(crate) index: [u8; 32],
    pub(crate) wrapping: [u8; 32],
}

impl Keys {
    /// Makes three new keys in a folder, each in its own file with mode 0600. An existing key file is never replaced.
    ///
    /// # Errors
    /// [`KeysError`] names the file.
    pub fn create(dir: &Path, random: &dyn Random) -> Result<Self, KeysError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| KeysError::Write { path, source }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
        let mut secrets = [[0_u8; 32]; 3];
        for (secret, name) in secrets.iter_mut().zip(NAMES) {
            random.fill(secret);
            let path = dir.join(file_name(name));
            let line = format!("{}{}\n", prefix(name), STANDARD.encode(*secret));
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&path).map_err(at(&path))?;
            file.write_all(line.as_bytes()).and_then(|()| file.sync_all()).map_err(at(&path))?;
        }
        fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))?;
        Self::from_secrets(secrets)
    }

    /// Loads the three keys of a folder.
    ///
    /// # Errors
    /// [`KeysError`] names the file; a file that others may read is refused.
    pub fn load(dir: &Path) -> Result<Self, KeysError> {
        let mut secrets = [[0_u8; 32]; 3];
        for (secret, name) in secrets.iter_mut().zip(NAMES) {
            *secret = load_one(&dir.join(file_name(name)), name)?;
        }
        Self::from_secrets(secrets)
    }

    /// Three keys that live in memory alone. For tests and simulation.
    ///
    /// # Errors
    /// [`KeysError::Unusable`] if the signing seed is refused.
    pub fn generate(random: &dyn Random) -> Result<Self, KeysError> {
        let mut secrets = [[0_u8; 32]; 3];
        secrets.iter_mut().for_each(|secret| random.fill(secret));
        Self::from_secrets(secrets)
    }

    fn from_secrets([signing, index, wrapping]: [[u8; 32]; 3]) -> Result<Self, KeysError> {
        let signing = Ed25519KeyPair::from_seed_unchecked(&signing).map_err(|_| KeysError::Unusable)?;
        Ok(Self { signing, index, wrapping })
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.signing.sign(message).as_ref().to_vec()
    }

    /// The public half of the signing key.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.signing.public_key().as_ref());
        public
    }
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A key file cannot be read.
    #[error("cannot read the key file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A key file cannot be written.
    #[error("cannot write the key file {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may read the key file.
    #[error("the key file {path} can be read by others (mode {mode:o}); run chmod 600 on it and consider the key lost")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not a key file of this kind.
    #[error("{path} is not a key file of the expected kind")]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
    /// The cryptographic library refuses the key.
    #[error("the signing key is refused")]
    Unusable,
}

fn load_one(path: &Path, name: &str) -> Result<[u8; 32], KeysError> {
    let at = |source| KeysError::Read { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(at)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeysError::Exposed { path: path.to_owned(), mode });
    }
    let text = fs::read_to_string(path).map_err(at)?;
    let code = text.trim_end().strip_prefix(&prefix(name));
    let secret = code.and_then(|code| STANDARD.decode(code).ok());
    let secret = secret.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    secret.ok_or_else(|| KeysError::NotAKey { path: path.to_owned() })
}

fn file_name(name: &str) -> String {
    format!("{name}.key")
}

fn prefix(name: &str) -> String {
    format!("dukou-{name}-key-1 ")
}

const NAMES: [&str; 3] = ["signing", "index", "wrapping"];
