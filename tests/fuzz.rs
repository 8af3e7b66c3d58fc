//! Hostile bytes against every parser of the house. Each target calls a function that states promises over any bytes; the n-th input of a
//! target is always the same, so that a find can be repeated. `DUKOU_FUZZ_SECONDS` is the time of each target, `DUKOU_FUZZ_FROM` the
//! number of its first input. A find becomes a case below `fixtures/hostile`.

mod documents;
mod mutate;
mod people;
mod seeds;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dukou_access::{PartnerFile, Policy, PolicyFiles};
use dukou_audit::storage::{Faulty, Files, Mode, read_all, write_all};
use dukou_audit::{Keys, Ledger, ManualClock, Options, RecordBytes, SeededRandom, Verdict, verify};
use dukou_exchange::Patch;
use dukou_fhir::{ResourceType, json};
use dukou_mapping::SourceFile;
use dukou_terminology::Tables;
use dukou_wire::{Charset, Delimiters, Limits, Path, Site, er7, invariants as wire};

use self::mutate::Mutator;
use self::seeds::{ER7_TOKENS, JSON_TOKENS, QUERIES, QUERY_TOKENS};

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Runs a target for its time, at least over all seeds as they are.
fn fuzz(target: &str, seeds: &[Vec<u8>], tokens: &[&[u8]], run: impl Fn(&Mutator<'_>)) {
    let (from, limit) = (number("DUKOU_FUZZ_FROM", 0), Duration::from_secs(number("DUKOU_FUZZ_SECONDS", 1)));
    let (begin, mut n) = (Instant::now(), from);
    while begin.elapsed() < limit {
        let mutator = Mutator::new(target, n, seeds, tokens);
        let one = Instant::now();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(&mutator))) {
            eprintln!("{target}: input {n} breaks a promise; DUKOU_FUZZ_FROM={n} repeats it");
            keep(target, n, &Mutator::new(target, n, seeds, tokens).input());
            resume_unwind(panic);
        }
        assert!(one.elapsed() < INPUT_TIME_MAX, "{target}: input {n} takes {:?}", one.elapsed());
        n += 1;
    }
    println!("{target}: {} inputs", n - from);
}

/// Where a find can be looked at.
fn keep(target: &str, n: u64, input: &[u8]) {
    let file = std::env::temp_dir().join(format!("dukou-{target}-{n}"));
    if fs::write(&file, input).is_ok() {
        eprintln!("its first bytes lie in {}", file.display());
    }
}

