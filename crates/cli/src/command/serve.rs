//! `usher serve`.

mod welcome;

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use token_server::{Config, LogFormat, Server, Signals, write_log};

use super::config;
use crate::api::Failure;
use crate::args::Serve;
use crate::exit::Exit;
use crate::output::Output;

/// Where new keys go when nobody is looking, inside the data directory.
pub(super) const KEYS_FILE: &str = "first-keys.txt";

/// What is in every data directory.
const MARKER: &str = "usher.json";

pub(super) fn run(arguments: &Serve, output: &Output) -> Result<Exit, Failure> {
    // Decided once: a reload must not take a lost file for a default.
    let file = arguments.config.clone().or_else(config::usual_file);
    let config = configure(arguments, file.as_deref())?;
    let format = arguments.log.parse().unwrap_or(LogFormat::Text);
    let filter = config::environment("USHER_LOG");
    write_log(format, filter.as_deref()).map_err(|error| Failure::local(error.to_string()))?;
    let keys = where_keys_go(arguments, &config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local(format!("cannot start the runtime: {error}")))?;
    runtime.block_on(async {
        let server = Server::start(config)
            .await
            .map_err(|error| Failure::new("cannot_start", error.to_string()))?;
        // Before anybody learns that it runs and may tell it to stop.
        let signals = Signals::listen().map_err(|error| {
            Failure::new("cannot_start", format!("cannot wait for signals: {error}"))
        })?;
        announce(&server, &keys, output)?;
        let again = (arguments.clone(), file.clone());
        let load = move || configure(&again.0, again.1.as_deref());
        server.run(signals, file.as_deref(), load).await;
        Ok(Exit::Yes)
    })
}

/// The configuration: the command line over the environment over the file.
fn configure(arguments: &Serve, file: Option<&Path>) -> Result<Config, Failure> {
    let mut config = Config::load(file, config::environment)
        .map_err(|error| Failure::new("invalid_configuration", error.to_string()))?;
    if let Some(dir) = &arguments.data_dir {
        config.data_dir.clone_from(dir);
    }
    if let Some(address) = arguments.listen {
        config.listen = address;
    }
    if let Some(address) = arguments.internal_listen {
        config.internal_listen = address;
    }
    if let Some(nats) = &arguments.nats {
        config.cluster.nats = Some(nats.clone());
    }
    config.cluster.seed_epoch = arguments.seed_epoch;
    if let Some(upstream) = &arguments.upstream {
        config.upstream = Some(upstream.clone());
    }
    Ok(config)
}

/// Says where the server listens and, on a first start, which keys it made.
fn announce(server: &Server, keys: &Keys, output: &Output) -> Result<(), Failure> {
    let addresses = format!(
        "public {}\ninternal {}\n",
        server.public_url(),
        server.internal_url()
    );
    output.text(&addresses);
    let Some(first) = server.first_start() else {
        return Ok(());
    };
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "usher".to_owned());
    let welcome = welcome::Welcome {
        program: &program,
        public: server.public_address(),
        encrypted: server.public_url().starts_with("https:"),
        internal: &server.internal_url(),
        keys: first,
    };
    let text = if output.is_json() {
        welcome.json()
    } else {
        welcome.render()
    };
    match keys {
        Keys::Print => output.text(&text),
        Keys::File(path) => {
            let plain = anstream::adapter::strip_str(&text).to_string();
            write_private(path, &plain)?;
            output.text(&format!("keys {}\n", path.display()));
        }
        Keys::Withhold => output.text(
            "keys not shown: the data directory is sealed; make others on the stopped server's \
             directory with `usher admin-key rotate` and `usher keyset rotate --secret`\n",
        ),
    }
    Ok(())
}

/// Where new keys go.
enum Keys {
    Print,
    File(PathBuf),
    Withhold,
}

/// Into a sealed data directory nothing goes in plain, so whoever starts it for
/// the first time says where the keys go.
fn where_keys_go(arguments: &Serve, config: &Config) -> Result<Keys, Failure> {
    if let Some(file) = &arguments.keys_file {
        return Ok(Keys::File(file.clone()));
    }
    if arguments.print_keys || std::io::stdout().is_terminal() {
        return Ok(Keys::Print);
    }
    if config.master_key.is_none() {
        return Ok(Keys::File(config.data_dir.join(KEYS_FILE)));
    }
    if config.data_dir.join(MARKER).exists() {
        return Ok(Keys::Withhold);
    }
    Err(Failure::new(
        "cannot_start",
        "the data directory will be sealed, so the first keys are not written into it; say where \
         they go: --print-keys, or --keys-file FILE",
    ))
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .map_err(|error| {
            Failure::local(format!(
                "cannot write the new keys to `{}`: {error}",
                path.display()
            ))
        })
}
