//! Promises of this crate as functions over any bytes: a test or a fuzzer calls one of them in one line. Each panics
//! when its promise is broken.

mod documents;

use std::borrow::Cow;

use crate::continuation::{Pushed, Reassembler};
use crate::draft::Draft;
use crate::mllp::{Decoder, Event, FrameError};
use crate::{
    Charset, Delimiters, Leaf, Limits, Path, Place, Presence, Site, Target, ack, batch, charset, er7, escape, groups,
};

pub use documents::{cda_helpers, delimited_rows, document_set, json_parse_print, soap_inner, strip, xml_parse_print};

/// What parses is printed byte for byte, and the tree covers the text: segments in order, delimiters between nodes.
pub fn er7_parse_print(data: &[u8]) {
    let Ok((message, issues)) = er7::parse(data, &Limits::default(), &Site::default()) else { return };
    assert_eq!(er7::print(&message), data, "printing gives back the bytes");
    let mut at = 0;
    for segment in message.segments() {
        let span = segment.span();
        assert!(span.start >= at && span.end >= span.start, "segments stand in order");
        let between = &message.text()[at as usize..span.start as usize];
        assert!(between.chars().all(|c| c <= ' '), "only blanks stand between segments");
        at = span.end;
        if !segment.is_raw() {
            assert_eq!(rebuilt(segment, message.delimiters()), segment.raw(), "the nodes cover the segment");
        }
    }
    for issue in &issues {
        assert!(issue.raw_offset as usize <= data.len() && issue.text_offset as usize <= message.text().len());
    }
}

fn rebuilt(segment: crate::Segment<'_>, delimiters: Delimiters) -> String {
    let mut text = segment.id().to_owned();
    for (number, field) in segment.fields() {
        if segment.is_header() && number == 1 {
            continue;
        }
        text.push(char::from(delimiters.field));
        if segment.is_header() && number == 2 {
            text.push_str(field.raw());
            continue;
        }
        let separators = [delimiters.repetition, delimiters.component, delimiters.subcomponent];
        push_node(field, &separators, &mut text);
    }
    text
}

fn push_node(node: crate::Node<'_>, separators: &[u8], text: &mut String) {
    let Some((&separator, lower)) = separators.split_first() else {
        text.push_str(node.raw());
        return;
    };
    for (at, child) in node.children().enumerate() {
        if at > 0 {
            text.push(char::from(separator));
        }
        push_node(child, lower, text);
    }
}

/// Every leaf can be read by every accessor, and its path finds it.
pub fn er7_leaf_walk(data: &[u8]) {
    let Ok((message, _)) = er7::parse(data, &Limits::default(), &Site::default()) else { return };
    let many = message.leaf_count() > 2_000;
    for (at, leaf) in message.leaves().enumerate() {
        let text = leaf.node.text();
        assert!(!leaf.node.raw().trim().is_empty() && leaf.node.presence() != Presence::Empty);
        assert!(text.len() <= 3 * leaf.node.raw().len() && leaf.node.formatted().len() <= leaf.node.raw().len());
        let path = leaf.path(&message);
        assert_eq!(Path::parse(&path.to_string()), Ok(path.clone()), "a path is read back");
        if leaf.field > 0 && (!many || at % 997 == 0) {
            let found = message.get(&path).map(|node| node.span());
            assert_eq!(found, Some(leaf.node.span()), "the path of a leaf finds it");
        }
    }
}

/// Setting a value changes that place and no other leaf.
pub fn er7_set(data: &[u8], path: &Path, value: &str) {
    let (limits, site) = (Limits::default(), Site::default());
    let Ok((message, _)) = er7::parse(data, &limits, &site) else { return };
    let site = Site { charset_forced: Some(message.charset()), ..site };
    let Ok(written) = message.set(path, value) else { return };
    let Ok((changed, _)) = er7::parse(&written, &limits, &site) else { return };
    let header_touched = path.segment() == "MSH";
    if header_touched || !path.groups().is_empty() {
        return;
    }
    assert_eq!(
        changed.get(path).map(|node| node.text().into_owned()).as_deref(),
        Some(value),
        "the value is read back"
    );
    let others = |message: &crate::Message<'_>| -> Vec<String> {
        let segment = message.find(path).map(|segment| segment.index() as u32);
        let leaves = message.leaves().filter(|leaf| Some(leaf.segment) != segment || leaf.field != path.field());
        leaves.map(|leaf| format!("{} {}", leaf.path(message), leaf.node.raw())).collect()
    };
    assert_eq!(others(&changed), others(&message), "the other fields stay as they were");
}

