//! One request: a login goes through the gate, everything else is streamed.

use std::{
    error::Error,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;

use doorwarden_gate::{
    AsnTable, Gate,
    http::{client_addr::Proxies, refusal},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::CONNECTION, header::HOST,
};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client, Error as ClientError, connect::HttpConnector};

use tokio::sync::{Semaphore, oneshot};
use tracing::Instrument;

use crate::{
    Body, BoxError, Scope, Upstream, full, hop, login::Door, server::Line, upgrade,
    upstream::Reachability,
};

/// The proxy.
pub(crate) struct Proxy {
    pub(crate) gate: Arc<Gate>,
    pub(crate) doors: Vec<Door>,
    pub(crate) scope: Scope,
    pub(crate) proxies: Proxies,
    pub(crate) asns: Option<AsnTable>,
    /// Slots for logins that are being delayed; without a free slot they are denied instead.
    pub(crate) delays: Semaphore,
    pub(crate) upstream: Upstream,
    pub(crate) timeout: Duration,
    pub(crate) client: Client<HttpsConnector<HttpConnector>, Body>,
    pub(crate) reachability: Reachability,
}

impl Proxy {
    /// Responds to a request of `peer`, and logs it: a login by its route, anything else without its path,
    /// which may hold the token of a password-reset link.
    pub(crate) async fn answer(
        self: Arc<Self>,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let span = tracing::debug_span!(
            "request",
            method = request.method().as_str(),
            route = tracing::field::Empty,
            upstream_status = tracing::field::Empty,
        );
        let started = Instant::now();
        let responding = async {
            let response = self.respond(peer, request).await;
            tracing::debug!(
                status = response.status().as_u16(),
                elapsed_ms = started.elapsed().as_millis() as u64,
                "request completed"
            );
            response
        };
        responding.instrument(span).await
    }

    async fn respond(&self, peer: IpAddr, request: Request<Incoming>) -> Response<Body> {
        let ends = hop::ends_connection(&request);
        let http1 = request.version() <= Version::HTTP_11;
        let objection = hop::objection(&request);
        let mut response = match objection {
            Some(objection) => {
                // Not a warning: any client could flood the log with it.
                tracing::debug!(reason = objection, "request rejected");
                refuse(StatusCode::BAD_REQUEST, objection)
            }
            None => self.route(peer, request).await,
        };
        if http1 && (ends || objection.is_some()) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }

    async fn route(&self, peer: IpAddr, request: Request<Incoming>) -> Response<Body> {
        match self.doors.iter().find(|door| door.matches(&request)) {
            Some(door) => {
                tracing::Span::current().record("route", door.name());
                door.pass(self, peer, request).await
            }
            None if self.scope == Scope::Logins => {
                refuse(StatusCode::NOT_FOUND, "Only logins are served here.")
            }
            None => {
                let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
                self.stream(peer, request).await
            }
        }
    }

    /// Forwards without looking, both ways.
    pub(crate) async fn stream(&self, peer: IpAddr, mut request: Request<Body>) -> Response<Body> {
        let upgrading = hop::asks_websocket(&request);
        let line = request.extensions_mut().remove::<Line>();
        let client = upgrading.then(|| hyper::upgrade::on(&mut request));
        let mut response = match self.forward(peer, request, upgrading).await {
            Ok(response) => response,
            Err(refusal) => return refusal,
        };
        match (client, line) {
            (Some(client), Some(line)) if upgrade::agreed(&response) => {
                upgrade::join(client, &mut response, line);
                pass_on(response, true)
            }
            _ => pass_on(response, false),
        }
    }

    /// Sends a request to the application; an error is the response to send instead. The application's
    /// time starts when it has received the whole request, since a slow upload is the client's doing.
    pub(crate) async fn forward(
        &self,
        peer: IpAddr,
        mut request: Request<Body>,
        upgrading: bool,
    ) -> Result<Response<Incoming>, Response<Body>> {
        self.address(&mut request)?;
        hop::strip(request.headers_mut(), upgrading);
        hop::join_cookies(request.headers_mut());
        hop::tell_origin(request.headers_mut(), peer, &self.proxies);
        if let Some(step_up) = request.extensions_mut().remove::<StepUp>() {
            step_up.tell(request.headers_mut());
        }
        let (sending, sent) = Sending::begin();
        let request = request.map(|body| held(body, sending));
        let late = async {
            sent.ended_or_stalled().await;
            tokio::time::sleep(self.timeout).await;
        };
        tokio::select! {
            answered = self.client.request(request) => self.noted(answered),
            () = late => Err(refuse(
                StatusCode::GATEWAY_TIMEOUT,
                "The application did not respond in time.",
            )),
        }
    }

