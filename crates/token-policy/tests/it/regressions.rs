//! Inputs that fuzzing found, and random ones, through the same properties.

use std::fs;
use std::path::Path;

use token_policy::fuzzing;

use crate::cases::lines;
use crate::random::Random;

/// A target and its property.
type Property = (&'static str, fn(&[u8]));

#[test]
fn what_once_failed_does_not_fail_again() {
    let properties: [Property; 2] = [("path", fuzzing::path), ("pattern", fuzzing::pattern)];
    for (name, property) in properties {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
        for file in fs::read_dir(folder.join(name)).into_iter().flatten() {
            property(&fs::read(file.unwrap().path()).unwrap());
        }
    }
}

/// Attacks N02, N03: each line that the cases know, with bytes changed.
#[test]
fn a_changed_line_still_reads_one_way() {
    let lines = lines();
    let spice = b"%2F%2e,;&=+?/#\\\x00\x7F%00 \xC3\xA9auth=uuid=channel-group=add=%2C%25*.";
    let mut random = Random(7);
    for line in &lines {
        fuzzing::path(line.as_bytes());
        for _ in 0..200 {
            let mut bytes = line.clone().into_bytes();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                let from = random.below(spice.len());
                let taken = &spice[from..(from + random.below(4)).min(spice.len())];
                let until = (at + random.below(2)).min(bytes.len());
                bytes.splice(at..until, taken.iter().copied());
            }
            fuzzing::path(&bytes);
        }
    }
}
