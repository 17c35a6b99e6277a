//! What a reload replaces, as one value.

use std::sync::Arc;

use super::access::Access;
use crate::config::Config;
use crate::conn::Terms;
use crate::gateway::Gateway;
use crate::rules::Rules;
use crate::server::StartError;
use crate::tls::{TlsFiles, server_config};

/// Everything that the configuration decides and that may change while the
/// server runs. It is made whole or not at all, and swapped at once: a request
/// sees one configuration.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) access: Access,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) rules: Arc<Rules>,
    /// Who issues, in JWS tokens and in the well-known documents.
    pub(crate) issuer: String,
    /// For new connections of the public listener.
    pub(crate) public: Terms,
    /// For new connections of the internal listener.
    pub(crate) internal: Terms,
}

impl Live {
    /// What `config` says. Reads the files that it names.
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let rules = Rules::load(&config.rules).map_err(|cause| StartError::Rules { cause })?;
        let [public, internal] = Self::terms(config)?;
        Ok(Self {
            access: Access::new(config.trusted_peers.clone(), config.internal_hosts.clone())
                .caching(config.cache_seconds)
                .limiting(config.failed_attempts_per_minute),
            gateway: Arc::new(Gateway::new(config)?),
            rules: Arc::new(rules),
            issuer: config.issuer_at(config.listen),
            public,
            internal,
        })
    }

    /// What new connections are served under, the public ones first.
    pub(crate) fn terms(config: &Config) -> Result<[Terms; 2], StartError> {
        let terms = |files: Option<&TlsFiles>| -> Result<Terms, StartError> {
            Ok(Terms {
                limits: config.limits,
                tls: files.map(server_config).transpose()?,
            })
        };
        Ok([
            terms(config.tls.as_ref())?,
            terms(config.internal_tls.as_ref())?,
        ])
    }
}
