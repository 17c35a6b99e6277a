//! The pages of the book: their snippets are run, their references are made from
//! the program. `USHER_BLESS=1 cargo test -p token-cli book` writes the latter
//! anew.

use core::fmt::Write as _;
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::serve::Running;
use crate::usher::{on, run};

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn page(name: &str) -> String {
    fs::read_to_string(docs().join(name)).unwrap()
}

/// The blocks of a page in one language, also those in a list.
fn blocks(page: &str, language: &str) -> String {
    let (mut text, mut inside) = (String::new(), false);
    for line in page.lines() {
        match line.trim() {
            "```" => inside = false,
            fence if fence == format!("```{language}") => inside = true,
            _ if inside => writeln!(text, "{line}").unwrap(),
            _ => {}
        }
    }
    text
}

/// What bash is given for a line of a page: a server that is started is waited
/// for, and `# exit N` at its end is what it must come to.
fn instrumented(line: &str, port: u16) -> String {
    if let Some((command, code)) = line.split_once("# exit ") {
        return format!("code=0; {command} || code=$?; [ $code = {} ]", code.trim());
    }
    if line.ends_with(" &") {
        return format!(
            "{line}\nfor n in $(seq 1500); do \
             (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && break; sleep 0.02; done"
        );
    }
    line.to_owned()
}

/// Runs every `sh` block of a page, in a folder of its own, on other ports.
fn run_page(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("usher-data");
    // Pages that start a server of their own begin with nothing.
    let text = page(name);
    let script = blocks(&text, "sh");
    assert!(!script.is_empty(), "{name} has no snippet");
    if !script.contains("usher serve") {
        let create = ["keyset", "create", "--name", "demo"];
        on(&data, &create).yes();
        on(&data, &["admin-key", "rotate"]).yes();
    }
    let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [public, internal] = free.map(|listener| listener.local_addr().unwrap().port());
    let ports = format!("--listen 127.0.0.1:{public} --internal-listen 127.0.0.1:{internal} &");
    let lines: Vec<String> = script
        .lines()
        .map(|line| match line.strip_suffix('&') {
            Some(serve) if serve.contains("usher serve") => format!("{serve}{ports}"),
            _ => line.to_owned(),
        })
        .map(|line| {
            line.replace("127.0.0.1:8080", &format!("127.0.0.1:{public}"))
                .replace("127.0.0.1:8081", &format!("127.0.0.1:{internal}"))
        })
        .map(|line| instrumented(&line, internal))
        .collect();
    let script = format!(
        "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{}\n",
        lines.join("\n")
    );
    let program = Path::new(env!("CARGO_BIN_EXE_usher")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let paths = core::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    let mut bash = Command::new("bash");
    for variable in ["USHER_SERVER", "USHER_ADMIN_KEY", "USHER_KEYSET"] {
        bash.env_remove(variable);
    }
    let ran = bash
        .args(["-euo", "pipefail", "-c", &script])
        .env("PATH", std::env::join_paths(paths).unwrap())
        .current_dir(folder.path())
        .process_group(0)
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{name}: {}\n{script}\n{}\n{}",
        ran.status,
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
}

#[test]
fn a_newcomer_has_an_enforced_route_by_the_first_page_alone() {
    run_page("start.md");
}

#[test]
fn the_snippets_of_the_task_pages_do_what_they_say() {
    for name in ["ci.md", "revoke.md", "rotate.md", "backup.md", "upgrade.md"] {
        run_page(name);
    }
}

/// What is made from the code is compared, or written with `USHER_BLESS`.
fn made(name: &str, text: &str) {
    if std::env::var_os("USHER_BLESS").is_some() {
        fs::write(docs().join(name), text).unwrap();
    }
    assert_eq!(page(name), text, "docs/{name} is out of date");
}

#[test]
fn the_reference_of_the_configuration_is_the_default_file() {
    let default = run(&["config", "default"]).stdout;
    let head = "# Configuration\n\nWhat `usher config default` prints: every key, its meaning, unit and default. \
                [Operating](operate.md) says\nwhich count at a reload.\n";
    made(
        "configuration.md",
        &format!("{head}\n```toml\n{default}```\n"),
    );
}

#[test]
fn the_reference_of_the_command_line_is_its_help() {
    let mut text =
        "# Command line\n\nWhat `usher VERB --help` prints. `usher man DIR` writes manual pages, \
                    `usher completions SHELL` completions.\n"
            .to_owned();
    help_of(&[], &mut text);
    made("cli.md", &text);
}

fn help_of(verbs: &[&str], text: &mut String) {
    let help = run(&[verbs, &["--help"]].concat()).stdout;
    let name = [&["usher"], verbs].concat().join(" ");
    let level = "#".repeat(if verbs.is_empty() { 2 } else { 3 });
    let shown: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(
        text,
        "\n{level} `{name}`\n\n```text\n{}\n```\n",
        shown.join("\n")
    )
    .unwrap();
    let commands = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    for verb in commands.filter(|verb| *verb != "help") {
        help_of(&[verbs, &[verb]].concat(), text);
    }
}

/// The cells of the table rows of a page that begin with a code.
fn rows(page: &str) -> Vec<Vec<String>> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells = row.split('|').skip(1);
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

fn codes(page: &str) -> BTreeSet<String> {
    let rows = rows(page);
    let codes = rows.iter().flat_map(|row| row[0].split(", "));
    codes
        .map(|code| code.trim_matches('`').to_owned())
        .collect()
}

#[test]
fn the_reference_of_the_settings_has_each_with_its_default() {
    let root = tempfile::tempdir().unwrap();
    let created = on(root.path(), &["keyset", "create", "--name", "demo"]).yes();
    let settings = created["keyset"]["settings"].as_object().unwrap();
    let expected: BTreeSet<(String, String)> = settings
        .iter()
        .map(|(name, value)| (format!("`{name}`"), format!("`{value}`")))
        .collect();
    let listed = rows(&page("settings.md"));
    let listed: BTreeSet<(String, String)> = listed
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    assert_eq!(listed, expected);
}

#[test]
fn the_reference_of_the_reasons_has_every_code_that_is_counted() {
    let root = tempfile::tempdir().unwrap();
    let server = Running::start(root.path(), &[]);
    let address = server.internal.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).unwrap();
    let counted: BTreeSet<String> = metrics
        .lines()
        .filter(|line| line.starts_with("usher_decisions_total{"))
        .filter_map(|line| line.split("reason=\"").nth(1)?.split('"').next())
        .map(str::to_owned)
        .collect();
    assert!(counted.len() > 15, "{metrics}");
    assert_eq!(codes(&page("reasons.md")), counted);
}
