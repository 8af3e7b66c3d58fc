//! The warm tier of a build without sled: it holds nothing.

use std::path::Path;

use super::WarmOptions;

pub(super) struct Tree;

impl Tree {
    #[allow(clippy::unnecessary_wraps, reason = "the same face as with sled")]
    pub(super) fn open(_: &Path, _: &WarmOptions) -> Option<Tree> {
        Some(Tree)
    }

    pub(super) fn read(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    pub(super) fn write(&self, _: &[([u8; 16], Option<Vec<u8>>)]) -> Option<()> {
        Some(())
    }

    pub(super) fn len(&self) -> usize {
        0
    }

    pub(super) fn size(&self) -> u64 {
        0
    }

    pub(super) fn close(self) -> bool {
        false
    }

    pub(super) fn failed(&self) -> bool {
        false
    }
}

pub(super) fn guarded<T>(act: impl FnOnce() -> T) -> Option<T> {
    Some(act())
}

/// This build has no warm tier.
pub(super) const LEFT_OUT: bool = true;
