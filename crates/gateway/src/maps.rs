//! Where maps and code tables come from: the folder that the configuration names, or those built into the binary.

use std::path::{Path, PathBuf};

use dukou_mapping::{Diagnostic, DiagnosticSeverity, Program, SourceFile};
use dukou_terminology::Tables;

use crate::config::Maps;

/// Maps and code tables as text, sorted by name.
pub(crate) struct MapFiles {
    maps: Vec<SourceFile>,
    codes: Vec<(String, String)>,
    /// Rows of the implementation guide and what differs from them; no tables.
    guide: Vec<(String, String)>,
}

/// Why maps cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MapError {
    /// A folder or file cannot be read.
    #[error("reading {}", folder.display())]
    Read {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The folder holds no map at all.
    #[error("{} holds no .fmap.yaml file; `dukou init --maps DIR` writes the base maps", .0.display())]
    Empty(PathBuf),
    /// An overlay that is not there.
    #[error("there is no overlay '{wanted}'; there are: {known}")]
    Overlay {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The zone is no offset.
    #[error("reading --zone '{0}': write an offset such as +08:00")]
    Zone(String),
    /// A folder without messages.
    #[error("{} holds no .hl7 file", .0.display())]
    NoMessages(PathBuf),
    /// Files that do not compile; all faults of all files.
    #[error("{}", list(.0))]
    Faults(Vec<String>),
}

fn list(faults: &[String]) -> String {
    faults.join("\n")
}

impl MapFiles {
    /// The files of a configuration, with the overlays that it names.
    pub(crate) fn of(maps: &Maps) -> Result<Self, MapError> {
        let all = match &maps.folder {
            Some(folder) => Self::read(folder)?,
            None => Self::built_in(),
        };
        let known = all.overlays();
        if let Some(unknown) = maps.overlays.iter().find(|wanted| !known.contains(wanted)) {
            return Err(MapError::Overlay { wanted: unknown.clone(), known: known.join(", ") });
        }
        Ok(all.with_overlays(&maps.overlays))
    }

    /// All files of a folder, overlays among them.
    pub(crate) fn read(folder: &Path) -> Result<Self, MapError> {
        let mut files = Vec::new();
        walk(folder, folder, &mut files).map_err(|source| MapError::Read { folder: folder.to_path_buf(), source })?;
        files.sort();
        let all = Self::sorted_out(files.into_iter());
        if all.maps.is_empty() { Err(MapError::Empty(folder.to_path_buf())) } else { Ok(all) }
    }

    /// All files built into the binary.
    pub(crate) fn built_in() -> Self {
        Self::sorted_out(BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    fn sorted_out(files: impl Iterator<Item = (String, String)>) -> Self {
        let mut all = Self { maps: Vec::new(), codes: Vec::new(), guide: Vec::new() };
        for (name, text) in files {
            if GUIDE.contains(&name.as_str()) {
                all.guide.push((name, text));
            } else if name.ends_with(".csv") {
                all.codes.push((name, text));
            } else {
                all.maps.push(SourceFile { name, text });
            }
        }
        all
    }

    /// The folders below `overlay/` that hold something, such as `cn` or `vendor/acme`.
    pub(crate) fn overlays(&self) -> Vec<String> {
        let names = self.texts().filter_map(|(name, _)| overlay_of(name).map(str::to_owned));
        names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// The base and these overlays, nothing else.
    #[must_use]
    pub(crate) fn with_overlays(&self, overlays: &[String]) -> Self {
        let wanted = |name: &str| overlay_of(name).is_none_or(|place| overlays.iter().any(|wanted| wanted == place));
        Self {
            maps: self.maps.iter().filter(|file| wanted(&file.name)).cloned().collect(),
            codes: self.codes.iter().filter(|(name, _)| wanted(name)).cloned().collect(),
            guide: self.guide.clone(),
        }
    }

    /// The files of maps and tables with their texts, to be written out or shown.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let maps = self.maps.iter().map(|file| (file.name.as_str(), file.text.as_str()));
        maps.chain(self.codes.iter().chain(&self.guide).map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// The rows of the implementation guide, then the reasons for what differs; nothing where the folder has none.
    pub(crate) fn guide(&self) -> [&str; 2] {
        GUIDE.map(|wanted| self.guide.iter().find(|(name, _)| name == wanted).map_or("", |(_, text)| text))
    }

    /// Compiles them; every fault of every file, or the program.
    pub(crate) fn compile(&self) -> Result<Program, MapError> {
        let codes = self.codes.clone();
        let tables =
            Tables::load(codes).map_err(|faults| MapError::Faults(faults.iter().map(ToString::to_string).collect()))?;
        dukou_mapping::compile(&self.maps, &tables).map_err(|found: Vec<Diagnostic>| {
            let errors = found.iter().filter(|one| one.severity == DiagnosticSeverity::Error);
            MapError::Faults(errors.map(ToString::to_string).collect())
        })
    }
}

/// `overlay/vendor/acme/adt.fmap.yaml` belongs to the overlay `vendor/acme`.
fn overlay_of(name: &str) -> Option<&str> {
    name.strip_prefix("overlay/").and_then(|rest| rest.rsplit_once('/')).map(|(place, _)| place)
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, files)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "csv") {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            files.push((name, std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}

/// Every map and code table as of the build, by name below `mappings/`.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/mappings.rs"));

/// The files about the implementation guide.
const GUIDE: [&str; 2] = ["hl7v2/ig-rows.csv", "hl7v2/ig-differs.csv"];
