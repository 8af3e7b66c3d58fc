//! The simulated systems of the demo: what a hospital's HIS, LIS and exam booking and a community clinic send in a morning.
//!
//! Every person is invented. Identity numbers use region 86, which GB/T 2260 does not assign; phones are 199000000xx.

use dukou_wire::Charset;

/// A system that sends, with the registered client it speaks as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Hospital information system: ADT, in GB18030.
    His,
    /// Laboratory system: ORU, in GB18030 with an empty MSH-18.
    Lis,
    /// Exam booking: SIU, in UTF-8.
    Booking,
    /// Community clinic: ORU, in UTF-8.
    Clinic,
}

impl Sender {
    /// All of them, in the order in which the demo starts them.
    pub(crate) const ALL: [Self; 4] = [Self::His, Self::Lis, Self::Booking, Self::Clinic];

    /// Name on the screen and in the client register.
    pub(crate) const fn client(self) -> &'static str {
        match self {
            Self::His => "his",
            Self::Lis => "lis",
            Self::Booking => "booking",
            Self::Clinic => "clinic",
        }
    }

    /// What the screen says about one message of this sender.
    pub(crate) const fn describes(self) -> &'static str {
        match self {
            Self::His => "ADT  registration",
            Self::Lis => "ORU  laboratory result",
            Self::Booking => "SIU  exam booking",
            Self::Clinic => "ORU  result of a clinic",
        }
    }

    /// The `n`-th message of this sender as bytes; `now` is local time as `YYYYMMDDHHMMSS`.
    pub(crate) fn message(self, n: usize, now: &str) -> Vec<u8> {
        let person = &PEOPLE[n % PEOPLE.len()];
        let visit = n / PEOPLE.len();
        let text = match self {
            Self::His => admission(person, n, visit, now),
            Self::Lis => laboratory(person, n, visit, now),
            Self::Booking => booking(person, n, visit, now),
            Self::Clinic => clinic(person, n, now),
        };
        match self {
            Self::His | Self::Lis => gb18030(&text),
            Self::Booking | Self::Clinic => text.into_bytes(),
        }
    }
}

/// An invented person.
struct Person {
    mrn: &'static str,
    name: &'static str,
    sex: &'static str,
    born: &'static str,
    phone: &'static str,
    district: &'static str,
}

const PEOPLE: [Person; 8] = [
    Person {
        mrn: "10000001",
        name: "王建国",
        sex: "M",
        born: "19580312",
        phone: "19900000001",
        district: "示范市渡口区",
    },
    Person {
        mrn: "10000002",
        name: "李珅",
        sex: "M",
        born: "19790707",
        phone: "19900000002",
        district: "示范市江东区",
    },
    Person {
        mrn: "10000003",
        name: "彭䶮",
        sex: "M",
        born: "19910101",
        phone: "19900000003",
        district: "示范市渡口区",
    },
    Person {
        mrn: "10000004",
        name: "欧阳诚",
        sex: "M",
        born: "19850615",
        phone: "19900000004",
        district: "示范市河西区",
    },
    Person {
        mrn: "10000005",
        name: "陈小芳",
        sex: "F",
        born: "19930820",
        phone: "19900000005",
        district: "示范市渡口区",
    },
    Person {
        mrn: "10000006",
        name: "赵敏之",
        sex: "F",
        born: "19660909",
        phone: "19900000006",
        district: "示范市江东区",
    },
    Person {
        mrn: "10000007",
        name: "周海燕",
        sex: "F",
        born: "20010228",
        phone: "19900000007",
        district: "示范市河西区",
    },
    Person {
        mrn: "10000008",
        name: "吴桂英",
        sex: "F",
        born: "19471130",
        phone: "19900000008",
        district: "示范市渡口区",
    },
];

impl Person {
    /// GB 11643 number with its check character.
    fn identity_number(&self) -> String {
        let order = if self.sex == "M" { "801" } else { "802" };
        let stem = format!("860101{}{order}", self.born);
        let sum: u32 = stem.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        let check = b"10X98765432"[(sum % 11) as usize] as char;
        format!("{stem}{check}")
    }

    fn pid(&self) -> String {
        let Self { mrn, name, sex, born, phone, district } = self;
        let number = self.identity_number();
        format!(
            "PID|1||{mrn}^^^H1^MR~{number}^^^PRC^NNCHN||{name}||{born}|{sex}|||{district}人民路1号^^示范市^示范省^860100^CN^H||{phone}^PRN^CP"
        )
    }
}

