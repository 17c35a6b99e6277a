//! Each row of the guards still names a text of the code and a test. What
//! `cargo xtask guards` shows takes many builds; that it can show it takes none.

use anyhow::Result;

use super::{Finding, Tree};
use crate::guards::{self, Guard};

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let rows = tree.get(guards::GUARDS).unwrap_or_default();
    let findings = guards::read(rows)?.into_iter();
    Ok(findings.filter_map(|guard| fault(tree, &guard)).collect())
}

fn fault(tree: &Tree, guard: &Guard) -> Option<Finding> {
    let at = || format!("{}: {} `{}`", guards::GUARDS, guard.case, guard.test);
    let found = tree.get(&guard.file).map(|text| guard.found_in(text));
    if found != Some(1) {
        let found = found.unwrap_or_default();
        return Some(Finding::new(
            at(),
            format!("its text is in {} {found} times, not once", guard.file),
            "name the guard as it stands now, and see the test fail without it",
        ));
    }
    let name = guard.test.rsplit("::").next().unwrap_or_default();
    let declared = format!("fn {name}(");
    let is_there = tree.iter().any(|(path, text)| {
        path.starts_with("crates/") && path.contains("/tests/it/") && text.contains(&declared)
    });
    (!is_there).then(|| Finding::new(at(), "there is no such test", "name the one that covers it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(code: &str, test: &str) -> usize {
        let row = "[[guard]]\ncase = \"A\"\npackage = \"p\"\ntest = \"m::denies\"\n\
             file = \"crates/p/src/lib.rs\"\nremove = \"if bad {\"\n";
        let tree = Tree::of(&[
            (guards::GUARDS, row),
            ("crates/p/src/lib.rs", code),
            ("crates/p/tests/it/m.rs", test),
        ]);
        check(&tree).unwrap().len()
    }

    #[test]
    fn a_guard_that_moved_and_a_test_that_went_are_found() {
        let (code, test) = ("if bad { deny() }", "fn denies() {}");
        assert_eq!(findings(code, test), 0);
        assert_eq!(findings("if worse { deny() }", test), 1);
        assert_eq!(findings("if bad {} if bad {}", test), 1);
        assert_eq!(findings(code, "fn allows() {}"), 1);
    }
}
