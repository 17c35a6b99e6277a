//! The decision against the model, on random claims and requests.
//!
//! `USHER_MODEL_CASES` sets how many pairs are compared.

use ResourceKind::{Channel, Entity, Membership, Relationship, User, Uuid};
use token_core::{
    Category, PatternText, Permissions, ResourceKind, ResourceName, TokenId, UnixSeconds,
};
use token_policy::{
    Asked, Keyset, ListMode, Operation, PatternCache, Request, Requirement, Target, Targets,
    authorize,
};

use crate::model::{Ask, model, needs};
use crate::remedy;
use crate::token::{DenyList, ISSUED_AT, SUBSCRIBE_KEY, TestToken};

/// The generator `SplitMix64`: small, and the same numbers everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn few_bits(&mut self) -> u8 {
        let bits = [1, 2, 4, 8, 16, 32, 64, 128];
        self.of(&bits) | self.of(&bits)
    }

    fn bits(&mut self) -> u8 {
        let bit = self.of(&[1, 2, 4, 8, 16, 32, 64, 128]);
        let more = u8::try_from(self.next() & 255).unwrap();
        if self.percent(50) { bit } else { bit | more }
    }
}

const NAMES: &[&str] = &[
    "a",
    "b",
    "A",
    "ab",
    "a.b",
    "a.*",
    "a.*-pnpres",
    "*",
    "a*b",
    "a-pnpres",
    "b-pnpres",
    "a,b",
    "team",
    "team-1",
    ":team",
    "order:7",
    "é",
    "e\u{301}",
    " ",
    "x.y.z",
];
const PATTERNS: &[&str] = &[
    "a",
    "^a",
    "^a$",
    "b$",
    ".*",
    "^.*$",
    ".+",
    "^.+$",
    "^:team",
    r"^:team-\S*$",
    r"\A:a",
    "[:]a",
    "^[ab]$",
    r"^a\.",
    "-pnpres$",
    "^[^:]+$",
    "(a)",
    "(?i)^a$",
    r"^\w+$",
    "",
    "^:",
    "a**",
    "^x",
];
const RECORDS: &[ResourceKind] = &[Entity, Relationship, Membership, User, Channel];
const UUIDS: &[&str] = &["u1", "u2", "U1"];

/// A request of a rule: names of any kind, each with needs of its own.
fn random_rule(random: &mut Random) -> Ask {
    let kinds = [Channel, Channel, Channel, Uuid, ResourceKind::Group, Entity];
    let count = random.of(&[0, 1, 1, 2, 2, 3, 4]);
    let names: Vec<_> = (0..count)
        .map(|_| (random.of(&kinds), random.of(NAMES).to_owned()))
        .collect();
    let mut bits: Vec<u8> = names.iter().map(|_| random.few_bits()).collect();
    if random.percent(2) {
        bits.push(1);
    }
    Ask {
        rule: Some(bits),
        names,
        collection: None,
        caller_is_token: random.percent(15),
        ..random_ask(random)
    }
}

fn random_ask(random: &mut Random) -> Ask {
    let operation = random.of(Operation::ALL).name();
    let datasync = operation.starts_with("datasync");
    let collection = datasync.then(|| random.of(RECORDS));
    let kinds: Vec<ResourceKind> = match collection {
        Some(kind) => vec![kind],
        None if operation.starts_with("list-") && operation != "list-files" => vec![Channel],
        None if matches!(
            operation,
            "time" | "leave" | "where-now" | "here-now-global"
        ) || operation == "remove-push-device" =>
        {
            vec![Channel, Uuid]
        }
        None => needs(operation).iter().map(|(kind, ..)| *kind).collect(),
    };
    let mut names = vec![];
    for kind in kinds {
        let always = !matches!(operation, "datasync-list") || random.percent(5);
        let count = if always {
            random.of(&[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3])
        } else {
            0
        };
        for _ in 0..count {
            let kind = if random.percent(2) {
                random.of(&ResourceKind::ALL)
            } else {
                kind
            };
            names.push((kind, random.of(NAMES).to_owned()));
        }
    }
    let modes = ["granted", "granted", "open", "off"];
    Ask {
        operation,
        rule: None,
        caller_is_token: false,
        names,
        collection,
        uuid: random.percent(70).then(|| random.of(UUIDS).to_owned()),
        subscribe_key: if random.percent(98) {
            SUBSCRIBE_KEY
        } else {
            "sub-c-other"
        },
        access_manager: random.percent(98),
        list_users: random.of(&modes),
        list_channels: random.of(&modes),
    }
}

