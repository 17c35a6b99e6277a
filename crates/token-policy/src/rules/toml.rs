//! Reading TOML so that every fault is found, with its place.

use core::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::finding::{Finding, Position, Severity};

/// Bytes of a file.
pub(super) type Span = Range<usize>;

/// A text file, and what was found in it.
pub(super) struct Source<'t> {
    name: &'t str,
    text: &'t str,
    pub(super) findings: Vec<Finding>,
}

impl<'t> Source<'t> {
    pub(super) const fn new(name: &'t str, text: &'t str) -> Self {
        Self {
            name,
            text,
            findings: Vec::new(),
        }
    }

    /// The document, unless it is no TOML.
    pub(super) fn document(&mut self) -> Option<Spanned<DeTable<'t>>> {
        let (document, faults) = DeTable::parse_recoverable(self.text);
        for fault in &faults {
            let span = fault.span().unwrap_or(0..0);
            self.error(&span, "toml_syntax", fault.message().replace('\n', ", "));
        }
        faults.is_empty().then_some(document)
    }

    pub(super) fn error(&mut self, span: &Span, code: &'static str, message: impl Into<String>) {
        self.find(Severity::Error, span, code, message.into());
    }

    pub(super) fn warning(&mut self, span: &Span, code: &'static str, message: impl Into<String>) {
        self.find(Severity::Warning, span, code, message.into());
    }

    /// Takes back the findings with this code from the one with the number
    /// `since` on: they follow from another.
    pub(super) fn forget(&mut self, code: &str, since: usize) {
        let late = self.findings.split_off(since.min(self.findings.len()));
        let kept = late.into_iter().filter(|finding| finding.code != code);
        self.findings.extend(kept);
    }

    fn find(&mut self, severity: Severity, span: &Span, code: &'static str, message: String) {
        self.findings.push(Finding {
            severity,
            code,
            message,
            at: self.name.to_owned(),
            position: Some(Position::of(self.text, span.start)),
        });
    }

    pub(super) fn has_errors(&self) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.severity == Severity::Error)
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, of: &str, wanted: &str) {
        let found = value.get_ref().type_str();
        let message = format!("{of} must be {wanted}, not {found}");
        self.error(&value.span(), "wrong_type", message);
    }

    pub(super) fn text<'v>(
        &mut self,
        value: &'v Spanned<DeValue<'_>>,
        of: &str,
    ) -> Option<Spanned<&'v str>> {
        let found = value.get_ref().as_str();
        if found.is_none() {
            self.wrong_type(value, of, "a text");
        }
        found.map(|text| Spanned::new(value.span(), text))
    }

    pub(super) fn flag(&mut self, value: &Spanned<DeValue<'_>>, of: &str) -> Option<bool> {
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.wrong_type(value, of, "true or false");
        }
        found
    }

    pub(super) fn list<'v, 'd>(
        &mut self,
        value: &'v Spanned<DeValue<'d>>,
        of: &str,
    ) -> &'v [Spanned<DeValue<'d>>] {
        let found = value.get_ref().as_array();
        if found.is_none() {
            self.wrong_type(value, of, "a list");
        }
        found.map_or(&[], |list| list)
    }

    pub(super) fn texts<'v>(
        &mut self,
        value: &'v Spanned<DeValue<'_>>,
        of: &str,
    ) -> Vec<Spanned<&'v str>> {
        let items = self.list(value, of).iter();
        items
            .filter_map(|item| self.text(item, &format!("each item of {of}")))
            .collect()
    }

    /// The keys of a table.
    pub(super) fn table<'v, 'd>(
        &mut self,
        value: &'v Spanned<DeValue<'d>>,
        of: &str,
    ) -> Option<Keys<'v, 'd>> {
        let found = value.get_ref().as_table();
        if found.is_none() {
            self.wrong_type(value, of, "a table");
        }
        found.map(|table| Keys::of(value.span(), table))
    }
}

/// The keys of a table that nobody has asked for yet.
pub(super) struct Keys<'v, 't> {
    pub(super) span: Span,
    entries: Vec<(&'v str, Span, &'v Spanned<DeValue<'t>>)>,
}

impl<'v, 't> Keys<'v, 't> {
    pub(super) fn of(span: Span, table: &'v DeTable<'t>) -> Self {
        let entries = table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), key.span(), value));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        Self { span, entries }
    }

    pub(super) fn take(&mut self, key: &str) -> Option<&'v Spanned<DeValue<'t>>> {
        let at = self.entries.iter().position(|(known, ..)| *known == key)?;
        let (_, _, value) = self.entries.remove(at);
        Some(value)
    }

    /// The value of a key that must be there.
    pub(super) fn need(
        &mut self,
        source: &mut Source<'_>,
        key: &str,
        of: &str,
    ) -> Option<&'v Spanned<DeValue<'t>>> {
        let found = self.take(key);
        if found.is_none() {
            let message = format!("{of} needs the key `{key}`");
            source.error(&self.span, "missing_key", message);
        }
        found
    }

    pub(super) fn text(&mut self, source: &mut Source<'_>, key: &str) -> Option<Spanned<&'v str>> {
        let value = self.take(key)?;
        source.text(value, &format!("`{key}`"))
    }

    pub(super) fn flag(&mut self, source: &mut Source<'_>, key: &str) -> bool {
        let found = self.take(key);
        found
            .and_then(|value| source.flag(value, &format!("`{key}`")))
            .unwrap_or(false)
    }

    pub(super) fn texts(&mut self, source: &mut Source<'_>, key: &str) -> Vec<Spanned<&'v str>> {
        let found = self.take(key);
        found.map_or_else(Vec::new, |value| source.texts(value, &format!("`{key}`")))
    }

    /// Everything that is left, for tables whose keys are free.
    pub(super) fn rest(self) -> Vec<(&'v str, Span, &'v Spanned<DeValue<'t>>)> {
        self.entries
    }

    /// Complains about the keys that are left.
    pub(super) fn finish(self, source: &mut Source<'_>, of: &str) {
        for (key, span, _) in self.entries {
            source.error(&span, "unknown_key", format!("{of} has no key `{key}`"));
        }
    }
}
