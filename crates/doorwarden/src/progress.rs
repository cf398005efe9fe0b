//! Progress bars, on a terminal only.

use std::{borrow::Cow, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

const STYLE: &str = "{spinner} {prefix:<24} {wide_bar} {pos:>4}/{len} {msg:<28}";

/// Returns a bar of `length` steps; hidden unless `is_shown` and standard error is a terminal.
pub(crate) fn bar(
    prefix: impl Into<Cow<'static, str>>,
    length: u64,
    is_shown: bool,
) -> ProgressBar {
    let bar = if is_shown {
        ProgressBar::new(length)
    } else {
        ProgressBar::hidden()
    };
    bar.set_length(length);
    if let Ok(style) = ProgressStyle::with_template(STYLE) {
        bar.set_style(style);
    }
    bar.set_prefix(prefix);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
