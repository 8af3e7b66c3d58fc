use crate::{Charset, NotAMessage};

/// The largest input of every kind that the crate accepts. Each breach has its own [`crate::NotAMessage`] or
/// [`crate::IssueCode`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Payload bytes of one MLLP frame, and of one message given to [`crate::er7::parse`].
    pub frame_bytes_max: usize,
    /// Bytes before a start block that are discarded before the stream is refused.
    pub preamble_bytes_max: usize,
    /// Segments of one message.
    pub segments_max: usize,
    /// Positions (fields, repetitions, components, subcomponents at the finest level) of one message.
    pub leaves_max: usize,
    /// Bytes of one position in the decoded text.
    pub leaf_bytes_max: usize,
    /// Messages of one batch file.
    pub batch_messages_max: usize,
    /// Pieces held of continued messages that are not complete.
    pub reassembly_fragments_max: usize,
    /// Bytes held of continued messages that are not complete.
    pub reassembly_bytes_max: usize,
    /// Milliseconds from the first piece of a continued message to its last.
    pub reassembly_age_ms_max: u64,
    /// How deep elements of XML may stand in each other.
    pub xml_depth_max: usize,
    /// Elements and attributes of one XML document, those of the documents within it included.
    pub xml_nodes_max: usize,
    /// Attributes of one element.
    pub attributes_max: usize,
    /// How many documents may be wrapped in each other as text.
    pub inner_depth_max: usize,
    /// How deep objects and arrays of JSON may stand in each other.
    pub json_depth_max: usize,
    /// Values of one JSON document.
    pub json_nodes_max: usize,
    /// Rows of one delimited file.
    pub rows_max: usize,
    /// Cells of one row.
    pub columns_max: usize,
    /// Bytes of one cell in the decoded text.
    pub cell_bytes_max: usize,
    /// Issues reported for one message; the last one says how many more there were.
    pub issues_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 64 << 20,
            preamble_bytes_max: 64 << 10,
            segments_max: 100_000,
            leaves_max: 4_000_000,
            leaf_bytes_max: 48 << 20,
            batch_messages_max: 100_000,
            reassembly_fragments_max: 1_000,
            reassembly_bytes_max: 64 << 20,
            reassembly_age_ms_max: 3_600_000,
            xml_depth_max: 64,
            xml_nodes_max: 1_000_000,
            attributes_max: 256,
            inner_depth_max: 3,
            json_depth_max: 64,
            json_nodes_max: 1_000_000,
            rows_max: 1_000_000,
            columns_max: 512,
            cell_bytes_max: 1 << 20,
            issues_max: 1_000,
        }
    }
}

impl Limits {
    /// Refuses bytes that are too many for a message, or for their offsets.
    pub(crate) fn admit(&self, bytes: &[u8]) -> Result<(), NotAMessage> {
        let limit = self.frame_bytes_max.min(u32::MAX as usize);
        if bytes.len() > limit { Err(NotAMessage::TooLarge { limit }) } else { Ok(()) }
    }
}

/// What a site knows about its senders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Decode every message in this character set, whatever MSH-18 says.
    pub charset_forced: Option<Charset>,
    /// The character set of bytes that are not UTF-8 and carry no usable MSH-18.
    pub charset_default: Charset,
    /// Join a line that does not start with a segment id to the segment before it.
    pub join_broken_lines: bool,
    /// Accept the frame ends `1C 0A`, `1C` before `0B`, and a last `1C` on an idle link.
    pub lenient_end: bool,
    /// MLLP release 2: every frame is answered by a commit acknowledgement of its own, before and apart from that of
    /// HL7. On a link of release 1 these bytes are a payload like any other.
    pub commit_acks: bool,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            charset_forced: None,
            charset_default: Charset::Gb18030,
            join_broken_lines: false,
            lenient_end: false,
            commit_acks: false,
        }
    }
}
