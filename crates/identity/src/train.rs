//! Learning the weights of a model from records, without knowing which of them are one person.
//!
//! Fellegi and Sunter: a level that a share m of true pairs and a share u of strangers reach is worth log2(m/u) bits. u is counted on pairs
//! drawn at random, m by expectation maximisation on the pairs that share a block. Missing values say nothing on either side.

use crate::batch;
use crate::model::{FIELDS_MAX, Model, ModelError, ModelFile};
use crate::record::Record;

/// How far training goes.
#[derive(Clone, Copy, Debug)]
pub struct TrainLimits {
    /// Rounds of expectation maximisation.
    pub rounds: usize,
    /// Pairs drawn at random; at most twenty a record.
    pub random_pairs: usize,
    /// The seed of the drawing; the same seed gives the same model.
    pub seed: u64,
}

impl Default for TrainLimits {
    fn default() -> TrainLimits {
        TrainLimits { rounds: 40, random_pairs: 1_000_000, seed: 1 }
    }
}

/// The model with its weights learnt anew from these records; levels, classes, caps and thresholds stay as they are. `date` is written into
/// the file. The order of the records makes no difference but to the drawing of strangers.
///
/// # Errors
/// The weights do not make a model, which a limit of the format may cause.
pub fn train(model: &Model, records: &[Record], date: &str, limits: TrainLimits) -> Result<Model, ModelError> {
    let met = patterns(model, records, &batch::met(model, records));
    let strangers = patterns(model, records, &draw(records.len(), limits));
    let u = shares(model, strangers.iter().map(|(levels, count)| (levels, *count as f64)));
    let mut m: Vec<Vec<f64>> = Vec::new();
    let mut prior = 0.0;
    let total: f64 = met.iter().map(|(_, count)| *count as f64).sum();
    let mut same: Vec<f64> = met.iter().map(|(levels, _)| first_guess(model, levels)).collect();
    for _ in 0..limits.rounds {
        m = shares(model, met.iter().zip(&same).map(|((levels, count), p)| (levels, *count as f64 * p)));
        let met_u =
            shares(model, met.iter().zip(&same).map(|((levels, count), p)| (levels, *count as f64 * (1.0 - p))));
        let matched: f64 = met.iter().zip(&same).map(|((_, count), p)| *count as f64 * p).sum();
        prior = (matched / (total - matched).max(1.0)).max(f64::MIN_POSITIVE).log2();
        for ((levels, _), p) in met.iter().zip(&mut same) {
            let odds: f64 =
                prior + each(levels).map(|(field, level)| (m[field][level] / met_u[field][level]).log2()).sum::<f64>();
            *p = 1.0 / (1.0 + (-odds).exp2());
        }
    }
    let mut file: ModelFile = model.file().clone();
    date.clone_into(&mut file.date);
    let matched = total * prior.exp2() / (1.0 + prior.exp2());
    let all = records.len() as f64 * (records.len() as f64 - 1.0) / 2.0;
    file.prior = thousandth((matched.max(1.0) / all.max(1.0)).log2());
    for (n, field) in file.fields.iter_mut().enumerate() {
        for (level, name) in model.fields[n].measure.levels().iter().enumerate() {
            let bits = (m[n][level] / u[n][level]).log2().clamp(-BITS_MAX, BITS_MAX);
            field.bits.insert((*name).to_owned(), thousandth(bits));
        }
    }
    Model::of(&model.file().name, file)
}

/// The levels that a pair reaches, a byte a field; how often they were met.
type Pattern = ([u8; FIELDS_MAX], usize);

fn patterns(model: &Model, records: &[Record], pairs: &[(u32, u32)]) -> Vec<Pattern> {
    let levels = |(a, b): &(u32, u32)| {
        let (a, b) = (&records[*a as usize], &records[*b as usize]);
        let mut levels = [MISSING; FIELDS_MAX];
        for (n, field) in model.fields.iter().enumerate() {
            if let Some(level) = field.measure.compare(a, b, model.file().grades.lunar_until) {
                levels[n] = level as u8;
            }
        }
        levels
    };
    let mut all: Vec<[u8; FIELDS_MAX]> = pairs.iter().map(levels).collect();
    all.sort_unstable();
    all.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect()
}

/// The fields of a pattern that say something.
fn each(levels: &[u8; FIELDS_MAX]) -> impl Iterator<Item = (usize, usize)> {
    levels.iter().enumerate().filter(|(_, level)| **level != MISSING).map(|(field, level)| (field, usize::from(*level)))
}

/// The share of each level among the pairs that state the field, never quite 0.
fn shares<'a>(model: &Model, pairs: impl Iterator<Item = (&'a [u8; FIELDS_MAX], f64)>) -> Vec<Vec<f64>> {
    let mut counts: Vec<Vec<f64>> =
        model.fields.iter().map(|field| vec![UNSEEN; field.measure.levels().len()]).collect();
    for (levels, weight) in pairs {
        each(levels).for_each(|(field, level)| counts[field][level] += weight);
    }
    for count in &mut counts {
        let sum: f64 = count.iter().sum();
        count.iter_mut().for_each(|level| *level /= sum);
    }
    counts
}

/// The probability by the weights that the model has so far.
fn first_guess(model: &Model, levels: &[u8; FIELDS_MAX]) -> f64 {
    let bits: f64 = each(levels).map(|(field, level)| model.fields[field].bits[level].as_f64()).sum();
    1.0 / (1.0 + (-(model.prior.as_f64() + bits)).exp2())
}

/// Pairs of different records, drawn evenly.
fn draw(count: usize, limits: TrainLimits) -> Vec<(u32, u32)> {
    let mut state = limits.seed;
    let mut next = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * count as u128) >> 64) as u32
    };
    // More draws than this many a record tell nothing new.
    let draws = limits.random_pairs.min(count.saturating_mul(DRAWS_A_RECORD));
    let pairs = (0..if count < 2 { 0 } else { draws }).map(|_| (next(), next()));
    pairs.filter(|(a, b)| a != b).collect()
}

fn thousandth(bits: f64) -> f64 {
    (bits * 1000.0).round() / 1000.0
}

/// So many strangers are drawn for each record at most.
const DRAWS_A_RECORD: usize = 20;
/// A field that one side does not state.
const MISSING: u8 = u8::MAX;
/// A level is counted so often before anything was seen.
const UNSEEN: f64 = 0.5;
/// No level is worth more, for or against.
const BITS_MAX: f64 = 20.0;
