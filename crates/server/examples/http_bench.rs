//! What `cargo xtask bench http` measures: a whole server, and beside it the
//! same accept loop that answers the same bytes without looking at anything.
//!
//! `http_bench DIR TOKENS ROUNDS` makes a store in `DIR`, grants tokens, writes
//! the requests to send into files there, prints the three addresses, and serves
//! until its input ends.

#![expect(clippy::print_stdout, reason = "a command for a terminal")]

use core::error::Error;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use token_server::http::{Request, Response};
use token_server::{
    Bytes, Caller, Config, ConnectionLimits, Handler, Listener, Refusal, RequestBody, ResponseBody,
    Server, Service, Upstream,
};
use tokio::net::TcpListener;

type Failure = Box<dyn Error>;

const SUBSCRIBE_KEY: &str = "sub-c-00000000-0000-0000-0000-000000000000";

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, tokens, rounds] = &*args else {
        return Err("http_bench DIR TOKENS ROUNDS".into());
    };
    let dir = Path::new(dir);
    let mut config = Config::default();
    config.data_dir = dir.join("data");
    config.listen = LOOPBACK;
    config.internal_listen = LOOPBACK;
    config.upstream = Some(Upstream::Sandbox);
    let server = Server::start(config).await?;
    let service = server.service();
    make_keyset(service).await?;
    let hot = write_requests(dir, service, tokens.parse()?, rounds.parse()?).await?;
    let plain = Plain::of(service, &hot).await?;
    let socket = TcpListener::bind(LOOPBACK).await?;
    let plain = Listener::start(socket, Arc::new(plain), ConnectionLimits::default())?;
    println!("internal {}", server.internal_address());
    println!("public {}", server.public_address());
    println!("plain {}", plain.address());
    let until_closed = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tokio::task::spawn_blocking(until_closed).await??;
    server.shutdown().await;
    plain.shutdown().await;
    Ok(())
}

/// The requests that are sent, raw.
struct Hot {
    forward_auth: String,
    check: String,
    gateway: String,
}

fn forward_auth(channel: &str, token: &str) -> String {
    format!(
        "GET /v1/auth/nginx HTTP/1.1\r\nHost: localhost\r\nX-Original-Method: GET\r\n\
         X-Original-URI: /v3/history/sub-key/{SUBSCRIBE_KEY}/channel/{channel}?auth={token}\r\n\r\n"
    )
}

fn check(channel: &str, token: &str) -> String {
    let body = format!(
        r#"{{"subscribe_key":"{SUBSCRIBE_KEY}","token":"{token}","operation":"history","channels":["{channel}"]}}"#
    );
    format!(
        "POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn gateway(channel: &str, token: &str) -> String {
    format!(
        "GET /v3/history/sub-key/{SUBSCRIBE_KEY}/channel/{channel}?auth={token} HTTP/1.1\r\n\
         Host: localhost\r\n\r\n"
    )
}

/// One file per load; a zero byte ends a request.
async fn write_requests(
    dir: &Path,
    service: &Service,
    tokens: u32,
    rounds: u32,
) -> Result<Hot, Failure> {
    let token = grant(service, "room").await?;
    let hot = Hot {
        forward_auth: forward_auth("room", &token),
        check: check("room", &token),
        gateway: gateway("room", &token),
    };
    fs::write(
        dir.join("forward-auth-hot"),
        format!("{}\0", hot.forward_auth),
    )?;
    fs::write(dir.join("check-hot"), format!("{}\0", hot.check))?;
    fs::write(dir.join("gateway-hot"), format!("{}\0", hot.gateway))?;
    for round in 0..rounds {
        let mut requests = String::new();
        for number in 0..tokens {
            let channel = format!("room-{round}-{number}");
            let token = grant(service, &channel).await?;
            requests.push_str(&forward_auth(&channel, &token));
            requests.push('\0');
        }
        fs::write(dir.join(format!("forward-auth-unseen-{round}")), requests)?;
    }
    Ok(hot)
}

async fn make_keyset(service: &Service) -> Result<(), Failure> {
    let body = format!(
        r#"{{"name":"bench","subscribe_key":"{SUBSCRIBE_KEY}","publish_key":"pub-c-bench","secret_key":"sec-c-bench-0123456789"}}"#
    );
    internal(service, Caller::InProcess, "POST /v1/keysets", body).await?;
    Ok(())
}

async fn grant(service: &Service, channel: &str) -> Result<String, Failure> {
    let line = format!("POST /v1/keysets/{SUBSCRIBE_KEY}/tokens");
    let body = format!(
        r#"{{"ttl":60,"permissions":{{"resources":{{"channels":{{"{channel}":["read"]}}}}}}}}"#
    );
    let answer = internal(service, Caller::InProcess, &line, body).await?;
    let answer = core::str::from_utf8(answer.body())?;
    let (_, rest) = answer.split_once(r#""token":""#).ok_or("no token")?;
    let (token, _) = rest.split_once('"').ok_or("no token")?;
    Ok(token.to_owned())
}

async fn internal(
    service: &Service,
    caller: Caller,
    line: &str,
    body: String,
) -> Result<Response<Bytes>, Failure> {
    let raw = format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\r\n{body}"
    );
    let answer = service.internal(caller, read(&raw)?).await;
    if !answer.status().is_success() {
        return Err(format!("{line}: {answer:?}").into());
    }
    Ok(answer)
}

/// A raw request as the service takes it.
fn read(raw: &str) -> Result<Request<Bytes>, Failure> {
    let (head, body) = raw.split_once("\r\n\r\n").ok_or("no head")?;
    let mut lines = head.split("\r\n");
    let mut line = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (
        line.next().unwrap_or_default(),
        line.next().unwrap_or_default(),
    );
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        request = request.header(name, value);
    }
    Ok(request.body(Bytes::from(body.to_owned()))?)
}

/// Answers what the server answers, without looking.
struct Plain {
    forward_auth: Response<Bytes>,
    check: Response<Bytes>,
    gateway: Response<Bytes>,
}

impl Plain {
    async fn of(service: &Service, hot: &Hot) -> Result<Self, Failure> {
        let caller = Caller::InProcess;
        let plain = Self {
            forward_auth: service.internal(caller, read(&hot.forward_auth)?).await,
            check: service.internal(caller, read(&hot.check)?).await,
            gateway: service.public(read(&hot.gateway)?).await,
        };
        for answer in [&plain.forward_auth, &plain.check, &plain.gateway] {
            if !answer.status().is_success() {
                return Err(format!("{answer:?}").into());
            }
        }
        Ok(plain)
    }
}

impl Handler for Plain {
    async fn respond(
        &self,
        _: SocketAddr,
        request: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let (head, body) = request.into_parts();
        body.read(64 * 1024).await?;
        let answer = match head.uri.path() {
            "/v1/auth/nginx" => &self.forward_auth,
            "/v1/check" => &self.check,
            _ => &self.gateway,
        };
        Ok(answer.clone().map(ResponseBody::from))
    }

    fn refuse(&self, refusal: Refusal) -> Response<Bytes> {
        Response::new(Bytes::from(refusal.to_string()))
    }
}
