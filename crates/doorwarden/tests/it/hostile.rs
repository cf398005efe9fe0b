//! Targets that mean the scanner harm, or make no sense.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

use crate::process::{Ran, run};

/// A server that answers every request of a path with these bytes, and closes.
fn server(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), std::sync::Arc::clone(&answer));
            std::thread::spawn(move || {
                let mut request = [0; 8192];
                let n = stream.read(&mut request).unwrap_or(0);
                let head = String::from_utf8_lossy(&request[..n]).into_owned();
                let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
                let _ = stream.write_all(&answer(&path));
            });
        }
    });
    format!("http://{address}")
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

fn scan(url: &str, more: &[&str]) -> Ran {
    let mut args = vec![
        "scan",
        url,
        "--account",
        "synthetic:a right password",
        "--pace",
        "1000",
        "--quiet",
    ];
    args.extend(more);
    run(&args)
}

const LOGIN: [&str; 2] = ["--login", "POST /login json:/username json:/password"];

#[test]
fn a_document_that_is_none_is_told() {
    let html = server(|_| {
        http(
            "200 OK",
            "content-type: text/html\r\n",
            "<html>an application in one page</html>",
        )
    });
    let ran = scan(&html, &[]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("not JSON at line 1") && ran.err.contains("--login"),
        "{}",
        ran.err
    );
    let none = server(|_| http("404 Not Found", "", "no"));
    let ran = scan(&none, &[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("/openapi.json"), "{}", ran.err);
}

#[test]
fn a_login_that_answers_everything_alike_is_told() {
    let html = server(|_| {
        http(
            "200 OK",
            "content-type: text/html\r\n",
            "<html>log in</html>",
        )
    });
    let ran = scan(&html, &LOGIN);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("answered like a wrong one"), "{}", ran.err);
}

#[test]
fn faults_in_a_row_stop_the_scan() {
    let broken = server(|_| http("500 Internal Server Error", "", "boom"));
    let ran = scan(&broken, &LOGIN);
    assert_eq!(ran.code, Some(3));
    assert!(ran.err.contains("5xx 3 times in a row"), "{}", ran.err);
}

#[test]
fn endless_bodies_and_headers_and_nonsense_harm_nothing() {
    let endless = server(|_| {
        let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..4096 {
            answer.extend_from_slice(b"1000\r\n");
            answer.extend_from_slice(&[b'a'; 4096]);
            answer.extend_from_slice(b"\r\n");
        }
        answer
    });
    assert_eq!(scan(&endless, &LOGIN).code, Some(2));
    let headers = server(|_| {
        let many: String = (0..100_000).map(|i| format!("x-{i}: 1\r\n")).collect();
        http("200 OK", &many, "")
    });
    assert_eq!(scan(&headers, &LOGIN).code, Some(3));
    let nonsense = server(|_| b"\x00\xff\x1b[31mnot HTTP at all\r\n\r\n".to_vec());
    let ran = scan(&nonsense, &LOGIN);
    assert_eq!(ran.code, Some(3));
    assert!(!ran.err.contains('\u{1b}'), "{:?}", ran.err);
}

#[test]
fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!(
        "location: http://{}/login\r\n",
        elsewhere.local_addr().unwrap()
    );
    let redirects = server(move |_| http("307 Temporary Redirect", &location, ""));
    assert_eq!(scan(&redirects, &LOGIN).code, Some(2));
    assert!(elsewhere.accept().is_err(), "credentials went elsewhere");
}
