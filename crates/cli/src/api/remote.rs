//! The internal API of a running server.

use core::time::Duration;
use std::path::Path;

use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::{Answer, Failure};
use crate::args::Connection;
use crate::secret;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(crate) struct Remote {
    agent: Agent,
    base: String,
    admin_key: Option<String>,
}

impl Remote {
    /// `server` with the key and the authority of `connection`.
    pub(super) fn new(server: &str, connection: &Connection) -> Result<Self, Failure> {
        if !server.starts_with("http://") && !server.starts_with("https://") {
            return Err(Failure::local(format!(
                "`{server}` is no address of a server; write it as `http://127.0.0.1:8081`"
            )));
        }
        let roots = if server.starts_with("https://") {
            authorities(connection.ca.as_deref())?
        } else {
            RootCerts::WebPki
        };
        let agent = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .proxy(None)
            .build()
            .new_agent();
        Ok(Self {
            agent,
            base: server.trim_end_matches('/').to_owned(),
            admin_key: connection
                .admin_key
                .as_deref()
                .filter(|key| !key.is_empty())
                .map(secret::read)
                .transpose()?,
        })
    }

    /// A refusal, in the words of whoever types commands.
    pub(super) fn explain(&self, refused: Failure) -> Failure {
        if refused.code != "admin_key_required" {
            return refused;
        }
        let message = match &self.admin_key {
            Some(_) => {
                "the server does not know this admin key; was it rotated, or is it another server's?"
            }
            None => "the server wants its admin key: --admin-key, or the variable USHER_ADMIN_KEY",
        };
        Failure::new(&refused.code, message)
    }

    pub(super) fn send(&self, method: &str, path: &str, body: String) -> Result<Answer, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if let Some(key) = &self.admin_key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(body).map_err(|_| {
            Failure::local("the server address or the admin key holds an illegal character")
        })?;
        let unreachable = |error: ureq::Error| self.unreachable(&error);
        let mut response = self.agent.run(request).map_err(unreachable)?;
        let body = response
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_vec()
            .map_err(unreachable)?;
        Ok(Answer {
            status: response.status().as_u16(),
            body,
        })
    }

    /// What the server says that the time is (RFC 9110, section 6.6.1).
    pub(super) fn clock(&self) -> Result<Option<u64>, Failure> {
        let asked = self.agent.get(format!("{}/healthz", self.base)).call();
        let response = asked.map_err(|error| self.unreachable(&error))?;
        let date = response.headers().get("date");
        let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date.to_str().ok()?).ok());
        Ok(date.and_then(|date| u64::try_from(date.timestamp().as_second()).ok()))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let message = format!(
            "cannot reach {}: {error}; is `usher serve` running?",
            self.base
        );
        Failure::new("unreachable", message)
    }
}

/// Who may sign the server's certificate: the file, or else the system's, or
/// else the public ones.
fn authorities(file: Option<&Path>) -> Result<RootCerts, Failure> {
    let Some(file) = file else {
        let system = rustls_native_certs::load_native_certs().certs;
        let system: Vec<_> = system
            .iter()
            .map(|certificate| Certificate::from_der(certificate).to_owned())
            .collect();
        return Ok(if system.is_empty() {
            RootCerts::WebPki
        } else {
            RootCerts::new_with_certs(&system)
        });
    };
    let pem = std::fs::read(file)
        .map_err(|error| Failure::local(format!("cannot read {}: {error}", file.display())))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(Failure::local(format!(
            "{} holds no certificate; name a PEM file of the authority that signed the server's",
            file.display()
        )));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}
