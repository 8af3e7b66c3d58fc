//! The parameters that shape the result (search, 3.1.1.6).

/// How the number of matches is asked for: `_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Total {
    /// Not at all.
    None,
    /// About.
    Estimate,
    /// Exactly.
    Accurate,
}

/// Which part of the resources is asked for: `_summary`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Summary {
    /// The elements that the definitions mark as summary.
    True,
    /// Narrative, id, meta and mandatory elements.
    Text,
    /// All but the narrative.
    Data,
    /// Only the number of matches.
    Count,
    /// Everything.
    False,
}

impl Total {
    /// The value with that code.
    pub fn parse(code: &str) -> Option<Total> {
        match code {
            "none" => Some(Total::None),
            "estimate" => Some(Total::Estimate),
            "accurate" => Some(Total::Accurate),
            _ => None,
        }
    }
}

impl Summary {
    /// The value with that code.
    pub fn parse(code: &str) -> Option<Summary> {
        match code {
            "true" => Some(Summary::True),
            "text" => Some(Summary::Text),
            "data" => Some(Summary::Data),
            "count" => Some(Summary::Count),
            "false" => Some(Summary::False),
            _ => None,
        }
    }
}
