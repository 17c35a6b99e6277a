//! The names that a rule needs permissions on, made of text and captures.

use std::borrow::Cow;

/// A name with captures in it: `room-{room}`.
#[derive(Debug)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    /// The number of a capture of the rule.
    Capture(usize),
}

/// What is wrong with a template: a stable code and a text.
type Fault = (&'static str, String);

/// A capture whose value holds what ends it in the template, so that two
/// requests could ask for one name.
#[derive(Debug)]
pub(super) struct RunsTogether {
    pub(super) capture: usize,
}

impl Template {
    /// Reads a template; `number` finds the capture with a name.
    pub(super) fn parse(text: &str, number: impl Fn(&str) -> Option<usize>) -> Result<Self, Fault> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            push_text(before, &mut parts)?;
            let Some((name, after)) = after.split_once('}') else {
                let message = format!("the name `{text}` has a `{{` without a `}}`");
                return Err(("invalid_name", message));
            };
            let Some(capture) = number(name) else {
                let message = format!("neither path nor query has a capture `{name}`");
                return Err(("unknown_capture", message));
            };
            if let Some(Part::Capture(_)) = parts.last() {
                let message =
                    format!("two captures of `{text}` run together; put something between them");
                return Err(("captures_run_together", message));
            }
            parts.push(Part::Capture(capture));
            rest = after;
        }
        push_text(rest, &mut parts)?;
        if parts.is_empty() {
            return Err(("invalid_name", "a name is never empty".to_owned()));
        }
        Ok(Self { parts })
    }

    /// The captures that it is made of.
    pub(super) fn captures(&self) -> impl Iterator<Item = usize> + '_ {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Capture(capture) => Some(*capture),
        })
    }

    /// The name for these values of the captures. A value that comes before
    /// another may not hold the text that ends it: else two requests for
    /// different things would ask for one name.
    pub(super) fn fill<'a>(
        &'a self,
        value: impl Fn(usize) -> Option<Cow<'a, str>>,
    ) -> Option<Result<Cow<'a, str>, RunsTogether>> {
        if let [Part::Capture(capture)] = self.parts.as_slice() {
            return value(*capture).map(Ok);
        }
        let mut name = String::new();
        let last = self.captures().count();
        let mut filled = 0_usize;
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            let capture = match part {
                Part::Text(text) => {
                    name.push_str(text);
                    continue;
                }
                Part::Capture(capture) => *capture,
            };
            let value = value(capture)?;
            filled = filled.saturating_add(1);
            if let Some(Part::Text(end)) = parts.peek().filter(|_| filled < last)
                && format!("{value}{end}").find(&**end) != Some(value.len())
            {
                return Some(Err(RunsTogether { capture }));
            }
            name.push_str(&value);
        }
        Some(Ok(Cow::Owned(name)))
    }
}

fn push_text(text: &str, parts: &mut Vec<Part>) -> Result<(), Fault> {
    if text.contains('}') {
        let message = format!("the name `{text}` has a `}}` without a `{{`");
        return Err(("invalid_name", message));
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.into()));
    }
    Ok(())
}
