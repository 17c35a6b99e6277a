//! What is not canonical. Each has a right signature where it can have one.

use super::{Recipe, recipe, rows};
use crate::raw::{Raw, array, bytes, demo_mac, hex, padded, section, sections, text, unhex};

pub(crate) fn malformed() -> Vec<Recipe> {
    let mut all = texts();
    all.extend(texts_elsewhere());
    all.extend(frames());
    all.extend(signatures());
    all.extend(heads());
    all.extend(keys());
    all.extend(names());
    all.extend(channels());
    all.extend(section_lists());
    all.extend(counts());
    all.extend(metas());
    all.extend(optional());
    all.extend(reserved());
    all
}

/// Two characters of padding: one byte beyond groups of three.
fn token() -> String {
    Raw::new().and("uuid", text("bob")).text()
}

/// Rows of what stands before, inside (after 8 characters) and after the text
/// without padding. `~` is nothing.
fn texts() -> Vec<Recipe> {
    let token = token();
    let bare = token.trim_end_matches('=');
    assert_eq!((token.len() - bare.len(), bare.len() % 4), (2, 2));
    let (start, end) = bare.split_at(8);
    let table = r"
        half of the padding           | format 2, T02 | ~        ~    =
        one padding more              | format 2, T02 | ~        ~    ===
        two paddings more             | format 2, T02 | ~        ~    ====
        padding as it stands in a URL | format 2, T02 | ~        ~    %3D%3D
        padding inside                | format 2, T02 | ~        ==   ==
        a plus                        | format 2, T03 | ~        +    ==
        a slash                       | format 2, T03 | ~        /    ==
        a leading blank               | format 2, T04 | \u{20}   ~    ==
        a trailing line feed          | format 2, T04 | ~        ~    ==\n
        a blank inside                | format 2, T04 | ~        \u{20} ==
        a tab inside                  | format 2, T04 | ~        \t   ==
        a line end inside             | format 2, T04 | ~        \r\n ==
        a NUL inside                  | format 2, T04 | ~        \0   ==
        a byte order mark             | format 2, T04 | \u{FEFF} ~    ==
    ";
    rows(table, |row| {
        let parts: Vec<String> = row.split_whitespace().map(unescaped).collect();
        format!("{}{start}{}{end}{}", parts[0], parts[1], parts[2])
    })
}

fn unescaped(part: &str) -> String {
    let pairs = [
        ("~", ""),
        (r"\u{20}", " "),
        (r"\n", "\n"),
        (r"\r", "\r"),
        (r"\t", "\t"),
        (r"\0", "\0"),
        (r"\u{FEFF}", "\u{FEFF}"),
    ];
    pairs
        .iter()
        .fold(part.to_owned(), |part, (from, to)| part.replace(from, to))
}

fn texts_elsewhere() -> Vec<Recipe> {
    let token = token();
    let bare = token.trim_end_matches('=');
    let short = &bare[..bare.len() - 1];
    let jwt = format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.{}", "0".repeat(43));
    let encoded = bare.replacen('p', "%70", 1);
    let kelvin = bare.replacen('A', "\u{212A}", 1);
    let stray = format!("{short}B");
    vec![
        recipe("nothing", "format 2", ""),
        recipe("only padding", "format 2, T02", "===="),
        recipe("stray bits in the last character", "format 2, T01", stray),
        recipe("one character left over", "format 2, T08", short),
        recipe("a percent-encoded letter", "format 2, T04", encoded),
        recipe("a Kelvin sign", "format 2, T11", kelvin),
        recipe("upper case", "T11", bare.to_uppercase()),
        recipe("lower case", "T11", bare.to_lowercase()),
        recipe("a JWT", "T13", jwt),
        recipe("16,385 characters", "format 8", "A".repeat(16_385)),
    ]
}

