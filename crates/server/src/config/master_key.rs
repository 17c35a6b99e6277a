//! The master key: from a file or a variable, and never from the
//! configuration itself or the data directory.

use std::path::Path;

use token_store::MasterKey;
use zeroize::Zeroizing;

use super::read::{ConfigError, read_text};

/// The variable that holds a master key.
const VARIABLE: &str = "USHER_MASTER_KEY";

/// The master key of `file`, or of the variable `USHER_MASTER_KEY`; `None` when
/// neither is given.
///
/// # Errors
///
/// [`ConfigError`] when both are given, the file cannot be read, or there is
/// no key in it. It quotes nothing.
pub fn read_master_key(
    file: Option<&Path>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Option<MasterKey>, ConfigError> {
    let variable = environment(VARIABLE).map(Zeroizing::new);
    let unusable = |name: &str, expected| ConfigError::Variable {
        name: name.to_owned(),
        expected,
    };
    let (name, text) = match (file, variable) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(unusable(
                VARIABLE,
                "left out when there is a master_key_file",
            ));
        }
        (None, Some(text)) => (VARIABLE, text),
        (Some(path), None) => ("master_key_file", Zeroizing::new(read_text(path)?)),
    };
    MasterKey::from_hex(&text)
        .map(Some)
        .map_err(|_| unusable(name, "64 random hexadecimal digits (openssl rand -hex 32)"))
}