fn random_token(random: &mut Random, ask: &Ask) -> TestToken {
    let mut grants = token_core::Grants::new();
    let name = |text: &str| ResourceName::new(text).unwrap();
    let pattern = |text: &str| PatternText::new(text).unwrap();
    for _ in 0..random.below(4) {
        let kind = random.of(&ResourceKind::ALL);
        let bits = Permissions::from_bits(random.bits());
        grants.allow(kind, name(random.of(NAMES)), bits);
    }
    for _ in 0..random.below(3) {
        let kind = ask.names.first().map_or(Channel, |(kind, _)| *kind);
        let bits = Permissions::from_bits(random.bits());
        grants.allow_pattern(kind, pattern(random.of(PATTERNS)), bits);
    }
    if random.percent(75) {
        // Something close to what is asked for.
        let bits = [
            Permissions::ALL,
            Permissions::from_bits(ask_bit(ask)),
            Permissions::from_bits(!ask_bit(ask)),
        ];
        for (kind, asked) in &ask.names {
            let bits = bits[random.of(&[0, 0, 0, 1, 1, 1, 1, 2])];
            match random.below(10) {
                0 => {}
                1..=7 => grants.allow(*kind, name(asked), bits),
                8 => grants.allow_pattern(*kind, pattern(random.of(PATTERNS)), bits),
                _ => grants.allow_pattern(*kind, pattern(".*"), bits),
            }
        }
        if let Some(kind) = ask.collection {
            grants.allow_pattern(kind, pattern(random.of(PATTERNS)), Permissions::ALL);
        }
    }
    for category in Category::ALL {
        if random.percent(40) {
            grants.allow_category(category);
        }
    }
    let ttl = token_core::TtlMinutes(random.of(&[1, 60, 43_200]));
    let claims = token_core::Claims::new(UnixSeconds(ISSUED_AT), ttl, grants);
    let mut token = TestToken::new(claims);
    if random.percent(25) {
        let asked = ask.uuid.clone().filter(|_| random.percent(80));
        token.claims.uuid = asked.or_else(|| Some(random.of(UUIDS).to_owned()));
    }
    for _ in 0..random.of(&[0, 0, 0, 1, 4]) {
        let byte = u8::try_from(random.below(6)).unwrap();
        token.claims.ancestors.push(TokenId([byte; 16]));
    }
    token
}

/// One of the bits that the operation needs.
fn ask_bit(ask: &Ask) -> u8 {
    if let Some(rule) = &ask.rule {
        return rule.iter().fold(0, |all, bits| all | bits);
    }
    match ask.operation {
        "set-memberships" | "remove-memberships" => 64 | 128,
        "datasync-get" | "datasync-list" => 32,
        "datasync-create" => 16,
        "datasync-update" => 64,
        "datasync-delete" => 8,
        "time" | "leave" | "where-now" | "remove-push-device" | "here-now-global" => 1,
        list if list.starts_with("list-")
            && list != "list-files"
            && list != "list-group-channels" =>
        {
            1
        }
        other => needs(other)[0].1,
    }
}

