//! Progress bars, on a terminal only.

use std::{borrow::Cow, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

const STYLE: &str = "{spinner} {prefix:<24} {wide_bar} {pos:>4}/{len} {msg:<28}";

/// A bar over `length` steps; silent when `quiet` or when stderr is no terminal.
pub(crate) fn bar(prefix: impl Into<Cow<'static, str>>, length: u64, quiet: bool) -> ProgressBar {
    let bar = if quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(length)
    };
    bar.set_length(length);
    if let Ok(style) = ProgressStyle::with_template(STYLE) {
        bar.set_style(style);
    }
    bar.set_prefix(prefix);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
