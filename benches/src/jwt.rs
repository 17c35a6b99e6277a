//! The same grant as a JWT (HS256) of the crate jsonwebtoken.

use std::collections::HashMap;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::token::{ISSUED_AT, Issued, NOW};

#[derive(Serialize, Deserialize)]
struct Claims {
    iat: u64,
    exp: u64,
    sub: String,
    chan: HashMap<String, u8>,
}

/// A JWT and the keys to make and to verify it with.
pub struct Jwt {
    claims: Claims,
    text: String,
    channel: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
}

impl Jwt {
    /// What `token` grants.
    #[must_use]
    pub fn like(token: &Issued) -> Self {
        let claims = Claims {
            iat: ISSUED_AT.0,
            exp: ISSUED_AT.0 + 3_600,
            sub: "alice".to_owned(),
            chan: token
                .channels
                .iter()
                .map(|name| (name.clone(), 3))
                .collect(),
        };
        let signing = EncodingKey::from_secret(&[7; 32]);
        let mut validation = Validation::new(Algorithm::HS256);
        // Compared with the time of the bench, below.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Self {
            text: encode(&Header::default(), &claims, &signing).unwrap(),
            claims,
            channel: token.channels.last().unwrap().clone(),
            signing,
            verifying: DecodingKey::from_secret(&[7; 32]),
            validation,
        }
    }

    /// Makes the token again.
    #[must_use]
    pub fn grant(&self) -> String {
        encode(&Header::default(), &self.claims, &self.signing).unwrap()
    }

    /// Verifies it and decides whether alice may read the last channel.
    #[must_use]
    pub fn decide(&self) -> bool {
        let token = decode::<Claims>(&self.text, &self.verifying, &self.validation);
        token.is_ok_and(|token| {
            let held = token.claims.chan.get(&self.channel).copied().unwrap_or(0);
            NOW.0 < token.claims.exp && token.claims.sub == "alice" && held & 1 != 0
        })
    }

    /// How long its text is.
    #[must_use]
    pub fn characters(&self) -> usize {
        self.text.len()
    }
}
