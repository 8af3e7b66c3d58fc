use super::Part;
use crate::{Limits, Message, Site, er7};

/// The answers to the messages of a file as a file of its own: each batch of answers refers to the batch it answers, by
/// BHS-12, and sender and receiver change places. Answers that nobody asked for are not pushed; a sender that wants only
/// errors says so in MSH-15 and MSH-16 of its messages, and gets a batch of those.
///
/// ```
/// use dukou_wire::{Limits, Site, batch::{Answers, Reader}};
///
/// let file = b"BHS|^~\\&|LIS|H|GW|D|||||B7\rMSH|^~\\&|LIS\rBTS|1\r";
/// let site = Site::default();
/// let mut answers = Answers::new(&site, "20261120081500", "R1");
/// for part in Reader::new(file, &Limits::default()) {
///     answers.push(&part, b"MSH|^~\\&|GW\rMSA|AA|1\r");
/// }
/// assert_eq!(
///     answers.finish(),
///     b"BHS|^~\\&|GW|D|LIS|H|20261120081500||||R1|B7\rMSH|^~\\&|GW\rMSA|AA|1\rBTS|1\r"
/// );
/// ```
#[derive(Debug)]
pub struct Answers<'a> {
    site: &'a Site,
    time: &'a str,
    control_id: &'a str,
    bytes: Vec<u8>,
    file: Option<Open>,
    batch: Option<Open>,
}

/// A header that waits for its trailer.
#[derive(Debug)]
struct Open {
    /// Which file or batch of the original it answers.
    number: u32,
    separator: u8,
    /// Batches of the file, answers of the batch.
    count: u32,
}

impl<'a> Answers<'a> {
    /// `time` and `control_id` are those of the headers that are written.
    #[must_use]
    pub fn new(site: &'a Site, time: &'a str, control_id: &'a str) -> Self {
        Self { site, time, control_id, bytes: Vec::with_capacity(1024), file: None, batch: None }
    }

    /// Appends the answer to one message of the file.
    pub fn push(&mut self, to: &Part<'_>, answer: &[u8]) {
        self.enter(to);
        self.bytes.extend_from_slice(answer);
        if !answer.ends_with(b"\r") {
            self.bytes.push(b'\r');
        }
        if let Some(batch) = &mut self.batch {
            batch.count += 1;
        }
    }

    /// Opens the batch of a message, also where its answer is not owed.
    pub fn enter(&mut self, to: &Part<'_>) {
        let in_file = self.file.as_ref().map_or(0, |file| file.number) == to.file;
        if in_file && self.batch.as_ref().is_some_and(|batch| batch.number == to.batch) {
            return;
        }
        self.close_batch();
        if !in_file {
            self.close_file();
        }
        if let Some(header) = to.file_header.filter(|_| self.file.is_none()) {
            let separator = self.header(b"FHS", header);
            self.file = Some(Open { number: to.file, separator, count: 0 });
        }
        self.open_batch(to.batch, to.batch_header.or(to.file_header).unwrap_or(PLAIN));
    }

    /// The bytes of the answer.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        if self.bytes.is_empty() {
            self.open_batch(0, PLAIN);
        }
        self.close_batch();
        self.close_file();
        self.bytes
    }

    fn open_batch(&mut self, number: u32, original: &[u8]) {
        let separator = self.header(b"BHS", original);
        self.batch = Some(Open { number, separator, count: 0 });
        if let Some(file) = &mut self.file {
            file.count += 1;
        }
    }

    fn close_batch(&mut self) {
        if let Some(Open { separator, count, .. }) = self.batch.take() {
            self.trailer(b"BTS", separator, count);
        }
    }

    fn close_file(&mut self) {
        if let Some(Open { separator, count, .. }) = self.file.take() {
            self.trailer(b"FTS", separator, count);
        }
    }

    fn trailer(&mut self, id: &[u8], separator: u8, count: u32) {
        self.bytes.extend_from_slice(id);
        self.bytes.push(separator);
        self.bytes.extend_from_slice(count.to_string().as_bytes());
        self.bytes.push(b'\r');
    }

    /// Appends a header that answers another, and gives its field separator.
    fn header(&mut self, id: &[u8; 3], original: &[u8]) -> u8 {
        let limits = Limits::default();
        let read = er7::parse(original, &limits, self.site).or_else(|_| er7::parse(PLAIN, &limits, self.site));
        let Ok((original, _)) = read else { return b'|' };
        let separator = original.delimiters().field;
        self.bytes.extend_from_slice(id);
        self.bytes.push(separator);
        self.bytes.extend_from_slice(raw_field(&original, 2));
        for number in [5, 6, 3, 4] {
            self.bytes.push(separator);
            self.bytes.extend_from_slice(raw_field(&original, number));
        }
        for value in [self.time, "", "", "", self.control_id] {
            self.bytes.push(separator);
            self.bytes.extend_from_slice(value.as_bytes());
        }
        self.bytes.push(separator);
        self.bytes.extend_from_slice(raw_field(&original, 11));
        while self.bytes.last() == Some(&separator) {
            self.bytes.pop();
        }
        self.bytes.push(b'\r');
        separator
    }
}

/// A field of the header as it came, byte for byte.
fn raw_field<'m>(message: &Message<'m>, number: u16) -> &'m [u8] {
    let span = message.segment(0).field(number).span();
    &message.raw()[message.raw_offset(span.start) as usize..message.raw_offset(span.end) as usize]
}

/// The header of a batch that had none.
const PLAIN: &[u8] = b"BHS|^~\\&";
