//! A wrong clock, as far as the SDK allows one.
//!
//! The SDK reads the time and signs before it calls its transport, and a
//! transport is its own extension point. This one shifts `timestamp`, signs
//! again by the published recipe and hands over to the SDK's own transport;
//! with an offset of 0 it hands over untouched. It keeps what was answered.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pubnub::core::{PubNubError, Transport, TransportRequest, TransportResponse};
use pubnub::transport::TransportReqwest;
use sha2::Sha256;

use crate::scenario::Keyset;

/// Everything but `A-Z a-z 0-9 - _ .` is encoded in what is signed.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The SDK's transport behind a clock that is off by some seconds.
pub(crate) struct WrongClock {
    pub(crate) transport: TransportReqwest,
    pub(crate) offset_seconds: i64,
    pub(crate) keys: Keyset,
    pub(crate) seen: Seen,
}

/// Every answer, in order.
pub(crate) type Seen = Arc<Mutex<Vec<TransportResponse>>>;

#[async_trait]
impl Transport for WrongClock {
    async fn send(&self, mut request: TransportRequest) -> Result<TransportResponse, PubNubError> {
        if self.offset_seconds != 0 {
            self.shift(&mut request);
        }
        let answer = self.transport.send(request).await;
        let received = match &answer {
            Ok(received) => Some(received.clone()),
            Err(PubNubError::API { response, .. }) => response.as_deref().cloned(),
            Err(_) => None,
        };
        if let (Some(received), Ok(mut seen)) = (received, self.seen.lock()) {
            seen.push(received);
        }
        answer
    }
}

impl WrongClock {
    fn shift(&self, request: &mut TransportRequest) {
        let query = &mut request.query_parameters;
        query.remove("signature");
        if let Some(timestamp) = query.get_mut("timestamp") {
            let now: i64 = timestamp.parse().unwrap_or_default();
            *timestamp = (now + self.offset_seconds).to_string();
        }
        let signature = self.sign(request);
        request
            .query_parameters
            .insert("signature".to_owned(), signature);
    }

    fn sign(&self, request: &TransportRequest) -> String {
        let mut query: Vec<(&String, &String)> = request.query_parameters.iter().collect();
        query.sort();
        let query: Vec<String> = query
            .into_iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, STRICT)))
            .collect();
        let head = format!(
            "{}\n{}\n{}\n{}\n",
            request.method.to_string().to_uppercase(),
            self.keys.publish_key,
            request.path,
            query.join("&"),
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(self.keys.secret_key.as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(head.as_bytes());
        mac.update(request.body.as_deref().unwrap_or_default());
        format!("v2.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }
}