/// Many changes at once change their leaves and nothing else; none at all gives the bytes back. `choices` says which
/// leaves and what becomes of them.
pub fn er7_edits(data: &[u8], choices: &[u8]) {
    let (limits, site) = (Limits::default(), Site::default());
    let Ok((message, _)) = er7::parse(data, &limits, &site) else { return };
    assert_eq!(message.edit().finish().as_deref(), Ok(data), "no change gives the bytes back");
    let leaves: Vec<Leaf<'_>> = message.leaves().filter(|leaf| leaf.field > 0 && !is_header(&message, leaf)).collect();
    let mut wanted: Vec<(Path, String)> =
        message.leaves().map(|leaf| (leaf.path(&message), leaf.node.text().into_owned())).collect();
    let long = wanted.iter().any(|(path, _)| path.field() == u16::MAX);
    if leaves.is_empty() || choices.is_empty() || long || message.segment_count() > 60_000 {
        return;
    }
    let mut edits = message.edit();
    for (n, pair) in choices.chunks(2).take(20).enumerate() {
        let leaf = &leaves[(usize::from(pair[0]) * 7 + n) % leaves.len()];
        let path = leaf.path(&message);
        let value = ["", "x", "a|b^c", "\"\"", "\\", "1 2"][usize::from(*pair.last().unwrap_or(&0)) % 6];
        edits.set(leaf.segment as usize, Place::from(&path), value);
        if let Some(slot) = wanted.iter_mut().find(|(at, _)| *at == path) {
            value.clone_into(&mut slot.1);
        }
    }
    let Ok(written) = edits.finish() else { return };
    let site = Site { charset_forced: Some(message.charset()), ..site };
    let (changed, _) =
        er7::parse(&written, &limits, &site).unwrap_or_else(|error| panic!("an edited message: {error}"));
    let found: Vec<(Path, String)> =
        changed.leaves().map(|leaf| (leaf.path(&changed), leaf.node.text().into_owned())).collect();
    wanted.retain(|(_, text)| !text.is_empty());
    let found: Vec<(Path, String)> = found.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    assert_eq!(found, wanted, "the values that were set, and the others as they were");
}

fn is_header(message: &crate::Message<'_>, leaf: &Leaf<'_>) -> bool {
    message.segment(leaf.segment as usize).is_header()
}

/// A message written anew in the order of its structure holds the same segments, and written once more stays as it is.
pub fn draft_copy(data: &[u8]) {
    let (limits, site) = (Limits::default(), Site::default());
    let Ok((message, _)) = er7::parse(data, &limits, &site) else { return };
    let plain = |segment: crate::Segment<'_>| !segment.is_raw() && (segment.index() == 0 || !segment.is_header());
    if message.segment(0).id() != "MSH" || message.segment_count() > 300 || !message.segments().all(plain) {
        return;
    }
    let Some(first) = copied(&message) else { return };
    let site = Site { charset_forced: Some(message.charset()), ..site };
    let (again, _) =
        er7::parse(&first, &limits, &site).unwrap_or_else(|error| panic!("a message written anew: {error}"));
    let segments = |message: &crate::Message<'_>| -> Vec<String> {
        let separator = char::from(message.delimiters().field);
        let mut all: Vec<String> =
            message.segments().skip(1).map(|s| s.raw().trim_end_matches(separator).to_owned()).collect();
        all.retain(|raw| raw.contains(separator));
        all.sort();
        all
    };
    assert_eq!(segments(&again), segments(&message), "the same segments");
}

fn copied(message: &crate::Message<'_>) -> Option<Vec<u8>> {
    let groups = groups::arrange(message, &mut Vec::new());
    let delimiters = message.delimiters();
    let mut draft = Draft::new(groups.structure(), delimiters, Target::of(message.charset()));
    draft.header().set(Place::field(18), "");
    let mut seen = std::collections::HashMap::new();
    for segment in message.segments() {
        let steps = groups.steps(segment.index());
        let occurrence: &mut u16 = seen.entry((groups.group_of(segment.index()), segment.id())).or_default();
        *occurrence += 1;
        let written = draft.segment(&steps, segment.id(), *occurrence);
        for (number, field) in segment.fields().filter(|&(number, _)| !(segment.is_header() && number <= 2)) {
            written.set_raw(Place::field(number), field.raw(), delimiters);
        }
    }
    draft.print().ok()
}

