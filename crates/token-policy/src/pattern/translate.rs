//! From the syntax tree to RE2's meaning, by allow-list.
//!
//! The parser is regex-syntax's, whose language is close to RE2's and not
//! equal. Every node that is met here is either given exactly the meaning that
//! RE2 gives to the same source text or refused; nothing passes by default.
//! Where the tree does not tell two spellings apart, the source text does.

use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, Flag, Flags, FlagsItemKind, Group, GroupKind, HexLiteralKind,
    Literal, LiteralKind, Repetition, RepetitionKind, RepetitionRange, Span, SpecialLiteralKind,
    Visitor, parse::ParserBuilder, visit,
};
use regex_syntax::hir::{self, ClassUnicode, Dot, Hir, Look};

use super::class::{self, CLASS_RANGES_MAX};
use super::error::PatternError;
use super::unicode;

/// Largest repetition, alone or times those around it, as in RE2.
pub(super) const REPEAT_MAX: u32 = 1_000;

/// Deepest nesting that is parsed. A pattern of 512 bytes nests 128 groups, so
/// this bounds our recursion and refuses nothing by itself.
const NEST_MAX: u32 = 250;

/// The meaning of a pattern.
///
/// # Errors
///
/// [`PatternError`] for everything that is not on the allow-list.
pub(super) fn translate(text: &str) -> Result<Hir, PatternError> {
    let ast = ParserBuilder::new()
        .nest_limit(NEST_MAX)
        .octal(true)
        .build()
        .parse(text)
        .map_err(|error| PatternError::from_parser(&error))?;
    visit(&ast, StackedRepeats)?;
    visit(&ast, CapturingGroups)?;
    let mut translator = Translator {
        text,
        modes: Modes::default(),
        repeat_budget: REPEAT_MAX,
        ranges_left: CLASS_RANGES_MAX,
    };
    translator.node(&ast)
}

/// The flags in force. `U` has no field: which of two matches is preferred does
/// not change whether there is one.
#[derive(Clone, Copy, Default)]
struct Modes {
    /// `i`
    fold: bool,
    /// `m`
    multi_line: bool,
    /// `s`
    dot_matches_newline: bool,
}

struct Translator<'p> {
    text: &'p str,
    modes: Modes,
    /// What is left of [`REPEAT_MAX`] inside the repetitions around here.
    repeat_budget: u32,
    /// What is left of [`CLASS_RANGES_MAX`].
    ranges_left: usize,
}

