//! All TLS set-up: rustls with aws-lc-rs, TLS 1.2 and 1.3, client certificates per listener.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::config::Tls;

/// Why a listener's TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A PEM file is missing or holds something else.
    #[error("reading {what} {}", file.display())]
    Pem {
        /// What the file should hold.
        what: &'static str,
        /// Its path.
        file: PathBuf,
        /// What the reader found.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The key file can be read by others.
    #[error("private key {} is readable by others: chmod 600 it", .0.display())]
    KeyReadable(PathBuf),
    /// The authorities or the revocation lists do not make a verifier.
    #[error("checking client certificates by {}{}", authorities.display(), beside(lists.as_deref()))]
    Verifier {
        /// The file of the authorities.
        authorities: PathBuf,
        /// The file of the revocation lists.
        lists: Option<PathBuf>,
        /// What rustls said.
        #[source]
        source: rustls::server::VerifierBuilderError,
    },
    /// Certificate and key do not fit each other, or are of a kind that is not served.
    #[error("using certificate {}", file.display())]
    Certificate {
        /// The certificate file.
        file: PathBuf,
        /// What rustls said.
        #[source]
        source: rustls::Error,
    },
}

/// Builds the server side of one listener. `alpn` are the protocols offered, empty for MLLP.
pub(crate) fn server_config(tls: &Tls, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
    refuse_open_key(&tls.key)?;
    let chain = certificates("certificate", &tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|source| pem("private key", &tls.key, source))?;
    let builder = ServerConfig::builder();
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => builder.with_client_cert_verifier(verifier(tls, ca)?),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|source| TlsError::Certificate { file: tls.certificate.clone(), source })?;
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    Ok(Arc::new(config))
}

/// SHA-256 of the peer's own certificate, where it showed one.
pub(crate) fn peer_certificate(connection: &rustls::ServerConnection) -> Option<[u8; 32]> {
    use sha2::Digest;
    connection.peer_certificates()?.first().map(|der| sha2::Sha256::digest(der.as_ref()).into())
}

fn verifier(tls: &Tls, ca: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates("client authorities", ca)? {
        roots.add(authority).map_err(|source| TlsError::Certificate { file: ca.to_path_buf(), source })?;
    }
    let mut builder = WebPkiClientVerifier::builder(Arc::new(roots));
    if let Some(file) = &tls.client_crl {
        let lists = CertificateRevocationListDer::pem_file_iter(file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|source| pem("revocation lists", file, source))?;
        // An expired list refuses new connections: a partner whose list is stale cannot be told from a revoked one.
        builder = builder.with_crls(lists).enforce_revocation_expiration();
    }
    if !tls.client_certificate_required {
        builder = builder.allow_unauthenticated();
    }
    let (authorities, lists) = (ca.to_path_buf(), tls.client_crl.clone());
    builder.build().map_err(|source| TlsError::Verifier { authorities, lists, source })
}

fn beside(lists: Option<&Path>) -> String {
    lists.map_or_else(String::new, |file| {
        format!(" and {} (revocation lists of version 2, RFC 5280, 5.1)", file.display())
    })
}

fn certificates(what: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| pem(what, file, source))
}

fn pem(what: &'static str, file: &Path, source: rustls_pki_types::pem::Error) -> TlsError {
    TlsError::Pem { what, file: file.to_path_buf(), source }
}

/// A key that others can read is no secret; the start is refused.
pub(crate) fn refuse_open_key(file: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::PermissionsExt;
    match std::fs::metadata(file) {
        Ok(meta) if meta.permissions().mode() & 0o077 != 0 => Err(TlsError::KeyReadable(file.to_path_buf())),
        _ => Ok(()),
    }
}
