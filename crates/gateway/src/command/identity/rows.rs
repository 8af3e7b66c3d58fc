//! Files of patient rows: CSV with a line of column names, plain or gzip.

use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use dukou_fhir::LogicalId;
use dukou_identity::{Class, Obtained, Stated, StatedIdentifier, StatedName};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowsError {
    /// The file cannot be read or written.
    #[error("using {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A row cannot be used.
    #[error("{}:{line}: {reason}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what would do.
        reason: String,
    },
}

/// Reads a file of patients, one a row. The first column, `rec_id` or `query_id`, names the row. Known columns are those of a hospital's
/// registration (`name`, `name_py`, `sex`, `birth_date`, `id_type`, `id_no`, `si_card`, `visit_card`, `phone`, `address`, `source`);
/// every other column is a further field under its own name.
pub(crate) fn read(path: &Path) -> Result<Vec<Stated>, RowsError> {
    let text = text(path)?;
    let mut rows = Rows { text: &text, at: 0, line: 1 };
    let wrong = |line: usize, reason: String| RowsError::Row { path: path.to_owned(), line, reason };
    let columns: Vec<String> = rows.next().unwrap_or_default().into_iter().map(|name| name.trim().to_owned()).collect();
    if !columns.first().is_some_and(|first| matches!(first.as_str(), "rec_id" | "query_id")) {
        return Err(wrong(1, "the first column is called rec_id or query_id".to_owned()));
    }
    let mut stated = Vec::new();
    loop {
        let line = rows.line;
        let Some(row) = rows.next() else { return Ok(stated) };
        if row.len() != columns.len() {
            return Err(wrong(line, format!("{} values for {} columns", row.len(), columns.len())));
        }
        let id = LogicalId::parse(&row[0])
            .ok_or_else(|| wrong(line, "a row is named by 1 to 64 letters, digits, hyphens and dots".to_owned()))?;
        stated.push(patient(id, &columns, row));
    }
}

fn patient(id: LogicalId, columns: &[String], row: Vec<String>) -> Stated {
    let mut stated = Stated::new(id, "");
    let mut name = StatedName::default();
    let (mut kind, mut number) = (String::new(), String::new());
    for (column, value) in columns.iter().zip(row).skip(1) {
        match column.as_str() {
            _ if value.is_empty() => {}
            "source" => stated.source = value,
            "name" => name.written = value,
            "name_py" => name.pinyin = value,
            "sex" => stated.sex = value.trim().chars().next(),
            "birth_date" => stated.birth_date = value,
            "id_type" => kind = value,
            "id_no" => number = value,
            "si_card" => stated.identifiers.push(identifier(Class::InsuranceCard, column, value)),
            "visit_card" => stated.identifiers.push(identifier(Class::VisitCard, column, value)),
            "phone" => stated.phones.push(value),
            "address" => stated.address = value,
            "local_id" | "event_date" => {}
            _ => stated.other.push((column.clone(), value)),
        }
    }
    if !number.is_empty() {
        stated.identifiers.push(identifier(certificate(&kind), "id_no", number));
    }
    stated.names.push(name);
    stated
}

fn identifier(class: Class, column: &str, value: String) -> StatedIdentifier {
    let system = format!("{column}:{}", class.name());
    StatedIdentifier { class, system, value, obtained: Obtained::Feed, in_period: true }
}

/// The class of a certificate by WS 364.3 CV02.01.101; what the table does not name is untyped.
fn certificate(code: &str) -> Class {
    match code.trim_start_matches('0') {
        "1" => Class::Resident,
        "3" => Class::Passport,
        "6" | "7" => Class::Permit,
        _ => Class::Untyped,
    }
}

