//! gzip both ways (RFC 9110, 8.4), with a limit on size and on ratio.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use hyper::HeaderMap;
use hyper::header::ACCEPT_ENCODING;

/// Why a compressed body is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Not gzip, or cut short.
    Malformed,
    /// Larger than allowed, or growing more than 100:1.
    TooLarge,
}

/// Inflates a body up to `bytes_max`, and not beyond a hundred times its own size.
pub(crate) fn inflate(body: &[u8], bytes_max: usize) -> Result<Bytes, Refused> {
    let limit = bytes_max.min(body.len().saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES));
    let mut out = Vec::with_capacity(body.len().saturating_mul(4).min(limit));
    let read = MultiGzDecoder::new(body).take(limit as u64 + 1).read_to_end(&mut out);
    read.map_err(|_| Refused::Malformed)?;
    if out.len() > limit { Err(Refused::TooLarge) } else { Ok(Bytes::from(out)) }
}

/// Deflates an answer; none where it would not pay.
pub(crate) fn deflate(body: &[u8]) -> Option<Bytes> {
    if body.len() < WORTH_BYTES_MIN {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Whether the caller takes gzip.
pub(crate) fn accepted(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        let refused = weight.starts_with('0') && weight.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        matches!(name.trim(), "gzip" | "x-gzip" | "*") && !refused
    })
}

const RATIO_MAX: usize = 100;
/// Small bodies may grow to this size whatever their ratio.
const RATIO_FREE_BYTES: usize = 64 * 1024;
const WORTH_BYTES_MIN: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::{Refused, accepted, deflate, inflate};
    use hyper::HeaderMap;
    use hyper::header::{ACCEPT_ENCODING, HeaderValue};

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn what_was_deflated_is_inflated() {
        let body = noise(10_000);
        let small = deflate(&body).unwrap();
        assert_eq!(inflate(&small, 10_000).unwrap(), body);
        assert_eq!(inflate(&small, 9_999), Err(Refused::TooLarge));
        assert!(deflate(b"short").is_none());
    }

    #[test]
    fn a_bomb_is_stopped_by_its_ratio() {
        let bomb = deflate(&vec![b' '; 8 << 20]).unwrap();
        assert!(bomb.len() * 100 < 8 << 20);
        assert_eq!(inflate(&bomb, 64 << 20), Err(Refused::TooLarge));
    }

    #[test]
    fn what_is_not_gzip_or_is_cut_is_refused() {
        let body = deflate(&noise(5_000)).unwrap();
        assert_eq!(inflate(&body[..body.len() / 2], 10_000), Err(Refused::Malformed));
        assert_eq!(inflate(b"{\"resourceType\":\"Patient\"}", 10_000), Err(Refused::Malformed));
        assert_eq!(inflate(b"", 10_000).map(|bytes| bytes.len()), Err(Refused::Malformed));
    }

    #[test]
    fn gzip_is_given_where_it_is_taken() {
        for (line, taken) in
            [("gzip", true), ("br, gzip;q=0.5", true), ("gzip;q=0", false), ("identity", false), ("*", true)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(line));
            assert_eq!(accepted(&headers), taken, "{line}");
        }
        assert!(!accepted(&HeaderMap::new()));
    }
}
