use super::RowPattern;
use crate::Column;

/// How a source writes its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Between cells: `,`, `;`, `|` or a tab.
    pub separator: u8,
    /// Around cells that hold separators or line ends. `None`: quotation marks are data like any other character.
    pub quote: Option<u8>,
    /// Between the repetitions of a cell.
    pub repetition: Option<u8>,
    /// Between the components of a repetition.
    pub component: Option<u8>,
    /// Between the subcomponents of a component.
    pub subcomponent: Option<u8>,
    /// The first row, which states what the file holds.
    pub head: Option<RowPattern>,
    /// The last row, which states how much the file held.
    pub trailer: Option<RowPattern>,
    /// The row before the rows of data holds the names of the columns.
    pub header: bool,
    /// The names of the columns. Without a row of names these are the names, in order; with one, these must be among
    /// them.
    pub columns: Vec<String>,
    /// The columns that, with the file and the number, tell rows apart.
    pub keys: Vec<Column>,
    /// The columns that hold identifiers, which a spreadsheet may have taken for numbers.
    pub identifiers: Vec<Column>,
}

impl Layout {
    /// Comma, quotation marks, a row of column names.
    #[must_use]
    pub fn csv() -> Self {
        Self { quote: Some(b'"'), header: true, ..Self::separated(b',') }
    }

    /// Cells between separators and nothing else: no quotation marks, no names.
    #[must_use]
    pub fn separated(separator: u8) -> Self {
        Self {
            separator,
            quote: None,
            repetition: None,
            component: None,
            subcomponent: None,
            head: None,
            trailer: None,
            header: false,
            columns: Vec::new(),
            keys: Vec::new(),
            identifiers: Vec::new(),
        }
    }

    /// Whether the delimiters can be told apart.
    ///
    /// # Errors
    /// When one stands for two things, is a letter, a digit, a line end or no ASCII.
    pub fn check(&self) -> Result<(), LayoutError> {
        let given = [Some(self.separator), self.quote, self.repetition, self.component, self.subcomponent];
        let given: Vec<u8> = given.into_iter().flatten().collect();
        for (at, &delimiter) in given.iter().enumerate() {
            let usable = delimiter == b'\t'
                || delimiter == b' '
                || delimiter.is_ascii_punctuation()
                || matches!(delimiter, 1..=8 | 14..=31);
            if !usable {
                return Err(LayoutError::Unusable { delimiter });
            }
            if given[..at].contains(&delimiter) {
                return Err(LayoutError::Repeated { delimiter });
            }
        }
        Ok(())
    }
}

/// Why a layout cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A letter, a digit, a line end, NUL, or no ASCII.
    #[error("a delimiter is a punctuation or control character, not byte {delimiter:#04x}")]
    Unusable {
        /// The byte.
        delimiter: u8,
    },
    /// The same character for two things.
    #[error("{:?} stands for two delimiters", char::from(*delimiter))]
    Repeated {
        /// The byte.
        delimiter: u8,
    },
    /// A placeholder of a row pattern is none that is known, or not closed.
    #[error("a placeholder is {{rows}}, {{distinct:column}} or {{any name}}, one in a cell")]
    Placeholder,
    /// A row pattern by which no row could be recognised.
    #[error("the first cell of a row pattern holds some text beside its placeholder")]
    Unrecognisable,
}
