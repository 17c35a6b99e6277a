//! Inputs that fuzzing found, through the same property.

use std::fs;
use std::path::Path;

use token_server::fuzzing;

#[test]
fn what_once_failed_does_not_fail_again() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/regressions/grant_body");
    let mut tried = 0;
    for file in fs::read_dir(folder).unwrap() {
        fuzzing::grant_body(&fs::read(file.unwrap().path()).unwrap());
        tried += 1;
    }
    assert!(tried >= 2);
}
