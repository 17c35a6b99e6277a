//! Answers that are held: they end when their token does.

use core::future::pending;
use core::time::Duration;

use token_codec::VerifiedToken;
use tokio::time::sleep;

use super::refused::Refused;
use crate::judge::still_good;
use crate::service::Service;

/// How often a held answer asks whether its token is still good, so the most
/// by which it outlives expiry or revocation. One question is a look into
/// memory.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Waits until `token` may no longer be used. Without a token it waits for
/// ever: the secret key does not expire.
pub(super) async fn until_refused(
    service: &Service,
    token: Option<&VerifiedToken<'static>>,
) -> Refused {
    let Some(token) = token else {
        return pending().await;
    };
    loop {
        if let Err(reason) = still_good(service, token) {
            return Refused::reason(reason);
        }
        sleep(ASK_EVERY).await;
    }
}
