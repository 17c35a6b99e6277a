#![doc = include_str!("../README.md")]

mod base64url;
mod encode;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod inspect;
#[cfg(feature = "jws")]
mod jws;
mod key;
mod layout;
mod meta;
mod outline;
mod reader;
mod verified;
mod verify;

pub use encode::encode;
pub use error::{
    Defect, EncodeError, InspectError, InvalidTokenKey, Malformed, TextError, VerifyError,
};
pub use inspect::{UntrustedClaims, UntrustedToken};
#[cfg(feature = "jws")]
pub use jws::{
    ChannelAccess, CrtClaims, Jwk, JwsClaims, JwsError, JwsKey, JwsKeyError, JwsKeyRecord, JwsKeys,
    OemClaims, Product, UntrustedJws, VerifiedJws, uuid_text, verify_jws,
};
#[cfg(feature = "jws")]
pub use key::TokenJwk;
pub use key::{KeyPeriod, KeyRing, TokenKey};
pub use verified::VerifiedToken;
pub use verify::{TokenBuffer, verify};
