//! CBOR in its deterministic form (RFC 8949, section 4.2): shortest heads, definite lengths, rising keys.

/// Writes CBOR at the end of a buffer.
#[derive(Default)]
pub(crate) struct Cbor(pub(crate) Vec<u8>);

impl Cbor {
    pub(crate) fn head(&mut self, major: u8, n: u64) -> &mut Self {
        let major = major << 5;
        let bytes = n.to_be_bytes();
        match n {
            0..24 => self.0.push(major | bytes[7]),
            24..0x100 => self.0.extend_from_slice(&[major | 24, bytes[7]]),
            0x100..0x1_0000 => self.0.extend_from_slice(&[major | 25, bytes[6], bytes[7]]),
            0x1_0000..0x1_0000_0000 => {
                self.0.push(major | 26);
                self.0.extend_from_slice(&bytes[4..]);
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend_from_slice(&bytes);
            }
        }
        self
    }

    pub(crate) fn uint(&mut self, n: u64) -> &mut Self {
        self.head(0, n)
    }

    pub(crate) fn int(&mut self, n: i64) -> &mut Self {
        match u64::try_from(n) {
            Ok(n) => self.head(0, n),
            Err(_) => self.head(1, n.unsigned_abs() - 1),
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(2, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Text, cut at the bound so that a hostile header cannot swell the ledger.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.text_up_to(text, TEXT_BYTES_MAX)
    }

    pub(crate) fn text_up_to(&mut self, text: &str, max: usize) -> &mut Self {
        let text = &text[..text.floor_char_boundary(max)];
        self.head(3, text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    pub(crate) fn texts(&mut self, texts: &[String]) -> &mut Self {
        let texts = &texts[..texts.len().min(TEXTS_MAX)];
        self.array(texts.len());
        for text in texts {
            self.text(text);
        }
        self
    }

    pub(crate) fn array(&mut self, n: usize) -> &mut Self {
        self.head(4, n as u64)
    }

    pub(crate) fn map(&mut self, n: usize) -> &mut Self {
        self.head(5, n as u64)
    }

    pub(crate) fn bool(&mut self, value: bool) -> &mut Self {
        self.0.push(if value { 0xf5 } else { 0xf4 });
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        self.0.push(0xf6);
        self
    }

    pub(crate) fn uint_or_null(&mut self, n: Option<u64>) -> &mut Self {
        match n {
            Some(n) => self.uint(n),
            None => self.null(),
        }
    }

    pub(crate) fn text_or_null(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.null(),
        }
    }
}

/// A map with small integer keys in rising order, some of them absent. Fewer than 256 keys.
pub(crate) struct Keyed {
    pub(crate) cbor: Cbor,
    start: usize,
    keys: u8,
    last: Option<u64>,
}

impl Keyed {
    /// Starts the map at the end of the buffer.
    pub(crate) fn new(mut cbor: Cbor) -> Self {
        let start = cbor.0.len();
        cbor.0.push(0);
        Self { cbor, start, keys: 0, last: None }
    }

    /// Starts an entry; the value must follow.
    pub(crate) fn key(&mut self, key: u64) -> &mut Cbor {
        debug_assert!(self.last.is_none_or(|last| last < key), "keys rise");
        self.last = Some(key);
        self.keys += 1;
        self.cbor.uint(key)
    }

    pub(crate) fn text(&mut self, key: u64, text: Option<&str>) {
        if let Some(text) = text {
            self.key(key).text(text);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// Closes the map and gives the buffer back.
    pub(crate) fn end(mut self) -> Cbor {
        if self.keys < 24 {
            self.cbor.0[self.start] = 0xa0 | self.keys;
        } else {
            self.cbor.0[self.start] = self.keys;
            self.cbor.0.insert(self.start, 0xb8);
        }
        self.cbor
    }
}

/// Longest single text outside the query, in bytes.
const TEXT_BYTES_MAX: usize = 512;
/// Most texts in one list.
const TEXTS_MAX: usize = 64;
