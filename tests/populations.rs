//! The invented Chinese populations, where they lie beside the checkout: a slice of whole households is linked, asked and explained. Who is
//! who is read for counting only.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use dukou_fhir::LogicalId;
use dukou_identity::batch::{Desk, Linked, link};
use dukou_identity::{Bits, Class, Grade, Model, Obtained, Record, Stated, StatedIdentifier, StatedName, explain};

/// One household in so many is taken.
const SLICE: usize = 12;

static MODEL: LazyLock<Model> =
    LazyLock::new(|| Model::load("model.toml", include_str!("../mappings/identity/model.toml")).unwrap());
static SLICES: LazyLock<[Option<Slice>; 2]> = LazyLock::new(|| [1, 2].map(|seed| Some(slice(&MODEL, &folder(seed)?))));

fn folder(seed: u8) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../shared/corpus/identity/cn-seed{seed}"));
    let there = folder.is_dir();
    if !there {
        println!("skipped: no populations beside the checkout");
    }
    there.then_some(folder)
}

/// The slices that are there, with the numbers of their populations.
fn slices() -> impl Iterator<Item = (u8, &'static Slice)> {
    let there = [1, 2].into_iter().zip(SLICES.iter());
    there.filter_map(|(seed, slice)| Some((seed, slice.as_ref()?)))
}

/// The rows of a packed file by their column names; no value of these files holds a comma.
fn rows(file: &Path) -> Vec<HashMap<String, String>> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| columns.iter().map(ToString::to_string).zip(line.split(',').map(str::to_owned)).collect();
    lines.map(row).collect()
}

fn record(model: &Model, row: &HashMap<String, String>, id: &str) -> Record {
    let value = |column: &str| row.get(column).cloned().unwrap_or_default();
    let mut stated = Stated::new(LogicalId::parse(&row[id]).unwrap(), &value("source"));
    stated.names = vec![StatedName { written: value("name"), pinyin: value("name_py") }];
    stated.sex = value("sex").chars().next();
    stated.birth_date = value("birth_date");
    stated.phones = vec![value("phone")];
    stated.address = value("address");
    let certificate = match value("id_type").as_str() {
        "01" => Class::Resident,
        "03" => Class::Passport,
        "06" => Class::Permit,
        _ => Class::Untyped,
    };
    for (column, class) in [("id_no", certificate), ("si_card", Class::InsuranceCard), ("visit_card", Class::VisitCard)]
    {
        let system = format!("urn:example:{}", class.name());
        let identifier =
            StatedIdentifier { class, system, value: value(column), obtained: Obtained::Feed, in_period: true };
        stated.identifiers.extend((!identifier.value.is_empty()).then_some(identifier));
    }
    Record::prepare(model, &stated)
}

/// Some households of a population: their records, and who each record is.
struct Slice {
    records: Vec<Record>,
    person: HashMap<LogicalId, String>,
    /// Of the whole population: who is in the slice.
    here: BTreeSet<String>,
}

fn slice(model: &Model, folder: &Path) -> Slice {
    let truth = rows(&folder.join("cn_truth.csv.gz"));
    let digits = |household: &str| household.bytes().map(usize::from).fold(7, |sum, byte| sum * 31 + byte);
    let here: BTreeSet<String> = truth
        .iter()
        .filter(|row| digits(&row["household_id"]).is_multiple_of(SLICE))
        .map(|row| row["person_id"].clone())
        .collect();
    let person: HashMap<LogicalId, String> = truth
        .iter()
        .filter(|row| here.contains(&row["person_id"]))
        .map(|row| (LogicalId::parse(&row["rec_id"]).unwrap(), row["person_id"].clone()))
        .collect();
    let all = rows(&folder.join("cn_records.csv.gz"));
    let id = |row: &&HashMap<String, String>| LogicalId::parse(&row["rec_id"]);
    let taken = all.iter().filter(|row| id(row).is_some_and(|id| person.contains_key(&id)));
    let records = taken.map(|row| record(model, row, "rec_id")).collect();
    Slice { records, person, here }
}

impl Slice {
    fn is_one(&self, a: usize, b: usize) -> bool {
        self.person[self.records[a].id()] == self.person[self.records[b].id()]
    }

    fn true_pairs(&self) -> usize {
        let mut records_of: BTreeMap<&str, usize> = BTreeMap::new();
        self.person.values().for_each(|person| *records_of.entry(person).or_default() += 1);
        records_of.values().map(|count| count * (count - 1) / 2).sum()
    }
}

fn joined(linked: &Linked) -> impl Iterator<Item = (usize, usize)> {
    linked
        .persons
        .iter()
        .flat_map(|places| places.iter().enumerate().flat_map(|(n, a)| places[n + 1..].iter().map(move |b| (*a, *b))))
}

