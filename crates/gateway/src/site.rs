//! The parts of a node, opened in their order: lock, keys, ledger, store, maps, policy.
//!
//! Nothing is served before the ledger is complete: rows that the store committed and the ledger lacks go in first, with the same bytes.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use dukou_access::{LoadError, Meter, PartnerFile, Policy, PolicyFiles, Rate, TokenFile};
use dukou_audit::storage::Disk;
use dukou_audit::{
    Access, Admin, Client, ClientId, Clock, CompleteError, Decision, Gate, Grant, Interaction, Keys, KeysError, Ledger,
    OpenError, Opened, Options, Outcome, Peer, Purpose, Random, Reach, RequestId, Rights, Standing,
};
use dukou_exchange::{Exchange, Integrity, Limits, Link, Surroundings};
use dukou_fhir::{Instant, Offset, search};
use dukou_identity::{Model, Systems};
use dukou_mapping::Program;
use dukou_store::Store;
use dukou_store::sqlite::{self, Sqlite};
use sha2::{Digest, Sha256};

use crate::capture::{self, CaptureError};
use crate::cards::{self, Tender};
use crate::clock::{SystemClock, SystemRandom};
use crate::config::Config;
use crate::maps::{MapError, MapFiles};
use crate::people;
use crate::reload::Plans;
use crate::tls::refuse_open_key;

/// An opened node, before and behind all its doors.
pub(crate) struct Site {
    /// The gate in front of every door.
    pub(crate) gate: Gate,
    /// The use cases.
    pub(crate) exchange: Arc<Exchange>,
    /// Who may ask what; swapped whole.
    pub(crate) policy: Arc<ArcSwap<Policy>>,
    /// The maps in use; swapped whole.
    pub(crate) plans: Plans,
    /// Buckets that count requests; they outlive a policy.
    pub(crate) meter: Arc<Meter>,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Random bytes.
    pub(crate) random: Arc<dyn Random>,
    /// Offset of local time.
    pub(crate) zone: Offset,
    tender: Tender,
    store: Arc<dyn Store>,
    ledger: Mutex<Option<Ledger>>,
    audit: PathBuf,
    // Held until the process ends: one process owns a data folder.
    _lock: File,
}

