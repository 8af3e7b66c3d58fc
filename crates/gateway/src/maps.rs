//! Where maps and code tables come from: the folder that the configuration names, or those built into the binary.

use std::path::{Path, PathBuf};

use dukou_mapping::{Diagnostic, Program, SourceFile};
use dukou_terminology::Tables;

use crate::config::Maps;

/// Maps and code tables as text, sorted by name.
pub struct MapFiles {
    maps: Vec<SourceFile>,
    codes: Vec<(String, String)>,
}

/// Why maps cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// A folder or file cannot be read.
    #[error("reading maps from {}", folder.display())]
    Read {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Files that do not compile; all faults of all files.
    #[error("{}", list(.0))]
    Faults(Vec<String>),
}

fn list(faults: &[String]) -> String {
    faults.join("\n")
}

impl MapFiles {
    /// The files of a configuration.
    pub fn of(maps: &Maps) -> Result<Self, MapError> {
        match &maps.folder {
            Some(folder) => Self::read(folder, &maps.overlays),
            None => Ok(Self::select(BUILT_IN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())), &maps.overlays)),
        }
    }

    /// All files of a folder. Overlays count only where their folder below `overlay/` is named.
    pub fn read(folder: &Path, overlays: &[String]) -> Result<Self, MapError> {
        let mut files = Vec::new();
        walk(folder, folder, &mut files).map_err(|source| MapError::Read { folder: folder.to_path_buf(), source })?;
        files.sort();
        Ok(Self::select(files.into_iter(), overlays))
    }

    /// All files of a folder with every overlay in it, as a check of the folder wants them.
    pub fn read_all(folder: &Path) -> Result<Self, MapError> {
        let mut overlays: Vec<String> = Vec::new();
        let mut files = Vec::new();
        walk(folder, folder, &mut files).map_err(|source| MapError::Read { folder: folder.to_path_buf(), source })?;
        for (name, _) in &files {
            if let Some(rest) = name.strip_prefix("overlay/")
                && let Some((place, _)) = rest.rsplit_once('/')
            {
                overlays.push(place.to_owned());
            }
        }
        files.sort();
        Ok(Self::select(files.into_iter(), &overlays))
    }

    fn select(files: impl Iterator<Item = (String, String)>, overlays: &[String]) -> Self {
        let mut chosen = Self { maps: Vec::new(), codes: Vec::new() };
        for (name, text) in files {
            let overlay = name.strip_prefix("overlay/").and_then(|rest| rest.rsplit_once('/')).map(|(place, _)| place);
            match overlay {
                Some(place) if !overlays.iter().any(|wanted| wanted == place) => {}
                _ if name.ends_with(".csv") => chosen.codes.push((name, text)),
                _ => chosen.maps.push(SourceFile { name, text }),
            }
        }
        chosen
    }

    /// The files of maps and tables with their texts, to be written out or shown.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let maps = self.maps.iter().map(|file| (file.name.as_str(), file.text.as_str()));
        maps.chain(self.codes.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// Compiles them; every fault of every file, or the program.
    pub fn compile(&self) -> Result<Program, MapError> {
        let codes = self.codes.clone();
        let tables = Tables::load(codes).map_err(|faults| MapError::Faults(faults.iter().map(ToString::to_string).collect()))?;
        dukou_mapping::compile(&self.maps, &tables)
            .map_err(|faults: Vec<Diagnostic>| MapError::Faults(faults.iter().map(ToString::to_string).collect()))
    }
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
