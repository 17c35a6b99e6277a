//! What the server counts, for Prometheus.
//!
//! Every label value is one of a fixed list that is made at the start: no
//! request adds a series (attack M04), and counting is an atomic addition
//! without a lock.

mod latency;

use std::time::Instant;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use token_policy::{Decision, Reason};

use latency::Latency;

use crate::attempts::Credential;

/// Where a decision was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Check,
    ForwardAuth,
    Gateway,
}

impl Via {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::ForwardAuth => "forward_auth",
            Self::Gateway => "gateway",
        }
    }
}

/// Two or three labels of a fixed list.
type Labels<const N: usize> = [(&'static str, &'static str); N];
type Counters<const N: usize> = Family<Labels<N>, Counter>;

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    check: Decisions,
    forward_auth: Decisions,
    gateway: Decisions,
    pub(crate) public: ListenerMetrics,
    pub(crate) internal: ListenerMetrics,
    pub(crate) cache: CacheMetrics,
    pub(crate) state: State,
    grants: [Counter; 2],
    revocations: [Counter; 2],
    reloads: [Counter; 2],
    commits: Latency,
    commit_errors: Counter,
    credentials: Counters<2>,
    pub(crate) audit: AuditMetrics,
}

/// The audit log.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditMetrics {
    pub(crate) written: Counter,
    pub(crate) lost: Counter,
    pub(crate) failing: Gauge,
    pub(crate) sequence: Gauge,
}

/// The decisions of one [`Via`].
#[derive(Debug)]
struct Decisions {
    allowed: Counter,
    denied: Vec<(&'static str, Counter)>,
    other: Counter,
    latency: Latency,
}

/// What one listener did.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListenerMetrics {
    pub(crate) connections: ConnectionMetrics,
    /// By the first digit of the status.
    answers: [Counter; 5],
}

/// The connections of a listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConnectionMetrics {
    pub(crate) open: Gauge,
    pub(crate) accepted: Counter,
    pub(crate) refused: Counter,
    pub(crate) failed_handshakes: Counter,
}

/// The cache of verified tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct CacheMetrics {
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) bytes: Gauge,
    pub(crate) entries: Gauge,
}

/// What is looked up when somebody asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) denied_tokens: Gauge,
    pub(crate) keysets: Gauge,
    pub(crate) commits: Gauge,
    pub(crate) held_answers: Gauge,
    pub(crate) age: Gauge,
    pub(crate) log_connected: Gauge,
    pub(crate) log_conflicts: Gauge,
    pub(crate) log_refused: Gauge,
    pub(crate) log_read_anew: Gauge,
}

/// Every reason for a denial, and what is one before there is a reason.
const DENIALS: [&str; 21] = [
    Reason::AccessManagerDisabled.code(),
    Reason::AmbiguousRequest.code(),
    Reason::Behind.code(),
    Reason::BodyRequired.code(),
    Reason::Expired { seconds_ago: 0 }.code(),
    Reason::InvalidRequest.code(),
    Reason::InvalidToken.code(),
    Reason::NotYetValid { seconds_ahead: 0 }.code(),
    Reason::PermissionMissing.code(),
    REVOKED,
    Reason::SecretKeyRequired.code(),
    Reason::StaleDenyList.code(),
    Reason::TargetRequired.code(),
    Reason::TargetUnexpected.code(),
    Reason::TokenRequired.code(),
    Reason::UnknownOperation.code(),
    Reason::UuidMismatch.code(),
    Reason::WrongKeyset.code(),
    "unknown_keyset",
    INVALID_SIGNATURE,
    "verifier_key_required",
];

