//! Address ranges of a partner: `10.2.0.0/16`, `fd00::/8`, or one address.

use std::net::IpAddr;

use thiserror::Error;

/// A range of peer addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    base: u128,
    prefix: u32,
    six: bool,
}

/// An address range that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an address range is written 10.2.0.0/16, fd00::/8 or as one address")]
pub(crate) struct RangeError;

impl Range {
    /// Reads a range; bits beyond the prefix are ignored.
    pub(crate) fn parse(text: &str) -> Result<Range, RangeError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().map_err(|_| RangeError)?)),
            None => (text, None),
        };
        let (base, six) = number(address.parse().map_err(|_| RangeError)?);
        let widest = if six { 128 } else { 32 };
        let prefix = prefix.unwrap_or(widest);
        if prefix > widest {
            return Err(RangeError);
        }
        Ok(Range { base, prefix, six })
    }

    /// The first address of the range.
    pub(crate) fn first(&self) -> IpAddr {
        if self.six {
            return IpAddr::V6(self.base.into());
        }
        IpAddr::V4(u32::try_from(self.base).unwrap_or_default().into())
    }

    /// Whether the address lies inside.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (value, six) = number(address);
        let bits = if six { 128 } else { 32 };
        six == self.six && (self.prefix == 0 || (value ^ self.base) >> (bits - self.prefix) == 0)
    }
}

/// The address as a number; an IPv4 address mapped into IPv6 counts as the IPv4 address.
fn number(address: IpAddr) -> (u128, bool) {
    match address.to_canonical() {
        IpAddr::V4(four) => (u128::from(u32::from(four)), false),
        IpAddr::V6(six) => (u128::from(six), true),
    }
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        let cases = [
            ("10.2.0.0/16", "10.2.255.1", true),
            ("10.2.0.0/16", "10.3.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("127.0.0.0/8", "::ffff:127.0.0.1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "::1", true),
        ];
        for (range, address, inside) in cases {
            assert_eq!(Range::parse(range).unwrap().contains(address.parse().unwrap()), inside, "{range} {address}");
        }
    }

    #[test]
    fn a_malformed_range_is_refused() {
        for text in ["", "10.2", "10.0.0.0/33", "::/129", "10.0.0.0/x", "any"] {
            assert!(Range::parse(text).is_err(), "{text}");
        }
    }
}
