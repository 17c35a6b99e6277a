//! Rules for an HTTP API of one's own: a TOML file that says which request
//! needs which permission.

mod automaton;
mod compile;
mod cuts;
mod file;
mod owner;
mod path;
mod request;
mod source;
mod template;
mod toml;

use core::fmt;

use token_core::{Permissions, ResourceKind};

use crate::classify::{Access, Classified};
use crate::error::ClassifyError;
use crate::finding::{Finding, Severity};

use self::automaton::Automaton;
use self::path::Path;
use self::template::Template;

pub use self::source::{HeaderFault, Headers, NoHeaders};

/// The rules of one or more rule files, compiled into one automaton.
///
/// A rule file says for one keyset, or for one account, where the token and the caller's uuid come
/// from, and which request needs which permission:
///
/// ```
/// use token_policy::{NoHeaders, RuleSet};
///
/// let text = r#"
/// keyset = "sub-c-chat"
///
/// [token]
/// query = "token"
///
/// [[rule]]
/// name = "read-messages"
/// methods = ["GET"]
/// path = '^/rooms/(?<room>[^/]+)/messages$'
/// needs = [{ channel = "{room}", permissions = ["read"] }]
/// "#;
/// let rules = RuleSet::parse([("chat.toml", text)])?;
///
/// let asked = rules.classify("GET", "/rooms/lobby/messages?token=abc", NoHeaders)?;
/// assert_eq!(asked.asked().name(), "read-messages");
/// assert_eq!(asked.targets().names()[0].name, "lobby");
/// // What no rule says is refused.
/// assert!(rules.classify("DELETE", "/rooms/lobby/messages", NoHeaders).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What two rules could match, and what could be cut in two ways, is an error
/// of [`RuleSet::parse`]; both are read off the automata, not sampled.
#[derive(Debug)]
pub struct RuleSet {
    files: Vec<RuleFile>,
    rules: Vec<Rule>,
    automaton: Automaton,
    warnings: Vec<Finding>,
}

/// What a file says for all its rules.
#[derive(Debug)]
struct RuleFile {
    owner: Owner,
    token: TokenSources,
    caller: Option<Caller>,
    /// The names of all parameters that its rules read.
    parameters: Vec<Box<str>>,
}

/// Whose tokens are good for the requests of a file.
#[derive(Debug)]
enum Owner {
    /// The subscribe key of a keyset.
    Keyset(Box<str>),
    /// The number of an account, whose customers have tokens.
    Account(Box<str>),
}

impl Owner {
    fn keyset(&self) -> Option<&str> {
        match self {
            Self::Keyset(key) => Some(key),
            Self::Account(_) => None,
        }
    }

    fn account(&self) -> Option<&str> {
        match self {
            Self::Account(number) => Some(number),
            Self::Keyset(_) => None,
        }
    }
}

impl RuleFile {
    /// A token of an account says by itself who its user is, unless the file
    /// says where else that stands.
    const fn caller_is_token(&self) -> bool {
        match &self.caller {
            Some(Caller::Token { .. }) => true,
            Some(Caller::Query(_) | Caller::Header(_) | Caller::Capture(_)) => false,
            None => matches!(self.owner, Owner::Account(_)),
        }
    }
}

/// Where a token may be. A request with two is refused.
#[derive(Debug, Default)]
struct TokenSources {
    bearer: bool,
    query: Option<Box<str>>,
    cookie: Option<Box<str>>,
    header: Option<Box<str>>,
}

/// Where the caller's uuid is.
#[derive(Debug)]
enum Caller {
    Query(Box<str>),
    Header(Box<str>),
    Capture(Box<str>),
    /// The token says; the upstream learns it from this header.
    Token {
        pass: Box<str>,
    },
}

#[derive(Debug)]
struct Rule {
    file: usize,
    name: Box<str>,
    methods: Vec<Box<str>>,
    path: Path,
    /// Those of the path first, in the order of its groups.
    captures: Vec<Capture>,
    access: Access,
    needs: Vec<RuleNeed>,
    /// The permissions that a customer needs.
    customer: Vec<Box<str>>,
    upgrade: bool,
}

