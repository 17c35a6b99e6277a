//! `upstream = "http://..."`: what was admitted is passed on as it was
//! received, and the answer as it comes.
//!
//! The target, the end-to-end headers and the bytes of the body are those of
//! the client. Ours are: `Host`, which names the upstream (a virtual host and a
//! certificate are chosen by it); the framing; no hop-by-hop headers (RFC 9110
//! section 7.6.1); and where a rule says so, the uuid of the token.

use core::error::Error;
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, header,
};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use token_policy::Operation;
use tokio::io::copy_bidirectional;
use tokio::time::timeout;

use super::admit::{Admitted, Stop};
use super::hold::{held, until_refused};
use super::refused::Refused;
use crate::conn::{Refusal, RequestBody, ResponseBody, Tunnel};
use crate::server::StartError;
use crate::service::{AnyToken, Service};

/// How long a connection to the upstream may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an unused connection to the upstream is kept. Shorter than the
/// usual 60 s and more of servers, so that we close first and no request meets
/// a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(45);

/// An upstream.
#[derive(Debug)]
pub(super) struct Proxy {
    client: Client<HttpsConnector<HttpConnector>, RequestBody>,
    scheme: Scheme,
    authority: Authority,
    /// How long it may take to the first byte of an answer.
    patience: Duration,
    /// The same for a subscribe, which waits for messages.
    hold: Duration,
}

impl Proxy {
    pub(super) fn new(
        url: &Uri,
        certificates: Option<&Path>,
        patience: Duration,
        hold: Duration,
    ) -> Result<Self, StartError> {
        let unusable = |cause: &str| StartError::Upstream {
            cause: cause.to_owned(),
        };
        let (Some(scheme), Some(authority)) = (url.scheme(), url.authority()) else {
            return Err(unusable("the URL has no host"));
        };
        let tls =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| unusable(&error.to_string()))?
                .with_root_certificates(roots(certificates)?)
                .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self {
            client,
            scheme: scheme.clone(),
            authority: authority.clone(),
            patience,
            hold,
        })
    }

    /// The request as the upstream gets it.
    fn request(&self, mut head: Parts, admitted: &mut Admitted) -> Option<Request<RequestBody>> {
        let target = head.uri.path_and_query().cloned();
        let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
        strip(&mut head.headers);
        if admitted.upgrades {
            upgrade(&mut head.headers);
        }
        join_cookies(&mut head.headers);
        head.headers.remove(header::HOST);
        if admitted.body.size_hint().exact().is_none() {
            // The client would leave out the body of a GET without it.
            let chunked = HeaderValue::from_static("chunked");
            head.headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        if let Some(name) = admitted.uuid_header.take() {
            head.headers.remove(&name);
            let token = admitted.token.as_ref();
            if let Some(uuid) = token.and_then(token_core::VerifiedClaims::uuid) {
                let uuid = HeaderValue::try_from(uuid).ok()?;
                head.headers.insert(name, uuid);
            }
        }
        let mut request = Request::new(admitted.body.take());
        *request.uri_mut() = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(target)
            .build()
            .ok()?;
        *request.method_mut() = head.method;
        *request.headers_mut() = head.headers;
        *request.version_mut() = Version::HTTP_11;
        Some(request)
    }
}

