//! JSON as FHIR needs it: lossless and strict.
//!
//! Numbers keep their text and members their order; what readers disagree on (duplicate names, lone surrogates, bytes
//! after the value) is refused with its place. The canonical print is minified with the fewest escapes (RFC 8259, 7):
//! parsing and printing canonical bytes gives the same bytes.

mod locate;
mod print;
mod read;

pub use locate::locate;
pub use print::{print, print_pretty, print_text};
pub use read::{Limits, ParseError, ParseErrorKind, parse};

#[cfg(test)]
mod tests;
