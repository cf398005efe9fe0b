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
        ran.err.contains("invalid JSON at line 1") && ran.err.contains("--login"),
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
    assert!(ran.err.contains("get the same response"), "{}", ran.err);
}

#[test]
fn faults_in_a_row_stop_the_scan() {
    let broken = server(|_| http("500 Internal Server Error", "", "boom"));
    let ran = scan(&broken, &LOGIN);
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.err.contains("3 consecutive 5xx responses"),
        "{}",
        ran.err
    );
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

#[test]
fn a_drip_a_bomb_and_a_loop_harm_nothing() {
    // A byte every half second, for ever: the time for an answer ends it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let drip = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                while stream.write_all(b"H").is_ok() {
                    std::thread::sleep(std::time::Duration::from_millis(500));
                }
            });
        }
    });
    let ran = scan(&drip, &LOGIN);
    assert_eq!(ran.code, Some(3), "{}", ran.err);

    // 32 MiB that say they are gzip: they are not unpacked, and read up to their limit only.
    let bomb = server(|_| {
        let mut answer =
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n".to_vec();
        answer.extend_from_slice(&[0x1f, 0x8b, 8, 0]);
        answer.resize(32 << 20, 0);
        answer
    });
    assert_eq!(scan(&bomb, &LOGIN).code, Some(2));

    let here = server(|path| http("302 Found", &format!("location: {path}\r\n"), ""));
    let ran = scan(&here, &LOGIN);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
}

#[test]
fn a_document_that_means_harm_harms_nothing() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let other = elsewhere.local_addr().unwrap();
    let login =
        r##"{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/a"}}}}}}"##;
    let schemas = r##""a":{"$ref":"#/b"},"b":{"$ref":"#/a"}"##;
    let credentials = r#"{"post":{"requestBody":{"content":{"application/json":{"schema":{"properties":{"user":{},"password":{}}}}}}}}"#;
    let many: String = (0..20_000)
        .map(|i| format!(r#""/p{i}":{{"get":{{}}}},"#))
        .collect();
    let documents = [
        // Deeper than a stack.
        "[".repeat(200_000),
        format!(r#"{{"paths":{{"/login":{login}}},{schemas}}}"#),
        // Somebody else's server, and names of routes that are none.
        format!(
            r#"{{"servers":[{{"url":"http://{other}"}}],"paths":{{{many}"/login":{credentials}}}}}"#
        ),
        format!(r#"{{"paths":{{"//{other}/login":{credentials}}}}}"#),
        format!(
            r#"{{"paths":{{"/login\r\nhost: {other}":{credentials},"/\u001b[31mlogin":{credentials}}}}}"#
        ),
    ];
    for document in documents {
        let target = server(move |path| match path {
            "/openapi.json" => http("200 OK", "", &document),
            _ => http("401 Unauthorized", "", "no"),
        });
        let ran = scan(&target, &[]);
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(
            !ran.err.contains('\u{1b}') && !ran.out.contains('\u{1b}'),
            "{:?}",
            ran.err
        );
    }
    assert!(elsewhere.accept().is_err(), "credentials went elsewhere");
}

#[test]
fn nothing_that_the_operator_keeps_secret_is_shown() {
    // It says back whatever it was sent, in heads and bodies.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut request = [0; 8192];
                let n = stream.read(&mut request).unwrap_or(0);
                let text = String::from_utf8_lossy(&request[..n]).into_owned();
                let right = text.contains("Correct-Horse-77");
                let status = if right { "200 OK" } else { "401 Unauthorized" };
                let token = if right {
                    r#","access_token":"tok-3f9a77c2e1b04d55""#
                } else {
                    ""
                };
                let body = format!("{{\"sent\":{}{token}}}", serde_json::Value::from(text));
                let _ = stream.write_all(&http(status, "", &body));
            });
        }
    });
    for format in ["text", "json", "html", "markdown", "sarif", "junit"] {
        let mut args = vec![
            "scan",
            &url,
            "--account",
            "synthetic:Correct-Horse-77",
            "--pace",
            "1000",
        ];
        args.extend(LOGIN);
        args.extend([
            "--format",
            format,
            "--check",
            "enumeration-by-answer",
            "--check",
            "token-not-checked",
        ]);
        args.extend([
            "--check",
            "refresh-token-reuse",
            "--check",
            "login-input-errors",
        ]);
        let ran = run(&args);
        for secret in ["Correct-Horse-77", "tok-3f9a77c2e1b04d55"] {
            assert!(!ran.out.contains(secret), "{format}: {}", ran.out);
            assert!(!ran.err.contains(secret), "{format}: {}", ran.err);
        }
        assert!(!ran.out.is_empty(), "{format}: {}", ran.err);
    }
}

/// What asks with the token that is there already runs side by side, a few at a time; logins don't.
#[test]
fn only_what_harms_nobody_runs_side_by_side() {
    use std::sync::{Arc, Mutex};

    /// Requests under way, and the most there were, of the protected route and of the login.
    #[derive(Default)]
    struct Busy([(u32, u32); 2]);
    let busy = Arc::new(Mutex::new(Busy::default()));
    let seen = Arc::clone(&busy);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, busy) = (stream.unwrap(), Arc::clone(&seen));
            std::thread::spawn(move || {
                let mut request = [0; 8192];
                let mut n = 0;
                // The head and, of a login, the body.
                while n < request.len() {
                    n += match stream.read(&mut request[n..]) {
                        Ok(0) | Err(_) => break,
                        Ok(more) => more,
                    };
                    let text = String::from_utf8_lossy(&request[..n]);
                    if text.ends_with("\r\n\r\n") && text.starts_with("GET") || text.ends_with('}')
                    {
                        break;
                    }
                }
                let text = String::from_utf8_lossy(&request[..n]).into_owned();
                let login = text.starts_with("POST /login ");
                let of = usize::from(login);
                {
                    let (now, most) = &mut busy.lock().unwrap().0[of];
                    *now += 1;
                    *most = (*most).max(*now);
                }
                std::thread::sleep(std::time::Duration::from_millis(if login {
                    10
                } else {
                    60
                }));
                let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmVk";
                let answer = if login && text.contains("a right password") {
                    http("200 OK", "", &format!("{{\"access_token\":\"{token}\"}}"))
                } else if text.starts_with("GET /me ") && text.contains(token) {
                    http("200 OK", "", "{\"me\":1}")
                } else {
                    http("401 Unauthorized", "", "{\"error\":\"no\"}")
                };
                busy.lock().unwrap().0[of].0 -= 1;
                let _ = stream.write_all(&answer);
            });
        }
    });
    let ran = scan(
        &url,
        &[
            LOGIN[0],
            LOGIN[1],
            "--protected",
            "/me",
            "--check",
            "jwt-unsigned-accepted",
            "--check",
            "jwt-key-injection",
            "--check",
            "cors-credentials",
            "--check",
            "login-unlimited",
        ],
    );
    assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.err);
    let [(_, asked), (_, logins)] = busy.lock().unwrap().0;
    assert!((2..=4).contains(&asked), "{asked} at once");
    assert_eq!(logins, 1);
}
