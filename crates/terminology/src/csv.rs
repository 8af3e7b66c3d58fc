//! Tables as CSV files: head lines `key,value`, a line of column names, rows.

use std::collections::BTreeMap;

use crate::table::{Direction, FaultKind, Head, Otherwise, Row, Table};

/// All tables of a deployment by name.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    tables: BTreeMap<String, Table>,
}

/// A fault of a table file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {text}")]
pub struct LoadError {
    /// The file as it was named to [`Tables::load`].
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong and what is expected.
    pub text: String,
}

impl Tables {
    /// Reads table files, each given by the name that errors show and its text. A table is called by its `table` line,
    /// which must be the file's name without folder and `.csv`.
    ///
    /// # Errors
    /// Every fault of every file, in the order of files and lines.
    pub fn load(files: Vec<(String, String)>) -> Result<Tables, Vec<LoadError>> {
        let (tables, faults) = Self::load_sound(files);
        if faults.is_empty() { Ok(tables) } else { Err(faults) }
    }

    /// As [`Tables::load`], for a check that goes on: the tables without a fault, and every fault of the others.
    pub fn load_sound(files: Vec<(String, String)>) -> (Tables, Vec<LoadError>) {
        let mut tables = BTreeMap::new();
        let mut faults = Vec::new();
        for (file, text) in files {
            match read(&file, &text) {
                Ok(table) => {
                    let name = table.head().name.clone();
                    if tables.insert(name.clone(), table).is_some() {
                        faults.push(LoadError {
                            file,
                            line: 1,
                            text: format!("a second file makes the table '{name}'"),
                        });
                    }
                }
                Err(found) => faults.extend(found),
            }
        }
        (Tables { tables }, faults)
    }

    /// The table of that name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// The names of all tables, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(String::as_str)
    }
}

fn read(file: &str, text: &str) -> Result<Table, Vec<LoadError>> {
    let mut reader = Reader { file, ..Reader::default() };
    for (number, line) in (1u32..).zip(text.trim_start_matches('\u{feff}').lines()) {
        if !line.trim().is_empty() && !line.starts_with('#') {
            reader.line(number, line);
        }
    }
    reader.finish()
}

/// What is known of a file while its lines are read.
#[derive(Default)]
struct Reader<'f> {
    file: &'f str,
    head: Head,
    columns_seen: bool,
    rows: Vec<Row>,
    /// The line of each row.
    lines: Vec<u32>,
    otherwise: Option<Otherwise>,
    faults: Vec<LoadError>,
}

impl Reader<'_> {
    fn fault(&mut self, line: u32, text: impl Into<String>) {
        self.faults.push(LoadError { file: self.file.to_owned(), line, text: text.into() });
    }

    fn line(&mut self, number: u32, line: &str) {
        let cells = match cells(line) {
            Ok(cells) => cells,
            Err(text) => return self.fault(number, text),
        };
        let cell = |at: usize| cells.get(at).map_or("", |cell| cell.trim());
        if !self.columns_seen {
            return self.head_line(number, cell(0), cell(1));
        }
        let direction = match cell(1) {
            "<->" => Direction::Both,
            "->" => Direction::Forward,
            "<-" => Direction::Back,
            other => return self.fault(number, format!("'{other}' is no direction; write <->, -> or <-")),
        };
        if cell(0) == "else" && direction == Direction::Forward {
            if self.otherwise.replace(Otherwise::parse(cell(2))).is_some() {
                self.fault(number, "a second else row");
            }
            return;
        }
        let filled = |at: usize| Some(cell(at)).filter(|text| !text.is_empty()).map(str::to_owned);
        self.lines.push(number);
        self.rows.push(Row {
            code: cell(0).to_owned(),
            direction,
            target: cell(2).to_owned(),
            display: filled(3),
            system: filled(4),
        });
    }

    fn head_line(&mut self, number: u32, key: &str, value: &str) {
        let slot = match key {
            "code" if value == "op" => {
                self.columns_seen = true;
                return;
            }
            "table" => &mut self.head.name,
            "source" => &mut self.head.source,
            "target" => &mut self.head.target,
            "version" => &mut self.head.version,
            "date" => &mut self.head.date,
            other => return self.fault(number, format!("unknown head line '{other}'; known: {HEAD_KEYS}")),
        };
        value.clone_into(slot);
    }

    fn finish(mut self) -> Result<Table, Vec<LoadError>> {
        let (file, head, columns_seen) = (self.file, self.head.clone(), self.columns_seen);
        check_head(file, &head, columns_seen, &mut |line, text| self.fault(line, text));
        match Table::build(head, std::mem::take(&mut self.rows), self.otherwise.take().unwrap_or_default()) {
            Ok(table) if self.faults.is_empty() => Ok(table),
            Ok(_) => Err(self.faults),
            Err(found) => {
                for row_fault in found {
                    let text = match row_fault.kind {
                        FaultKind::TargetTwice { other } | FaultKind::CodeTwice { other } => {
                            format!("{} (line {})", row_fault.kind, self.lines[other])
                        }
                        FaultKind::Empty => row_fault.kind.to_string(),
                    };
                    self.fault(self.lines[row_fault.row], text);
                }
                self.faults.sort_by_key(|fault| fault.line);
                Err(self.faults)
            }
        }
    }
}

