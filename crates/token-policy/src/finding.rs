//! What is worth saying about a grant or a rule file.

use core::fmt;

use serde::Serialize;
use serde::ser::{SerializeStruct as _, Serializer};

/// Whether a finding must be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing in between")]
pub enum Severity {
    /// It is refused as it stands.
    Error,
    /// It is legal, and probably not what was meant.
    Warning,
    /// It could be better.
    Note,
}

impl Severity {
    /// `error`, `warning` or `note`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that is wrong, or likely to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Whether it must be mended.
    pub severity: Severity,
    /// The stable code, in snake case.
    pub code: &'static str,
    /// The text for people.
    pub message: String,
    /// Where: a field of a grant (`permissions.patterns.channels.^a`), or the
    /// name of a rule file.
    pub at: String,
    /// Where in a file.
    pub position: Option<Position>,
}

/// A place in a text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
}

impl Position {
    /// The place of the byte `at` of `text`.
    pub(crate) fn of(text: &str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or(before);
        Self {
            line: before.matches('\n').count().saturating_add(1),
            column: line.chars().count().saturating_add(1),
        }
    }
}

impl Finding {
    /// A finding about a field.
    #[must_use]
    pub fn new(
        severity: Severity,
        code: &'static str,
        at: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            at: at.into(),
            position: None,
        }
    }
}

impl fmt::Display for Finding {
    /// `chat.toml:12:8: error: the path must begin with `^` [unanchored_path]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.at)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}: {} [{}]", self.severity, self.message, self.code)
    }
}

impl Serialize for Finding {
    /// `{"severity":"error","code":"overlap","message":"..","at":"chat.toml","line":12,"column":8}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let places = if self.position.is_some() { 2 } else { 0 };
        let fields = 4_usize.saturating_add(places);
        let mut object = serializer.serialize_struct("Finding", fields)?;
        object.serialize_field("severity", self.severity.name())?;
        object.serialize_field("code", self.code)?;
        object.serialize_field("message", &self.message)?;
        object.serialize_field("at", &self.at)?;
        if let Some(Position { line, column }) = self.position {
            object.serialize_field("line", &line)?;
            object.serialize_field("column", &column)?;
        }
        object.end()
    }
}
