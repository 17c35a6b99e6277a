//! The internal API, over the network or in this process.

use std::fmt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use token_store::MasterKey;

use crate::args::Connection;
use crate::exit::Exit;

mod local;
mod remote;

use local::Local;
use remote::Remote;

/// Where the data directory is when nothing else is said.
pub(crate) const DATA_DIR_DEFAULT: &str = "usher-data";

impl Connection {
    fn master_key(&self) -> Result<Option<MasterKey>, Failure> {
        master_key(self.master_key_file.as_deref())
    }
}

/// The master key that is given by file or variable.
pub(crate) fn master_key(file: Option<&Path>) -> Result<Option<MasterKey>, Failure> {
    let environment =
        |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    token_server::read_master_key(file, environment)
        .map_err(|error| Failure::new("invalid_configuration", error.to_string()))
}

/// One of the two ways to the internal API.
pub(crate) enum Api {
    Remote(Remote),
    Local(Local),
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// For programs: `not_found`, `unreachable`, ...
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
    /// Which part of the request is meant.
    pub(crate) at: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            at: None,
        }
    }

    /// What the exit code says of it.
    pub(crate) fn exit(&self) -> Exit {
        match self.code.as_str() {
            "invalid_token" => Exit::InvalidToken,
            _ => Exit::Error,
        }
    }

    /// Something on this side: a file, an argument.
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self::new("usage", message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.at {
            Some(at) => write!(f, " (at `{at}`)"),
            None => Ok(()),
        }
    }
}

/// What came back, whatever the status.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Api {
    pub(crate) fn connect(connection: &Connection) -> Result<Self, Failure> {
        match (&connection.data_dir, &connection.server) {
            (Some(dir), _) => Local::open(dir, connection.master_key()?).map(Self::Local),
            (None, Some(server)) => Remote::new(server, connection).map(Self::Remote),
            (None, None) => {
                Local::open(DATA_DIR_DEFAULT.as_ref(), connection.master_key()?).map(Self::Local)
            }
        }
    }

    /// The same, but a data directory that is named and not there is made.
    pub(crate) fn connect_or_create(connection: &Connection) -> Result<Self, Failure> {
        match &connection.data_dir {
            Some(dir) => Local::create(dir, connection.master_key()?).map(Self::Local),
            None => Self::connect(connection),
        }
    }

    /// The clock of the server, in seconds; `None` of one in this process.
    pub(crate) fn clock(&self) -> Result<Option<u64>, Failure> {
        match self {
            Self::Remote(remote) => remote.clock(),
            Self::Local(_) => Ok(None),
        }
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call("GET", path, None)
    }

    pub(crate) fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        self.call("POST", path, Some(body))
    }

    pub(crate) fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, Failure> {
        self.call("PATCH", path, Some(body))
    }

    pub(crate) fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call("DELETE", path, None)
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = match self {
            Self::Remote(remote) => remote.send(method, path, body)?,
            Self::Local(local) => local.send(method, path, body)?,
        };
        if (200..300).contains(&answer.status) {
            return serde_json::from_slice(&answer.body).map_err(|error| {
                Failure::new(
                    "unexpected_answer",
                    format!("the server's answer cannot be read: {error}; is it an usher server of this version?"),
                )
            });
        }
        let refused = refusal(&answer);
        Err(match self {
            Self::Remote(remote) => remote.explain(refused),
            Self::Local(_) => refused,
        })
    }
}

/// The error of the internal API, or the status where the body is not ours.
fn refusal(answer: &Answer) -> Failure {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |pointer: &str| {
        body.pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    match (text("/error/code"), text("/error/message")) {
        (Some(code), Some(message)) => Failure {
            code,
            message,
            at: text("/error/at"),
        },
        _ => Failure::new(
            "unexpected_answer",
            format!(
                "the server answered with status {}; is this the internal address of usher?",
                answer.status
            ),
        ),
    }
}
