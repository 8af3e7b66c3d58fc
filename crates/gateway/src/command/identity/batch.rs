//! `dukou identity link|desk|train`: files of patient rows, matched by the same rules as the node's. Touches no store.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Instant;

use dukou_audit::Clock;
use dukou_identity::batch::{Desk, Linked, link, link_two};
use dukou_identity::{Model, Record, Stated, TrainLimits, train};

use super::IdentityError;
use super::rows::{self, Out};
use crate::clock::SystemClock;
use crate::command::convert;
use crate::maps::MapFiles;

/// Which records of a file, or of two, are one person.
#[derive(Debug, clap::Args)]
pub(crate) struct Link {
    /// One file whose records are linked with each other, or two that are linked with one another; .csv or .csv.gz.
    #[arg(required = true, num_args = 1..=2)]
    records: Vec<PathBuf>,
    /// File for `rec_id,cluster_id`, every record once.
    #[arg(long)]
    out: Option<PathBuf>,
    /// File for `id1,id2,score`: pairs of one person, and others of probability 0.5 and more, best first.
    #[arg(long)]
    pairs: Option<PathBuf>,
    /// File for `id1,id2,probability`: every compared pair of probability 0.01 and more.
    #[arg(long)]
    probabilities: Option<PathBuf>,
    /// A model file; otherwise the built-in one that speaks of the file's columns.
    #[arg(long)]
    model: Option<PathBuf>,
}

/// Whom the queries of a desk may mean.
#[derive(Debug, clap::Args)]
pub(crate) struct Ask {
    /// The records that are known.
    records: PathBuf,
    /// The queries, one a row.
    queries: PathBuf,
    /// File for `query_id,rec_id,grade,score`, a row for each person offered.
    #[arg(long)]
    out: PathBuf,
    /// A model file; otherwise the built-in one that speaks of the file's columns.
    #[arg(long)]
    model: Option<PathBuf>,
}

/// Weights from records, without knowing who is who.
#[derive(Debug, clap::Args)]
pub(crate) struct Train {
    /// The records to learn from.
    #[arg(required = true)]
    records: Vec<PathBuf>,
    /// File for the model.
    #[arg(long)]
    out: PathBuf,
    /// The model to begin with; otherwise the built-in one that speaks of the file's columns.
    #[arg(long)]
    model: Option<PathBuf>,
}

impl Link {
    /// Links and writes what was asked for.
    pub(crate) fn run(&self) -> Result<bool, IdentityError> {
        let progress = Progress::begin();
        let first = rows::read(&self.records[0])?;
        let model = model(self.model.as_deref(), &first)?;
        let mut records = prepared(&model, &first);
        let second = self.records.get(1).map(|path| (records.len(), path));
        if let Some((_, path)) = second {
            records.extend(prepared(&model, &rows::read(path)?));
        }
        progress.tell(format_args!("{} records read by model {}", records.len(), model.version()));
        let second = second.map(|(place, _)| place);
        let linked = match second {
            Some(place) => link_two(&model, &records, place, threads()),
            None => link(&model, &records, threads()),
        };
        progress.tell(format_args!(
            "{} pairs compared, {} people, {} unions refused, {} long blocks passed over",
            linked.pairs.len(),
            linked.persons.len(),
            linked.refused.len(),
            linked.blocks_skipped
        ));
        self.write(&model, &records, &linked, second)?;
        progress.tell(format_args!("done"));
        Ok(true)
    }

    fn write(
        &self,
        model: &Model,
        records: &[Record],
        linked: &Linked,
        second: Option<usize>,
    ) -> Result<(), IdentityError> {
        if let Some(path) = &self.out {
            let mut out = Out::create(path, &["rec_id", "cluster_id"])?;
            for (n, person) in linked.persons.iter().enumerate() {
                for place in person {
                    out.row(format_args!("{},{n}", records[*place].id()))?;
                }
            }
            out.finish()?;
        }
        if let Some(path) = &self.pairs {
            let mut out = Out::create(path, &["id1", "id2", "score"])?;
            for pair in linked.ranked(model, records, LIKELY, second) {
                out.row(format_args!("{},{},{}", records[pair.a].id(), records[pair.b].id(), pair.bits))?;
            }
            out.finish()?;
        }
        if let Some(path) = &self.probabilities {
            let mut out = Out::create(path, &["id1", "id2", "probability"])?;
            for pair in &linked.pairs {
                let probability = model.probability(pair.scored.bits);
                if probability >= WORTH_TELLING {
                    out.row(format_args!("{},{},{probability:.6}", records[pair.a].id(), records[pair.b].id()))?;
                }
            }
            out.finish()?;
        }
        Ok(())
    }
}

