//! The compact form (RFC 7515 section 7.1): three segments of base64url
//! without padding.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::JwsError;

/// A text, cut into its segments.
pub(super) struct Compact<'a> {
    /// What the signature is over: the text up to the second dot.
    pub(super) signed: &'a str,
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    pub(super) fn cut(text: &'a str) -> Result<Self, JwsError> {
        let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Segments)?;
        let (header, claims) = signed.split_once('.').ok_or(JwsError::Segments)?;
        let segments = [header, claims, signature];
        if claims.contains('.') || segments.iter().any(|segment| segment.is_empty()) {
            return Err(JwsError::Segments);
        }
        Ok(Self {
            signed,
            header,
            claims,
            signature,
        })
    }

    pub(super) fn header(&self) -> Result<Vec<u8>, JwsError> {
        decode(self.header, "header")
    }

    pub(super) fn claims(&self) -> Result<Vec<u8>, JwsError> {
        decode(self.claims, "claims")
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, JwsError> {
        decode(self.signature, "signature")
    }
}

/// One text per value: no padding, no other alphabet, no stray bits.
fn decode(text: &str, segment: &'static str) -> Result<Vec<u8>, JwsError> {
    let error = JwsError::Base64 { segment };
    URL_SAFE_NO_PAD.decode(text).map_err(|_| error)
}

pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
