//! The verbs of the command line that do not serve.

pub(crate) mod audit;
pub(crate) mod choice;
pub(crate) mod convert;
pub(crate) mod coverage;
pub(crate) mod init;
pub(crate) mod map;
mod outward;
