//! The keys of TLS: which belong together.

use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;
use crate::tls::{ClientCertificates, TlsFiles};

/// Whether clients of the internal listener must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClientCertificate {
    Required,
    Optional,
}

/// What the text of a [`ClientCertificate`] must be.
pub(super) const CLIENT_CERTIFICATE: &str = "`required` or `optional`";

impl core::str::FromStr for ClientCertificate {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "required" => Ok(Self::Required),
            "optional" => Ok(Self::Optional),
            _ => Err(()),
        }
    }
}

/// The certificate and key of a listener. `names` are those of the two keys.
pub(super) fn pair(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    names: [&'static str; 2],
) -> Result<Option<TlsFiles>, ConfigError> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
            certificate,
            key,
            clients: None,
        })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(ConfigError::Together {
            names: names.join(" and "),
        }),
    }
}

/// Adds who must show a certificate.
pub(super) fn clients(
    files: &mut Option<TlsFiles>,
    authorities: Option<PathBuf>,
    certificate: Option<ClientCertificate>,
) -> Result<(), ConfigError> {
    let together = |names: &str| ConfigError::Together {
        names: names.to_owned(),
    };
    match (files, authorities, certificate) {
        (_, None, None) => Ok(()),
        (_, None, Some(_)) => Err(together(
            "internal_client_certificate and internal_client_ca",
        )),
        (None, Some(_), _) => Err(together("internal_client_ca and internal_tls_certificate")),
        (Some(files), Some(authorities), certificate) => {
            files.clients = Some(ClientCertificates {
                authorities,
                optional: certificate == Some(ClientCertificate::Optional),
            });
            Ok(())
        }
    }
}