    /// Logs the application's response or its absence.
    fn noted(
        &self,
        answered: Result<Response<Incoming>, ClientError>,
    ) -> Result<Response<Incoming>, Response<Body>> {
        match answered {
            Ok(response) => {
                self.reachability.responded();
                let status = response.status().as_u16();
                tracing::Span::current().record("upstream_status", status);
                Ok(response)
            }
            Err(error) => {
                // A client that aborts its upload also causes an error here: not a warning.
                if error.is_connect() {
                    self.reachability.failed(&source(&error));
                } else {
                    tracing::debug!(error = %source(&error), "forwarding failed");
                }
                Err(refuse(
                    StatusCode::BAD_GATEWAY,
                    "The application is unreachable or closed the connection.",
                ))
            }
        }
    }

    /// Points a request at the application; the host that the client asked for stays in `Host`.
    fn address(&self, request: &mut Request<Body>) -> Result<(), Response<Body>> {
        let bad = || refuse(StatusCode::BAD_REQUEST, "The request target is invalid.");
        if let Some(authority) = request.uri().authority() {
            // HTTP/2's :authority, or an absolute target, which outranks Host (RFC 9112 §3.2.2).
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?;
            request.headers_mut().insert(HOST, host);
        }
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str());
        let uri = Uri::builder()
            .scheme(self.upstream.scheme.clone())
            .authority(self.upstream.authority.clone())
            .path_and_query(target)
            .build();
        *request.uri_mut() = uri.map_err(|_| bad())?;
        *request.version_mut() = Version::HTTP_11;
        Ok(())
    }
}

/// The innermost error, which names the cause.
fn source(error: &ClientError) -> &dyn Error {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause
}

/// A login after which the application should ask for a second factor; its suspicion in nats.
#[derive(Clone, Copy)]
pub(crate) struct StepUp(pub(crate) f64);

impl StepUp {
    fn tell(self, headers: &mut HeaderMap) {
        headers.insert(DECISION, HeaderValue::from_static("step-up"));
        if let Ok(suspicion) = HeaderValue::from_str(&format!("{:.1}", self.0)) {
            headers.insert(SUSPICION, suspicion);
        }
    }
}

const DECISION: HeaderName = HeaderName::from_static("x-doorwarden-decision");
const SUSPICION: HeaderName = HeaderName::from_static("x-doorwarden-suspicion");

/// How long a request body may make no progress, on either side.
const STALL: Duration = Duration::from_secs(75);

/// A request that is being sent; dropped when all of it is.
struct Sending {
    progress: Arc<AtomicU64>,
    _end: oneshot::Sender<()>,
}

/// The other end of a [`Sending`].
struct Sent {
    since: Instant,
    progress: Arc<AtomicU64>,
    end: oneshot::Receiver<()>,
}

impl Sending {
    fn begin() -> (Self, Sent) {
        let (end, ended) = oneshot::channel();
        let progress = Arc::new(AtomicU64::new(0));
        let sent = Sent {
            since: Instant::now(),
            progress: Arc::clone(&progress),
            end: ended,
        };
        (
            Self {
                progress,
                _end: end,
            },
            sent,
        )
    }
}

impl Sent {
    /// Ends when the body has ended, or has not moved for too long.
    async fn ended_or_stalled(mut self) {
        let (mut seen, mut since) = (0, self.since);
        loop {
            let check = tokio::time::sleep(STALL / 5);
            tokio::select! {
                _ = &mut self.end => return,
                () = check => {}
            }
            let now = self.progress.load(Ordering::Relaxed);
            if now != seen {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() >= STALL {
                return;
            }
        }
    }
}

/// What a body may hold until it ends.
pub(crate) trait Held: Send + Unpin + 'static {
    /// A frame has gone by.
    fn moved(&self) {}
}

impl Held for Sending {
    fn moved(&self) {
        self.progress.fetch_add(1, Ordering::Relaxed);
    }
}

/// A body that holds something for as long as it is not at its end.
pub(crate) fn held(inner: Body, held: impl Held) -> Body {
    Holding { inner, held }.boxed_unsync()
}

struct Holding<H> {
    inner: Body,
    held: H,
}

impl<H: Held> hyper::body::Body for Holding<H> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if polled.is_ready() {
            self.held.moved();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The application's answer, with what ends at this hop removed.
pub(crate) fn pass_on(mut response: Response<Incoming>, upgraded: bool) -> Response<Body> {
    hop::strip(response.headers_mut(), upgraded);
    *response.version_mut() = Version::HTTP_11;
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}

/// A problem document as an answer.
pub(crate) fn refuse(status: StatusCode, detail: &str) -> Response<Body> {
    refusal::refused(status, detail).map(full)
}