/// Why a node cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SiteError {
    /// A file or folder cannot be used.
    #[error("using {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process owns the data folder.
    #[error("{} belongs to another running dukou", .0.display())]
    Locked(PathBuf),
    /// The zone is not an offset.
    #[error("reading node.zone '{0}': write an offset such as +08:00")]
    Zone(String),
    /// The ledger's keys cannot be loaded.
    #[error("loading the ledger's keys")]
    Keys(#[from] KeysError),
    /// The ledger does not open.
    #[error("opening the ledger in {}", folder.display())]
    Ledger {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The ledger cannot be completed from the store.
    #[error("completing the ledger from the store")]
    Complete(#[from] CompleteError),
    /// The store does not open.
    #[error("opening the store")]
    Store(#[from] dukou_store::OpenError),
    /// The store cannot be read at the start.
    #[error("reading the store at the start")]
    StoreRead(#[from] dukou_store::Error),
    /// The maps do not compile.
    #[error("loading maps")]
    Maps(#[from] MapError),
    /// The partner files do not load.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Policy(Vec<LoadError>),
    /// A token file can be read by others.
    #[error("token file {} can be read by others: chmod 600 it and replace the token", .0.display())]
    TokenReadable(PathBuf),
    /// The index of people cannot be built.
    #[error("building the index of people from what is stored")]
    People(#[source] dukou_exchange::Error),
    /// The authorities of patient numbers cannot be stored.
    #[error("storing the authorities of patient numbers")]
    Systems(#[source] dukou_exchange::Error),
    /// Captures of cards cannot be set up.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// No thread could be started.
    #[error("starting the thread of the cards")]
    Thread(#[source] std::io::Error),
    /// The first record of this start could not be made.
    #[error("recording the start: the ledger is closed")]
    Record,
}

impl Site {
    /// Opens everything a node has; the doors open after it.
    pub(crate) fn open(config: &Config) -> Result<Site, SiteError> {
        let data = &config.node.data;
        make_folder(data)?;
        let lock = lock(&data.join("lock"))?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let zone = Offset::parse(&config.node.zone).ok_or_else(|| SiteError::Zone(config.node.zone.clone()))?;
        let maps = MapFiles::of(&config.maps, Some(&config.node.site))?;
        let program = maps.compile()?;
        let systems = Arc::new(maps.systems()?);
        let model = Arc::new(maps.model()?);
        let policy = load_policy(&config.node.partners)?;
        let audit = data.join("audit");
        let opened = open_ledger(config, &audit, zone, &policy, &clock, &random)?;
        let Opened { mut ledger, gate, seal, last_jseq, unknown_outcomes, stopped_cleanly } = opened;
        let desks = config.identity.as_ref();
        let desks = desks.map(|own| capture::site(own, &config.node.site, zone, &gate)).transpose()?;
        let home = search::Site { zone, base: config.node.public_base.as_deref() };
        let store =
            Sqlite::open(&data.join("store.sqlite"), &sqlite::Options::default(), home, seal, Arc::clone(&clock))?;
        complete(&mut ledger, &store, last_jseq)?;
        let store: Arc<dyn Store> = Arc::new(store);
        let program = Arc::new(ArcSwap::from_pointee(program));
        let surroundings = surroundings(config, zone, &clock, &random, systems, model);
        let exchange = Exchange::new(Arc::clone(&store), Arc::clone(&program), surroundings);
        let secret = desks.as_ref().map(|desks| desks.key.warm_secret());
        let exchange = match desks {
            Some(desks) => exchange.with_capture(desks),
            None => exchange,
        };
        let exchange = Arc::new(cards::equip(exchange, data, secret, &*store, &*random, &config.limits));
        let tender = Tender::start(&exchange).map_err(SiteError::Thread)?;
        let plans = Plans::new(config.maps.clone(), config.node.site.clone(), Arc::clone(&program));
        let site = Site {
            plans,
            meter: Arc::new(Meter::new(Rate { per_second: 100_000, burst: 200_000 }, 65_536)),
            policy: Arc::new(ArcSwap::from_pointee(policy)),
            ledger: Mutex::new(Some(ledger)),
            _lock: lock,
            gate,
            tender,
            exchange,
            clock,
            random,
            zone,
            store,
            audit,
        };
        site.record_start(&program.load(), unknown_outcomes.len(), stopped_cleanly)?;
        people::load(&site)?;
        people::publish_systems(&site)?;
        Ok(site)
    }

    /// Today as a FHIR date, for the CapabilityStatement of this start.
    pub(crate) fn started(&self) -> String {
        Instant::from_nanos(self.clock.wall_ns()).to_string()
    }

    /// Where the ledger lies.
    pub(crate) fn audit_folder(&self) -> &Path {
        &self.audit
    }

    /// Whether requests are taken now; otherwise why not, in words without patient data.
    pub(crate) fn standing(&self) -> Result<(), String> {
        if self.store.poisoned() {
            return Err("the store is poisoned by a failed write".to_owned());
        }
        if self.exchange.people().is_broken() {
            return Err("a change of the index of people broke off".to_owned());
        }
        match self.gate.standing() {
            Standing::Serving => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }

    /// Work of every second: audit rows that a note covers are trimmed, expired keys forgotten. False: a disk failed, the process must end.
    pub(crate) fn keep(&self) -> bool {
        if self.store.poisoned() || self.exchange.people().is_broken() {
            return false;
        }
        let noted = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map_or(0, Ledger::noted_jseq);
        let now = Instant::from_nanos(self.clock.wall_ns());
        for done in [self.store.trim_records(noted), self.store.forget_tokens(now)] {
            if let Err(error) = done {
                tracing::warn!(%error, "keeping the store tidy failed");
            }
        }
        !self.store.poisoned()
    }

    /// Figures of ledger and store for `/metrics`.
    pub(crate) fn publish_metrics(&self) {
        cards::publish(&self.exchange);
        let guard = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ledger) = guard.as_ref() else { return };
        let figures = ledger.metrics();
        #[allow(clippy::cast_precision_loss, reason = "gauges are floating point by format")]
        let set = |name: &'static str, value: u64| metrics::gauge!(name).set(value as f64);
        set("dukou_ledger_queue_records", figures.queue_depth as u64);
        set("dukou_ledger_oldest_wait_nanoseconds", figures.oldest_wait_ns);
        set("dukou_ledger_sync_p50_nanoseconds", figures.sync_ns.0);
        set("dukou_ledger_sync_p99_nanoseconds", figures.sync_ns.1);
        set("dukou_ledger_frame_records", u64::from(figures.frame_records));
        set("dukou_ledger_leaves", figures.leaves);
        set("dukou_ledger_noted_leaves", figures.noted_leaves);
        set("dukou_ledger_note_age_nanoseconds", figures.note_age_ns);
        set("dukou_ledger_segment_bytes_left", figures.segment_bytes_left);
    }

    /// Ends in good order: the store first, so that its last rows reach the ledger, then STOP and a last note.
    pub(crate) fn stop(&self) {
        self.tender.stop();
        self.exchange.close_cards();
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ledger) = ledger
            && let Err(error) = ledger.stop()
        {
            tracing::error!(%error, "the ledger did not stop in good order");
        }
    }

    /// An access of the node itself, for what no client asks: resuming messages after a restart.
    pub(crate) fn own_access(&self, interaction: Interaction) -> Access {
        let id = ClientId::parse("dukou").unwrap_or_else(|| unreachable!("a constant client id"));
        Access {
            request: RequestId::new(self.clock.as_ref(), self.random.as_ref()),
            interaction,
            route: 0,
            client: Client { id, organisation: None, certificate_sha256: None, subject_dn: None },
            peer: Peer { address: "localhost".to_owned(), port: 0, terminal: None },
            user: None,
            purpose: Purpose { codes: vec!["HOPERAT".to_owned()], ..Purpose::default() },
            decision: Decision { permit: true, rules: vec!["node".to_owned()], ..Decision::default() },
            reach: Reach {
                grants: vec![Grant { resource: "*".to_owned(), rights: Rights::ALL, patient: None }],
                ..Reach::default()
            },
            query: None,
            message: None,
            trace: None,
            started_ns: self.clock.wall_ns(),
        }
    }

    fn record_start(&self, program: &Program, unknown: usize, stopped_cleanly: bool) -> Result<(), SiteError> {
        let hash = program.hash().iter().map(|byte| format!("{byte:02x}")).collect();
        let policy = self.policy.load();
        let detail = vec![
            ("maps_sha256", hash),
            ("clients", policy.client_count().to_string()),
            ("unknown_outcomes", unknown.to_string()),
            ("stopped_cleanly", stopped_cleanly.to_string()),
        ];
        let act = Admin { access: None, act: "config-load", detail, outcome: Outcome::default() };
        self.gate.admin(&act).wait().map(|_| ()).map_err(|_| SiteError::Record)
    }
}

fn surroundings(
    config: &Config,
    zone: Offset,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
    systems: Arc<Systems>,
    model: Arc<Model>,
) -> Surroundings {
    Surroundings {
        clock: Arc::clone(clock),
        random: Arc::clone(random),
        site: config.node.site.clone(),
        zone,
        zone_text: config.node.zone.clone(),
        public_base: config.node.public_base.clone(),
        integrity: Integrity::Enforce,
        reported: config.maps.policy(),
        systems,
        model,
        limits: Limits::default(),
    }
}

/// What was agreed with the senders of one MLLP listener.
pub(crate) fn link(listener: &crate::config::MllpListener, frame_bytes_max: usize) -> Result<Link, SiteError> {
    let charset = dukou_wire::Charset::parse(&listener.charset);
    let site = dukou_wire::Site {
        charset_forced: None,
        charset_default: charset.unwrap_or(dukou_wire::Charset::Gb18030),
        join_broken_lines: listener.join_broken_lines,
        lenient_end: listener.lenient_end,
        commit_acks: listener.commit_acks,
    };
    let limits = dukou_wire::Limits { frame_bytes_max, ..dukou_wire::Limits::default() };
    Ok(Link { name: listener.name.clone(), site, limits, reuses_control_ids: listener.reuses_control_ids })
}

fn open_ledger(
    config: &Config,
    folder: &Path,
    zone: Offset,
    policy: &Policy,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Result<Opened, SiteError> {
    make_folder(folder)?;
    let keys = Keys::load(&config.node.keys)?;
    let files = Arc::new(Disk::new(folder));
    let options = Options {
        segment_bytes: config.audit.segment_bytes,
        first_segment_bytes: config.audit.segment_bytes.min(1 << 20),
        reserve_bytes: config.audit.reserve_bytes,
        zone_minutes: zone.minutes(),
        program_sha256: program_sha256(),
        config_sha256: Sha256::digest(format!("{config:?}")).into(),
        policy_sha256: policy.sha256(),
        // A failed write or sync leaves unknown what is on the disk: only a restart that reads it may go on.
        on_poison: Some(Box::new(|what| {
            eprintln!("dukou: the ledger's disk failed ({what}); a restart is needed");
            std::process::exit(EXIT_TRY_AGAIN)
        })),
        ..Options::default()
    };
    let failed = |source| SiteError::Ledger { folder: folder.to_path_buf(), source };
    if !folder.join("origin.json").exists() {
        Ledger::create(files.as_ref(), &keys, &config.audit.origin, &options, clock.as_ref()).map_err(failed)?;
    }
    Ledger::open(files, keys, options, Arc::clone(clock), Arc::clone(random)).map_err(failed)
}

/// Gives the ledger what the store committed and it lacks; opens the gate.
fn complete(ledger: &mut Ledger, store: &dyn Store, last_jseq: u64) -> Result<(), SiteError> {
    let mut rows = Vec::new();
    loop {
        let after = rows.last().map_or(last_jseq, |(jseq, _)| *jseq);
        let page = store.pending_records(after, PENDING_PAGE)?;
        let ended = page.len() < PENDING_PAGE;
        rows.extend(page);
        if ended {
            break;
        }
    }
    Ok(ledger.complete(store.last_jseq()?, rows)?)
}

/// Reads the partner files of a folder and the token files they name, relative to the folder above.
fn load_policy(folder: &Path) -> Result<Policy, SiteError> {
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| SiteError::Io { path, source }
    };
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(io(folder))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    names.sort();
    let mut files = PolicyFiles::default();
    for path in names {
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        let file = PartnerFile { name: path.display().to_string(), text };
        for name in PolicyFiles::token_names(&file).map_err(|fault| SiteError::Policy(vec![fault]))? {
            let token = folder.parent().unwrap_or(Path::new(".")).join(&name);
            refuse_open_token(&token)?;
            let bytes = fs::read(&token).map_err(io(&token))?;
            files.tokens.push(TokenFile { name, bytes });
        }
        files.partners.push(file);
    }
    Policy::load(files).map_err(SiteError::Policy)
}

fn refuse_open_token(file: &Path) -> Result<(), SiteError> {
    refuse_open_key(file).map_err(|_| SiteError::TokenReadable(file.to_path_buf()))
}

fn lock(path: &Path) -> Result<File, SiteError> {
    let io = |source| SiteError::Io { path: path.to_path_buf(), source };
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SiteError::Locked(path.parent().unwrap_or(path).to_path_buf())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Folders of the node are its owner's alone: the store holds raw messages.
fn make_folder(path: &Path) -> Result<(), SiteError> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| SiteError::Io { path: path.to_path_buf(), source })
}

/// SHA-256 of the running program, or zeros where the system does not show it. The program is large: the assembler of aws-lc
/// reads it in a tenth of a second, also in a build without optimisation.
fn program_sha256() -> [u8; 32] {
    let hashed = || {
        let mut file = File::open(std::env::current_exe()?)?;
        let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let mut part = vec![0; 64 * 1024];
        loop {
            match file.read(&mut part)? {
                0 => return Ok::<_, io::Error>(hash.finish()),
                n => hash.update(&part[..n]),
            }
        }
    };
    hashed().ok().and_then(|hash| hash.as_ref().try_into().ok()).unwrap_or([0; 32])
}

const PENDING_PAGE: usize = 1_000;

/// Exit code of a failed disk and of a folder in use (EX_TEMPFAIL): the supervisor starts again, and the start recovers.
pub(crate) const EXIT_TRY_AGAIN: i32 = 75;
