//! Page links that nobody can make but us: a position, bound to client, policy and query by a keyed hash.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The key that signs page links; 32 random bytes of the runtime.
pub struct CursorKey([u8; 32]);

/// The starts of the pages walked so far: the last is the page asked for, those before it lead back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trail {
    starts: Vec<Vec<u8>>,
    /// Earlier starts were forgotten, so the way back ends before the first page.
    cut: bool,
}

/// What a page link belongs to. With any other client, policy or query it is refused.
#[derive(Clone, Copy)]
pub(crate) struct Bound<'a> {
    pub(crate) client: &'a str,
    pub(crate) policy: &'a [u8; 32],
    /// The path of the link.
    pub(crate) path: &'a str,
    /// The parameters of the link, the cursor apart.
    pub(crate) query: &'a str,
}

impl CursorKey {
    /// A key from 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> CursorKey {
        CursorKey(bytes)
    }

    /// The text of a page link's cursor.
    pub(crate) fn sign(&self, trail: &Trail, bound: Bound<'_>) -> String {
        let body = trail.to_bytes();
        let mut text = self.tag(&body, bound).to_vec();
        text.extend_from_slice(&body);
        URL_SAFE_NO_PAD.encode(text)
    }

    /// Reads a cursor; none if it was not signed by us for exactly this use.
    pub(crate) fn open(&self, text: &str, bound: Bound<'_>) -> Option<Trail> {
        if text.len() > CURSOR_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (tag, body) = bytes.split_at_checked(TAG_BYTES)?;
        let expected = self.tag(body, bound);
        let unlike = tag.iter().zip(expected).fold(0_u8, |unlike, (left, right)| unlike | (left ^ right));
        if unlike == 0 { Trail::from_bytes(body) } else { None }
    }

    fn tag(&self, body: &[u8], bound: Bound<'_>) -> [u8; TAG_BYTES] {
        let parts: [&[u8]; 5] =
            [bound.client.as_bytes(), bound.policy, bound.path.as_bytes(), bound.query.as_bytes(), body];
        let mut message = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part);
        }
        let whole = hmac_sha256(&self.0, &message);
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&whole[..TAG_BYTES]);
        tag
    }
}

impl Trail {
    /// Where the page asked for begins; none: at the beginning.
    pub(crate) fn here(&self) -> Option<&[u8]> {
        self.starts.last().map(Vec::as_slice)
    }

    /// The way to the page that begins at `start`.
    pub(crate) fn onward(&self, start: Vec<u8>) -> Trail {
        let mut onward = self.clone();
        onward.starts.push(start);
        if onward.starts.len() > STARTS_MAX {
            onward.starts.remove(0);
            onward.cut = true;
        }
        onward
    }

    /// The way to the page before; none on the first page and where the way back was forgotten.
    pub(crate) fn back(&self) -> Option<Trail> {
        let mut back = self.clone();
        back.starts.pop()?;
        (!back.starts.is_empty() || !back.cut).then_some(back)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.cut)];
        for start in &self.starts {
            bytes.extend_from_slice(&(start.len() as u32).to_be_bytes());
            bytes.extend_from_slice(start);
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Trail> {
        let (cut, mut rest) = bytes.split_first()?;
        let mut starts = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (start, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            starts.push(start.to_vec());
            rest = after;
        }
        Some(Trail { starts, cut: *cut != 0 })
    }
}

/// RFC 2104 over SHA-256; the key is not longer than a block.
fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let block = |pad: u8| {
        let mut block = [pad; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(block(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block(0x5c)).chain_update(inner).finalize().into()
}

const TAG_BYTES: usize = 16;
/// Pages that one can walk back.
const STARTS_MAX: usize = 16;
const CURSOR_CHARS_MAX: usize = 6_000;

#[cfg(test)]
mod tests {
    use super::{Bound, CursorKey, STARTS_MAX, Trail, hmac_sha256};

    const BOUND: Bound<'_> = Bound { client: "lab", policy: &[1; 32], path: "fhir/Patient", query: "family=%E7%8E%8B" };

    #[test]
    fn a_keyed_hash_is_the_published_one() {
        // RFC 4231, test case 1, its key padded with zeros to 32 bytes, which RFC 2104 says is the same key.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let hash = hmac_sha256(&key, b"Hi There");
        assert_eq!(hash[..8], [0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53]);
        assert_eq!(hash[28..], [0x2e, 0x32, 0xcf, 0xf7]);
    }

    #[test]
    fn a_cursor_comes_back_to_its_client_policy_and_query_only() {
        let key = CursorKey::new([7; 32]);
        let trail = Trail::default().onward(b"one".to_vec()).onward(Vec::new()).onward(b"three".to_vec());
        let text = key.sign(&trail, BOUND);
        assert_eq!(key.open(&text, BOUND), Some(trail));
        let others = [
            Bound { client: "his", ..BOUND },
            Bound { policy: &[2; 32], ..BOUND },
            Bound { path: "fhir/Person", ..BOUND },
            Bound { query: "family=%E6%9D%8E", ..BOUND },
        ];
        for other in others {
            assert!(key.open(&text, other).is_none());
        }
        assert!(CursorKey::new([8; 32]).open(&text, BOUND).is_none());
    }

    #[test]
    fn any_altered_character_is_refused() {
        let key = CursorKey::new([7; 32]);
        let text = key.sign(&Trail::default().onward(b"position".to_vec()), BOUND);
        for place in 0..text.len() {
            for other in ['A', 'x', '_', '='] {
                let mut altered: Vec<char> = text.chars().collect();
                if altered[place] == other {
                    continue;
                }
                altered[place] = other;
                let altered: String = altered.into_iter().collect();
                let opened = key.open(&altered, BOUND);
                // The last character may carry bits that no byte uses; then nothing was altered.
                assert!(opened.is_none() || place + 1 == text.len(), "{place}");
            }
        }
        assert!(key.open("", BOUND).is_none() && key.open("AAAA", BOUND).is_none());
    }

    #[test]
    fn the_way_back_ends_at_the_first_page_or_where_it_was_forgotten() {
        let trail = Trail::default().onward(b"a".to_vec()).onward(b"b".to_vec());
        let first = trail.back().and_then(|page| page.back()).unwrap();
        assert_eq!((first.here(), first.back()), (None, None));
        let far = (0..40_u8).fold(Trail::default(), |trail, page| trail.onward(vec![page]));
        let mut steps = 0;
        let mut at = far;
        while let Some(back) = at.back() {
            (at, steps) = (back, steps + 1);
        }
        assert_eq!(steps, STARTS_MAX - 1);
        assert!(at.here().is_some(), "never mistaken for the first page");
    }
}
