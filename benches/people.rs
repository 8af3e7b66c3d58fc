//! The index of people: building it, what it weighs, and how long the question of a desk takes.
//!
//! `cargo bench --bench people -- 50000 1000000` measures those numbers of people; without arguments, 50,000. All of them are made up
//! from a seed: names by the frequency of their characters, families that share a telephone, one record in five a second one of the same
//! person in another system.
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use dukou_benches::{machine, resident_mib};
use dukou_fhir::LogicalId;
use dukou_identity::{
    Class, Grade, Index, Loading, Model, Obtained, Record, ResolveLimits, Stated, StatedIdentifier, StatedName,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", machine());
    let model = Arc::new(Model::load("model.toml", include_str!("../mappings/identity/model.toml"))?);
    let mut sizes: Vec<u64> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    if sizes.is_empty() {
        sizes.push(50_000);
    }
    for people in sizes {
        measure(&model, people);
    }
    Ok(())
}

fn measure(model: &Arc<Model>, people: u64) {
    let mib_before = resident_mib(std::process::id());
    let begun = Instant::now();
    let mut loading = Loading::new(Arc::clone(model));
    let mut seq = 0;
    for n in 0..people {
        for system in 0..if n % 5 == 0 { 2 } else { 1 } {
            seq += 1;
            loading.put(seq, Record::prepare(model, &person(n).stated(seq, system)));
        }
    }
    let put = begun.elapsed();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut index = loading.finish(threads);
    let built = begun.elapsed();
    let mib = resident_mib(std::process::id()) - mib_before;
    println!("\n{people} people, {seq} records");
    println!("prepare and put                 {:>9.1} s", put.as_secs_f64());
    println!("find the people, {threads} threads      {:>9.1} s", (built - put).as_secs_f64());
    println!("memory                          {mib:>9.0} MiB, {:.0} bytes a record", mib * 1_048_576.0 / seq as f64);
    ask(model, &index, people, "a card is read                ", Asked::Card);
    ask(model, &index, people, "typed: name, birth date, phone", Asked::Typed);
    ask(model, &index, people, "typed with one slip           ", Asked::Slip);
    ask(model, &index, people, "somebody who is not there     ", Asked::Absent);
    change(model, &mut index, people, seq);
}

#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Card,
    Typed,
    Slip,
    Absent,
}

/// Times `Index::resolve` of a candidate that is prepared already.
fn ask(model: &Model, index: &Index, people: u64, name: &str, asked: Asked) {
    let mut times = Vec::with_capacity(QUESTIONS as usize);
    let mut grades = [0_u32; 4];
    let mut unproven = 0;
    for n in 0..QUESTIONS {
        let who = if asked == Asked::Absent { people + n } else { mix(n, 77) % people };
        let candidate = Record::prepare(model, &person(who).candidate(asked));
        let begun = Instant::now();
        let decision = index.resolve(&candidate, &ResolveLimits::default());
        times.push(begun.elapsed());
        unproven += u32::from(decision.unproven.is_some());
        let best = decision.candidates.first().map_or(Grade::None, |candidate| candidate.grade);
        grades[best as usize] += 1;
    }
    let [none, possible, probable, certain] = grades.map(|count| f64::from(count) * 100.0 / QUESTIONS as f64);
    println!("{name} {}", spread(&mut times));
    println!(
        "    certain {certain:.1} %, probable {probable:.1} %, possible {possible:.1} %, none {none:.1} %, not proven {unproven}"
    );
}

/// Times `Index::put` of a version that changes the telephone.
fn change(model: &Model, index: &mut Index, people: u64, mut seq: u64) {
    let mut times = Vec::with_capacity(QUESTIONS as usize);
    for n in 0..QUESTIONS {
        seq += 1;
        let mut stated = person(people + n).stated(seq, 0);
        stated.phones = vec![phone(mix(n, 78) % people)];
        let record = Record::prepare(model, &stated);
        let begun = Instant::now();
        index.put(seq, record);
        times.push(begun.elapsed());
    }
    println!("a new record                   {}", spread(&mut times));
}

fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let micros = |part: usize| times[(times.len() - 1) * part / 1000].as_secs_f64() * 1e6;
    format!("p50 {:>7.1} us, p99 {:>7.1} us, p99.9 {:>7.1} us", micros(500), micros(990), micros(999))
}

/// A made-up person: everything follows from the number.
struct Person {
    n: u64,
    name: String,
    sex: char,
    birth: (u32, u32, u32),
    number: String,
    phone: String,
}

