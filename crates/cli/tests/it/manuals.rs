//! Manual pages and completions.

use std::fs;

use crate::usher::run;

#[test]
fn there_is_a_manual_page_for_every_verb() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("man");
    let ran = run(&["man", directory.to_str().unwrap()]);
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    let help = run(&["--help"]).stdout;
    let verbs = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help");
    let mut count = 0;
    for verb in verbs {
        let page = directory.join(format!("usher-{verb}.1"));
        let text = fs::read_to_string(&page).unwrap();
        assert!(text.contains(".TH"), "{}", page.display());
        count += 1;
    }
    assert!(count > 15, "{count} verbs");
    let page = fs::read_to_string(directory.join("usher-keyset-rotate.1")).unwrap();
    assert!(page.contains("overlap"), "options are on the page: {page}");
    assert!(directory.join("usher.1").is_file());
}

#[test]
fn every_shell_has_a_completion_script_with_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&["completions", shell]);
        assert_eq!(ran.exit, 0, "{shell}");
        for verb in ["serve", "doctor", "replay", "bench", "man"] {
            assert!(ran.stdout.contains(verb), "{shell} knows no {verb}");
        }
    }
    assert_eq!(run(&["completions", "tcsh"]).exit, 1);
}
