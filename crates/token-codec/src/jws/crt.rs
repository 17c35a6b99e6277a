//! CRT tokens: PubSub and Chat (signalwire 5), with the claims of the contract
//! and `iss`, `aud` and `exp` beside them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use token_core::limits::{
    CRT_CHANNELS_MAX, CRT_MEMBER_CHARS_MAX, CRT_NAME_CHARS_MAX, CRT_STATE_CHARS_MAX,
    TTL_MINUTES_MAX,
};
use token_core::{Permission, Permissions, ResourceName, TokenId, TtlMinutes, UnixSeconds};

use super::claims::{UniqueKeys, UniqueMap, object, token_id, uuid_text};
use super::error::JwsError;
use super::key::JwsKeyRecord;

/// What a CRT token is for. A token of one is not one of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the contract has two")]
pub enum Product {
    /// Publish and subscribe.
    PubSub,
    /// Chat.
    Chat,
}

impl Product {
    /// The name in `aud` and in the path: `pubsub`, `chat`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PubSub => "pubsub",
            Self::Chat => "chat",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::PubSub, Self::Chat]
            .into_iter()
            .find(|product| product.name() == name)
    }
}

/// What a token allows on one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the contract has two flags")]
pub struct ChannelAccess {
    /// To subscribe and receive.
    pub read: bool,
    /// To publish.
    pub write: bool,
}

impl ChannelAccess {
    /// The same as permissions of a channel.
    #[must_use]
    pub fn permissions(self) -> Permissions {
        let held = [
            self.read.then_some(Permission::Read),
            self.write.then_some(Permission::Write),
        ];
        held.into_iter().flatten().collect()
    }
}

/// What a CRT token says. Plain data: nothing may be decided on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an issuer fills every field, knowingly"
)]
pub struct CrtClaims {
    /// Its identity, random.
    pub id: TokenId,
    /// The product that it is for.
    pub product: Product,
    /// When it was issued.
    pub issued_at: UnixSeconds,
    /// How long it lives: 1 to 43,200 minutes.
    pub ttl: TtlMinutes,
    /// At most 500 channels; a name has 1 to 250 characters.
    pub channels: BTreeMap<String, ChannelAccess>,
    /// Who may use it: at most 250 characters.
    pub member_id: String,
    /// What the issuer says about the member: a JSON object of at most 2,000
    /// characters, compact.
    pub state: String,
}

impl CrtClaims {
    /// When it expires: at this instant it has.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixSeconds> {
        self.ttl.expires_at(self.issued_at)
    }

    /// The name of a claim that breaks a bound.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let name_fits = |name: &String| {
            ResourceName::check(name).is_ok() && name.chars().count() <= CRT_NAME_CHARS_MAX
        };
        let channels = self.channels.len();
        if !(1..=TTL_MINUTES_MAX).contains(&self.ttl.0) || self.expires_at().is_none() {
            Some("t")
        } else if !(1..=CRT_CHANNELS_MAX).contains(&channels)
            || !self.channels.keys().all(name_fits)
        {
            Some("chls")
        } else if self.state.chars().count() > CRT_STATE_CHARS_MAX || !is_object(&self.state) {
            Some("stt")
        } else if self.member_id.chars().count() > CRT_MEMBER_CHARS_MAX
            || ResourceName::check(&self.member_id).is_err()
        {
            Some("m")
        } else {
            None
        }
    }

    /// The JSON that is signed under the key of `record`.
    pub(super) fn json(&self, record: &JwsKeyRecord) -> Option<Vec<u8>> {
        let state: &RawValue = serde_json::from_str(&self.state).ok()?;
        let wire = WireOut {
            iat: self.issued_at.0,
            jti: uuid_text(self.id),
            sub: &record.scope,
            t: self.ttl.0,
            chls: &self.channels,
            stt: state,
            m: &self.member_id,
            iss: &record.issuer,
            aud: self.product.name(),
            exp: self.expires_at()?.0,
        };
        serde_json::to_vec(&wire).ok()
    }

    pub(super) fn read(json: &[u8], record: &JwsKeyRecord) -> Result<Self, JwsError> {
        let wire: WireIn<'_> = object(json).ok_or(JwsError::Claims)?;
        let claim = |name| JwsError::Claim { name };
        if wire.sub != record.scope {
            return Err(claim("sub"));
        }
        if wire.iss != record.issuer {
            return Err(claim("iss"));
        }
        let claims = Self {
            id: token_id(&wire.jti).ok_or_else(|| claim("jti"))?,
            product: Product::from_name(&wire.aud).ok_or_else(|| claim("aud"))?,
            issued_at: UnixSeconds(wire.iat),
            ttl: TtlMinutes(wire.t),
            channels: channels(wire.chls).ok_or(JwsError::Claims)?,
            member_id: wire.m.into_owned(),
            state: wire.stt.get().to_owned(),
        };
        if let Some(name) = claims.fault() {
            return Err(claim(name));
        }
        if claims.expires_at() != Some(UnixSeconds(wire.exp)) {
            return Err(claim("exp"));
        }
        Ok(claims)
    }
}

/// Each channel with both flags and nothing else.
fn channels(wire: UniqueMap<UniqueMap<bool>>) -> Option<BTreeMap<String, ChannelAccess>> {
    let access = |UniqueMap(flags): UniqueMap<bool>| {
        let access = ChannelAccess {
            read: *flags.get("read")?,
            write: *flags.get("write")?,
        };
        (flags.len() == 2).then_some(access)
    };
    let channels = wire.0.into_iter();
    channels
        .map(|(name, flags)| Some((name, access(flags)?)))
        .collect()
}

/// Whether `text` is one JSON object, and no object in it has a key twice.
fn is_object(text: &str) -> bool {
    text.starts_with('{') && serde_json::from_str::<UniqueKeys>(text).is_ok()
}

#[derive(Serialize)]
struct WireOut<'a> {
    iat: u64,
    jti: String,
    sub: &'a str,
    t: u32,
    chls: &'a BTreeMap<String, ChannelAccess>,
    stt: &'a RawValue,
    m: &'a str,
    iss: &'a str,
    aud: &'a str,
    exp: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireIn<'a> {
    iat: u64,
    #[serde(borrow)]
    jti: Cow<'a, str>,
    #[serde(borrow)]
    sub: Cow<'a, str>,
    t: u32,
    chls: UniqueMap<UniqueMap<bool>>,
    #[serde(borrow)]
    stt: &'a RawValue,
    #[serde(borrow)]
    m: Cow<'a, str>,
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    exp: u64,
}
