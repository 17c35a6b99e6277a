//! `cargo xtask bench http`: answers per second over HTTP, beside the same
//! accept loop that answers the same bytes, and nginx that answers 204.
//!
//! The server has one core, the load another. The runs alternate, so that
//! whatever else the machine does meets all of them; a ratio is the median of
//! those of the rounds.

use core::time::Duration;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use xshell::cmd;

use crate::repository::Repository;
use crate::steps::Tally;

const ROUNDS: u32 = 5;
/// More than one run can send: a token is seen once.
const TOKENS: u32 = 200_000;

/// What is sent, to which listener, and the least share of the plain accept
/// loop that it must reach, in percent.
const LOADS: [(&str, &str, Option<f64>); 4] = [
    ("forward-auth-hot", "internal", Some(90.0)),
    ("forward-auth-unseen", "internal", Some(75.0)),
    ("check-hot", "internal", None),
    ("gateway-hot", "public", None),
];

/// Sends the requests of a file, one after the other.
const SCRIPT: &str = "
local requests, next = {}, 0
function init(args)
  for request in io.open(args[1], 'rb'):read('*a'):gmatch('([^%z]+)%z') do
    requests[#requests + 1] = request
  end
end
function request()
  next = next % #requests + 1
  return requests[next]
end
";

const NGINX: &str = "daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
    access_log off; keepalive_requests 100000000;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server { listen 127.0.0.1:PORT; return 204; }
}
";

pub(super) fn run(repository: &Repository) -> Result<ExitCode> {
    let sh = &repository.shell;
    let nginx = std::env::var_os("USHER_NGINX").unwrap_or_else(|| "/usr/sbin/nginx".into());
    for tool in [OsStr::new("wrk"), OsStr::new("taskset"), &nginx] {
        if Command::new(tool).arg("-v").output().is_err() {
            return Ok(Tally::skipped(repository, &tool.to_string_lossy()).exit());
        }
    }
    cmd!(
        sh,
        "cargo build --release --locked --package token-server --example http_bench"
    )
    .run()?;
    let program = repository.target_dir()?.join("release/examples/http_bench");
    let folder = sh.create_temp_dir()?;
    let dir = folder.path();
    fs::write(dir.join("send.lua"), SCRIPT)?;
    let mut servers = Servers::start(&program, dir)?;
    servers.start_nginx(&nginx, dir)?;
    let mut rates = Rates::default();
    for round in 0..ROUNDS {
        for (load, listener, _) in LOADS {
            let of_round = dir.join(format!("{load}-{round}"));
            let unseen = of_round.is_file();
            let file = if unseen { of_round } else { dir.join(load) };
            for server in [listener, "plain"] {
                let (sent, rate) = send(dir, servers.address(server)?, &file)?;
                ensure!(
                    server == "plain" || !unseen || sent < f64::from(TOKENS),
                    "{sent} requests were sent, and there are {TOKENS} unseen tokens"
                );
                rates.add(load, server, rate);
            }
        }
        let (_, rate) = send(dir, servers.address("nginx")?, &dir.join("gateway-hot"))?;
        rates.add("204", "nginx", rate);
    }
    Ok(rates.report())
}

/// What runs, each on the first core; it ends with this value.
struct Servers {
    children: Vec<Child>,
    addresses: BTreeMap<String, String>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Servers {
    fn start(program: &Path, dir: &Path) -> Result<Self> {
        println!("granting {} tokens", ROUNDS.saturating_mul(TOKENS));
        let mut child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(program)
            .arg(dir)
            .args([TOKENS.to_string(), ROUNDS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut servers = Self {
            children: vec![child],
            addresses: BTreeMap::new(),
        };
        for line in BufReader::new(output).lines().take(3) {
            let line = line?;
            let (name, address) = line.split_once(' ').context(line.clone())?;
            servers
                .addresses
                .insert(name.to_owned(), address.to_owned());
        }
        Ok(servers)
    }

    fn start_nginx(&mut self, nginx: &OsStr, dir: &Path) -> Result<()> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        fs::write(
            dir.join("nginx.conf"),
            NGINX.replace("PORT", &port.to_string()),
        )?;
        let child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(nginx)
            .args(["-p", ".", "-c", "nginx.conf"])
            .current_dir(dir)
            .spawn()?;
        self.children.push(child);
        let address = format!("127.0.0.1:{port}");
        let started = Instant::now();
        while TcpStream::connect(&address).is_err() {
            ensure!(
                started.elapsed() < Duration::from_secs(10),
                "nginx does not start"
            );
        }
        self.addresses.insert("nginx".to_owned(), address);
        Ok(())
    }

    fn address(&self, name: &str) -> Result<&str> {
        let address = self.addresses.get(name);
        Ok(address.with_context(|| format!("{name} does not run"))?)
    }
}

/// How many requests were sent, and how many were answered per second.
fn send(dir: &Path, address: &str, requests: &Path) -> Result<(f64, f64)> {
    let output = Command::new("taskset")
        .args(["-c", "1", "wrk", "-t1", "-c32", "-d2s", "-s"])
        .arg(dir.join("send.lua"))
        .arg(format!("http://{address}"))
        .arg("--")
        .arg(requests)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "{text}"
    );
    let line = |start: &str| {
        text.lines()
            .find_map(|line| line.trim().strip_prefix(start))
    };
    let rate: f64 = line("Requests/sec:")
        .context(text.clone())?
        .trim()
        .parse()?;
    let sent: f64 = text
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))
        .context(text.clone())?
        .0
        .parse()?;
    Ok((sent, rate))
}

/// Answers per second of each run, by load and server.
#[derive(Debug, Default)]
struct Rates(BTreeMap<(&'static str, String), Vec<f64>>);

impl Rates {
    fn add(&mut self, load: &'static str, server: &str, rate: f64) {
        println!("{load:<20} {server:<9} {rate:>9.0} /s");
        let key = (load, server.to_owned());
        self.0.entry(key).or_default().push(rate);
    }

    fn of(&self, load: &'static str, server: &str) -> &[f64] {
        let rates = self.0.get(&(load, server.to_owned()));
        rates.map_or(&[], Vec::as_slice)
    }

    /// The table, and whether every budget is met.
    fn report(&self) -> ExitCode {
        let mut met = true;
        println!(
            "\n{:<20} {:>10} {:>10} {:>7} {:>7}",
            "", "usher /s", "plain /s", "share", "budget"
        );
        for (load, listener, budget) in LOADS {
            let (ours, plain) = (self.of(load, listener), self.of(load, "plain"));
            let shares = ours
                .iter()
                .zip(plain)
                .map(|(ours, plain)| 100.0 * ours / plain);
            let share = median(shares.collect());
            let (ours, plain) = (median(ours.to_vec()), median(plain.to_vec()));
            let verdict = match budget {
                None => String::new(),
                Some(budget) if share >= budget => format!("{budget:.0} % met"),
                Some(budget) => {
                    met = false;
                    format!("{budget:.0} % MISSED")
                }
            };
            println!("{load:<20} {ours:>10.0} {plain:>10.0} {share:>5.1} %  {verdict}");
        }
        println!(
            "{:<20} {:>10.0}",
            "nginx, 204",
            median(self.of("204", "nginx").to_vec())
        );
        if met {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
