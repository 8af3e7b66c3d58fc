//! The few file operations the ledger needs, as a seam: the real disk, and one that fails on purpose.
//!
//! Paths are relative to the ledger's own folder, with `/` between the parts.

mod disk;
mod faulty;

pub use disk::Disk;
pub use faulty::{Fault, Faulty};

use std::io;

/// A folder tree with explicit durability: nothing is promised to survive before its sync returned success.
pub trait Files: Send + Sync {
    /// Creates a folder and those above it; an existing one is fine.
    ///
    /// # Errors
    /// What the system says.
    fn create_dir(&self, dir: &str) -> io::Result<()>;

    /// Names in a folder, sorted; a missing folder is empty.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Opens a file.
    ///
    /// # Errors
    /// What the system says; `NotFound` and `AlreadyExists` as usual.
    fn open(&self, path: &str, mode: Mode) -> io::Result<Box<dyn File>>;

    /// Moves a file, replacing what stands at the new path.
    ///
    /// # Errors
    /// What the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system says.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes creations, renames and removals in a folder durable.
    ///
    /// # Errors
    /// What the system says.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
}

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For reading only.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// Emptied if it exists, created otherwise; readable by the owner alone.
    Create,
}

/// One open file.
pub trait File: Send {
    /// Length in bytes.
    ///
    /// # Errors
    /// What the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether nothing is in it.
    ///
    /// # Errors
    /// What the system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads at an offset; fewer bytes than asked for only at the end.
    ///
    /// # Errors
    /// What the system says.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at an offset; may write less than all.
    ///
    /// # Errors
    /// What the system says.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes the bytes written so far durable (`fdatasync`).
    ///
    /// # Errors
    /// What the system says. After an error the file must not be synced again.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Cuts or grows the file and makes the new length durable.
    ///
    /// # Errors
    /// What the system says.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
}

/// Writes all bytes. An interrupted write is tried again; a write that stops short is an error.
///
/// # Errors
/// What the system says, or `WriteZero` for a short write.
pub fn write_all(file: &mut dyn File, bytes: &[u8], offset: u64) -> io::Result<()> {
    loop {
        match file.write_at(bytes, offset) {
            Ok(n) if n == bytes.len() => return Ok(()),
            Ok(_) => {
                return Err(io::Error::new(io::ErrorKind::WriteZero, "the write stopped short"));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads a whole file.
///
/// # Errors
/// What the system says.
pub fn read_all(files: &dyn Files, path: &str) -> io::Result<Vec<u8>> {
    let file = files.open(path, Mode::Read)?;
    let len = usize::try_from(file.len()?).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        match file.read_at(&mut bytes[done..], done as u64)? {
            0 => break,
            n => done += n,
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}
