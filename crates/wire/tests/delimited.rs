//! What is read of rows, and how they are written.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use dukou_wire::delimited::{self, Draft, Formulas, Layout, LayoutError, RowPattern};
use dukou_wire::draft::PrintError;
use dukou_wire::{Charset, Column, Issue, Limits, Message, Path, RowKind, Site, Target};

fn parse<'a>(text: &'a str, layout: &Layout) -> (Message<'a>, Vec<Issue>) {
    delimited::parse(text.as_bytes(), layout, &Limits::default(), &Site::default()).unwrap()
}

fn cells(message: &Message<'_>) -> Vec<String> {
    let row = |row: dukou_wire::Segment<'_>| {
        row.fields().map(|(_, cell)| cell.text().into_owned()).collect::<Vec<_>>().join("/")
    };
    message.segments().map(row).collect()
}

fn told(issues: &[Issue]) -> Vec<String> {
    issues
        .iter()
        .map(|issue| {
            format!("{} {}", issue.code.as_str(), issue.path.as_ref().map_or(String::new(), ToString::to_string))
        })
        .collect()
}

#[test]
fn quoted_cells_hold_separators_quotes_and_line_ends() {
    let (message, issues) = parse("a,b\r\n\"x,\"\"y\"\"\",\"1\r\n2\"\r\n\r\n,\"\"\n", &Layout::csv());
    assert!(issues.is_empty(), "{issues:?}");
    assert_eq!(cells(&message), ["x,\"y\"/1\r\n2", "/"]);
    assert_eq!(message.columns(), ["a", "b"]);
    let leaves: Vec<_> = message.leaves().map(|leaf| format!("{}={}", leaf.path(&message), leaf.node.text())).collect();
    assert_eq!(leaves, ["row[1]/a=x,\"y\"", "row[1]/b=1\r\n2"]);
}

#[test]
fn quotation_marks_are_data_where_the_format_has_none() {
    let (message, issues) = parse("\"a|b\"|c\n\"|\"\"|d\n", &Layout::separated(b'|'));
    assert!(issues.is_empty(), "{issues:?}");
    assert_eq!(cells(&message), ["\"a/b\"/c", "\"/\"\"/d"]);
}

#[test]
fn a_quoted_cell_that_never_ends_costs_only_itself() {
    let (message, issues) = parse("a,b\n1,\"2\n3,4\n5,6\n", &Layout::csv());
    assert_eq!(cells(&message), ["1/\"2", "3/4", "5/6"]);
    assert_eq!(told(&issues), ["quote-unclosed row[1]"]);
    let (message, issues) = parse("a,b\n1,\"2\"x\n3\",4\n", &Layout::csv());
    assert_eq!(cells(&message), ["1/\"2\"x", "3\"/4"]);
    assert_eq!(told(&issues), ["quote-stray row[1]", "quote-stray row[2]"]);
}

#[test]
fn every_separator_and_line_end_is_read() {
    for separator in *b",;|\t" {
        let text = "1,2\r3,4\n\n5,\"6,b\"\r\n".replace(',', &char::from(separator).to_string());
        let layout = Layout { header: false, ..Layout { separator, ..Layout::csv() } };
        let (message, issues) = parse(&text, &layout);
        assert_eq!(cells(&message), ["1/2".to_owned(), "3/4".to_owned(), format!("5/6{}b", char::from(separator))]);
        assert!(issues.is_empty(), "{issues:?}");
    }
}