fn own(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn no_bytes_make_the_er7_parser_panic_and_printing_gives_them_back() {
    fuzz("er7-parse-print", &seeds::messages(), ER7_TOKENS, |mutator| wire::er7_parse_print(&mutator.input()));
}

#[test]
fn every_leaf_of_any_message_can_be_read_and_found_by_its_path() {
    fuzz("er7-leaf-walk", &seeds::messages(), ER7_TOKENS, |mutator| wire::er7_leaf_walk(&mutator.input()));
}

#[test]
fn setting_a_value_in_any_message_changes_no_other_field() {
    let paths = ["PID-5.1", "PID-3[2].4.2", "OBX[2]-5[3]", "ZPD-1", "MSH-10", "PV1-19.1"]
        .map(|text| Path::parse(text).unwrap());
    let values = ["", "王|建^国", "\\", "\"\"", "a\rb", "\u{1f600}&~"];
    fuzz("er7-set", &seeds::messages(), ER7_TOKENS, |mutator| {
        wire::er7_set(&mutator.input(), &paths[mutator.pick(paths.len())], values[mutator.pick(values.len())]);
    });
}

#[test]
fn many_changes_of_any_message_change_what_they_name_alone() {
    fuzz("er7-edits", &seeds::messages(), ER7_TOKENS, |mutator| {
        let choices: Vec<u8> = (0..mutator.pick(24)).map(|_| mutator.pick(256) as u8).collect();
        wire::er7_edits(&mutator.input(), &choices);
    });
}

#[test]
fn a_message_written_anew_in_the_order_of_its_structure_holds_the_same_segments() {
    fuzz("draft-copy", &seeds::messages(), ER7_TOKENS, |mutator| wire::draft_copy(&mutator.input()));
}

#[test]
fn a_message_printed_for_another_character_set_says_the_same() {
    fuzz("transcode", &seeds::messages(), ER7_TOKENS, |mutator| wire::transcode(&mutator.input()));
}

#[test]
fn any_cut_of_any_stream_gives_the_same_frames() {
    let framed = |message: Vec<u8>| [&b"\x0b"[..], &message[..message.len().min(200)], b"\x1c\r"].concat();
    let streams: Vec<Vec<u8>> = seeds::messages().into_iter().map(framed).collect();
    fuzz("mllp-any-split", &streams, ER7_TOKENS, |mutator| {
        let cuts: Vec<usize> = (0..mutator.pick(6)).map(|_| mutator.pick(90)).collect();
        wire::mllp_any_split(&mutator.input(), &cuts);
    });
}

#[test]
fn any_text_survives_escaping_and_any_bytes_the_charset_gate() {
    let charsets = [Charset::Utf8, Charset::Gb18030, Charset::Big5, Charset::Iso8859(1), Charset::Iso8859(15)];
    let odd = Delimiters { field: b'#', component: b'*', ..Delimiters::default() };
    fuzz("charsets", &seeds::messages(), ER7_TOKENS, |mutator| {
        let bytes = mutator.input();
        wire::charset_gate(&bytes);
        wire::charset_roundtrip(&bytes, charsets[mutator.pick(charsets.len())]);
        let text = String::from_utf8_lossy(&bytes);
        [Delimiters::default(), odd].into_iter().for_each(|delimiters| wire::escape_roundtrip(&text, delimiters));
    });
}

#[test]
fn segments_in_any_order_stand_in_one_group_each() {
    fuzz("groups", &seeds::messages(), ER7_TOKENS, |mutator| wire::groups_total(&mutator.input()));
}

#[test]
fn any_file_is_cut_into_messages_and_any_message_is_answered() {
    fuzz("batch-and-ack", &seeds::messages(), ER7_TOKENS, |mutator| {
        let bytes = mutator.input();
        wire::batch_stream(&bytes);
        wire::batch_answers(&bytes);
        // An answer repeats MSH-10 byte for byte; only where both are read in one charset are the texts the same.
        if er7::parse(&bytes, &Limits::default(), &Site::default())
            .map_or(true, |(message, _)| message.charset() == Charset::Utf8)
        {
            wire::ack_build_parse(&bytes);
        }
        wire::path_parse_print(&String::from_utf8_lossy(&bytes[..bytes.len().min(30)]));
    });
}

#[test]
fn a_message_cut_into_pieces_anywhere_is_joined_again() {
    fuzz("reassembler", &seeds::messages(), ER7_TOKENS, |mutator| {
        let cuts: Vec<usize> = (0..1 + mutator.pick(5)).map(|_| mutator.pick(6_000)).collect();
        wire::reassembler(&mutator.input(), &cuts);
    });
}

#[test]
fn no_message_makes_the_translation_panic_and_every_leaf_of_it_is_accounted_for() {
    let program = dukou_gateway::built_in_program(&[]).unwrap();
    let site = dukou_mapping::Site { id: "fuzz", zone: "+08:00" };
    fuzz("translation", &seeds::messages(), ER7_TOKENS, |mutator| {
        let bytes = mutator.input();
        let Ok((message, _)) = er7::parse(&bytes, &Limits::default(), &Site::default()) else { return };
        let mapped = program.to_fhir(&message, &site);
        let accounts = &mapped.accounts;
        assert_eq!(accounts.leaves as usize, message.leaf_count());
        assert_eq!(accounts.leaves, accounts.emitted + accounts.complement + accounts.dropped + accounts.reported);
        for change in &mapped.changes {
            let made = change.apply(None).into_static();
            assert_eq!(
                change.apply(Some(&made)).into_static(),
                made,
                "a change applied again changes nothing: {}",
                change.key
            );
        }
    });
}

#[test]
fn no_bytes_make_the_json_parser_panic_and_printing_says_the_same() {
    fuzz("json", &seeds::resources(), JSON_TOKENS, |mutator| {
        dukou_fhir::invariants::json_parse_print(&mutator.input())
    });
}

#[test]
fn any_tree_is_validated_indexed_and_stored_as_it_is() {
    fuzz("resource", &seeds::resources(), JSON_TOKENS, |mutator| {
        dukou_fhir::invariants::resource_total(&mutator.input())
    });
}

#[test]
fn any_text_is_a_date_a_key_or_a_reference_or_none() {
    let texts = [
        "2026-11-20T08:15:00.123+08:00",
        "0001-01-01",
        "9999-12-31T23:59:60Z",
        "23:59:59.999",
        "Patient/a/_history/3",
        "+14:00",
    ];
    let more = [
        "https://fhir.example/r4/Patient/a",
        "urn:uuid:c0",
        "Patient?identifier=a|b",
        "#o",
        "-14:00",
        "18446744073709551615",
    ];
    let tokens: &[&[u8]] =
        &[b"-", b":", b"T", b"Z", b"+08:00", b"/", b"_history/", b"29", b"02", b"60", b"24", b".", b"Patient/"];
    fuzz("scalars", &[own(&texts), own(&more)].concat(), tokens, |mutator| {
        dukou_fhir::invariants::scalar_text(&mutator.text())
    });
}

#[test]
fn any_search_is_read_or_refused_and_the_index_agrees_with_the_resource() {
    let resources: Vec<Vec<u8>> = seeds::resources();
    let kinds =
        ["Patient", "Observation", "DiagnosticReport", "Encounter"].map(|kind| ResourceType::parse(kind).unwrap());
    fuzz("search", &own(&QUERIES), QUERY_TOKENS, |mutator| {
        let resource = &resources[mutator.pick(resources.len())];
        dukou_fhir::invariants::search_agrees(kinds[mutator.pick(kinds.len())], &mutator.text(), resource);
    });
}

#[test]
fn any_path_expression_compiles_or_is_refused() {
    let texts = [
        "Patient.name.where(use='official').family",
        "(Observation.value as Quantity) | Observation.value.as(SampledData)",
    ];
    let more =
        ["Patient.deceased.exists() and Patient.deceased != false", "Observation.subject.where(resolve() is Patient)"];
    let tokens: &[&[u8]] =
        &[b"(", b")", b".", b"|", b"'", b"`", b" as ", b" is ", b"where(", b"exists()", b"resolve()", b"[0]", b"and "];
    let resources = seeds::resources();
    fuzz("path", &[own(&texts), own(&more)].concat(), tokens, |mutator| {
        dukou_fhir::invariants::path_total(&mutator.text(), &resources[mutator.pick(resources.len())]);
    });
}

#[test]
fn any_patch_is_applied_as_a_whole_or_refused() {
    let resources = seeds::resources();
    let trees: Vec<_> = resources.iter().filter_map(|r| json::parse(r, &json::Limits::default()).ok()).collect();
    fuzz("patch", &resources, JSON_TOKENS, |mutator| {
        let input = mutator.input();
        let Ok(document) = json::parse(&input, &json::Limits::default()) else { return };
        if let Ok(patch) = Patch::parse(&document) {
            drop(patch.apply(&trees[mutator.pick(trees.len())]));
        }
    });
}

#[test]
fn any_partner_file_loads_or_every_fault_is_named() {
    let files = seeds::files("../fixtures/access", &["partner.toml"], usize::MAX);
    let texts: Vec<Vec<u8>> = files.into_iter().map(|(_, bytes)| bytes).collect();
    let tokens: &[&[u8]] = &[
        b"[[allow]]\n",
        b"[[deny]]\n",
        b"[client]\n",
        b"resources = [\"*\"]\n",
        b"\"system/*.cruds\"",
        b"= ",
        b"\"\"\"",
        b"10.0.0.0/33",
    ];
    fuzz("access", &texts, tokens, |mutator| {
        let partner = PartnerFile { name: "partner.toml".to_owned(), text: mutator.text() };
        drop(PolicyFiles::token_names(&partner));
        if let Err(faults) = Policy::load(PolicyFiles { partners: vec![partner], ..PolicyFiles::default() }) {
            assert!(!faults.is_empty(), "a refusal says why");
        }
    });
}

#[test]
fn any_map_or_code_table_compiles_or_every_fault_is_named() {
    let maps: Vec<Vec<u8>> =
        seeds::files("../mappings/hl7v2", &[".yaml"], 12).into_iter().map(|(_, bytes)| bytes).collect();
    let codes: Vec<Vec<u8>> =
        seeds::files("../mappings/codes", &[".csv"], 6).into_iter().map(|(_, bytes)| bytes).collect();
    let tokens: &[&[u8]] = &[
        b"<->",
        b"->",
        b"[*]",
        b" via CX",
        b" if ",
        b"{",
        b"*a",
        b"&a ",
        b"!!",
        b"\t",
        b"  - ",
        b": ",
        b"PID-3[5=MR]",
        b",else,",
    ];
    let all = [maps, codes].concat();
    fuzz("maps", &all, tokens, |mutator| {
        let text = mutator.text();
        let tables = Tables::load(vec![("codes/any.csv".to_owned(), text.clone())]);
        assert!(tables.as_ref().err().is_none_or(|faults| !faults.is_empty()));
        let file = SourceFile { name: "any.fmap.yaml".to_owned(), text };
        if let Err(found) = dukou_mapping::compile(&[file], &tables.unwrap_or_default()) {
            assert!(!found.is_empty() && found.iter().all(|one| !one.to_string().is_empty()), "a refusal says why");
        }
    });
}

#[test]
fn no_change_of_a_ledger_passes_the_check_or_stops_the_reader_from_ending() {
    let disk = ledger();
    let names: Vec<String> = disk.list("seg").unwrap().into_iter().map(|name| format!("seg/{name}")).collect();
    let names: Vec<String> = names.into_iter().chain(["notes".to_owned(), "origin.json".to_owned()]).collect();
    fuzz("ledger", &[], &[], |mutator| {
        let name = &names[mutator.pick(names.len())];
        let bytes = read_all(&disk, name).unwrap();
        let changed =
            Mutator::new(name, mutator.pick(1 << 30) as u64, std::slice::from_ref(&bytes), &[b"DKL1", b"\0\0\0\0"])
                .input();
        let other = copy(&disk);
        assert!(other.tamper(name, |file| *file = changed.clone()));
        if let Ok(report) = verify(&other, false, None) {
            let same = changed == bytes || trimmed(&changed) == trimmed(&bytes);
            assert!(same || report.verdict() != Verdict::Ok, "a change of {name} is seen");
        }
        let (clock, random) = (Arc::new(ManualClock::new(NOON_NS)), Arc::new(SeededRandom::new(2)));
        drop(Ledger::open(Arc::new(other), keys(), options(), clock, random));
        drop(RecordBytes::from_row(changed));
    });
}

/// Zeros at the end of a segment are room, not content.
fn trimmed(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)]
}

