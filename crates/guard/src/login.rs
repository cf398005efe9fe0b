//! One login: admit, forward, read the outcome, settle, respond.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use doorwarden_decision::{Decision, Outcome};
use doorwarden_gate::{
    Admission, Asked, Deadline, Denial, Ticket,
    http::{
        credentials::{Place, Unreadable, UnreadableTemplate},
        device::Tokens,
        refusal,
    },
    now,
};
use futures_util::StreamExt;
use http::{
    Method, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::Incoming;
use tokio::time::timeout;
use tracing::Instrument;

use crate::{
    Body, BoxError, FailureForm, OutcomeRule, ProtectedLogin, full,
    path::Route,
    proxy::{Proxy, StepUp, pass_on, refuse},
};

/// A login's body is a name and a password; this is room for a large form around them.
const BODY_LIMIT: usize = 64 * 1024;

/// How long a client may take to send that much, and the application to end its answer.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The most of a login's response that is held in memory to read it.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// A protected login, ready to serve.
pub(crate) struct Door {
    method: String,
    route: Route,
    /// Method and path as configured, for events.
    name: String,
    place: Place,
    rule: OutcomeRule,
    failure: FailureForm,
    deadline: Deadline,
}

impl Door {
    pub(crate) fn new(
        login: ProtectedLogin,
        failure: FailureForm,
    ) -> Result<Self, UnreadableTemplate> {
        Ok(Self {
            name: format!("{} {}", login.route.method, login.route.path),
            route: Route::new(&login.route.path),
            place: Place::of(&login.route)?,
            method: login.route.method,
            rule: login.success,
            deadline: Deadline::new(failure.quantum, Instant::now()),
            failure,
        })
    }

    /// Returns the method and path, as configured.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether a request is an attempt at this login, in any spelling of its path. With Basic, a
    /// request without such credentials is not an attempt.
    pub(crate) fn matches<B>(&self, request: &Request<B>) -> bool {
        let method = match *request.method() {
            Method::HEAD => "GET",
            ref method => method.as_str(),
        };
        self.method == method
            && self.route.is_named_by(request.uri().path())
            && (self.place != Place::Basic || tries_basic(request))
    }

    pub(crate) async fn pass(
        &self,
        proxy: &Proxy,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let shadow = proxy.gate.is_shadow();
        let request = match whole(request).await {
            Ok(request) => request,
            // Shadow refuses nothing: what can't be read goes on as it came.
            Err(Unwhole::TooLarge(request)) if shadow => return proxy.stream(peer, *request).await,
            Err(reason) => return reason.refusal(),
        };
        let tokens = Tokens::of(request.headers());
        let ticket = match self.admit(proxy, peer, &request, &tokens).await {
            Ok(ticket) => ticket,
            Err(_) if shadow => return proxy.stream(peer, request.map(full)).await,
            Err(refusal) => return refusal,
        };
        let mut forwarded = self.prepared(request, shadow);
        let ticket = match obey(proxy, ticket, &mut forwarded).await {
            Ok(ticket) => ticket,
            Err(refusal) => return refusal,
        };
        let under_way = self.deadline.begin(Instant::now());
        let started = Instant::now();
        match proxy.forward(peer, forwarded, false).await {
            Ok(response) => {
                let (outcome, mut response) = self.outcome(response, shadow).await;
                let elapsed = started.elapsed();
                let token = ticket.settle(outcome, now()).await;
                under_way.answered(outcome, Instant::now());
                if outcome != Outcome::Failure || shadow {
                    if let Some(token) = token {
                        tokens.give(&token, response.headers_mut());
                    }
                    return response;
                }
                under_way.hold(elapsed).await;
                self.failure.response()
            }
            Err(refusal) => {
                ticket.settle(Outcome::Unverified, now()).await;
                refusal
            }
        }
    }

    async fn admit(
        &self,
        proxy: &Proxy,
        peer: IpAddr,
        request: &Request<Bytes>,
        tokens: &Tokens,
    ) -> Result<Ticket, Response<Body>> {
        let bad = |reason: Unreadable| refuse(reason.status(), &sentence(&reason));
        let (headers, query) = (request.headers(), request.uri().query());
        let credentials = self
            .place
            .read(headers, query, request.body())
            .map_err(bad)?;
        let client = proxy.proxies.client(peer, headers);
        let asked = Asked {
            route: self.name.clone(),
            credentials,
            client,
            asn: proxy.asns.as_ref().and_then(|table| table.asn(client)),
            tokens: tokens.tokens.clone(),
        };
        // In a task of its own: a client that goes away in mid-charge must not leave it half done.
        let gate = Arc::clone(&proxy.gate);
        let admitting =
            tokio::spawn(async move { gate.admit(asked, now()).await }.in_current_span());
        let admitted = admitting.await.map_err(|_| {
            let detail = "Internal error; the login was not processed.";
            refuse(StatusCode::INTERNAL_SERVER_ERROR, detail)
        })?;
        match admitted {
            Ok(Admission::Allow(ticket)) => Ok(ticket),
            Ok(Admission::Deny(denial)) => Err(refusal::too_many(denial).map(full)),
            Err(invalid) => Err(bad(invalid.into())),
        }
    }

    /// The request for the application: one framing, and an answer that can be read here.
    fn prepared(&self, mut request: Request<Bytes>, shadow: bool) -> Request<Body> {
        let length = request.body().len();
        let headers = request.headers_mut();
        headers.remove(TRANSFER_ENCODING);
        headers.insert(CONTENT_LENGTH, length.into());
        if self.rule.json.is_some() && !shadow {
            headers.remove(ACCEPT_ENCODING);
        }
        request.map(full)
    }

    /// What the application's answer tells, and the answer as the client may see it. A failure's
    /// own body is read, so that the connection can serve again, and thrown away.
    async fn outcome(
        &self,
        response: Response<Incoming>,
        shadow: bool,
    ) -> (Outcome, Response<Body>) {
        let by_head = self
            .rule
            .by_head(&self.route, response.status(), response.headers());
        let response = pass_on(response, false);
        match by_head {
            Some(Outcome::Failure) if !shadow => {
                let _ = timeout(BODY_TIMEOUT, read(response, ANSWER_LIMIT)).await;
                (Outcome::Failure, self.failure.response())
            }
            Some(outcome) => (outcome, response),
            None => match timeout(BODY_TIMEOUT, read(response, ANSWER_LIMIT)).await {
                Ok(Ok((response, body))) => {
                    (self.rule.by_body(&body), response.map(|()| full(body)))
                }
                // What is too large or breaks off has no token in it that we could see.
                Ok(Err(Some(response))) => (Outcome::Failure, response),
                Ok(Err(None)) | Err(_) => {
                    let detail = "The application's response to the login was incomplete.";
                    (Outcome::Failure, refuse(StatusCode::BAD_GATEWAY, detail))
                }
            },
        }
    }
}

/// Does what the decision asks before the password is verified: waits, or tells the application
/// to ask for a second factor.
async fn obey(
    proxy: &Proxy,
    mut ticket: Ticket,
    request: &mut Request<Body>,
) -> Result<Ticket, Response<Body>> {
    match ticket.decision() {
        Decision::Delay { wait } => match proxy.delays.try_acquire() {
            Ok(_place) => {
                ticket.hold(false);
                tokio::time::sleep(wait).await;
                ticket.hold(true);
            }
            Err(_) => {
                ticket.settle(Outcome::Unverified, now()).await;
                let denial = Denial { retry_after: wait };
                return Err(refusal::too_many(denial).map(full));
            }
        },
        Decision::StepUp => {
            let step_up = StepUp(ticket.suspicion());
            request.extensions_mut().insert(step_up);
        }
        Decision::Allow | Decision::Deny { .. } => {}
    }
    Ok(ticket)
}

/// Returns an error as a sentence for the client.
fn sentence(error: &Unreadable) -> String {
    let mut sentence = error.to_string();
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    sentence + "."
}

fn tries_basic<B>(request: &Request<B>) -> bool {
    let values = request.headers().get_all(AUTHORIZATION).iter();
    let basic = |value: &[u8]| value.len() >= 5 && value[..5].eq_ignore_ascii_case(b"basic");
    values.map(|value| value.as_bytes()).any(basic)
}

/// Why a login's request could not be read whole.
enum Unwhole {
    /// Over the limit; the request as it came.
    TooLarge(Box<Request<Body>>),
    BrokeOff,
    TooSlow,
}

impl Unwhole {
    fn refusal(self) -> Response<Body> {
        match self {
            Self::TooLarge(_) => refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request body is larger than 64 KiB.",
            ),
            Self::BrokeOff => refuse(StatusCode::BAD_REQUEST, "The request body was incomplete."),
            Self::TooSlow => refuse(
                StatusCode::REQUEST_TIMEOUT,
                "The request body was not received in time.",
            ),
        }
    }
}

