//! Inspection: what a text says, whoever made it and whether or not it is
//! genuine (contract sections 4 and 10.2).
//!
//! The real service and its SDKs' tests order keys freely, leave sections out
//! and write keys as text; pasted tokens lose their padding. All of that is
//! read here, and none of it can reach a decision.

mod value;

use token_core::limits::INSPECT_TEXT_BYTES_MAX;
use token_core::{Category, Meta, Permissions, ResourceKind, TokenId, TtlMinutes, UnixSeconds};

use crate::base64url;
use crate::error::{InspectError, VerifyError};
use crate::inspect::value::Value;
use crate::verify;

/// A token that was read and not verified: anybody may have written it. Good
/// for showing, never for deciding; it is no [`token_core::VerifiedClaims`]:
///
/// ```compile_fail,E0277
/// fn decide(token: &impl token_core::VerifiedClaims) {}
/// decide(&token_codec::UntrustedToken::parse("p0F2AkF0Gg").unwrap());
/// ```
#[derive(Clone, Debug)]
pub struct UntrustedToken {
    claims: UntrustedClaims,
    signature: Vec<u8>,
    size: usize,
    defect: Option<VerifyError>,
}

/// What an unverified token says, as it says it: entries in the order of the
/// token, repeated ones included.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct UntrustedClaims {
    /// The version of the format. Only 2 is ever verified.
    pub version: u64,
    /// When it claims to have been issued.
    pub issued_at: UnixSeconds,
    /// How long it claims to live.
    pub ttl: TtlMinutes,
    /// Names by kind.
    pub names: Vec<(ResourceKind, String, Permissions)>,
    /// Patterns by kind.
    pub patterns: Vec<(ResourceKind, String, Permissions)>,
    /// Categories with their permissions; only get means something.
    pub categories: Vec<(Category, Permissions)>,
    /// `meta`, as near as JSON's values come: bytes as text or in the notation
    /// `h'00ff'`, what is not finite or has no value as null, other keys than
    /// text as text.
    pub meta: Meta,
    /// The uuid that it claims to be bound to.
    pub uuid: Option<String>,
    /// The tokens that it claims to come from.
    pub ancestors: Vec<TokenId>,
    /// The key that it names.
    pub key_id: Option<String>,
}

impl UntrustedClaims {
    /// When it claims to expire; `None` when that cannot be expressed.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixSeconds> {
        self.ttl.expires_at(self.issued_at)
    }
}

impl UntrustedToken {
    /// Reads a token of at most 32 KiB of text: base64 of either alphabet, any
    /// padding or none, white space around it ignored.
    ///
    /// # Errors
    ///
    /// [`InspectError`] when the text is not base64, not a CBOR map, or has no
    /// `v`, `t` and `ttl`, or when something in it has a type or size that no
    /// token can have.
    pub fn parse(text: &str) -> Result<Self, InspectError> {
        if text.len() > INSPECT_TEXT_BYTES_MAX {
            return Err(InspectError::TooLong { bytes: text.len() });
        }
        let defect = verify::defect(text);
        let text = text.trim();
        if text.is_empty() {
            return Err(InspectError::Empty);
        }
        let bytes = base64url::decode_lenient(text).ok_or(InspectError::Text)?;
        let token = value::read(&bytes)?;
        let entries = token.entries().ok_or(InspectError::NotAMap)?;
        let find = |key: &'static str| {
            entries
                .iter()
                .find(|(name, _)| name.is_key(key))
                .map(|(_, value)| value)
        };
        let signature = read_bytes(find("sig"), "sig")?;
        Ok(Self {
            claims: read_claims(find)?,
            signature: signature.unwrap_or_default(),
            size: bytes.len(),
            defect,
        })
    }

    /// What it says.
    #[must_use]
    pub const fn claims_untrusted(&self) -> &UntrustedClaims {
        &self.claims
    }

    /// What stands where the signature belongs; empty when nothing does.
    #[must_use]
    pub fn signature_untrusted(&self) -> &[u8] {
        &self.signature
    }

    /// The id that it would have if it were genuine; `None` when the signature
    /// has fewer than 16 bytes.
    #[must_use]
    pub fn id_untrusted(&self) -> Option<TokenId> {
        self.signature.first_chunk().copied().map(TokenId)
    }

    /// How many bytes it has, the text decoded.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Whether the text is a canonical token, so that its signature alone
    /// decides whether it verifies.
    #[must_use]
    pub const fn is_canonical(&self) -> bool {
        self.defect.is_none()
    }

    /// Why it is not canonical: the first defect, as verification reports it.
    #[must_use]
    pub const fn defect(&self) -> Option<&VerifyError> {
        self.defect.as_ref()
    }
}

