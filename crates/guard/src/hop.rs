//! Hop-by-hop headers, and framing that is rejected.

use std::net::IpAddr;

use doorwarden_gate::http::client_addr::{FORWARDING_HEADERS, Proxies};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Version,
    header::{CONNECTION, COOKIE, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};

/// RFC 9110 §7.6.1 and its ancestors.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
];

/// Prefixes of end-to-end headers that a client must not have removed by naming them in
/// `Connection`: the application would act without its caller's identity or origin.
const END_TO_END: [&str; 7] = [
    "authorization",
    "content-",
    "cookie",
    "forwarded",
    "host",
    "x-forwarded-",
    "x-real-ip",
];

/// Headers with which a client could have the application serve another path than the one matched here.
const REWRITES: [&str; 3] = ["x-original-url", "x-rewrite-url", "x-http-method-override"];

/// Returns why a request is rejected before it is forwarded, as a sentence for the client.
pub(crate) fn objection<B>(request: &Request<B>) -> Option<&'static str> {
    let headers = request.headers();
    if request.method() == Method::CONNECT {
        return Some("CONNECT is not supported.");
    }
    // Methods are case-sensitive (RFC 9110 §9.1), but some applications take `post` for `POST`.
    if request
        .method()
        .as_str()
        .bytes()
        .any(|b| b.is_ascii_lowercase())
    {
        return Some("The method must be in uppercase.");
    }
    let hosts = headers.get_all(HOST).iter().count();
    if hosts > 1 || (request.version() == Version::HTTP_11 && hosts == 0) {
        return Some("The request must have exactly one Host header.");
    }
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    let chunked = encodings
        .next()
        .is_none_or(|value| value.as_bytes() == b"chunked");
    if !chunked || encodings.next().is_some() {
        return Some("Unsupported Transfer-Encoding; only a single \"chunked\" is accepted.");
    }
    let abused = |name: &str| END_TO_END.iter().any(|prefix| name.starts_with(prefix));
    if named_in_connection(headers).any(|name| abused(name.as_str())) {
        return Some("The Connection header names a header that is not hop-by-hop.");
    }
    None
}

/// Whether the connection has to end with this request. A chunked request may have carried a
/// Content-Length too, which the parser has dropped: what follows it on the connection can't be
/// trusted to be a request (RFC 9112 §6.1 wants the connection closed).
pub(crate) fn ends_connection<B>(request: &Request<B>) -> bool {
    request.version() <= Version::HTTP_11 && request.headers().contains_key(TRANSFER_ENCODING)
}

/// Whether the client asks for a WebSocket (RFC 6455 §4.1). No other upgrade is passed on: behind
/// an upgrade to `h2c` whole logins would go by uncounted.
pub(crate) fn asks_websocket<B>(request: &Request<B>) -> bool {
    request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && names_websocket(request.headers())
        && named_in_connection(request.headers()).any(|name| name == UPGRADE)
}

/// Whether `Upgrade` says `websocket` and nothing else.
pub(crate) fn names_websocket(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(UPGRADE).iter();
    let websocket = values
        .next()
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    websocket && values.next().is_none()
}

/// Joins the cookies that HTTP/2 may split (RFC 9113 §8.2.3): HTTP/1.1 has one line of them.
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// Removes what ends here from a request or an answer. `Upgrade` stays only when `keep_upgrade`.
pub(crate) fn strip(headers: &mut HeaderMap, keep_upgrade: bool) {
    let named: Vec<HeaderName> = named_in_connection(headers).collect();
    for name in HOP_BY_HOP
        .iter()
        .chain(&named)
        .filter(|name| **name != UPGRADE)
    {
        headers.remove(name);
    }
    // hyper has answered `Expect: 100-continue` itself as soon as the body is read.
    headers.remove(EXPECT);
    if keep_upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        headers.remove(UPGRADE);
    }
}

