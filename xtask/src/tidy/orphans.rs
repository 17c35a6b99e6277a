//! Files that nothing compiles: a test that never runs looks like one that
//! passes.

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in tree.paths().filter(|path| path.ends_with(".rs")) {
        let Some((package, inside)) = split_package(tree, path) else {
            findings.push(Finding::new(
                path,
                "belongs to no package",
                "move it into one or remove it",
            ));
            continue;
        };
        if !is_compiled(tree, package, inside) {
            findings.push(Finding::new(
                path,
                "is compiled by nothing",
                format!("name it by `mod` in its parent, or as a target in {package}Cargo.toml"),
            ));
        }
    }
    for (path, text) in tree.iter() {
        let Some(package) = path.strip_suffix("Cargo.toml") else {
            continue;
        };
        let has_tests = tree.paths().any(|path| {
            path.strip_prefix(package)
                .is_some_and(|p| p.starts_with("tests/"))
        });
        if has_tests && package.starts_with("crates/") && !text.contains("autotests = false") {
            findings.push(Finding::new(
                path,
                "does not say autotests = false",
                "one test binary per crate: name tests/it/main.rs in [[test]]",
            ));
        }
    }
    findings
}

/// The nearest folder above with a manifest (with its `/`), and the rest.
fn split_package<'a>(tree: &Tree, path: &'a str) -> Option<(&'a str, &'a str)> {
    let slashes = path.rmatch_indices('/').map(|(at, _)| at);
    slashes
        .filter_map(|at| path.split_at_checked(at.saturating_add(1)))
        .find(|(folder, _)| tree.get(&format!("{folder}Cargo.toml")).is_some())
}

fn is_compiled(tree: &Tree, package: &str, inside: &str) -> bool {
    if matches!(inside, "src/lib.rs" | "src/main.rs" | "build.rs") {
        return true;
    }
    // Targets that cargo finds by itself: examples, and what is in src/bin.
    let depth = inside.matches('/').count();
    if (inside.starts_with("examples/") && depth == 1)
        || (inside.starts_with("src/bin/") && depth == 2)
    {
        return true;
    }
    let manifest = tree
        .get(&format!("{package}Cargo.toml"))
        .unwrap_or_default();
    if manifest.contains(&format!("path = \"{inside}\"")) {
        return true;
    }
    // A bench is named, so that it can say `harness = false`.
    if let Some(name) = inside.strip_prefix("benches/") {
        let name = name.trim_end_matches(".rs");
        return manifest.contains(&format!("name = \"{name}\""));
    }
    is_declared(tree, package, inside)
}

/// Is the file named by `mod` in the file that owns its folder?
fn is_declared(tree: &Tree, package: &str, inside: &str) -> bool {
    let stem_path = inside.trim_end_matches(".rs").trim_end_matches("/mod");
    let Some((folder, name)) = stem_path.rsplit_once('/') else {
        return false;
    };
    let parents = [
        format!("{package}{folder}/main.rs"),
        format!("{package}{folder}/lib.rs"),
        format!("{package}{folder}/mod.rs"),
        format!("{package}{folder}.rs"),
    ];
    parents
        .iter()
        .filter_map(|parent| tree.get(parent))
        .flat_map(str::lines)
        .any(|line| declares(line, name))
}

fn declares(line: &str, name: &str) -> bool {
    let line = line.trim();
    let declared = line
        .strip_prefix("mod ")
        .or_else(|| line.split_once(" mod ").map(|(_, rest)| rest));
    declared
        .is_some_and(|rest| rest.trim_end_matches(';').trim() == name && !line.starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "autotests = false\n[[test]]\npath = \"tests/it/main.rs\"\n";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let found = check(&Tree::of(files));
        found.iter().map(|finding| finding.at.clone()).collect()
    }

    #[test]
    fn a_test_file_that_main_does_not_name_is_found() {
        let mut files = vec![
            ("crates/a/Cargo.toml", MANIFEST),
            ("crates/a/src/lib.rs", "mod time;"),
            ("crates/a/src/time.rs", ""),
            ("crates/a/tests/it/main.rs", "mod limits;\nmod store;"),
            ("crates/a/tests/it/limits.rs", ""),
            ("crates/a/tests/it/store.rs", "mod prune;"),
            ("crates/a/tests/it/store/prune.rs", ""),
        ];
        assert_eq!(found(&files), [""; 0]);
        files.push(("crates/a/tests/it/forgotten.rs", ""));
        files.push(("crates/a/tests/it/store/lost.rs", ""));
        files.push(("crates/a/tests/loose.rs", ""));
        files.push(("crates/a/src/old.rs", ""));
        let expected = [
            "crates/a/src/old.rs",
            "crates/a/tests/it/forgotten.rs",
            "crates/a/tests/it/store/lost.rs",
            "crates/a/tests/loose.rs",
        ];
        assert_eq!(found(&files), expected);
    }

    #[test]
    fn a_commented_or_longer_declaration_does_not_count() {
        assert!(declares("pub(crate) mod time;", "time"));
        assert!(!declares("// mod time;", "time"));
        assert!(!declares("mod time_zone;", "time"));
    }

    #[test]
    fn a_crate_with_tests_found_by_name_is_found() {
        let files = [
            (
                "crates/a/Cargo.toml",
                "[[test]]\npath = \"tests/it/main.rs\"",
            ),
            ("crates/a/tests/it/main.rs", ""),
        ];
        assert_eq!(found(&files), ["crates/a/Cargo.toml"]);
    }

    #[test]
    fn a_bench_that_the_manifest_does_not_name_is_found() {
        let files = [
            ("benches/Cargo.toml", "[[bench]]\nname = \"verify\"\n"),
            ("benches/benches/verify.rs", ""),
            ("benches/benches/lost.rs", ""),
        ];
        assert_eq!(found(&files), ["benches/benches/lost.rs"]);
    }

    #[test]
    fn a_source_outside_every_package_is_found() {
        assert_eq!(found(&[("scratch/try.rs", "")]), ["scratch/try.rs"]);
    }
}
