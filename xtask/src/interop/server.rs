//! The server under test: on ports of its own choice, with a data folder of
//! its own, ended with the run however that ends.

use core::time::Duration;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use xshell::cmd;

use super::{after, json};
use crate::repository::Repository;

/// How long the server may take to say its addresses.
const START: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) usher: PathBuf,
    pub(super) log: PathBuf,
    /// What `USHER_INTEROP` holds.
    pub(super) description: Value,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    pub(super) fn start(repository: &Repository, usher: &Path) -> Result<Self> {
        let sh = &repository.shell;
        let folder = repository.target_dir()?.join("interop");
        sh.remove_path(&folder)?;
        sh.create_dir(&folder)?;
        let data = folder.join("data");
        let mut keysets = serde_json::Map::new();
        for name in ["default", "foreign", "revocation_off", "access_manager_off"] {
            let created = cmd!(
                sh,
                "{usher} keyset create --name {name} --data-dir {data} --json"
            )
            .read()?;
            keysets.insert(name.to_owned(), credentials(&json(&created)?)?);
        }
        let created = cmd!(
            sh,
            "{usher} keyset create --name ed25519 --set signing_algorithm=ed25519 --data-dir {data} --json"
        )
        .read()?;
        keysets.insert("ed25519".to_owned(), credentials(&json(&created)?)?);
        for (name, setting) in [
            ("revocation_off", "revocation=off"),
            ("access_manager_off", "access_manager=off"),
        ] {
            let key = keysets
                .get(name)
                .and_then(|keyset| keyset.get("subscribe_key")?.as_str())
                .context("a keyset has a subscribe_key")?;
            cmd!(sh, "{usher} keyset set {key} {setting} --data-dir {data}").run()?;
        }

        // The keyset that the rule file of the chat is for.
        let created = cmd!(
            sh,
            "{usher} keyset create --name chat --subscribe-key sub-c-chat --publish-key pub-c-chat --data-dir {data} --json"
        )
        .read()?;
        keysets.insert("chat".to_owned(), credentials(&json(&created)?)?);

        let log = folder.join("server.log");
        let rules = repository.root.join("examples/chat/chat.rules.toml");
        let serve = cmd!(
            sh,
            "{usher} serve --data-dir {data} --listen 127.0.0.1:0 --internal-listen 127.0.0.1:0 --upstream sandbox"
        )
        // The drivers sign wrongly on purpose, and oftener than anybody may.
        .env("USHER_FAILED_ATTEMPTS_PER_MINUTE", "0")
        .env("USHER_RULES", rules);
        println!("$ {serve}");
        let child = Command::from(serve)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .spawn()?;
        let mut server = Self {
            child,
            usher: usher.to_owned(),
            log,
            description: Value::Null,
        };
        let stdout = server
            .child
            .stdout
            .take()
            .context("the server has an output")?;
        let (public, internal) = addresses(&lines_of(stdout))
            .with_context(|| format!("the server did not start; see {}", server.log.display()))?;
        server.description = json!({"public": public, "internal": internal, "keysets": keysets});
        Ok(server)
    }
}

fn credentials(created: &Value) -> Result<Value> {
    let field = |name: &str| {
        created
            .get(name)
            .or_else(|| created.get("keyset")?.get(name))
            .and_then(Value::as_str)
            .with_context(|| format!("`usher keyset create --json` prints no {name}"))
    };
    Ok(json!({
        "subscribe_key": field("subscribe_key")?,
        "publish_key": field("publish_key")?,
        "secret_key": field("secret_key")?,
    }))
}

/// Reads on to the end, so that the server never waits for a reader.
fn lines_of(output: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens once the addresses are known.
            drop(sender.send(line));
        }
    });
    receiver
}

fn addresses(lines: &Receiver<String>) -> Result<(String, String)> {
    let (mut public, mut internal) = (None, None);
    loop {
        let line = lines
            .recv_timeout(START)
            .context("it said no `public http://...` and `internal http://...`")?;
        public = public.or_else(|| after(&line, "public").map(str::to_owned));
        internal = internal.or_else(|| after(&line, "internal").map(str::to_owned));
        if let (Some(public), Some(internal)) = (&public, &internal) {
            return Ok((public.clone(), internal.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_among_other_lines() {
        let text = "Usher\npublic http://127.0.0.1:1\ninternal http://127.0.0.1:2\nmore\n";
        let (public, internal) = addresses(&lines_of(text.as_bytes())).unwrap();
        assert_eq!(
            (public.as_str(), internal.as_str()),
            ("http://127.0.0.1:1", "http://127.0.0.1:2")
        );
    }

    #[test]
    fn a_server_that_ends_without_its_addresses_is_an_error() {
        assert!(addresses(&lines_of("public http://127.0.0.1:1\n".as_bytes())).is_err());
    }
}
