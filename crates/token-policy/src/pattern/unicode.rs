//! Unicode as RE2 knows it: property names, their members and case folding.
//!
//! RE2's tables are those of Unicode 15.1, ours are newer. A property keeps
//! only what Unicode 15.1 had, and characters that came later have no case.

use std::sync::{LazyLock, OnceLock};

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// The property names of RE2, in byte order, without `C`, `Co` and `Cs`, whose
/// members differ, and without `Any`.
#[rustfmt::skip]
const NAMES: [&str; COUNT] = [
    "Adlam", "Ahom", "Anatolian_Hieroglyphs", "Arabic", "Armenian", "Avestan", "Balinese",
    "Bamum", "Bassa_Vah", "Batak", "Bengali", "Bhaiksuki", "Bopomofo", "Brahmi",
    "Braille", "Buginese", "Buhid", "Canadian_Aboriginal", "Carian", "Caucasian_Albanian",
    "Cc", "Cf", "Chakma", "Cham", "Cherokee", "Chorasmian", "Common", "Coptic",
    "Cuneiform", "Cypriot", "Cypro_Minoan", "Cyrillic", "Deseret", "Devanagari",
    "Dives_Akuru", "Dogra", "Duployan", "Egyptian_Hieroglyphs", "Elbasan", "Elymaic",
    "Ethiopic", "Georgian", "Glagolitic", "Gothic", "Grantha", "Greek", "Gujarati",
    "Gunjala_Gondi", "Gurmukhi", "Han", "Hangul", "Hanifi_Rohingya", "Hanunoo", "Hatran",
    "Hebrew", "Hiragana", "Imperial_Aramaic", "Inherited", "Inscriptional_Pahlavi",
    "Inscriptional_Parthian", "Javanese", "Kaithi", "Kannada", "Katakana", "Kawi",
    "Kayah_Li", "Kharoshthi", "Khitan_Small_Script", "Khmer", "Khojki", "Khudawadi", "L",
    "Lao", "Latin", "Lepcha", "Limbu", "Linear_A", "Linear_B", "Lisu", "Ll", "Lm", "Lo",
    "Lt", "Lu", "Lycian", "Lydian", "M", "Mahajani", "Makasar", "Malayalam", "Mandaic",
    "Manichaean", "Marchen", "Masaram_Gondi", "Mc", "Me", "Medefaidrin", "Meetei_Mayek",
    "Mende_Kikakui", "Meroitic_Cursive", "Meroitic_Hieroglyphs", "Miao", "Mn", "Modi",
    "Mongolian", "Mro", "Multani", "Myanmar", "N", "Nabataean", "Nag_Mundari",
    "Nandinagari", "Nd", "New_Tai_Lue", "Newa", "Nko", "Nl", "No", "Nushu",
    "Nyiakeng_Puachue_Hmong", "Ogham", "Ol_Chiki", "Old_Hungarian", "Old_Italic",
    "Old_North_Arabian", "Old_Permic", "Old_Persian", "Old_Sogdian", "Old_South_Arabian",
    "Old_Turkic", "Old_Uyghur", "Oriya", "Osage", "Osmanya", "P", "Pahawh_Hmong",
    "Palmyrene", "Pau_Cin_Hau", "Pc", "Pd", "Pe", "Pf", "Phags_Pa", "Phoenician", "Pi",
    "Po", "Ps", "Psalter_Pahlavi", "Rejang", "Runic", "S", "Samaritan", "Saurashtra",
    "Sc", "Sharada", "Shavian", "Siddham", "SignWriting", "Sinhala", "Sk", "Sm", "So",
    "Sogdian", "Sora_Sompeng", "Soyombo", "Sundanese", "Syloti_Nagri", "Syriac",
    "Tagalog", "Tagbanwa", "Tai_Le", "Tai_Tham", "Tai_Viet", "Takri", "Tamil", "Tangsa",
    "Tangut", "Telugu", "Thaana", "Thai", "Tibetan", "Tifinagh", "Tirhuta", "Toto",
    "Ugaritic", "Vai", "Vithkuqi", "Wancho", "Warang_Citi", "Yezidi", "Yi", "Z",
    "Zanabazar_Square", "Zl", "Zp", "Zs",
];

