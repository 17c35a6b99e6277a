//! The server that is followed: how it is reached, and whom it is trusted by.

use core::fmt;
use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::header::InvalidHeaderValue;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long a server may take to connect to, and then to begin its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The header of a verifier's key.
const VERIFIER_KEY: &str = "x-usher-verifier-key";

/// How to reach a server.
#[derive(Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "what a caller may choose")]
pub struct SourceOptions {
    /// Opens the routes of verifiers, for who is none of the trusted peers.
    pub verifier_key: Option<Zeroizing<String>>,
    /// The authorities (PEM) that an `https` server is trusted by. Without them,
    /// those that Mozilla publishes.
    pub ca_file: Option<PathBuf>,
    /// Whether the server may be on another machine although nothing encrypts:
    /// whoever sits between can then hide what is revoked. For where something
    /// else encrypts.
    pub allow_plain: bool,
}

impl fmt::Debug for SourceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceOptions")
            .field("ca_file", &self.ca_file)
            .field("allow_plain", &self.allow_plain)
            .finish_non_exhaustive()
    }
}

/// Why a server cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSource {
    /// Not `http://` or `https://` with a host and nothing after it.
    #[error("the server is `http://` or `https://` with a host, and no path")]
    Url,
    /// Another machine, and nothing encrypts.
    #[error(
        "the server is on another machine, and whoever sits between could hide what is revoked; \
         use https, or say that something else encrypts"
    )]
    Plain,
    /// A verifier key that cannot stand in a header.
    #[error("the verifier key is none")]
    VerifierKey,
    /// The certificates cannot be used.
    #[error("the certificates in {}: {cause}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// The TLS of this machine cannot be used.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
}

/// Why something was not got.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection, or it broke.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the server does not answer")]
    Silent,
    /// Another status than 200.
    #[error("the server answers {0}")]
    Status(StatusCode),
    /// More than was asked for.
    #[error("the answer is too large")]
    TooLarge,
}

type Http = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// A server, by the URL of its internal listener. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    client: Http,
    scheme: Scheme,
    authority: Authority,
    verifier_key: Option<HeaderValue>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("url", &format_args!("{}://{}", self.scheme, self.authority))
            .finish_non_exhaustive()
    }
}

impl Source {
    /// The server at `url`. Reads the certificates; connects to nothing yet.
    ///
    /// # Errors
    ///
    /// [`InvalidSource`].
    pub fn new(url: &str, options: &SourceOptions) -> Result<Self, InvalidSource> {
        let url: Uri = url
            .trim_end_matches('/')
            .parse()
            .map_err(|_| InvalidSource::Url)?;
        let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) else {
            return Err(InvalidSource::Url);
        };
        let has_path = !matches!(url.path(), "" | "/") || url.query().is_some();
        let is_http = [Scheme::HTTP, Scheme::HTTPS].contains(scheme);
        if has_path || !is_http || authority.as_str().contains('@') {
            return Err(InvalidSource::Url);
        }
        if *scheme == Scheme::HTTP && !options.allow_plain && !is_this_machine(authority.host()) {
            return Err(InvalidSource::Plain);
        }
        let key = |key: &Zeroizing<String>| {
            let mut value = HeaderValue::try_from(key.as_str())?;
            value.set_sensitive(true);
            Ok(value)
        };
        let verifier_key = options.verifier_key.as_ref().map(key).transpose();
        Ok(Self {
            client: client(options)?,
            scheme: scheme.clone(),
            authority: authority.clone(),
            verifier_key: verifier_key
                .map_err(|_: InvalidHeaderValue| InvalidSource::VerifierKey)?,
        })
    }

    /// What the server has at `path`, in full.
    ///
    /// # Errors
    ///
    /// [`FetchError`] when it is not there in time, or larger than `bytes_max`.
    pub async fn get(&self, path: &str, bytes_max: usize) -> Result<Bytes, FetchError> {
        let response = self.request(path).await?;
        let body = Limited::new(response.into_body(), bytes_max).collect();
        let body = timeout(PATIENCE, body)
            .await
            .map_err(|_| FetchError::Silent)?;
        let body = body.map_err(|_| FetchError::TooLarge)?;
        Ok(body.to_bytes())
    }

    /// The answer, once it has begun, if it is one.
    pub(crate) async fn request(
        &self,
        path: &str,
    ) -> Result<Response<hyper::body::Incoming>, FetchError> {
        let unreachable = |error: &dyn core::error::Error| {
            let cause = error.source().map(|cause| format!(": {cause}"));
            FetchError::Unreachable(format!("{error}{}", cause.unwrap_or_default()))
        };
        let path = path.parse::<PathAndQuery>();
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(path.map_err(|error| unreachable(&error))?)
            .build()
            .map_err(|error| unreachable(&error))?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri;
        if let Some(key) = &self.verifier_key {
            request.headers_mut().insert(VERIFIER_KEY, key.clone());
        }
        let agent = concat!("usher-follower/", env!("CARGO_PKG_VERSION"));
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        let response = timeout(PATIENCE, self.client.request(request)).await;
        let response = response
            .map_err(|_| FetchError::Silent)?
            .map_err(|error| unreachable(&error))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            other => Err(FetchError::Status(other)),
        }
    }
}

/// Whether nothing between here and `host` can be listened to.
fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<core::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn client(options: &SourceOptions) -> Result<Http, InvalidSource> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(InvalidSource::Tls)?
        .with_root_certificates(roots(options)?)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(PATIENCE));
    // A server that lost its power says nothing at all.
    tcp.set_keepalive(Some(PATIENCE));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector))
}

fn roots(options: &SourceOptions) -> Result<RootCertStore, InvalidSource> {
    let Some(path) = &options.ca_file else {
        let published = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        return Ok(published.collect());
    };
    let unusable = |cause: io::Error| InvalidSource::Certificates {
        path: path.clone(),
        cause,
    };
    let invalid = |error: String| unusable(io::Error::new(io::ErrorKind::InvalidData, error));
    let pem = std::fs::read(path).map_err(unusable)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| invalid(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| invalid(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(invalid("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}
