//! The path of an offset in the text, without a walk over the leaves before it.

use dukou_wire::{Element, Format, Path, Segment, Step};

use super::Reading;

impl<'m> Reading<'m> {
    /// The path of the leaf that starts at an offset, or behind it, in a tree or a row.
    pub(crate) fn path_of(&self, start: u32) -> Option<String> {
        match self.message.format() {
            Format::Er7 => None,
            Format::Delimited => Some(self.cell_path(start)?.to_string()),
            Format::Xml | Format::Json => Some(self.element_path(start)?.to_string()),
        }
    }

    fn cell_path(&self, start: u32) -> Option<Path> {
        let row = last_before(self.message.segment_count(), |at| self.message.segment(at).span().start <= start)?;
        let row: Segment<'m> = self.message.segment(row);
        let (number, _) = row.fields().find(|(_, cell)| cell.span().end >= start)?;
        let path = row.path().at(number, 0, 0, 0);
        let names = self.message.column_names().unwrap_or_default();
        let name = names.get(usize::from(number).wrapping_sub(1)).filter(|name| !name.is_empty());
        Some(match name {
            Some(name) if row.id() == dukou_wire::RowKind::Row.as_str() => path.named(name),
            _ => path,
        })
    }

    fn element_path(&self, start: u32) -> Option<Path> {
        let message = self.message;
        let opens = |at: usize| message.element(at).is_some_and(|element| element.span().start <= start);
        let element: Element<'m> = message.element(last_before(self.elements, opens)?)?;
        let around = element.ancestors().find(|element| element.span().end >= start)?;
        let attribute = around.attributes().find(|attribute| attribute.value().span().start == start);
        let path = around.path();
        let Some(attribute) = attribute else { return Some(path) };
        let mut steps = path.steps().unwrap_or_default().to_vec();
        steps.push(Step::Attribute { name: attribute.name().to_owned() });
        Some(Path::in_tree(steps))
    }
}

/// The last number for which the test holds; it holds for all before it.
fn last_before(count: usize, holds: impl Fn(usize) -> bool) -> Option<usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { low = middle + 1 } else { high = middle }
    }
    low.checked_sub(1)
}