const REVOKED: &str = "revoked";
/// A request that was to be root and is not.
pub(crate) const INVALID_SIGNATURE: &str = "invalid_signature";

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("usher");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "What is running", build);
        let decisions = Counters::<3>::default();
        let latencies = Family::<Labels<1>, Latency>::default();
        registry.register(
            "decisions",
            "Decisions on tokens, by where they were asked for and by reason",
            decisions.clone(),
        );
        registry.register(
            "decision_duration_seconds",
            "How long a decision took, from the request that was read to the answer",
            latencies.clone(),
        );
        let of = |via| Decisions::new(via, &decisions, &latencies);
        let (check, forward_auth, gateway) = (of("check"), of("forward_auth"), of("gateway"));
        let [public, internal] = listeners(&mut registry);
        let outcomes =
            |registry: &mut Registry, name: &str, help: &str, names: [&'static str; 2]| {
                let family = Counters::<1>::default();
                registry.register(name, help, family.clone());
                names.map(|outcome| family.get_or_create_owned(&[("outcome", outcome)]))
            };
        let grants = outcomes(
            &mut registry,
            "grants",
            "Requests for a token, by outcome",
            ["issued", "refused"],
        );
        let revocations = outcomes(
            &mut registry,
            "revocations",
            "Requests to revoke, by outcome",
            ["done", "refused"],
        );
        let reloads = outcomes(
            &mut registry,
            "config_reloads",
            "Reloads of the configuration or of certificates, by outcome",
            ["done", "failed"],
        );
        let (commits, commit_errors) = (Latency::default(), Counter::default());
        registry.register(
            "store_commit_duration_seconds",
            "How long a change of the store took until it was durable, waiting included",
            commits.clone(),
        );
        registry.register(
            "store_errors",
            "Changes of the store that were refused or failed",
            commit_errors.clone(),
        );
        Self {
            audit: AuditMetrics::registered(&mut registry),
            credentials: refused_credentials(&mut registry),
            check,
            forward_auth,
            gateway,
            public,
            internal,
            cache: CacheMetrics::registered(&mut registry),
            state: State::registered(&mut registry),
            grants,
            revocations,
            reloads,
            commits,
            commit_errors,
            registry,
        }
    }

    /// Counts a credential that was refused, and whether there were too many.
    pub(crate) fn credential_refused(&self, credential: Credential, limited: bool) {
        let outcome = if limited { "limited" } else { "refused" };
        let labels = [("credential", credential.name()), ("outcome", outcome)];
        self.credentials.get_or_create(&labels).inc();
    }

    /// Counts a decision. `code` is that of the reason.
    pub(crate) fn decided(&self, via: Via, decision: Decision, code: &str) {
        let decisions = self.via(via);
        match decision {
            Decision::Allow => decisions.allowed.inc(),
            Decision::Deny => {
                let known = decisions.denied.iter().find(|(known, _)| *known == code);
                known.map_or(&decisions.other, |(_, counter)| counter).inc()
            }
        };
    }

    /// Notes how long a decision took that was asked for at `begun`.
    pub(crate) fn took(&self, via: Via, begun: Instant) {
        self.via(via).latency.observe(begun.elapsed());
    }

    const fn via(&self, via: Via) -> &Decisions {
        match via {
            Via::Check => &self.check,
            Via::ForwardAuth => &self.forward_auth,
            Via::Gateway => &self.gateway,
        }
    }

    pub(crate) fn granted(&self, issued: bool) {
        outcome(&self.grants, issued);
    }

    pub(crate) fn revoked(&self, done: bool) {
        outcome(&self.revocations, done);
    }

    pub(crate) fn reloaded(&self, done: bool) {
        outcome(&self.reloads, done);
    }

    /// Notes how long the store took with a change, and whether it took it.
    pub(crate) fn committed(&self, begun: Instant, done: bool) {
        self.commits.observe(begun.elapsed());
        if !done {
            self.commit_errors.inc();
        }
    }

    /// The exposition, in the text format of `OpenMetrics` 1.0.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        encode(&mut text, &self.registry).unwrap_or_default();
        text
    }
}

fn outcome([good, bad]: &[Counter; 2], is_good: bool) {
    if is_good { good } else { bad }.inc();
}

impl Decisions {
    fn new(
        via: &'static str,
        decisions: &Counters<3>,
        latencies: &Family<Labels<1>, Latency>,
    ) -> Self {
        let counter = |decision, reason| {
            let labels = [("via", via), ("decision", decision), ("reason", reason)];
            decisions.get_or_create_owned(&labels)
        };
        let denied = DENIALS.iter().map(|code| (*code, counter("deny", code)));
        Self {
            allowed: counter("allow", Reason::Allowed.code()),
            denied: denied.collect(),
            other: counter("deny", "other"),
            latency: latencies.get_or_create_owned(&[("via", via)]),
        }
    }
}

/// The credentials that were refused.
fn refused_credentials(registry: &mut Registry) -> Counters<2> {
    let family = Counters::<2>::default();
    registry.register(
        "credentials_refused",
        "Wrong signatures, Basic credentials and keys, by whether there were too many",
        family.clone(),
    );
    for credential in [Credential::Signature, Credential::Basic, Credential::Key] {
        for outcome in ["refused", "limited"] {
            let labels = [("credential", credential.name()), ("outcome", outcome)];
            drop(family.get_or_create(&labels));
        }
    }
    family
}

