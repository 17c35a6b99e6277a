//! How far long work is, for a terminal on standard error and nobody else.

use core::time::Duration;
use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use token_store::Progress;

/// How often a bar moves while nothing is told.
const TICK: Duration = Duration::from_millis(200);

/// A bar of `total` steps; of an unknown number, when it is `None`.
pub(crate) fn bar(what: &'static str, total: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{msg} [{bar:30}] {human_pos}/{human_len} {eta}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {msg} {human_pos} {elapsed}",
        ),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what);
    bar.enable_steady_tick(TICK);
    bar
}

/// Does work on a store under a bar, which is gone when it is done.
pub(crate) fn with_progress<T>(
    what: &'static str,
    total: Option<u64>,
    work: impl FnOnce(&mut Progress<'_>) -> T,
) -> T {
    let bar = bar(what, total);
    let mut tell = |done: u64| bar.set_position(done);
    let result = work(&mut Progress::new(&mut tell));
    bar.finish_and_clear();
    result
}
