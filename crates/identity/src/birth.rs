//! Birth dates: the forms that desks write, and how two of them agree.

/// A calendar date that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BirthDate {
    year: u16,
    month: u8,
    day: u8,
}

impl BirthDate {
    /// Reads `yyyyMMdd` with or without a time behind it, `yyyy-MM-dd`, `yyyy/M/d`, `yyyy.M.d` and `yyyy年M月d日`. None: no such day.
    pub(crate) fn parse(text: &str) -> Option<BirthDate> {
        let text = text.trim();
        let plain = text.bytes().take_while(u8::is_ascii_digit).count();
        if matches!(plain, 8 | 12 | 14) && text.is_char_boundary(8) {
            return BirthDate::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..8].parse().ok()?);
        }
        let mut parts = text.split(['-', '/', '.', '年', '月', '日', 'T', ' ']);
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let short = year.len() == 4 && matches!(month.len(), 1 | 2) && matches!(day.len(), 1 | 2);
        short.then(|| BirthDate::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?))?
    }

    /// The date, where it exists in the years in which a patient can have been born.
    pub(crate) fn new(year: u16, month: u8, day: u8) -> Option<BirthDate> {
        let known = (1850..=2200).contains(&year) && (1..=12).contains(&month) && day >= 1;
        (known && day <= days_of(year, month)).then_some(BirthDate { year, month, day })
    }

    pub(crate) fn year(self) -> u16 {
        self.year
    }

    /// The date as one number, `yyyymmdd`.
    pub(crate) fn number(self) -> u32 {
        u32::from(self.year) * 10_000 + u32::from(self.month) * 100 + u32::from(self.day)
    }

    /// 1 January, which desks write where only the year is known.
    pub(crate) fn weak(self) -> bool {
        self.month == 1 && self.day == 1
    }

    /// Another date, and not one slip of a digit away.
    pub(crate) fn is_apart(self, other: BirthDate) -> bool {
        self.compare(other, u16::MAX) == BirthLevel::Different
    }

    /// Days since a fixed day, for distances.
    fn days(self) -> i32 {
        let (year, month) = (i32::from(self.year), i32::from(self.month));
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + i32::from(self.day)
    }

    /// How two dates agree. `lunar_until`: the last year of birth for which a lunar date may have been written as it was told.
    pub(crate) fn compare(self, other: BirthDate, lunar_until: u16) -> BirthLevel {
        if self == other {
            return if self.weak() { BirthLevel::Weak } else { BirthLevel::Equal };
        }
        let same_day = self.month == other.month && self.day == other.day;
        let apart = (self.days() - other.days()).abs();
        if self.year == other.year && self.month == other.day && self.day == other.month {
            BirthLevel::Swapped
        } else if apart == 1 {
            BirthLevel::Day
        } else if same_day && matches!(self.year.abs_diff(other.year), 1 | 10) {
            BirthLevel::Year
        } else if self.year == other.year && (self.weak() || other.weak()) {
            BirthLevel::YearOnly
        } else if (20..=50).contains(&apart) && self.year.min(other.year) <= lunar_until {
            BirthLevel::Lunar
        } else {
            BirthLevel::Different
        }
    }
}

impl std::fmt::Display for BirthDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// How two birth dates agree, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BirthLevel {
    /// The same day.
    Equal,
    /// The same 1 January: perhaps no more than the year.
    Weak,
    /// Month and day changed places.
    Swapped,
    /// One day apart.
    Day,
    /// The same day, one or ten years apart.
    Year,
    /// The same year, of which one is 1 January.
    YearOnly,
    /// So far apart as a lunar date is from its solar one.
    Lunar,
    /// Two dates.
    Different,
}

impl BirthLevel {
    /// The names in model files, in the order of the levels.
    pub(crate) const NAMES: &'static [&'static str] =
        &["equal", "weak", "swapped", "day", "year", "year-only", "lunar", "different"];
}

fn days_of(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::{BirthDate, BirthLevel};

    fn date(text: &str) -> BirthDate {
        BirthDate::parse(text).unwrap()
    }

    #[test]
    fn dates_are_read_in_the_forms_that_desks_write() {
        let day = date("1985-07-09");
        for form in ["19850709", "19850709083000", "1985/7/9", "1985.7.9", "1985年7月9日", " 1985-07-09T00:00:00 "] {
            assert_eq!(date(form), day, "{form}");
        }
        for none in ["", "1985", "1985-02-30", "19851301", "0000-00-00", "85-7-9", "1985-7", "一九八五", "1985-07-099"]
        {
            assert_eq!(BirthDate::parse(none), None, "{none}");
        }
    }

    #[test]
    fn slips_of_a_birth_date_are_told_from_other_dates() {
        let level = |a: &str, b: &str| (date(a).compare(date(b), 1975), date(b).compare(date(a), 1975));
        let same = |level| (level, level);
        assert_eq!(level("1985-07-09", "1985-07-09"), same(BirthLevel::Equal));
        assert_eq!(level("1985-01-01", "1985-01-01"), same(BirthLevel::Weak));
        assert_eq!(level("1985-07-09", "1985-09-07"), same(BirthLevel::Swapped));
        assert_eq!(level("1985-03-01", "1985-02-28"), same(BirthLevel::Day));
        assert_eq!(level("2000-01-01", "1999-12-31"), same(BirthLevel::Day));
        assert_eq!(level("1985-07-09", "1995-07-09"), same(BirthLevel::Year));
        assert_eq!(level("1985-07-09", "1984-07-09"), same(BirthLevel::Year));
        assert_eq!(level("1985-07-09", "1985-01-01"), same(BirthLevel::YearOnly));
        assert_eq!(level("1945-07-09", "1945-08-12"), same(BirthLevel::Lunar));
        assert_eq!(level("1985-07-09", "1985-08-12"), same(BirthLevel::Different));
        assert_eq!(level("1985-07-09", "1987-07-09"), same(BirthLevel::Different));
    }
}
