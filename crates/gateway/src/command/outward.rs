//! `dukou convert --to`: views of resources become messages, or are written into the messages of which they were made.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dukou_audit::Clock;
use dukou_fhir::{Language, OperationOutcome, json};
use dukou_mapping::{FromFhirError, Outbound, Program, Written};
use dukou_wire::Limits;

use super::convert::{Convert, ConvertError, clock, create, put};
use crate::clock::SystemClock;

/// Why one view became no message.
#[derive(Debug, thiserror::Error)]
enum OutwardError {
    #[error("reading the view")]
    Json(#[from] json::ParseError),
    #[error("reading the message of --complement: {0}")]
    Complement(dukou_wire::NotAMessage),
    #[error("making the message")]
    Make(#[from] FromFhirError),
}

impl Convert {
    /// Converts every view named. False where some became no message, each with its reason beside the others.
    pub(crate) fn outward(
        &self,
        program: &Program,
        place: &dukou_mapping::Site<'_>,
        site: &dukou_wire::Site,
    ) -> Result<bool, ConvertError> {
        let complement = match &self.complement {
            Some(path) => Some(fs::read(path).map_err(|source| ConvertError::Io { path: path.clone(), source })?),
            None => None,
        };
        let mut account = self.account.as_deref().map(create).transpose()?;
        let time = now();
        let mut all_made = true;
        for (n, (file, name)) in self.files()?.iter().enumerate() {
            let raw = fs::read(file).map_err(|source| ConvertError::Io { path: file.clone(), source })?;
            let begun = clock();
            let numbered = format!("{}{:04}", &time[..14], n + 1);
            let outbound = Outbound {
                profile: self.to.as_deref().unwrap_or(""),
                control_id: self.control_id.as_deref().unwrap_or(&numbered),
                time: self.time.as_deref().unwrap_or(&time),
                charset: self.to_charset.as_deref().unwrap_or(""),
            };
            match outward_one(program, place, site, &raw, &outbound, complement.as_deref()) {
                Ok(written) => {
                    if let Some((path, out)) = &mut account {
                        let line = line(name, outbound.profile, &written, begun.elapsed().as_micros());
                        writeln!(out, "{line}").map_err(|source| ConvertError::Io { path: path.clone(), source })?;
                    }
                    self.write_outward(name, &written)?;
                }
                Err(reason) => {
                    let mut text = format!("{}: {reason}", file.display());
                    let mut cause = std::error::Error::source(&reason);
                    while let Some(next) = cause {
                        text.push_str(&format!(": {next}"));
                        cause = next.source();
                    }
                    eprintln!("{text}");
                    all_made = false;
                }
            }
        }
        if let Some((path, mut out)) = account {
            out.flush().map_err(|source| ConvertError::Io { path, source })?;
        }
        Ok(all_made)
    }

    fn write_outward(&self, name: &Path, written: &Written) -> Result<(), ConvertError> {
        let Some(out) = &self.out else {
            for issue in &written.issues {
                eprintln!("{}: {}", issue.expression.join(", "), issue.text.en);
            }
            let standard = |source| ConvertError::Io { path: PathBuf::from("standard output"), source };
            return io::stdout().write_all(&written.bytes).map_err(standard);
        };
        let stem = name.to_string_lossy();
        let stem = stem.strip_suffix(".json").unwrap_or(&stem);
        let stem = stem.strip_suffix(".bundle").unwrap_or(stem);
        put(&out.join(format!("{stem}.hl7")), &written.bytes)?;
        let mut text = Vec::new();
        json::print_pretty(&OperationOutcome { issues: written.issues.clone() }.to_value(Language::English), &mut text);
        text.push(b'\n');
        put(&out.join(format!("{stem}.issues.json")), &text)
    }
}

/// One message from one view.
fn outward_one(
    program: &Program,
    place: &dukou_mapping::Site<'_>,
    site: &dukou_wire::Site,
    raw: &[u8],
    outbound: &Outbound<'_>,
    complement: Option<&[u8]>,
) -> Result<Written, OutwardError> {
    let view = json::parse(raw, &json::Limits::default())?;
    let Some(original) = complement else { return Ok(program.from_fhir(&view, outbound, None, place)?) };
    let opened = program.open(original, &Limits::default(), site);
    let (message, _) = opened.map_err(OutwardError::Complement)?;
    Ok(program.from_fhir(&view, outbound, Some(&message), place)?)
}

/// The account of one view.
fn line(name: &Path, profile: &str, written: &Written, us: u128) -> serde_json::Value {
    let sums = &written.accounts;
    let mut line = serde_json::json!({
        "file": name.to_string_lossy(), "type": profile, "leaves": sums.leaves, "written": sums.written,
        "explained": sums.explained, "reported": sums.reported, "us": u64::try_from(us).unwrap_or(u64::MAX),
    });
    if !sums.reported_paths.is_empty() {
        line["reported_paths"] = sums.reported_paths.clone().into();
    }
    line
}

/// The time of this machine as v2 writes it, in UTC.
fn now() -> String {
    let millis = SystemClock::default().wall_ns() / 1_000_000;
    let text = dukou_fhir::Instant::from_millis(millis).to_string();
    let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
    format!("{digits}+0000")
}
