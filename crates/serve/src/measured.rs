//! What the benches hold beside others. Behind a feature: it issues tokens for nobody.

use std::{net::IpAddr, sync::Arc};

use doorwarden_gate::http::device::Tokens;

use crate::{
    App, Server,
    door::From,
    hashing::Place,
    tokens::{self, Unissued},
};

/// A server from within.
pub struct Measured(Arc<App>);

/// All places of those who hash, taken.
pub struct Full(#[expect(dead_code, reason = "held, not used")] Vec<Place>);

impl Server {
    /// This server, for the benches.
    pub fn measured(&self) -> Measured {
        Measured(Arc::clone(&self.app))
    }
}

impl Measured {
    /// An access token of the usual claims.
    pub fn issue(&self) -> Option<String> {
        let now = self.0.now();
        let issued = || -> Result<String, Unissued> {
            let mut claims = self.0.claims("somebody", tokens::FIRST_PARTY, now)?;
            claims["sid"] = tokens::id()?.into();
            claims["auth_time"] = now.into();
            Ok(self.0.made(&claims, now)?.token().to_owned())
        };
        issued().ok()
    }

    /// Its keys, as a JWKS.
    pub fn jwks(&self) -> String {
        self.0.keys.public(self.0.now()).to_string()
    }

    /// Takes all places.
    pub fn fill(&self) -> Full {
        Full(std::iter::from_fn(|| self.0.hashing.place(true)).collect())
    }

    /// An attempt that is asked of the gate and finds no place; true where it was shed.
    pub async fn attempt(&self, name: &str, password: &str, client: IpAddr) -> bool {
        let from = From {
            client,
            tokens: Tokens::default(),
            device: String::new(),
        };
        match self.0.door.admit("bench", name, password, &from).await {
            Ok(entry) => entry.place(&self.0.hashing).await.is_err(),
            Err(_) => true,
        }
    }
}
