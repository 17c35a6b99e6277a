//! The properties that the fuzz targets and the tests share. Not part of the
//! interface.

#[cfg(feature = "jws")]
use token_core::TokenKind;
use token_core::{SubscribeKey, UnixSeconds};

use crate::layout::SIG;
#[cfg(feature = "jws")]
use crate::{JwsKey, JwsKeyRecord, JwsKeys, verify_jws};
use crate::{KeyPeriod, KeyRing, TokenBuffer, TokenKey, UntrustedToken, base64url, encode};

/// Inspection of any text, and of any bytes, ends without a panic.
pub fn inspect(data: &[u8]) {
    drop(UntrustedToken::parse(&String::from_utf8_lossy(data)));
    drop(UntrustedToken::parse(&base64url::encode(data)));
}

/// Verification of any text, and of any bytes with a right signature, ends
/// without a panic; and what verifies is what its own claims encode to, and
/// what inspection calls canonical.
pub fn verify(data: &[u8]) {
    let Ok(subscribe_key) = SubscribeKey::new("sub-c-demo") else {
        return;
    };
    let key = TokenKey::hmac(&[7; 32], &subscribe_key);
    let period = KeyPeriod {
        from: UnixSeconds(0),
        until: None,
        key: key.clone(),
    };
    let keys = KeyRing::new(subscribe_key, [period]);
    let mut signed = data.to_vec();
    signed.extend_from_slice(SIG);
    signed.extend_from_slice(&[0x58, 0x20]);
    signed.extend(key.sign(data).unwrap_or_default());
    let texts = [
        String::from_utf8_lossy(data).into_owned(),
        base64url::encode(data),
        base64url::encode(&signed),
    ];
    for text in texts {
        let mut buffer = TokenBuffer::new();
        if let Ok(token) = crate::verify(&text, &keys, &mut buffer) {
            let again = encode(&token.claims(), &key);
            let same = again.is_ok_and(|again| {
                base64url::without_padding(&again) == base64url::without_padding(&text)
            });
            assert!(same, "a verified token is not what its claims encode to");
            let canonical = UntrustedToken::parse(&text).is_ok_and(|shown| shown.is_canonical());
            assert!(canonical, "inspection cannot read a verified token");
        }
    }
}

/// A JWS of any text, and of any header (the first line) and claims (the rest)
/// with a right signature, ends without a panic; and what verifies says the
/// same when its claims are signed again.
#[cfg(feature = "jws")]
pub fn jws(data: &[u8]) {
    let record = |key_id: &str, kind, scope: &str, key| JwsKeyRecord {
        key_id: key_id.to_owned(),
        kind,
        scope: scope.to_owned(),
        issuer: "usher".to_owned(),
        from: UnixSeconds(0),
        until: None,
        key,
    };
    let (Ok(secret), Ok(pair)) = (JwsKey::hs512(&[7; 64]), JwsKey::ed25519(&[7; 32])) else {
        return;
    };
    let records = [
        record("crt", TokenKind::Crt, "demo", secret),
        record("oem", TokenKind::Oem, "7", pair),
    ];
    let Ok(keys) = JwsKeys::new(records.clone()) else {
        return;
    };
    let line = data.iter().position(|byte| *byte == b'\n');
    let (header, claims) = data.split_at(line.unwrap_or(data.len()));
    let claims = claims.strip_prefix(b"\n").unwrap_or(claims);
    let mut texts = vec![String::from_utf8_lossy(data).into_owned()];
    texts.extend(records.iter().filter_map(|it| it.seal(header, claims).ok()));
    for text in texts {
        if let Ok(token) = verify_jws(&text, &keys) {
            let again = token.key_record().sign(token.claims(), None);
            let again = again.ok().and_then(|again| verify_jws(&again, &keys).ok());
            let same = again.is_some_and(|again| again.claims() == token.claims());
            assert!(
                same,
                "a verified token is not what its claims are signed to"
            );
        }
    }
}
