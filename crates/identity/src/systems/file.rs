//! System files as written: TOML, unknown keys refused.

use std::collections::{BTreeMap, HashMap};

use dukou_terminology::Tables;
use serde::Deserialize;

use super::{SourceFacts, System, Systems};
use crate::stated::Class;

/// Why system files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SystemsError {
    /// A file is not of this form.
    #[error("reading {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// What is wrong, with its line.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Two authorities claim one URI, or one type.
    #[error("{file}: '{claimed}' belongs to two systems; write it at one of them")]
    Claimed {
        /// The file.
        file: String,
        /// The URI or type code.
        claimed: String,
    },
    /// A kind of number that does not exist.
    #[error("{file}: '{class}' is no class of numbers; known: {}", known())]
    Class {
        /// The file.
        file: String,
        /// What was written.
        class: String,
    },
    /// A code table that is not there.
    #[error("{file}: there is no code table '{table}' below codes/")]
    Table {
        /// The file.
        file: String,
        /// The table.
        table: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    version: String,
    date: String,
    #[serde(default)]
    system: Vec<WrittenSystem>,
    #[serde(default)]
    mixed: Vec<WrittenMixed>,
    #[serde(default)]
    scoped: Vec<WrittenSystem>,
    #[serde(default)]
    types: BTreeMap<String, String>,
    #[serde(default)]
    certificates: Vec<WrittenCertificates>,
    #[serde(default)]
    source: Vec<WrittenSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSystem {
    uri: String,
    class: Option<String>,
    #[serde(default)]
    en: String,
    #[serde(default)]
    zh: String,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    profiles: BTreeMap<String, String>,
    #[serde(default)]
    by_country: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMixed {
    uri: String,
    by_form: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCertificates {
    system: String,
    tables: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSource {
    name: String,
    #[serde(default)]
    year_only: bool,
    certificates: Option<String>,
}

pub(super) fn load(files: &[(String, String)], tables: &Tables) -> Result<Systems, SystemsError> {
    let mut systems = Systems::default();
    for (file, text) in files {
        let written: WrittenFile = toml::from_str(text)
            .map_err(|source| SystemsError::Read { file: file.clone(), source: Box::new(source) })?;
        let mut adding = Adding { file, systems: &mut systems };
        adding.all(written, tables)?;
    }
    Ok(systems)
}

/// One file being added to those before it.
struct Adding<'a> {
    file: &'a str,
    systems: &'a mut Systems,
}

impl Adding<'_> {
    fn all(&mut self, written: WrittenFile, tables: &Tables) -> Result<(), SystemsError> {
        if !self.systems.version.is_empty() {
            self.systems.version.push('+');
        }
        self.systems.version.push_str(&written.version);
        if written.date > self.systems.date {
            self.systems.date = written.date;
        }
        for system in written.system {
            self.system(system)?;
        }
        for mixed in written.mixed {
            self.systems.mixed.insert(mixed.uri, mixed.by_form);
        }
        for scoped in written.scoped {
            let class = self.class(scoped.class.as_deref())?;
            self.systems.scoped.insert(scoped.uri.clone(), plain(scoped, class));
        }
        for (code, class) in written.types {
            let class = self.class(Some(&class))?;
            self.systems.types.insert(code, class);
        }
        for certificates in written.certificates {
            let mut found = Vec::with_capacity(certificates.tables.len());
            for name in certificates.tables {
                let missing = || SystemsError::Table { file: self.file.to_owned(), table: name.clone() };
                found.push(tables.table(&name).ok_or_else(missing)?.clone());
            }
            self.systems.certificates.insert(certificates.system, found);
        }
        for source in written.source {
            let facts = SourceFacts { year_only: source.year_only, certificates: source.certificates };
            self.systems.sources.insert(source.name, facts);
        }
        Ok(())
    }

    /// A new authority, or more aliases of one that an earlier file names.
    fn system(&mut self, written: WrittenSystem) -> Result<(), SystemsError> {
        let place = match self.systems.by_uri.get(&written.uri).copied() {
            Some(place) => place,
            None => {
                let class = self.class(written.class.as_deref())?;
                let place = self.systems.systems.len();
                let empty =
                    WrittenSystem { types: Vec::new(), aliases: Vec::new(), uri: written.uri.clone(), ..written };
                let (types, aliases) = (written.types, written.aliases);
                self.systems.systems.push(plain(empty, class));
                self.systems.by_uri.insert(written.uri, place);
                return self.names(place, types, aliases);
            }
        };
        self.systems.systems[place].profiles.extend(written.profiles);
        self.names(place, written.types, written.aliases)
    }

    fn names(&mut self, place: usize, types: Vec<String>, aliases: Vec<String>) -> Result<(), SystemsError> {
        for alias in aliases {
            self.claim(alias.clone(), place, |systems| &mut systems.by_uri)?;
            self.systems.systems[place].aliases.push(alias);
        }
        for code in types {
            self.claim(code.clone(), place, |systems| &mut systems.by_type)?;
            self.systems.systems[place].types.push(code);
        }
        Ok(())
    }

    fn claim(
        &mut self,
        name: String,
        place: usize,
        among: fn(&mut Systems) -> &mut HashMap<String, usize>,
    ) -> Result<(), SystemsError> {
        match among(self.systems).insert(name.clone(), place) {
            None => Ok(()),
            Some(_) => Err(SystemsError::Claimed { file: self.file.to_owned(), claimed: name }),
        }
    }

    fn class(&self, name: Option<&str>) -> Result<Class, SystemsError> {
        let name = name.unwrap_or("");
        Class::parse(name).ok_or_else(|| SystemsError::Class { file: self.file.to_owned(), class: name.to_owned() })
    }
}

fn plain(written: WrittenSystem, class: Class) -> System {
    System {
        uri: written.uri,
        class,
        en: written.en,
        zh: written.zh,
        types: written.types,
        aliases: written.aliases,
        profiles: written.profiles,
        by_country: written.by_country,
    }
}

fn known() -> String {
    Class::NAMES.map(|(_, name)| name).join(", ")
}
