//! temporary
use std::time::Instant;
use dukou_fhir::json;
use dukou_mapping::{Site, SourceFile, compile};
use dukou_terminology::Tables;
use dukou_wire::{Limits, er7};
fn walk(p: &std::path::Path, f: &mut Vec<std::path::PathBuf>) { if p.is_file() { f.push(p.to_owned()); return; } for e in std::fs::read_dir(p).unwrap() { walk(&e.unwrap().path(), f); } }
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let root = std::path::Path::new(&a[1]);
    let mut files = vec![]; walk(root, &mut files); files.sort();
    let (mut maps, mut tabs) = (vec![], vec![]);
    for f in files { let n = f.display().to_string(); if n.contains("overlay/") { continue; } if n.ends_with(".csv") { tabs.push((n, std::fs::read_to_string(f).unwrap())) } else if n.ends_with(".fmap.yaml") { maps.push(SourceFile { name: n, text: std::fs::read_to_string(f).unwrap() }) } }
    let t = Instant::now();
    let tables = Tables::load(tabs).unwrap();
    let program = compile(&maps, &tables).map_err(|e| { for x in e { println!("{x}") } }).unwrap();
    println!("load {:?}", t.elapsed());
    let mut m = String::from("MSH|^~\\&|LIS|GMSQ^2.16.156.1.1^ISO|DUKOU|D|20240102030405+0800||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||86001^^^GMSQ^MR||张^伟||19800131|M|||成都市^^^^610000||19900000001\rPV1|1|I|W1^101^1|||||1001^李^四||||||||||V1\rORC|RE|P1|F1\rOBR|1|P1|F1|CBC^全血^L|||20240101101010||||||||||||||||20240102|||F\r");
    for i in 1..=100 { m.push_str(&format!("OBX|{i}|NM|{}-{}^Component number {i} of the panel in plasma^LN^L{i}^本院项目{i}^L||{}.{}0|mmol/L^millimole per liter^UCUM|3.5-{}.1|N|||F|||20240102030405+0800|GMSQ^实验室|1001^李^四||DEV{i}^LIS\r", 1000+i, i%10, i, i%10, i+5)); }
    println!("bytes {}", m.len());
    if let Some(f) = a.get(2) { m = std::fs::read_to_string(f).unwrap(); }
    let limits = Limits::default(); let ws = dukou_wire::Site::default(); let site = Site { id: "s", zone: "+08:00" };
    let mut best = [u128::MAX; 4];
    for _ in 0..400 {
        let t0 = Instant::now();
        let (message, _) = er7::parse(m.as_bytes(), &limits, &ws).unwrap();
        let t1 = Instant::now();
        let mapped = program.to_fhir(&message, &site);
        let t2 = Instant::now();
        let mut out = Vec::with_capacity(200000);
        for c in &mapped.changes { json::print(&c.apply(None), &mut out); }
        let t3 = Instant::now();
        let v = [t1 - t0, t2 - t1, t3 - t2, t3 - t0].map(|d| d.as_nanos());
        for i in 0..4 { best[i] = best[i].min(v[i]); }
        if best[3] == v[3] { let ac = &mapped.accounts; std::hint::black_box((&out, ac)); }
    }
    let (message, _) = er7::parse(m.as_bytes(), &limits, &ws).unwrap();
    let mapped = program.to_fhir(&message, &site);
    let ac = &mapped.accounts;
    println!("changes {} leaves {} emitted {} complement {} reported {}", mapped.changes.len(), ac.leaves, ac.emitted, ac.complement, ac.reported);
    println!("parse {} map {} print {} all {} (us)", best[0] / 1000, best[1] / 1000, best[2] / 1000, best[3] / 1000);
}