impl Translator<'_> {
    fn node(&mut self, ast: &Ast) -> Result<Hir, PatternError> {
        match ast {
            Ast::Empty(_) => Ok(Hir::empty()),
            Ast::Flags(set) => {
                self.modes = self.modes.with(&set.flags)?;
                Ok(Hir::empty())
            }
            Ast::Literal(literal) => {
                let c = self.literal(literal)?;
                Ok(self.char(c))
            }
            Ast::Dot(_) => Ok(Hir::dot(if self.modes.dot_matches_newline {
                Dot::AnyChar
            } else {
                Dot::AnyCharExceptLF
            })),
            Ast::Assertion(assertion) => self.assertion(assertion),
            Ast::ClassUnicode(class) => {
                let class = class::property(class, self.modes.fold)?;
                self.class(class)
            }
            Ast::ClassPerl(class) => self.class(class::perl(class, self.modes.fold)),
            Ast::ClassBracketed(class) => {
                let class = class::bracketed(self.text, class, self.modes.fold)?;
                self.class(class)
            }
            Ast::Repetition(repetition) => self.repetition(repetition),
            Ast::Group(group) => self.group(group),
            Ast::Alternation(alternation) => Ok(Hir::alternation(self.nodes(&alternation.asts)?)),
            Ast::Concat(concat) => Ok(Hir::concat(self.nodes(&concat.asts)?)),
        }
    }

    /// Flags that one node sets hold for those behind it, also for the next
    /// branches of an alternation.
    fn nodes(&mut self, asts: &[Ast]) -> Result<Vec<Hir>, PatternError> {
        asts.iter().map(|ast| self.node(ast)).collect()
    }

    fn char(&self, c: char) -> Hir {
        if self.modes.fold {
            let class = ClassUnicode::new([hir::ClassUnicodeRange::new(c, c)]);
            return class_hir(unicode::folded(&class));
        }
        Hir::literal(c.encode_utf8(&mut [0; 4]).as_bytes())
    }

    fn class(&mut self, class: ClassUnicode) -> Result<Hir, PatternError> {
        let left = self.ranges_left.checked_sub(class.ranges().len());
        self.ranges_left = left.ok_or(PatternError::TooLarge)?;
        Ok(class_hir(class))
    }

    fn literal(&self, literal: &Literal) -> Result<char, PatternError> {
        check_literal(self.text, literal)
    }

    fn assertion(&self, assertion: &Assertion) -> Result<Hir, PatternError> {
        let look = match assertion.kind {
            AssertionKind::StartLine if self.modes.multi_line => Look::StartLF,
            AssertionKind::EndLine if self.modes.multi_line => Look::EndLF,
            AssertionKind::StartLine | AssertionKind::StartText => Look::Start,
            AssertionKind::EndLine | AssertionKind::EndText => Look::End,
            AssertionKind::WordBoundary => Look::WordAscii,
            AssertionKind::NotWordBoundary => Look::WordAsciiNegate,
            // Word boundaries to the parser, escaped punctuation to RE2.
            AssertionKind::WordBoundaryStartAngle => return Ok(self.char('<')),
            AssertionKind::WordBoundaryEndAngle => return Ok(self.char('>')),
            AssertionKind::WordBoundaryStart
            | AssertionKind::WordBoundaryEnd
            | AssertionKind::WordBoundaryStartHalf
            | AssertionKind::WordBoundaryEndHalf => {
                return Err(unsupported("`\\b{..}`", &assertion.span));
            }
        };
        Ok(Hir::look(look))
    }

    fn repetition(&mut self, repetition: &Repetition) -> Result<Hir, PatternError> {
        let span = &repetition.op.span;
        let (min, max) = match &repetition.op.kind {
            RepetitionKind::ZeroOrOne => (0, Some(1)),
            RepetitionKind::ZeroOrMore => (0, None),
            RepetitionKind::OneOrMore => (1, None),
            RepetitionKind::Range(range) => check_braces(slice(self.text, span), range)
                .ok_or_else(|| unsupported("blank or leading zero inside braces", span))?,
        };
        let outer = self.repeat_budget;
        if matches!(repetition.op.kind, RepetitionKind::Range(_)) {
            // As RE2 counts: whole-number division on the way in.
            self.repeat_budget = match outer.checked_div(max.unwrap_or(min)) {
                Some(0) => {
                    return Err(PatternError::RepeatTooLarge {
                        at: span.start.offset,
                    });
                }
                Some(left) => left,
                None => outer,
            };
        }
        let sub = self.node(&repetition.ast)?;
        self.repeat_budget = outer;
        Ok(Hir::repetition(hir::Repetition {
            min,
            max,
            greedy: true,
            sub: Box::new(sub),
        }))
    }

    fn group(&mut self, group: &Group) -> Result<Hir, PatternError> {
        let GroupKind::NonCapturing(flags) = &group.kind else {
            return Err(PatternError::CapturingGroup);
        };
        let outer = self.modes;
        self.modes = outer.with(flags)?;
        let inner = self.node(&group.ast)?;
        self.modes = outer;
        Ok(inner)
    }
}

