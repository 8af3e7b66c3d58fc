//! Translating documents: a spreadsheet of results row by row, and reports in XML; twice as much takes twice as long.

use std::fmt::Write;

use dukou_benches::{machine, micros};
use dukou_mapping::{Program, Site};
use dukou_wire::Limits;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let program = dukou_gateway::built_in_program(&[])?;
    println!("{}", machine());
    let (half, whole) = (spreadsheet(5_000), spreadsheet(10_000));
    show(&program, "clinic results, 5,000 and 10,000 rows", &half, &whole)?;
    let (half, whole) = (reports(420), reports(840));
    show(&program, "laboratory reports in XML, half a MB and one MB", &half, &whole)
}

/// Records mapped one by one, each with its account; microseconds of CPU, best of 9 rounds.
fn show(program: &Program, name: &str, half: &str, whole: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (limits, wire_site) = (Limits::default(), dukou_wire::Site::default());
    let site = Site { id: "bench", zone: "+08:00" };
    let mut times = Vec::new();
    for text in [half, whole] {
        let parse = micros(|| {
            let opened = program.open(text.as_bytes(), &limits, &wire_site);
            opened.map(|(message, _)| message.leaf_count()).unwrap_or(0)
        });
        let (message, _) = program.open(text.as_bytes(), &limits, &wire_site)?;
        let records = program.records(&message, &site).len();
        let map = micros(|| program.records(&message, &site).map(|record| record.mapped.changes.len()).sum::<usize>());
        println!("{name}: {} bytes, {records} records: read {parse:>9.0}, map {map:>9.0}", text.len());
        times.push(map);
    }
    println!("twice as much takes {:.2} times as long", times[1] / times[0]);
    Ok(())
}

/// A file of results as a community clinic sends it.
fn spreadsheet(rows: usize) -> String {
    let mut text =
        "机构代码,机构名称,居民姓名,证件类型,证件号码,性别,出生日期,联系电话,健康档案号,项目代码,项目名称,结果,单位,\
                    参考范围,异常标志,标本,采样时间,报告时间,检验者,审核者,互认标识,备注\n"
            .to_owned();
    for row in 0..rows {
        let written = writeln!(
            text,
            "99000101,光明社区卫生服务中心,李样例{row},居民身份证,860101196507160062,女,1965-07-16,19900000051,86010100{row:09},\
             250305007,*谷丙转氨酶,45.2,U/L,7-40,↑,血清,2026-11-11 07:52,2026-11-11 10:41,钱检验,孙审核,示范市HR,"
        );
        assert!(written.is_ok(), "a text grows");
    }
    text
}

/// Reports of one document, each with two results.
fn reports(count: usize) -> String {
    let mut text = "<Request><TradeCode>LIS_REPORT_PUSH</TradeCode><HospCode>99000101</HospCode>".to_owned();
    for report in 0..count {
        let written = write!(
            text,
            "<Report><ReportNo>GM{report}</ReportNo><ReportTitle>生化全套</ReportTitle><ReportStatus>3</ReportStatus>\
             <PatientType>1</PatientType><PatientID>GM{report:08}</PatientID><IDCardType>01</IDCardType>\
             <IDCard>860101196507160062</IDCard><PatientName>李样例</PatientName><Sex>2</Sex><DeptName>全科</DeptName>\
             <SampleType>血清</SampleType><SampleTime>2026-11-11 07:52:00</SampleTime><ReceiveTime>2026/11/11 8:30</ReceiveTime>\
             <ReportTime>2026-11-11 10:41:07</ReportTime><TestDoctor>钱检验</TestDoctor><CheckDoctor>孙审核</CheckDoctor><Items>\
             <Item><Seq>1</Seq><ItemCode>ALT</ItemCode><ItemName>*丙氨酸氨基转移酶</ItemName><Result>45.2</Result><Unit>U/L</Unit>\
             <RefRange>7 ~ 40</RefRange><Flag>↑</Flag><Method>速率法</Method><HR>1</HR></Item><Item><Seq>2</Seq>\
             <ItemCode>hsCRP</ItemCode><ItemName>超敏C反应蛋白</ItemName><Result>&lt;0.5</Result><Unit>mg/L</Unit>\
             <RefRange>&lt;3</RefRange><Flag/><Method>免疫比浊法</Method><HR>0</HR></Item></Items></Report>"
        );
        assert!(written.is_ok(), "a text grows");
    }
    text + "</Request>"
}
