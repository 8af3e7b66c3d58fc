//! As much of CBOR as the checks ask for: finding one value in a map and stepping over all others.

/// The value of an integer key in a map.
pub(crate) fn by_number(bytes: &[u8], wanted: u64) -> Option<&[u8]> {
    find(bytes, |major, n, _| major == 0 && n == wanted)
}

/// The value of a text key in a map.
pub(crate) fn by_name<'a>(bytes: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    find(bytes, |major, _, text| major == 3 && text == wanted.as_bytes())
}

/// The first item of an array.
pub(crate) fn first_item(bytes: &[u8]) -> Option<&[u8]> {
    let (major, n, rest) = head(bytes)?;
    (major == 4 && n > 0).then_some(rest)
}

/// An unsigned integer.
pub(crate) fn unsigned(bytes: &[u8]) -> Option<u64> {
    let (major, n, _) = head(bytes)?;
    (major == 0).then_some(n)
}

fn find(bytes: &[u8], is_wanted: impl Fn(u8, u64, &[u8]) -> bool) -> Option<&[u8]> {
    let (major, pairs, mut rest) = head(bytes)?;
    if major != 5 {
        return None;
    }
    for _ in 0..pairs {
        let (major, n, after) = head(rest)?;
        let text = if major == 3 { after.get(..usize::try_from(n).ok()?)? } else { &[] };
        let value = skip(rest, DEPTH_MAX)?;
        if is_wanted(major, n, text) {
            return Some(value);
        }
        rest = skip(value, DEPTH_MAX)?;
    }
    None
}

/// What follows the value at the start of the bytes.
fn skip(bytes: &[u8], depth: u32) -> Option<&[u8]> {
    let (major, n, mut rest) = head(bytes)?;
    let depth = depth.checked_sub(1)?;
    match major {
        2 | 3 => rest.get(usize::try_from(n).ok()?..),
        4 | 5 => {
            let items = if major == 4 { n } else { n.checked_mul(2)? };
            for _ in 0..items {
                rest = skip(rest, depth)?;
            }
            Some(rest)
        }
        6 => skip(rest, depth),
        _ => Some(rest),
    }
}

/// Major type, argument, rest. Indefinite lengths do not occur in the deterministic encoding.
fn head(bytes: &[u8]) -> Option<(u8, u64, &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (major, short) = (first >> 5, first & 31);
    let len = match short {
        0..24 => return Some((major, u64::from(short), rest)),
        24..28 => 1_usize << (short - 24),
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(len)?;
    let n = number.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    Some((major, n, rest))
}

const DEPTH_MAX: u32 = 16;
