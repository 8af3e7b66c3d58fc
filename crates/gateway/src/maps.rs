//! Where maps and code tables come from: the folder that the configuration names, or those built into the binary.

use std::path::{Path, PathBuf};

use dukou_identity::{Model, ModelError, Systems};
use dukou_mapping::{Diagnostic, DiagnosticSeverity, Program, SourceFile};
use dukou_terminology::Tables;

use crate::config::Maps;

/// Maps and code tables as text, sorted by name.
#[derive(Default)]
pub(crate) struct MapFiles {
    maps: Vec<SourceFile>,
    codes: Vec<SourceFile>,
    /// Rows of the implementation guide and what differs from them; no tables.
    guide: Vec<SourceFile>,
    /// Authorities of patient numbers and the like, in TOML.
    identity: Vec<SourceFile>,
    /// Files whose bytes are no text.
    found: Vec<Diagnostic>,
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
    #[error(
        "there is no overlay '{wanted}'; there are: {known}. An overlay is a folder that holds a map file: overlay/{wanted}/NAME.fmap.yaml"
    )]
    Overlay {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: String,
    },
    /// The configuration beside the maps cannot be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// A file cannot be written.
    #[error("writing {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
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
    /// The files of a configuration, with the overlays that it names and that of its own site where the folder has one.
    pub(crate) fn of(maps: &Maps, site: Option<&str>) -> Result<Self, MapError> {
        let all = match &maps.folder {
            Some(folder) => Self::read(folder)?,
            None => Self::built_in(),
        };
        let overlays = all.stack(&maps.overlays, site)?;
        Ok(all.with_overlays(&overlays))
    }

    /// The overlays named, and that of the site where there is one.
    pub(crate) fn stack(&self, named: &[String], site: Option<&str>) -> Result<Vec<String>, MapError> {
        let known = self.overlays();
        if let Some(unknown) = named.iter().find(|wanted| !known.contains(wanted)) {
            return Err(MapError::Overlay { wanted: unknown.clone(), known: known.join(", ") });
        }
        let own = site.map(|site| format!("site/{site}")).filter(|own| known.contains(own) && !named.contains(own));
        Ok(named.iter().cloned().chain(own).collect())
    }

    /// All files of a folder, overlays among them. Files that cannot be maps or tables are findings of the check.
    pub(crate) fn read(folder: &Path) -> Result<Self, MapError> {
        let mut paths = Vec::new();
        walk(folder, &mut paths).map_err(|source| MapError::Read { folder: folder.to_path_buf(), source })?;
        paths.sort();
        let mut all = Self::default();
        for path in paths {
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            let bytes = std::fs::read(&path).map_err(|source| MapError::Read { folder: path.clone(), source })?;
            match SourceFile::read(&name, &bytes) {
                Ok(file) => all.add(file),
                Err(found) => all.found.push(found),
            }
        }
        if all.maps.is_empty() && all.found.is_empty() { Err(MapError::Empty(folder.to_path_buf())) } else { Ok(all) }
    }

    /// All files built into the binary.
    pub(crate) fn built_in() -> Self {
        let mut all = Self::default();
        for (name, text) in BUILT_IN {
            all.add(SourceFile { name: (*name).to_owned(), text: (*text).to_owned() });
        }
        all
    }

    fn add(&mut self, file: SourceFile) {
        let kind = match file.name.as_str() {
            name if GUIDE.contains(&name) => &mut self.guide,
            name if name.ends_with(".csv") => &mut self.codes,
            name if name.ends_with(".toml") => &mut self.identity,
            _ => &mut self.maps,
        };
        kind.push(file);
    }

    /// The folders below `overlay/` that hold something, such as `cn` or `vendor/acme`.
    pub(crate) fn overlays(&self) -> Vec<String> {
        let names = self.texts().map(|(name, _)| name).chain(self.found.iter().map(|found| found.file.as_str()));
        let names = names.filter_map(|name| overlay_of(name).map(str::to_owned));
        names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// The base and these overlays, nothing else.
    #[must_use]
    pub(crate) fn with_overlays(&self, overlays: &[String]) -> Self {
        let wanted = |name: &str| overlay_of(name).is_none_or(|place| overlays.iter().any(|wanted| wanted == place));
        let of = |files: &[SourceFile]| files.iter().filter(|file| wanted(&file.name)).cloned().collect();
        Self {
            maps: of(&self.maps),
            codes: of(&self.codes),
            guide: self.guide.clone(),
            identity: of(&self.identity),
            found: self.found.iter().filter(|found| wanted(&found.file)).cloned().collect(),
        }
    }

    /// The files of maps and tables with their texts, to be written out or shown.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.maps.iter().chain(&self.codes).chain(&self.guide).chain(&self.identity);
        files.map(|file| (file.name.as_str(), file.text.as_str()))
    }

    /// The rows of the implementation guide, then the reasons for what differs; nothing where the folder has none.
    pub(crate) fn guide(&self) -> [&str; 2] {
        GUIDE.map(|wanted| self.guide.iter().find(|file| file.name == wanted).map_or("", |file| &file.text))
    }

    /// The file of that name below `identity/`, then those of the overlays; the one of the binary where the folder has none.
    pub(crate) fn identity(&self, name: &str) -> Vec<(String, String)> {
        let base = format!("identity/{name}");
        let named =
            |file: &&SourceFile| file.name == base || (overlay_of(&file.name).is_some() && file.name.ends_with(name));
        let mut found: Vec<(String, String)> =
            self.identity.iter().filter(named).map(|file| (file.name.clone(), file.text.clone())).collect();
        if !found.iter().any(|(file, _)| *file == base) {
            found.extend(
                BUILT_IN.iter().filter(|(file, _)| *file == base).map(|(f, t)| ((*f).to_owned(), (*t).to_owned())),
            );
        }
        found.sort_by_key(|(file, _)| (*file != base, file.clone()));
        found
    }

    /// The authorities of patient numbers, with the code tables of these files.
    pub(crate) fn systems(&self) -> Result<Systems, MapError> {
        let codes = self.codes.iter().map(|file| (file.name.clone(), file.text.clone())).collect();
        // A faulty table is a fault of the maps, which are checked by themselves.
        let (tables, _) = Tables::load_sound(codes);
        Systems::load(&self.identity("systems.toml"), &tables)
            .map_err(|fault| MapError::Faults(vec![fault.to_string()]))
    }

    /// The model by which records of patients are compared.
    pub(crate) fn model(&self) -> Result<Model, MapError> {
        // The last one stands: an overlay's takes the place of the base.
        let Some((name, text)) = self.identity("model.toml").pop() else {
            return Err(MapError::Faults(vec!["identity/model.toml: there is no model".to_owned()]));
        };
        let told = |error: ModelError| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            MapError::Faults(vec![format!("{error}{cause}")])
        };
        Model::load(&name, &text).map_err(told)
    }

    /// Compiles them: the program, or every finding of every file in the order of files and lines.
    pub(crate) fn check(&self) -> Result<Program, Vec<Diagnostic>> {
        let mut found = self.found.clone();
        match dukou_mapping::load(&self.maps, &self.codes) {
            Ok(program) if found.is_empty() => return Ok(program),
            Ok(program) => found.extend(program.warnings().iter().cloned()),
            Err(others) => found.extend(others),
        }
        found.sort_by(|a, b| (&a.file, a.line, a.column, a.code).cmp(&(&b.file, b.line, b.column, b.code)));
        Err(found)
    }

    /// Compiles them; every fault of every file, or the program.
    pub(crate) fn compile(&self) -> Result<Program, MapError> {
        self.check().map_err(|found| {
            let errors = found.iter().filter(|one| one.severity == DiagnosticSeverity::Error);
            MapError::Faults(errors.map(ToString::to_string).collect())
        })
    }
}

