//! The path of a rule: an expression over the raw bytes of a path, whose named
//! captures cut it in exactly one way.

use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_automata::{Anchored, Input};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Capture, Class, Hir, HirKind, Look};
use token_core::limits::{RULE_CAPTURES_MAX, RULE_PATH_BYTES_MAX};

use super::cuts;

/// What is wrong with a path: a stable code and a text.
pub(super) type Fault = (&'static str, String);

/// An expression, ready to cut a path that it matches.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) hir: Hir,
    /// The names of the captures, in the order of their groups, from 1.
    pub(super) captures: Vec<Box<str>>,
    cutter: PikeVM,
}

/// What the automaton of one path may take, in bytes.
const NFA_BYTES_MAX: usize = 256 * 1024;

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        if text.len() > RULE_PATH_BYTES_MAX {
            let message = format!("a path may have at most {RULE_PATH_BYTES_MAX} bytes");
            return Err(vec![("path_too_large", message)]);
        }
        let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
        let hir = parser
            .parse(text)
            .map_err(|error| vec![("invalid_path", syntax(&error))])?;
        let mut reader = Reader::default();
        reader.anchors(&hir);
        reader.walk(&hir, Place::Once);
        if reader.captures.len() > RULE_CAPTURES_MAX {
            let message = format!("a path may have at most {RULE_CAPTURES_MAX} captures");
            reader.fault("too_many_captures", message);
        }
        if !reader.faults.is_empty() {
            return Err(reader.faults);
        }
        let too_large = || vec![("path_too_large", "the path is too large".to_owned())];
        let nfa = compile(&hir, WhichCaptures::All).ok_or_else(too_large)?;
        match cuts::ambiguous(&nfa) {
            Ok(None) => {}
            Ok(Some(group)) => {
                let name = reader.captures.get(group.saturating_sub(1));
                let name = name.map_or("", |name| name);
                let message = format!(
                    "the capture `{name}` could be cut from one path in two ways; \
                     take the byte that ends it out of what it may hold"
                );
                return Err(vec![("capture_ambiguous", message)]);
            }
            Err(cuts::TooMany) => return Err(too_large()),
        }
        let cutter = PikeVM::new_from_nfa(nfa).map_err(|_| too_large())?;
        Ok(Self {
            hir,
            captures: reader.captures,
            cutter,
        })
    }

    /// The raw text of each capture, for a path that the expression matches.
    pub(super) fn cut<'p>(&self, path: &'p str) -> Option<Vec<&'p str>> {
        if self.captures.is_empty() {
            return Some(Vec::new());
        }
        let mut cache = self.cutter.create_cache();
        let mut found = self.cutter.create_captures();
        let input = Input::new(path).anchored(Anchored::Yes);
        self.cutter.captures(&mut cache, input, &mut found);
        (1..=self.captures.len())
            .map(|group| path.get(found.get_group(group)?.range()))
            .collect()
    }
}

/// The expression as an automaton that knows the ends of groups, or not.
fn compile(hir: &Hir, which: WhichCaptures) -> Option<NFA> {
    let config = Config::new()
        .utf8(false)
        .which_captures(which)
        .nfa_size_limit(Some(NFA_BYTES_MAX));
    Compiler::new().configure(config).build_from_hir(hir).ok()
}

fn syntax(error: &regex_syntax::Error) -> String {
    let cause = match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        other => other.to_string(),
    };
    format!("the path is no regular expression: {cause}")
}

/// Where in an expression a part stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Every match passes it once.
    Once,
    /// A match may leave it out.
    Maybe,
    /// A match may pass it many times.
    Often,
}

/// Collects the captures of an expression, and what is wrong with it.
#[derive(Default)]
struct Reader {
    captures: Vec<Box<str>>,
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, code: &'static str, message: impl Into<String>) {
        self.faults.push((code, message.into()));
    }

    fn anchors(&mut self, hir: &Hir) {
        let properties = hir.properties();
        if !properties.look_set_prefix().contains(Look::Start) {
            let message = "the path must begin with `^`, so that it says all of the path";
            self.fault("unanchored_path", message);
        }
        if !properties.look_set_suffix().contains(Look::End) {
            let message = "the path must end with `$`, so that it says all of the path";
            self.fault("unanchored_path", message);
        }
        let ends = [Look::Start, Look::End];
        if properties
            .look_set()
            .iter()
            .any(|look| !ends.contains(&look))
        {
            let message = "only `^` and `$` may be asserted, each at its end of the path";
            self.fault("invalid_path", message);
        }
    }

    /// The nesting is bounded by the parser.
    fn walk(&mut self, hir: &Hir, place: Place) {
        match hir.kind() {
            HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => {}
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.walk(part, place)),
            HirKind::Alternation(parts) => {
                let place = if place == Place::Often {
                    place
                } else {
                    Place::Maybe
                };
                parts.iter().for_each(|part| self.walk(part, place));
            }
            HirKind::Repetition(repetition) => {
                let place = match (repetition.min, repetition.max) {
                    (1, Some(1)) => place,
                    (_, Some(0 | 1)) if place != Place::Often => Place::Maybe,
                    _ => Place::Often,
                };
                self.walk(&repetition.sub, place);
            }
            HirKind::Capture(capture) => self.capture(capture, place),
        }
    }

    fn capture(&mut self, capture: &Capture, place: Place) {
        let Some(name) = &capture.name else {
            let message = "a group without a name; write `(?:..)`, or `(?<name>..)` to use it";
            self.fault("capture_unnamed", message);
            return self.walk(&capture.sub, place);
        };
        self.captures.push(name.clone());
        match place {
            Place::Once => {}
            Place::Maybe => self.fault(
                "capture_optional",
                format!("a path may match without the capture `{name}`; write two rules"),
            ),
            Place::Often => self.fault(
                "capture_repeated",
                format!("the capture `{name}` may be passed many times; repeat inside of it"),
            ),
        }
        if capture.sub.properties().minimum_len() == Some(0) {
            let message = format!("the capture `{name}` may be empty, and a name never is");
            self.fault("capture_empty", message);
        }
        if may_hold_slash(&capture.sub) {
            let message = format!(
                "the capture `{name}` may hold a `/` and so span segments; write `[^/]` for `.`"
            );
            self.fault("capture_spans_segments", message);
        }
        self.walk(&capture.sub, place);
    }
}

fn may_hold_slash(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&b'/'),
        HirKind::Class(Class::Bytes(class)) => class
            .ranges()
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&b'/')),
        HirKind::Class(Class::Unicode(class)) => class
            .ranges()
            .iter()
            .any(|range| (range.start()..=range.end()).contains(&'/')),
        HirKind::Repetition(repetition) => may_hold_slash(&repetition.sub),
        HirKind::Capture(capture) => may_hold_slash(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(may_hold_slash),
    }
}
