//! Where a request says who asks: headers, cookies, one parameter.

use core::fmt;

use crate::error::ClassifyError;

/// The headers of a request, as far as rules read them: a reference to them.
pub trait Headers<'h>: Copy {
    /// Every value of the header `name`, which is in lower case; headers are
    /// found whatever the case they were sent in.
    fn values(self, name: &'h str) -> impl Iterator<Item = &'h [u8]>;

    /// The name of every header, in any case.
    fn names(self) -> impl Iterator<Item = &'h str>;
}

/// No headers at all.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing in it")]
pub struct NoHeaders;

impl<'h> Headers<'h> for NoHeaders {
    fn values(self, _: &'h str) -> impl Iterator<Item = &'h [u8]> {
        core::iter::empty()
    }

    fn names(self) -> impl Iterator<Item = &'h str> {
        core::iter::empty()
    }
}

/// Names and values, in the order of the request.
impl<'h, N: AsRef<str>, V: AsRef<[u8]>> Headers<'h> for &'h [(N, V)] {
    fn values(self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        let named = move |(known, _): &&(N, V)| known.as_ref().eq_ignore_ascii_case(name);
        self.iter().filter(named).map(|(_, value)| value.as_ref())
    }

    fn names(self) -> impl Iterator<Item = &'h str> {
        self.iter().map(|(name, _)| name.as_ref())
    }
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderFault {
    /// It is there more than once, or says a thing twice.
    Repeated,
    /// It is not of the form that the rules say.
    Malformed,
    /// It is there, and only a gateway may set it: the upstream believes it.
    Reserved,
}

impl fmt::Display for HeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeated => "is there more than once",
            Self::Malformed => "is not of the form that the rules say",
            Self::Reserved => "is for the gateway to set; a client must not send it",
        })
    }
}

fn fault(name: &str, fault: HeaderFault) -> ClassifyError {
    let name = name.into();
    ClassifyError::Header { name, fault }
}

/// The one value of a header, as text.
pub(super) fn one<'h>(
    headers: impl Headers<'h>,
    name: &'h str,
) -> Result<Option<&'h str>, ClassifyError> {
    let mut values = headers.values(name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(fault(name, HeaderFault::Repeated));
    }
    let text = core::str::from_utf8(value).ok();
    let plain = text.filter(|text| !text.is_empty() && !text.contains(char::is_control));
    plain
        .map(Some)
        .ok_or_else(|| fault(name, HeaderFault::Malformed))
}

/// The token of a header that holds nothing else.
pub(super) fn token<'h>(
    headers: impl Headers<'h>,
    name: &'h str,
) -> Result<Option<&'h str>, ClassifyError> {
    let value = one(headers, name)?;
    match value {
        Some(text) if !is_token(text) => Err(fault(name, HeaderFault::Malformed)),
        value => Ok(value),
    }
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750 section 2.1).
pub(super) fn bearer<'h>(headers: impl Headers<'h>) -> Result<Option<&'h str>, ClassifyError> {
    const NAME: &str = "authorization";
    let Some(value) = one(headers, NAME)? else {
        return Ok(None);
    };
    let token = value
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token)
        .filter(|token| is_token(token));
    token
        .map(Some)
        .ok_or_else(|| fault(NAME, HeaderFault::Malformed))
}

/// The value of a cookie (RFC 6265 section 4.2). HTTP/2 may send the pairs in
/// several headers (RFC 9113 section 8.2.3).
pub(super) fn cookie<'h>(
    headers: impl Headers<'h>,
    name: &str,
) -> Result<Option<&'h str>, ClassifyError> {
    const NAME: &str = "cookie";
    let mut found = None;
    for value in headers.values(NAME) {
        let value = core::str::from_utf8(value).map_err(|_| fault(NAME, HeaderFault::Malformed))?;
        for (nth, pair) in value.split(';').enumerate() {
            let pair = if nth == 0 {
                pair
            } else {
                pair.strip_prefix(' ').unwrap_or(pair)
            };
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if key.trim() != name {
                continue;
            }
            // Readers differ about blanks and quotes.
            if key != name || !is_token(value) {
                return Err(fault(NAME, HeaderFault::Malformed));
            }
            if found.replace(value).is_some() {
                return Err(fault(NAME, HeaderFault::Repeated));
            }
        }
    }
    Ok(found)
}

/// Refuses a header that only a gateway may set, under any spelling that an
/// upstream could take for it: many turn `-` into `_`.
pub(super) fn refuse<'h>(headers: impl Headers<'h>, name: &str) -> Result<(), ClassifyError> {
    let fold = |byte: u8| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    let folded = |text: &str| text.bytes().map(fold).collect::<Vec<_>>();
    let reserved = folded(name);
    let same = |known: &str| known.len() == reserved.len() && folded(known) == reserved;
    if headers.names().any(same) {
        return Err(fault(name, HeaderFault::Reserved));
    }
    Ok(())
}

/// Whether `text` may be a token: visible ASCII without what separates values
/// (RFC 6750 section 2.1, RFC 6265 section 4.1.1).
fn is_token(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
    !text.is_empty() && text.bytes().all(plain)
}
