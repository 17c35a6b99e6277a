//! The property that the fuzz target and the tests share. Not part of the
//! interface.

use token_codec::{KeyPeriod, KeyRing, TokenBuffer, TokenKey, encode, verify};
use token_core::{SubscribeKey, UnixSeconds};

use crate::grant_body::{BodyRules, GrantBody, parse_object};

/// Any body is refused with faults that say what and where, or granted: then
/// the token verifies and claims what the body asked for. Without a panic.
pub fn grant_body(data: &[u8]) {
    for permission_names in [false, true] {
        let rules = BodyRules {
            ttl_max: token_core::limits::TTL_MINUTES_MAX,
            scalar_meta: false,
            uuid_required: false,
            permission_names,
        };
        let read = parse_object(data)
            .map_err(|fault| vec![fault])
            .and_then(|object| GrantBody::read(&object, rules));
        match read {
            Ok(grant) => granted(grant),
            Err(faults) => {
                assert!(!faults.is_empty(), "refused without a fault");
                for fault in &faults {
                    let said = [fault.message().to_owned(), fault.detail(), fault.location()];
                    assert!(said.iter().all(|text| !text.is_empty()), "{fault:?}");
                }
            }
        }
    }
}

fn granted(grant: GrantBody) {
    let Ok(subscribe_key) = SubscribeKey::new("sub-c-demo") else {
        return;
    };
    let key = TokenKey::hmac(&[7; 32], &subscribe_key);
    let claims = grant.into_claims(UnixSeconds(1_790_000_000));
    // A bound of the whole token may still be broken; that is an answer too.
    let Ok(text) = encode(&claims, &key) else {
        return;
    };
    let from = UnixSeconds(0);
    let until = None;
    let keys = KeyRing::new(subscribe_key, [KeyPeriod { from, until, key }]);
    let mut buffer = TokenBuffer::new();
    let verified = verify(&text, &keys, &mut buffer).map(|token| token.claims());
    assert_eq!(verified.ok(), Some(claims), "a grant does not verify");
}