/// A named part of a request.
#[derive(Debug)]
struct Capture {
    name: Box<str>,
    /// The parameter that it is the value of; `None` for a part of the path.
    parameter: Option<Box<str>>,
    /// Whether it is names, with commas between.
    list: bool,
    /// Whether a request may be without it.
    optional: bool,
}

/// Permissions that a rule needs on a name.
#[derive(Debug)]
struct RuleNeed {
    kind: ResourceKind,
    name: Template,
    permissions: Permissions,
}

impl RuleSet {
    /// Compiles rule files: pairs of the name to say in errors, and the text.
    ///
    /// # Errors
    ///
    /// [`InvalidRules`] with everything that is wrong, each with its line.
    pub fn parse<'t>(
        files: impl IntoIterator<Item = (&'t str, &'t str)>,
    ) -> Result<Self, InvalidRules> {
        compile::compile(files)
    }

    /// What is legal and probably not what was meant.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// The subscribe keys of the keysets that the files are for.
    pub fn subscribe_keys(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter_map(|file| file.owner.keyset())
    }

    /// The headers in which upstreams learn the uuid of a token. A request of a
    /// rule that carries one is refused.
    pub fn uuid_headers(&self) -> impl Iterator<Item = &str> {
        self.files.iter().filter_map(|file| match &file.caller {
            Some(Caller::Token { pass }) => Some(&**pass),
            Some(Caller::Query(_) | Caller::Header(_) | Caller::Capture(_)) | None => None,
        })
    }

    /// Whether a rule is for the method and the path of `target`, whatever else
    /// the request says.
    #[must_use]
    pub fn knows(&self, method: &str, target: &str) -> bool {
        let path = target.split('?').next().unwrap_or(target);
        self.find(method, path.as_bytes()).is_some()
    }

    /// The methods that rules have for the path of `target`, each once.
    #[must_use]
    pub fn methods(&self, target: &str) -> Vec<&str> {
        let path = target.split('?').next().unwrap_or(target);
        let rules = self.automaton.find(path.as_bytes());
        let rules = rules.filter_map(|number| self.rules.get(number));
        let methods = rules.flat_map(|rule| rule.methods.iter().map(|method| &**method));
        let mut methods: Vec<&str> = methods.collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }

    /// Requests that both a rule and [`crate::classify`] have an answer for: a
    /// line for each such rule, with an example. Whoever uses both must refuse
    /// such rules.
    #[must_use]
    pub fn shared_with_operations(&self) -> Vec<String> {
        compile::shared_with_operations(self)
    }

    /// The names of the rules, in the order of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| &*rule.name)
    }

    /// Finds the rule of a request, as [`crate::classify`] finds an operation:
    /// `target` is the raw request target.
    ///
    /// The path is matched twice, as it stands and with its escapes decoded; both
    /// must be of one and the same rule. Captures are cut from the raw path and
    /// decoded, once.
    ///
    /// # Errors
    ///
    /// [`ClassifyError`]. A request with an error must be refused, never
    /// forwarded.
    pub fn classify<'a>(
        &'a self,
        method: &str,
        target: &'a str,
        headers: impl Headers<'a>,
    ) -> Result<Classified<'a>, ClassifyError> {
        request::classify(self, method, target, headers)
    }

    /// The one rule of a method and a path.
    fn find(&self, method: &str, path: &[u8]) -> Option<usize> {
        let is_for = |number: &usize| {
            let rule = self.rules.get(*number);
            rule.is_some_and(|rule| rule.methods.iter().any(|known| **known == *method))
        };
        let mut found = self.automaton.find(path).filter(is_for);
        let first = found.next();
        first.filter(|_| found.next().is_none())
    }
}

/// Everything that is wrong with rule files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRules {
    findings: Vec<Finding>,
}

impl InvalidRules {
    /// The errors, and the warnings among them, in the order of the files.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The errors alone.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(|finding| finding.severity == Severity::Error)
    }
}

impl fmt::Display for InvalidRules {
    /// A line for each error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, finding) in self.errors().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            finding.fmt(f)?;
        }
        Ok(())
    }
}

impl core::error::Error for InvalidRules {}
