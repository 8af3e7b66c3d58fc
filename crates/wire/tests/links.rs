//! Frames, files, acknowledgements and what links need beside them.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::ack::{self, AckCode, AckIssue, Answer, Mode, Owed, WaitFor};
use dukou_wire::mllp::{self, Decoder, EncodeError, Event, FrameError, LooksLike};
use dukou_wire::ordering::{LaneKey, OrderingKey, ordering_key};
use dukou_wire::sequence::{Step, judge};
use dukou_wire::{Ack, IssueCode, Limits, Path, Severity, Site, batch, duplicate, er7};

fn decode(stream: &[u8], site: &Site) -> (Decoder, Vec<Event>, Option<FrameError>) {
    let mut decoder = Decoder::new(&Limits::default(), site);
    decoder.feed(stream);
    let mut events = Vec::new();
    loop {
        match decoder.next_frame() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (decoder, events, None),
            Err(error) => return (decoder, events, Some(error)),
        }
    }
}

fn payloads(events: &[Event]) -> Vec<&[u8]> {
    events.iter().map(payload).collect()
}

fn payload(event: &Event) -> &[u8] {
    match event {
        Event::Frame(frame) => &frame.payload,
        Event::KeepAlive | Event::Commit { .. } => b"",
    }
}

#[test]
fn a_lone_1c_is_payload() {
    let (_, events, _) = decode(b"\x0BMSH\x1C|\x1C\r", &Site::default());
    assert_eq!(payloads(&events), [b"MSH\x1C|"]);
}

