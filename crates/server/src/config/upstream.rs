//! What stands behind the gateway.

use core::str::FromStr;
use std::fmt;

use http::Uri;
use http::uri::Scheme;

/// Where authorised operations go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upstream {
    /// Nowhere: each is answered with the documented minimum and nothing is
    /// stored. For development and CI.
    Sandbox,
    /// To this server, `http://` or `https://` and an authority.
    Url(Uri),
}

/// The text names no upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidUpstream;

/// What the text of an upstream must be.
pub(super) const EXPECTED: &str =
    "`sandbox`, or http:// or https:// with a host and no path, such as http://127.0.0.1:9000";

impl fmt::Display for InvalidUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the upstream must be {EXPECTED}")
    }
}

impl core::error::Error for InvalidUpstream {}

impl FromStr for Upstream {
    type Err = InvalidUpstream;

    /// `sandbox`, or a URL. It has no path, because the target of a request is
    /// passed on as it was received, and no user, because secrets do not
    /// belong into it.
    fn from_str(text: &str) -> Result<Self, InvalidUpstream> {
        if text == "sandbox" {
            return Ok(Self::Sandbox);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidUpstream)?;
        let scheme = [Scheme::HTTP, Scheme::HTTPS]
            .iter()
            .any(|scheme| uri.scheme() == Some(scheme));
        let host = uri
            .authority()
            .is_some_and(|a| !a.as_str().contains('@') && !a.host().is_empty());
        let path = uri.path_and_query().is_none_or(|path| path == "/");
        (scheme && host && path)
            .then_some(Self::Url(uri))
            .ok_or(InvalidUpstream)
    }
}
