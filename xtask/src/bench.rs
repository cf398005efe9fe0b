//! Benchmarks: built for release, run one after the other.

use crate::steps::cargo;

pub(crate) fn run() -> Result<(), String> {
    cargo(&[
        "bench",
        "--package",
        "doorwarden",
        "--bench",
        "side_by_side",
    ])
}