/// A disk with the same files.
fn copy(disk: &Faulty) -> Faulty {
    let copy = Faulty::new();
    for dir in ["", "seg", "keys"] {
        for name in disk.list(dir).unwrap() {
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            let bytes = read_all(disk, &path).unwrap();
            let mut file = copy.open(&path, Mode::Create).unwrap();
            write_all(&mut *file, &bytes, 0).unwrap();
        }
    }
    copy
}

/// A small ledger of several runs.
fn ledger() -> Faulty {
    let disk = Faulty::new();
    let clock = Arc::new(ManualClock::new(NOON_NS));
    Ledger::create(&disk, &keys(), "hospital.example/fuzz", &options(), &*clock).unwrap();
    for run in 0..3 {
        let random = Arc::new(SeededRandom::new(run));
        let mut opened = Ledger::open(Arc::new(disk.clone()), keys(), options(), clock.clone(), random).unwrap();
        opened.ledger.complete(0, Vec::new()).unwrap();
        for _ in 0..3 {
            clock.pass(40_000_000_000);
            opened.ledger.tick();
        }
        opened.ledger.stop().unwrap();
    }
    disk
}

fn keys() -> Keys {
    Keys::generate(&SeededRandom::new(86)).unwrap()
}

fn options() -> Options {
    Options {
        threads: false,
        segment_bytes: 64 << 10,
        first_segment_bytes: 64 << 10,
        reserve_bytes: 64 << 10,
        ..Options::default()
    }
}

