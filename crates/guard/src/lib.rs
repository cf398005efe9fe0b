//! A reverse proxy that protects an application's logins.
//!
//! ```text
//! config.rs    the section `[guard]` of the configuration
//! server.rs    accepts connections, passes each request to the proxy, shuts down gracefully
//! proxy.rs     sends logins through the gate and streams everything else
//! login.rs     admit -> forward -> outcome -> settle -> response
//! outcome.rs   what the application's response to a login means
//! path.rs      all spellings under which a route may be served
//! hop.rs       hop-by-hop headers, and framing that is rejected
//! upgrade.rs   WebSocket tunnels
//! upstream.rs  logs when the application becomes unreachable
//! admin.rs     metrics and retroactive hits, on a separate address
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
mod upstream;

pub use config::{Config, FailureForm, ProtectedLogin, Scope, Upstream};
pub use doorwarden_gate::{Event, EventSink, http::client_addr::ForwardingHeader};
pub use outcome::OutcomeRule;
pub use server::{Guard, StartError};

/// The body of a request or response: a stream of bytes from any source.
type Body = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, BoxError>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn full(text: impl Into<bytes::Bytes>) -> Body {
    use http_body_util::BodyExt;
    http_body_util::Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}
