//! Which authority a number belongs to: one canonical system per authority, whatever name it comes under.
//!
//! The system decides which numbers may be compared, not the type code. A number whose authority cannot be told keeps the system it came
//! with, is never strong, and says why; nothing is guessed from the look of a number, with one exception that its own system allows
//! (`by_form`) and that the stated birth date and sex must confirm.

mod file;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use dukou_fhir::search::Alias;
use dukou_terminology::{Table, Tables, Translation};

use crate::form;
use crate::stated::Class;

pub use file::SystemsError;

/// Every authority that is known, with its aliases, and how kinds of certificates are read.
#[derive(Clone, Debug, Default)]
pub struct Systems {
    version: String,
    date: String,
    systems: Vec<System>,
    /// Canonical and other URIs, to the place in `systems`.
    by_uri: HashMap<String, usize>,
    /// `system|code` of a type, to the place in `systems`.
    by_type: HashMap<String, usize>,
    /// Systems of certificates of any kind: whether the form may tell the kind.
    mixed: BTreeMap<String, bool>,
    scoped: BTreeMap<String, System>,
    /// `system|code` of a type, to what it says about numbers of unknown systems.
    types: HashMap<String, Class>,
    certificates: BTreeMap<String, Vec<Table>>,
    sources: HashMap<String, SourceFacts>,
}

/// One authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// The canonical URI.
    pub uri: String,
    /// What kind of number it assigns.
    pub class: Class,
    /// Its name in English.
    pub en: String,
    /// Its name in Chinese.
    pub zh: String,
    /// The type codes of its numbers, `system|code`.
    pub types: Vec<String>,
    /// Other URIs under which its numbers come.
    pub aliases: Vec<String>,
    /// By the name of a profile, the URI that it writes.
    pub profiles: BTreeMap<String, String>,
    /// Whether each country is an authority of its own.
    pub by_country: bool,
}

/// What is known about a source beside its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SourceFacts {
    year_only: bool,
    certificates: Option<String>,
}

/// An identifier as it was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written<'w> {
    /// `Identifier.system`; empty where there is none.
    pub system: &'w str,
    /// `Identifier.type.coding` as pairs of system and code.
    pub types: &'w [(&'w str, &'w str)],
    /// `Identifier.type.text`; empty where there is none.
    pub text: &'w str,
    /// The organisation that assigned it (`Identifier.assigner`): a code, a country or a name; empty where there is none.
    pub assigner: &'w str,
    /// `Identifier.value`.
    pub value: &'w str,
}

/// What the same record states beside the number; it confirms a number's form.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'b> {
    /// The source of the record.
    pub source: &'b str,
    /// The birth date as `yyyy-MM-dd`; empty where none is stated.
    pub birth_date: &'b str,
    /// The sex, GB/T 2261.1.
    pub sex: Option<char>,
}

/// What an identifier is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canonical {
    /// The kind of number.
    pub class: Class,
    /// The canonical system; that of the identifier itself where it is not known.
    pub system: String,
    /// What could not be told.
    pub gap: Option<Gap>,
}

/// What could not be told about an identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// No type stands beside a number of a system that takes numbers of any kind.
    Bare,
    /// A kind of certificate that the table has no row for.
    UnknownCertificate {
        /// The table's name.
        table: String,
        /// Its edition.
        edition: String,
    },
    /// A national number under an authority that no file names: an alias in the site's file makes it comparable.
    UnknownAuthority,
}

impl Systems {
    /// Reads system files, each by its name and text, with the code tables that they name. A later file adds to an earlier one.
    ///
    /// # Errors
    /// The first fault: a file that is not of this form, a URI that two authorities claim, a table that is not there.
    pub fn load(files: &[(String, String)], tables: &Tables) -> Result<Systems, SystemsError> {
        file::load(files, tables)
    }

    /// The versions of the files, joined by `+`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The date of the newest of the files, `yyyy-MM-dd`.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// Every authority, in the order of the files.
    pub fn authorities(&self) -> impl Iterator<Item = &System> {
        self.systems.iter().chain(self.scoped.values())
    }

    /// Tells what an identifier is.
    pub fn canonical(&self, written: &Written<'_>, beside: &Beside<'_>) -> Canonical {
        if let Some(system) = self.named(written.system) {
            return told(system, country(system, written));
        }
        if let Some(system) = self.scoped.get(written.system) {
            let organisation = if written.assigner.is_empty() { beside.source } else { written.assigner };
            return Canonical { class: system.class, system: scoped(&system.uri, organisation), gap: None };
        }
        let by_form = self.mixed.get(written.system).copied();
        if by_form.is_some() || written.system.is_empty() {
            return self.by_type(written, beside, by_form.unwrap_or(false));
        }
        self.foreign(written)
    }

