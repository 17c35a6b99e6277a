//! The drivers: where each lives, how it is prepared and run.

use std::path::PathBuf;

use anyhow::Result;
use xshell::{Cmd, cmd};

use crate::repository::Repository;

#[derive(Debug)]
pub(super) struct Driver {
    pub(super) name: &'static str,
    /// Below `interop/`.
    folder: &'static str,
    kind: Kind,
    pub(super) args: &'static [&'static str],
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Runs under the Node of the machine.
    Node,
    /// Runs under the Node that is among its packages.
    OwnNode,
    Python,
    Rust,
    /// Runs under the Node of the machine, with no package at all.
    Bare,
}

pub(super) const DRIVERS: &[Driver] = &[
    Driver {
        name: "js-11",
        folder: "js/pubnub-11",
        kind: Kind::Node,
        args: &["js/driver.mjs", "js/pubnub-11"],
    },
    Driver {
        name: "js-12",
        folder: "js/pubnub-12",
        kind: Kind::OwnNode,
        args: &["js/driver.mjs", "js/pubnub-12"],
    },
    Driver {
        name: "python",
        folder: "python",
        kind: Kind::Python,
        args: &["python/driver.py"],
    },
    Driver {
        name: "rust",
        folder: "rust",
        kind: Kind::Rust,
        args: &[],
    },
    Driver {
        name: "http",
        folder: "js",
        kind: Kind::Bare,
        args: &["js/http.mjs"],
    },
    Driver {
        name: "browser",
        folder: "js/browser",
        kind: Kind::Node,
        args: &["js/browser/driver.mjs"],
    },
    Driver {
        name: "python-jwt",
        folder: "python-jwt",
        kind: Kind::Python,
        args: &["python-jwt/driver.py"],
    },
    Driver {
        name: "js-jose",
        folder: "js/jose",
        kind: Kind::Node,
        args: &["js/jose/driver.mjs"],
    },
    Driver {
        name: "python-signalwire",
        folder: "python-signalwire",
        kind: Kind::Python,
        args: &["python-signalwire/driver.py"],
    },
    Driver {
        name: "js-signalwire",
        folder: "js/signalwire",
        kind: Kind::Node,
        args: &["js/signalwire/driver.mjs"],
    },
];

impl Driver {
    /// Fetches and builds what the driver needs. What the machine lacks for
    /// that is the answer.
    pub(super) fn prepare(&self, repository: &Repository) -> Result<Option<String>> {
        let sh = &repository.shell;
        let needs: &[&str] = match self.kind {
            Kind::Node | Kind::OwnNode => &["node", "npm"],
            Kind::Python => &["python3"],
            Kind::Rust => &["cargo"],
            Kind::Bare => &["node"],
        };
        for program in needs {
            if cmd!(sh, "{program} --version")
                .quiet()
                .ignore_stdout()
                .run()
                .is_err()
            {
                return Ok(Some((*program).to_owned()));
            }
        }
        let _folder = sh.push_dir(format!("interop/{}", self.folder));
        match self.kind {
            Kind::Node | Kind::OwnNode => {
                let install = || vec![cmd!(sh, "npm ci --no-audit --no-fund")];
                once(
                    repository,
                    "package-lock.json",
                    "node_modules/.prepared",
                    install,
                )?;
            }
            Kind::Python => {
                let install = || {
                    vec![
                        cmd!(sh, "python3 -m venv .venv"),
                        cmd!(
                            sh,
                            ".venv/bin/pip install --quiet --requirement requirements.txt"
                        ),
                    ]
                };
                once(repository, "requirements.txt", ".venv/.prepared", install)?;
            }
            Kind::Rust => cmd!(sh, "cargo build --locked").run()?,
            Kind::Bare => {}
        }
        Ok(None)
    }

    /// The program to run, in `interop/`.
    pub(super) fn program(&self, repository: &Repository) -> PathBuf {
        let interop = repository.root.join("interop");
        match self.kind {
            Kind::Node | Kind::Bare => "node".into(),
            Kind::OwnNode => interop.join(self.folder).join("node_modules/node/bin/node"),
            Kind::Python => interop.join(self.folder).join(".venv/bin/python"),
            Kind::Rust => {
                let target = match std::env::var_os("CARGO_TARGET_DIR") {
                    Some(target) => repository.root.join(target),
                    None => interop.join(self.folder).join("target"),
                };
                target.join("debug/usher-interop")
            }
        }
    }
}

/// Runs the commands unless they have run for this very lock file.
fn once<'a>(
    repository: &Repository,
    lock: &str,
    stamp: &str,
    commands: impl FnOnce() -> Vec<Cmd<'a>>,
) -> Result<()> {
    let sh = &repository.shell;
    let wanted = sh.read_file(lock)?;
    if sh.read_file(stamp).ok().as_ref() == Some(&wanted) {
        return Ok(());
    }
    for command in commands() {
        command.run()?;
    }
    sh.write_file(stamp, wanted)?;
    Ok(())
}
