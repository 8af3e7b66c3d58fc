//! The tour of `mappings/README.md`, replayed word by word: files are written as they stand there, commands print what stands below them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// A fenced block: its language, its argument and its lines.
struct Block<'t> {
    language: &'t str,
    file: &'t str,
    lines: Vec<&'t str>,
}

fn blocks(section: &str) -> Vec<Block<'_>> {
    let mut found: Vec<Block<'_>> = Vec::new();
    let mut open = false;
    for line in section.lines() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(info) => {
                let (language, file) = info.split_once(' ').unwrap_or((info, ""));
                found.push(Block { language, file, lines: Vec::new() });
                open = true;
            }
            None if open => found.last_mut().unwrap().lines.push(line),
            None => {}
        }
    }
    found
}

/// Whether a line is what a pattern says: `...` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("...");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap()) else { return false };
    let mut last = "";
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = part;
    }
    rest.is_empty() || (last.is_empty() && pattern.contains("..."))
}

/// Whether a command printed what is shown; a line `...` stands for any lines.
fn printed(shown: &[&str], found: &[&str]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((&"...", rest)) => (0..=found.len()).any(|at| printed(rest, &found[at..])),
        Some((pattern, rest)) => found.first().is_some_and(|line| matches(pattern, line)) && printed(rest, &found[1..]),
    }
}

/// Runs the commands of a block in a folder.
fn run(block: &Block<'_>, folder: &Path, path: &str) {
    let starts: Vec<usize> = (0..block.lines.len()).filter(|at| block.lines[*at].starts_with("$ ")).collect();
    assert_eq!(starts.first(), Some(&0), "a block of commands begins with one");
    for (n, start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(block.lines.len());
        let command = &block.lines[*start][2..];
        let output = Command::new("sh").args(["-c", command]).current_dir(folder).env("PATH", path).output().unwrap();
        let found = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        let shown = &block.lines[start + 1..end];
        // `... 0 failed` may stand for many lines before.
        let mut spread: Vec<&str> = Vec::new();
        for line in shown {
            if line.starts_with("... ") {
                spread.push("...");
            }
            spread.push(line);
        }
        let lines: Vec<&str> = found.lines().collect();
        assert!(printed(&spread, &lines), "$ {command}\nshould print\n{}\nand prints\n{found}", shown.join("\n"));
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "commands are found where the shell finds them")]
fn an_analyst_adds_a_field_and_the_tour_says_what_is_seen() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../mappings/README.md")).unwrap();
    let tour = page.split("\n## A tour").nth(1).unwrap().split("\n## ").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_dukou-node"), bin.join("dukou")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut commands = 0;
    for block in blocks(tour) {
        match block.language {
            "console" => {
                run(&block, folder.path(), &path);
                commands += 1;
            }
            _ => {
                let file = folder.path().join(block.file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, block.lines.join("\n") + "\n").unwrap();
            }
        }
    }
    assert!(commands >= 8, "the tour has its commands");
}

#[test]
fn a_line_of_the_tour_is_held_against_what_is_printed() {
    assert!(matches("a ... c", "a b c") && matches("... 0 failed", "3 examples, 0 failed") && matches("x", "x"));
    assert!(!matches("a ... c", "a b d") && !matches("x", "xy") && !matches("... 0 failed", "1 failed"));
    assert!(printed(&["...", "b"], &["x", "y", "b"]) && printed(&["...", "b"], &["b"]));
    assert!(!printed(&["a"], &["a", "b"]) && !printed(&["a", "b"], &["a"]) && !printed(&[], &["a"]));
}