#[test]
fn doubled_blocks_give_one_frame_and_stray_bytes() {
    let (decoder, events, _) = decode(b"\x0B\x0BMSH|a\x1C\r\x1C\r\n\x0BMSH|b\x1C\r", &Site::default());
    let [Event::Frame(first), Event::Frame(second)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((first.sequence, first.stray_bytes, first.payload.as_slice()), (1, 1, &b"MSH|a"[..]));
    assert_eq!((second.sequence, second.stray_bytes, second.payload.as_slice()), (2, 3, &b"MSH|b"[..]));
    assert_eq!(second.issues[0].code, IssueCode::FrameStrayBytes);
    assert_eq!(decoder.end(), Ok(()));
}

#[test]
fn an_empty_frame_is_a_keep_alive() {
    let (_, events, _) = decode(b"\x0B\x1C\r\x0BMSH|a\x1C\r", &Site::default());
    assert_eq!(events[0], Event::KeepAlive);
    assert_eq!(payloads(&events[1..]), [b"MSH|a"]);
}

#[test]
fn commit_acknowledgements_are_told_from_messages_on_links_of_release_2_alone() {
    let stream = [mllp::commit(true), mllp::commit(false), *b"\x0B\x07\x1C\r"].concat();
    assert_eq!(&stream[..8], b"\x0B\x06\x1C\r\x0B\x15\x1C\r");
    let second = Site { commit_acks: true, ..Site::default() };
    let (_, events, _) = decode(&stream, &second);
    let [Event::Commit { stored: true }, Event::Commit { stored: false }, Event::Frame(frame)] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((frame.sequence, frame.payload.as_slice()), (1, &b"\x07"[..]), "the acknowledgements are not counted");
    let (_, events, _) = decode(&stream, &Site::default());
    assert_eq!(payloads(&events), [b"\x06", b"\x15", b"\x07"]);
}

#[test]
fn every_cut_of_three_frames_gives_the_same_frames() {
    let stream = b"\x0B\x0BMSH|a\x1C|b\x1C\r\n\x0B\x1C\r\x0BMSH|c\x0BMSH|d\x1C\r\x1C\r\x0B\x06\x1C\r";
    for first in 0..=stream.len() {
        for second in 0..=stream.len() - first {
            dukou_wire::invariants::mllp_any_split(stream, &[first, second]);
        }
    }
}

#[test]
fn a_wrong_port_is_named() {
    let limits = Limits { preamble_bytes_max: 8, ..Limits::default() };
    let look = |bytes: &[u8]| {
        let mut decoder = Decoder::new(&limits, &Site::default());
        decoder.feed(bytes);
        decoder.next_frame()
    };
    let refused = |looks_like| Err(FrameError::Preamble { bytes: 8, looks_like });
    assert_eq!(look(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03"), refused(LooksLike::Tls));
    assert_eq!(look(b"GET / HTTP/1.1\r\n"), refused(LooksLike::Http));
    assert_eq!(look(b"0123456789"), refused(LooksLike::Unknown));
    assert_eq!(look(b"01234"), Ok(None));
}

#[test]
fn lenient_ends_are_accepted_where_the_site_says_so() {
    let lenient = Site { lenient_end: true, ..Site::default() };
    let stream = b"\x0BMSH|a\x1C\n\x0BMSH|b\x1C\x0BMSH|c\x1C";
    let (mut decoder, events, _) = decode(stream, &lenient);
    assert_eq!(payloads(&events), [b"MSH|a", b"MSH|b"]);
    decoder.idle();
    let Ok(Some(Event::Frame(last))) = decoder.next_frame() else { panic!("the idle link ends the frame") };
    assert_eq!(last.payload, b"MSH|c");
    assert_eq!(last.issues.last().unwrap().code, IssueCode::FrameLenientEnd);
    let (decoder, events, _) = decode(stream, &Site::default());
    assert!(events.is_empty() && decoder.frame_open());
    assert_eq!(decoder.end(), Err(FrameError::Truncated { bytes: decoder.pending_bytes() }));
}

#[test]
fn an_idle_link_gives_up_a_lost_frame_for_a_later_one() {
    let mut decoder = Decoder::new(&Limits::default(), &Site::default());
    decoder.feed(b"\x0BMSH|lost\r\x0BMSH|good\r");
    assert_eq!(decoder.next_frame(), Ok(None));
    decoder.idle();
    assert_eq!(decoder.next_frame(), Ok(None));
    decoder.feed(b"\x1C\r");
    let Ok(Some(Event::Frame(frame))) = decoder.next_frame() else { panic!("the good frame is there") };
    assert_eq!(frame.payload, b"MSH|good\r");
    assert_eq!(frame.issues[0].code, IssueCode::FrameAbandoned);
    assert_eq!(frame.issues[0].numbers.unwrap().found, 9);
}

#[test]
fn a_frame_beyond_the_limit_poisons_the_decoder() {
    let limits = Limits { frame_bytes_max: 10, ..Limits::default() };
    let mut decoder = Decoder::new(&limits, &Site::default());
    decoder.feed(b"\x0BMSH|567890\x1C\r\x0BMSH|5678901\x1C\r");
    assert!(matches!(decoder.next_frame(), Ok(Some(Event::Frame(_)))), "exactly the limit is allowed");
    assert_eq!(decoder.next_frame(), Err(FrameError::FrameTooLarge { limit: 10 }));
    assert_eq!(decoder.next_frame(), Err(FrameError::Poisoned));
}

#[test]
fn utf_16_has_its_own_refusal() {
    let text: Vec<u8> = "MSH|^~\\&|".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let stream = [&b"\x00\x0B"[..], &text].concat();
    assert_eq!(decode(&stream, &Site::default()).2, Some(FrameError::Utf16));
}

#[test]
fn what_is_framed_is_read_back() {
    let mut out = Vec::new();
    mllp::encode(b"MSH|\x1Cx\x0B", &mut out).unwrap();
    assert_eq!(payloads(&decode(&out, &Site::default()).1), [b"MSH|\x1Cx\x0B"]);
    assert_eq!(mllp::encode(b"a\x1C\rb", &mut out), Err(EncodeError::HoldsEnd { at: 1 }));
    assert_eq!(mllp::encode(b"\x0Ba", &mut out), Err(EncodeError::StartsWithStart));
}

const FILE: &[u8] = b"FHS|^~\\&|A\rBHS|^~\\&|A\rMSH|^~\\&|1\rPID|1\r\n\rMSH|^~\\&|2\rOBX\rBTS|3\rBHS|^~\\&\rMSH|^~\\&|3\rBTS|1\rFTS|2\r";

#[test]
fn a_cut_batch_is_known_by_its_counts_and_loses_nothing() {
    let mut reader = batch::Reader::new(FILE, &Limits::default());
    let parts: Vec<_> = reader.by_ref().collect();
    let messages: Vec<_> = parts.iter().map(|part| (part.batch, part.ordinal, part.bytes)).collect();
    assert_eq!(messages[0], (1, 1, &b"MSH|^~\\&|1\rPID|1\r\n\r"[..]));
    assert_eq!((messages.len(), messages[2].0), (3, 2));
    let issues = reader.finish();
    assert_eq!(issues.len(), 1);
    let numbers = issues[0].numbers.unwrap();
    assert_eq!((issues[0].code, numbers.declared, numbers.found), (IssueCode::BatchCount, 3, 2));
}

#[test]
fn bare_messages_and_framed_messages_in_a_file_are_split() {
    let file = b"\xEF\xBB\xBF\r\nMSH|^~\\&|1\nPID|1\n\x0BMSH|^~\\&|2\r\x1C\rstray\r";
    let mut reader = batch::Reader::new(file, &Limits::default());
    let parts: Vec<_> = reader.by_ref().map(|part| part.bytes).collect();
    assert_eq!(parts[0], b"MSH|^~\\&|1\nPID|1\n");
    assert!(parts[1].starts_with(b"MSH|^~\\&|2\r"));
    let limits = Limits { batch_messages_max: 1, ..Limits::default() };
    let mut reader = batch::Reader::new(file, &limits);
    assert_eq!(reader.by_ref().count(), 1);
    assert_eq!(reader.finish()[0].code, IssueCode::BatchTooLong);
}

fn original(version: &str, tail: &str) -> Vec<u8> {
    format!("MSH|^~\\&|LIS|GMSQ|EAI|SFSYY|20261111104107||ORU^R01|7\\T\\8|P|{version}{tail}\rPID|1\r").into_bytes()
}

fn answer(bytes: &[u8], issues: &[AckIssue<'_>]) -> String {
    let (message, _) = er7::parse(bytes, &Limits::default(), &Site::default()).unwrap();
    String::from_utf8(ack::build(&message, AckCode::Ae, issues, "A1", "20261111")).unwrap()
}

fn finding() -> AckIssue<'static> {
    let path = Path::parse("OBX[2]-5.1").ok();
    AckIssue { path, code_0357: "102", severity: Severity::Error, text: "not a number" }
}

#[test]
fn an_answer_goes_back_in_the_version_of_the_message() {
    let head = "MSH|^~\\&|EAI|SFSYY|LIS|GMSQ|20261111||";
    assert_eq!(
        answer(&original("2.4", ""), &[finding()]),
        format!("{head}ACK^R01^ACK|A1|P|2.4\rMSA|AE|7\\T\\8|not a number\rERR|OBX^2^5^102&Data type error&HL70357\r")
    );
    assert_eq!(
        answer(&original("2.5.1", ""), &[finding()]),
        format!(
            "{head}ACK^R01^ACK|A1|P|2.5.1\rMSA|AE|7\\T\\8|not a number\rERR||OBX^2^5^1^1|102^Data type error^HL70357|E||||not a number\r"
        )
    );
    assert!(answer(&original("2.7", ""), &[finding()]).contains("\rMSA|AE|7\\T\\8\rERR||"));
    assert!(answer(&original("2.3", ""), &[]).starts_with(&format!("{head}ACK^R01|A1|P|2.3\r")));
    assert!(answer(&original("2.1", ""), &[]).starts_with(&format!("{head}ACK|A1|P|2.1\r")));
}

#[test]
fn an_answer_keeps_delimiters_and_character_set() {
    let bytes = b"MSH$*~!%$A$\xAB\x7C$B$C$2026$$ADT*A08$1$P$2.4$$$$$$GBK\r";
    let (message, _) = er7::parse(bytes, &Limits::default(), &Site::default()).unwrap();
    let issue = AckIssue { path: None, code_0357: "207", severity: Severity::Error, text: "缺少$号" };
    let bytes = ack::build(&message, AckCode::Ar, &[issue], "A1", "T");
    assert!(bytes.starts_with(b"MSH$*~!%$B$C$A$\xAB\x7C$T$$ACK*A08*ACK$A1$P$2.4$$$$$$GBK\r"));
    let read = Ack::parse(&bytes).unwrap();
    assert_eq!((read.code, read.text.as_str(), read.control_id.as_str()), (AckCode::Ar, "缺少$号", "1"));
}

#[test]
fn unreadable_bytes_are_answered_with_what_a_scan_finds() {
    let found =
        ack::build_unreadable(b"\x01\x02MSH|^~\\&|A|B|C|D|T||ADT^A01|42|P|2.3\r", AckCode::Ar, "no|header", "A1", "T");
    assert_eq!(found, b"MSH|^~\\&|||||T||ACK|A1|P|2.3\rMSA|AR|42|no header\r");
    let lost = ack::build_unreadable(b"\xFF\xFF", AckCode::Cr, "no-header", "A1", "T");
    assert_eq!(Ack::parse(&lost).unwrap().control_id, "");
}

#[test]
fn the_header_says_which_answers_are_owed() {
    let plan = |tail: &str| {
        let bytes = original("2.4", tail);
        let (message, _) = er7::parse(&bytes, &Limits::default(), &Site::default()).unwrap();
        ack::plan(&message.header())
    };
    let original_mode = plan("");
    assert_eq!(
        (original_mode.mode, original_mode.accept, original_mode.application),
        (Mode::Original, Owed::Never, Owed::Always)
    );
    let enhanced = plan("|||AL|ER");
    assert_eq!((enhanced.mode, enhanced.accept, enhanced.application), (Mode::Enhanced, Owed::Always, Owed::OnError));
    assert_eq!(plan("|||ER").accept, Owed::Always, "who says nothing of MSH-16 waits for an answer");
    assert_eq!(plan("|||ER|NE").accept, Owed::OnError);
    let silent = plan("|||NE|NE");
    assert!(!silent.accept.applies(false) && !silent.application.applies(false));
    let answer = plan("\rMSA|AA|1");
    assert_eq!((answer.accept, answer.application), (Owed::Never, Owed::Never));
    assert_eq!(plan("\rMSA|AA|1\rQAK|x").application, Owed::Always);
}

#[test]
fn an_answer_to_another_message_is_never_a_success() {
    let ack = Ack::parse(b"MSH|^~\\&|A|B|C|D|T||ORR^O02|9|P|2.3\nMSA|CA|17||3\nERR|PID^1^5^101&Missing\n").unwrap();
    assert_eq!(ack.answers("18", WaitFor::First), Answer::Mismatch);
    assert_eq!(ack.answers("17", WaitFor::First), Answer::Settled(AckCode::Ca));
    assert_eq!(ack.answers("17", WaitFor::Application), Answer::KeepWaiting);
    assert_eq!((ack.expected_sequence, ack.message_code.as_str()), (Some(3), "ORR"));
    let error = &ack.errors[0];
    assert_eq!((error.path.as_ref().unwrap().to_string().as_str(), error.code.as_str()), ("PID-5", "101"));
    assert_eq!(Ack::parse(b"MSH|^~\\&|A\rPID|1\r"), Err(ack::NotAnAck::NoMsa));
    let newer =
        Ack::parse(b"MSH|^~\\&|A|||||||1|P|2.5\rMSA|AE|1\rERR||OBX^2^5^^1|102^Type^HL70357|E||||said\r").unwrap();
    assert_eq!(newer.errors[0].path.as_ref().unwrap().to_string(), "OBX[2]-5.1");
    assert_eq!((newer.errors[0].text.as_str(), newer.errors[0].severity.as_str()), ("said", "E"));
}

#[test]
fn a_file_is_answered_by_a_file_that_refers_to_its_batches() {
    let file = b"FHS|^~\\&|LIS|\xAB\x7C|GW|D|||||F1\rBHS#*~\\&#LIS#H#GW#D#####B1\rMSH|^~\\&|a\rMSH|^~\\&|b\rBTS#2\r\
        BHS|^~\\&|||||||||B2\rMSH|^~\\&|c\rBTS|1\rFTS|2\r";
    let site = Site::default();
    let mut answers = batch::Answers::new(&site, "2026", "R1");
    for part in batch::Reader::new(file, &Limits::default()) {
        // Only the second message failed, and only errors are wanted.
        if part.ordinal == 2 { answers.push(&part, b"MSH|^~\\&\rMSA|AE|b") } else { answers.enter(&part) }
    }
    let wanted = b"FHS|^~\\&|GW|D|LIS|\xAB\x7C|2026||||R1|F1\rBHS#*~\\&#GW#D#LIS#H#2026####R1#B1\r\
        MSH|^~\\&\rMSA|AE|b\rBTS#1\rBHS|^~\\&|||||2026||||R1|B2\rBTS|0\rFTS|2\r";
    let written = answers.finish();
    assert_eq!(written, wanted, "{}", String::from_utf8_lossy(&written));
    let read = batch::Reader::new(&written, &Limits::default());
    assert!(read.finish().is_empty(), "the counts are right");
    let bare = batch::Answers::new(&site, "2026", "R1").finish();
    assert_eq!(bare, b"BHS|^~\\&|||||2026||||R1\rBTS|0\r");
}

#[test]
fn the_same_control_id_with_another_payload_is_a_conflict() {
    let bytes = original("2.4", "");
    let (message, _) = er7::parse(&bytes, &Limits::default(), &Site::default()).unwrap();
    let key = duplicate::Key::of(&message.header(), "lis-1", &[7; 32], true);
    assert_eq!((key.control_id.as_str(), key.date.as_deref()), ("7&8", Some("20261111")));
    assert_eq!(duplicate::classify(None, &[1; 32]), duplicate::Class::New);
    assert_eq!(duplicate::classify(Some(&[1; 32]), &[1; 32]), duplicate::Class::Replay);
    assert_eq!(duplicate::classify(Some(&[2; 32]), &[1; 32]), duplicate::Class::Conflict);
}

#[test]
fn messages_of_one_patient_keep_their_order() {
    let key = |segments: &str, lane: &LaneKey| {
        let bytes = format!("MSH|^~\\&|LIS\r{segments}");
        let (message, _) = er7::parse(bytes.as_bytes(), &Limits::default(), &Site::default()).unwrap();
        ordering_key(&message, lane)
    };
    let any = LaneKey::default();
    let hospital = LaneKey { authority: Some("H1".into()), ..LaneKey::default() };
    let order = LaneKey { paths: vec![Path::parse("ORC-2").unwrap()], ..hospital.clone() };
    let segments = "PID|||860101^^^PRC~ 7 ^^^H1&1.2\rPV1|||||||||||||||||||V9^^^H1\rORC||P1^HIS\r";
    assert_eq!(key(segments, &any), OrderingKey::Patient("860101".into()));
    assert_eq!(key(segments, &hospital), OrderingKey::Patient("7".into()));
    assert_eq!(key(segments, &order), OrderingKey::Configured("P1".into()));
    assert_eq!(key("PID|||1^^^H2\rPV1|||||||||||||||||||V9\r", &hospital), OrderingKey::Visit("V9".into()));
    assert_eq!(key("PID|||\"\"\r", &any), OrderingKey::Link);
}

#[test]
fn sequence_numbers_advance_start_and_reset() {
    assert_eq!(judge(Some(4), "4"), Step::Accept { next: Some(5) });
    assert_eq!(judge(Some(4), "6"), Step::Refuse { expected: 4 });
    assert_eq!(judge(Some(4), "0"), Step::Report { expected: Some(4) });
    assert_eq!(judge(Some(4), "-1"), Step::Accept { next: None });
    assert_eq!(judge(None, "9"), Step::Accept { next: Some(10) });
    assert_eq!(judge(None, "x"), Step::Malformed);
    assert_eq!(judge(Some(4), ""), Step::Accept { next: Some(4) });
}
