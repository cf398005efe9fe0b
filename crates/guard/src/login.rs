//! One login: admit, forward, read the outcome, settle, answer.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use doorwarden_decision::{Login, Outcome};
use doorwarden_gate::{
    Admission, Ticket,
    http::{
        credentials::{Place, Unreadable, UnreadableTemplate},
        refusal,
    },
    now,
};
use http::{Method, Request, Response, StatusCode, header::AUTHORIZATION, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::{
    Body, FailureForm, OutcomeRule, ProtectedLogin, full, hop,
    path::canonical,
    proxy::{Proxy, pass_on, refuse},
    uniform::Deadline,
};

/// A login's body is a name and a password; this is room for a large form around them.
const BODY_LIMIT: usize = 64 * 1024;

/// How long a client may take to send that much.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A login's answer that has to be read for its outcome is held in memory up to this size.
const ANSWER_LIMIT: usize = 1024 * 1024;

/// A protected login, ready to serve.
pub(crate) struct Door {
    route: Login,
    /// The route in a few words, for events.
    name: String,
    path: String,
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
            path: canonical(&login.route.path),
            place: Place::of(&login.route)?,
            route: login.route,
            rule: login.success,
            deadline: Deadline::new(failure.quantum, Instant::now()),
            failure,
        })
    }

    /// Whether a request is an attempt at this login, by whatever spelling of its path. With
    /// Basic, a request without those credentials attempts nothing.
    pub(crate) fn matches<B>(&self, request: &Request<B>) -> bool {
        let method = match *request.method() {
            Method::HEAD => "GET",
            ref method => method.as_str(),
        };
        self.route.method == method
            && canonical(request.uri().path()) == self.path
            && (self.place != Place::Basic || tries_basic(request))
    }

    pub(crate) async fn pass(
        &self,
        proxy: &Proxy,
        peer: IpAddr,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let request = match whole(request).await {
            Ok(request) => request,
            Err(refusal) => return refusal,
        };
        let ticket = match self.admit(proxy, peer, &request) {
            Ok(ticket) => ticket,
            Err(refusal) => return refusal,
        };
        let started = Instant::now();
        match proxy.forward(peer, request.map(full), false).await {
            Ok(response) => self.conclude(proxy, ticket, response, started).await,
            Err(refusal) => {
                ticket.settle(Outcome::Unverified, now());
                refusal
            }
        }
    }

    fn admit(
        &self,
        proxy: &Proxy,
        peer: IpAddr,
        request: &Request<Bytes>,
    ) -> Result<Ticket, Response<Body>> {
        let bad = |reason: Unreadable| refuse(reason.status(), &reason.to_string());
        let credentials = self
            .place
            .read(request.headers(), request.body())
            .map_err(bad)?;
        let client = proxy.proxies.client(peer, request.headers());
        match proxy.gate.admit(&self.name, credentials, client, now()) {
            Ok(Admission::Allow(ticket)) => Ok(ticket),
            Ok(Admission::Deny(denial)) => Err(refusal::too_many(denial).map(full)),
            Err(invalid) => Err(bad(invalid.into())),
        }
    }

    /// Reads the outcome out of the application's answer, settles, and answers: a success as it
    /// is, a failure in the uniform form at the deadline.
    async fn conclude(
        &self,
        proxy: &Proxy,
        ticket: Ticket,
        response: Response<Incoming>,
        started: Instant,
    ) -> Response<Body> {
        let outcome = |response: &Response<Incoming>, body: &[u8]| {
            let (status, headers) = (response.status(), response.headers());
            self.rule.outcome(&self.route.path, status, headers, body)
        };
        if !self.rule.reads_body() && outcome(&response, b"") != Outcome::Failure {
            ticket.settle(outcome(&response, b""), now());
            return pass_on(response, false);
        }
        let (response, body) = match read_answer(response, proxy.timeout).await {
            Ok(read) => read,
            Err(refusal) => {
                ticket.settle(Outcome::Unverified, now());
                return refusal;
            }
        };
        let outcome = self.rule.outcome(
            &self.route.path,
            response.status(),
            response.headers(),
            &body,
        );
        ticket.settle(outcome, now());
        if outcome != Outcome::Failure || proxy.gate.is_shadow() {
            return response.map(|()| full(body));
        }
        let leaves = self.deadline.after(started.elapsed(), Instant::now());
        tokio::time::sleep_until((started + leaves).into()).await;
        self.failure.response()
    }
}

fn tries_basic<B>(request: &Request<B>) -> bool {
    let values = request.headers().get_all(AUTHORIZATION).iter();
    let basic = |value: &[u8]| value.len() >= 5 && value[..5].eq_ignore_ascii_case(b"basic");
    values.map(|value| value.as_bytes()).any(basic)
}

/// Reads a login's body: bounded in size and time, before anything is charged.
async fn whole(request: Request<Incoming>) -> Result<Request<Bytes>, Response<Body>> {
    let (mut parts, body) = request.into_parts();
    let read = Limited::new(body, BODY_LIMIT).collect();
    let body = match tokio::time::timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = "The login's body is larger than 64 kB.";
            return Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        Ok(Err(_)) => return Err(refuse(StatusCode::BAD_REQUEST, "The body broke off.")),
        Err(_) => {
            return Err(refuse(
                StatusCode::REQUEST_TIMEOUT,
                "The body took too long.",
            ));
        }
    };
    // One framing for the application: the length that was counted.
    hop::strip(&mut parts.headers, false);
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    Ok(Request::from_parts(parts, body))
}

/// Reads an answer that has to be read or replaced.
async fn read_answer(
    response: Response<Incoming>,
    timeout: Duration,
) -> Result<(Response<()>, Bytes), Response<Body>> {
    let (mut parts, body) = response.into_parts();
    let read = Limited::new(body, ANSWER_LIMIT).collect();
    let Ok(Ok(body)) = tokio::time::timeout(timeout, read).await else {
        let detail = "The application's answer to a login broke off or is too large.";
        return Err(refuse(StatusCode::BAD_GATEWAY, detail));
    };
    hop::strip(&mut parts.headers, false);
    let body = body.to_bytes();
    if parts.headers.contains_key(CONTENT_LENGTH) {
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    Ok((Response::from_parts(parts, ()), body))
}
