//! A disk that fails (attack D03): nothing is acknowledged, nothing is in
//! memory only, questions go on, and the file is read again before it is
//! trusted.

use core::ops::Bound;
use core::sync::atomic::{AtomicI32, Ordering};
use std::io;
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};
use token_store::{OpenOptions, Standing, Store, StoreError};

use crate::fixture::{START, TestClock, revoke, standing, token};

/// What the disk answers to writes: 0 is well, else an errno.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fault(Arc<AtomicI32>);

impl Fault {
    /// From now on writes fail with `errno`; 0 heals the disk.
    pub(crate) fn set(&self, errno: i32) {
        self.0.store(errno, Ordering::SeqCst);
    }

    fn check(&self) -> Result<(), io::Error> {
        match self.0.load(Ordering::SeqCst) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

#[derive(Debug)]
struct FaultyBackend {
    file: FileBackend,
    fault: Fault,
}

impl StorageBackend for FaultyBackend {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.fault.check()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.fault.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.fault.check()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

pub(crate) fn open(directory: &std::path::Path, fault: &Fault) -> Store {
    let fault = fault.clone();
    let mut options = OpenOptions::new(TestClock::new());
    options.wrap_backend = Some(Arc::new(move |builder, file| {
        let file = FileBackend::new(file)?;
        builder.create_with_backend(FaultyBackend {
            file,
            fault: fault.clone(),
        })
    }));
    Store::open(directory, options).unwrap()
}

const ENOSPC: i32 = 28;
pub(crate) const EIO: i32 = 5;
const EROFS: i32 = 30;

#[test]
fn a_failing_disk_costs_the_answer_and_nothing_else() {
    for errno in [ENOSPC, EIO, EROFS] {
        let directory = tempfile::tempdir().unwrap();
        let fault = Fault::default();
        let store = open(directory.path(), &fault);
        revoke(&store, token(1, START + 600));

        fault.set(errno);
        for n in 2..5 {
            let failed = store.revoke(vec![token(n, START + 600)]);
            assert!(
                matches!(failed, Err(StoreError::Unavailable { .. })),
                "{failed:?}"
            );
            assert_eq!(
                standing(&store, n, START, None),
                Standing::Good,
                "not in memory only"
            );
        }
        assert_ne!(
            standing(&store, 1, START, None),
            Standing::Good,
            "questions go on"
        );

        fault.set(0);
        revoke(&store, token(2, START + 600));
        assert_ne!(standing(&store, 2, START, None), Standing::Good);
        drop(store);
        let store = open(directory.path(), &Fault::default());
        for n in 1..3 {
            assert_ne!(
                standing(&store, n, START, None),
                Standing::Good,
                "{n} is on the disk"
            );
        }
    }
}
