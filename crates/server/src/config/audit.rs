//! The keys of `[audit]`.

use core::num::{NonZeroU64, NonZeroUsize};

use serde::Deserialize;

use super::read::{COUNT, NUMBER, Sources};
use crate::audit::{AuditOptions, ON_FAILURE, OnAuditFailure};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileAudit {
    on_failure: Option<OnAuditFailure>,
    file_mib: Option<NonZeroU64>,
    keep_files: Option<usize>,
    denials_per_second: Option<u64>,
}

const BYTES_PER_MIB: u64 = 1024 * 1024;

impl FileAudit {
    pub(super) fn overlay<E: Fn(&str) -> Option<String>>(&mut self, from: &mut Sources<'_, E>) {
        from.set("USHER_AUDIT_ON_FAILURE", ON_FAILURE, &mut self.on_failure);
        from.set("USHER_AUDIT_FILE_MIB", COUNT, &mut self.file_mib);
        from.set("USHER_AUDIT_KEEP_FILES", NUMBER, &mut self.keep_files);
        let denials = &mut self.denials_per_second;
        from.set("USHER_AUDIT_DENIALS_PER_SECOND", NUMBER, denials);
    }

    pub(super) fn apply(self, options: &mut AuditOptions) {
        let Self {
            on_failure,
            file_mib,
            keep_files,
            denials_per_second,
        } = self;
        options.on_failure = on_failure.unwrap_or(options.on_failure);
        if let Some(mib) = file_mib {
            options.file_bytes = mib.get().saturating_mul(BYTES_PER_MIB);
        }
        options.keep_files = keep_files.and_then(NonZeroUsize::new);
        options.denials_per_second = denials_per_second.unwrap_or(options.denials_per_second);
    }
}
