//! The internal API in this process, on the data directory of a stopped server.

use std::path::Path;

use token_server::{Bytes, Caller, Config, Service, SystemClock, http};
use token_store::MasterKey;
use tokio::runtime::Runtime;

use super::{Answer, Failure};

pub(crate) struct Local {
    service: Service,
    runtime: Runtime,
}

impl Local {
    pub(super) fn open(data_dir: &Path, master_key: Option<MasterKey>) -> Result<Self, Failure> {
        if !data_dir.exists() {
            return Err(Failure::new(
                "no_data_directory",
                format!(
                    "there is no data directory `{}`; name one with --data-dir, or a running \
                     server with --server and --admin-key",
                    data_dir.display()
                ),
            ));
        }
        Self::create(data_dir, master_key)
    }

    /// The same, but a directory that is not there is made.
    pub(super) fn create(data_dir: &Path, master_key: Option<MasterKey>) -> Result<Self, Failure> {
        let mut config = Config::default();
        data_dir.clone_into(&mut config.data_dir);
        config.trusted_peers.clear();
        config.master_key = master_key;
        let service = Service::configured(&config, SystemClock::new())
            .map_err(|error| Failure::new("store_unavailable", error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::local(format!("cannot start the runtime: {error}")))?;
        Ok(Self { service, runtime })
    }

    pub(super) fn send(&self, method: &str, path: &str, body: String) -> Result<Answer, Failure> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Bytes::from(body))
            .map_err(|_| Failure::local("an argument holds an illegal character"))?;
        let answer = self
            .runtime
            .block_on(self.service.internal(Caller::InProcess, request));
        Ok(Answer {
            status: answer.status().as_u16(),
            body: answer.into_body().to_vec(),
        })
    }
}
