//! The master key: it seals the secrets of the database, and is kept elsewhere.

use core::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use zeroize::Zeroizing;

use crate::error::InvalidMasterKey;
use crate::secret::{self, Secret};

/// What is derived from a master key, each for one use.
const FOR_SEALING: &[u8] = b"usher master key 1: seal";
const FOR_NAMING: &[u8] = b"usher master key 1: id";

/// Seals the secret keys and signing keys of a store (AES-256-GCM, RFC 5116).
/// Keep it outside the data directory: without it the store does not open.
#[derive(Clone)]
pub struct MasterKey {
    sealing: Zeroizing<[u8; 32]>,
    id: String,
}

impl MasterKey {
    /// A key from 64 hexadecimal digits; white space around them is left out.
    ///
    /// # Errors
    ///
    /// [`InvalidMasterKey`] when they are none, or one digit 64 times.
    pub fn from_hex(text: &str) -> Result<Self, InvalidMasterKey> {
        let digits = text.trim();
        let key = secret::from_hex::<32>(digits).ok_or(InvalidMasterKey::Digits)?;
        let mut bytes = digits.bytes();
        let first = bytes.next();
        if bytes.all(|byte| Some(byte) == first) {
            return Err(InvalidMasterKey::OneDigit);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*key);
        let mut sealing = Zeroizing::new([0; 32]);
        sealing.copy_from_slice(hmac::sign(&key, FOR_SEALING).as_ref());
        let name = hmac::sign(&key, FOR_NAMING);
        let name = name.as_ref().get(..8).unwrap_or_default();
        Ok(Self {
            sealing,
            id: secret::hex(name).to_string(),
        })
    }

    /// Names the key, and says nothing about it: 16 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn cipher(&self) -> Result<LessSafeKey, ring::error::Unspecified> {
        UnboundKey::new(&AES_256_GCM, &*self.sealing).map(LessSafeKey::new)
    }

    /// Seals `secret` for one place. The nonce is random: 96 bits for the few
    /// thousand times that a key ever seals.
    fn seal(&self, place: &str, secret: &Secret) -> Result<Secret, ring::error::Unspecified> {
        let mut nonce = [0; NONCE_LEN];
        secret::random_bytes(&mut nonce)?;
        let mut sealed = Zeroizing::new(secret.expose().as_bytes().to_vec());
        let tag = self.cipher()?.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(place.as_bytes()),
            &mut sealed,
        )?;
        let text = [&nonce, sealed.as_slice(), tag.as_ref()].concat();
        Ok(Secret::new(secret::hex(&text).to_string()))
    }

    fn open(&self, place: &str, sealed: &Secret) -> Option<Secret> {
        let mut bytes = Zeroizing::new(secret::bytes_from_hex(sealed.expose())?);
        let (nonce, rest) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(place.as_bytes());
        let plain = self.cipher().ok()?.open_in_place(nonce, aad, rest).ok()?;
        let plain = core::str::from_utf8(plain).ok()?;
        Some(Secret::new(plain.to_owned()))
    }
}

/// By their ids.
impl PartialEq for MasterKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for MasterKey {}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// How a database holds secrets: as they are, or sealed under a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seal(pub(crate) Option<MasterKey>);

impl Seal {
    /// The id of the key; `None` when nothing is sealed.
    pub(crate) fn id(&self) -> Option<&str> {
        self.0.as_ref().map(MasterKey::id)
    }

    /// The secret as the database holds it at `place`, which is bound to it: a
    /// sealed secret opens nowhere else.
    pub(crate) fn close(
        &self,
        place: &str,
        secret: &Secret,
    ) -> Result<Secret, ring::error::Unspecified> {
        match &self.0 {
            None => Ok(secret.clone()),
            Some(key) => key.seal(place, secret),
        }
    }

    /// The secret that the database holds at `place`.
    pub(crate) fn open(&self, place: &str, held: &Secret) -> Option<Secret> {
        match &self.0 {
            None => Some(held.clone()),
            Some(key) => key.open(place, held),
        }
    }
}