fn random_deny_list(random: &mut Random) -> DenyList {
    let mut deny = DenyList::default();
    if random.percent(20) {
        let byte = random.of(&["00", "03", "05", "07", "ff"]);
        deny.tokens.push(byte.repeat(16));
    }
    let instants = [ISSUED_AT - 1, ISSUED_AT - 1, ISSUED_AT, ISSUED_AT + 1];
    if random.percent(15) {
        deny.uuids
            .insert(random.of(UUIDS).to_owned(), random.of(&instants));
    }
    if random.percent(10) {
        deny.keysets
            .insert(SUBSCRIBE_KEY.to_owned(), random.of(&instants));
    }
    deny
}

fn random_now(random: &mut Random, token: &TestToken) -> u64 {
    let end = ISSUED_AT + u64::from(token.claims.ttl.0) * 60;
    let edges = [ISSUED_AT - 126, ISSUED_AT - 125, end - 1, end, end + 1];
    if random.percent(15) {
        random.of(&edges)
    } else {
        ISSUED_AT + 30
    }
}

fn cases() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "the number of cases is the runner's choice"
    )]
    let wanted = std::env::var("USHER_MODEL_CASES");
    wanted.map_or(100_000, |text| text.parse().unwrap())
}

fn mode(name: &str) -> ListMode {
    ListMode::from_name(name).unwrap()
}

#[test]
fn the_decision_agrees_with_the_model_on_random_claims_and_requests() {
    let cases = cases();
    let mut random = Random(20_260_101);
    let cache = PatternCache::new(64 * 1024);
    let mut reasons = std::collections::BTreeMap::<_, usize>::new();
    for case in 0..cases {
        let ask = if random.percent(30) {
            random_rule(&mut random)
        } else {
            random_ask(&mut random)
        };
        let token = random_token(&mut random, &ask);
        let deny = random_deny_list(&mut random);
        let now = random_now(&mut random, &token);
        let names: Vec<_> = ask
            .names
            .iter()
            .map(|(kind, name)| Target::new(*kind, name.as_str()))
            .collect();
        let mut targets = Targets::new(&names).unwrap();
        if let Some(kind) = ask.collection {
            targets = targets.in_collection(kind);
        }
        let mut keyset = Keyset::new(ask.subscribe_key);
        keyset.access_manager = ask.access_manager;
        keyset.list_users = mode(ask.list_users);
        keyset.list_channels = mode(ask.list_channels);
        let needed: Option<Vec<_>> = ask.rule.as_ref().map(|bits| {
            bits.iter()
                .map(|bits| Permissions::from_bits(*bits))
                .collect()
        });
        let asked = match &needed {
            Some(needed) => Asked::Rule {
                name: "rule",
                requirement: Requirement::Each(needed),
            },
            None => Operation::from_name(ask.operation).unwrap().into(),
        };
        let mut request = Request::new(keyset, asked, targets).by(ask.uuid.as_deref());
        if ask.caller_is_token {
            request = request.by_token();
        }

        let response = authorize(&token, &request, UnixSeconds(now), &deny);
        let shared = authorize(&token, &request.sharing(&cache), UnixSeconds(now), &deny);
        assert_eq!(response, shared, "the cache changes an answer");
        let missing = response.missing.iter().map(|missing| {
            let wanted = &missing.wanted;
            let bits = missing.permissions.bits();
            (
                wanted.kind_name().to_owned(),
                wanted.name().to_owned(),
                bits,
            )
        });
        let answer = (response.reason.code(), missing.collect::<Vec<_>>());
        let expected = model(&token, &ask, now, &deny);
        assert_eq!(
            answer, expected,
            "case {case}: {ask:?}\n{token:?}\n{deny:?} at {now}"
        );
        assert_eq!(response.is_allowed(), expected.0 == "allowed");
        remedy::check(&token, &request, &response, now, &deny);
        *reasons.entry(expected.0).or_default() += 1;
    }
    println!("{cases} cases: {reasons:?}");
    assert!(reasons["allowed"] * 10 >= cases * 3, "{reasons:?}");
    assert_eq!(reasons.len(), 12, "every reason occurs: {reasons:?}");
}
