use std::borrow::Cow;

use crate::Segment;

/// The fields of a header segment by name, HL7 v2 chapter 2, MSH. Empty when the message does not state them.
#[derive(Debug, Clone, Copy)]
pub struct Header<'m> {
    segment: Segment<'m>,
}

impl<'m> Header<'m> {
    pub(crate) fn new(segment: Segment<'m>) -> Self {
        Self { segment }
    }

    /// The header segment: MSH, or FHS or BHS.
    #[must_use]
    pub fn segment(&self) -> Segment<'m> {
        self.segment
    }

    /// MSH-3.1, the namespace of the sending application.
    #[must_use]
    pub fn sending_application(&self) -> Cow<'m, str> {
        self.first(3)
    }

    /// MSH-4.1, the namespace of the sending facility.
    #[must_use]
    pub fn sending_facility(&self) -> Cow<'m, str> {
        self.first(4)
    }

    /// MSH-5.1, the namespace of the receiving application.
    #[must_use]
    pub fn receiving_application(&self) -> Cow<'m, str> {
        self.first(5)
    }

    /// MSH-6.1, the namespace of the receiving facility.
    #[must_use]
    pub fn receiving_facility(&self) -> Cow<'m, str> {
        self.first(6)
    }

    /// MSH-7.1, as written.
    #[must_use]
    pub fn date_time(&self) -> Cow<'m, str> {
        self.first(7)
    }

    /// MSH-9.1, such as `ORU`.
    #[must_use]
    pub fn message_code(&self) -> Cow<'m, str> {
        self.component(9, 1)
    }

    /// MSH-9.2, such as `R01`.
    #[must_use]
    pub fn trigger(&self) -> Cow<'m, str> {
        self.component(9, 2)
    }

    /// MSH-9.3, such as `ORU_R01`; [`crate::groups::structure_of`] finds it where it is not stated.
    #[must_use]
    pub fn structure(&self) -> Cow<'m, str> {
        self.component(9, 3)
    }

    /// MSH-10, the whole field.
    #[must_use]
    pub fn control_id(&self) -> Cow<'m, str> {
        self.segment.field(10).text()
    }

    /// MSH-11.1.
    #[must_use]
    pub fn processing_id(&self) -> Cow<'m, str> {
        self.component(11, 1)
    }

    /// MSH-12.1.
    #[must_use]
    pub fn version(&self) -> Cow<'m, str> {
        self.component(12, 1)
    }

    /// MSH-13.
    #[must_use]
    pub fn sequence_number(&self) -> Cow<'m, str> {
        self.first(13)
    }

    /// MSH-14.
    #[must_use]
    pub fn continuation_pointer(&self) -> Cow<'m, str> {
        self.first(14)
    }

    /// MSH-15, when an accept acknowledgement is owed.
    #[must_use]
    pub fn accept_ack(&self) -> Cow<'m, str> {
        self.first(15)
    }

    /// MSH-16, when an application acknowledgement is owed.
    #[must_use]
    pub fn application_ack(&self) -> Cow<'m, str> {
        self.first(16)
    }

    /// MSH-18, its first repetition.
    #[must_use]
    pub fn character_set(&self) -> Cow<'m, str> {
        self.first(18)
    }

    fn first(&self, field: u16) -> Cow<'m, str> {
        self.component(field, 1)
    }

    fn component(&self, field: u16, number: u16) -> Cow<'m, str> {
        self.segment.field(field).child(1).child(number).child(1).text()
    }
}