impl Modes {
    fn with(self, flags: &Flags) -> Result<Self, PatternError> {
        let mut modes = self;
        let mut on = true;
        for item in &flags.items {
            match &item.kind {
                FlagsItemKind::Negation => on = false,
                FlagsItemKind::Flag(Flag::CaseInsensitive) => modes.fold = on,
                FlagsItemKind::Flag(Flag::MultiLine) => modes.multi_line = on,
                FlagsItemKind::Flag(Flag::DotMatchesNewLine) => modes.dot_matches_newline = on,
                FlagsItemKind::Flag(Flag::SwapGreed) => {}
                FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace) => {
                    return Err(unsupported("flag other than i, m, s and U", &item.span));
                }
            }
        }
        Ok(modes)
    }
}

/// The character of a literal, if RE2 reads the same one.
pub(super) fn check_literal(text: &str, literal: &Literal) -> Result<char, PatternError> {
    let source = slice(text, &literal.span);
    match &literal.kind {
        LiteralKind::Verbatim
        | LiteralKind::Meta
        | LiteralKind::Superfluous
        | LiteralKind::HexFixed(HexLiteralKind::X)
        | LiteralKind::HexBrace(HexLiteralKind::X)
        | LiteralKind::Special(
            SpecialLiteralKind::Bell
            | SpecialLiteralKind::FormFeed
            | SpecialLiteralKind::Tab
            | SpecialLiteralKind::LineFeed
            | SpecialLiteralKind::CarriageReturn
            | SpecialLiteralKind::VerticalTab,
        ) => Ok(literal.c),
        // `\1` alone is a back-reference, `\12` and `\0` are octal.
        LiteralKind::Octal if source.len() > 2 || source == "\\0" => Ok(literal.c),
        LiteralKind::Octal => Err(PatternError::Syntax {
            what: "back-reference",
            at: literal.span.start.offset,
        }),
        LiteralKind::HexBrace(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong)
        | LiteralKind::HexFixed(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong)
        | LiteralKind::Special(SpecialLiteralKind::Space) => {
            Err(unsupported("this escape", &literal.span))
        }
    }
}

pub(super) fn unsupported(what: &'static str, span: &Span) -> PatternError {
    PatternError::Unsupported {
        what,
        at: span.start.offset,
    }
}

/// The source of a node. Spans lie on character borders inside the text; were
/// one not to, the empty text would pass no check.
fn slice<'p>(text: &'p str, span: &Span) -> &'p str {
    text.get(span.start.offset..span.end.offset).unwrap_or("")
}

fn class_hir(class: ClassUnicode) -> Hir {
    Hir::class(hir::Class::Unicode(class))
}

/// The bounds, if the source is exactly how RE2 wants it: no blank and no
/// leading zero, either of which makes the braces literal text there.
fn check_braces(source: &str, range: &RepetitionRange) -> Option<(u32, Option<u32>)> {
    let (min, max, plain) = match *range {
        RepetitionRange::Exactly(n) => (n, Some(n), format!("{{{n}}}")),
        RepetitionRange::AtLeast(n) => (n, None, format!("{{{n},}}")),
        RepetitionRange::Bounded(n, m) => (n, Some(m), format!("{{{n},{m}}}")),
    };
    let written = source.strip_suffix('?').unwrap_or(source);
    (written == plain).then_some((min, max))
}

struct StackedRepeats;

impl Visitor for StackedRepeats {
    type Output = ();
    type Err = PatternError;

    fn finish(self) -> Result<(), PatternError> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), PatternError> {
        if let Ast::Repetition(outer) = ast
            && matches!(*outer.ast, Ast::Repetition(_))
        {
            return Err(PatternError::MultipleRepeat);
        }
        Ok(())
    }
}

struct CapturingGroups;

impl Visitor for CapturingGroups {
    type Output = ();
    type Err = PatternError;

    fn finish(self) -> Result<(), PatternError> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), PatternError> {
        if let Ast::Group(group) = ast
            && !matches!(group.kind, GroupKind::NonCapturing(_))
        {
            return Err(PatternError::CapturingGroup);
        }
        Ok(())
    }
}
