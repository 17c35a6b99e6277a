//! A disk in memory: it remembers every operation, fails when it is told to,
//! and can be cut off from power at any of them.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;
use token_store::OpenOptions;

use crate::fixture::TestClock;

/// What was asked of the disk, in order.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Write(usize, Vec<u8>),
    SetLength(usize),
    Sync,
    /// Not the disk's: somebody was told that this holds.
    Acknowledged(u64),
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    log: Vec<Operation>,
    /// After this many more operations they fail with this errno.
    fails: Option<(usize, i32)>,
    /// Half of a write that fails is done.
    tears: bool,
    failed: bool,
    /// After this many more reads one has a wrong bit in this byte.
    misreads: Option<(usize, usize)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

impl Disk {
    pub(crate) fn with(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.state().bytes = bytes;
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    pub(crate) fn log(&self) -> Vec<Operation> {
        self.state().log.clone()
    }

    pub(crate) fn forget_log(&self) {
        self.state().log.clear();
    }

    pub(crate) fn acknowledged(&self, n: u64) {
        self.state().log.push(Operation::Acknowledged(n));
    }

    /// From the operation after `operations` more on, each fails.
    pub(crate) fn fail_after(&self, operations: usize, errno: i32) {
        let mut state = self.state();
        (state.fails, state.failed) = (Some((operations, errno)), false);
    }

    /// Reads the byte at `at` wrongly, once, after `reads` more reads of it.
    pub(crate) fn misread_after(&self, reads: usize, at: usize) {
        self.state().misreads = Some((reads, at));
    }

    /// Whether the byte was read wrongly.
    pub(crate) fn has_misread(&self) -> bool {
        self.state().misreads.is_none()
    }

    /// Half of each write that fails is done from now on.
    pub(crate) fn tear(&self, tears: bool) {
        self.state().tears = tears;
    }

    /// Works again. Whether anything had failed.
    pub(crate) fn heal(&self) -> bool {
        let mut state = self.state();
        state.fails = None;
        state.failed
    }

    /// Options that open this disk. An empty one takes what is in the file.
    pub(crate) fn options(&self, clock: &TestClock) -> OpenOptions {
        let disk = self.clone();
        let mut options = OpenOptions::new(clock.clone());
        options.wrap_backend = Some(Arc::new(move |builder, mut file: File| {
            if disk.bytes().is_empty() {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                disk.state().bytes = bytes;
            }
            builder.create_with_backend(disk.clone())
        }));
        options
    }

    fn change(&self, operation: Operation) -> Result<(), io::Error> {
        let mut state = self.state();
        match &mut state.fails {
            Some((0, errno)) => {
                let error = io::Error::from_raw_os_error(*errno);
                state.failed = true;
                if let (true, Operation::Write(at, mut data)) = (state.tears, operation) {
                    data.truncate(data.len().div_ceil(2));
                    apply(&mut state.bytes, &Operation::Write(at, data));
                }
                return Err(error);
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        apply(&mut state.bytes, &operation);
        state.log.push(operation);
        Ok(())
    }
}

/// What an operation makes of a disk.
pub(crate) fn apply(bytes: &mut Vec<u8>, operation: &Operation) {
    match operation {
        Operation::Write(at, data) => {
            bytes.resize(bytes.len().max(at + data.len()), 0);
            bytes[*at..at + data.len()].copy_from_slice(data);
        }
        Operation::SetLength(length) => bytes.resize(*length, 0),
        Operation::Sync | Operation::Acknowledged(_) => {}
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let mut state = self.state();
        let start = offset as usize;
        let read = state.bytes.get(start..start + out.len());
        out.copy_from_slice(read.ok_or(io::ErrorKind::UnexpectedEof)?);
        match &mut state.misreads {
            Some((0, at)) if (start..start + out.len()).contains(at) => {
                out[*at - start] ^= 1;
                state.misreads = None;
            }
            Some((left, at)) if (start..start + out.len()).contains(at) => *left -= 1,
            Some(_) | None => {}
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.change(Operation::SetLength(len as usize))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.change(Operation::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.change(Operation::Write(offset as usize, data.to_vec()))
    }
}
