//! Hospital systems that send HL7 v2. Every person is invented; identity numbers use region 86, phones are 199000000xx.

use bytes::Bytes;
use dukou_audit::SeededRandom;
use dukou_exchange::{Link, v2_time};
use dukou_fhir::Instant;
use dukou_wire::{Charset, Limits, Site};

use super::node::east;

/// What a system sends and how it wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Registrations and merges, original mode.
    His,
    /// Results in GB18030 without MSH-18, original mode.
    Lis,
    /// Bookings, original mode.
    Booking,
    /// Results in enhanced mode with both answers.
    Clinic,
    /// Transfers in enhanced mode; wants to know of receipt only.
    Ward,
}

/// One message on its way.
#[derive(Clone)]
pub(crate) struct Letter {
    control_id: String,
    pub(crate) raw: Bytes,
}

/// A system with its queue: the head is sent until it is answered.
pub(crate) struct Sender {
    pub(crate) client: &'static str,
    pub(crate) link: Link,
    kind: Kind,
    count: u32,
    pub(crate) waiting: Option<Letter>,
    pub(crate) answered: Vec<Letter>,
}

/// What a letter is to the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    /// The head of the queue, perhaps not for the first time.
    Head,
    /// A message that was answered before, once more.
    Again,
    /// Other content under a control id that was answered before.
    Forged,
}

impl Sender {
    pub(crate) fn all() -> Vec<Sender> {
        let kinds = [Kind::His, Kind::Lis, Kind::Booking, Kind::Clinic, Kind::Ward];
        kinds.into_iter().map(Sender::new).collect()
    }

    fn new(kind: Kind) -> Sender {
        let client = match kind {
            Kind::His => "his",
            Kind::Lis => "lis",
            Kind::Booking => "booking",
            Kind::Clinic => "clinic",
            Kind::Ward => "ward",
        };
        let site = Site { charset_default: Charset::Gb18030, ..Site::default() };
        let link = Link { name: client.to_owned(), site, limits: Limits::default(), reuses_control_ids: false };
        Sender { client, link, kind, count: 0, waiting: None, answered: Vec::new() }
    }

    /// The next thing this system sends.
    pub(crate) fn next(&mut self, now: Instant, choice: &SeededRandom) -> (Posted, Letter) {
        if let Some(letter) = &self.waiting {
            return (Posted::Head, letter.clone());
        }
        let old = |len: usize| usize::try_from(choice.number()).unwrap_or(0) % len;
        match choice.number() % 20 {
            0..3 if !self.answered.is_empty() => (Posted::Again, self.answered[old(self.answered.len())].clone()),
            3 if !self.answered.is_empty() => {
                let control_id = self.answered[old(self.answered.len())].control_id.clone();
                (Posted::Forged, self.letter(&control_id, now, choice))
            }
            4 => {
                self.count += 1;
                let raw = Bytes::from(format!("{} is not a message {}\r", self.client, self.count));
                self.head(Letter { control_id: String::new(), raw })
            }
            _ => {
                self.count += 1;
                let control_id = format!("{}{:05}", self.client.to_uppercase(), self.count);
                let letter = self.letter(&control_id, now, choice);
                self.head(letter)
            }
        }
    }

    fn head(&mut self, letter: Letter) -> (Posted, Letter) {
        self.waiting = Some(letter.clone());
        (Posted::Head, letter)
    }

    /// The head was answered: the next one may come.
    pub(crate) fn advance(&mut self) {
        if let Some(letter) = self.waiting.take()
            && !letter.control_id.is_empty()
        {
            self.answered.push(letter);
        }
    }

    fn letter(&self, control_id: &str, now: Instant, choice: &SeededRandom) -> Letter {
        let pick = |n: u64| choice.number() % n;
        let hours = if pick(5) == 0 { pick(48) } else { 0 };
        let event = Instant::from_millis(now.as_millis() - i64::try_from(hours).unwrap_or(0) * 3_600_000);
        let about = About {
            control_id,
            now: v2_time(now, east()),
            event: v2_time(event, east()),
            person: &PEOPLE[pick(4) as usize],
            other: &PEOPLE[pick(4) as usize],
            n: pick(100_000),
        };
        let text = match self.kind {
            Kind::His if about.n.is_multiple_of(6) => about.merge(),
            Kind::His if about.n.is_multiple_of(7) => about.unmapped(),
            Kind::His => about.registration("HIS", "|"),
            Kind::Lis => about.result("LIS", "|", ""),
            Kind::Booking => about.booking(),
            Kind::Clinic => about.result("CLINIC", "AL|AL", UTF_8),
            Kind::Ward => about.registration("WARD", "AL|NE"),
        };
        let raw = match self.kind {
            Kind::Lis => Charset::Gb18030.encode(&text).unwrap().to_vec(),
            _ => text.into_bytes(),
        };
        Letter { control_id: control_id.to_owned(), raw: Bytes::from(raw) }
    }
}

