//! Search by postings gives what looking at every resource gives, in the same order, whatever was written before.

use std::collections::BTreeMap;

use dukou_audit::SeededRandom;
use dukou_fhir::Value;
use dukou_fhir::search::{Query, scan};

use super::house::{House, Place, batch, key, promises, put, query, value};
use crate::{Cursor, Error, Expect, Integrity, Put, SearchLimits};

promises!(
    search_by_postings_finds_what_a_scan_finds,
    pages_hold_each_match_once_and_know_their_end,
    a_search_that_costs_too_much_is_refused_by_name,
    a_foreign_cursor_is_refused,
    an_index_made_anew_gives_the_same_answers,
    a_deleted_resource_is_found_no_more,
    totals_are_exact_where_they_are_stated,
    includes_come_once_and_are_never_counted,
);

/// What is live, in the order of first writing.
struct World {
    random: SeededRandom,
    order: Vec<String>,
    live: BTreeMap<String, Value<'static>>,
}

impl World {
    fn new(seed: u64) -> World {
        World { random: SeededRandom::new(seed), order: Vec::new(), live: BTreeMap::new() }
    }

    fn pick<'a>(&self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn below(&self, end: usize) -> usize {
        (self.random.number() % end as u64) as usize
    }

    fn sometimes(&self, text: String) -> String {
        if self.below(3) > 0 { text } else { String::new() }
    }

    fn change(&mut self, house: &House) {
        let kind = self.pick(&["Patient", "Patient", "Observation", "Observation", "Observation", "Encounter"]);
        let name = format!("{kind}/{}", self.below(IDS));
        let change = if self.below(6) == 0 { Put::delete(key(&name), Expect::Any) } else { self.resource(&name) };
        let made = house.commit(|permit| crate::Batch { integrity: Integrity::Warn, ..batch(permit, vec![change]) });
        let (outcome, _) = made.unwrap();
        let Some(version) = &outcome.puts[0].version else { return };
        if !self.order.contains(&name) {
            self.order.push(name.clone());
        }
        if version.is_deleted() {
            self.live.remove(&name);
        } else {
            self.live.insert(name, value(std::str::from_utf8(&version.body).unwrap()));
        }
    }

    fn resource(&self, name: &str) -> Put {
        let (kind, id) = name.split_once('/').unwrap();
        let own = match kind {
            "Patient" => self.patient(),
            "Observation" => self.observation(),
            _ => self.encounter(),
        };
        put(&format!(r#"{{"resourceType":"{kind}","id":"{id}"{own}}}"#), Expect::Any)
    }

    fn date(&self) -> String {
        match self.below(3) {
            0 => self.pick(&["1980", "1980-05", "1980-05-01", "1990-12-31", "2024"]).to_owned(),
            _ => format!("19{}-0{}-1{}", 80 + self.below(20), 1 + self.below(9), self.below(10)),
        }
    }

    fn patient(&self) -> String {
        let name = |family: &str, given: &str| format!(r#"{{"family":"{family}","given":["{given}"]}}"#);
        let families = [
            "王",
            "王小",
            "Müller",
            "MULLER-LÜDENSCHEIDT-ZU-HOHENZOLLERN-A",
            "MULLER-LÜDENSCHEIDT-ZU-HOHENZOLLERN-B",
            "Li",
        ];
        let mut names = vec![name(self.pick(&families), self.pick(&["伟", "Anna", "an"]))];
        if self.below(3) == 0 {
            names.push(name(self.pick(&families), self.pick(&["芳", "Bo"])));
        }
        [
            self.sometimes(format!(r#","name":[{}]"#, names.join(","))),
            self.sometimes(format!(r#","birthDate":"{}""#, self.date())),
            self.sometimes(format!(r#","gender":"{}""#, self.pick(&["male", "female"]))),
            self.sometimes(format!(r#","active":{}"#, self.pick(&["true", "false"]))),
            self.sometimes(format!(
                r#","identifier":[{{"system":"urn:{}","value":"86000{}"}}]"#,
                self.pick(&["a", "b"]),
                self.below(4)
            )),
        ]
        .concat()
    }

    fn observation(&self) -> String {
        [
            format!(r#","status":"{}""#, self.pick(&["final", "amended"])),
            format!(r#","code":{{"coding":[{{"system":"http://loinc.org","code":"{}"}}]}}"#, self.pick(&["2823-3", "718-7"])),
            self.sometimes(format!(r#","subject":{{"reference":"Patient/{}"}}"#, self.below(IDS))),
            self.sometimes(format!(r#","encounter":{{"reference":"Encounter/{}"}}"#, self.below(IDS))),
            self.sometimes(format!(
                r#","valueQuantity":{{"value":{},"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}"#,
                self.pick(&["4.1", "4.10", "5", "120"])
            )),
            self.sometimes(match self.below(2) {
                0 => format!(r#","effectiveDateTime":"{}""#, self.date()),
                _ => format!(r#","effectivePeriod":{{"start":"{}"}}"#, self.date()),
            }),
        ]
        .concat()
    }

    fn encounter(&self) -> String {
        let status = self.pick(&["planned", "finished"]);
        let class = r#""class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}"#;
        let subject = self.sometimes(format!(r#","subject":{{"reference":"Patient/{}"}}"#, self.below(IDS)));
        format!(r#","status":"{status}",{class}{subject}"#)
    }

    fn question(&self) -> (&'static str, String) {
        let kind = self.pick(&["Patient", "Patient", "Observation", "Observation", "Encounter"]);
        let terms = self.below(4);
        let mut parts: Vec<String> = (0..terms).map(|_| self.term(kind)).collect();
        if self.below(2) == 0 {
            let sorts: &[&str] = match kind {
                "Patient" => &[
                    "birthdate",
                    "-birthdate",
                    "family",
                    "-family",
                    "gender,-birthdate",
                    "birthdate,family",
                    "_lastUpdated",
                ],
                "Observation" => &["date", "-date", "-date,code", "value-quantity", "_id", "-_lastUpdated"],
                _ => &["_lastUpdated", "status"],
            };
            parts.push(format!("_sort={}", self.pick(sorts)));
        }
        parts.push(format!("_count={}", 1 + self.below(9)));
        (kind, parts.join("&"))
    }

    fn term(&self, kind: &str) -> String {
        let prefix = self.pick(&["", "eq", "ne", "gt", "lt", "ge", "le"]);
        let number = self.below(IDS);
        match kind {
            "Patient" => match self.below(11) {
                0 => format!(
                    "family={}",
                    self.pick(&["王", "muller", "MULLER-ludenscheidt-zu-hohenzollern-b", "l,王小"])
                ),
                1 => format!("family:exact={}", self.pick(&["王", "Müller", "Li"])),
                2 => format!("birthdate={prefix}{}", self.date()),
                3 => format!("gender={}", self.pick(&["male", "female,male", "other"])),
                4 => format!("gender:not={}", self.pick(&["male", "female"])),
                5 => format!("identifier={}860001", self.pick(&["", "urn:a|", "|", "urn:b|"])),
                6 => {
                    format!("{}:missing={}", self.pick(&["birthdate", "gender", "name"]), self.pick(&["true", "false"]))
                }
                7 => format!("_id={number},{},nobody", self.below(IDS)),
                8 => format!("_has:Observation:subject:code={}", self.pick(&["718-7", "2823-3,718-7"])),
                9 => format!("active={}", self.pick(&["true", "false"])),
                _ => format!("birthdate={}1985&birthdate=lt1995", self.pick(&["ge", "gt"])),
            },
            "Observation" => match self.below(9) {
                0 => format!("code=http://loinc.org|{}", self.pick(&["2823-3", "718-7"])),
                1 => format!("{}{number}", self.pick(&["patient=", "subject=Patient/", "patient=Patient/"])),
                2 => format!("date={prefix}{}", self.date()),
                3 => format!("value-quantity={prefix}{}", self.pick(&["4.1", "5", "4.1||mmol/L"])),
                4 => format!("status:not={}", self.pick(&["final", "amended,final"])),
                5 => format!("subject:Patient.family={}", self.pick(&["王", "li"])),
                6 => format!("encounter:missing={}", self.pick(&["true", "false"])),
                7 => format!("patient.gender={}", self.pick(&["male", "female"])),
                _ => "code=2823-3".to_owned(),
            },
            _ => match self.below(3) {
                0 => format!("status={}", self.pick(&["planned", "finished"])),
                1 => format!("subject=Patient/{number}"),
                _ => "_lastUpdated=gt2000".to_owned(),
            },
        }
    }

    fn expected(&self, query: &Query) -> Vec<String> {
        let names: Vec<&String> = self.order.iter().filter(|name| self.live.contains_key(*name)).collect();
        let values: Vec<Value<'_>> = names.iter().map(|name| self.live[*name].clone()).collect();
        scan(query, &values).into_iter().map(|at| names[at].clone()).collect()
    }
}

fn ask(house: &House, world: &World, question: &(&str, String), walked: &mut usize) {
    let (kind, text) = question;
    let query = query(kind, text);
    let expected = world.expected(&query);
    let found = house.find(&query, &SearchLimits::default()).unwrap();
    assert_eq!(found, expected, "{kind}?{text}");
    // With a small limit in memory the same result comes from walking the keys of the sort parameter.
    match house.find(&query, &SearchLimits { sort_max: 8, ..SearchLimits::default() }) {
        Ok(found) => {
            assert_eq!(found, expected, "{kind}?{text} by walking");
            *walked += usize::from(!query.sort().is_empty() && expected.len() > 8);
        }
        Err(Error::TooCostly { .. }) => assert!(expected.len() > 8),
        Err(error) => panic!("{error}"),
    }
    let count = house.search(&query, &SearchLimits { count: 0, ..SearchLimits::default() }, None).unwrap();
    assert_eq!(count.total, Some(expected.len() as u64), "{kind}?{text}");
}

fn search_by_postings_finds_what_a_scan_finds(house: House) {
    let rounds = match house.place {
        Place::Sqlite(_) => 8,
        Place::Model(_) => 15,
    };
    let mut walked = 0;
    let mut world = World::new(20_240_501);
    for _ in 0..rounds {
        for _ in 0..25 {
            world.change(&house);
        }
        for _ in 0..20 {
            ask(&house, &world, &world.question(), &mut walked);
        }
    }
    assert!(walked > 5, "{walked}");
}

fn an_index_made_anew_gives_the_same_answers(house: House) {
    let mut world = World::new(5);
    for _ in 0..80 {
        world.change(&house);
    }
    assert_eq!(house.store.rebuild_postings().unwrap(), world.live.len() as u64);
    let house = house.restart();
    let mut walked = 0;
    for _ in 0..60 {
        ask(&house, &world, &world.question(), &mut walked);
    }
}

fn patients(house: &House, count: usize) {
    let text = |n: usize| {
        format!(r#"{{"resourceType":"Patient","id":"p{n}","birthDate":"19{:02}-01-01","gender":"male"}}"#, n % 100)
    };
    for first in (0..count).step_by(50) {
        let puts = (first..count.min(first + 50)).map(|n| put(&text(n), Expect::Any)).collect();
        house.commit(|permit| batch(permit, puts)).unwrap();
    }
}

fn pages_hold_each_match_once_and_know_their_end(house: House) {
    patients(&house, 120);
    for text in
        ["gender=male&_count=50", "gender=male&_count=40&_sort=-birthdate", "gender=male&_count=40&_sort=birthdate,_id"]
    {
        for sort_max in [10_000, 60] {
            let names =
                house.find(&query("Patient", text), &SearchLimits { sort_max, ..SearchLimits::default() }).unwrap();
            let mut once = names.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!((names.len(), once.len()), (120, 120));
        }
    }
    let last = house.search(&query("Patient", "_count=120"), &SearchLimits::default(), None).unwrap();
    assert!(last.next.is_none());
    assert_eq!(last.total, Some(120));
}

fn a_search_that_costs_too_much_is_refused_by_name(house: House) {
    patients(&house, 200);
    let limits = SearchLimits { work_max: 150, ..SearchLimits::default() };
    match house.search(&query("Patient", "gender:not=female&_total=accurate&_count=5"), &limits, None) {
        Err(Error::TooCostly { limit, .. }) => assert_eq!(limit, 150),
        other => panic!("{:?}", other.map(|page| page.work)),
    }
    let one = house.search(&query("Patient", "_id=p7"), &limits, None).unwrap();
    assert_eq!((one.matches.len(), one.total), (1, Some(1)));
    assert!(one.work < 10);
}

fn a_foreign_cursor_is_refused(house: House) {
    patients(&house, 10);
    let page = house.search(&query("Patient", "_count=5"), &SearchLimits::default(), None).unwrap();
    let cursor = page.next.unwrap();
    let sorted = query("Patient", "_count=5&_sort=birthdate");
    assert!(matches!(house.search(&sorted, &SearchLimits::default(), Some(&cursor)), Err(Error::BadCursor)));
    for bytes in [vec![], vec![9], cursor.as_bytes()[1..].to_vec(), [cursor.as_bytes(), &[0]].concat()] {
        let broken = Cursor::from_bytes(bytes);
        let refused = house.search(&query("Patient", "_count=5"), &SearchLimits::default(), Some(&broken));
        assert!(matches!(refused, Err(Error::BadCursor)));
    }
}

fn a_deleted_resource_is_found_no_more(house: House) {
    patients(&house, 3);
    house.delete("Patient/p1").unwrap();
    assert_eq!(house.find(&query("Patient", ""), &SearchLimits::default()).unwrap(), ["Patient/p0", "Patient/p2"]);
    assert_eq!(house.find(&query("Patient", "_id=p1"), &SearchLimits::default()).unwrap(), [""; 0]);
    house.put(r#"{"resourceType":"Patient","id":"p1"}"#);
    assert_eq!(
        house.find(&query("Patient", "gender=male"), &SearchLimits::default()).unwrap(),
        ["Patient/p0", "Patient/p2"]
    );
    assert_eq!(house.find(&query("Patient", ""), &SearchLimits::default()).unwrap().len(), 3);
}

fn totals_are_exact_where_they_are_stated(house: House) {
    patients(&house, 150);
    let total = |text: &str| house.search(&query("Patient", text), &SearchLimits::default(), None).unwrap().total;
    assert_eq!(total("_count=10&_total=accurate"), Some(150));
    assert_eq!(total("_count=10&_total=none"), None);
    assert_eq!(total("_count=10"), None);
    assert_eq!(total("_count=10&_sort=birthdate"), Some(150));
    assert_eq!(total("_summary=count"), Some(150));
    assert_eq!(total("_count=0&birthdate=lt1910"), Some(20));
}

fn includes_come_once_and_are_never_counted(house: House) {
    patients(&house, 2);
    for n in 0..5 {
        house.put(&format!(
            r#"{{"resourceType":"Observation","id":"o{n}","status":"final","code":{{"text":"x"}},"subject":{{"reference":"Patient/p0"}}}}"#
        ));
    }
    let search = |kind: &str, text: &str, includes_max| {
        house.search(&query(kind, text), &SearchLimits { includes_max, ..SearchLimits::default() }, None).unwrap()
    };
    let page = search("Observation", "_include=Observation:subject", 1_000);
    assert_eq!((page.matches.len(), page.total, page.includes.len(), page.includes_cut), (5, Some(5), 1, false));
    let page = search("Patient", "_revinclude=Observation:subject", 1_000);
    assert_eq!((page.matches.len(), page.total, page.includes.len()), (2, Some(2), 5));
    let page = search("Patient", "_revinclude=Observation:subject", 3);
    assert_eq!((page.includes.len(), page.includes_cut), (3, true));
}

/// Ids of each type in the random world.
const IDS: usize = 24;
