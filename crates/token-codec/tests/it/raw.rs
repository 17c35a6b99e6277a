//! Tokens made by hand: any bytes, a right signature. The derivation of the
//! key and the CBOR here share nothing with the crate.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use ring::hmac;
use token_codec::{KeyPeriod, KeyRing, TokenKey};
use token_core::{SubscribeKey, UnixSeconds};

/// The published demo keyset of testdata/tokens.
pub(crate) const SUBSCRIBE_KEY: &str = "sub-c-demo";
pub(crate) const SIGNING_KEY: [u8; 32] = *b"the demo signing key of testdata";
pub(crate) const ISSUED_AT: u64 = 1_790_000_000;

pub(crate) fn demo_key() -> TokenKey {
    TokenKey::hmac(&SIGNING_KEY, &SubscribeKey::new(SUBSCRIBE_KEY).unwrap())
}

/// One key for every time.
pub(crate) fn demo_keys() -> KeyRing {
    let period = KeyPeriod {
        from: UnixSeconds(0),
        until: None,
        key: demo_key(),
    };
    KeyRing::new(SubscribeKey::new(SUBSCRIBE_KEY).unwrap(), [period])
}

/// format 7, written again.
pub(crate) fn mac_key(signing_key: &[u8], subscribe_key: &str) -> Vec<u8> {
    let message = [b"usher token v2\0", subscribe_key.as_bytes()].concat();
    mac_with(signing_key, &message)
}

pub(crate) fn mac_with(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

pub(crate) fn demo_mac(message: &[u8]) -> Vec<u8> {
    mac_with(&mac_key(&SIGNING_KEY, SUBSCRIBE_KEY), message)
}

pub(crate) fn padded(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

pub(crate) fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).unwrap()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hexadecimal digits; blanks are for the reader.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap())
        .collect();
    assert!(digits.len().is_multiple_of(2));
    let pairs = digits.chunks(2);
    pairs
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

fn item(major: u8, number: usize) -> Vec<u8> {
    let major = major << 5;
    match number {
        0..24 => vec![major | u8::try_from(number).unwrap()],
        24..256 => vec![major | 24, u8::try_from(number).unwrap()],
        _ => {
            let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
            vec![major | 25, high, low]
        }
    }
}

pub(crate) fn bytes(content: &[u8]) -> Vec<u8> {
    [item(2, content.len()), content.to_vec()].concat()
}

pub(crate) fn text(content: &str) -> Vec<u8> {
    [item(3, content.len()), content.as_bytes().to_vec()].concat()
}

pub(crate) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [item(4, items.len()), items.concat()].concat()
}

pub(crate) fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let content: Vec<u8> = entries
        .iter()
        .flat_map(|(key, value)| [key.as_slice(), value].concat())
        .collect();
    [item(5, entries.len()), content].concat()
}

/// A section of names or patterns, in this order.
pub(crate) fn section(entries: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<_> = entries
        .iter()
        .map(|(name, permissions)| (text(name), unhex(permissions)))
        .collect();
    map(&entries)
}

/// `res` or `pat` with these sections, the five classic ones empty if absent.
pub(crate) fn sections(held: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let classic = ["chan", "grp", "spc", "usr", "uuid"];
    let find = |name: &str| held.iter().find(|(key, _)| *key == name);
    let mut entries: Vec<_> = classic
        .iter()
        .map(|name| {
            let value = find(name).map_or_else(|| vec![0xA0], |(_, value)| value.clone());
            (bytes(name.as_bytes()), value)
        })
        .collect();
    for (name, value) in held {
        if !classic.contains(name) {
            entries.push((bytes(name.as_bytes()), value.clone()));
        }
    }
    map(&entries)
}

/// A token as its entries, before the signature.
#[derive(Clone)]
pub(crate) struct Raw {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    head: Option<Vec<u8>>,
}

impl Raw {
    /// One channel, read and write.
    pub(crate) fn new() -> Self {
        let res = sections(&[("chan", section(&[("room-1", "03")]))]);
        let entries = [
            ("v", unhex("02")),
            ("t", unhex("1a6ab13b80")),
            ("ttl", unhex("183c")),
            ("res", res),
            ("pat", sections(&[])),
            ("meta", unhex("a0")),
        ];
        Self {
            entries: entries
                .into_iter()
                .map(|(key, value)| (bytes(key.as_bytes()), value))
                .collect(),
            head: None,
        }
    }

    fn at(&self, key: &str) -> usize {
        let key = bytes(key.as_bytes());
        let found = self.entries.iter().position(|(name, _)| *name == key);
        found.unwrap()
    }

    /// With this value for a key that is there.
    pub(crate) fn with(mut self, key: &str, value: Vec<u8>) -> Self {
        let at = self.at(key);
        self.entries[at].1 = value;
        self
    }

    /// With the same in hexadecimal.
    pub(crate) fn with_hex(self, key: &str, value: &str) -> Self {
        self.with(key, unhex(value))
    }

    /// With another key in place of one that is there.
    pub(crate) fn rename(mut self, key: &str, to: Vec<u8>) -> Self {
        let at = self.at(key);
        self.entries[at].0 = to;
        self
    }

    /// With one more entry, last before `sig`.
    pub(crate) fn and(mut self, key: &str, value: Vec<u8>) -> Self {
        self.entries.push((bytes(key.as_bytes()), value));
        self
    }

    pub(crate) fn without(mut self, key: &str) -> Self {
        let at = self.at(key);
        self.entries.remove(at);
        self
    }

    pub(crate) fn swap(mut self, left: &str, right: &str) -> Self {
        let (left, right) = (self.at(left), self.at(right));
        self.entries.swap(left, right);
        self
    }

    /// With this head in place of the right one.
    pub(crate) fn head(mut self, head: &str) -> Self {
        self.head = Some(unhex(head));
        self
    }

    /// Everything that the signature covers.
    pub(crate) fn signed(&self) -> Vec<u8> {
        let right = item(5, self.entries.len() + 1);
        let mut signed = self.head.clone().unwrap_or(right);
        for (key, value) in &self.entries {
            signed.extend_from_slice(key);
            signed.extend_from_slice(value);
        }
        signed
    }

    /// The token, with what stands for `sig` and follows.
    pub(crate) fn ending_in(&self, end: &[u8]) -> Vec<u8> {
        [self.signed(), bytes(b"sig"), end.to_vec()].concat()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.ending_in(&bytes(&demo_mac(&self.signed())))
    }

    pub(crate) fn text(&self) -> String {
        padded(&self.bytes())
    }
}
