//! Patterns: RE2 syntax and meaning on a linear-time engine.

mod cache;
mod class;
mod error;
mod program;
mod set;
mod shape;
pub(crate) mod simple;
mod translate;
mod unicode;
mod universal;

use core::fmt;

use token_core::limits::PATTERN_BYTES_MAX;

pub use self::cache::PatternCache;
pub use self::error::PatternError;
pub use self::set::{PatternEntry, PatternSet, RefusedPattern};

use self::program::{Compiler, Program};

/// A pattern in RE2 syntax with RE2's meaning: an unanchored search, byte for
/// byte, case-sensitive, `^` and `$` at the ends of the text.
///
/// What RE2 accepts and we could read differently is refused rather than
/// guessed, so a pattern that is accepted here means the same to RE2. Matching
/// takes time linear in the name for every pattern.
///
/// ```
/// use token_policy::Pattern;
///
/// let rooms = Pattern::parse("^room-[0-9]+$")?;
/// assert!(rooms.matches("room-12"));
/// assert!(!rooms.matches("broom-12"));
///
/// let refused = Pattern::parse("room-(a|b)").unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "Only non-capturing groups are allowed. Try replacing `(` with `(?:`."
/// );
/// # Ok::<(), token_policy::PatternError>(())
/// ```
#[derive(Clone)]
pub struct Pattern {
    text: Box<str>,
    program: Program,
    group_form: bool,
    anchored_start: bool,
    anchored_end: bool,
}

impl Pattern {
    /// Compiles a pattern of at most 512 bytes into at most 64 KiB.
    ///
    /// # Errors
    ///
    /// [`PatternError`], whose text is the message of the 400 that a grant
    /// with this pattern gets.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Self::compile(text, &Compiler::new())
    }

    fn compile(text: &str, compiler: &Compiler) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong { bytes: text.len() });
        }
        let hir = translate::translate(text)?;
        Ok(Self {
            text: text.into(),
            program: compiler.compile(&hir)?,
            group_form: shape::begins_with_colon(&hir),
            anchored_start: shape::anchored_start(&hir),
            anchored_end: shape::anchored_end(&hir),
        })
    }

    /// The text of the pattern.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True when the pattern matches somewhere in `name`.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.program.matches(&mut self.program.scratch(), name)
    }

    /// True when every match begins with a literal `:` at the start of the
    /// text, as in `^:team-` and `\A:`: the pattern was written for group names
    /// with a colon before them, so a group's name is tried with one, too.
    ///
    /// Read off the syntax; false where that does not tell.
    #[must_use]
    pub fn group_form(&self) -> bool {
        self.group_form
    }

    /// True when every match begins at the start of the name and ends at its
    /// end, so that the pattern says all of the name: `^a$`, not `^a|b$`.
    ///
    /// Read off the syntax; false where that does not tell.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        self.anchored_start && self.anchored_end
    }

    /// True when every match begins at the start of the name.
    #[must_use]
    pub fn is_anchored_start(&self) -> bool {
        self.anchored_start
    }

    /// True when every match ends at the end of the name.
    #[must_use]
    pub fn is_anchored_end(&self) -> bool {
        self.anchored_end
    }

    /// True when every name that a resource can have matches, as with the empty
    /// pattern, `.*`, `.` and `^`.
    ///
    /// Found by walking the pattern's automaton (well below a millisecond as a
    /// rule), so it is for lint and grants, not for decisions; false also when
    /// that automaton grows beyond 256 KiB.
    #[must_use]
    pub fn matches_everything(&self) -> bool {
        universal::matches_every_name(self.program.nfa())
    }

    /// True when no name that a resource can have matches, as with `a^` and
    /// `^$`. Found as in [`Pattern::matches_everything`].
    #[must_use]
    pub fn matches_nothing(&self) -> bool {
        universal::matches_no_name(self.program.nfa())
    }

    /// Heap that the compiled form takes, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.program.bytes()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
