//! Internals for the benchmarks. Behind a feature: it issues tokens without a login.

use std::sync::Arc;

use doorwarden_gate::http::device::Tokens;

use crate::{
    App, Server,
    door::{Entry, From},
    hashing::Place,
    tokens::{self, Unissued},
};

/// The internals of a server.
pub struct Measured(Arc<App>);

/// Attempts that hold all places for unknown devices.
pub struct Crowd<'a>(#[expect(dead_code, reason = "held, not used")] Vec<(Entry<'a>, Place)>);

impl Server {
    /// Returns the internals of this server.
    pub fn measured(&self) -> Measured {
        Measured(Arc::clone(&self.app))
    }
}

impl Measured {
    /// Issues an access token with the usual claims.
    pub fn issue(&self) -> Option<String> {
        let now = self.0.now();
        let issued = || -> Result<String, Unissued> {
            let mut claims = self.0.claims("user", tokens::FIRST_PARTY, now)?;
            claims["sid"] = tokens::id()?.into();
            claims["auth_time"] = now.into();
            Ok(self.0.made(&claims, now)?.token().to_owned())
        };
        issued().ok()
    }

    /// Returns its keys, as a JWKS.
    pub fn jwks(&self) -> String {
        self.0.keys.public(self.0.now()).to_string()
    }

    /// Admits attempts until unknown devices are shed.
    pub async fn crowd(&self) -> Crowd<'_> {
        let mut crowd = Vec::new();
        loop {
            // Each with a guess of its own: the same would be a spray.
            let number = crowd.len();
            let (name, guess) = (format!("crowd-{number}"), format!("in it {number}"));
            match self.admitted(&name, &guess).await {
                Some(in_it) => crowd.push(in_it),
                None => break,
            }
        }
        Crowd(crowd)
    }

    /// Returns true if an attempt is shed.
    pub async fn is_shed(&self, name: &str, password: &str) -> bool {
        self.admitted(name, password).await.is_none()
    }

    async fn admitted(&self, name: &str, password: &str) -> Option<(Entry<'_>, Place)> {
        let mut address = [0; 3];
        getrandom::fill(&mut address).ok()?;
        let from = From {
            route: "bench".into(),
            client: [10, address[0], address[1], address[2]].into(),
            tokens: Tokens::default(),
            device: String::new(),
        };
        let entry = self.0.door.admit(name, password, &from).await;
        entry.ok()?.place(&self.0.hashing).await.ok()
    }
}
