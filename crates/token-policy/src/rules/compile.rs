//! Rule files together: one automaton, and what two rules do to each other.

use std::collections::HashMap;

use token_core::limits::RULES_MAX;

use crate::finding::Finding;
use crate::route;

use super::automaton::Automaton;
use super::file::{Placed, read};
use super::toml::{Source, Span};
use super::{InvalidRules, Rule, RuleSet};

pub(super) fn compile<'t>(
    texts: impl IntoIterator<Item = (&'t str, &'t str)>,
) -> Result<RuleSet, InvalidRules> {
    let mut sources: Vec<Source<'t>> = Vec::new();
    let mut files = Vec::new();
    let mut rules = Vec::new();
    let mut spans = Vec::new();
    for (name, text) in texts {
        let mut source = Source::new(name, text);
        if let Some((file, placed)) = read(&mut source, files.len()) {
            files.push(file);
            for Placed { rule, span } in placed {
                spans.push((sources.len(), span));
                rules.push(rule);
            }
        }
        sources.push(source);
    }
    let mut all = All { sources, spans };
    all.check_names(&rules);
    let paths: Vec<_> = rules.iter().map(|rule| &rule.path.hir).collect();
    let automaton = Automaton::new(&paths);
    match &automaton {
        Some(automaton) => all.check_overlaps(automaton, &rules),
        None => all.error(0, "rules_too_large", "the paths are too large together"),
    }
    let failed = all.sources.iter().any(Source::has_errors);
    let findings = all.findings();
    match automaton {
        Some(automaton) if !failed => Ok(RuleSet {
            files,
            rules,
            automaton,
            warnings: findings,
        }),
        _ => Err(InvalidRules { findings }),
    }
}

/// See [`RuleSet::shared_with_operations`].
pub(super) fn shared_with_operations(set: &RuleSet) -> Vec<String> {
    let mut methods: Vec<&str> = Vec::new();
    for method in set.rules.iter().flat_map(|rule| &rule.methods) {
        if !methods.contains(&&**method) {
            methods.push(method);
        }
    }
    let mut lines = Vec::new();
    for method in methods {
        let Some(operations) = route::After::method(method) else {
            continue;
        };
        for (number, path) in set.automaton.shared(operations) {
            let rule = set.rules.get(number);
            if let Some(rule) =
                rule.filter(|rule| rule.methods.iter().any(|known| **known == *method))
            {
                let name = &rule.name;
                lines.push(format!(
                    "`{method} {path}` is of the rule `{name}` and of an operation"
                ));
            }
        }
    }
    lines
}

/// All files, and where each rule stands: in which file, and where there.
struct All<'t> {
    sources: Vec<Source<'t>>,
    spans: Vec<(usize, Span)>,
}

impl All<'_> {
    fn error(&mut self, rule: usize, code: &'static str, message: impl Into<String>) {
        let (file, span) = self.spans.get(rule).cloned().unwrap_or((0, 0..0));
        if let Some(source) = self.sources.get_mut(file) {
            source.error(&span, code, message);
        }
    }

    /// Every finding, in the order of the files and of their lines.
    fn findings(self) -> Vec<Finding> {
        let files = self.sources.into_iter().map(|source| source.findings);
        files
            .flat_map(|mut findings| {
                findings.sort_by_key(|finding| finding.position);
                findings
            })
            .collect()
    }

    fn check_names(&mut self, rules: &[Rule]) {
        if rules.len() > RULES_MAX {
            let message = format!("there may be at most {RULES_MAX} rules");
            self.error(RULES_MAX, "too_many_rules", message);
        }
        let mut known = HashMap::new();
        for (number, rule) in rules.iter().enumerate() {
            if known.insert(&rule.name, number).is_some() {
                let message = format!("there are two rules `{}`", rule.name);
                self.error(number, "duplicate_name", message);
            }
        }
    }

    /// Whether a path can be of two rules with one method, and whether one can
    /// be of each.
    fn check_overlaps(&mut self, automaton: &Automaton, rules: &[Rule]) {
        let together = automaton.together();
        for (number, rule) in rules.iter().enumerate() {
            let own = together.iter().filter(|(set, _)| set.contains(&number));
            let own: Vec<_> = own.collect();
            if own.is_empty() {
                let message = format!("no path that a request can have matches `{}`", rule.name);
                self.error(number, "never_matches", message);
            }
            for (other, earlier) in rules.iter().enumerate().take(number) {
                let shared = |method: &str| earlier.methods.iter().any(|known| **known == *method);
                let Some(method) = rule.methods.iter().find(|method| shared(method)) else {
                    continue;
                };
                let mut both = own.iter().filter(|(set, _)| set.contains(&other));
                let Some((_, path)) = both.next() else {
                    continue;
                };
                let every = own.iter().all(|(set, _)| set.contains(&other))
                    && rule.methods.iter().all(|method| shared(method));
                let (name, first) = (&rule.name, &earlier.name);
                if every {
                    let message =
                        format!("`{name}` is never reached: all that it matches is of `{first}`");
                    self.error(number, "unreachable", message);
                } else {
                    let message =
                        format!("`{method} {path}` is of two rules, `{first}` and `{name}`");
                    self.error(number, "overlap", message);
                }
            }
        }
    }
}
