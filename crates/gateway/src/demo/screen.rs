//! What the demo prints: where it listens, what to try, and each message that crossed.

use crate::demo::traffic::Sender;
use crate::serve::Running;

/// The terminal, or silence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    quiet: bool,
}

impl Screen {
    /// Prints unless told to be quiet.
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Addresses and six things to try.
    pub(crate) fn welcome(self, running: &Running, tokens: &[(&str, String)]) {
        if self.quiet {
            return;
        }
        let fhir = format!("http://{}/fhir", running.fhir);
        let token = tokens.iter().find(|(name, _)| *name == "system").map_or("", |(_, token)| token.as_str());
        println!("dukou 渡口 is ready. Stop it with Ctrl-C.\n");
        println!("  FHIR R4   {fhir}");
        println!("  HL7 v2    mllp://{}", running.mllp[0]);
        println!("  Health    http://{}/ready", running.admin);
        println!("  Ledger    {}\n", running.site.audit_folder().display());
        println!(
            "Simulated HIS, LIS, exam booking and clinic send over MLLP. Six things to try in another terminal:\n"
        );
        println!("  T='Authorization: Bearer {token}'");
        println!("  curl -s -H \"$T\" '{fhir}/Patient?name=王&_pretty=true'");
        println!("  curl -s -H \"$T\" '{fhir}/DiagnosticReport?patient.identifier=10000002&_pretty=true'");
        println!(
            "  curl -s -H \"$T\" '{fhir}/Observation?code=http://loinc.org|2345-7&value-quantity=gt6&_pretty=true'"
        );
        println!(
            "  curl -si -H \"$T\" '{fhir}/Appointment?date=ge2026-01-01&_summary=count' | grep -i x-audit-receipt"
        );
        println!("  {}", card(&running.fhir.to_string()));
        println!("  dukou audit verify {}\n", running.site.audit_folder().display());
        println!("{:<10} {:<28} {:>6}  {:<8} answer", "sender", "message", "bytes", "charset");
    }

    /// One message that crossed, with the code of its answer.
    pub(crate) fn arrived(self, sender: Sender, message: &[u8], answer: &[u8]) {
        if self.quiet {
            return;
        }
        let charset = if std::str::from_utf8(message).is_ok() { "UTF-8" } else { "GB18030" };
        let code = answer.windows(4).position(|w| w == b"MSA|").and_then(|at| answer.get(at + 4..at + 6));
        let code = code.map_or_else(|| "?".to_owned(), |code| String::from_utf8_lossy(code).into_owned());
        println!("{:<10} {:<28} {:>6}  {charset:<8} {code}", sender.client(), sender.describes(), message.len());
    }
}

/// A kiosk reads the card of the second person whom the simulated HIS registers.
fn card(address: &str) -> String {
    let payload = r#"{"name": "李珅", "sex": "男", "birthDate": "1979-07-07", "idNumber": "860101197907078011", "validUntil": "长期"}"#;
    format!(
        "curl -s -H \"$T\" -H 'Content-Type: application/json' 'http://{address}/identity/capture' -d '{{\"request-id\": \"k1-1\", \"medium\": \
         \"resident-card\", \"terminal\": \"K-1\", \"operator\": \"0231\", \"purpose\": \"TREAT\", \"payload\": {payload}}}'"
    )
}
