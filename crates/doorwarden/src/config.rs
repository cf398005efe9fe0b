//! doorwarden.toml: composed of the configuration of each crate.

use std::{fs, path::Path};

use doorwarden_decision::Policy;
use serde::Deserialize;

use crate::Failure;

/// The name of the file if none is given.
pub(crate) const FILE: &str = "doorwarden.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[cfg(feature = "guard")]
    pub(crate) guard: Option<doorwarden_guard::Config>,
    #[cfg(feature = "serve")]
    pub(crate) serve: Option<doorwarden_serve::Config>,
    // One file may configure both; a build with one of them skips the section of the other.
    #[cfg(not(feature = "guard"))]
    #[serde(rename = "guard")]
    _guard: Option<serde::de::IgnoredAny>,
    #[cfg(not(feature = "serve"))]
    #[serde(rename = "serve")]
    _serve: Option<serde::de::IgnoredAny>,
    pub(crate) policy: Option<Policy>,
}

/// Reads a configuration; errors name line and column.
pub(crate) fn read(path: &Path) -> Result<Config, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "failed to read {shown}: {error}; `doorwarden init` writes one"
        ))
    })?;
    toml::from_str(&text).map_err(|error| {
        Failure::usage(format!(
            "failed to read {shown}: {}\n`doorwarden init --output -` prints a commented example of every field.",
            error.to_string().trim_end()
        ))
    })
}
