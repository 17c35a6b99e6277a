//! The NATS servers that nodes share revocations through: what they say of
//! themselves before anybody signs in.

use core::net::IpAddr;
use core::time::Duration;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{TcpStream, ToSocketAddrs as _};

use serde::Deserialize;
use token_server::{Cluster, RevokeAck};

use super::Finding;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Most bytes of the first line.
const INFO_BYTES_MAX: u64 = 64 * 1024;

const PORT: u16 = 4222;

/// The oldest server that has what the log needs.
const OLDEST: (u64, u64) = (2, 11);

/// The first line of a server.
#[derive(Deserialize)]
struct Info {
    version: String,
    #[serde(default)]
    jetstream: bool,
    #[serde(default)]
    auth_required: bool,
    /// The name of the cluster that the server is one of.
    cluster: Option<String>,
}

pub(super) fn examine(servers: &str, cluster: &Cluster) -> Vec<Finding> {
    let mut findings = Vec::new();
    if cluster.revoke_ack == RevokeAck::Local {
        findings.push(Finding::note(
            "revoke_ack_local",
            "a revocation is answered before another node can know it",
            "set revoke_ack = \"log\" where an answer must mean that it cannot be lost",
        ));
    }
    for url in servers.split(',').map(str::trim) {
        findings.extend(server(url, cluster));
    }
    findings
}

fn server(url: &str, cluster: &Cluster) -> Vec<Finding> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
    // What stands before the `@` is a secret.
    let authority = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let authority = authority.trim_end_matches('/');
    let (host, port) = split(authority);
    let info = match ask(host, port) {
        Ok(info) => info,
        Err(error) => {
            return vec![Finding::error(
                "nats_unreachable",
                format!("{host}:{port} does not answer as a NATS server: {error}"),
                "see that it runs, and that this machine may reach it",
            )];
        }
    };
    let shown = format!("the NATS server {host}:{port}");
    let mut findings = Vec::new();
    if !is_new(&info.version) {
        findings.push(Finding::error(
            "nats_old",
            format!("{shown} is {}, older than 2.11", info.version),
            "use a newer one",
        ));
    }
    if !info.jetstream {
        findings.push(Finding::error(
            "nats_without_jetstream",
            format!("{shown} keeps nothing: it has no JetStream"),
            "start it with --jetstream and a --store_dir on a disk",
        ));
    }
    if !is_here(host) && !info.auth_required {
        findings.push(Finding::warning(
            "nats_open",
            format!("{shown} lets anybody in who reaches it"),
            "give it users, and put one into the URL",
        ));
    }
    if !is_here(host) && scheme != "tls" {
        findings.push(Finding::warning(
            "nats_in_the_clear",
            format!("{shown} is asked without TLS: its password travels in the clear"),
            "use a tls:// URL and nats_ca_file",
        ));
    }
    if info.cluster.is_none() || cluster.nats_replicas < 3 {
        findings.push(Finding::warning(
            "nats_single_copy",
            format!("{shown} is alone, or nats_replicas is below 3: one disk has the log"),
            "run three servers as a cluster, with nats_replicas = 3",
        ));
    }
    findings
}

fn split(authority: &str) -> (&str, u16) {
    let parts = authority.rsplit_once(':');
    let parsed = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parsed.unwrap_or((authority, PORT));
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    (bare.unwrap_or(host), port)
}

fn is_here(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn is_new(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u64>().ok());
    let version = (parts.next().flatten(), parts.next().flatten());
    matches!(version, (Some(major), Some(minor)) if (major, minor) >= OLDEST)
}

/// A server speaks first (`INFO {..}`), also where TLS comes next.
fn ask(host: &str, port: u16) -> io::Result<Info> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let address = (host, port).to_socket_addrs()?.next().ok_or_else(none)?;
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut line = String::new();
    BufReader::new(stream.take(INFO_BYTES_MAX)).read_line(&mut line)?;
    let info = line
        .strip_prefix("INFO ")
        .and_then(|json| serde_json::from_str(json).ok());
    info.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its first line is no INFO"))
}
