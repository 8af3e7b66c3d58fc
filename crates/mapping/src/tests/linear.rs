//! Long messages take time in proportion to their length.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dukou_wire::Limits;

use super::partners::program;
use super::{SITE, header};
use crate::Program;

const WHO: &str =
    "PID|1||86001^^^HOSPITAL^MR||张^伟||19800131|M\rOBR|1|A1^HIS|R1^LIS|CBC^Blood count^L|||20240102030405\r";

/// Reads, maps and prints; the resources made and the time that it took.
#[allow(clippy::disallowed_methods, reason = "nothing but the measure depends on the time")]
fn mapped(program: &Program, text: &str) -> (usize, Duration) {
    let begun = Instant::now();
    let (message, _) = program.open(text.as_bytes(), &Limits::default(), &dukou_wire::Site::default()).unwrap();
    let mapped = program.to_fhir(&message, &SITE);
    let mut out = Vec::new();
    mapped.print_bundle(&mut out);
    assert!(!out.is_empty());
    (mapped.changes.len(), begun.elapsed())
}

/// Four times the input is read in less than eight times as long; time that grows with the square would be sixteen times.
fn grows_with_its_length(
    program: &Program,
    input: &dyn Fn(usize) -> String,
    whole: usize,
    resources: &dyn Fn(usize) -> usize,
) {
    let (short, long) = (input(whole / 4), input(whole));
    let mut told = Vec::new();
    for _ in 0..TRIES_MAX {
        let (few, brief) = mapped(program, &short);
        let (many, full) = mapped(program, &long);
        assert!(few >= resources(whole / 4) && many >= resources(whole), "{few} and {many} resources");
        told.push((brief, full));
        if full < brief * LONGER_MAX {
            return;
        }
    }
    panic!("{whole}: {told:?}");
}

#[test]
fn a_message_with_many_results() {
    let input = |results: usize| {
        let mut text = header("ORU^R01^ORU_R01") + WHO;
        for number in 1..=results {
            write!(text, "OBX|{number}|NM|C{number}^Result^L||{number}|g/L^^UCUM|1-9|N|||F\r").unwrap();
        }
        text
    };
    grows_with_its_length(&program(), &input, 5_000, &|results| results);
}

#[test]
fn a_message_with_a_large_attachment() {
    let input = |bytes: usize| {
        let content = "QUJD".repeat(bytes / 4);
        format!("{}{WHO}OBX|1|ED|PDF^Report^L||^application^pdf^Base64^{content}||||||F\r", header("ORU^R01^ORU_R01"))
    };
    grows_with_its_length(&program(), &input, 20 << 20, &|_| 3);
}

#[test]
fn a_file_with_many_rows() {
    let head = "机构代码,机构名称,居民姓名,证件类型,证件号码,性别,出生日期,联系电话,健康档案号,项目代码,项目名称,结果,单位,\
                参考范围,异常标志,标本,采样时间,报告时间,检验者,审核者,互认标识,备注\n";
    let input = |rows: usize| {
        let mut text = head.to_owned();
        for number in 1..=rows {
            let row = "99000202,河岸社区卫生服务中心,罗渡口,居民身份证,,男,1985-07-14,";
            let rest = "250305007,谷丙转氨酶,38,U/L,9-50,,血清,2026-12-03 07:40,2026-12-03 10:02,苗检验,雷审核,,";
            writeln!(text, "{row},{number:017},{rest}").unwrap();
        }
        text
    };
    grows_with_its_length(&program(), &input, 20_000, &|rows| rows * 3);
}

/// How much longer four times the input may take.
const LONGER_MAX: u32 = 8;
/// A machine that was busy with other work is asked again.
const TRIES_MAX: usize = 3;
