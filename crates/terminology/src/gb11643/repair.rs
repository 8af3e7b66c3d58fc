//! What a number with one slip of the hand may have been. A repair is a suspicion to compare with, never a correction.

use super::{LENGTH, ResidentNumber, Stripped, checked};

/// How a text differs from a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slip {
    /// One character is another.
    Substituted,
    /// Two neighbours have changed places.
    Swapped,
    /// One character is missing.
    Lost,
    /// One character stands twice.
    Doubled,
}

/// The numbers that a text may have been before one slip: one character substituted, two neighbours changed over, one lost, one doubled.
/// The stated birth date (`yyyy-MM-dd`) and sex (GB/T 2261.1) cut them, nearly always to one; `None` cuts nothing. A valid number has no
/// repairs. At most [`REPAIRS_MAX`], in order, each once.
#[must_use]
pub fn repairs(text: &str, birth_date: Option<&str>, sex: Option<char>) -> Vec<ResidentNumber> {
    let Ok(stripped) = Stripped::of(text) else { return Vec::new() };
    let stated = stripped.bytes();
    let mut found = Vec::new();
    let mut take = |bytes: [u8; LENGTH]| {
        let Ok(number) = checked(bytes) else { return };
        let fits =
            birth_date.is_none_or(|date| number.birth_date() == date) && sex.is_none_or(|sex| number.sex() == sex);
        if fits {
            found.push(number);
        }
    };
    match stated.len() {
        LENGTH => {
            let Ok(bytes) = <[u8; LENGTH]>::try_from(stated) else { return Vec::new() };
            if checked(bytes).is_ok() {
                return Vec::new();
            }
            substituted(bytes, &mut take);
            swapped(bytes, &mut take);
        }
        17 => lost(stated, &mut take),
        19 => doubled(stated, &mut take),
        _ => {}
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The most repairs that a text has: eighteen places with eleven characters each.
pub const REPAIRS_MAX: usize = LENGTH * CHARACTERS.len();

fn substituted(mut bytes: [u8; LENGTH], take: &mut impl FnMut([u8; LENGTH])) {
    for at in 0..LENGTH {
        let stated = bytes[at];
        for other in CHARACTERS {
            if other != stated {
                bytes[at] = other;
                take(bytes);
            }
        }
        bytes[at] = stated;
    }
}

fn swapped(mut bytes: [u8; LENGTH], take: &mut impl FnMut([u8; LENGTH])) {
    for at in 0..LENGTH - 1 {
        if bytes[at] != bytes[at + 1] {
            bytes.swap(at, at + 1);
            take(bytes);
            bytes.swap(at, at + 1);
        }
    }
}

/// One of seventeen characters has a neighbour that was lost.
fn lost(stated: &[u8], take: &mut impl FnMut([u8; LENGTH])) {
    for at in 0..LENGTH {
        let mut bytes = [0; LENGTH];
        bytes[..at].copy_from_slice(&stated[..at]);
        bytes[at + 1..].copy_from_slice(&stated[at..]);
        for other in CHARACTERS {
            bytes[at] = other;
            take(bytes);
        }
    }
}

/// One of nineteen characters stands beside itself.
fn doubled(stated: &[u8], take: &mut impl FnMut([u8; LENGTH])) {
    for at in (1..=LENGTH).filter(|at| stated[*at] == stated[at - 1]) {
        let mut bytes = [0; LENGTH];
        bytes[..at].copy_from_slice(&stated[..at]);
        bytes[at..].copy_from_slice(&stated[at + 1..]);
        take(bytes);
    }
}

/// The one slip that lies between what was stated and a number; nothing where they are equal or further apart.
#[must_use]
pub fn slip(stated: &str, number: &ResidentNumber) -> Option<Slip> {
    let stripped = Stripped::of(stated).ok()?;
    let (stated, number) = (stripped.bytes(), &number.0[..]);
    let head = stated.iter().zip(number).take_while(|(one, other)| one == other).count();
    match stated.len() {
        LENGTH if head == LENGTH => None,
        LENGTH if stated[head + 1..] == number[head + 1..] => Some(Slip::Substituted),
        LENGTH
            if head + 1 < LENGTH
                && stated[head] == number[head + 1]
                && stated[head + 1] == number[head]
                && stated[head + 2..] == number[head + 2..] =>
        {
            Some(Slip::Swapped)
        }
        17 if stated[head..] == number[head + 1..] => Some(Slip::Lost),
        // The doubled character agrees with the number once, so the head ends behind its first.
        19 if head > 0 && stated[head] == stated[head - 1] && stated[head + 1..] == number[head..] => {
            Some(Slip::Doubled)
        }
        _ => None,
    }
}

const CHARACTERS: [u8; 11] = *b"0123456789X";