fn admission(person: &Person, n: usize, visit: usize, now: &str) -> String {
    let pid = person.pid();
    let mrn = person.mrn;
    format!(
        "MSH|^~\\&|HIS|H1|DUKOU|H1|{now}||ADT^A04^ADT_A01|HIS{now}{n:05}|P|2.4||||||GB18030\r\
         EVN|A04|{now}\r{pid}\r\
         NK1|1|家属^^|SPO^配偶^HL70063||19900000099^PRN^CP\r\
         PV1|1|O|内科门诊^^^H1||||D001^张医生^^^^^^^H1|||MED||||||||{mrn}|V{mrn}{visit:03}^^^H1^VN|||||||||||||||||||||||||{now}\r\
         AL1|1|DA|PCN^青霉素^L|MO|皮疹\r"
    )
}

fn laboratory(person: &Person, n: usize, visit: usize, now: &str) -> String {
    let pid = person.pid();
    let mrn = person.mrn;
    let glucose = 48 + (n * 7) % 40;
    format!(
        "MSH|^~\\&|LIS|H1|DUKOU|H1|{now}||ORU^R01|LIS{now}{n:05}|P|2.4\r{pid}\r\
         PV1|1|O|||||||||||||||||V{mrn}{visit:03}^^^H1^VN\r\
         ORC|RE|PL{n:06}^HIS|FL{n:06}^LIS\r\
         OBR|1|PL{n:06}^HIS|FL{n:06}^LIS|CHEM^生化全套^L|||{now}|||||||{now}|SER|||||||{now}||CH|F\r\
         OBX|1|NM|2345-7^葡萄糖^LN||{}.{}|mmol/L^mmol/L^UCUM|3.9-6.1|{}|||F|||{now}\r\
         OBX|2|NM|2160-0^肌酐^LN||72.50|umol/L^umol/L^UCUM|41--81||||F|||{now}\r\
         OBX|3|ST|HBSAG^乙肝表面抗原^L||阴性(-)||阴性||||F|||{now}\r\
         NTE|1|L|标本无溶血。\r",
        glucose / 10,
        glucose % 10,
        if glucose > 61 { "H" } else { "N" },
    )
}

fn booking(person: &Person, n: usize, visit: usize, now: &str) -> String {
    let pid = person.pid();
    let mrn = person.mrn;
    let day = &now[..8];
    let hour = 8 + n % 9;
    format!(
        "MSH|^~\\&|PACS|H1|DUKOU|H1|{now}||SIU^S12^SIU_S12|BK{now}{n:05}|P|2.5.1||||||UNICODE UTF-8\r\
         SCH|AP{n:06}^HIS|AP{n:06}^PACS||||ROUTINE^常规|US^腹部超声^L|NORMAL^普通|15|min|^^^{day}{hour:02}1500+0800^{day}{hour:02}3000+0800|||||||||D002^孙技师|||||Booked\r\
         {pid}\rPV1|1|O|||||||||||||||||V{mrn}{visit:03}^^^H1^VN\r\
         RGS|1\rAIS|1||US^腹部超声^L|{day}{hour:02}1500+0800|||15|min\rAIL|1||US-1^超声一室^^H1\r\
         NTE|1||空腹8小时。\r"
    )
}

fn clinic(person: &Person, n: usize, now: &str) -> String {
    let pid = person.pid();
    format!(
        "MSH|^~\\&|CLINIC|C7|DUKOU|H1|{now}||ORU^R01^ORU_R01|CL{now}{n:05}|P|2.5.1||||||UNICODE UTF-8\r{pid}\r\
         OBR|1||C{n:06}^CLINIC|718-7^血红蛋白^LN|||{now}|||||||{now}|BLD|||||||{now}||HM|F\r\
         OBX|1|NM|718-7^血红蛋白^LN||13{}|g/L^g/L^UCUM|130-175||||F|||{now}|渡口社区卫生服务中心\r",
        n % 10
    )
}

/// GB18030 holds every character of these messages; were one missing, the text would go out as UTF-8, which is recognised.
fn gb18030(text: &str) -> Vec<u8> {
    Charset::Gb18030.encode(text).map_or_else(|_| text.as_bytes().to_vec(), std::borrow::Cow::into_owned)
}

/// GB 11643-1999, weights of the seventeen digits.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_numbers_carry_a_right_check_character_and_an_unassigned_region() {
        for person in &PEOPLE {
            let number = person.identity_number();
            assert_eq!(number.len(), 18);
            assert!(number.starts_with("86"));
        }
    }

    #[test]
    fn the_his_sends_gb18030_that_is_not_utf_8() {
        let bytes = Sender::His.message(1, "20261120081500");
        assert!(std::str::from_utf8(&bytes).is_err());
        assert!(bytes.windows(2).any(|pair| pair == [0xAB, 0x7C]), "the second byte of 珅 is a field separator");
    }
}
