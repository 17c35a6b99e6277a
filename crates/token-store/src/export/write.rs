//! From the database to lines.

use std::io::{self, Write};

use redb::Database;
use ring::digest::{Context, SHA256};
use serde::Serialize;
use token_core::UnixSeconds;
use zeroize::Zeroizing;

use super::line::{Head, Id, KeyKind, Kind, Line, Secrets};
use super::{ExportError, ExportSecrets, Exported, VERSION};
use crate::database::{self, Entry};
use crate::master_key::Seal;
use crate::progress::Progress;
use crate::secret;

/// Writes lines and counts what it wrote.
struct LineWriter<'a> {
    out: &'a mut dyn Write,
    digest: Context,
    bytes: u64,
    line: Zeroizing<Vec<u8>>,
}

impl LineWriter<'_> {
    fn line(&mut self, value: &impl Serialize) -> Result<(), ExportError> {
        self.line.clear();
        serde_json::to_writer(&mut *self.line, value)
            .map_err(|error| unwritten(&io::Error::from(error)))?;
        self.line.push(b'\n');
        self.digest.update(&self.line);
        let length = u64::try_from(self.line.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(length);
        self.out
            .write_all(&self.line)
            .map_err(|error| unwritten(&error))
    }
}

fn unwritten(error: &io::Error) -> ExportError {
    ExportError::File {
        doing: "write",
        reason: error.to_string(),
    }
}

/// Writes everything that one snapshot of `database` holds.
pub(crate) fn write(
    database: &Database,
    seal: &Seal,
    now: UnixSeconds,
    secrets: ExportSecrets,
    out: &mut dyn Write,
    progress: &mut Progress<'_>,
) -> Result<Exported, ExportError> {
    let failed = |error: database::Failed| ExportError::File {
        doing: "read the database for",
        reason: error.to_string(),
    };
    let snapshot = database::Snapshot::take(database).map_err(failed)?;
    let (store, sequence) = snapshot.identity().map_err(failed)?;
    let held = match (secrets, seal.id()) {
        (ExportSecrets::LeaveOut, _) => Secrets::None,
        (ExportSecrets::Include, None) => Secrets::Plain,
        (ExportSecrets::Include, Some(_)) => Secrets::Sealed,
    };
    let mut writer = LineWriter {
        out,
        digest: Context::new(&SHA256),
        bytes: 0,
        line: Zeroizing::default(),
    };
    writer.line(&Head {
        usher_export: VERSION,
        store,
        sequence,
        made_at: now.0,
        secrets: held,
        sealed_by: seal
            .id()
            .filter(|_| held == Secrets::Sealed)
            .map(str::to_owned),
    })?;
    let mut entries: u64 = 0;
    let mut result = Ok(());
    snapshot
        .each(&mut |entry| {
            let Some(line) = line_of(entry, held) else {
                return true;
            };
            entries = entries.saturating_add(1);
            progress.step();
            result = writer.line(&line);
            result.is_ok()
        })
        .map_err(failed)?;
    result?;
    let sha256 = writer.digest.clone().finish();
    let sha256 = secret::hex(sha256.as_ref()).to_string();
    writer.line(&Line::End { entries, sha256 })?;
    let bytes = writer.bytes;
    out.flush().map_err(|error| unwritten(&error))?;
    Ok(Exported {
        entries,
        bytes,
        sequence,
    })
}

fn line_of(entry: Entry<'_>, secrets: Secrets) -> Option<Line> {
    Some(match entry {
        Entry::Horizon {
            kind,
            scope,
            from,
            until,
        } => Line::Horizon {
            kind: Kind(kind),
            scope: scope.to_owned(),
            from,
            until,
        },
        Entry::Rule {
            kind,
            scope,
            uuid,
            until,
        } => Line::Rule {
            kind: Kind(kind),
            scope: scope.to_owned(),
            uuid: uuid.map(str::to_owned),
            until,
        },
        Entry::Token {
            kind,
            scope,
            id,
            issued_at,
            expires_at,
        } => Line::Token {
            kind: Kind(kind),
            scope: scope.to_owned(),
            id: Id(id),
            issued_at,
            expires_at,
        },
        Entry::AccessKey(_) | Entry::Account { .. } if secrets == Secrets::None => return None,
        Entry::AccessKey(access_key) => Line::AccessKey {
            kind: KeyKind(access_key.role),
            sha256: access_key.sha256().to_owned(),
            name: Some(access_key.name),
            created_at: access_key.created_at,
            expires_at: access_key.expires_at,
        },
        Entry::Account {
            account,
            name,
            entry,
        } => Line::Account {
            account,
            name: name.to_owned(),
            entry,
        },
        Entry::Keyset {
            subscribe_key,
            record,
        } => Line::Keyset {
            subscribe_key: subscribe_key.to_owned(),
            name: record.name().map(str::to_owned),
            record: (secrets != Secrets::None).then_some(record),
        },
    })
}
