//! Checks of the clauses of a rule: each must have something to act on.

use crate::builtin::Builtin;
use crate::compiler::Compiler;
use crate::diagnostic::nearest_or_all;
use crate::exclusive::apart;
use crate::plan::LensUse;
use crate::rule::{Precision, Rest, Rule};
use crate::targets::{TypedTarget, member_names};

impl Compiler<'_, '_> {
    /// Checks the clauses of a rule against its lens and target.
    pub(crate) fn clauses(&mut self, rule: &Rule, lens: &LensUse, typed: &TypedTarget) {
        self.keys(rule, typed);
        self.moments(rule, lens);
        if let (LensUse::Builtin(lens), Some(table)) = (lens, &rule.clauses.table)
            && !reads_table(*lens)
        {
            let text = format!("lens {} translates no codes, so a table has nothing to do", lens.facts().name);
            self.findings.error("E-TYPE", table.place, text, "leave the table out, or name another lens: via");
        }
        if let Some(first) = rule.clauses.guard.iter().enumerate().find_map(|(at, test)| {
            let others = &rule.clauses.guard[at + 1..];
            others.iter().find(|other| other.path.text == test.path.text && (apart(test, other) || apart(other, test)))
        }) {
            let text = format!(
                "the guard of {} can never hold: two tests of {} exclude each other",
                rule.id.value, first.path.text
            );
            self.findings.warn("W-NEVER", rule.id.place, text);
        }
    }

    /// `key` names elements of the items of a list.
    fn keys(&mut self, rule: &Rule, typed: &TypedTarget) {
        let Some(first) = rule.clauses.key.first() else { return };
        let Some(at) = typed.plan.steps.iter().position(|step| step.list.is_some()) else {
            let text = format!("key aligns the items of a list, and {} is none", typed.plan.text);
            self.findings.error("E-RULE", first.place, text, "leave key out");
            return;
        };
        let kind = typed.parents.get(at + 1).copied().unwrap_or(typed.plan.kind);
        for key in &rule.clauses.key {
            let name = key.value.split('.').next().unwrap_or("");
            if kind.member(name).is_none() {
                let names = member_names(kind);
                let hint = nearest_or_all(name, &names.iter().map(String::as_str).collect::<Vec<_>>());
                self.findings.error("E-TARGET", key.place, format!("{} has no element '{name}'", kind.name()), hint);
            }
        }
    }

    /// `zone`, `prec` and `rest ext` are for dates and times.
    fn moments(&mut self, rule: &Rule, lens: &LensUse) {
        let LensUse::Builtin(lens) = lens else { return };
        let name = lens.facts().name;
        if let Some(zone) = &rule.clauses.zone
            && !is_moment(*lens)
        {
            let text = format!("zone is for dates and times; lens {name} makes none");
            self.findings.error("E-RULE", zone.place, text, "leave zone out");
        }
        if rule.clauses.precision != Precision::Keep && !is_moment(*lens) {
            let text = format!("prec is for dates and times; lens {name} makes none");
            self.findings.error("E-RULE", rule.text.place, text, "leave prec out");
        }
        if let Rest::Extension(word) = &rule.clauses.rest
            && !matches!(lens, Builtin::Date | Builtin::Pattern)
        {
            let text = format!("lens {name} leaves nothing that an extension could carry");
            self.findings.error("E-RULE", word.place, text, "write: rest complement");
        }
    }
}

fn is_moment(lens: Builtin) -> bool {
    use Builtin::{Date, DateTime, Instant, Pattern, Period, Time};
    // A lens that reads whatever there is may make a date of it.
    matches!(lens, Date | DateTime | Instant | Time | Period | Pattern)
        || lens.facts().gives.iter().any(|kind| matches!(*kind, "date" | "dateTime" | "instant" | "Period"))
}

/// Lenses whose value is no code and no text.
fn reads_table(lens: Builtin) -> bool {
    use Builtin::{Attachment, Decimal, Integer, Pointer, TextAttachment, YesNo};
    let numbers = matches!(lens, YesNo | Decimal | Integer | Attachment | Pointer | TextAttachment);
    !numbers && !is_moment(lens)
}