fn check_head(file: &str, head: &Head, columns_seen: bool, fault: &mut impl FnMut(u32, String)) {
    let stem = file.rsplit(['/', '\\']).next().unwrap_or(file).trim_end_matches(".csv");
    if head.name != stem {
        fault(1, format!("the line 'table,{stem}' is missing; found '{}'", head.name));
    }
    if head.version.is_empty() || head.date.is_empty() {
        fault(1, "the head states no version or no date".to_owned());
    }
    if !columns_seen {
        fault(1, "no line of column names; write: code,op,target,display".to_owned());
    }
}

/// The cells of one line, quotes resolved (RFC 4180, without line ends in cells).
fn cells(line: &str) -> Result<Vec<String>, &'static str> {
    let mut found = Vec::new();
    let mut rest = line;
    loop {
        let mut cell = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let at = rest.find('"').ok_or("a quote is not closed on this line")?;
                cell.push_str(&rest[..at]);
                rest = &rest[at + 1..];
                match rest.strip_prefix('"') {
                    Some(after) => {
                        cell.push('"');
                        rest = after;
                    }
                    None => break,
                }
            }
            if !rest.is_empty() && !rest.starts_with(',') {
                return Err("text behind a closing quote");
            }
        } else {
            let at = rest.find(',').unwrap_or(rest.len());
            cell.push_str(&rest[..at]);
            rest = &rest[at..];
        }
        found.push(cell);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok(found),
        }
    }
}

const HEAD_KEYS: &str = "table, source, target, version, date, then code,op,target,display";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Translation;

    const HEAD: &str = "table,t\nsource,\ntarget,http://x\nversion,1\ndate,2024-01-01\ncode,op,target,display\n";

    fn load(rows: &str) -> Result<Tables, Vec<LoadError>> {
        Tables::load(vec![("codes/t.csv".to_owned(), format!("{HEAD}{rows}"))])
    }

    fn translated(tables: &Tables, code: &str) -> String {
        match tables.table("t").unwrap().translate(code) {
            Translation::Coded(found) => format!("{} {}", found.code, found.lossy),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn every_direction_and_else_does_what_its_row_says() {
        let tables = load("M,<->,male,\nA,->,male,\nX,<-,female,\nelse,->,urn:id:{},\n").unwrap();
        assert_eq!(translated(&tables, "M"), "male false");
        assert_eq!(translated(&tables, "A"), "male true");
        assert_eq!(translated(&tables, "X y"), "urn:id:X%20y false");
        assert_eq!(tables.table("t").unwrap().reverse("female"), Some("X"));
        assert_eq!(tables.table("t").unwrap().reverse("male"), Some("M"));
    }

    #[test]
    fn a_code_without_row_and_else_is_refused() {
        assert_eq!(translated(&load("M,<->,male,\n").unwrap(), "F"), "Refused");
        assert_eq!(translated(&load("else,->,text,\n").unwrap(), "F"), "Text");
        assert_eq!(translated(&load("else,->,keep,\n").unwrap(), "F"), "F false");
    }

    #[test]
    fn all_faults_are_named_with_their_lines() {
        let faults = load("M,<->,male,\n1,<->,male,\nM,->,other,\nQ,=,x,\n,->,x,\n\"a,->,b\n").unwrap_err();
        let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "codes/t.csv:8: two rows lead back from the same target (line 7)",
                "codes/t.csv:9: two rows translate the same code (line 7)",
                "codes/t.csv:10: '=' is no direction; write <->, -> or <-",
                "codes/t.csv:11: code or target is empty",
                "codes/t.csv:12: a quote is not closed on this line",
            ]
        );
    }

    #[test]
    fn a_head_without_version_or_columns_is_refused() {
        let faults = Tables::load(vec![("t.csv".to_owned(), "table,u\n".to_owned())]).unwrap_err();
        assert_eq!(faults.len(), 3);
    }

    #[test]
    fn quoted_cells_hold_commas_and_quotes() {
        assert_eq!(cells("a,\"b,\"\"c\"\"\",d").unwrap(), ["a", "b,\"c\"", "d"]);
    }
}
