//! The claims of a token: what an issuer says.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{InvalidClaims, InvalidName};
use crate::grant::Grants;
use crate::identity::TokenId;
use crate::limits::{
    ANCESTORS_MAX, KEY_ID_BYTES_MAX, META_NESTING_MAX, NAMES_PER_TOKEN_MAX, PATTERNS_PER_TOKEN_MAX,
};
use crate::meta::{Meta, MetaValue};
use crate::resource::{ResourceKind, ResourceName};
use crate::time::{TtlMinutes, UnixSeconds};

/// What a token says. Plain data: it has no signature, so nothing may be
/// decided on it.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an issuer fills every field, knowingly"
)]
pub struct Claims {
    /// When the token was issued.
    pub issued_at: UnixSeconds,
    /// How long it lives.
    pub ttl: TtlMinutes,
    /// What it grants.
    pub grants: Grants,
    /// What the issuer wrote into it for itself.
    pub meta: Meta,
    /// The only uuid that may use it, if it is bound to one.
    pub uuid: Option<String>,
    /// The tokens that it was narrowed from, at most 4. It dies with each.
    pub ancestors: Vec<TokenId>,
    /// The name of the key that signed it, when that is not the keyset's own:
    /// 1 to 16 bytes without control characters.
    pub key_id: Option<String>,
}

impl Claims {
    /// Claims with a life and grants, and nothing else.
    #[must_use]
    pub const fn new(issued_at: UnixSeconds, ttl: TtlMinutes, grants: Grants) -> Self {
        Self {
            issued_at,
            ttl,
            grants,
            meta: Meta::new(),
            uuid: None,
            ancestors: Vec::new(),
            key_id: None,
        }
    }

    /// Whether these claims can become a token: every bound of
    /// [`crate::limits`] that does not depend on the encoded form.
    ///
    /// # Errors
    ///
    /// [`InvalidClaims`] with the first bound that is broken.
    pub fn validate(&self) -> Result<(), InvalidClaims> {
        if self.ttl.0 == 0 {
            return Err(InvalidClaims::ZeroTtl);
        }
        self.ttl
            .expires_at(self.issued_at)
            .ok_or(InvalidClaims::ExpiryOverflow)?;
        self.validate_grants()?;
        let deepest = self.meta.values().map(MetaValue::depth).max().unwrap_or(0);
        if deepest >= META_NESTING_MAX {
            return Err(InvalidClaims::MetaTooDeep);
        }
        if self.ancestors.len() > ANCESTORS_MAX {
            return Err(InvalidClaims::TooManyAncestors {
                ancestors: self.ancestors.len(),
            });
        }
        if let Some(id) = &self.key_id {
            ResourceName::check(id).map_err(InvalidClaims::KeyId)?;
            if id.len() > KEY_ID_BYTES_MAX {
                return Err(InvalidClaims::KeyIdLength { bytes: id.len() });
            }
        }
        match &self.uuid {
            Some(uuid) => ResourceName::check(uuid).map_err(InvalidClaims::Uuid),
            None => Ok(()),
        }
    }

    fn validate_grants(&self) -> Result<(), InvalidClaims> {
        let grants = &self.grants;
        if grants.is_empty() {
            return Err(InvalidClaims::NoPermissions);
        }
        for kind in ResourceKind::ALL {
            let names = grants.names(kind).map(|(_, permissions)| permissions);
            let patterns = grants.patterns(kind).map(|(_, permissions)| permissions);
            if names
                .chain(patterns)
                .any(|permissions| permissions.is_empty())
            {
                return Err(InvalidClaims::EmptyPermissions { kind });
            }
        }
        let names = grants.name_count();
        if names > NAMES_PER_TOKEN_MAX {
            return Err(InvalidClaims::TooManyNames { names });
        }
        let patterns = grants.pattern_count();
        if patterns > PATTERNS_PER_TOKEN_MAX {
            return Err(InvalidClaims::TooManyPatterns { patterns });
        }
        Ok(())
    }
}

/// Whether `uuid` may be the uuid of a request: a name of at most 92
/// characters.
///
/// # Errors
///
/// [`InvalidName`] when it is no name or too long.
pub fn check_request_uuid(uuid: &str) -> Result<(), InvalidName> {
    ResourceName::check(uuid)?;
    let characters = uuid.chars().count();
    if characters > crate::limits::REQUEST_UUID_CHARS_MAX {
        return Err(InvalidName::UuidTooLong { characters });
    }
    Ok(())
}