/// The text of a file, unpacked where its name ends in `.gz`, at most [`FILE_BYTES_MAX`].
fn text(path: &Path) -> Result<String, RowsError> {
    let failed = |source| RowsError::Io { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> = if packed { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut text = String::new();
    let read = reader.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(failed(io::Error::other("the file is over 2 GiB; split it")));
    }
    Ok(text)
}

/// Writes a CSV file, packed where its name ends in `.gz`. Values that need quotes get them.
pub(crate) struct Out {
    path: PathBuf,
    writer: Box<dyn Write>,
}

impl Out {
    /// Makes the file and writes the column names.
    pub(crate) fn create(path: &Path, columns: &[&str]) -> Result<Out, RowsError> {
        let file = fs::File::create(path).map_err(|source| RowsError::Io { path: path.to_owned(), source })?;
        let file = BufWriter::new(file);
        let packed = path.extension().is_some_and(|extension| extension == "gz");
        let writer: Box<dyn Write> = match packed {
            true => Box::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast())),
            false => Box::new(file),
        };
        let mut out = Out { path: path.to_owned(), writer };
        out.row(format_args!("{}", columns.join(",")))?;
        Ok(out)
    }

    /// Writes one row, as it is.
    pub(crate) fn row(&mut self, row: std::fmt::Arguments<'_>) -> Result<(), RowsError> {
        writeln!(self.writer, "{row}").map_err(|source| RowsError::Io { path: self.path.clone(), source })
    }

    /// Everything is on its way to the disk.
    pub(crate) fn finish(mut self) -> Result<(), RowsError> {
        self.writer.flush().map_err(|source| RowsError::Io { path: self.path.clone(), source })
    }
}

/// The rows of a CSV text (RFC 4180), line ends of both kinds.
struct Rows<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Iterator for Rows<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        let bytes = self.text.as_bytes();
        if self.at >= bytes.len() {
            return None;
        }
        let (mut row, mut value, mut quoted) = (Vec::new(), Vec::new(), false);
        let mut take = |value: &mut Vec<u8>| row.push(String::from_utf8_lossy(&std::mem::take(value)).into_owned());
        while let Some(byte) = bytes.get(self.at) {
            self.at += 1;
            self.line += usize::from(*byte == b'\n');
            match byte {
                b'"' if quoted && bytes.get(self.at) == Some(&b'"') => {
                    self.at += 1;
                    value.push(b'"');
                }
                b'"' if quoted || value.is_empty() => quoted = !quoted,
                b',' if !quoted => take(&mut value),
                b'\n' if !quoted => break,
                b'\r' if !quoted => {}
                _ => value.push(*byte),
            }
        }
        take(&mut value);
        row[0] = row[0].trim_start_matches('\u{feff}').to_owned();
        Some(row)
    }
}

/// A file of rows is read so far, unpacked.
const FILE_BYTES_MAX: u64 = 2 << 30;

#[cfg(test)]
mod tests {
    use super::{Rows, read};
    use dukou_identity::Class;

    #[test]
    fn quotes_commas_and_both_line_ends_are_read_as_they_are_meant() {
        let rows: Vec<Vec<String>> = Rows { text: "a,\"b,\"\"c\nd\"\r\n,\n", at: 0, line: 1 }.collect();
        assert_eq!(rows, [["a", "b,\"c\nd"], ["", ""]]);
    }

    #[test]
    fn a_row_becomes_a_patient_and_unknown_columns_further_fields() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv.gz");
        let mut out = super::Out::create(&path, &["rec_id", "name", "id_type", "id_no", "postcode"]).unwrap();
        out.row(format_args!("R1,张示例,01,86010119880808009X,2000")).unwrap();
        out.finish().unwrap();
        let stated = read(&path).unwrap();
        assert_eq!(stated[0].names[0].written, "张示例");
        assert_eq!(stated[0].identifiers[0].class, Class::Resident);
        assert_eq!(stated[0].other, [("postcode".to_owned(), "2000".to_owned())]);
    }

    #[test]
    fn a_row_that_cannot_be_used_is_named_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, "rec_id,name\nR1,a\nR2\n").unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.ends_with("rows.csv:3: 1 values for 2 columns"), "{error}");
    }
}
