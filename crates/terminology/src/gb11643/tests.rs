use proptest::prelude::*;

use super::{Holder, Permit, Refusal, Slip, check_digit, parse, permit, repairs, slip, upgrade};

/// A valid number of the invented province 86.
fn number() -> impl Strategy<Value = String> {
    (0..10_000_u32, 1900..2030_u32, 1..=12_u32, 1..=28_u32, 0..1000_u32).prop_map(
        |(county, year, month, day, sequence)| {
            let digits = format!("86{county:04}{year}{month:02}{day:02}{sequence:03}");
            let check = check_digit(&digits).unwrap();
            format!("{digits}{check}")
        },
    )
}

/// Every text that is one slip of a kind away.
fn substitutions(number: &str) -> Vec<String> {
    let mut made = Vec::new();
    for at in 0..18 {
        for other in "0123456789X".chars().filter(|other| !number[at..].starts_with(*other)) {
            made.push(format!("{}{other}{}", &number[..at], &number[at + 1..]));
        }
    }
    made
}

fn swaps(number: &str, distance: usize) -> Vec<String> {
    let swap = |at: usize| {
        let mut bytes = number.as_bytes().to_vec();
        bytes.swap(at, at + distance);
        String::from_utf8(bytes).unwrap()
    };
    (0..18 - distance).map(swap).filter(|made| made != number).collect()
}

proptest! {
    #[test]
    fn every_substitution_adjacent_swap_and_jump_swap_is_caught(number in number()) {
        prop_assert!(parse(&number).is_ok());
        for slipped in substitutions(&number).into_iter().chain(swaps(&number, 1)).chain(swaps(&number, 2)) {
            prop_assert!(parse(&slipped).is_err());
        }
    }

    #[test]
    fn one_slip_is_told_and_the_number_is_among_its_repairs(number in number(), at in 0_usize..18) {
        let parsed = parse(&number).unwrap();
        let lost = format!("{}{}", &number[..at], &number[at + 1..]);
        let doubled = format!("{}{}", &number[..=at], &number[at..]);
        let kinds = [
            (substitutions(&number), Slip::Substituted),
            (swaps(&number, 1), Slip::Swapped),
            (vec![lost], Slip::Lost),
            (vec![doubled], Slip::Doubled),
        ];
        for (texts, kind) in kinds {
            for text in texts {
                prop_assert_eq!(slip(&text, &parsed), Some(kind));
                prop_assert!(repairs(&text, None, None).contains(&parsed));
                prop_assert!(repairs(&text, Some(&parsed.birth_date()), Some(parsed.sex())).contains(&parsed));
            }
        }
        prop_assert_eq!(slip(&number, &parsed), None);
        prop_assert!(repairs(&number, None, None).is_empty());
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,24}", digits in "[0-9xXE+. ']{0,24}") {
        for text in [text, digits] {
            let number = parse(&text);
            prop_assert_eq!(number.is_ok(), number.is_ok_and(|number| parse(number.as_str()) == Ok(number)));
            prop_assert!(number.is_err() || (upgrade(&text).is_err() && permit(&text).is_none()));
            prop_assert!(number.is_err() || number.is_ok_and(|number| check_digit(number.as_str()) == number.as_str().chars().last()));
            prop_assert!(upgrade(&text).is_ok_and(|number| parse(number.as_str()) == Ok(number)) || upgrade(&text).is_err());
            for repair in repairs(&text, None, None) {
                prop_assert!(parse(repair.as_str()).is_ok());
                prop_assert!(slip(&text, &repair).is_some());
            }
        }
    }
}

/// A sequence of numbers that is the same in every run.
fn draws() -> impl FnMut(u32) -> u32 {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from((state >> 33) % u64::from(below)).unwrap()
    }
}

fn drawn(draw: &mut impl FnMut(u32) -> u32) -> String {
    let (county, year) = (draw(10_000), 1930 + draw(90));
    let digits = format!("86{county:04}{year}{:02}{:02}{:03}", 1 + draw(12), 1 + draw(28), draw(1000));
    format!("{digits}{}", check_digit(&digits).unwrap())
}

#[test]
fn of_two_random_wrong_digits_about_a_tenth_slips_through() {
    let mut draw = draws();
    let mut passed = 0;
    for _ in 0..20_000 {
        let number = drawn(&mut draw);
        let mut digits: Vec<char> = number.chars().collect();
        let first = draw(17) as usize;
        let second = (first + 1 + draw(16) as usize) % 17;
        for at in [first, second] {
            let digit = digits[at].to_digit(10).unwrap();
            digits[at] = char::from_digit((digit + 1 + draw(9)) % 10, 10).unwrap();
        }
        let slipped: String = digits.into_iter().collect();
        // By the check alone; an impossible date would be refused too.
        passed += u32::from(check_digit(&slipped) == slipped.chars().next_back());
    }
    assert!((1_860..=2_060).contains(&passed), "{passed} of 20000");
}

