//! The marker: once it exists, a database is never made.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{file_error, open_own, sync_directory};
use super::{FORMAT, MARKER};
use crate::error::OpenError;

#[derive(Deserialize)]
struct Format {
    format: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) format: u64,
    pub(super) id: String,
}

/// Reads a marker of this format or an older one.
pub(super) fn read_marker(path: &Path, bytes: &[u8]) -> Result<Marker, OpenError> {
    let bad = |_| OpenError::BadMarker {
        path: path.to_owned(),
    };
    // Alone: a newer marker may have other fields.
    let Format { format } = serde_json::from_slice(bytes).map_err(bad)?;
    if format > FORMAT {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found: format,
            supported: FORMAT,
        });
    }
    let marker: Marker = serde_json::from_slice(bytes).map_err(bad)?;
    if marker.format == 0 || marker.id.len() != 32 {
        return Err(OpenError::BadMarker {
            path: path.to_owned(),
        });
    }
    Ok(marker)
}

/// Puts a marker in place of what is there, on the disk when it returns.
pub(super) fn write_marker(directory: &Path, marker: &Marker) -> Result<(), OpenError> {
    let (path, temporary) = (directory.join(MARKER), directory.join("usher.json.new"));
    let failed = |error: &io::Error| file_error("write", &path, error);
    let text = serde_json::to_vec(marker).map_err(|error| failed(&error.into()))?;
    let mut file = open_own(&temporary, true)?;
    file.write_all(&text)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &path))
        .and_then(|()| sync_directory(directory))
        .map_err(|error| failed(&error))
}
