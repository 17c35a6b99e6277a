//! From an export into a store.

use std::collections::BTreeMap;
use std::path::Path;

use token_core::UnixSeconds;

use crate::account::{Account, AccountEntry};
use crate::directory::OpenOptions;
use crate::export::{ExportError, ExportFile, Line};
use crate::progress::Progress;
use crate::store::Store;
use crate::writer::Addition;

/// Additions that share a commit.
const ADDITIONS_PER_COMMIT: usize = 10_000;

/// What an import changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Tokens that were not denied before, or not for so long.
    pub tokens: u64,
    /// Rules that were not there before, or with an earlier instant.
    pub rules: u64,
    /// Keysets that were not here, by subscribe key.
    pub added_keysets: Vec<String>,
    /// Keysets that are here, and stay as they are.
    pub kept_keysets: Vec<String>,
    /// Keysets that are not here, and whose secrets are not in the file.
    pub missing_keysets: Vec<String>,
    /// Accounts that were not here, by id.
    pub added_accounts: Vec<u64>,
    /// Accounts that are here, and stay as they are.
    pub kept_accounts: Vec<u64>,
    /// Every token of the added keysets and accounts issued up to here is dead.
    pub revoked_until: Option<UnixSeconds>,
}

impl Imported {
    fn add(&mut self, other: Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.rules = self.rules.saturating_add(other.rules);
        self.added_keysets.extend(other.added_keysets);
        self.kept_keysets.extend(other.kept_keysets);
        self.added_accounts.extend(other.added_accounts);
        self.kept_accounts.extend(other.kept_accounts);
        self.revoked_until = self.revoked_until.max(other.revoked_until);
    }
}

impl Store {
    /// Adds what is in `file` and not here. Nothing is taken away: denied
    /// tokens and rules merge, a keyset that is here stays as it is. A keyset
    /// that is added gets a rule for every token issued up to now, since the
    /// file does not know what was revoked after it was made. It can be done
    /// again, and goes on where it was cut off.
    ///
    /// # Errors
    ///
    /// [`ExportError`] when the secrets in it do not open, or the disk fails.
    pub fn import(
        &self,
        file: &ExportFile,
        progress: &mut Progress<'_>,
    ) -> Result<Imported, ExportError> {
        let mut imported = Imported::default();
        // First, so that a file whose secrets do not open changes nothing.
        let keysets = self.keysets_of(file, &mut imported)?;
        let accounts = self.accounts_of(file)?;
        let mut additions = Vec::with_capacity(ADDITIONS_PER_COMMIT);
        let mut lines = file.lines()?;
        while let Some(line) = lines.next_entry()? {
            progress.step();
            additions.push(Addition::Line(Box::new(line)));
            if additions.len() >= ADDITIONS_PER_COMMIT {
                imported.add(self.add(core::mem::take(&mut additions))?);
            }
        }
        // Last: until they are here, no token of theirs is good.
        additions.extend(keysets);
        additions.extend(accounts);
        imported.add(self.add(additions)?);
        Ok(imported)
    }

    /// The keysets of a file, with their secrets open.
    fn keysets_of(
        &self,
        file: &ExportFile,
        imported: &mut Imported,
    ) -> Result<Vec<Addition>, ExportError> {
        let seal = file.seal(self.seal())?;
        let mut keysets = Vec::new();
        let mut lines = file.lines()?;
        let mut number: u64 = 1;
        while let Some(line) = lines.next_entry()? {
            number = number.saturating_add(1);
            let Line::Keyset {
                subscribe_key,
                record,
                ..
            } = line
            else {
                continue;
            };
            let Some(record) = record else {
                if self.keyset(&subscribe_key).is_none() {
                    imported.missing_keysets.push(subscribe_key);
                }
                continue;
            };
            let version = record.version;
            let keyset = record
                .open(&seal, &subscribe_key)
                .and_then(|record| record.into_keyset(&subscribe_key))
                .map_err(|_| ExportError::Line {
                    line: number,
                    what: "a keyset whose keys cannot be read",
                })?;
            keysets.push(Addition::Keyset {
                subscribe_key,
                version,
                keyset: keyset.map(Box::new),
            });
        }
        Ok(keysets)
    }

    /// The accounts of a file, with their secrets open.
    fn accounts_of(&self, file: &ExportFile) -> Result<Vec<Addition>, ExportError> {
        let seal = file.seal(self.seal())?;
        let mut accounts: BTreeMap<u64, BTreeMap<String, AccountEntry>> = BTreeMap::new();
        let mut lines = file.lines()?;
        let mut number: u64 = 1;
        let wrong = |line| ExportError::Line {
            line,
            what: "an account that cannot be read",
        };
        while let Some(line) = lines.next_entry()? {
            number = number.saturating_add(1);
            if let Line::Account {
                account,
                name,
                entry,
            } = line
            {
                let entry = entry.open(&seal, account).map_err(|_| wrong(number))?;
                accounts.entry(account).or_default().insert(name, entry);
            }
        }
        let accounts = accounts.into_iter().map(|(id, entries)| {
            let account = Account::from_entries(id, entries).map_err(|_| wrong(number))?;
            Ok(Addition::Account(Box::new(account)))
        });
        accounts.collect()
    }
}

/// Makes a store in `directory`, which must not be there or be empty, from an
/// export with secrets. Every token of its keysets issued up to now is dead:
/// see [`Store::import`]. When it is cut off, [`Store::import`] goes on.
///
/// # Errors
///
/// [`ExportError`]; a file that is refused makes no store.
pub fn restore(
    file: &ExportFile,
    directory: &Path,
    options: OpenOptions,
    progress: &mut Progress<'_>,
) -> Result<Imported, ExportError> {
    let is_empty = match std::fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !is_empty {
        return Err(ExportError::NotEmpty {
            path: directory.to_owned(),
        });
    }
    if !file.has_secrets() {
        return Err(ExportError::NoSecrets);
    }
    drop(file.seal(&crate::master_key::Seal(options.master_key.clone()))?);
    Store::open(directory, options)?.import(file, progress)
}