/// `overlay/vendor/acme/adt.fmap.yaml` belongs to the overlay `vendor/acme`.
fn overlay_of(name: &str) -> Option<&str> {
    name.strip_prefix("overlay/").and_then(|rest| rest.rsplit_once('/')).map(|(place, _)| place)
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        // Messages and what they become lie beside the maps.
        if path.is_dir() && !path.ends_with("fixtures") {
            walk(&path, paths)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "csv" || e == "toml") {
            paths.push(path);
        }
    }
    Ok(())
}

/// Every map and code table as of the build, by name below `mappings/`.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/mappings.rs"));

/// The files about the implementation guide.
const GUIDE: [&str; 2] = ["hl7v2/ig-rows.csv", "hl7v2/ig-differs.csv"];

#[cfg(test)]
mod tests {
    use super::{MapFiles, SourceFile};

    #[test]
    fn a_site_names_its_own_authorities_beside_those_of_the_binary() {
        let mut files = MapFiles::built_in();
        let own = "version = \"1\"\ndate = \"2026-11-22\"\n[[system]]\n\
                   uri = \"https://dukou.dev/fhir/system/CHN-resident-identity-card\"\naliases = [\"urn:oid:1.2.3\"]\n";
        let name = "overlay/site/harbour/systems.toml".to_owned();
        files.add(SourceFile { name, text: own.to_owned() });
        let resident = "https://dukou.dev/fhir/system/CHN-resident-identity-card";
        let read = |overlays: &[String]| files.with_overlays(overlays).systems().unwrap();
        assert_eq!(read(&["site/harbour".to_owned()]).canonical_uri("urn:oid:1.2.3"), resident);
        assert_eq!(read(&[]).canonical_uri("urn:oid:1.2.3"), "urn:oid:1.2.3", "another site does not know it");
        assert_eq!(
            MapFiles::default().identity("systems.toml").len(),
            1,
            "a folder without one uses that of the binary"
        );
    }
}
