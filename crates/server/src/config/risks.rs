//! What a configuration allows that somebody may regret.

use core::net::SocketAddr;
use std::path::Path;

use super::Config;
use crate::server::{StartError, check_reachable};
use crate::service::Live;

/// Something that is legal and that somebody may regret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Risk {
    /// For programs; it stays the same.
    pub code: &'static str,
    /// What may happen, for people.
    pub message: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl Risk {
    const fn new(code: &'static str, remedy: &'static str, message: String) -> Self {
        Self {
            code,
            message,
            remedy,
        }
    }
}

impl Config {
    /// Whether a server would take this: reads the files that it names. Opens
    /// neither store nor sockets.
    ///
    /// # Errors
    ///
    /// [`StartError`], as a server would answer.
    pub fn verify(&self) -> Result<(), StartError> {
        check_reachable(self)?;
        Live::new(self).map(drop)
    }

    /// What is legal and risky.
    #[must_use]
    pub fn risks(&self) -> Vec<Risk> {
        let mut risks = Vec::new();
        if reachable(self.internal_listen) && self.internal_tls.is_none() {
            risks.push(Risk::new(
                "internal_in_the_clear",
                "set internal_tls_certificate and internal_tls_key, or listen on 127.0.0.1",
                format!(
                    "internal_listen {} can be reached from other machines without TLS: admin keys \
                 and tokens travel in the clear unless something in front encrypts",
                    self.internal_listen
                ),
            ));
        }
        if reachable(self.listen) && self.tls.is_none() {
            risks.push(Risk::new("public_in_the_clear", "set tls_certificate and tls_key, or put a proxy in front that encrypts", format!(
                "listen {} can be reached from other machines without TLS: tokens travel in the \
                 clear unless something in front encrypts",
                self.listen
            )));
        }
        for peers in &self.trusted_peers {
            if peers.prefix_len() == 0 {
                risks.push(Risk::new(
                    "everybody_is_trusted",
                    "name the addresses of your proxies and nothing else",
                    format!(
                        "trusted_peers {peers} is everybody: anyone who reaches the internal \
                     listener may ask for decisions and forge the headers of a proxy"
                    ),
                ));
            }
        }
        if self.cache_seconds > 0 {
            risks.push(Risk::new(
                "decisions_are_cached",
                "set cache_seconds = 0 where a revocation must be seen at once",
                format!(
                    "cache_seconds {}: a proxy may serve a revoked token for so long",
                    self.cache_seconds
                ),
            ));
        }
        let keys = [self.tls.as_ref(), self.internal_tls.as_ref()];
        for files in keys.into_iter().flatten() {
            if others_read(&files.key) {
                risks.push(Risk::new(
                    "private_key_readable",
                    "chmod 600 the file",
                    format!(
                        "{} can be read by every user of this machine; it is a private key",
                        files.key.display()
                    ),
                ));
            }
        }
        risks
    }
}

fn reachable(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

#[cfg(unix)]
fn others_read(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let others = |mode: u32| mode & 0o004 != 0;
    std::fs::metadata(path).is_ok_and(|metadata| others(metadata.permissions().mode()))
}

#[cfg(not(unix))]
const fn others_read(_: &Path) -> bool {
    false
}
