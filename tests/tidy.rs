//! The house keeps its own rules: arrows, sizes and names are checked like any other promise.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file below a folder with this ending, without build output.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn crate_names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The members of the house in `[dependencies]` (development dependencies do not ship).
fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let shipped = manifest.split("[dependencies]").nth(1).unwrap_or("");
    let shipped = shipped.split("\n[").next().unwrap_or("");
    shipped.lines().filter_map(|line| line.strip_prefix("dukou-")?.split('.').next().map(str::to_owned)).collect()
}

/// The rows of the crate table in `crates/ARCHITECTURE.md`.
fn drawn() -> Vec<(String, BTreeSet<String>)> {
    let page = fs::read_to_string(root().join("crates/ARCHITECTURE.md")).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    page.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let row = cells(line);
            let may = row[2].split(", ").filter(|name| *name != "-").map(str::to_owned).collect();
            (row[0].trim_matches('`').to_owned(), may)
        })
        .collect()
}

#[test]
fn the_architecture_page_draws_the_crates_as_they_are() {
    let drawn = drawn();
    let mut names: Vec<String> = drawn.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    assert_eq!(names, crate_names());
    for (name, may) in &drawn {
        let does = dependencies(name);
        let beyond: Vec<_> = does.difference(may).collect();
        assert!(beyond.is_empty(), "{name} depends on {beyond:?}, which its row does not allow");
    }
}

#[test]
fn every_arrow_points_the_way_of_the_flow() {
    let order: Vec<String> = drawn().into_iter().map(|(name, _)| name).collect();
    for (place, name) in order.iter().enumerate() {
        for other in dependencies(name) {
            let earlier = order[..place].contains(&other);
            assert!(earlier, "{name} depends on {other}, which stands later in the flow");
        }
    }
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let listed = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    for line in
        listed.lines().filter(|line| line.contains('=') && !line.starts_with('#') && !line.starts_with("dukou-"))
    {
        assert!(line.contains(" # "), "no reason beside: {line}");
    }
}

#[test]
fn no_file_is_longer_than_a_newcomer_reads_in_one_sitting() {
    for folder in ["crates", "tests", "benches"] {
        for file in files(&root().join(folder), ".rs") {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 600, "{} has {lines} lines", file.display());
        }
    }
}

#[test]
fn nothing_is_called_by_a_name_that_says_nothing() {
    let vague = ["common", "core", "util", "utils", "types", "helper", "helpers", "manager", "shared", "misc", "stuff"];
    for file in files(&root().join("crates"), ".rs") {
        let parts = file.iter().map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned());
        for part in parts.skip_while(|part| part != "crates") {
            assert!(!vague.contains(&part.as_str()), "{} is called {part}", file.display());
        }
    }
}

/// The text of a source file without its tests.
fn shipped(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.split("\n#[cfg(test)]\nmod ").next().unwrap_or("").to_owned()
}

fn is_test(file: &Path) -> bool {
    let path = file.to_string_lossy();
    path.ends_with("tests.rs") || path.contains("/tests/") || path.contains("/examples/")
}

#[test]
fn pure_crates_touch_neither_clock_nor_runtime_nor_environment() {
    for name in ["wire", "fhir", "access", "terminology", "mapping", "identity"] {
        for file in files(&root().join("crates").join(name).join("src"), ".rs").iter().filter(|file| !is_test(file)) {
            let text = shipped(file);
            for word in
                ["tokio::", "SystemTime::now", "Instant::now", "std::env::", "async fn", "std::net::TcpS", "std::fs::"]
            {
                assert!(!text.contains(word), "{}: {word}", file.display());
            }
        }
    }
}

#[test]
fn only_the_gateway_names_sockets_and_only_exchange_names_the_data_methods_of_the_store() {
    for name in crate_names().iter().filter(|name| !["gateway", "xtask"].contains(&name.as_str())) {
        for file in files(&root().join("crates").join(name).join("src"), ".rs").iter().filter(|file| !is_test(file)) {
            let text = shipped(file);
            for word in ["TcpStream", "TcpListener", "UnixStream", "UdpSocket"] {
                assert!(!text.contains(word), "{}: {word}", file.display());
            }
        }
    }
    for name in ["api", "gateway"] {
        for file in files(&root().join("crates").join(name).join("src"), ".rs").iter().filter(|file| !is_test(file)) {
            let text = shipped(file);
            for word in
                ["store.read(", "store.vread(", "store.search(", "store.history(", "store.commit(", "store.basis("]
            {
                assert!(!text.contains(word), "{}: {word}", file.display());
            }
        }
    }
}

#[test]
fn no_number_of_a_specification_stands_in_the_house() {
    for folder in ["crates", "tests", "benches", "mappings", "fixtures"] {
        for ending in [".rs", ".md", ".yaml"] {
            for file in files(&root().join(folder), ending) {
                // A fixture may be in another character set on purpose.
                for (n, line) in String::from_utf8_lossy(&fs::read(&file).unwrap()).lines().enumerate() {
                    let numbered =
                        line.split(|c: char| !c.is_ascii_alphanumeric()).find(|word| is_requirement(word, line));
                    assert!(numbered.is_none(), "{}:{}: {}", file.display(), n + 1, numbered.unwrap_or(""));
                }
            }
        }
    }
}

/// A letter and a number in brackets in a comment; codes of HL7 events and tables look alike, so only brackets count.
fn is_requirement(word: &str, line: &str) -> bool {
    let comment = line.find("//").or_else(|| line.starts_with('#').then_some(0));
    let digits = word.len() > 1 && word[1..].bytes().all(|b| b.is_ascii_digit());
    let letter = word.starts_with(['W', 'F', 'M', 'G', 'X', 'S', 'N']);
    digits && letter && comment.is_some_and(|at| line[at..].contains(&format!("({word})")))
}
