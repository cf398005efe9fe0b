//! The admin endpoints: metrics, and retroactive hits.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use doorwarden_gate::Gate;
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{Body, full, proxy::refuse};

/// The most concurrent connections; it serves one scraper and one operator.
const CONNECTIONS: usize = 16;

/// The admin server, on a separate loopback address.
pub(crate) struct Admin {
    listener: TcpListener,
    gate: Arc<Gate>,
}

impl Admin {
    pub(crate) async fn bind(address: SocketAddr, gate: Arc<Gate>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, gate })
    }

    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped.
    pub(crate) async fn run(self) {
        let mut connections = JoinSet::new();
        loop {
            if connections.len() >= CONNECTIONS {
                connections.join_next().await;
            }
            let Ok((stream, _)) = self.listener.accept().await else {
                // Usually out of file descriptors; wait for some to be closed.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let gate = Arc::clone(&self.gate);
            let service = service_fn(move |request| {
                let answer = answer(&gate, &request);
                async { Ok::<_, Infallible>(answer) }
            });
            connections.spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                // An error means that the client disconnected.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

/// Returns whether the Host header names this machine, which that of a DNS rebinding attack does not.
fn is_local(request: &Request<Incoming>) -> bool {
    let host = request.headers().get(http::header::HOST);
    let host = host.and_then(|host| host.to_str().ok()?.parse::<http::uri::Authority>().ok());
    host.is_none_or(|host| {
        let name = host.host().trim_matches(['[', ']']);
        name == "localhost"
            || name
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    })
}

fn answer(gate: &Gate, request: &Request<Incoming>) -> Response<Body> {
    if !is_local(request) {
        return refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "The Host header must be localhost or a loopback address.",
        );
    }
    let (kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => ("text/plain; version=0.0.4", gate.metrics()),
        (&Method::GET, "/retroactions") => {
            let logins = serde_json::json!({ "logins": gate.retroacted() });
            ("application/json", logins.to_string())
        }
        _ => {
            let detail = "Not found; see GET /metrics and GET /retroactions.";
            return refuse(StatusCode::NOT_FOUND, detail);
        }
    };
    let mut response = Response::new(full(text));
    let kind = http::HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
