//! The framing of HTTP/1.1 requests (RFC 9112), followed before hyper reads them.
//!
//! hyper is lenient where that is safe for one server alone: a bare LF ends a line, `Transfer-Encoding` silently outweighs
//! `Content-Length`. A front that reads such bytes in the other way sees other requests than we do, and one caller's bytes become
//! the head of another's request. So what two readers could cut differently is refused, whatever hyper would make of it. Heads are
//! looked at line by line, bodies are only counted; the result does not depend on how the stream was cut.

/// Where one connection stands.
pub(crate) struct Framing {
    place: Place,
    /// The part of the present line that came before.
    line: Vec<u8>,
    head: Head,
}

/// From where on the bytes must not be read any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    /// How many of the bytes given were still in order.
    pub(crate) after: usize,
    /// Whether the refused byte belongs to a head; otherwise to a body.
    pub(crate) in_head: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The first bytes of a connection, this many of which are those of the HTTP/2 preface.
    Opening(usize),
    Head,
    /// This many bytes of a body are still to come.
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    /// The line end behind the data of a chunk.
    ChunkEnd,
    Trailers,
    /// HTTP/2 has a framing of its own.
    Http2,
}

/// What the lines of a head said so far.
#[derive(Default)]
struct Head {
    begun: bool,
    minor: u8,
    /// The authority of a target in absolute form.
    authority: Option<Vec<u8>>,
    host: bool,
    length: Option<u64>,
    chunked: bool,
    trailers: Vec<String>,
}

impl Framing {
    /// A connection that has said nothing yet.
    pub(crate) fn new() -> Framing {
        Framing { place: Place::Opening(0), line: Vec::new(), head: Head::default() }
    }

    /// Whether a head has begun and not ended.
    pub(crate) fn in_head(&self) -> bool {
        match self.place {
            Place::Opening(matched) => matched > 0,
            Place::Head => self.head.begun || !self.line.is_empty(),
            _ => false,
        }
    }

    /// Looks at the next bytes of the stream.
    ///
    /// # Errors
    /// [`Refused`]; nothing behind it may be handed on, and nothing more be looked at.
    pub(crate) fn look(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let in_head = matches!(self.place, Place::Opening(_) | Place::Head);
            match self.step(rest) {
                Some(taken) => at += taken,
                None => return Err(Refused { after: at, in_head }),
            }
        }
        Ok(())
    }

    /// Takes some bytes, or none where only the place changes; `None` refuses.
    fn step(&mut self, rest: &[u8]) -> Option<usize> {
        match self.place {
            Place::Http2 => Some(rest.len()),
            Place::Opening(matched) => {
                self.opening(matched, rest[0]);
                Some(usize::from(matches!(self.place, Place::Opening(_) | Place::Http2)))
            }
            Place::Body(left) => {
                let taken = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.place = Place::Body(left - taken as u64);
                self.body_ended();
                Some(taken)
            }
            Place::ChunkData(left) => {
                let taken = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - taken as u64;
                self.place = if left == 0 { Place::ChunkEnd } else { Place::ChunkData(left) };
                Some(taken)
            }
            Place::Head | Place::ChunkSize | Place::ChunkEnd | Place::Trailers => self.lines(rest),
        }
    }

    fn opening(&mut self, matched: usize, byte: u8) {
        if PREFACE[matched] != byte {
            self.line.extend_from_slice(&PREFACE[..matched]);
            self.place = Place::Head;
        } else if matched + 1 == PREFACE.len() {
            self.place = Place::Http2;
        } else {
            self.place = Place::Opening(matched + 1);
        }
    }

    /// Collects a line and reads it at its end.
    fn lines(&mut self, rest: &[u8]) -> Option<usize> {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(rest.len(), |end| end + 1);
        if self.line.len() + taken > LINE_BYTES_MAX {
            return None;
        }
        if self.line.is_empty() && end.is_some() {
            self.line_ended(&rest[..taken])?;
            return Some(taken);
        }
        self.line.extend_from_slice(&rest[..taken]);
        if end.is_some() {
            let line = std::mem::take(&mut self.line);
            self.line_ended(&line)?;
            self.line = line;
            self.line.clear();
        }
        Some(taken)
    }

    fn line_ended(&mut self, line: &[u8]) -> Option<()> {
        // A line ends in CR LF and holds no other control byte than a tab (RFC 9112, 2.2 and 5).
        let line = line.strip_suffix(b"\r\n")?;
        // Without an early end the compiler looks at many bytes at once.
        if line.iter().fold(false, |found, byte| found | (byte.is_ascii_control() & (*byte != b'\t'))) {
            return None;
        }
        match self.place {
            Place::ChunkSize => {
                let size = chunk_size(line)?;
                self.place = if size == 0 { Place::Trailers } else { Place::ChunkData(size) };
            }
            Place::ChunkEnd if line.is_empty() => self.place = Place::ChunkSize,
            Place::ChunkEnd => return None,
            Place::Trailers if line.is_empty() => self.next_request(),
            Place::Trailers => {
                let (name, _) = field(line)?;
                self.head.trailers.iter().find(|announced| name.eq_ignore_ascii_case(announced.as_bytes()))?;
            }
            _ if line.is_empty() && !self.head.begun => {}
            _ if line.is_empty() => self.place = self.head.ended()?,
            _ => self.head.line(line)?,
        }
        self.body_ended();
        Some(())
    }

    fn body_ended(&mut self) {
        if self.place == Place::Body(0) {
            self.next_request();
        }
    }

    fn next_request(&mut self) {
        self.head = Head::default();
        self.place = Place::Head;
    }
}

