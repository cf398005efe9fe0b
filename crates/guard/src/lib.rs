//! Stands in front of an application and closes its logins.
//!
//! ```text
//! server.rs   accepts connections, hands each request to the proxy, shuts down gracefully
//! proxy.rs    a login goes through the gate, everything else streams through untouched
//! login.rs    admit -> forward -> outcome -> settle -> the answer
//! outcome.rs  what the application's answer means
//! admin.rs    figures and retroacted logins, on an address of its own
//! hop.rs      headers that end at a proxy, framing that is refused
//! upgrade.rs  WebSocket and other tunnels
//! ```

mod admin;
mod config;
mod hop;
mod login;
mod outcome;
mod path;
mod proxy;
mod server;
mod upgrade;

pub use config::{Config, FailureForm, ProtectedLogin, Scope, Upstream};
pub use doorwarden_gate::{Event, EventSink, http::client_addr::ForwardingHeader};
pub use outcome::OutcomeRule;
pub use server::{Guard, StartError};

/// What is sent and received: bytes that stream, whatever their source.
type Body = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, BoxError>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn full(text: impl Into<bytes::Bytes>) -> Body {
    use http_body_util::BodyExt;
    http_body_util::Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}
