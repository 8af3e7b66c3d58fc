//! `[identity]`: the site's secret, paths of desks, and times of one-time card capture.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

/// One-time card capture. Without this section no card is captured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// File with the site's secret: 32 random bytes as base64url, readable by its owner alone. `dukou init` makes it. Tokens that were
    /// given out under another secret count no more.
    pub key: PathBuf,
    /// Tells this secret from those before and after it.
    #[serde(default = "key_id")]
    pub key_id: u32,
    /// Canonical system of the hospital's own cards (就诊卡); without it `https://dukou.dev/fhir/system/` and the name of the site.
    pub visit_card_system: Option<String>,
    /// Minutes that a capture counts on a day visit; never past midnight, but in an emergency.
    #[serde(default = "outpatient_minutes")]
    pub outpatient_minutes: Spanned<u32>,
    /// Minutes in which a capture without encounter must be bound to one.
    #[serde(default = "unbound_minutes")]
    pub unbound_minutes: Spanned<u32>,
    /// Milliseconds in which a history page is put together.
    #[serde(default = "history_ms")]
    pub history_ms_max: Spanned<u64>,
    /// FHIR servers beside this node that are asked for a person's history.
    #[serde(default)]
    pub source: Vec<HistorySource>,
    /// Paths of desks: a token counts at all terminals of one group and nowhere else.
    pub terminal_group: Spanned<Vec<TerminalGroup>>,
}

/// A path of desks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerminalGroup {
    /// Its name.
    pub name: Spanned<String>,
    /// Names of terminals; `K-*` stands for all that begin with `K-`.
    pub terminals: Spanned<Vec<String>>,
    /// The department in figures; without it the name of the group.
    pub department: Option<String>,
}

/// A FHIR server that knows something of the same people.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistorySource {
    /// Its name in answers, metrics and the ledger.
    pub name: Spanned<String>,
    /// Its base, such as `https://emr.example.org/fhir`; plain HTTP on loopback only.
    pub base: Spanned<String>,
    /// File with the bearer token that it wants, mode 0600.
    pub token: Option<PathBuf>,
    /// Authorities that its certificate comes from; needed with https.
    pub ca: Option<PathBuf>,
    /// Canonical systems of the numbers that it may be told; it is asked by these and no others.
    pub systems: Spanned<Vec<String>>,
}

impl HistorySource {
    fn check(&self) -> Result<(), (usize, String)> {
        let (name, base) = (self.name.get_ref(), self.base.get_ref());
        let fault = |at: usize, text: &str| Err((at, format!("source '{name}': {text}")));
        let loopback = ["http://127.", "http://localhost", "http://[::1]"].iter().any(|local| base.starts_with(local));
        match (base.starts_with("https://"), loopback) {
            (true, _) if self.ca.is_none() => {
                return fault(self.base.span().start, "https needs ca, a file of authorities");
            }
            (true, _) | (_, true) => {}
            (false, false) => return fault(self.base.span().start, "write https://..., or http:// on loopback"),
        }
        if self.systems.get_ref().is_empty() {
            return fault(self.systems.span().start, "name the systems of the numbers that it may be told");
        }
        Ok(())
    }
}

impl Identity {
    /// What is wrong, and where in the text it stands.
    pub(super) fn check(&self) -> Result<(), (usize, String)> {
        let fault = |at: usize, text: &str| Err((at, text.to_owned()));
        if !(1..=24 * 60).contains(self.outpatient_minutes.get_ref()) {
            return fault(self.outpatient_minutes.span().start, "identity.outpatient_minutes is 1 to 1440");
        }
        if !(1..=120).contains(self.unbound_minutes.get_ref()) {
            return fault(self.unbound_minutes.span().start, "identity.unbound_minutes is 1 to 120");
        }
        if !(100..=9_500).contains(self.history_ms_max.get_ref()) {
            let text = "identity.history_ms_max is 100 to 9500: the whole answer has 10 seconds";
            return fault(self.history_ms_max.span().start, text);
        }
        self.source.iter().try_for_each(HistorySource::check)?;
        let groups = self.terminal_group.get_ref();
        if groups.is_empty() {
            return fault(self.terminal_group.span().start, "[[identity.terminal_group]] is needed: name the desks");
        }
        for (place, group) in groups.iter().enumerate() {
            let name = group.name.get_ref();
            if name.is_empty() || groups[..place].iter().any(|earlier| earlier.name.get_ref() == name) {
                let text =
                    format!("terminal group '{name}' stands here twice or has no name: give each a name of its own");
                return Err((group.name.span().start, text));
            }
            let terminals = group.terminals.get_ref();
            let bad = terminals.iter().find(|name| name.is_empty() || name[..name.len() - 1].contains('*'));
            if let (Some(bad), _) | (None, Some(bad)) = (bad, terminals.is_empty().then_some(name)) {
                let text =
                    format!("terminals of '{name}': '{bad}' names none; write names such as \"K-01\" or \"K-*\"");
                return Err((group.terminals.span().start, text));
            }
        }
        Ok(())
    }
}

fn key_id() -> u32 {
    1
}

fn outpatient_minutes() -> Spanned<u32> {
    Spanned::new(0..0, 12 * 60)
}

fn unbound_minutes() -> Spanned<u32> {
    Spanned::new(0..0, 15)
}

fn history_ms() -> Spanned<u64> {
    Spanned::new(0..0, 9_000)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const NODE: &str = "[node]\nsite = \"a01\"\ndata = \"data\"\nkeys = \"keys\"\npartners = \"partners\"\n[listen]\n\
                        admin = \"127.0.0.1:0\"\n[listen.fhir]\naddress = \"127.0.0.1:0\"\n[identity]\nkey = \"keys/site.key\"\n";

    #[test]
    fn each_fault_of_the_identity_section_is_named_with_its_line() {
        let group = "[[identity.terminal_group]]\nname = \"desk\"\nterminals = [\"K-*\"]\n";
        for (text, line, words) in [
            (format!("outpatient_minutes = 0\n{group}"), 12, "outpatient_minutes"),
            (format!("unbound_minutes = 121\n{group}"), 12, "unbound_minutes"),
            (format!("history_ms_max = 10000\n{group}"), 12, "10 seconds"),
            ("terminal_group = []\n".to_owned(), 12, "name the desks"),
            (format!("{group}{group}"), 16, "twice"),
            (group.replace("K-*", "*K"), 14, "'*K'"),
            (group.replace("\"K-*\"", ""), 14, "names none"),
            (
                format!(
                    "{group}[[identity.source]]\nname = \"emr\"\nbase = \"http://emr/fhir\"\nsystems = [\"urn:s\"]\n"
                ),
                17,
                "loopback",
            ),
            (
                format!(
                    "{group}[[identity.source]]\nname = \"emr\"\nbase = \"https://emr/fhir\"\nsystems = [\"urn:s\"]\n"
                ),
                17,
                "ca",
            ),
            (format!("kee = 1\n{group}"), 12, "did you mean 'key'"),
        ] {
            let error = Config::parse("dukou.toml", &format!("{NODE}{text}")).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.text.contains(words), "{error}");
        }
        let good = Config::parse("dukou.toml", &format!("{NODE}{group}")).unwrap().identity.unwrap();
        assert_eq!((*good.outpatient_minutes.get_ref(), *good.history_ms_max.get_ref()), (720, 9_000));
    }
}
