//! `dukou init`: a folder with a commented configuration, keys, tokens and a partner file, ready for `dukou serve`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dukou_audit::{Keys, KeysError, Random};

use crate::capture;
use crate::maps::MapFiles;

/// Where the site goes and how it is called.
#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    /// Folder to write into; must not hold a site yet.
    dir: PathBuf,
    /// Name of the site, enters every id made from a message.
    #[arg(long, default_value = "site")]
    site: String,
    /// Also write out the maps and code tables, to change them.
    #[arg(long)]
    maps: bool,
}

/// The numbers of a new site that differ between a server and the demo.
pub(crate) struct Plan<'p> {
    pub(crate) site: &'p str,
    /// Whether the maps lie in the site's folder, to be changed.
    pub(crate) maps: bool,
    pub(crate) fhir: &'p str,
    pub(crate) admin: &'p str,
    pub(crate) mllp: &'p str,
    pub(crate) segment_bytes: u64,
    pub(crate) reserve_bytes: u64,
}

/// Why a site cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InitError {
    /// There is one already.
    #[error("{} holds a site already; nothing was changed", .0.display())]
    Exists(PathBuf),
    /// The site's name would not stand in an id or a file.
    #[error("reading --site '{0}': write 1 to 32 of a-z, 0-9 and -")]
    Name(String),
    /// A file cannot be written.
    #[error("writing {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The keys cannot be made.
    #[error("making the ledger's keys")]
    Keys(#[from] KeysError),
}

impl Init {
    /// Writes the site and says what to do next.
    pub(crate) fn run(&self, random: &dyn Random) -> Result<(), InitError> {
        let plan = Plan {
            site: &self.site,
            maps: self.maps,
            fhir: "127.0.0.1:8080",
            admin: "127.0.0.1:8081",
            mllp: "127.0.0.1:2575",
            segment_bytes: 64 << 20,
            reserve_bytes: 32 << 20,
        };
        write_site(&self.dir, &plan, random)?;
        let mappings = self.dir.join("mappings");
        if self.maps {
            for (name, text) in MapFiles::built_in().texts() {
                put(&mappings.join(name), text.as_bytes(), 0o644)?;
            }
            put(&mappings.join("README.md"), include_bytes!("../../../../mappings/README.md"), 0o644)?;
            make_folder(&mappings.join("overlay/site").join(&self.site))?;
        }
        println!("A site was written to {}.", self.dir.display());
        println!("  dukou.toml            what this node is and where it listens");
        println!("  partners/house.toml   who may ask what, with examples that are tried at each start");
        println!("  partners/kiosk.toml   self-service terminals: they capture cards and can do nothing else");
        println!("  tokens/               one bearer token a client, mode 0600");
        println!(
            "  keys/                 keys of the ledger and the site's secret, mode 0600: keep a copy apart from the data"
        );
        if self.maps {
            println!(
                "  mappings/             maps and code tables; yours go below overlay/site/{}, see mappings/README.md",
                self.site
            );
        }
        println!("Next: dukou serve --config {}", self.dir.join("dukou.toml").display());
        Ok(())
    }
}

/// Names of the clients that get a token.
pub(crate) const TOKEN_CLIENTS: [&str; 8] =
    ["system", "clerk", "doctor", "clinic", "identity", "engineer", "compliance", "kiosk"];

/// Writes a whole site; refuses to touch one that is there.
pub(crate) fn write_site(dir: &Path, plan: &Plan<'_>, random: &dyn Random) -> Result<(), InitError> {
    let fits = (1..=32).contains(&plan.site.len())
        && plan.site.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits {
        return Err(InitError::Name(plan.site.to_owned()));
    }
    let config = dir.join("dukou.toml");
    if config.exists() {
        return Err(InitError::Exists(dir.to_path_buf()));
    }
    let text = include_str!("../init/dukou.toml")
        .replace("{folder}", if plan.maps { OWN_MAPS } else { BUILT_IN_MAPS })
        .replace("{site}", plan.site)
        .replace("{fhir}", plan.fhir)
        .replace("{admin}", plan.admin)
        .replace("{mllp}", plan.mllp)
        .replace("{segment}", &plan.segment_bytes.to_string())
        .replace("{reserve}", &plan.reserve_bytes.to_string());
    let house = include_str!("../init/house.toml").replace("{site}", plan.site);
    put(&dir.join("partners/house.toml"), house.as_bytes(), 0o644)?;
    let kiosk = include_str!("../init/kiosk.toml").replace("{site}", plan.site);
    put(&dir.join("partners/kiosk.toml"), kiosk.as_bytes(), 0o644)?;
    for client in TOKEN_CLIENTS {
        let mut secret = [0_u8; 32];
        random.fill(&mut secret);
        put(&dir.join("tokens").join(client), URL_SAFE_NO_PAD.encode(secret).as_bytes(), 0o600)?;
    }
    let keys = dir.join("keys");
    make_folder(&keys)?;
    Keys::create(&keys, random)?;
    put(&capture::secret_file(dir), capture::new_secret(random).as_bytes(), 0o600)?;
    // Last, so that a site that was written only in part is not taken for one.
    put(&config, text.as_bytes(), 0o644)
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<(), InitError> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|source| InitError::Io { path: path.to_path_buf(), source })
}

fn make_folder(folder: &Path) -> Result<(), InitError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| InitError::Io { path: folder.to_path_buf(), source })
}

const OWN_MAPS: &str = "folder = \"mappings\"            # read again on SIGHUP; `dukou map check` and `map test` in this folder look at it";
const BUILT_IN_MAPS: &str =
    "# folder = \"mappings\"          # without it the maps built into the binary; `dukou init --maps` writes them out";
