//! What no text of the repository may hold, and how long a file may be.

use super::{Finding, Tree};

const LINES_MAX: usize = 800;

/// Kinds of files that people write.
const SOURCES: &[&str] = &["rs", "py", "js", "mjs", "sh"];

/// Names that say nothing: a thing without a home has no name yet.
const NO_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "types", "prelude",
];

/// Marks of unfinished work, in pieces so that this file holds none.
const UNFINISHED: &[&str] = &[
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
];

/// Hosts of package registries: a mirror's name in a lock file, say.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("files.", "pythonhosted.org"),
    concat!("pypi.", "org/simple"),
    concat!("pypi.", "org/packages"),
    concat!("deb.", "debian.org"),
    concat!("\"resolved\": ", "\"http"),
];

pub(super) fn check(tree: &Tree, root: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.iter() {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        if SOURCES.contains(&extension) {
            findings.extend(source(path, text, extension));
        }
        for (number, line) in (1_usize..).zip(text.lines()) {
            let at = || format!("{path}:{number}");
            if REGISTRY_HOSTS.iter().any(|host| line.contains(host)) {
                findings.push(Finding::new(
                    at(),
                    "names the host of a registry",
                    "leave it to the client's configuration (npm: omit-lockfile-registry-resolved)",
                ));
            }
            if root.len() > 1 && line.contains(&format!("{root}/")) {
                findings.push(Finding::new(
                    at(),
                    "names the path of this checkout",
                    "make it relative to the repository",
                ));
            }
        }
    }
    findings
}

fn source(path: &str, text: &str, extension: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        findings.push(Finding::new(
            path,
            format!("has {lines} lines, more than {LINES_MAX}"),
            "split it by concept",
        ));
    }
    let bare = path.trim_end_matches(extension).trim_end_matches('.');
    if let Some(name) = bare.split('/').find(|part| NO_NAMES.contains(part)) {
        findings.push(Finding::new(
            path,
            format!("`{name}` says nothing"),
            "name the concept, or move each part to the file of its concept",
        ));
    }
    if extension != "rs" {
        return findings;
    }
    for (number, line) in (1_usize..).zip(text.lines()) {
        if let Some(mark) = UNFINISHED.iter().find(|mark| line.contains(**mark)) {
            findings.push(Finding::new(
                format!("{path}:{number}"),
                format!("`{mark}` marks unfinished work"),
                "finish it, or file an issue and say so in prose",
            ));
        }
        if line.contains(concat!("#[", "ignore")) {
            findings.push(Finding::new(
                format!("{path}:{number}"),
                "a test that is not run",
                "mend it, or move a long one behind an xtask verb",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)]), "/home/someone/usher").len()
    }

    #[test]
    fn unfinished_marks_and_tests_that_are_not_run_are_found() {
        assert_eq!(found("crates/a/src/lib.rs", "fn f() {}\n"), 0);
        for mark in UNFINISHED {
            assert_eq!(found("crates/a/src/lib.rs", mark), 1, "{mark}");
        }
        let test = concat!("#[test]\n#[", "ignore]\nfn f() {}\n");
        assert_eq!(found("crates/a/tests/it/main.rs", test), 1);
    }

    #[test]
    fn a_file_of_more_than_800_lines_is_found() {
        assert_eq!(
            found("interop/python/driver.py", &"\n".repeat(LINES_MAX)),
            0
        );
        assert_eq!(
            found("interop/python/driver.py", &"\n".repeat(LINES_MAX + 1)),
            1
        );
        assert_eq!(found("testdata/many.toml", &"\n".repeat(LINES_MAX + 1)), 0);
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        for name in NO_NAMES {
            assert_eq!(found(&format!("crates/a/src/{name}.rs"), ""), 1);
            assert_eq!(found(&format!("crates/a/src/{name}/time.rs"), ""), 1);
        }
        assert_eq!(found("crates/a/src/utility.rs", ""), 0);
    }

    #[test]
    fn hosts_of_registries_and_paths_of_this_machine_are_found() {
        for host in REGISTRY_HOSTS {
            assert_eq!(found("interop/js/package-lock.json", host), 1, "{host}");
        }
        assert_eq!(found("docs/x.md", "see /home/someone/usher/docs"), 1);
        assert_eq!(
            found("docs/x.md", "cargo add token-core # from crates.io"),
            0
        );
    }
}
