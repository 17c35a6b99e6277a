//! The keyset and its tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use token_codec::{KeyPeriod, KeyRing, TokenBuffer, TokenKey, VerifiedToken, encode, verify};
use token_core::{
    Claims, Grants, PatternText, Permission, Permissions, ResourceKind, ResourceName, SubscribeKey,
    TtlMinutes, UnixSeconds,
};
use token_policy::{Keyset, Operation, Request, Target, Targets};

/// The keyset of every bench.
pub const SUBSCRIBE_KEY: &str = "sub-c-demo";
/// When every token was issued. It lives an hour.
pub const ISSUED_AT: UnixSeconds = UnixSeconds(1_790_000_000);
/// When every decision is made.
pub const NOW: UnixSeconds = UnixSeconds(1_790_000_060);

/// What follows the signed bytes: the key `sig`, the head of 32 bytes, they.
const AFTER_SIGNED_BYTES: usize = 4 + 2 + 32;

fn subscribe_key() -> SubscribeKey {
    SubscribeKey::new(SUBSCRIBE_KEY).unwrap()
}

/// The key that signs.
#[must_use]
pub fn mac_key() -> TokenKey {
    TokenKey::hmac(&[7; 32], &subscribe_key())
}

fn keys_from(from: UnixSeconds) -> KeyRing {
    let (until, key) = (None, mac_key());
    KeyRing::new(subscribe_key(), [KeyPeriod { from, until, key }])
}

/// The keys that verify every token.
#[must_use]
pub fn keys() -> KeyRing {
    keys_from(UnixSeconds(0))
}

/// Keys of a time in which no token was issued: verification decodes and walks
/// and then has no key to check the signature with.
#[must_use]
pub fn keys_of_another_time() -> KeyRing {
    keys_from(NOW)
}

/// A token with what it was made of.
#[derive(Clone, Debug)]
pub struct Issued {
    /// What it says.
    pub claims: Claims,
    /// Its text.
    pub text: String,
    /// Its channels, sorted as in the token. Each may be read and written.
    pub channels: Vec<String>,
}

impl Issued {
    /// One channel, 181 bytes.
    #[must_use]
    pub fn small() -> Self {
        Self::of_size(1, 181)
    }

    /// 20 channels, 771 bytes.
    #[must_use]
    pub fn large() -> Self {
        Self::of_size(20, 771)
    }

    /// `channels` channels with names as long as `bytes` need, none more than a
    /// character longer than another.
    fn of_size(channels: usize, bytes: usize) -> Self {
        (0..bytes)
            .map(|padding| {
                let (each, longer) = (padding / channels, padding % channels);
                let name = |n: usize| {
                    let padding = each + usize::from(n >= channels - longer);
                    format!("team-7.room-{n:03}{}", "x".repeat(padding))
                };
                Self::of((0..channels).map(name).collect(), &[])
            })
            .find(|token| token.size() == bytes)
            .unwrap()
    }

    /// Five channels and these patterns, with the same permissions.
    #[must_use]
    pub fn with_patterns(patterns: &[String]) -> Self {
        Self::of((0..5).map(|n| format!("room-{n}")).collect(), patterns)
    }

    fn of(channels: Vec<String>, patterns: &[String]) -> Self {
        let permissions = Permissions::from_iter([Permission::Read, Permission::Write]);
        let mut grants = Grants::new();
        for name in &channels {
            let name = ResourceName::new(name.as_str()).unwrap();
            grants.allow(ResourceKind::Channel, name, permissions);
        }
        for pattern in patterns {
            let pattern = PatternText::new(pattern.as_str()).unwrap();
            grants.allow_pattern(ResourceKind::Channel, pattern, permissions);
        }
        let mut claims = Claims::new(ISSUED_AT, TtlMinutes(60), grants);
        claims.uuid = Some("alice".to_owned());
        let text = encode(&claims, &mac_key()).unwrap();
        Self {
            claims,
            text,
            channels,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        URL_SAFE.decode(&self.text).unwrap()
    }

    /// How many bytes it has.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes().len()
    }

    /// The bytes that the signature is made over.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = self.bytes();
        bytes.truncate(bytes.len() - AFTER_SIGNED_BYTES);
        bytes
    }

    /// The text with another first character, so that it decodes to the same
    /// number of bytes, of which the first is no map: verification decodes and
    /// then stops.
    #[must_use]
    pub fn no_map(&self) -> String {
        format!("A{}", &self.text[1..])
    }

    /// The token, verified, as a cache keeps it.
    #[must_use]
    pub fn verified(&self) -> VerifiedToken<'static> {
        verify(&self.text, &keys(), &mut TokenBuffer::new())
            .unwrap()
            .into_owned()
    }

    /// The last channel of the token, the one that is looked for longest.
    #[must_use]
    pub fn last_channel(&self) -> [Target<'_>; 1] {
        let name = self.channels.last().unwrap();
        [Target::new(ResourceKind::Channel, name.as_str())]
    }
}

/// Subscribing to `targets`, as the uuid that the tokens are bound to.
#[must_use]
pub fn subscribe<'a>(targets: &'a [Target<'a>]) -> Request<'a> {
    let targets = Targets::new(targets).unwrap();
    Request::new(Keyset::new(SUBSCRIBE_KEY), Operation::Subscribe, targets).by(Some("alice"))
}
