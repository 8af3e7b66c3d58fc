//! The bytes of a page cursor: the values sorted by, and the resource number.

use crate::error::Error;
use crate::version::Cursor;

/// The values a resource is sorted by, one a sort key; absent values come last.
pub(super) type SortKey = Vec<Option<Vec<u8>>>;

/// The last match of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) key: SortKey,
    pub(super) res: u64,
}

impl Place {
    pub(super) fn encode(&self) -> Cursor {
        let mut bytes = vec![VERSION, self.key.len() as u8];
        for value in &self.key {
            match value {
                None => bytes.push(0),
                Some(value) => {
                    bytes.push(1);
                    bytes.extend((value.len() as u32).to_be_bytes());
                    bytes.extend_from_slice(value);
                }
            }
        }
        bytes.extend(self.res.to_be_bytes());
        Cursor(bytes)
    }

    /// A place in an order of `keys` sort keys.
    pub(super) fn decode(cursor: &Cursor, keys: usize) -> Result<Place, Error> {
        let mut rest = Rest(&cursor.0);
        if rest.take(1)? != [VERSION] || usize::from(rest.take(1)?[0]) != keys {
            return Err(Error::BadCursor);
        }
        let mut key = Vec::with_capacity(keys);
        for _ in 0..keys {
            key.push(match rest.take(1)? {
                [0] => None,
                [1] => {
                    let length = u32::from_be_bytes(rest.array()?);
                    Some(rest.take(length as usize)?.to_vec())
                }
                _ => return Err(Error::BadCursor),
            });
        }
        let res = u64::from_be_bytes(rest.array()?);
        if rest.0.is_empty() { Ok(Place { key, res }) } else { Err(Error::BadCursor) }
    }
}

struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Error::BadCursor)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(N)?.try_into().map_err(|_| Error::BadCursor)
    }
}

const VERSION: u8 = 1;
