//! `usher bench`: how fast a running server decides, asked from here.

use core::net::IpAddr;
use core::time::Duration;
use std::thread;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Value, json};

use crate::api::{Api, Failure};
use crate::args::{Bench, Connection};
use crate::exit::Exit;
use crate::keysets;
use crate::output::{Output, Sheet};
use crate::progress;
use crate::secret;

/// The channel that is asked for.
const CHANNEL: &str = "bench";

/// Most requests of a connection: its times must fit into memory.
const REQUESTS_MAX: usize = 1_000_000;

/// What was measured. Times in microseconds.
#[derive(Serialize)]
struct Measured {
    connections: u64,
    seconds: f64,
    requests: usize,
    failed: usize,
    requests_per_second: f64,
    latency_us: Latency,
}

#[derive(Serialize)]
struct Latency {
    p50: u64,
    p90: u64,
    p99: u64,
    max: u64,
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    times: Vec<u64>,
    failed: usize,
}

pub(super) fn run(arguments: &Bench, output: &Output) -> Result<Exit, Failure> {
    let connection = &arguments.connection;
    let server = connection.server.as_deref().ok_or_else(|| {
        Failure::local("name a running server with --server; a data directory answers nobody")
    })?;
    if !arguments.remote && !is_loopback(server) {
        return Err(Failure::local(format!(
            "{server} is not on this machine; say --remote if it may be kept busy"
        )));
    }
    let body = question(arguments)?;
    // Before anything is measured: whether it is decided at all.
    let first: Value = Api::connect(connection)?.post("/v1/check", &body)?;
    if !is_allowed(&first) {
        let reason = first.pointer("/reason/message").and_then(Value::as_str);
        return Err(Failure::new(
            "bench_denied",
            format!(
                "the token does not allow to subscribe to `{CHANNEL}`: {}",
                reason.unwrap_or("the server does not say why")
            ),
        ));
    }
    let (seen, seconds) = measure(arguments, &body)?;
    let measured = Measured::of(arguments.connections, seconds, seen);
    output.answer(&measured, || measured.render())?;
    Ok(if measured.failed == 0 {
        Exit::Yes
    } else {
        Exit::Error
    })
}

fn is_loopback(server: &str) -> bool {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// What is asked again and again.
fn question(arguments: &Bench) -> Result<Value, Failure> {
    let api = Api::connect(&arguments.connection)?;
    let keyset = keysets::find(&api, arguments.keyset.keyset.as_deref())?.subscribe_key;
    let token = match &arguments.token {
        Some(token) => secret::read(token)?,
        None => {
            let grant = json!({ "ttl": 10, "permissions":
                { "resources": { "channels": { CHANNEL: ["read"] } } } });
            let issued: Value = api.post(&format!("/v1/keysets/{keyset}/tokens"), &grant)?;
            let token = issued.get("token").and_then(Value::as_str);
            token
                .ok_or_else(|| Failure::new("unexpected_answer", "the server granted no token"))?
                .to_owned()
        }
    };
    Ok(
        json!({ "token": token, "subscribe_key": keyset, "operation": "subscribe",
        "channels": [CHANNEL] }),
    )
}

fn is_allowed(decision: &Value) -> bool {
    decision.get("decision").and_then(Value::as_str) == Some("allow")
}

/// Asks on every connection until the time is over.
fn measure(arguments: &Bench, body: &Value) -> Result<(Vec<Seen>, f64), Failure> {
    let length = Duration::from_secs(arguments.seconds);
    let bar = progress::bar("measuring", Some(arguments.seconds));
    let begun = Instant::now();
    let seen = thread::scope(|scope| {
        let asking: Vec<_> = (0..arguments.connections)
            .map(|_| scope.spawn(|| ask(&arguments.connection, body, begun, length)))
            .collect();
        while begun.elapsed() < length && asking.iter().any(|thread| !thread.is_finished()) {
            bar.set_position(begun.elapsed().as_secs());
            thread::park_timeout(Duration::from_millis(100));
        }
        let joined = asking.into_iter().map(|thread| {
            let ended = thread.join();
            ended.unwrap_or_else(|_| Err(Failure::local("a connection of the bench broke off")))
        });
        joined.collect::<Result<Vec<Seen>, Failure>>()
    });
    bar.finish_and_clear();
    Ok((seen?, begun.elapsed().as_secs_f64()))
}

fn ask(
    connection: &Connection,
    body: &Value,
    begun: Instant,
    length: Duration,
) -> Result<Seen, Failure> {
    let api = Api::connect(connection)?;
    let mut seen = Seen::default();
    while begun.elapsed() < length && seen.times.len() < REQUESTS_MAX {
        let asked = Instant::now();
        let decision: Result<Value, Failure> = api.post("/v1/check", body);
        let micros = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        seen.times.push(micros);
        if !decision.is_ok_and(|decision| is_allowed(&decision)) {
            seen.failed = seen.failed.saturating_add(1);
        }
    }
    Ok(seen)
}

impl Measured {
    fn of(connections: u64, seconds: f64, seen: Vec<Seen>) -> Self {
        let failed = seen.iter().map(|seen| seen.failed).sum();
        let mut times: Vec<u64> = seen.into_iter().flat_map(|seen| seen.times).collect();
        times.sort_unstable();
        let at = |per_cent: usize| {
            let rank = times.len().saturating_mul(per_cent).div_ceil(100);
            let found = times.get(rank.saturating_sub(1));
            found.copied().unwrap_or_default()
        };
        let requests = times.len();
        let count = u32::try_from(requests).unwrap_or(u32::MAX);
        Self {
            connections,
            seconds,
            requests,
            failed,
            requests_per_second: f64::from(count) / seconds,
            latency_us: Latency {
                p50: at(50),
                p90: at(90),
                p99: at(99),
                max: at(100),
            },
        }
    }

    fn render(&self) -> String {
        let Latency { p50, p90, p99, max } = self.latency_us;
        let mut sheet = Sheet::default();
        sheet
            .row(
                "decisions",
                format!(
                    "{} in {:.1} s on {} connections",
                    self.requests, self.seconds, self.connections
                ),
            )
            .row("rate", format!("{:.0} a second", self.requests_per_second))
            .row(
                "latency",
                format!("p50 {p50} us, p90 {p90} us, p99 {p99} us, max {max} us"),
            )
            .row("failed", self.failed.to_string());
        sheet.render()
    }
}
