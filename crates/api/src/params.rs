//! The parameters that belong to the door itself, taken out of a query before the search sees it.

use dukou_fhir::IssueType;

use crate::desk::Limits;
use crate::fault::{Fault, fault};
use crate::percent;
use crate::shape::{Shape, Summary};

/// A query, split into the door's own parameters and the criteria.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params {
    /// Everything that is not the door's, in order.
    pub(crate) criteria: Vec<(String, String)>,
    pub(crate) shape: Shape,
    pub(crate) format: Option<String>,
    /// `_count`, lowered to the maximum.
    pub(crate) count: Option<usize>,
    pub(crate) cursor: Option<String>,
    /// `include-inactive`: records that were merged into others are shown as well.
    pub(crate) include_inactive: bool,
    /// The door's own parameters that a link to the same answer must repeat, `_count` and the cursor apart.
    pub(crate) repeated: Vec<(String, String)>,
}

impl Params {
    /// Reads a query, and adds what a form says.
    ///
    /// # Errors
    /// The issue of a 400.
    pub(crate) fn read(query: &str, form: &str, limits: &Limits) -> Result<Params, Fault> {
        let malformed =
            || bad("bad-encoding", "the parameters are not well percent-encoded UTF-8", "参数的百分号编码有误");
        let mut pairs = percent::pairs(query).ok_or_else(malformed)?;
        pairs.extend(percent::pairs(form).ok_or_else(malformed)?);
        if pairs.len() > limits.parameters_max {
            return Err(bad("too-many-parameters", "the request has too many parameters", "参数过多"));
        }
        let mut params = Params::default();
        for (name, value) in pairs {
            params.take(name, value, limits)?;
        }
        Ok(params)
    }

    fn take(&mut self, name: String, value: String, limits: &Limits) -> Result<(), Fault> {
        match name.as_str() {
            "_format" => self.format = Some(value.clone()),
            "_pretty" => self.shape.pretty = value == "true",
            "_summary" => self.shape.summary = Summary::parse(&value)?,
            "include-inactive" => self.include_inactive = value == "true",
            "_elements" => self.shape.add_elements(&value),
            "_count" => {
                let count = value
                    .parse::<usize>()
                    .map_err(|_| bad("bad-parameter", "_count is a whole number", "_count 必须是整数"))?;
                self.count = Some(count.min(limits.count_max));
                return Ok(());
            }
            CURSOR => {
                self.cursor = Some(value);
                return Ok(());
            }
            _ => {
                self.criteria.push((name, value));
                return Ok(());
            }
        }
        self.repeated.push((name, value));
        Ok(())
    }

    /// Refuses criteria where an interaction has none.
    ///
    /// # Errors
    /// The issue of a 400 that names the first of them.
    pub(crate) fn without_criteria(&self) -> Result<(), Fault> {
        let Some((name, _)) = self.criteria.first() else { return Ok(()) };
        let name: String = name.chars().take(64).filter(|letter| !letter.is_control()).collect();
        Err(fault(
            IssueType::NotSupported,
            "unknown-parameter",
            format!("the parameter {name} has no meaning here"),
            format!("参数 {name} 在此无效"),
        ))
    }

    /// The criteria as the text behind a question mark.
    pub(crate) fn criteria_text(&self) -> String {
        percent::query(self.criteria.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

fn bad(code: &'static str, en: &str, zh: &str) -> Fault {
    fault(IssueType::Invalid, code, en, zh)
}

/// The parameter that carries a page's position.
pub(crate) const CURSOR: &str = "_cursor";

#[cfg(test)]
mod tests {
    use super::Params;
    use crate::desk::Limits;
    use crate::shape::Summary;

    #[test]
    fn the_doors_parameters_are_taken_out_and_the_rest_keeps_its_order() {
        let params = Params::read(
            "family=%E7%8E%8B&_count=5&_summary=true&_pretty=true",
            "given=a&_format=json",
            &Limits::default(),
        )
        .unwrap();
        assert_eq!(params.criteria_text(), "family=%E7%8E%8B&given=a");
        assert_eq!((params.count, params.shape.summary, params.shape.pretty), (Some(5), Summary::True, true));
        assert_eq!(params.repeated.len(), 3);
    }

    #[test]
    fn a_count_above_the_maximum_is_lowered() {
        let limits = Limits { count_max: 50, ..Limits::default() };
        assert_eq!(Params::read("_count=51", "", &limits).unwrap().count, Some(50));
        assert_eq!(Params::read("_count=50", "", &limits).unwrap().count, Some(50));
    }

    #[test]
    fn half_right_parameters_are_refused_by_name() {
        let cases = ["_count=x", "_count=-1", "_summary=yes", "a=%zz"];
        for query in cases {
            assert!(Params::read(query, "", &Limits::default()).is_err(), "{query}");
        }
        let limits = Limits { parameters_max: 2, ..Limits::default() };
        assert!(Params::read("a=1&b=2", "", &limits).is_ok());
        assert!(Params::read("a=1&b=2", "c=3", &limits).is_err());
        let issue = Params::read("nam=x", "", &Limits::default()).unwrap().without_criteria().unwrap_err().into_issue();
        assert!(issue.text.en.contains("nam"));
    }
}
