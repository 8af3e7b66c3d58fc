//! `dukou identity lookup`: records by id, by identifier, or by what somebody says.

use serde_json::{Value, json};

use super::door::Caller;
use super::{IdentityError, shown};
use crate::command::say;

/// Whom to look for. A value `-` is read from standard input, so that it stands in no history and no list of processes.
#[derive(Debug, clap::Args)]
pub(crate) struct Lookup {
    /// Logical id of a record.
    record: Option<String>,
    /// An identifier as SYSTEM|VALUE, or a value of any system.
    #[arg(long, conflicts_with = "record")]
    identifier: Option<String>,
    /// The name as written.
    #[arg(long)]
    name: Option<String>,
    /// The birth date, 1990-12-31.
    #[arg(long)]
    birth_date: Option<String>,
    /// male, female, other or unknown.
    #[arg(long)]
    sex: Option<String>,
    /// A telephone number.
    #[arg(long)]
    phone: Option<String>,
    /// Records at most.
    #[arg(long, default_value_t = 10)]
    count: u32,
    #[command(flatten)]
    caller: Caller,
}

impl Lookup {
    /// Prints what is found. False: nothing.
    pub(super) fn run(&self) -> Result<bool, IdentityError> {
        let identifier = typed(self.identifier.as_deref(), "identifier")?;
        let asked = [&self.name, &self.birth_date, &self.sex, &self.phone].iter().any(|said| said.is_some());
        let person = self.person(identifier.as_deref())?;
        self.caller.with(|door| {
            let found = match (&self.record, &identifier) {
                (Some(record), _) => json!({"entry": [{"resource": door.get(&format!("Patient/{}", id(record)?))?}]}),
                (None, Some(identifier)) if !asked => {
                    let count = self.count.to_string();
                    door.search("Patient", &[("identifier", identifier), ("_count", &count)])?
                }
                (None, _) if asked => door.post("Patient/$match", &person)?,
                (None, _) => {
                    return Err(IdentityError::Usage("name a record, an identifier, or what is known of the person"));
                }
            };
            Ok(self.print(&found))
        })
    }

    /// The question of `$match`.
    fn person(&self, identifier: Option<&str>) -> Result<Value, IdentityError> {
        let mut patient = json!({"resourceType": "Patient"});
        if let Some(name) = typed(self.name.as_deref(), "name")? {
            patient["name"] = json!([{"text": name}]);
        }
        if let Some(date) = typed(self.birth_date.as_deref(), "birth date")? {
            patient["birthDate"] = json!(date);
        }
        if let Some(sex) = &self.sex {
            patient["gender"] = json!(sex);
        }
        if let Some(phone) = typed(self.phone.as_deref(), "phone")? {
            patient["telecom"] = json!([{"system": "phone", "value": phone}]);
        }
        if let Some(identifier) = identifier {
            let (system, value) = identifier.split_once('|').unwrap_or(("", identifier));
            let system = Some(system).filter(|system| !system.is_empty());
            patient["identifier"] =
                system.map_or_else(|| json!([{"value": value}]), |system| json!([{"system": system, "value": value}]));
        }
        let resource = json!({"name": "resource", "resource": patient});
        let count = json!({"name": "count", "valueInteger": self.count});
        Ok(json!({"resourceType": "Parameters", "parameter": [resource, count]}))
    }

    fn print(&self, found: &Value) -> bool {
        let patients =
            shown::list(found, "entry").iter().filter(|entry| entry["resource"]["resourceType"] == "Patient");
        let mut any = false;
        for entry in patients {
            any = true;
            say(format_args!("Patient/{}{}", entry["resource"]["id"].as_str().unwrap_or("?"), grade(entry)));
            for line in shown::lines(&entry["resource"], self.caller.show) {
                say(format_args!("{line}"));
            }
        }
        for note in shown::notes(found) {
            say(format_args!("note: {note}"));
        }
        if !any {
            say(format_args!("no record was found"));
        }
        any
    }
}

/// What `$match` says of an entry: grade and probability.
fn grade(entry: &Value) -> String {
    let search = &entry["search"];
    let code = shown::list(search, "extension").iter().find_map(|one| one["valueCode"].as_str());
    match (code, search["score"].as_f64()) {
        (Some(code), Some(score)) => format!("  {code} {score:.3}"),
        _ => String::new(),
    }
}

/// A value, or a line of standard input for `-`.
fn typed(value: Option<&str>, what: &str) -> Result<Option<String>, IdentityError> {
    match value {
        Some("-") => {
            eprint!("{what}: ");
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map_err(IdentityError::Input)?;
            Ok(Some(line.trim().to_owned()))
        }
        other => Ok(other.map(str::to_owned)),
    }
}

/// A logical id, with or without its type before it.
pub(super) fn id(text: &str) -> Result<&str, IdentityError> {
    let id = text.rsplit('/').next().unwrap_or(text);
    let fits = dukou_fhir::LogicalId::parse(id).is_some();
    if fits { Ok(id) } else { Err(IdentityError::Usage("an id is 1 to 64 of A-Z, a-z, 0-9, - and .")) }
}
