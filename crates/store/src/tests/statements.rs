//! SQL stands in one file.

use std::path::{Path, PathBuf};

#[test]
fn no_sql_stands_outside_the_list_of_statements() {
    let mut sources = Vec::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut sources);
    assert!(sources.len() > 20);
    for source in sources {
        if source.ends_with("sqlite/statements.rs") || source.ends_with("tests/statements.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&source).unwrap();
        for (number, line) in text.lines().enumerate() {
            let found = WORDS.iter().find(|word| line.contains(*word));
            assert!(found.is_none(), "{}:{} has SQL text: {line}", source.display(), number + 1);
        }
    }
}

fn gather(folder: &Path, sources: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
}

const WORDS: [&str; 10] = [
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE FROM",
    "CREATE TABLE",
    "PRAGMA ",
    "BEGIN IMMEDIATE",
    "DROP ",
    "ALTER ",
    "SAVEPOINT ",
];
