//! A backup of the store while it is served.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use token_store::{Backup, ExportError, Progress};

use crate::error::{ApiError, ErrorCode, json};
use crate::service::Service;

#[derive(Serialize)]
struct Made {
    path: String,
    entries: u64,
    bytes: u64,
    sequence: u64,
}

/// Writes a backup on the machine of the server: it holds every secret, so it
/// does not travel.
pub(super) async fn backup(service: &Service) -> Result<Response<Bytes>, ApiError> {
    let auditing = service;
    let service = service.clone();
    let written = tokio::task::spawn_blocking(move || write(&service)).await;
    let Backup { path, exported, .. } = written
        .map_err(|_| ErrorCode::InternalError.because("the backup broke off; there is none"))?
        .map_err(|error| {
            tracing::error!(%error, "a backup could not be made");
            ErrorCode::StoreUnavailable.because(error.to_string())
        })?;
    tracing::info!(path = %path.display(), sequence = exported.sequence, "a backup was made");
    auditing.audit_backup(exported.sequence).await;
    let made = Made {
        path: path.display().to_string(),
        entries: exported.entries,
        bytes: exported.bytes,
        sequence: exported.sequence,
    };
    Ok(json(StatusCode::CREATED, &made))
}

fn write(service: &Service) -> Result<Backup, ExportError> {
    let directory = service.backups();
    service
        .store()
        .backup(directory, &mut Progress::new(&mut |_| {}))
}