/// Whom an `https` upstream is trusted by: the certificates of the file, or
/// else those that Mozilla publishes, compiled in. The system's are not used,
/// so that a node trusts the same on every machine and in an empty container.
fn roots(certificates: Option<&Path>) -> Result<RootCertStore, StartError> {
    let Some(path) = certificates else {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        return Ok(roots.collect());
    };
    let unusable = |cause: String| StartError::Upstream {
        cause: format!("{}: {cause}", path.display()),
    };
    let mut roots = RootCertStore::empty();
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    for certificate in read {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// Passes on what was admitted, and answers what the upstream answers.
pub(super) async fn answer(
    service: &Service,
    proxy: &Proxy,
    mut head: Parts,
    mut admitted: Admitted,
) -> Result<Response<ResponseBody>, Stop> {
    let client = admitted.upgrades.then(|| Takeover::of(&mut head)).flatten();
    let (family, operation) = (admitted.family, admitted.operation);
    let refuse = |refused: &Refused| Stop::Answer(refused.response(family, service.now()));
    let bad_gateway = || refuse(&Refused::new(StatusCode::BAD_GATEWAY, "Bad Gateway"));
    let request = proxy.request(head, &mut admitted).ok_or_else(bad_gateway)?;
    let patience = if operation == Some(Operation::Subscribe) {
        proxy.hold
    } else {
        proxy.patience
    };
    let token = admitted.token;
    let answered = tokio::select! {
        answered = timeout(patience, proxy.client.request(request)) => answered,
        refused = until_refused(service, token.as_ref()) => return Err(refuse(&refused)),
    };
    match answered {
        Ok(Ok(response)) if response.status() != StatusCode::SWITCHING_PROTOCOLS => {
            Ok(pass_back(response).map(|body| held(service, token, body)))
        }
        Ok(Ok(response)) => {
            let client = client.ok_or_else(bad_gateway)?;
            Ok(tunnel(service, token, client, response))
        }
        Ok(Err(error)) => Err(client_fault(&error).map_or_else(
            || {
                tracing::warn!(error = %chain(&error), "the upstream did not answer");
                bad_gateway()
            },
            Stop::Refusal,
        )),
        Err(_) => {
            tracing::warn!("the upstream did not answer in time");
            Err(refuse(&Refused::new(
                StatusCode::GATEWAY_TIMEOUT,
                "Gateway Timeout",
            )))
        }
    }
}

/// A connection that may be taken over.
struct Takeover {
    tunnel: Tunnel,
    upgraded: OnUpgrade,
}

impl Takeover {
    fn of(head: &mut Parts) -> Option<Self> {
        Some(Self {
            tunnel: head.extensions.remove()?,
            upgraded: head.extensions.remove()?,
        })
    }
}

/// 101, and then bytes both ways for as long as `token` is good.
fn tunnel(
    service: &Service,
    token: Option<AnyToken>,
    client: Takeover,
    mut response: Response<Incoming>,
) -> Response<ResponseBody> {
    let upstream = hyper::upgrade::on(&mut response);
    let mut passed = pass_back(response).map(|_| ResponseBody::from(Bytes::new()));
    upgrade(passed.headers_mut());
    let service = service.clone();
    let upgraded = client.upgraded;
    client.tunnel.open(async move {
        let carrying = async {
            let (client, upstream) = tokio::try_join!(upgraded, upstream)?;
            let (mut client, mut upstream) = (TokioIo::new(client), TokioIo::new(upstream));
            // An error is the end of one of them, and so of both.
            drop(copy_bidirectional(&mut client, &mut upstream).await);
            Ok::<_, hyper::Error>(())
        };
        tokio::select! {
            _ended = carrying => {}
            _refused = until_refused(&service, token.as_ref()) => {}
        }
    });
    passed
}

fn upgrade(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
}

/// The answer without what belongs to our connection with the upstream.
fn pass_back(response: Response<Incoming>) -> Response<Incoming> {
    let (head, body) = response.into_parts();
    let mut passed = Response::new(body);
    *passed.status_mut() = head.status;
    *passed.headers_mut() = head.headers;
    strip(passed.headers_mut());
    passed
}

/// Whether it was the body of our client that failed.
fn client_fault(error: &(dyn Error + 'static)) -> Option<Refusal> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(refusal) = error.downcast_ref() {
            return Some(*refusal);
        }
        next = error.source();
    }
    None
}

/// An error and what caused it. None of it holds a target.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

/// Removes what is for one connection only, and what `Connection` says is.
fn strip(headers: &mut HeaderMap) {
    const HOP_BY_HOP: [HeaderName; 9] = [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        // The framing is ours, whatever is said of it.
        .filter(|name| *name != header::CONTENT_LENGTH)
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

/// HTTP/2 may send the pieces of a cookie apart; HTTP/1.1 has one line (RFC
/// 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let pieces: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if pieces.len() < 2 {
        return;
    }
    if let Ok(joined) = HeaderValue::from_bytes(&pieces.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}
