//! The credentials: project id and API token by Basic (RFC 7617, signalwire 2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

use super::Fault;

/// What was presented, not looked up.
pub(super) struct Basic {
    /// The id of a project, in lower case.
    pub(super) user: String,
    pub(super) password: Zeroizing<String>,
}

impl Basic {
    /// `None` for anything that is no such header in exactly the form of the
    /// RFC; two of them are no question at all.
    pub(super) fn read(headers: &HeaderMap) -> Result<Option<Self>, Fault> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (Some(_), Some(_)) => return Err(Fault::BadRequest),
            (value, _) => value,
        };
        let text = value.and_then(|value| value.to_str().ok());
        Ok(text.and_then(Self::parse))
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, encoded) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
        // The password may hold a colon, the user not.
        let (user, password) = core::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(Self {
            user: user.to_ascii_lowercase(),
            password: Zeroizing::new(password.to_owned()),
        })
    }

    /// The work of comparing the password, where there is nothing to compare.
    pub(super) fn compare_with_nothing(&self) {
        core::hint::black_box(digest(&SHA256, self.password.as_bytes()));
    }
}
