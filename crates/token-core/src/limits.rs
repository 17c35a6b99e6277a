//! Every bound of the project, in one place, with its unit and its reason.
//!
//! A value at the bound is accepted, one above it is refused.

/// Longest token text that is granted or verified, in bytes.
///
/// Half of the 32 KiB that a request head may have, so that a token always
/// fits a request line.
pub const TOKEN_TEXT_BYTES_MAX: usize = 16 * 1024;

/// Longest token text that is inspected, in bytes. Inspection takes what other
/// issuers made, so it is more generous than verification.
pub const INSPECT_TEXT_BYTES_MAX: usize = 32 * 1024;

/// Largest request head (request line and headers), in bytes (contract 2.5).
pub const REQUEST_HEAD_BYTES_MAX: usize = 32 * 1024;

/// Largest body of a grant request, in bytes.
pub const GRANT_BODY_BYTES_MAX: usize = 64 * 1024;

/// Largest body of a check request, in bytes: it may carry a token of any kind
/// and the body of the request that is checked.
pub const CHECK_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Most names in one token, over all kinds. One SDK sends every name twice
/// (contract 2.1), so this is twice what a request may name.
pub const NAMES_PER_TOKEN_MAX: usize = 2_000;

/// Most names in one request, over all kinds.
pub const NAMES_PER_REQUEST_MAX: usize = 1_000;

/// Most wildcard names in one request.
pub const WILDCARDS_PER_REQUEST_MAX: usize = 16;

/// Longest resource name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 1_024;

/// Longest `uuid` of a request, in characters (contract 2).
pub const REQUEST_UUID_CHARS_MAX: usize = 92;

/// Most patterns in one token, over all kinds.
pub const PATTERNS_PER_TOKEN_MAX: usize = 200;

/// Longest pattern, in bytes of UTF-8.
pub const PATTERN_BYTES_MAX: usize = 512;

/// Largest compiled form of one pattern, in bytes of heap.
pub const PATTERN_NFA_BYTES_MAX: usize = 64 * 1024;

/// Largest compiled form of the patterns that a token holds for one kind, in
/// bytes of heap.
pub const PATTERN_SET_NFA_BYTES_MAX: usize = 256 * 1024;

/// Largest `meta` of a token, in bytes of its CBOR form.
pub const META_BYTES_MAX: usize = 4 * 1024;

/// Deepest nesting of `meta`, counting the outermost map as 1.
pub const META_NESTING_MAX: usize = 8;

/// Deepest nesting of arrays and objects in a JSON body: far above what a grant
/// needs, and shallow enough for any stack.
pub const JSON_NESTING_MAX: usize = 64;

/// Longest subscribe or publish key, in characters of `[A-Za-z0-9_-]`.
pub const KEY_CHARS_MAX: usize = 64;

/// Longest life of a token by default, in minutes: 30 days (contract 2.1).
pub const TTL_MINUTES_MAX: u32 = 43_200;

/// Most ancestors of a narrowed token.
pub const ANCESTORS_MAX: usize = 4;

/// Longest key id, in bytes.
pub const KEY_ID_BYTES_MAX: usize = 16;

/// How far the timestamp of a signed request may be from our clock, in seconds
/// either way (contract 1.1).
pub const REQUEST_SKEW_SECONDS_MAX: u64 = 60;

/// How far in the future a token may have been issued, in seconds: 60 for the
/// clock of the request, 60 between two nodes, 5 for rounding.
pub const ISSUED_AHEAD_SECONDS_MAX: u64 = 125;

/// Most signing keys of a keyset that are live at one time.
pub const SIGNING_KEYS_MAX: usize = 4;

/// How far ahead a rotation announces the next signing key at least, in
/// seconds, before the keyset's own staleness bound is added.
pub const KEY_ANNOUNCE_SECONDS_MIN: u64 = 185;

/// Most revocations in one batch.
pub const REVOCATIONS_PER_BATCH_MAX: usize = 1_000;

/// Most checks in one batch.
pub const CHECKS_PER_BATCH_MAX: usize = 1_000;

/// Longest text of a CRT token, in bytes: room for 500 channel names of 250
/// characters in any script (signalwire 3).
pub const CRT_TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Most channels of a CRT token (signalwire 3).
pub const CRT_CHANNELS_MAX: usize = 500;

/// Longest channel name of a CRT token, in characters (signalwire 3).
pub const CRT_NAME_CHARS_MAX: usize = 250;

/// Longest member id of a CRT token, in characters (signalwire 3).
pub const CRT_MEMBER_CHARS_MAX: usize = 250;

/// Largest state of a CRT token, in characters of its compact JSON
/// (signalwire 3).
pub const CRT_STATE_CHARS_MAX: usize = 2_000;

/// Longest life of a customer access token, in seconds: 30 days, as long as an
/// Access Manager token lives by default.
pub const OEM_LIFE_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;

/// Longest id of a customer or of a customer's user, in characters (oem 2).
pub const OEM_ID_CHARS_MAX: usize = 255;

/// Most permissions of a customer access token: as many as there are (oem 2).
pub const OEM_PERMISSIONS_MAX: usize = 16;

/// Longest id of a JWS key, in characters.
pub const JWS_KEY_ID_CHARS_MAX: usize = 64;

/// Rules of all rule files together. Their paths share one automaton.
pub const RULES_MAX: usize = 500;

/// The path of a rule, in bytes.
pub const RULE_PATH_BYTES_MAX: usize = 1_024;

/// Captures of the path of a rule.
pub const RULE_CAPTURES_MAX: usize = 16;
