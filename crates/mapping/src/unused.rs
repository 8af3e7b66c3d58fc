//! What stands in a file and does nothing: tables without a rule, rules that never fire.

use std::collections::HashSet;

use crate::compile::History;
use crate::diagnostic::{Findings, nearest};
use crate::file::{LensFile, MapFile};
use crate::rule::{Alternative, Direction, Rule, Test, TestKind};
use crate::table_text::InlineTable;

/// Warns of tables that no rule of their file uses, and of rules of a chain that an earlier one leaves nothing.
pub(crate) fn check(
    maps: &[(MapFile, History)],
    lenses: &[LensFile],
    chains: impl Fn(&[Rule]) -> Vec<u32>,
    findings: &mut Findings<'_>,
) {
    let files = maps.iter().map(|(map, _)| (map.rules.as_slice(), map.tables.as_slice()));
    let files = files.chain(lenses.iter().map(|lens| (lens.rules.as_slice(), lens.tables.as_slice())));
    for (rules, tables) in files {
        unused_tables(rules, tables, findings);
        hidden(rules, &chains(rules), findings);
    }
}

fn unused_tables(rules: &[Rule], tables: &[InlineTable], findings: &mut Findings<'_>) {
    let mut used: HashSet<&str> = HashSet::new();
    for rule in rules {
        used.extend(rule.clauses.table.as_ref().map(|word| word.value.as_str()));
        used.extend(rule.via.as_ref().and_then(|call| call.argument.as_deref()));
    }
    for table in tables.iter().filter(|table| !used.contains(table.name.value.as_str())) {
        let near = nearest(&table.name.value, used.iter().copied());
        let near = if near.is_empty() { String::new() } else { format!("; {near}") };
        let text = format!("no rule uses the table '{}'{near}", table.name.value);
        findings.warn("W-UNUSED", table.name.place, text);
    }
}

/// A rule of a chain whose only test was answered by an earlier rule of the chain.
fn hidden(rules: &[Rule], chains: &[u32], findings: &mut Findings<'_>) {
    for (at, rule) in rules.iter().enumerate() {
        let [test] = rule.clauses.guard.as_slice() else { continue };
        if chains[at] == 0 || rule.direction == Direction::Back {
            continue;
        }
        let earlier = (0..at).filter(|other| chains[*other] == chains[at]).map(|other| &rules[other]);
        let covering = earlier.into_iter().find(|other| match other.clauses.guard.as_slice() {
            [first] => first.path.text == test.path.text && covers(first, test) && same_sources(other, rule),
            _ => false,
        });
        if let Some(first) = covering {
            let text = format!(
                "{} never fires: {} (line {}) stands before it in the chain and takes all of it",
                rule.id.value, first.id.value, first.id.place.line
            );
            findings.warn("W-NEVER", rule.id.place, text);
        }
    }
}

/// Whether the first test holds wherever the second does.
fn covers(first: &Test, second: &Test) -> bool {
    match (&first.kind, &second.kind) {
        (TestKind::In(all), TestKind::In(some)) => some.iter().all(|value| all.contains(value)),
        (TestKind::Valued, TestKind::In(_)) => true,
        (one, two) => one == two,
    }
}

/// A lens may refuse, and then the next rule has its turn: only the same source and lens leave nothing over.
fn same_sources(one: &Rule, two: &Rule) -> bool {
    let paths = |rule: &Rule| -> Vec<String> {
        let alternatives = rule.sources.iter().flat_map(|source| &source.alternatives);
        alternatives
            .map(|alternative| match alternative {
                Alternative::Path(path) => path.text.clone(),
                Alternative::Constant(word) => format!("={}", word.value),
            })
            .collect()
    };
    let lens = |rule: &Rule| rule.via.as_ref().map(|call| call.name.value.clone());
    paths(one) == paths(two) && lens(one) == lens(two)
}