impl Head {
    fn line(&mut self, line: &[u8]) -> Option<()> {
        if !self.begun {
            self.begun = true;
            return self.request_line(line);
        }
        // A line that begins with a space would continue the one before (obsolete line folding): its name is no token.
        let (name, value) = field(line)?;
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => self.length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let fits = value.eq_ignore_ascii_case(b"chunked") && self.minor == 1 && !self.chunked;
                self.chunked = true;
                fits.then_some(())
            }
            // One Host, and no other authority in the target (RFC 9112, 3.2).
            4 if name.eq_ignore_ascii_case(b"host") => {
                let differs = self.authority.as_ref().is_some_and(|authority| !value.eq_ignore_ascii_case(authority));
                (!differs && !std::mem::replace(&mut self.host, true)).then_some(())
            }
            7 if name.eq_ignore_ascii_case(b"trailer") => {
                let names = std::str::from_utf8(value).ok()?;
                self.trailers.extend(names.split(',').map(|name| name.trim().to_owned()));
                Some(())
            }
            // HTTP/2 may be offered and is then not taken up (RFC 9110, 7.8); nothing else can follow on this port.
            7 if name.eq_ignore_ascii_case(b"upgrade") => value.eq_ignore_ascii_case(b"h2c").then_some(()),
            _ => Some(()),
        }
    }

    fn length(&mut self, value: &[u8]) -> Option<()> {
        let plain = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value).ok().filter(|_| plain)?.parse().ok()?;
        self.length.replace(length).is_none().then_some(())
    }

    fn request_line(&mut self, line: &[u8]) -> Option<()> {
        let mut parts = std::str::from_utf8(line).ok()?.split(' ');
        let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
        self.minor = match version {
            "HTTP/1.1" => 1,
            "HTTP/1.0" => 0,
            _ => return None,
        };
        if !target.starts_with('/')
            && let Some((_, rest)) = target.split_once("://").filter(|(scheme, _)| !scheme.contains('?'))
        {
            self.authority = Some(rest.split(['/', '?']).next().unwrap_or("").as_bytes().to_vec());
        }
        // No tunnel is ever opened, and what follows a CONNECT is not ours to read.
        let whole = parts.next().is_none() && !method.is_empty() && !target.is_empty();
        (whole && method != "CONNECT").then_some(())
    }

    /// How the body is framed.
    fn ended(&self) -> Option<Place> {
        // HTTP/1.1 must name the host.
        if (!self.host && self.minor == 1) || (self.chunked && self.length.is_some()) {
            return None;
        }
        Some(if self.chunked { Place::ChunkSize } else { Place::Body(self.length.unwrap_or(0)) })
    }
}

/// Name and value of a field line; the name is a token and stands right before the colon.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    (!name.is_empty() && name.iter().all(|byte| TOKEN[usize::from(*byte)])).then_some((name, value.trim_ascii()))
}

