//! Messages of every structure that is known, made from its grammar.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::groups::{self, Shape, ShapeMember, Slot};
use dukou_wire::mllp::{self, Decoder, Event};
use dukou_wire::{Charset, GroupStep, Issue, Limits, Message, Site, er7, invariants};
use proptest::prelude::*;

/// A segment of a message that is made, with the groups around it.
#[derive(Debug, Clone)]
struct Made {
    id: &'static str,
    steps: Vec<GroupStep>,
}

/// Choices from a list of bytes, over and over.
struct Choices<'c> {
    bytes: &'c [u8],
    at: usize,
}

impl Choices<'_> {
    fn next(&mut self, bound: usize) -> usize {
        let byte = self.bytes.get(self.at % self.bytes.len().max(1)).copied().unwrap_or(0);
        self.at += 1;
        (usize::from(byte) ^ (self.at * 7)) % bound
    }
}

/// Fills a group as its structure allows: every member so often as the choices say, required ones at least once.
fn fill(shape: Shape, steps: &[GroupStep], choices: &mut Choices<'_>, made: &mut Vec<Made>) {
    for member in shape.members() {
        if member.optional && has_earlier_place(shape, member) {
            continue;
        }
        let times = match (member.optional, member.repeats) {
            (true, true) => choices.next(3),
            (true, false) => choices.next(2),
            (false, true) => 1 + choices.next(2),
            (false, false) => 1,
        };
        // What a group begins with tells it from the group before.
        let times = if member.number == 0 { times.max(1) } else { times };
        for time in 1..=times {
            match member.slot {
                Slot::Segment(ids) => made.push(Made { id: ids[choices.next(ids.len())], steps: steps.to_vec() }),
                Slot::Group(inner) => {
                    let step = GroupStep { name: inner.name().to_owned(), ordinal: time as u16 };
                    fill(inner, &[steps, &[step]].concat(), choices, made);
                }
            }
        }
    }
}

fn text(structure: &str, made: &[Made], choices: &mut Choices<'_>) -> String {
    let kind = structure.replace('_', "^");
    let mut text = format!("MSH|^~\\&|LIS|珅|GW|D|20261120||{kind}^{structure}|1|P|2.7||||||GB 18030-2000\r");
    for segment in &made[1..] {
        let value = ["", "a", "誠^b&c~d", "\"\"", "x\\F\\y", "|珅|", "1^^&2"][choices.next(7)];
        text.push_str(&format!("{}|{value}|{}\r", segment.id, choices.at));
    }
    text
}

fn parse(bytes: &[u8]) -> (Message<'_>, Vec<Issue>) {
    er7::parse(bytes, &Limits::default(), &Site::default()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_of_any_structure_keeps_every_promise(bytes in prop::collection::vec(any::<u8>(), 1..40)) {
        for structure in groups::structures() {
            let choices = &mut Choices { bytes: &bytes, at: 0 };
            let mut made = Vec::new();
            fill(Shape::of(structure), &[], choices, &mut made);
            let text = text(structure, &made, choices);
            let encoded = Charset::Gb18030.encode(&text).unwrap();
            let (message, _) = parse(&encoded);
            prop_assert_eq!(message.text(), &text, "encoding and decoding is the identity on text");
            let again = message.charset().encode(message.text()).unwrap();
            prop_assert_eq!(&again, &encoded);
            let leaves: usize = message.segments().map(|segment| {
                let mut inside = message.leaves().filter(|leaf| leaf.segment as usize == segment.index());
                inside.by_ref().count()
            }).sum();
            prop_assert_eq!(leaves, message.leaf_count());
            invariants::er7_parse_print(&encoded);
            invariants::er7_leaf_walk(&encoded);
            invariants::er7_edits(&encoded, &bytes);
            invariants::draft_copy(&encoded);
            framed(&encoded, &bytes);
        }
    }

    #[test]
    fn a_message_in_the_order_of_its_structure_is_grouped_as_it_was_made(bytes in prop::collection::vec(any::<u8>(), 1..40)) {
        for structure in groups::structures().filter(|name| !AMBIGUOUS.contains(name)) {
            let choices = &mut Choices { bytes: &bytes, at: 0 };
            let mut made = Vec::new();
            fill(Shape::of(structure), &[], choices, &mut made);
            let text = text(structure, &made, choices);
            let (message, _) = parse(text.as_bytes());
            let mut issues = Vec::new();
            let arranged = groups::arrange(&message, &mut issues);
            prop_assert_eq!(arranged.structure(), structure);
            let input: Vec<(&[GroupStep], &str)> = made.iter().map(|made| (made.steps.as_slice(), made.id)).collect();
            let order = groups::order(structure, &input);
            let ordered: Vec<&str> = order.iter().map(|&at| made[at].id).collect();
            let ids: Vec<&str> = made.iter().map(|made| made.id).collect();
                prop_assert_eq!(ordered, ids, "{}: the grammar prints what it made", structure);
                prop_assert_eq!(&issues, &[], "{}: nothing is out of order in\n{}", structure, text);
                for (at, made) in made.iter().enumerate() {
                    prop_assert_eq!(&arranged.steps(at), &made.steps, "{}: segment {} of\n{}", structure, at, text);
                }
        }
    }
}

/// A frame is the same however it is cut.
fn framed(message: &[u8], cuts: &[u8]) {
    let mut stream = Vec::new();
    mllp::encode(message, &mut stream).unwrap();
    mllp::encode(message, &mut stream).unwrap();
    let mut decoder = Decoder::new(&Limits::default(), &Site::default());
    let (mut rest, mut frames) = (stream.as_slice(), 0);
    for cut in cuts.iter().cycle().map(|&cut| 1 + usize::from(cut)) {
        let (piece, after) = rest.split_at(cut.min(rest.len()));
        rest = after;
        decoder.feed(piece);
        while let Some(Event::Frame(frame)) = decoder.next_frame().unwrap() {
            assert_eq!(frame.payload, message);
            frames += 1;
        }
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(frames, 2);
}

/// A second place for a segment, such as roles behind the visit or notes behind everything, cannot be told from the first
/// one when nothing stands between them.
fn has_earlier_place(shape: Shape, member: ShapeMember) -> bool {
    let ids = match member.slot {
        Slot::Segment(ids) => ids,
        // An order behind a prior result begins as another prior order does.
        Slot::Group(group) if group.name() == "PRIOR_RESULT" => return true,
        Slot::Group(group) => match group.members().next().map(|first| first.slot) {
            Some(Slot::Segment(ids)) => ids,
            _ => return false,
        },
    };
    let mut earlier = shape.members().take(usize::from(member.number));
    earlier.any(|before| match before.slot {
        Slot::Segment(other) => other.iter().any(|id| ids.contains(id)),
        Slot::Group(group) => ids.iter().any(|id| group.holds(id)),
    })
}

/// The flat structure is for messages in any order. In ORL_O34 a specimen of an order begins as the next specimen does.
const AMBIGUOUS: &[&str] = &["UNKNOWN", "ORL_O34"];
