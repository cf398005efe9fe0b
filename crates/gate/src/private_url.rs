//! Configured URLs that may contain a password.

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A URL that may contain a password: of a database, a counter store or a mail server. `Debug` redacts it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PrivateUrl(String);

impl PrivateUrl {
    /// Returns the URL with its password.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PrivateUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateUrl(redacted)")
    }
}

impl From<String> for PrivateUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl<'de> Deserialize<'de> for PrivateUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}
