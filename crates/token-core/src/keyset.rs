//! The public keys of a keyset.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::borrow::Borrow;
use core::fmt;

use crate::error::InvalidKey;
use crate::limits::KEY_CHARS_MAX;

fn check(key: &str) -> Result<(), InvalidKey> {
    let characters = key.chars().count();
    if characters == 0 || characters > KEY_CHARS_MAX {
        return Err(InvalidKey::Length { characters });
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    match key.bytes().position(|b| !allowed(b)) {
        Some(at) => Err(InvalidKey::Character { at }),
        None => Ok(()),
    }
}

macro_rules! keyset_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// A key from text.
            ///
            /// # Errors
            ///
            /// [`InvalidKey`] when the text is empty, too long or holds
            /// another character.
            pub fn new(key: &str) -> Result<Self, InvalidKey> {
                check(key).map(|()| Self(key.to_owned()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

keyset_key! {
    /// The key that names a keyset: 1 to 64 characters of `[A-Za-z0-9_-]`.
    /// Public.
    SubscribeKey
}

keyset_key! {
    /// The key that a publisher shows beside the subscribe key: 1 to 64
    /// characters of `[A-Za-z0-9_-]`. Public.
    PublishKey
}