#[test]
fn the_counts_of_head_and_trailer_are_compared_and_no_row_is_lost() {
    let layout = Layout {
        head: Some(RowPattern::parse("#YY|{date}|条数={rows}", b'|').unwrap()),
        trailer: Some(RowPattern::parse("END|{distinct:col 2}", b'|').unwrap()),
        ..Layout::separated(b'|')
    };
    let (message, issues) = parse("#YY|20261120|条数=3\nA|x\nB|x\nEND|2\nC|y\n", &layout);
    let numbers: Vec<_> =
        issues.iter().map(|issue| (issue.code.as_str(), issue.numbers.map(|n| (n.declared, n.found)))).collect();
    assert_eq!(numbers, [("trailer-early", None)]);
    assert_eq!(message.segments().filter(|row| row.row_kind() == Some(RowKind::Row)).count(), 3);
    let (_, issues) = parse("#YY|20261120|条数=5\nA|x\nB|x\nEND|2\n", &layout);
    assert_eq!(told(&issues), ["row-count head/col 3", "row-count trailer/col 2"]);
    assert!(issues[0].to_string().ends_with("(declared 5, found 2)"), "{}", issues[0]);
    let (_, issues) = parse("A|x\n", &layout);
    assert_eq!(told(&issues), ["head-missing row[1]", "trailer-missing "]);
    let (_, issues) = parse("#YY|20261120|many\nA|x\nEND|1\n", &layout);
    assert_eq!(told(&issues), ["row-count-unread head/col 3"]);
}

#[test]
fn cells_that_a_spreadsheet_has_touched_are_flagged_and_kept() {
    let layout = Layout { identifiers: vec![Column::parse("id").unwrap()], ..Layout::csv() };
    let text = "id,v\n8.60101E+17,8.60101E+17\n'1,'x\n１２,\"1,25\"\n=A1,@x\n+A1(,+-\n1,-1.5\n1,\"1,250\"\n1\n1,2,3\n";
    let (message, issues) = parse(text, &layout);
    assert_eq!(message.segment_count(), 9);
    let expected = [
        "cell-scientific row[1]/id",
        "cell-apostrophe row[2]/id",
        "cell-apostrophe row[2]/v",
        "cell-full-width row[3]/id",
        "cell-decimal-comma row[3]/v",
        "cell-formula row[4]/id",
        "cell-formula row[4]/v",
        "cell-formula row[5]/id",
        "row-width row[8]",
        "row-width row[9]",
    ];
    assert_eq!(told(&issues), expected);
    let of_row = |number: usize| told(delimited::issues_of(message.occurrence("row", number).unwrap(), &issues)).len();
    assert_eq!([of_row(1), of_row(2), of_row(6), of_row(9)], [1, 2, 0, 1]);
}

#[test]
fn columns_are_found_by_name_and_missing_ones_are_told() {
    let layout = Layout { columns: vec!["a".into(), "z".into()], ..Layout::csv() };
    let (message, issues) = parse("b,a,b\n1,2,3\n", &layout);
    assert_eq!(told(&issues), ["column-missing row[1]/z", "column-repeated row[1]/b"]);
    let text = |path: &str| message.get(&Path::parse(path).unwrap()).unwrap().text().into_owned();
    assert_eq!((text("row[1]/a"), text("row[1]/b"), text("row[1]/col 3")), ("2".into(), "1".into(), "3".into()));
    assert_eq!(message.get(&Path::parse("row[1]/none").unwrap()).unwrap().presence(), dukou_wire::Presence::Absent);
    let named = Layout { columns: vec!["a".into(), "z".into()], ..Layout::separated(b',') };
    let (message, _) = parse("1,2\n", &named);
    assert_eq!(message.get(&Path::parse("row[1]/z").unwrap()).unwrap().text(), "2");
}

#[test]
fn a_limit_ends_the_reading_and_the_rows_before_it_are_delivered() {
    let stopped = |limits: Limits, text: &str| {
        let (message, issues) =
            delimited::parse(text.as_bytes(), &Layout::separated(b','), &limits, &Site::default()).unwrap();
        (message.segment_count(), told(&issues).concat())
    };
    let text = format!("1,2\n{}\n3,4\n", "x".repeat(100));
    assert_eq!(stopped(Limits { cell_bytes_max: 99, ..Limits::default() }, &text), (1, "rows-stopped ".to_owned()));
    let text = format!("1,2\n{}\n3,4\n", ",".repeat(600));
    assert_eq!(stopped(Limits::default(), &text), (1, "rows-stopped ".to_owned()));
    let limits = Limits { rows_max: 2, ..Limits::default() };
    assert_eq!(stopped(limits, "1\n2\n3\n4\n5\n6\n7\n"), (2, "rows-stopped ".to_owned()));
    let error = delimited::parse(b" \n", &Layout::csv(), &Limits::default(), &Site::default()).unwrap_err();
    assert_eq!(error.code(), "empty");
    let wide = format!("\n{}\n", ",".repeat(600));
    let error = delimited::parse(wide.as_bytes(), &Layout::csv(), &Limits::default(), &Site::default()).unwrap_err();
    assert_eq!((error.code(), error.raw_offset()), ("row-too-large", 1));
}

