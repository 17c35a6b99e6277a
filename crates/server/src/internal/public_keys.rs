//! `/v1/public-keys` and `/v1/keysets/{sub}/public-keys`: for who only verifies.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use crate::error::{ApiError, json};
use crate::public_keys::PublicKeyset;
use crate::service::Service;

#[derive(Serialize)]
struct List {
    keysets: Vec<PublicKeyset>,
}

pub(super) fn all(service: &Service) -> Response<Bytes> {
    let keysets = service.keysets();
    let keysets = keysets.iter().map(|keyset| PublicKeyset::of(keyset));
    json(
        StatusCode::OK,
        &List {
            keysets: keysets.collect(),
        },
    )
}

pub(super) fn one(service: &Service, subscribe_key: &str) -> Result<Response<Bytes>, ApiError> {
    let keyset = service.known_keyset(subscribe_key)?;
    let keysets = vec![PublicKeyset::of(&keyset)];
    Ok(json(StatusCode::OK, &List { keysets }))
}
