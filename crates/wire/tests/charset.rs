//! What the character set gate promises.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::charset::Reason;
use dukou_wire::{Charset, Issue, IssueCode, Limits, Message, Path, Site, er7};

fn parse(bytes: &[u8]) -> (Message<'_>, Vec<Issue>) {
    er7::parse(bytes, &Limits::default(), &Site::default()).unwrap()
}

fn text(message: &Message<'_>, path: &str) -> String {
    message.get(&Path::parse(path).unwrap()).unwrap().text().into_owned()
}

/// Issues as `code path`.
fn found(issues: &[Issue]) -> Vec<String> {
    let path = |issue: &Issue| issue.path.as_ref().map(|path| format!(" {path}")).unwrap_or_default();
    issues.iter().map(|issue| issue.code.as_str().to_owned() + &path(issue)).collect()
}

/// A message with this name in PID-5 and a facility in MSH-4, written in this character set under this name.
fn message(charset: Charset, declared: &str, facility: &str, name: &str) -> Vec<u8> {
    let text =
        format!("MSH|^~\\&|LIS|{facility}|||||ADT^A08|1|P|2.4||||||{declared}\rPID|1||1||{name}^x&y~z||19770707\r");
    charset.encode(&text).unwrap().into_owned()
}

#[test]
fn no_character_of_the_unified_ideographs_splits_a_field() {
    let trap = |bytes: &[u8]| matches!(bytes, [_, b'\\' | b'^' | b'|' | b'~']);
    let mut traps = 0;
    for character in '\u{4E00}'..='\u{9FA5}' {
        let name = character.to_string();
        if !trap(&Charset::Gb18030.encode(&name).unwrap()) {
            continue;
        }
        traps += 1;
        for declared in ["GB18030", "GBK", ""] {
            let bytes = message(Charset::Gb18030, declared, &name, &name);
            let (message, _) = parse(&bytes);
            assert_eq!(message.charset(), Charset::Gb18030, "{name}");
            assert_eq!((text(&message, "PID-5.1"), text(&message, "MSH-4")), (name.clone(), name.clone()));
            assert_eq!((text(&message, "PID-5.2.2"), text(&message, "PID-5[2]")), ("y".into(), "z".into()));
            assert_eq!(text(&message, "PID-7"), "19770707");
        }
    }
    assert_eq!(traps, 464);
}

#[test]
fn the_traps_of_big5_split_no_field_either() {
    for name in ["許功蓋", "誠", "珮"] {
        let bytes = message(Charset::Big5, "BIG-5", name, name);
        let (message, issues) = parse(&bytes);
        assert_eq!((message.charset(), text(&message, "PID-5.1")), (Charset::Big5, name.to_owned()));
        assert!(issues.is_empty(), "{issues:?}");
    }
}

#[test]
fn every_pair_and_every_four_bytes_come_back_as_they_were_or_are_flagged() {
    let four = (0x81..=0x84_u8).chain(0x90..=0xE3).flat_map(|a| [(a, 0x81), (a, 0xB7), (a, 0xFE)]);
    let sampled = four.flat_map(|(a, c)| (0x30..=0x39_u8).map(move |b| [a, b, c, 0x30 + (b ^ c) % 10]));
    let twice = [*b"\x82\x35\x90\x37", *b"\x82\x35\x91\x33", *b"\x84\x31\x82\x36", *b"\x84\x31\x83\x35"];
    let pairs = (0x81..=0xFE_u8).flat_map(|lead| (0x40..=0xFE_u8).map(move |second| vec![lead, second]));
    let single = [vec![0x80]];
    for character in pairs.chain(sampled.chain(twice).map(|four| four.to_vec())).chain(single) {
        let bytes =
            [b"MSH|^~\\&|A||||||ADT|1|P|2.4||||||GB18030\rPID|1||||".as_slice(), &character, b"|\xB0\xA1\r"].concat();
        let Ok((message, issues)) = er7::parse(&bytes, &Limits::default(), &Site::default()) else { continue };
        let raw = message.get(&Path::parse("PID-5").unwrap()).unwrap().raw();
        let same = Charset::Gb18030.encode(raw).is_ok_and(|encoded| *encoded == character[..]);
        let flagged = issues.iter().any(|issue| issue.code == IssueCode::CharsetNotReversible);
        assert_eq!(flagged, !same, "{character:02X?}");
        assert_eq!(text(&message, "PID-6"), "啊");
    }
}

