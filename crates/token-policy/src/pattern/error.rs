//! Why a pattern is refused.

use core::fmt;

use regex_syntax::ast::ErrorKind;
use token_core::limits::{PATTERN_BYTES_MAX, PATTERN_NFA_BYTES_MAX, PATTERN_SET_NFA_BYTES_MAX};

use super::translate::REPEAT_MAX;

/// Why a pattern is refused. Its text is the message of the 400 that answers
/// the grant; positions are byte offsets into the pattern, from 0.
///
/// When several apply, the first of this order is told: the length, a syntax
/// error of the whole pattern, a stacked repetition, a capturing group, then
/// whatever comes first in the pattern, then the compiled size.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternError {
    /// The text is longer than 512 bytes.
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// The text is not a pattern at all.
    Syntax {
        /// What is wrong with it.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// A repetition stands directly behind a repetition (contract section 2.4).
    MultipleRepeat,
    /// A group captures (contract section 2.4).
    CapturingGroup,
    /// A repetition, alone or times those around it, is above 1,000.
    RepeatTooLarge {
        /// Where the repetition stands.
        at: usize,
    },
    /// `\p{..}` with a name that RE2 and we do not share.
    UnknownProperty {
        /// Where.
        at: usize,
    },
    /// A construct that is not on the list of those whose meaning is RE2's.
    Unsupported {
        /// Which construct, and what to write instead.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// The compiled pattern is larger than 64 KiB.
    TooLarge,
    /// The compiled patterns of one kind are together larger than 256 KiB.
    SetTooLarge,
}

impl PatternError {
    /// The error of the parser in our words: either RE2 refuses the text too,
    /// or RE2 gives it a meaning that the parser does not know.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser may add kinds of errors"
    )]
    pub(super) fn from_parser(error: &regex_syntax::ast::Error) -> Self {
        let at = error.span().start.offset;
        let syntax = |what| Self::Syntax { what, at };
        let unsupported = |what| Self::Unsupported { what, at };
        match error.kind() {
            ErrorKind::ClassEscapeInvalid => syntax("escape that means nothing inside brackets"),
            ErrorKind::ClassRangeInvalid => syntax("character range out of order"),
            ErrorKind::ClassUnclosed => syntax("missing `]`"),
            ErrorKind::EscapeHexEmpty
            | ErrorKind::EscapeHexInvalid
            | ErrorKind::EscapeHexInvalidDigit => syntax("bad hexadecimal escape"),
            ErrorKind::EscapeUnexpectedEof => syntax("unfinished escape"),
            ErrorKind::FlagDanglingNegation
            | ErrorKind::FlagRepeatedNegation { .. }
            | ErrorKind::FlagUnexpectedEof
            | ErrorKind::FlagUnrecognized => syntax("bad flags (there are i, m, s and U)"),
            ErrorKind::GroupNameEmpty
            | ErrorKind::GroupNameInvalid
            | ErrorKind::GroupNameDuplicate { .. }
            | ErrorKind::GroupNameUnexpectedEof => syntax("bad group name"),
            ErrorKind::GroupUnclosed => syntax("missing `)`"),
            ErrorKind::GroupUnopened => syntax("unexpected `)`"),
            ErrorKind::RepetitionCountInvalid => syntax("repetition with bounds out of order"),
            ErrorKind::RepetitionMissing => syntax("nothing to repeat"),
            ErrorKind::UnicodeClassInvalid => syntax("bad property name"),
            ErrorKind::UnsupportedBackreference => syntax("back-reference"),
            ErrorKind::UnsupportedLookAround => syntax("look-around"),
            ErrorKind::ClassRangeLiteral => {
                unsupported("hyphen beside a class inside brackets; write it last or as `\\-`")
            }
            ErrorKind::RepetitionCountDecimalEmpty
            | ErrorKind::RepetitionCountUnclosed
            | ErrorKind::DecimalEmpty
            | ErrorKind::DecimalInvalid => {
                unsupported("`{` that starts no repetition; write it as `\\{`")
            }
            ErrorKind::EscapeUnrecognized => unsupported("this escape"),
            ErrorKind::FlagDuplicate { .. } => unsupported("flag given twice"),
            ErrorKind::SpecialWordBoundaryUnclosed
            | ErrorKind::SpecialWordBoundaryUnrecognized
            | ErrorKind::SpecialWordOrRepetitionUnexpectedEof => unsupported("`\\b{..}`"),
            _ => unsupported("this construct"),
        }
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => write!(
                f,
                "The pattern is {bytes} bytes long, the limit is {PATTERN_BYTES_MAX}."
            ),
            Self::Syntax { what, at } => write!(f, "Syntax error: {what} at position {at}."),
            Self::MultipleRepeat => f.write_str("Syntax error: multiple repeat."),
            Self::CapturingGroup => {
                f.write_str("Only non-capturing groups are allowed. Try replacing `(` with `(?:`.")
            }
            Self::RepeatTooLarge { at } => write!(
                f,
                "Syntax error: repetition above {REPEAT_MAX}, alone or times those around it, at position {at}."
            ),
            Self::UnknownProperty { at } => write!(
                f,
                "Syntax error: unknown property name at position {at}. Names are those of RE2, like `\\pL`, `\\p{{Lu}}` or `\\p{{Greek}}`."
            ),
            Self::Unsupported { what, at } => {
                write!(f, "Not supported: {what}, at position {at}.")
            }
            Self::TooLarge => write!(
                f,
                "The pattern is too large: compiled it takes more than {PATTERN_NFA_BYTES_MAX} bytes. Repeat less or use smaller classes."
            ),
            Self::SetTooLarge => write!(
                f,
                "The patterns are too large: compiled together they take more than {PATTERN_SET_NFA_BYTES_MAX} bytes. Use fewer or smaller patterns."
            ),
        }
    }
}

impl core::error::Error for PatternError {}
