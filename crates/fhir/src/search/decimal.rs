//! Exact decimals: compared, added, and turned to bytes that sort like the numbers. No binary float stands anywhere.

use std::cmp::Ordering;

/// A decimal number without a limit of digits that matters to measurement: `0.d1 d2 d3 .. * 10^exponent`.
///
/// Two texts of one number, `1.10` and `11e-1`, are equal here; what the text says about precision is in [`Stated`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// 0 to 9, most significant first, neither leading nor trailing zeros; empty is zero.
    digits: Vec<u8>,
    exponent: i32,
}

/// A number as a client wrote it, with the place of its last digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stated {
    /// The number.
    pub(crate) value: Decimal,
    /// The power of ten of half a unit's digit: the number stands for `value` up to five of this place to either side.
    half_place: i32,
}

impl Decimal {
    /// Reads `-12.50` or `1.25e-3`. Nothing for other texts, and for numbers longer or larger than any measurement.
    pub(crate) fn parse(text: &str) -> Option<Decimal> {
        Some(Scanned::of(text)?.decimal())
    }

    /// This number with the sign turned.
    pub(crate) fn negated(&self) -> Decimal {
        Decimal { negative: !self.negative && !self.digits.is_empty(), ..self.clone() }
    }

    /// The sum.
    pub(crate) fn plus(&self, other: &Decimal) -> Decimal {
        let place = self.place().min(other.place());
        let (left, right) = (self.coefficient(place), other.coefficient(place));
        if self.negative == other.negative {
            return Decimal::of(self.negative, add(&left, &right), place);
        }
        match compare(&left, &right) {
            Ordering::Less => Decimal::of(other.negative, subtract(&right, &left), place),
            _ => Decimal::of(self.negative, subtract(&left, &right), place),
        }
    }

    /// The product.
    pub(crate) fn times(&self, other: &Decimal) -> Decimal {
        let mut product = vec![0u8; self.digits.len() + other.digits.len()];
        for (i, a) in self.digits.iter().enumerate().rev() {
            let mut carry = 0;
            for (j, b) in other.digits.iter().enumerate().rev() {
                let sum = product[i + j + 1] + a * b + carry;
                product[i + j + 1] = sum % 10;
                carry = sum / 10;
            }
            product[i] += carry;
        }
        Decimal::of(self.negative != other.negative, product, self.place() + other.place())
    }

    /// A tenth of the size of this number, never negative.
    pub(crate) fn tenth(&self) -> Decimal {
        Decimal::of(false, self.digits.clone(), self.place() - 1)
    }

