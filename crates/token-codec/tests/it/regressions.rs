//! Inputs that fuzzing found, through the same properties.

use std::fs;
use std::path::Path;

use token_codec::fuzzing;

/// A target and its property.
type Property = (&'static str, fn(&[u8]));

#[test]
fn what_once_failed_does_not_fail_again() {
    let properties: [Property; 3] = [
        ("inspect", fuzzing::inspect),
        ("verify", fuzzing::verify),
        ("jws", fuzzing::jws),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions");
    for (name, property) in properties {
        let mut tried = 0;
        for file in fs::read_dir(folder.join(name)).unwrap() {
            property(&fs::read(file.unwrap().path()).unwrap());
            tried += 1;
        }
        assert!(tried >= 2, "{name}");
    }
}
