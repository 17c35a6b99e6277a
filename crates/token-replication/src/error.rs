//! What goes wrong.

/// Why text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// It is not 64 hexadecimal digits.
    #[error("a key is 64 hexadecimal digits; make one with `openssl rand -hex 32`")]
    Digits,
    /// It is one digit 64 times.
    #[error("a key is random; make one with `openssl rand -hex 32`")]
    OneDigit,
}

/// Why replication does not start, or does not go on until somebody acts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The URL is none.
    #[error("`nats` must be URLs such as nats://127.0.0.1:4222, separated by commas")]
    Url,
    /// The server lets nobody in with these credentials.
    #[error("the NATS server refuses the user name and password, or the token, of the URL")]
    Credentials,
    /// The file with certificate authorities is of no use.
    #[error("`nats_ca_file` {path}: {reason}; name a PEM file with certificates")]
    Authorities {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The server is too old.
    #[error("the NATS server has version {version}; 2.11 or newer is needed")]
    Version {
        /// What it says that it is.
        version: String,
    },
    /// The log was made with other keys.
    #[error(
        "the stream `{stream}` was made with another {key} key than this node has; give every \
         node of a cluster the same keys, and another cluster a NATS account of its own"
    )]
    OtherKey {
        /// The stream.
        stream: String,
        /// `cluster` or `feed`.
        key: &'static str,
    },
    /// The stream is not as it must be.
    #[error("the stream `{stream}` {what}; {remedy}")]
    Stream {
        /// The stream.
        stream: String,
        /// What is wrong with it.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The store does not answer.
    #[error("the store: {reason}")]
    Store {
        /// Why.
        reason: String,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// Why the log did not acknowledge something. It is in the store, waits, and is
/// published as soon as the log takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotPublished {
    /// There is no connection to the log.
    #[error("the log is not connected")]
    NotConnected,
    /// The log did not acknowledge it in time.
    #[error("the log did not acknowledge it in time")]
    NotInTime,
    /// This node only verifies.
    #[error("this node has no cluster key, so it only verifies")]
    VerifierOnly,
}