struct Person {
    mrn: &'static str,
    name: &'static str,
    sex: &'static str,
    born: &'static str,
}

const PEOPLE: [Person; 4] = [
    Person { mrn: "86000001", name: "王建国", sex: "M", born: "19580312" },
    Person { mrn: "86000002", name: "李珅", sex: "M", born: "19790707" },
    Person { mrn: "86000003", name: "欧阳诚", sex: "M", born: "19850615" },
    Person { mrn: "86000004", name: "陈小芳", sex: "F", born: "19930820" },
];

struct About<'a> {
    control_id: &'a str,
    now: String,
    event: String,
    person: &'static Person,
    other: &'static Person,
    n: u64,
}

impl About<'_> {
    /// `answers` is MSH-15 and MSH-16.
    fn header(&self, application: &str, kind: &str, answers: &str, charset: &str) -> String {
        let Self { control_id, now, .. } = self;
        format!("MSH|^~\\&|{application}|86H01|DUKOU|86H01|{now}||{kind}|{control_id}|P|2.5.1|||{answers}||{charset}\r")
    }

    fn pid(&self) -> String {
        let Person { mrn, name, sex, born } = self.person;
        let n = self.n % 100;
        format!("PID|1||{mrn}^^^86H01^MR||{name}||{born}|{sex}|||示范市渡口区人民路{n}号||199000000{n:02}^PRN^CP\r")
    }

    fn registration(&self, application: &str, answers: &str) -> String {
        let header = self.header(application, "ADT^A08^ADT_A01", answers, UTF_8);
        let Self { event, n, .. } = self;
        let visit = self.n % 3;
        let mrn = self.person.mrn;
        format!(
            "{header}EVN|A08|{event}\r{}PV1|1|O|内科门诊^^^86H01|||||||MED||||||||{n}|V{mrn}{visit}^^^86H01^VN\r",
            self.pid()
        )
    }

    fn merge(&self) -> String {
        let header = self.header("HIS", "ADT^A40^ADT_A39", "|", UTF_8);
        let Self { event, other, .. } = self;
        format!("{header}EVN|A40|{event}\r{}MRG|{}^^^86H01^MR\r", self.pid(), other.mrn)
    }

    fn unmapped(&self) -> String {
        format!("{}ZZZ|1|{}\r", self.header("HIS", "ZZZ^Z99^ZZZ_Z99", "|", UTF_8), self.n)
    }

    fn result(&self, application: &str, answers: &str, charset: &str) -> String {
        let header = self.header(application, "ORU^R01^ORU_R01", answers, charset);
        let Self { event, n, .. } = self;
        let report = n % 12;
        format!(
            "{header}{}OBR|1||FL{report:03}^{application}|CHEM^生化全套^L|||{event}|||||||||||||||{event}||CH|F\r\
             OBX|1|NM|2345-7^葡萄糖^LN||{}.{}0|mmol/L^mmol/L^UCUM|3.9-6.1|N|||F|||{event}\r\
             OBX|2|ST|HBSAG^乙肝表面抗原^L||阴性(-) {n}||阴性||||F|||{event}\r",
            self.pid(),
            4 + n % 4,
            n % 10,
        )
    }

    fn booking(&self) -> String {
        let trigger = if self.n.is_multiple_of(4) { "SIU^S15^SIU_S12" } else { "SIU^S12^SIU_S12" };
        let header = self.header("PACS", trigger, "|", UTF_8);
        let Self { event, n, .. } = self;
        let place = n % 5;
        format!(
            "{header}SCH|AP{place}^HIS|AP{place}^PACS||||ROUTINE^常规|US^腹部超声^L|NORMAL^普通|15|min|^^^{event}|||||||||D002^孙技师|||||Booked\r\
             {}RGS|1\rAIS|1||US^腹部超声^L|{event}|||15|min\rNTE|1||空腹{n}小时。\r",
            self.pid()
        )
    }
}

const UTF_8: &str = "UNICODE UTF-8";