fn person(n: u64) -> Person {
    let pick = |salt: u64, count: usize| (mix(n, salt) % count as u64) as usize;
    // The square makes the first of a list the most frequent, as with surnames.
    let weighted = |salt: u64, count: usize| {
        let part = (mix(n, salt) % 1_000_000) as f64 / 1e6;
        ((part * part) * count as f64) as usize
    };
    let surnames: Vec<char> = SURNAMES.chars().collect();
    let given: Vec<char> = GIVEN.chars().collect();
    let mut name = String::from(surnames[weighted(1, surnames.len())]);
    name.push(given[weighted(2, given.len())]);
    if pick(3, 4) > 0 {
        name.push(given[weighted(4, given.len())]);
    }
    let birth = (1935 + pick(5, 85) as u32, 1 + pick(6, 12) as u32, 1 + pick(7, 28) as u32);
    let sex = if pick(8, 2) == 0 { '1' } else { '2' };
    let order = 2 * pick(9, 499) + usize::from(sex == '1');
    let body = format!("86{:04}{:04}{:02}{:02}{order:03}", pick(10, 3000) + 101, birth.0, birth.1, birth.2);
    let number = format!("{body}{}", check(&body));
    Person { n, name, sex, birth, number, phone: phone(n / 3) }
}

fn phone(family: u64) -> String {
    format!("199{:08}", mix(family, 11) % 100_000_000)
}

impl Person {
    fn bare(&self, id: &str) -> Stated {
        let mut stated = Stated::new(LogicalId::parse(id).unwrap_or_else(|| unreachable!("an id")), "HIS1");
        stated.names = vec![StatedName { written: self.name.clone(), pinyin: String::new() }];
        stated.sex = Some(self.sex);
        stated.birth_date = format!("{:04}-{:02}-{:02}", self.birth.0, self.birth.1, self.birth.2);
        stated
    }

    /// The record as a system holds it.
    fn stated(&self, seq: u64, system: u64) -> Stated {
        let mut stated = self.bare(&format!("{:032x}", u128::from(mix(seq, 12)) << 64 | u128::from(seq)));
        stated.born = seq as i64;
        stated.source = ["HIS1", "LIS1"][system as usize].to_owned();
        stated.phones = vec![self.phone.clone()];
        stated.identifiers.push(number(Class::MedicalRecord, &format!("urn:mr:{system}"), format!("{seq:08}")));
        // A second system often has no identity number.
        if system == 0 || self.n.is_multiple_of(2) {
            stated.identifiers.push(number(Class::Resident, RESIDENT, self.number.clone()));
        }
        if self.n.is_multiple_of(3) {
            stated.identifiers.push(number(
                Class::InsuranceNumber,
                "urn:psn",
                format!("86{:012}", mix(self.n, 13) >> 20),
            ));
        }
        stated
    }

    /// What a desk knows.
    fn candidate(&self, asked: Asked) -> Stated {
        let mut stated = self.bare("candidate");
        match asked {
            Asked::Card | Asked::Absent => {
                stated.identifiers.push(StatedIdentifier {
                    obtained: Obtained::Chip,
                    ..number(Class::Resident, RESIDENT, self.number.clone())
                });
            }
            Asked::Typed => stated.phones = vec![self.phone.clone()],
            Asked::Slip => {
                let digit = |place: usize| (self.number.as_bytes()[place] - b'0' + 1) % 10;
                let slipped = format!("{}{}{}", &self.number[..15], digit(15), &self.number[16..]);
                stated.identifiers.push(number(Class::Resident, RESIDENT, slipped));
                stated.phones = vec![self.phone.clone()];
            }
        }
        stated
    }
}

fn number(class: Class, system: &str, value: String) -> StatedIdentifier {
    StatedIdentifier { class, system: system.to_owned(), value, obtained: Obtained::Feed, in_period: true }
}

/// The check character of GB 11643.
fn check(body: &str) -> char {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body.bytes().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    char::from(b"10X98765432"[(sum % 11) as usize])
}

/// A number that follows from two, well mixed (the finalizer of MurmurHash3).
fn mix(n: u64, salt: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

const QUESTIONS: u64 = 20_000;

const RESIDENT: &str = "urn:resident";

const SURNAMES: &str = "王李张刘陈杨黄赵周吴徐孙朱马胡郭林何高梁郑罗宋谢唐韩曹许邓萧冯曾程蔡彭潘袁于董余苏叶吕魏蒋田杜丁沈姜范江傅钟卢汪戴崔任陆廖姚方金邱夏谭韦贾邹石熊孟秦阎薛侯雷白龙段郝孔邵史毛常万顾赖武康贺严尹钱施牛洪龚";

const GIVEN: &str = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂文辉鑫玲婷宇浩雪飞红建国华梅志春玉林海燕小云波莉俊峰鹏琴晓东凤生慧龙佳宁欣怡子涵梓轩雨泽一诺思睿嘉豪美琳世荣福德庆祥永康家兴中正义光宗耀祖淑珍素贞月娥翠花香莲彩霞丹青山川河江湖岩松柏竹菊兰桃李杏枫桐";