/// The whole with something before and after it, and other heads.
fn frames() -> Vec<Recipe> {
    let whole = Raw::new().bytes();
    let mac = demo_mac(&Raw::new().signed());
    let mut all = rows(
        "
        one byte cut off              | T08           | 1
        the signature cut off         | T08           | 32
        the key sig cut off           | T08           | 38
        all but the head cut off      | T08           | 132
        ",
        |cut| padded(&whole[..whole.len() - cut.parse::<usize>().unwrap()]),
    );
    all.extend(rows(
        "
        a self-described tag before it | format 3, T06 | d9d9f7
        a map in an array              | format 4      | 81
        ",
        |before| padded(&[unhex(before), whole.clone()].concat()),
    ));
    all.extend(rows(
        "
        the head of the map too long   | format 3, C03 | b807
        too few entries declared       | format 4      | a6
        too many entries declared      | format 4      | a8
        2^64-1 entries declared        | format 3, C06 | bbffffffffffffffff
        an indefinite map              | format 3, C02 | bf
        ",
        |head| padded(&[Raw::new().head(head).bytes(), vec![0xFF]].concat()),
    ));
    let after = |more: &[u8]| padded(&[whole.as_slice(), more].concat());
    let eight = |more: &[u8]| padded(&[Raw::new().head("a8").bytes(), more.to_vec()].concat());
    let second = [bytes(b"sig"), bytes(&mac)].concat();
    all.extend([
        recipe("a byte after the map", "format 4, C04", after(&[0])),
        recipe("a second map", "format 4, C04", after(&whole)),
        recipe("a second sig", "format 4, T06", eight(&second)),
        recipe("a key after sig", "format 4, T06", eight(b"\x41x\x00")),
    ]);
    all
}

/// What stands for the value of `sig`; `M` is the right MAC.
fn signatures() -> Vec<Recipe> {
    let raw = Raw::new();
    let mac = hex(&demo_mac(&raw.signed()));
    let table = "
        no signature                             | format 7, T08 | 40
        a signature of 1 byte                    | format 7, T08 | 41 11
        a signature of 31 bytes                  | format 7, T08 | 581f M -1
        a signature of 33 bytes                  | format 7, T08 | 5821 M 00
        a signature of 64 bytes without a key id | format 7, T08 | 5840 M M
        the signature as null                    | format 7, T08 | f6
        the signature as text                    | format 7, T08 | 6161
        the signature in an array                | format 7, T08 | 81 5820 M
        the signature with a long head           | format 3, C03 | 590020 M
        the signature in chunks                  | format 3, C02 | 5f5820 M ff
        2^63-1 bytes of signature declared       | format 3, C06 | 5b7fffffffffffffff
    ";
    rows(table, |value| {
        let mut value = value.replace('M', &mac);
        if let Some(longer) = value.strip_suffix(" -1") {
            value = longer[..longer.len() - 2].to_owned();
        }
        padded(&raw.ending_in(&unhex(&value)))
    })
}

/// Other values of `v`, `t` and `ttl`.
fn heads() -> Vec<Recipe> {
    let table = "
        version 1                  | format 4, T12 | v 01
        version 3                  | format 4, T12 | v 03
        version 2 as text          | format 4, T12 | v 6132
        version 2.0                | format 4, T12 | v fb4000000000000000
        version 2 in two bytes     | format 3, C03 | v 1802
        t in eight bytes           | format 3, C03 | t 1b000000006ab13b80
        t below 0                  | format 4, X02 | t 20
        t as a date                | format 3, C08 | t c11a6ab13b80
        t as a bignum              | format 3, C08 | t c2446ab13b80
        an expiry beyond 2^64      | format 4, X01 | t 1bffffffffffffffff
        ttl 0                      | format 4, X01 | ttl 00
        ttl -1                     | format 4, X01 | ttl 20
        ttl 1.5                    | format 4, X01 | ttl f93e00
        ttl as text                | format 4, X01 | ttl 623630
        ttl 2^32                   | format 4, X01 | ttl 1b0000000100000000
        ttl 2^63                   | format 4, X01 | ttl 1b8000000000000000
        ttl in three bytes         | format 3, C03 | ttl 19003c
        ttl with a reserved head   | format 3      | ttl 1c3c
        res as null                | format 5, C08 | res f6
        res as an array            | format 5      | res 80
    ";
    rows(table, |row| {
        let (key, value) = row.split_once(' ').unwrap();
        Raw::new().with_hex(key, value).text()
    })
}

