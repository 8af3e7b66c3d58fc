//! Finds cells of rows: the columns that a map names, wherever the file has them.

use std::ops::ControlFlow;

use dukou_wire::{Node, Segment};

use super::{Found, Reading};
use crate::plan::PathPlan;
use crate::rule::RowKind;

/// The cells of the row that was read last.
#[derive(Default)]
pub(crate) struct RowCells<'m> {
    row: Option<usize>,
    cells: Vec<Node<'m>>,
}

impl<'m> Reading<'m> {
    /// The cell of a row; rows are read one after the other, so the last one is kept.
    pub(crate) fn cell(&self, row: Segment<'m>, number: u16) -> Option<Node<'m>> {
        let mut known = self.row.borrow_mut();
        if known.row != Some(row.index()) {
            known.row = Some(row.index());
            known.cells.clear();
            known.cells.extend(row.fields().map(|(_, cell)| cell));
        }
        let columns = self.columns.borrow();
        let number = if columns.is_empty() || row.id() != dukou_wire::RowKind::Row.as_str() {
            number
        } else {
            // A cell beyond the declared columns has no name.
            columns.get(usize::from(number).checked_sub(1)?).copied().unwrap_or(number)
        };
        known.cells.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The row before or after all others.
    pub(crate) fn frame_row(&self, kind: RowKind) -> Option<Segment<'m>> {
        let wanted = match kind {
            RowKind::Own => return None,
            RowKind::Head => dukou_wire::RowKind::Head,
            RowKind::Trailer => dukou_wire::RowKind::Trailer,
        };
        self.message.segments().find(|row| row.id() == wanted.as_str())
    }

    /// Shows what a path names in the head or trailer row.
    pub(crate) fn visit_frame(
        &self,
        kind: RowKind,
        path: &PathPlan,
        see: &mut dyn FnMut(Found<'m>) -> ControlFlow<()>,
    ) {
        if let Some(row) = self.frames[usize::from(kind == RowKind::Trailer)] {
            let _seen = self.repetitions(path, row, 0, see);
        }
    }
}
