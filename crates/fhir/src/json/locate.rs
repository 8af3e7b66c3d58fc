//! From an expression back to the bytes that were sent.

use crate::Position;

/// Line and column of the element that an expression of ours names, `Patient.contact[0].name.family`, in the text it
/// came from. Trees carry no positions, so that the usual case pays nothing; a fault reads the text once more.
///
/// A choice element is named by its base, `Observation.value`. Where the element itself is missing, the place is that
/// of the innermost part that is there. Nothing for bytes that are no JSON object.
pub fn locate(bytes: &[u8], expression: &str) -> Option<Position> {
    let mut scan = Scan { bytes, at: 0 };
    scan.skip_blanks();
    if scan.peek() != Some(b'{') {
        return None;
    }
    let mut place = scan.at;
    for step in expression.split('.').skip(1) {
        let (name, index) = match step.split_once('[') {
            Some((name, index)) => (name, index.trim_end_matches(']').parse().ok()),
            None => (step, None),
        };
        let Some(name_at) = scan.enter_member(name) else {
            break;
        };
        place = name_at;
        if let Some(index) = index {
            if !scan.enter_item(index) {
                break;
            }
            place = scan.at;
        }
    }
    Some(position(bytes, place))
}

/// A scan over text that has been parsed before; on any other text it stops, wherever that is.
struct Scan<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Scan<'b> {
    /// From the opening brace to the value of a member: that of the name, of the name with a type behind it (a choice),
    /// or of the name behind `_`. Gives where the member name stands.
    fn enter_member(&mut self, name: &str) -> Option<usize> {
        self.take(b'{')?;
        let mut weaker = None;
        loop {
            self.skip_blanks();
            let name_at = self.at;
            let Some(own) = self.string() else { break };
            self.skip_blanks();
            self.take(b':')?;
            self.skip_blanks();
            if own == name.as_bytes() {
                return Some(name_at);
            }
            if names(own, name) && weaker.is_none() {
                weaker = Some((name_at, self.at));
            }
            self.value()?;
            self.skip_blanks();
            if self.take(b',').is_none() {
                break;
            }
        }
        let (name_at, value_at) = weaker?;
        self.at = value_at;
        Some(name_at)
    }

    /// From the opening bracket to a member of the list.
    fn enter_item(&mut self, index: usize) -> bool {
        if self.take(b'[').is_none() {
            return false;
        }
        for _ in 0..index {
            self.skip_blanks();
            if self.value().is_none() {
                return false;
            }
            self.skip_blanks();
            if self.take(b',').is_none() {
                return false;
            }
        }
        self.skip_blanks();
        self.peek().is_some()
    }

    /// Goes past one value.
    fn value(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if depth > 0 => self.at += 1,
                _ => self.word()?,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Goes past a number or a word.
    fn word(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if matches!(byte, b',' | b':' | b'}' | b']' | b'{' | b'[' | b'"' | b' ' | b'\n' | b'\r' | b'\t') {
                break;
            }
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// Goes past a string and gives its bytes, escapes as they stand.
    fn string(&mut self) -> Option<&'b [u8]> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            let rest = self.bytes.get(self.at..)?;
            self.at += memchr::memchr2(b'"', b'\\', rest)?;
            if self.peek() == Some(b'"') {
                self.at += 1;
                return self.bytes.get(start..self.at - 1);
            }
            self.at += 2;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// Whether a member name is that of an element: with the type of a choice, or with the `_` of a primitive's extensions.
fn names(own: &[u8], element: &str) -> bool {
    let own = own.strip_prefix(b"_").unwrap_or(own);
    match own.strip_prefix(element.as_bytes()) {
        Some([]) => true,
        Some([first, ..]) => first.is_ascii_uppercase(),
        None => false,
    }
}

/// Line and column of an offset.
pub(super) fn position(bytes: &[u8], offset: usize) -> Position {
    let before = &bytes[..offset.min(bytes.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    let bounded = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Position { line: bounded(line), column: bounded(column) }
}
