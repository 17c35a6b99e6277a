#![doc = include_str!("../README.md")]

mod access_manager;
mod attempts;
mod audit;
mod cache;
mod client_address;
mod config;
mod conn;
mod error;
mod feed;
mod fields;
mod forward_auth;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod grant_body;
mod held;
mod internal;
mod issue;
mod issue_jws;
mod judge;
mod jws_keys;
mod keyset;
mod log;
mod metrics;
mod oem;
mod public_keys;
mod pubsub;
mod query;
mod rules;
mod server;
mod service;
mod signature;
mod tls;
mod trace;
mod well_known;

pub use audit::{
    AuditChain, AuditHead, AuditLog, AuditOptions, ChainFault, InvalidAuditHead, OnAuditFailure,
    StoreChange,
};
pub use bytes::Bytes;
pub use config::{
    Cluster, Config, ConfigError, DeclaredKeyset, InvalidUpstream, RevokeAck, Risk, Upstream,
    read_master_key,
};
pub use conn::{ConnectionLimits, Handler, Listener, Refusal, RequestBody, ResponseBody};
pub use grant_body::read_grant;
pub use http;
pub use internal::Caller;
pub use ipnet::IpNet;
pub use log::{LogError, LogFormat, write_log};
pub use query::{Query, QueryError};
pub use server::{FirstKeyset, FirstStart, Reloaded, Server, Signals, StartError};
pub use service::Service;
pub use signature::{Accept, SignatureMismatch, SignedRequest, SigningKeys};
pub use tls::{ClientCertificates, TlsError, TlsFiles};
pub use token_deny_list::SystemClock;
pub use trace::Trace;