/// Characters whose general category changed after Unicode 15.1: what it was
/// and what it is.
const MOVED: [(char, &str, &str); 1] = [('\u{1171e}', "Mn", "Mc")];

/// How many names there are.
const COUNT: usize = 196;

/// The members of each property, once asked for: as they are and folded. So a
/// pattern of many properties costs no more than a pattern of many letters.
static PLAIN: [OnceLock<Option<ClassUnicode>>; COUNT] = [const { OnceLock::new() }; COUNT];
static FOLDED: [OnceLock<ClassUnicode>; COUNT] = [const { OnceLock::new() }; COUNT];

/// Everything that Unicode 15.1 has assigned.
static AGE: LazyLock<ClassUnicode> =
    LazyLock::new(|| lookup("Age=15.1").unwrap_or_else(ClassUnicode::empty));

/// Characters with case, in order, each beside those that it folds to.
static CASED: LazyLock<Vec<(char, Vec<ClassUnicodeRange>)>> = LazyLock::new(cased);

/// The members of a property that RE2 has under exactly this name.
pub(super) fn property(name: &str, fold: bool) -> Option<&'static ClassUnicode> {
    let index = NAMES.binary_search(&name).ok()?;
    let plain = PLAIN.get(index)?.get_or_init(|| {
        let mut members = lookup(name)?;
        members.intersect(&AGE);
        move_back(name, &mut members);
        Some(members)
    });
    let plain = plain.as_ref()?;
    if !fold {
        return Some(plain);
    }
    Some(FOLDED.get(index)?.get_or_init(|| folded(plain)))
}

/// Undoes what Unicode changed since 15.1 about characters that it had.
fn move_back(name: &str, members: &mut ClassUnicode) {
    for (c, was, is) in MOVED {
        let only = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        if name == was {
            members.union(&only);
        } else if name == is {
            members.difference(&only);
        }
    }
}

/// A set and whatever differs from a member in case only (simple folding).
///
/// Costs what the cased characters of the set cost, however large the set is.
pub(super) fn folded(set: &ClassUnicode) -> ClassUnicode {
    let mut members = set.ranges().to_vec();
    for range in set.ranges() {
        let from = CASED.partition_point(|(c, _)| *c < range.start());
        let cased = CASED.iter().skip(from);
        let cased = cased.take_while(|(c, _)| *c <= range.end());
        let outside =
            |other: &&ClassUnicodeRange| other.start() < range.start() || range.end() < other.end();
        members.extend(cased.flat_map(|(_, others)| others.iter().filter(outside)));
    }
    ClassUnicode::new(members)
}

fn cased() -> Vec<(char, Vec<ClassUnicodeRange>)> {
    let mut changing = lookup("Changes_When_Casemapped").unwrap_or_else(ClassUnicode::empty);
    changing.intersect(&AGE);
    let mut cased = Vec::new();
    for c in changing.iter().flat_map(|r| r.start()..=r.end()) {
        let mut others = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        // Fails only without the Unicode tables, which the manifest asks for.
        if others.try_case_fold_simple().is_ok() {
            others.intersect(&AGE);
            cased.push((c, others.ranges().to_vec()));
        }
    }
    cased
}

/// The members of a property in regex-syntax's tables.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a property is a class, or a literal when it has one member"
)]
fn lookup(name: &str) -> Option<ClassUnicode> {
    let parsed = regex_syntax::parse(&format!("\\p{{{name}}}")).ok()?;
    match parsed.into_kind() {
        HirKind::Class(Class::Unicode(members)) => Some(members),
        HirKind::Literal(literal) => {
            let only = core::str::from_utf8(&literal.0).ok()?.chars();
            Some(ClassUnicode::new(
                only.map(|c| ClassUnicodeRange::new(c, c)),
            ))
        }
        _ => None,
    }
}