/// Up to sixteen hexadecimal digits, then nothing or a short extension.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let (digits, extension) = match line.iter().position(|byte| *byte == b';') {
        Some(at) => line.split_at(at),
        None => (line, &b""[..]),
    };
    let plain = (1..=16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    if !plain || extension.len() > CHUNK_EXTENSION_BYTES_MAX {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Which bytes a field name is made of (RFC 9110, 5.6.2).
const TOKEN: [bool; 256] = {
    let (mut table, marks) = ([false; 256], b"!#$%&'*+-.^_`|~");
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut place = 0;
    while place < marks.len() {
        table[marks[place] as usize] = true;
        place += 1;
    }
    table
};
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const LINE_BYTES_MAX: usize = 128 * 1024;
const CHUNK_EXTENSION_BYTES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Framing, Refused};

    /// The verdict, which must be the same however the stream is cut.
    fn verdict(stream: &str) -> Result<(), Refused> {
        let whole = Framing::new().look(stream.as_bytes());
        let mut framing = Framing::new();
        let cut =
            stream.bytes().enumerate().find_map(|(at, byte)| framing.look(&[byte]).err().map(|refused| (at, refused)));
        assert_eq!(whole.is_err(), cut.is_some(), "{stream:?}");
        if let (Err(whole), Some((at, refused))) = (whole, cut) {
            assert!(whole.after <= at && whole.in_head == refused.in_head, "{stream:?}");
        }
        whole
    }

    fn head(lines: &str) -> String {
        format!("POST /fhir HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
    }

    #[test]
    fn what_has_one_reading_is_handed_on() {
        for stream in [
            "GET /fhir HTTP/1.1\r\nHost: a\r\n\r\nGET /fhir HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "\r\nGET http://A:80/fhir HTTP/1.1\r\nhost:\ta:80 \r\n\r\n".to_owned(),
            "GET /fhir?x=http://b HTTP/1.0\r\n\r\n".to_owned(),
            head("Content-Length: 3\r\n") + "abcGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            head("Transfer-Encoding: Chunked\r\n") + "3;x=y\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            head("Transfer-Encoding: chunked\r\nTrailer: X-Sum, B\r\n") + "1\r\na\r\n0\r\nx-sum: 1\r\n\r\n",
            head("Upgrade: h2c\r\nX: \u{80}\r\n"),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\n:anything".to_owned(),
        ] {
            assert_eq!(verdict(&stream), Ok(()), "{stream:?}");
        }
    }

    #[test]
    fn what_two_readers_could_cut_differently_is_refused() {
        for lines in [
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: 3 3\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length:\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "X: a\r\n b\r\n",
            "X: a\nY: b\r\n",
            "X: a\rb\r\n",
            "X: a\0b\r\n",
            "X : a\r\n",
            ": a\r\n",
            "X\r\n",
            "Host: a\r\n",
            "Upgrade: websocket\r\n",
        ] {
            assert!(verdict(&head(lines)).is_err_and(|refused| refused.in_head), "{lines:?}");
        }
        for stream in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
            "GET /\r\n\r\n",
            "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        ] {
            assert!(verdict(stream).is_err_and(|refused| refused.in_head), "{stream:?}");
        }
    }

    #[test]
    fn a_body_is_followed_to_its_end() {
        let chunked = head("Transfer-Encoding: chunked\r\n");
        let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(64));
        for body in [
            "x\r\n",
            "-1\r\n",
            "1 \r\n",
            "10000000000000000\r\n",
            "1\r\nab\r\n",
            "1\na",
            "0\r\nX-Sum: 1\r\n\r\n",
            &long,
        ] {
            let refused = verdict(&(chunked.clone() + body)).unwrap_err();
            assert!(!refused.in_head, "{body:?}");
        }
        let second = head("Content-Length: 1\r\n") + "aGET / HTTP/1.1\nHost: a\r\n\r\n";
        assert!(
            verdict(&second).is_err_and(|refused| refused.in_head),
            "the request behind a body is looked at as well"
        );
    }

    #[test]
    fn a_head_has_begun_with_its_first_byte_and_ends_with_its_last() {
        let mut framing = Framing::new();
        assert!(!framing.in_head());
        for bytes in ["P", "OST / HTTP/1.1", "\r\n", "Host: a\r\nContent-Length: 1\r\n\r"] {
            framing.look(bytes.as_bytes()).unwrap();
            assert!(framing.in_head(), "{bytes:?}");
        }
        framing.look(b"\n").unwrap();
        assert!(!framing.in_head());
        framing.look(b"x").unwrap();
        assert!(!framing.in_head());
        framing.look(b"G").unwrap();
        assert!(framing.in_head());
    }
}
