//! The internal API of a running server.

use core::time::Duration;

use ureq::Agent;
use ureq::http::Request;

use super::{Answer, Failure};
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
    pub(super) fn new(server: &str, admin_key: Option<&str>) -> Result<Self, Failure> {
        if !server.starts_with("http://") && !server.starts_with("https://") {
            return Err(Failure::local(format!(
                "`{server}` is no address of a server; write it as `http://127.0.0.1:8081`"
            )));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .proxy(None)
            .build()
            .new_agent();
        Ok(Self {
            agent,
            base: server.trim_end_matches('/').to_owned(),
            admin_key: admin_key.map(secret::read).transpose()?,
        })
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
        let unreachable = |error: ureq::Error| {
            Failure::new(
                "unreachable",
                format!(
                    "cannot reach {}: {error}; is `usher serve` running?",
                    self.base
                ),
            )
        };
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
}
