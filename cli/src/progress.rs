//! Progress on standard error, if that is a terminal: bars for bytes, spinners for scans.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::output;

const BYTES: &str = "{msg:20!} {wide_bar} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}";
const COUNT: &str = "{msg} {wide_bar} {human_pos}/{human_len} {per_sec:.0} {eta}";
const OPEN_COUNT: &str = "{spinner} {msg}: {human_pos} ({elapsed})";
const SPINNER: &str = "{spinner} {msg} ({elapsed})";

/// A bar for this many bytes; `None` if their number is unknown.
pub(crate) fn bytes(length: Option<u64>) -> ProgressBar {
    styled(length.map_or_else(ProgressBar::no_length, ProgressBar::new), BYTES)
}

/// A spinner that turns by itself, for a wait whose length is unknown.
pub(crate) fn spinner(text: &str) -> ProgressBar {
    let spinner = styled(ProgressBar::new_spinner(), SPINNER).with_message(output::one_line(text));
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// A bar for this many things; a count if their number is unknown.
pub(crate) fn counted(what: &'static str, n: Option<u64>) -> ProgressBar {
    match n {
        Some(n) => styled(ProgressBar::new(n), COUNT).with_message(what),
        None => styled(ProgressBar::no_length(), OPEN_COUNT).with_message(what),
    }
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    // Hidden where standard error is no terminal; cleared when it is dropped, also after an error.
    bar.set_draw_target(ProgressDrawTarget::stderr());
    let bar = bar.with_finish(ProgressFinish::AndClear);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
