//! The prefixes of ordered values (search, 3.1.1.4.5).

/// How a number, quantity or date is to stand to the value asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Comparator {
    /// `eq`, also without prefix: within the range that the value's precision says.
    Equal,
    /// `ne`: not so.
    NotEqual,
    /// `gt`: some of it above.
    Greater,
    /// `lt`: some of it below.
    Less,
    /// `ge`: `gt` or `eq`.
    GreaterOrEqual,
    /// `le`: `lt` or `eq`.
    LessOrEqual,
    /// `sa`: all of it above.
    StartsAfter,
    /// `eb`: all of it below.
    EndsBefore,
    /// `ap`: overlapping a wider range; a tenth to either side of a number, its own length to either side of a date.
    Approximately,
}

impl Comparator {
    /// The prefix of a value, and the value behind it.
    pub(crate) fn split(text: &str) -> (Comparator, &str) {
        let prefixes = [
            ("eq", Comparator::Equal),
            ("ne", Comparator::NotEqual),
            ("gt", Comparator::Greater),
            ("lt", Comparator::Less),
            ("ge", Comparator::GreaterOrEqual),
            ("le", Comparator::LessOrEqual),
            ("sa", Comparator::StartsAfter),
            ("eb", Comparator::EndsBefore),
            ("ap", Comparator::Approximately),
        ];
        let found = prefixes.iter().find_map(|(prefix, comparator)| Some((*comparator, text.strip_prefix(prefix)?)));
        found.unwrap_or((Comparator::Equal, text))
    }
}
