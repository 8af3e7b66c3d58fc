//! Which maps a verb works on.

use std::path::{Path, PathBuf};

use crate::config::{Config, Maps};
use crate::maps::{MapError, MapFiles};

/// Folder, site and overlays. Where no folder is named, the configuration in the present folder says it, else the maps built
/// into the binary count.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Choice {
    /// The site whose overlay is taken, as in overlay/site/ID.
    #[arg(long)]
    pub(crate) site: Option<String>,
    /// Overlays in order, such as cn or vendor/acme, instead of those of the configuration.
    #[arg(long, value_delimiter = ',')]
    pub(crate) overlay: Vec<String>,
}

/// All files, and which of the overlays are meant.
pub(crate) struct Chosen {
    /// Where they come from, for people.
    pub(crate) from: String,
    /// The folder, where it is none of the binary.
    pub(crate) folder: Option<PathBuf>,
    /// Every file, overlays among them.
    pub(crate) all: MapFiles,
    /// The overlays that were asked for, or that the configuration has.
    pub(crate) overlays: Vec<String>,
    /// Whether somebody asked for certain overlays, so that the others are of no interest.
    pub(crate) certain: bool,
    /// The site that was named, else that of the configuration.
    pub(crate) site: Option<String>,
    /// The zone of the configuration.
    pub(crate) zone: Option<String>,
}

impl Choice {
    /// Reads the files. A site that is named must have an overlay.
    pub(crate) fn read(&self, folder: Option<&Path>) -> Result<Chosen, MapError> {
        let chosen = self.read_for_any_site(folder)?;
        let wanted = self.site.as_ref().map(|site| format!("site/{site}"));
        match wanted.filter(|site| !chosen.overlays.contains(site)) {
            Some(wanted) => Err(MapError::Overlay { wanted, known: chosen.all.overlays().join(", ") }),
            None => Ok(chosen),
        }
    }

    /// Reads the files; the overlay of the site is taken where there is one.
    pub(crate) fn read_for_any_site(&self, folder: Option<&Path>) -> Result<Chosen, MapError> {
        let beside = Path::new(BESIDE);
        let configured = match folder {
            None if beside.exists() => Some(Config::load(beside)?),
            _ => None,
        };
        let maps = configured.as_ref().map_or_else(Maps::default, |config| config.maps.clone());
        let folder = folder.map(Path::to_path_buf).or(maps.folder);
        let (all, from) = match &folder {
            Some(folder) => (MapFiles::read(folder)?, folder.display().to_string()),
            None => (MapFiles::built_in(), "maps of the binary".to_owned()),
        };
        let site = self.site.as_deref().or(configured.as_ref().map(|config| config.node.site.as_str()));
        let named = if !self.overlay.is_empty() {
            self.overlay.clone()
        } else if configured.is_some() {
            maps.overlays
        } else if self.site.as_ref().is_some_and(|site| all.overlays().contains(&format!("site/{site}"))) {
            all.overlays().into_iter().filter(|known| !known.contains('/')).collect()
        } else {
            Vec::new()
        };
        let overlays = all.stack(&named, site)?;
        let certain = self.site.is_some() || !self.overlay.is_empty();
        let site = site.map(str::to_owned);
        Ok(Chosen { from, folder, all, overlays, certain, site, zone: configured.map(|config| config.node.zone) })
    }
}

impl Chosen {
    /// The files with the overlays that are meant.
    pub(crate) fn files(&self) -> MapFiles {
        self.all.with_overlays(&self.overlays)
    }

    /// The sets of overlays that are worth a look: none, then each overlay on top of its country's; or those asked for.
    pub(crate) fn stacks(&self) -> Vec<Vec<String>> {
        if self.certain {
            return vec![self.overlays.clone()];
        }
        let known = self.all.overlays();
        let country: Vec<String> = known.iter().filter(|name| !name.contains('/')).cloned().collect();
        let mut stacks = vec![Vec::new()];
        for overlay in &known {
            let own = self.overlays.last() == Some(overlay);
            stacks.push(match overlay.contains('/') {
                true if own => self.overlays.clone(),
                true => country.iter().chain([overlay]).cloned().collect(),
                false => vec![overlay.clone()],
            });
        }
        stacks
    }
}

/// What a set of overlays is called.
pub(crate) fn name_of(stack: &[String]) -> String {
    if stack.is_empty() { "base".to_owned() } else { stack.join(" + ") }
}

/// The configuration of the present folder.
const BESIDE: &str = "dukou.toml";