/// A message printed for a receiver of another character set says the same, or the error names a place.
pub fn transcode(data: &[u8]) {
    let (limits, site) = (Limits::default(), Site::default());
    let Ok((message, _)) = er7::parse(data, &limits, &site) else { return };
    for charset in [Charset::Utf8, Charset::Gb18030, Charset::Big5, Charset::Iso8859(1)] {
        let bytes = match message.print_for(&Target::of(charset)) {
            Ok(bytes) => bytes,
            Err(error) => {
                assert!(message.find(error.path()).is_some(), "an error names a segment of the message: {error}");
                continue;
            }
        };
        let site = Site { charset_forced: Some(charset), ..Site::default() };
        let (again, _) =
            er7::parse(&bytes, &limits, &site).unwrap_or_else(|error| panic!("a printed message: {error}"));
        let name = |leaf: &Leaf<'_>| leaf.segment == 0 && leaf.field == 18;
        // An escape of bytes that are no text of the message's set stays and may be text of the other.
        let texts = |message: &crate::Message<'_>| -> Vec<(Path, String)> {
            let leaves = message.leaves().filter(|leaf| !name(leaf) && !leaf.node.raw().contains("X"));
            leaves.map(|leaf| (leaf.path(message), leaf.node.text().into_owned())).collect()
        };
        assert_eq!(texts(&again), texts(&message), "{charset}: the same leaves");
    }
}

/// A text is no path, or it is printed and read back.
pub fn path_parse_print(text: &str) {
    if let Ok(path) = Path::parse(text) {
        assert_eq!(Path::parse(&path.to_string()), Ok(path), "a path is read back");
    }
}

/// The answers to the messages of a file are a file that counts them.
pub fn batch_answers(data: &[u8]) {
    let site = Site::default();
    let mut answers = batch::Answers::new(&site, "20261120", "R1");
    let mut pushed = 0;
    for part in batch::Reader::new(data, &Limits::default()) {
        answers.push(&part, b"MSH|^~\\&\rMSA|AA|1");
        pushed += 1;
    }
    let written = answers.finish();
    let mut reader = batch::Reader::new(&written, &Limits::default());
    assert_eq!(reader.by_ref().count(), pushed, "an answer to every message");
    assert_eq!(reader.finish(), [], "and the counts are right");
}

/// Any cut of a stream gives the same frames and the same error.
pub fn mllp_any_split(data: &[u8], cuts: &[usize]) {
    let limits = Limits { frame_bytes_max: 300, preamble_bytes_max: 100, ..Limits::default() };
    for lenient_end in [false, true] {
        let site = Site { lenient_end, commit_acks: lenient_end, ..Site::default() };
        let whole = decode_all(&mut Decoder::new(&limits, &site), [data]);
        let single = decode_all(&mut Decoder::new(&limits, &site), data.chunks(1));
        assert_eq!(whole, single, "one read and single bytes give the same frames");
        let mut rest = data;
        let pieces = cuts.iter().map(|&cut| {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            rest = after;
            piece
        });
        let mut pieces: Vec<&[u8]> = pieces.collect();
        pieces.push(rest);
        assert_eq!(whole, decode_all(&mut Decoder::new(&limits, &site), pieces), "any cut gives the same frames");
    }
}

fn decode_all<'d>(
    decoder: &mut Decoder,
    pieces: impl IntoIterator<Item = &'d [u8]>,
) -> (Vec<Event>, Result<(), FrameError>) {
    let mut events = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
    }
    (events, decoder.end())
}

/// A text survives escaping, whatever the delimiters.
pub fn escape_roundtrip(text: &str, delimiters: Delimiters) {
    let Some(written) = escape::encode(text, delimiters) else { return };
    assert_eq!(escape::decode(&written, delimiters, Charset::Utf8), Cow::Borrowed(text));
}

/// Whatever decodes can be encoded again, and decodes to the same text.
pub fn charset_roundtrip(data: &[u8], charset: Charset) {
    let Ok(text) = charset.decode(data) else { return };
    assert!(text.len() <= 3 * data.len(), "decoding at most triples the bytes");
    if let Ok(bytes) = charset.encode(&text) {
        assert_eq!(charset.decode(&bytes).as_deref(), Ok(&*text));
    }
    assert_eq!(charset.bytes_of(data, text.chars().count()), data.len(), "the characters cover the bytes");
}

/// The gate decides for any bytes.
pub fn charset_gate(data: &[u8]) {
    let mut issues = crate::issue::IssueList::new(&Limits::default());
    if let Ok(decoded) = charset::gate(data, &Site::default(), String::new(), &mut issues) {
        assert!(decoded.text.len() <= 3 * data.len());
    }
}

/// Every segment is in exactly one group, and the groups form a tree.
pub fn groups_total(data: &[u8]) {
    let Ok((message, _)) = er7::parse(data, &Limits::default(), &Site::default()) else { return };
    let groups = groups::arrange(&message, &mut Vec::new());
    let mut seen = vec![0_u32; message.segment_count()];
    for (id, group) in groups.iter() {
        assert!(group.parent.is_none_or(|parent| parent < id), "a parent stands before its groups");
        for &segment in &group.segments {
            seen[segment as usize] += 1;
            assert_eq!(groups.group_of(segment as usize), id);
        }
    }
    assert!(seen.iter().all(|&count| count == 1), "every segment is in one group");
}

