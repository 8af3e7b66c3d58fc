//! The site's secret as a file, and the desks of the configuration as captures know them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dukou_audit::{Gate, Random};
use dukou_exchange::{CaptureSite, HistorySource, TerminalGroup};
use dukou_fhir::Offset;
use dukou_identity::SiteKey;
use dukou_identity::capture::LifeRules;

use crate::config::Identity;
use crate::tls::refuse_open_key;
use crate::upstream::{SourceError, Upstream};

/// Why the secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SiteKeyError {
    /// It cannot be read.
    #[error("reading the site's secret {}: `dukou init` makes one", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It can be read by others.
    #[error("the site's secret {} can be read by others: chmod 600 it and replace it", .0.display())]
    Readable(PathBuf),
    /// It is not of the form.
    #[error("the site's secret {} is not 32 bytes as base64url", .0.display())]
    Malformed(PathBuf),
}

/// Why captures cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    /// The secret cannot be used.
    #[error(transparent)]
    Key(#[from] SiteKeyError),
    /// A source of history cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// What captures need, of the configuration.
pub(crate) fn site(settings: &Identity, site: &str, zone: Offset, gate: &Gate) -> Result<CaptureSite, CaptureError> {
    let mut sources: Vec<Arc<dyn HistorySource>> = Vec::with_capacity(settings.source.len());
    for source in &settings.source {
        sources.push(Arc::new(Upstream::new(source, gate)?));
    }
    let usual = LifeRules::usual(zone);
    let minutes = |count: u32| i64::from(count) * 60_000;
    let groups = settings.terminal_group.get_ref().iter().map(|group| TerminalGroup {
        name: group.name.get_ref().clone(),
        terminals: group.terminals.get_ref().clone(),
        department: group.department.clone().unwrap_or_else(|| group.name.get_ref().clone()),
    });
    Ok(CaptureSite {
        key: site_key(settings)?,
        life: LifeRules {
            outpatient_ms: minutes(*settings.outpatient_minutes.get_ref()),
            unbound_ms: minutes(*settings.unbound_minutes.get_ref()),
            ..usual
        },
        groups: groups.collect(),
        visit_card_system: settings
            .visit_card_system
            .clone()
            .unwrap_or_else(|| format!("https://dukou.dev/fhir/system/{site}")),
        history_ms_max: *settings.history_ms_max.get_ref(),
        sources,
    })
}

/// The secret of the site.
pub(crate) fn site_key(settings: &Identity) -> Result<SiteKey, SiteKeyError> {
    let path = &settings.key;
    refuse_open_key(path).map_err(|_| SiteKeyError::Readable(path.clone()))?;
    let text = fs::read_to_string(path).map_err(|source| SiteKeyError::Io { path: path.clone(), source })?;
    let bytes = URL_SAFE_NO_PAD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let secret = bytes.ok_or_else(|| SiteKeyError::Malformed(path.clone()))?;
    Ok(SiteKey::new(secret, settings.key_id))
}

/// The text of a new secret.
pub(crate) fn new_secret(random: &dyn Random) -> String {
    let mut secret = [0_u8; 32];
    random.fill(&mut secret);
    URL_SAFE_NO_PAD.encode(secret)
}

/// Where `dukou init` puts the secret, below the site's folder.
pub(crate) fn secret_file(dir: &Path) -> PathBuf {
    dir.join("keys/site.key")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use dukou_audit::SeededRandom;

    use super::{SiteKeyError, new_secret, site_key};
    use crate::config::Config;

    #[test]
    fn a_secret_that_others_can_read_or_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.key");
        let text = format!(
            "[node]\nsite = \"a\"\ndata = \"d\"\nkeys = \"k\"\npartners = \"p\"\n[listen]\nadmin = \"127.0.0.1:0\"\n[listen.fhir]\n\
             address = \"127.0.0.1:0\"\n[identity]\nkey = {path:?}\n[[identity.terminal_group]]\nname = \"g\"\nterminals = [\"*\"]\n"
        );
        let settings = Config::parse("dukou.toml", &text).unwrap().identity.unwrap();
        assert!(matches!(site_key(&settings), Err(SiteKeyError::Io { .. })));
        let secret = new_secret(&SeededRandom::new(3));
        let write = |text: &str, mode: u32| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        write(&secret, 0o644);
        assert!(matches!(site_key(&settings), Err(SiteKeyError::Readable(_))));
        write(&secret[1..], 0o600);
        assert!(matches!(site_key(&settings), Err(SiteKeyError::Malformed(_))));
        write(&format!("{secret}\n"), 0o600);
        assert_eq!(site_key(&settings).unwrap().key_id(), 1);
    }
}
