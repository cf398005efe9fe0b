//! URLs of configurations that may hold a password.

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Where something is that a password may be needed for: a database, a counter store, a mail server.
/// Prints as nothing.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PrivateUrl(String);

impl PrivateUrl {
    /// The URL with its password.
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