/// The messages of a file are disjoint parts of it, in order.
pub fn batch_stream(data: &[u8]) {
    let mut reader = batch::Reader::new(data, &Limits::default());
    let mut at = 0;
    for part in reader.by_ref() {
        assert!(part.offset as usize >= at, "messages stand in order");
        at = part.offset as usize + part.bytes.len();
        assert_eq!(&data[part.offset as usize..at], part.bytes);
    }
}

/// A message cut into pieces at any bytes behind its header is joined again byte for byte; any other bytes are taken,
/// kept or refused.
pub fn reassembler(data: &[u8], cuts: &[usize]) {
    let mut any = Reassembler::new(&Limits::default(), &Site::default());
    drop(any.push(data, 0));
    assert!(any.pending_bytes() <= data.len());
    let header = b"MSH|^~\\&|LIS|H||||||0|P|2.4\r";
    let body: Vec<u8> = data.iter().copied().filter(|&b| b != b'\n').collect();
    let whole = [header.as_slice(), b"OBX|1|", &body].concat();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| header.len() + 4 + cut % (body.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.dedup();
    // A cut behind a line end begins a new segment, and ADD continues none; a segment of the header's own kind cannot be continued.
    cuts.retain(|&at| whole[..at].last() != Some(&b'\r') && is_continuable(&whole[..at]));
    let mut joined = None;
    let ends: Vec<usize> = cuts.iter().copied().chain([whole.len()]).collect();
    let mut reassembler = Reassembler::new(&Limits::default(), &Site::default());
    for (n, (&to, from)) in ends.iter().zip([0].into_iter().chain(cuts.iter().copied())).enumerate() {
        let mut piece = Vec::new();
        if n > 0 {
            piece = format!("MSH|^~\\&|LIS|H||||||{n}|P|2.4||p{n}\rADD|").into_bytes();
        }
        piece.extend_from_slice(&whole[from..to]);
        if to < whole.len() {
            piece.extend_from_slice(format!("\rADD|\rDSC|p{}|F\r", n + 1).as_bytes());
        }
        match reassembler.push(&piece, n as u64) {
            Ok(Pushed::Kept { pieces }) => assert_eq!(pieces, n + 1),
            Ok(Pushed::Complete(complete)) => joined = Some(complete),
            Ok(Pushed::Whole) if ends.len() == 1 => return,
            // A body may hold segments of this protocol itself.
            other => {
                let own = [&b"\rDSC"[..], b"\rADD", b"\rSFT"];
                let mixed = own.iter().any(|id| memchr::memmem::find(&whole, id).is_some());
                assert!(mixed, "a piece is kept or completes the message: {other:?}");
                return;
            }
        }
    }
    if let Some(joined) = joined {
        assert_eq!(joined.bytes, whole, "the pieces give the message again");
        assert_eq!(reassembler.pending_bytes(), 0);
    }
}

/// The last line is not one of those that cannot be continued, and has something to continue.
fn is_continuable(bytes: &[u8]) -> bool {
    let line = bytes.rsplit(|&b| b == b'\r').next().unwrap_or_default();
    let fixed = [&b"MSH"[..], b"MSA", b"DSC", b"PID", b"QRD", b"QRF", b"URD", b"URS", b"ADD"];
    line.iter().any(|&b| b > b' ') && !fixed.iter().any(|id| line.starts_with(id))
}

/// An acknowledgement of whatever parses is read back with its code and control id.
pub fn ack_build_parse(data: &[u8]) {
    let issue = ack::AckIssue {
        path: Path::parse("PID-5").ok(),
        code_0357: "207",
        severity: crate::Severity::Error,
        text: "a|b^c",
    };
    match er7::parse(data, &Limits::default(), &Site::default()) {
        Ok((message, _)) => {
            let bytes = ack::build(&message, ack::AckCode::Ae, &[issue], "ACK1", "20261111100000");
            let answer = ack::parse(&bytes);
            let read = answer.as_ref().map(|answer| (answer.code, answer.control_id.as_str()));
            let wanted = if message.first("MSH").is_some() { message.header().segment().field(10).raw() } else { "" };
            if message.segment(0).id() == "MSH" {
                assert_eq!(read, Ok((ack::AckCode::Ae, wanted)));
            }
        }
        Err(error) => {
            let bytes = ack::build_unreadable(data, ack::AckCode::Ar, error.code(), "ACK1", "20261111100000");
            assert_eq!(ack::parse(&bytes).map(|answer| answer.code), Ok(ack::AckCode::Ar));
        }
    }
}
