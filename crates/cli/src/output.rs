//! Answers for people and for programs.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::api::Failure;

/// Something that is good: allowed, valid.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Something that is not: denied, revoked, invalid.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something to look at.
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();
/// A label.
pub(crate) const LABEL: Style = Style::new().dimmed();

/// Standard output, as text or as JSON.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Writes `text` as it is. A reader that went away is no error.
    #[expect(clippy::unused_self, reason = "all output goes through one value")]
    pub(crate) fn text(&self, text: &str) {
        let mut out = anstream::stdout().lock();
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }

    /// Writes `value` as JSON, or `text` for people.
    pub(crate) fn answer(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            let json = serde_json::to_string_pretty(value)
                .map_err(|error| Failure::local(format!("cannot write JSON: {error}")))?;
            self.text(&format!("{json}\n"));
        } else {
            self.text(&text());
        }
        Ok(())
    }
}

/// Says on standard error why there is no answer.
pub(crate) fn complain(output: &Output, failure: &Failure) {
    let mut err = anstream::stderr().lock();
    let line = if output.is_json() {
        let mut error = serde_json::json!({ "code": failure.code, "message": failure.message });
        if let (Some(at), Some(fields)) = (&failure.at, error.as_object_mut()) {
            fields.insert("at".to_owned(), at.as_str().into());
        }
        serde_json::json!({ "error": error }).to_string()
    } else {
        format!("{BAD}error:{BAD:#} {failure}")
    };
    drop(writeln!(err, "{line}"));
}

/// Lines of `label  value`, the values aligned.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    rows: Vec<(String, String)>,
}

impl Sheet {
    pub(crate) fn row(&mut self, label: &str, value: impl Into<String>) -> &mut Self {
        self.rows.push((label.to_owned(), value.into()));
        self
    }

    pub(crate) fn render(&self) -> String {
        let width = self
            .rows
            .iter()
            .map(|(label, _)| label.chars().count())
            .max()
            .unwrap_or(0);
        self.rows
            .iter()
            .map(|(label, value)| format!("{LABEL}{label:<width$}{LABEL:#}  {value}\n"))
            .collect()
    }
}

/// Columns under headings, each as wide as its widest cell.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self {
            rows: vec![
                headings
                    .iter()
                    .map(|heading| (*heading).to_owned())
                    .collect(),
            ],
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) -> &mut Self {
        self.rows
            .push(cells.into_iter().map(|cell| printable(&cell)).collect());
        self
    }

    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let padded = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            let line = padded.collect::<Vec<_>>().join("  ");
            let line = line.trim_end();
            if index == 0 {
                text.push_str(&format!("{LABEL}{line}{LABEL:#}\n"));
            } else {
                text.push_str(&format!("{line}\n"));
            }
        }
        text
    }
}

/// `text` with everything that could move a cursor escaped.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escape = c.is_control() || ('\u{202A}'..='\u{202E}').contains(&c);
            let plain = (!escape).then_some(c);
            let escaped = escape.then(|| c.escape_unicode()).into_iter().flatten();
            plain.into_iter().chain(escaped)
        })
        .collect()
}
