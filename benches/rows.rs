//! Tables of times and allocations, for the benches that count both.

/// One line of a table: what a call costs over so many bytes.
pub(crate) struct Row {
    /// What is measured.
    pub(crate) name: &'static str,
    /// Microseconds of CPU, best of 9 rounds.
    pub(crate) us: f64,
    /// The bytes that one call reads.
    pub(crate) bytes: usize,
    /// Allocations of one call.
    pub(crate) allocations: u64,
}

/// Measures a call over so many bytes.
pub(crate) fn row<T>(name: &'static str, bytes: usize, mut call: impl FnMut() -> T) -> Row {
    let us = dukou_benches::micros(&mut call);
    let allocations = allocation_counter::measure(|| drop(std::hint::black_box(call()))).count_total;
    Row { name, us, bytes, allocations }
}

/// Prints rows under their heads.
pub(crate) fn table(rows: &[Row]) {
    println!("{:<40} {:>9} {:>9} {:>12}", "", "us", "MB/s", "allocations");
    for row in rows {
        println!("{:<40} {:>9.2} {:>9.0} {:>12}", row.name, row.us, row.bytes as f64 / row.us, row.allocations);
    }
}
