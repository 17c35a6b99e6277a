//! `usher audit`.

use std::path::Path;

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use token_server::{AuditChain, AuditHead, AuditLog, ChainFault};

use crate::api::{Api, DATA_DIR_DEFAULT, Failure};
use crate::args::{AuditVerb, Connection};
use crate::exit::Exit;
use crate::output::{Output, Sheet, printable};

/// Entries that are asked for at a time.
const PAGE: usize = 1_000;

/// Where a log is read: a directory needs neither its server nor its store.
enum Source {
    Directory(AuditLog),
    Server(Api),
}

#[derive(Deserialize)]
struct Page {
    entries: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Head {
    seq: u64,
    hash: String,
}

impl Source {
    fn of(connection: &Connection) -> Result<Self, Failure> {
        let directory = match (&connection.data_dir, &connection.server) {
            (None, Some(_)) => return Api::connect(connection).map(Self::Server),
            (Some(directory), _) => directory.as_path(),
            (None, None) => Path::new(DATA_DIR_DEFAULT),
        };
        if !directory.join("audit").is_dir() {
            let message = format!(
                "there is no audit log in `{}`; name a data directory with --data-dir, or a \
                 running server with --server and --admin-key",
                directory.display()
            );
            return Err(Failure::new("no_audit_log", message));
        }
        Ok(Self::Directory(AuditLog::of(directory)))
    }

    /// Lines after entry `after`, as they stand.
    fn page(&self, after: u64, limit: usize) -> Result<Vec<String>, Failure> {
        match self {
            Self::Directory(log) => log.page(after, limit).map_err(|error| unreadable(&error)),
            Self::Server(api) => {
                let path = format!("/v1/audit?after={after}&limit={limit}");
                let page: Page = api.get(&path)?;
                let lines = page.entries.iter().map(|line| line.get().to_owned());
                Ok(lines.collect())
            }
        }
    }

    /// Follows the whole log.
    fn verify(&self, known: Option<AuditHead>) -> Result<AuditChain, Failure> {
        match self {
            Self::Directory(log) => log
                .verify(known)
                .map_err(|error| unreadable(&error))?
                .map_err(|fault| broken(&fault)),
            Self::Server(_) => {
                let mut chain = AuditChain::with(known);
                let mut after = 0;
                loop {
                    let lines = self.page(after, PAGE)?;
                    if lines.is_empty() {
                        return Ok(chain);
                    }
                    for line in lines {
                        let followed = chain.follow(line.as_bytes());
                        followed.map_err(|fault| broken(&fault))?;
                    }
                    after = chain.followed().seq;
                }
            }
        }
    }

    fn head(&self) -> Result<AuditHead, Failure> {
        match self {
            Self::Directory(_) => self.verify(None).map(|chain| chain.followed().clone()),
            Self::Server(api) => {
                let Head { seq, hash } = api.get("/v1/audit/head")?;
                Ok(AuditHead { seq, hash })
            }
        }
    }
}

fn unreadable(error: &std::io::Error) -> Failure {
    Failure::new("unreadable", format!("cannot read the audit log: {error}"))
}

fn broken(fault: &ChainFault) -> Failure {
    Failure::new(
        "audit_log_broken",
        format!("the audit log is not as it was written: {fault}"),
    )
}

pub(super) fn run(verb: &AuditVerb, output: &Output) -> Result<Exit, Failure> {
    match verb {
        AuditVerb::Verify { head, connection } => {
            let chain = Source::of(connection)?.verify(head.clone())?;
            let last = chain.finish().map_err(|fault| broken(&fault))?;
            verified(&chain, last, output)
        }
        AuditVerb::Head { connection } => {
            let head = Source::of(connection)?.head()?;
            let answer = json!({ "seq": head.seq, "hash": head.hash });
            output.answer(&answer, || format!("{head}\n"))?;
            Ok(Exit::Yes)
        }
        AuditVerb::Show {
            after,
            limit,
            connection,
        } => {
            let source = Source::of(connection)?;
            let after = match after {
                Some(after) => *after,
                None => source.head()?.seq.saturating_sub(*limit),
            };
            show(&source, after, *limit, output);
            Ok(Exit::Yes)
        }
    }
}

fn verified(chain: &AuditChain, last: &AuditHead, output: &Output) -> Result<Exit, Failure> {
    let first = chain.first();
    let answer = json!({ "status": "ok", "first": first, "seq": last.seq, "hash": last.hash });
    output.answer(&answer, || {
        let entries = first.map_or_else(
            || "none".to_owned(),
            |first| format!("{first} to {}", last.seq),
        );
        let mut sheet = Sheet::default();
        sheet
            .row("audit log", "in order")
            .row("entries", entries)
            .row("head", last.to_string());
        sheet.render()
    })?;
    Ok(Exit::Yes)
}

/// The lines as they stand, which is JSON already.
fn show(source: &Source, after: u64, limit: u64, output: &Output) {
    let (mut after, mut left) = (after, usize::try_from(limit).unwrap_or(usize::MAX));
    while let Ok(lines) = source.page(after, left.min(PAGE)) {
        if lines.is_empty() || left == 0 {
            return;
        }
        for line in &lines {
            output.text(&format!("{}\n", printable(line)));
        }
        left = left.saturating_sub(lines.len());
        after = after.saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
    }
}