/// Other keys, and other orders of keys.
fn keys() -> Vec<Recipe> {
    let raw = Raw::new;
    let renamed = |to: &str| raw().rename("t", unhex(to)).text();
    let times = raw().swap("t", "ttl").text();
    let grants = raw().swap("res", "pat").text();
    let unknown = raw().and("x", unhex("00")).text();
    let twice = raw().rename("pat", bytes(b"res")).text();
    vec![
        recipe("no version", "format 4, T12", raw().without("v").text()),
        recipe("no meta", "format 4", raw().without("meta").text()),
        recipe("a key as text", "format 4", renamed("6174")),
        recipe("a key with a long head", "format 3, C03", renamed("580174")),
        recipe("a key in chunks", "format 3, C02", renamed("5f4174ff")),
        recipe("t and ttl exchanged", "format 4, T06", times),
        recipe("res and pat exchanged", "format 4, T06", grants),
        recipe("an unknown key", "format 4, T06", unknown),
        recipe("res twice", "format 4, C01", twice),
    ]
}

/// The channels of `res`, name by name.
fn names() -> Vec<Recipe> {
    let channels = |entries: &[(&str, &str)]| {
        let res = sections(&[("chan", section(entries))]);
        Raw::new().with("res", res).text()
    };
    let one = |name: &str| channels(&[(name, "01")]);
    let two = |first, second| channels(&[(first, "01"), (second, "18ff")]);
    let late = format!("{}\n", "n".repeat(300));
    let pattern = |pattern: &str| {
        let pat = sections(&[("chan", section(&[(pattern, "01")]))]);
        Raw::new().with("pat", pat).text()
    };
    vec![
        recipe("nothing granted", "format 5", channels(&[])),
        recipe("a name twice", "format 5, C01", two("a", "a")),
        recipe("names out of order", "format 5", two("b", "a")),
        recipe("names as in a dictionary", "format 5", two("aa", "b")),
        recipe("an empty name", "format 5, C07", one("")),
        recipe("a NUL in a name", "format 5, C07", one("a\0b")),
        recipe("a DEL in a name", "format 5, C07", one("a\u{7F}")),
        recipe("a line feed in a long name", "format 5, C07", one(&late)),
        recipe("a name of 1,025 bytes", "format 8", one(&"n".repeat(1_025))),
        recipe(
            "a pattern of 513 bytes",
            "format 8",
            pattern(&"p".repeat(513)),
        ),
    ]
}

/// The section of channels in `res`.
fn channels() -> Vec<Recipe> {
    let table = "
        no permission                   | format 5, C09 | a1 6161 00
        permissions 256                 | format 5, C09 | a1 6161 190100
        permissions 2^32                | format 5, C09 | a1 6161 1b0000000100000000
        permissions 2^64-1              | format 5, C09 | a1 6161 1bffffffffffffffff
        permissions -1                  | format 5, C09 | a1 6161 20
        permissions 2.0                 | format 5, C08 | a1 6161 f94000
        permissions true                | format 5, C08 | a1 6161 f5
        permissions as a bignum         | format 5, C08 | a1 6161 c24103
        permissions in two bytes        | format 3, C03 | a1 6161 1801
        a name that is not UTF-8        | format 5, C07 | a1 62 61ff 01
        a surrogate in a name           | format 5, C07 | a1 63 eda080 01
        an overlong form in a name      | format 5, C07 | a1 62 c0af 01
        a name as bytes                 | format 5      | a1 4161 01
        a name with a long head         | format 3, C03 | a1 780161 01
        a name in chunks                | format 3, C02 | a1 7f6161ff 01
        a number as a name              | format 5      | a1 01 01
        a section as an array           | format 5, C08 | 82 6161 01
        an indefinite section           | format 3, C02 | bf 6161 01 ff
        a section with a long head      | format 3, C03 | b801 6161 01
        2^63-1 names declared           | format 3, C06 | bb7fffffffffffffff 6161 01
        2^63-1 bytes of a name declared | format 3, C06 | a1 7b7fffffffffffffff 6161 01
    ";
    let res = |channels: &str| sections(&[("chan", unhex(channels))]);
    let mut all = rows(table, |row| Raw::new().with("res", res(row)).text());
    let table = "
        a pattern that is not UTF-8     | format 5, C07 | a1 61ff 01
        patterns out of order           | format 5      | a2 6162 01 6161 01
        a pattern twice                 | format 5, C01 | a2 6161 01 6161 01
        an empty permission of a pattern | format 5, C09 | a1 60 00
    ";
    all.extend(rows(table, |row| Raw::new().with("pat", res(row)).text()));
    all
}

