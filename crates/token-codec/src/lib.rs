#![doc = include_str!("../README.md")]

mod base64url;
mod encode;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod inspect;
mod key;
mod layout;
mod meta;
mod outline;
mod reader;
mod verified;
mod verify;

pub use encode::encode;
pub use error::{Defect, EncodeError, InspectError, Malformed, TextError, VerifyError};
pub use inspect::{UntrustedClaims, UntrustedToken};
pub use key::{KeyPeriod, KeyRing, MacKey};
pub use verified::VerifiedToken;
pub use verify::{TokenBuffer, verify};
