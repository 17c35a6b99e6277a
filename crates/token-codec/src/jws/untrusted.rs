//! A JWS as it reads, for inspection.

use std::collections::BTreeMap;

use serde_json::Value;
use token_core::limits::CRT_TEXT_BYTES_MAX;
use token_core::{TokenId, TokenKind};

use super::claims::{UniqueMap, object, token_id};
use super::compact::Compact;
use super::error::JwsError;

/// What a JWS says, its signature not looked at: for people, never for a
/// decision. Its members may be any.
#[derive(Clone, Debug, PartialEq)]
pub struct UntrustedJws {
    header: BTreeMap<String, Value>,
    claims: BTreeMap<String, Value>,
}

impl UntrustedJws {
    /// Reads the compact form.
    ///
    /// # Errors
    ///
    /// [`JwsError`] when `text` is not three segments of base64url, of which the
    /// first two are JSON objects in which nothing stands twice.
    pub fn parse(text: &str) -> Result<Self, JwsError> {
        if text.len() > CRT_TEXT_BYTES_MAX {
            return Err(JwsError::TooLong { bytes: text.len() });
        }
        let compact = Compact::cut(text)?;
        compact.signature()?;
        let UniqueMap(header) = object(&compact.header()?).ok_or(JwsError::Header)?;
        let UniqueMap(claims) = object(&compact.claims()?).ok_or(JwsError::Claims)?;
        Ok(Self { header, claims })
    }

    /// The protected header.
    #[must_use]
    pub const fn header_untrusted(&self) -> &BTreeMap<String, Value> {
        &self.header
    }

    /// The claims.
    #[must_use]
    pub const fn claims_untrusted(&self) -> &BTreeMap<String, Value> {
        &self.claims
    }

    /// The kind that its type says it is of.
    #[must_use]
    pub fn kind_untrusted(&self) -> Option<TokenKind> {
        match self.header.get("typ")?.as_str()? {
            "CRT" => Some(TokenKind::Crt),
            "at+jwt" => Some(TokenKind::Oem),
            _ => None,
        }
    }

    /// The identity that its `jti` names.
    #[must_use]
    pub fn id_untrusted(&self) -> Option<TokenId> {
        token_id(self.claims.get("jti")?.as_str()?)
    }
}
