//! TLS of a listener: certificate, key and client certificates, by rustls on
//! ring. TLS 1.2 and 1.3 (RFC 5246, RFC 8446); HTTP/2 or HTTP/1.1 by ALPN.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{Error as PemError, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{
    CertificateError, Error, InconsistentKeys, RootCertStore, ServerConfig, version,
};

/// What a listener proves itself with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The certificate chain, leaf first, as PEM.
    pub certificate: PathBuf,
    /// The private key of the leaf, as PEM.
    pub key: PathBuf,
    /// Which clients may connect. Default: all.
    pub clients: Option<ClientCertificates>,
}

impl TlsFiles {
    /// Every file.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let authorities = self.clients.as_ref().map(|clients| &*clients.authorities);
        [&*self.certificate, &*self.key]
            .into_iter()
            .chain(authorities)
    }
}

/// Who must show a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCertificates {
    /// The certificates that sign those of clients, as PEM.
    pub authorities: PathBuf,
    /// Whether a client may show none. One that it shows must be good.
    pub optional: bool,
}

/// Why a listener cannot prove itself. Never quotes the key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// A file holds nothing of its kind.
    Nothing {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The key is not that of the certificate.
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The certificate is not valid now.
    NotNow {
        /// Which.
        path: PathBuf,
        /// Whether it was valid once.
        expired: bool,
    },
    /// A file cannot be used.
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, cause } => {
                write!(f, "cannot read {}: {cause}", path.display())
            }
            Self::Nothing { path, expected } => {
                write!(f, "{} holds no {expected}", path.display())
            }
            Self::Mismatch { certificate, key } => write!(
                f,
                "the key in {} is not that of the certificate in {}",
                key.display(),
                certificate.display()
            ),
            Self::NotNow { path, expired } => {
                let when = if *expired {
                    "has expired"
                } else {
                    "is not valid yet"
                };
                write!(f, "the certificate in {} {when}; renew it", path.display())
            }
            Self::Unusable { path, cause } => {
                write!(f, "{} cannot be used: {cause}", path.display())
            }
        }
    }
}

impl core::error::Error for TlsError {}

/// What handshakes are made with.
pub(crate) fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let chain = certificates(&files.certificate)?;
    let key = key(&files.key)?;
    check_period(&files.certificate, &chain, &provider)?;
    let unusable = |path: &Path| {
        let path = path.to_owned();
        move |error: &dyn fmt::Display| TlsError::Unusable {
            path,
            cause: error.to_string(),
        }
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| unusable(&files.certificate)(&error))?;
    let clients = match &files.clients {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(clients) => client_verifier(clients, &provider)?,
    };
    let mut config = builder
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .map_err(|error| {
            if error != Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
                return unusable(&files.key)(&error);
            }
            TlsError::Mismatch {
                certificate: files.certificate.clone(),
                key: files.key.clone(),
            }
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem(path, &error, "certificate"))?;
    if read.is_empty() {
        return Err(pem(path, &PemError::NoItemsFound, "certificate"));
    }
    Ok(read)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| pem(path, &error, "private key without a passphrase"))
}

/// The reader's own messages quote what it read.
fn pem(path: &Path, error: &PemError, expected: &'static str) -> TlsError {
    let path = path.to_owned();
    if let PemError::Io(error) = error {
        let cause = error.to_string();
        return TlsError::Unreadable { path, cause };
    }
    if matches!(error, PemError::NoItemsFound) {
        return TlsError::Nothing { path, expected };
    }
    let cause = "it is not PEM".to_owned();
    TlsError::Unusable { path, cause }
}

fn client_verifier(
    clients: &ClientCertificates,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let path = &clients.authorities;
    let unusable = |cause: String| TlsError::Unusable {
        path: path.clone(),
        cause,
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    let builder =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if clients.optional {
        builder.allow_unauthenticated()
    } else {
        builder
    };
    builder.build().map_err(|error| unusable(error.to_string()))
}

/// Refuses a leaf that no client would take for its dates. What else a client
/// may think of it, such as who signed it, is not ours to say.
fn check_period(
    path: &Path,
    chain: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<(), TlsError> {
    let (Some((leaf, rest)), Some(top)) = (chain.split_first(), chain.last()) else {
        return Ok(());
    };
    let mut roots = RootCertStore::empty();
    roots.add(top.clone()).map_err(|_| TlsError::Unusable {
        path: path.to_owned(),
        cause: "a certificate in it cannot be read".to_owned(),
    })?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    let (Ok(verifier), Ok(name)) = (verifier, ServerName::try_from("localhost")) else {
        return Ok(());
    };
    let seen = verifier.verify_server_cert(leaf, rest, &name, &[], UnixTime::now());
    let expired = match seen {
        Err(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => true,
        Err(Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => false,
        _ => return Ok(()),
    };
    Err(TlsError::NotNow {
        path: path.to_owned(),
        expired,
    })
}
