//! Inputs from seeds: what a hostile or broken sender could make of real ones. The n-th input of a target is always the same.

use dukou_audit::SeededRandom;

/// Makes inputs of seeds and tokens.
pub(crate) struct Mutator<'s> {
    random: SeededRandom,
    seeds: &'s [Vec<u8>],
    tokens: &'s [&'s [u8]],
}

impl<'s> Mutator<'s> {
    pub(crate) fn new(target: &str, n: u64, seeds: &'s [Vec<u8>], tokens: &'s [&'s [u8]]) -> Mutator<'s> {
        let name =
            target.bytes().fold(n.wrapping_mul(0x9e37_79b9), |hash, byte| hash.wrapping_mul(31) + u64::from(byte));
        Mutator { random: SeededRandom::new(name), seeds, tokens }
    }

    /// A number below a bound.
    pub(crate) fn pick(&self, bound: usize) -> usize {
        usize::try_from(self.random.number() % bound.max(1) as u64).unwrap_or(0)
    }

    /// The next input.
    pub(crate) fn input(&self) -> Vec<u8> {
        let mut bytes = self.seeds.get(self.pick(self.seeds.len())).cloned().unwrap_or_default();
        if bytes.len() > INPUT_BYTES_MAX {
            let from = self.pick(bytes.len() - INPUT_BYTES_MAX);
            bytes = bytes[from..from + INPUT_BYTES_MAX].to_vec();
        }
        for _ in 0..self.pick(8) {
            self.change(&mut bytes);
        }
        bytes.truncate(2 * INPUT_BYTES_MAX);
        bytes
    }

    /// The next input as text; what is not UTF-8 is replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.input()).into_owned()
    }

    fn change(&self, bytes: &mut Vec<u8>) {
        let at = self.pick(bytes.len() + 1);
        let len = self.pick(1 << self.pick(9)).min(bytes.len() - at);
        match self.pick(10) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.pick(8),
            1 if at < bytes.len() => bytes[at] = ODD_BYTES[self.pick(ODD_BYTES.len())],
            2 if !self.tokens.is_empty() => insert(bytes, at, self.tokens[self.pick(self.tokens.len())]),
            3 if !self.tokens.is_empty() => {
                let token = self.tokens[self.pick(self.tokens.len())].repeat(1 + self.pick(200));
                insert(bytes, at, &token);
            }
            4 => drop(bytes.drain(at..at + len)),
            5 => {
                let part = bytes[at..at + len].to_vec();
                let to = self.pick(bytes.len() + 1);
                insert(bytes, to, &part);
            }
            6 => bytes.truncate(at),
            7 if !self.seeds.is_empty() => {
                let other = &self.seeds[self.pick(self.seeds.len())];
                let from = self.pick(other.len() + 1);
                let to = (from + self.pick(1 << self.pick(12))).min(other.len());
                insert(bytes, at, &other[from..to]);
            }
            8 => bytes[at..at + len].reverse(),
            _ => {
                let wild: Vec<u8> = (0..1 + self.pick(6)).map(|_| ODD_BYTES[self.pick(ODD_BYTES.len())]).collect();
                insert(bytes, at, &wild);
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

/// Bytes at the borders of encodings and grammars.
const ODD_BYTES: [u8; 24] = [
    0, 1, 8, 9, 10, 11, 13, 27, 28, 32, b'"', b'\\', b'|', b'^', b'~', b'&', b'0', 0x7f, 0x80, 0x81, 0xa1, 0xe4, 0xf0,
    0xff,
];
const INPUT_BYTES_MAX: usize = 6 * 1024;