/// Reports the origin of the request to the application, and removes what clients claim: the forwarding
/// headers of an untrusted peer and, from any peer, our own headers, headers that rewrite the path (which
/// proxies pass on as clients wrote them) and every header with an underscore. WSGI and CGI can't tell
/// underscores from dashes, and gunicorn lets its peer, which is this proxy, set `SCRIPT_NAME` and with it
/// the path.
pub(crate) fn tell_origin(headers: &mut HeaderMap, peer: IpAddr, proxies: &Proxies) {
    let trusted = proxies.trusts(peer);
    let claims = |name: &str| {
        name.contains('_')
            || name.starts_with("x-doorwarden-")
            || REWRITES.contains(&name)
            || (!trusted && name.starts_with("x-forwarded-"))
    };
    let removed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| claims(name.as_str()))
        .cloned()
        .collect();
    for name in &removed {
        headers.remove(name);
    }
    let mut chain = String::new();
    if trusted {
        for value in headers.get_all("x-forwarded-for") {
            chain.push_str(value.to_str().unwrap_or("unknown"));
            chain.push_str(", ");
        }
    } else {
        for name in FORWARDING_HEADERS {
            headers.remove(name);
        }
    }
    chain.push_str(&peer.to_canonical().to_string());
    if let Ok(value) = HeaderValue::from_str(&chain) {
        headers.insert("x-forwarded-for", value);
    }
    headers
        .entry("x-forwarded-proto")
        .or_insert(HeaderValue::from_static("http"));
}

fn named_in_connection(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> + '_ {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::new(());
        for (name, value) in headers {
            request
                .headers_mut()
                .append(*name, HeaderValue::from_static(value));
        }
        request
    }

    #[test]
    fn doubtful_framing_is_refused() {
        let host = ("host", "a");
        assert_eq!(objection(&request(&[host])), None);
        assert_eq!(
            objection(&request(&[host, ("connection", "keep-alive, x-custom")])),
            None
        );
        for headers in [
            vec![],
            vec![host, host],
            vec![host, ("transfer-encoding", "gzip, chunked")],
            vec![
                host,
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "chunked"),
            ],
            vec![host, ("connection", "close, Authorization")],
            vec![host, ("connection", "x-forwarded-for")],
        ] {
            assert!(objection(&request(&headers)).is_some(), "{headers:?}");
        }
    }

    #[test]
    fn hop_by_hop_ends_here() {
        let mut request = request(&[
            ("connection", "keep-alive, x-once"),
            ("x-once", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("accept", "*/*"),
        ]);
        strip(request.headers_mut(), false);
        let left: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["accept"]);
    }

    #[test]
    fn an_untrusted_peer_claims_nothing() {
        let proxies = Proxies {
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            ..Proxies::default()
        };
        let claims = [
            ("x-forwarded-for", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
            ("x-doorwarden-decision", "allow"),
            ("script_name", "/x"),
            ("x_forwarded_for", "6.6.6.6"),
            ("x-original-url", "/login"),
            ("x-rewrite-url", "/login"),
            ("x-http-method-override", "PUT"),
            ("x-client-ip", "6.6.6.6"),
            ("true-client-ip", "6.6.6.6"),
            ("cf-connecting-ip", "6.6.6.6"),
            ("x-cluster-client-ip", "6.6.6.6"),
            ("x-forwarded-host", "evil.example"),
        ];
        let mut spoofed = request(&claims);
        tell_origin(spoofed.headers_mut(), [203, 0, 113, 9].into(), &proxies);
        assert_eq!(spoofed.headers()["x-forwarded-for"], "203.0.113.9");
        assert_eq!(spoofed.headers().len(), 2, "{:?}", spoofed.headers());
        let mut honest = request(&claims);
        tell_origin(honest.headers_mut(), [10, 0, 0, 1].into(), &proxies);
        assert_eq!(honest.headers()["x-forwarded-for"], "6.6.6.6, 10.0.0.1");
        assert!(!honest.headers().contains_key("x-doorwarden-decision"));
        assert!(!honest.headers().contains_key("script_name"));
    }

    #[test]
    fn only_websockets_are_passed_on() {
        let asks =
            |upgrade| asks_websocket(&request(&[("connection", "Upgrade"), ("upgrade", upgrade)]));
        assert!(asks("websocket") && asks("WebSocket"));
        assert!(!asks("h2c") && !asks("websocket, h2c"));
        let twice = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("upgrade", "h2c"),
        ];
        assert!(!asks_websocket(&request(&twice)));
    }

    #[test]
    fn split_cookies_are_joined() {
        let mut split = request(&[("cookie", "a=1"), ("cookie", "b=2")]);
        join_cookies(split.headers_mut());
        assert_eq!(split.headers()["cookie"], "a=1; b=2");
        assert_eq!(split.headers().get_all("cookie").iter().count(), 1);
    }
}
