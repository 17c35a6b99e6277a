//! Character classes: `\d`, `\pL`, `[..]`.

use regex_syntax::ast::{
    self, ClassAscii, ClassAsciiKind, ClassBracketed, ClassPerl, ClassPerlKind, ClassSet,
    ClassSetItem, ClassUnicodeKind, Span,
};
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use token_core::limits::PATTERN_NFA_BYTES_MAX;

use super::error::PatternError;
use super::translate::{check_literal, unsupported};
use super::unicode;

/// Most ranges of characters in all classes of a pattern, so that reading one
/// takes no more memory than compiling it: a range is 8 bytes.
pub(super) const CLASS_RANGES_MAX: usize = PATTERN_NFA_BYTES_MAX / 8;

/// `\d`, `\s`, `\w` and their negations: ASCII, and `\s` without the vertical
/// tab.
pub(super) fn perl(class: &ClassPerl, fold: bool) -> ClassUnicode {
    let ranges: &[(char, char)] = match class.kind {
        ClassPerlKind::Digit => &[('0', '9')],
        ClassPerlKind::Space => &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')],
        ClassPerlKind::Word => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
    };
    finish(of(ranges), fold, class.negated)
}

/// `\pL`, `\p{Greek}` and their negations.
pub(super) fn property(
    class: &ast::ClassUnicode,
    fold: bool,
) -> Result<ClassUnicode, PatternError> {
    let at = class.span.start.offset;
    let name = match &class.kind {
        ClassUnicodeKind::OneLetter(letter) => letter.to_string(),
        ClassUnicodeKind::Named(name) => name.clone(),
        ClassUnicodeKind::NamedValue { .. } => {
            return Err(unsupported("property with a value", &class.span));
        }
    };
    let set = unicode::property(&name, fold).ok_or(PatternError::UnknownProperty { at })?;
    Ok(finish(set.clone(), false, class.negated))
}

/// `[..]` and `[^..]`: single characters, ranges, and the classes above.
pub(super) fn bracketed(
    text: &str,
    class: &ClassBracketed,
    fold: bool,
) -> Result<ClassUnicode, PatternError> {
    let ClassSet::Item(item) = &class.kind else {
        return Err(unsupported("set operator inside brackets", &class.span));
    };
    let items = if let ClassSetItem::Union(union) = item {
        union.items.as_slice()
    } else {
        core::slice::from_ref(item)
    };
    let mut members = Members::default();
    for item in items {
        members.add(text, item, fold)?;
        if members.classes.len() > CLASS_RANGES_MAX {
            members.classes = ClassUnicode::new(members.classes).ranges().to_vec();
        }
    }
    // Folded once for the whole class: the cost of folding does not multiply.
    let mut set = ClassUnicode::new(members.plain);
    if fold {
        set = unicode::folded(&set);
    }
    members.classes.extend(set.ranges());
    Ok(finish(
        ClassUnicode::new(members.classes),
        false,
        class.negated,
    ))
}

/// What stands between brackets.
#[derive(Default)]
struct Members {
    /// Single characters and ranges, not yet folded.
    plain: Vec<ClassUnicodeRange>,
    /// The members of classes, folded already: a negated one folds before it
    /// is negated.
    classes: Vec<ClassUnicodeRange>,
}

impl Members {
    fn add(&mut self, text: &str, item: &ClassSetItem, fold: bool) -> Result<(), PatternError> {
        match item {
            ClassSetItem::Literal(literal) => {
                check_not_a_range(text, &literal.span)?;
                let c = check_literal(text, literal)?;
                self.plain.push(ClassUnicodeRange::new(c, c));
            }
            ClassSetItem::Range(range) => {
                let start = check_literal(text, &range.start)?;
                let end = check_literal(text, &range.end)?;
                self.plain.push(ClassUnicodeRange::new(start, end));
            }
            ClassSetItem::Ascii(class) => self.classes.extend(ascii(class, fold).ranges()),
            ClassSetItem::Unicode(class) => {
                self.classes.extend(property(class, fold)?.ranges());
            }
            ClassSetItem::Perl(class) => self.classes.extend(perl(class, fold).ranges()),
            ClassSetItem::Bracketed(inner) => {
                return Err(unsupported(
                    "bracket inside brackets; write it as `\\[`",
                    &inner.span,
                ));
            }
            ClassSetItem::Empty(span) => {
                return Err(unsupported("empty member inside brackets", span));
            }
            ClassSetItem::Union(union) => {
                return Err(unsupported("set operator inside brackets", &union.span));
            }
        }
        Ok(())
    }
}

/// A character that the parser took alone, before a hyphen: RE2 reads a range,
/// as in `[--a]` and `[]-a]`.
fn check_not_a_range(text: &str, span: &Span) -> Result<(), PatternError> {
    let behind = text.get(span.end.offset..).unwrap_or("");
    match behind.strip_prefix('-') {
        Some(rest) if !rest.starts_with(']') => Err(unsupported(
            "range that starts with an unescaped hyphen or bracket",
            span,
        )),
        _ => Ok(()),
    }
}

/// `[:alpha:]` and the like, inside brackets.
fn ascii(class: &ClassAscii, fold: bool) -> ClassUnicode {
    let ranges: &[(char, char)] = match class.kind {
        ClassAsciiKind::Alnum => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        ClassAsciiKind::Alpha => &[('A', 'Z'), ('a', 'z')],
        ClassAsciiKind::Ascii => &[('\0', '\u{7f}')],
        ClassAsciiKind::Blank => &[('\t', '\t'), (' ', ' ')],
        ClassAsciiKind::Cntrl => &[('\0', '\u{1f}'), ('\u{7f}', '\u{7f}')],
        ClassAsciiKind::Digit => &[('0', '9')],
        ClassAsciiKind::Graph => &[('!', '~')],
        ClassAsciiKind::Lower => &[('a', 'z')],
        ClassAsciiKind::Print => &[(' ', '~')],
        ClassAsciiKind::Punct => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        ClassAsciiKind::Space => &[('\t', '\r'), (' ', ' ')],
        ClassAsciiKind::Upper => &[('A', 'Z')],
        ClassAsciiKind::Word => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        ClassAsciiKind::Xdigit => &[('0', '9'), ('A', 'F'), ('a', 'f')],
    };
    finish(of(ranges), fold, class.negated)
}

fn of(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(
        ranges
            .iter()
            .map(|&(start, end)| ClassUnicodeRange::new(start, end)),
    )
}

/// RE2 folds a class before it negates it, so `(?i)\W` lacks U+017F and U+212A.
fn finish(set: ClassUnicode, fold: bool, negated: bool) -> ClassUnicode {
    let mut set = if fold { unicode::folded(&set) } else { set };
    if negated {
        set.negate();
    }
    set
}
