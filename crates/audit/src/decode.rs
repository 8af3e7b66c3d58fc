//! Reading records back: a CBOR tree, and the few questions recovery asks of it.

use minicbor::data::Type;
use minicbor::decode::{Decoder, Error};

/// A CBOR value of the shapes that records use.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cbor {
    Int(i64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Cbor>),
    Map(Vec<(Cbor, Cbor)>),
    Bool(bool),
    Null,
    /// Anything a newer version may write.
    Other,
}

impl Cbor {
    /// Reads one value that fills the bytes; `None` if they are not CBOR.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        let value = read(&mut decoder, DEPTH_MAX).ok()?;
        (decoder.position() == bytes.len()).then_some(value)
    }

    pub(crate) fn key(&self, key: i64) -> Option<&Self> {
        self.find(&Self::Int(key))
    }

    pub(crate) fn name(&self, name: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else {
            return None;
        };
        let same = |key: &Self| matches!(key, Self::Text(text) if text == name);
        pairs.iter().find(|(key, _)| same(key)).map(|(_, value)| value)
    }

    fn find(&self, wanted: &Self) -> Option<&Self> {
        let Self::Map(pairs) = self else {
            return None;
        };
        pairs.iter().find(|(key, _)| key == wanted).map(|(_, value)| value)
    }

    pub(crate) fn at(&self, index: usize) -> Option<&Self> {
        self.items().get(index)
    }

    pub(crate) fn items(&self) -> &[Self] {
        if let Self::Array(items) = self { items } else { &[] }
    }

    pub(crate) fn int(&self) -> Option<i64> {
        if let Self::Int(n) = self { Some(*n) } else { None }
    }

    pub(crate) fn uint(&self) -> Option<u64> {
        self.int().and_then(|n| u64::try_from(n).ok())
    }

    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }
}

fn read(decoder: &mut Decoder<'_>, depth: usize) -> Result<Cbor, Error> {
    if depth == 0 {
        return Err(Error::message("nested too deeply"));
    }
    Ok(match decoder.datatype()? {
        Type::Bool => Cbor::Bool(decoder.bool()?),
        Type::Null => {
            decoder.null()?;
            Cbor::Null
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
            decoder.i64().map(Cbor::Int)?
        }
        Type::Bytes => Cbor::Bytes(decoder.bytes()?.to_vec()),
        Type::String => Cbor::Text(decoder.str()?.to_owned()),
        Type::Array => {
            let n = decoder.array()?.unwrap_or(0);
            let mut items = Vec::new();
            for _ in 0..n {
                items.push(read(decoder, depth - 1)?);
            }
            Cbor::Array(items)
        }
        Type::Map => {
            let n = decoder.map()?.unwrap_or(0);
            let mut pairs = Vec::new();
            for _ in 0..n {
                let key = read(decoder, depth - 1)?;
                pairs.push((key, read(decoder, depth - 1)?));
            }
            Cbor::Map(pairs)
        }
        _ => {
            decoder.skip()?;
            Cbor::Other
        }
    })
}

const DEPTH_MAX: usize = 16;
