//! `dukou identity review`: the queue of findings that wait for a person.

use serde_json::Value;

use super::door::{Caller, Door};
use super::{IdentityError, lookup, parameters, shown};
use crate::command::say;

/// Which finding, and what to do about it. Without an id the queue is listed.
#[derive(Debug, clap::Args)]
pub(crate) struct Review {
    /// Id of a finding, as the list shows it.
    task: Option<String>,
    /// same, not-same, ask-source, postpone or undo; without it the finding is shown.
    #[arg(requires = "reason")]
    action: Option<String>,
    /// Why, for the journal.
    #[arg(long)]
    reason: Option<String>,
    /// Findings at most.
    #[arg(long, default_value_t = 50)]
    count: u32,
    #[command(flatten)]
    caller: Caller,
}

impl Review {
    /// Lists, shows or acts. False: the queue is empty.
    pub(super) fn run(&self) -> Result<bool, IdentityError> {
        self.caller.with(|door| match (&self.task, &self.action) {
            (None, _) => self.list(door),
            (Some(task), None) => self.one(door, lookup::id(task)?),
            (Some(task), Some(action)) => {
                let said = parameters(&[("action", action), ("reason", self.reason.as_deref().unwrap_or_default())]);
                let task = door.post(&format!("Task/{}/$decide", lookup::id(task)?), &said)?;
                if task["resourceType"] != "Task" {
                    for part in shown::list(&task, "parameter") {
                        let name = part["name"].as_str().unwrap_or_default();
                        say(format_args!("{name}: {}", part["valueString"].as_str().unwrap_or_default()));
                    }
                    return Ok(true);
                }
                head(&task);
                if task["status"] == "in-progress" {
                    say(format_args!("  a second person has to say the same before the two are joined"));
                }
                Ok(true)
            }
        })
    }

    fn list(&self, door: &Door<'_>) -> Result<bool, IdentityError> {
        let count = self.count.to_string();
        let waiting =
            [("code", CODE), ("status", "requested,in-progress,on-hold"), ("_sort", "authored-on"), ("_count", &count)];
        let found = door.search("Task", &waiting)?;
        let mut tasks: Vec<&Value> = shown::list(&found, "entry").iter().map(|entry| &entry["resource"]).collect();
        tasks.retain(|task| task["resourceType"] == "Task");
        tasks.sort_by_key(|task| ["asap", "urgent"].iter().position(|p| task["priority"] == *p).unwrap_or(2));
        for task in &tasks {
            head(task);
        }
        if tasks.is_empty() {
            say(format_args!("nothing waits for a person"));
        }
        Ok(!tasks.is_empty())
    }

    fn one(&self, door: &Door<'_>, id: &str) -> Result<bool, IdentityError> {
        let task = door.get(&format!("Task/{id}"))?;
        head(&task);
        for record in records(&task) {
            say(format_args!("{record}"));
            for line in shown::lines(&door.get(&record)?, self.caller.show) {
                say(format_args!("{line}"));
            }
        }
        for part in shown::list(&task, "input").iter().chain(shown::list(&task, "output")) {
            let name = shown::list(&part["type"], "coding").first().and_then(|coding| coding["code"].as_str());
            say(format_args!("  {:<8} {}", name.unwrap_or("?"), part["valueString"].as_str().unwrap_or_default()));
        }
        Ok(true)
    }
}

/// One finding in a line.
fn head(task: &Value) {
    let coded = |name: &str| shown::list(&task[name], "coding").first().and_then(|coding| coding["code"].as_str());
    let kind = coded("reasonCode").or(coded("code"));
    let text = |name: &str| task[name].as_str().unwrap_or("-").to_owned();
    let day: String = text("authoredOn").chars().take(16).collect();
    say(format_args!(
        "{}  {:<7} {:<19} {:<11} {day}  {}",
        text("id"),
        text("priority"),
        kind.unwrap_or("?"),
        text("status"),
        records(task).join(" ")
    ));
}

fn records(task: &Value) -> Vec<String> {
    let named = ["focus", "for"].iter().filter_map(|name| task[name]["reference"].as_str());
    named.filter(|name| name.starts_with("Patient/")).map(str::to_owned).collect()
}

/// Findings, and merges that wait for a second person.
const CODE: &str = "https://dukou.dev/fhir/CodeSystem/task|identity-review,https://dukou.dev/fhir/CodeSystem/identity-review|merge-request";