    /// The canonical URI of a system, with every other URI that a search for it has to look under. A system that no file names stands
    /// for itself.
    pub fn aliases<'s>(&'s self, system: &'s str) -> Vec<Cow<'s, str>> {
        let Some(known) = self.named(system) else { return vec![Cow::Borrowed(system)] };
        let all = std::iter::once(known.uri.as_str()).chain(known.aliases.iter().map(String::as_str));
        match country(known, &Written { system, ..Written::default() }) {
            Some(country) => all.map(|uri| Cow::Owned(of_country(uri, country))).collect(),
            None => all.map(Cow::Borrowed).collect(),
        }
    }

    /// Every name under which a number may stand that is asked for by `system|value`: the aliases of its system, and the systems of
    /// certificates of any kind where its type stands beside it. The value is empty where any is asked for.
    pub fn names(&self, system: &str, value: &str) -> Vec<Alias> {
        let plain = |system: Cow<'_, str>| Alias { system: system.into_owned(), types: Vec::new() };
        if self.is_mixed(system) {
            let certificates =
                self.systems.iter().filter(|known| !self.types_of(known).is_empty() && is_certificate(known));
            return certificates.flat_map(|known| self.aliases(&known.uri)).map(plain).collect();
        }
        let Some(known) = self.named(system) else { return Vec::new() };
        let mut names: Vec<Alias> = self.aliases(system).into_iter().map(plain).collect();
        if is_certificate(known) {
            let types = self.types_of(known);
            // A valid identity number tells what it is; a bare one was sent as one.
            let tells = form::tells(value) == Some(known.class);
            names.extend(self.mixed.iter().map(|(mixed, by_form)| Alias {
                system: mixed.clone(),
                types: if tells && *by_form { Vec::new() } else { types.clone() },
            }));
        }
        names
    }

    /// The types beside a number of this system, as system and code: those of its own, and the rows of the certificate tables.
    fn types_of(&self, system: &System) -> Vec<(String, String)> {
        let own = system.types.iter().filter_map(|code| code.split_once('|'));
        let mut types: Vec<(String, String)> = own.map(|(of, code)| (of.to_owned(), code.to_owned())).collect();
        for (register, tables) in &self.certificates {
            let rows = tables.iter().flat_map(Table::rows).filter(|row| row.target == system.uri);
            types.extend(rows.map(|row| (register.clone(), row.code.clone())));
        }
        types
    }

    /// Whether numbers of this system may stand under any other that takes certificates of any kind.
    pub fn is_mixed(&self, system: &str) -> bool {
        self.mixed.contains_key(system)
    }

    /// The systems that take certificates of any kind.
    pub fn mixed(&self) -> impl Iterator<Item = &str> {
        self.mixed.keys().map(String::as_str)
    }

    /// The canonical URI of a system or an alias; the same text where it is not known.
    pub fn canonical_uri<'s>(&'s self, system: &'s str) -> Cow<'s, str> {
        let Some(known) = self.named(system) else { return Cow::Borrowed(system) };
        match country(known, &Written { system, ..Written::default() }) {
            Some(country) => Cow::Owned(of_country(&known.uri, country)),
            None => Cow::Borrowed(&known.uri),
        }
    }

    /// The URI under which a profile (`hl7-cn`, `cn-core`) writes a canonical system; the canonical one where it has none of its own.
    pub fn written_for<'s>(&'s self, profile: &str, canonical: &'s str) -> &'s str {
        self.named(canonical).and_then(|known| known.profiles.get(profile)).map_or(canonical, String::as_str)
    }

    /// The canonical URI of the numbers of a class, where one authority assigns them all; of passports, that of a country.
    pub fn of_class(&self, class: Class, authority: &str) -> Option<String> {
        let mut found = self.systems.iter().filter(|system| system.class == class);
        let first = found.next()?;
        match (first.by_country, found.next()) {
            (true, _) => Some(of_country(&first.uri, authority)),
            (false, None) => Some(first.uri.clone()),
            (false, Some(_)) => None,
        }
    }

    /// Whether a file names this system, as canonical URI or alias.
    pub fn knows(&self, system: &str) -> bool {
        self.named(system).is_some() || self.scoped.contains_key(system) || self.mixed.contains_key(system)
    }

    /// Whether a source writes 1 January where it knows only the year.
    pub fn year_only(&self, source: &str) -> bool {
        self.sources.get(source).is_some_and(|facts| facts.year_only)
    }

    fn named(&self, uri: &str) -> Option<&System> {
        if let Some(place) = self.by_uri.get(uri) {
            return self.systems.get(*place);
        }
        // `passport-CHN` is an authority of its own below the passports.
        let (stem, code) = uri.rsplit_once('-')?;
        let known = self.by_uri.get(stem).and_then(|place| self.systems.get(*place));
        known.filter(|system| system.by_country && is_country(code))
    }

