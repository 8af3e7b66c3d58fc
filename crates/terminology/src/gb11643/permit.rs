//! Numbers of permits and cards that are not built like resident numbers, told by their form.

use super::Stripped;

/// What the form of a number says it may be. Forms overlap with numbers of other kinds, so this decides nothing without the type that is
/// stated beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permit {
    /// Three letters of the country and twelve digits: a foreigner's permanent residence card before 2023.
    ForeignPermanent,
    /// H or M and eight digits (or ten, with the count of issues): 港澳居民来往内地通行证.
    HongKongMacao,
    /// Eight digits: 台湾居民来往大陆通行证.
    Taiwan,
}

/// What permit a number may be by its form; blanks, full width and small letters are understood.
#[must_use]
pub fn permit(text: &str) -> Option<Permit> {
    let stripped = Stripped::of(text).ok()?;
    let bytes = stripped.bytes();
    let digits = |from: usize| bytes[from..].iter().all(u8::is_ascii_digit);
    match bytes.len() {
        15 if bytes[..3].iter().all(u8::is_ascii_uppercase) && digits(3) => Some(Permit::ForeignPermanent),
        9 | 11 if matches!(bytes[0], b'H' | b'M') && digits(1) => Some(Permit::HongKongMacao),
        8 if digits(0) => Some(Permit::Taiwan),
        _ => None,
    }
}
