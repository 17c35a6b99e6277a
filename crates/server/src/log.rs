//! Records on standard error.

use core::str::FromStr;
use std::fmt;
use std::panic::PanicHookInfo;

use tracing::field::display;
use tracing_subscriber::EnvFilter;

/// How records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two that there are")]
pub enum LogFormat {
    /// For people, one line each.
    #[default]
    Text,
    /// For programs, one JSON object a line.
    Json,
}

/// The log cannot be written as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogError {
    /// The filter is none.
    Filter,
    /// Somebody in this process writes the log already.
    Taken,
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filter => {
                "the log filter is none; write a level such as `info`, or `token_server=debug`"
            }
            Self::Taken => "the log is written already",
        })
    }
}

impl core::error::Error for LogError {}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

/// Writes the records of this process to standard error from now on,
/// panics as well, without their text. The
/// filter is that of `tracing_subscriber`; `info` without one.
///
/// # Errors
///
/// [`LogError`].
pub fn write_log(format: LogFormat, filter: Option<&str>) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(filter.unwrap_or("info")).map_err(|_| LogError::Filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let taken = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
    };
    taken.map_err(|_| LogError::Taken)?;
    std::panic::set_hook(Box::new(panicked));
    Ok(())
}

/// Only where: the text of a panic may quote what it failed on.
fn panicked(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(display);
    tracing::error!(
        at,
        "a bug: this part of the program panicked; please report it"
    );
}
