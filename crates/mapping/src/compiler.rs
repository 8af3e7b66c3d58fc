//! What the compiler knows while it checks rules: words, tables, lenses, and which resources maps make.

use std::collections::HashMap;

use dukou_fhir::ResourceType;
use dukou_fhir::schema::TypeId;
use dukou_terminology::{Table, Tables};

use crate::diagnostic::Findings;
use crate::file::Words;
use crate::place::Word;
use crate::plan::RuleFacts;
use crate::table_text::{InlineTable, RowPlace};
use crate::tree_sources::SourceShape;

/// The state of one compilation.
pub(crate) struct Compiler<'f, 'c> {
    pub(crate) findings: Findings<'f>,
    codes: &'c Tables,
    /// Tables whose files have faults of their own.
    faulty: Vec<String>,
    pub(crate) tables: Vec<Table>,
    /// The map or lens in which each table stands; empty for shared ones.
    pub(crate) owners: Vec<String>,
    /// Where the rows of tables that stand in maps are; empty for CSV tables.
    pub(crate) rows: Vec<Vec<RowPlace>>,
    shared: HashMap<String, usize>,
    pub(crate) lenses: Vec<LensHead>,
    pub(crate) makers: Vec<Maker>,
    pub(crate) rules: Vec<RuleFacts>,
    pub(crate) names: Vec<String>,
    /// The emit in which the chain of the rule at hand runs.
    pub(crate) home: Option<usize>,
}

/// What is known of a lens file before its rules are compiled.
#[derive(Clone, Debug)]
pub(crate) struct LensHead {
    pub(crate) name: String,
    pub(crate) v2: Vec<String>,
    /// It reads an element instead of a datatype.
    pub(crate) reads_element: bool,
    pub(crate) kind: TypeId,
    pub(crate) resource: Option<ResourceType>,
    /// Whether one of its rules leads back from FHIR.
    pub(crate) inverse: bool,
}

/// A resource that some map makes for each segment of an id.
#[derive(Clone, Debug)]
pub(crate) struct Maker {
    pub(crate) kind: ResourceType,
    /// The segment, or the place from the document on.
    pub(crate) per: String,
}

/// The tables of one file by name; nothing for one whose rows are at fault.
pub(crate) type LocalTables = HashMap<String, Option<usize>>;

/// What surrounds a rule.
pub(crate) struct Context<'x> {
    /// The map or lens, for people.
    pub(crate) owner: &'x str,
    pub(crate) words: &'x Words,
    pub(crate) tables: &'x LocalTables,
    pub(crate) versions: &'x str,
    pub(crate) emits: &'x [EmitHead],
    pub(crate) several: bool,
    /// What paths are resolved against.
    pub(crate) source: SourceShape<'x>,
    /// The datatypes a lens reads and the type it gives.
    pub(crate) lens: Option<(&'x [String], TypeId)>,
}

/// What is known of an emit before its rules are compiled.
#[derive(Clone, Debug)]
pub(crate) struct EmitHead {
    pub(crate) name: String,
    pub(crate) kind: ResourceType,
    pub(crate) per: String,
    pub(crate) under: Vec<usize>,
}

impl<'f, 'c> Compiler<'f, 'c> {
    pub(crate) fn new(findings: Findings<'f>, codes: &'c Tables, faulty: Vec<String>, names: Vec<String>) -> Self {
        Compiler {
            findings,
            codes,
            faulty,
            tables: Vec::new(),
            owners: Vec::new(),
            rows: Vec::new(),
            shared: HashMap::new(),
            lenses: Vec::new(),
            makers: Vec::new(),
            rules: Vec::new(),
            names,
            home: None,
        }
    }

    /// The tables of one file by name.
    pub(crate) fn local_tables(&mut self, owner: &str, tables: &[InlineTable], words: &Words) -> LocalTables {
        let mut known = LocalTables::new();
        for table in tables {
            let below = match table.adds {
                true => match self.table(&table.name, &known) {
                    Some(at) => Some(self.tables[at].clone()),
                    None => continue,
                },
                false => None,
            };
            let built = table.build(words, below.as_ref(), &mut self.findings).map(|(built, rows)| {
                self.tables.push(built);
                self.owners.push(owner.to_owned());
                self.rows.push(rows);
                self.tables.len() - 1
            });
            known.insert(table.name.value.clone(), built);
        }
        known
    }

    /// The number of a table, local ones first.
    pub(crate) fn table(&mut self, name: &Word, local: &LocalTables) -> Option<usize> {
        if let Some(found) = local.get(&name.value) {
            return *found;
        }
        let found = self.shared_table(&name.value);
        if found.is_none() && !self.faulty.contains(&name.value) {
            let known = local.keys().map(String::as_str).chain(self.codes.names());
            let hint = crate::diagnostic::nearest(&name.value, known);
            self.findings.error("E-TABLE", name.place, format!("no table '{}'", name.value), hint);
        }
        found
    }

    /// The number of a table of `mappings/codes`.
    pub(crate) fn shared_table(&mut self, name: &str) -> Option<usize> {
        if let Some(found) = self.shared.get(name) {
            return Some(*found);
        }
        let table = self.codes.table(name)?.clone();
        self.shared.insert(name.to_owned(), self.tables.len());
        self.tables.push(table);
        self.owners.push(String::new());
        self.rows.push(Vec::new());
        Some(self.tables.len() - 1)
    }

    /// Lenses of that name, by number.
    pub(crate) fn lenses_named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = (usize, &'s LensHead)> {
        self.lenses.iter().enumerate().filter(move |(_, head)| head.name == name)
    }
}
