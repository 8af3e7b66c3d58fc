//! Identity numbers as senders write them. A wrong number is carried and told, never refused for its digits.

use std::borrow::Cow;

use dukou_terminology::gb11643;

use super::{Hand, Made};
use crate::number::json_number;
use crate::refusal::Refusal;

/// A resident identity number (GB 11643): a small x is made capital, a wrong check digit is told.
pub(super) fn read<'m>(text: Cow<'m, str>, hand: &mut Hand<'_, 'm>) -> Result<Made<'m>, Refusal> {
    // A spreadsheet puts an apostrophe before a number that is text.
    let text = match text.strip_prefix('\'') {
        Some(rest) => {
            hand.note = Some("spreadsheet-mark");
            Cow::Owned(rest.to_owned())
        }
        None => text,
    };
    if text.contains("E+") && json_number(text.split('E').next().unwrap_or("")).is_some() {
        return Err(Refusal("id-as-number"));
    }
    let text = if text.ends_with('x') { Cow::Owned(text.to_ascii_uppercase()) } else { text };
    if text.len() == 18 && gb11643::check_digit(&text) != text.chars().next_back() {
        hand.note = Some("check-digit");
    }
    Ok(Made::new(text))
}
