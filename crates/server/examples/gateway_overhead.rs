//! What the gateway costs: the same accept loop answering 200, beside
//! decisions and requests that are passed on. Needs `wrk`.
//!
//! `cargo run --release -p token-server --example gateway_overhead`

#![expect(clippy::print_stdout, reason = "the figures are its result")]

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::process::Command;
use std::sync::Arc;

use token_server::http::{Request, Response, StatusCode};
use token_server::{
    Bytes, Caller, Config, ConnectionLimits, Handler, Listener, Refusal, RequestBody, ResponseBody,
    Server,
};
use tokio::net::TcpListener;

type Failure = Box<dyn core::error::Error + Send + Sync>;

/// The accept loop with nothing behind it.
struct Nothing;

/// As large as an answer to a publish.
const BODY: &[u8] = b"[1,\"Sent\",\"17900000000000000\"]";

impl Handler for Nothing {
    async fn respond(
        &self,
        _: SocketAddr,
        _: Request<RequestBody>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        Ok(Response::new(Bytes::from_static(BODY).into()))
    }

    fn refuse(&self, _: Refusal) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response
    }
}

fn main() -> Result<(), Failure> {
    // One core for the servers; the load has the other.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<(), Failure> {
    let dir = std::env::temp_dir().join(format!("usher-overhead-{}", std::process::id()));
    let socket = TcpListener::bind("127.0.0.1:0").await?;
    let nothing = Listener::start(socket, Arc::new(Nothing), ConnectionLimits::default())?;
    let url = format!("http://{}", nothing.address());
    let (proxy, token) = server(&dir.join("proxy"), &url).await?;
    let (sandbox, other) = server(&dir.join("sandbox"), "sandbox").await?;
    let publish = "/publish/pub-c-demo/sub-c-demo/0/room/0/1?auth=";
    let rows = [
        ("accept loop", format!("{url}{publish}{token}")),
        (
            "denied",
            format!("http://{}{publish}", sandbox.public_address()),
        ),
        (
            "decided, sandbox",
            format!("http://{}{publish}{other}", sandbox.public_address()),
        ),
        (
            "decided, passed on",
            format!("http://{}{publish}{token}", proxy.public_address()),
        ),
    ];
    let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..5 {
        for (name, url) in &rows {
            let url = url.clone();
            let rate = tokio::task::spawn_blocking(move || load(&url)).await??;
            figures.entry(name).or_default().push(rate);
        }
    }
    println!("requests per second, 32 connections, median of five alternating runs");
    let median = |name: &str| {
        let mut rates = figures.get(name).cloned().unwrap_or_default();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let loops = median("accept loop");
    for (name, _) in &rows {
        let rate = median(name);
        let more = 1e6 / rate - 1e6 / loops;
        println!(
            "{name:20} {rate:9.0}  {:5.2} of the loop, {more:5.1} us more",
            rate / loops
        );
    }
    tokio::join!(proxy.shutdown(), sandbox.shutdown(), nothing.shutdown());
    std::fs::remove_dir_all(dir)?;
    Ok(())
}

/// A server before `upstream`, and a token to publish in `room`.
async fn server(dir: &std::path::Path, upstream: &str) -> Result<(Server, String), Failure> {
    let mut config = Config::default();
    config.data_dir = dir.to_owned();
    config.listen = "127.0.0.1:0".parse()?;
    config.internal_listen = "127.0.0.1:0".parse()?;
    config.upstream = Some(upstream.parse()?);
    std::fs::create_dir_all(dir.parent().unwrap_or(dir))?;
    let server = Server::start(config).await?;
    let keyset = r#"{"name":"demo","subscribe_key":"sub-c-demo","publish_key":"pub-c-demo"}"#;
    ask(&server, "/v1/keysets", keyset).await?;
    let grant = r#"{"ttl":60,"permissions":{"resources":{"channels":{"room":["write"]}}}}"#;
    let answer = ask(&server, "/v1/keysets/sub-c-demo/tokens", grant).await?;
    let token = answer.split('"').skip_while(|text| *text != "token").nth(2);
    let token = token.ok_or("no token was granted")?.replace('=', "%3D");
    Ok((server, token))
}

async fn ask(server: &Server, path: &str, body: &'static str) -> Result<String, Failure> {
    let request = Request::post(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Bytes::from_static(body.as_bytes()))?;
    let answer = server.service().internal(Caller::InProcess, request).await;
    Ok(String::from_utf8(answer.body().to_vec())?)
}

/// Requests per second that `wrk` sees.
fn load(url: &str) -> Result<f64, Failure> {
    let seconds = Duration::from_secs(3).as_secs();
    let output = Command::new("wrk")
        .args(["-t1", "-c32", &format!("-d{seconds}s"), url])
        .output()
        .map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return Failure::from("skipped: needs wrk");
            }
            error.into()
        })?;
    let text = String::from_utf8(output.stdout)?;
    let rate = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    Ok(rate.ok_or("wrk said nothing of requests")?.trim().parse()?)
}