impl Ask {
    /// Answers every query.
    pub(crate) fn run(&self) -> Result<bool, IdentityError> {
        let progress = Progress::begin();
        let stated = rows::read(&self.records)?;
        let model = model(self.model.as_deref(), &stated)?;
        let records = prepared(&model, &stated);
        let queries = prepared(&model, &rows::read(&self.queries)?);
        let desk = Desk::open(&model, &records, threads());
        progress.tell(format_args!("{} records linked by model {}", records.len(), model.version()));
        let mut out = Out::create(&self.out, &["query_id", "rec_id", "grade", "score"])?;
        for query in &queries {
            for candidate in desk.ask(query, OFFERED_MAX).candidates {
                let (record, grade) = (&candidate.record, candidate.grade.code());
                out.row(format_args!("{},{record},{grade},{}", query.id(), candidate.bits))?;
            }
        }
        out.finish()?;
        progress.tell(format_args!("{} queries answered", queries.len()));
        Ok(true)
    }
}

impl Train {
    /// Learns and writes the model.
    pub(crate) fn run(&self) -> Result<bool, IdentityError> {
        let progress = Progress::begin();
        let mut stated = Vec::new();
        for path in &self.records {
            stated.extend(rows::read(path)?);
        }
        let model = model(self.model.as_deref(), &stated)?;
        let records = prepared(&model, &stated);
        let now = jiff::Timestamp::from_second(SystemClock::default().wall_ns() / 1_000_000_000).unwrap_or_default();
        let date: String = now.to_string().chars().take(10).collect();
        let learnt = train(&model, &records, &date, TrainLimits::default())?;
        std::fs::write(&self.out, learnt.to_toml())
            .map_err(|source| rows::RowsError::Io { path: self.out.clone(), source })?;
        progress.tell(format_args!("{} learnt from {} records", learnt.version(), records.len()));
        Ok(true)
    }
}

/// The model of a file, or the built-in one that speaks of the columns.
fn model(path: Option<&Path>, stated: &[Stated]) -> Result<Model, IdentityError> {
    if let Some(path) = path {
        let text =
            std::fs::read_to_string(path).map_err(|source| rows::RowsError::Io { path: path.to_owned(), source })?;
        return Ok(Model::load(&path.display().to_string(), &text)?);
    }
    let english = stated.iter().any(|one| one.other.iter().any(|(name, _)| name == "given_name"));
    let name = if english { "febrl.toml" } else { "model.toml" };
    let (file, text) = MapFiles::built_in().identity(name).pop().unwrap_or_default();
    Ok(Model::load(&file, &text)?)
}

fn prepared(model: &Model, stated: &[Stated]) -> Vec<Record> {
    let share = stated.len().div_ceil(threads()).max(1);
    std::thread::scope(|scope| {
        let prepare = |share: &[Stated]| share.iter().map(|one| Record::prepare(model, one)).collect::<Vec<Record>>();
        let shares: Vec<_> = stated.chunks(share).map(|share| scope.spawn(move || prepare(share))).collect();
        shares.into_iter().flat_map(|share| share.join().unwrap_or_default()).collect()
    })
}

fn threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// What is going on, with the time since the beginning, on standard error.
struct Progress(Instant);

impl Progress {
    fn begin() -> Progress {
        Progress(convert::clock())
    }

    fn tell(&self, words: std::fmt::Arguments<'_>) {
        eprintln!("{:8.3} s  {words}", self.0.elapsed().as_secs_f64());
    }
}

/// A pair that is not of one person is worth a row from here on.
const LIKELY: f64 = 0.5;
/// A probability is told from here on.
const WORTH_TELLING: f64 = 0.01;
/// So many people are offered to a desk.
const OFFERED_MAX: usize = 10;