    /// A number of a mixed system, or of none: the type decides, else its form.
    fn by_type(&self, written: &Written<'_>, beside: &Beside<'_>, by_form: bool) -> Canonical {
        let own = self.sources.get(beside.source).and_then(|facts| facts.certificates.as_deref());
        let mut gap = None;
        let mut national = false;
        for (system, code) in written.types {
            let register = if system.is_empty() { own.unwrap_or("") } else { system };
            if let Some(tables) = self.certificates.get(register) {
                match self.certificate(tables, code) {
                    Ok(known) => return told(known, country(known, written)),
                    Err(unknown) => gap = gap.or(unknown),
                }
                continue;
            }
            let key = format!("{system}|{code}");
            if let Some(place) = self.by_type.get(&key) {
                let known = &self.systems[*place];
                return told(known, country(known, written));
            }
            if let Some(class) = self.types.get(&key) {
                return Canonical { class: *class, system: written.system.to_owned(), gap: None };
            }
            national |= key == NATIONAL;
        }
        if let Some(known) = self.by_text(written.text) {
            return told(known, country(known, written));
        }
        let bare = written.text.is_empty() && written.types.iter().all(|(_, code)| *code == "NI");
        if ((by_form && bare) || national)
            && let Some(class) = form::class_of(written.value, beside.birth_date, beside.sex)
            && let Some(system) = self.of_class(class, "")
        {
            return Canonical { class, system, gap: None };
        }
        untyped(written, gap.unwrap_or(Gap::Bare))
    }

    /// A number of a system that no file names: it stays in that system, and the type says at most what kind of number it is.
    fn foreign(&self, written: &Written<'_>) -> Canonical {
        let mut gap = None;
        for (system, code) in written.types {
            let key = format!("{system}|{code}");
            if let Some(class) = self.types.get(&key) {
                return Canonical { class: *class, system: written.system.to_owned(), gap: None };
            }
            if key == NATIONAL || self.by_type.contains_key(&key) || self.certificates.contains_key(*system) {
                gap = Some(Gap::UnknownAuthority);
            }
        }
        Canonical { class: Class::Other, system: written.system.to_owned(), gap }
    }

    fn certificate(&self, tables: &[Table], code: &str) -> Result<&System, Option<Gap>> {
        for table in tables {
            if let Translation::Coded(found) = table.translate(code)
                && let Some(known) = self.named(&found.code)
            {
                return Ok(known);
            }
        }
        let head = tables.first().map(Table::head);
        Err(head.map(|head| Gap::UnknownCertificate { table: head.name.clone(), edition: head.version.clone() }))
    }

    /// A kind that is written as text: the names are the same in every register, the digits are not.
    fn by_text(&self, text: &str) -> Option<&System> {
        if text.is_empty() || text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        self.certificates.values().find_map(|tables| self.certificate(tables, text).ok())
    }
}

fn is_certificate(system: &System) -> bool {
    !matches!(
        system.class,
        Class::Anonymous | Class::InsuranceNumber | Class::HealthCard | Class::Visit | Class::MedicalRecord
    )
}

fn told(system: &System, country: Option<&str>) -> Canonical {
    let uri = country.map_or_else(|| system.uri.clone(), |country| of_country(&system.uri, country));
    Canonical { class: system.class, system: uri, gap: None }
}

fn untyped(written: &Written<'_>, gap: Gap) -> Canonical {
    Canonical { class: Class::Untyped, system: written.system.to_owned(), gap: Some(gap) }
}

/// The country of an authority by country: it ends the URI, or assigned the number.
fn country<'w>(system: &System, written: &Written<'w>) -> Option<&'w str> {
    let ending = written.system.rsplit_once('-').map(|(_, code)| code).filter(|code| is_country(code));
    let assigner = Some(written.assigner).filter(|code| is_country(code));
    if system.by_country { ending.or(assigner) } else { None }
}

fn of_country(uri: &str, country: &str) -> String {
    if is_country(country) { format!("{uri}-{country}") } else { uri.to_owned() }
}

/// ISO 3166-1 alpha-3, by its form.
fn is_country(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// A system that is unique within one organisation. A number without one stays in the bare system.
fn scoped(uri: &str, organisation: &str) -> String {
    if organisation.is_empty() { uri.to_owned() } else { format!("{uri}#{organisation}") }
}

/// A national number, of whatever nation (HL7 table 0203).
const NATIONAL: &str = "http://terminology.hl7.org/CodeSystem/v2-0203|NI";

#[cfg(test)]
pub(crate) mod tests;