/// The metrics of the public listener and of the internal one.
fn listeners(registry: &mut Registry) -> [ListenerMetrics; 2] {
    let open = Family::<Labels<1>, Gauge>::default();
    let connections = Counters::<2>::default();
    let answers = Counters::<2>::default();
    registry.register(
        "connections_open",
        "Connections that are open",
        open.clone(),
    );
    registry.register(
        "connections",
        "Connections that came, by what became of them",
        connections.clone(),
    );
    registry.register(
        "requests",
        "Requests that were answered, by class of status",
        answers.clone(),
    );
    ["public", "internal"].map(|listener| {
        let came = |outcome| {
            let labels = [("listener", listener), ("outcome", outcome)];
            connections.get_or_create_owned(&labels)
        };
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        let answers = classes
            .map(|class| answers.get_or_create_owned(&[("listener", listener), ("status", class)]));
        ListenerMetrics {
            connections: ConnectionMetrics {
                open: open.get_or_create_owned(&[("listener", listener)]),
                accepted: came("accepted"),
                refused: came("refused"),
                failed_handshakes: came("handshake_failed"),
            },
            answers,
        }
    })
}

impl ListenerMetrics {
    /// Counts an answer.
    pub(crate) fn answered(&self, status: http::StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.answers.get(class) {
            counter.inc();
        }
    }
}

impl CacheMetrics {
    fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "token_cache_hits",
            "Tokens that had been verified before",
            metrics.hits.clone(),
        );
        registry.register(
            "token_cache_misses",
            "Tokens that had to be verified, good or not",
            metrics.misses.clone(),
        );
        registry.register(
            "token_cache_bytes",
            "What verified tokens take",
            metrics.bytes.clone(),
        );
        registry.register(
            "token_cache_entries",
            "Verified tokens that are kept",
            metrics.entries.clone(),
        );
        metrics
    }
}

impl AuditMetrics {
    fn registered(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "audit_entries",
            "Entries of the audit log that were written",
            metrics.written.clone(),
        );
        registry.register(
            "audit_entries_lost",
            "Entries of the audit log that found no room, samples too",
            metrics.lost.clone(),
        );
        registry.register(
            "audit_failing",
            "Whether the audit log cannot be written",
            metrics.failing.clone(),
        );
        registry.register(
            "audit_sequence",
            "The number of the last entry of the audit log",
            metrics.sequence.clone(),
        );
        metrics
    }
}

impl State {
    fn registered(registry: &mut Registry) -> Self {
        let state = Self::default();
        registry.register(
            "denied_tokens",
            "Single tokens on the deny list",
            state.denied_tokens.clone(),
        );
        registry.register("keysets", "Keysets", state.keysets.clone());
        registry.register(
            "store_sequence",
            "Commits of the store since it was made",
            state.commits.clone(),
        );
        registry.register(
            "held_answers",
            "Answers of the gateway that are held open for a token",
            state.held_answers.clone(),
        );
        let of_log = [
            (
                "deny_list_age_seconds",
                "How old the deny list may be; 0 for a node alone, -1 before it caught up",
                &state.age,
            ),
            (
                "log_connected",
                "Whether the log that nodes share is open",
                &state.log_connected,
            ),
            (
                "log_conflicts",
                "Changes of keysets that were lost to another node's, since the start",
                &state.log_conflicts,
            ),
            (
                "log_refused",
                "Messages in the log that no key of the cluster sealed, since the start",
                &state.log_refused,
            ),
            (
                "log_read_anew",
                "How often the log was read from its beginning, since the start",
                &state.log_read_anew,
            ),
        ];
        for (name, help, gauge) in of_log {
            registry.register(name, help, gauge.clone());
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_is_none_is_another_and_no_series() {
        let metrics = Metrics::new();
        let lines = metrics.text().lines().count();
        metrics.decided(Via::Check, Decision::Deny, "room-1");
        metrics.decided(Via::Check, Decision::Deny, REVOKED);
        let text = metrics.text();
        assert_eq!(text.lines().count(), lines);
        for reason in ["other", REVOKED] {
            let start = r#"usher_decisions_total{via="check",decision="deny",reason="#;
            assert!(
                text.contains(&format!("{start}\"{reason}\"}} 1\n")),
                "{text}"
            );
        }
    }
}
