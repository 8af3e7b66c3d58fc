use crate::Path;

/// A place below a segment, 1-based; 0 leaves a level open. A level left open before one that is named is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// The field.
    pub field: u16,
    /// The repetition, 0 for the whole field.
    pub repetition: u16,
    /// The component, 0 for the whole repetition.
    pub component: u16,
    /// The subcomponent, 0 for the whole component.
    pub subcomponent: u16,
}

impl Place {
    /// The place with these numbers.
    #[must_use]
    pub fn at(field: u16, repetition: u16, component: u16, subcomponent: u16) -> Self {
        let component = component.max(u16::from(subcomponent > 0));
        Self { field, repetition: repetition.max(u16::from(component > 0)), component, subcomponent }
    }

    /// A whole field.
    #[must_use]
    pub fn field(number: u16) -> Self {
        Self::at(number, 0, 0, 0)
    }

    /// The same place in a segment.
    #[must_use]
    pub fn in_segment(self, segment: Path) -> Path {
        segment.at(self.field, self.repetition, self.component, self.subcomponent)
    }

    /// The first position at or below the place.
    pub(crate) fn first(self) -> Self {
        let Self { field, repetition, component, subcomponent } = self;
        let one = |number: u16| number.max(1);
        Self { field, repetition: one(repetition), component: one(component), subcomponent: one(subcomponent) }
    }

    /// The last position that may stand below the place.
    pub(crate) fn last(self) -> Self {
        let Self { field, repetition, component, subcomponent } = self;
        let all = |number: u16| if number == 0 { u16::MAX } else { number };
        Self { field, repetition: all(repetition), component: all(component), subcomponent: all(subcomponent) }
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::at(path.field(), path.repetition(), path.component(), path.subcomponent())
    }
}