#[test]
fn a_stated_birth_date_and_sex_cut_the_repairs_to_one_where_the_slip_lies_there_and_to_few_elsewhere() {
    let mut draw = draws();
    // Repairs left, by whether the slip lies in the digits of the birth date.
    let mut left = [Vec::new(), Vec::new()];
    for _ in 0..20_000 {
        let number = drawn(&mut draw);
        let parsed = parse(&number).unwrap();
        let at = draw(18) as usize;
        // An X becomes any digit, a digit another one.
        let digit = char::from(number.as_bytes()[at]).to_digit(10).unwrap_or(9);
        let other = char::from_digit((digit + 1 + draw(9)) % 10, 10).unwrap();
        let slipped = format!("{}{other}{}", &number[..at], &number[at + 1..]);
        let fitting = repairs(&slipped, Some(&parsed.birth_date()), Some(parsed.sex()));
        left[usize::from((6..14).contains(&at))].push(fitting.len());
    }
    assert!(left[1].iter().all(|count| *count == 1), "a slip in the birth date has one repair");
    assert!(left[0].iter().all(|count| (1..=15).contains(count)), "a slip elsewhere has few");
    let mean = left[0].iter().sum::<usize>() * 100 / left[0].len();
    assert!((800..=1100).contains(&mean), "{mean} hundredths");
}

#[test]
fn the_example_of_the_standard_is_read() {
    let number = parse("11010519491231002X").unwrap();
    assert_eq!((number.birth(), number.sex(), number.sequence()), ((1949, 12, 31), '2', 2));
    assert_eq!((number.county(), number.birth_date().as_str()), ("110105", "1949-12-31"));
    assert_eq!(number.holder(), Holder::Resident);
    assert_eq!(format!("{number:?}"), "ResidentNumber(Resident)");
}

#[test]
fn writing_habits_are_understood() {
    for text in
        ["11010519491231002x", " 110105 19491231 002X", "'11010519491231002X", "１１０１０５１９４９１２３１００２Ｘ"]
    {
        assert_eq!(parse(text).map(|number| number.as_str().to_owned()), Ok("11010519491231002X".to_owned()), "{text}");
    }
}

#[test]
fn a_refusal_says_why() {
    for (text, refusal) in [
        ("", Refusal::Length(0)),
        ("1101051949123100", Refusal::Length(16)),
        ("1101051949123100220", Refusal::Length(19)),
        ("11010519491231X020", Refusal::Digit(15)),
        ("11010519491231002Y", Refusal::Digit(18)),
        ("8.60101E+17", Refusal::Rounded),
        ("110105194902300020", Refusal::Date),
        ("110105190002290020", Refusal::Date),
        ("110105194912310021", Refusal::Check),
    ] {
        assert_eq!(parse(text), Err(refusal), "{text}");
    }
}

#[test]
fn fifteen_digits_become_eighteen_by_rule() {
    assert_eq!(
        upgrade("860101450815010").map(|number| number.as_str().to_owned()),
        Ok("860101194508150107".to_owned())
    );
    assert_eq!(upgrade("860101451315010"), Err(Refusal::Date));
    assert_eq!(upgrade("86010145081501X"), Err(Refusal::Digit(15)));
    assert_eq!(upgrade("860101194508150107"), Err(Refusal::Length(18)));
}

#[test]
fn the_first_digits_say_for_whom_a_number_is_made_out() {
    for (digits, holder) in [
        ("81000019800101001", Holder::HongKongMacaoTaiwan),
        ("83000019800101001", Holder::HongKongMacaoTaiwan),
        ("91110019800101001", Holder::ForeignPermanent),
        ("86000019800101001", Holder::Resident),
    ] {
        let number = format!("{digits}{}", check_digit(digits).unwrap());
        assert_eq!(parse(&number).unwrap().holder(), holder);
    }
}

#[test]
fn permits_are_told_by_their_form() {
    for (text, expected) in [
        ("USA310119800101", Some(Permit::ForeignPermanent)),
        ("H12345678", Some(Permit::HongKongMacao)),
        ("m1234567800", Some(Permit::HongKongMacao)),
        ("12345678", Some(Permit::Taiwan)),
        ("123456789", None),
        ("G12345678", None),
    ] {
        assert_eq!(permit(text), expected, "{text}");
    }
}
