//! One character of a simple pattern, and the text of a class.

/// Letters of ASCII.
const UPPER: u128 = range(b'A', b'Z');
const LOWER: u128 = range(b'a', b'z');
const DIGIT: u128 = range(b'0', b'9');
const WORD: u128 = DIGIT | UPPER | LOWER | one(b'_');
/// Without the vertical tab, as in RE2.
const SPACE: u128 = range(b'\t', b'\n') | range(0xc, b'\r') | one(b' ');

/// What the two characters beyond ASCII that fold to one of ASCII look like:
/// U+212A to `k`, U+017F to `s`.
const KELVIN: &[u8] = "\u{212a}".as_bytes();
const LONG_S: &[u8] = "\u{17f}".as_bytes();

/// A set of characters: some of ASCII, and all or none beyond.
#[derive(Clone, Copy)]
pub(super) struct Class {
    ascii: u128,
    beyond: bool,
    /// Case does not matter: U+212A and U+017F are as `k` and `s`.
    fold: bool,
}

impl Class {
    pub(super) const fn of(byte: u8) -> Self {
        Self::members(one(byte))
    }

    /// `.`
    pub(super) const fn dot(also_newline: bool) -> Self {
        let without = if also_newline { 0 } else { one(b'\n') };
        Self::members(without).negated()
    }

    /// `\d`, `\w`, `\s` and their negations, by their letter.
    pub(super) fn perl(letter: u8, fold: bool) -> Option<Self> {
        let class = match letter.to_ascii_lowercase() {
            b'd' => Self::members(DIGIT),
            b'w' => Self::members(WORD),
            b's' => Self::members(SPACE),
            _ => return None,
        };
        let class = if fold { class.folded() } else { class };
        Some(if letter.is_ascii_uppercase() {
            class.negated()
        } else {
            class
        })
    }

    /// The class whose text begins behind a `[`, and what follows it.
    pub(super) fn bracketed(text: &[u8], fold: bool) -> Option<(Self, &[u8])> {
        let negated = text.strip_prefix(b"^");
        let mut rest = negated.unwrap_or(text);
        let mut class = Self::members(0);
        // A hyphen is itself at the very start, and before the end, only.
        if let Some(behind) = rest.strip_prefix(b"-") {
            if behind.first() == Some(&b'-') {
                return None;
            }
            class = Self::of(b'-');
            rest = behind;
        }
        loop {
            let (item, behind) = match rest {
                // An empty class, or one that begins with a bracket, is for
                // the parser.
                [b']', behind @ ..] if class.ascii != 0 => {
                    let class = if fold { class.folded() } else { class };
                    let negate = negated.is_some();
                    return Some((if negate { class.negated() } else { class }, behind));
                }
                [b'-', b']', ..] => (one(b'-'), rest.get(1..)?),
                [b'\\', letter, behind @ ..] if letter.is_ascii_alphanumeric() => {
                    let class = Self::perl(*letter, fold)?;
                    if class.beyond || (behind.starts_with(b"-") && !behind.starts_with(b"-]")) {
                        return None;
                    }
                    (class.ascii, behind)
                }
                _ => member(rest)?,
            };
            class.ascii |= item;
            rest = behind;
        }
    }

    const fn members(ascii: u128) -> Self {
        Self {
            ascii,
            beyond: false,
            fold: false,
        }
    }

    const fn negated(mut self) -> Self {
        self.ascii = !self.ascii;
        self.beyond = !self.beyond;
        self
    }

    /// The class when case does not matter.
    pub(super) const fn folded(mut self) -> Self {
        self.ascii |= ((self.ascii & UPPER) << 32) | ((self.ascii & LOWER) >> 32);
        self.fold = true;
        self
    }

    /// The place behind the character at `place`, if that is a member.
    pub(super) fn step(self, name: &[u8], place: usize) -> Option<usize> {
        let lead = *name.get(place)?;
        if lead < 0x80 {
            return has(self.ascii, lead).then(|| place.wrapping_add(1));
        }
        let next = place.wrapping_add(length(lead));
        let character = name.get(place..next)?;
        let member = match character {
            KELVIN if self.fold => has(self.ascii, b'k'),
            LONG_S if self.fold => has(self.ascii, b's'),
            _ => self.beyond,
        };
        member.then_some(next)
    }

    /// No less than what one copy of it takes when it is compiled, in bytes.
    pub(super) fn cost(self) -> usize {
        let starts = self.ascii & !(self.ascii << 1);
        let ranges = usize::try_from(starts.count_ones()).unwrap_or(64);
        let ascii = ranges.saturating_mul(8).saturating_add(32);
        match (self.beyond, self.fold) {
            (false, false) => ascii,
            (true, false) | (false, true) => ascii.saturating_add(512),
            (true, true) => ascii.saturating_add(1_024),
        }
    }
}

/// How many bytes a character takes, by its first (RFC 3629 section 3).
pub(super) const fn length(lead: u8) -> usize {
    match lead {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    }
}

/// A character or a range between brackets, and what follows it.
fn member(text: &[u8]) -> Option<(u128, &[u8])> {
    let (low, rest) = single(text)?;
    match rest {
        [b'-', b']', ..] => Some((one(low), rest)),
        [b'-', behind @ ..] => {
            let (high, rest) = single(behind)?;
            (low <= high).then(|| (range(low, high), rest))
        }
        _ => Some((one(low), rest)),
    }
}

/// A single character of ASCII between brackets, and what follows it.
fn single(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'\\', escaped, rest @ ..] if is_escapable(*escaped) => Some((*escaped, rest)),
        [b'\\' | b'[' | b']' | b'-' | b'&' | b'~' | b'^', ..] => None,
        [byte, rest @ ..] if byte.is_ascii() => Some((*byte, rest)),
        _ => None,
    }
}

/// Letters, digits and punctuation that mean nothing.
const PLAIN: u128 = WORD | of(b"-:/#&~,=!@%\"'; `<>");

/// Punctuation that stands for itself behind a backslash, everywhere.
const ESCAPABLE: u128 = of(b"\\.+*?()|[]{}^$-:/#&~,=!@%\"'; `");

/// Whether the byte stands for itself.
pub(super) const fn is_plain(byte: u8) -> bool {
    has(PLAIN, byte)
}

/// Whether the byte stands for itself behind a backslash.
pub(super) const fn is_escapable(byte: u8) -> bool {
    has(ESCAPABLE, byte)
}

const fn has(members: u128, byte: u8) -> bool {
    byte < 0x80 && members.wrapping_shr(u32_from(byte)) & 1 != 0
}

/// A set of one; empty beyond ASCII.
const fn one(byte: u8) -> u128 {
    if byte < 0x80 {
        1_u128.wrapping_shl(u32_from(byte))
    } else {
        0
    }
}

const fn of(mut bytes: &[u8]) -> u128 {
    let mut members = 0;
    while let [byte, rest @ ..] = bytes {
        members |= one(*byte);
        bytes = rest;
    }
    members
}

const fn range(low: u8, high: u8) -> u128 {
    let up_to = one(high) | one(high).wrapping_sub(1);
    up_to & !one(low).wrapping_sub(1)
}

#[expect(clippy::as_conversions, reason = "`From` is not const")]
const fn u32_from(byte: u8) -> u32 {
    byte as u32
}
