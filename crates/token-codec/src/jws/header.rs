//! The protected header: a fixed set of members (RFC 7515 section 4).
//!
//! Whatever else a header may hold (`crit`, `b64`, `jku`, `jwk`, `x5u`, ...) is
//! refused, so nothing in it can change how a token is verified.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use token_core::TokenKind;

use super::claims::object;
use super::error::JwsError;
use super::key::JwsKeyRecord;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header<'a> {
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kid: Cow<'a, str>,
    /// The relay that a client of the token connects to (CRT only).
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    ch: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    pub(super) fn of(record: &'a JwsKeyRecord, relay: Option<&'a str>) -> Option<Self> {
        Some(Self {
            typ: record.media_type()?.into(),
            alg: record.key.algorithm().into(),
            kid: record.key_id.as_str().into(),
            ch: relay.map(Cow::Borrowed),
        })
    }

    pub(super) fn read(json: &'a [u8]) -> Result<Self, JwsError> {
        object(json).ok_or(JwsError::Header)
    }

    /// That the header says what the record of its key says.
    pub(super) fn check(&self, record: &JwsKeyRecord) -> Result<(), JwsError> {
        if self.alg != record.key.algorithm() {
            return Err(JwsError::Algorithm);
        }
        if record.media_type() != Some(&*self.typ) {
            return Err(JwsError::Type);
        }
        if self.ch.is_some() && record.kind != TokenKind::Crt {
            return Err(JwsError::Header);
        }
        Ok(())
    }
}
