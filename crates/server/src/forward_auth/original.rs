//! The request that a proxy asks about, read from its auth request.

use core::fmt;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request};
use token_policy::Reason;

/// A kind of proxy, by what it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// nginx `auth_request`: two headers that our configuration sets.
    Nginx,
    /// Caddy `forward_auth`, Traefik `forwardAuth` and others that set
    /// `X-Forwarded-Method` and `X-Forwarded-Uri` themselves.
    Forwarded,
    /// Envoy `ext_authz` over HTTP: the original line, under a prefix.
    Envoy,
}

/// Where a flavour says what is asked. Nothing else of the auth request counts:
/// not its own method or query, not the headers of another flavour.
enum Source {
    Headers {
        method: &'static str,
        target: &'static str,
    },
    /// The line of the auth request itself: its method, and its target after
    /// the path of the route.
    Line,
}

impl Flavour {
    const ALL: [Self; 3] = [Self::Nginx, Self::Forwarded, Self::Envoy];

    /// The table: each route, and everything that it reads.
    const fn row(self) -> (&'static str, Source) {
        match self {
            Self::Nginx => (
                "/v1/auth/nginx",
                Source::Headers {
                    method: "x-original-method",
                    target: "x-original-uri",
                },
            ),
            Self::Forwarded => (
                "/v1/auth/forwarded",
                Source::Headers {
                    method: "x-forwarded-method",
                    target: "x-forwarded-uri",
                },
            ),
            Self::Envoy => ("/v1/auth/envoy", Source::Line),
        }
    }

    /// The flavour whose route `path` is.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let below_auth = path.starts_with("/v1/auth/");
        let is_mine = |flavour: &Self| {
            let (route, source) = flavour.row();
            path.strip_prefix(route).is_some_and(|rest| match source {
                Source::Headers { .. } => rest.is_empty(),
                Source::Line => rest.starts_with('/'),
            })
        };
        below_auth
            .then(|| Self::ALL.into_iter().find(is_mine))
            .flatten()
    }

    /// The headers that an answer depends on, for `Vary`.
    pub(crate) const fn headers(self) -> Option<[&'static str; 2]> {
        match self.row() {
            (_, Source::Headers { method, target }) => Some([method, target]),
            (_, Source::Line) => None,
        }
    }
}

/// The method and the raw target of the request that the client made.
#[derive(Debug)]
pub(crate) struct Original<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
}

/// Why an auth request says nothing that can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A header of the flavour is not there.
    Missing(&'static str),
    /// A header is there twice, under two spellings, or is no text.
    Ambiguous(&'static str),
    /// The method is none.
    Method,
    /// The target is not what a client can send on a request line.
    Target,
}

impl Unreadable {
    pub(crate) const fn reason(self) -> Reason {
        match self {
            Self::Missing(_) => Reason::InvalidRequest,
            Self::Ambiguous(_) | Self::Method | Self::Target => Reason::AmbiguousRequest,
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => {
                write!(f, "the proxy does not set `{name}`; see its configuration")
            }
            Self::Ambiguous(name) => write!(f, "`{name}` must be there once, under one spelling"),
            Self::Method => f.write_str("the original method is not one method"),
            Self::Target => f.write_str(
                "the original target must begin with one `/`, have at most one `?`, no fragment, and \
                 every other sign percent-encoded",
            ),
        }
    }
}

impl<'a> Original<'a> {
    /// Reads what `flavour` says, and nothing else.
    pub(crate) fn read(flavour: Flavour, request: &'a Request<Bytes>) -> Result<Self, Unreadable> {
        let (method, target) = match flavour.row() {
            (_, Source::Headers { method, target }) => {
                let headers = request.headers();
                (only(headers, method)?, only(headers, target)?)
            }
            (route, Source::Line) => {
                let line = request.uri().path_and_query().map(PathAndQuery::as_str);
                let target = line.and_then(|line| line.strip_prefix(route));
                (request.method().as_str(), target.unwrap_or_default())
            }
        };
        check_method(method)?;
        check_target(target)?;
        Ok(Self { method, target })
    }
}

/// The value of a header that is there once. `X_Original_URI` is the same name
/// to whoever turns names into variables, so it must not be there beside it or
/// in its place.
fn only<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, Unreadable> {
    let mut found: Option<&HeaderValue> = None;
    for (known, value) in headers {
        let known = known.as_str();
        if known == name && found.is_none() {
            found = Some(value);
        } else if known == name || is_alias(known, name) {
            return Err(Unreadable::Ambiguous(name));
        }
    }
    let value = found.ok_or(Unreadable::Missing(name))?;
    value.to_str().map_err(|_| Unreadable::Ambiguous(name))
}

/// Header names are lower case here.
fn is_alias(known: &str, name: &str) -> bool {
    known.len() == name.len()
        && known
            .bytes()
            .map(|byte| if byte == b'_' { b'-' } else { byte })
            .eq(name.bytes())
}

/// A token of RFC 9110 section 9.1, so never a list.
fn check_method(method: &str) -> Result<(), Unreadable> {
    Method::from_bytes(method.as_bytes())
        .map(drop)
        .map_err(|_| Unreadable::Method)
}

/// Origin form (RFC 9112 section 3.2.1) in the characters of RFC 3986, which
/// every reader splits alike and writes back as it stood.
fn check_target(target: &str) -> Result<(), Unreadable> {
    // Without an early exit, so that many bytes are looked at at a time.
    let legal = target
        .bytes()
        .fold(true, |legal, byte| legal & is_of_a_target(byte));
    let marks = target.bytes().filter(|byte| *byte == b'?').count();
    let one_reading = target.starts_with('/') && !target.starts_with("//") && marks <= 1 && legal;
    one_reading.then_some(()).ok_or(Unreadable::Target)
}

/// A character of a path or query, or a sign around them.
/// What is not: blanks and controls, all beyond ASCII, and these. Comparisons
/// alone, for the compiler makes one instruction of sixteen of them.
const fn is_of_a_target(byte: u8) -> bool {
    (byte > b' ')
        & (byte < 0x7f)
        & (byte != b'"')
        & (byte != b'#')
        & (byte != b'<')
        & (byte != b'>')
        & ((byte < b'[') | (byte > b'^'))
        & (byte != b'`')
        & (byte != b'{')
        & (byte != b'|')
        & (byte != b'}')
}
