//! How the tokens of testdata/tokens are made. The files hold the outcome.

mod foreign;
mod malformed;
mod tampered;
mod valid;

pub(crate) use foreign::foreign;
pub(crate) use malformed::malformed;
pub(crate) use tampered::tampered;
pub(crate) use valid::valid;

/// A text and what it is about.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    /// Sections of docs/format.md and attack cases.
    pub(crate) covers: &'static str,
    pub(crate) text: String,
}

fn recipe(name: &'static str, covers: &'static str, text: impl Into<String>) -> Recipe {
    let text = text.into();
    Recipe { name, covers, text }
}

/// A recipe for each line `name | covers | what to make the text of`.
fn rows(table: &'static str, make: impl Fn(&str) -> String) -> Vec<Recipe> {
    let lines = table.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let mut cells = line.split('|').map(str::trim);
            let mut cell = || cells.next().unwrap();
            let (name, covers, made_of) = (cell(), cell(), cell());
            recipe(name, covers, make(made_of))
        })
        .collect()
}
