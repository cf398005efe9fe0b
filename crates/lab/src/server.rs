//! A running login.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use axum::{Router, routing::get};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    account, login,
    openapi::openapi,
    signed,
    site::{Site, lock},
    specimen::Specimen,
};

/// A login that listens on loopback until this is dropped.
pub struct Server {
    address: SocketAddr,
    site: Arc<Site>,
    task: JoinHandle<()>,
}

impl Server {
    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its URL without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the secret that signs its JWTs, if a secret does: its operator knows it.
    pub fn jwt_secret(&self) -> Option<String> {
        lock(&self.site.tokens).secret().map(str::to_owned)
    }

    /// Returns the number of login attempts so far.
    pub fn attempts(&self) -> u64 {
        self.site.attempts.load(Ordering::Relaxed)
    }

    /// Returns the secret that signs requests to `/signed`.
    pub fn signing_key(&self) -> &str {
        &self.site.signing_key
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a specimen with these accounts (name and password) on a free port of 127.0.0.1.
///
/// # Errors
///
/// If loopback has no free port.
pub async fn start(specimen: Specimen, accounts: Vec<(String, String)>) -> std::io::Result<Server> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let site = Arc::new(Site::new(specimen));
    let seeded = Arc::clone(&site);
    let seed = move || {
        for (name, password) in accounts {
            seeded.add_account(name, &password);
        }
    };
    tokio::task::spawn_blocking(seed).await?;
    let app = Router::new()
        .route("/openapi.json", get(openapi))
        .merge(login::routes(&site.specimen))
        .merge(account::routes())
        .merge(signed::routes())
        .with_state(Arc::clone(&site))
        .into_make_service_with_connect_info::<SocketAddr>();
    let task = tokio::spawn(async move {
        // It runs until it is aborted. A failed listener shows as a missing response.
        let _ = axum::serve(listener, app).await;
    });
    Ok(Server {
        address,
        site,
        task,
    })
}
