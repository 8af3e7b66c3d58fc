use crate::charset::BYTE_ORDER_MARK;
use crate::{Limits, NotAMessage, Site, er7};

/// One piece of a message, read as far as joining needs: its header, and its last line as raw bytes.
pub(super) struct Piece<'a> {
    /// MSH-3 and MSH-4 as written.
    pub(super) sender: (String, String),
    /// MSH-1, MSH-2 and MSH-18 as written.
    pub(super) written: (String, String),
    /// MSH-10.
    pub(super) control_id: String,
    /// MSH-14: the pointer of the piece before; empty for the first.
    pub(super) continues: String,
    /// DSC-1: the pointer for the next piece; empty for the last.
    pub(super) pointer: String,
    /// The message without DSC and the ADD before it.
    pub(super) bytes: &'a [u8],
    /// Where the header line and its end are over.
    body: usize,
    field: u8,
}

impl<'a> Piece<'a> {
    /// Line ends are never part of a character, so lines are cut before anything is decoded.
    pub(super) fn read(bytes: &'a [u8], limits: &Limits, site: &Site) -> Result<Self, NotAMessage> {
        let start = bytes.iter().position(|&b| b > b' ' && !BYTE_ORDER_MARK.contains(&b)).unwrap_or(bytes.len());
        let header_end = line_end(bytes, start);
        let (header, _) = er7::parse(&bytes[..header_end], limits, site)?;
        let segment = header.segment(0);
        let raw = |number: u16| segment.field(number).raw().to_owned();
        let is_message = segment.id() == "MSH";
        let stated = |number: u16| if is_message { raw(number) } else { String::new() };
        let field = header.delimiters().field;
        let mut piece = Self {
            sender: (raw(3), raw(4)),
            written: (raw(1) + &raw(2), stated(18)),
            control_id: raw(10),
            continues: stated(14).trim().to_owned(),
            pointer: String::new(),
            bytes,
            body: after_line_end(bytes, header_end),
            field,
        };
        if is_message {
            piece.cut_pointer();
        }
        Ok(piece)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.continues.is_empty() && self.pointer.is_empty()
    }

    /// Takes DSC from the end, and the empty ADD that says that the segment before it is not over.
    fn cut_pointer(&mut self) {
        let Some((at, line)) = last_line(&self.bytes[self.body..]) else { return };
        let Some(rest) = line.strip_prefix(b"DSC").filter(|rest| rest.first() == Some(&self.field)) else { return };
        let mut fields =
            rest[1..].split(|&b| b == self.field).map(|value| String::from_utf8_lossy(value).trim().to_owned());
        let (pointer, kind) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        // Without a kind a DSC behind a query or its answer asks for more rows, and is no fragment.
        if pointer.is_empty() || kind == "I" || (kind != "F" && self.is_query()) {
            return;
        }
        self.pointer = pointer;
        self.bytes = &self.bytes[..self.body + at];
        let Some((at, line)) = last_line(&self.bytes[self.body..]) else { return };
        if line == b"ADD" || (line.len() == 4 && line.starts_with(b"ADD") && line[3] == self.field) {
            let before = &self.bytes[..self.body + at];
            // The line end before ADD belongs to the cut and not to the segment.
            let end = before.strip_suffix(b"\r\n").or_else(|| before.strip_suffix(b"\r"));
            self.bytes = end.or_else(|| before.strip_suffix(b"\n")).unwrap_or(before);
        }
    }

    fn is_query(&self) -> bool {
        let lines = self.bytes[self.body..].split(|&b| b == b'\r' || b == b'\n');
        lines.filter_map(|line| line.first_chunk::<3>()).any(|id| QUERIES.contains(&id))
    }

    /// Appends what stands behind the header. On failure the id of the segment that cannot be continued.
    pub(super) fn append_to(&self, joined: &mut Vec<u8>, last_at: &mut usize) -> Result<(), String> {
        let mut body = self.bytes.get(self.body..).unwrap_or_default();
        // The software segments of the header are repeated in every piece.
        while body.starts_with(b"SFT") {
            let end = line_end(body, 0);
            if memchr::memmem::find(joined, &body[..end]).is_none() {
                break;
            }
            body = &body[after_line_end(body, end)..];
        }
        let rest = body.strip_prefix(b"ADD").filter(|rest| rest.first().is_none_or(|&b| b == self.field || b <= b'\r'));
        let Some(rest) = rest else {
            if !is_line_start(joined) {
                joined.push(b'\r');
            }
            self.extend(joined, last_at, body);
            return Ok(());
        };
        let rest = rest.strip_prefix(&[self.field]).unwrap_or(rest);
        let visible = joined.iter().rposition(|&b| b > b' ').map_or(0, |at| at + 1);
        let line = &joined[*last_at..line_end(joined, visible.max(*last_at))];
        if let Some(id) = line.first_chunk::<3>().filter(|id| UNCONTINUABLE.contains(id)) {
            return Err(String::from_utf8_lossy(id).into_owned());
        }
        joined.truncate(*last_at + line.len());
        self.extend(joined, last_at, rest);
        Ok(())
    }

    fn extend(&self, joined: &mut Vec<u8>, last_at: &mut usize, part: &[u8]) {
        // A part within one line leaves the last line where it is.
        if let Some((at, _)) = last_line(part).filter(|&(at, _)| at > 0 || is_line_start(joined)) {
            *last_at = joined.len() + at;
        }
        joined.extend_from_slice(part);
    }

    /// Where the last line of the piece starts.
    pub(super) fn last_line(&self) -> usize {
        last_line(self.bytes).map_or(self.bytes.len(), |(at, _)| at)
    }
}

fn is_line_start(bytes: &[u8]) -> bool {
    bytes.last().is_none_or(|&b| b == b'\r' || b == b'\n')
}

/// The last line that is not blank, and where it starts. A line cut inside a character may hold any byte but a line end.
fn last_line(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().rposition(|&b| b > b' ')? + 1;
    let start = memchr::memrchr2(b'\r', b'\n', &bytes[..end]).map_or(0, |at| at + 1);
    // Blanks at the end of the line are data.
    let end = line_end(bytes, end);
    Some((start, &bytes[start..end]))
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr::memchr2(b'\r', b'\n', &bytes[from..]).map_or(bytes.len(), |n| from + n)
}

/// Behind the line end at `end`.
fn after_line_end(bytes: &[u8], end: usize) -> usize {
    match bytes.get(end..) {
        Some([b'\r', b'\n', ..]) => end + 2,
        Some([_, ..]) => end + 1,
        _ => end,
    }
}

/// The segments of queries and of their answers.
const QUERIES: &[&[u8; 3]] = &[b"QRD", b"QRF", b"QPD", b"QAK", b"URD", b"RCP"];
/// Chapter 2: these segments cannot be continued.
const UNCONTINUABLE: &[[u8; 3]] = &[*b"MSH", *b"MSA", *b"DSC", *b"PID", *b"QRD", *b"QRF", *b"URD", *b"URS"];
