//! Files and directories of our own, and their names on the disk.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::LOCK;
use crate::error::OpenError;

/// Makes what is missing of `path`, and has each new name on the disk: a
/// directory that a power cut takes away would start empty.
pub(super) fn create_directory(path: &Path) -> Result<(), OpenError> {
    let failed = |error| file_error("create", path, &error);
    let missing: Vec<&Path> = path
        .ancestors()
        .filter(|ancestor| !ancestor.as_os_str().is_empty())
        .take_while(|ancestor| !ancestor.exists())
        .collect();
    for directory in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            Ok(()) | Err(_) => {}
        }
        let parent = match directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        sync_directory(parent).map_err(failed)?;
    }
    Ok(())
}

/// The lock of a directory. It is given back when this is dropped, and not
/// only when the last copy of the file is closed: a child process that was
/// just forked has one until it runs its program.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // If this fails, closing does it.
        drop(self.0.unlock());
    }
}

pub(super) fn lock(directory: &Path) -> Result<Lock, OpenError> {
    let path = directory.join(LOCK);
    let file = open_own(&path, false)?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
            path: directory.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(file_error("lock", &path, &error)),
    }
}

/// Opens a file that only we read, and makes it if there is none.
pub(super) fn open_own(path: &Path, truncate: bool) -> Result<File, OpenError> {
    let mut options = File::options();
    options.read(true).write(true).create(true);
    options
        .truncate(truncate)
        .mode(0o600)
        .open(path)
        .map_err(|error| file_error("open", path, &error))
}

/// Whether there is something of this name, even a link to nowhere.
pub(super) fn is_there(path: &Path) -> Result<bool, OpenError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(file_error("read", path, &error)),
    }
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path).and_then(|directory| directory.sync_all())
}

pub(super) fn file_error(doing: &'static str, path: &Path, error: &io::Error) -> OpenError {
    OpenError::File {
        doing,
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_given_back_though_a_copy_of_its_file_is_open() {
        let directory = tempfile::tempdir().unwrap();
        let held = lock(directory.path()).unwrap();
        let in_a_child = held.0.try_clone().unwrap();
        assert!(lock(directory.path()).is_err());
        drop(held);
        drop(lock(directory.path()).unwrap());
        drop(in_a_child);
    }
}
