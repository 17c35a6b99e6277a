//! Rule files: loaded at the start, asked after the table of operations.

use std::path::PathBuf;

use http::HeaderMap;
use token_policy::{Classified, ClassifyError, Headers, RuleSet, classify};

/// Which operation or rule a request is of.
#[derive(Debug, Default)]
pub(crate) struct Rules(Option<RuleSet>);

impl Rules {
    /// Reads and compiles rule files.
    ///
    /// # Errors
    ///
    /// The text of everything that is wrong, a line for each.
    pub(crate) fn load(paths: &[PathBuf]) -> Result<Self, String> {
        if paths.is_empty() {
            return Ok(Self(None));
        }
        let mut files = Vec::new();
        for path in paths {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("cannot read {name}: {error}"))?;
            files.push((name, text));
        }
        let named = files.iter().map(|(name, text)| (&**name, &**text));
        let rules = RuleSet::parse(named).map_err(|invalid| invalid.to_string())?;
        let shared = rules.shared_with_operations();
        if !shared.is_empty() {
            return Err(shared.join("\n"));
        }
        for warning in rules.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(Self(Some(rules)))
    }

    /// The operation of a request; where there is none, its rule.
    pub(crate) fn classify<'a>(
        &'a self,
        method: &str,
        target: &'a str,
        headers: &'a HeaderMap,
        body: Option<&[u8]>,
    ) -> Result<Classified<'a>, ClassifyError> {
        match (classify(method, target, body), &self.0) {
            (Err(ClassifyError::UnknownOperation), Some(rules)) => {
                rules.classify(method, target, RequestHeaders(headers))
            }
            (found, _) => found,
        }
    }

    /// Whether a rule is for a method and a path.
    pub(crate) fn knows(&self, method: &str, target: &str) -> bool {
        let rules = self.0.as_ref();
        rules.is_some_and(|rules| rules.knows(method, target))
    }

    /// The methods that rules have for a path.
    pub(crate) fn methods(&self, target: &str) -> Vec<&str> {
        let rules = self.0.as_ref();
        rules.map_or_else(Vec::new, |rules| rules.methods(target))
    }

    /// Whether there is any rule.
    pub(crate) const fn are_there(&self) -> bool {
        self.0.is_some()
    }
}

#[derive(Clone, Copy)]
struct RequestHeaders<'h>(&'h HeaderMap);

impl<'h> Headers<'h> for RequestHeaders<'h> {
    fn values(self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        let values = self.0.get_all(name).iter();
        values.map(http::HeaderValue::as_bytes)
    }

    fn names(self) -> impl Iterator<Item = &'h str> {
        self.0.keys().map(http::HeaderName::as_str)
    }
}
