//! Names of people: preparing one, and comparing two, by what lies between them. The pairs are the judged ones of `fixtures/identity`.
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use dukou_benches::{machine, micros};
use dukou_identity::{Name, Wording, compare_names};
use serde_json::Value;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}\n", machine());
    let judged: Value = serde_json::from_str(include_str!("../fixtures/identity/names.json"))?;
    let pairs = judged["pairs"].as_array().ok_or("no pairs")?;
    let text = |side: &Value, key: &str| side[key].as_str().unwrap_or_default().to_owned();
    let of = |level: &str| -> Vec<[(String, String); 2]> {
        let sides = |pair: &Value| [&pair["a"], &pair["b"]].map(|side| (text(side, "written"), text(side, "pinyin")));
        pairs.iter().filter(|pair| pair["level"].as_str().is_some_and(|it| it.starts_with(level))).map(sides).collect()
    };
    println!("{:<26} {:>12} {:>12}", "pairs", "prepare, ns", "compare, ns");
    for level in
        ["same", "given-homophone", "given-different", "different", "pinyin-same", "transliterated", "letters", ""]
    {
        let pairs = of(level);
        let prepare =
            || pairs.iter().flatten().map(|(written, pinyin)| Name::prepare(written, pinyin)).collect::<Vec<_>>();
        let prepared = prepare();
        let compare = || prepared.chunks(2).map(|pair| compare_names(&pair[0], &pair[1]).index()).sum::<usize>();
        let (names, count) = (prepared.len() as f64, pairs.len() as f64);
        let level = if level.is_empty() { "all of them" } else { level };
        println!("{level:<26} {:>12.0} {:>12.0}", micros(prepare) * 1e3 / names, micros(compare) * 1e3 / count);
    }
    let streets = [
        "wheatley street",
        "wheatleystreet north",
        "prescott street",
        "prescot tstreet",
        "hansen circuit",
        "wynter place",
    ];
    let streets: Vec<Wording> = streets.iter().filter_map(|street| Wording::prepare(street)).collect();
    let compare = || streets.iter().flat_map(|a| streets.iter().map(|b| a.compare(b) as usize)).sum::<usize>();
    let count = (streets.len() * streets.len()) as f64;
    println!("{:<26} {:>12} {:>12.0}", "streets in English", "", micros(compare) * 1e3 / count);
    Ok(())
}