/// What the crate promises of any bytes holds for what was found hostile once.
fn every_promise(bytes: &[u8]) {
    wire::er7_parse_print(bytes);
    wire::er7_leaf_walk(bytes);
    wire::er7_edits(bytes, &[3, 2, 40, 5, 7, 1, 9, 0]);
    wire::draft_copy(bytes);
    wire::transcode(bytes);
    wire::groups_total(bytes);
    wire::charset_gate(bytes);
    wire::batch_stream(bytes);
    wire::batch_answers(bytes);
    wire::reassembler(bytes, &[3, 11, 40]);
    wire::mllp_any_split(bytes, &[1, 5, 20]);
}

/// What is refused, with the refusal: `input.hl7` or `input.json` beside `expected.txt`. `BLESS=1` rewrites what is expected.
#[test]
fn hostile_input_is_refused_as_its_folder_says() {
    let mut wrong = Vec::new();
    let messages = seeds::files("../fixtures/hostile/hl7v2", &["input.hl7"], usize::MAX);
    let trees = seeds::files("../fixtures/hostile/json", &["input.json"], usize::MAX);
    for (name, bytes) in messages.into_iter().chain(trees) {
        let refusal = match name.ends_with(".hl7") {
            true => {
                every_promise(&bytes);
                er7::parse(&bytes, &Limits::default(), &Site::default()).err().map(|reason| reason.code().to_owned())
            }
            false => json::parse(&bytes, &json::Limits::default())
                .err()
                .map(|error| format!("{} at byte {}", error.kind, error.offset)),
        };
        let found = format!("{}\n", refusal.unwrap_or_else(|| "taken".to_owned()));
        let expected = std::path::Path::new(&name).with_file_name("expected.txt");
        if std::env::var("BLESS").is_ok() {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).ok().as_ref() != Some(&found) {
            wrong.push(format!("{name}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join(""));
}

/// An input that takes longer than this is a find of its own. Tests run without optimisation and beside others.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);
const NOON_NS: i64 = 1_795_147_200_000_000_000;
