//! The case files of testdata: TOML, a list `case`.

use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct CaseFile<T> {
    case: Vec<T>,
}

/// The cases of a file, `at_least` so many: a file that lost some fails.
pub(crate) fn cases<T: DeserializeOwned>(text: &str, at_least: usize) -> Vec<T> {
    let CaseFile { case } = toml::from_str(text).expect("the cases are TOML");
    assert!(case.len() >= at_least, "cases went missing");
    case
}