    /// Appends bytes that sort like the numbers; no key is the beginning of another. Digits behind the eighteenth are
    /// cut, so that equal keys do not prove equal numbers.
    pub(crate) fn append_key(&self, key: &mut Vec<u8>) {
        if self.digits.is_empty() {
            return key.push(ZERO);
        }
        let start = key.len();
        key.push(POSITIVE);
        key.extend((self.exponent + EXPONENT_BIAS).clamp(0, i32::from(u16::MAX)).to_be_bytes()[2..].iter());
        let cut = &self.digits[..self.digits.len().min(KEY_DIGITS)];
        key.extend(cut.chunks(2).map(|pair| pair[0] * 10 + pair.get(1).copied().unwrap_or(0) + 1));
        key.push(0);
        if self.negative {
            key[start] = NEGATIVE;
            key[start + 1..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }

    /// From a coefficient of digits, its last one standing at that power of ten.
    fn of(negative: bool, coefficient: Vec<u8>, place: i32) -> Decimal {
        let first = coefficient.iter().position(|digit| *digit != 0).unwrap_or(coefficient.len());
        let end = coefficient.iter().rposition(|digit| *digit != 0).map_or(first, |last| last + 1);
        let exponent = place + (coefficient.len() - first) as i32;
        let digits = coefficient[first..end].to_vec();
        match digits.is_empty() {
            true => Decimal { negative: false, digits, exponent: 0 },
            false => Decimal { negative, digits, exponent },
        }
    }

    /// The power of ten of the last digit.
    fn place(&self) -> i32 {
        self.exponent - self.digits.len() as i32
    }

    /// The digits down to that power of ten, which is not above [`Decimal::place`].
    fn coefficient(&self, place: i32) -> Vec<u8> {
        let mut digits = self.digits.clone();
        if !digits.is_empty() {
            digits.resize((self.exponent - place) as usize, 0);
        }
        digits
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let sign = |number: &Decimal| match (number.digits.is_empty(), number.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then_with(|| match sign(self) {
            0 => Ordering::Equal,
            1 => size(),
            _ => size().reverse(),
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Stated {
    /// Reads a number and how precisely it is stated (search, 3.1.1.5.3: `100` has three digits, `100.00` five).
    ///
    /// A number with an exponent counts two digits at least: the specification reads `1e2` as 95 up to 105.
    pub(crate) fn parse(text: &str) -> Option<Stated> {
        let scanned = Scanned::of(text)?;
        let mut half_place = scanned.place - 1;
        let significant = scanned.coefficient.iter().skip_while(|digit| **digit == 0).count();
        if scanned.scientific && significant == 1 {
            half_place -= 1;
        }
        Some(Stated { value: scanned.decimal(), half_place })
    }

    /// The lowest number meant, itself included.
    pub(crate) fn low(&self) -> Decimal {
        self.value.plus(&self.half().negated())
    }

    /// The first number above those meant.
    pub(crate) fn high(&self) -> Decimal {
        self.value.plus(&self.half())
    }

    fn half(&self) -> Decimal {
        Decimal::of(false, vec![5], self.half_place)
    }
}

/// The parts of a number's text.
struct Scanned {
    negative: bool,
    coefficient: Vec<u8>,
    place: i32,
    scientific: bool,
}

impl Scanned {
    fn of(text: &str) -> Option<Scanned> {
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, Some(power)),
            None => (text, None),
        };
        let negative = mantissa.starts_with('-');
        let mantissa = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let digits_only = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits_only(whole) || !digits_only(fraction) || mantissa.len() > TEXT_DIGITS_MAX {
            return None;
        }
        let fraction = if mantissa.contains('.') { fraction } else { "" };
        let shift: i32 = match power {
            Some(power) => power.parse().ok().filter(|shift: &i32| shift.abs() <= EXPONENT_MAX)?,
            None => 0,
        };
        let coefficient = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
        Some(Scanned { negative, coefficient, place: shift - fraction.len() as i32, scientific: power.is_some() })
    }

    fn decimal(self) -> Decimal {
        Decimal::of(self.negative, self.coefficient, self.place)
    }
}

/// The sum of two coefficients that end at the same place.
fn add(left: &[u8], right: &[u8]) -> Vec<u8> {
    let width = left.len().max(right.len()) + 1;
    let mut carry = 0;
    let mut sum: Vec<u8> = (1..=width)
        .map(|back| {
            let total = digit_from_end(left, back) + digit_from_end(right, back) + carry;
            carry = total / 10;
            total % 10
        })
        .collect();
    sum.reverse();
    sum
}

/// The larger coefficient without the smaller one.
fn subtract(larger: &[u8], smaller: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut rest: Vec<u8> = (1..=larger.len())
        .map(|back| {
            let taken = digit_from_end(smaller, back) + borrow;
            let digit = digit_from_end(larger, back);
            borrow = u8::from(digit < taken);
            digit + borrow * 10 - taken
        })
        .collect();
    rest.reverse();
    rest
}

fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let width = left.len().max(right.len());
    (1..=width)
        .rev()
        .map(|back| digit_from_end(left, back).cmp(&digit_from_end(right, back)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn digit_from_end(digits: &[u8], back: usize) -> u8 {
    digits.len().checked_sub(back).map_or(0, |at| digits[at])
}

const NEGATIVE: u8 = 0x7f;
const ZERO: u8 = 0x80;
const POSITIVE: u8 = 0x81;
const EXPONENT_BIAS: i32 = 0x8000;
/// Digits kept in a posting key.
const KEY_DIGITS: usize = 18;
/// The longest mantissa read, in bytes.
const TEXT_DIGITS_MAX: usize = 100;
/// The largest power of ten read.
const EXPONENT_MAX: i32 = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn range(text: &str) -> (Decimal, Decimal) {
        let stated = Stated::parse(text).unwrap();
        (stated.low(), stated.high())
    }

    #[test]
    fn one_number_in_two_texts_is_equal() {
        assert_eq!(number("1.10"), number("11e-1"));
        assert_eq!(number("-0.0"), number("0"));
        assert_eq!(number("1e2"), number("100"));
        assert!(Decimal::parse("1.").is_none() && Decimal::parse("").is_none() && Decimal::parse("0x1").is_none());
        assert!(Decimal::parse("1e401").is_none() && Decimal::parse("NaN").is_none());
    }

    #[test]
    fn the_stated_precision_is_half_a_unit_of_the_last_digit() {
        assert_eq!(range("100"), (number("99.5"), number("100.5")));
        assert_eq!(range("100.00"), (number("99.995"), number("100.005")));
        assert_eq!(range("1e2"), (number("95"), number("105")));
        assert_eq!(range("5.4"), (number("5.35"), number("5.45")));
        assert_eq!(range("-2.0"), (number("-2.05"), number("-1.95")));
        assert_eq!(range("0"), (number("-0.5"), number("0.5")));
    }

    #[test]
    fn sums_and_products_are_exact() {
        assert_eq!(number("0.1").plus(&number("0.2")), number("0.3"));
        assert_eq!(number("-1").plus(&number("0.999")), number("-0.001"));
        assert_eq!(number("1e20").plus(&number("1")), number("100000000000000000001"));
        assert_eq!(number("99.9").times(&number("-0.5")), number("-49.95"));
        assert_eq!(number("0").times(&number("7")), number("0"));
    }

    proptest::proptest! {
        #[test]
        fn keys_sort_like_numbers(a in "-?[0-9]{1,6}(\\.[0-9]{1,5})?(e-?[0-9]{1,2})?", b in "-?[0-9]{1,6}(\\.[0-9]{1,5})?") {
            let (a, b) = (number(&a), number(&b));
            let key = |number: &Decimal| { let mut key = Vec::new(); number.append_key(&mut key); key };
            assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        }

        #[test]
        fn small_sums_agree_with_integers(a in -100_000i64..100_000, b in -100_000i64..100_000) {
            let of = |n: i64| number(&n.to_string());
            assert_eq!(of(a).plus(&of(b)), of(a + b));
            assert_eq!(of(a).times(&of(b)), of(a * b));
            assert_eq!(of(a).cmp(&of(b)), a.cmp(&b));
        }
    }
}
