//! The folder of the warm tier, and the manifest by which a start knows the files of the run before.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Fresh;
use super::sealing::Sealing;

/// What the run before left when it closed the tier in good order.
pub(super) struct Manifest {
    /// The highest sequence that an entry was made of.
    pub(super) reflects: u64,
    /// The digest of every file, with its name and length.
    digest: [u8; 32],
}

impl Manifest {
    /// Describes the files of a closed tier, under a code of the site's key.
    pub(super) fn write(folder: &Path, sealing: &Sealing, reflects: u64) -> io::Result<()> {
        let manifest = Manifest { reflects, digest: digest(folder)? };
        let body = manifest.body();
        let mut code = sealing.code();
        code.update(&body);
        let mut file = File::create(folder.join(NAME))?;
        file.write_all(&body)?;
        file.write_all(code.sign().as_ref())?;
        file.sync_all()
    }

    /// The manifest of a folder; none where it is absent, of another layout or under another key.
    fn read(folder: &Path, sealing: &Sealing) -> Option<Manifest> {
        let mut bytes = Vec::new();
        File::open(folder.join(NAME)).ok()?.take(BYTES_MAX).read_to_end(&mut bytes).ok()?;
        let (body, code) = bytes.split_at_checked(BODY_BYTES)?;
        let rest = body.strip_prefix(LAYOUT)?;
        let (reflects, digest) = rest.split_first_chunk::<8>()?;
        sealing.confirms(body, code).then_some(())?;
        Some(Manifest { reflects: u64::from_le_bytes(*reflects), digest: digest.try_into().ok()? })
    }

    /// The manifest, taken away: from here on the files change, and without it no start trusts them.
    pub(super) fn take(folder: &Path, sealing: &Sealing) -> Option<Manifest> {
        let manifest = Manifest::read(folder, sealing)?;
        fs::remove_file(folder.join(NAME)).ok()?;
        Some(manifest)
    }

    fn body(&self) -> Vec<u8> {
        [LAYOUT, &self.reflects.to_le_bytes(), &self.digest].concat()
    }
}

/// Whether the files of a folder may be used, by their manifest and the head of the store.
pub(super) fn judge(folder: &Path, sealing: &Sealing, head: u64) -> Result<(), Fresh> {
    if fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none()) {
        return Err(Fresh::New);
    }
    let manifest = Manifest::read(folder, sealing).ok_or(Fresh::NotClosed)?;
    if manifest.reflects > head {
        return Err(Fresh::Ahead);
    }
    match digest(folder) {
        Ok(digest) if digest == manifest.digest => Ok(()),
        Ok(_) | Err(_) => Err(Fresh::Altered),
    }
}

/// Makes the folder, its owner's alone, with nothing in it.
pub(super) fn empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// One digest over names, lengths and bytes of all files but the manifest, in the order of their names.
fn digest(folder: &Path) -> io::Result<[u8; 32]> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                // Neither file nor folder was left by sled.
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
    files.retain(|path| *path != folder.join(NAME));
    files.sort();
    let mut whole = Sha256::new();
    for path in files {
        add(&mut whole, folder, &path)?;
    }
    Ok(whole.finalize().into())
}

fn add(whole: &mut Sha256, folder: &Path, path: &PathBuf) -> io::Result<()> {
    let name = path.strip_prefix(folder).unwrap_or(path).as_os_str().as_encoded_bytes().to_vec();
    let mut file = File::open(path)?;
    whole.update((name.len() as u64).to_le_bytes());
    whole.update(&name);
    whole.update(file.metadata()?.len().to_le_bytes());
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            n => whole.update(&buffer[..n]),
        }
    }
}

/// The manifest's name; sled has no file of this name.
const NAME: &str = "manifest";
/// Changes with everything that would make old files unreadable: layout of the manifest, of the entries, version of sled.
const LAYOUT: &[u8] = b"dukou warm 1, sled 0.34\n";
const BODY_BYTES: usize = LAYOUT.len() + 8 + 32;
/// A manifest is shorter than this.
const BYTES_MAX: u64 = 4096;