#[test]
fn the_same_file_gives_the_same_keys() {
    let layout = Layout { keys: vec![Column::parse("id").unwrap()], ..Layout::csv() };
    let (message, _) = parse("n,id\n1, A \n2,A\n", &layout);
    let keys: Vec<_> = message.segments().map(|row| delimited::row_key("hash", row, &layout)).collect();
    assert_eq!((keys[0].row, keys[0].columns.as_slice()), (1, &["A".to_owned()][..]));
    assert!(keys[0] != keys[1] && keys[1].columns == keys[0].columns);
}

#[test]
fn what_is_written_is_read_back() {
    let layout = Layout {
        component: Some(b'^'),
        repetition: Some(b'~'),
        columns: vec!["id".into(), "项目".into(), "c".into()],
        head: Some(RowPattern::parse("#YY,{date},条数={rows}", b',').unwrap()),
        trailer: Some(RowPattern::parse("合计,{distinct:id}人", b',').unwrap()),
        ..Layout::csv()
    };
    let mut draft = Draft::new(&layout).with_formulas(Formulas::Apostrophe);
    draft.state("date", "20261120");
    let mut set = |path: &str, text: &str| draft.set(&Path::parse(path).unwrap(), text);
    set("row[1]/id", "=1+1").unwrap();
    set("row[1]/项目[2].2", "膀,胱").unwrap();
    set("row[1]/项目[1].1", "US").unwrap();
    set("row[3]/c", "-1.5").unwrap();
    set("row[3]/id", "=1+1").unwrap();
    assert!(set("row[1]/z", "1").is_err() && set("head/col 1", "1").is_err() && set("row[5000]/id", "1").is_err());
    let bytes = draft.print(&Target::of(Charset::Gb18030)).unwrap();
    let text = Charset::Gb18030.decode(&bytes).unwrap();
    assert_eq!(
        text,
        "#YY,20261120,条数=3\r\nid,项目,c\r\n\"'=1+1\",\"US~^膀,胱\",\r\n,,\r\n\"'=1+1\",,-1.5\r\n合计,1人\r\n"
    );
    let (message, issues) = parse(&text, &layout);
    assert_eq!(message.get(&Path::parse("row[1]/项目[2].2").unwrap()).unwrap().text(), "膀,胱");
    assert!(issues.iter().all(|issue| issue.code.as_str() == "cell-apostrophe"), "{issues:?}");
    let mut refused = Draft::new(&layout);
    refused.set(&Path::parse("row[1]/id").unwrap(), "a^b").unwrap();
    assert!(matches!(refused.print(&Target::of(Charset::Utf8)), Err(PrintError::Unescapable { .. })));
    let pipes = Layout::separated(b'|');
    let mut refused = Draft::new(&pipes);
    refused.set(&Path::parse("row[1]/col 1").unwrap(), "a|b").unwrap();
    assert!(matches!(refused.print(&Target::of(Charset::Utf8)), Err(PrintError::Unescapable { .. })));
}

#[test]
fn a_layout_whose_delimiters_cannot_be_told_apart_is_refused() {
    assert_eq!(
        Layout { component: Some(b','), ..Layout::csv() }.check(),
        Err(LayoutError::Repeated { delimiter: b',' })
    );
    assert_eq!(Layout::separated(b'\n').check(), Err(LayoutError::Unusable { delimiter: b'\n' }));
    assert_eq!(Layout::separated(b'a').check(), Err(LayoutError::Unusable { delimiter: b'a' }));
    assert_eq!(Layout::separated(b'\t').check(), Ok(()));
    for text in ["{rows}", "a{b", "a{b}{c}", "a{}", "a{distinct:}"] {
        assert!(RowPattern::parse(text, b',').is_err(), "{text}");
    }
}
