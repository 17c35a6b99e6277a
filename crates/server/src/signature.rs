//! The signature of a request made with the secret key (contract 1.1 to 1.4).
//!
//! The method is HMAC-SHA256 (RFC 2104) over a text of the request. SDKs
//! percent-encode the query in two ways, so two texts are tried: the strict
//! encoding of the decoded values, and the values as sent. Both mean the same
//! parameters, so no two requests that differ in effect share a text.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use token_core::UnixSeconds;

use crate::query::{Parameter, Query};

/// A request as far as a signature covers it.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "every field is signed")]
pub struct SignedRequest<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// The path as sent, never decoded.
    pub path: &'a str,
    /// The query.
    pub query: &'a Query<'a>,
    /// The body as received.
    pub body: &'a [u8],
}

/// The keys of the keyset that a request names.
#[expect(clippy::exhaustive_structs, reason = "a signature needs them")]
pub struct SigningKeys<'a> {
    /// Stands in the text of a v1 signature.
    pub subscribe_key: &'a str,
    /// Stands in the text of both.
    pub publish_key: &'a str,
    /// The key of the MAC.
    pub secret_key: &'a str,
    /// The key before it, while both are good.
    pub previous_secret_key: Option<&'a str>,
}

impl fmt::Debug for SigningKeys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeys")
            .field("subscribe_key", &self.subscribe_key)
            .field("publish_key", &self.publish_key)
            .finish_non_exhaustive()
    }
}

/// Which texts may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is one exception")]
pub enum Accept {
    /// The method, path, query and body of the request, as v2.
    Strict,
    /// The same, and what SDKs sign for a publish (contract 1.3): v1, or v2
    /// over `GET` without the body. Only for the exact shapes of a publish;
    /// the body of the publish is then not under the signature.
    PublishToo,
}

/// The signature is not one of this request under these keys. It does not say
/// why: the caller learns nothing about the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureMismatch;

impl fmt::Display for SignatureMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature does not match the request; check the secret key")
    }
}

impl core::error::Error for SignatureMismatch {}

impl SignedRequest<'_> {
    /// Checks the value of the parameter `signature`.
    ///
    /// Compares in constant time; what takes longer or shorter is only the
    /// length of the request.
    ///
    /// # Errors
    ///
    /// [`SignatureMismatch`], whatever is wrong.
    pub fn verify(
        &self,
        signature: &[u8],
        keys: &SigningKeys<'_>,
        accept: Accept,
    ) -> Result<(), SignatureMismatch> {
        let publish = accept == Accept::PublishToo && self.is_publish(keys);
        // Two keys always: how long it takes does not say whether there are two.
        let previous = keys.previous_secret_key.unwrap_or(keys.secret_key);
        let key = |secret: &str| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let keys_of_macs = [keys.secret_key, previous].map(key);
        let queries = self.query_texts();
        let (mac, texts) = match signature.strip_prefix(b"v2.") {
            Some(text) => {
                let mut texts = self.v2_texts(self.method, self.body, keys, &queries);
                if publish {
                    texts.extend(self.v2_texts("GET", b"", keys, &queries));
                }
                (text, texts)
            }
            None if publish => {
                let text = signature.strip_suffix(b"=").unwrap_or(signature);
                (text, self.v1_texts(keys, &queries))
            }
            None => return Err(SignatureMismatch),
        };
        let mac = decode_mac(mac).ok_or(SignatureMismatch)?;
        let matched = keys_of_macs
            .iter()
            .flat_map(|key| texts.iter().map(move |text| (key, text)))
            .map(|(key, text)| hmac::verify(key, text, &mac).is_ok())
            .fold(false, |any, this| any | this);
        matched.then_some(()).ok_or(SignatureMismatch)
    }

    /// The query as the signer may have written it: candidates S and W of
    /// contract 1.4. Candidate D, the encoding of undecoded values, is left
    /// out: it would let one text stand for two requests.
    fn query_texts(&self) -> Vec<String> {
        let mut parameters = self.query.signed();
        let mut texts = Vec::with_capacity(3);
        // A name that is there twice is signed in the order of its values.
        parameters.sort_by(|a, b| (&a.name, &a.value).cmp(&(&b.name, &b.value)));
        texts.push(join(&parameters, |parameter, text| {
            encode_strict(&parameter.name, text);
            text.push('=');
            encode_strict(&parameter.value, text);
        }));
        let as_sent = |parameter: &Parameter<'_>, text: &mut String| text.push_str(parameter.raw);
        parameters.sort_by_key(|parameter| parameter.raw_name);
        texts.push(join(&parameters, as_sent));
        // One SDK sorts `name=value` as a whole: `a-b=` before `a=`.
        parameters.sort_by_key(|parameter| parameter.raw);
        texts.push(join(&parameters, as_sent));
        texts.dedup();
        texts
    }

    fn v2_texts(
        &self,
        method: &str,
        body: &[u8],
        keys: &SigningKeys<'_>,
        queries: &[String],
    ) -> Vec<Vec<u8>> {
        let text = |query: &String| {
            let head = [method, keys.publish_key, self.path, query, ""].join("\n");
            [head.as_bytes(), body].concat()
        };
        queries.iter().map(text).collect()
    }

    fn v1_texts(&self, keys: &SigningKeys<'_>, queries: &[String]) -> Vec<Vec<u8>> {
        let text = |query: &String| {
            [keys.subscribe_key, keys.publish_key, self.path, query]
                .join("\n")
                .into_bytes()
        };
        queries.iter().map(text).collect()
    }

    /// `POST /publish/{pub}/{sub}/0/{channel}/0`, or the same with `GET` and
    /// the message as a last segment; with the keys of this keyset.
    fn is_publish(&self, keys: &SigningKeys<'_>) -> bool {
        let mut segments = self.path.split('/');
        let head = [
            segments.next() == Some(""),
            segments.next() == Some("publish"),
            segments.next() == Some(keys.publish_key),
            segments.next() == Some(keys.subscribe_key),
            segments.next() == Some("0"),
            segments.next().is_some_and(|channel| !channel.is_empty()),
            segments.next() == Some("0"),
        ];
        let message = segments.next();
        let ends = segments.next().is_none();
        let method = match message {
            None => self.method == "POST",
            Some(_) => self.method == "GET",
        };
        head == [true; 7] && ends && method
    }
}

/// The value of the parameter `timestamp`: digits and nothing else, so that
/// one timestamp has one form.
pub(crate) fn read_timestamp(value: &[u8]) -> Option<UnixSeconds> {
    let text = core::str::from_utf8(value).ok()?;
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok().map(UnixSeconds)).flatten()
}

/// 32 bytes from 43 characters; no padding, no other alphabet, no stray bits.
fn decode_mac(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != 43 {
        return None;
    }
    let mut mac = [0; 32];
    let written = URL_SAFE_NO_PAD.decode_slice(text, &mut mac).ok()?;
    (written == mac.len()).then_some(mac)
}

fn join(parameters: &[&Parameter<'_>], write: impl Fn(&Parameter<'_>, &mut String)) -> String {
    let mut text = String::new();
    for (i, parameter) in parameters.iter().enumerate() {
        if i > 0 {
            text.push('&');
        }
        write(parameter, &mut text);
    }
    text
}

/// Contract 1.1: everything but `A-Za-z0-9-_.` as `%XX`, upper case.
fn encode_strict(bytes: &[u8], text: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            let digits = [byte.wrapping_shr(4), byte & 15];
            text.extend(digits.iter().filter_map(|d| DIGITS.get(usize::from(*d))));
        }
    }
}
