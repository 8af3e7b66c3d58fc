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
    /// Field separators of the file and of the batch that are open.
    file: Option<u8>,
    batch: Option<(u32, u8)>,
    batches: u32,
    answers: u32,
}

impl<'a> Answers<'a> {
    /// `time` and `control_id` are those of the headers that are written.
    #[must_use]
    pub fn new(site: &'a Site, time: &'a str, control_id: &'a str) -> Self {
        let (file, batch, bytes) = (None, None, Vec::with_capacity(1024));
        Self { site, time, control_id, bytes, file, batch, batches: 0, answers: 0 }
    }

    /// Appends the answer to one message of the file.
    pub fn push(&mut self, to: &Part<'_>, answer: &[u8]) {
        self.enter(to);
        self.bytes.extend_from_slice(answer);
        if !answer.ends_with(b"\r") {
            self.bytes.push(b'\r');
        }
        self.answers += 1;
    }

    /// Opens the batch of a message, also where its answer is not owed.
    pub fn enter(&mut self, to: &Part<'_>) {
        if self.batch.is_some_and(|(number, _)| number == to.batch) {
            return;
        }
        self.close_batch();
        if let Some(header) = to.file_header.filter(|_| self.file.is_none()) {
            self.file = Some(self.header(b"FHS", header));
        }
        let separator = self.header(b"BHS", to.batch_header.or(to.file_header).unwrap_or(b"BHS|^~\\&"));
        self.batch = Some((to.batch, separator));
        self.batches += 1;
    }

    /// The bytes of the answer.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        if self.batch.is_none() {
            self.batch = Some((0, self.header(b"BHS", b"BHS|^~\\&")));
            self.batches += 1;
        }
        self.close_batch();
        if let Some(separator) = self.file {
            self.trailer(b"FTS", separator, self.batches);
        }
        self.bytes
    }

    fn close_batch(&mut self) {
        if let Some((_, separator)) = self.batch.take() {
            let answers = std::mem::take(&mut self.answers);
            self.trailer(b"BTS", separator, answers);
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
        let plain = b"BHS|^~\\&";
        let limits = Limits::default();
        let read = er7::parse(original, &limits, self.site).or_else(|_| er7::parse(plain, &limits, self.site));
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