/// Which sections `res` has. `C` is a section `chan` with a name, `R` the four
/// empty ones that follow it, `E` and `L` the keys of entities and
/// relationships.
fn section_lists() -> Vec<Recipe> {
    let table = "
        no uuid section                | format 5      | a4 C 43677270a0 43737063a0 43757372a0
        the section order of 2021      | format 5, T06 | a5 C 43677270a0 43757372a0 43737063a0 4475756964a0
        a sixth section that is unknown | format 5     | a6 C R 4178a0
        a section twice                | format 5, C01 | a6 C C R
        an empty DataSync section      | format 5      | a6 C R E a0
        DataSync sections exchanged    | format 5      | a7 C R L a1616101 E a1616101
        a DataSync section twice       | format 5, C01 | a7 C R E a1616101 E a1616101
        a section fewer than declared  | format 5      | a6 C R
        a section more than declared   | format 5      | a5 C R E a1616101
        2^64-1 sections declared       | format 3, C06 | bbffffffffffffffff C R
    ";
    rows(table, |row| {
        let row = row
            .replace('C', "446368616ea1616101")
            .replace('R', "43677270a043737063a043757372a04475756964a0")
            .replace('E', &hex(b"\x51datasync:entities"))
            .replace('L', &hex(b"\x56datasync:relationships"));
        Raw::new().with_hex("res", &row).text()
    })
}

fn counts() -> Vec<Recipe> {
    let many = |key: &str, count: usize| {
        let names: Vec<String> = (0..count).map(|i| format!("{i:04}")).collect();
        let entries: Vec<_> = names.iter().map(|name| (name.as_str(), "01")).collect();
        let held = sections(&[("chan", section(&entries))]);
        Raw::new().with(key, held).text()
    };
    vec![
        recipe("2,001 names", "format 8", many("res", 2_001)),
        recipe("201 patterns", "format 8", many("pat", 201)),
    ]
}

fn metas() -> Vec<Recipe> {
    let table = "
        meta as null                       | format 6, C08 | f6
        meta as an array                   | format 6      | 80
        a key that is a number             | format 6      | a1 01 01
        a key that is bytes                | format 6      | a1 4161 01
        a key twice in meta                | format 6, C01 | a2 6161 01 6161 02
        keys of meta out of order          | format 6      | a2 6162 01 6161 02
        keys of a map in meta out of order | format 6      | a1 6161 a2 626161 01 6162 02
        bytes in meta                      | format 6, C08 | a1 6161 4100
        a tag in meta                      | format 6, C08 | a1 6161 c000
        undefined in meta                  | format 6, C08 | a1 6161 f7
        simple value 16 in meta            | format 6, C08 | a1 6161 f0
        simple value 255 in meta           | format 6, C08 | a1 6161 f8ff
        true in two bytes                  | format 3, C08 | a1 6161 f815
        a float of 16 bits                 | format 6, C08 | a1 6161 f93c00
        a float of 32 bits                 | format 6, C08 | a1 6161 fa3f800000
        not a number                       | format 6      | a1 6161 fb7ff8000000000000
        infinity                           | format 6      | a1 6161 fb7ff0000000000000
        a number below -2^63               | format 6      | a1 6161 3b8000000000000000
        a number of meta too long          | format 3, C03 | a1 6161 1817
        an indefinite array in meta        | format 3, C02 | a1 6161 9f01ff
        an indefinite text in meta         | format 3, C02 | a1 6161 7f6161ff
        a break in meta                    | format 3, C02 | a1 6161 ff
        text of meta that is not UTF-8     | format 6, C07 | a1 6161 61ff
        a key of meta that is not UTF-8    | format 6, C07 | a1 61ff 01
        2^63-1 values declared             | format 3, C06 | a1 6161 9b7fffffffffffffff 00
    ";
    let mut all = rows(table, |meta| Raw::new().with_hex("meta", meta).text());
    let meta = |value: Vec<u8>| {
        let value = [unhex("a1 6161"), value].concat();
        Raw::new().with("meta", value).text()
    };
    let deep = |levels| [vec![0x81; levels], vec![0]].concat();
    let long = meta(text(&"t".repeat(4_091)));
    all.extend([
        recipe("meta nested 9 levels deep", "format 8, C05", meta(deep(8))),
        recipe(
            "meta nested 5,000 levels deep",
            "format 8, C05",
            meta(deep(5_000)),
        ),
        recipe("meta of 4,097 bytes", "format 8", long),
    ]);
    all
}

