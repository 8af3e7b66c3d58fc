//! The lenses written in Rust: their names, what they read and what they give.

/// A lens between primitive values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    Text,
    Code,
    YesNo,
    Decimal,
    Integer,
    Quantity,
    StructuredNumeric,
    Date,
    DateTime,
    Instant,
    Time,
    Period,
    TextJoin,
    TextAttachment,
    FormattedLines,
    Join,
    Prefix,
    System,
    Attachment,
    Pointer,
    Range,
    RangeLow,
    RangeHigh,
    Pattern,
    /// Begin and end of a time slot.
    Slot,
    /// The text before, or behind, a mark.
    Before,
    After,
    /// The pieces of a text between marks.
    Pieces,
    ChineseName,
    ChineseId,
    /// A bare code into a Coding or CodeableConcept, by a table.
    Coded,
}

/// What a lens is, for checks and for `explain`.
pub(crate) struct BuiltinFacts {
    pub(crate) name: &'static str,
    pub(crate) lens: Builtin,
    pub(crate) class: &'static str,
    /// The FHIR types that it can give.
    pub(crate) gives: &'static [&'static str],
    /// Whether it takes all repeats at once.
    pub(crate) all: bool,
    /// Whether FHIR leads back.
    pub(crate) inverse: bool,
    /// What it reads.
    pub(crate) reads: Reads,
}

/// What a lens accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// One value; of coded types the first component.
    Plain,
    /// A date or time, or a value of unknown type.
    Moment,
    /// A number, or text that may hold one.
    Number,
    /// One of these datatypes, or a value of unknown type.
    Types(&'static [&'static str]),
    /// As `Plain`, and dates and times as they are written.
    Text,
    /// Whatever there is.
    Anything,
}

impl Builtin {
    pub(crate) fn facts(self) -> &'static BuiltinFacts {
        // The table holds every lens; a test walks it.
        ALL.iter().find(|facts| facts.lens == self).unwrap_or(&ALL[0])
    }

    pub(crate) fn named(name: &str) -> Option<Builtin> {
        ALL.iter().find(|facts| facts.name == name).map(|facts| facts.lens)
    }

    /// The lenses that give a type.
    pub(crate) fn giving(kind: &str) -> impl Iterator<Item = &'static BuiltinFacts> {
        ALL.iter().filter(move |facts| facts.gives.contains(&kind))
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|facts| facts.name)
    }
}

const TEXTS: &[&str] = &["string", "markdown", "code", "id", "uri", "url", "canonical", "oid", "uuid"];
const QUANTITIES: &[&str] = &["Quantity", "Age", "Duration", "Distance", "Count"];

const fn lens(
    name: &'static str,
    lens: Builtin,
    class: &'static str,
    reads: Reads,
    gives: &'static [&'static str],
) -> BuiltinFacts {
    BuiltinFacts { name, lens, class, gives, all: false, inverse: true, reads }
}

static ALL: [BuiltinFacts; 31] = [
    lens("text", Builtin::Text, "iso", Reads::Text, TEXTS),
    lens("ID/code", Builtin::Code, "prism", Reads::Plain, &["code"]),
    lens("ID/yn", Builtin::YesNo, "prism", Reads::Plain, &["boolean"]),
    lens("NM/decimal", Builtin::Decimal, "prism", Reads::Number, &["decimal"]),
    lens("NM/integer", Builtin::Integer, "prism", Reads::Number, &["integer", "positiveInt", "unsignedInt"]),
    lens("NM/quantity", Builtin::Quantity, "prism", Reads::Number, QUANTITIES),
    lens(
        "SN",
        Builtin::StructuredNumeric,
        "prism",
        Reads::Types(&["SN", "ST"]),
        &["Quantity", "Range", "Ratio", "string"],
    ),
    lens("DTM/date", Builtin::Date, "lens", Reads::Moment, &["date"]),
    lens("DTM/dateTime", Builtin::DateTime, "lens", Reads::Moment, &["dateTime"]),
    lens("DTM/instant", Builtin::Instant, "prism", Reads::Moment, &["instant"]),
    lens("DTM/time", Builtin::Time, "prism", Reads::Moment, &["time"]),
    lens("DTM/period", Builtin::Period, "prism", Reads::Moment, &["Period"]),
    BuiltinFacts { all: true, ..lens("TX/attachment", Builtin::TextAttachment, "lens", Reads::Plain, &["Attachment"]) },
    BuiltinFacts { all: true, ..lens("TX/join", Builtin::TextJoin, "lens", Reads::Plain, &["string", "markdown"]) },
    lens("FT/lines", Builtin::FormattedLines, "lens", Reads::Plain, &["string", "markdown"]),
    lens("join", Builtin::Join, "lens", Reads::Plain, &["string", "markdown"]),
    lens("prefix", Builtin::Prefix, "iso", Reads::Plain, TEXTS),
    lens("system", Builtin::System, "lens", Reads::Anything, &["uri", "url", "canonical"]),
    lens("ED", Builtin::Attachment, "prism", Reads::Types(&["ED"]), &["Attachment"]),
    lens("RP", Builtin::Pointer, "prism", Reads::Types(&["RP"]), &["Attachment"]),
    lens("range", Builtin::Range, "lens", Reads::Plain, &["Observation.referenceRange"]),
    BuiltinFacts { inverse: false, ..lens("range-low", Builtin::RangeLow, "prism", Reads::Plain, &["Quantity"]) },
    BuiltinFacts { inverse: false, ..lens("range-high", Builtin::RangeHigh, "prism", Reads::Plain, &["Quantity"]) },
    lens("time", Builtin::Pattern, "prism", Reads::Anything, &["date", "dateTime", "instant"]),
    lens("slot", Builtin::Slot, "prism", Reads::Anything, &["dateTime", "instant", "Period"]),
    lens("before", Builtin::Before, "lens", Reads::Plain, TEXTS),
    lens("after", Builtin::After, "lens", Reads::Plain, TEXTS),
    lens("each", Builtin::Pieces, "lens", Reads::Plain, TEXTS),
    lens("cn/name", Builtin::ChineseName, "lens", Reads::Anything, &["HumanName"]),
    lens("cn/id", Builtin::ChineseId, "lens", Reads::Plain, &["string"]),
    lens("code", Builtin::Coded, "lens", Reads::Plain, &["Coding", "CodeableConcept"]),
];
