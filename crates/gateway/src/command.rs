//! The verbs of the command line that do not serve.

pub(crate) mod audit;
pub(crate) mod choice;
pub(crate) mod convert;
pub(crate) mod coverage;
pub(crate) mod identity;
pub(crate) mod init;
pub(crate) mod map;
mod messages;
mod outward;

/// Prints a line. A reader that has seen enough (`| head`) ends the program without a word.
pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    use std::io::Write;
    if writeln!(std::io::stdout().lock(), "{line}").is_err() {
        std::process::exit(0);
    }
}