/// `cat` and `uuid`.
fn optional() -> Vec<Recipe> {
    let table = "
        an empty cat                | format 4      | cat a0
        cat as an array             | format 4      | cat 80
        a category with 1           | format 4, C09 | cat a1 446368616e 01
        a category with 255         | format 4, C09 | cat a1 446368616e 18ff
        an unknown category         | format 4      | cat a1 4178 1820
        categories out of order     | format 4      | cat a2 4475756964 1820 446368616e 1820
        a category twice            | format 4, C01 | cat a2 446368616e 1820 446368616e 1820
        a category too few          | format 4      | cat a2 446368616e 1820
        an empty uuid               | format 4, C07 | uuid 60
        uuid as bytes               | format 4      | uuid 4161
        uuid as null                | format 4, C08 | uuid f6
        a control character in uuid | format 4, C07 | uuid 626107
    ";
    let mut all = rows(table, |row| {
        let (key, value) = row.split_once(' ').unwrap();
        Raw::new().and(key, unhex(value)).text()
    });
    let uuid = |name| Raw::new().and("uuid", text(name));
    let early = uuid("a").and("cat", unhex("a1446368616e1820")).text();
    let twice = uuid("a").and("uuid", text("b")).text();
    all.extend([
        recipe("uuid before cat", "format 4, T06", early),
        recipe("uuid twice", "format 4, C01", twice),
    ]);
    all
}

/// `par` and `kid`. `I` is an id.
fn reserved() -> Vec<Recipe> {
    let table = "
        no ancestor               | format 9      | par 80
        five ancestors            | format 9      | par 85 I I I I I
        an ancestor of 31 digits  | format 9      | par 81 781f31313131313131313131313131313131313131313131313131313131313131
        an ancestor in upper case | format 9      | par 81 782041413131313131313131313131313131313131313131313131313131313131
        an ancestor as bytes      | format 9      | par 81 5011111111111111111111111111111111
        2^63-1 ancestors declared | format 9, C06 | par 9b7fffffffffffffff
        an empty key id           | format 9      | kid 60
        a key id of 17 bytes      | format 9      | kid 71 6161616161616161616161616161616161
        a key id with a line end  | format 9      | kid 61 0a
        a key id as bytes         | format 9      | kid 4161
    ";
    let id = text(&"11".repeat(16));
    let mut all = rows(table, |row| {
        let (key, value) = row.split_once(' ').unwrap();
        let value = unhex(&value.replace('I', &hex(&id)));
        Raw::new().and(key, value).text()
    });
    let kid = Raw::new().and("kid", text("k"));
    let early = kid.clone().and("par", array(&[id])).text();
    let short = padded(&kid.ending_in(&bytes(&[0; 63])));
    all.extend([
        recipe("kid before par", "format 9, T06", early),
        recipe("a key id and a signature of 63 bytes", "format 9", short),
    ]);
    all
}