#[test]
fn characters_of_big5_that_cannot_be_written_again_are_flagged() {
    let bytes = b"MSH|^~\\&|A||||||ADT|1|P|2.4||||||BIG-5\rPID|1||||\xA7\xF5\x87\x40\r";
    let (message, issues) = parse(bytes);
    assert_eq!(text(&message, "PID-5"), "李䏰");
    assert_eq!(found(&issues), ["charset-not-reversible"]);
}

#[test]
fn a_declared_set_that_the_bytes_contradict_is_not_believed() {
    // UTF-8 under another name, each with the reason it is read as UTF-8.
    for declared in ["GB18030", "GBK", "GB2312", "BIG-5", "8859/1", "ASCII"] {
        let bytes = message(Charset::Utf8, declared, "H", "李明");
        let (message, issues) = parse(&bytes);
        assert_eq!((message.charset(), message.charset_reason()), (Charset::Utf8, Reason::StrictUtf8), "{declared}");
        assert_eq!(text(&message, "PID-5.1"), "李明");
        assert_eq!(found(&issues), if declared == "ASCII" { vec![] } else { vec!["charset-suspect"] });
    }
    // GBK under another name.
    for declared in ["UTF-8", "UNICODE UTF-8", "ASCII", "8859/1"] {
        let bytes = message(Charset::Gb18030, declared, "H", "李珅");
        let (message, issues) = parse(&bytes);
        let believed = declared == "8859/1";
        assert_eq!(message.charset() == Charset::Gb18030, !believed, "{declared}");
        assert_eq!(issues.is_empty(), believed, "bytes of any kind are Latin-1: {declared} {issues:?}");
    }
    // Characters of two bytes may be of either set: the declaration decides and is flagged.
    let bytes = message(Charset::Utf8, "8859/1", "H", "José");
    let (message, issues) = parse(&bytes);
    assert_eq!((message.charset(), text(&message, "PID-5.1")), (Charset::Iso8859(1), "JosÃ©".to_owned()));
    assert_eq!(found(&issues), ["charset-suspect", "mojibake PID-5.1.1"]);
}

#[test]
fn garbled_text_is_flagged_where_it_stands() {
    let flagged = |name: &str| {
        let bytes = message(Charset::Utf8, "UNICODE UTF-8", "H", name);
        let issues = parse(&bytes).1;
        found(&issues)
    };
    for name in ["锟斤拷", "李\u{FFFD}", "æŽæ˜Ž", "MÃ¼ller", "烫烫烫", "Ã©"] {
        assert_eq!(flagged(name), ["mojibake PID-5.1.1"], "{name}");
    }
    // UTF-8 that was read as GBK before it came.
    assert_eq!(flagged("鐜嬪缓鍥"), Vec::<String>::new(), "half a character is missing");
    assert_eq!(flagged("寮犱笁"), ["mojibake PID-5"]);
    for name in ["李珅", "欧阳建国", "José", "Ünal", "São", "SÃO", "Françoise", "阿依古丽·买买提"] {
        assert!(flagged(name).is_empty(), "{name}");
    }
}

#[test]
fn private_use_characters_stay_as_they_came_and_are_flagged() {
    let bytes = message(Charset::Utf8, "UNICODE UTF-8", "H", "\u{E863}");
    let (message, issues) = parse(&bytes);
    assert_eq!(text(&message, "PID-5.1"), "\u{E863}");
    assert_eq!(found(&issues), ["private-use PID-5.1.1"]);
    // 䶮 has two bytes of its own, and the private character that stood for it has four.
    let gb18030 = b"MSH|^~\\&|A||||||ADT|1|P|2.4||||||GB18030\rPID|1||||\xFE\x9F|\x83\x36\xCF\x39\r";
    let (message, issues) = parse(gb18030);
    assert_eq!((text(&message, "PID-5"), text(&message, "PID-6")), ("\u{4DAE}".into(), "\u{E863}".into()));
    assert_eq!(found(&issues), ["private-use PID-6.1.1"]);
}