#[test]
fn nobody_is_taken_for_somebody_else_and_nine_pairs_in_ten_are_found() {
    let model = &*MODEL;
    for (seed, slice) in slices() {
        let linked = link(model, &slice.records, 2);
        let of = |count: usize| count as f64 / slice.true_pairs() as f64;
        let right = joined(&linked).filter(|(a, b)| slice.is_one(*a, *b)).count();
        let wrong = joined(&linked).filter(|(a, b)| !slice.is_one(*a, *b)).count();
        let met = linked.pairs.iter().filter(|pair| slice.is_one(pair.a, pair.b)).count();
        println!("seed {seed}: {} records, joined {:.4}, met {:.4}", slice.records.len(), of(right), of(met));
        assert_eq!(wrong, 0, "seed {seed}: two people in one");
        assert!(of(right) >= 0.87, "seed {seed}: {}", of(right));
        assert!(of(met) >= 0.99, "seed {seed}: {}", of(met));
        assert!(linked.pairs.len() <= 10 * slice.records.len());
        let ranked = linked.ranked(model, &slice.records, 0.0, None);
        let first_false = ranked.iter().position(|pair| !slice.is_one(pair.a, pair.b)).unwrap_or(ranked.len());
        assert!(of(first_false) >= 0.85, "seed {seed}: {}", of(first_false));
    }
}

#[test]
fn a_probability_is_what_it_says() {
    let model = &*MODEL;
    for (seed, slice) in slices() {
        let linked = link(model, &slice.records, 2);
        let mut bins = [(0.0, 0.0); 10];
        let mut count = 0.0;
        for pair in &linked.pairs {
            let probability = model.probability(pair.scored.bits);
            if probability >= 0.01 {
                let bin = &mut bins[((probability * 10.0) as usize).min(9)];
                *bin = (bin.0 + probability, bin.1 + if slice.is_one(pair.a, pair.b) { 1.0 } else { 0.0 });
                count += 1.0;
            }
        }
        let gap: f64 = bins.iter().map(|(said, is)| (said - is).abs()).sum::<f64>() / count;
        assert!(gap <= 0.02, "seed {seed}: {gap}");
    }
}

#[test]
fn the_order_of_rows_and_the_number_of_threads_make_no_difference() {
    let model = &*MODEL;
    let Some((_, Slice { records, .. })) = slices().next() else { return };
    let names = |records: &[Record], threads: usize| -> BTreeSet<BTreeSet<String>> {
        let linked = link(model, records, threads);
        let person = |places: &Vec<usize>| places.iter().map(|place| records[*place].id().to_string()).collect();
        linked.persons.iter().map(person).collect()
    };
    let mut turned: Vec<Record> = records.iter().rev().cloned().collect();
    let once = names(records, 1);
    assert_eq!(once, names(&turned, 3));
    turned.sort_by_key(|record| record.id().as_str().bytes().rev().collect::<Vec<u8>>());
    assert_eq!(once, names(&turned, 2));
}

#[test]
fn the_lines_of_every_explanation_add_up_to_its_score() {
    let model = &*MODEL;
    let Some((_, Slice { records, .. })) = slices().next() else { return };
    for pair in link(model, records, 2).pairs {
        let told = explain(model, &records[pair.a], &records[pair.b]);
        assert_eq!(told.lines.iter().map(|line| line.bits).sum::<Bits>(), pair.scored.bits);
        assert_eq!(
            (told.bits, told.vetoes, told.model.as_str()),
            (pair.scored.bits, pair.scored.vetoes, model.version())
        );
    }
}

#[test]
fn a_desk_is_never_told_that_somebody_is_certain_who_is_not() {
    let model = &*MODEL;
    for (seed, slice) in slices() {
        let desk = Desk::open(model, &slice.records, 2);
        let folder = folder(seed).unwrap();
        let truth: HashMap<String, String> = rows(&folder.join("cn_queries_truth.csv.gz"))
            .into_iter()
            .map(|mut row| (row["query_id"].clone(), row.remove("person_id").unwrap()))
            .collect();
        let (mut present, mut accepted, mut offered) = (0, 0, 0);
        for row in rows(&folder.join("cn_queries.csv.gz")) {
            let person = &truth[&row["query_id"]];
            let decision = desk.ask(&record(model, &row, "query_id"), 10);
            let is_it = |id: &LogicalId| slice.person[id] == *person;
            let certain: Vec<_> = decision.candidates.iter().filter(|one| one.grade == Grade::Certain).collect();
            assert!(certain.iter().all(|one| is_it(&one.record)), "seed {seed}: {}", row["query_id"]);
            if slice.here.contains(person) {
                present += 1;
                accepted += usize::from(!certain.is_empty());
                offered += usize::from(decision.candidates.iter().any(|one| is_it(&one.record)));
            }
        }
        let of = |count: usize| count as f64 / f64::from(present);
        println!("seed {seed}: {present} queries, accepted {:.4}, offered {:.4}", of(accepted), of(offered));
        assert!(of(accepted) >= 0.82 && of(offered) >= 0.975, "seed {seed}: {} {}", of(accepted), of(offered));
    }
}
