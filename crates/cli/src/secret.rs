//! Values that should not stand in `ps`: given as they are, as `-` (standard
//! input) or as `@FILE`.

use std::io::Read as _;

use crate::api::Failure;

/// The value that `argument` stands for, without the line end of a file.
pub(crate) fn read(argument: &str) -> Result<String, Failure> {
    let text = if argument == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::local(format!("cannot read standard input: {error}")))?;
        text
    } else if let Some(path) = argument.strip_prefix('@') {
        std::fs::read_to_string(path)
            .map_err(|error| Failure::local(format!("cannot read `{path}`: {error}")))?
    } else {
        return Ok(argument.to_owned());
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