fn read_claims<'v>(
    find: impl Fn(&'static str) -> Option<&'v Value>,
) -> Result<UntrustedClaims, InspectError> {
    let need = |key| find(key).ok_or(InspectError::Missing { key });
    let number = |key| need(key)?.unsigned().ok_or(InspectError::Value { key });
    let ttl = u32::try_from(number("ttl")?).map_err(|_| InspectError::Value { key: "ttl" })?;
    let uuid = match find("uuid") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.text().ok_or(InspectError::Value { key: "uuid" })?),
    };
    Ok(UntrustedClaims {
        version: number("v")?,
        issued_at: UnixSeconds(number("t")?),
        ttl: TtlMinutes(ttl),
        names: read_sections(find("res"), "res")?,
        patterns: read_sections(find("pat"), "pat")?,
        categories: read_categories(find("cat"))?,
        meta: match find("meta") {
            None | Some(Value::Null) => Meta::new(),
            Some(value) => value.to_meta().ok_or(InspectError::Value { key: "meta" })?,
        },
        uuid,
        ancestors: read_ancestors(find("par"))?,
        key_id: find("kid").map(read_key_id).transpose()?,
    })
}

/// The known sections of `res` or `pat`; others are nothing we could show.
fn read_sections(
    value: Option<&Value>,
    key: &'static str,
) -> Result<Vec<(ResourceKind, String, Permissions)>, InspectError> {
    let mut found = Vec::new();
    let Some(value) = value else {
        return Ok(found);
    };
    let sections = value.entries().ok_or(InspectError::Value { key })?;
    for (name, section) in sections {
        let Some(kind) = name.key_bytes().and_then(ResourceKind::from_cbor_key) else {
            continue;
        };
        let key = kind.cbor_key();
        for (name, bits) in section.entries().ok_or(InspectError::Value { key })? {
            let name = name.text().ok_or(InspectError::Value { key })?;
            let held = bits.permissions().ok_or(InspectError::Value { key })?;
            found.push((kind, name, held));
        }
    }
    Ok(found)
}

fn read_categories(value: Option<&Value>) -> Result<Vec<(Category, Permissions)>, InspectError> {
    const ERROR: InspectError = InspectError::Value { key: "cat" };
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (name, bits) in value.entries().ok_or(ERROR)? {
        let category = Category::ALL
            .into_iter()
            .find(|category| name.is_key(category.cbor_key()));
        if let Some(category) = category {
            found.push((category, bits.permissions().ok_or(ERROR)?));
        }
    }
    Ok(found)
}

fn read_ancestors(value: Option<&Value>) -> Result<Vec<TokenId>, InspectError> {
    const ERROR: InspectError = InspectError::Value { key: "par" };
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let ids = value.array().ok_or(ERROR)?;
    ids.iter()
        .map(|id| id.text().and_then(|id| id.parse().ok()).ok_or(ERROR))
        .collect()
}

fn read_key_id(value: &Value) -> Result<String, InspectError> {
    value.text().ok_or(InspectError::Value { key: "kid" })
}

fn read_bytes(value: Option<&Value>, key: &'static str) -> Result<Option<Vec<u8>>, InspectError> {
    value
        .map(|value| value.bytes().map(<[u8]>::to_vec))
        .map(|bytes| bytes.ok_or(InspectError::Value { key }))
        .transpose()
}
