//! How long a captured card counts.

use dukou_fhir::{Instant, Offset};

/// What kind of visit a capture belongs to (v3-ActCode: AMB, EMER, IMP and theirs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// No encounter is named yet.
    Unbound,
    /// A visit of one day.
    Outpatient,
    /// A visit that may run over midnight.
    Emergency,
    /// A stay.
    Inpatient,
}

impl Visit {
    /// The kind of visit by `Encounter.class`; what is not known is treated as a visit of one day.
    pub fn of_class(code: &str) -> Visit {
        match code {
            "EMER" => Visit::Emergency,
            "IMP" | "ACUTE" | "NONAC" | "OBSENC" => Visit::Inpatient,
            _ => Visit::Outpatient,
        }
    }
}

/// The times of the rules, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeRules {
    /// A visit of one day, and an emergency.
    pub outpatient_ms: i64,
    /// A capture that was not bound to an encounter.
    pub unbound_ms: i64,
    /// A stay whose discharge is never told.
    pub inpatient_ms_max: i64,
    /// Offset of local time: midnight ends a visit of one day.
    pub zone: Offset,
}

impl LifeRules {
    /// The usual rules at an offset: 12 hours, 15 minutes, a year.
    pub fn usual(zone: Offset) -> LifeRules {
        LifeRules { outpatient_ms: 12 * HOUR_MS, unbound_ms: 15 * 60_000, inpatient_ms_max: 366 * DAY_MS, zone }
    }

    /// Until when a capture counts, if its visit does not end before.
    pub fn expires(&self, captured: Instant, visit: Visit) -> Instant {
        let at = captured.as_millis();
        let midnight = self.midnight_after(at);
        let end = match visit {
            Visit::Unbound => (at + self.unbound_ms).min(midnight),
            Visit::Outpatient => (at + self.outpatient_ms).min(midnight),
            Visit::Emergency => at + self.outpatient_ms,
            Visit::Inpatient => at + self.inpatient_ms_max,
        };
        Instant::from_millis(end)
    }

    /// 24:00 local time of the day of an instant.
    fn midnight_after(&self, at: i64) -> i64 {
        let offset = i64::from(self.zone.minutes()) * 60_000;
        ((at + offset).div_euclid(DAY_MS) + 1) * DAY_MS - offset
    }
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

#[cfg(test)]
mod tests {
    use dukou_fhir::{Instant, Offset};

    use super::{LifeRules, Visit};

    fn expires(captured: &str, visit: Visit) -> String {
        let rules = LifeRules::usual(Offset::parse("+08:00").unwrap());
        rules.expires(Instant::parse(captured).unwrap(), visit).to_string()
    }

    #[test]
    fn a_visit_of_one_day_lasts_twelve_hours_and_not_past_local_midnight() {
        assert_eq!(expires("2026-11-20T08:00:00+08:00", Visit::Outpatient), "2026-11-20T12:00:00.000Z");
        assert_eq!(expires("2026-11-20T15:30:00+08:00", Visit::Outpatient), "2026-11-20T16:00:00.000Z");
        assert_eq!(expires("2026-11-21T00:00:00+08:00", Visit::Outpatient), "2026-11-21T04:00:00.000Z");
    }

    #[test]
    fn an_emergency_runs_over_midnight_and_a_stay_until_discharge() {
        assert_eq!(expires("2026-11-20T22:00:00+08:00", Visit::Emergency), "2026-11-21T02:00:00.000Z");
        assert!(expires("2026-11-20T22:00:00+08:00", Visit::Inpatient).starts_with("2027-11-21"));
    }

    #[test]
    fn a_capture_without_an_encounter_lasts_a_quarter_of_an_hour() {
        assert_eq!(expires("2026-11-20T08:00:00+08:00", Visit::Unbound), "2026-11-20T00:15:00.000Z");
        assert_eq!(expires("2026-11-20T23:50:00+08:00", Visit::Unbound), "2026-11-20T16:00:00.000Z");
    }

    #[test]
    fn the_class_of_an_encounter_says_which_rule_counts() {
        let kinds = ["AMB", "EMER", "IMP", "OBSENC", "VR", ""].map(Visit::of_class);
        use Visit::{Emergency, Inpatient, Outpatient};
        assert_eq!(kinds, [Outpatient, Emergency, Inpatient, Inpatient, Outpatient, Outpatient]);
    }
}