/// Reads a login's request: bounded in size and time, before anything is charged.
async fn whole(request: Request<Incoming>) -> Result<Request<Bytes>, Unwhole> {
    let (parts, body) = request.into_parts();
    match timeout(BODY_TIMEOUT, bounded(body, BODY_LIMIT)).await {
        Ok(Bounded::Whole(body)) => Ok(Request::from_parts(parts, body)),
        Ok(Bounded::Longer(body)) => Err(Unwhole::TooLarge(Box::new(Request::from_parts(
            parts, body,
        )))),
        Ok(Bounded::BrokeOff) => Err(Unwhole::BrokeOff),
        Err(_) => Err(Unwhole::TooSlow),
    }
}

/// Reads an answer. An error holds the answer as it came where it is too large, nothing where it
/// broke off.
async fn read(
    response: Response<Body>,
    limit: usize,
) -> Result<(Response<()>, Bytes), Option<Response<Body>>> {
    let (parts, body) = response.into_parts();
    match bounded(body, limit).await {
        Bounded::Whole(body) => Ok((Response::from_parts(parts, ()), body)),
        Bounded::Longer(body) => Err(Some(Response::from_parts(parts, body))),
        Bounded::BrokeOff => Err(None),
    }
}

/// A body that was read up to a limit.
enum Bounded {
    Whole(Bytes),
    /// It goes on; all of it, with what was read in front.
    Longer(Body),
    BrokeOff,
}

async fn bounded<B>(mut body: B, limit: usize) -> Bounded
where
    B: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Bounded::BrokeOff;
        };
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() > limit {
            let first = Full::new(read.freeze()).map_err(|never| match never {});
            let rest = body.map_err(Into::into);
            return Bounded::Longer(chain(first.boxed_unsync(), rest.boxed_unsync()));
        }
    }
    Bounded::Whole(read.freeze())
}

fn chain(first: Body, rest: Body) -> Body {
    StreamBody::new(BodyStream::new(first).chain(BodyStream::new(rest))).boxed_unsync()
}
