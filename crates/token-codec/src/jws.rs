//! The JWS dialects (RFC 7515, compact form): CRT with HS512, customer access
//! tokens (`at+jwt`, RFC 9068) with Ed25519.
//!
//! Nothing of a token chooses how it is verified. Its `kid` finds a key record,
//! and the record says algorithm, type, issuer and kind; the header must agree.

mod claims;
mod compact;
mod crt;
mod error;
mod header;
mod jwk;
mod key;
mod oem;
mod untrusted;
mod verified;

pub use claims::uuid_text;
pub use crt::{ChannelAccess, CrtClaims, Product};
pub use error::{JwsError, JwsKeyError};
pub use jwk::Jwk;
pub use key::{JwsKey, JwsKeyRecord, JwsKeys};
pub use oem::OemClaims;
pub use untrusted::UntrustedJws;
pub use verified::{JwsClaims, VerifiedJws, verify_jws};
