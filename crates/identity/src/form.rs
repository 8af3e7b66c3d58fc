//! What the form of an 18-character number says, where the stated birth date and sex confirm it.

use dukou_terminology::gb11643::{self, Holder};

use crate::stated::Class;

/// The class of a valid number of 18 characters whose birth and sex digits are those stated beside it: a resident identity card, or by its
/// first digits the residence permit of Hong Kong, Macao or Taiwan or the permanent residence card of a foreigner. Nothing else is told by
/// its form.
pub(crate) fn class_of(value: &str, birth_date: &str, sex: Option<char>) -> Option<Class> {
    let number = gb11643::parse(value).ok()?;
    let confirmed = number.birth_date() == birth_date && Some(number.sex()) == sex;
    confirmed.then(|| of_holder(number.holder()))
}

/// The class of a valid number by its first digits alone: enough to look for it, not to say what it is.
pub(crate) fn tells(value: &str) -> Option<Class> {
    gb11643::parse(value).ok().map(|number| of_holder(number.holder()))
}

fn of_holder(holder: Holder) -> Class {
    match holder {
        Holder::Resident => Class::Resident,
        Holder::HongKongMacaoTaiwan => Class::HkMoTwResidence,
        Holder::ForeignPermanent => Class::ForeignPermanent,
    }
}

#[cfg(test)]
mod tests {
    use super::class_of;
    use crate::stated::Class;

    #[test]
    fn a_form_counts_only_with_the_birth_date_and_the_sex_that_are_stated() {
        let number = "860202198507140329";
        assert_eq!(class_of(number, "1985-07-14", Some('2')), Some(Class::Resident));
        for (birth_date, sex) in
            [("1985-07-15", Some('2')), ("1985-07-14", Some('1')), ("1985-07-14", None), ("", Some('2'))]
        {
            assert_eq!(class_of(number, birth_date, sex), None, "{birth_date} {sex:?}");
        }
        assert_eq!(class_of("860202198507140320", "1985-07-14", Some('2')), None, "wrong check digit");
        assert_eq!(class_of("TEST00041", "1979-05-20", Some('2')), None);
    }
}
