//! The Usher server: the Access Manager dialect on the public listener,
//! checks and administration on the internal one.

mod conn;
mod query;
mod signature;

pub use conn::{ConnectionLimits, Handler, Listener, Refusal};
pub use query::{Query, QueryError};
pub use signature::{Accept, SignatureMismatch, SignedRequest, SigningKeys};
